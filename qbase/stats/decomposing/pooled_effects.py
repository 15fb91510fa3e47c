"""Partial pooling of correlated effects that are known up to a constant of each set, their spread integrated over."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POINTS = 400
"""Of the grid over the spread, dense near 0; the integrand is smooth."""

REACH = 4.0
"""The grid ends at so many times the largest effect and error: what the flat prior has beyond is cut off."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PooledEffects:
    """Effects after partial pooling.

    Parameters
    ----------
    effect : numpy.ndarray, shape (L,)
        Posterior means, 0 on average of each set.
    covariance : numpy.ndarray, shape (L, L)
        Posterior, doubt about the spread included.
    spread : tuple of float
        Standard deviation of true effects: posterior median, low, high.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import shrink_effects
    >>> found = shrink_effects(np.array([-2.0, 0.5, 1.5]), np.eye(3), np.zeros(3, dtype=int))
    >>> found.effect.round(2).tolist(), [round(x, 1) for x in found.spread]
    ([-1.57, 0.39, 1.18], [2.7, 0.3, 11.8])
    """

    effect: Floats
    covariance: Floats
    spread: tuple[float, float, float]


def shrink_effects(effect: Floats, covariance: Floats, sets: Ints, *, level: float = 0.95) -> PooledEffects:
    """Pull effects together by a normal model, averaging over its spread.

    Parameters
    ----------
    effect : numpy.ndarray, shape (L,)
        Estimates, of which only differences within a set mean something.
    covariance : numpy.ndarray, shape (L, L)
        Of the estimates.
    sets : numpy.ndarray of int, shape (L,)
        Number of the set of each; below 0 where it is left out. All sets have one spread.
    level : float
        Probability of the interval of the spread.

    Returns
    -------
    PooledEffects

    References
    ----------
    Gelman, A. (2006). Prior distributions for variance parameters in hierarchical models. Bayesian Analysis 1, 515-534
    (a uniform prior on the standard deviation).

    Examples
    --------
    Effects that differ no more than their errors let them are pulled well together.

    >>> import numpy as np
    >>> from qbase.stats import shrink_effects
    >>> raw = np.array([-0.9, -0.2, 0.1, 0.3, 0.7])
    >>> shrink_effects(raw, np.eye(5), np.zeros(5, dtype=int)).effect.round(2).tolist()
    [-0.27, -0.06, 0.03, 0.09, 0.21]
    """
    basis = _contrasts(sets)
    variance, axes = np.linalg.eigh(basis.T @ covariance @ basis)
    axes, variance = basis @ axes, np.maximum(variance, 0.0)
    seen = axes.T @ effect
    end = REACH * float(np.abs(seen).max() + np.sqrt(variance.max()))
    steps = (np.arange(POINTS) + 0.5) / POINTS
    grid = end * steps**3
    wide = grid[:, None] ** 2 + variance
    log_weight = 2 * np.log(steps) - 0.5 * (np.log(wide) + seen**2 / wide).sum(axis=1)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    kept = grid[:, None] ** 2 / wide
    mean = weight @ (kept * seen)
    # within a spread, and between spreads
    spread_of_means = (kept * seen - mean).T @ (weight[:, None] * (kept * seen - mean))
    posterior = np.diag(weight @ (kept * variance)) + spread_of_means
    reached = np.cumsum(weight)
    low, median, high = (float(np.interp(p, reached, grid)) for p in ((1 - level) / 2, 0.5, (1 + level) / 2))
    return PooledEffects(effect=axes @ mean, covariance=axes @ posterior @ axes.T, spread=(median, low, high))


def _contrasts(sets: Ints) -> Floats:
    """Return an orthonormal basis of the differences within sets, shape (L, contrasts)."""
    blocks = []
    for number in np.unique(sets[sets >= 0]):
        own = np.flatnonzero(sets == number)
        inside = np.linalg.svd(np.eye(len(own)) - 1 / len(own))[0][:, : len(own) - 1]
        block = np.zeros((len(sets), len(own) - 1))
        block[own] = inside
        blocks.append(block)
    return np.hstack(blocks)
