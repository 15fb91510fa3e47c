"""What of a batch has to be run: asked of the ledger once for all of it, and put into the queue before it begins."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from qbase.core.errors import QbaseError
from qbase.core.results.run_values import RunRecord
from qbase.lake import name_slot, queue_runs
from qbase.lake.run_changes import drop_queued, record_runs
from qbase.lake.run_entries import find_marks
from qbase.reports.asking.run_request import Letter, Request, ask_letter, read_letter
from qbase.reports.asking.subject_names import KnownSubjects
from qbase.reports.running import fingerprint
from qbase.reports.running.claimed_run import first_record
from qbase.reports.running.page_place import choose_place, find_near, find_shown
from qbase.reports.running.pinned_data import Pinned, pin_data

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace
    from qbase.reports.batching.batch_jobs import Job


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Of a batch: by their place in it, runs recorded as unchanged and those to be made; and the ids that wait."""

    unchanged: Mapping[int, RunRecord]
    waiting: Mapping[int, RunRecord]
    queued: Sequence[str]


def plan_batch(workspace: Workspace, jobs: Sequence[Job]) -> Plan:
    """Record what is published already and needs no run, and queue the rest.

    A report that cannot be understood is in neither: what is wrong with it is told when its turn comes.
    """
    unchanged, waiting = _part(workspace, jobs)
    if unchanged:
        record_runs(workspace, list(unchanged.values()))
    queued = queue_runs(workspace, list(waiting.values())) if waiting else ()
    return Plan(unchanged=unchanged, waiting=waiting, queued=queued)


def find_unchanged(workspace: Workspace, jobs: Sequence[Job]) -> dict[int, RunRecord]:
    """Return the record of every job whose run would change nothing, by its place; forced ones are never among them.

    Parameters
    ----------
    workspace : Workspace
        Where they live.
    jobs : sequence of Job
        What would be run. A job that does not hold is left to its run, which says so.
    """
    return _part(workspace, jobs)[0]


def _part(workspace: Workspace, jobs: Sequence[Job]) -> tuple[dict[int, RunRecord], dict[int, RunRecord]]:
    snapshot, commit = workspace.snapshot(), fingerprint.commit_of(workspace.root)
    marks = find_marks(workspace, {job.report_id for job in jobs})
    known, letters = KnownSubjects(workspace), dict[str, Letter | None]()
    unchanged: dict[int, RunRecord] = {}
    waiting: dict[int, RunRecord] = {}
    for place, job in enumerate(jobs):
        if job.report_id not in letters:
            letters[job.report_id] = _read(workspace, job.report_id)
        letter = letters[job.report_id]
        if letter is None:
            continue
        try:
            request = ask_letter(workspace, letter, job.params, known=known)
            slot = None if job.slot is None else name_slot(job.slot)
            record = first_record(workspace, request, slot, commit=commit)
        except (QbaseError, OSError):
            continue
        pinned = _pin(workspace, request, record, snapshot)
        page = ""
        if pinned:
            record = dataclasses.replace(record, fingerprint=pinned.fingerprint, snapshot=pinned.snapshot)
            if not job.force and (job.report_id, slot, pinned.fingerprint) in marks:
                near = find_near(workspace.site, request)
                page = find_shown(workspace, choose_place(workspace.site, request, record, near), record)
        if page:
            shown = (workspace.site / f"{page}.html").relative_to(workspace.root).as_posix()
            unchanged[place] = dataclasses.replace(record, state="unchanged", outputs=(shown,))
        else:
            record = dataclasses.replace(record, lang=job.lang, is_forced=job.force)
            waiting[place] = dataclasses.replace(record, state="queued", outputs=())
    return unchanged, waiting


def _read(workspace: Workspace, report_id: str) -> Letter | None:
    try:
        return read_letter(workspace, report_id)
    except (QbaseError, OSError):
        return None


@contextlib.contextmanager
def held_queue(workspace: Workspace, queued: Iterable[str]) -> Iterator[None]:
    """Take out of the queue what still waits when the batch is over or was called off.

    A batch that is killed leaves it, and the next call of `resume_runs` goes on with it.
    """
    try:
        yield
    finally:
        drop_queued(workspace, list(queued))


def _pin(workspace: Workspace, request: Request, record: RunRecord, snapshot: Snapshot) -> Pinned | None:
    try:
        return pin_data(workspace, request, record, snapshot)
    except QbaseError:
        return None
