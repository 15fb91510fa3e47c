"""Tables of two runs: rows are found again by their words, cells are compared as numbers."""

from __future__ import annotations

from typing import Any

import pytest

from qbase.core.shown.display import MIME
from qbase.reports.comparing.table_difference import compare_tables, read_bundles


def table(name: str = "t", rows: Any = (), heads: Any = ("Check", "Verdict"), **data: list[Any]) -> dict[str, Any]:
    return {
        "kind": "table",
        "name": name,
        # a notebook stores the columns of its data in the order of the alphabet
        "data": dict(sorted(data.items())),
        "rows": [[{"zh": cell, "en": cell} for cell in row] for row in rows],
        "columns": [{"label": {"zh": head, "en": head}, "numeric": False} for head in heads],
    }


def compare(before: dict[str, Any], after: dict[str, Any]) -> Any:
    (found,) = compare_tables({"t": before}, {"t": after})
    return found


def test_a_row_more_moves_no_other() -> None:
    before = table(period=["2025Q2", "2025Q3"], value=[80.0, 90.0], verdict=["up", "cannot tell"])
    after = table(period=["2025Q1", "2025Q2", "2025Q3"], value=[1.0, 80.0, 60.0], verdict=["up", "up", "down"])
    found = compare(before, after)
    assert (found.fate, found.rows_before, found.rows_after, found.appeared, found.gone) == (
        "changed", 2, 3, ("2025Q1",), ()
    )  # fmt: skip
    assert [(c.row, c.column, c.before, c.after, c.change) for c in found.cells] == [
        ("2025Q3", "value", 90.0, 60.0, -30.0), ("2025Q3", "verdict", "cannot tell", "down", None)
    ]  # fmt: skip


def test_equal_tables_are_the_same_but_for_rounding_and_for_what_they_stand_on() -> None:
    before = table(event_time=[-1, 0], value=[0.1 + 0.2, None], records_seen=[10, 10])
    after = table(event_time=[-1, 0], value=[0.3, None], records_seen=[99, 99])
    assert compare(before, after).fate == "same"
    assert compare(before, table(event_time=[-1, 0], value=[0.3, 4.0], records_seen=[99, 99])).fate == "changed"


def test_rows_of_one_name_are_compared_in_their_order() -> None:
    before = table(group=["A", "A", "B"], value=[1.0, 2.0, 3.0])
    found = compare(before, table(group=["A", "A", "B"], value=[1.0, 5.0, 3.0]))
    assert [(c.row, c.before, c.after) for c in found.cells] == [("A #2", 2.0, 5.0)]


def test_a_table_of_words_is_compared_by_its_first_column() -> None:
    before = table(rows=[("small_n", "passed"), ("maturity", "passed")])
    found = compare(before, table(rows=[("maturity", "failed"), ("small_n", "passed")]))
    assert [(c.row, c.column, c.before, c.after) for c in found.cells] == [
        ("maturity", "2 Verdict", "passed", "failed")
    ]


def test_tables_come_and_go_and_may_be_empty() -> None:
    assert compare(table(), table()).fate == "same"
    found = compare_tables({"a": table("a", period=["1"])}, {"b": table("b", rows=[("x", "y")])})
    assert [(t.name, t.fate, t.rows_before, t.rows_after) for t in found] == [
        ("b", "appeared", 0, 1),
        ("a", "gone", 0, 0),
    ]


@pytest.mark.parametrize("kind", ["figure", "table"])
def test_bundles_are_read_from_an_executed_letter(kind: str) -> None:
    inner = table("inner", value=[1.0])
    payload = inner if kind == "table" else {"kind": "figure", "name": "drawn", "table": inner}
    outputs = [{"data": {MIME: payload}}, {"output_type": "stream", "text": "x"}, {"data": {"text/plain": "y"}}]
    found = read_bundles({"cells": [{"cell_type": "markdown"}, {"outputs": outputs}]})
    assert found["inner"] == inner
    assert read_bundles({}) == {}
