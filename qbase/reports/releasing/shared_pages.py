"""Approved pages as a folder or zip that needs no server: stable names, what was shared when, banners on old ones."""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.core.whole_files import write_atomic
from qbase.lake import ReleaseStep, add_release_step
from qbase.lake.ledger.ledger_entries import now
from qbase.release.verifying.page_reading import read_page
from qbase.reports.releasing.accounts import read_account
from qbase.reports.releasing.release_requests import SHARED, Release, check_copy, list_releases
from qbase.reports.rendering.page_rendering import date_of, fill, with_font

if TYPE_CHECKING:
    from qbase.lake import Workspace

FEED = "feed.json"
MARK = "qbase share"
MAIN = '<main id="main" tabindex="-1">'
TITLE = Text("对外发布的质量报告", "Reports on quality, for release")
STATUS = {
    "current": Text("现行", "current"),
    "superseded": Text("已被取代", "superseded"),
    "withdrawn": Text("已撤回", "withdrawn"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharedPage:
    """One page of a share.

    Parameters
    ----------
    release : Release
        What was decided on it.
    status : str
        Key of `STATUS`.
    shared_at : str
        When it left the house first.
    newer : str
        File of the page that took its place; empty where none did.

    Examples
    --------
    >>> from qbase.lake import ReleaseStep
    >>> from qbase.reports import Release, SharedPage
    >>> known = dict.fromkeys(("report_id", "run_id", "html_sha256", "profile", "preset", "at", "account"), "")
    >>> step = ReleaseStep(request_id="A0003", page="trends~K001", action="approved", **known)
    >>> SharedPage(release=Release(steps=(step,)), status="current", shared_at="").file
    'trends~K001-A0003.html'
    """

    release: Release
    status: str
    shared_at: str
    newer: str = ""

    @property
    def file(self) -> str:
        """Name of its file, the same in every share."""
        return _file_of(self.release)


def export_pages(
    workspace: Workspace, reports: Sequence[str], out: pathlib.Path, *, profile: str = "external"
) -> list[SharedPage]:
    """Write what was approved into a folder or a zip file, whole or not at all.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger and released pages.
    reports : sequence of str
        Report ids or keys of pages; every release of them.
    out : Path
        A new folder, one that an earlier share made, or a file that ends in ``.zip``.
    profile : {"external", "statutory_public"}
        Who may read it.

    Returns
    -------
    list of SharedPage
        Current pages, and those shared before that were superseded or withdrawn since: the former carry a banner, a
        notice takes the place of the latter. The same state gives the same bytes.

    Raises
    ------
    UsageError
        Nothing of a report was approved for these readers (QB780), or the place holds something else (QB781).
    DataError
        A kept copy is gone or another (QB778).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import export_pages
    >>> export_pages(open_workspace(), ["trends"], pathlib.Path("out"))
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB780] nothing of "trends" may be shared as external
      found     0 requests for external
      expected  a page that was approved
      to fix    qbase release request trends
    """
    at = now()
    every = [r for r in list_releases(workspace) if r.asked.profile == profile]
    pages: list[SharedPage] = []
    for report in dict.fromkeys(reports):
        own = [r for r in every if report in (r.asked.report_id, r.asked.page)]
        found = _choose(own, at)
        if not found:
            raise UsageError(
                "QB780", report=report, profile=profile, found=f"{len(own)} requests for {profile}",
                expected="a page that was approved", fix=f"qbase release request {report}",
            )  # fmt: skip
        pages += [page for page in found if page.file not in {p.file for p in pages}]
    files = _build_files(workspace, pages)
    if out.suffix == ".zip":
        write_atomic(out, _zip(files))
    else:
        _write_folder(out, files)
    for page in pages:
        if not page.release.when(SHARED):
            _note_shared(workspace, page.release, at)
    return pages


def _choose(releases: Sequence[Release], at: str) -> list[SharedPage]:
    """Return the latest approved of every page, and older ones that left the house before."""
    latest = {r.asked.page: r for r in releases if r.state == "approved"}
    found = []
    for release in releases:
        newest = latest.get(release.asked.page)
        status = "current" if release is newest else "withdrawn" if release.state == "withdrawn" else "superseded"
        shared = release.when(SHARED)
        if status == "current" or (shared and release.state in ("approved", "withdrawn")):
            newer = _file_of(newest) if newest is not None and newest is not release else ""
            found.append(SharedPage(release=release, status=status, shared_at=shared or at, newer=newer))
    return found


def _file_of(release: Release) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_.~@-]', '_', release.asked.page)}-{release.request_id}.html"


def _build_files(workspace: Workspace, pages: Sequence[SharedPage]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    entries: list[dict[str, Any]] = []
    for page in pages:
        check_copy(workspace, page.release)
        source = page.release.file(workspace).read_text(encoding="utf-8")
        title = _title(source)
        content = source
        if page.status == "superseded":
            content = _with_banner(source, page)
        elif page.status == "withdrawn":
            notice = date_of(page.release.when("withdrawn"))
            content = with_font(fill("shared.html.j2", {"lang": "zh", "title": title, "notice": notice}), title)
        files[page.file] = content.encode()
        entries.append(
            {"file": page.file, "title": title, "status": STATUS[page.status], "when": date_of(page.shared_at)}
        )
    context = {"lang": "zh", "title": TITLE, "entries": entries, "notice": None}
    files["index.html"] = with_font(fill("shared.html.j2", context), TITLE).encode()
    items = [_item(page, entry["title"]) for page, entry in zip(pages, entries, strict=True)]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": f"{TITLE.zh} / {TITLE.en}", "_made_by": MARK}
    files[FEED] = json.dumps({**feed, "items": items}, ensure_ascii=False, indent=1).encode()
    return files


def _item(page: SharedPage, title: Text) -> dict[str, Any]:
    withdrawn = page.release.when("withdrawn")
    return {
        "id": page.file, "url": page.file, "title": f"{title.zh} / {title.en}", "date_published": page.shared_at,
        "_status": page.status, **({"_newer": page.newer} if page.newer else {}),
        **({"date_modified": withdrawn} if withdrawn else {}),
    }  # fmt: skip


def _title(source: str) -> Text:
    """Return the title of a page in both languages, as its first heading says it."""
    heading = read_page(source).body.find(lambda e: e.tag == "h1")
    parts = heading.elements if heading else []
    twins = {lang: e.text() for e in parts for lang in ("zh", "en") if lang in e.classes}
    plain = heading.text().strip() if heading else "–"
    return Text(twins.get("zh", plain), twins.get("en", plain))


def _with_banner(source: str, page: SharedPage) -> str:
    zh = "这份报告已被更新的一份取代。"
    en = "A newer edition has taken the place of this report."
    link = f' <a href="{page.newer}">{page.newer}</a>' if page.newer else ""
    words = f'<span class="zh" lang="zh-CN">{zh}</span><span class="en" lang="en">{en}</span>'
    return source.replace(MAIN, f'{MAIN}\n<p class="warn" role="note">{words}{link}</p>', 1)


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _write_folder(out: pathlib.Path, files: dict[str, bytes]) -> None:
    """Write a folder beside the old one, then swap them."""
    if out.exists() and not _is_ours(out):
        raise UsageError(
            "QB781", place=out.name, found=f"{out.name} holds other files",
            expected="a new folder, or that of an earlier share", fix="name another folder with --out",
        )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        made.chmod(0o755)
        for name, content in files.items():
            write_atomic(made / name, content)
        old = made.with_suffix(".old")
        if out.exists():
            out.rename(old)
        made.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _is_ours(out: pathlib.Path) -> bool:
    if not out.is_dir():
        return False
    if not any(out.iterdir()):
        return True
    try:
        feed = json.loads((out / FEED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(feed, dict) and feed.get("_made_by") == MARK


def _note_shared(workspace: Workspace, release: Release, at: str) -> None:
    def step(steps: Sequence[ReleaseStep]) -> ReleaseStep:
        return dataclasses.replace(release.asked, action=SHARED, account=read_account(), at=at, content="{}")

    add_release_step(workspace, step)
