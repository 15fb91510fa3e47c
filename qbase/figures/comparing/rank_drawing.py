"""How ranks are drawn: one line an entity, from the best rank to the worst it can hold."""

from __future__ import annotations

import dataclasses

from qbase.core.numbers import number
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet

ROW, ROW_NARROW, HEAD, FOOT = 26.0, 40.0, 40.0, 12.0
TITLE = Text("位次", "Rank")
WORDS = Text("可居位次 · 比率", "can hold · rate")


@dataclasses.dataclass(frozen=True)
class RankRow:
    """One entity: its name, its rank, the ranks it can hold, and its rate in words."""

    name: Text
    rank: int
    low: int
    high: int
    rate: Text


@dataclasses.dataclass(frozen=True)
class Ladder:
    """Rows from the first rank on, how many entities there are in all, and what stands to the right of the bars."""

    rows: tuple[RankRow, ...]
    n: int
    words: Text = WORDS


def height_of(ladder: Ladder, narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    return int(HEAD + FOOT + (ROW_NARROW if narrow else ROW) * len(ladder.rows))


def draw_ranks(ladder: Ladder, sheet: Sheet) -> None:
    """Draw one variant."""
    step = ROW_NARROW if sheet.narrow else ROW
    bottom = HEAD + step * len(ladder.rows)
    left, right = _columns(ladder, sheet)
    sheet.frame(left=left, top=HEAD, right=right, bottom=bottom, x=(0.5, ladder.n + 0.5), y=(bottom, HEAD))
    sheet.ax.set_xticks([])
    sheet.ax.set_yticks([])
    sheet.ax.spines["bottom"].set_visible(False)
    _draw_axis(ladder, sheet, left, bottom)
    xs, ys, colours = [], [], []
    for i, row in enumerate(ladder.rows):
        middle = HEAD + (i + 0.5) * step
        y = middle + 11 if sheet.narrow else middle
        role = "grey" if (row.low, row.high) == (1, ladder.n) else "blue"
        _write_row(row, sheet, middle, left, right)
        ends = [sheet.px(row.low - 0.28), sheet.px(row.high + 0.28)]
        sheet.stroke(ends, [y, y], "greyf" if role == "grey" else "bluef", width=9.0, under=False)
        xs.append(float(row.rank))
        ys.append(y)
        colours.append(LIGHT[role])
    sheet.ax.scatter(xs, ys, s=56, color=colours, edgecolor=LIGHT["bg"], lw=1.2, zorder=4, clip_on=False)


def _columns(ladder: Ladder, sheet: Sheet) -> tuple[float, float]:
    """Return the edges of the plot: names to the left of it, words to the right; in a narrow drawing neither."""
    if sheet.narrow:
        return 6.0, sheet.width - 6.0
    names = max(sheet.wide(sheet.t(row.name)) for row in ladder.rows)
    words = max(sheet.wide(_span(row), bold=True) + 10 + sheet.wide(sheet.t(row.rate)) for row in ladder.rows)
    return min(names + 16, 340.0), sheet.width - min(words + 18, 230.0)


def _span(row: RankRow) -> str:
    return f"{row.low}–{row.high}" if row.low != row.high else f"{row.low}"


def _draw_axis(ladder: Ladder, sheet: Sheet, left: float, bottom: float) -> None:
    """Draw a rule at the first rank, the last and some between, labelled above."""
    every = next(s for s in (1, 5, 10, 20, 50, 100, 200, 500, 10**9) if (sheet.px(2) - sheet.px(1)) * s >= 30)
    between = [r for r in range(every, ladder.n, every) if sheet.px(ladder.n) - sheet.px(r) >= 24]
    marks = sorted({1, *between, ladder.n})
    sheet.text(0 if not sheet.narrow else left, 12, sheet.t(TITLE), role="mut", va="baseline")
    if not sheet.narrow:
        sheet.text(sheet.width, 12, sheet.t(ladder.words), role="mut", ha="right", va="baseline")
    step = ROW_NARROW if sheet.narrow else ROW
    for mark in marks:
        x = sheet.px(mark)
        sheet.text(x, HEAD - 12, number(mark, 0), role="mut", ha="center", va="baseline")
        # in a narrow drawing names stand above the bars, and no rule may run through them
        spans = [(HEAD, bottom)]
        if sheet.narrow:
            spans = [(HEAD + i * step + 24, HEAD + (i + 1) * step - 2) for i in range(len(ladder.rows))]
        for a, b in spans:
            sheet.stroke([x, x], [a, b], "grid")


def _write_row(row: RankRow, sheet: Sheet, middle: float, left: float, right: float) -> None:
    name, span, rate = sheet.t(row.name), _span(row), sheet.t(row.rate)
    if not sheet.narrow:
        sheet.text(0, middle, sheet.fit(name, left - 14))
        sheet.text(right + 14, middle, span, bold=True)
        sheet.text(sheet.width, middle, rate, role="mut", ha="right")
        return
    y = middle - ROW_NARROW / 2 + 0.5 * sheet.size * LINE + 3
    sheet.text(sheet.width - 6, y, rate, role="mut", ha="right", size=sheet.small)
    edge = sheet.width - 6 - sheet.wide(rate, size=sheet.small) - 10
    sheet.text(edge, y, span, bold=True, ha="right")
    sheet.text(left, y, sheet.fit(name, edge - sheet.wide(span, bold=True) - 10 - left))
