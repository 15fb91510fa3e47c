"""The table of what was said last time: both numbers, both periods, one word; words in both languages."""

from __future__ import annotations

from typing import Any

from qbase.core import Estimate, Indicator, LastResults, Result, Text, compare_last
from qbase.core.results.records import build_record
from qbase.figures import tabulate_last

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")


def change(value: float, half: float, period: str) -> Result:
    estimate = Estimate(
        term="change", value=value, ci_low=value - half, ci_high=value + half, key={"first": "2024Q2", "period": period}
    )
    settings = {"against": "year_ago", "first": "2024Q2", "last": period}
    known: dict[str, Any] = {"estimand": "change", "outcome": RATE, "unit": "pp", "method": "newcombe"}
    return Result(estimates=(estimate,), subject=Text("甲", "A"), settings=settings, **known)


def test_the_table_shows_both_numbers_and_how_the_verdict_turned() -> None:
    last = LastResults(run_id="R1", slot="2025-07-01", snapshot="S1", document=build_record([change(-4, 5, "2025Q2")]))
    table = tabulate_last(compare_last(last, change(-12, 5, "2025Q2")))
    (row,) = table.rows
    assert [cell if isinstance(cell, str) else cell.en for cell in row] == [
        "Change of the pass rate (on a year ago)",
        "−12.0 pp (−17.0 to −7.0)",
        "−4.0 pp (−9.0 to 1.0)",
        "2024Q2→2025Q2",
        "beyond the interval of last time; cannot tell → down",
    ]
    assert isinstance(row[-1], Text)
    assert row[-1].zh == "越出上次的区间；看不出升降 → 下降"
    assert table.data["state"] == ["moved"]
    assert table.note is not None
    assert {len(column) for column in table.data.values()} == {1}
    later = tabulate_last(compare_last(last, change(-12, 5, "2025Q3"))).rows[0]
    assert later[3] == "2024Q2→2025Q2 / 2024Q2→2025Q3"
    assert isinstance(later[-1], Text)
    assert later[-1].en == "another period, another verdict: down"


def test_without_an_earlier_edition_the_one_row_says_so() -> None:
    table = tabulate_last(compare_last(LastResults(), change(-4, 5, "2025Q2")))
    assert len(table.rows) == 1
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert (table.data, table.note) == ({}, None)
