"""Small intervals in the rows of a table: on one scale, or none at all."""

from __future__ import annotations

import re
from typing import Any

from qbase.core.shown.row_intervals import build_row_intervals, place_row_intervals

ROWS: dict[str, list[Any]] = {
    "value": [1.6, -0.4, None, 2.0],
    "ci_low": [1.0, -1.4, None, 1.0],
    "ci_high": [2.2, 0.6, None, float("inf")],
    "unit": ["pp"] * 4,
}


def numbers(svg: str) -> list[float]:
    nil, line, dot = re.findall(r'd="M([\d.]+) 0V|d="M([\d.]+) 6H([\d.]+)"|cx="([\d.]+)"', svg)
    return [float(nil[0]), float(line[1]), float(line[2]), float(dot[3])]


def test_rows_share_a_scale_and_their_zero() -> None:
    first, second, unanswered, endless = build_row_intervals(ROWS)
    assert (unanswered, endless) == ("", "")
    here, there = numbers(first), numbers(second)
    assert here[0] == there[0]
    per_point = (here[2] - here[1]) / 1.2
    for (nil, low, high, dot), at in ((here, 0), (there, 1)):
        for place, end in ((low, ROWS["ci_low"][at]), (high, ROWS["ci_high"][at]), (dot, ROWS["value"][at])):
            assert abs(place - nil - per_point * end) < 0.15
    assert min(there[1], here[0]) == 4.0
    assert here[2] == 116.0


def test_nothing_is_drawn_where_nothing_can_be_compared() -> None:
    assert build_row_intervals({**ROWS, "unit": ["pp", "pct", "pp", "pp"]}) == ()
    assert build_row_intervals({name: values[:1] for name, values in ROWS.items()}) == ()
    assert build_row_intervals({"value": [1.0, 2.0]}) == ()
    levels = build_row_intervals({**ROWS, "unit": ["pct"] * 4})
    assert "nil" not in levels[0], "a level is held against no zero"


def test_only_tables_of_effects_with_a_column_of_intervals_carry_them() -> None:
    columns = [{"label": {"zh": "项", "en": "Item"}}, {"label": {"zh": "95% CI", "en": "95% CI"}}]
    table = {"columns": columns, "style": "effects", "data": ROWS, "rows": [[]] * 4}
    assert place_row_intervals(table)[0] == 1
    assert place_row_intervals({**table, "style": "data"}) == (-1, ())
    assert place_row_intervals({**table, "rows": [[]] * 3}) == (-1, ())
    assert place_row_intervals({**table, "columns": columns[:1]}) == (-1, ())
