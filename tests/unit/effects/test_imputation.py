"""Imputation by the T × T system is the naive regression, its leads lie on one line with its lags."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qbase.core import Indicator, Text
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.imputation import ImputationEstimator, fit_imputation
from qbase.effects.fitting.imputed_terms import Window
from qbase.effects.fitting.path_fit import clustered_vcov

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
EXACT = 1e-10


def grid_of(y: Floats, start: list[float] | Floats, weight: Floats | None = None) -> OutcomeGrid:
    return OutcomeGrid(
        indicator=RATE,
        freq="Q",
        entities=tuple(f"K{i:03d}" for i in range(len(y))),
        first=200,
        y=y,
        n=None,
        k=None,
        start=np.asarray(start, dtype=float),
        weight=np.ones(len(y)) if weight is None else weight,
        cluster=np.arange(len(y)),
    )


def made_grid(seed: int = 3, *, gaps: float = 0.1) -> OutcomeGrid:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(14, 12)).cumsum(axis=1)
    y[rng.random(y.shape) < gaps] = np.nan
    start = [5, 5, 5, 7, 7, 9, 14, *[np.nan] * 7]
    return grid_of(y, start, rng.uniform(1, 3, 14))


def naive_effects(grid: OutcomeGrid, gap: int = 0) -> Floats:
    """Dummies of entities and periods by least squares on untreated cells, then outcome less prediction."""
    n, t = grid.y.shape
    since = grid.event_time
    row, column = np.nonzero(np.isfinite(grid.y) & ~(since >= -gap))
    x = np.zeros((len(row), n + t))
    x[np.arange(len(row)), row] = 1
    x[np.arange(len(row)), n + column] = 1
    beta = np.linalg.lstsq(x, grid.y[row, column], rcond=None)[0]
    return np.where(since >= 0, grid.y - beta[:n, None] - beta[None, n:], np.nan)


@pytest.mark.parametrize("gap", [0, 2])
def test_effects_are_those_of_a_regression_on_dummies(gap: int) -> None:
    grid = made_grid()
    fit = fit_imputation(grid, leads=4, lags=3, donut=gap)
    effects, since, period = naive_effects(grid, gap), grid.event_time, np.arange(grid.n_periods)
    for i, (kind, at) in enumerate(fit.terms):
        if kind == "event" and at is not None and at < 0:
            continue
        chosen = {
            "att": since >= 0,
            "event": since == at,
            "cohort": (since >= 0) & (grid.start == at)[:, None],
            "period": (since >= 0) & (period == at),
        }[kind] & np.isfinite(effects)
        share = np.where(chosen, grid.weight[:, None], 0)
        assert fit.beta[i] == pytest.approx((np.nan_to_num(effects) * share).sum() / share.sum(), abs=EXACT)
        assert fit.n_cells[i] == chosen.sum()
        assert fit.n_treated[i] == chosen.any(axis=1).sum()
        by_entity = share.sum(axis=1) / share.sum()
        assert fit.n_effective[i] == pytest.approx(1 / (by_entity**2).sum())


def test_influence_is_each_entitys_weights_times_conservative_errors() -> None:
    grid = made_grid(gaps=0)
    window = Window(leads=4, lags=3)
    fit = fit_imputation(grid, leads=4, lags=3)
    estimator = ImputationEstimator(window=window, terms=fit.terms)
    n, t = grid.y.shape
    weights = estimator.fit_many(grid, np.eye(n * t).reshape(n * t, n, t)).reshape(n, t, -1)
    effects, since = naive_effects(grid), grid.event_time
    errors = np.zeros((n, t))
    untreated = ~(since >= 0)
    row, column = np.nonzero(untreated)
    x = np.zeros((len(row), n + t))
    x[np.arange(len(row)), row] = 1
    x[np.arange(len(row)), n + column] = 1
    y = grid.y[row, column]
    errors[row, column] = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    for c in (5, 7):
        rows = np.flatnonzero(grid.start == c)
        square = grid.weight[rows] ** 2
        errors[rows, c:] = effects[rows, c:] - square @ effects[rows, c:] / square.sum()
    for i, (kind, at) in enumerate(fit.terms):
        if (kind, at) in {("event", 0), ("event", 2)}:
            late = np.flatnonzero(grid.start == 9)[0]
            others = np.isin(grid.start, [5, 7])
            when = grid.start[others].astype(int) + int(at or 0)
            square = grid.weight[others] ** 2
            own = effects[late, 9 + int(at or 0)]
            errors[late, 9:] = 0
            errors[late, 9 + int(at or 0)] = own - square @ effects[others, when] / square.sum()
            assert np.allclose((weights[:, :, i] * errors).sum(axis=1), fit.influence[:, i], atol=EXACT)
    assert clustered_vcov(fit, grid.cluster).shape == (len(fit.terms),) * 2


def event_path(grid: OutcomeGrid, leads: int, lags: int) -> tuple[Floats, Floats]:
    fit = fit_imputation(grid, leads=leads, lags=lags)
    at = fit.pick("event")
    return np.array([fit.terms[i][1] for i in at], dtype=float), fit.beta[at]


def test_a_straight_drift_shows_as_one_straight_line() -> None:
    period = np.arange(14.0)
    y = np.random.default_rng(1).normal(size=8)[:, None] + np.sin(period)
    y[:3] += 0.7 * period
    since, path = event_path(grid_of(y, [6, 6, 6, *[np.nan] * 5]), 6, 4)
    assert np.allclose(path, 0.7 * (since + 3.5), atol=EXACT)
    assert path[since < 0].sum() == pytest.approx(0, abs=EXACT)


@pytest.mark.parametrize("is_seen", [False, True], ids=["with gaps in a control", "balanced"])
def test_a_cohort_that_drifts_is_on_one_line_beside_those_not_yet_treated(is_seen: bool) -> None:
    period = np.arange(14.0)
    y = np.random.default_rng(1).normal(size=8)[:, None] + np.sin(period)
    y[:2] += 0.7 * period
    if not is_seen:
        y[7, 6:] = np.nan
    # the second cohort is a control of the first; its own path hardly counts
    grid = grid_of(y, [6, 6, 9, *[np.nan] * 5], np.array([1, 1, 1e-13, 1, 1, 1, 1, 1]))
    since, path = event_path(grid, 6, 4)
    assert np.allclose(path, 0.7 * (since + 3.5), atol=1e-8)


def test_cohorts_that_all_drift_bend_only_where_their_controls_change() -> None:
    y = np.zeros((9, 20))
    y[:5] += 0.5 * np.arange(20.0)
    grid = grid_of(y, [8, 8, 8, 14, 14, *[np.nan] * 4], np.array([1, 1, 1, 1e-13, 1e-13, 1, 1, 1, 1]))
    since, path = event_path(grid, 8, 11)
    step = np.diff(path)
    # until the second cohort is treated it stands among the controls and takes its share of the drift away
    assert np.allclose(step[since[1:] < 6], 0.5 * (1 - 2 / 6), atol=1e-8)
    assert np.allclose(step[since[1:] > 6], 0.5, atol=1e-8)


def test_residuals_would_bend_the_line() -> None:
    y = np.zeros((6, 10))
    y[:3] += np.arange(10.0)
    grid = grid_of(y, [5, 5, 5, *[np.nan] * 3])
    path = event_path(grid, 5, 4)[1]
    assert np.allclose(np.diff(path), 1)
    mean = y.mean(axis=0)[:5]
    residual = (y[:3] - y[:3, :5].mean(axis=1, keepdims=True)).mean(axis=0)[:5] - (mean - mean.mean())
    assert np.allclose(np.diff(residual), 0.5)


def test_leads_of_all_periods_before_sum_to_nothing_by_their_weights() -> None:
    grid = made_grid()
    fit = fit_imputation(grid, leads=9, lags=2)
    at = fit.pick("event", leads=True)
    weighted = 0.0
    since = grid.event_time
    for i in at:
        cells = np.isfinite(grid.y) & (since == fit.terms[i][1]) & grid.is_treated[:, None]
        assert fit.n_cells[i] == cells.sum()
        weighted += fit.beta[i] * (cells * grid.weight[:, None]).sum() if cells.any() else 0
    assert weighted == pytest.approx(0, abs=1e-8)


def test_many_outcomes_at_once_are_each_by_itself() -> None:
    grid = made_grid()
    terms = fit_imputation(grid, leads=3, lags=2).terms
    estimator = ImputationEstimator(window=Window(leads=3, lags=2), terms=terms)
    outcomes = np.random.default_rng(0).normal(size=(4, *grid.y.shape)) + np.where(np.isfinite(grid.y), 0, np.nan)
    beta = estimator.fit_many(grid, outcomes)
    for i, y in enumerate(outcomes):
        one = estimator(dataclasses.replace(grid, y=y))
        assert np.allclose(one.beta, beta[i], equal_nan=True, atol=EXACT)


def test_terms_stay_when_a_cohort_leaves() -> None:
    grid = made_grid()
    whole = fit_imputation(grid, leads=3, lags=2)
    estimator = ImputationEstimator(window=Window(leads=3, lags=2), terms=whole.terms)
    fit = estimator(grid.keep(grid.start != 9))
    assert fit.terms == whole.terms
    assert np.isnan(fit.beta[fit.terms.index(("cohort", 9))])
    assert fit.n_treated[fit.terms.index(("cohort", 9))] == 0
    assert not fit.influence[:, fit.terms.index(("cohort", 9))].any()


def test_gap_before_the_start_is_neither_base_nor_effect() -> None:
    grid = made_grid(gaps=0)
    fit = fit_imputation(grid, leads=4, lags=2, donut=1, anticipation=1)
    assert [at for kind, at in fit.terms if kind == "event"] == [-4, -3, 0, 1, 2]
    moved = grid.y.copy()
    moved[(grid.event_time == -1) | (grid.event_time == -2)] += 100
    again = fit_imputation(dataclasses.replace(grid, y=moved), leads=4, lags=2, donut=1, anticipation=1)
    assert np.allclose(fit.beta, again.beta, atol=EXACT)


def test_anticipation_keeps_those_treated_after_the_data_end_out_of_the_base() -> None:
    grid = made_grid(gaps=0)
    late = np.flatnonzero(grid.start == 14)
    moved = grid.y.copy()
    moved[late, 11:] += 100
    shifted = dataclasses.replace(grid, y=moved)
    before = fit_imputation(grid, leads=2, lags=1, anticipation=3).beta
    assert np.allclose(before, fit_imputation(shifted, leads=2, lags=1, anticipation=3).beta, atol=EXACT)
    assert not np.allclose(fit_imputation(grid, leads=2, lags=1).beta, fit_imputation(shifted, leads=2, lags=1).beta)


def test_period_without_an_untreated_cell_is_not_imputed() -> None:
    y = np.random.default_rng(5).normal(size=(6, 8))
    grid = grid_of(y, [4, 4, 4, 6, 6, 6])
    fit = fit_imputation(grid, leads=2, lags=3)
    found = {term: (beta, n) for term, beta, n in zip(fit.terms, fit.beta, fit.n_cells, strict=True)}
    assert found["period", 5][1] == 3
    assert np.isnan(found["period", 6][0])
    assert found["period", 7][1] == 0
    assert np.isnan(found["event", 2][0])
    assert found["att", None][1] == 6
    assert np.allclose(found["att", None][0], np.nanmean(naive_effects(grid)[:3, 4:6]), atol=EXACT)


def test_periods_that_no_entity_links_are_not_compared() -> None:
    y = np.full((6, 8), np.nan)
    y[:4, :4] = np.random.default_rng(1).normal(size=(4, 4))
    y[4:, 4:] = 1.0
    y[0, 4:] = 5.0
    grid = grid_of(y, [4, *[np.nan] * 5])
    fit = fit_imputation(grid, leads=2, lags=1)
    assert np.isnan(fit.beta[0])
    assert fit.n_cells[0] == 0
    assert np.isfinite(fit.beta[fit.terms.index(("event", -1))])


def test_entity_without_an_untreated_cell_is_left_out() -> None:
    grid = made_grid(gaps=0)
    y = grid.y.copy()
    y[0, :5] = np.nan
    fit = fit_imputation(dataclasses.replace(grid, y=y), leads=2, lags=1)
    without = fit_imputation(grid.keep(np.arange(14) > 0), leads=2, lags=1)
    assert np.allclose(fit.beta, without.beta, atol=EXACT)
    assert not fit.influence[0].any()


def test_a_cohort_of_one_has_an_error_of_its_own() -> None:
    grid = made_grid(gaps=0)
    fit = fit_imputation(grid, leads=2, lags=1)
    alone = np.flatnonzero(grid.start == 9)
    assert np.abs(fit.influence[alone, fit.terms.index(("cohort", 9))]).min() > 1e-3
    single = fit_imputation(grid.keep((grid.start == 9) | np.isnan(grid.start)), leads=2, lags=1)
    assert np.isfinite(single.influence).all()


def test_without_a_base_no_term_has_a_number() -> None:
    grid = made_grid(gaps=0)
    fit = fit_imputation(grid, leads=2, lags=1, anticipation=12)
    assert np.isnan(fit.beta).all()
    assert fit.influence.shape == (14, len(fit.terms))
    assert not fit.n_treated.any()
