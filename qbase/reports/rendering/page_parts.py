"""From an executed letter to the parts of a page: sections, figures and tables with their numbers, the brief on top."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from markupsafe import Markup
from nbformat import NotebookNode

from qbase.core.errors import RunError
from qbase.core.shown.display import MIME
from qbase.core.text import Text
from qbase.reports.rendering.cell_outputs import (
    as_inert,
    label_tables,
    lower_headings,
    read_markdown,
    read_outputs,
    render_tokens,
)

BlockKind = Literal["words", "prose", "table", "figure", "foreign", "note", "limits", "code", "object"]
WITH_CODE = frozenset({"code", "object"})
LANGUAGES = ("zh", "en")
NUMERALS = "一二三四五六七八九十"
_NUMBERED_ZH = re.compile(r"^[一二三四五六七八九十]+、\s*")
_NUMBERED = re.compile(r"^\d{1,2}[.)、]\s*")
_BARE = re.compile(r"^\d{1,2}\s+")
_BOTH = re.compile(r"^(?P<zh>.*[\u4e00-\u9fff].*?)\s+/\s+(?P<en>[^\u4e00-\u9fff]+)$")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Item:
    """A sentence on the page that belongs to a bundle, as verification reads it back."""

    text: Mapping[str, str]
    bundle: str
    of: str
    part: str
    grade: str | None = None
    check: str = ""
    link: str = ""
    also: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """One thing in a section."""

    kind: BlockKind
    payload: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    items: tuple[Item, ...] = ()
    html: Mapping[str, Markup] = dataclasses.field(default_factory=dict)
    note: Text | None = None
    number: int = 0
    cell: int = 0
    source: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A second-level heading with what stands below it."""

    anchor: str
    title: Text
    blocks: tuple[Block, ...]

    @property
    def holds_limits(self) -> bool:
        """Whether limits and failed checks stand here, where the letter concludes."""
        return any(block.kind == "limits" for block in self.blocks)

    @property
    def is_empty(self) -> bool:
        """Whether a reader who does not open the code would find nothing."""
        return all(block.kind in WITH_CODE for block in self.blocks)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Letter:
    """An executed letter sorted for the page."""

    intro: tuple[Block, ...]
    sections: tuple[Section, ...]
    lead: Item | None
    findings: tuple[Item, ...]
    failed: tuple[Item, ...]
    limits: tuple[Item, ...]
    tiles: tuple[Mapping[str, Any], ...]
    facts: tuple[Mapping[str, Any], ...]
    code: tuple[Block, ...]


def read_letter(notebook: NotebookNode, *, run_id: str, spoken: Mapping[str, str] | None = None) -> Letter:
    """Sort an executed letter into the parts of a page.

    Parameters
    ----------
    notebook : NotebookNode
        Executed, outputs inside.
    run_id : str
        Named in notes about errors.
    spoken : mapping or None
        Chinese sentence -> name of the result that says it, to link findings with what shows that result.

    Returns
    -------
    Letter

    Raises
    ------
    RunError
        A bundle is ill-formed (QB850, QB851, QB760, QB761), a section lacks a language (QB853), two drawings share
        an id (QB854), there are two conclusions (QB855).
    """
    parts = [_Part("", Text("", ""), [])]
    hoisted = _Hoisted()
    for kind, value in _cells(notebook, run_id):
        if kind == "section":
            parts.append(_Part(f"s{len(parts)}", value, []))
        elif kind == "bundle":
            parts[-1].blocks.extend(hoisted.take(value))
        else:
            parts[-1].blocks.append(value)
    _check_ids(parts, hoisted)
    return _number(parts, hoisted, spoken or {})


def find_spark(notebook: NotebookNode) -> str:
    """Return the small line of the first tile that has one, or an empty text."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            payload = output.get("data", {}).get(MIME, {})
            for tile in payload.get("items", ()) if payload.get("kind") == "tiles" else ():
                if tile["spark"]:
                    return str(tile["spark"])
    return ""


@dataclasses.dataclass
class _Part:
    anchor: str
    title: Text
    blocks: list[Block]


class _Hoisted:
    """What does not stay where the letter shows it: the brief, the tiles, limits and provenance."""

    def __init__(self) -> None:
        self.leads: list[Item] = []
        self.findings: list[Item] = []
        self.failed: list[Item] = []
        self.limits: list[Item] = []
        self.tiles: list[Mapping[str, Any]] = []
        self.facts: list[Mapping[str, Any]] = []
        self.concluded = ""

    def take(self, payload: Mapping[str, Any]) -> list[Block]:
        """Take a bundle; return what stays in its section.

        Raises
        ------
        RunError
            It is a second conclusion (QB855).
        """
        kind, name = payload["kind"], payload["name"]
        if kind == "conclusion":
            if self.concluded:
                raise RunError(
                    "QB855",
                    found=f"{self.concluded} and {name}",
                    expected="one conclusion",
                    fix="put all results into a single conclude(…)",
                )
            self.concluded = name or "conclusion"
            self._conclude(payload)
            return [Block(kind="limits")]
        if kind == "tiles":
            self.tiles.append(payload)
        elif kind == "provenance":
            self.facts.extend(payload["facts"])
        elif kind == "prose" and payload["role"] in {"finding", "limit"}:
            (self.findings if payload["role"] == "finding" else self.limits).extend(_items(payload))
        elif kind == "prose" and payload["role"] == "lead" and not self.leads:
            self.leads.extend(_items(payload))
        elif kind == "prose":
            return [Block(kind="prose", payload=payload, items=tuple(_items(payload)))]
        else:
            return [Block(kind=kind, payload=payload)]
        return []

    def _conclude(self, payload: Mapping[str, Any]) -> None:
        def item(part: str, text: Mapping[str, Any]) -> Item:
            words = {lang: text[lang] for lang in LANGUAGES}
            grade, check = text.get("grade"), text.get("name", "")
            return Item(text=words, bundle="conclusion", of=payload["name"], part=part, grade=grade, check=check)

        self.leads.insert(0, item("lead", payload["lead"]))
        self.findings[:0] = [item("finding", t) for t in payload["findings"]]
        self.failed[:0] = [item("failed", t) for t in payload["failed_checks"]]
        self.limits[:0] = [item("limit", t) for t in payload["limits"]]


def _items(payload: Mapping[str, Any]) -> Iterator[Item]:
    for text in payload["items"]:
        words = {lang: text[lang] for lang in LANGUAGES}
        yield Item(text=words, bundle="prose", of=payload["name"], part=payload["role"], grade=text["grade"])


def _cells(notebook: NotebookNode, run_id: str) -> Iterator[tuple[str, Any]]:
    """Yield sections, blocks and bundles in the order of the letter."""
    number = 0
    waiting: dict[str, str] = {}
    for cell in notebook.cells:
        language = next((t for t in cell.metadata.get("tags", ()) if t in LANGUAGES), "")
        if cell.cell_type == "markdown" and language and language not in waiting:
            waiting[language] = cell.source
            if len(waiting) == len(LANGUAGES):
                yield from _words(waiting)
                waiting = {}
            continue
        if waiting:
            raise _unpaired(next(iter(waiting.values())))
        if cell.cell_type == "markdown":
            yield from _words({"": cell.source})
        elif cell.cell_type == "code":
            number += 1
            if "remove-input" not in cell.metadata.get("tags", ()) and cell.source.strip():
                yield "block", Block(kind="code", cell=number, source=cell.source.strip())
            for shown in read_outputs(cell.get("outputs", ()), cell=number, run_id=run_id):
                if shown.payload is not None:
                    yield "bundle", shown.payload
                elif shown.html is not None:
                    kind: BlockKind = "object" if shown.quiet else "foreign"
                    yield "block", Block(kind=kind, html={"": shown.html}, cell=number)
                else:
                    yield "block", Block(kind="note", note=shown.note)
    if waiting:
        raise _unpaired(next(iter(waiting.values())))


def _words(sources: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield the sections and words of one text in both languages (or of one without a language)."""
    split = {language: list(_split(source)) for language, source in sources.items()}
    if len({tuple(bool(title) for title, _ in pieces) for pieces in split.values()}) > 1:
        raise _unpaired(next(iter(sources.values())))
    for pieces in zip(*split.values(), strict=True):
        titles = [title for title, _ in pieces]
        if titles[0]:
            title = Text(*titles) if len(titles) > 1 else _both(titles[0])
            yield "section", _without_number(title)
        caption = f'<span class="vh">{Markup.escape(titles[0] or "—")}</span>'
        html = {
            language: as_inert(lower_headings(label_tables(body, caption)))
            for language, (_, body) in zip(split, pieces, strict=True)
        }
        if any(body.strip() for body in html.values()):
            yield "block", Block(kind="words", html=html)


def _split(source: str) -> Iterator[tuple[str, str]]:
    """Yield (second-level heading, HTML below it); the first-level heading is the report's own title."""
    tokens, state = read_markdown(source)
    title, body, started = "", list[dict[str, Any]](), False
    for token in tokens:
        level = token["attrs"]["level"] if token["type"] == "heading" else 0
        if level == 1:
            continue
        if level == 2:
            if started or title:
                yield title, render_tokens(body, state)
            title, body, started = _plain(token), [], True
        else:
            body.append(token)
            started = started or token["type"] != "blank_line"
    if started or title:
        yield title, render_tokens(body, state)


def _plain(token: Mapping[str, Any]) -> str:
    return str(token.get("raw", "")) + "".join(_plain(child) for child in token.get("children", ()))


def _both(title: str) -> Text:
    match = _BOTH.match(title)
    return Text(match["zh"], match["en"]) if match else Text(title, title)


def _without_number(title: Text) -> Text:
    zh = _NUMBERED.sub("", _NUMBERED_ZH.sub("", title.zh))
    en = _NUMBERED.sub("", title.en)
    return Text(zh, _BARE.sub("", en) if zh != title.zh else en)


def _unpaired(source: str) -> RunError:
    first = next((line.strip("# ") for line in source.splitlines() if line.strip()), "–")
    return RunError(
        "QB853",
        title=first[:40],
        found="a Chinese or English text without its twin, or other headings in it",
        expected="cells in pairs, tagged zh and en, with the same second-level headings",
        fix="add the missing cell next to this one",
    )


def _number(parts: Sequence[_Part], hoisted: _Hoisted, spoken: Mapping[str, str]) -> Letter:
    figures = tables = 0
    sections, code = [], list[Block]()
    for part in parts:
        blocks = []
        for block in part.blocks:
            if block.kind == "limits" and not (_speaks_of_limits(part.title) and (hoisted.limits or hoisted.failed)):
                continue
            if block.kind == "figure":
                figures += 1
                blocks.append(dataclasses.replace(block, number=figures))
            elif block.kind == "table":
                tables += 1
                blocks.append(dataclasses.replace(block, number=tables))
            else:
                blocks.append(block)
        section = Section(anchor=part.anchor, title=part.title, blocks=tuple(blocks))
        if section.is_empty or not part.anchor:
            code += [b for b in blocks if b.kind in WITH_CODE]
        sections.append(section)
    intro, rest = _introduction(sections[0].blocks)
    kept = tuple(s for s in (rest, *sections[1:]) if not s.is_empty)
    lead = hoisted.leads[0] if hoisted.leads else None
    findings = [
        _linked(item, kept, spoken.get(item.text["zh"], "")) for item in (*hoisted.leads[1:], *hoisted.findings)
    ]
    if lead and findings and findings[0].text == lead.text and findings[0].of == lead.of:
        # the first finding is the lead: it is shown once, with its evidence, and counts as both
        lead = dataclasses.replace(findings.pop(0), part="lead", also="finding")
    return Letter(
        intro=intro,
        sections=kept,
        lead=lead,
        findings=tuple(findings),
        failed=tuple(hoisted.failed),
        limits=tuple(hoisted.limits),
        tiles=tuple(hoisted.tiles),
        facts=tuple(hoisted.facts),
        code=tuple(code),
    )


def _speaks_of_limits(title: Text) -> bool:
    """Whether a section is the letter's own place for what limits the conclusion."""
    return "局限" in title.zh or "limit" in title.en.lower()


def _introduction(blocks: Sequence[Block]) -> tuple[tuple[Block, ...], Section]:
    """Split what comes before the first heading: the question, and results that were given no heading."""
    shown = [b for b in blocks if b.kind not in WITH_CODE]
    words = next((i for i, b in enumerate(shown) if b.kind != "words"), len(shown))
    return tuple(shown[:words]), Section(anchor="s0", title=Text("结果", "Results"), blocks=tuple(shown[words:]))


def _linked(item: Item, sections: Sequence[Section], name: str) -> Item:
    """Link a finding to the section that says the same sentence, else to one that shows its result."""
    for section in sections:
        if any(i.text == item.text for block in section.blocks for i in block.items):
            return dataclasses.replace(item, link=section.anchor)
    for section in sections:
        if name and any(name in block.payload.get("name", "") for block in section.blocks):
            return dataclasses.replace(item, link=section.anchor)
    return item


_ID = re.compile(r"\sid=[\"']([^\"']+)")


def _check_ids(parts: Sequence[_Part], hoisted: _Hoisted) -> None:
    drawings = [
        svg for p in parts for b in p.blocks if b.kind == "figure" for svg in b.payload["drawings"].values()
    ] + [item[name] for tiles in hoisted.tiles for item in tiles["items"] for name in ("spark", "goal")]
    seen: set[str] = set()
    for svg in drawings:
        ids = _ID.findall(svg)
        doubled = sorted(seen.intersection(ids)) or sorted({i for i in ids if ids.count(i) > 1})
        if doubled:
            raise RunError(
                "QB854",
                id=doubled[0],
                found=f"{len(doubled)} ids twice",
                expected="ids that begin with the name of their figure",
                fix="show each figure once",
            )
        seen.update(ids)
