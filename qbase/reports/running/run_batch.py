"""Several reports: one bad one never stops the rest."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.compute import Outcome as TaskOutcome
from qbase.compute import map_tasks
from qbase.core.errors import QbaseError, RunError
from qbase.core.results.run_values import RunRecord

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace
    from qbase.reports.running.run_steps import Progress


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
    on_done: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Run several reports, each in a kernel of its own.

    Parameters
    ----------
    workspace : Workspace
        Where they live.
    jobs : sequence of Job
        What to run.
    jobs_at_once : int
        Processes; 1 runs them one after the other in this process.
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
    found: list[Outcome] = []

    def take(task: TaskOutcome[tuple[str, Job], Outcome]) -> None:
        outcome = _outcome(task)
        found.append(outcome)
        if on_done:
            on_done(outcome)

    tasks = [(str(workspace.root), job) for job in jobs]
    done = map_tasks(run_job, tasks, jobs=jobs_at_once, on_done=take)
    if jobs_at_once > 1 and any(o.record and o.record.state in {"ok", "failed"} for o in found):
        from qbase.lake import list_runs
        from qbase.reports.rendering.gallery import build_gallery
        from qbase.reports.running.run_states import RECENT

        # two workers may have listed the runs at once, and the staler page may have been written last
        build_gallery(workspace.site, runs=list_runs(workspace, limit=RECENT))
    return [_outcome(task) for task in done]


def run_here(workspace: Workspace, job: Job, *, on_progress: Progress | None = None) -> Outcome:
    """Run one job in this process; what goes wrong comes back as a value."""
    from qbase.reports.running.whole_run import attempt_report

    try:
        record, error = attempt_report(
            workspace,
            job.report_id,
            job.params,
            lang=job.lang,
            slot=job.slot,
            force=job.force,
            on_progress=on_progress,
        )
    except QbaseError as refused:
        return Outcome(job=job, error=refused)
    return Outcome(job=job, record=record, error=error)


def run_job(task: tuple[str, Job]) -> Outcome:
    """Run one job in the workspace at a path; the work of one process of a batch."""
    from qbase.lake import open_workspace
    from qbase.reports.executing.run_kernel import die_with_parent

    root, job = task
    runner = multiprocessing.parent_process()
    if runner is not None and runner.pid is not None:
        die_with_parent(runner.pid)
    return run_here(open_workspace(root), job)


def _outcome(task: TaskOutcome[tuple[str, Job], Outcome]) -> Outcome:
    if task.value is not None:
        return task.value
    job, error = task.task[1], task.error
    if not isinstance(error, QbaseError):
        error = RunError(
            "QB818",
            report=job.report_id,
            found=f"{type(error).__name__}: {error}",
            expected="a worker that lives to the end",
            fix=f"qbase run {job.report_id}",
        )
    return Outcome(job=job, error=error)
