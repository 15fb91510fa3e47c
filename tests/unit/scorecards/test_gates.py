"""Gates: exact limits, lists, leads; each against a second route."""

from __future__ import annotations

import dataclasses
import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from qbase.core import Indicator, Panel, Text
from qbase.core.errors import UsageError
from qbase.scorecards import (
    estimate_probability_met,
    estimate_unverified_failures,
    find_least_n,
    judge_rates,
    read_preset,
    score_gates,
)
from qbase.scorecards.gates.firm_lists import count_verified
from qbase.scorecards.gates.gate_verdicts import gate_verdicts, judge_lead, judge_list
from qbase.scorecards.gates.joint_rates import draw_rates, groups_of, lead_of, level_of
from qbase.scorecards.gates.quarter_rates import read_quarters
from qbase.scorecards.presets.preset_values import Target
from tests.unit.scorecards.gate_makers import make_data, make_quarters

LIST = Target(indicator_id="N3", value=100, kind="everybody", source=Text("均", "all"))
LEAD = read_preset("policy_text").of_gate("L2")[0]


@given(st.integers(1, 200), st.floats(0.5, 0.999), st.sampled_from([0.9, 0.95, 0.975]))
def test_no_verdict_errs_more_often_than_it_declares(n, target, level):
    k = np.arange(n + 1)
    found = judge_rates(k / n, np.full(n + 1, n), target, level=level)
    chance = binom.pmf(k, n, target)
    assert chance[found.is_missed].sum() <= 1 - level + 1e-9
    # just below the target "met" is false
    assert binom.pmf(k, n, target - 1e-6)[found.is_met].sum() <= 1 - level + 1e-6
    assert not (found.is_met & found.is_missed).any()


@settings(max_examples=25)
@given(st.integers(1, 120), st.floats(0.5, 0.99))
def test_the_limits_are_those_of_the_binomial_tail(n, target):
    k = np.arange(n + 1)
    found = judge_rates(k / n, np.full(n + 1, n), target)
    assert list(found.is_met) == [binom.sf(x - 1, n, target) <= 0.05 + 1e-9 for x in k]
    assert list(found.is_missed) == [bool(binom.cdf(x, n, target) < 0.05) for x in k]


@given(st.floats(0.05, 0.995), st.sampled_from([0.9, 0.95, 0.975]))
def test_n_possible_is_where_met_begins(target, level):
    n = find_least_n(target, level=level)
    sizes = np.arange(1, n + 1)
    found = judge_rates(np.ones(n), sizes, target, level=level).is_met
    assert found[-1]
    assert not found[:-1].any()
    lower = find_least_n(1 - target, level=level, better="down")
    assert lower == find_least_n(1 - (1 - target), level=level)


def test_lower_is_better_mirrors():
    up, down = judge_rates([0.98], [200], 0.94), judge_rates([0.02], [200], 0.06, better="down")
    assert up.is_met[0]
    assert down.is_met[0]
    assert up.probability[0] == pytest.approx(down.probability[0])


def test_the_probability_is_the_mass_of_jeffreys_posterior():
    assert estimate_probability_met([0.95], [40], 0.94)[0] == pytest.approx(beta.sf(0.94, 38.5, 2.5))


@given(st.integers(1, 12), st.data())
def test_the_bound_of_failures_by_counting_subsets(listed, data):
    verified = data.draw(st.integers(1, listed))
    failed = data.draw(st.integers(0, verified))
    most = failed
    for bad in range(failed, listed - verified + failed + 1):
        hits = sum(sum(x < bad for x in c) <= failed for c in combinations(range(listed), verified))
        if hits / math.comb(listed, verified) > 0.05:
            most = bad
    assert estimate_unverified_failures(listed, verified, failed) == most - failed


@pytest.mark.parametrize(
    ("listed", "verified", "failed", "verdict"),
    [
        (46, 46, 0, "met"),
        (46, 45, 0, "cannot_tell"),
        (46, 46, 1, "not_met"),
        (46, 3, 1, "not_met"),
        (46, 0, 0, "cannot_tell"),
    ],
)
def test_all_of_them_means_nobody_failed_and_nobody_is_left(listed, verified, failed, verdict):
    found, why = judge_list(listed, verified, failed, LIST)
    assert found == verdict
    assert bool(why.zh) == (verdict == "cannot_tell")


def test_unverified_firms_are_bounded_only_where_the_verified_are_random():
    known, _ = judge_list(46, 40, 0, dataclasses.replace(LIST, verified="random"))
    assert known == "cannot_tell"
    assert "1 of the others" in judge_list(46, 40, 0, dataclasses.replace(LIST, verified="random"))[1].en
    assert "not known to be a random" in judge_list(46, 40, 0, LIST)[1].en


def test_firms_off_the_list_count_no_more_and_those_not_seen_are_unverified():
    listed = pd.Series({"F1": "K1", "F2": "K1", "F3": "K2"})
    rows = pd.DataFrame(
        {"firm": ["F1", "F3", "F9"], "year": "2025", "N3": [100.0, 0.0, 0.0], "N3__n": 1, "N3__k": [1, 0, 0]}
    )
    n3 = Indicator(id="N3", name=Text("制度", "system"), unit="pct", better="up", counted="firm")
    panel = Panel.from_frame(rows, entity="firm", period="year", freq="A", indicators={"N3": n3})
    counted = count_verified(listed, panel, ["N3"], "2025")["N3"]
    assert counted.loc["K1"].tolist() == [2, 1, 0]
    assert counted.loc["K2"].tolist() == [1, 1, 1]


def test_a_window_sums_draws():
    quarters = make_quarters([[0.5, 1.0, 1.0, 1.0, 0.75]], n=[[10, 20, 10, 10, 40]])
    pooled = quarters.last(4)
    assert pooled.rate[0] == pytest.approx((20 + 10 + 10 + 30) / 80)
    assert pooled.n[0] == pooled.n_eff[0] == 80


def test_four_quarters_together_have_jeffreys_posterior():
    quarters = make_quarters([[0.95, 0.9, 1.0, 0.95]], n=20)
    drawn = np.concatenate(
        [level_of(d, quarters.n, 4) for d in draw_rates(quarters, draws=20000, rng=np.random.default_rng(1))]
    )
    exact = beta(76.5, 4.5)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    assert np.quantile(drawn[:, 0], levels) == pytest.approx(exact.ppf(levels), abs=0.004)


def test_a_lead_is_over_the_same_product_only_and_needs_others():
    quarters = make_quarters([[0.98] * 8, [0.8] * 8, [0.5] * 8], n=200)
    groups = groups_of(quarters.entities, {"K1": "2822", "K2": "2822", "K3": "1751"})
    drawn = next(draw_rates(quarters, draws=200, rng=np.random.default_rng(0)))
    found = lead_of(drawn, quarters.n, quarters.total, groups)
    assert found.lead[:, 0].mean() == pytest.approx(0.18, abs=0.01)
    assert found.lead[:, 1].mean() == pytest.approx(-0.18, abs=0.01)
    assert np.isnan(found.lead[:, 2]).all()
    cards = score_gates(make_data(quarters, {"K1": "2822", "K2": "2822", "K3": "1751"}), "policy_text")
    verdicts = [gate_verdicts(c.criteria, c.missing)["L2"] for c in cards]
    assert verdicts == ["met", "not_met", "cannot_tell"]


def test_the_rest_is_weighted_by_what_its_draws_stand_for():
    drawn = np.array([[[0.9], [0.6], [0.3]]])
    n, total = np.array([[10.0], [10.0], [10.0]]), np.array([[50.0], [30.0], [10.0]])
    found = lead_of(drawn, n, total, groups_of(("a", "b", "c"), dict.fromkeys("abc", "x")))
    assert found.lead[0] == pytest.approx([0.9 - 0.525, 0.6 - 0.8, 0.3 - 0.7875])


def test_quarters_without_others_are_no_lead():
    sizes = [[40] * 8, [0, 0, 0, 40, 40, 40, 40, 40]]
    quarters = make_quarters([[0.99] * 8, [0.7] * 8], n=sizes)
    card = score_gates(make_data(quarters, {"K1": "a", "K2": "a"}), "policy_text")[0]
    lead = next(c for c in card.criteria if c.gate == "L2")
    assert lead.verdict == "cannot_tell"
    assert "Only 5 of 8" in lead.why.en


@pytest.mark.parametrize(
    ("above", "steady", "trailing", "n", "verdict"),
    [
        (0.95, 0.85, 0.1, 80, "met"),
        (0.95, 0.5, 0.4, 80, "cannot_tell"),
        (0.95, 0.1, 0.6, 80, "cannot_tell"),
        (0.95, 0.05, 0.9, 80, "not_met"),
        (0.1, 0.05, 0.5, 80, "not_met"),
        (0.95, 0.85, 0.1, 19, "cannot_tell"),
    ],
)
def test_a_lead_needs_both_probabilities(above, steady, trailing, n, verdict):
    assert judge_lead(above, steady, trailing, LEAD, compared=8, n=n)[0] == verdict


def test_a_lead_missed_by_one_window_shows_the_number_of_that_window():
    rates = np.array([[0.5] * 4 + [1.0] * 4, [0.75] * 8])
    data = make_data(make_quarters(rates, n=60), {"K1": "x", "K2": "x"})
    lead = next(c for c in score_gates(data, "policy_text", clusters=["K1"])[0].criteria if c.gate == "L2")
    assert lead.verdict == "not_met"
    assert lead.estimate.key["window"] == "2024Q1–2024Q4"
    # the number contradicts neither its threshold nor its verdict
    assert lead.estimate.ci_high < lead.target == -2.0
    assert lead.estimate.n_obs == 240
    assert "2024Q1–2024Q4" in lead.why.en


def test_a_preliminary_quarter_and_the_floor_leave_no_verdict():
    good, bad = [0.99] * 4, [0.4] * 4
    ripe = score_gates(make_data(make_quarters([good, bad], n=100), {}), "outline_2025")
    assert [gate_verdicts(c.criteria, c.missing)["D1"] for c in ripe] == ["met", "not_met"]
    young = make_quarters([good, bad], n=100, young=[("K1", "2024Q4"), ("K2", "2024Q4")])
    cards = score_gates(make_data(young, {}), "outline_2025")
    assert [gate_verdicts(c.criteria, c.missing)["D1"] for c in cards] == ["cannot_tell"] * 2
    few = score_gates(make_data(make_quarters([bad], n=4), {}), "outline_2025")[0].criteria[0]
    assert few.verdict == "cannot_tell"
    assert "below 20" in few.why.en


def test_gates_without_threshold_or_data_are_open_and_say_why():
    card = score_gates(make_data(make_quarters([[0.99] * 4]), {}), "outline_2025")[0]
    why = {m.gate: m.why.en for m in card.missing}
    assert why["D2"] == "the preset sets no threshold"
    assert why["N3"] == "nobody on the list"
    assert set(why) | {c.gate for c in card.criteria} == set(read_preset("outline_2025").gates)


def test_an_unknown_cluster_is_refused():
    with pytest.raises(UsageError) as caught:
        score_gates(make_data(make_quarters([[0.9] * 4]), {}), "outline_2025", clusters=["K11"])
    assert caught.value.code == "QB613"
    assert "K1" in str(caught.value)


def test_a_firm_drawn_in_every_quarter_is_not_four_firms():
    quarters = make_quarters([[0.75] * 4], n=4)
    drawn = pd.DataFrame(
        {"entity": "K1", "period": quarters.quarters.repeat(4), "firm": list("abcd") * 4, "n": 1, "k": [1, 1, 1, 0] * 4}
    )
    again = read_quarters(quarters.panel, "D1.batch", last=quarters.quarters[-1], quarters=4, firms=drawn)
    assert again.likeness == 1.0
    assert again.last(4).n_eff[0] == pytest.approx(4)
    assert again.last(2).n_eff[0] == pytest.approx(4)
    others = drawn.assign(firm=[f"f{i}" for i in range(16)])
    once = read_quarters(quarters.panel, "D1.batch", last=quarters.quarters[-1], quarters=4, firms=others)
    assert once.last(4).n_eff[0] == pytest.approx(16)
    wide, narrow = (
        np.concatenate([level_of(d, q.n, 4) for d in draw_rates(q, draws=2000, rng=np.random.default_rng(0))]).std()
        for q in (again, once)
    )
    assert wide > 1.4 * narrow
