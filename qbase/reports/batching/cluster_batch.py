"""A batch on the workers of a Dask cluster: Dask says who works, the ledger says what was done.

A job whose worker is lost is not given again before the ledger has let go of its slot: its runner is known to be dead,
or its lease has run out. What was published meanwhile is its outcome; a zombie that comes back cannot publish.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from qbase.compute import ClusterTasks
from qbase.compute.cluster_tasks import Ended, LostSchedulerError
from qbase.core.errors import QbaseError, SetupError, read_error
from qbase.core.whole_files import write_atomic
from qbase.lake import Slot, find_slot, read_run
from qbase.lake.run_changes import drop_queued, key_of
from qbase.lake.run_claims import is_held
from qbase.lake.run_entries import find_latest
from qbase.reports.batching.batch_jobs import Job, Outcome
from qbase.reports.batching.failure_classes import MOST_ATTEMPTS
from qbase.reports.batching.planned_batch import plan_batch
from qbase.reports.batching.run_batch import GALLERY_SECONDS, LOST, Found, build_lost, show_batch
from qbase.reports.batching.worker_runs import Given, Terms, check_worker, end_runs, new_terms, run_given, token_path
from qbase.reports.running.run_states import ENDED, close_dead_runs
from qbase.reports.telling.sent_notices import tell_runs

if TYPE_CHECKING:
    from qbase.core.results.run_values import RunRecord
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName

WORKER_SECONDS = 300.0
"""So long a batch waits for a worker: a cluster that grows by need starts its first one when a task waits."""
BEAT_SECONDS, SETTLE_SECONDS = 0.5, 1.0
MOST_UNBEGUN = 5
"""So often a job is given again that no worker has come to begin."""
STAYS_QUEUED = frozenset({"QB863", "QB864"})

Told = Callable[[Outcome], None]


def run_on_cluster(
    workspace: Workspace,
    jobs: Sequence[Job],
    address: str,
    *,
    engine: EngineName | None = None,
    on_done: Told | None = None,
    on_retry: Told | None = None,
    on_refused: Callable[[QbaseError], None] | None = None,
    most_attempts: int = MOST_ATTEMPTS,
) -> list[Outcome]:
    """Run several reports on the workers of a Dask cluster, each in a process of its own, at once as they have threads.

    Parameters
    ----------
    workspace : Workspace
        In a folder that every worker sees under the same path; workers of other machines need a ledger on a server.
    jobs : sequence of Job
        What to run.
    address : str
        Of the scheduler, ``tcp://host:8786``.
    engine, on_done, on_retry, most_attempts
        As `run_many` takes them.
    on_refused : callable, optional
        Called with the reason of every worker that is given no report: other versions (QB877), no access to the
        workspace (QB878), another machine while the ledger is a file (QB879).

    Returns
    -------
    list of Outcome
        In the order of ``jobs``. Nothing is raised for a report that goes wrong.

    Raises
    ------
    SetupError
        Dask is not installed (QB181) or the scheduler does not answer (QB182); every worker was refused (QB877 to
        QB879). Or the scheduler was lost (QB863), or no worker came (QB864): then what was not done stays queued.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace
    >>> from qbase.reports import Job, run_on_cluster
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> run_on_cluster(home, [Job(report_id="trends")], "tcp://nowhere")
    Traceback (most recent call last):
        ...
    qbase.core.errors.SetupError: error[QB182] the Dask scheduler at tcp://nowhere does not answer
    ...
    """
    if not jobs:
        return []
    found = Found(workspace, jobs, most_attempts, on_done, on_retry, closes_lost=False)
    batch = secrets.token_hex(8)
    with _open_tasks(workspace, address, new_terms(workspace, batch)) as tasks:
        tell_runs(workspace, close_dead_runs(workspace))
        plan = plan_batch(workspace, jobs)
        is_left = False
        try:
            found.take_plan(plan)
            _OnCluster(found, tasks, plan.waiting, address, engine or "fork", batch, on_refused).run()
        except SetupError as error:
            is_left = error.code in STAYS_QUEUED
            raise
        except KeyboardInterrupt:
            tasks.stop(end_runs, batch)
            raise
        finally:
            if not is_left:
                drop_queued(workspace, list(plan.queued))
            if any(outcome.record for outcome in found.done.values()):
                # a run of a batch leaves this to it
                tell_runs(workspace, [outcome.record for outcome in found.done.values()])
                show_batch(workspace)
    return [found.done[place] for place in range(len(jobs))]


@contextlib.contextmanager
def _open_tasks(workspace: Workspace, address: str, terms: Terms) -> Iterator[ClusterTasks]:
    """Give the way to the workers, who know the workspace by a file that is in it as long as the batch goes on."""
    mark = hashlib.sha256(repr((terms.root, sorted(terms.versions.items()))).encode()).hexdigest()[:12]
    tasks = ClusterTasks(address, check_worker, terms, mark=f"qbase-{mark}")
    proof = token_path(terms.root, terms.token)
    try:
        write_atomic(proof, terms.token)
        yield tasks
    finally:
        tasks.close()
        proof.unlink(missing_ok=True)


class _OnCluster:
    """The jobs of a batch on their way through a cluster."""

    def __init__(
        self,
        found: Found,
        tasks: ClusterTasks,
        planned: Mapping[int, RunRecord],
        address: str,
        engine: EngineName,
        batch: str,
        on_refused: Callable[[QbaseError], None] | None,
    ) -> None:
        self.found, self.tasks, self.planned, self.address = found, tasks, planned, address
        self.engine, self.batch, self.on_refused = engine, batch, on_refused
        self.workspace = found.workspace
        self.before: dict[int, Slot] = {}
        self.unsettled: dict[int, str] = {}
        self.unbegun: collections.Counter[int] = collections.Counter()
        self.refused: list[QbaseError] = []
        self.with_worker = self.settled = self.shown = time.monotonic()

    def run(self) -> None:
        """Go on until every job is done.

        Raises
        ------
        SetupError
            As `run_on_cluster`.
        """
        try:
            while self.found.waiting or self.tasks.given or self.unsettled:
                self._look()
                while self.found.waiting and self.tasks.room > 0:
                    self._give(self.found.waiting.popleft())
                for ended in self.tasks.hear(BEAT_SECONDS):
                    self._take(ended)
                self._settle()
                self._show()
        except LostSchedulerError as error:
            expected = "a scheduler that lives to the end of the batch"
            raise self._stopped("QB863", str(error), expected, address=self.address) from error

    def _look(self) -> None:
        for worker, error in self.tasks.look():
            self.refused.append(error if isinstance(error, QbaseError) else _unable(worker, error))
        if self.tasks.threads:
            # where no worker fits the first refusal ends the batch, and is told by that
            while self.refused:
                refused = self.refused.pop(0)
                if self.on_refused:
                    self.on_refused(refused)
        if self.tasks.threads or self.tasks.is_asking:
            self.with_worker = time.monotonic()
        elif self.refused:
            raise self.refused[0]
        elif time.monotonic() - self.with_worker > WORKER_SECONDS:
            found, expected = f"none for {WORKER_SECONDS:.0f} s", f"dask worker {self.address}"
            raise self._stopped("QB864", found, expected, address=self.address)

    def _stopped(self, code: str, found: str, expected: str, *, address: str) -> SetupError:
        done = f"{len(self.found.done)}/{len(self.found.jobs)}"
        fix = "qbase runs resume, here or after the cluster stands again"
        return SetupError(code, address=address, found=f"{found} · {done}", expected=expected, fix=fix)

    def _give(self, place: int) -> None:
        job, key, known = self.found.jobs[place], "", Slot(key="", report_id="", slot="")
        if place in self.planned:
            record = self.planned[place]
            # what today is must not depend on the clock of a worker
            job, key = Job(**{**vars(job), "slot": record.slot}), key_of(record)
            known = find_slot(self.workspace, key) or known
        self.before[place] = known
        given = Given(
            root=str(self.workspace.root), batch=self.batch, job=job, engine=self.engine, key=key, token=known.token
        )
        self.tasks.give(place, run_given, given)

    def _take(self, ended: Ended) -> None:
        place, outcome, error = ended.ticket, ended.value, ended.error
        if not isinstance(outcome, Outcome):
            self.unsettled[place] = "its worker was lost" if error is None else f"{type(error).__name__}: {error}"
        elif outcome.error is not None and outcome.error.code == LOST:
            self.unsettled[place] = outcome.error.found
        else:
            self.found.take(place, Outcome(job=self.found.jobs[place], record=outcome.record, error=outcome.error))

    def _settle(self) -> None:
        """Ask the ledger what became of the jobs whose worker was lost."""
        if not self.unsettled or time.monotonic() - self.settled < SETTLE_SECONDS:
            return
        self.settled = time.monotonic()
        for report_id in {self.found.jobs[place].report_id for place in self.unsettled}:
            tell_runs(self.workspace, close_dead_runs(self.workspace, report_id))
        for place, reason in list(self.unsettled.items()):
            if not self._is_held(place):
                del self.unsettled[place]
                self._decide(place, reason)

    def _is_held(self, place: int) -> bool:
        """Whether somebody holds the slot of a job, who lives or may live."""
        return place in self.planned and is_held(self.workspace, key_of(self.planned[place]))

    def _decide(self, place: int, reason: str) -> None:
        """Take what the ledger says of a job that nobody holds; put it back in line where it was not done."""
        job, key = self.found.jobs[place], key_of(self.planned[place]) if place in self.planned else ""
        before, now = self.before[place], find_slot(self.workspace, key) if key else None
        if now is None or now.token == before.token:
            self.unbegun[place] += 1
            if key and self.unbegun[place] < MOST_UNBEGUN:
                self.found.waiting.append(place)
                return
        elif now.published != before.published:
            self.found.take(place, Outcome(job=job, record=read_run(self.workspace, now.published)))
            return
        elif (last := find_latest(self.workspace, key)) is not None and last.state in ENDED:
            error = read_error(last.error) if last.error else None
            if error is None or error.code != LOST:
                self.found.take(place, Outcome(job=job, record=last, error=error))
                return
        self.found.take(place, build_lost(job, reason))

    def _show(self) -> None:
        if time.monotonic() - self.shown > GALLERY_SECONDS and self.found.done:
            show_batch(self.workspace)
            self.shown = time.monotonic()


def _unable(worker: str, error: Exception) -> SetupError:
    """Return why a worker is refused that could not even be asked."""
    first = (str(error).strip().splitlines() or [""])[0]
    fix = "install the same qbase and the same lock on every machine, then restart dask worker"
    found, expected = f"{type(error).__name__}: {first}", "a worker with the qbase of this machine"
    return SetupError("QB877", worker=worker, found=found, expected=expected, fix=fix)
