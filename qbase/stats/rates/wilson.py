"""Wilson's interval of proportions, on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Limits = tuple[ArrayLike, ArrayLike, ArrayLike]


def wilson_interval(passed: ArrayLike, tested: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return Wilson's score interval of proportions, as shares.

    Parameters
    ----------
    passed, tested : array-like, shape (m,)
        Counts; every ``tested`` is above 0.
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray, shape (m,)
        Inside 0 and 1, never of zero width.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.

    Examples
    --------
    >>> from qbase.stats import wilson_interval
    >>> low, high = wilson_interval([18, 20], [20, 20])  # batches passed and tested in two quarters
    >>> low.round(3), high.round(3)
    (array([0.699, 0.839]), array([0.972, 1.   ]))
    """
    k, n = np.asarray(passed, dtype=float), np.asarray(tested, dtype=float)
    # step by step as statsmodels has it, which takes half a second to import
    share, z = k / n, -ndtri((1 - level) / 2)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1.0 - share) / n + z**2 / (4.0 * n**2)) / (1 + z**2 / n)
    # the formula gives exactly 0 and 1 here, arithmetic 1e-17 and 1 - 1e-16, which would shut the value out
    low = np.where(k == 0, 0.0, np.clip(centre - half, 0.0, 1.0))
    return low, np.where(k == n, 1.0, np.clip(centre + half, 0.0, 1.0))


def square_and_add(first: Limits, second: Limits, *, correlation: ArrayLike = 0.0) -> tuple[Floats, Floats, Floats]:
    """Return the difference of two quantities with an interval made of their own intervals (MOVER).

    Parameters
    ----------
    first, second : tuple of three array-like
        Value, low, high of each; the interval may be of any kind. Wilson's give Newcombe's hybrid score.
    correlation : array-like
        Of the two estimates; 0 where they are independent.

    Returns
    -------
    value, low, high : arrays
        In the unit given.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10. Zou, G. Y. and Donner, A. (2008). Construction of
    confidence limits about effect measures: a general approach. Statistics in Medicine 27, 1693-1702.

    Examples
    --------
    >>> from qbase.stats import square_and_add, wilson_interval
    >>> now, before = (57 / 60, *wilson_interval(57, 60)), (46 / 55, *wilson_interval(46, 55))
    >>> [round(100 * float(x), 1) for x in square_and_add(now, before)]  # percentage points, low, high
    [11.4, -0.1, 23.7]
    """
    a, low_a, high_a = (np.asarray(x, dtype=float) for x in first)
    b, low_b, high_b = (np.asarray(x, dtype=float) for x in second)
    value, r = a - b, np.asarray(correlation, dtype=float)
    return value, value - _joined(a - low_a, high_b - b, r), value + _joined(high_a - a, b - low_b, r)


def _joined(own: Floats, other: Floats, correlation: Floats) -> Floats:
    """Return the half width of a difference from those of its parts."""
    return np.asarray(np.sqrt(np.maximum(own**2 + other**2 - 2 * correlation * own * other, 0.0)), dtype=float)
