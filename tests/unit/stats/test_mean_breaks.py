"""Breaks in a mean: R's strucchange on the Nile, an exhaustive search, and how often the interval holds the date."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import statsmodels.api as sm

from qbase.core.errors import UsageError
from qbase.stats import argmax_cdf, break_statistics, find_breaks

NILE = sm.datasets.nile.load_pandas().data["volume"].to_numpy(dtype=float)
FIRST = 1871


def years(places: tuple[int, ...]) -> list[int]:
    return [FIRST + i for i in places]


def test_the_nile_as_strucchange_has_it():
    """strucchange 1.5.3: sup-F, ave-F, exp-F, RSS, BIC and the dates with their intervals, to the printed digits."""
    found = break_statistics(NILE)
    assert np.nanmax(found) == pytest.approx(75.9298, abs=5e-5)
    assert np.nanmean(found) == pytest.approx(21.2147, abs=5e-5)
    assert np.log(np.nanmean(np.exp(found / 2))) == pytest.approx(33.759, abs=5e-4)
    breaks = find_breaks(NILE)
    assert (years(breaks.last), years(breaks.low), years(breaks.high)) == ([1898], [1895], [1902])
    assert breaks.rss[1] == pytest.approx(1597457.2, abs=0.05)
    assert np.round(breaks.bic, 1).tolist() == [1318.2, 1270.1, 1276.5, 1284.7, 1291.9, 1310.8]
    narrow = find_breaks(NILE, level=0.9)
    assert (years(narrow.low), years(narrow.high)) == ([1896], [1901])
    pooled = find_breaks(NILE, equal_variance=True)
    assert (years(pooled.low), years(pooled.high)) == ([1895], [1901])


@pytest.mark.parametrize("n_breaks", [1, 2])
def test_the_partition_is_the_best_of_all(n_breaks: int):
    value = np.random.default_rng(4).normal(size=22).cumsum()
    least = 3
    best = min(
        (
            (sum(((p - p.mean()) ** 2).sum() for p in np.split(value, [i + 1 for i in at])), at)
            for at in itertools.combinations(range(least - 1, 22 - least), n_breaks)
            if all(b - a >= least for a, b in itertools.pairwise(at))
        ),
        key=lambda pair: pair[0],
    )
    found = find_breaks(value, n_breaks=n_breaks)
    assert found.last == best[1]
    assert found.rss[n_breaks] == pytest.approx(best[0])


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_distribution_of_the_date_is_that_of_the_highest_point_of_a_drifting_walk(ratio: float):
    rng, step, half = np.random.default_rng(8), 0.04, 1000
    left = np.cumsum(rng.normal(0, np.sqrt(step), (3000, half)), axis=1) - step * np.arange(1, half + 1) / 2
    right = np.cumsum(rng.normal(0, np.sqrt(step * ratio), (3000, half)), axis=1) - step * np.arange(1, half + 1) / 2
    places = np.where(
        left.max(axis=1) > right.max(axis=1), -step * (left.argmax(axis=1) + 1), step * (right.argmax(axis=1) + 1)
    )
    places = np.where(np.maximum(left.max(axis=1), right.max(axis=1)) < 0, 0.0, places)
    for x in (-8.0, -2.0, 0.5, 3.0, 9.0):
        assert (places <= x).mean() == pytest.approx(argmax_cdf(x, ratio), abs=0.03)


def test_the_interval_holds_the_date_of_a_clear_break():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        value = rng.normal(size=40) + np.where(np.arange(40) < 22, 0.0, 1.5)
        found = find_breaks(value, n_breaks=1)
        held += found.low[0] <= 21 <= found.high[0]
    assert held / 300 > 0.9


def test_scale_and_shift_change_no_date_and_reversing_mirrors_it():
    value = np.r_[np.random.default_rng(1).normal(size=20), 2 + np.random.default_rng(2).normal(size=17)]
    found = find_breaks(value, n_breaks=1)
    assert find_breaks(1000 - 7 * value, n_breaks=1).last == found.last
    assert find_breaks(value[::-1], n_breaks=1).last == (len(value) - 2 - found.last[0],)


def test_no_break_and_too_few_periods():
    assert find_breaks(np.random.default_rng(3).normal(size=40)).last == ()
    with pytest.raises(UsageError) as caught:
        find_breaks(np.arange(8.0), n_breaks=5)
    assert caught.value.code == "QB519"
