"""The ridge logit against statsmodels, and weights against repeated rows."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from qbase.stats import fit_ridge_logit

COORDINATES = 1e-4
"""statsmodels goes coordinate by coordinate and stops this near the optimum."""


def make_rows(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n, 4)) * [1, 3, 0.2, 1] + [0, 5, 0, 1]
    return (rng.random(n) < 1 / (1 + np.exp(2 - x[:, 0] - 0.3 * (x[:, 1] - 5)))).astype(float), x


@pytest.mark.parametrize("ridge", [0.5, 5.0, 40.0])
def test_coefficients_are_those_of_statsmodels(ridge: float) -> None:
    y, x = make_rows()
    fit = fit_ridge_logit(y, x, ridge=ridge)
    z = sm.add_constant((x - x.mean(axis=0)) / x.std(axis=0))
    theirs = sm.GLM(y, z, family=sm.families.Binomial()).fit_regularized(
        alpha=np.r_[0.0, np.full(4, ridge)] / len(y), L1_wt=0.0, maxiter=2000, cnvrg_tol=1e-12
    )
    np.testing.assert_allclose(np.r_[fit.intercept, fit.beta], theirs.params, atol=COORDINATES)
    residual = y - fit.predict(x)
    # at the optimum the slope of the penalised likelihood is 0
    assert abs(residual.sum()) < 1e-7
    np.testing.assert_allclose(z[:, 1:].T @ residual, ridge * fit.beta, atol=1e-7)


def test_without_a_ridge_errors_are_those_of_plain_likelihood() -> None:
    y, x = make_rows()
    fit = fit_ridge_logit(y, x, ridge=1e-9)
    plain = sm.Logit(y, sm.add_constant((x - x.mean(axis=0)) / x.std(axis=0))).fit(disp=0)
    np.testing.assert_allclose(fit.beta, plain.params[1:], atol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), plain.bse, rtol=1e-5)
    new = x[:5] + 0.3
    link = sm.add_constant((new - x.mean(axis=0)) / x.std(axis=0), has_constant="add")
    np.testing.assert_allclose(fit.std_errors(new), np.sqrt(np.diag(link @ plain.cov_params() @ link.T)), rtol=1e-5)


def test_a_weight_of_two_is_two_rows_and_scale_of_features_changes_nothing() -> None:
    y, x = make_rows(80)
    twice = np.r_[np.arange(80), np.arange(40)]
    weights = np.where(np.arange(80) < 40, 2.0, 1.0)
    # weights are scaled to the number of rows, so the ridge is scaled with them
    weighted = fit_ridge_logit(y, x, weights=weights, ridge=2.0 * 80 / 120)
    repeated = fit_ridge_logit(y[twice], x[twice], ridge=2.0)
    np.testing.assert_allclose(weighted.beta, repeated.beta, atol=1e-8)
    scaled = fit_ridge_logit(y, x * [100, 0.01, 7, 1] + 3, weights=weights)
    np.testing.assert_allclose(
        scaled.predict(x * [100, 0.01, 7, 1] + 3), fit_ridge_logit(y, x, weights=weights).predict(x)
    )
    flat = fit_ridge_logit(y, np.column_stack([x, np.ones(80)]))
    assert flat.beta[-1] == 0
