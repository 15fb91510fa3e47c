"""Who is running, who has died, what is published: the ledger's rows held against locks and files."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from qbase.core.errors import RunError
from qbase.core.results.run_values import RunRecord
from qbase.core.whole_files import write_atomic
from qbase.lake import find_published, list_runs, update_run
from qbase.reports.executing.run_environment import end_leftovers

if TYPE_CHECKING:
    from qbase.lake import Workspace

LOCK = "running.lock"
# a runner that died long ago has been closed by a call in between
RECENT = 1000


@contextlib.contextmanager
def hold(folder: pathlib.Path) -> Iterator[None]:
    """Hold the lock of a run folder; the operating system lets go of it when the runner dies."""
    folder.mkdir(parents=True)
    with (folder / LOCK).open("wb") as file:
        _lock(file.fileno())
        try:
            yield
        finally:
            (folder / LOCK).unlink(missing_ok=True)


def close_dead_runs(workspace: Workspace, report_id: str | None = None) -> list[RunRecord]:
    """Close the rows of runs whose runner died: failed, or ok when their report had gone out.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    report_id : str, optional
        Only runs of this report.

    Returns
    -------
    list of RunRecord
        What was closed.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.core import RunRecord
    >>> from qbase.lake import Workspace, add_run
    >>> from qbase.reports import close_dead_runs
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> known = dict.fromkeys(("notebook", "slot", "fingerprint", "commit", "snapshot"), "")
    >>> begun = {"report_id": "trends", "state": "running", "started_at": "2026-01-31T02:00:00Z"}
    >>> add_run(home, RunRecord(run_id="R1", params={}, versions={}, **begun, **known))
    >>> [(record.run_id, record.state, record.error["code"]) for record in close_dead_runs(home)]
    [('R1', 'failed', 'QB818')]
    """
    closed: list[RunRecord] = []
    if not workspace.book.is_writable:  # to look at a workspace is no reason to change it
        return closed
    for record in list_runs(workspace, report_id, limit=RECENT):
        folder = workspace.runs / record.report_id / record.run_id
        if record.state != "running" or _is_held(folder):
            continue
        # its runner was not there to end what its cells had started
        end_leftovers(record.run_id)
        html = page_of(workspace, record)
        meta = read_meta(workspace, html.stem)
        if meta.get("run_id") == record.run_id:
            shown = html.relative_to(workspace.root).as_posix()
            # the row was written before either was known
            known = {"fingerprint": meta["fingerprint"], "snapshot": meta["snapshot"]}
            record = dataclasses.replace(record, state="ok", outputs=(shown,), **known)
        else:
            told = RunError(
                "QB818",
                report=record.report_id,
                found=f"{record.run_id}: no runner",
                expected="a runner that lives to the end",
                fix=f"qbase run {record.report_id}",
            )
            text = f"{told.what_en}: {told.found}"
            record = dataclasses.replace(record, state="failed", error={"cell": None, "text": text, **told.payload()})
        update_run(workspace, record)
        if folder.is_dir():
            write_atomic(folder / "run.json", json.dumps(record.payload(), ensure_ascii=False, indent=1))
        closed.append(record)
    return closed


def page_of(workspace: Workspace, record: RunRecord) -> pathlib.Path:
    """Return where a run publishes: its first output, else the page of its report."""
    shown = next(iter(record.outputs), "")
    return workspace.root / shown if shown.endswith(".html") else workspace.site / f"{record.report_id}.html"


def read_meta(workspace: Workspace, page_id: str) -> dict[str, Any]:
    """Return the facts published beside a page; empty when there is none or it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace
    >>> from qbase.reports import read_meta
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> home.site.mkdir(parents=True, exist_ok=True)
    >>> _ = (home.site / "trends.json").write_text('{"snapshot": "S0003", "estimates": 81}', "utf-8")
    >>> read_meta(home, "trends"), read_meta(home, "effects")
    ({'snapshot': 'S0003', 'estimates': 81}, {})
    """
    try:
        meta = json.loads((workspace.site / f"{page_id}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return meta if isinstance(meta, dict) else {}


def is_published(workspace: Workspace, record: RunRecord, *, any_slot: bool) -> bool:
    """Return whether a run's fingerprint is what the site shows, byte for byte, for its slot."""
    html = page_of(workspace, record)
    meta = read_meta(workspace, html.stem)
    if meta.get("fingerprint") != record.fingerprint:
        return False
    if not html.is_file() or hashlib.sha256(html.read_bytes()).hexdigest() != meta.get("html_sha256"):
        return False
    slot = None if any_slot else record.slot
    return find_published(workspace, record.report_id, slot=slot, fingerprint=record.fingerprint) is not None


def _is_held(folder: pathlib.Path) -> bool:
    try:
        with (folder / LOCK).open("rb+") as file:
            return not _lock(file.fileno())
    except FileNotFoundError:
        return False
    except OSError:
        # this process cannot look, for want of a file to open or of a right: what may live is never closed
        return True


def _lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:
        # no advisory locks here: a run counts as living as long as its lock file stands
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
