"""A page in one language, as plain parts that every form writes in its own way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

from qbase.core.errors import Lang

Style = Literal["text", "note", "lead", "verdict", "grade"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A stretch of text: bold or not, and whether it stays on one line."""

    text: str
    bold: bool = False
    together: bool = False


Runs = tuple[Run, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Heading:
    """A heading; level 2 is a section of the page."""

    level: int
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paragraph:
    """A paragraph."""

    runs: Runs
    style: Style = "text"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listing:
    """A list: findings are numbered, reminders are not."""

    items: tuple[Runs, ...]
    numbered: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid:
    """A table: every cell as the page shows it."""

    name: str
    number: str
    caption: str
    labels: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def title(self) -> str:
        """Number and caption."""
        return f"{self.number}  {self.caption}".strip()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure: its words, one drawing in the colours of the light theme, and the numbers drawn."""

    number: str
    title: str
    subtitle: str
    how: str
    note: str
    alt: str
    svg: str
    grid: Grid


@dataclasses.dataclass(frozen=True, kw_only=True)
class Key:
    """A key indicator."""

    label: str
    value: str
    interval: str
    change: str
    chips: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keys:
    """A row of key indicators."""

    items: tuple[Key, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pairs:
    """Terms with what they mean, or facts with their values."""

    items: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Box:
    """Blocks in a frame: what may be said, or what to read with care."""

    kind: Literal["decision", "care"]
    blocks: tuple[Block, ...]


Block = Heading | Paragraph | Listing | Grid | Drawing | Keys | Pairs | Box


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form:
    """A page in one language.

    Parameters
    ----------
    lang : {"zh", "en"}
        Its language; nothing of the other is in it, names and codes apart.
    title : str
        Title of the page.
    mark : str
        Who may read it; stands first in every form.
    facts : tuple of str
        What stands below the title: day, data version, what was asked.
    report_id, run_id, day : str
        Of the run; ``day`` is ISO.
    brief, body, annex : tuple
        The first page, the sections, and what stands in the annex.

    Examples
    --------
    >>> from qbase.reports.forms.form_parts import Form, Heading, Paragraph, Run
    >>> said = Paragraph(runs=(Run(text="81.8%"),))
    >>> known = {"report_id": "trends", "run_id": "20261130T080000-0a1b2c3d4e", "day": "2026-11-30"}
    >>> form = Form(lang="en", title="Trends", mark="Internal", facts=(), brief=(said,), body=(), annex=(), **known)
    >>> form.short_run, list(form.texts())
    ('20261130T080000-0a1b', ['Trends', 'Internal', '81.8%'])
    """

    lang: Lang
    title: str
    mark: str
    facts: tuple[str, ...]
    report_id: str
    run_id: str
    day: str
    brief: tuple[Block, ...]
    body: tuple[Block, ...]
    annex: tuple[Block, ...]

    @property
    def short_run(self) -> str:
        """Enough of the run's id to find it."""
        return self.run_id[:20]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Everything in its order."""
        return (*self.brief, *self.body, *self.annex)

    def grids(self) -> Iterator[Grid]:
        """Yield the tables, and the numbers behind the figures, in order."""
        for block in self.blocks:
            if isinstance(block, Grid | Drawing):
                yield block if isinstance(block, Grid) else block.grid

    def texts(self) -> Iterator[str]:
        """Yield everything that a form may have to draw as text, drawings left out."""
        yield from (self.title, self.mark, *self.facts)
        for block in self.blocks:
            yield from texts_of(block)


def plain(runs: Runs) -> str:
    """Return the text of runs."""
    return "".join(run.text for run in runs)


def texts_of(block: Block) -> Iterator[str]:
    """Yield the texts of a block."""
    if isinstance(block, Heading):
        yield block.text
    elif isinstance(block, Paragraph):
        yield plain(block.runs)
    elif isinstance(block, Listing):
        yield from map(plain, block.items)
    elif isinstance(block, Pairs):
        for pair in block.items:
            yield from pair
    elif isinstance(block, Keys):
        for key in block.items:
            yield from (key.label, key.value, key.interval, key.change, *key.chips)
    elif isinstance(block, Box):
        for inner in block.blocks:
            yield from texts_of(inner)
    elif isinstance(block, Drawing):
        yield from (block.number, block.title, block.subtitle, block.how, block.note, block.alt)
        yield from texts_of(block.grid)
    else:
        yield from (block.number, block.caption, *block.labels, block.note)
        for row in block.rows:
            yield from row
