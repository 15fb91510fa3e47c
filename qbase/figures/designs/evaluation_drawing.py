"""How planned evaluations are drawn: a panel for each design, effects found against years, a line for each number."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core.numbers import number
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet, spread
from qbase.figures.surface.period_axis import number_ticks, tick_digits

ROLES = ("grey", "blue", "orange", "teal")
MARKERS = ("o", "s", "D", "^")
PANEL_NARROW = 200
GAP = 30
LOST = 1.12
"""Where a plan that finds nothing is marked, as a multiple of the largest effect drawn."""


@dataclasses.dataclass(frozen=True, eq=False)
class Plans:
    """Plans by panel and number of batches, in order.

    Parameters
    ----------
    panels : tuple of (Text, pandas.DataFrame)
        Name of the design, and its rows.
    batches : tuple of int
        A line each.
    unit : Text
        Of the effects.
    """

    panels: tuple[tuple[Text, pd.DataFrame], ...]
    batches: tuple[int, ...]
    unit: Text

    @property
    def years(self) -> list[int]:
        """Years on the axis."""
        return sorted({int(y) for _, rows in self.panels for y in rows["years"]})

    @property
    def top(self) -> float:
        """Largest effect with its error, of those that are found."""
        ends = np.concatenate([rows[c] for _, rows in self.panels for c in ("detectable", "detectable_high")])
        kept = ends[np.isfinite(ends)]
        return float(kept.max()) if len(kept) else 10.0


def height_of(plans: Plans, narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    return PANEL_NARROW * len(plans.panels) + 40 if narrow else 400


def draw_plans(plans: Plans, sheet: Sheet) -> None:
    """Draw one variant."""
    ticks = [t for t in number_ticks(0.0, plans.top) if t <= plans.top * LOST]
    labels = [number(t, tick_digits(ticks)) for t in ticks]
    left = max(map(sheet.wide, labels)) + 12
    room = max(sheet.wide(sheet.t(_line_name(b))) for b in plans.batches) + 16
    n = len(plans.panels)
    for i, (title, rows) in enumerate(plans.panels):
        if sheet.narrow:
            box = (left, 50.0 + i * PANEL_NARROW, sheet.width - room, (i + 1) * PANEL_NARROW - 2.0)
        else:
            width = (sheet.width - left - room - GAP * (n - 1)) / n
            first = left + i * (width + GAP)
            box = (first, 50.0, first + width, sheet.height - 52.0)
        if not i:
            head = Text(f"能发现的最小效果（{plans.unit.zh}）", f"Smallest effect found ({plans.unit.en})")
            sheet.text(0, 16, sheet.fit(sheet.t(head), sheet.width), role="mut", va="baseline")
        shown = labels if sheet.narrow or not i else [""] * len(labels)
        _draw_panel(plans, sheet, title, rows, box, ticks, shown)
        if sheet.narrow or i == n - 1:
            _name_lines(plans, sheet, rows, box)


def _draw_panel(
    plans: Plans, sheet: Sheet, title: Text, rows: pd.DataFrame, box: tuple[float, float, float, float],
    ticks: list[float], labels: list[str],
) -> None:  # fmt: skip
    left, top, right, bottom = box
    years = plans.years
    sheet.frame(
        left=left, top=top, right=right, bottom=bottom, x=(-0.5, len(years) - 0.5), y=(0.0, plans.top * LOST * 1.04)
    )
    sheet.y_axis(ticks, labels, "")
    named = [Text(f"{y} 年", f"{y} yr") for y in years]
    sheet.x_labels(list(range(len(years))), [sheet.t(y) for y in named])
    sheet.text(left, top - 10, sheet.fit(sheet.t(title), right - left + GAP - 6), bold=True, va="baseline")
    for j, each in enumerate(plans.batches):
        own = rows[rows["batches"] == each].sort_values("years")
        at = np.array([years.index(int(y)) for y in own["years"]], dtype=float)
        _draw_line(plans, sheet, own, at + (j - (len(plans.batches) - 1) / 2) * 0.12, j)


def _draw_line(plans: Plans, sheet: Sheet, own: pd.DataFrame, x: np.ndarray, j: int) -> None:
    colour, ax = LIGHT[ROLES[j % len(ROLES)]], sheet.ax
    value, low, high = (own[c].to_numpy(dtype=float) for c in ("detectable", "detectable_low", "detectable_high"))
    is_found = np.isfinite(value)
    lost = plans.top * LOST
    ax.plot(x[is_found], value[is_found], color=colour, lw=1.4, zorder=3, clip_on=False)
    ends = np.where(np.isfinite(high), high, lost)[is_found]
    ax.vlines(x[is_found], low[is_found], ends, color=colour, lw=2.0, zorder=3.1, clip_on=False)
    for part, y, face in ((is_found, value, colour), (~is_found, np.full(len(x), lost), LIGHT["bg"])):
        if part.any():
            ax.scatter(
                x[part], y[part], s=40, marker=MARKERS[j % len(MARKERS)], zorder=4, lw=1.4, clip_on=False,
                facecolor=face, edgecolor=colour,
            )  # fmt: skip


def _line_name(each: int) -> Text:
    return Text(f"每季 {each} 批", f"{each} a quarter")


def _name_lines(plans: Plans, sheet: Sheet, rows: pd.DataFrame, box: tuple[float, float, float, float]) -> None:
    """Write the numbers of batches at the ends of their lines."""
    _, top, right, bottom = box
    ends: list[tuple[str, float, str]] = []
    for j, each in enumerate(plans.batches):
        own = rows[rows["batches"] == each].sort_values("years")
        if own.empty:
            continue
        last = float(own["detectable"].iloc[-1])
        at = last if np.isfinite(last) else plans.top * LOST
        ends.append((sheet.t(_line_name(each)), sheet.py(at), ROLES[j % len(ROLES)]))
    placed = spread([y for _, y, _ in ends], [sheet.size * LINE] * len(ends), top, bottom)
    for (words, _, role), y in zip(ends, placed, strict=True):
        sheet.text(right + 8, y, words, role="mut" if role == "grey" else role, bold=role == "blue")
