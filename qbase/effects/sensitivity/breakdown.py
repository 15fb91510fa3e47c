"""How far trends may depart before an effect can no longer be told from none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

from numpy.typing import ArrayLike
from scipy.optimize import brentq

from qbase.core.given import check_word
from qbase.effects.sensitivity.event_path import EventPath, read_alpha, read_event_path
from qbase.effects.sensitivity.relative_magnitude import relative_interval
from qbase.effects.sensitivity.smoothness import estimate_frontier, smooth_interval

Kind = Literal["relative_magnitude", "smoothness"]

GROWTH, SCANS = 1.25, 60
"""M is scanned upwards in these steps, from a 64th of its scale: the first crossing counts, not any."""

MARGIN = 1e-9
"""To which share of it the breakdown value is found."""


def breakdown_value(
    beta: ArrayLike,
    vcov: ArrayLike,
    *,
    n_pre: int,
    weights: ArrayLike,
    kind: Kind = "relative_magnitude",
    level: float = 0.95,
) -> float:
    """Return the largest M (or Mbar) up to which the interval excludes 0.

    Parameters
    ----------
    beta : array-like, shape (P + T,)
        Coefficients as `qbase.effects.relative_magnitude_bounds` takes them.
    vcov : array-like, shape (P + T, P + T)
        Their covariance.
    n_pre : int
        P, one or more.
    weights : array-like, shape (T,)
        The effect asked for.
    kind : {"relative_magnitude", "smoothness"}
        What bounds the trend: Mbar times the largest step before treatment, or a bend of at most M a period.
    level : float
        Confidence level.

    Returns
    -------
    float
        Mbar has no unit, M is in the unit of the coefficients. 0 where the interval covers 0 already at 0. Infinite
        where no multiple suffices, because every step before treatment is 0 without doubt.

    Raises
    ------
    DataError
        Arrays that do not fit or hold no numbers, no covariance, an effect without a standard error (QB570–QB573).
    UsageError
        ``n_pre``, weights or level that cannot be meant (QB574, QB575, QB503), or an unknown kind (QB144).

    References
    ----------
    Rambachan, A. and Roth, J. (2023). A more credible approach to parallel trends. Review of Economic Studies 90.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.effects import breakdown_value
    >>> beta, vcov = [0.3, -0.2, 4.0, 5.2], 0.25 * (np.eye(4) + 1)
    >>> round(breakdown_value(beta, vcov, n_pre=2, weights=[1, 0]), 2)
    2.23
    >>> breakdown_value([0.3, -0.2, 0.1, 5.2], vcov, n_pre=2, weights=[1, 0], kind="smoothness")
    0.0
    """
    check_word("kind", kind, get_args(Kind))
    alpha = read_alpha(level)
    path = read_event_path(beta, vcov, n_pre=n_pre, weights=weights)
    ends, scale = _relative(path, alpha) if kind == "relative_magnitude" else _smooth(path, alpha)
    low, high = ends(0.0)
    if low <= 0 <= high:
        return 0.0

    def distance(limit: float) -> float:
        below, above = ends(limit)
        return below if low > 0 else -above

    outside, inside = 0.0, scale / 64
    for _ in range(SCANS):
        if distance(inside) <= 0:
            return float(brentq(distance, outside, inside, xtol=MARGIN * scale, rtol=MARGIN))
        outside, inside = inside, inside * GROWTH
    return math.inf


def _relative(path: EventPath, alpha: float) -> tuple[Callable[[float], tuple[float, float]], float]:
    def ends(limit: float) -> tuple[float, float]:
        found = relative_interval(path, limit=limit, alpha=alpha)
        return found.low, found.high

    return ends, 1.0


def _smooth(path: EventPath, alpha: float) -> tuple[Callable[[float], tuple[float, float]], float]:
    frontier = estimate_frontier(path)

    def ends(limit: float) -> tuple[float, float]:
        found = smooth_interval(path, frontier, limit=limit, alpha=alpha)
        return found.low, found.high

    # from here on the bias alone reaches from the end of the straight extrapolation to 0
    return ends, max(map(abs, ends(0.0))) / float(frontier.kinks[0])
