"""Settings against the locked plan, and words between the dates of decision."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import Estimate, Indicator, Panel, Plan, Result, Text, add_checks
from qbase.effects import check_as_planned, check_decision_date, grade_evidence
from qbase.effects.credibility.planned_looks import level_of_look
from qbase.stats import decision_levels

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
DATES = ("2023-03-31", "2024-03-31", "2025-03-31")
PLAN = Plan(
    outcome="D1.batch", population="all", weight="equal", window="all", comparator="never treated",
    inference="permutation", post_hoc=False, decision_dates=DATES,
)  # fmt: skip
DONE = {
    "weight": "equal", "population": "all", "window": "all", "comparator": "never_treated", "inference": "permutation",
}  # fmt: skip


def effect(level: float = 0.95, **settings) -> Result:
    att = Estimate(term="att", value=6.0, std_error=1.0, ci_low=3.0, ci_high=9.0, n_treated=8, ci_level=level)
    return Result(
        estimand="effect", outcome=RATE, unit="pp", method="staggered", estimates=(att,),
        subject=Text("集群", "clusters"), settings={**DONE, **settings},
    )  # fmt: skip


def panel_to(last: str) -> Panel:
    periods = pd.period_range("2020Q1", last, freq="Q")
    index = pd.MultiIndex.from_product([["K1"], periods], names=["entity", "period"])
    data = pd.DataFrame({"D1.batch": 90.0}, index=index)
    return Panel(data=data, entity="cluster_id", freq="Q", indicators={"D1.batch": RATE})


def test_what_was_planned_and_done_passes() -> None:
    check = check_as_planned(effect(), PLAN)
    assert check.passed is True
    assert check.text.en == "Agrees with the locked plan."


@pytest.mark.parametrize(
    ("settings", "zh", "en"),
    [
        ({"weight": "n"}, "权重为 n，方案为 equal", "weight n where equal was planned"),
        ({"inference": "CRV3"}, "推断方法为 CRV3", "inference CRV3 where permutation"),
        ({"comparator": "not_yet_treated"}, "对照为 not_yet_treated", "comparator not_yet_treated"),
    ],
)
def test_what_differs_from_the_plan_is_said_and_lowers_the_grade(settings, zh, en) -> None:
    result = effect(**settings)
    check = check_as_planned(result, PLAN)
    assert check.passed is False
    assert zh in check.text.zh
    assert en in check.text.en
    assert grade_evidence(result, [check], PLAN) == "moderate"


def test_another_outcome_is_another_question() -> None:
    assert check_as_planned(effect(), dataclasses.replace(PLAN, outcome="D1.firm")).passed is False


def test_sentences_of_a_plan_are_left_to_a_person() -> None:
    plan = dataclasses.replace(PLAN, population="all clusters of the same product")
    check = check_as_planned(effect(), plan)
    assert check.passed is None
    assert "population" in check.text.en


def test_without_a_plan_nothing_was_set_before() -> None:
    assert check_as_planned(effect(), None).passed is None
    assert "事后设定" in check_as_planned(effect(), dataclasses.replace(PLAN, post_hoc=True)).text.zh


@pytest.mark.parametrize(("last", "passed"), [("2022Q4", False), ("2023Q1", True), ("2023Q3", False), ("2025Q1", True)])
def test_only_data_that_end_on_a_declared_date_are_judged(last: str, passed: bool) -> None:
    assert check_decision_date(panel_to(last), PLAN).passed is passed


def test_between_the_dates_the_words_are_monitoring_and_the_next_date_is_named() -> None:
    check = check_decision_date(panel_to("2023Q3"), PLAN)
    assert "2024-03-31" in check.text.en
    said = add_checks(effect(), check).say()
    assert said.grades == (None,)
    assert "监测，不作结论" in said.items[0].zh
    assert "past" in check_decision_date(panel_to("2026Q1"), PLAN).text.en


def test_the_level_of_each_date_is_that_of_alpha_spending() -> None:
    levels = [level_of_look(panel_to(last), PLAN) for last in ("2023Q1", "2024Q1", "2025Q1")]
    assert levels == pytest.approx(decision_levels(3), abs=5e-5)


def test_an_interval_too_narrow_for_the_look_gives_no_conclusion() -> None:
    panel = panel_to("2024Q1")
    assert check_decision_date(panel, PLAN, effect(0.95)).passed is False
    assert check_decision_date(panel, PLAN, effect(level_of_look(panel, PLAN))).passed is True


def test_without_declared_dates_looks_are_free_and_said_to_add_up() -> None:
    check = check_decision_date(panel_to("2023Q3"), dataclasses.replace(PLAN, decision_dates=()))
    assert check.passed is None
    assert check_decision_date(panel_to("2023Q3"), None).passed is None
