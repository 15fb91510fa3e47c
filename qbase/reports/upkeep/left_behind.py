"""What runs left that came to no end: rows, processes, locks, folders, unfinished files."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qbase.lake import list_runs
from qbase.reports.executing.run_environment import find_processes
from qbase.reports.running.run_states import ENDED, LOCK, is_held
from qbase.reports.upkeep.reconciliation import EVERY

if TYPE_CHECKING:
    from qbase.lake import Workspace

STALE_SECONDS = 600.0
"""A file is staged for moments and a folder of a run has its row at once; what is older belongs to nobody."""
SCRATCH_SECONDS = 86_400.0
WAITING = "queued"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeftBehind:
    """What nobody owns any more; paths are below the workspace.

    Parameters
    ----------
    runs : tuple of str
        Runs that the ledger has as begun, and no runner.
    processes : mapping
        Process id -> run without a runner.
    locks : tuple of str
        Lock files of runs that nobody holds.
    folders : tuple of str
        Run folders without a row.
    files : tuple of str
        Files staged and never published.
    scratch : tuple of str
        Folders of forks in the folder for temporary files, a day old.
    """

    runs: tuple[str, ...] = ()
    processes: dict[int, str] = dataclasses.field(default_factory=dict)
    locks: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    scratch: tuple[str, ...] = ()


def find_left_behind(workspace: Workspace, now: float | None = None) -> LeftBehind:
    """Look for what dead runs left in a workspace and on this machine; nothing is changed.

    Parameters
    ----------
    workspace : Workspace
        Where runs happen.
    now : float, optional
        Instant by which ages are told; that of the clock.
    """
    at = time.time() if now is None else now
    rows = list_runs(workspace, limit=EVERY)
    known = {row.run_id for row in rows}
    locks = sorted(workspace.runs.glob(f"*/*/{LOCK}"))
    held = {path.parent.name for path in locks if is_held(path.parent)}
    begun = [row.run_id for row in rows if row.state not in ENDED and row.state != WAITING]
    return LeftBehind(
        runs=tuple(run_id for run_id in begun if run_id not in held),
        processes=find_processes(known - held),
        locks=tuple(_below(workspace, path) for path in locks if path.parent.name not in held),
        folders=tuple(
            _below(workspace, path)
            for path in sorted(workspace.runs.glob("*/*"))
            if path.is_dir() and path.name not in known and path.name not in held and _age(path, at) > STALE_SECONDS
        ),
        files=tuple(_below(workspace, path) for path in _staged(workspace) if _age(path, at) > STALE_SECONDS),
        scratch=tuple(sorted(_scratch(at))),
    )


def _staged(workspace: Workspace) -> Iterator[pathlib.Path]:
    for folder in (workspace.site, workspace.runs):
        yield from sorted(folder.rglob(".*.part"))


def _scratch(at: float) -> Iterator[str]:
    for path in pathlib.Path(tempfile.gettempdir()).glob("qb-*"):
        try:
            status = path.stat()
        except OSError:
            continue
        if hasattr(os, "getuid") and status.st_uid == os.getuid() and at - status.st_mtime > SCRATCH_SECONDS:
            yield str(path)


def _age(path: pathlib.Path, at: float) -> float:
    try:
        return at - path.stat().st_mtime
    except OSError:
        return 0.0


def _below(workspace: Workspace, path: pathlib.Path) -> str:
    return path.relative_to(workspace.root).as_posix()
