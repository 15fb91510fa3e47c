"""Runs of one family: the same report with the same parameters, whatever language shows first; and what they left."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.core.results.run_values import RunRecord
from qbase.lake import list_runs
from qbase.lake.run_slots import read_moment

if TYPE_CHECKING:
    from qbase.lake import Workspace

RESULTS = "results.json"
LANGUAGE = "lang"
RECENT = 1000
"""So many runs of a report, or of one subject of it, are looked through."""


def list_family(workspace: Workspace, record: RunRecord) -> Iterator[RunRecord]:
    """Yield the published runs of a run's family, newest edition first; the run itself is one once it is published.

    The newest edition is that of the newest logical date: one filled in later is not.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    record : RunRecord
        Report and parameters count.
    """
    subject, asked = record.params.get("subject"), content_of(record)
    narrowed = {"subject": subject} if isinstance(subject, str) else {}
    runs = list_runs(workspace, record.report_id, limit=RECENT, **narrowed)
    for run in sorted(runs, key=edition_of, reverse=True):
        if run.state == "ok" and content_of(run) == asked:
            yield run


def find_before(workspace: Workspace, record: RunRecord) -> RunRecord | None:
    """Return the published run that a run follows: of the same logical date or an earlier one, and begun before it.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    record : RunRecord
        The run, published or about to be.
    """
    return next((run for run in list_family(workspace, record) if _is_before(run, record)), None)


def find_last_edition(
    workspace: Workspace, record: RunRecord, versions: Mapping[str, int]
) -> tuple[RunRecord, dict[str, Any]] | None:
    """Return the newest published run of the family on earlier data whose results are still there, and them.

    A run on the same data is the page that is replaced, not the edition before: were it taken, a report that reads its
    last edition would follow itself and never be unchanged.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger and runs.
    record : RunRecord
        With its snapshot.
    versions : mapping
        Version of each table it may read.
    """
    for run in list_family(workspace, record):
        if not _is_before(run, record) or not _is_older(run.snapshot, record.snapshot):
            continue
        of_then = workspace.snapshot(run.snapshot).versions
        if all(of_then.get(name) == version for name, version in versions.items()):
            continue
        document = read_document(workspace, run)
        if document:
            return run, document
    return None


def edition_of(record: RunRecord) -> tuple[datetime.datetime, str, str]:
    """Return by what the runs of one report are ordered: logical date, then when they began."""
    return read_moment(record.slot, record.started_at), record.started_at, record.run_id


def content_of(record: RunRecord) -> dict[str, Any]:
    """Return the parameters that change what a report says."""
    return {name: value for name, value in record.params.items() if name != LANGUAGE}


def folder_of(workspace: Workspace, record: RunRecord) -> pathlib.Path:
    """Return the private folder of a run."""
    return workspace.runs / record.report_id / record.run_id


def read_document(workspace: Workspace, record: RunRecord) -> dict[str, Any]:
    """Return the record a letter wrote, proven to be of this run; empty where it is not there."""
    document = read_json(folder_of(workspace, record) / RESULTS)
    return document if document.get("sentinel") == record.run_id else {}


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Return a JSON object; empty where the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def resolve_run(workspace: Workspace, record: RunRecord) -> tuple[RunRecord, dict[str, Any]]:
    """Return a run that has results, and them: an unchanged run stands for the one whose page it left as it was.

    Raises
    ------
    UsageError
        The run came to no good end, or its files are gone (QB871).
    """
    if record.state == "unchanged":
        same = [run for run in list_family(workspace, record) if run.fingerprint == record.fingerprint]
        record = same[0] if same else record
    document = read_document(workspace, record)
    if record.state != "ok" or not document:
        raise UsageError(
            "QB871",
            run=record.run_id,
            found=f"{record.state}, {'with' if document else 'without'} {RESULTS}",
            expected=f"a published run with its {RESULTS}",
            fix=f"qbase runs {record.report_id}",
        )
    return record, document


def _is_before(run: RunRecord, record: RunRecord) -> bool:
    if run.run_id == record.run_id or edition_of(run)[0] > edition_of(record)[0]:
        return False
    return (run.started_at, run.run_id) < (record.started_at, record.run_id)


def _is_older(snapshot: str, than: str) -> bool:
    return _number(snapshot) < _number(than)


def _number(snapshot: str) -> int:
    digits = snapshot.removeprefix("S")
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def as_plain(record: RunRecord) -> dict[str, Any]:
    """Return what is said of a run beside its numbers."""
    kept = ("run_id", "report_id", "slot", "snapshot", "started_at", "state", "commit")
    return {name: value for name, value in dataclasses.asdict(record).items() if name in kept}
