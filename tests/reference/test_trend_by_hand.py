"""Slopes of binomial regressions: a printed case, and two routes to every part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from qbase.core import Indicator, Panel, Text
from qbase.indicators import FirmCounts
from qbase.trends import estimate_trend
from qbase.trends.rates.trend_fit import fit_binomial, fit_count_trend, fit_firm_trend, fit_rate_trend, marginal_effect

# passes of batches in eight years. Pearson's statistic by hand is 70.06 on 6 degrees of freedom; statsmodels 0.15.0
# prints 11.677 and 0.1208 (0.0354 uncorrected) for var_weights, and 0.067 for fit(scale="X2") of two columns. R 4.2.2
# with sandwich 3.0.2, vcovHC of the slope of glm(cbind(k, n - k) ~ x, binomial): HC0 0.0797, HC2 0.0956, HC3 0.1160
K = np.array([180, 150, 210, 160, 120, 190, 95, 140], dtype=float)
N = np.array([200, 180, 220, 200, 160, 200, 120, 150], dtype=float)
X = np.column_stack([np.ones(8), np.arange(8.0)])
PRINTED = 5e-4
"""Half of the last digit printed, doubled for what rounding of two of them leaves."""

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")


def yearly(n: np.ndarray, k: np.ndarray) -> Panel:
    frame = pd.DataFrame({"e": "K1", "year": np.arange(2016, 2016 + len(n)), "rate__n": n, "rate__k": k})
    frame["rate"] = 100 * frame["rate__k"] / frame["rate__n"]
    return Panel.from_frame(frame, entity="e", period="year", freq="A", indicators={"rate": RATE})


def newton(n: np.ndarray, k: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood by Newton's steps, no library."""
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        information = x.T @ (x * (n * p * (1 - p))[:, None])
        beta = beta + np.linalg.solve(information, x.T @ (k - n * p))
    return beta, np.linalg.inv(information)


def test_the_dispersion_by_hand_and_the_error_printed() -> None:
    fit = fit_count_trend(N, K, X)
    assert fit is not None
    assert fit.dispersion == pytest.approx(70.06 / 6, abs=PRINTED * 2)
    assert fit.dispersion == pytest.approx(11.677, abs=PRINTED)
    assert fit.errors[1] == pytest.approx(0.1208, abs=PRINTED)
    assert fit.errors[1] / np.sqrt(fit.dispersion) == pytest.approx(0.0354, abs=PRINTED)
    assert fit.df == 6


def test_statsmodels_prints_another_scale_for_two_columns_which_is_not_taken() -> None:
    trap = sm.GLM(np.column_stack([K, N - K]), X, family=sm.families.Binomial()).fit(scale="X2")
    right = sm.GLM(K / N, X, family=sm.families.Binomial(), var_weights=N).fit(scale="X2")
    fit = fit_count_trend(N, K, X)
    assert fit is not None
    assert right.scale == pytest.approx(fit.dispersion, rel=1e-6)
    assert right.bse[1] == pytest.approx(fit.errors[1], rel=1e-6)
    # where this fails, the guard in fit_binomial may go
    assert abs(trap.scale - fit.dispersion) > 1


def test_robust_errors_printed_by_r_where_every_year_is_a_cluster_of_its_own() -> None:
    # statsmodels returns 0.0797 for HC1, HC2 and HC3 of a binomial fit, without a word
    fit = fit_firm_trend(N, K, np.arange(8), np.arange(8), X, 1.0)
    assert fit is not None
    assert fit.errors[1] == pytest.approx(0.0956, abs=PRINTED / 5)
    silent = [
        sm.GLM(np.column_stack([K, N - K]), X, family=sm.families.Binomial()).fit(cov_type=kind).bse[1]
        for kind in ("HC0", "HC2", "HC3")
    ]
    assert silent == pytest.approx([0.0797] * 3, abs=PRINTED / 5)


def test_estimate_and_newtons_steps_agree() -> None:
    beta, inverse = newton(N, K, np.column_stack([np.ones(8), np.arange(8) - 3.5]))
    p = 1 / (1 + np.exp(-(beta[0] + beta[1] * (np.arange(8) - 3.5))))
    scale = ((K - N * p) ** 2 / (N * p * (1 - p))).sum() / 6
    result = estimate_trend(yearly(N, K), "rate", entity="K1")
    assert result.tables["coefficients"]["value"].to_numpy() == pytest.approx(beta, rel=1e-6)
    errors = np.sqrt(scale * np.diag(inverse))
    assert result.tables["coefficients"]["std_error"].to_numpy() == pytest.approx(errors, rel=1e-6)
    assert result["trend"].value == pytest.approx(100 * (beta[1] * p * (1 - p)).mean(), rel=1e-6)


def test_the_marginal_effect_and_its_gradient_by_differences() -> None:
    beta, _, bread = fit_binomial(N, K, X)  # type: ignore[misc]
    value, gradient = marginal_effect(X, beta)
    step = 1e-6

    def rate(x: np.ndarray, b: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x @ b))

    later, earlier = (X + np.array([0, s]) for s in (step, -step))
    assert value == pytest.approx((rate(later, beta) - rate(earlier, beta)).mean() / (2 * step), rel=1e-5)
    for j in range(2):
        up, down = (beta + s * np.eye(2)[j] for s in (step, -step))
        assert gradient[j] == pytest.approx(
            (marginal_effect(X, up)[0] - marginal_effect(X, down)[0]) / (2 * step), rel=1e-5, abs=1e-9
        )
    # a parametric bootstrap of the same covariance gives the same error
    draws = np.random.default_rng(1).multivariate_normal(beta, bread, 20_000)
    spread = np.std([marginal_effect(X, b)[0] for b in draws])
    assert np.sqrt(gradient @ bread @ gradient) == pytest.approx(spread, rel=0.03)


def firms_of(seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    firm, period = (a.ravel() for a in np.meshgrid(np.arange(30), np.arange(8), indexing="ij"))
    # every firm has a level and a trend of its own
    odds = rng.normal(1.2, 0.8, 30)[firm] + rng.normal(0, 0.35, 30)[firm] * (period - 3.5)
    chance = 1 / (1 + np.exp(-odds))
    n = rng.integers(1, 6, len(firm)).astype(float)
    return n, rng.binomial(n.astype(int), chance).astype(float), period, firm


def test_clusters_of_firms_are_those_of_statsmodels_before_the_correction_for_few() -> None:
    n, k, period, firm = firms_of(2)
    x = np.column_stack([np.ones(8), np.arange(8) - 3.5])
    theirs = sm.GLM(np.column_stack([k, n - k]), x[period], family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": firm, "use_correction": False}
    )
    ours = fit_firm_trend(n, k, period, firm, x, 1.0)
    assert ours is not None
    assert ours.dispersion < 1, "nothing is widened here"
    assert ours.coefficients == pytest.approx(np.asarray(theirs.params), rel=1e-6)
    # CR2 with 30 clusters lies a little above CR0, and below the jackknife
    ratio = ours.errors[1] / np.asarray(theirs.bse)[1]
    assert 1.0 < ratio < 30 / 29
    jackknife = []
    for f in range(30):
        kept = firm != f
        jackknife.append(newton(n[kept], k[kept], x[period[kept]])[0][1])
    deleted = np.sqrt(29 / 30 * ((np.array(jackknife) - np.mean(jackknife)) ** 2).sum())
    assert ours.errors[1] == pytest.approx(deleted, rel=0.05)


def test_very_many_firms_take_the_route_without_correction() -> None:
    rng = np.random.default_rng(3)
    period = rng.integers(0, 8, 4000)
    n, k = np.ones(4000), rng.binomial(1, 0.8, 4000).astype(float)
    x = np.column_stack([np.ones(8), np.arange(8) - 3.5])
    fit = fit_firm_trend(n, k, period, np.arange(4000), x, 0.0)
    theirs = sm.GLM(np.column_stack([k, n - k]), x[period], family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": np.arange(4000), "use_correction": False}
    )
    assert fit is not None
    assert fit.errors == pytest.approx(np.asarray(theirs.bse) * max(1.0, fit.dispersion) ** 0.5, rel=1e-6)


def test_firms_given_to_the_estimator_are_those_of_the_fit() -> None:
    n, k, period, firm = firms_of(2)
    names = pd.PeriodIndex([str(2016 + t) for t in period], freq="Y-DEC")
    data = pd.DataFrame({"entity": "K1", "period": names, "firm": [f"F{f:02d}" for f in firm], "n": n, "k": k})
    data = data.astype({"n": "int64", "k": "int64"})
    sums = data.groupby("period")[["n", "k"]].sum()
    result = estimate_trend(
        yearly(sums["n"].to_numpy(), sums["k"].to_numpy()), "rate", entity="K1",
        firms=FirmCounts(data=data, outcome="rate"),
    )  # fmt: skip
    fit = fit_firm_trend(n, k, period, firm, np.column_stack([np.ones(8), np.arange(8) - 3.5]), 0.3)
    assert fit is not None
    assert result["trend"].value == pytest.approx(100 * fit.slope)
    assert result["trend"].std_error == pytest.approx(100 * fit.std_error)


def test_weighted_rates_are_those_of_weighted_least_squares() -> None:
    rate, n_eff = K / N, np.array([90.0, 40, 120, 80, 60, 100, 30, 70])
    theirs = sm.WLS(rate, X, weights=n_eff).fit()
    ours = fit_rate_trend(rate, n_eff, X)
    assert ours is not None
    assert ours.dispersion > 1
    assert ours.coefficients == pytest.approx(np.asarray(theirs.params), rel=1e-9)
    assert ours.errors == pytest.approx(np.asarray(theirs.bse), rel=1e-9)
    assert ours.limits(0.95) == pytest.approx(tuple(theirs.conf_int()[1]), rel=1e-9)
    # steadier than chance is not believed
    steady = fit_rate_trend(np.full(8, 0.9) + np.array([1e-4, -1e-4] * 4), n_eff, X)
    assert steady is not None
    floor = np.sqrt(0.09 * np.linalg.inv((X * n_eff[:, None]).T @ X)[1, 1])
    assert steady.std_error == pytest.approx(floor, rel=1e-3)


def test_half_the_batches_of_every_year_leave_the_slope_and_its_doubt() -> None:
    whole, half = (estimate_trend(yearly(f * N, f * K), "rate", entity="K1")["trend"] for f in (2, 1))
    assert half.value == pytest.approx(whole.value, rel=1e-6)
    # the dispersion halves with the batches: all of the doubt comes from what moves the years
    assert half.std_error == pytest.approx(whole.std_error, rel=1e-6)
    assert whole.p_value == pytest.approx(half.p_value, rel=1e-6)
