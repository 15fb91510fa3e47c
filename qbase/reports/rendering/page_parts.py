"""From an executed letter to the parts of a page: sections, figures and tables with their numbers, the brief on top."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbformat import NotebookNode

from qbase.core.errors import RunError
from qbase.core.shown.display import MIME
from qbase.core.text import Text
from qbase.reports.rendering.letter_cells import LANGUAGES, WITH_CODE, Block, Item, read_pieces

REMINDERS = 2
"""So many limits stand on the first page, the others in the annex."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A second-level heading with what stands below it."""

    anchor: str
    title: Text
    blocks: tuple[Block, ...]
    annex: bool = False

    @property
    def holds_limits(self) -> bool:
        """Whether the limits that do not stand on the first page do so here, where the letter concludes."""
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
    decisions: tuple[Block, ...]
    figures: tuple[Block, ...]
    tiles: tuple[Mapping[str, Any], ...]
    facts: tuple[Mapping[str, Any], ...]
    code: tuple[Block, ...]

    @property
    def reminders(self) -> tuple[Item, ...]:
        """The limits that stand on the first page."""
        return self.limits[:REMINDERS]

    @property
    def further_limits(self) -> tuple[Item, ...]:
        """The limits that stand where the letter concludes, or in the annex."""
        return self.limits[REMINDERS:]


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
    annexed: dict[str, _Part] = {}
    hoisted = _Hoisted()
    for piece in read_pieces(notebook, run_id):
        if piece.title is not None:
            parts.append(_Part(f"s{len(parts)}", piece.title, [], annex=piece.annex))
            continue
        place = parts[-1]
        if piece.annex and not place.annex:
            place = annexed.setdefault(place.anchor, _in_full(place))
        if piece.payload is not None and piece.brief and piece.payload["kind"] == "figure":
            hoisted.figures.append(Block(kind="figure", payload=piece.payload))
        elif piece.payload is not None:
            place.blocks.extend(hoisted.take(piece.payload))
        elif piece.block is not None:
            place.blocks.append(piece.block)
    parts = sorted([*parts, *annexed.values()], key=lambda part: part.annex)
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
    annex: bool = False


def _in_full(part: _Part) -> _Part:
    """Return the part of the annex that holds what a section leaves to it."""
    title = Text(f"{part.title.zh}：详情", f"{part.title.en}: in full") if part.anchor else Text("详情", "In full")
    return _Part(f"{part.anchor or 's0'}-annex", title, [], annex=True)


class _Hoisted:
    """What does not stay where the letter shows it: the brief, the tiles, limits and provenance."""

    def __init__(self) -> None:
        self.leads: list[Item] = []
        self.findings: list[Item] = []
        self.failed: list[Item] = []
        self.limits: list[Item] = []
        self.decisions: list[Block] = []
        self.figures: list[Block] = []
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
        elif kind == "prose" and payload["role"] == "decision":
            self.decisions.append(Block(kind="prose", payload=payload, items=tuple(_items(payload))))
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


def _number(parts: Sequence[_Part], hoisted: _Hoisted, spoken: Mapping[str, str]) -> Letter:
    figures, tables = len(hoisted.figures), 0
    sections, code = [], list[Block]()
    for part in parts:
        blocks = []
        for block in part.blocks:
            if block.kind == "limits" and not (_speaks_of_limits(part.title) and hoisted.limits[REMINDERS:]):
                continue
            if block.kind == "figure":
                figures += 1
                blocks.append(dataclasses.replace(block, number=figures))
            elif block.kind == "table":
                tables += 1
                blocks.append(dataclasses.replace(block, number=tables))
            else:
                blocks.append(block)
        section = Section(anchor=part.anchor, title=part.title, blocks=tuple(blocks), annex=part.annex)
        if section.is_empty or not part.anchor:
            code += [b for b in blocks if b.kind in WITH_CODE]
        sections.append(section)
    intro, rest = _introduction(sections[0].blocks)
    kept = tuple(s for s in (rest, *sections[1:]) if not s.is_empty)
    lead = hoisted.leads[0] if hoisted.leads else None
    findings = [
        _linked(item, [s for s in kept if not s.annex], spoken.get(item.text["zh"], ""))
        for item in (*hoisted.leads[1:], *hoisted.findings)
    ]
    if lead and findings and findings[0].text == lead.text and findings[0].of == lead.of:
        # the first finding is the lead: it is shown once, with its evidence, and counts as both
        lead = dataclasses.replace(findings.pop(0), part="lead", also="finding")
    return Letter(
        intro=intro,
        sections=_said_once(kept, [i.text["zh"] for i in (lead, *findings) if i], spoken),
        lead=lead,
        findings=tuple(findings),
        failed=tuple(hoisted.failed),
        limits=tuple(hoisted.limits),
        decisions=tuple(hoisted.decisions),
        figures=tuple(dataclasses.replace(block, number=i) for i, block in enumerate(hoisted.figures, start=1)),
        tiles=tuple(hoisted.tiles),
        facts=tuple(hoisted.facts),
        code=tuple(code),
    )


def _said_once(sections: Sequence[Section], said: Sequence[str], spoken: Mapping[str, str]) -> tuple[Section, ...]:
    """Return sections without the sentences of results that stand on the first page already."""
    top = {text for text in said if text in spoken}
    kept = []
    for section in sections:
        blocks = []
        for block in section.blocks:
            items = tuple(i for i in block.items if i.text["zh"] not in top)
            if items or not block.items:
                blocks.append(dataclasses.replace(block, items=items))
        kept.append(dataclasses.replace(section, blocks=tuple(blocks)))
    return tuple(section for section in kept if not section.is_empty)


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
    blocks = [*hoisted.figures, *(b for part in parts for b in part.blocks)]
    drawings = [svg for b in blocks if b.kind == "figure" for svg in b.payload["drawings"].values()]
    drawings += [item[name] for tiles in hoisted.tiles for item in tiles["items"] for name in ("spark", "goal")]
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
