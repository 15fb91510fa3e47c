"""Two one-sided tests: when an interval inside a margin may be called no difference, and what that takes."""

from __future__ import annotations

import math

from scipy import stats

ALPHA = 0.05
"""Size of each one-sided test; the interval that decides them has level 1 − 2 alpha."""


def equivalence_interval(
    value: float, std_error: float, *, df: float | None = None, alpha: float = ALPHA
) -> tuple[float, float]:
    """Return the interval that two one-sided tests of size alpha compare with a margin.

    Parameters
    ----------
    value, std_error : float
        A difference and its standard error, in one unit.
    df : float or None
        Degrees of freedom of the t distribution; None takes the normal one.
    alpha : float
        Size of each test: 0.05 gives the 90 % interval.

    Returns
    -------
    low, high : float
        Of level 1 − 2 alpha.

    References
    ----------
    Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach for assessing
    the equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.

    Examples
    --------
    >>> from qbase.stats import equivalence_interval
    >>> low, high = equivalence_interval(0.4, 1.0, df=11)
    >>> round(low, 2), round(high, 2)
    (-1.4, 2.2)
    """
    half = std_error * _quantile(1 - alpha, df)
    return value - half, value + half


def equivalence_p(value: float, std_error: float, margin: float, *, df: float | None = None) -> float:
    """Return the p value of equivalence: the larger of the two one-sided ones.

    Parameters
    ----------
    value, std_error : float
        A difference and its standard error.
    margin : float
        Above 0; the hypothesis tested is that the difference is as large as ± margin, or larger.
    df : float or None
        Degrees of freedom; None is normal.

    Returns
    -------
    float
        Below alpha exactly when the interval of `equivalence_interval` lies inside ± margin.

    References
    ----------
    Schuirmann (1987), as in `equivalence_interval`.

    Examples
    --------
    >>> from qbase.stats import equivalence_p
    >>> round(equivalence_p(0.4, 1.0, 3.0, df=11), 4)
    0.0123
    """
    return _tail((margin - abs(value)) / std_error, df)


def equivalence_power(
    std_error: float, margin: float, *, truth: float = 0.0, df: float | None = None, alpha: float = ALPHA
) -> float:
    """Return the chance that two one-sided tests find equivalence.

    Parameters
    ----------
    std_error, margin : float
        Of the difference; the largest that does not matter.
    truth : float
        The true difference.
    df : float or None
        Degrees of freedom; None is normal. The t distribution stands in for the noncentral one.
    alpha : float
        Size of each test.

    Returns
    -------
    float
        Between 0 and 1; 0 where the interval is wider than the margin allows, however the estimate falls.

    References
    ----------
    Phillips, K. F. (1990). Power of the two one-sided tests procedure in bioequivalence. Journal of Pharmacokinetics
    and Biopharmaceutics 18, 137-144.

    Examples
    --------
    >>> from qbase.stats import equivalence_power
    >>> round(equivalence_power(1.0, 2.0), 3), round(equivalence_power(1.0, 4.0), 3)
    (0.278, 0.981)
    """
    room = margin / std_error - _quantile(1 - alpha, df)
    if room <= 0:
        return 0.0
    shift = truth / std_error
    return max(0.0, 1 - _tail(room - shift, df) - _tail(room + shift, df))


def equivalence_size(share: float, margin: float, *, power: float = 0.8, alpha: float = ALPHA) -> float:
    """Return the sample of each arm with which two equal shares are found equivalent, not rounded.

    Parameters
    ----------
    share : float
        Of both arms, between 0 and 1.
    margin : float
        Largest difference that does not matter, as a share.
    power : float
        Wanted chance of finding them equivalent.
    alpha : float
        Size of each one-sided test.

    Returns
    -------
    float
        Observations per arm.

    References
    ----------
    Chow, S.-C., Shao, J., Wang, H. and Lokhnygina, Y. (2017). Sample Size Calculations in Clinical Research, 3rd
    edition, section 4.2 (two-sample parallel design, equivalence).

    Examples
    --------
    >>> from qbase.stats import equivalence_size
    >>> round(equivalence_size(0.95, 0.05), 4)
    325.4262
    """
    sides = _quantile(1 - alpha, None) + _quantile((1 + power) / 2, None)
    return 2 * share * (1 - share) * (sides / margin) ** 2


def _quantile(probability: float, df: float | None) -> float:
    return float(stats.norm.ppf(probability) if _is_normal(df) else stats.t.ppf(probability, df))


def _tail(z: float, df: float | None) -> float:
    return float(stats.norm.sf(z) if _is_normal(df) else stats.t.sf(z, df))


def _is_normal(df: float | None) -> bool:
    return df is None or math.isinf(df)
