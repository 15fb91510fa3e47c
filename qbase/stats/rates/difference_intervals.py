"""Interval of the difference of two proportions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from qbase.core.errors import UsageError
from qbase.core.given import read_number

Floats = NDArray[np.float64]
FARTHEST_Z, STEPS = 40.0, 60
"""No test is farther out; halvings of that distance."""


def check_level(level: object) -> None:
    """Raise when a confidence level is not between one half and one.

    Raises
    ------
    UsageError
        The level is 95 instead of 0.95, or not a probability (QB503).
    """
    number = read_number(level)
    if number is None or not 0.5 <= number < 1:
        raise UsageError(
            "QB503",
            level=level,
            found=f"level={level!r}",
            expected="0.5 <= level < 1",
            fix=f"level={number / 100:g}" if number is not None and 50 <= number < 100 else "level=0.95",
        )


def newcombe_interval(passed: tuple[int, int], tested: tuple[int, int], *, level: float = 0.95) -> tuple[float, float]:
    """Return Newcombe's hybrid-score interval of ``passed[0]/tested[0] - passed[1]/tested[1]``, as a share.

    Parameters
    ----------
    passed, tested : tuple of two int
        Counts of two independent samples.
    level : float
        Confidence level.

    Returns
    -------
    low, high : float
        Limits of the difference, inside -1 and 1.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions: comparison of
    eleven methods. Statistics in Medicine 17, 873-890 (method 10).

    Examples
    --------
    >>> from qbase.stats import newcombe_interval
    >>> low, high = newcombe_interval((57, 46), (60, 55))  # 95.0 % of batches this year, 83.6 % a year ago
    >>> round(100 * low, 1), round(100 * high, 1)
    (-0.1, 23.7)
    """
    # statsmodels takes half a second to import, which who asks for a level alone need not wait for
    from statsmodels.stats.proportion import confint_proportions_2indep

    low, high = confint_proportions_2indep(
        passed[0], tested[0], passed[1], tested[1], method="newcomb", compare="diff", alpha=1 - level
    )
    return max(-1.0, float(low)), min(1.0, float(high))


def newcombe_p(passed: tuple[ArrayLike, ArrayLike], tested: tuple[ArrayLike, ArrayLike]) -> Floats:
    """Return the two-sided p value that goes with Newcombe's interval: it is below 1 − level where that leaves out 0.

    Parameters
    ----------
    passed, tested : tuple of two array-like, shape (m,)
        Counts of two independent samples; every ``tested`` is above 0.

    Returns
    -------
    numpy.ndarray, shape (m,)
        1 where the two rates are equal.

    References
    ----------
    Newcombe (1998), as for `newcombe_interval`; its interval, turned round.

    Examples
    --------
    >>> from qbase.stats import newcombe_interval, newcombe_p
    >>> p = float(newcombe_p(([57], [46]), ([60], [55]))[0])
    >>> low, high = newcombe_interval((57, 46), (60, 55), level=1 - p)
    >>> round(p, 4), abs(low) < 1e-9
    (0.0524, True)
    """
    (k1, k0), (n1, n0) = (tuple(np.asarray(x, dtype=float) for x in pair) for pair in (passed, tested))
    rate1, rate0 = k1 / n1, k0 / n0
    gap = np.abs(rate1 - rate0)
    upper = np.maximum(rate1, rate0)
    is_first = rate1 >= rate0
    k_up, n_up = np.where(is_first, k1, k0), np.where(is_first, n1, n0)
    k_down, n_down = np.where(is_first, k0, k1), np.where(is_first, n0, n1)
    inside, outside = np.zeros_like(gap), np.full_like(gap, FARTHEST_Z)
    for _ in range(STEPS):
        z = (inside + outside) / 2
        arm = np.hypot(upper - _wilson_end(k_up, n_up, -z), _wilson_end(k_down, n_down, z) - (upper - gap))
        inside, outside = np.where(arm < gap, z, inside), np.where(arm < gap, outside, z)
    return np.asarray(np.where(gap > 0, 2 * ndtr(-inside), 1.0), dtype=float)


def _wilson_end(k: Floats, n: Floats, z: Floats) -> Floats:
    """Return the end of Wilson's interval that lies z standard errors away, on the side of its sign."""
    return np.asarray((k + z * z / 2 + z * np.sqrt(k * (n - k) / n + z * z / 4)) / (n + z * z), dtype=float)
