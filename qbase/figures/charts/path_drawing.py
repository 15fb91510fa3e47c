"""How the paths of treated and comparison are drawn: two lines, the policy's start, names at the line ends."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core.numbers import number
from qbase.core.periods import freq_of, ordinal
from qbase.core.results.result import Result
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet, spread
from qbase.figures.surface.figure_words import capital, with_unit
from qbase.figures.surface.period_axis import number_ticks, place_ticks, position, shown, tick_digits

PAD = 0.7
ROLES = ("blue", "grey")


@dataclasses.dataclass(frozen=True, eq=False)
class Paths:
    """Two series over the same periods; the first is that of the treated."""

    result: Result
    periods: tuple[pd.Period, ...]
    values: tuple[np.ndarray, np.ndarray]
    names: tuple[Text, Text]
    starts: tuple[pd.Period, ...]

    @property
    def x(self) -> np.ndarray:
        """Places of the periods."""
        return np.array([ordinal(p) for p in self.periods], dtype=float)


def draw_paths(paths: Paths, sheet: Sheet) -> None:
    """Draw one variant."""
    known = np.concatenate([v[np.isfinite(v)] for v in paths.values])
    ticks = number_ticks(float(known.min()), float(known.max()))
    if paths.result.outcome.unit == "pct":
        ticks = [t for t in ticks if -1e-9 <= t <= 100 + 1e-9]
    low, high = min(ticks[0], float(known.min())), max(ticks[-1], float(known.max()))
    digits = tick_digits(ticks)
    labels = [number(t, digits) for t in ticks]
    names = [sheet.t(n) for n in paths.names]
    left = max(map(sheet.wide, labels)) + (8 if sheet.narrow else 12)
    right = sheet.width - min(max(sheet.wide(n, bold=True) for n in names), sheet.width * 0.36) - 16
    top, bottom = 30.0, sheet.height - 30.0
    head = sheet.size * LINE + 8
    reach = (high - low) / (bottom - top - head) * (bottom - top)
    sheet.frame(
        left=left, top=top, right=right, bottom=bottom, x=(paths.x[0] - PAD, paths.x[-1] + PAD), y=(low, low + reach)
    )
    title = sheet.t(capital(with_unit(paths.result.outcome.label, paths.result.outcome.unit)))
    sheet.y_axis(ticks, labels, sheet.fit(title, sheet.width - left))
    slot = (right - left) / (len(paths.periods) + 2 * PAD)
    axis = place_ticks(paths.periods[0], paths.periods[-1], slot, sheet.wide, sheet.lang)
    sheet.x_labels(axis.at, axis.labels)
    _draw_starts(paths, sheet, left, right, top, bottom)
    ends = []
    for values, role in zip(paths.values, ROLES, strict=True):
        seen = np.isfinite(values)
        sheet.ax.plot(paths.x[seen], values[seen], color=LIGHT[role], lw=1.6, zorder=3, clip_on=False)
        ends.append(sheet.py(float(values[seen][-1])) if seen.any() else bottom)
    rows = spread(ends, [sheet.size * LINE] * 2, top, bottom)
    for name, role, y in zip(names, ROLES, rows, strict=True):
        colour = "blue" if role == "blue" else "mut"
        sheet.text(right + 10, y, sheet.fit(name, sheet.width - right - 12), role=colour, bold=role == "blue")


def _draw_starts(paths: Paths, sheet: Sheet, left: float, right: float, top: float, bottom: float) -> None:
    """Draw the first start as a line with its name, later ones as lines."""
    freq = freq_of(paths.periods[0])
    for i, start in enumerate(paths.starts):
        x = sheet.px(position(start, freq))
        if not left <= x <= right:
            continue
        sheet.stroke([x, x], [top, bottom], "plum", width=1.6 if i == 0 else 1.0, dash=(5, 3))
        if i == 0:
            word = sheet.t(Text("政策实施", "Policy starts")) + " " + shown(start, sheet.lang)
            is_left = x + 8 + sheet.wide(word, bold=True) > right
            sheet.text(x + (-7 if is_left else 7), top + sheet.size * 0.8, word, role="plum", bold=True,
                       ha="right" if is_left else "left")  # fmt: skip
