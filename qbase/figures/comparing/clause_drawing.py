"""How the lines of the policy text are drawn: a tile a line, part by part, in marks that need no colour."""

from __future__ import annotations

import dataclasses

from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet

TILE, TILE_NARROW, TALL, GAP, PAD, HEAD = 57.0, 56.0, 24.0, 4.0, 7.0, 20.0
"""Width of a tile wide and narrow, its height, between tiles, between parts, a heading above its tiles."""
NAME, KEY = 134.0, 21.0
"""Room for the name of a part, height of a line of the key."""
MARKS = {
    "met": ("◆", "blue", "bluef"),
    "not_met": ("▼", "orange", "orangef"),
    "cannot_tell": ("▽", "ink", "bg"),
    "measured": ("○", "mut", "greyf"),
    "result": ("□", "mut", "greyf"),
    "missing": ("×", "ink", "bg"),
    "stated": ("※", "mut", "bg"),
}
"""Mark, its role, and the role that fills the tile."""
OUTLINES: dict[str, tuple[float, ...]] = {"cannot_tell": (), "missing": (4.0, 3.0), "stated": (1.0, 2.0)}
"""Dashes of the outline of tiles that are not filled."""


@dataclasses.dataclass(frozen=True)
class Tiles:
    """One part of the text: its name, and code and state of each of its lines."""

    name: Text
    lines: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class ClauseMap:
    """The parts in the order of the text, and the words of the key: state, then what it means and how many."""

    parts: tuple[Tiles, ...]
    key: tuple[tuple[str, Text], ...]


def _across(narrow: bool) -> int:
    room = 350.0 - 8 if narrow else 820.0 - NAME
    return int(room // ((TILE_NARROW if narrow else TILE) + GAP))


def _rows(part: Tiles, narrow: bool) -> int:
    return -(-len(part.lines) // _across(narrow))


def _key_height(shown: ClauseMap, narrow: bool) -> float:
    return KEY * -(-len(shown.key) // (1 if narrow else 3)) + 10


def _top_height(shown: ClauseMap, narrow: bool) -> float:
    head = HEAD if narrow else 0.0
    return 2.0 + sum(head + _rows(p, narrow) * (TALL + GAP) + PAD for p in shown.parts)


def height_of(shown: ClauseMap, narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    return int(_top_height(shown, narrow) + _key_height(shown, narrow) + 6)


def draw_clauses(shown: ClauseMap, sheet: Sheet) -> None:
    """Draw one variant."""
    bottom = _top_height(shown, sheet.narrow)
    # in pixels both ways; the line of the axis parts the tiles from the key
    sheet.frame(left=0.0, top=0.0, right=sheet.width, bottom=bottom, x=(0.0, sheet.width), y=(bottom, 0.0))
    sheet.ax.set_xticks([])
    sheet.ax.set_yticks([])
    y = 2.0
    for part in shown.parts:
        y = _draw_part(part, sheet, y)
    _draw_key(shown, sheet, bottom + 10)


def _draw_part(part: Tiles, sheet: Sheet, y: float) -> float:
    """Draw the tiles of a part and return where the next one begins."""
    wide, across = (TILE_NARROW if sheet.narrow else TILE), _across(sheet.narrow)
    left = 0.0 if sheet.narrow else NAME
    if sheet.narrow:
        sheet.text(0, y + 0.5 * sheet.size * LINE, sheet.fit(sheet.t(part.name), sheet.width))
        y += HEAD
    else:
        sheet.text(0, y + TALL / 2, sheet.fit(sheet.t(part.name), NAME - 8))
    for i, (code, state) in enumerate(part.lines):
        x, top = left + i % across * (wide + GAP), y + i // across * (TALL + GAP)
        mark, role, fill = MARKS[state]
        if fill != "bg":
            # one thick line is a third of the bytes of a filled outline
            sheet.stroke([x, x + wide], [top + TALL / 2] * 2, fill, width=TALL)
        if state in OUTLINES:
            box = [x + 0.5, x + wide - 0.5, x + wide - 0.5, x + 0.5, x + 0.5]
            sides = [top + 0.5, top + 0.5, top + TALL - 0.5, top + TALL - 0.5, top + 0.5]
            sheet.stroke(box, sides, "grey", dash=OUTLINES[state])
        sheet.text(x + 5, top + TALL / 2, mark, role=role, size=sheet.small)
        sheet.text(x + 20, top + TALL / 2, code, size=sheet.small, bold=state in {"met", "not_met"})
    return y + _rows(part, sheet.narrow) * (TALL + GAP) + PAD


def _draw_key(shown: ClauseMap, sheet: Sheet, top: float) -> None:
    """Say what the marks mean and how many lines have each."""
    columns = 1 if sheet.narrow else 3
    for i, (state, words) in enumerate(shown.key):
        x, y = i % columns * (sheet.width / columns), top + (i // columns + 0.5) * KEY
        mark, role, _ = MARKS[state]
        sheet.text(x, y, mark, role=role, size=sheet.small)
        sheet.text(x + 16, y, sheet.fit(sheet.t(words), sheet.width / columns - 20, size=sheet.small),
                   role="mut", size=sheet.small)  # fmt: skip
