"""Charts with a memory, EWMA and CUSUM, over a whole series at once: one limit for all its periods."""

from __future__ import annotations

import dataclasses
import functools
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qbase.stats.control.change_scan import DRAWS, LEAST_POINTS, SEED, permutations, step_gains
from qbase.stats.control.control_limits import Floats, cusum_paths

Bools = NDArray[np.bool_]
Memory = Literal["ewma", "cusum"]

WEIGHT, SLACK = 0.2, 0.5
"""Of the newest period; half of the shift that should be found, in standard errors: the handbooks' middle choice."""

LIMIT_DRAWS, LIMIT_SEED = 20_000, 1954


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MemoryChart:
    """Paths of S series over T periods, and the limit none of them crosses by chance in most quiet series.

    Parameters
    ----------
    upper, lower : numpy.ndarray, shape (S, T)
        An EWMA has one path in standard errors of its own, and stands in both; a CUSUM has an upper and a lower sum.
        Where nothing was measured the path stays where it was.
    limit : numpy.ndarray, shape (S,)
        Of the size of either path.
    fired : numpy.ndarray of bool, shape (S, T)
        Measured periods in which a path lies beyond the limit.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import MemoryChart, memory_chart
    >>> isinstance(memory_chart(np.array([[9.0, 8, 9, 9, 7, 5, 6, 5, 6, 5]])), MemoryChart)
    True
    """

    upper: Floats
    lower: Floats
    limit: Floats
    fired: Bools


def memory_chart(
    value: Floats, weight: Floats | None = None, *, kind: Memory = "ewma", alpha: float = 0.05
) -> MemoryChart:
    """Return the EWMA or CUSUM of each series about its own mean, with one limit for all periods.

    Values are standardised by the weighted mean and standard deviation of their series, so that shares of unequal n
    weigh as they should and over-dispersion widens as it does in Laney's chart. The limit is crossed anywhere in a
    share ``alpha`` of normal series in which nothing changes; the usual limits are crossed in every fourth series of
    40 periods. `memory_chance` gives an exact p value of one series for any distribution.

    Parameters
    ----------
    value : numpy.ndarray, shape (S, T)
        NaN where nothing was measured.
    weight : numpy.ndarray, shape (S, T), or None
        Tests behind each value; None weighs all alike.
    kind : {"ewma", "cusum"}
        Weight of the newest period 0.2; slack 0.5.
    alpha : float
        Chance that a quiet series crosses its limit anywhere.

    Returns
    -------
    MemoryChart
        A series whose values do not differ, or of fewer than four, has the limit infinity.

    References
    ----------
    Page, E. S. (1954). Biometrika 41. Lucas, J. M. and Saccucci, M. S. (1990). Technometrics 32. Woodall, W. H. (2000).
    Controversies and contradictions in statistical process control. Journal of Quality Technology 32 (phase I).

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import memory_chart
    >>> moved = np.array([[9.0, 8, 9, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 5, 6, 5, 6, 5]])
    >>> {kind: np.flatnonzero(memory_chart(moved, kind=kind).fired[0]).tolist() for kind in ("ewma", "cusum")}
    {'ewma': [20], 'cusum': [18, 19, 20]}
    """
    upper, lower = memory_paths(value, weight, kind=kind)
    known = np.isfinite(standardise(value, weight))
    count = known.sum(axis=1)
    limit = np.full(len(known), np.inf)
    for points in np.unique(count[count >= 4]):
        limit[count == points] = memory_limit(int(points), kind=kind, alpha=alpha)
    fired = known & (np.maximum(np.abs(upper), np.abs(lower)) > limit[:, None])
    return MemoryChart(upper=upper, lower=lower, limit=limit, fired=fired)


def standardise(value: Floats, weight: Floats | None = None, *, variance: float | None = None) -> Floats:
    """Return distances from the weighted mean of each series in standard deviations of a period of its weight.

    Parameters
    ----------
    value, weight : numpy.ndarray, shape (S, T)
        As `memory_chart`.
    variance : float or None
        Of a value of weight 1, where it is known from elsewhere; None takes that of each series.

    Returns
    -------
    numpy.ndarray, shape (S, T)
        NaN where nothing was measured; 0 where the values of a series do not differ.
    """
    value = np.asarray(value, dtype=float)
    mass = np.ones_like(value) if weight is None else np.asarray(weight, dtype=float)
    known = np.isfinite(value) & (mass > 0)
    w, y = np.where(known, mass, 0.0), np.where(known, value, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (w * y).sum(axis=1, keepdims=True) / w.sum(axis=1, keepdims=True)
        spread = (w * (y - mean) ** 2).sum(axis=1, keepdims=True) / (known.sum(axis=1, keepdims=True) - 1)
        spread = spread if variance is None else np.full_like(spread, variance)
        z = np.where(spread > 1e-12 * np.maximum(mean**2, 1e-12), np.sqrt(w / spread) * (y - mean), 0.0)
    return np.where(known, z, np.nan)


def memory_paths(
    value: Floats, weight: Floats | None = None, *, kind: Memory = "ewma", variance: float | None = None
) -> tuple[Floats, Floats]:
    """Return the upper and lower path of each series, carried on through periods without a value.

    Parameters
    ----------
    value, weight, kind
        As `memory_chart`.
    variance : float or None
        As `standardise`.

    Returns
    -------
    tuple of numpy.ndarray, shape (S, T)
        The same path twice for an EWMA; lower sums of a CUSUM are negative.
    """
    z = standardise(value, weight, variance=variance)
    if kind == "cusum":
        upper, lower = cusum_paths(z, slack=SLACK)
        return upper, -lower
    known = np.isfinite(z)
    steps = np.where(known, z, 0.0)
    mean, left = np.zeros(z.shape[0]), np.ones(z.shape[0])
    path = np.empty_like(z)
    for t in range(z.shape[1]):
        mean = np.where(known[:, t], (1 - WEIGHT) * mean + WEIGHT * steps[:, t], mean)
        left = np.where(known[:, t], left * (1 - WEIGHT) ** 2, left)
        error = np.sqrt(WEIGHT / (2 - WEIGHT) * (1 - left))
        path[:, t] = mean / np.where(error > 0, error, 1.0)
    return path, path


def path_heights(z: Floats, kind: Memory) -> Floats:
    """Return how far the paths of series without gaps get: the recursion of `memory_paths`, without keeping the paths.

    Parameters
    ----------
    z : numpy.ndarray, shape (T, S)
        Standardised values; periods come first, so that memory is read once.
    kind : {"ewma", "cusum"}
        As `memory_chart`.

    Returns
    -------
    numpy.ndarray, shape (S,)
    """
    best, up, down = (np.zeros(z.shape[1]) for _ in range(3))
    left = 1.0
    for step in z:
        if kind == "cusum":
            up, down = np.maximum(0.0, up + step - SLACK), np.maximum(0.0, down - step - SLACK)
            np.maximum(best, np.maximum(up, down), out=best)
        else:
            left *= (1 - WEIGHT) ** 2
            up = (1 - WEIGHT) * up + WEIGHT * step
            np.maximum(best, np.abs(up) / np.sqrt(WEIGHT / (2 - WEIGHT) * (1 - left)), out=best)
    return best


@functools.lru_cache(maxsize=256)
def memory_limit(points: int, *, kind: Memory = "ewma", alpha: float = 0.05) -> float:
    """Return the limit that a share ``alpha`` of quiet normal series of so many points crosses anywhere.

    Parameters
    ----------
    points : int
        Measured periods, at least four; mean and standard deviation are those of the series itself.
    kind : {"ewma", "cusum"}
        As `memory_chart`.
    alpha : float
        Share of series.

    Examples
    --------
    >>> from qbase.stats import memory_limit
    >>> round(memory_limit(40, kind="cusum"), 1), round(memory_limit(40, kind="ewma"), 1)
    (4.2, 2.7)
    """
    z = np.random.default_rng([LIMIT_SEED, points]).standard_normal((points, LIMIT_DRAWS))
    z = (z - z.mean(axis=0)) / z.std(axis=0, ddof=1)
    return float(np.quantile(path_heights(z, kind), 1 - alpha, method="higher"))


def memory_chance(
    value: Floats, weight: Floats | None = None, *, kind: Memory = "ewma", draws: int = DRAWS, seed: int = SEED
) -> Floats:
    """Return how often chance takes the path of each series as far as it gets: the share of orders of its points.

    Parameters
    ----------
    value, weight : numpy.ndarray, shape (S, T)
        As `memory_chart`.
    kind : {"ewma", "cusum"}
        As `memory_chart`.
    draws, seed : int
        Of the permutations of value and weight together.

    Returns
    -------
    numpy.ndarray, shape (S,)
        Exact for independent periods of any distribution; 1 where the values do not differ.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import memory_chance
    >>> moved = np.array([[9.0, 8, 9, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 5, 6, 5, 6, 5]])
    >>> [float(memory_chance(moved, kind=kind)[0].round(2)) for kind in ("ewma", "cusum")]
    [0.01, 0.0]
    """
    z = standardise(value, weight)
    out = np.ones(len(z))
    for i, own in enumerate(z):
        points = own[np.isfinite(own)]
        if len(points) < 4 or not np.ptp(points) > 0:
            continue
        order = permutations(len(points), draws, seed)
        drawn = path_heights(np.concatenate([points[None, :], points[order]]).T, kind)
        out[i] = (drawn >= drawn[0] * (1 - 1e-9)).mean()
    return out


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgedTogether:
    """The test of a lasting change and a chart with a memory, looked at together on one series.

    Parameters
    ----------
    p_value : float
        How often chance gives either of them as striking.
    scan_p, memory_p : float
        Of each alone.
    limit : float
        Of the path: beyond it, or with ``scan_p`` as small, both together call a quiet series changed in a share alpha.

    Examples
    --------
    >>> from qbase.stats import JudgedTogether
    >>> JudgedTogether(p_value=0.03, scan_p=0.02, memory_p=0.2, limit=2.9).is_by_memory
    False
    """

    p_value: float
    scan_p: float
    memory_p: float
    limit: float

    @property
    def is_by_memory(self) -> bool:
        """Whether the chart is the more striking of the two."""
        return self.memory_p < self.scan_p


def judge_together(
    value: Floats, weight: Floats, *, kind: Memory = "ewma", alpha: float = 0.05, least: int = LEAST_POINTS,
    draws: int = DRAWS, seed: int = SEED,
) -> JudgedTogether:  # fmt: skip
    """Judge one series by `scan_changes` and by a chart with a memory, with one chance of a false alarm for both.

    Both are reckoned on the same permutations, and the smaller of their two p values is held against the smaller ones
    of the permutations, which takes into account how alike the two are.

    Parameters
    ----------
    value, weight : numpy.ndarray, shape (T,)
        Without gaps, at least twice ``least`` points.
    kind : {"ewma", "cusum"}
        As `memory_chart`.
    alpha : float
        For both together.
    least : int
        Points on either side of a lasting change.
    draws, seed : int
        Of the permutations.

    Returns
    -------
    JudgedTogether
        With p values of 1 and no limit where the values do not differ.

    References
    ----------
    Westfall, P. H. and Young, S. S. (1993). Resampling-Based Multiple Testing (the smallest p value).

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import judge_together
    >>> value = np.array([9.0, 8, 9, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 5, 4])
    >>> found = judge_together(value, np.ones(21))
    >>> found.is_by_memory, found.p_value <= 0.05
    (False, True)
    """
    z = standardise(value[None, :], weight[None, :])[0]
    if not np.ptp(z) > 0:
        return JudgedTogether(p_value=1.0, scan_p=1.0, memory_p=1.0, limit=float("inf"))
    order = np.concatenate([np.arange(len(z))[None, :], permutations(len(z), draws, seed)])
    moved = weight * (value - np.average(value, weights=weight))
    found = (step_gains(moved[order], weight[order], least).max(axis=1), path_heights(z[order].T, kind))
    return join_chances(*found, alpha)


def join_chances(gains: Floats, heights: Floats, alpha: float) -> JudgedTogether:
    """Join two statistics of a series, first, and of its draws into one p value, by the smaller of the two of each.

    Parameters
    ----------
    gains, heights : numpy.ndarray, shape (1 + draws,)
        Of the best step, and of the path.
    alpha : float
        For both together.
    """
    chances = [_shares_as_large(x) for x in (gains, heights)]
    smaller = np.minimum(*chances)
    own = float((smaller <= smaller[0] * (1 + 1e-9)).mean())
    ordered = np.sort(smaller)
    # the largest level of each alone at which both together stay within alpha
    reached = np.searchsorted(ordered, ordered, side="right") / len(ordered)
    inside = heights[chances[1] <= ordered[reached <= alpha].max(initial=0.0)]
    limit = float(inside.min(initial=heights.max()))
    return JudgedTogether(
        p_value=own, scan_p=float(chances[0][0]), memory_p=float(chances[1][0]), limit=limit * (1 - 1e-9)
    )


def _shares_as_large(found: Floats) -> Floats:
    """Return for every draw the share of draws at least as large."""
    ordered = np.sort(found)
    return np.asarray(1 - np.searchsorted(ordered, found * (1 - 1e-9), side="left") / len(found))
