"""The design lab answers as the estimators it speaks of would, and says what it found in the house's values."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest

from qbase.core import DataError, Indicator, Panel, Policy, Result, Spell, Text, UsageError
from qbase.effects import (
    estimate_before_after,
    estimate_design_power,
    estimate_design_quality,
    estimate_synthetic,
    estimate_twfe,
)
from qbase.effects.doubt.few_clusters import infer
from qbase.effects.fitting.aggregation import GroupTimePath
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window
from qbase.effects.lab.batch_group_time import group_time_weights
from qbase.effects.lab.batch_imputation import imputation_weights
from qbase.effects.lab.design_answers import PathInference, answer_path, answer_plain
from qbase.effects.lab.design_scores import Score, detectable_effect, share_of
from qbase.effects.lab.placebo_draws import draw_placebos, play_effects
from qbase.effects.lab.resampled_batches import resample_batches, true_rates
from qbase.effects.lab.synthetic_answers import answer_synthetic
from qbase.effects.lab.untreated_history import BEFORE, History, take_history

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
EXACT = 1e-9
"""The same numbers computed in another order."""

EFFECTS = np.array([0.0, 4.0, 12.0])
INFERENCE = PathInference(level=0.95, permutations=99, seed=3)
ESTIMATORS = {
    "imputation": ImputationEstimator(window=Window(leads=1, lags=0), terms=(("att", None),)),
    "staggered": GroupTimePath(leads=1, lags=0),
}


def made(
    n_entities: int = 9, n_periods: int = 24, treated: int = 4, *, seed: int = 1, drift: float = 0.0, better: str = "up"
) -> tuple[Panel, Policy]:
    """Passes among batches of entities with a level each, and a policy that the last of the periods saw."""
    rng = np.random.default_rng(seed)
    level = rng.normal(1.6, 0.4, n_entities)
    rows = []
    for i in range(n_entities):
        for t in range(n_periods):
            n = 6 + int(rng.poisson(10))
            p = 1 / (1 + np.exp(-level[i] - drift * t))
            rows.append((f"K{i:02d}", pd.Period("2016Q1") + t, n, int(rng.binomial(n, p))))
    frame = pd.DataFrame(rows, columns=["cluster_id", "quarter", "n", "k"])
    frame = frame[rng.random(len(frame)) > 0.06]
    frame = frame.assign(**{"D1.batch": 100 * frame["k"] / frame["n"]})
    frame = frame.rename(columns={"n": "D1.batch__n", "k": "D1.batch__k"})
    indicator = dataclasses.replace(RATE, better=better)
    panel = Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={"D1.batch": indicator})
    spells = tuple(Spell(entity=f"K{i:02d}", start=pd.Period("2016Q1") + 14 + 2 * i) for i in range(treated))
    return panel, Policy(policy_id="base", title=Text("政策", "policy"), spells=spells)


@functools.cache
def history(n_entities: int = 9) -> History:
    return take_history(*made(n_entities), "D1.batch")


@functools.cache
def quality() -> Result:
    return estimate_design_quality(*made(), "D1.batch", draws=200, seed=5)


# the estimator held against has leads that some draws cannot have
@pytest.mark.filterwarnings("ignore:Degrees of freedom")
@pytest.mark.parametrize(
    ("n_treated", "method"), [(1, "permutation"), (3, "permutation"), (4, "permutation"), (3, "uncounted"), (4, "CRV3")]
)
@pytest.mark.parametrize("design", ["imputation", "staggered"])
def test_answers_of_a_path_are_those_of_the_inference_that_is_used(design: str, n_treated: int, method: str) -> None:
    past = history()
    if method != "permutation":  # where batches are not counted, noise cannot be rescaled
        past = dataclasses.replace(past, grid=dataclasses.replace(past.grid, n=None, k=None))
    placebos = draw_placebos(past, n_treated=n_treated, spread=4, draws=6, seed=2)
    played = play_effects(past, placebos.start, past.grid.y, EFFECTS, "growing")
    got = answer_path(past, placebos.start, played, design, INFERENCE)
    for a in (0, 4):
        for m in (0, 2):
            grid = dataclasses.replace(past.grid, y=played.y[a, m]).with_start(placebos.start[a])
            fit = ESTIMATORS[design](grid)
            right = infer(grid, ESTIMATORS[design], fit, draws=INFERENCE.permutations, seed=INFERENCE.seed)
            assert right.method == ("CRV3" if method == "CRV3" else "permutation")
            assert got.beta[a, m] == pytest.approx(fit.beta[0], abs=EXACT)
            for ours, theirs in ((got.low, right.ci_low), (got.high, right.ci_high)):
                assert ours[a, m] == pytest.approx(theirs[0], abs=EXACT, nan_ok=True)
            # one treated of nine cannot be told from chance: such a p value is no answer
            p = np.nan if right.p_floor is not None and right.p_floor > 0.05 else right.p_value[0]
            assert got.p[a, m] == pytest.approx(p, abs=EXACT, nan_ok=True)


def test_many_on_both_sides_are_answered_by_their_influence() -> None:
    rng = np.random.default_rng(8)
    past = history()
    grid = dataclasses.replace(
        past.grid, y=rng.normal(80, 5, (84, 14)), n=None, k=None, entities=tuple(map(str, range(84))),
        weight=np.ones(84), start=np.full(84, np.nan), cluster=np.arange(84),
    )  # fmt: skip
    wide = dataclasses.replace(past, grid=grid)
    placebos = draw_placebos(wide, n_treated=41, spread=4, draws=2, seed=2)
    played = play_effects(wide, placebos.start, grid.y, EFFECTS, "constant")
    for design, estimator in ESTIMATORS.items():
        got = answer_path(wide, placebos.start, played, design, INFERENCE)
        own = dataclasses.replace(grid, y=played.y[1, 1]).with_start(placebos.start[1])
        fit = estimator(own)
        right = infer(own, estimator, fit)
        assert right.method == "analytic"
        assert got.low[1, 1] == pytest.approx(right.ci_low[0], abs=EXACT)
        assert got.p[1, 1] == pytest.approx(right.p_value[0], abs=EXACT)


def as_panel(past: History, y: np.ndarray, start: np.ndarray) -> tuple[Panel, Policy]:
    rows = [
        (e, pd.Period(past.grid.code_of(t)), y[i, t])
        for i, e in enumerate(past.grid.entities)
        for t in range(past.grid.n_periods)
        if np.isfinite(y[i, t])
    ]
    frame = pd.DataFrame(rows, columns=["cluster_id", "quarter", "D1.batch"])
    panel = Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={"D1.batch": RATE})
    spells = tuple(
        Spell(entity=e, start=pd.Period(past.grid.code_of(int(s))))
        for e, s in zip(past.grid.entities, start, strict=True)
        if np.isfinite(s)
    )
    return panel, Policy(policy_id="placebo", title=Text("安慰剂", "placebo"), spells=spells)


@pytest.mark.parametrize(("design", "estimate"), [("twfe", estimate_twfe), ("before_after", estimate_before_after)])
def test_plain_designs_answer_as_their_estimators(design: str, estimate) -> None:
    past = history()
    placebos = draw_placebos(past, n_treated=4, spread=4, draws=4, seed=2)
    played = play_effects(past, placebos.start, past.grid.y, EFFECTS, "constant")
    got = answer_plain(past, placebos.start, played, design, level=0.95)
    for a in range(3):
        att = estimate(*as_panel(past, played.y[a, 1], placebos.start[a]), "D1.batch")["att"]
        assert got.beta[a, 1] == pytest.approx(att.value, abs=EXACT)
        assert (got.low[a, 1], got.high[a, 1]) == pytest.approx((att.ci_low, att.ci_high), abs=1e-7)
        assert got.p[a, 1] == pytest.approx(att.p_value, abs=1e-7)


def test_synthetic_control_answers_by_rank_and_the_effect_moves_the_treated_alone() -> None:
    past = take_history(*made(24), "D1.batch")
    placebos = draw_placebos(past, n_treated=1, spread=0, draws=6, seed=2)
    played = play_effects(past, placebos.start, past.grid.y, EFFECTS, "growing")
    got = answer_synthetic(past, placebos.start, played, level=0.95)
    for a, m in ((0, 0), (2, 1)):
        panel, policy = as_panel(past, played.y[a, m], placebos.start[a])
        att = estimate_synthetic(panel, policy, "D1.batch")["att"]
        assert got.beta[a, m] == pytest.approx(att.value, abs=1e-7)
        assert att.p_floor is not None
        expected = att.p_value if att.p_floor <= 0.05 else np.nan
        assert got.p[a, m] == pytest.approx(expected, abs=EXACT, nan_ok=True)
    assert np.isnan(got.low).all()


def test_an_estimate_is_the_sum_of_weighted_outcomes() -> None:
    past = history()
    start = draw_placebos(past, n_treated=4, spread=4, draws=5, seed=9).start
    seen = np.broadcast_to(np.isfinite(past.grid.y), (5, *past.grid.y.shape))
    for weigh, estimator in (
        (imputation_weights, ESTIMATORS["imputation"]),
        (group_time_weights, ESTIMATORS["staggered"]),
    ):
        weights = weigh(start, seen, past.grid.weight)
        for a in range(5):
            right = estimator(past.grid.with_start(start[a])).beta[0]
            assert np.nansum(weights[a] * past.grid.y) == pytest.approx(right, abs=EXACT)


def test_placebos_look_like_the_policy_and_are_all_played_where_they_are_few() -> None:
    past = history()
    drawn = draw_placebos(past, n_treated=4, spread=None, draws=300, seed=1)
    assert not drawn.is_complete
    assert (np.isfinite(drawn.start).sum(axis=1) == 4).all()
    first, last = np.nanmin(drawn.start, axis=1), np.nanmax(drawn.start, axis=1)
    assert (last - first == drawn.spread).all()
    assert drawn.spread == min(past.offsets[-1], past.room)
    assert first.min() >= BEFORE
    assert last.max() <= past.grid.n_periods - 4
    alone = draw_placebos(past, n_treated=1, spread=None, draws=300, seed=1)
    assert alone.is_complete
    assert len(np.unique(np.nan_to_num(alone.start), axis=0)) == len(alone.start) == 9 * (past.room + 1)


def test_a_known_effect_ends_at_the_bound_and_the_truth_says_so() -> None:
    past = history()
    start = draw_placebos(past, n_treated=4, spread=4, draws=3, seed=1).start
    played = play_effects(past, start, past.grid.y, np.array([0.0, 5.0, 200.0]), "growing")
    treated = np.arange(past.grid.n_periods) >= start[:, :, None]
    gained = played.y - past.grid.y
    assert np.nanmax(np.abs(np.where(treated[:, None], 0.0, gained))) == 0
    assert np.nanmax(played.y) <= 100
    assert played.truth[:, 0].tolist() == [0, 0, 0]
    assert (played.truth[:, 1] <= 5).all()
    assert (played.capped[:, 2] == 1).all()
    seen = treated & np.isfinite(past.grid.y)
    assert played.truth[1, 1] == pytest.approx(gained[1, 1][seen[1]].mean(), abs=EXACT)
    down = take_history(*made(better="down"), "D1.batch")
    fallen = play_effects(down, start, down.grid.y, np.array([0.0, 500.0]), "constant")
    assert np.nanmin(fallen.y) == 0
    assert (fallen.truth[:, 1] < 0).all()


def test_batches_are_drawn_again_from_those_tested_or_from_the_model() -> None:
    past = history()
    seen = np.isfinite(past.grid.y)
    few = resample_batches(past, 0.5, draws=300, seed=4)
    assert past.grid.n is not None
    assert past.grid.k is not None
    assert (few.n <= past.grid.n).all()
    assert (few.k <= np.minimum(few.n, past.grid.k)).all()
    assert np.abs(few.y[:, seen].mean(axis=0) - past.grid.y[seen]).max() < 5
    many = resample_batches(past, 3.0, draws=300, seed=4)
    assert (many.n[:, seen] >= 2 * past.grid.n[seen]).all()
    rates = 100 * true_rates(past)
    # a level each and sampling made these rates: the model takes most of what is left of them for sampling
    level = np.nanmean(past.grid.y, axis=1, keepdims=True)
    assert np.std((rates - level)[seen]) < 0.6 * np.std((past.grid.y - level)[seen])
    assert np.std((many.y - rates)[:, seen]) < 0.75 * np.std((past.grid.y - level)[seen])
    assert np.isnan(few.y[:, ~seen]).all()


def test_shares_have_exact_bounds_and_the_detectable_effect_lies_where_power_crosses() -> None:
    share = share_of(8, 10, level=0.95)
    # Clopper and Pearson (1934) for 8 of 10
    assert (round(share.low, 2), round(share.high, 2)) == (44.39, 97.48)
    assert share_of(3, 10, level=0.95, is_complete=True).low == 30
    assert np.isnan(share_of(0, 0, level=0.95).value)
    found = tuple(share_of(k, 100, level=0.95) for k in (5, 40, 90, 100))
    nothing = Score(**dict.fromkeys(field.name for field in dataclasses.fields(Score)))
    score = dataclasses.replace(nothing, gain=np.array([0.0, 2.0, 6.0, 9.0]), found=found)
    value, low, high = detectable_effect(score, power=0.8)
    assert value == pytest.approx(2 + 4 * 40 / 50)
    assert low < value < high
    assert detectable_effect(dataclasses.replace(score, found=found[:2] + found[:2]), power=0.8)[0] == np.inf


def test_quality_says_which_design_leads_and_what_it_would_find() -> None:
    found = quality()
    assert found.settings["lead"] == "imputation"
    table = found.tables["designs"].set_index("design")
    assert table.index.tolist() == ["imputation", "staggered", "synthetic", "before_after", "twfe"]
    assert bool(table.loc["imputation", "recovers"])
    assert abs(table.loc["imputation", "bias"]) < 0.5
    assert table.loc["imputation", "size_pct"] < 9
    assert table.loc["synthetic", "unanswered_pct"] == 100
    assert table.loc["twfe", "growing_bias"] < -0.3
    spoken = found.estimates[found.spoken[0]]
    assert spoken.key["design"] == "imputation"
    assert spoken.value == pytest.approx(table.loc["imputation", "detectable"])
    sentence = found.say().items[0]
    assert "imputation" in sentence.en
    assert "插补估计" in sentence.zh
    assert [c.name for c in found.checks] == ["recovers_truth"] * 5
    assert found.checks[0].passed
    assert not found.checks[2].passed


def test_a_drift_is_seen_through_before_against_after() -> None:
    panel, policy = made(drift=0.05)
    found = estimate_design_quality(panel, policy, "D1.batch", designs=["imputation", "before_after"], draws=100)
    table = found.tables["designs"].set_index("design")
    assert table.loc["before_after", "bias"] > 1.5
    assert "bias" in table.loc["before_after", "faults"]
    assert found.settings["lead"] == "imputation"


def test_where_no_design_recovers_the_truth_nothing_is_estimated() -> None:
    panel, policy = made(drift=0.05)
    found = estimate_design_quality(panel, policy, "D1.batch", designs=["before_after"], draws=60)
    assert found.settings["lead"] is None
    assert found.estimates == ()
    assert "No design recovers the truth" in found.say().items[0].en


def test_power_grows_with_batches_and_is_told_for_every_point() -> None:
    panel, policy = made(12, 32)
    found = estimate_design_power(
        panel, policy, "D1.batch", effect=6, designs=["imputation"], treated=[4, 6], batches=[0.25, 1, 4], years=[2, 3],
        history="before", draws=80,
    )  # fmt: skip
    table = found.tables["power"]
    assert table["axis"].tolist() == ["treated"] * 2 + ["batches"] * 3 + ["years"] * 2
    by_batches = table[table["axis"] == "batches"]
    assert by_batches["made"].tolist() == ["subsample", "observed", "model"]
    assert by_batches["found_pct"].is_monotonic_increasing
    assert by_batches["found_pct"].iloc[2] > by_batches["found_pct"].iloc[0] + 20
    assert ((table["found_low_pct"] <= table["found_pct"]) & (table["found_pct"] <= table["found_high_pct"])).all()
    assert found.spoken == ()
    keys = {(e.key["axis"], e.key["at"]) for e in found.estimates}
    assert ("batches", by_batches["at"].iloc[2]) in keys


def test_where_less_is_better_a_fall_is_what_is_found() -> None:
    found = estimate_design_power(
        *made(better="down"), "D1.batch", effect=10, designs=["imputation"], treated=[4], batches=(), years=(), draws=60
    )
    row = found.tables["power"].iloc[0]
    assert row["found_pct"] > row["size_pct"]
    assert 0 < row["detectable_low"] <= row["detectable"] <= row["detectable_high"]


def test_what_cannot_be_played_is_refused() -> None:
    panel, policy = made()
    for options, code in (
        ({"n_treated": 8}, "QB519"),
        ({"n_treated": 0}, "QB519"),
        ({"effect": -1}, "QB519"),
        ({"designs": ["dose"]}, "QB144"),
        ({"history": "after"}, "QB144"),
        ({"draws": 3}, "QB519"),
    ):
        with pytest.raises(UsageError) as error:
            estimate_design_quality(panel, policy, "D1.batch", **options)
        assert error.value.code == code
    short = made(n_periods=16, treated=9)
    soon = Policy(
        policy_id="soon", title=policy.title,
        spells=tuple(Spell(entity=f"K{i:02d}", start=pd.Period("2016Q4")) for i in range(8)),
    )  # fmt: skip
    with pytest.raises(DataError) as refused:
        estimate_design_quality(short[0], soon, "D1.batch")
    assert refused.value.code == "QB553"
    bare, placebo = as_panel(history(), history().grid.y, draw_placebos(
        history(), n_treated=3, spread=0, draws=20, seed=1).start[0])  # fmt: skip
    with pytest.raises(DataError) as refused:
        estimate_design_power(bare, placebo, "D1.batch", batches=[0.5], history="never")
    assert refused.value.code == "QB554"
