"""Who is running, who has died, what is published: the ledger's rows held against locks and files."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import RunError, UsageError
from qbase.core.results.run_values import RunRecord
from qbase.core.whole_files import write_atomic
from qbase.lake.run_changes import NO_RUNNER, Unfinished, find_unfinished, settle_run
from qbase.lake.run_entries import read_run
from qbase.lake.storage.this_host import host_of
from qbase.reports.executing.run_environment import end_leftovers
from qbase.reports.running.atomic_publish import publish_files

try:
    import fcntl
except ImportError:
    _HAS_LOCKS = False
else:
    _HAS_LOCKS = True

if TYPE_CHECKING:
    from qbase.lake import Workspace

LOCK = "running.lock"
BESIDE = "beside.json"
"""In the folder of a run that is being published: what is to stand beside its page."""
ENDED = frozenset({"ok", "unchanged", "failed"})
# a gallery looks back so far
RECENT = 1000


@contextlib.contextmanager
def hold(folder: pathlib.Path) -> Iterator[None]:
    """Hold the lock of a run folder; the operating system lets go of it when the runner dies.

    Raises
    ------
    BlockingIOError
        Another runner of this machine holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as file:
        if not _lock(file.fileno()) and _HAS_LOCKS:
            raise BlockingIOError(str(folder))
        try:
            yield
        finally:
            (folder / LOCK).unlink(missing_ok=True)


def close_dead_runs(workspace: Workspace, report_id: str | None = None) -> list[RunRecord]:
    """Close the rows of runs whose runner died: failed, or ok when their report had gone out. Those queued stay.

    A runner of this machine has died when nobody holds the lock of its folder, which is known at once; one of another
    machine when its lease has run out.

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
    for found in find_unfinished(workspace, report_id):
        record = found.record
        folder = workspace.runs / record.report_id / record.run_id
        sure = _is_gone(found, folder)
        if record.state == "queued" or not (sure or _is_out_of_reach(found)):
            continue
        record, reason = _ended(workspace, record, folder)
        if not settle_run(workspace, found, record, reason=reason, sure=sure):
            continue
        if sure:
            # its runner was not there to end what its cells had started
            end_leftovers(record.run_id)
        if folder.is_dir():
            _copy_row(record, folder)
        closed.append(record)
    if report_id is None:
        _copy_ended(workspace)
    return closed


def _copy_ended(workspace: Workspace) -> None:
    """Write the copies of rows whose runner, or whoever closed them, died between the ledger and the copy."""
    for lock in workspace.runs.glob(f"*/*/{LOCK}"):
        folder = lock.parent
        # a runner that died before its first row leaves a folder that the ledger does not know
        with contextlib.suppress(UsageError, OSError):
            record = None if is_held(folder) else read_run(workspace, folder.name)
            if record is not None and record.state in ENDED and record.report_id == folder.parent.name:
                _copy_row(record, folder)
                lock.unlink()


def _copy_row(record: RunRecord, folder: pathlib.Path) -> None:
    drop_beside(folder)
    write_atomic(folder / "run.json", json.dumps(record.payload(), ensure_ascii=False, indent=1))


def _is_gone(found: Unfinished, folder: pathlib.Path) -> bool:
    """Whether a runner is known to be gone: it was of this machine and holds no lock, or its slot was taken over."""
    if found.key and found.token is None:
        return not is_held(folder)
    return found.host in ("", host_of()) and not is_held(folder)


def _is_out_of_reach(found: Unfinished) -> bool:
    """Whether a runner of another machine let its lease run out."""
    return found.is_over and found.host not in ("", host_of())


def _ended(workspace: Workspace, record: RunRecord, folder: pathlib.Path) -> tuple[RunRecord, str]:
    """Return what became of a run without a runner: its page is out, or in part and is completed, or is not."""
    html = _complete(workspace, record, folder)
    meta = read_meta(workspace, html.stem)
    if meta.get("run_id") == record.run_id:
        shown = html.relative_to(workspace.root).as_posix()
        # a row of an older ledger was written before either was known
        known = {name: meta.get(name, getattr(record, name)) for name in ("fingerprint", "snapshot")}
        record = dataclasses.replace(record, state="ok", outputs=(shown,), **known)
        return record, "its page was out when its runner ended"
    told = RunError(
        "QB818",
        report=record.report_id,
        found=f"{record.run_id}: no runner",
        expected="a runner that lives to the end",
        fix=f"qbase run {record.report_id}",
    )
    error = {"cell": None, "text": f"{told.what_en}: {told.found}", **told.payload()}
    return dataclasses.replace(record, state="failed", error=error), f"{NO_RUNNER} · {record.state}"


def keep_beside(folder: pathlib.Path, contents: Mapping[pathlib.Path, bytes]) -> None:
    """Keep in the folder of a run what is to stand beside its page, so that a publication can be completed."""
    html, *rest = contents
    texts = {path.name: contents[path].decode() for path in rest}
    kept = {"name": html.name, "page": _hash(contents[html]), "files": texts}
    write_atomic(folder / BESIDE, json.dumps(kept, ensure_ascii=False))


def drop_beside(folder: pathlib.Path) -> None:
    """Forget what was kept for the completion of a publication."""
    (folder / BESIDE).unlink(missing_ok=True)


def _complete(workspace: Workspace, record: RunRecord, folder: pathlib.Path) -> pathlib.Path:
    """Put out what is lacking beside a page whose runner died while its files appeared; return where that page is."""
    html = page_of(workspace, record)
    try:
        kept = json.loads((folder / BESIDE).read_text(encoding="utf-8"))
        # where it was to publish was decided last, and may not be in its row yet
        html = html.with_name(pathlib.Path(kept.get("name", html.name)).name)
        if _hash(html.read_bytes()) == kept["page"]:
            publish_files({html.parent / name: text.encode() for name, text in kept["files"].items()})
    except (OSError, ValueError):
        pass
    return html


def close_fenced(workspace: Workspace, record: RunRecord) -> None:
    """Close the row of a run whose slot was taken over, unless that was done already."""
    for found in find_unfinished(workspace, record.report_id):
        if found.record.run_id == record.run_id and found.token is None:
            settle_run(workspace, found, record)


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


def shows(workspace: Workspace, page_id: str, fingerprint: str) -> bool:
    """Whether a page of the site is, byte for byte, what a run of this fingerprint put there."""
    meta = read_meta(workspace, page_id)
    html = workspace.site / f"{page_id}.html"
    is_it = meta.get("fingerprint") == fingerprint and html.is_file()
    return is_it and _hash(html.read_bytes()) == meta.get("html_sha256")


def is_held(folder: pathlib.Path) -> bool:
    """Whether a runner of this machine holds the lock of a run folder."""
    try:
        # shared: two who look at once do not take each other for a runner
        with (folder / LOCK).open("rb") as file:
            return not _lock(file.fileno(), is_shared=True)
    except FileNotFoundError:
        return False
    except OSError:
        # this process cannot look, for want of a file to open or of a right: what may live is never closed
        return True


def _lock(handle: int, *, is_shared: bool = False) -> bool:
    if not _HAS_LOCKS:
        # no advisory locks here: a run counts as living as long as its lock file stands
        return False
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
