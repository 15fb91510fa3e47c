"""What runners that died left to be done: begun and not ended, or still in the queue."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING

from qbase.lake.run_changes import drop_queued, find_interrupted, find_unfinished, key_of
from qbase.reports.batching.batch_jobs import Job, Outcome
from qbase.reports.batching.cluster_batch import run_on_cluster
from qbase.reports.batching.run_batch import run_many
from qbase.reports.running.run_states import close_dead_runs

if TYPE_CHECKING:
    from qbase.core.errors import QbaseError
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName

RESUMED_DAYS = 7
"""What was interrupted before that is no part of anything that goes on."""


def resume_runs(
    workspace: Workspace,
    *,
    jobs_at_once: int = 1,
    engine: EngineName | None = None,
    cluster: str = "",
    on_done: Callable[[Outcome], None] | None = None,
    on_refused: Callable[[QbaseError], None] | None = None,
) -> list[Outcome]:
    """Go on where runners died, as they were asked: what they had begun within a week, and what waits in the queue.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    jobs_at_once, engine, on_done
        As `run_many` takes them.
    cluster : str
        Address of a Dask scheduler whose workers run what is left; empty runs it here.
    on_refused : callable, optional
        As `run_on_cluster` takes it.

    Returns
    -------
    list of Outcome
        Empty when nothing was left.

    Raises
    ------
    SetupError
        The cluster cannot be used or was lost, as `run_on_cluster` says; what was not done stays queued.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import Workspace, queue_runs
    >>> from qbase.reports import resume_runs
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot"), "")
    >>> asked = {"report_id": "trends", "state": "queued", "slot": "2026-10-01", "started_at": "2026-10-01T02:00:00Z"}
    >>> _ = queue_runs(home, [RunRecord(run_id="R1", params={}, versions={}, **asked, **known)])
    >>> [(outcome.job.report_id, outcome.job.slot, outcome.error.code) for outcome in resume_runs(home)]
    [('trends', '2026-10-01', 'QB801')]
    """
    close_dead_runs(workspace)
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=RESUMED_DAYS)
    begun = find_interrupted(workspace, since.isoformat())
    waiting = [found.record for found in find_unfinished(workspace) if found.record.state == "queued"]
    left = {key_of(record): record for record in (*begun, *waiting)}
    jobs = [
        Job(report_id=r.report_id, params=r.params, lang=r.lang, slot=r.slot, force=r.is_forced) for r in left.values()
    ]
    if cluster:
        outcomes = run_on_cluster(workspace, jobs, cluster, engine=engine, on_done=on_done, on_refused=on_refused)
    else:
        outcomes = run_many(workspace, jobs, jobs_at_once=jobs_at_once, engine=engine, on_done=on_done)
    # one that cannot be run any more, such as of a report that is gone, is told once
    drop_queued(workspace, [record.run_id for record in waiting])
    return outcomes
