"""How the parts of a change are drawn: a bar from 0 for each, its interval across the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from qbase.core.numbers import number
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet
from qbase.figures.surface.period_axis import number_ticks, tick_digits

HEAD, FOOT = 34, 30
INDENT = 14.0
BAR, BAR_SMALL = 17.0, 10.0
NAN = float("nan")
"""Where a path is lifted off."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bar:
    """One part of a change.

    Parameters
    ----------
    label, words : Text
        What it is, and a few words under it.
    value, low, high : float
        In the unit of the axis.
    shown : Text
        Value and interval in words.
    is_tellable : bool
        Whether the interval leaves 0 out.
    is_part : bool
        Whether it is a part of the row above it.
    starts_block : bool
        Whether a rule parts it from the rows above.
    """

    label: Text
    words: Text
    value: float
    low: float
    high: float
    shown: Text
    is_tellable: bool
    is_part: bool = False
    starts_block: bool = False

    def height(self, narrow: bool) -> float:
        """Return the height of its row in pixels."""
        if narrow:
            return 56.0 if self.is_part else 72.0
        return 34.0 if self.is_part else 54.0


def height_of(bars: Sequence[Bar], narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    return HEAD + FOOT + int(sum(bar.height(narrow) for bar in bars))


def draw_bars(bars: Sequence[Bar], title: Text, sheet: Sheet) -> None:
    """Draw one variant.

    Parameters
    ----------
    bars : sequence of Bar
        From the top.
    title : Text
        Of the axis.
    sheet : Sheet
        Language and width.
    """
    ends = [x for bar in bars for x in (bar.value, bar.low, bar.high)]
    ticks = number_ticks(min(0.0, *ends), max(0.0, *ends), bins=4 if sheet.narrow else 6)
    low, high = min(ticks[0], *ends), max(ticks[-1], *ends)
    pad = (high - low) * 0.02
    left, right = _columns(bars, sheet)
    bottom = sheet.height - float(FOOT)
    sheet.frame(left=left, top=HEAD, right=right, bottom=bottom, x=(low - pad, high + pad), y=(bottom, float(HEAD)))
    sheet.ax.set_yticks([])
    sheet.x_labels(ticks, [number(t, tick_digits(ticks)) for t in ticks])
    sheet.text(left if not sheet.narrow else 0, HEAD - 12, sheet.t(title), role="mut", va="baseline")
    tops = [float(HEAD) + sum(b.height(sheet.narrow) for b in bars[:i]) for i in range(len(bars))]
    spans = [_span(bar, sheet, top) for bar, top in zip(bars, tops, strict=True)]
    # one path for all rules of a kind: drawing them one by one takes longer than all the rest
    rules = [(sheet.px(tick), span) for tick in ticks for span in spans]
    sheet.stroke([x for at, _ in rules for x in (at, at, NAN)], [y for _, s in rules for y in (*s, NAN)], "grid")
    zero = [sheet.px(0), sheet.px(0), NAN] * len(spans)
    sheet.stroke(zero, [y for s in spans for y in (*s, NAN)], "ink", width=1.3)
    for i, (bar, top) in enumerate(zip(bars, tops, strict=True)):
        if i and bar.starts_block:
            sheet.stroke([0, sheet.width], [top] * 2, "line")
        (_write_above if sheet.narrow else _write_beside)(bar, sheet, top, left, right)
    middles = [(a + b) / 2 for a, b in spans]
    for kind in dict.fromkeys((bar.is_tellable, bar.is_part) for bar in bars):
        own = [i for i, bar in enumerate(bars) if (bar.is_tellable, bar.is_part) == kind]
        _draw_alike([bars[i] for i in own], sheet, [middles[i] for i in own])


def _span(bar: Bar, sheet: Sheet, top: float) -> tuple[float, float]:
    """Return where rules run beside a bar: in a narrow drawing its words stand above it, and none may run through."""
    bottom = top + bar.height(sheet.narrow)
    if not sheet.narrow:
        return top, bottom
    return top + (1 if bar.is_part else 2) * sheet.size * LINE + 4, bottom - 4


def _columns(bars: Sequence[Bar], sheet: Sheet) -> tuple[float, float]:
    """Return the edges of the plot: words to both sides of it, in a narrow drawing above each bar instead."""
    if sheet.narrow:
        return 8.0, sheet.width - 8.0
    names = [sheet.wide(sheet.t(b.label), bold=not b.is_part) + INDENT * b.is_part for b in bars]
    names += [sheet.wide(sheet.t(b.words), size=sheet.small) for b in bars]
    values = [sheet.wide(sheet.t(b.shown), bold=True) for b in bars]
    return min(max(names) + 18, 270.0), sheet.width - min(max(values) + 18, 210.0)


def _write_beside(bar: Bar, sheet: Sheet, top: float, left: float, right: float) -> None:
    line, middle = sheet.size * LINE, top + bar.height(False) / 2
    start = INDENT if bar.is_part else 0.0
    has_words = bool(bar.words.zh)
    at = middle - line / 2 if has_words else middle
    sheet.text(start, at, sheet.fit(sheet.t(bar.label), left - 14 - start, bold=not bar.is_part),
               role="mut" if bar.is_part else "ink", bold=not bar.is_part)  # fmt: skip
    if has_words:
        sheet.text(
            0, at + line, sheet.fit(sheet.t(bar.words), left - 14, size=sheet.small), role="mut", size=sheet.small
        )
    sheet.text(right + 14, middle, sheet.t(bar.shown), role=_text_role(bar), bold=not bar.is_part)


def _write_above(bar: Bar, sheet: Sheet, top: float, left: float, right: float) -> None:
    line, value = sheet.size * LINE, sheet.t(bar.shown)
    start = INDENT if bar.is_part else 0.0
    first = top + line / 2 + 3
    room = sheet.width - sheet.wide(value, bold=True) - 8 - start
    sheet.text(start, first, sheet.fit(sheet.t(bar.label), room, bold=not bar.is_part),
               role="mut" if bar.is_part else "ink", bold=not bar.is_part)  # fmt: skip
    sheet.text(sheet.width, first, value, role=_text_role(bar), bold=not bar.is_part, ha="right")
    if bar.words.zh:
        words = sheet.fit(sheet.t(bar.words), sheet.width, size=sheet.small)
        sheet.text(0, first + line, words, role="mut", size=sheet.small)


def _draw_alike(bars: Sequence[Bar], sheet: Sheet, middles: Sequence[float]) -> None:
    """Draw bars of one look."""
    role, is_part = ("blue" if bars[0].is_tellable else "grey"), bars[0].is_part
    values = [bar.value for bar in bars]
    tall = BAR_SMALL if is_part else BAR
    sheet.ax.barh(middles, values, height=tall, color=LIGHT[f"{role}f"], lw=0, zorder=2.5)
    xs = [x for bar in bars for x in (sheet.px(bar.low), sheet.px(bar.high), NAN)]
    sheet.stroke(xs, [y for at in middles for y in (at, at, NAN)], role, width=2.0 if is_part else 3.4, under=False)
    sheet.ax.scatter(
        values, middles, s=30 if is_part else 64, color=LIGHT[role], edgecolor=LIGHT["bg"], lw=1.4, zorder=4,
        clip_on=False,
    )  # fmt: skip


def _text_role(bar: Bar) -> str:
    """Return the role of words: grey is for marks only, text on it would be too pale."""
    return "blue" if bar.is_tellable else "mut"
