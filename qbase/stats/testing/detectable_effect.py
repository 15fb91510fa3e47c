"""The smallest effect a study would find, and the doubt with which it would."""

from __future__ import annotations

import math

from scipy import stats

POWER = 0.8


def minimum_detectable_effect(
    std_error: float, *, df: float | None = None, level: float = 0.95, power: float = POWER
) -> float:
    """Return the minimum detectable effect: (t(1 − alpha/2) + t(power)) · standard error.

    Parameters
    ----------
    std_error : float
        Of the estimate.
    df : float or None
        Degrees of freedom; None is normal.
    level : float
        Confidence level of the two-sided test.
    power : float
        Chance of finding an effect of that size, in the right direction.

    Returns
    -------
    float
        In the unit of the standard error.

    References
    ----------
    Bloom, H. S. (1995). Minimum detectable effects: a simple way to report the statistical power of experimental
    designs. Evaluation Review 19, 547-556.

    Examples
    --------
    >>> from qbase.stats import minimum_detectable_effect
    >>> round(minimum_detectable_effect(1.0), 4), round(minimum_detectable_effect(1.0, df=11), 4)
    (2.8016, 3.0765)
    """
    return std_error * (_quantile((1 + level) / 2, df) + _quantile(power, df))


def detecting_error(effect: float, *, df: float | None = None, level: float = 0.95, power: float = POWER) -> float:
    """Return the standard error with which an effect would be found: the inverse of `minimum_detectable_effect`.

    Parameters
    ----------
    effect : float
        That should be found.
    df, level, power
        As in `minimum_detectable_effect`.

    Returns
    -------
    float
        In the unit of the effect.

    References
    ----------
    Bloom (1995), as in `minimum_detectable_effect`.

    Examples
    --------
    >>> from qbase.stats import detecting_error
    >>> round(detecting_error(7.0), 2)
    2.5
    """
    return effect / minimum_detectable_effect(1.0, df=df, level=level, power=power)


def _quantile(probability: float, df: float | None) -> float:
    return float(stats.norm.ppf(probability) if df is None or math.isinf(df) else stats.t.ppf(probability, df))
