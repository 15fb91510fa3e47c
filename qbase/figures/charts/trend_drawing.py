"""How a trend is drawn: bars of intervals, the line, policy dates, targets and labels at the line end."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core.numbers import interval, level_text, number
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of, quantity
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.charts.drawn_series import Series, Young
from qbase.figures.charts.goal_terms import Goal
from qbase.figures.surface.canvas import LINE, Sheet, spread
from qbase.figures.surface.figure_words import capital, with_unit
from qbase.figures.surface.period_axis import number_ticks, place_ticks, position, shown, tick_digits

PAD = 0.7
PRELIMINARY = Text("初步", "preliminary")


@dataclasses.dataclass(frozen=True, eq=False)
class Trend:
    """Everything the drawings of a trend need."""

    result: Result
    series: Series
    starts: tuple[tuple[pd.Period, int], ...]
    policy_title: Text
    targets: tuple[Goal, ...]

    @property
    def digits(self) -> int:
        """Decimals of the values."""
        return digits_of(self.result, self.result.estimates[0])

    def value(self, v: float) -> str:
        """Return a value as it is written in the drawing."""
        return quantity(v, self.result.unit, self.digits).zh if self.result.unit == "pct" else number(v, self.digits)


def is_inside(series: Series, start: pd.Period) -> bool:
    """Return whether a start lies on the axis of a series."""
    x = position(start, series.freq)
    return float(series.x[0]) - 0.5 <= x <= float(series.x[-1]) + 0.5


def limits_of(trend: Trend) -> tuple[float, float, list[float]]:
    """Return low, high and ticks of the value axis; a percentage never has a tick outside 0 to 100."""
    series, seen = trend.series, trend.series.observed
    values = [*series.value[seen], *(goal.criterion.target for goal in trend.targets)]
    if not series.is_full_count:
        values += [*series.low[seen], *series.high[seen]]
    values += [v for y in series.young for v in y.ends]
    values += [t.value for t in series.totals]
    ticks = number_ticks(float(min(values)), float(max(values)))
    if trend.result.unit == "pct":
        ticks = [t for t in ticks if -1e-9 <= t <= 100 + 1e-9]
    low = min(ticks[0], float(min(values)))
    return low, max(ticks[-1], float(max(values))), ticks


def draw_trend(trend: Trend, sheet: Sheet) -> None:
    """Draw one variant."""
    series = trend.series
    low, high, ticks = limits_of(trend)
    digits = tick_digits(ticks)
    labels = [number(t, digits) for t in ticks]
    ends = _end_labels(trend, sheet)
    room = max(sheet.wide(line, bold=bold, size=size) for e in ends for line, _, bold, size in e.lines)
    left = max(map(sheet.wide, labels)) + (8 if sheet.narrow else 12)
    right = sheet.width - min(room, sheet.width * 0.42) - 20
    top, bottom = 30.0, sheet.height - 30.0
    label = _policy_label(trend, sheet, left, right)
    head = (len(label) * sheet.size * LINE + 8) if label else 0.0
    reach = (high - low) / (bottom - top - head) * (bottom - top)
    x = (float(series.x[0]) - PAD, float(series.x[-1]) + PAD)
    sheet.frame(left=left, top=top, right=right, bottom=bottom, x=x, y=(low, low + reach))
    name = sheet.t(capital(with_unit(trend.result.outcome.label, trend.result.unit)))
    sheet.y_axis(ticks, labels, sheet.fit(name, sheet.width - left))
    _x_axis(trend, sheet, right - left)
    _draw_targets(trend, sheet, right)
    _draw_policy(trend, sheet, label, top, bottom, left, right)
    _draw_series(trend, sheet)
    _draw_totals(trend, sheet)
    _draw_young(trend, sheet)
    _place_ends(sheet, ends, right, top, bottom)


def _x_axis(trend: Trend, sheet: Sheet, room: float) -> None:
    series = trend.series
    slot = room / (len(series.periods) + 0.4)
    ticks = place_ticks(series.periods[0], series.periods[-1], slot, sheet.wide, sheet.lang)
    sheet.x_labels(ticks.at, ticks.labels)
    for edge in ticks.edges:
        sheet.stroke([sheet.px(edge)] * 2, [sheet.height - 36, sheet.height - 30], "line")


def _draw_series(trend: Trend, sheet: Sheet) -> None:
    series, ax = trend.series, sheet.ax
    slot = sheet.px(1.0) - sheet.px(0.0)
    seen = series.observed
    bar = float(np.clip(slot * 0.5, 2.0, 11.0))
    dot = float(np.clip(slot * 0.36, 3.6, 7.0))
    if not series.is_full_count:
        ax.vlines(
            series.x[seen], series.low[seen], series.high[seen], color=LIGHT["bluef"], lw=bar, zorder=2.1, clip_on=False
        )
        for ys in (series.low, series.high):
            half = bar / 2 / slot
            ax.hlines(
                ys[seen],
                series.x[seen] - half,
                series.x[seen] + half,
                color=LIGHT["grey"],
                lw=1,
                zorder=2.2,
                clip_on=False,
            )
    for run in series.runs:
        ax.plot(series.x[run], series.value[run], color=LIGHT["blue"], lw=1.6, zorder=3, clip_on=False)
    # one size per call: matplotlib then writes the marker once and refers to it
    for part, size in ((seen[:-1], dot), (seen[-1:], dot + 2.2)):
        ax.scatter(
            series.x[part], series.value[part], s=size**2, color=LIGHT["blue"], edgecolor=LIGHT["bg"],
            lw=0.8 if dot < 5 else 1.0, zorder=4, clip_on=False,
        )  # fmt: skip


def _draw_totals(trend: Trend, sheet: Sheet) -> None:
    """Draw each year that is known as a total alone: a dashed line over its periods and an open square, no interval."""
    totals = trend.series.totals
    for total in totals:
        ends = [sheet.px(total.first - 0.4), sheet.px(total.last + 0.4)]
        sheet.stroke(ends, [sheet.py(total.value)] * 2, "grey", width=1.4, dash=(3, 2))
    if totals:
        sheet.ax.scatter(
            [(t.first + t.last) / 2 for t in totals], [t.value for t in totals], s=36, marker="s", color=LIGHT["bg"],
            edgecolor=LIGHT["grey"], lw=1.4, zorder=4, clip_on=False,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _End:
    """A label at the right end: pixel is found later; lines are (text, role, bold, size)."""

    value: float
    lines: tuple[tuple[str, str, bool, float], ...]
    role: str
    start: float | None = None


def _end_labels(trend: Trend, sheet: Sheet) -> list[_End]:
    series = trend.series
    i = int(series.observed[-1])
    value = trend.value(float(series.value[i]))
    lines = [(f"{shown(series.periods[i], sheet.lang)} {value}", "blue", True, sheet.size)]
    if series.is_full_count:
        lines.append((sheet.t(Text("全数统计", "full count")), "mut", False, sheet.small))
    else:
        doubt = interval(float(series.low[i]), float(series.high[i]), trend.digits)
        prefix = "" if sheet.narrow else level_text(trend.result.estimates[0].ci_level) + " CI "
        lines.append((prefix + sheet.t(doubt), "mut", False, sheet.small))
    ends = [_End(float(series.value[i]), tuple(lines), "grey", float(series.x[i]))]
    ends += [_young_end(trend, sheet, y) for y in series.young[-1:] if y.ends and y.at == len(series.periods) - 1]
    for goal in trend.targets:
        target = goal.criterion.target
        words = f"{sheet.t(capital(goal.word))} {trend.value(target)}"
        ends.append(_End(target, ((words, "gold", False, sheet.size),), "gold"))
    return ends


def _young_end(trend: Trend, sheet: Sheet, young: Young) -> _End:
    """Label a preliminary last period: that it is one, and the bounds it leaves open."""
    when = shown(trend.series.periods[young.at], sheet.lang)
    lines = [(f"{when} {sheet.t(PRELIMINARY)}", "ink", False, sheet.small)]
    if np.isfinite(young.low):
        bounds = sheet.t(interval(young.low, young.high, trend.digits))
        prefix = "" if sheet.narrow else sheet.t(Text("上下界 ", "bounds "))
        lines.append((prefix + bounds, "mut", False, sheet.small))
    middle = young.value if np.isfinite(young.value) else (young.low + young.high) / 2
    return _End(middle, tuple(lines), "grey", float(trend.series.x[young.at]))


def _draw_young(trend: Trend, sheet: Sheet) -> None:
    """Draw preliminary periods: a dashed box from all pending failed to all passed, a hollow mark for what is known."""
    slot = sheet.px(1.0) - sheet.px(0.0)
    half = float(np.clip(slot * 0.5, 3.0, 11.0)) / 2
    for young in trend.series.young:
        x = sheet.px(float(trend.series.x[young.at]))
        if np.isfinite(young.low):
            low, high = sheet.py(young.low), sheet.py(young.high)
            box = [x - half, x + half, x + half, x - half, x - half]
            sheet.stroke(box, [low, low, high, high, low], "mut", width=1.0, dash=(2.5, 2), under=False)
        if np.isfinite(young.value):
            size = float(np.clip(slot * 0.36, 3.6, 7.0)) + 1
            sheet.ax.scatter(
                trend.series.x[[young.at]], [young.value], s=size**2, color=LIGHT["bg"], edgecolor=LIGHT["blue"],
                lw=1.4, zorder=4, clip_on=False,
            )  # fmt: skip


def _place_ends(sheet: Sheet, ends: list[_End], right: float, top: float, bottom: float) -> None:
    heights = [sum(size * LINE for *_, size in e.lines) + 3 for e in ends]
    centres = [sheet.py(e.value) for e in ends]
    for end, centre, height, y in zip(
        ends, centres, heights, spread(centres, heights, top - 8, bottom + 8), strict=True
    ):
        first = y - height / 2 + 1.5 + end.lines[0][3] * LINE / 2
        start = right if end.start is None else sheet.px(end.start) + 8
        if end.start is None or start < right - 14:
            start = min(start, right)
        sheet.stroke([start, max(start, right + 2), right + 13], [centre, centre, first], end.role, width=0.8)
        for line, role, bold, size in end.lines:
            sheet.text(right + 17, first, line, role=role, bold=bold, size=size)
            first += size * LINE


def _draw_targets(trend: Trend, sheet: Sheet, right: float) -> None:
    for i, goal in enumerate(trend.targets):
        y = sheet.py(goal.criterion.target)
        left = sheet.px(sheet.ax.get_xlim()[0])
        sheet.stroke([left, right], [y, y], "gold", width=1.6, dash=(5, 3) if i == 0 else (1.2, 2))


def _policy_label(trend: Trend, sheet: Sheet, left: float, right: float) -> list[str]:
    inside = [p for p, _ in trend.starts if is_inside(trend.series, p)]
    if not inside:
        return []
    when = shown(inside[0], sheet.lang)
    if len(trend.starts) > 1:
        when = sheet.t(Text(f"{when} 起分批", f"From {when}"))
    room = max(_line_x(trend, inside[0], left, right) - left, right - _line_x(trend, inside[0], left, right)) - 8
    title = sheet.t(trend.policy_title)
    together = f"{when} {title}"
    if sheet.wide(together, bold=True) <= room:
        return [together]
    return [when, *sheet.wrap(title, room, 3 if sheet.narrow else 2, bold=True)]


def _line_x(trend: Trend, start: pd.Period, left: float, right: float) -> float:
    series = trend.series
    low, high = float(series.x[0]) - PAD, float(series.x[-1]) + PAD
    return left + (position(start, series.freq) - low) / (high - low) * (right - left)


def _draw_policy(
    trend: Trend, sheet: Sheet, label: list[str], top: float, bottom: float, left: float, right: float
) -> None:
    inside = [p for p, _ in trend.starts if is_inside(trend.series, p)]
    for i, start in enumerate(inside):
        x = _line_x(trend, start, left, right)
        if i == 0:
            sheet.stroke([x, x], [top, bottom], "plum", width=1.6, dash=(5, 3))
            on_left = x - left >= max(sheet.wide(line, bold=True) for line in label) + 6
            on_left = on_left or x - left > right - x
            sheet.lines(
                x - 6 if on_left else x + 6, top + sheet.size * 0.7, label, role="plum", bold=True,
                ha="right" if on_left else "left",
            )  # fmt: skip
        else:
            sheet.stroke([x, x], [bottom - (bottom - top) * 0.25, bottom], "plum", width=1.0, dash=(3, 3))
