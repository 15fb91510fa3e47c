"""How a synthetic control is drawn: both paths above, and below the gap of the treated before those of the donors."""

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
from qbase.figures.surface.figure_words import axis_unit, capital, with_unit
from qbase.figures.surface.period_axis import number_ticks, place_ticks, position, shown, tick_digits

HEIGHT, HEIGHT_NARROW = 520, 560
PAD = 0.7


@dataclasses.dataclass(frozen=True, eq=False)
class Synthetic:
    """Paths of the treated and of its synthetic comparison, and the gaps of both and of the donors.

    Parameters
    ----------
    result : Result
    periods : tuple of pandas.Period, length T
    treated, synthetic, gap : numpy.ndarray, shape (T,)
    donors : tuple of numpy.ndarray
        The gap of each donor in the place of the treated.
    start : pandas.Period or None
    """

    result: Result
    periods: tuple[pd.Period, ...]
    treated: np.ndarray
    synthetic: np.ndarray
    gap: np.ndarray
    donors: tuple[np.ndarray, ...]
    start: pd.Period | None

    @property
    def x(self) -> np.ndarray:
        """Places of the periods."""
        return np.array([ordinal(p) for p in self.periods], dtype=float)


def height_of(narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    return HEIGHT_NARROW if narrow else HEIGHT


def draw_synthetic(drawn: Synthetic, sheet: Sheet) -> None:
    """Draw one variant."""
    outcome = drawn.result.outcome
    unit = axis_unit(drawn.result.unit)
    names = [
        [Text("采用政策者", "Treated"), Text("合成对照", "Synthetic")],
        [Text("差距", "Gap"), Text("各对照", "Donors")],
    ]
    room = max(sheet.wide(sheet.t(n), bold=True) for pair in names for n in pair) + 16
    right, middle = sheet.width - room, sheet.height * 0.54
    paths = [drawn.treated, drawn.synthetic]
    gaps = [drawn.gap, *drawn.donors]
    grids = [_ticks(paths, is_percent=outcome.unit == "pct"), _ticks(gaps, is_percent=False)]
    left = max(sheet.wide(label) for _, labels in grids for label in labels) + 12
    heads = (
        capital(with_unit(outcome.label, outcome.unit)),
        Text("与合成对照的差距" + (f"（{unit.zh}）" if unit.zh else ""), "Gap" + (f" ({unit.en})" if unit.en else "")),
    )
    spans = ((30.0, middle - 34.0), (middle + 24.0, sheet.height - 30.0))
    for panel, (top, bottom) in enumerate(spans):
        ticks, labels = grids[panel]
        values = np.concatenate([v[np.isfinite(v)] for v in (gaps if panel else paths)])
        low, high = min(ticks[0], float(values.min())), max(ticks[-1], float(values.max()))
        x = (drawn.x[0] - PAD, drawn.x[-1] + PAD)
        # the start is named above the lines
        head = 0.0 if panel else (sheet.size * LINE + 8) / (bottom - top) * (high - low)
        sheet.frame(left=left, top=top, right=right, bottom=bottom, x=x, y=(low, high + head))
        sheet.x_labels([], [])
        sheet.y_axis(ticks, labels, sheet.fit(sheet.t(heads[panel]), sheet.width - left))
        _draw_start(drawn, sheet, top, bottom, named=not panel)
        ends = _draw_gaps(drawn, sheet, left, right) if panel else _draw_paths(drawn, sheet)
        _name_ends(sheet, names[panel], ends, right, top, bottom)
    # periods may be missing: the axis is as long as from the first to the last
    slot = (right - left) / (drawn.x[-1] - drawn.x[0] + 1 + 2 * PAD)
    axis = place_ticks(drawn.periods[0], drawn.periods[-1], slot, sheet.wide, sheet.lang)
    sheet.x_labels(axis.at, axis.labels)


def _ticks(series: list[np.ndarray], *, is_percent: bool) -> tuple[list[float], list[str]]:
    known = np.concatenate([v[np.isfinite(v)] for v in series])
    ticks = number_ticks(float(known.min()), float(known.max()), bins=5)
    if is_percent:
        ticks = [t for t in ticks if -1e-9 <= t <= 100 + 1e-9]
    digits = tick_digits(ticks)
    return ticks, [number(t, digits) for t in ticks]


def _draw_paths(drawn: Synthetic, sheet: Sheet) -> list[float]:
    for values, role in ((drawn.treated, "blue"), (drawn.synthetic, "grey")):
        sheet.ax.plot(drawn.x, values, color=LIGHT[role], lw=1.8 if role == "blue" else 1.6, zorder=3, clip_on=False,
                      ls="-" if role == "blue" else (0, (4, 2)))  # fmt: skip
    return [sheet.py(float(drawn.treated[-1])), sheet.py(float(drawn.synthetic[-1]))]


def _draw_gaps(drawn: Synthetic, sheet: Sheet, left: float, right: float) -> list[float]:
    zero = sheet.py(0)
    sheet.stroke([left, right], [zero, zero], "ink", width=1.3)
    for gap in drawn.donors:
        sheet.ax.plot(drawn.x, gap, color=LIGHT["line"], lw=0.9, zorder=1.5, clip_on=False)
    sheet.ax.plot(drawn.x, drawn.gap, color=LIGHT["blue"], lw=2.0, zorder=3, clip_on=False)
    last = [float(g[-1]) for g in drawn.donors if np.isfinite(g[-1])]
    return [sheet.py(float(drawn.gap[-1])), sheet.py(float(np.median(last)) if last else 0.0)]


def _name_ends(sheet: Sheet, names: list[Text], ends: list[float], right: float, top: float, bottom: float) -> None:
    placed = spread(ends, [sheet.size * LINE] * len(ends), top, bottom)
    for i, (name, y) in enumerate(zip(names, placed, strict=True)):
        sheet.text(right + 8, y, sheet.t(name), role="mut" if i else "blue", bold=not i)


def _draw_start(drawn: Synthetic, sheet: Sheet, top: float, bottom: float, *, named: bool) -> None:
    if drawn.start is None:
        return
    x = sheet.px(position(drawn.start, freq_of(drawn.periods[0])))
    sheet.stroke([x, x], [top, bottom], "plum", width=1.6, dash=(5, 3))
    if named:
        word = f"{sheet.t(Text('政策实施', 'Policy starts'))} {shown(drawn.start, sheet.lang)}"
        is_left = sheet.wide(word, bold=True) + 10 < x - sheet.px(sheet.ax.get_xlim()[0])
        sheet.text(x + (-7 if is_left else 7), top + sheet.size * 0.8, word, role="plum", bold=True,
                   ha="right" if is_left else "left")  # fmt: skip
