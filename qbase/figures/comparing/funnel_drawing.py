"""How a funnel is drawn: limits that widen where little was tested, and names outside them only."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core.numbers import number
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet, spread
from qbase.figures.surface.period_axis import number_ticks, tick_digits

Box = tuple[float, float, float, float]
Floats = NDArray[np.float64]

TOP, FOOT = 34.0, 46.0
NAMES, FEW = 12, 3
"""So many points are named at most, and so many whatever is in the way; the table names all."""
DOT, BESIDE = 6.0, 16.0
REACH = (11.0, 26.0, 42.0, 60.0, 84.0, 112.0, 140.0)
NEAR = 60.0
"""Where many lie outside, a name this far from its point is no longer found to be its own."""
ROOMS, ROOMS_NARROW = (230.0, 130.0), (150.0, 108.0, 76.0)
"""Widths a name may be broken to, in pixels."""
CROSSING = 200.0
"""Pixels a name would rather stand away than across a line."""
WAYS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


@dataclasses.dataclass(frozen=True, eq=False)
class Funnel:
    """What a funnel shows.

    Parameters
    ----------
    points : pandas.DataFrame
        Columns ``n_used rate_pct z outside name_zh name_en is_own``; one row per entity, the reader's own marked.
    limits : pandas.DataFrame
        Columns ``n low_95_pct high_95_pct low_998_pct high_998_pct``.
    mean : float
        Centre, in percent.
    digits : int
        Decimals of rates.
    is_up : bool
        Whether a higher rate is better.
    y_title, x_title : Text
        Of the axes.
    """

    points: pd.DataFrame
    limits: pd.DataFrame
    mean: float
    digits: int
    is_up: bool
    y_title: Text
    x_title: Text

    def role(self, outside: str) -> str:
        """Return the colour of a point: blue on the better side, orange on the other, grey inside."""
        if not outside:
            return "grey"
        return "blue" if outside.startswith("high") == self.is_up else "orange"


def draw_funnel(funnel: Funnel, sheet: Sheet) -> None:
    """Draw one variant."""
    ticks, low, high = _y_range(funnel)
    labels = [number(t, tick_digits(ticks)) for t in ticks]
    most = float(funnel.limits["n"].max())
    ends = _end_labels(funnel, sheet)
    left = max(map(sheet.wide, labels)) + 12
    right = sheet.width - max(sheet.wide(text, bold=bold) for text, _, _, bold in ends) - 12
    bottom = sheet.height - FOOT
    sheet.frame(left=left, top=TOP, right=right, bottom=bottom, x=(0.0, most), y=(low, high))
    sheet.y_axis(ticks, labels, "")
    sheet.text(0, TOP - 16, sheet.t(funnel.y_title), role="mut", va="baseline")
    across = [t for t in number_ticks(0.0, most, bins=4 if sheet.narrow else 7) if 0 <= t <= most]
    sheet.x_labels(across, [number(t, 0) for t in across])
    sheet.text(right, bottom + 17 + sheet.size * LINE, sheet.t(funnel.x_title), role="mut", ha="right", va="baseline")
    _draw_limits(funnel, sheet)
    placed = spread([y for _, y, _, _ in ends], [sheet.size * LINE] * len(ends), TOP - 4, bottom)
    for (text, _, role, bold), y in zip(ends, placed, strict=True):
        sheet.text(right + 8, y, text, role=role, bold=bold)
    _draw_points(funnel, sheet)
    _name_outside(funnel, sheet, (left, TOP, right, bottom))


def _y_range(funnel: Funnel) -> tuple[list[float], float, float]:
    """Return ticks and ends of the axis: all points, and the limits of all but the smallest quarter of them."""
    seen = funnel.limits[funnel.limits["n"] >= min(funnel.points["n_used"].quantile(0.25), funnel.limits["n"].max())]
    values = [*funnel.points["rate_pct"], seen["low_998_pct"].min(), seen["high_998_pct"].max()]
    ticks = list(number_ticks(min(values), max(values)))
    low, high = min(ticks[0], *values), max(ticks[-1], *values)
    room = 0.03 * (high - low)
    return ticks, max(low - room, -room), min(high, 100.0) + room


def _end_labels(funnel: Funnel, sheet: Sheet) -> list[tuple[str, float, str, bool]]:
    """Return text, wanted height, role and weight of the words at the ends of the lines."""
    last = funnel.limits.iloc[-1]
    _, low, high = _y_range(funnel)
    top, bottom = TOP, sheet.height - FOOT

    def at(value: float) -> float:
        return bottom - (min(max(value, low), high) - low) / (high - low) * (bottom - top)

    mean = sheet.t(Text(f"平均 {number(funnel.mean, funnel.digits)}%", f"mean {number(funnel.mean, funnel.digits)}%"))
    found = [(mean, at(funnel.mean), "ink", False)]
    for end, words in (("998", "99.8%"), ("95", "95%")):
        found += [(words, at(float(last[f"{side}_{end}_pct"])), "mut", False) for side in ("high", "low")]
    return found


def _draw_limits(funnel: Funnel, sheet: Sheet) -> None:
    ends, ax = {str(name): funnel.limits[name].to_numpy(dtype=float) for name in funnel.limits}, sheet.ax
    n = ends.pop("n")
    ax.fill_between(n, ends["low_95_pct"], ends["high_95_pct"], color=LIGHT["panel"], lw=0, zorder=0.5)
    for name, limit in ends.items():
        ax.plot(n, limit, color=LIGHT["grey"], lw=1.2, zorder=2, ls="-" if "998" in name else (0, (4, 3)))
    x, y = [sheet.px(0), sheet.px(float(n.max()))], sheet.py(funnel.mean)
    sheet.stroke(x, [y, y], "ink", width=1.3)


def _draw_points(funnel: Funnel, sheet: Sheet) -> None:
    """Draw points by kind: grey dots inside, coloured dots outside the first limits, diamonds outside the second."""
    outside = funnel.points["outside"].to_numpy(dtype=str)
    n, rate = (funnel.points[name].to_numpy(dtype=float) for name in ("n_used", "rate_pct"))
    for place in sorted(set(outside.tolist())):
        own, is_far = outside == place, place.endswith("998")
        sheet.ax.scatter(
            n[own], rate[own], s=100 if is_far else 64 if place else 42, marker="D" if is_far else "o",
            color=LIGHT[funnel.role(place)], edgecolor=LIGHT["bg"], lw=1.2, zorder=4 if place else 3, clip_on=False,
        )  # fmt: skip
    asked = funnel.points["is_own"].to_numpy(dtype=bool)
    sheet.ax.scatter(
        n[asked], rate[asked], s=150, marker="o", color="none", edgecolor=LIGHT["ink"], lw=1.6, zorder=5, clip_on=False
    )


def _name_outside(funnel: Funnel, sheet: Sheet, frame: Box) -> None:
    """Write names where no point, no limit and no other name is in the way; the farthest outside come first."""
    held = funnel.points.to_dict("records")
    at = [(sheet.px(float(row["n_used"])), sheet.py(float(row["rate_pct"]))) for row in held]
    taken = np.array([(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in at])
    lines = _line_pixels(funnel, sheet)
    outside = [i for i, row in enumerate(held) if row["outside"]]
    outside.sort(key=lambda i: (not str(held[i]["outside"]).endswith("998"), -abs(float(held[i]["z"]))))
    if len(outside) > NAMES:
        outside = [i for i in outside if str(held[i]["outside"]).endswith("998")]
    asked = [i for i, row in enumerate(held) if row["is_own"]]
    for i in [*asked, *(i for i in outside[:NAMES] if i not in asked)]:
        row = held[i]
        text = str(row["name_zh"] if sheet.lang == "zh" else row["name_en"])
        best = None
        for room in ROOMS_NARROW if sheet.narrow else ROOMS:
            rows = [*sheet.wrap(text, room, 3), f"{number(float(row['rate_pct']), funnel.digits)}%"]
            size = (max(sheet.wide(words, bold=True) for words in rows), len(rows) * sheet.size * LINE)
            found = _free_place(size, at[i], taken, lines, frame)
            if found is not None and (best is None or found[0] < best[1][0] - 1):
                best = rows, found
        # a name across a line is better than none for a few, worse where there are many
        if best is None or (best[1][0] > NEAR and len(outside) > FEW and i not in asked):
            continue
        rows, (_, box, way) = best
        taken = np.vstack([taken, [box, *_lead_boxes(box, at[i])]])
        _write(sheet, rows, box, way, at[i], "ink" if i in asked else funnel.role(str(row["outside"])))


def _line_pixels(funnel: Funnel, sheet: Sheet) -> Floats:
    """Return pixels on the limits and the mean, close enough that no name fits between two of them."""
    n = funnel.limits["n"].to_numpy(dtype=float)
    x = np.linspace(n.min(), n.max(), 200)
    curves = [np.interp(x, n, funnel.limits[c].to_numpy(dtype=float)) for c in funnel.limits.columns if c != "n"]
    curves.append(np.full(len(x), funnel.mean))
    px, py = [sheet.px(v) for v in x], [[sheet.py(v) for v in curve] for curve in curves]
    return np.array([(a, b) for curve in py for a, b in zip(px, curve, strict=True)])


def _free_place(
    size: tuple[float, float], at: tuple[float, float], taken: Floats, lines: Floats, frame: Box
) -> tuple[float, Box, tuple[int, int]] | None:
    """Return cost, box and way of the nearest place that touches no point and no name, and no line if there is one."""
    best: tuple[float, Box, tuple[int, int]] | None = None
    # a line to the name begins at its own point
    is_own = (taken[:, 0] <= at[0]) & (taken[:, 2] >= at[0]) & (taken[:, 1] <= at[1]) & (taken[:, 3] >= at[1])
    others = taken[~is_own]
    for reach, (dx, dy) in itertools.product(REACH, WAYS):
        if best is not None and reach >= best[0]:
            continue
        x, y = (at[i] + d * reach - size[i] * (0.5 - d / 2) for i, d in enumerate((dx, dy)))
        x = min(max(x, frame[0] + 3), frame[2] - size[0] - 3) if not dx else x
        box = (x, y, x + size[0], y + size[1])
        if x < frame[0] + 2 or box[2] > frame[2] - 2 or y < frame[1] - 4 or box[3] > frame[3] - 2:
            continue
        if _touches(np.array([box]), taken, slack=2.0) or _touches(_lead_boxes(box, at), others, slack=0.0):
            continue
        inside = (lines[:, 0] > x - 3) & (lines[:, 0] < box[2] + 3) & (lines[:, 1] > y) & (lines[:, 1] < box[3])
        cost = reach + CROSSING * bool(inside.any())
        if best is None or cost < best[0]:
            best = (cost, box, (dx, dy))
    return best


def _lead_boxes(box: Box, at: tuple[float, float]) -> Floats:
    """Return small boxes along the line from a point to its name; none where the name stands beside it."""
    near = (min(max(at[0], box[0]), box[2]), min(max(at[1], box[1]), box[3]))
    far = math.hypot(near[0] - at[0], near[1] - at[1])
    steps = int(far / 6) if far > BESIDE else 0
    i = np.arange(2, max(steps, 2))
    x, y = (at[0] + (near[0] - at[0]) * i / max(steps, 1)), (at[1] + (near[1] - at[1]) * i / max(steps, 1))
    return np.column_stack([x - 1, y - 1, x + 1, y + 1])


def _touches(boxes: Floats, others: Floats, *, slack: float) -> bool:
    """Return whether one of some boxes touches one of the others."""
    left, top, right, bottom = boxes.T[:, :, None]
    hit = (left < others[:, 2] + slack) & (others[:, 0] < right + slack)
    hit &= (top < others[:, 3] + slack / 2) & (others[:, 1] < bottom + slack / 2)
    return bool(hit.any())


def _write(
    sheet: Sheet, rows: Sequence[str], box: Box, way: tuple[int, int], at: tuple[float, float], role: str
) -> None:
    """Write a name with its rate below it, and lead to its point where it is not beside it."""
    line = sheet.size * LINE
    ha = "left" if way[0] > 0 else "right" if way[0] < 0 else "center"
    x = box[0] if ha == "left" else box[2] if ha == "right" else (box[0] + box[2]) / 2
    for i, text in enumerate(rows):
        sheet.text(x, box[1] + (i + 0.5) * line, text, role=role, bold=i == len(rows) - 1, ha=ha)  # type: ignore[arg-type]
    near = (min(max(at[0], box[0]), box[2]), min(max(at[1], box[1]), box[3]))
    far = math.hypot(near[0] - at[0], near[1] - at[1])
    if far > BESIDE:
        start = DOT * 1.4 / far
        sheet.stroke(
            [at[0] + (near[0] - at[0]) * start, near[0]], [at[1] + (near[1] - at[1]) * start, near[1]], role, width=0.9
        )
