"""A rate beside others: the gap to the median of peers, the lead over a whole, the chance to be above."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, binom

from qbase.indicators.wilson import square_and_add, wilson_interval

Floats = NDArray[np.float64]

LEAST_PEERS = 6
"""With fewer, no two order statistics enclose the median with 95 %."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def gap_to_median(k: float, n: float, peers: Floats) -> tuple[float, float, float] | None:
    """Return own rate minus the median of the peers' rates, with an interval; None for fewer than six peers.

    The interval joins Wilson's for the own rate and the order statistics' for the median (MOVER).

    Parameters
    ----------
    k, n : float
        Own passes and inspections.
    peers : numpy.ndarray
        Rates of the peers, as shares.

    References
    ----------
    Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general approach.
    Statistics in Medicine 27, 1693-1702.
    """
    m = len(peers)
    if m < LEAST_PEERS:
        return None
    ordered = np.sort(peers)
    below = int(binom.ppf(0.025, m, 0.5))
    first = below if binom.cdf(below, m, 0.5) <= 0.025 else below - 1
    middle = float(np.median(ordered))
    under, over = float(ordered[first]), float(ordered[m - 1 - first])
    low, high = (float(x[0]) for x in wilson_interval([k], [n]))
    rate = k / n
    value, low, high = (float(x) for x in square_and_add((rate, low, high), (middle, under, over)))
    return value, low, high


def newcombe_difference(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return differences of two independent proportions with Newcombe's hybrid-score interval, as shares.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions. Statistics in
    Medicine 17, 873-890, method 10.
    """
    a, b = np.asarray(k1, float) / np.asarray(n1, float), np.asarray(k2, float) / np.asarray(n2, float)
    (l1, u1), (l2, u2) = wilson_interval(k1, n1), wilson_interval(k2, n2)
    return square_and_add((a, l1, u1), (b, l2, u2))


def probability_above(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike) -> Floats:
    """Return the probability that the first rate is above the second, under Jeffreys' priors.

    Parameters
    ----------
    k1, n1, k2, n2 : array-like, shape (m,)
        Passes and inspections; where the second has none the probability is that of its prior.
    """
    a, m = np.asarray(k1, dtype=float), np.asarray(n1, dtype=float)
    b, o = np.asarray(k2, dtype=float), np.asarray(n2, dtype=float)
    # integrate the chance of lying below over the quantiles of the first: no peak to miss
    q = 0.5 * (_NODES + 1)
    x = beta.ppf(q[None, :], (a + 0.5)[:, None], (m - a + 0.5)[:, None])
    below = beta.cdf(x, (b + 0.5)[:, None], (o - b + 0.5)[:, None])
    chance: Floats = (below * (0.5 * _WEIGHTS)[None, :]).sum(axis=1)
    return chance
