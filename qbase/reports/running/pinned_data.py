"""What a report rests on when it begins: the versions of its tables, and with them its fingerprint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from qbase.core.errors import DataError
from qbase.core.results.run_values import ReportSpec, RunRecord
from qbase.lake.entity_names import TOWN_LINKS
from qbase.reports.comparing.last_results import mark_of, pin_last
from qbase.reports.running import fingerprint

if TYPE_CHECKING:
    from qbase.core.results.retold import LastResults
    from qbase.lake import Snapshot, Workspace
    from qbase.reports.asking.run_request import Request

EVERY = "*"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pinned:
    """Snapshot, version of each table, fingerprint, and what the last edition said where the letter reads it."""

    snapshot: str
    versions: Mapping[str, int]
    fingerprint: str
    last: LastResults | None = None


def pin_data(workspace: Workspace, request: Request, record: RunRecord, snapshot: Snapshot) -> Pinned:
    """Find the versions of the declared tables and the fingerprint; refuse when a table is missing.

    Raises
    ------
    DataError
        A declared table is not in the lake (QB810).
    """
    spec = request.spec
    missing = [name for name in spec.tables if name not in snapshot.versions]
    if missing:
        raise DataError(
            "QB810",
            report=spec.report_id,
            found=f"no table {' · '.join(missing)}",
            expected=" · ".join(spec.tables),
            fix=f"qbase load FILE…  or  qbase demo, then qbase run {spec.report_id}",
        )
    tables = [*spec.tables, *list_usable(spec, snapshot)]
    versions = {name: snapshot.versions[name] for name in tables}
    at = snapshot.id if tables else ""
    last = pin_last(workspace, spec, dataclasses.replace(record, snapshot=at), versions)
    known = (request.cells, request.params, versions, workspace.root)
    mark = fingerprint.fingerprint_of(*known, last=mark_of(last), patterns=_patterns(workspace, request, snapshot))
    return Pinned(snapshot=at, versions=versions, fingerprint=mark, last=last)


def _patterns(workspace: Workspace, request: Request, snapshot: Snapshot) -> str:
    """Return what is withheld of a snapshot, as hashes, where the page is for outside the house; else nothing."""
    if request.params.get("profile", request.spec.profile) == "internal":
        return ""
    # pages for the house, which are most, do not pay for it
    from qbase.release import read_pattern_marks

    return read_pattern_marks(workspace, snapshot.id)


def list_usable(spec: ReportSpec, snapshot: Snapshot) -> list[str]:
    """Return the tables a letter may touch that were loaded: which of them it does, its parameters decide.

    The diary of town codes goes with every table: it decides which rows are one town's.
    """
    may_use = {*spec.may_use, TOWN_LINKS} if spec.tables else set(spec.may_use)
    return [t for t in sorted(snapshot.versions) if t not in spec.tables and (t in may_use or EVERY in may_use)]
