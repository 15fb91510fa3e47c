"""Intervals when the trend may bend by at most M a period: fixed length, around the best affine estimate."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr, ndtri

from qbase.core.errors import DataError
from qbase.effects.sensitivity.event_path import (
    ROUNDING,
    EventPath,
    Floats,
    read_alpha,
    read_event_path,
    read_limit,
)

SMALL = 1e-12
"""Share of the scale of a problem that is rounding."""

ONE_SIDED = 10.0
"""From a bias of this many standard errors on the other tail has probability below 1e-22."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmoothBounds:
    """An interval that holds as long as the slope of the trend changes by at most M from period to period.

    Parameters
    ----------
    low, high : float
        Its ends, in the unit of the coefficients.
    estimate : float
        Its middle: the weighted effect less a trend read off the periods before.
    std_error, worst_bias : float
        Of the estimate; the bias is the largest any allowed trend can cause.
    pre_weights : tuple of float
        What the estimate gives to the coefficients before treatment, earliest first.
    limit_m, level : float
        As asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.effects import smoothness_bounds
    >>> found = smoothness_bounds([0.1, 2.0], np.eye(2), n_pre=1, weights=[1], limit_m=0.5)
    >>> round(found.estimate, 1), found.pre_weights, found.covers_zero
    (2.1, (1.0,), True)
    """

    low: float
    high: float
    estimate: float
    std_error: float
    worst_bias: float
    pre_weights: tuple[float, ...]
    limit_m: float
    level: float

    @property
    def covers_zero(self) -> bool:
        """Whether no effect at all is among what cannot be excluded."""
        return self.low <= 0 <= self.high


def smoothness_bounds(
    beta: ArrayLike, vcov: ArrayLike, *, n_pre: int, weights: ArrayLike, limit_m: float, level: float = 0.95
) -> SmoothBounds:
    """Return the interval of an effect when the difference in trends may bend by at most M a period.

    M = 0 takes the line through the periods before and extends it. The estimate is the affine one whose interval,
    with room for the worst bias, is shortest; the shortest is found exactly, along the path of a lasso.

    Parameters
    ----------
    beta : array-like, shape (P + T,)
        Coefficients of consecutive periods relative to the last one before treatment: before (earliest first, base
        left out), then from treatment on. See `qbase.effects.sensitivity.event_path.rebase_to_last` for coefficients
        relative to an average.
    vcov : array-like, shape (P + T, P + T)
        Their covariance, taken for known.
    n_pre : int
        P, one or more.
    weights : array-like, shape (T,)
        The effect asked for: ``[1, 0, …]`` is the first period, ``[1/T, …]`` the average.
    limit_m : float
        Largest change of slope from one period to the next, in the unit of the coefficients.
    level : float
        Confidence level.

    Returns
    -------
    SmoothBounds
        In the unit of the coefficients; normal, not Student's t.

    Raises
    ------
    DataError
        Arrays that do not fit or hold no numbers, no covariance, an effect without a standard error (QB570–QB573).
    UsageError
        ``n_pre``, weights, limit or level that cannot be meant (QB574–QB576, QB503).

    References
    ----------
    Rambachan, A. and Roth, J. (2023). A more credible approach to parallel trends. Review of Economic Studies 90.
    Armstrong, T. and Kolesár, M. (2018). Optimal inference in a class of regression models. Econometrica 86.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.effects import smoothness_bounds
    >>> beta, vcov = [-2.1, -0.9, 4.0, 5.2], 0.25 * (np.eye(4) + 1)  # one point a period before treatment
    >>> straight = smoothness_bounds(beta, vcov, n_pre=2, weights=[1, 0], limit_m=0)
    >>> bent = smoothness_bounds(beta, vcov, n_pre=2, weights=[1, 0], limit_m=0.5)
    >>> [round(x, 1) for x in (straight.low, straight.high, bent.low, bent.high)]
    [1.1, 4.7, 0.7, 5.2]
    """
    limit = read_limit("limit_m", limit_m)
    alpha = read_alpha(level)
    path = read_event_path(beta, vcov, n_pre=n_pre, weights=weights)
    return smooth_interval(path, estimate_frontier(path), limit=limit, alpha=alpha)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Frontier:
    """Estimates that cannot have less bias without more variance: corners of a path, straight lines between them.

    Parameters
    ----------
    corners : numpy.ndarray, shape (C, P)
        Weights of the coefficients before treatment; least bias first, least variance last.
    kinks : numpy.ndarray, shape (C,)
        The largest bias at M = 1.
    """

    corners: Floats
    kinks: Floats


def estimate_frontier(path: EventPath) -> Frontier:
    """Return the estimates between least bias and least variance under bounded bends.

    A trend is a line plus bends. A line must not bias the estimate, which fixes one sum of the weights before
    treatment; a bend at period j biases it by u_j. Those after the base depend on ``path.weights`` alone; those
    before, at −2 to −P, are free, and the P weights are their second differences. So the frontier is the lasso path
    that minimises variance + penalty · Σ|u_j|.
    """
    p, times = path.n_pre, np.arange(1, path.n_post + 1)
    slope = float(path.weights @ times)
    after = sum(abs(float(path.weights @ np.clip(times - j, 0, None))) for j in range(path.n_post))
    # u runs from the bend at the base (known: the line must cancel) back to the earliest; weights of −P … −1
    second = np.zeros((p, p))
    for j in range(p):  # the period j + 1 before the base sees its own bend j, and those on both sides
        second[p - 1 - j, j] += 1
        if j + 1 < p:
            second[p - 1 - j, j + 1] -= 2
        if j + 2 < p:
            second[p - 1 - j, j + 2] += 1
    fixed, free = second[:, 0] * slope, second[:, 1:]
    inner, cross = path.vcov[:p, :p], path.vcov[:p, p:] @ path.weights
    bends = lasso_path(free.T @ inner @ free, free.T @ (inner @ fixed + cross))
    return Frontier(corners=fixed + bends @ free.T, kinks=after + np.abs(bends).sum(axis=1))


def lasso_path(gram: Floats, linear: Floats) -> Floats:
    """Return the corners of the minimisers of u'Gu/2 + g'u + penalty · Σ|u| as the penalty falls to 0.

    Parameters
    ----------
    gram : numpy.ndarray, shape (K, K)
        G, positive semi-definite.
    linear : numpy.ndarray, shape (K,)
        g.

    Returns
    -------
    numpy.ndarray, shape (C, K)
        From 0 to a minimiser without penalty; between two corners the path is straight.
    """
    k = len(linear)
    u, corners = np.zeros(k), [np.zeros(k)]
    active: list[int] = []
    signs = np.zeros(k)
    penalty = float(np.abs(linear).max(initial=0.0))
    floor, left = SMALL * penalty, -1
    while penalty > floor and len(corners) < 50 * (k + 1):
        gradient = gram @ u + linear
        entering = [j for j in range(k) if j not in active and j != left and abs(gradient[j]) >= penalty * (1 - 1e-10)]
        for j in entering[:1]:
            active.append(j)
            signs[j] = -np.sign(gradient[j])
        direction = np.zeros(k)
        direction[active] = np.linalg.lstsq(gram[np.ix_(active, active)], signs[active], rcond=SMALL)[0]
        step, left = _next_corner(u, direction, gram @ direction, gradient, penalty, active, left)
        u = u + step * direction
        penalty -= step
        if left >= 0:
            active.remove(left)
            u[left] = 0.0
        corners.append(u.copy())
    return np.array(corners)


def _next_corner(
    u: Floats, direction: Floats, slope: Floats, gradient: Floats, penalty: float, active: list[int], left: int
) -> tuple[float, int]:
    """Return how far the penalty falls until a bend enters or leaves, and which leaves (−1: none)."""
    step, leaving = penalty, -1
    for j in range(len(u)):
        if j in active:
            gone = -u[j] / direction[j] if direction[j] * u[j] < 0 else math.inf
            if gone < step:
                step, leaving = float(gone), j
            continue
        for sign in (1.0, -1.0):  # sign · (gradient + s · slope) reaches penalty − s
            closing = 1 + sign * slope[j]
            gap = penalty - sign * gradient[j]
            if closing > SMALL and (gap > penalty * 1e-10 or j == left):
                enters = gap / closing
                if penalty * 1e-12 < enters < step:
                    step, leaving = float(enters), -1
    return step, leaving


def smooth_interval(path: EventPath, frontier: Frontier, *, limit: float, alpha: float) -> SmoothBounds:
    """Return the shortest interval along the frontier for one M.

    Raises
    ------
    DataError
        The periods before treatment cancel all noise, because the covariance is singular (QB573).
    """
    p = path.n_pre
    inner, cross = path.vcov[:p, :p], path.vcov[:p, p:] @ path.weights
    own = float(path.weights @ path.vcov[p:, p:] @ path.weights)

    def at(place: float) -> tuple[Floats, float, float]:
        first = min(int(place), len(frontier.kinks) - 1)
        second, share = min(first + 1, len(frontier.kinks) - 1), place - first
        before = (1 - share) * frontier.corners[first] + share * frontier.corners[second]
        bias = limit * ((1 - share) * frontier.kinks[first] + share * frontier.kinks[second])
        variance = own + 2 * float(before @ cross) + float(before @ inner @ before)
        return before, float(bias), math.sqrt(max(variance, 0.0))

    last = len(frontier.kinks) - 1
    lengths = [_half_length(*at(c)[1:], alpha) for c in range(last + 1)]
    best = int(np.argmin(lengths))
    place = float(best)
    for low in {max(best - 1, 0), min(best, max(last - 1, 0))} if last else ():
        # the half length is convex in the weights, so it has one valley along a straight piece
        found = minimize_scalar(
            lambda x: _half_length(*at(x)[1:], alpha), bounds=(low, low + 1), method="bounded", options={"xatol": 1e-10}
        )
        if found.fun < _half_length(*at(place)[1:], alpha):
            place = float(found.x)
    before, bias, error = at(place)
    if error**2 <= ROUNDING * own:
        raise DataError(
            "QB573",
            found=f"{p} periods before treatment cancel all noise (standard error {error:.2g})",
            expected="more clusters than coefficients",
            fix="use fewer periods before treatment: a covariance from few clusters is singular",
        )
    middle = float(path.weights @ path.beta[p:] + before @ path.beta[:p])
    half = _half_length(bias, error, alpha)
    return SmoothBounds(
        low=middle - half,
        high=middle + half,
        estimate=middle,
        std_error=error,
        worst_bias=bias,
        pre_weights=tuple(float(x) for x in before),
        limit_m=limit,
        level=1 - alpha,
    )


def _half_length(bias: float, error: float, alpha: float) -> float:
    """Return the 1 − alpha quantile of |N(bias, error²)|."""
    if bias >= ONE_SIDED * error:
        return bias - error * float(ndtri(alpha))
    t = bias / error
    low, high = t - ndtri(alpha), t - ndtri(alpha / 2)
    return error * float(brentq(lambda c: ndtr(t - c) + ndtr(-t - c) - alpha, low - 1e-9, high + 1e-9, xtol=1e-13))
