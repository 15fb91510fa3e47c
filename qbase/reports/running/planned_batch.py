"""What of a batch has to be run: asked of the ledger once for all of it, and put into the queue before it begins."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError
from qbase.core.results.run_values import RunRecord
from qbase.lake import name_slot, queue_runs
from qbase.lake.run_changes import drop_queued, record_runs
from qbase.lake.run_entries import find_marks
from qbase.reports.asking.run_request import Request, read_request
from qbase.reports.running import fingerprint
from qbase.reports.running.claimed_run import first_record
from qbase.reports.running.pinned_data import Pinned, pin_data
from qbase.reports.running.run_states import shows

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """One report of a batch; without a logical date any will do, and ``force`` runs it whatever is published."""

    report_id: str
    params: Mapping[str, Any]
    slot: str | None
    force: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Of a batch: the runs that were recorded as unchanged, by their place in it, and the ids that wait."""

    unchanged: Mapping[int, RunRecord]
    queued: Sequence[str]


def plan_batch(workspace: Workspace, asked: Sequence[Asked]) -> Plan:
    """Record what is published already and needs no run, and queue the rest.

    A report that cannot be understood is in neither: what is wrong with it is told when its turn comes.
    """
    snapshot, commit = workspace.snapshot(), fingerprint.commit_of(workspace.root)
    marks = find_marks(workspace, {one.report_id for one in asked})
    unchanged: dict[int, RunRecord] = {}
    waiting: list[RunRecord] = []
    for place, one in enumerate(asked):
        try:
            request = read_request(workspace, one.report_id, one.params)
            slot = None if one.slot is None else name_slot(one.slot)
            record = first_record(workspace, request, slot, commit=commit)
        except (QbaseError, OSError):
            continue
        pinned = _pin(workspace, request, snapshot)
        wanted = (one.report_id, slot, pinned.fingerprint) if pinned else None
        if pinned and wanted in marks and not one.force and shows(workspace, request.page_id, pinned.fingerprint):
            unchanged[place] = dataclasses.replace(
                record, state="unchanged", fingerprint=pinned.fingerprint, snapshot=pinned.snapshot
            )
        else:
            waiting.append(dataclasses.replace(record, state="queued", outputs=()))
    if unchanged:
        record_runs(workspace, list(unchanged.values()))
    return Plan(unchanged=unchanged, queued=queue_runs(workspace, waiting) if waiting else ())


@contextlib.contextmanager
def held_queue(workspace: Workspace, queued: Iterable[str]) -> Iterator[None]:
    """Take out of the queue what still waits when the batch is over or was called off.

    A batch that is killed leaves it, and the next call of `resume_runs` goes on with it.
    """
    try:
        yield
    finally:
        drop_queued(workspace, list(queued))


def _pin(workspace: Workspace, request: Request, snapshot: Snapshot) -> Pinned | None:
    try:
        return pin_data(request, snapshot, workspace.root)
    except QbaseError:
        return None
