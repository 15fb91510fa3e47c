"""Intervals of proportions on arrays: for counts, and for weighted rates on their effective sample size.

Which one serves weighted rates of small samples was decided by simulation (docs/studies/levels.md): Jeffreys' interval
on the effective sample size is the narrowest of those that keep 93 % in every size class, 100 % passes included.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri

Floats = NDArray[np.float64]
Limits = tuple[Floats, Floats]
Method = Literal["jeffreys", "wilson", "korn_graubard"]

NONE = 1e-9
"""Fewer passes or failures than this are none: weighted counts carry rounding errors."""


def clopper_pearson_interval(passed: ArrayLike, tested: ArrayLike, *, level: float = 0.95) -> Limits:
    """Return Clopper and Pearson's exact interval of proportions, as shares; it never covers less than its level.

    Parameters
    ----------
    passed, tested : array-like, shape (m,)
        Counts, or effective counts; every ``tested`` is above 0.
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray, shape (m,)
        Inside 0 and 1.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated in the case of the
    binomial. Biometrika 26, 404-413.

    Examples
    --------
    >>> from qbase.stats import clopper_pearson_interval
    >>> low, high = clopper_pearson_interval([18, 20], [20, 20])  # batches passed and tested in two quarters
    >>> low.round(3), high.round(3)
    (array([0.683, 0.832]), array([0.988, 1.   ]))
    """
    k, n, alpha = *_counts(passed, tested), 1 - level
    low = betaincinv(np.maximum(k, NONE), n - k + 1, alpha / 2)
    high = betaincinv(k + 1, np.maximum(n - k, NONE), 1 - alpha / 2)
    return _closed(k, n, low, high)


def jeffreys_interval(passed: ArrayLike, tested: ArrayLike, *, level: float = 0.95) -> Limits:
    """Return Jeffreys' interval of proportions, as shares, closed at 0 without passes and at 1 without failures.

    Parameters
    ----------
    passed, tested : array-like, shape (m,)
        Counts, or effective counts; every ``tested`` is above 0.
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray, shape (m,)
        Inside 0 and 1, never of zero width.

    References
    ----------
    Brown, L. D., Cai, T. T. and DasGupta, A. (2001). Interval estimation for a binomial proportion. Statistical
    Science 16, 101-133.

    Examples
    --------
    >>> from qbase.stats import jeffreys_interval
    >>> low, high = jeffreys_interval([18, 20], [20, 20])  # batches passed and tested in two quarters
    >>> low.round(3), high.round(3)
    (array([0.716, 0.883]), array([0.979, 1.   ]))
    """
    k, n, alpha = *_counts(passed, tested), 1 - level
    low, high = betaincinv(k + 0.5, n - k + 0.5, alpha / 2), betaincinv(k + 0.5, n - k + 0.5, 1 - alpha / 2)
    return _closed(k, n, low, high)


def design_interval(rate: ArrayLike, n_eff: ArrayLike, *, level: float = 0.95, method: Method = "jeffreys") -> Limits:
    """Return an interval of weighted rates that stays honest at small n and at 100 % passes.

    Parameters
    ----------
    rate : array-like, shape (m,)
        Weighted rates, as shares.
    n_eff : array-like, shape (m,)
        Effective sample sizes: draws of a simple random sample that would tell as much; above 0.
    level : float
        Confidence level.
    method : {"jeffreys", "wilson", "korn_graubard"}
        Interval applied to ``rate * n_eff`` passes of ``n_eff``; ``korn_graubard`` is Clopper and Pearson's.

    Returns
    -------
    low, high : numpy.ndarray, shape (m,)
        Inside 0 and 1, around the rate, never of zero width.

    References
    ----------
    Korn, E. L. and Graubard, B. I. (1998). Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data. Survey Methodology 24, 193-201.

    Examples
    --------
    >>> from qbase.stats import design_interval
    >>> low, high = design_interval([0.94, 1.0], n_eff=[36.5, 12.2])  # weighted pass rates of two cluster-quarters
    >>> low.round(3), high.round(3)
    (array([0.828, 0.817]), array([0.986, 1.   ]))
    """
    p, n = np.asarray(rate, dtype=float), np.asarray(n_eff, dtype=float)
    if method == "wilson":
        low, high = _wilson(p, n, level)
    else:
        formula = jeffreys_interval if method == "jeffreys" else clopper_pearson_interval
        low, high = formula(p * n, n, level=level)
    return np.minimum(low, p), np.maximum(high, p)


def _wilson(p: Floats, n: Floats, level: float) -> Limits:
    z = float(ndtri(0.5 + level / 2))
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def _counts(passed: ArrayLike, tested: ArrayLike) -> tuple[Floats, Floats]:
    n = np.asarray(tested, dtype=float)
    return np.clip(np.asarray(passed, dtype=float), 0.0, n), n


def _closed(k: Floats, n: Floats, low: Floats, high: Floats) -> Limits:
    return np.where(k <= NONE, 0.0, low), np.where(n - k <= NONE, 1.0, high)
