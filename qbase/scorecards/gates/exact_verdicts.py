"""What k of n allow to say about a target: one-sided exact limits, the chance that it is met, what lists leave open."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc
from scipy.stats import hypergeom

from qbase.core.values import Better
from qbase.stats.design.design_intervals import clopper_pearson_interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
ROUNDING = 1e-9
"""Weighted shares carry rounding errors: what differs from the target by less is the target."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """What rates allow to say about a target.

    Parameters
    ----------
    low, high : numpy.ndarray, shape (m,)
        One-sided limits, each of the level asked for, as shares: together an interval of level ``2 * level - 1``.
    is_met, is_missed : numpy.ndarray of bool, shape (m,)
        Neither: cannot tell.
    probability : numpy.ndarray, shape (m,)
        That the target is met (`estimate_probability_met`).
    """

    low: Floats
    high: Floats
    is_met: Bools
    is_missed: Bools
    probability: Floats


def judge_rates(
    rate: ArrayLike,
    n_eff: ArrayLike,
    target: float,
    *,
    level: float = 0.95,
    better: Better = "up",
    n: ArrayLike | None = None,
    least_n: int = 0,
) -> Judged:
    """Judge rates against a target by one-sided exact limits.

    A rate meets the target when Clopper and Pearson's lower limit is at least the target, and misses it when the upper
    limit is below; each error has a chance of at most ``1 - level``, at any n. A weighted rate is taken as
    ``rate * n_eff`` passes of ``n_eff`` draws (Korn and Graubard); there the bound holds as far as ``n_eff`` does.

    Parameters
    ----------
    rate : array-like, shape (m,)
        Shares.
    n_eff : array-like, shape (m,)
        Draws, or the effective number of draws of a weighted rate; above 0.
    target : float
        Share.
    level : float
        One-sided.
    better : {"up", "down", "none"}
        Good direction; ``none`` is judged as ``up``.
    n : array-like or None
        Draws that the floor is held against; None takes ``n_eff``.
    least_n : int
        Fewer draws have no verdict.

    Returns
    -------
    Judged

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404-413. Korn and Graubard (1998), Survey Methodology 24, 193-201.

    Examples
    --------
    >>> from qbase.scorecards import judge_rates
    >>> found = judge_rates([0.98, 0.94, 0.0], [200, 200, 1], 0.94)  # 196 of 200, 188 of 200, 0 of 1
    >>> found.low.round(3), found.is_met, found.is_missed
    (array([0.955, 0.905, 0.   ]), array([ True, False, False]), array([False, False, False]))
    """
    p, size = np.asarray(rate, dtype=float), np.asarray(n_eff, dtype=float)
    drawn = size if n is None else np.asarray(n, dtype=float)
    low, high = clopper_pearson_interval(p * size, size, level=2 * level - 1)
    low, high = np.minimum(low, p), np.maximum(high, p)
    is_above, is_below = low >= target - ROUNDING, high < target - ROUNDING
    if better == "down":
        is_above, is_below = high <= target + ROUNDING, low > target + ROUNDING
    enough = drawn >= least_n
    chance = estimate_probability_met(p, size, target, better=better)
    return Judged(low=low, high=high, is_met=is_above & enough, is_missed=is_below & enough, probability=chance)


def estimate_probability_met(rate: ArrayLike, n_eff: ArrayLike, target: float, *, better: Better = "up") -> Floats:
    """Return the probability that the true rate meets a target.

    The posterior is Beta(x + 1/2, n - x + 1/2) with x = rate * n_eff passes of n = n_eff draws: Jeffreys' prior and
    nothing else, no information from other entities. The probability is the posterior mass at the target and beyond.
    It is a description beside the verdict, which the exact limits give.

    Parameters
    ----------
    rate, n_eff : array-like, shape (m,)
        Shares; draws or effective draws.
    target : float
        Share.
    better : {"up", "down", "none"}
        Good direction.

    Returns
    -------
    numpy.ndarray, shape (m,)

    References
    ----------
    Brown, L. D., Cai, T. T. and DasGupta, A. (2001). Statistical Science 16, 101-133.

    Examples
    --------
    >>> from qbase.scorecards import estimate_probability_met
    >>> estimate_probability_met([0.98, 0.94], [200, 200], 0.94).round(3)
    array([0.996, 0.482])
    """
    p, n = np.asarray(rate, dtype=float), np.asarray(n_eff, dtype=float)
    below: Floats = betainc(p * n + 0.5, n - p * n + 0.5, min(max(target, 0.0), 1.0))
    return below if better == "down" else 1 - below


def find_least_n(target: float, *, level: float = 0.95, better: Better = "up") -> int | None:
    """Return the smallest number of draws at which a target can be met at all, every one of them good.

    Parameters
    ----------
    target : float
        Share.
    level : float
        One-sided level of the verdict.
    better : {"up", "down", "none"}
        Good direction.

    Returns
    -------
    int or None
        None where no number of draws can show it: all of a population is a matter of a full count.

    Examples
    --------
    >>> from qbase.scorecards import find_least_n
    >>> find_least_n(0.94), find_least_n(0.94, level=0.975), find_least_n(1.0)
    (49, 60, None)
    """
    wanted = 1 - target if better == "down" else target
    if wanted >= 1:
        return None
    if wanted <= 0:
        return 1
    # the same rounding as in the verdict: n passes of n have the limit (1 - level) ** (1 / n)
    return max(1, math.ceil(math.log(1 - level) / math.log(wanted - ROUNDING)))


def estimate_unverified_failures(listed: int, verified: int, failed: int, *, level: float = 0.95) -> int:
    """Return an exact upper bound of the failures among those not verified, if those verified are a random subset.

    With D failures on the list the number among those verified is hypergeometric; the bound is the largest D of which
    seeing no more than ``failed`` has a chance above ``1 - level``, less those seen.

    Parameters
    ----------
    listed, verified, failed : int
        On the list, verified of them, failed of those.
    level : float
        One-sided.

    Returns
    -------
    int
        0 where everybody is verified.

    Examples
    --------
    >>> from qbase.scorecards import estimate_unverified_failures
    >>> [estimate_unverified_failures(46, verified, failed) for verified, failed in ((40, 0), (20, 0), (46, 3))]
    [1, 4, 0]
    """
    if verified <= 0:
        return listed
    most = np.arange(failed, listed - verified + failed + 1)
    chance = hypergeom.cdf(failed, listed, most, verified)
    return int(most[chance > 1 - level].max()) - failed
