"""What a test of the leads could have seen: its power against a trend, and what passing it says."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from qbase.core.errors import DataError, UsageError
from qbase.core.given import read_number
from qbase.effects.sensitivity.event_path import Floats, read_alpha, read_covariance

SEED = 20221101
PRECISION = 1e-6
"""Of probabilities, asked of the quasi-Monte-Carlo integral over three or more leads."""

SINGULAR = 1e-10
"""An eigenvalue of the correlation below this share of the largest is 0."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretestPower:
    """The test "no lead is significant on its own" against a linear departure from parallel trends.

    Parameters
    ----------
    slope : float
        Of the departure, in the unit of the coefficients a period.
    power : float
        Probability that at least one lead is significant under it.
    passing, passing_if_parallel : float
        Probability that none is, under it and under parallel trends.
    bayes_factor : float
        The first over the second: the smaller, the more passing speaks for parallel trends. Near 1 it says nothing.
    likelihood_ratio : float or None
        Density of the leads as estimated under the departure over that under parallel trends; None without them.
    level : float
        One minus the size of each lead's own test.

    Examples
    --------
    >>> from qbase.effects import roth_power
    >>> found = roth_power([-1], [[1.0]], slope=1.96)
    >>> round(found.power, 3), round(found.passing_if_parallel, 3), found.likelihood_ratio
    (0.5, 0.95, None)
    """

    slope: float
    power: float
    passing: float
    passing_if_parallel: float
    bayes_factor: float
    likelihood_ratio: float | None
    level: float


def roth_power(
    times: ArrayLike,
    vcov: ArrayLike,
    *,
    slope: float | None = None,
    power: float | None = None,
    beta: ArrayLike | None = None,
    level: float = 0.95,
) -> PretestPower:
    """Return the power of a test of the leads against a slope, or the slope it sees with a given power.

    Parameters
    ----------
    times : array-like, shape (P,)
        Periods of the leads counted from the base: −P … −1 where the base is the last period before treatment.
    vcov : array-like, shape (P, P)
        Covariance of the leads, not singular; taken for known.
    slope : float or None
        Of the linear departure a period. Either this or ``power``.
    power : float or None
        Probability with which the test is to see it; the slope is then positive.
    beta : array-like, shape (P,), or None
        The leads as estimated, for the likelihood ratio.
    level : float
        A lead is significant when |t| exceeds the normal quantile of this level.

    Returns
    -------
    PretestPower
        Probabilities of a multivariate normal: exact for one or two leads, else to about 1e-6 with a fixed seed.

    Raises
    ------
    DataError
        Arrays that do not fit or hold no numbers, or no covariance (QB570–QB572), or a singular one (QB579).
    UsageError
        Neither slope nor power or both, or a power the test cannot have (QB578); a level that is none (QB503).

    References
    ----------
    Roth, J. (2022). Pretest with caution: event-study estimates after testing for parallel trends. American Economic
    Review: Insights 4, 305-322.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.effects import roth_power
    >>> vcov = 0.25 * (np.eye(3) + 1)
    >>> seen = roth_power([-3, -2, -1], vcov, power=0.8)  # a smaller slope is overlooked more often than in 1 of 5
    >>> round(seen.slope, 2), round(seen.bayes_factor, 2)
    (0.62, 0.23)
    """
    alpha = read_alpha(level)
    when = np.atleast_1d(np.asarray(times, dtype=float))
    matrix = _read_leads(when, vcov)
    z = -float(ndtri(alpha / 2))
    parallel = passing_probability(np.zeros(len(when)), matrix, z)
    if (slope is None) == (power is None):
        raise _refused_power(slope, power, parallel)
    rise = _find_slope(when, matrix, z, power, parallel) if power is not None else read_number(slope)
    if rise is None or not math.isfinite(rise):
        raise _refused_power(slope, power, parallel)
    departure = rise * when
    passing = passing_probability(departure, matrix, z)
    return PretestPower(
        slope=rise,
        power=1 - passing,
        passing=passing,
        passing_if_parallel=parallel,
        bayes_factor=passing / parallel,
        likelihood_ratio=None if beta is None else likelihood_ratio(_read_beta(beta, when), departure, matrix),
        level=1 - alpha,
    )


def passing_probability(departure: Floats, vcov: Floats, z: float) -> float:
    """Return the probability that no lead is significant when their means are ``departure``.

    Parameters
    ----------
    departure : numpy.ndarray, shape (P,)
        Of any shape, not only a line.
    vcov : numpy.ndarray, shape (P, P)
        Covariance of the leads.
    z : float
        A lead is significant when its |t| exceeds this.
    """
    errors = np.sqrt(np.diag(vcov))
    correlation = vcov / np.outer(errors, errors)
    middle = departure / errors
    share = multivariate_normal.cdf(
        z - middle,
        cov=correlation,
        lower_limit=-z - middle,
        abseps=PRECISION,
        releps=PRECISION,
        rng=np.random.default_rng(SEED),
    )
    return float(np.clip(share, 0.0, 1.0))


def likelihood_ratio(beta: Floats, departure: Floats, vcov: Floats) -> float:
    """Return the density of the leads under a departure over their density under parallel trends.

    Parameters
    ----------
    beta, departure : numpy.ndarray, shape (P,)
        As estimated, and their means under the departure.
    vcov : numpy.ndarray, shape (P, P)
        Covariance of the leads.
    """
    return float(np.exp(np.linalg.solve(vcov, departure) @ (beta - departure / 2)))


def _find_slope(when: Floats, vcov: Floats, z: float, power: object, parallel: float) -> float:
    target = read_number(power)
    if target is None or not 1 - parallel < target < 1:
        raise _refused_power(None, power, parallel)

    def lacking(slope: float) -> float:
        return 1 - passing_probability(slope * when, vcov, z) - target

    high = float((np.sqrt(np.diag(vcov)) / np.abs(when)).min())
    while lacking(high) < 0:
        high *= 2
    return float(brentq(lacking, 0.0, high, xtol=1e-8 * high, rtol=1e-8))


def _read_leads(when: Floats, vcov: ArrayLike) -> Floats:
    if when.ndim != 1 or not np.isfinite(when).all() or not when.all():
        raise DataError(
            "QB570",
            name="times",
            found=f"times={when.tolist()}",
            expected="a list of finite numbers, none of them the base's 0",
            fix="times=[-3, -2, -1] for three leads before a base in the last period",
        )
    matrix = read_covariance(vcov, len(when))
    errors = np.sqrt(np.clip(np.diag(matrix), 0, None))
    eigenvalues = np.linalg.eigvalsh(matrix / np.outer(errors, errors)) if errors.all() else np.zeros(1)
    if eigenvalues[0] <= SINGULAR * eigenvalues[-1]:
        raise DataError(
            "QB579",
            found=f"smallest eigenvalue {eigenvalues[0]:.3g} of the leads' correlation",
            expected="above 0",
            fix="leave the base out, and turn leads relative to an average into leads relative to the last period",
        )
    return matrix


def _read_beta(beta: ArrayLike, when: Floats) -> Floats:
    leads = np.atleast_1d(np.asarray(beta, dtype=float))
    if leads.shape != when.shape or not np.isfinite(leads).all():
        raise DataError(
            "QB570",
            name="beta",
            found=f"{leads.size} leads, {int(np.isfinite(leads).sum())} of them finite",
            expected=f"{len(when)} finite numbers",
            fix="hand over the leads in the order of times",
        )
    return leads


def _refused_power(slope: object, power: object, parallel: float) -> UsageError:
    return UsageError(
        "QB578",
        found=f"slope={slope!r}, power={power!r}",
        expected=f"a finite slope, or a power between {1 - parallel:.3f} (rejected under parallel trends) and 1",
        fix="power=0.8",
    )
