"""Against a year ago, the period before, the year to date and half-years."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.indicators.maturity.maturity_table import Maturity, add_bounds
from qbase.stats import fit_firm_likeness, newcombe_interval
from qbase.trends import estimate_change, merge_periods
from tests.unit.trends.firm_panels import ID, build, draw

QUARTERS = [f"{year}Q{q}" for year in (2023, 2024) for q in (1, 2, 3, 4)]
PASSED = dict(zip(QUARTERS, (18, 17, 16, 15, 19, 20, 18, 11), strict=True))
ROWS = [("K1", q, "F", 20, k) for q, k in PASSED.items()]
PANEL, _ = build(ROWS)


def sums(*quarters: str) -> tuple[int, int]:
    return sum(PASSED[q] for q in quarters), 20 * len(quarters)


@pytest.mark.parametrize(
    ("against", "last", "later", "earlier", "zh", "en"),
    [
        ("year_ago", None, ["2024Q4"], ["2023Q4"], "与 2023 年第 4 季度相比", "Between 2023 Q4 and 2024 Q4"),
        ("previous", None, ["2024Q4"], ["2024Q3"], "与 2024 年第 3 季度相比", "Between 2024 Q3 and 2024 Q4"),
        ("cumulative", None, QUARTERS[4:], QUARTERS[:4], "与 2023 年全年相比，2024 年全年", "the whole of 2024"),
        (
            "cumulative", "2024Q3", QUARTERS[4:7], QUARTERS[:3], "2024 年前 3 个季度累计",
            "Between Q1–Q3 of 2023 and Q1–Q3 of 2024",
        ),
        ("cumulative", "2024Q1", ["2024Q1"], ["2023Q1"], "2024 年第 1 季度", "2024 Q1"),
        ("half_year", None, QUARTERS[6:], QUARTERS[2:4], "2024 年下半年", "the second half of 2024"),
        ("half_year", "2024Q2", QUARTERS[4:6], QUARTERS[:2], "2024 年上半年", "the first half of 2024"),
    ],
)  # fmt: skip
def test_windows_are_sums_of_their_quarters(against, last, later, earlier, zh, en) -> None:
    result = estimate_change(PANEL, ID, entity="K1", against=against, last=last)
    (k1, n1), (k0, n0) = sums(*later), sums(*earlier)
    change = result["change"]
    assert change.value == pytest.approx(100 * (k1 / n1 - k0 / n0))
    low, high = newcombe_interval((k1, k0), (n1, n0))
    assert (change.ci_low, change.ci_high) == (pytest.approx(100 * low), pytest.approx(100 * high))
    assert list(result.tables["compared"]["n"]) == [n0, n1]
    assert result.settings["against"] == against
    assert zh in result.say().items[0].zh
    assert en in result.say().items[0].en
    assert any("环比" in n.zh for n in result.notes) is (against == "previous")


def test_a_gap_inside_a_window_adds_nothing_and_entities_are_summed_apart() -> None:
    rows = [row for row in ROWS if row[1] != "2024Q2"] + [("K2", "2024Q1", "G", 5, 4)]
    merged = merge_periods(build(rows)[0], "cumulative")
    counts = merged.counts(ID)
    assert counts.loc[("K1", pd.Period("2024Q2"))].tolist() == [19, 20]
    assert counts.loc[("K2", pd.Period("2024Q4"))].tolist() == [4, 5]
    assert set(merge_periods(PANEL, "half_year").data.index.get_level_values("period").quarter) == {2, 4}


def test_cells_are_summed_for_the_way_of_drawing() -> None:
    cells = pd.DataFrame(
        [("K1", pd.Period(q), s, s, n, n) for q in QUARTERS for s, n in (("random", 15 if q > "2024" else 5),
                                                                        ("directed", 5 if q > "2024" else 15))],
        columns=["entity", "period", "stratum", "sampling", "n", "k"],
    )  # fmt: skip
    panel = dataclasses.replace(PANEL, cells=cells)
    result = estimate_change(panel, ID, entity="K1", against="cumulative")
    (check,) = [c for c in result.checks if c.name == "same_sampling"]
    assert check.passed is False
    assert "25.0%, then 75.0%" in check.text.en


def test_firms_are_summed_over_the_same_window_and_years_teach_their_likeness_once() -> None:
    rows = draw(2, periods=QUARTERS, firms=8, batches=3, icc=0.3)
    panel, firms = build(rows)
    result = estimate_change(panel, ID, entity="K1", against="cumulative", last="2024Q3", firms=firms)
    told = firms.data[firms.data["period"].astype(str).str[-1] != "4"]
    yearly = told.assign(year=told["period"].dt.year).groupby(["year", "firm"], as_index=False)[["n", "k"]].sum()
    likeness = fit_firm_likeness(*(yearly[c].to_numpy() for c in ("n", "k", "year")))
    assert result.settings["firm_likeness"] == pytest.approx(likeness.mean, abs=1e-4)
    assert result.method == "firm_difference"


def test_years_have_no_quarters_to_sum_and_weights_are_not_summed() -> None:
    yearly, _ = build([("K1", str(y), "F", 20, 18) for y in (2023, 2024)], freq="A")
    assert estimate_change(yearly, ID, entity="K1", against="previous")["change"].value == 0
    for panel, against in ((yearly, "cumulative"), (PANEL, "last_month")):
        with pytest.raises(UsageError) as caught:
            estimate_change(panel, ID, entity="K1", against=against)
        assert caught.value.code == "QB527"
        assert len(str(caught.value).splitlines()) == 4
    data = PANEL.data.assign(**{f"{ID}__lo": PANEL.data[ID] - 5, f"{ID}__hi": PANEL.data[ID]})
    weighted = dataclasses.replace(PANEL, data=data, sampling="random_draw")
    with pytest.raises(DataError, match="QB528"):
        estimate_change(weighted, ID, entity="K1", against="half_year")
    with pytest.raises(DataError, match="QB502"):
        estimate_change(PANEL, ID, entity="K1", against="half_year", last="2024Q3")


def test_nothing_before_is_said_in_its_own_words() -> None:
    panel, _ = build([("K1", "2024Q4", "F", 20, 18)])
    result = estimate_change(panel, ID, entity="K1", against="previous")
    assert result.estimates == ()
    assert "不与上一期比较：2024 年第 3 季度没有抽查记录" in result.say().items[0].zh
    result = estimate_change(panel, ID, entity="K1", against="cumulative")
    assert "不与上年同期比较：2023 年全年没有抽查记录" in result.say().items[0].zh


def test_a_preliminary_quarter_keeps_its_window_from_being_compared() -> None:
    keys = pd.MultiIndex.from_product([["K1"], pd.PeriodIndex(QUARTERS, freq="Q-DEC")], names=["entity", "period"])
    waiting = [0] * 7 + [15]
    table = pd.DataFrame(
        {"n_sampled": 0, "n_tested": waiting, "n_objection": 0, "n_final": [20 - w for w in waiting],
         "k_final": [5] * 8, "unseen_count": 0}, index=keys,
    )  # fmt: skip
    young = Maturity(table=add_bounds(table), by_age=pd.DataFrame(), as_of="2025-01-15", least_share=0.95)
    result = estimate_change(PANEL, ID, entity="K1", against="cumulative", maturity=young)
    assert result["change"].key["period"] == "2024Q3"
    with pytest.raises(DataError, match="QB506"):
        estimate_change(PANEL, ID, entity="K1", against="cumulative", maturity=young, last="2024Q4")
