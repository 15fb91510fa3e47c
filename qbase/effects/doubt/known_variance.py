"""How much of the power of the same test with a known variance an inference keeps, by design and for one estimate."""

from __future__ import annotations

import math

from scipy import stats

ENOUGH_POWER = 0.8
"""Below, what was not rejected is no evidence of anything: the data cannot decide."""

AS_KNOWN = 42.0
"""From so many degrees of freedom on a t test finds 80 % of what a known variance finds, however small the effect."""

HALF = float(stats.norm.ppf(0.975))
"""In standard errors, the effect that a known variance finds at 5 % in half of all cases."""


def share_of_power(df: float, level: float) -> float:
    """Return power over that of a 5 % test with known variance, where the latter is one half.

    Parameters
    ----------
    df : float
        Degrees of freedom with which the variance is known.
    level : float
        Size the test attains: one of 36 assignments is .028, not .05. Below one assignment in all there is none: 0.

    Returns
    -------
    float
        With ten degrees of freedom .85, with three .56.
    """
    if not (df > 0 and level > 0):
        return 0.0
    known = 0.5 + float(stats.norm.sf(2 * HALF))
    if math.isinf(df):
        critical = float(stats.norm.isf(level / 2))
        return float(stats.norm.sf(critical - HALF) + stats.norm.sf(critical + HALF)) / known
    critical = float(stats.t.isf(level / 2, df))
    return float(stats.nct.sf(critical, df, HALF) + stats.nct.cdf(-critical, df, HALF)) / known


def attained_level(draws: int, level: float = 0.05) -> float:
    """Return the largest size at most ``level`` that so many placebos and the observed assignment allow."""
    return math.floor(level * (1 + draws) + 1e-9) / (1 + draws)


def chance_of_known(t: float, df: float) -> float:
    """Return how sure one may be that a 5 % test with known variance would reject this estimate.

    Parameters
    ----------
    t : float
        Estimate over its standard error, either sign.
    df : float
        Degrees of freedom with which the standard error is known: the true variance is then the estimated one times df
        over a chi-square variable.

    Returns
    -------
    float
        Above .2, ``1 - ENOUGH_POWER``, a test that did not reject has decided nothing: with ten degrees of freedom from
        1.69 standard errors on, with 34 from 1.79; NaN without a standard error.
    """
    if math.isnan(t) or math.isnan(df):
        return math.nan
    if t == 0:
        return 0.0
    if math.isinf(t) or math.isinf(df):
        return float(abs(t) > HALF)
    return float(stats.chi2.sf(df * (HALF / t) ** 2, df))


def is_undecided(share: float, chance: float | None) -> bool:
    """Return whether a test that did not reject has decided nothing.

    Parameters
    ----------
    share : float
        Power of the design, from `share_of_power`.
    chance : float or None
        Of this estimate, from `chance_of_known`; None or NaN where it is not known.
    """
    return share < ENOUGH_POWER or (chance is not None and chance > 1 - ENOUGH_POWER)
