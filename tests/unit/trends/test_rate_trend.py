"""The trend of a rate: what it finds, what it refuses, what it says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core import Margin, Panel, Text
from qbase.core.errors import DataError, PanelError
from qbase.figures import tabulate_checks, tabulate_estimates
from qbase.trends import estimate_trend, judge_change
from tests.unit.trends.firm_panels import ID, build, draw

QUARTERS = [f"{y}Q{q}" for y in range(2016, 2022) for q in (1, 2, 3, 4)]
YEARS = [str(y) for y in range(2014, 2024)]
SEASON = np.array([0.03, 0.0, 0.0, -0.05])
RISING = [0.70 + 0.02 * i / 4 for i in range(24)]


def one(rates: list[float], periods: list[str] = QUARTERS, n: int = 2000, entity: str = "K1") -> list[tuple]:
    return [(entity, p, f"{entity}F", n, round(n * r)) for p, r in zip(periods, rates, strict=True)]


def panel_of(rows: list[tuple], freq: str = "Q") -> Panel:
    return build(rows, freq=freq)[0]


def check(result, name: str):
    (found,) = [c for c in result.checks if c.name == name]
    return found


def test_a_steady_rise_is_two_points_a_year() -> None:
    result = estimate_trend(panel_of(one(RISING)), ID, entity="K1")
    e = result["trend"]
    assert e.value == pytest.approx(2.0, abs=0.06)
    assert e.ci_low < 2.0 < e.ci_high
    assert (e.key["since"], e.key["until"]) == ("2016Q1", "2021Q4")
    assert judge_change(result) == "improving"
    said = result.say().items[0]
    assert said.zh.startswith("2016 年第 1 季度至 2021 年第 4 季度，K1 的批次合格率可能提高，估计为 2.00 个百分点/年")
    assert said.en.startswith("From 2016 Q1 to 2021 Q4 the batch pass rate of K1 probably rose, by an estimated 2.00 ")
    assert "percentage points a year (95% CI" in said.en
    assert said.en.endswith("Verdict: improving.")
    fitted = result.tables["fitted"]
    assert list(fitted.columns) == ["period", "n", "k", "rate_pct", "fitted_pct", "ci_low", "ci_high"]
    assert ((fitted["ci_low"] < fitted["fitted_pct"]) & (fitted["fitted_pct"] < fitted["ci_high"])).all()
    assert "pp a year" in repr(tabulate_estimates(result))
    assert "Spread around the trend" in repr(tabulate_checks(result))


def test_the_season_is_taken_out_where_it_was_seen_twice() -> None:
    seasonal = [r + float(SEASON[i % 4]) for i, r in enumerate(RISING)]
    result = estimate_trend(panel_of(one(seasonal)), ID, entity="K1")
    assert result.settings["has_season"] is True
    assert result["trend"].value == pytest.approx(2.0, abs=0.1)
    assert list(result.tables["coefficients"]["term"]) == ["constant", "year", "quarter_2", "quarter_3", "quarter_4"]
    assert check(result, "trend_spread").passed is True
    short = estimate_trend(panel_of(one(seasonal)), ID, entity="K1", first="2020Q3", last="2021Q4")
    assert short.settings["has_season"] is False
    assert any("季节" in n.zh for n in short.notes)
    # a window that starts and ends elsewhere in the year does not bend it
    part = estimate_trend(panel_of(one(seasonal)), ID, entity="K1", first="2016Q4", last="2021Q1")
    assert part["trend"].value == pytest.approx(2.0, abs=0.15)


def test_too_few_periods_are_refused_with_four_lines() -> None:
    panel = panel_of(one(RISING[:5], QUARTERS[:5]))
    assert estimate_trend(panel, ID, entity="K1")["trend"].value > 0
    for window in ({"first": "2016Q2"}, {"first": "2018Q1"}):
        with pytest.raises(DataError) as caught:
            estimate_trend(panel, ID, entity="K1", **window)
        assert caught.value.code == "QB529"
        assert len(str(caught.value).splitlines()) == 4


def test_a_panel_of_few_periods_leaves_a_letter_without_a_trend_not_without_a_page() -> None:
    result = estimate_trend(panel_of(one(RISING[:4], QUARTERS[:4])), ID, entity="K1")
    assert result.estimates == ()
    assert result.say().items[0].zh == "K1 的批次合格率只有 4 期，至少 5 期才能估计趋势。"
    assert "a trend takes at least 5" in result.say().items[0].en


def test_shrunk_values_are_refused() -> None:
    with pytest.raises(PanelError, match="QB125"):
        estimate_trend(dataclasses.replace(panel_of(one(RISING)), shrunk=(ID,)), ID, entity="K1")


@pytest.mark.parametrize("rates", [[1.0] * 24, [0.0] * 24, [0.9] + [1.0] * 23, [1.0] * 23 + [0.5]])
def test_where_nearly_all_passed_there_is_no_slope_and_it_is_said(rates) -> None:
    result = estimate_trend(panel_of(one(rates, n=20)), ID, entity="K1")
    assert result.estimates == ()
    assert judge_change(result) == "cannot_tell"
    assert "斜率无法估计" in result.say().items[0].zh
    assert "cannot be estimated" in result.say().items[0].en


def test_a_quarter_that_passed_throughout_leaves_the_season_in() -> None:
    rates = [1.0 if q.endswith("Q1") else 0.8 for q in QUARTERS]
    result = estimate_trend(panel_of(one(rates, n=30)), ID, entity="K1")
    assert result.settings["has_season"] is False
    assert abs(result["trend"].value) < 3


def test_periods_that_vary_more_than_chance_widen_it_and_fail_the_check() -> None:
    rng = np.random.default_rng(4)
    noisy = [r + e for r, e in zip(RISING, rng.normal(0, 0.04, 24), strict=True)]
    quiet, loud = (estimate_trend(panel_of(one(r)), ID, entity="K1") for r in (RISING, noisy))
    assert check(quiet, "trend_spread").passed is True
    assert check(loud, "trend_spread").passed is False
    assert loud["trend"].std_error > 2.5 * quiet["trend"].std_error
    assert loud.settings["dispersion"] > 6
    assert quiet.settings["dispersion"] < 1


def test_a_bend_and_gaps_fail_their_checks() -> None:
    bent = [0.70 + 0.15 * np.sin(np.pi * i / 23) for i in range(24)]
    result = estimate_trend(panel_of(one(bent)), ID, entity="K1")
    assert check(result, "trend_shape").passed is False
    assert check(estimate_trend(panel_of(one(RISING)), ID, entity="K1"), "trend_shape").passed is True
    few = [row for i, row in enumerate(one(RISING)) if i % 3 != 1]
    assert check(estimate_trend(panel_of(few), ID, entity="K1"), "trend_gaps").passed is False
    whole = [row for i, row in enumerate(one(RISING)) if i != 5]
    assert check(estimate_trend(panel_of(whole), ID, entity="K1"), "trend_gaps").passed is None
    assert check(estimate_trend(panel_of(one(RISING, n=10)), ID, entity="K1"), "small_n").passed is True
    rare = estimate_trend(panel_of(one([0.95, 1.0] * 5, YEARS, n=20), "A"), ID, entity="K1")
    assert check(rare, "small_n").passed is False


def test_neither_order_of_rows_nor_names_of_firms_matter_and_firms_are_named() -> None:
    rows = draw(8, periods=YEARS, firms=12, batches=5, icc=0.3)
    panel, firms = build(rows, freq="A")
    other, _ = build(rows[::-1], freq="A")
    renamed = dataclasses.replace(firms, data=firms.data.assign(firm="Z" + firms.data["firm"].str[::-1])[::-1])
    ours = estimate_trend(panel, ID, entity="K1", firms=firms)
    theirs = estimate_trend(other, ID, entity="K1", firms=renamed)
    columns = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]
    assert np.allclose(ours.tidy()[columns], theirs.tidy()[columns], rtol=1e-9)
    assert ours.method == "firm_trend"
    assert any("12 家企业聚类" in n.zh for n in ours.notes)
    assert check(ours, "trend_firms").passed is True
    few = build(draw(8, periods=YEARS, firms=6, batches=5), freq="A")
    assert check(estimate_trend(few[0], ID, entity="K1", firms=few[1]), "trend_firms").passed is False
    plain = estimate_trend(panel, ID, entity="K1")
    assert plain.method == "binomial_trend"
    assert plain["trend"].value == pytest.approx(ours["trend"].value)
    assert any("未给出企业" in n.zh for n in plain.notes)


def test_the_same_rise_ten_times_as_many_batches_is_known_better() -> None:
    small, large = (estimate_trend(panel_of(one(RISING, n=n)), ID, entity="K1")["trend"] for n in (200, 2000))
    assert large.value == pytest.approx(small.value, abs=0.1)
    assert small.std_error / large.std_error == pytest.approx(10**0.5, rel=0.02)


def test_a_pooled_trend_against_that_inside_the_entities_fails() -> None:
    # both rise by a point a year; batches move from the good one to the bad one
    good, bad = ([r0 + 0.01 * i for i in range(10)] for r0 in (0.85, 0.50))
    rows = [("A", y, "a", 1000 - 90 * i, round((1000 - 90 * i) * good[i])) for i, y in enumerate(YEARS)]
    rows += [("B", y, "b", 100 + 90 * i, round((100 + 90 * i) * bad[i])) for i, y in enumerate(YEARS)]
    result = estimate_trend(panel_of(rows, "A"), ID)
    assert result["trend"].ci_high < 0
    assert check(result, "within_entities").passed is False
    assert result.grade == "limited"
    both = [*one(good, YEARS, 500, "A"), *one(bad, YEARS, 500, "B")]
    agreed = estimate_trend(panel_of(both, "A"), ID)
    assert check(agreed, "within_entities").passed is True
    assert agreed.grade == "moderate"


def test_a_weighted_panel_is_fitted_by_its_effective_numbers() -> None:
    panel = panel_of(one([0.70 + 0.02 * i for i in range(10)], YEARS), "A")
    data = panel.data.assign(**{f"{ID}__lo": panel.data[ID] - 5, f"{ID}__hi": panel.data[ID] + 5})
    weighted = dataclasses.replace(panel, data=data.assign(**{f"{ID}__n_eff": 300.0}), sampling="random_draw")
    result = estimate_trend(weighted, ID, entity="K1")
    assert (result.method, result.unit) == ("design_trend", "pp_per_year")
    assert result["trend"].value == pytest.approx(2.0)
    assert check(result, "same_sampling").passed is True
    assert result.say().grades == ("strong",)
    # without effective numbers their size comes from the intervals
    bare = estimate_trend(dataclasses.replace(weighted, data=data), ID, entity="K1")
    assert bare["trend"].value == pytest.approx(2.0)
    two = build([*one(RISING), *one(RISING, entity="K2")])[0]
    columns = {f"{ID}__lo": two.data[ID] - 1, f"{ID}__hi": two.data[ID] + 1}
    pooled = dataclasses.replace(two, data=two.data.assign(**columns), sampling="random_draw")
    with pytest.raises(DataError, match="QB505"):
        estimate_trend(pooled, ID)


def test_a_flat_trend_is_steady_within_a_dated_margin() -> None:
    margin = Margin(value=0.5, source=Text("方案", "the plan"), declared_on="2022-05-01")
    result = estimate_trend(panel_of(one([0.9] * 24)), ID, entity="K1", margin=margin)
    assert judge_change(result) == "steady"
    assert result.say().items[0].zh.endswith("判断：持平。")
    assert check(result, "steady_power").passed is None


def test_halves_drawn_otherwise_fail_the_check_of_sampling() -> None:
    panel = panel_of(one(RISING))
    cells = pd.DataFrame(
        [("K1", pd.Period(q), s, s, 1000 + d * (200 if q >= "2019" else -200))
         for q in QUARTERS for s, d in (("random", 1), ("directed", -1))],
        columns=["entity", "period", "stratum", "sampling", "n"],
    )  # fmt: skip
    found = check(estimate_trend(dataclasses.replace(panel, cells=cells), ID, entity="K1"), "same_sampling")
    assert found.passed is False
    assert "40.0%, then 60.0%" in found.text.en
    assert check(estimate_trend(panel, ID, entity="K1"), "same_sampling").passed is None
