"""How a ledger of instruments is drawn: the outcome on top, below it bars for every instrument and safeguard."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core.numbers import number
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.figures.surface.canvas import LINE, Sheet
from qbase.figures.surface.period_axis import number_ticks, place_ticks, tick_digits

TOP, OUTCOME, DOSE, SAFE, GAP, FOOT, NAME = 26.0, 96.0, 24.0, 14.0, 6.0, 30.0, 18.0
"""Heights in pixels: head, outcome, a row of doses, one of safeguards, between rows, foot, a name above a row."""
PAD = 0.7
FILLED = 0.72
"""Of a quarter's width."""


@dataclasses.dataclass(frozen=True, eq=False)
class Strip:
    """One row of bars: its name, values by quarter, and the value that fills it."""

    name: Text
    values: np.ndarray
    full: float
    height: float
    role: str


@dataclasses.dataclass(frozen=True, eq=False)
class Ledger:
    """Everything drawn: the outcome with its limits over the quarters, and the strips below."""

    periods: tuple[pd.Period, ...]
    title: Text
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    strips: tuple[Strip, ...]

    @property
    def x(self) -> np.ndarray:
        """Places of the quarters."""
        return np.array([p.ordinal for p in self.periods], dtype=float)


def height_of(ledger: Ledger, narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    above = NAME if narrow else 0.0
    return int(TOP + OUTCOME + GAP * 2 + sum(s.height + GAP + above for s in ledger.strips) + FOOT)


def draw_ledger(ledger: Ledger, sheet: Sheet) -> None:
    """Draw one variant."""
    seen = np.concatenate([v[np.isfinite(v)] for v in (ledger.value, ledger.low, ledger.high)])
    ticks = number_ticks(float(seen.min()), float(seen.max())) if len(seen) else []
    labels = [number(t, tick_digits(ticks)) for t in ticks]
    names = max(sheet.wide(sheet.t(s.name)) for s in ledger.strips)
    left = max((sheet.wide(t) for t in labels), default=0.0) + 8
    left = left if sheet.narrow else max(left, min(names + 14, 260.0))
    bottom = sheet.height - FOOT
    right = sheet.width - 6.0
    sheet.frame(
        left=left, top=TOP, right=right, bottom=bottom, x=(ledger.x[0] - PAD, ledger.x[-1] + PAD), y=(bottom, TOP)
    )
    sheet.ax.set_yticks([])
    sheet.text(0, 12, sheet.fit(sheet.t(ledger.title), sheet.width), role="mut", va="baseline")
    if len(seen):
        _draw_outcome(ledger, sheet, (min(ticks[0], seen.min()), max(ticks[-1], seen.max())), ticks, labels, left)
    slot = (right - left) / (ledger.x[-1] - ledger.x[0] + 2 * PAD)
    axis = place_ticks(ledger.periods[0], ledger.periods[-1], slot, sheet.wide, sheet.lang)
    y = TOP + OUTCOME + GAP * 2
    for strip in ledger.strips:
        y = _draw_strip(ledger, strip, sheet, y, slot, left, right)
    sheet.x_labels(axis.at, axis.labels)


def _draw_outcome(
    ledger: Ledger, sheet: Sheet, span: tuple[float, float], ticks: list[float], labels: list[str], left: float
) -> None:
    def place(value: float) -> float:
        return TOP + OUTCOME - (value - span[0]) / (span[1] - span[0]) * (OUTCOME - 8)

    for tick, label in zip(ticks, labels, strict=True):
        sheet.stroke([left, sheet.width - 6.0], [place(tick)] * 2, "grid")
        sheet.text(left - 6, place(tick), label, role="mut", ha="right")
    xs, ys = [], []
    for x, value, low, high in zip(ledger.x, ledger.value, ledger.low, ledger.high, strict=True):
        if not np.isfinite(value):
            continue
        if np.isfinite(low) and np.isfinite(high):
            sheet.stroke([sheet.px(x)] * 2, [place(low), place(high)], "bluef", width=3.0, under=False)
        xs.append(float(x))
        ys.append(place(float(value)))
    sheet.ax.scatter(xs, ys, s=26, color=LIGHT["blue"], edgecolor=LIGHT["bg"], lw=0.8, zorder=4, clip_on=False)


def _draw_strip(ledger: Ledger, strip: Strip, sheet: Sheet, y: float, slot: float, left: float, right: float) -> float:
    """Draw one row of bars and return where the next one begins."""
    name = sheet.t(strip.name)
    if sheet.narrow:
        sheet.text(left, y + 0.5 * sheet.size * LINE, sheet.fit(name, right - left))
        y += NAME
    base = y + strip.height
    if not sheet.narrow:
        sheet.text(0, y + strip.height / 2, sheet.fit(name, left - 12))
    sheet.stroke([left, right], [base, base], "grid")
    for x, value in zip(ledger.x, strip.values, strict=True):
        if np.isfinite(value) and value > 0 and strip.full > 0:
            top = base - strip.height * min(value / strip.full, 1.0)
            sheet.stroke([sheet.px(x)] * 2, [base, top], strip.role, width=max(1.0, FILLED * slot), under=False)
    return base + GAP
