"""Folders of runs that nobody needs any more; the ledger keeps the history of every run without them."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import pathlib
import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from qbase.core.errors import UsageError
from qbase.core.results.run_values import UNFINISHED, RunRecord
from qbase.lake import list_runs
from qbase.reports.comparing.earlier_runs import edition_of
from qbase.reports.running.fingerprint import content_params
from qbase.reports.running.published_pages import read_metas
from qbase.reports.running.run_states import is_held

if TYPE_CHECKING:
    from qbase.lake import Workspace

EVERY = 10**9
YOUNG_SECONDS = 3600.0
"""A folder without a run, or a staged file, may belong to a runner that has just begun."""


BEFORE = "found"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pruned:
    """A folder, or a staged file of a runner that died, that was removed.

    Parameters
    ----------
    path : Path
        Where it stood.
    run_id : str
        Of its run; empty for a staged file.
    reason : {"older", "no run", "staged"}
        There are as many younger ones as are to be kept, the ledger has no such run, or nobody will publish the file.
    size : int
        In bytes.

    Examples
    --------
    >>> import pathlib
    >>> from qbase.reports import Pruned
    >>> Pruned(path=pathlib.PurePosixPath("reports/runs/trends/R1"), run_id="R1", reason="older", size=2048).reason
    'older'
    """

    path: pathlib.Path
    run_id: str
    reason: Literal["older", "no run", "staged"]
    size: int


def prune_runs(workspace: Workspace, *, keep: int, report_id: str | None = None, dry_run: bool = False) -> list[Pruned]:
    """Remove the folders of runs but the youngest; never that of a page that is published, nor of an unfinished run.

    The newest published run on other data than the newest of all stays too: the next edition reads what it said.

    Parameters
    ----------
    workspace : Workspace
        Whose folders.
    keep : int
        So many folders stay for each end (published, failed, unchanged) of each report and choice of parameters.
    report_id : str, optional
        Of this report only.
    dry_run : bool
        Only say what would go.

    Returns
    -------
    list of Pruned

    Raises
    ------
    UsageError
        Fewer than one is to be kept (QB837).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import Workspace, add_run
    >>> from qbase.reports import prune_runs
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> known = dict.fromkeys(("notebook", "slot", "fingerprint", "commit", "snapshot"), "")
    >>> for day in ("2026-10-01", "2026-10-02", "2026-10-03"):
    ...     run = {"run_id": f"R-{day}", "report_id": "trends", "state": "ok", "started_at": day}
    ...     add_run(home, RunRecord(params={}, versions={}, **run, **known))
    ...     (home.runs / "trends" / f"R-{day}").mkdir(parents=True)
    >>> [pruned.run_id for pruned in prune_runs(home, keep=2)]
    ['R-2026-10-01']
    """
    if keep < 1:
        raise UsageError("QB837", found=f"keep = {keep}", expected="keep ≥ 1", fix="qbase prune --keep 1")
    found = [*_find_folders(workspace, keep, report_id), *(_find_staged(workspace) if report_id is None else ())]
    for pruned in () if dry_run else found:
        if pruned.path.is_dir():
            shutil.rmtree(pruned.path, ignore_errors=True)
        else:
            pruned.path.unlink(missing_ok=True)
    return found


def _find_folders(workspace: Workspace, keep: int, report_id: str | None) -> Iterator[Pruned]:
    kept = {str(meta.get("run_id")) for _, meta in read_metas(workspace.site)}
    known: dict[str, RunRecord] = {}
    counts: collections.Counter[tuple[str, str, str]] = collections.Counter()
    marks: dict[tuple[str, str, str], str | None] = {}
    # newest logical date first, as editions follow each other: those that are counted while there is room stay
    for record in sorted(list_runs(workspace, report_id, limit=EVERY), key=edition_of, reverse=True):
        known[record.run_id] = record
        if record.state in UNFINISHED or not (workspace.runs / record.report_id / record.run_id).is_dir():
            kept.add(record.run_id)
            continue
        group = (record.report_id, _choice(record), record.state)
        counts[group] += 1
        newest = marks.setdefault(group, record.fingerprint)
        # the next edition says what the one before it said: its results are still read
        is_last_edition = record.state == "ok" and newest not in (record.fingerprint, None)
        if is_last_edition:
            marks[group] = None
        if counts[group] <= keep or is_last_edition:
            kept.add(record.run_id)
    for folder in sorted(workspace.runs.glob(f"{report_id or '*'}/*")):
        if folder.name in kept or not folder.is_dir() or is_held(folder):
            continue
        is_known = folder.name in known
        if is_known or _is_old(folder):
            reason: Literal["older", "no run"] = "older" if is_known else "no run"
            yield Pruned(path=folder, run_id=folder.name, reason=reason, size=_size(folder))


def _find_staged(workspace: Workspace) -> Iterator[Pruned]:
    for path in sorted(workspace.site.rglob(".*.part")):
        if _is_old(path):
            yield Pruned(path=path, run_id="", reason="staged", size=_size(path))


def _choice(record: RunRecord) -> str:
    return json.dumps(content_params(record.params), ensure_ascii=False, sort_keys=True)


def _is_old(path: pathlib.Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > YOUNG_SECONDS
    except OSError:
        return False


def _size(path: pathlib.Path) -> int:
    total = 0
    for file in [path] if path.is_file() else path.rglob("*"):
        with contextlib.suppress(OSError):
            total += file.lstat().st_size if not file.is_dir() else 0
    return total
