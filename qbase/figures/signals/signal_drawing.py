"""How control charts, breaks and joinpoints are drawn: one axis, limits by phase, dated events named."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import numpy.typing as npt
import pandas as pd

from qbase.core.numbers import digits_for, number
from qbase.core.periods import freq_of, ordinal
from qbase.core.results.result import Result
from qbase.core.shown.display import Figure, Table
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet, render, spread
from qbase.figures.surface.figure_words import capital, with_unit
from qbase.figures.surface.period_axis import number_ticks, place_ticks, position, shown, tick_digits

Floats = npt.NDArray[np.float64]
PAD = 0.7
TOP = 30.0
ROLES = {"policy": "plum", "standard": "ink", "break": "mut", "other": "mut"}
DASHES = {"policy": (5.0, 3.0), "standard": (7.0, 2.0, 1.5, 2.0), "break": (2.0, 2.0), "other": (2.0, 2.0)}
MOST_LINES = 2


@dataclasses.dataclass(frozen=True)
class Mark:
    """A dated event on the axis: its first period, kind and name."""

    period: pd.Period
    kind: str
    title: Text


@dataclasses.dataclass(frozen=True, eq=False)
class Stretch:
    """One phase of a chart, or one segment between breaks: first and last index, its mean."""

    first: int
    last: int
    mean: float


@dataclasses.dataclass(frozen=True)
class Band:
    """The interval of the date of a break, and the date itself, as positions on the axis."""

    low: float
    high: float
    at: float
    role: str


@dataclasses.dataclass(frozen=True, eq=False)
class Signals:
    """Everything the drawings need.

    Parameters
    ----------
    result : Result
        Where it comes from.
    periods : tuple of pandas.Period
        T periods without a hole.
    value, low, high : numpy.ndarray, shape (T,)
        Value and limits; NaN where there is none.
    state : numpy.ndarray of int, shape (T,)
        1 where a rule fired on the better side, -1 on the worse, 0 elsewhere.
    young : numpy.ndarray, shape (T,)
        Values of preliminary periods.
    stretches : tuple of Stretch
        Phases or segments; none where a trend is drawn.
    marks : tuple of Mark
        Dated events inside.
    bands : tuple of Band
        Dates of breaks.
    target : float or None
        Drawn in gold.
    turn : tuple of int, str and Text, or None
        Index of the first period after a lasting change, its colour and its word.
    twin, twin_state : numpy.ndarray, shape (T,), or None
        A second line and its states: the lower sum of a CUSUM.
    axis : Text or None
        What is drawn where that is not the outcome itself.
    trend : numpy.ndarray, shape (T,), or None
        Straight lines that meet, in place of the means of stretches; NaN where nothing was measured.
    """

    result: Result
    periods: tuple[pd.Period, ...]
    value: Floats
    low: Floats
    high: Floats
    state: npt.NDArray[np.int64]
    young: Floats
    stretches: tuple[Stretch, ...]
    marks: tuple[Mark, ...]
    bands: tuple[Band, ...] = ()
    target: float | None = None
    turn: tuple[int, str, Text] | None = None
    twin: Floats | None = None
    twin_state: npt.NDArray[np.int64] | None = None
    axis: Text | None = None
    trend: Floats | None = None

    @property
    def x(self) -> Floats:
        """Positions on the axis: ordinals of the periods."""
        return np.array([ordinal(p) for p in self.periods], dtype=float)

    @property
    def observed(self) -> npt.NDArray[np.intp]:
        """Indices of periods with a value that is not preliminary."""
        return np.flatnonzero(np.isfinite(self.value))

    def written(self, value: float) -> str:
        """Return a value as it stands in the drawing."""
        return number(value, self.digits) + ("%" if self.is_share else "")

    @property
    def is_share(self) -> bool:
        """Whether the values are percentages."""
        return self.axis is None and self.result.outcome.unit == "pct"

    @property
    def digits(self) -> int:
        """Decimals of the values: those of the unit, or what their range needs."""
        if self.axis is not None:
            return 1
        seen = self.value[np.isfinite(self.value)]
        return digits_for(self.result.outcome.unit, None, float(seen.min()), float(seen.max()))


def figure_of(
    name: str, drawn: Signals, table: Table, *, title: Text, subtitle: Text, how_to_read: Text, note: Text, alt: Text
) -> Figure:
    """Return the figure of a series."""
    drawings, preview = render(name, title=title, alt=alt, draw=functools.partial(draw_signals, drawn))
    return Figure(
        name=name, title=title, subtitle=subtitle, how_to_read=how_to_read, note=note, alt=alt,
        drawings=drawings, table=table, preview=preview,
    )  # fmt: skip


def draw_signals(drawn: Signals, sheet: Sheet) -> None:
    """Draw one variant."""
    low, high, ticks = _range(drawn)
    digits = tick_digits(ticks)
    labels = [number(t, digits) for t in ticks]
    ends = _ends(drawn, sheet)
    room = max(sheet.wide(text, bold=bold, size=size) for _, lines, _ in ends for text, _, bold, size in lines)
    left = max(map(sheet.wide, labels)) + (8 if sheet.narrow else 12)
    right = sheet.width - min(room, sheet.width * 0.42) - 20
    x = (float(drawn.x[0]) - PAD, float(drawn.x[-1]) + PAD)
    top, bottom = TOP, sheet.height - 30.0
    names = _names(drawn, sheet, x, left, right)
    head = sum(len(n.lines) for n in names) * sheet.size * LINE + (8 if names else 0)
    reach = (high - low) / (bottom - top - head) * (bottom - top)
    sheet.frame(left=left, top=top, right=right, bottom=bottom, x=x, y=(low, low + reach))
    outcome = drawn.result.outcome
    title = sheet.t(capital(with_unit(outcome.label, outcome.unit) if drawn.axis is None else drawn.axis))
    sheet.y_axis(ticks, labels, sheet.fit(title, sheet.width - left))
    _x_axis(drawn, sheet, right - left)
    _draw_bands(drawn, sheet, top + head, bottom)
    _draw_limits(drawn, sheet)
    _draw_trend(drawn, sheet)
    _draw_marks(sheet, names, top, bottom)
    _draw_target(drawn, sheet, left, right)
    _draw_values(drawn, sheet)
    _draw_turn(drawn, sheet, top + head, bottom)
    _place_ends(sheet, ends, right, top, bottom)


def _range(drawn: Signals) -> tuple[float, float, list[float]]:
    """Return low, high and ticks of the value axis; a percentage never has a tick outside 0 to 100."""
    more = [line for line in (drawn.twin, drawn.trend) if line is not None]
    values = np.concatenate([drawn.value, drawn.low, drawn.high, drawn.young, *more])
    values = values[np.isfinite(values)]
    told = [*values, *([] if drawn.target is None else [drawn.target])]
    ticks = number_ticks(float(min(told)), float(max(told)))
    if drawn.axis is None and drawn.result.unit == "pct":
        ticks = [t for t in ticks if -1e-9 <= t <= 100 + 1e-9]
    return min(ticks[0], float(min(told))), max(ticks[-1], float(max(told))), ticks


def _x_axis(drawn: Signals, sheet: Sheet, room: float) -> None:
    slot = room / (len(drawn.periods) + 2 * PAD - 1)
    ticks = place_ticks(drawn.periods[0], drawn.periods[-1], slot, sheet.wide, sheet.lang)
    sheet.x_labels(ticks.at, ticks.labels)
    for edge in ticks.edges:
        sheet.stroke([sheet.px(edge)] * 2, [sheet.height - 36, sheet.height - 30], "line")


def _draw_limits(drawn: Signals, sheet: Sheet) -> None:
    """Draw the mean of each stretch, and its limits as steps that follow n."""
    for part in drawn.stretches:
        own = np.arange(part.first, part.last + 1)
        own = own[np.isfinite(drawn.low[own]) & np.isfinite(drawn.high[own])]
        # a gap in the series is bridged by neither limit
        for run in np.split(own, np.flatnonzero(np.diff(own) > 1) + 1) if len(own) else []:
            edges = np.append(drawn.x[run] - 0.5, drawn.x[run[-1]] + 0.5)
            low, high = (np.append(end[run], end[run[-1]]) for end in (drawn.low, drawn.high))
            sheet.ax.fill_between(edges, low, high, step="post", color=LIGHT["greyf"], lw=0, zorder=1.5)
            for end in (low, high):
                sheet.ax.step(
                    edges, end, where="post", color=LIGHT["grey"], lw=1.2, ls=(0, (4, 3)), zorder=2.1, clip_on=False
                )
        ends = [sheet.px(drawn.x[part.first] - 0.5), sheet.px(drawn.x[part.last] + 0.5)]
        sheet.stroke(ends, [sheet.py(part.mean)] * 2, "ink", width=1.6)


def _draw_trend(drawn: Signals, sheet: Sheet) -> None:
    if drawn.trend is not None:
        seen = drawn.observed
        sheet.ax.plot(drawn.x[seen], drawn.trend[seen], color=LIGHT["ink"], lw=1.6, zorder=3.5, clip_on=False)


def _draw_bands(drawn: Signals, sheet: Sheet, top: float, bottom: float) -> None:
    low, high = sheet.ax.get_xlim()
    for band in drawn.bands:
        ends = [max(band.low, low), min(band.high, high)]
        floor, ceiling = sheet.ax.get_ylim()
        share = (bottom - top) / (bottom - TOP)
        sheet.ax.fill_between(
            ends, floor, floor + share * (ceiling - floor), color=LIGHT[f"{band.role}f"], lw=0, zorder=1.2
        )
        x = sheet.px(band.at)
        sheet.stroke([x, x], [top, bottom], band.role, width=1.6)


def _draw_values(drawn: Signals, sheet: Sheet) -> None:
    ax, x = sheet.ax, drawn.x
    slot = sheet.px(1.0) - sheet.px(0.0)
    dot = float(np.clip(slot * 0.36, 3.6, 6.5))
    lines = [(drawn.value, drawn.state)]
    if drawn.twin is not None and drawn.twin_state is not None:
        lines.append((drawn.twin, drawn.twin_state))
    for value, states in lines:
        _draw_line(drawn, sheet, value, states, dot)
    young = np.flatnonzero(np.isfinite(drawn.young))
    if len(young):
        ax.scatter(
            x[young], drawn.young[young], s=(dot + 1) ** 2, color=LIGHT["bg"], edgecolor=LIGHT["grey"], lw=1.4,
            zorder=4, clip_on=False,
        )  # fmt: skip


def _draw_line(drawn: Signals, sheet: Sheet, value: Floats, states: npt.NDArray[np.int64], dot: float) -> None:
    """Draw one line with its points; it is broken where nothing was measured."""
    ax, x, seen = sheet.ax, drawn.x, drawn.observed
    for run in np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1):
        ax.plot(x[run], value[run], color=LIGHT["grey"], lw=1.3, zorder=3, clip_on=False)
    for state, role, marker, wider in ((0, "grey", "o", 0.0), (1, "blue", "^", 4.0), (-1, "orange", "v", 4.0)):
        part = seen[states[seen] == state]
        if len(part):
            ax.scatter(
                x[part], value[part], s=(dot + wider) ** 2, marker=marker, color=LIGHT[role],
                edgecolor=LIGHT["bg"], lw=0.8, zorder=4, clip_on=False,
            )  # fmt: skip


def _draw_turn(drawn: Signals, sheet: Sheet, top: float, bottom: float) -> None:
    """Mark where a lasting change begins, with its word at the foot of the line."""
    if drawn.turn is None:
        return
    at, role, word = drawn.turn
    x = sheet.px(float(drawn.x[at]) - 0.5)
    sheet.stroke([x, x], [top, bottom], role, width=1.2, dash=(1.2, 2.4), under=False)
    text = sheet.t(word)
    edge = sheet.px(float(drawn.x[-1]) + PAD) - sheet.wide(text, bold=True, size=sheet.small)
    sheet.text(min(x + 6, edge), bottom - sheet.small * 0.9, text, role=role, bold=True, size=sheet.small)


def _draw_target(drawn: Signals, sheet: Sheet, left: float, right: float) -> None:
    if drawn.target is not None:
        y = sheet.py(drawn.target)
        sheet.stroke([left, right], [y, y], "gold", width=1.6, dash=(5, 3))


@dataclasses.dataclass(frozen=True)
class _Name:
    """The name of a dated event: its lines, the pixel of its upright line, and whether it stands left of that."""

    kind: str
    lines: tuple[str, ...]
    at: float
    on_left: bool


def _names(drawn: Signals, sheet: Sheet, x: tuple[float, float], left: float, right: float) -> list[_Name]:
    """Return the names from the top down: in that order no name lies on the line of another.

    A line begins beside its name. Names right of their lines come from the left, names left of theirs from the right.
    Each stands on its roomier side where those left of their lines end before the others begin; else all on one side.
    """
    freq = freq_of(drawn.periods[0])
    place = [left + (position(m.period, freq) - x[0]) / (x[1] - x[0]) * (right - left) for m in drawn.marks]
    on_left = [at - left > right - at for at in place]
    stop = max([at for at, is_left in zip(place, on_left, strict=True) if not is_left], default=left)
    crowded = [
        is_left and sheet.wide(_together(m, sheet), bold=True) > at - stop - 8
        for m, at, is_left in zip(drawn.marks, place, on_left, strict=True)
    ]
    if stop > left and any(crowded):
        on_left, stop = [place[0] - left > right - place[-1]] * len(place), left
    order = [i for i, is_left in enumerate(on_left) if not is_left]
    order += [i for i in reversed(range(len(place))) if on_left[i]]
    found = []
    for i in order:
        room = (place[i] - stop if on_left[i] else right - place[i]) - 8
        lines = _lines(drawn.marks[i], sheet, room)
        found.append(_Name(kind=drawn.marks[i].kind, lines=lines, at=place[i], on_left=on_left[i]))
    return found


def _together(mark: Mark, sheet: Sheet) -> str:
    return f"{shown(mark.period, sheet.lang)} {sheet.t(mark.title)}"


def _lines(mark: Mark, sheet: Sheet, room: float) -> tuple[str, ...]:
    together = _together(mark, sheet)
    if sheet.wide(together, bold=True) <= room:
        return (together,)
    return shown(mark.period, sheet.lang), *sheet.wrap(sheet.t(mark.title), room, MOST_LINES, bold=True)


def _draw_marks(sheet: Sheet, names: list[_Name], top: float, bottom: float) -> None:
    y = top + sheet.size * 0.7
    for name in names:
        role, x = ROLES[name.kind], name.at
        sheet.stroke([x, x], [y - sheet.size * 0.7, bottom], role, width=1.6, dash=DASHES[name.kind])
        at, side = (x - 6, "right") if name.on_left else (x + 6, "left")
        sheet.lines(at, y, name.lines, role=role, bold=True, ha=side)
        y += len(name.lines) * sheet.size * LINE


End = tuple[float, tuple[tuple[str, str, bool, float], ...], str]


def _ends(drawn: Signals, sheet: Sheet) -> list[End]:
    """Return the labels at the right end: last value, mean, limits, target."""
    i = int(drawn.observed[-1])
    last = f"{shown(drawn.periods[i], sheet.lang)} {drawn.written(float(drawn.value[i]))}"
    ends: list[End] = [(float(drawn.value[i]), ((last, "mut", True, sheet.size),), "grey")]
    if drawn.twin is not None:
        second = drawn.written(float(drawn.twin[i]))
        ends.append((float(drawn.twin[i]), ((second, "mut", True, sheet.size),), "grey"))
    middle, line = _middle(drawn, i)
    ends.append((line, ((_worded(drawn, sheet, middle, line), "ink", False, sheet.small),), "ink"))
    for end, word in ((drawn.high[i], Text("上限", "Upper")), (drawn.low[i], Text("下限", "Lower"))):
        if np.isfinite(end):
            ends.append((float(end), ((_worded(drawn, sheet, word, float(end)), "mut", False, sheet.small),), "grey"))
    if drawn.target is not None:
        goal = _worded(drawn, sheet, Text("目标", "Target"), drawn.target)
        ends.append((drawn.target, ((goal, "gold", False, sheet.size),), "gold"))
    return ends


def _middle(drawn: Signals, last: int) -> tuple[Text, float]:
    """Return what the line through the points is called at its end, and where it ends."""
    if drawn.trend is not None:
        return Text("趋势", "Trend"), float(drawn.trend[last])
    return Text("均值", "Mean") if drawn.axis is None else Text("中线", "Centre"), drawn.stretches[-1].mean


def _worded(drawn: Signals, sheet: Sheet, word: Text, value: float) -> str:
    return f"{sheet.t(word)} {drawn.written(value)}"


def _place_ends(sheet: Sheet, ends: list[End], right: float, top: float, bottom: float) -> None:
    heights = [sum(size * LINE for *_, size in lines) + 2 for _, lines, _ in ends]
    centres = [sheet.py(value) for value, *_ in ends]
    placed = spread(centres, heights, top - 8, bottom + 8)
    for (_, lines, role), centre, height, y in zip(ends, centres, heights, placed, strict=True):
        first = y - height / 2 + 1 + lines[0][3] * LINE / 2
        sheet.stroke([right - 2, right + 2, right + 13], [centre, centre, first], role, width=0.8)
        for line, colour, bold, size in lines:
            sheet.text(right + 17, first, line, role=colour, bold=bold, size=size)
            first += size * LINE
