"""A window cut from a whole series is that window counted for itself, to the last companion and lost record."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest

from qbase.indicators import build_panel, read_firm_counts
from qbase.indicators.cells.inspection_window import open_rows
from qbase.indicators.whole_series import WholeSeries, open_series
from qbase.lake import Workspace

WINDOWS: dict[str, tuple[tuple[str | None, str | None], ...]] = {
    "Q": ((None, None), ("2019Q1", None), (None, "2018Q3"), ("2025Q4", "2025Q4")),
    "H": (("2018H2", "2024H1"),),
    "A": ((None, "2020"), ("2023", "2023")),
}
SERIES = [
    ("D1.batch", "cluster_id", "Q"),
    ("D1.firm", "cluster_id", "A"),
    ("D1.batch", "town_code", "H"),
    ("D1.batch", "firm_id", "A"),
]


def assert_same(cut: Any, counted: Any) -> None:
    for field in dataclasses.fields(counted):
        one, other = getattr(cut, field.name), getattr(counted, field.name)
        if isinstance(other, pd.DataFrame):
            pd.testing.assert_frame_equal(one, other)
        elif field.name == "coverage":
            assert dataclasses.asdict(one) == dataclasses.asdict(other)
        else:
            assert one == other, field.name


@pytest.mark.parametrize(("indicator", "entity", "freq"), SERIES, ids=lambda word: word)
def test_a_window_cut_is_the_window_counted(demo_lake: Workspace, indicator: str, entity: Any, freq: Any) -> None:
    series = open_series(demo_lake, indicator, entity=entity, freq=freq)
    assert series is not None
    told = set()
    for first, last in WINDOWS[freq]:
        asked: dict[str, Any] = {"entity": entity, "freq": freq, "first": first, "last": last}
        found = series.cut(open_rows(demo_lake, snapshot=None, **asked))
        assert found is not None
        panel, firms = found
        counted = build_panel(demo_lake, indicator, **asked)
        assert_same(panel, counted)
        assert counted.coverage is not None
        told |= set(counted.coverage.fates)
        behind = read_firm_counts(demo_lake, indicator, **asked)
        assert (firms is None) == (behind is None)
        if firms is not None:
            assert_same(firms, behind)
    assert {"counted", "outside", "recheck"} <= told, "the windows hold what an account is about"


def test_records_of_a_delivery_wholly_outside_and_those_of_no_firm_are_placed(demo_lake: Workspace) -> None:
    series = open_series(demo_lake, "D1.batch", entity="cluster_id", freq="Q")
    assert series is not None
    lost = pd.DataFrame({"period": [pd.Timestamp("2024-04-01").date()], "fate": ["no_firm"], "n": [3]})
    more = pd.DataFrame({"delivery": ["late"] * 2, "period": [lost["period"][0], None], "fate": [7, 0], "n": [3, 2]})
    aside = pd.DataFrame({"sha256": ["late"], "quarantined": [5]})
    plain = pd.concat([series.plain, more.astype({"fate": series.plain["fate"].dtype})], ignore_index=True)
    grown = dataclasses.replace(series, plain=plain, lost=lost, set_aside=aside)

    def fates(one: WholeSeries, first: str) -> dict[str, int]:
        rows = open_rows(demo_lake, entity="cluster_id", freq="Q", snapshot=None, first=first, last="2024Q4")
        found = one.cut(rows)
        assert found is not None
        assert found[0].coverage is not None
        return dict(found[0].coverage.fates)

    for first, more_of in (
        ("2024Q1", {"no_firm": 3, "quarantined": 5, "no_date": 2}),
        ("2024Q3", {"outside": 8, "no_date": 2}),
    ):
        before = fates(dataclasses.replace(series, set_aside=aside[:0], lost=lost[:0]), first)
        after = fates(grown, first)
        assert {fate: n - before.get(fate, 0) for fate, n in after.items() if n != before.get(fate, 0)} == more_of


def test_what_rests_on_more_than_its_own_period_is_not_cut(demo_lake: Workspace) -> None:
    assert open_series(demo_lake, "D1.rejudged", entity="cluster_id", freq="Q") is None


def test_an_empty_window_is_left_to_who_says_why(demo_lake: Workspace) -> None:
    series = open_series(demo_lake, "D1.batch", entity="cluster_id", freq="Q")
    assert series is not None
    rows = open_rows(demo_lake, entity="cluster_id", freq="Q", snapshot=None, first="2031Q1", last="2031Q4")
    assert series.cut(rows) is None
