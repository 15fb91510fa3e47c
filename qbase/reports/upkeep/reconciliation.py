"""Ledger and files held against each other, both ways: what is published has its row, and every row its page."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from qbase.core.results.run_values import RunRecord
from qbase.core.text import Text
from qbase.lake import list_runs
from qbase.reports.asking.page_names import REDIRECT
from qbase.reports.running.published_pages import PAGE, RESULTS, is_redirect, read_metas
from qbase.reports.running.run_states import ENDED

if TYPE_CHECKING:
    from qbase.lake import Workspace

Kind = Literal["missing", "extra", "changed"]
EVERY = 10**9
KEPT = ("run.json", RESULTS, PAGE)
"""What the run of a published page left in its folder."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """One place where ledger and files disagree.

    Parameters
    ----------
    kind : {"missing", "extra", "changed"}
        Stated and not there, there and not stated, or there otherwise than stated.
    path : str
        Below the workspace.
    text : Text
        What is wrong, in words.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.reports import Discrepancy
    >>> Discrepancy(kind="extra", path="reports/site/x.html", text=Text("账上没有", "no row")).payload()
    {'kind': 'extra', 'path': 'reports/site/x.html', 'text': {'zh': '账上没有', 'en': 'no row'}}
    """

    kind: Kind
    path: str
    text: Text

    def payload(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {"kind": self.kind, "path": self.path, "text": self.text.payload()}


def reconcile_runs(workspace: Workspace) -> tuple[list[Discrepancy], Mapping[str, int]]:
    """Hold the rows of the ledger against pages and run folders, both ways.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger, site and runs.

    Returns
    -------
    discrepancies : list of Discrepancy
        Empty where all agree.
    counts : mapping
        How many ``pages``, ``rows`` and ``folders`` were looked at.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace
    >>> from qbase.reports import reconcile_runs
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = (home.site / "trends.html").write_text("<html></html>", "utf-8")
    >>> found, counts = reconcile_runs(home)
    >>> [(one.kind, one.path, one.text.en) for one in found], counts["pages"]
    ([('extra', 'reports/site/trends.html', 'no run of the ledger published it')], 1)
    """
    rows = list_runs(workspace, limit=EVERY)
    metas = dict(read_metas(workspace.site))
    folders = sorted(path for path in workspace.runs.glob("*/*") if path.is_dir())
    found = [
        *_published_rows(workspace, rows, metas),
        *_pages(workspace, rows, metas),
        *_strays(workspace, metas),
        *_folders(workspace, rows, folders),
    ]
    return found, {"pages": len(metas), "rows": len(rows), "folders": len(folders)}


def _latest(rows: list[RunRecord]) -> dict[str, RunRecord]:
    """Return the last good run of every page by its path; rows come newest first."""
    latest: dict[str, RunRecord] = {}
    for row in rows:
        page = next(iter(row.outputs), "")
        if row.state == "ok" and page.endswith(".html"):
            latest.setdefault(page, row)
    return latest


def _published_rows(
    workspace: Workspace, rows: list[RunRecord], metas: Mapping[str, Mapping[str, object]]
) -> Iterator[Discrepancy]:
    for shown, row in _latest(rows).items():
        page = workspace.root / shown
        meta = metas.get(page.stem, {})
        if not page.is_file():
            yield _found(
                "missing",
                shown,
                f"运行 {row.run_id} 发布的页面不在",
                f"the page that run {row.run_id} published is gone",
            )
            continue
        if REDIRECT in meta:
            continue
        if not page.with_suffix(".json").is_file():
            side = shown.removesuffix(".html") + ".json"
            yield _found(
                "missing",
                side,
                f"运行 {row.run_id} 的页面没有旁注",
                f"the facts beside the page of run {row.run_id} are gone",
            )
            continue
        if meta.get("run_id") != row.run_id:
            yield _found(
                "changed", shown, f"页面出自运行 {meta.get('run_id')}，账上最后是 {row.run_id}",
                f"the page is of run {meta.get('run_id')}, the last of the ledger is {row.run_id}",
            )  # fmt: skip
            continue
        yield from _bytes(workspace, shown, row, meta)


def _bytes(workspace: Workspace, shown: str, row: RunRecord, meta: Mapping[str, object]) -> Iterator[Discrepancy]:
    """Hold a page against the hash stated beside it, and against what its run wrote."""
    folder = workspace.runs / row.report_id / row.run_id
    for name in KEPT:
        if not (folder / name).is_file():
            below = (folder / name).relative_to(workspace.root).as_posix()
            yield _found("missing", below, f"{shown} 的运行没有留下它", f"the run of {shown} left it, and it is gone")
    now = _sha256(workspace.root / shown)
    if now != meta.get("html_sha256"):
        yield _found("changed", shown, "页面与旁注的散列不符", "the page has another hash than is stated beside it")
    elif (folder / PAGE).is_file() and _sha256(folder / PAGE) != now:
        yield _found("changed", shown, "页面与运行写下的不同", "the page is not what its run wrote")


def _pages(
    workspace: Workspace, rows: list[RunRecord], metas: Mapping[str, Mapping[str, object]]
) -> Iterator[Discrepancy]:
    """Find pages that no row published, and pointers that are none."""
    latest = _latest(rows)
    published = {(row.run_id, next(iter(row.outputs), "")) for row in rows if row.state == "ok"}
    for stem, meta in metas.items():
        page = workspace.site / f"{stem}.html"
        shown = page.relative_to(workspace.root).as_posix()
        if REDIRECT in meta:
            if not is_redirect(workspace.site, page, str(meta[REDIRECT])):
                yield _found(
                    "changed", shown, f"不是指向 {meta[REDIRECT]} 的页面", f"is not the pointer to {meta[REDIRECT]}"
                )
        elif (meta.get("run_id"), shown) not in published and shown not in latest:
            yield _found("extra", shown, "账上没有发布它的运行", "no run of the ledger published it")


def _strays(workspace: Workspace, metas: Mapping[str, object]) -> Iterator[Discrepancy]:
    for path in sorted(workspace.site.glob("*.json")):
        if path.stem not in {*metas, "feed"}:
            shown = path.relative_to(workspace.root).as_posix()
            yield _found("extra", shown, "旁边没有页面", "there is no page beside it")


def _folders(workspace: Workspace, rows: list[RunRecord], folders: list[pathlib.Path]) -> Iterator[Discrepancy]:
    """Hold every run folder against its row, and its copy of the row against the ledger."""
    by_id = {row.run_id: row for row in rows}
    for folder in folders:
        shown = folder.relative_to(workspace.root).as_posix()
        row = by_id.get(folder.name)
        if row is None or row.report_id != folder.parent.name:
            yield _found("extra", shown, "账上没有这次运行", "the ledger has no such run")
        elif row.state in ENDED and (folder / "run.json").is_file():
            try:
                copy = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            except ValueError:
                copy = None
            if copy != json.loads(json.dumps(row.payload())):
                yield _found("changed", f"{shown}/run.json", "与账上的记录不同", "is not the row of the ledger")


def _sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _found(kind: Kind, path: str, zh: str, en: str) -> Discrepancy:
    return Discrepancy(kind=kind, path=path, text=Text(zh, en))
