"""The cells of an executed letter in order: headings, words in both languages, outputs and code."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from markupsafe import Markup
from nbformat import NotebookNode

from qbase.core.errors import RunError
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
ANNEX = "annex"
"""Tag of cells whose words or outputs stand in the annex."""
BRIEF = "brief"
"""Tag of cells whose figures stand on the first page, beside the findings."""
INSIDE = "inside"
"""Tag of cells that pages for outside go without."""
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
class Piece:
    """A section's title, a bundle's payload or a block; and whether its cell is for the annex or the first page."""

    title: Text | None = None
    payload: Mapping[str, Any] | None = None
    block: Block | None = None
    annex: bool = False
    brief: bool = False


def leave_inside(notebook: NotebookNode, *, is_inside: bool) -> NotebookNode:
    """Return a letter as its readers may see it: outside the house without the cells tagged ``inside``."""
    if is_inside:
        return notebook
    kept = [cell for cell in notebook.cells if INSIDE not in cell.metadata.get("tags", ())]
    return NotebookNode({**notebook, "cells": kept})  # type: ignore[no-untyped-call]


def read_pieces(notebook: NotebookNode, run_id: str) -> Iterator[Piece]:
    """Yield the pieces of a letter in its order.

    Raises
    ------
    RunError
        A text lacks its twin in the other language (QB853), a bundle is ill-formed (QB850, QB851, QB760, QB761).
    """
    number = 0
    waiting: dict[str, str] = {}
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", ())
        annex = ANNEX in tags
        language = next((t for t in tags if t in LANGUAGES), "")
        if cell.cell_type == "markdown" and language and language not in waiting:
            waiting[language] = cell.source
            if len(waiting) == len(LANGUAGES):
                yield from _words(waiting, annex)
                waiting = {}
            continue
        if waiting:
            raise _unpaired(next(iter(waiting.values())))
        if cell.cell_type == "markdown":
            yield from _words({"": cell.source}, annex)
        elif cell.cell_type == "code":
            number += 1
            yield from _outputs(cell, number, run_id, annex)
    if waiting:
        raise _unpaired(next(iter(waiting.values())))


def _outputs(cell: NotebookNode, number: int, run_id: str, annex: bool) -> Iterator[Piece]:
    """Yield the code of a cell and what it shows."""
    if "remove-input" not in cell.metadata.get("tags", ()) and cell.source.strip():
        yield Piece(block=Block(kind="code", cell=number, source=cell.source.strip()), annex=annex)
    for shown in read_outputs(cell.get("outputs", ()), cell=number, run_id=run_id):
        if shown.payload is not None:
            is_brief = BRIEF in cell.metadata.get("tags", ())
            yield Piece(payload=shown.payload, annex=annex, brief=is_brief)
        elif shown.html is not None:
            kind: BlockKind = "object" if shown.quiet else "foreign"
            yield Piece(block=Block(kind=kind, html={"": shown.html}, cell=number), annex=annex)
        else:
            yield Piece(block=Block(kind="note", note=shown.note), annex=annex)


def _words(sources: Mapping[str, str], annex: bool) -> Iterator[Piece]:
    """Yield the sections and words of one text in both languages (or of one without a language)."""
    split = {language: list(_split(source)) for language, source in sources.items()}
    if len({tuple(bool(title) for title, _ in pieces) for pieces in split.values()}) > 1:
        raise _unpaired(next(iter(sources.values())))
    for pieces in zip(*split.values(), strict=True):
        titles = [title for title, _ in pieces]
        if titles[0]:
            title = Text(*titles) if len(titles) > 1 else _both(titles[0])
            yield Piece(title=_without_number(title), annex=annex)
        caption = f'<span class="vh">{Markup.escape(titles[0] or "—")}</span>'
        html = {
            language: as_inert(lower_headings(label_tables(body, caption)))
            for language, (_, body) in zip(split, pieces, strict=True)
        }
        if any(body.strip() for body in html.values()):
            yield Piece(block=Block(kind="words", html=html), annex=annex)


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
