"""Where 30 % of cells pass throughout, imputation on the log-odds is right and empirical logits are not.

The long version is study_imputation.py. Rates here stay as they are over time, so that imputation in points is unbiased
and, fitted on the same draws, takes nearly all of the noise out of the comparison.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import expit

from qbase.core import Indicator, Text
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.fitting.imputation import fit_imputation, impute_outcomes
from qbase.effects.fitting.imputed_terms import Window
from qbase.effects.fitting.logit_paths import fit_logit_imputation

DRAWS, ENTITIES, PERIODS, TREATED = 60, 36, 40, 8
MOST_PP = 0.1
"""Bias allowed; the difference of two fits of the same draw has a standard error of about 0.02."""


def draw(rng: np.random.Generator) -> OutcomeGrid:
    p = np.broadcast_to(expit(rng.normal(2.5, 0.45, (ENTITIES, 1))), (ENTITIES, PERIODS))
    n = 4.0 + rng.poisson(13, p.shape)
    k = rng.binomial(n.astype(int), p).astype(float)
    start = np.full(ENTITIES, np.nan)
    start[:TREATED] = np.resize([20, 24, 28], TREATED)
    return OutcomeGrid(
        indicator=Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up"),
        freq="Q",
        entities=tuple(f"K{i:03d}" for i in range(ENTITIES)),
        first=184,
        y=100 * k / n,
        n=n,
        k=k,
        start=start,
        weight=np.ones(ENTITIES),
        cluster=np.arange(ENTITIES),
    )


@pytest.fixture(scope="module")
def gaps() -> np.ndarray:
    """Log-odds with Firth's penalty, and empirical logits, each less imputation in points: shape (DRAWS, 2)."""
    rng = np.random.default_rng(20261129)
    found = []
    for _ in range(DRAWS):
        grid = draw(rng)
        assert grid.k is not None
        assert grid.n is not None
        logits = np.log((grid.k + 0.5) / (grid.n - grid.k + 0.5))
        imputed = 100 * expit(impute_outcomes(dataclasses.replace(grid, y=logits), Window(leads=0, lags=0)))
        points = fit_imputation(grid, leads=0, lags=0).beta[0]
        odds = fit_logit_imputation(grid, leads=0, lags=0).beta[0]
        found.append([odds - points, (grid.y - imputed)[grid.event_time >= 0].mean() - points])
    return np.array(found)


def test_log_odds_with_firths_penalty_are_right_to_a_tenth_of_a_point(gaps: np.ndarray) -> None:
    bias, error = gaps[:, 0].mean(), gaps[:, 0].std() / np.sqrt(DRAWS)
    assert error < MOST_PP / 4
    assert abs(bias) + 2 * error < MOST_PP


def test_empirical_logits_are_half_a_point_off(gaps: np.ndarray) -> None:
    assert gaps[:, 1].mean() > 0.4
