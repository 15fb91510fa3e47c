"""Funnel limits of many rates at once: binomial, widened where entities differ by more than chance."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln
from scipy.stats import beta

from qbase.core.errors import DataError
from qbase.core.given import check_word
from qbase.stats.rates.difference_intervals import check_level

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Dispersion = Literal["additive", "multiplicative", "none"]

LEVELS = (0.95, 0.998)
"""Two and three standard errors: a look, and an alarm."""
TRIM = 0.1
"""Share of scores pulled in at either end, so that a few outsiders do not widen the funnel they should leave."""
DRAWS, MOST_DRAWN, SEED = 2000, 200_000, 20050505
BROAD = 20_000
"""Above so many tests a share is taken as continuous: steps between counts no longer matter."""
MOST_ALIKE = 0.99


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Funnel:
    """Limits of m rates at L levels.

    Parameters
    ----------
    target : float
        Centre, as a share.
    levels : tuple of float, length L
        Chance that an entity like the others lies inside.
    dispersion : {"additive", "multiplicative", "none"}
        How the limits were widened.
    phi : float
        Mean winsorised square of the scores over what chance alone gives; 1 is chance.
    tau2 : float
        Variance between entities on the arcsine scale, radians squared; 0 is chance.
    z : numpy.ndarray, shape (m,)
        Scores before anything is widened: distance from the target in standard errors, on the arcsine scale.
    low, high : numpy.ndarray, shape (L, m)
        Limits as shares.
    is_low, is_high : numpy.ndarray of bool, shape (L, m)
        Whether a rate lies below or above.
    false_alarms : numpy.ndarray, shape (L,)
        How many of the m would lie outside though none differs from the others more than they usually do.

    Examples
    --------
    >>> from qbase.stats import Funnel, funnel_limits
    >>> funnel = funnel_limits([90, 88, 93, 60], [100, 100, 100, 100], dispersion="none")
    >>> isinstance(funnel, Funnel), funnel.is_low[1].tolist()
    (True, [False, False, False, True])
    """

    target: float
    levels: tuple[float, ...]
    dispersion: Dispersion
    phi: float
    tau2: float
    z: Floats
    low: Floats
    high: Floats
    is_low: NDArray[np.bool_]
    is_high: NDArray[np.bool_]
    false_alarms: Floats


def funnel_limits(
    passed: ArrayLike,
    tested: ArrayLike,
    *,
    levels: Sequence[float] = LEVELS,
    dispersion: Dispersion = "additive",
    winsorise: float = TRIM,
    target: float | None = None,
    is_corrected: bool = True,
) -> Funnel:
    """Return the limits within which rates of entities alike would lie, given how many were tested in each.

    Tails are exact: of the binomial distribution, or of the beta-binomial one whose variance is that of the
    over-dispersion, interpolated between whole counts. ``additive`` adds a variance between entities (random effects),
    so that large ones are not called outside for a difference that all have; ``multiplicative`` widens all limits by
    the root of phi. Winsorising takes from the spread of scores even where nobody is an outsider, which makes limits
    too narrow; ``is_corrected`` divides by what it takes from chance alone.

    Parameters
    ----------
    passed : array-like, shape (m,)
        Passes; a weighted rate times its effective number of tests need not be whole.
    tested : array-like of int, shape (m,)
        Tests, at least 1.
    levels : sequence of float
        Such as 0.95.
    dispersion : {"additive", "multiplicative", "none"}
        How to widen.
    winsorise : float
        Share of scores pulled in at either end; 0 leaves them as they are.
    target : float or None
        Centre as a share, above 0 and below 1; None is all passes over all tests, half a pass away from 0 and 1 where
        all are alike.
    is_corrected : bool
        False gives phi and tau² as published.

    Returns
    -------
    Funnel

    Raises
    ------
    DataError
        Counts that cannot be (QB536).
    UsageError
        A level that is none (QB503), or a dispersion that is none (QB144).

    References
    ----------
    Spiegelhalter, D. J. (2005). Funnel plots for comparing institutional performance. Statistics in Medicine 24,
    1185-1202, appendix A.1.1 (exact limits). Spiegelhalter, D. J. (2005). Handling over-dispersion of performance
    indicators. Quality and Safety in Health Care 14, 347-351 (phi, tau², winsorising).

    Examples
    --------
    >>> from qbase.stats import funnel_limits
    >>> passed, tested = [12, 30, 45, 8, 60, 22, 15, 90, 33, 41], [100, 220, 400, 90, 300, 260, 120, 640, 410, 250]
    >>> funnel = funnel_limits(passed, tested, is_corrected=False)
    >>> round(funnel.phi, 5), round(funnel.tau2, 7)
    (2.00005, 0.0011375)
    """
    for level in levels:
        check_level(level)
    check_word("dispersion", dispersion, get_args(Dispersion))
    k, n = read_counts_of(passed, tested)
    centre = _centre(k, n) if target is None else _target(target)
    z = _scores(k, n, centre)
    phi = _phi(z, winsorise)
    if is_corrected:
        expected = _chance_alone(n, centre, winsorise, is_fixed=target is not None)
        phi = phi / expected if expected > 0 else 1.0
    excess = (phi - 1) * (len(n) - 1) if is_corrected else len(n) * phi - (len(n) - 1)
    weight = 4.0 * n
    room = weight.sum() - (weight**2).sum() / weight.sum()
    tau2 = max(0.0, excess / room) if room > 0 else 0.0
    found = Funnel(
        target=centre, levels=tuple(float(x) for x in levels), dispersion=dispersion, phi=float(phi), tau2=float(tau2),
        z=z, low=np.empty(0), high=np.empty(0), is_low=np.empty(0, dtype=bool), is_high=np.empty(0, dtype=bool),
        false_alarms=np.empty(0),
    )  # fmt: skip
    low, high, alarms = _limits(found, n)
    rate = k / n
    return dataclasses.replace(
        found, low=low, high=high, is_low=rate < low - 1e-12, is_high=rate > high + 1e-12,
        false_alarms=alarms.sum(axis=1),
    )  # fmt: skip


def funnel_curve(funnel: Funnel, tested: ArrayLike) -> tuple[Floats, Floats]:
    """Return the limits of a funnel at other numbers of tests, to draw it.

    Parameters
    ----------
    funnel : Funnel
        Of `funnel_limits`.
    tested : array-like of int, shape (g,)
        At least 1.

    Returns
    -------
    low, high : numpy.ndarray, shape (L, g)
        As shares.

    Examples
    --------
    >>> from qbase.stats import funnel_curve, funnel_limits
    >>> funnel = funnel_limits([90, 88, 93, 89], [100, 100, 100, 100], dispersion="none")
    >>> low, high = funnel_curve(funnel, [10, 100])
    >>> low[0].round(3)
    array([0.621, 0.832])
    """
    low, high, _ = _limits(funnel, np.asarray(tested, dtype=np.int64))
    return low, high


def read_counts_of(passed: ArrayLike, tested: ArrayLike) -> tuple[Floats, Ints]:
    """Return passes and tests as arrays.

    Raises
    ------
    DataError
        None at all, of different lengths, no whole tests, or passes outside 0 to tested (QB536).
    """
    k, n = np.atleast_1d(np.asarray(passed, dtype=float)), np.atleast_1d(np.asarray(tested, dtype=float))
    fault = ""
    if k.ndim != 1 or k.shape != n.shape or not len(n):
        fault = f"passed of shape {k.shape}, tested of shape {n.shape}"
    elif not (np.isfinite(k) & np.isfinite(n) & (n >= 1) & (n % 1 == 0) & (k >= 0) & (k <= n)).all():
        i = int(np.flatnonzero(~(np.isfinite(k) & (n >= 1) & (n % 1 == 0) & (k >= 0) & (k <= n)))[0])
        fault = f"passed {k[i]:g} of tested {n[i]:g} at position {i}"
    if fault:
        raise DataError(
            "QB536", found=fault, expected="as many passes as tests, whole tests, 0 <= passed <= tested, tested >= 1",
            fix="leave out entities without tests",
        )  # fmt: skip
    return k, n.astype(np.int64)


def _target(target: float) -> float:
    if not 0 < target < 1:
        raise DataError("QB536", found=f"target={target}", expected="a share above 0 and below 1", fix="target=0.95")
    return float(target)


def _centre(k: Any, n: Ints) -> float:
    """Return the pooled share, half a pass away from 0 and 1: there chance would allow no width at all."""
    total, passes = float(n.sum()), float(k.sum())
    return min(max(passes, 0.5), total - 0.5) / total if total > 1 else 0.5


def _scores(k: Any, n: Ints, centre: Any) -> Floats:
    rate = np.clip(k / n, 0.0, 1.0)
    return np.asarray(2 * np.sqrt(n) * (np.arcsin(np.sqrt(rate)) - np.arcsin(np.sqrt(centre))), dtype=float)


def _phi(z: Floats, winsorise: float) -> Any:
    """Return the mean square of winsorised scores, along the last axis."""
    low, high = np.quantile(z, [winsorise, 1 - winsorise], axis=-1)
    return (np.clip(z, low[..., None], high[..., None]) ** 2).mean(axis=-1)


def _chance_alone(n: Ints, centre: float, winsorise: float, *, is_fixed: bool) -> float:
    """Return the phi that chance alone gives on average with these numbers of tests; sorted, so that order is nothing.

    Small counts near 0 or 1 have scores far from normal, so that no table of the normal distribution serves.
    """
    n = np.sort(n)
    draws = max(100, min(DRAWS, MOST_DRAWN // len(n)))
    k = np.random.default_rng(SEED).binomial(n, centre, (draws, len(n))).astype(float)
    total = float(n.sum())
    pooled = np.full((draws, 1), centre)
    if not is_fixed:
        pooled = np.clip(k.sum(axis=1, keepdims=True), 0.5, total - 0.5) / total
    return float(_phi(_scores(k, n, pooled), winsorise).mean())


def _limits(funnel: Funnel, tested: Ints) -> tuple[Floats, Floats, Floats]:
    """Return low, high and the chance of lying outside, each of shape (L, m)."""
    sizes, at = np.unique(tested, return_inverse=True)
    found = np.array([_limits_of(funnel, int(n)) for n in sizes])
    low, high, alarm = (found[:, i, :].T[:, at.reshape(-1)] for i in range(3))
    return low, high, alarm


def _limits_of(funnel: Funnel, n: int) -> list[list[float]]:
    tails = [(1 - level) / 2 for level in funnel.levels]
    if n > BROAD:
        return _broad(funnel, n, tails)
    pmf = _mass(n, funnel.target, _likeness(funnel, n))
    below = [_quantile(pmf, tail) for tail in tails]
    above = [_quantile(pmf[::-1], tail) for tail in tails]
    low, high = [max(0.0, x / n) for x, _ in below], [min(1.0, 1 - x / n) for x, _ in above]
    return [low, high, [a + b for (_, a), (_, b) in zip(below, above, strict=True)]]


def _quantile(pmf: Floats, tail: float) -> tuple[float, float]:
    """Return the interpolated quantile of a count and the chance of a count below it."""
    total = np.cumsum(pmf)
    r = int(np.searchsorted(total, tail))
    below = float(total[r - 1]) if r else 0.0
    return r - (float(total[r]) - tail) / float(pmf[r]), below


def _likeness(funnel: Funnel, n: int) -> float:
    """Return the correlation of tests of one entity that gives the over-dispersion found.

    A variance tau² of the arcsine is one of 4 p (1 - p) tau² of the share; phi is 1 + (n - 1) times the correlation.
    """
    if funnel.dispersion == "additive":
        return min(4 * funnel.tau2, MOST_ALIKE)
    if funnel.dispersion == "multiplicative" and n > 1:
        return min(max(funnel.phi - 1, 0.0) / (n - 1), MOST_ALIKE)
    return 0.0


def _mass(n: int, share: float, likeness: float) -> Floats:
    """Return the beta-binomial distribution of 0 to n passes; binomial where tests of one entity are not alike."""
    k = np.arange(n + 1.0)
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    if likeness < 1e-9:
        log = choose + k * np.log(share) + (n - k) * np.log1p(-share)
    else:
        total = (1 - likeness) / likeness
        a, b = share * total, (1 - share) * total
        log = choose + gammaln(k + a) - gammaln(a) + gammaln(n - k + b) - gammaln(b)
        log = log - gammaln(n + total) + gammaln(total)
    mass = np.exp(log)
    return np.asarray(mass / mass.sum(), dtype=float)


def _broad(funnel: Funnel, n: int, tails: list[float]) -> list[list[float]]:
    """Return limits of the beta distribution with the variance that so many tests of one entity have."""
    likeness = _likeness(funnel, n)
    total = 1 / (likeness + (1 - likeness) / n) - 1
    a, b = funnel.target * total, (1 - funnel.target) * total
    ends = [[float(beta.ppf(tail, a, b)) for tail in tails], [float(beta.isf(tail, a, b)) for tail in tails]]
    return [*ends, [2 * tail for tail in tails]]
