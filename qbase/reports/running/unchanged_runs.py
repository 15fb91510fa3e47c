"""Runs of a batch whose page shows their fingerprint already: found and recorded here, without a fork for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qbase.core.errors import QbaseError
from qbase.lake import Snapshot, Workspace, add_run
from qbase.reports.asking.run_request import Letter, ask_letter, read_letter
from qbase.reports.asking.subject_names import KnownSubjects
from qbase.reports.running.run_states import is_published
from qbase.reports.running.run_steps import OneRun

if TYPE_CHECKING:
    from qbase.core.results.run_values import RunRecord
    from qbase.reports.running.batch_jobs import Job


class PinnedWorkspace(Workspace):
    """A workspace whose latest snapshot is read once: what is said of a batch is said of one state of the data."""

    def snapshot(self, snapshot_id: str | Snapshot | None = None) -> Snapshot:
        """Return a snapshot; the latest is the one of the first question."""
        if snapshot_id is not None:
            return super().snapshot(snapshot_id)
        if "_at" not in self.__dict__:
            object.__setattr__(self, "_at", super().snapshot())
        return self.__dict__["_at"]  # type: ignore[no-any-return]


def find_unchanged(workspace: Workspace, jobs: Sequence[Job]) -> dict[int, RunRecord]:
    """Return the record of every job whose run would change nothing, by its place; forced ones are never among them.

    Parameters
    ----------
    workspace : Workspace
        Where they live.
    jobs : sequence of Job
        What would be run. A job that does not hold is left to its run, which says so.
    """
    pinned = PinnedWorkspace(workspace.root)
    known, letters = KnownSubjects(pinned), dict[str, Letter | None]()
    found: dict[int, RunRecord] = {}
    for place, job in enumerate(jobs):
        if job.force:
            continue
        if job.report_id not in letters:
            letters[job.report_id] = _read(pinned, job.report_id)
        letter = letters[job.report_id]
        record = letter and _unchanged(pinned, letter, job, known)
        if record:
            found[place] = record
    return found


def record_unchanged(workspace: Workspace, record: RunRecord) -> None:
    """Write into the ledger that a run was asked for and changes nothing."""
    add_run(workspace, record)


def _read(workspace: Workspace, report_id: str) -> Letter | None:
    try:
        return read_letter(workspace, report_id)
    except QbaseError:
        return None


def _unchanged(workspace: Workspace, letter: Letter, job: Job, known: KnownSubjects) -> RunRecord | None:
    try:
        request = ask_letter(workspace, letter, job.params, known=known)
        run = OneRun(workspace, request, job.lang, job.slot, lambda step, done, total: None)
        run.pin()
    except QbaseError:
        return None
    if not is_published(workspace, run.record, any_slot=job.slot is None):
        return None
    return dataclasses.replace(run.record, state="unchanged")
