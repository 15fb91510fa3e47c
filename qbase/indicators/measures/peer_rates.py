"""A rate beside others: the gap to the mean of peers, the lead over a whole, the chance to be above."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbase.stats.rates.wilson import square_and_add, wilson_interval

Floats = NDArray[np.float64]

LEAST_PEERS = 3
"""With fewer there is no group to be compared with."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def gaps_to_peers(k: Floats, n: Floats) -> tuple[Floats, Floats, Floats] | None:
    """Return each entity's rate minus the mean rate of the others, with intervals; None for fewer than three peers.

    Every peer counts once, whatever its number of inspections. The interval joins Wilson's of the own rate and of every
    peer (MOVER), so the peers' sampling noise is in it. Mean and not median: among rates of a dozen batches many are
    100 %, and their median lies above that of the true rates.

    Parameters
    ----------
    k, n : numpy.ndarray, shape (m,)
        Passes and inspections of the entities of one period.

    Returns
    -------
    value, low, high : numpy.ndarray, shape (m,)
        As shares.

    References
    ----------
    Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general approach.
    Statistics in Medicine 27, 1693-1702.
    """
    others = len(k) - 1
    if others < LEAST_PEERS:
        return None
    rate = k / n
    low, high = wilson_interval(k, n)
    mean = (rate.sum() - rate) / others
    under, over = (np.sqrt(_others((edge - rate) ** 2)) / others for edge in (low, high))
    return square_and_add((rate, low, high), (mean, mean - under, mean + over))


def _others(values: Floats) -> Floats:
    left: Floats = np.maximum(values.sum() - values, 0.0)
    return left


def lead_over_whole(k: Floats, n: Floats, k_all: Floats, n_all: Floats) -> tuple[float, float, float]:
    """Return how far a rate lies above what the whole has in the same industries, with an interval, as shares.

    The industries of the whole are weighted by the own draws, so that a mix of industries is no lead.

    Parameters
    ----------
    k, n : numpy.ndarray, shape (industries,)
        Own passes and draws.
    k_all, n_all : numpy.ndarray, shape (industries,)
        Those of the whole; for one industry the interval is Newcombe's hybrid score.

    References
    ----------
    Zou and Donner (2008), as for `gaps_to_peers`. Newcombe, R. G. (1998). Interval estimation for the difference
    between independent proportions. Statistics in Medicine 17, 873-890, method 10.
    """
    weight = n / n.sum()
    rate = k_all / n_all
    low, high = wilson_interval(k_all, n_all)
    expected = float(weight @ rate)
    under, over = (float(np.sqrt(np.sum((weight * (edge - rate)) ** 2))) for edge in (low, high))
    own_low, own_high = wilson_interval(k.sum(), n.sum())
    found = square_and_add((k.sum() / n.sum(), own_low, own_high), (expected, expected - under, expected + over))
    value, lower, upper = (float(x) for x in found)
    return value, lower, upper


def probability_above(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike) -> Floats:
    """Return the probability that the first rate is above the second, under Jeffreys' priors.

    Parameters
    ----------
    k1, n1, k2, n2 : array-like, shape (m,)
        Passes and inspections; where the second has none the probability is that of its prior.
    """
    a, m = np.asarray(k1, dtype=float), np.asarray(n1, dtype=float)
    b, o = np.asarray(k2, dtype=float), np.asarray(n2, dtype=float)
    from scipy.stats import beta

    # integrate the chance of lying below over the quantiles of the first: no peak to miss
    q = 0.5 * (_NODES + 1)
    x = beta.ppf(q[None, :], (a + 0.5)[:, None], (m - a + 0.5)[:, None])
    below = beta.cdf(x, (b + 0.5)[:, None], (o - b + 0.5)[:, None])
    chance: Floats = (below * (0.5 * _WEIGHTS)[None, :]).sum(axis=1)
    return chance
