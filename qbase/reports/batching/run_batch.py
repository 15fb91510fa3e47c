"""Several reports: one bad one never stops the rest."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import multiprocessing.connection
import os
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, cast

from qbase.compute import Outcome as TaskOutcome
from qbase.compute import map_tasks
from qbase.core.errors import QbaseError, RunError
from qbase.reports.batching.batch_jobs import Job, Outcome
from qbase.reports.batching.failure_classes import MOST_ATTEMPTS, is_passing
from qbase.reports.batching.planned_batch import Plan, held_queue, plan_batch
from qbase.reports.running.run_states import RECENT, close_dead_runs
from qbase.reports.telling.sent_notices import tell_runs

if TYPE_CHECKING:
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName
    from qbase.reports.running.claimed_run import Progress

REPORT = "qbase.reports.batching.run_batch:serve_report"
LOST, LOOKS, LOOK_SECONDS = "QB818", 20, 0.05
GALLERY_SECONDS = 30.0
"""Between two galleries of a batch: building one for every report would look at every page once for each other."""


def run_many(
    workspace: Workspace,
    jobs: Sequence[Job],
    *,
    jobs_at_once: int = 1,
    engine: EngineName | None = None,
    on_done: Callable[[Outcome], None] | None = None,
    on_retry: Callable[[Outcome], None] | None = None,
    most_attempts: int = MOST_ATTEMPTS,
) -> list[Outcome]:
    """Run several reports, each in processes of its own.

    Parameters
    ----------
    workspace : Workspace
        Where they live.
    jobs : sequence of Job
        What to run.
    jobs_at_once : int
        Reports at once; 1 runs them one after the other, and only their cells outside this process.
    engine : {"kernel", "fork"}, optional
        As `run_report` takes it; forks where there is more than one report.
    on_done : callable, optional
        Called with each outcome as it comes.
    on_retry : callable, optional
        Called with the outcome of an attempt that the machinery failed, before the next one: a kernel or fork that did
        not start, a worker that was lost. What a letter does wrong is never tried again.
    most_attempts : int
        At most so many attempts a report.

    Returns
    -------
    list of Outcome
        In the order of ``jobs``. Nothing is raised for a report that goes wrong.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace
    >>> from qbase.reports import Job, run_many
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> outcomes = run_many(home, [Job(report_id="trends"), Job(report_id="effects")])
    >>> [(outcome.job.report_id, outcome.error.code) for outcome in outcomes]  # one that goes wrong stops no other
    [('trends', 'QB801'), ('effects', 'QB801')]
    """
    found = Found(workspace, jobs, most_attempts, on_done, on_retry)
    with held_queue(workspace, found.take_unchanged()):
        chosen = engine or choose_engine(len(found.waiting))
        while found.waiting:
            if jobs_at_once == 1:
                _run_in_turn(workspace, found, chosen)
            elif chosen != "fork" or not fan_out(workspace, found, jobs_at_once):
                _run_in_pool(workspace, found, jobs_at_once)
    if jobs_at_once > 1 and any(o.record and o.record.state in {"ok", "failed"} for o in found.done.values()):
        # two workers may have listed the runs at once, and the staler page may have been written last
        show_batch(workspace)
    return [found.done[place] for place in range(len(jobs))]


class Found:
    """The jobs of a batch on their way: who waits, who is done, who is tried again."""

    def __init__(
        self,
        workspace: Workspace,
        jobs: Sequence[Job],
        most_attempts: int = MOST_ATTEMPTS,
        on_done: Callable[[Outcome], None] | None = None,
        on_retry: Callable[[Outcome], None] | None = None,
        *,
        closes_lost: bool = True,
    ) -> None:
        self.workspace, self.jobs, self.most_attempts = workspace, jobs, most_attempts
        self.closes_lost = closes_lost
        self.on_done, self.on_retry = on_done, on_retry
        self.waiting = collections.deque(range(len(jobs)))
        self.done: dict[int, Outcome] = {}
        self._begun: collections.Counter[int] = collections.Counter()

    def take_unchanged(self) -> Sequence[str]:
        """Record the jobs whose page is what their run would make, queue the others and return their ids.

        A single job finds out itself.
        """
        return () if len(self.jobs) < 2 else self.take_plan(plan_batch(self.workspace, self.jobs))

    def take_plan(self, plan: Plan) -> Sequence[str]:
        """Take the jobs that need no run as done, and return the ids of those that were queued."""
        self.waiting = collections.deque(place for place in self.waiting if place not in plan.unchanged)
        for place, record in plan.unchanged.items():
            self.take(place, Outcome(job=self.jobs[place], record=record))
        return plan.queued

    def take(self, place: int, outcome: Outcome) -> None:
        """Keep an outcome, or put its job back to the end of the line."""
        self._begun[place] += 1
        outcome = dataclasses.replace(outcome, attempts=self._begun[place])
        if self.closes_lost and outcome.error is not None and outcome.error.code == LOST:
            close_lost(self.workspace, outcome.job.report_id)
        if is_passing(outcome.error) and outcome.attempts < self.most_attempts:
            self.waiting.append(place)
            if self.on_retry:
                self.on_retry(outcome)
            return
        self.done[place] = outcome
        if self.on_done:
            self.on_done(outcome)


def close_lost(workspace: Workspace, report_id: str) -> None:
    """Close the row of a runner of this machine that died, which would stand as running.

    Its pipe ends before the system has let go of its lock: a look a moment too early finds it alive.
    """
    with contextlib.suppress(QbaseError):  # a ledger that is busy must not stop the rest
        for _ in range(LOOKS):
            if close_dead_runs(workspace, report_id):
                return
            time.sleep(LOOK_SECONDS)


def choose_engine(reports: int) -> EngineName:
    """Return the engine for so many reports: loading the libraries once pays from the second on."""
    return "fork" if reports > 1 else "kernel"


def run_here(
    workspace: Workspace, job: Job, *, engine: EngineName = "kernel", on_progress: Progress | None = None
) -> Outcome:
    """Run one job in this process; what goes wrong comes back as a value."""
    return _attempt(workspace, job, engine=engine, on_progress=on_progress)


def run_one(workspace: Workspace, job: Job, *, engine: EngineName, after: int | None = None) -> Outcome:
    """Run one job of a batch, which closes dead runs, builds the gallery and sends notices itself.

    ``after`` is as `qbase.reports.running.whole_run.attempt_report` takes it.
    """
    return _attempt(workspace, job, engine=engine, after=after, is_one_of_many=True)


def run_job(task: tuple[str, Job]) -> Outcome:
    """Run one job in the workspace at a path; the work of one process of a batch."""
    from qbase.lake import open_workspace
    from qbase.reports.executing.run_kernel import die_with_parent

    root, job = task
    runner = multiprocessing.parent_process()
    if runner is not None and runner.pid is not None:
        die_with_parent(runner.pid)
    return run_here(open_workspace(root), job)


def _run_in_turn(workspace: Workspace, found: Found, engine: EngineName) -> None:
    while found.waiting:
        place = found.waiting.popleft()
        found.take(place, run_here(workspace, found.jobs[place], engine=engine))


def _run_in_pool(workspace: Workspace, found: Found, jobs_at_once: int) -> None:
    """Run what waits, each in a process of its own; what is to be tried again waits afterwards."""
    places = list(found.waiting)
    found.waiting.clear()
    tasks = [(str(workspace.root), found.jobs[place]) for place in places]
    map_tasks(run_job, tasks, jobs=jobs_at_once, on_done=lambda told: found.take(places[told.index], _outcome(told)))


def fan_out(workspace: Workspace, found: Found, jobs_at_once: int) -> bool:
    """Run every job that waits in a fork of its own, so many at once; False where no fork can be had.

    A runner forks for every report and once more for its cells: whatever becomes of one report, the next begins anew.
    """
    from qbase.reports.executing.fork_door import NoForkError, open_door

    try:
        open_door()
    except NoForkError:
        return False
    tell_runs(workspace, close_dead_runs(workspace))
    at_work: dict[Connection, int] = {}
    shown = time.monotonic()
    while found.waiting or at_work:
        while found.waiting and len(at_work) < jobs_at_once:
            place = found.waiting.popleft()
            try:
                # a server that is gone is started anew
                pipe, _ = open_door().start(REPORT)
                pipe.send((str(workspace.root), found.jobs[place]))
            except (NoForkError, OSError) as error:
                found.take(place, build_lost(found.jobs[place], f"{type(error).__name__}: {error}"))
            else:
                at_work[pipe] = place
        for ready in multiprocessing.connection.wait(list(at_work)) if at_work else ():
            place = at_work.pop(cast("Connection", ready))
            found.take(place, _hear(cast("Connection", ready), found.jobs[place]))
        if time.monotonic() - shown > GALLERY_SECONDS and found.done:
            show_batch(workspace)
            shown = time.monotonic()
    # a run that is no fork of a batch tells of itself
    tell_runs(workspace, [outcome.record for outcome in found.done.values()])
    return True


def serve_report(pipe: Connection) -> None:
    """Run the one report that comes through a pipe and send its outcome; the life of a forked runner."""
    from qbase.lake import open_workspace
    from qbase.reports.executing.run_kernel import die_with_parent

    os.setsid()
    die_with_parent(os.getppid())
    root, job = pipe.recv()
    pipe.send(run_one(open_workspace(root), job, engine="fork"))
    pipe.close()
    # the outcome is told and every file is written; taking the libraries apart would cost more than the page
    os._exit(0)


def show_batch(workspace: Workspace) -> None:
    """Build the gallery of a batch anew."""
    from qbase.lake import list_runs
    from qbase.reports.asking.subject_names import find_cluster_towns
    from qbase.reports.comparing.moved_page import show_moves
    from qbase.reports.rendering.gallery import build_gallery

    show_moves(workspace)
    build_gallery(workspace.site, runs=list_runs(workspace, limit=RECENT), towns=find_cluster_towns(workspace))


def _attempt(workspace: Workspace, job: Job, **how: Any) -> Outcome:
    from qbase.reports.running.whole_run import attempt_report

    try:
        record, error = attempt_report(
            workspace, job.report_id, job.params, lang=job.lang, slot=job.slot, force=job.force, **how
        )
    except QbaseError as refused:
        return Outcome(job=job, error=refused)
    return Outcome(job=job, record=record, error=error)


def _hear(pipe: Connection, job: Job) -> Outcome:
    try:
        outcome: Outcome = pipe.recv()
    except (EOFError, OSError) as error:
        return build_lost(job, f"{type(error).__name__}: {error}")
    finally:
        pipe.close()
    return outcome


def _outcome(task: TaskOutcome[tuple[str, Job], Outcome]) -> Outcome:
    if task.value is not None:
        return task.value
    job, error = task.task[1], task.error
    if isinstance(error, QbaseError):
        return Outcome(job=job, error=error)
    return build_lost(job, f"{type(error).__name__}: {error}")


def build_lost(job: Job, found: str) -> Outcome:
    """Return how a job ended whose runner was lost."""
    expected, fix = "a worker that lives to the end", f"qbase run {job.report_id}"
    return Outcome(job=job, error=RunError("QB818", report=job.report_id, found=found, expected=expected, fix=fix))
