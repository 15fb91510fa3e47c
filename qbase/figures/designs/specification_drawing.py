"""How a specification curve is drawn: estimates in order of size, and below each what it assumes."""

from __future__ import annotations

import dataclasses

from qbase.core.numbers import number
from qbase.core.results.result import Result
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text
from qbase.core.values import Estimate
from qbase.figures.surface.canvas import Sheet
from qbase.figures.surface.figure_words import axis_unit
from qbase.figures.surface.period_axis import number_ticks, tick_digits

ROW, ROW_NARROW = 24, 22
CURVE, CURVE_NARROW = 250, 220
TOP, FOOT = 30.0, 14.0


@dataclasses.dataclass(frozen=True, eq=False)
class Specification:
    """One estimate, and the assumptions it makes: kind of assumption -> its choice."""

    result: Result
    estimate: Estimate
    choices: dict[str, Text]


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """Specifications in order of their estimates, and the rows of the grid.

    Parameters
    ----------
    items : tuple of Specification
    rows : tuple of (str, Text)
        Kind of assumption and one choice; choices of a kind stand together.
    """

    items: tuple[Specification, ...]
    rows: tuple[tuple[str, Text], ...]


def height_of(curve: Curve, narrow: bool) -> int:
    """Return the height of a drawing in pixels."""
    row, head = (ROW_NARROW, CURVE_NARROW) if narrow else (ROW, CURVE)
    kinds = len({kind for kind, _ in curve.rows})
    return int(head + FOOT + row * len(curve.rows) + 8 * kinds + FOOT)


def draw_curve(curve: Curve, sheet: Sheet) -> None:
    """Draw one variant."""
    head = float(CURVE_NARROW if sheet.narrow else CURVE)
    labels = [sheet.t(text) for _, text in curve.rows]
    left = min(max(map(sheet.wide, labels)) + 14, sheet.width * (0.5 if sheet.narrow else 0.4))
    right = sheet.width - 8.0
    values = [0.0]
    for item in curve.items:
        e = item.estimate
        values += [v for v in (e.value, e.ci_low, e.ci_high) if v is not None]
    ticks = number_ticks(min(values), max(values))
    digits = tick_digits(ticks)
    low, high = min(ticks[0], *values), max(ticks[-1], *values)
    sheet.frame(left=left, top=TOP, right=right, bottom=head, x=(-0.6, len(curve.items) - 0.4), y=(low, high))
    unit = axis_unit(curve.items[0].result.unit)
    title = Text("估计值" + (f"（{unit.zh}）" if unit.zh else ""), "Estimate" + (f" ({unit.en})" if unit.en else ""))
    sheet.y_axis(ticks, [number(t, digits) for t in ticks], "")
    sheet.x_labels([], [])
    sheet.text(left, TOP - 11, sheet.t(title), role="mut", va="baseline")
    zero = sheet.py(0)
    sheet.stroke([left, right], [zero, zero], "ink", width=1.3)
    for i, item in enumerate(curve.items):
        _draw_estimate(sheet, i, item.estimate)
    _draw_grid(curve, sheet, labels, left, right, head + FOOT)


def _draw_estimate(sheet: Sheet, i: int, e: Estimate) -> None:
    role = "grey" if e.covers_zero else "blue"
    has_interval = False
    if e.ci_low is not None and e.ci_high is not None:
        has_interval = True
        sheet.ax.vlines([i], [e.ci_low], [e.ci_high], color=LIGHT[role], lw=3.0, zorder=3, clip_on=False)
    sheet.ax.scatter(
        [i], [e.value], s=64, facecolor=LIGHT[role] if has_interval else LIGHT["bg"],
        edgecolor=LIGHT["bg"] if has_interval else LIGHT[role], lw=1.4, zorder=4, clip_on=False,
    )  # fmt: skip


def _draw_grid(curve: Curve, sheet: Sheet, labels: list[str], left: float, right: float, top: float) -> None:
    """Draw one line for each choice, with a filled square where an estimate makes it."""
    row = float(ROW_NARROW if sheet.narrow else ROW)
    y, before = top, ""
    half = 4.5
    for (kind, choice), label in zip(curve.rows, labels, strict=True):
        y += 8 if kind != before else 0
        before, middle = kind, y + row / 2
        sheet.text(0, middle, sheet.fit(label, left - 14), role="mut")
        sheet.stroke([left, right], [middle, middle], "grid")
        for i, item in enumerate(curve.items):
            x = sheet.px(i)
            is_made = item.choices.get(kind) == choice
            if is_made:
                sheet.stroke([x - half, x + half], [middle, middle], "ink", width=2 * half, under=False)
        y += row
