"""Outside the house a withheld period is told as withheld, and never taken for one without tests."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import DataError, Indicator, Panel, Text, Withheld
from qbase.figures import plot_funnel, plot_trend, tabulate_changes
from qbase.trends import compare_peers, estimate_change, estimate_gap, estimate_level, merge_periods

RATE = Indicator(id="y", name=Text("合格率", "pass rate"), unit="pct", better="up")
NAMES = {e: Text(f"{e}镇集群", f"{e} cluster") for e in "ABCDE"}
QUARTERS = [f"{year}Q{q}" for year in (2023, 2024) for q in (1, 2, 3, 4)]


def panel_of(*hidden: tuple[str, str]) -> Panel:
    """Return five clusters of two years; each cell has counts of its own, so that one that leaks is seen."""
    rows = [(e, q, 100 + 10 * i + j, 80 + 7 * i + j) for i, e in enumerate("ABCDE") for j, q in enumerate(QUARTERS)]
    frame = pd.DataFrame(rows, columns=["cluster", "when", "y__n", "y__k"])
    frame["y"] = 100 * frame["y__k"] / frame["y__n"]
    whole = Panel.from_frame(
        frame, entity="cluster", period="when", freq="Q", indicators={"y": RATE}, labels=NAMES
    )  # fmt: skip
    keys = [(str(e), str(p)) not in hidden for e, p in whole.data.index]
    gone = Withheld(edition="cn_default-1", cells=frozenset(hidden))
    return dataclasses.replace(whole, entity="cluster_id", data=whole.data[keys], withheld=gone)


def test_a_level_says_what_is_withheld_and_its_figure_marks_it_in_the_table_alone() -> None:
    panel = panel_of(("A", "2023Q1"), ("A", "2023Q3"), ("A", "2024Q4"))
    level = estimate_level(panel, "y", entity="A")
    said = level.say().items[0]
    assert "2024 Q3" in said.en
    assert "Counts of 3 periods, the latest 2024 Q4, are withheld (…) under preset cn_default." in said.en
    assert "按披露规则 cn_default 不公开（…）" in said.zh
    assert "tested here since" not in said.en
    figure = plot_trend(level)
    rows = {str(row[0]): row for row in figure.table.rows}
    assert len(rows) == 8
    marked = [row for row in figure.table.rows if row[1] == "…"]
    assert [row[1:4] for row in marked] == [("…", "…", "…")] * 3
    assert figure.table.data["period"] == ["2023Q2", "2023Q4", "2024Q1", "2024Q2", "2024Q3"]
    assert "3 periods are withheld (…)" in figure.note.en
    assert "no data" not in figure.note.en
    assert "hold no data" not in figure.note.en
    for text in (figure.alt.en, *figure.drawings.values()):
        assert "2024 Q4" not in text


@pytest.mark.parametrize("period", ["2023Q3", "2024Q4"])
def test_a_withheld_period_is_refused_as_such(period: str) -> None:
    panel = panel_of(("A", "2023Q3"), ("A", "2024Q4"))
    with pytest.raises(DataError) as caught:
        estimate_level(panel, "y", entity="A", period=period)
    assert caught.value.code == "QB715"
    with pytest.raises(DataError) as caught:
        estimate_level(panel_of(*(("A", q) for q in QUARTERS)), "y", entity="A")
    assert caught.value.code == "QB715"
    assert "A cluster" in caught.value.what_en


def test_a_comparison_with_a_withheld_period_has_no_answer_and_says_why() -> None:
    panel = panel_of(("A", "2023Q4"))
    level, change = (f(panel, "y", entity="A") for f in (estimate_level, estimate_change))
    assert change.estimates == ()
    assert "counts of 2023 Q4 are withheld" in change.say().items[0].en
    year = estimate_change(panel, "y", entity="A", against="cumulative")
    assert year.estimates == ()
    row = tabulate_changes(level, change, year).rows[1]
    assert row[1:6] == ("…",) * 5
    assert "不公开" in row[6].zh
    with pytest.raises(DataError) as caught:
        estimate_change(panel, "y", entity="A", first="2023Q4", last="2024Q4")
    assert caught.value.code == "QB715"


@pytest.mark.parametrize("against", ["cumulative", "half_year"])
def test_a_sum_with_a_withheld_quarter_is_withheld_and_no_earlier_one_stands_for_it(against: str) -> None:
    panel = panel_of(("A", "2024Q3"))
    assert merge_periods(panel, "half_year").withheld.of("A") == ("2024Q4",)
    assert merge_periods(panel, "cumulative").withheld.of("A") == ("2024Q3", "2024Q4")
    change = estimate_change(panel, "y", entity="A", against=against)
    assert change.estimates == ()
    assert "withheld" in change.say().items[0].en
    assert "2024" in change.say().items[0].en
    assert estimate_change(panel, "y", entity="B", against=against).estimates


def test_where_every_sum_is_withheld_there_is_no_answer_though_quarters_are_shown() -> None:
    panel = panel_of(*(("A", f"{year}Q1") for year in (2023, 2024)))
    for against in ("cumulative", "half_year"):
        change = estimate_change(panel, "y", entity="A", against=against)
        assert change.estimates == () or against == "half_year"
    every_half = panel_of(*(("A", f"{year}Q{q}") for year in (2023, 2024) for q in (1, 3)))
    change = estimate_change(every_half, "y", entity="A", against="half_year")
    assert change.estimates == ()
    assert "second half of 2024" in change.say().items[0].en
    with pytest.raises(DataError, match="QB715"):
        estimate_change(every_half, "y", entity="A", against="half_year", last="2024Q3")


def test_peers_go_without_whoever_is_withheld_in_part() -> None:
    panel = panel_of(("C", "2024Q2"))
    peers = compare_peers(panel, "y")
    assert set(peers.tables["peers"]["entity"]) == set("ABDE")
    assert "C cluster" in next(c.text.en for c in peers.checks if c.name == "all_entities")
    figure = plot_funnel(peers)
    assert [row[1:6] for row in figure.table.rows if row[0] == NAMES["C"]] == [("…",) * 5]
    assert [str(row[0]) for row in figure.table.rows] == [str(NAMES[e]) for e in "ABCDE"]
    assert "C" not in figure.table.data["entity"]
    for text in (figure.alt.en, *figure.drawings.values()):
        assert "C cluster" not in text
    assert estimate_gap(panel, "y", entity="C").estimates == ()


def test_all_together_are_called_those_that_may_be_shown() -> None:
    panel = panel_of(("C", "2024Q4"))
    level = estimate_level(panel, "y")
    assert level.subject.en == "clusters whose counts may be shown"
    told = next(c.text.en for c in level.checks if c.name == "all_entities")
    assert "4 of the 5 on record were shown; missing: C cluster" in told
    change = estimate_change(panel, "y")
    assert "Shown in 2023 Q4 only: C cluster" in next(c.text.en for c in change.checks if c.name == "same_entities")
    assert estimate_level(panel_of(), "y").subject.en == "all clusters"
