"""Repeated looks at growing data: how much of the level each declared date may spend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]
ALPHA = 0.05
_POINTS = 801
_REACH = 8.0


def spent_alpha(fraction: float, *, alpha: float = ALPHA) -> float:
    """Return how much of a two-sided level may be spent by a share of the information, as O'Brien and Fleming do.

    Parameters
    ----------
    fraction : float
        Share of the final information, above 0 and at most 1.
    alpha : float
        Level of all looks together.

    Returns
    -------
    float
        Next to nothing early, all of alpha at 1.

    References
    ----------
    Lan, K. K. G. and DeMets, D. L. (1983). Discrete sequential boundaries for clinical trials. Biometrika 70, 659-663
    (the function alpha 1*, for each of the two sides).

    Examples
    --------
    >>> from qbase.stats import spent_alpha
    >>> [round(spent_alpha(t), 5) for t in (0.2, 0.6, 1.0)]
    [0.0, 0.00762, 0.05]
    """
    side = stats.norm.isf(alpha / 4)
    return float(4 * stats.norm.sf(side / np.sqrt(fraction)))


def decision_bounds(fractions: Sequence[float], *, alpha: float = ALPHA) -> Floats:
    """Return the absolute z value to exceed at each look, so that all looks together keep the level.

    Parameters
    ----------
    fractions : sequence of float
        Shares of the information at the looks, increasing; the last may be below 1.
    alpha : float
        Two-sided level of all looks together.

    Returns
    -------
    numpy.ndarray, shape (K,)
        By recursive integration of the density of those who have not crossed before.

    References
    ----------
    Armitage, P., McPherson, C. K. and Rowe, B. C. (1969). Repeated significance tests on accumulating data. Journal of
    the Royal Statistical Society A 132, 235-244.

    Examples
    --------
    >>> from qbase.stats import decision_bounds
    >>> decision_bounds([0.2, 0.4, 0.6, 0.8, 1.0]).round(3).tolist()
    [4.877, 3.357, 2.68, 2.29, 2.031]
    """
    times = np.asarray(fractions, dtype=float)
    bounds = np.zeros(len(times))
    spent = np.diff([0.0, *(spent_alpha(t, alpha=alpha) for t in times)])
    grid, density = np.zeros(1), np.ones(1)
    weight = np.ones(1)
    for k, step in enumerate(np.diff([0.0, *times])):
        scale, root = np.sqrt(step), np.sqrt(times[k])
        mass = density * weight
        bounds[k] = _bound(grid, mass, scale, root, float(spent[k]))
        edge = bounds[k] * root
        points = np.linspace(-edge, edge, _POINTS)
        density = stats.norm.pdf((points[:, None] - grid[None, :]) / scale) @ mass / scale
        weight = np.full(_POINTS, points[1] - points[0])
        weight[[0, -1]] /= 2
        grid = points
    return bounds


def decision_levels(n_dates: int, *, alpha: float = ALPHA) -> Floats:
    """Return the confidence level of the interval at each of some equally informative dates of decision.

    Parameters
    ----------
    n_dates : int
        Declared dates of decision.
    alpha : float
        Level of all of them together.

    Returns
    -------
    numpy.ndarray, shape (n_dates,)
        High early, a little above 1 − alpha at the last one.

    References
    ----------
    Lan and DeMets (1983), as in `spent_alpha`.

    Examples
    --------
    >>> from qbase.stats import decision_levels
    >>> decision_levels(3).round(4).tolist()
    [0.9998, 0.988, 0.9537]
    """
    return np.asarray(1 - 2 * stats.norm.sf(decision_bounds([k / n_dates for k in range(1, n_dates + 1)], alpha=alpha)))


def _bound(grid: Floats, mass: Floats, scale: float, root: float, spend: float) -> float:
    """Return the z value that those who reach this look exceed with the probability that may be spent at it."""

    def beyond(z: float) -> float:
        up, down = stats.norm.sf((z * root - grid) / scale), stats.norm.cdf((-z * root - grid) / scale)
        return float((up + down) @ mass)

    if beyond(_REACH) >= spend:
        return _REACH
    return float(optimize.brentq(lambda z: beyond(z) - spend, 0.0, _REACH, xtol=1e-10))
