"""The truth of the province says of itself what simulation then finds; the long version is study_province.py."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest

from qbase.demo import Scenario, build_province
from qbase.demo.pseudo_truth import group_time, imputation, logit_imputation, twfe
from qbase.demo.replication import Replication, replicate
from qbase.demo.truth import Truth, without_policy
from qbase.demo.world.firm_population import NEVER
from qbase.demo.world.quarters import World, build_world
from qbase.demo.world.scenario import DIMENSIONS, Streams

SEEDS = range(20220810, 20220810 + 18)
STATED_NAIVE_BIAS_PP = -1.7
LEVEL_TOLERANCE_PP = 0.25  # domain.md 0.3 gives one figure from 12 draws, with a standard error of about 0.1
MC_ERRORS = 3.5  # one false alarm in about 2,000


@functools.cache
def world(**switches: object) -> World:
    return build_world(DIMENSIONS["province"], Scenario(**switches), Streams(seed=5))  # type: ignore[arg-type]


@functools.cache
def truth() -> Truth:
    return build_province("small", seed=5).truth


@functools.cache
def draws() -> pd.DataFrame:
    return pd.DataFrame([dataclasses.asdict(replicate(seed, Scenario())) for seed in SEEDS])


def assert_zero_mean(values: pd.Series) -> None:
    assert abs(values.mean()) < MC_ERRORS * values.sem()


def test_naive_level_bias_is_the_stated_one():
    observed, expected = draws()["naive_bias_pp"], draws()["naive_bias_expected_pp"]
    assert abs(expected.mean() - STATED_NAIVE_BIAS_PP) < LEVEL_TOLERANCE_PP
    assert_zero_mean(observed - expected)


def test_random_draws_and_post_stratification_recover_the_level():
    assert_zero_mean(draws()["random_bias_pp"])
    assert abs(draws()["poststrat_bias_pp"].mean()) < 0.5  # domain.md, acceptance


def test_naive_did_is_too_large_under_the_regime_shift():
    excess = draws()["did_naive_pp"] - draws()["att_pp"]
    assert excess.mean() > 0.5
    assert_zero_mean(draws()["did_naive_pp"] - draws()["pseudo_naive_pp"])


def test_weighted_random_draw_did_has_no_bias_of_its_own():
    assert_zero_mean(draws()["did_weighted_pp"] - draws()["pseudo_pp"])
    assert abs((draws()["pseudo_pp"] - draws()["att_pp"]).mean()) < 0.4


def test_the_stated_att_is_what_a_census_with_and_without_the_policy_finds():
    w, rng = world(), np.random.default_rng(1)
    treated = w.is_alive & w.plan.is_treated[w.firms.cluster]
    p0, p1 = w.p0[treated], w.p1[treated]
    stated = build_province("province", seed=5).truth.att_pp()
    found = [100 * ((rng.random(len(p1)) < p1).mean() - (rng.random(len(p0)) < p0).mean()) for _ in range(60)]
    assert stated == pytest.approx(100 * (p1 - p0).mean(), abs=1e-4)
    assert abs(np.mean(found) - stated) < MC_ERRORS * np.std(found) / np.sqrt(len(found))


def test_linear_and_logit_parallel_trends_differ_a_little_without_noise():
    pseudo = build_province("province", seed=5).truth
    gap = pseudo.pseudo_pp("imputation") - pseudo.pseudo_pp("logit_imputation")
    assert 0 < abs(gap) < 1.0


def test_effects_are_given_by_cohort_event_time_size_and_risk_on_both_scales():
    att = truth().att
    assert set(att["kind"]) == {
        "overall", "cells", "cohort", "event_time", "cohort_event_time", "size", "risk", "enrolled", "total",
    }  # fmt: skip
    assert truth().att_pp("enrolled", "no") == 0
    assert truth().att_pp("enrolled", "yes") > truth().att_pp()
    by_cohort = att[att["kind"] == "cohort"]
    assert np.average(by_cohort["att_pp"], weights=by_cohort["n_obs"]) == pytest.approx(truth().att_pp(), abs=1e-4)
    assert (by_cohort.sort_values("key")["att_logit"].diff().dropna() < 0.05).all()


def test_inclusion_probabilities_predict_the_sample_sizes():
    level, frame = truth().level, truth().firm_quarter
    pi = (
        frame.groupby(["cluster_id", "quarter"])[["pi_random", "pi_risk", "pi_complaint", "pi_special"]]
        .sum()
        .sum(axis=1)
    )
    expected = level.set_index(["cluster_id", "quarter"])["expected_batches"]
    assert (pi - expected.loc[pi.index]).abs().max() < 1e-3
    assert frame["pi_any"].between(0, 1).all()


def test_spillovers_stand_apart_from_the_effect():
    none = build_world(DIMENSIONS["small"], Scenario(spillover_logit=0, displacement_logit=0), Streams(seed=5))
    assert np.nanmax(np.abs(none.p0 - none.p_none)) == 0
    spill = truth().spillover
    assert (spill.query("quarter < '2019Q3'")["spillover_pp"] == 0).all()
    assert spill["spillover_pp"].min() < 0


def test_without_policy_nobody_is_treated_and_the_past_is_the_same():
    other = without_policy(world())
    assert np.nanmax(np.abs(other.p1 - other.p_none)) == 0
    start = int(world().plan.cohort.min()) - 1
    assert np.array_equal(other.p1[:, :start], world().p1[:, :start], equal_nan=True)


# --- scenario switches


def test_no_effect_means_exactly_none():
    w = world(effect="none", anticipation_logit=0.0)
    assert np.array_equal(w.p1, w.p0, equal_nan=True)


def test_homogeneous_effect_is_the_stated_logit_for_the_enrolled():
    province = build_province("small", 5, scenario=Scenario(effect="homogeneous", effect_logit=0.6))
    att = province.truth.att.set_index(["kind", "key"])["att_logit"]
    assert att["enrolled", "yes"] == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_few_treated_clusters(n):
    w = world(n_treated=n)
    assert (w.plan.cohort < NEVER).sum() == n
    assert w.plan.cohort[0] == 26


def test_all_treated_eventually_leaves_no_never_treated():
    assert (world(is_all_treated=True).plan.cohort < NEVER).all()


def test_anticipation_reaches_the_quarter_before_only():
    w = world(anticipation_logit=0.5, effect="dynamic")
    gap = (w.p1 - w.p0)[w.firms.cluster == 0]
    assert np.nanmax(gap[:, 25]) > 0
    assert np.nanmax(np.abs(gap[:, :25])) == 0


def test_pretrend_and_shift_and_rho_are_what_they_say():
    assert imputation_gap(world(pretrend_logit=0.02)) > imputation_gap(world()) + 1
    shift, none = world(), world(has_sampling_shift=False)
    assert after_share(shift) > 0.6 > 0.45 > after_share(none)
    assert within_family(world(rho=0.3)) > within_family(world(rho=0.0)) + 0.05


def test_hidden_risk_defeats_post_stratification_and_fractions_need_weights():
    hidden, fractions = replicate(5, Scenario(has_hidden_risk=True)), replicate(5, Scenario(has_class_fractions=True))
    assert hidden.poststrat_bias_pp < -1
    assert fractions.random_bias_pp < -0.8
    assert isinstance(fractions, Replication)


def test_stale_frame_and_endogenous_risk():
    fresh, stale = (
        build_province("small", 5, scenario=Scenario(has_stale_frame=s)).tables["frame"] for s in (False, True)
    )
    old = fresh[fresh["quarter"] == "2018Q1"].drop(columns="quarter").reset_index(drop=True)
    assert stale[stale["quarter"] == "2019Q1"].drop(columns="quarter").reset_index(drop=True).equals(old)
    late = slice(36, 40)
    kept, moved = world(), world(has_endogenous_risk=True)
    assert moved.risk[:, late][moved.is_alive[:, late]].mean() != kept.risk[:, late][kept.is_alive[:, late]].mean()


def test_followups_alliance_items_late_failures_and_gaming():
    followed = build_province("small", 5, scenario=Scenario(has_followup_samples=True)).tables["inspections"]
    rates = followed[~followed["is_recheck"]].groupby("sample_type")["result"].agg(lambda r: (r == "pass").mean())
    assert rates["followup"] < rates["random"]
    allied = build_province("small", 5, scenario=Scenario(has_alliance_standard=True))
    assert allied.tables["inspections"]["std_no"].str.startswith("T/YZ").any()
    assert allied.truth.att_pp() < build_province("small", 5).truth.att_pp()
    grown = build_province("small", 5, scenario=Scenario(has_item_growth=True)).tables
    per_batch = grown["items"].groupby("sample_no").size()
    years = grown["inspections"].set_index("sample_no")["sample_date"].str[:4]
    assert per_batch[years[per_batch.index] == "2025"].mean() > per_batch[years[per_batch.index] == "2016"].mean() + 2
    late = build_province("small", 5, scenario=Scenario(has_late_failures=True)).tables
    published = late["notices"].set_index("notice_no")["publish_date"]
    delay = pd.to_datetime(late["inspections"]["notice_no"].map(published)) - pd.to_datetime(
        late["inspections"]["sample_date"]
    )
    first = ~late["inspections"]["is_recheck"]
    assert delay[first & (late["inspections"]["result"] == "fail")].min() > pd.Timedelta(days=90)
    gamed, honest = world(has_gaming=True), world()
    t = 26 + 12 - 1
    mine = (gamed.firms.cluster == 0) & gamed.is_alive[:, t]
    quality = gamed.firms.quality[mine]
    assert np.average(quality, weights=gamed.pi[mine, t, 0]) > np.average(quality, weights=honest.pi[mine, t, 0] + 1e-9)


# --- estimator classes on cells without noise


def cells(effect: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    cohort = np.array([6, 6, 9, NEVER, NEVER, NEVER])
    treated = np.arange(14)[None, :] >= cohort[:, None]
    rates = rng.normal(0.88, 0.02, (6, 1)) + rng.normal(0, 0.01, (1, 14)) + effect * treated
    return rates, np.ones_like(rates), cohort


@pytest.mark.parametrize("estimator", [imputation, twfe, group_time])
def test_linear_estimators_are_exact_on_a_constant_effect(estimator):
    assert estimator(*cells(0.04)) == pytest.approx(0.04, abs=1e-8)


def test_logit_imputation_is_exact_when_trends_are_parallel_in_log_odds():
    rng = np.random.default_rng(3)
    _, weights, cohort = cells(0)
    eta = rng.normal(2, 0.4, (6, 1)) + rng.normal(0, 0.1, (1, 14))
    treated = np.arange(14)[None, :] >= cohort[:, None]
    p0, p1 = 1 / (1 + np.exp(-eta)), 1 / (1 + np.exp(-(eta + 0.5 * treated)))
    assert logit_imputation(p1, weights, cohort) == pytest.approx((p1 - p0)[treated].mean(), abs=1e-6)


def imputation_gap(w: World) -> float:
    from qbase.demo.truth import cell_mean, estimate

    return estimate("imputation", cell_mean(w, w.p1), w.plan.cohort)


def after_share(w: World) -> float:
    treated = w.plan.is_treated[w.firms.cluster[w.firm], w.quarter]
    return float((w.kind[treated] == 0).mean())


def within_family(w: World) -> float:
    frame = pd.DataFrame({"f": w.firms.cluster[w.firm] * 80 + w.quarter * 2 + w.firms.product[w.firm]})
    frame["rest"] = w.passed - w.chance
    sums = frame.groupby("f")["rest"].agg(["sum", "size", lambda r: (r**2).sum()]).to_numpy(dtype=float)
    pairs = (sums[:, 0] ** 2 - sums[:, 2]).sum() / (sums[:, 1] * (sums[:, 1] - 1)).sum()
    return float(pairs / (frame["rest"] ** 2).mean())
