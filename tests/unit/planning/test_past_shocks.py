"""Shocks of the past are told from few batches, without making any up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import expit, logit

from qbase.effects.doubt.history_noise import USUAL
from qbase.planning.evaluating.future_rates import levels_apart
from qbase.planning.evaluating.past_shocks import estimate_shocks

GRIDS, CLUSTERS, QUARTERS = 40, 36, 28
LEVEL = 0.88


def estimated(white: float, lasting: float) -> tuple[float, float, float]:
    """Return mean variances in points² of shocks estimated in many grids of some seven batches a cell, and error."""
    rng = np.random.default_rng(11)
    found, shape = [], (CLUSTERS, QUARTERS)
    for _ in range(GRIDS):
        n = rng.poisson(6, shape).astype(float)
        step = np.sqrt(1 - USUAL**2) * rng.standard_normal(shape)
        step[:, 0] /= np.sqrt(1 - USUAL**2)
        shock = lasting * lfilter([1.0], [1.0, -USUAL], step, axis=1) + white * rng.standard_normal(shape)
        k = rng.binomial(n.astype(int), expit(logit(LEVEL) + shock))
        with np.errstate(invalid="ignore", divide="ignore"):
            y = k / n
        rate = k.sum() / n.sum()
        parts = estimate_shocks(y, n, np.full(CLUSTERS, rate * (1 - rate)))
        found.append([1e4 * (rate * (1 - rate)) ** 2 * float(part[0]) for part in parts])
    each = np.array(found)
    return float(each[:, 0].mean()), float(each[:, 1].mean()), float(each.sum(axis=1).std() / np.sqrt(GRIDS))


def test_where_there_are_none_hardly_any_are_found():
    white, lasting, _ = estimated(0.0, 0.0)
    assert white + lasting < 6  # points², beside 150 of sampling


@pytest.mark.parametrize(("white", "lasting"), [(0.6, 0.0), (0.0, 0.6)])
def test_those_there_are_are_found_and_told_apart(white, lasting):
    of_one, that_last, error = estimated(white, lasting)
    # on the log-odds 0.6 moves a rate of 88 % by a little less than the slope of the curve there says
    true = 1e4 * np.var(expit(logit(LEVEL) + 0.6 * np.random.default_rng(1).standard_normal(100_000)))
    assert of_one + that_last == pytest.approx(true, abs=3 * error + 0.15 * true)
    assert (of_one > that_last) == (white > lasting)


def test_levels_lie_as_far_apart_as_true_ones():
    rng = np.random.default_rng(2)
    true = np.clip(0.85 + 0.05 * rng.standard_normal(400), 0, 0.99)
    tested = rng.integers(20, 80, 400).astype(float)
    passed = rng.binomial(tested.astype(int), true).astype(float)
    found = levels_apart(tested, passed)
    assert found.std() == pytest.approx(true.std(), rel=0.12)
    assert (passed / tested).std() > 1.25 * true.std()


def test_clusters_alike_but_for_chance_get_one_level():
    tested = np.full(12, 40.0)
    assert np.ptp(levels_apart(tested, np.array([35.0, 36.0] * 6))) == pytest.approx(0.0, abs=1e-12)
