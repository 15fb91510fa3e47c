"""Inference by the number of treated: which method speaks, what it refuses to say, and what it must agree with."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
import sys

import numpy as np
import pytest
from scipy import stats

from qbase.core.errors import DataError, UsageError
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.doubt.cluster_jackknife import fit_jackknife, two_group_df
from qbase.effects.doubt.few_clusters import infer, permutation_leads
from qbase.effects.doubt.heavy_tails import Tails, read_tails
from qbase.effects.doubt.history_noise import fit_noise, with_caution
from qbase.effects.doubt.known_variance import AS_KNOWN, ENOUGH_POWER, chance_of_known, is_undecided, share_of_power
from qbase.effects.doubt.moved_noise import moved_noise_of
from qbase.effects.doubt.path_calibration import known_error
from qbase.effects.doubt.placebo_paths import find_exchange, ready_replay
from qbase.effects.fitting.path_fit import PathFit
from qbase.effects.judging.lead_tests import check_leads, check_test_power, settle_power
from qbase.stats.testing.adoption_permutations import TIE

TRUTH = pathlib.Path(__file__).resolve().parents[2] / "truth"


def load(name: str):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, TRUTH / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


load("average_base")
load("linear_placebos")
study = load("study_few_clusters")
fit_path = study.ESTIMATOR


def grid_of(starts: list[int], clusters: int = 12, *, seed: int = 0, **options: object) -> OutcomeGrid:
    return study.draw_grid(np.random.default_rng(seed), starts, clusters, **options)


def plain(grid: OutcomeGrid) -> PathFit:
    """Return the same estimate without the batch form."""
    return fit_path(grid)


def by_counts(grid: OutcomeGrid) -> PathFit:
    """Estimate from passes and batches, not from the outcome."""
    return fit_path(dataclasses.replace(grid, y=100 * grid.k / grid.n))


@pytest.mark.parametrize(("treated", "uncounted"), [(1, "permutation"), (3, "permutation"), (4, "CRV3"), (8, "CRV3")])
def test_counted_batches_and_the_number_of_treated_choose(treated: int, uncounted: str) -> None:
    grid = grid_of(study.STARTS[treated])
    assert infer(grid, fit_path, fit_path(grid), draws=99).method == "permutation"
    plain_rates = dataclasses.replace(grid, n=None, k=None)
    assert infer(plain_rates, fit_path, fit_path(grid), draws=99).method == uncounted


def test_what_a_weak_test_does_not_reject_is_withheld() -> None:
    grid = grid_of([20, 20, 20, 20], ratio=0.2)
    fit = fit_path(grid)
    weak, strong = infer(grid, fit_path, fit, vcov="CRV3"), infer(grid, fit_path, fit, draws=99)
    assert weak.power_share == pytest.approx(share_of_power(weak.df, 0.05))
    assert weak.power_share < 0.8 < strong.power_share
    assert strong.known_chance < 0.2
    assert (weak.p_value[0] > 0.05, strong.p_value[0] > 0.05) == (True, True)
    check = check_test_power(weak)
    assert (check.name, check.passed) == ("test_power", False)
    assert "no sign of no effect" in check.text.en
    assert check_test_power(strong).passed is True
    found = dataclasses.replace(weak, p_value=np.full_like(weak.p_value, 0.01))
    assert check_test_power(found).passed is None


def test_one_of_twelve_has_no_power_at_all() -> None:
    grid = grid_of([20])
    found = infer(grid, fit_path, fit_path(grid))
    assert found.power_share == 0.0
    assert check_test_power(found).passed is False


def test_a_known_variance_has_all_its_power() -> None:
    assert share_of_power(np.inf, 0.05) == pytest.approx(1.0)
    # Student's t of 3 degrees of freedom at 1.96 errors: simulated, 27 to 29 of 100 against 50
    rng = np.random.default_rng(1)
    t = (rng.standard_normal(200_000) + 1.959964) / np.sqrt(rng.chisquare(3, 200_000) / 3)
    assert share_of_power(3.0, 0.05) == pytest.approx((np.abs(t) > 3.182446).mean() / 0.5, abs=0.02)


def test_the_chance_of_a_known_variance_is_that_of_the_true_errors_behind_an_estimated_one() -> None:
    # true variance = estimated · df / χ²: how often |estimate| > 1.96 true errors
    rng = np.random.default_rng(4)
    true = np.sqrt(10 / rng.chisquare(10, 400_000))
    for t in (-1.2, 1.69, 2.03, 2.5):
        assert chance_of_known(t, 10.0) == pytest.approx((abs(t) > 1.959964 * true).mean(), abs=0.003)
    assert (chance_of_known(0.0, 10.0), chance_of_known(1.95, np.inf), chance_of_known(1.97, np.inf)) == (0.0, 0.0, 1.0)
    assert np.isnan(chance_of_known(np.nan, 10.0))
    assert (is_undecided(0.85, 0.21), is_undecided(0.85, 0.19), is_undecided(0.79, None)) == (True, False, True)


def test_from_some_degrees_of_freedom_on_a_t_test_keeps_four_fifths_whatever_the_effect() -> None:
    z = np.linspace(1.959964, 12, 4001)

    def least(df: float) -> float:
        finds = stats.chi2.cdf(df * (z / stats.t.isf(0.025, df)) ** 2, df)
        return min(float(np.average(finds, weights=stats.norm.pdf(z - e) + stats.norm.pdf(z + e))) for e in (0, 1, 2))

    assert least(AS_KNOWN) >= ENOUGH_POWER > least(AS_KNOWN - 2)


def test_a_close_call_is_withheld_and_a_rejection_never_is() -> None:
    said = set()
    for seed in range(16):
        grid = grid_of(study.STARTS[4], seed=seed, ratio=0.2, change=-4.0)
        fit = fit_path(grid)
        found = infer(grid, fit_path, fit, draws=99)
        check = check_test_power(found)
        if found.p_value[0] <= 0.05:
            assert (found.known_chance, check.passed) == (None, True)
        else:
            assert check.passed is (found.known_chance <= 0.2)
            assert "没有效果" in check.text.zh or check.passed
        said.add((bool(found.p_value[0] <= 0.05), check.passed))
    assert said == {(True, True), (False, True), (False, False)}


def test_the_error_without_caution_knows_neither_the_effect_nor_its_unit() -> None:
    grid = grid_of(study.STARTS[4], ratio=5.0, noise="AR(.8) shocks")
    moved = dataclasses.replace(grid, y=grid.y - 7.0 * (grid.event_time >= 0))

    def error(of: OutcomeGrid) -> float:
        fit = fit_path(of)
        exchange = find_exchange(of, fit_path, fit, draws=199, seed=1)
        return known_error(of, ready_replay(of, fit_path, fit), fit, exchange)

    assert error(moved) == pytest.approx(error(grid))
    # not a plain rate any more: the noise of sampling is fitted then, near what it is known to be
    assert error(dataclasses.replace(grid, y=grid.y / 100)) == pytest.approx(error(grid) / 100, rel=0.15)
    # shocks that last are taken larger in the test itself
    assert infer(grid, fit_path, fit_path(grid), draws=199, seed=1).std_error[0] > error(grid)


def test_the_jackknife_is_asked_for_its_chance_too_and_many_clusters_are_not() -> None:
    grid = grid_of(study.STARTS[8], 24, ratio=0.2, change=-3.0)
    fit = fit_path(grid)
    found = infer(grid, fit_path, fit, vcov="CRV3", draws=99)
    assert found.p_value[0] > 0.05
    assert found.known_chance == pytest.approx(chance_of_known(fit.beta[0] / found.std_error[0], found.df))
    many = grid_of([20] * 45, 100)
    assert infer(many, fit_path, fit_path(many)).known_chance is None


def test_an_effect_inside_the_margin_asks_for_no_power_against_zero() -> None:
    weak = CheckResult(name="test_power", passed=False, text=Text("弱", "weak"))
    other = CheckResult(name="parallel_leads", passed=False, text=Text("异", "apart"))
    effect = Estimate(term="att", value=0.9, std_error=0.5, ci_low=-0.2, ci_high=2.0, tost_low=0.0, tost_high=1.8)
    settled = settle_power((weak, other), effect, 2.5)
    assert [check.passed for check in settled] == [None, False]
    assert "inside the margin" in settled[0].text.en
    for margin in (1.5, None):
        assert settle_power((weak, other), effect, margin) == (weak, other)


@pytest.mark.parametrize("treated", [1, 2])
def test_below_three_treated_there_is_a_p_value_with_its_floor_and_no_interval(treated: int) -> None:
    grid = grid_of(study.STARTS[treated])
    found = infer(grid, fit_path, fit_path(grid), draws=199)
    for values in (found.ci_low, found.ci_high, found.std_error, found.joint_low, found.p_value[1:]):
        assert np.isnan(values).all()
    # two treated at two dates: 12 · 11 ways
    assert found.p_floor == pytest.approx({1: 1 / 12, 2: 1 / 132}[treated])
    assert found.p_value[0] >= found.p_floor


def test_an_event_time_of_one_early_adopter_has_no_interval_in_a_design_of_five() -> None:
    grid = grid_of([30, 36, 36, 36, 37])
    fit = fit_path(grid)
    found = infer(grid, fit_path, fit, draws=99)
    alone = fit.n_treated < 3
    assert alone.any()
    assert np.isnan(np.stack([found.ci_low, found.p_value, found.joint_low])[:, alone]).all()
    assert np.isfinite(found.ci_low[~alone]).all()


def test_one_treated_of_twelve_cannot_be_tested() -> None:
    grid = grid_of([20])
    found = infer(grid, fit_path, fit_path(grid))
    assert found.lead_test is not None
    assert not found.lead_test.is_testable
    check = check_leads(found)
    assert check.passed is None
    assert "无法检验" in check.text.zh
    assert "cannot be tested" in check.text.en


def test_words_follow_the_permutation() -> None:
    grid = grid_of(study.STARTS[4])
    calm = check_leads(infer(grid, fit_path, fit_path(grid), draws=199))
    assert calm.passed is None
    assert "not seen to move apart" in calm.text.en
    drifting = dataclasses.replace(grid, y=grid.y + 3.0 * np.where(grid.is_treated[:, None], np.arange(40), 0))
    moved = check_leads(infer(drifting, fit_path, fit_path(drifting), draws=199))
    assert moved.passed is False
    assert "already moved apart" in moved.text.en
    assert "已经不同" in moved.text.zh


@pytest.mark.parametrize("treated", [2, 4, 8])
def test_jackknife_is_that_of_averages(treated: int) -> None:
    grid = grid_of(study.STARTS[treated])
    fit = fit_path(grid)
    apart = study.closed_jackknife(grid, fit)
    assert np.allclose(fit_jackknife(grid, fit_path, fit).deleted - fit.beta, apart)


def test_degrees_of_freedom_are_those_of_welch() -> None:
    grid = grid_of([20, 20, 20, 20], ratio=0.2)
    fit = fit_path(grid)
    gap = grid.y[:, 20:].mean(axis=1) - grid.y[:, :16].mean(axis=1)
    mine, others = gap[:4].var(ddof=0) / 4, gap[4:].var(ddof=0) / 8
    assert two_group_df(grid, fit)[0] == pytest.approx((mine + others) ** 2 / (mine**2 / 3 + others**2 / 7))


def test_the_batch_form_changes_nothing() -> None:
    grid = grid_of(study.STARTS[3])
    fit = fit_path(grid)
    one, many = infer(grid, plain, fit, draws=19), infer(grid, fit_path, fit, draws=19)
    for name in ("ci_low", "ci_high", "joint_low", "p_value", "vcov"):
        assert np.allclose(getattr(one, name), getattr(many, name), equal_nan=True)
    assert one.lead_test == many.lead_test == permutation_leads(grid, fit_path, fit, draws=19)


def test_exchanging_histories_of_equal_noise_is_exchanging_dates() -> None:
    counted = grid_of([18, 24])
    grid = dataclasses.replace(counted, n=None, k=None)
    fit = fit_path(grid)
    exchange = find_exchange(grid, fit_path, fit, draws=19, seed=1)
    assert exchange is not None
    replay = ready_replay(grid, fit_path, fit)
    assert replay.noise.root is None
    histories = np.concatenate(list(replay.of_histories(grid.y, exchange.places)))
    dates = np.concatenate(list(replay.of_dates(grid, exchange.places)))
    assert np.allclose(histories, dates)


def test_an_estimator_of_counts_exchanges_dates_and_gives_no_interval_by_inversion() -> None:
    grid = grid_of(study.STARTS[3])
    fit = by_counts(grid)
    found = infer(grid, by_counts, fit, draws=49)
    assert found.lead_test is not None
    assert np.isfinite(found.p_value[0])
    assert np.isnan(found.ci_low).all()
    with pytest.raises(DataError, match="QB551"):
        infer(grid, by_counts, fit, vcov="conley_taber", draws=49)


def test_a_history_in_its_own_place_is_itself() -> None:
    grid = grid_of(study.STARTS[3], ratio=5.0, noise="AR(.8) shocks")
    fit = fit_path(grid)
    replay = ready_replay(grid, fit_path, fit)
    plain_noise = dataclasses.replace(with_caution(replay.noise, grid.is_treated, 0.0), shared=None)
    again = dataclasses.replace(replay, noise=plain_noise)
    (beta,) = again.of_histories(grid.y, np.arange(12)[None])
    assert np.allclose(beta[0], fit.beta)


def test_noise_is_found_again() -> None:
    grid = grid_of([20], 200, noise="AR(.8) shocks")
    noise = fit_noise(grid)
    # variance .09 on the logit scale is .09 (p(1 − p))², in shares of p(1 − p) with p(1 − p) near .1
    assert noise.lasting == pytest.approx(0.009, abs=0.003)
    assert noise.persistence == pytest.approx(0.8, abs=0.11)
    assert fit_noise(grid_of([20], 200, noise="over-dispersed .1")).white == pytest.approx(0.09, abs=0.02)


def test_holes_keep_their_place() -> None:
    grid = grid_of(study.STARTS[3])
    y = grid.y.copy()
    y[5, 7] = np.nan
    holed = dataclasses.replace(grid, y=y, n=np.where(np.isnan(y), 0, grid.n), k=np.where(np.isnan(y), 0, grid.k))
    replay = ready_replay(holed, lambda g: fit_path(dataclasses.replace(g, y=np.nan_to_num(g.y))), fit_path(grid))
    (beta,) = replay.of_histories(y, np.arange(12)[None, ::-1])
    assert np.isfinite(beta[0]).all()


def test_clusters_whose_entities_differ_cannot_change_places() -> None:
    grid = grid_of(study.STARTS[4])
    mixed = dataclasses.replace(grid, cluster=np.array([0, 1, 2, 3, 0, 1, 4, 5, 6, 7, 8, 9]))
    fit = fit_path(mixed)
    assert find_exchange(mixed, fit_path, fit, draws=9, seed=0) is None
    found = infer(mixed, fit_path, fit)
    assert found.lead_test is None
    assert np.isnan(found.joint_low).all()
    with pytest.raises(DataError, match="QB551"):
        infer(mixed, fit_path, fit, vcov="permutation")


def test_many_clusters_need_no_placebos() -> None:
    grid = grid_of([20] * 45, 100)
    found = infer(grid, fit_path, fit_path(grid))
    assert (found.method, found.n_draws) == ("analytic", 0)
    assert found.lead_test is not None
    assert found.lead_test.p_floor is None
    assert np.isfinite(found.joint_low[1:]).all()


@pytest.mark.parametrize("vcov", ["permutation", "conley_taber"])
def test_the_interval_leaves_out_zero_where_p_rejects(vcov: str) -> None:
    for seed in range(12):
        grid = grid_of(study.STARTS[3], seed=seed, change=-4.0)
        found = infer(grid, fit_path, fit_path(grid), vcov=vcov, draws=99)
        leaves_out = found.ci_low[0] > 0 or found.ci_high[0] < 0
        assert leaves_out == (found.p_value[0] <= 0.05)


def test_wild_signs_give_an_interval_for_eight_treated_and_none_for_two() -> None:
    grid = grid_of(study.STARTS[8], 14)
    found = infer(grid, fit_path, fit_path(grid), vcov="wild", draws=19)
    assert found.ci_low[0] < fit_path(grid).beta[0] < found.ci_high[0]
    small = grid_of(study.STARTS[2])
    assert np.isnan(infer(small, fit_path, fit_path(small), vcov="wild", draws=19).ci_low).all()


def test_refusals() -> None:
    grid = grid_of(study.STARTS[4])
    fit = fit_path(grid)
    with pytest.raises(UsageError, match="QB550"):
        infer(grid, fit_path, fit, vcov="CRV9")
    with pytest.raises(DataError, match="QB552"):
        infer(grid, fit_path, fit, vcov="conley_taber")


def test_caution_makes_the_treated_vary_more_in_their_new_place_only() -> None:
    grid = grid_of(study.STARTS[3], 36, noise="AR(.8) shocks")
    noise = fit_noise(grid)
    assert noise.root is not None
    assert noise.cautious is not None
    size = [np.einsum("ijk,ijk->i", root, root) for root in (noise.root, noise.cautious)]
    assert (size[1][grid.is_treated] > size[0][grid.is_treated]).all()
    assert np.allclose(size[1][~grid.is_treated], size[0][~grid.is_treated])
    calm = with_caution(noise, grid.is_treated, 0.0)
    assert calm.cautious is not None
    assert np.allclose(calm.cautious, noise.root)
    treatment = np.where(grid.event_time >= 0, 1.0, 0.0)
    beta = fit_path(dataclasses.replace(grid, y=treatment)).beta
    replay = dataclasses.replace(
        ready_replay(grid, fit_path, fit_path(grid)), noise=dataclasses.replace(calm, shared=None)
    )
    (own,) = replay.of_histories(treatment, np.arange(36)[None])
    assert np.allclose(own[0], beta)


def test_tails_are_those_of_binomial_batches() -> None:
    grid = grid_of(study.STARTS[3], 36, ratio=0.2)
    replay = ready_replay(grid, fit_path, fit_path(grid))
    tails = read_tails(grid, replay)
    assert tails is not None
    assert replay.noise.batch is not None
    term = fit_path(grid).terms.index(("event", 3))
    rng = np.random.default_rng(5)
    treated = np.flatnonzero(grid.is_treated)
    # passes of the treated drawn at the rates behind the fitted variances, all else without noise
    rate = 0.5 + np.sqrt(0.25 - replay.noise.batch[treated] / 1e4)
    y = np.zeros((20_000, *grid.y.shape))
    y[:, treated] = (
        100 * rng.binomial(grid.n[treated].astype(int), rate[:, None], (len(y), 3, study.T)) / grid.n[treated]
    )
    drawn = np.concatenate([fit_path.fit_many(grid, part)[:, term] for part in np.split(y, 40)])
    found = tails.of_terms(np.array([term]))
    assert found.fourth[0] / drawn.var() ** 2 == pytest.approx(stats.kurtosis(drawn), abs=0.06)
    assert abs(found.third[0]) / drawn.std() ** 3 == pytest.approx(abs(stats.skew(drawn)), abs=0.05)
    # how rarely it strays as far: the normal law says 1 in 145 where it is 1 in 90 or so
    far = np.quantile(np.abs(drawn - drawn.mean()), 0.99)
    counted = tails.of_terms(np.array([term])).as_normal(np.array([far]), np.array([drawn.std()]))
    assert 2 * stats.norm.sf(counted[0]) == pytest.approx(0.01, abs=0.004)
    assert counted[0] < far / drawn.std()


def test_tails_of_a_normal_term_are_normal_and_the_band_is_the_inverted_test() -> None:
    none = Tails(third=np.zeros(3), fourth=np.zeros(3))
    t = np.array([0.5, 2.0, 9.0])
    assert np.allclose(none.as_normal(t, np.ones(3)), t)
    heavy = Tails(third=np.array([0.0, -0.8, -0.2]), fourth=np.array([0.5, 0.5, -0.3]))
    limits = heavy.from_normal(2.7, np.ones(3))
    assert np.allclose(heavy.as_normal(limits, np.ones(3)), 2.7, atol=1e-3)
    assert (limits >= 2.7 - 1e-9).all()
    assert np.allclose(heavy.from_normal(np.inf, np.ones(3)), np.inf)
    # another unit of the outcome changes nothing
    scaled = Tails(third=heavy.third * 1e6, fourth=heavy.fourth * 1e8)
    assert np.allclose(scaled.from_normal(2.7, np.full(3, 100.0)), limits)


def test_uncounted_batches_have_no_known_tails() -> None:
    grid = dataclasses.replace(grid_of(study.STARTS[3]), n=None, k=None)
    assert read_tails(grid, ready_replay(grid, fit_path, fit_path(grid))) is None


@pytest.mark.parametrize(("rate", "effect"), [(0.9, -10.0), (0.2, 15.0)])
def test_an_effect_towards_one_half_widens_by_what_the_batches_vary_more(rate: float, effect: float) -> None:
    n, weights = np.full((2, 8), 5.0), np.zeros((2, 8, 1))
    after = np.zeros((2, 8), dtype=bool)
    after[0, 4:], weights[0, 4:, 0] = True, 0.25
    y = np.full((2, 8), 100 * rate)
    y[after] += effect
    moved = moved_noise_of(np.full(2, 1e4 * rate * (1 - rate)), y, n, after, weights)
    rng = np.random.default_rng(8)
    errors = [100 * rng.binomial(5, p, (200_000, 4)).mean(axis=1) / 5 for p in (rate, rate + effect / 100)]
    assert moved.widening(effect, 0, float(errors[0].std())) == pytest.approx(
        errors[1].std() / errors[0].std(), rel=0.01
    )
    # away from one half it varies less, and no end is moved in
    assert moved.widening(-effect / 2, 0, float(errors[0].std())) == 1.0
    assert moved.move_out(0.0, -effect / 2, 0, 1.0) == -effect / 2
    assert abs(moved.move_out(0.0, effect, 0, float(errors[0].std()))) > abs(effect)


def test_an_interval_leaves_out_nothing_exactly_where_its_p_value_says_so() -> None:
    agreed = set()
    for seed in range(12):
        grid = grid_of(study.STARTS[4], seed=seed, ratio=0.2, change=-8.0)
        found = infer(grid, fit_path, fit_path(grid), draws=199)
        for low, high, p in zip(found.ci_low, found.ci_high, found.p_value, strict=True):
            if np.isfinite(low):
                assert (low > 0 or high < 0) == (p <= 0.05 + TIE)
                agreed.add(bool(p <= 0.05))
    assert agreed == {True, False}
