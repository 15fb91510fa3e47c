"""Published pages found by report, subject, name or file, with the record of their run.

A page that got a new name leaves its old one behind as a pointer: links keep working, nothing stale stays.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.text import Text
from qbase.lake.entity_names import read_replaced
from qbase.reports.asking.page_names import MARK, REDIRECT, read_meta, undated
from qbase.reports.asking.subject_names import SUBJECT, Subject, match_subjects

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace

NOT_PAGES = frozenset({"index", "feed", "moved"})
RESULTS = "results.json"
PAGE = "report.html"
_RUN_ID = re.compile(r'<meta name="qbase-run" content="([\w-]+)">')
_MOVED = re.compile(r'<meta name="qbase-moved" content="([^"]+)">')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recorded:
    """A finished page and what its run left of it.

    Parameters
    ----------
    path : Path
        The HTML file.
    record : mapping or None
        ``results.json`` of its run; None when there is none.
    written : bytes or None
        The page as its run wrote it.
    moved_to : str
        Name of the page it points to; empty for a report.
    """

    path: pathlib.Path
    record: Mapping[str, Any] | None = None
    written: bytes | None = None
    moved_to: str = ""


def read_metas(
    site: pathlib.Path, is_meant: Callable[[str], object] = lambda stem: True
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (stem, meta) of what is published under the names meant, pointers too; an unreadable meta is empty."""
    for page in sorted(site.glob("*.html")):
        if page.stem not in NOT_PAGES and not page.name.startswith(".") and is_meant(page.stem):
            yield page.stem, read_meta(page)


def find_pages(workspace: Workspace, report_id: str, subject: str | None = None) -> list[pathlib.Path]:
    """Return the published pages of a report, pointers left out.

    Parameters
    ----------
    workspace : Workspace
        Whose site.
    report_id : str
        Name of a report, or of one page as far as its key: ``quality_trends~K003``, or with the date of an older
        edition that has a page of its own: ``quality_trends~K003@2026-09-30``.
    subject : str, optional
        Only pages about it: its code, its name, or a part of the name.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> import json, tempfile
    >>> from qbase.lake import Workspace
    >>> from qbase.reports import find_pages
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> for stem, code in (("trends", "K001"), ("trends~K003-棹湾镇化纤产业集群", "K003")):
    ...     meta = {"schema": 1, "report_id": "trends", "key": stem.partition("-")[0], "params": {"subject": code}}
    ...     _ = (home.site / f"{stem}.html").write_text("", "utf-8")
    ...     _ = (home.site / f"{stem}.json").write_text(json.dumps(meta), "utf-8")
    >>> [page.stem for page in find_pages(home, "trends")]
    ['trends', 'trends~K003-棹湾镇化纤产业集群']
    >>> [page.stem for page in find_pages(home, "trends", "K001")], [p.stem for p in find_pages(home, "trends~K003")]
    (['trends'], ['trends~K003-棹湾镇化纤产业集群'])
    """
    everything = dict(read_metas(workspace.site))
    report_id = str(everything.get(report_id, {}).get(REDIRECT, report_id))
    whole, _, rest = undated(report_id).partition("~")
    metas = {stem: meta for stem, meta in everything.items() if REDIRECT not in meta}
    own = {s: m for s, m in metas.items() if _report_of(s) == whole and m.get("report_id", whole) == whole}
    if undated(report_id) != report_id:
        found = [s for s, m in own.items() if report_id in (s, m.get("key"))]
    elif rest:
        exact = [s for s, m in own.items() if report_id in (s, m.get("key"))]
        found = exact or [s for s in own if s.startswith((f"{report_id}-", f"{report_id}~"))] or _about(own, rest)
    else:
        now = read_replaced(workspace).get(subject, subject) if subject else None
        found = list(own) if subject is None or now is None else _about(own, now) or _about(own, subject)
    return [workspace.site / f"{stem}.html" for stem in found]


def _report_of(stem: str) -> str:
    return undated(stem).partition("~")[0]


def _about(metas: Mapping[str, Mapping[str, Any]], word: str) -> list[str]:
    """Return the stems of the pages whose subject a word means."""
    known = {stem: subject for stem, meta in metas.items() if (subject := _subject_of(meta)) is not None}
    codes = {subject.code for subject in match_subjects(list(known.values()), word)}
    return [stem for stem, subject in known.items() if subject.code in codes]


def _subject_of(meta: Mapping[str, Any]) -> Subject | None:
    code = (meta.get("params") or {}).get(SUBJECT)
    if not isinstance(code, str):
        return None
    said = meta.get("subject") or {"zh": code, "en": code}
    return Subject(code=code, name=Text(*(str(said[lang]).removesuffix(f" ({code})") for lang in ("zh", "en"))))


def read_recorded(workspace: Workspace | None, path: pathlib.Path) -> Recorded:
    """Find the run of a finished page, wherever the file stands: by what was published, else by the id in the page.

    Parameters
    ----------
    workspace : Workspace or None
        Whose runs; without one no page has a record.
    path : Path
        The HTML file.

    Returns
    -------
    Recorded
    """
    text = path.read_bytes().decode("utf-8", errors="replace")
    moved = _MOVED.search(text)
    if moved:
        return Recorded(path=path, moved_to=moved[1])
    named = _RUN_ID.search(text)
    run_id = named[1] if named else ""
    if workspace is None:
        return Recorded(path=path)
    if path.resolve().parent == workspace.site.resolve():
        # the run that was published here, so that a page of another run in its place does not pass for it
        run_id = str(read_meta(path).get("run_id") or run_id)
    folders = list(workspace.runs.glob(f"*/{run_id}")) if re.fullmatch(r"[\w-]+", run_id) else []
    for folder in folders:
        try:
            record = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(record, dict) and record.get("sentinel") == run_id:
            page = folder / PAGE
            return Recorded(path=path, record=record, written=page.read_bytes() if page.is_file() else None)
    return Recorded(path=path)


def find_old_names(site: pathlib.Path, meta: Mapping[str, Any], stem: str) -> list[str]:
    """Return the other stems under which a page was published before.

    Parameters
    ----------
    site : Path
        Folder of the published pages.
    meta : mapping
        Of the page, with ``key``, ``report_id`` and ``params``.
    stem : str
        Its name of today.
    """
    # a key begins with report and subject; before there were keys a mark of the choices stood in their place
    keys = (meta["key"], *meta.get("former_keys", ()))
    begins = tuple("~".join(key.split("~")[:2]) for key in keys)
    marked = re.compile(rf"{re.escape(meta['report_id'])}~[0-9a-f]{{{MARK}}}")
    near = read_metas(site, lambda name: name != stem and (name.startswith(begins) or marked.fullmatch(name)))
    return [n for n, other in near if other.get("report_id") == meta["report_id"] and _is_same(n, other, meta)]


def _is_same(name: str, other: Mapping[str, Any], meta: Mapping[str, Any]) -> bool:
    if "key" in other:
        return bool(other["key"] in (meta["key"], *meta.get("former_keys", ())))
    # published before pages had keys: the report's own page, else the one of the same choices
    own = other["report_id"]
    return bool(name != own and meta["key"] != own and other.get("params") == meta["params"])


def build_redirects(site: pathlib.Path, meta: Mapping[str, Any], stem: str, lang: Lang) -> dict[pathlib.Path, bytes]:
    """Return the files that point from every old name of a page to the one of today."""
    title = Text(str(meta["title"]["zh"]), str(meta["title"]["en"]))
    kept = {name: meta[name] for name in ("schema", "report_id", "key")}
    files: dict[pathlib.Path, bytes] = {}
    for name in find_old_names(site, meta, stem):
        files[site / f"{name}.html"] = _page(stem, title, lang).encode()
        files[site / f"{name}.json"] = json.dumps({**kept, REDIRECT: stem}, ensure_ascii=False).encode()
    return files


def is_redirect(site: pathlib.Path, path: pathlib.Path, stem: str) -> bool:
    """Whether a file is, byte by byte, the pointer that is written for a published page."""
    title = read_meta(site / f"{stem}.html").get("title")
    if not isinstance(title, dict) or not (site / f"{stem}.html").is_file():
        return False
    found, words = path.read_bytes(), Text(str(title["zh"]), str(title["en"]))
    langs: tuple[Lang, Lang] = ("zh", "en")
    return any(found == _page(stem, words, lang).encode() for lang in langs)


def _page(stem: str, title: Text, lang: Lang) -> str:
    from qbase.reports.rendering.page_rendering import fill, with_font

    return with_font(fill("moved.html.j2", {"lang": lang, "title": title, "to": stem}), title)
