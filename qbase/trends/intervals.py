"""Intervals of proportions, on arrays: Wilson for one, Newcombe's hybrid score for a difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from qbase.core.errors import UsageError

Floats = NDArray[np.float64]


def check_level(level: float) -> None:
    """Raise when a confidence level is not between one half and one.

    Raises
    ------
    UsageError
        The level is 95 instead of 0.95, or not a probability (QB503).
    """
    if not 0.5 <= level < 1:
        raise UsageError("QB503", level=level, found=f"level={level}", expected="0.5 <= level < 1", fix="level=0.95")


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
    """
    low, high = proportion_confint(
        np.asarray(passed, dtype=float), np.asarray(tested, dtype=float), alpha=1 - level, method="wilson"
    )
    # a limit of -1e-17 or 1 + 1e-16 is rounding, not a finding
    return np.clip(np.asarray(low, dtype=float), 0, 1), np.clip(np.asarray(high, dtype=float), 0, 1)


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
    """
    low, high = confint_proportions_2indep(
        passed[0], tested[0], passed[1], tested[1], method="newcomb", compare="diff", alpha=1 - level
    )
    return max(-1.0, float(low)), min(1.0, float(high))
