"""Interval of the difference of two proportions."""

from __future__ import annotations

import math

import pandas as pd
from statsmodels.stats.proportion import confint_proportions_2indep

from qbase.core.errors import UsageError


def check_level(level: float) -> None:
    """Raise when a confidence level is not between one half and one.

    Raises
    ------
    UsageError
        The level is 95 instead of 0.95, or not a probability (QB503).
    """
    if not 0.5 <= level < 1:
        raise UsageError("QB503", level=level, found=f"level={level}", expected="0.5 <= level < 1", fix="level=0.95")


def square_and_add(after: pd.Series, before: pd.Series) -> tuple[float, float, float]:
    """Return the difference of two independent rates with an interval made of their own intervals.

    With Wilson intervals this is Newcombe's hybrid score; design-based intervals serve as well (MOVER).

    Parameters
    ----------
    after, before : pandas.Series
        ``rate_pct``, ``ci_low``, ``ci_high`` of the two periods, percent.

    Returns
    -------
    value, low, high : float
        Percentage points.

    References
    ----------
    Newcombe (1998), method 10. Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect
    measures: a general approach. Statistics in Medicine 27, 1693-1702.
    """
    r1, l1, u1 = (float(after[c]) for c in ("rate_pct", "ci_low", "ci_high"))
    r0, l0, u0 = (float(before[c]) for c in ("rate_pct", "ci_low", "ci_high"))
    value = r1 - r0
    return value, value - math.hypot(r1 - l1, u0 - r0), value + math.hypot(u1 - r1, r0 - l0)


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
