"""Over-dispersion learnt from many series: unbiased, deaf to changes that last, and honest about series that differ."""

from __future__ import annotations

import numpy as np
import pytest

from qbase.stats import LikenessPool, judge_pooled, laney_chart, period_likeness, pool_likeness

SHAPE = (36, 40)
KNOWN = LikenessPool(mean=0.02, spread=0.01, error=0.002, entities=36, p_value=0.001)


def draw(
    seed: int, rho: np.ndarray | float = 0.0, share: np.ndarray | float = 0.9, shape: tuple[int, int] = SHAPE
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.integers(4, 31, shape)
    share, like = np.broadcast_to(share, shape), np.broadcast_to(np.reshape(rho, (-1, 1)), shape)
    total = 1 / np.maximum(like, 1e-9) - 1
    share = np.where(like > 0, rng.beta(share * total, (1 - share) * total), share)
    return rng.binomial(n, share).astype(float), n.astype(float)


@pytest.mark.parametrize(("rho", "share"), [(0.0, 0.9), (0.1, 0.9), (0.1, 0.97), (0.3, 0.6)])
def test_the_correlation_of_the_batches_of_a_period_is_met_on_average(rho: float, share: float) -> None:
    own, weight = period_likeness(*draw(1, rho, share, (4000, 40)))
    assert np.average(own, weights=weight) == pytest.approx(rho, abs=0.01)


def test_changes_that_last_are_not_taken_for_over_dispersion() -> None:
    steady = np.full(SHAPE, 0.9)
    moved = steady.copy()
    moved[:6, 20:] -= 0.3
    pools = [pool_likeness(*draw(2, 0.0, share)) for share in (steady, moved)]
    assert pools[0] is not None
    assert pools[1] is not None
    assert pools[1].mean < pools[0].mean + 0.005
    # all of a series about its mean would be: 0.3 between halves is a correlation of some 0.12
    k, n = draw(2, 0.0, moved)
    share = k[:6].sum(axis=1, keepdims=True) / n[:6].sum(axis=1, keepdims=True)
    ratio = ((k[:6] - n[:6] * share) ** 2 / (n[:6] * share * (1 - share))).sum(axis=1) / 39
    assert (ratio > 1.5).all()


def test_a_few_erratic_series_do_not_spoil_the_pool() -> None:
    rho = np.where(np.arange(36) < 3, 0.6, 0.02)
    pool = pool_likeness(*draw(3, rho))
    assert pool is not None
    assert pool.mean < 0.04
    assert pool.entities == 36


def test_gaps_and_the_order_of_series_change_nothing() -> None:
    k, n = draw(4, 0.05)
    pool = pool_likeness(k, n)
    assert pool is not None
    own, weight = period_likeness(k, n)
    empty = np.full((36, 1), np.nan)
    gapped = [np.concatenate([a[:, :9], empty, a[:, 9:], 0 * empty], axis=1) for a in (k, n)]
    assert period_likeness(*gapped)[0] == pytest.approx(own)
    assert period_likeness(*gapped)[1] == pytest.approx(weight)
    turned = pool_likeness(k[::-1], n[::-1])
    assert turned is not None
    assert (turned.mean, turned.spread, turned.error) == pytest.approx((pool.mean, pool.spread, pool.error))


def test_what_tells_nothing_is_left_out() -> None:
    k, n = draw(5)
    ones = np.ones((1, 40))
    for passed, tests in ((n[:1], n[:1]), (0 * n[:1], n[:1]), (k[:1, :3], n[:1, :3]), (ones, ones), (k[:1], 0 * n[:1])):
        own, weight = period_likeness(passed, tests)
        assert np.isnan(own[0])
        assert weight[0] == 0
    assert pool_likeness(k[:7], n[:7]) is None
    assert pool_likeness(np.concatenate([k[:7], n[:9]]), np.concatenate([n[:7], n[:9]])) is None
    assert pool_likeness(k[:8], n[:8]) is not None


def test_series_that_differ_are_told_from_series_that_are_alike() -> None:
    alike = pool_likeness(*draw(6, 0.1))
    unlike = pool_likeness(*draw(6, np.where(np.arange(36) % 2, 0.0, 0.2)))
    assert alike is not None
    assert unlike is not None
    assert unlike.spread > 0.05 > alike.spread
    k, n = (a[0] for a in draw(7, 0.1))
    trusted, doubted = (judge_pooled(k, n, pool, draws=499) for pool in (alike, unlike))
    assert doubted.own_share > 2 * trusted.own_share
    assert abs(doubted.likeness - doubted.own) < abs(trusted.likeness - trusted.own)


def test_a_series_that_varies_more_than_the_pool_does_not_borrow() -> None:
    wild, tame = (judge_pooled(*(a[0] for a in draw(8, rho)), KNOWN, draws=499) for rho in (0.5, 0.02))
    assert not wild.is_alike
    assert tame.is_alike


def test_a_lasting_change_is_found_and_the_same_series_always_gets_the_same_answer() -> None:
    k, n = (a[0] for a in draw(9, 0.02, np.where(np.arange(40) < 20, 0.95, 0.8)))
    found, again = (judge_pooled(k, n, KNOWN, steps=(0.02, 0.05, 0.1)) for _ in range(2))
    assert found.p_value < 0.01
    assert (found.p_value, found.likeness, found.power) == (again.p_value, again.likeness, again.power)
    assert list(found.power) == sorted(found.power)
    assert judge_pooled(k[::-1], n[::-1], KNOWN).p_value < 0.01
    for memory in ("ewma", "cusum"):
        together = judge_pooled(k, n, KNOWN, memory=memory).together
        assert together is not None
        assert together.scan_p == pytest.approx(found.p_value)
        assert together.p_value >= min(together.scan_p, together.memory_p)


def test_a_given_sigma_z_widens_the_limits_and_leaves_the_rest() -> None:
    k, n = (a[:1] for a in draw(10, 0.1, 0.7))
    factor = np.full(40, 1.7)
    factor[:20] = np.nan
    own, given = laney_chart(k, n), laney_chart(k, n, factor=factor)
    assert given.sigma_z[0, :20] == pytest.approx(own.sigma_z[0, :20])
    assert given.sigma_z[0, 20:] == pytest.approx(1.7)
    assert given.z[0, 20:] * 1.7 == pytest.approx(own.z[0, 20:] * own.sigma_z[0, 20:])
    assert given.centre == pytest.approx(own.centre)
