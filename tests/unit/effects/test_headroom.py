"""Headroom before a verdict: no grade where the data cannot decide, and no effect only by two one-sided tests."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from qbase.core import CheckResult, Estimate, Indicator, Margin, Result, Text, UsageError, add_checks
from qbase.core.results.sentences import direction_of, grade_of, withheld
from qbase.effects import add_margin, check_headroom, estimate_headroom
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.judging.headroom import largest_gain, treated_counterfactual
from qbase.figures.surface.figure_words import verdict
from qbase.stats import minimum_detectable_effect

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
MARGIN = Margin(value=2.0, source=Text("评价方案", "evaluation plan"), declared_on="2022-05-01")
GOOD = CheckResult(name="placebo_in_time", passed=True, text=Text("好", "good"))


def effect(value: float, error: float, *, df: int = 23, outcome: Indicator = RATE, **parts) -> Result:
    half = minimum_detectable_effect(error, df=df, power=0.5)
    att = Estimate(
        term="att", value=value, std_error=error, ci_low=value - half, ci_high=value + half, n_clusters=df + 1
    )
    parts = {"estimates": (att,), **parts}
    return Result(
        estimand="effect", outcome=outcome, unit="pp", method="staggered",
        subject=Text("采用政策的集群", "treated clusters"), **parts,
    )  # fmt: skip


def test_a_cluster_at_93_percent_cannot_gain_what_could_be_found() -> None:
    check = check_headroom(effect(9.0, 3.0), counterfactual=93.0)
    assert check.passed is False
    assert "现有数据不足以判断" in check.text.zh
    assert "the data cannot decide" in check.text.en.lower()
    assert check.table["largest"][0] == pytest.approx(7.0)


def test_a_result_that_cannot_decide_has_no_grade_and_no_verdict_even_off_zero() -> None:
    result = effect(9.0, 3.0)
    assert result.say().grades == ("strong",)
    judged = add_checks(result, GOOD, check_headroom(result, counterfactual=93.0))
    said = judged.say()
    assert said.grades == (None,)
    assert grade_of(judged, judged["att"]) is None
    assert "现有数据不足以判断" in said.items[0].zh
    assert "the data cannot decide" in said.items[0].en
    assert "证据" not in said.items[0].zh
    assert "rose" not in said.items[0].en
    assert verdict(judged, judged["att"]).en == "The data cannot decide"


def test_enough_headroom_leaves_the_verdict_alone() -> None:
    result = effect(9.0, 2.0)
    judged = add_checks(result, check_headroom(result, counterfactual=70.0))
    assert (withheld(judged), judged.say().grades) == (None, ("strong",))


def test_a_gain_that_matters_but_need_not_be_found_is_said_without_failing() -> None:
    check = check_headroom(effect(9.0, 2.0), counterfactual=70.0, smallest_that_matters=MARGIN)
    assert check.passed is None
    assert "need not be found" in check.text.en
    assert check_headroom(effect(9.0, 0.5), counterfactual=70.0, smallest_that_matters=2.0).passed is True


def test_no_interval_means_nothing_can_be_found() -> None:
    bare = Estimate(term="att", value=5.0, n_treated=2, uncertainty="none_too_few")
    check = check_headroom(effect(5, 1, estimates=(bare,)), counterfactual=60.0)
    assert check.passed is False
    assert "No interval" in check.text.en or "no interval" in check.text.en


def test_an_interval_without_standard_error_gives_the_detectable_effect_by_its_width() -> None:
    bare = Estimate(term="att", value=5.0, ci_low=5 - 1.959964, ci_high=5 + 1.959964, uncertainty="randomisation")
    room = estimate_headroom(effect(5, 1, estimates=(bare,)), counterfactual=60.0)
    assert room.detectable == pytest.approx(2.801585, abs=1e-5)


def test_degrees_of_freedom_the_result_states_come_before_clusters() -> None:
    stated = estimate_headroom(effect(5, 1, settings={"df": 3}), counterfactual=60.0)
    assert stated.detectable == pytest.approx(minimum_detectable_effect(1.0, df=3))


def test_the_counterfactual_comes_from_the_path_since_the_first_adoption() -> None:
    paths = pd.DataFrame({"period": ["2022Q1", "2022Q2", "2022Q3", "2022Q4"], "treated_mean": [80.0, 82.0, 90.0, 92.0]})
    cohort = Estimate(term="cohort", key={"adopted": "2022Q3"}, value=6, ci_low=5, ci_high=7)
    result = effect(6.0, 1.0, tables={"paths": paths})
    assert estimate_headroom(result).counterfactual == pytest.approx(86.0)
    result = dataclasses.replace(result, estimates=(*result.estimates, cohort))
    assert estimate_headroom(result).counterfactual == pytest.approx(85.0)


def test_the_counterfactual_of_a_grid_is_the_treated_mean_less_the_effect() -> None:
    y = np.array([[80.0, 90.0, np.nan], [70.0, 72.0, 75.0], [60.0, 61.0, 65.0]])
    grid = OutcomeGrid(
        indicator=RATE, freq="Q", entities=("a", "b", "c"), first=0, y=y, n=None, k=None,
        start=np.array([1.0, 2.0, np.nan]), weight=np.array([1.0, 3.0, 1.0]), cluster=np.arange(3),
    )  # fmt: skip
    assert treated_counterfactual(grid, 5.0) == pytest.approx((90 + 3 * 75) / 4 - 5)


@pytest.mark.parametrize(
    ("better", "bounds", "unit", "gain"),
    [("up", None, "pct", 7.0), ("down", None, "pct", 93.0), ("up", None, "index", None), ("none", None, "pct", None),
     ("up", (0, 95), "index", 2.0)],
)  # fmt: skip
def test_the_largest_gain_follows_direction_and_bounds(better, bounds, unit, gain) -> None:
    outcome = Indicator(id="x", name=Text("x", "x"), unit=unit, better=better, bounds=bounds)
    assert largest_gain(outcome, 93.0) == gain


def test_no_effect_that_matters_needs_a_dated_margin_and_its_90_percent_interval() -> None:
    result = effect(0.3, 0.9)
    assert "cannot tell" in result.say().items[0].en
    plain = dataclasses.replace(result, settings={"margin": 2.0})
    assert direction_of(plain["att"], 2.0) == "cannot_tell"
    dated = add_margin(result, MARGIN)
    assert direction_of(dated["att"], 2.0) == "little"
    said = dated.say().items[0]
    assert "没有要紧的效果" in said.zh
    assert "评价方案" in said.zh
    assert "2022-05-01" in said.zh
    assert "no effect that matters" in said.en
    assert "evaluation plan" in said.en
    json.dumps(dict(dated.settings))
    json.dumps(dated["att"].payload())


def test_two_one_sided_tests_hold_their_size_at_the_margin() -> None:
    draws = 2.0 + np.random.default_rng(2).normal(size=4_000) * 0.7
    found = [direction_of(add_margin(effect(v, 0.7, df=500), MARGIN)["att"], 2.0) == "little" for v in draws[:1500]]
    assert np.mean(found) == pytest.approx(0.05, abs=0.015)


def test_a_wide_interval_is_never_no_effect() -> None:
    assert direction_of(add_margin(effect(0.0, 1.3), MARGIN)["att"], 2.0) == "cannot_tell"


def test_between_decision_dates_there_is_no_conclusion() -> None:
    waiting = CheckResult(name="decision_date", passed=False, text=Text("未到", "not yet"))
    said = add_checks(effect(9.0, 2.0), waiting).say()
    assert said.grades == (None,)
    assert "监测，不作结论" in said.items[0].zh
    assert "monitoring, no conclusion" in said.items[0].en


@pytest.mark.parametrize(
    ("value", "day", "code"), [(0, "2022-05-01", "QB507"), (math.inf, "2022-05-01", "QB507"), (1, "2022", "QB148")]
)
def test_a_margin_without_size_or_day_is_refused(value, day, code) -> None:
    with pytest.raises(UsageError) as caught:
        Margin(value=value, source=Text("a", "b"), declared_on=day)
    assert caught.value.code == code
