"""A small interval for each row of a table of estimates: all on one scale, drawn from the numbers the table carries.

Where it stands is decided here for those who draw it and for those who check a page. It is hidden from those who hear
the page: the interval is written in words in the same cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT, EDGE = 120, 12, 4
NEEDED = ("value", "ci_low", "ci_high", "unit")
DIFFERENCE = "pp"


def build_row_intervals(data: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """Build the drawing of every row.

    Parameters
    ----------
    data : mapping
        Columns value, ci_low, ci_high and unit of a table's raw values; others are not looked at.

    Returns
    -------
    tuple of str
        SVG by row, empty where a row has no interval with two ends. None at all where fewer than two rows have one, or
        where units differ: there is no common scale to compare on.

    Examples
    --------
    >>> from qbase.core.shown.row_intervals import build_row_intervals
    >>> two = {"value": [1.0, -2.0], "ci_low": [-1.0, -4.0], "ci_high": [3.0, 0.0], "unit": ["pp", "pp"]}
    >>> print(build_row_intervals(two)[0])
    <svg class="ri" viewBox="0 0 120 12" aria-hidden="true"><path class="nil" d="M68 0V12"/><path d="M52 6H116"/><circle
    cx="84" cy="6" r="3"/></svg>
    >>> build_row_intervals({**two, "unit": ["pp", "pct"]})
    ()
    """
    if not all(name in data for name in NEEDED):
        return ()
    rows = list(zip(*(data[name] for name in NEEDED[:3]), strict=True))
    is_drawn = [all(_is_number(end) for end in row) for row in rows]
    units = {unit for unit, drawn in zip(data["unit"], is_drawn, strict=True) if drawn}
    if sum(is_drawn) < 2 or len(units) != 1:
        return ()
    ends = [end for row, drawn in zip(rows, is_drawn, strict=True) if drawn for end in row]
    # what is no difference has no zero to be held against
    low, high = (min(0.0, *ends), max(0.0, *ends)) if units == {DIFFERENCE} else (min(ends), max(ends))
    scale = (WIDTH - 2 * EDGE) / (high - low) if high > low else 0.0

    def place(value: float) -> str:
        return f"{EDGE + (value - low) * scale:.1f}".removesuffix(".0")

    nil = f'<path class="nil" d="M{place(0.0)} 0V{HEIGHT}"/>' if units == {DIFFERENCE} else ""
    return tuple(_row(row, place, nil) if drawn else "" for row, drawn in zip(rows, is_drawn, strict=True))


def place_row_intervals(table: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    """Return the column of a shown table whose cells carry the drawings, and the drawing of every row.

    Parameters
    ----------
    table : mapping
        Payload of a table.

    Returns
    -------
    tuple of int and tuple of str
        −1 and no drawing where none belongs.
    """
    labels = [column["label"]["en"] for column in table["columns"]]
    at = next((i for i, label in enumerate(labels) if label == "Interval" or label.endswith("% CI")), -1)
    if table["style"] != "effects" or at < 0:
        return -1, ()
    drawn = build_row_intervals(table["data"])
    return (at, drawn) if len(drawn) == len(table["rows"]) else (-1, ())


def _row(row: Sequence[float], place: Any, nil: str) -> str:
    value, low, high = (place(end) for end in row)
    middle = HEIGHT // 2
    return (
        f'<svg class="ri" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{nil}<path d="M{low} {middle}H{high}"/>'
        f'<circle cx="{value}" cy="{middle}" r="3"/></svg>'
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
