"""Two one-sided tests and minimum detectable effects: oracles, size at the margin, and what they refuse to find."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_ind

from qbase.stats import (
    detecting_error,
    equivalence_interval,
    equivalence_p,
    equivalence_power,
    equivalence_size,
    minimum_detectable_effect,
)


def test_the_sample_for_equivalence_is_the_published_one() -> None:
    # two-sample equivalence of proportions, .95 against .95, margin .05, power .8 (own run of the normal formula)
    assert equivalence_size(0.95, 0.05) == pytest.approx(325.4262, abs=5e-5)


def test_that_sample_has_the_power_it_is_planned_for() -> None:
    error = math.sqrt(2 * 0.95 * 0.05 / 325.4262)
    assert equivalence_power(error, 0.05) == pytest.approx(0.8, abs=1e-4)


def test_p_agrees_with_statsmodels_two_sample_test() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.2, 1, 40), rng.normal(0, 1, 40)
    ours = equivalence_p(a.mean() - b.mean(), math.sqrt(a.var(ddof=1) / 40 + b.var(ddof=1) / 40), 0.8, df=78)
    assert ours == pytest.approx(ttost_ind(a, b, -0.8, 0.8)[0], rel=1e-10)


@pytest.mark.parametrize("value", [-2.4, -0.9, 0.0, 0.7, 1.31, 1.33])
def test_p_below_alpha_is_the_interval_inside_the_margin(value: float) -> None:
    low, high = equivalence_interval(value, 1.0, df=17)
    assert (equivalence_p(value, 1.0, 3.06, df=17) < 0.05) == (low > -3.06 and high < 3.06)


def test_size_at_the_margin_is_five_percent_where_the_95_percent_interval_has_half_of_it() -> None:
    draws = 2.0 + np.random.default_rng(11).normal(size=20_000) * 0.5
    low, high = equivalence_interval(0.0, 0.5)
    wide = 1.959964 * 0.5
    assert np.mean((draws + low > -2) & (draws + high < 2)) == pytest.approx(0.05, abs=0.006)
    assert np.mean((draws - wide > -2) & (draws + wide < 2)) == pytest.approx(0.025, abs=0.005)


def test_power_is_simulated_and_none_where_the_interval_is_too_wide() -> None:
    draws = np.random.default_rng(3).normal(size=40_000)
    half = equivalence_interval(0.0, 1.0)[1]
    for truth in (0.0, 1.0):
        found = np.mean(np.abs(draws + truth) + half < 2.5)
        assert equivalence_power(1.0, 2.5, truth=truth) == pytest.approx(found, abs=0.008)
    assert equivalence_power(1.0, 1.6) == 0.0


def test_the_minimum_detectable_effect_is_found_in_four_of_five_draws() -> None:
    effect = minimum_detectable_effect(1.0)
    assert effect == pytest.approx(2.801585, abs=1e-6)
    assert detecting_error(effect) == pytest.approx(1.0)
    draws = effect + np.random.default_rng(8).normal(size=40_000)
    assert np.mean(draws > 1.959964) == pytest.approx(0.8, abs=0.006)


def test_few_clusters_need_a_larger_effect_and_many_the_normal_one() -> None:
    sizes = [minimum_detectable_effect(1.0, df=df) for df in (3, 5, 11, 100, math.inf)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == minimum_detectable_effect(1.0)
