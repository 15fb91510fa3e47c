"""How many batches: with the chance that is promised, by enumeration and by simulation, and in words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from qbase.core.errors import UsageError
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Indicator
from qbase.planning import plan_batches
from qbase.planning.precision.assured_draws import (
    arm_chance,
    fewest_firms,
    keeps_target,
    kept_rates,
    known_rate,
    nearest_target,
    uncertain_rate,
)
from qbase.stats.rates.firm_likeness import FirmLikeness, firm_rate_interval

RATE = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
SEED = 20261130


def make_level(value: float, low: float, high: float, **changes: object) -> Result:
    estimate = Estimate(term="rate", value=value, ci_low=low, ci_high=high, n_obs=100)
    fields = {"estimand": "level", "unit": "pct", **changes}
    return Result(outcome=RATE, method="wilson", estimates=(estimate,), subject=Text("甲集群", "Jia"), **fields)


@pytest.mark.parametrize(("rate", "n", "target"), [(1.0, 93, 0.02), (0.98, 223, 0.02), (0.5, 60, 0.12)])
@pytest.mark.parametrize("arm", ["both", "lower", "upper"])
def test_the_chance_is_the_sum_over_all_outcomes_of_the_librarys_intervals(rate, n, target, arm):
    k = np.arange(n + 1)
    low, high = proportion_confint(k, n, method="wilson")
    longest = {"lower": k / n - low, "upper": high - k / n}.get(arm, np.maximum(k / n - low, high - k / n))
    by_hand = binom.pmf(k, n, rate)[longest <= target + 1e-12].sum()
    assert arm_chance(known_rate(rate), n, 1, target=target, arm=arm) == pytest.approx(by_hand, abs=1e-9)


def test_half_the_width_is_not_within():
    """The number planned for half the width keeps neither arm: what the referee of the earlier formula found."""
    for rate, n in ((1.0, 93), (0.99, 150), (0.98, 223), (0.97, 303)):
        assert arm_chance(known_rate(rate), n, 1, target=0.02) < 0.03
    assert all(
        arm_chance(known_rate(r), fewest_firms(known_rate(r), 1, target=0.02, assurance=0.8), 1, target=0.02) >= 0.8
        for r in (1.0, 0.99, 0.98, 0.97)
    )


@pytest.mark.parametrize("each", [2, 4])
def test_firms_that_fail_together_are_drawn_and_counted_as_in_the_letters(each):
    """Beta-binomial firms, and the letters' own interval for them: the promise is what is realised."""
    rate, likeness, firms, target, draws = 0.93, 0.3, 90, 0.05, 4000
    rng = np.random.default_rng(SEED)
    total = (1 - likeness) / likeness
    k = rng.binomial(each, rng.beta(rate * total, (1 - rate) * total, (draws, firms))).sum(axis=1)
    n = np.full(draws, float(firms * each))
    known = FirmLikeness(values=np.array([likeness]), weights=np.ones(1), is_informed=True)
    low, high = firm_rate_interval(k / n, n, np.full(draws, float(firms * each**2)), known)
    realised = np.mean((k / n - low <= target) & (high - k / n <= target))
    promised = arm_chance(known_rate(rate), firms, each, target=target, likeness=likeness)
    assert abs(realised - promised) < 3 * np.sqrt(promised * (1 - promised) / draws)


def test_fewer_firms_do_not_keep_the_target_and_more_do():
    for rate, target in ((0.97, 0.02), (0.9, 0.05), (0.5, 0.1)):
        n = fewest_firms(known_rate(rate), 1, target=target, assurance=0.8)
        assert all(arm_chance(known_rate(rate), m, 1, target=target) >= 0.8 for m in range(n, n + 8))
        assert arm_chance(known_rate(rate), n - 1, 1, target=target) < 0.8


def test_what_is_not_known_of_the_rate_asks_for_more():
    rates = uncertain_rate(0.95, 0.90, 0.98)
    assert rates.mean == pytest.approx(0.946, abs=0.004)
    assert fewest_firms(rates, 1, target=0.02, assurance=0.8) > fewest_firms(
        known_rate(0.95), 1, target=0.02, assurance=0.8
    )


def test_the_nearest_target_is_kept_and_a_shorter_one_is_not():
    rates, how = known_rate(0.92), {"assurance": 0.8, "likeness": 0.2}
    near = nearest_target(rates, 46, 4, **how)
    assert arm_chance(rates, 46, 4, target=near, likeness=0.2) >= 0.8
    assert arm_chance(rates, 46, 4, target=near - 0.001, likeness=0.2) < 0.8


def test_a_bare_rate_is_reckoned_and_says_so():
    result = plan_batches(93, half_width_pp=3)
    need = result["batches"]
    assert need.uncertainty == "none_full_count"
    assert need.key["chance"] >= 0.8
    assert result.say().items[0] == Text(
        f"要把监督抽查批次合格率控制在 ±3.0 个百分点以内（95% 区间，把握 80%），需要 {need.value:.0f} 批"
        "（按合格率 93.0%计，每家企业抽 1 批）。",
        f"To know the batch pass rate within ±3.0 percentage points (95% interval, with a chance of 80%), "
        f"{need.value:.0f} batches are needed (at a rate of 93.0%, one batch of each firm).",
    )
    assert result.say().grades == (None,)
    curve = result.tables["curve"]
    assert curve["n_count"].is_monotonic_decreasing
    assert int(curve.loc[curve["half_width_pp"] == 3, "n_count"].iloc[0]) == need.value


def test_a_cluster_with_few_firms_is_told_what_they_can_reach():
    result = plan_batches(92, half_width_pp=2, firms=46, likeness=0.2)
    assert not result.estimates
    near = result.settings["nearest_pp"]
    assert f"±{near:.1f}" in result.say().items[0].en
    assert result.tables["curve"]["n_count"].isna().any()
    assert plan_batches(92, half_width_pp=near, firms=46, likeness=0.2)["batches"].key["batches_per_firm"] == 4


def test_a_result_hands_on_its_rate_its_doubt_and_its_firms():
    level = make_level(93, 80, 98, settings={"firm_likeness": 0.31})
    result = plan_batches(level, half_width_pp=5)
    assert result["batches"].value > plan_batches(93, half_width_pp=5)["batches"].value
    assert result.settings["likeness"] == 0.31
    assert "甲集群的批次合格率" in result.say().items[0].zh


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: plan_batches(0.93, half_width_pp=0.03), "QB540"),
        (lambda: plan_batches(93, half_width_pp=60), "QB540"),
        (lambda: plan_batches(193, half_width_pp=3), "QB540"),
        (lambda: plan_batches(float("nan"), half_width_pp=3), "QB540"),
        (lambda: plan_batches(93, half_width_pp=3, assurance=1.0), "QB540"),
        (lambda: plan_batches(93, half_width_pp=3, likeness=-0.1), "QB540"),
        (lambda: plan_batches(93, half_width_pp=3, firms=0), "QB540"),
        (lambda: plan_batches(93, half_width_pp=3, arm="left"), "QB144"),
        (lambda: plan_batches(93, half_width_pp=3, level=95), "QB503"),
        (lambda: plan_batches(93, half_width_pp=3, outcome="D1.btach"), "QB401"),
        (lambda: plan_batches(make_level(2, 1, 3, estimand="change", unit="pp"), half_width_pp=3), "QB541"),
    ],
)
def test_refusals_are_four_lines(call, code):
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize("arm", ["both", "lower", "upper"])
@pytest.mark.parametrize("method", ["jeffreys", "wilson"])
def test_the_rates_that_keep_a_target_are_those_beyond_two_bounds(arm, method):
    rates = np.linspace(0, 1, 201)
    for n_eff, target in ((12.5, 0.2), (60.0, 0.1), (400.0, 0.03), (30.0, 0.5), (5.0, 0.05)):
        how = {"arm": arm, "level": 0.95, "method": method}
        low, high = kept_rates(np.array([n_eff]), np.array([target]), **how)
        direct = keeps_target(rates, n_eff, target=target, **how)
        assert (direct == ((rates <= low) | (rates >= high))).mean() > 0.99, (n_eff, target)
