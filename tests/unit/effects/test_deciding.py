"""A decision by stated rules: what can be said, what cannot, and how many draws or clusters would settle it."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from qbase.core import (
    CheckResult,
    DataError,
    Decision,
    Estimate,
    Indicator,
    Margin,
    Panel,
    Plan,
    Result,
    Text,
    UsageError,
    record,
)
from qbase.core.periods import Freq
from qbase.core.results.records import build_record
from qbase.effects import Headroom, add_margin, decide
from qbase.effects.comparison.untreated_facts import UntreatedFacts
from qbase.effects.judging.advice import Advice
from qbase.effects.judging.design_options import judge_designs
from qbase.effects.judging.settling import find_route, sampling_share, say_route
from qbase.reports.rendering.bundle_payloads import check_payload
from qbase.stats import minimum_detectable_effect

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
MARGIN = Margin(value=2.0, source=Text("方案", "the plan"), declared_on="2022-05-01")
FACTS = UntreatedFacts(
    n_treated=6, n_without_before=0, n_after_data=0, n_never=6, starts=("2022Q3",), n_before=12, n_after=8,
    last_without_untreated="", batches_per_cell=20.0, random_per_cell=8.0, level=85.0, block_error=2.0, block=6,
    n_blocks=12,
)  # fmt: skip


def effect(value: float, error: float, *, method: str = "imputation", outcome: Indicator = RATE, **parts) -> Result:
    half = 1.96 * error
    att = Estimate(
        term="att", value=value, std_error=error, ci_low=value - half, ci_high=value + half, n_treated=6, n_clusters=100
    )
    return Result(
        estimand="effect", outcome=outcome, unit="pp", method=method, estimates=(att,),
        subject=Text("采用政策的集群", "treated clusters"), **parts,
    )  # fmt: skip


def check(name: str, passed: bool | None = False) -> CheckResult:
    return CheckResult(name=name, passed=passed, text=Text(f"{name} 未通过", f"{name} failed"))


def advice(facts: UntreatedFacts = FACTS) -> Advice:
    return Advice(subject=Text("政策", "policy"), facts=facts, options=judge_designs(facts, sampling="naive"))


DOWN = dataclasses.replace(RATE, better="down")
CASES = [
    (effect(6, 1), (), "improved"),
    (effect(-6, 1), (), "worsened"),
    (effect(-6, 1, outcome=DOWN), (), "improved"),
    (effect(6, 1), ("spillover",), "improved"),
    (effect(6, 1), ("spillover", "attrition"), "hint"),
    (effect(6, 1, grade="limited"), (), "hint"),
    (effect(6, 1, outcome=dataclasses.replace(RATE, better="none")), (), "hint"),
    (effect(1, 2), (), "cannot_tell"),
    (add_margin(effect(0.2, 0.8), MARGIN), (), "no_effect"),
    (add_margin(effect(0.2, 3.0), MARGIN), (), "cannot_tell"),
    (effect(6, 1), ("headroom",), "data_cannot_decide"),
    (effect(6, 1), ("headroom", "decision_date"), "monitoring"),
    (effect(6, 1), ("decision_date",), "monitoring"),
]


@pytest.mark.parametrize(("result", "failed", "verdict"), CASES)
def test_the_verdict_follows_the_rules_in_their_order(result, failed, verdict) -> None:
    assert decide([result], [check(name) for name in failed]).verdict == verdict


def test_cannot_tell_still_says_what_is_ruled_out_and_never_no_effect() -> None:
    decision = decide([effect(1, 2)])
    assert "a rise of more than 4.9 percentage points and a fall of more than 2.9" in decision.can_say[0][0].en
    assert decision.cannot_say[0].en == "That the policy works, or that it has no effect."
    assert "尚无法判断" in decision.lead.zh


def test_a_clear_effect_is_said_with_its_grade_and_settles() -> None:
    decision = decide([effect(6, 1)], advice=advice())
    assert [grade for _, grade in decision.can_say] == ["moderate"]
    words = dict.fromkeys(["population", "weight", "window", "comparator", "inference"], "")
    locked = Plan(outcome="D1.batch", post_hoc=False, **words)
    assert [grade for _, grade in decide([effect(6, 1)], plan=locked).can_say] == ["strong"]
    assert (decision.cannot_say, decision.would_settle) == ((), ())


def test_failed_checks_are_pointed_at_and_other_estimates_named() -> None:
    decision = decide([effect(6, 1), effect(1, 4, method="group_time")], [check("spillover")])
    said = " ".join(t.en for t in decision.cannot_say)
    assert "by group-time effects the verdict differs" in said
    assert "checks did not pass" in said
    assert "spillover failed" not in said, "the reminders of the page say it"
    assert "agree" not in " ".join(t.en for t in decide([effect(6, 1), effect(5, 1, method="group_time")]).cannot_say)


def room(detectable: float, smallest: float | None = 3.0, largest: float | None = 15.0) -> Headroom:
    return Headroom(unit="pp", detectable=detectable, largest=largest, counterfactual=85.0, smallest=smallest)


def test_draws_settle_where_sampling_makes_the_doubt() -> None:
    facts = dataclasses.replace(FACTS, block_error=math.sqrt(2 * 85 * 15 / 20 / 6 / 3), level=85.0)
    assert sampling_share(facts) == pytest.approx(1.0)
    route = find_route(room(6.0), facts)
    assert (route.batches_per_cell, route.n_treated) == (80, 24)
    assert "80 batches" in say_route(route, facts).en
    decision = decide([effect(1, 2)], headroom=room(6.0), advice=advice(facts))
    assert "80 批" in decision.would_settle[0].zh


def test_that_number_of_draws_does_find_it() -> None:
    """Between-cluster noise of 1 point and sampling: the variance by formula, simulated."""
    n, drift, block = 20, 1.0, 6
    rng = np.random.default_rng(6)

    def error(batches: int) -> float:
        noise = rng.normal(size=(4000, 12, 2)) * drift / math.sqrt(2)
        noise += rng.binomial(batches * block, 0.85, size=(4000, 12, 2)) / (batches * block) * 100 - 85
        change = noise[:, :, 1] - noise[:, :, 0]
        return float((change[:, :6].mean(axis=1) - change[:, 6:].mean(axis=1)).std())

    now = error(n)
    facts = dataclasses.replace(FACTS, block_error=now, batches_per_cell=float(n), block=block)
    target = minimum_detectable_effect(now) * 0.8
    route = find_route(room(minimum_detectable_effect(now), smallest=target), facts)
    assert route.batches_per_cell is not None
    assert minimum_detectable_effect(error(route.batches_per_cell)) == pytest.approx(target, rel=0.04)


def test_where_clusters_differ_over_time_no_number_of_draws_is_enough() -> None:
    facts = dataclasses.replace(FACTS, block_error=10.0)
    route = find_route(room(6.0), facts)
    assert (route.batches_per_cell, route.n_treated) == (None, 24)
    assert "more batches would not do: about 24 treated clusters" in say_route(route, facts).en


def test_a_route_of_more_than_tenfold_draws_is_none() -> None:
    facts = dataclasses.replace(FACTS, block_error=math.sqrt(2 * 85 * 15 / 20 / 6 / 3))
    assert find_route(room(9.0), facts).batches_per_cell == 180
    assert find_route(room(12.0), facts).batches_per_cell is None


def test_random_draws_lead_where_the_way_of_drawing_moved() -> None:
    moved = effect(6, 1, checks=(check("same_sampling"),))
    drawn = effect(1, 2, method="group_time", settings={"sampling": "random_draw"})
    assert decide([moved, drawn]).verdict == "cannot_tell"
    assert decide([effect(6, 1), drawn]).verdict == "improved"
    assert decide([moved]).verdict == "hint"


def test_without_counts_the_route_is_clusters() -> None:
    facts = dataclasses.replace(FACTS, batches_per_cell=None)
    assert find_route(room(6.0), facts).batches_per_cell is None
    assert sampling_share(facts) == 0


def test_what_is_found_already_needs_no_route() -> None:
    assert find_route(room(2.0), FACTS) is None
    assert find_route(room(2.0, smallest=None, largest=None), FACTS) is None


def test_no_interval_needs_more_treated() -> None:
    few = dataclasses.replace(FACTS, n_treated=2)
    assert find_route(room(math.inf), few).n_treated == 5
    decision = decide([effect(1, 2)], headroom=room(math.inf), advice=advice(few))
    assert any("below 3 there is no interval" in t.en for t in decision.would_settle)


def test_a_decision_is_prose_for_reports_json_for_records_and_html_for_lab() -> None:
    decision = decide([effect(1, 2)], [check("spillover")], room(6.0), advice())
    shown = check_payload(decision.payload(), cell=1)
    assert (shown["kind"], shown["role"]) == ("prose", "decision")
    assert shown["items"][0]["zh"] == decision.lead.zh
    assert build_record([decision])["shown"] == {"decision": decision.sha256()}
    assert json.loads(json.dumps(decision.document()))["verdict"] == "cannot_tell"
    assert decision.lab()["text/html"].startswith("<p><b>")
    assert record(decision).facts
    zh, en = decision.plain().split("\nPass rate", 1)
    assert zh.count("：") >= en.count(": ") - 1


def test_the_next_step_of_an_effect_names_the_date_of_the_plan_else_the_next_period() -> None:
    rows = pd.DataFrame({"cluster": "K1", "quarter": ["2025Q3", "2025Q4"], "D1.batch": 90.0})
    panel = Panel.from_frame(rows, entity="cluster", period="quarter", freq="Q", indicators={"D1.batch": RATE})
    words = dict.fromkeys(["population", "weight", "window", "comparator", "inference"], "")
    plan = Plan(outcome="D1.batch", decision_dates=("2025-12-31", "2026-12-31"), post_hoc=False, **words)
    # a published case is past: nothing is left to decide
    assert decide([effect(1, 2)]).next_step is None
    open_now = decide([effect(1, 2)], panel=panel).next_step
    assert open_now.en.endswith(
        "Judge again once 2026 Q1 is on record, and agree on the date of the verdict beforehand."
    )
    assert "neither extending nor ending it" in open_now.en
    assert decide([effect(1, 2)], panel=panel, plan=plan).next_step.en.endswith("on 2026-12-31, as the plan says.")
    before = decide([effect(6, 1)], [check("decision_date")], panel=panel, plan=plan).next_step
    assert (before.en.startswith("Nothing before the declared date"), "2026-12-31" in before.zh) == (True, True)
    for value, said in ((6, "extend the policy to places like"), (-6, "change or end the policy")):
        settled = decide([effect(value, 1)], panel=panel).next_step
        assert said in settled.en
        assert "2026" not in settled.zh


@pytest.mark.parametrize(
    ("freq", "last", "after"),
    [("Q", "2025Q3", "2025 Q4"), ("H", "2025H1", "the second half of 2025"), ("H", "2025H2", "the first half of 2026"),
     ("A", "2025", "2026")],
)  # fmt: skip
def test_the_period_after_the_data_is_of_their_frequency(freq: Freq, last: str, after: str) -> None:
    rows = pd.DataFrame({"cluster": ["K1"], "when": [last], "D1.batch": [90.0]})
    panel = Panel.from_frame(rows, entity="cluster", period="when", freq=freq, indicators={"D1.batch": RATE})
    step = decide([effect(1, 2)], panel=panel).next_step
    assert f"Judge again once {after} is on record" in step.en


def test_a_verdict_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="QB144"):
        Decision(name="decision", verdict="works", subject=Text("a", "b"))


def test_nothing_to_decide_from_is_refused() -> None:
    with pytest.raises(DataError, match="QB564"):
        decide([])
