"""How power is drawn: one panel for each thing there could be more of, a line for each design."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core.numbers import number
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet, spread

ROLES = ("blue", "grey", "orange", "teal")
MARKERS = ("o", "s", "D", "^")
TICKS = (0.0, 20.0, 40.0, 60.0, 80.0, 100.0)
PANEL_NARROW = 190
GAP = 30


@dataclasses.dataclass(frozen=True, eq=False)
class Power:
    """Rows of power by panel and design, in order.

    Parameters
    ----------
    panels : tuple of (Text, pandas.DataFrame)
        Name of the axis, and its rows.
    names : mapping
        Design -> its name.
    wanted : float
        Power that is called enough, in percent.
    """

    panels: tuple[tuple[Text, pd.DataFrame], ...]
    names: dict[str, Text]
    wanted: float


def height_of(power: Power, narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    return PANEL_NARROW * len(power.panels) + 30 if narrow else 400


def draw_power(power: Power, sheet: Sheet) -> None:
    """Draw one variant."""
    labels = [number(t, 0) for t in TICKS]
    left = max(map(sheet.wide, labels)) + 12
    room = max(sheet.wide(sheet.t(name)) for name in power.names.values()) + 16
    room = min(room, sheet.width * 0.36)
    n = len(power.panels)
    for i, (title, rows) in enumerate(power.panels):
        is_last = i == n - 1
        if sheet.narrow:
            box = (left, 34.0 + i * PANEL_NARROW, sheet.width - room, (i + 1) * PANEL_NARROW - 14.0)
        else:
            width = (sheet.width - left - room - GAP * (n - 1)) / n
            first = left + i * (width + GAP)
            box = (first, 34.0, first + width, sheet.height - 52.0)
        _draw_panel(power, sheet, title, rows, box, labels if sheet.narrow or not i else [""] * len(labels))
        if not i:
            sheet.text(box[0], 18, sheet.t(Text("能发现的比例（%）", "Share found (%)")), role="mut", va="baseline")
        if sheet.narrow or is_last:
            _name_lines(power, sheet, rows, box)


def _draw_panel(
    power: Power,
    sheet: Sheet,
    title: Text,
    rows: pd.DataFrame,
    box: tuple[float, float, float, float],
    labels: list[str],
) -> None:
    left, top, right, bottom = box
    values = sorted(rows["at"].unique())
    sheet.frame(left=left, top=top, right=right, bottom=bottom, x=(-0.6, len(values) - 0.4), y=(-2.0, 102.0))
    sheet.y_axis(TICKS, labels, "")
    shown = [number(v, 0 if v == round(v) else 1) for v in values]
    step = 1
    slot = (right - left) / (len(values) + 0.2)
    while step < len(values) and max(map(sheet.wide, shown)) + 4 > slot * step:
        step += 1
    # the last is labelled for sure, the others as they fit
    at = [j for j in range(len(values)) if (len(values) - 1 - j) % step == 0]
    sheet.x_labels(at, [shown[j] for j in at])
    sheet.text(left, bottom + 17 + sheet.size * LINE, sheet.fit(sheet.t(title), right - left + GAP - 4), role="mut",
               va="baseline")  # fmt: skip
    y = sheet.py(power.wanted)
    sheet.stroke([left, right], [y, y], "gold", width=1.4, dash=(5, 3))
    for j, design in enumerate(power.names):
        own = rows[(rows["design"] == design) & rows["found_pct"].notna()].sort_values("at")
        if not own.empty:
            _draw_line(sheet, own, [values.index(v) for v in own["at"]], j, len(power.names))


def _draw_line(sheet: Sheet, own: pd.DataFrame, at: list[int], j: int, n: int) -> None:
    colour, ax = LIGHT[ROLES[j % len(ROLES)]], sheet.ax
    x = np.array(at, dtype=float) + (j - (n - 1) / 2) * 0.14
    value = own["found_pct"].to_numpy(dtype=float)
    ax.plot(x, value, color=colour, lw=1.4, zorder=3, clip_on=False)
    low, high = (own[f"found_{side}_pct"].to_numpy(dtype=float) for side in ("low", "high"))
    ax.vlines(x, low, high, color=colour, lw=2.0, zorder=3.1, clip_on=False)
    is_model = (own["made"] == "model").to_numpy()
    for hollow in (False, True):
        part = is_model == hollow
        if part.any():
            ax.scatter(
                x[part], value[part], s=40, marker=MARKERS[j % len(MARKERS)], zorder=4, lw=1.4, clip_on=False,
                facecolor=LIGHT["bg"] if hollow else colour, edgecolor=colour,
            )  # fmt: skip


def _name_lines(power: Power, sheet: Sheet, rows: pd.DataFrame, box: tuple[float, float, float, float]) -> None:
    """Write the designs' names at the ends of their lines."""
    _, top, right, bottom = box
    ends: list[tuple[str, float, str]] = []
    for j, (design, name) in enumerate(power.names.items()):
        own = rows[(rows["design"] == design) & rows["found_pct"].notna()].sort_values("at")
        if not own.empty:
            ends.append((sheet.t(name), sheet.py(float(own["found_pct"].iloc[-1])), ROLES[j % len(ROLES)]))
    placed = spread([y for _, y, _ in ends], [sheet.size * LINE] * len(ends), top, bottom)
    for (words, _, role), y in zip(ends, placed, strict=True):
        text = sheet.fit(words, sheet.width - right - 10)
        sheet.text(right + 8, y, text, role="mut" if role == "grey" else role, bold=role == "blue")
