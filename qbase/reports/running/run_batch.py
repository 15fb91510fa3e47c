"""Several reports: one bad one never stops the rest."""

from __future__ import annotations

import collections
import dataclasses
import multiprocessing.connection
import os
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, cast

from qbase.compute import Outcome as TaskOutcome
from qbase.compute import map_tasks
from qbase.core.errors import QbaseError, RunError
from qbase.core.results.run_values import RunRecord
from qbase.reports.running.run_states import RECENT, close_dead_runs
from qbase.reports.telling.sent_notices import tell_runs

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName
    from qbase.reports.running.run_steps import Progress

REPORT = "qbase.reports.running.run_batch:serve_report"
GALLERY_SECONDS = 30.0
"""Between two galleries of a batch: building one for every report would look at every page once for each other."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One report to run, as `qbase.reports.run_report` takes it.

    Examples
    --------
    >>> from qbase.reports import Job
    >>> jobs = [Job(report_id="trends", params={"subject": code}, lang="en") for code in ("K001", "K003")]
    >>> [(job.report_id, job.params["subject"], job.force) for job in jobs]
    [('trends', 'K001', False), ('trends', 'K003', False)]
    """

    report_id: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lang: Lang = "zh"
    slot: str | None = None
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended.

    Parameters
    ----------
    job : Job
        What was asked.
    record : RunRecord or None
        None when nothing was started.
    error : QbaseError or None
        None when all went well.

    Examples
    --------
    >>> from qbase.core import UsageError
    >>> from qbase.reports import Job, Outcome
    >>> error = UsageError("QB801", report="trend", found="trend", expected="effects · trends", fix="trends?")
    >>> print(Outcome(job=Job(report_id="trend"), error=error).error)
    error[QB801] there is no report "trend"
      found     trend
      expected  effects · trends
      to fix    trends?
    """

    job: Job
    record: RunRecord | None = None
    error: QbaseError | None = None


def run_many(
    workspace: Workspace,
    jobs: Sequence[Job],
    *,
    jobs_at_once: int = 1,
    engine: EngineName | None = None,
    on_done: Callable[[Outcome], None] | None = None,
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
    chosen = engine or choose_engine(len(jobs))
    found: list[Outcome] = []

    def take(outcome: Outcome) -> None:
        found.append(outcome)
        if on_done:
            on_done(outcome)

    if jobs_at_once == 1:
        for job in jobs:
            take(run_here(workspace, job, engine=chosen))
        return found
    if chosen == "fork":
        forked = fan_out(workspace, jobs, jobs_at_once, take)
        if forked is not None:
            return forked
    tasks = [(str(workspace.root), job) for job in jobs]
    done = map_tasks(run_job, tasks, jobs=jobs_at_once, on_done=lambda task: take(_outcome(task)))
    if any(o.record and o.record.state in {"ok", "failed"} for o in found):
        # two workers may have listed the runs at once, and the staler page may have been written last
        show_batch(workspace)
    return [_outcome(task) for task in done]


def choose_engine(reports: int) -> EngineName:
    """Return the engine for so many reports: loading the libraries once pays from the second on."""
    return "fork" if reports > 1 else "kernel"


def run_here(
    workspace: Workspace, job: Job, *, engine: EngineName = "kernel", on_progress: Progress | None = None
) -> Outcome:
    """Run one job in this process; what goes wrong comes back as a value."""
    return _attempt(workspace, job, engine=engine, on_progress=on_progress)


def run_job(task: tuple[str, Job]) -> Outcome:
    """Run one job in the workspace at a path; the work of one process of a batch."""
    from qbase.lake import open_workspace
    from qbase.reports.executing.run_kernel import die_with_parent

    root, job = task
    runner = multiprocessing.parent_process()
    if runner is not None and runner.pid is not None:
        die_with_parent(runner.pid)
    return run_here(open_workspace(root), job)


def fan_out(
    workspace: Workspace, jobs: Sequence[Job], jobs_at_once: int, on_done: Callable[[Outcome], None]
) -> list[Outcome] | None:
    """Run every job in a fork of its own, so many at once; None where no fork can be had.

    A runner forks for every report and once more for its cells: whatever becomes of one report, the next begins anew.
    """
    from qbase.reports.executing.fork_door import NoForkError, open_door

    try:
        door = open_door()
    except NoForkError:
        return None
    closed = close_dead_runs(workspace)
    waiting = collections.deque(enumerate(jobs))
    at_work: dict[Connection, int] = {}
    done: dict[int, Outcome] = {}
    shown = time.monotonic()
    while waiting or at_work:
        while waiting and len(at_work) < jobs_at_once:
            index, job = waiting.popleft()
            try:
                pipe, _ = door.start(REPORT)
                pipe.send((str(workspace.root), job))
            except (NoForkError, OSError) as error:
                done[index] = _ended_early(job, f"{type(error).__name__}: {error}")
                on_done(done[index])
            else:
                at_work[pipe] = index
        for ready in multiprocessing.connection.wait(list(at_work)) if at_work else ():
            index = at_work.pop(cast("Connection", ready))
            done[index] = _hear(cast("Connection", ready), jobs[index])
            on_done(done[index])
        if time.monotonic() - shown > GALLERY_SECONDS and done:
            show_batch(workspace)
            shown = time.monotonic()
    if any(o.record and o.record.state in {"ok", "failed"} for o in done.values()):
        show_batch(workspace)
    tell_runs(workspace, [*closed, *(o.record for o in done.values())])
    return [done[i] for i in range(len(jobs))]


def serve_report(pipe: Connection) -> None:
    """Run the one report that comes through a pipe and send its outcome; the life of a forked runner."""
    from qbase.lake import open_workspace
    from qbase.reports.executing.run_kernel import die_with_parent

    os.setsid()
    die_with_parent(os.getppid())
    root, job = pipe.recv()
    pipe.send(_attempt(open_workspace(root), job, engine="fork", is_one_of_many=True))
    pipe.close()
    # the outcome is told and every file is written; taking the libraries apart would cost more than the page
    os._exit(0)


def show_batch(workspace: Workspace) -> None:
    """Build the gallery of a batch anew."""
    from qbase.lake import list_runs
    from qbase.reports.comparing.moved_page import show_moves
    from qbase.reports.rendering.gallery import build_gallery

    show_moves(workspace)
    build_gallery(workspace.site, runs=list_runs(workspace, limit=RECENT))


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
        return _ended_early(job, f"{type(error).__name__}: {error}")
    finally:
        pipe.close()
    return outcome


def _outcome(task: TaskOutcome[tuple[str, Job], Outcome]) -> Outcome:
    if task.value is not None:
        return task.value
    job, error = task.task[1], task.error
    if isinstance(error, QbaseError):
        return Outcome(job=job, error=error)
    return _ended_early(job, f"{type(error).__name__}: {error}")


def _ended_early(job: Job, found: str) -> Outcome:
    expected, fix = "a worker that lives to the end", f"qbase run {job.report_id}"
    return Outcome(job=job, error=RunError("QB818", report=job.report_id, found=found, expected=expected, fix=fix))
