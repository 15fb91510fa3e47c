"""Since when two yardsticks agree: the certain end, the doubtful one, and quiet ends that come by chance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qbase.core.errors import UsageError
from qbase.stats import date_quiet_end


def test_the_change_lies_after_the_last_batch_that_differs() -> None:
    k = np.array([3.0, 2, 4, 1, 3, 0, 5, 3, 0, 0, 0, 0, 0])
    found = date_quiet_end(k, np.full(13, 90.0))
    assert found is not None
    assert (found.first, found.low, found.is_newer) == (8, 8, True)
    back = date_quiet_end(k[::-1], np.full(13, 90.0))
    assert back is not None
    assert (back.first, back.high, back.is_newer) == (5, 5, False)
    assert back.p_value == found.p_value
    assert found.high - found.low == back.high - back.low


def test_the_chance_is_that_of_every_order_counted_out() -> None:
    """Three of seven periods differ, all in the first four: 4 of 35 choices of three, twice for two ends."""
    k = np.array([1.0, 0, 1, 1, 0, 0, 0])
    found = date_quiet_end(k, np.full(7, 30.0))
    assert found is not None
    orders = list(itertools.combinations(range(7), 3))
    by_period = sum(max(o) <= 3 for o in orders) / len(orders)
    assert found.p_value == pytest.approx(2 * max(by_period, 120 * 119 * 118 / (210 * 209 * 208)))


def test_few_batches_at_a_quiet_end_tell_little() -> None:
    k = np.array([1.0, 2, 1, 3, 0, 2, 1, 2, 0, 0, 0, 0])
    even, thin = np.full(12, 50.0), np.r_[np.full(8, 50.0), np.full(4, 1.0)]
    assert date_quiet_end(k, even).p_value < 0.05 < date_quiet_end(k, thin).p_value


def test_the_interval_is_wider_at_a_higher_level_and_where_differences_are_rare() -> None:
    often, rare = np.r_[np.full(10, 5.0), np.zeros(10)], np.r_[[1.0, 0, 0, 1, 0, 0, 1, 0, 0, 1], np.zeros(10)]
    n = np.full(20, 60.0)
    width = {level: [date_quiet_end(k, n, level=level).high for k in (often, rare)] for level in (0.8, 0.95)}
    assert width[0.95][1] > width[0.8][1] > width[0.8][0]
    assert width[0.95][0] <= 11


def test_without_a_difference_and_with_some_at_both_ends_there_is_no_date() -> None:
    n = np.full(8, 20.0)
    assert date_quiet_end(np.zeros(8), n) is None
    assert date_quiet_end(np.array([1.0, 0, 0, 0, 0, 0, 0, 1]), n) is None


@pytest.mark.parametrize(("k", "n"), [([3.0, 1], [2.0, 9]), ([0.0, 0], [0.0, 5]), ([-1.0, 0], [5.0, 5])])
def test_counts_that_cannot_be_are_refused(k: list[float], n: list[float]) -> None:
    with pytest.raises(UsageError, match="QB557") as caught:
        date_quiet_end(np.array(k), np.array(n))
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_the_interval_holds_the_true_date_as_often_as_it_says(rho: float) -> None:
    rng = np.random.default_rng(7)
    held = []
    for _ in range(400):
        n = rng.integers(20, 61, 40).astype(float)
        share = rng.beta(0.04 * (1 - rho) / rho, 0.96 * (1 - rho) / rho, 40) if rho else np.full(40, 0.04)
        k = rng.binomial(n.astype(int), np.where(np.arange(40) < 20, share, 0.0)).astype(float)
        found = date_quiet_end(k, n)
        assert found is not None
        held.append(found.low <= 20 <= found.high)
    assert np.mean(held) >= 0.93
