"""Intervals when a step of the trend after treatment is at most Mbar times the largest one before."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from qbase.core.errors import UsageError
from qbase.core.given import read_whole
from qbase.effects.sensitivity.conditional_test import Vertices, accepts, find_vertices, outer_reach, steps_before
from qbase.effects.sensitivity.event_path import EventPath, Floats, read_alpha, read_event_path, read_limit

GRID = 400
"""Points tried between the outermost θ the first stage keeps; the ends are then refined."""

ZOOMS, ZOOM = 6, 64
"""Each zoom divides the last step by 63: the ends are exact to 1e-10 of a step."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RelativeBounds:
    """An interval that holds as long as no step after treatment exceeds Mbar times the largest before.

    Parameters
    ----------
    low, high : float
        Its ends, in the unit of the coefficients. Never cut off by a grid: beyond them every θ is rejected.
    estimate : float
        The weighted effect under parallel trends.
    low_step, high_step : int
        The period before treatment whose step gives each end: −1 is the step from the last but one period to the
        base, −P the earliest.
    limit_mbar, level : float
        As asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.effects import relative_magnitude_bounds
    >>> found = relative_magnitude_bounds([0.1, 2.0], np.eye(2), n_pre=1, weights=[1], limit_mbar=1)
    >>> found.estimate, found.low_step, found.covers_zero
    (2.0, -1, True)
    """

    low: float
    high: float
    estimate: float
    low_step: int
    high_step: int
    limit_mbar: float
    level: float

    @property
    def covers_zero(self) -> bool:
        """Whether no effect at all is among what cannot be excluded."""
        return self.low <= 0 <= self.high


def relative_magnitude_bounds(
    beta: ArrayLike,
    vcov: ArrayLike,
    *,
    n_pre: int,
    weights: ArrayLike,
    limit_mbar: float,
    level: float = 0.95,
    grid: int = GRID,
) -> RelativeBounds:
    """Return the interval of an effect when trends step at most Mbar times as far after treatment as before.

    Inverts the conditional least-favourable hybrid test for every step before treatment that may be the largest, in
    either direction, and takes the union. Exact: no simulation, see `qbase.effects.sensitivity.conditional_test`.
    With Mbar = 0 it is the ordinary interval. Only inequalities that involve periods after treatment are tested, as R
    does by default with two or more of them.

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
    limit_mbar : float
        How many times the largest step before treatment a step after it may be.
    level : float
        Confidence level.
    grid : int
        Points on which each test is first tried, 10 or more. What is kept need not be connected; the interval runs
        from the first point kept to the last.

    Returns
    -------
    RelativeBounds
        In the unit of the coefficients.

    Raises
    ------
    DataError
        Arrays that do not fit or hold no numbers, no covariance, an effect without a standard error (QB570–QB573).
    UsageError
        ``n_pre``, weights, limit, level or grid that cannot be meant (QB574–QB577, QB503).

    References
    ----------
    Rambachan, A. and Roth, J. (2023). A more credible approach to parallel trends. Review of Economic Studies 90.
    Andrews, I., Roth, J. and Pakes, A. (2023). Inference for linear conditional moment inequalities. Review of
    Economic Studies 90.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.effects import relative_magnitude_bounds
    >>> beta, vcov = [0.3, -0.2, 4.0, 5.2], 0.25 * (np.eye(4) + 1)
    >>> for limit in (0, 1, 2):
    ...     found = relative_magnitude_bounds(beta, vcov, n_pre=2, weights=[1, 0], limit_mbar=limit)
    ...     print(limit, round(found.low, 2), round(found.high, 2), found.covers_zero)
    0 2.61 5.39 False
    1 1.76 6.17 False
    2 0.36 7.64 False
    """
    limit = read_limit("limit_mbar", limit_mbar)
    alpha = read_alpha(level)
    path = read_event_path(beta, vcov, n_pre=n_pre, weights=weights)
    return relative_interval(path, limit=limit, alpha=alpha, grid=_read_grid(grid))


def relative_interval(path: EventPath, *, limit: float, alpha: float, grid: int = GRID) -> RelativeBounds:
    """Return the union of what the tests keep, over the largest step before treatment and its direction.

    θ equal to the estimate is always kept: by the tests whose step points as estimated.
    """
    estimate = float(path.row @ path.beta)
    tests: list[tuple[int, Vertices, float]] = []
    for place, row in enumerate(steps_before(path)):
        for sign in (1, -1):
            signed = sign * row
            vertices = find_vertices(path, signed, limit=limit, alpha=alpha)
            tests.append((place - path.n_pre, vertices, float(signed @ path.beta)))
    below, low_step = _furthest(tests, alpha, grid, up=False)
    above, high_step = _furthest(tests, alpha, grid, up=True)
    return RelativeBounds(
        low=estimate - below,
        high=estimate + above,
        estimate=estimate,
        low_step=low_step,
        high_step=high_step,
        limit_mbar=limit,
        level=1 - alpha,
    )


def _furthest(tests: list[tuple[int, Vertices, float]], alpha: float, grid: int, *, up: bool) -> tuple[float, int]:
    """Return how far above (or below) the estimate a test keeps θ, and the step before treatment that does."""
    brackets = []
    for place, vertices, step in tests:
        down_reach, up_reach = outer_reach(vertices, step)
        far, near = (up_reach, -down_reach) if up else (down_reach, -up_reach)
        if far < near:
            continue  # the first stage keeps no θ at all: the step points the other way
        inner, outer = _bracket(vertices, step, np.linspace(near, far, grid), alpha, up=up)
        if inner is not None:
            brackets.append((inner, outer, place, vertices, step))
    furthest, found = -np.inf, 0
    for inner, outer, place, vertices, step in sorted(brackets, key=lambda b: -b[0]):
        if outer <= furthest:
            continue
        for _ in range(ZOOMS):
            again, outer = _bracket(vertices, step, np.linspace(inner, outer, ZOOM), alpha, up=up)
            inner = inner if again is None else again
        if inner > furthest:
            furthest, found = inner, place
    return float(furthest), found


def _bracket(vertices: Vertices, step: float, reaches: Floats, alpha: float, *, up: bool) -> tuple[float | None, float]:
    """Return the furthest reach kept and the next one, which is not; None where none is kept."""
    kept = np.flatnonzero(accepts(vertices, -reaches if up else reaches, step, alpha))
    if len(kept) == 0:
        return None, float(reaches[0])
    last = int(kept[-1])
    return float(reaches[last]), float(reaches[min(last + 1, len(reaches) - 1)])


def _read_grid(grid: object) -> int:
    points = read_whole(grid)
    if points is None or points < 10:
        raise UsageError(
            "QB577",
            value=grid,
            found=f"grid={grid!r}",
            expected="a whole number, 10 or more",
            fix=f"grid={GRID}",
        )
    return points
