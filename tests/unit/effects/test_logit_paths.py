"""Imputation on the log-odds: right where trends are parallel there, at ceiling rates too."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import expit

from qbase.core import Indicator, Text
from qbase.core.errors import UsageError
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.imputation import fit_imputation
from qbase.effects.fitting.imputed_terms import Window, list_path_terms
from qbase.effects.fitting.logit_paths import LogitEstimator, fit_logit_imputation, impute_rates
from qbase.stats import fit_two_way_logit

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")


def grid_of(k: Floats, n: Floats, start: list[float]) -> OutcomeGrid:
    return OutcomeGrid(
        indicator=RATE,
        freq="Q",
        entities=tuple(f"K{i:03d}" for i in range(len(k))),
        first=200,
        y=np.where(n > 0, 100 * k / np.where(n > 0, n, 1), np.nan),
        n=n,
        k=k,
        start=np.array(start),
        weight=np.ones(len(k)),
        cluster=np.arange(len(k)),
    )


def exact_grid(drift: float = 0.0, effect: float = 0.0) -> OutcomeGrid:
    """So many batches that rates are what the log-odds say; two cohorts, trends parallel on the log-odds."""
    period = np.arange(12.0)
    eta = np.linspace(0.5, 2.5, 10)[:, None] + 0.1 * period
    eta[:4] += drift * period
    p = np.asarray(expit(eta), dtype=float)
    p[:2, 6:] += effect
    p[2:4, 8:] += effect
    n = np.full(p.shape, 1e9)
    return grid_of(n * p, n, [6, 6, 8, 8, *[np.nan] * 6])


def made_grid(seed: int = 2) -> OutcomeGrid:
    rng = np.random.default_rng(seed)
    n = 4.0 + rng.poisson(13, (12, 16))
    n[rng.random(n.shape) < 0.1] = 0
    k = rng.binomial(n.astype(int), expit(2.4 + 0.45 * rng.normal(size=(12, 1)))).astype(float)
    return grid_of(k, n, [7, 7, 9, 9, *[np.nan] * 8])


def test_an_effect_is_found_where_log_odds_move_alike_and_points_do_not() -> None:
    fit = fit_logit_imputation(exact_grid(effect=0.03), leads=5, lags=3)
    assert np.allclose(fit.beta[fit.pick("event", leads=True)], 0, atol=1e-5)
    assert np.allclose(fit.beta[fit.pick("event", leads=False)], 3, atol=1e-5)
    assert abs(fit_imputation(exact_grid(effect=0.03), leads=5, lags=3).beta[0] - 3) > 0.5


def test_a_drift_on_the_log_odds_goes_on_through_leads_and_lags() -> None:
    grid = exact_grid(drift=0.02)
    fit = fit_logit_imputation(grid, leads=5, lags=3)
    assert (np.diff(fit.beta[fit.pick("event")]) > 0.1).all()


def test_terms_and_counts_are_those_of_imputation_on_points() -> None:
    grid = made_grid()
    odds, points = (fit(grid, leads=3, lags=2) for fit in (fit_logit_imputation, fit_imputation))
    assert odds.terms == points.terms
    assert np.array_equal(odds.n_cells, points.n_cells)
    assert np.array_equal(odds.n_treated, points.n_treated)
    assert np.allclose(odds.n_effective, points.n_effective)
    assert np.abs(odds.beta - points.beta).max() < 3


def test_overall_effect_is_rates_less_imputed_rates() -> None:
    grid = made_grid()
    fit = fit_logit_imputation(grid, leads=3, lags=2)
    imputed = impute_rates(grid, Window(leads=3, lags=2))
    treated = (grid.event_time >= 0) & np.isfinite(grid.y)
    assert fit.beta[0] == pytest.approx((grid.y - imputed)[treated].mean(), abs=1e-9)


def test_fitted_passes_of_untreated_cells_are_those_seen() -> None:
    grid = made_grid()
    imputed = impute_rates(grid, Window(leads=3, lags=2)) / 100
    assert grid.n is not None
    assert grid.k is not None
    base = ~(grid.event_time >= 0) & (grid.n > 0)
    assert (grid.n * imputed)[base].sum() == pytest.approx(grid.k[base].sum(), abs=1e-6)
    raw = fit_two_way_logit(np.where(base, grid.k, 0), np.where(base, grid.n, 0))
    fitted = expit(raw.entity[:, None] + raw.period)
    assert (grid.n * fitted)[base].sum() < grid.k[base].sum() - 1


def test_influence_is_the_derivative_times_what_is_left() -> None:
    """Move one cell by little: the coefficient follows as the influence of its entity says."""
    grid = made_grid()
    window = Window(leads=3, lags=2)
    estimator = LogitEstimator(window=window, terms=list_path_terms(grid, window))
    rng = np.random.default_rng(0)
    unit = np.where(np.isfinite(grid.y), rng.normal(size=grid.y.shape), 0.0)
    unit *= (grid.y > 1) & (grid.y < 99)
    small = 0.01
    ahead, back = (estimator(dataclasses.replace(grid, y=grid.y + s * unit)).beta for s in (small, -small))
    slope = estimator.fit_many(grid, unit[None])[0]
    assert np.abs(slope - (ahead - back) / (2 * small)).max() < 0.05 * np.abs(slope).max()


def test_many_outcomes_are_linear_about_the_fit() -> None:
    grid = made_grid()
    window = Window(leads=3, lags=2)
    estimator = LogitEstimator(window=window, terms=list_path_terms(grid, window))
    y = np.random.default_rng(1).normal(size=(2, *grid.y.shape)) + np.where(np.isfinite(grid.y), 0, np.nan)
    one, other = estimator.fit_many(grid, y)
    both = estimator.fit_many(grid, (y[0] + 2 * y[1])[None])[0]
    assert np.allclose(both, one + 2 * other)


def test_where_every_untreated_batch_passes_all_are_imputed_to_pass() -> None:
    grid = made_grid()
    assert grid.n is not None
    k = np.where(grid.event_time >= 0, 0.5, 1.0) * grid.n
    k[4:] = grid.n[4:]
    fit = fit_logit_imputation(grid_of(k, grid.n, list(grid.start)), leads=3, lags=2)
    assert fit.beta[0] == pytest.approx(-50)
    assert np.isfinite(fit.influence).all()


def test_two_cohorts_without_never_treated_have_leads_where_others_were_seen() -> None:
    grid = made_grid()
    fit = fit_logit_imputation(grid.keep(grid.start == grid.start), leads=3, lags=1)
    assert np.isfinite(fit.beta[fit.terms.index(("event", -3))])
    single = fit_logit_imputation(grid.keep(grid.start == 7), leads=3, lags=1)
    assert np.isnan(single.beta).all()


def test_outcomes_that_are_no_rate_are_refused() -> None:
    grid = made_grid()
    for other in (
        dataclasses.replace(grid, n=None, k=None),
        dataclasses.replace(grid, y=grid.y + 1),
        dataclasses.replace(grid, y=np.where(grid.n == 0, 90.0, grid.y)),
    ):
        with pytest.raises(UsageError, match="QB543"):
            fit_logit_imputation(other, leads=2, lags=1)
    window = Window(leads=2, lags=1)
    with pytest.raises(UsageError, match="QB543"):
        LogitEstimator(window=window, terms=list_path_terms(grid, window))(dataclasses.replace(grid, n=None))
