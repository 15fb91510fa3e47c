"""Confidence sequences: valid at forty looks, where an interval for one look is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from qbase.stats import anytime_interval

LOOKS = 40


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.97])
def test_forty_looks_leave_the_rate_out_in_fewer_than_five_percent_of_series(rate: float):
    """2,000 series: 5 % and two Monte-Carlo errors are 6 %; the fixed interval is left by far more."""
    rng = np.random.default_rng(5)
    n = np.cumsum(rng.poisson(17, (2000, LOOKS)) + 1, axis=1)
    steps = np.diff(n, axis=1, prepend=0)
    k = np.cumsum(rng.binomial(steps, rate), axis=1).astype(float)
    low, high = anytime_interval(k, n.astype(float))
    left = ((low > rate) | (high < rate)).any(axis=1).mean()
    assert left < 0.06
    fixed = (beta.ppf(0.025, k + 0.5, n - k + 0.5) > rate) | (beta.ppf(0.975, k + 0.5, n - k + 0.5) < rate)
    assert fixed.any(axis=1).mean() > 0.15


def test_ends_are_where_the_mixture_reaches_its_bound_and_the_interval_never_grows():
    k, n = np.array([9.0, 27.0, 27.0, 60.0]), np.array([10.0, 30.0, 30.0, 66.0])
    low, high = anytime_interval(k, n)
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) <= 0).all()
    grid = np.linspace(0, 1, 200_001)[1:-1]
    prior = beta(0.5, 0.5).pdf(np.linspace(0, 1, 2_000_001)[1:-1])
    p = np.linspace(0, 1, 2_000_001)[1:-1]
    mixture = np.trapezoid(prior * p ** k[0] * (1 - p) ** (n[0] - k[0]), p)
    held = grid[grid ** k[0] * (1 - grid) ** (n[0] - k[0]) >= 0.05 * mixture]
    assert (low[0], high[0]) == pytest.approx((held[0], held[-1]), abs=2e-4)


def test_all_passed_reaches_to_one_and_nothing_tested_says_nothing():
    low, high = anytime_interval(np.array([0.0, 20.0]), np.array([0.0, 20.0]))
    assert (low[0], high[0]) == (0.0, 1.0)
    assert high[1] == 1.0
    assert 0.7 < low[1] < 0.85


def test_failures_and_passes_are_mirror_images():
    k, n = np.array([3.0, 11.0]), np.array([10.0, 40.0])
    low, high = anytime_interval(k, n)
    other_low, other_high = anytime_interval(n - k, n)
    assert 1 - low == pytest.approx(other_high)
    assert 1 - high == pytest.approx(other_low)
