"""Whether a series holds a lasting change: a scan over all dates whose false alarms are known over the whole series."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qbase.stats.control.control_limits import Floats, Ints

Bools = NDArray[np.bool_]

DRAWS = 1999
"""Permutations: a p of .05 then has a standard error of .005, and the same series always the same p."""

POWER_DRAWS = 499
SEED = 1898
LEAST_POINTS = 3
"""Fewer points than this on a side are a flare, not a lasting change."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ChangeScan:
    """The most striking change of the mean of S series, and how often chance gives one as striking.

    Parameters
    ----------
    statistic : numpy.ndarray, shape (S,)
        Largest share of the weighted variance that one step explains, times the number of points less one.
    p_value : numpy.ndarray, shape (S,)
        Share of permutations with a statistic at least as large; 1 where the values do not differ.
    last : numpy.ndarray of int, shape (S,)
        Position of the last point before the step; -1 where there is none.
    before, after : numpy.ndarray, shape (S,)
        Weighted means on either side.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import ChangeScan, scan_changes
    >>> isinstance(scan_changes(np.array([[9.0, 8, 9, 9, 7, 5, 6, 5, 6, 5]])), ChangeScan)
    True
    """

    statistic: Floats
    p_value: Floats
    last: Ints
    before: Floats
    after: Floats


def scan_changes(
    value: Floats, weight: Floats | None = None, *, least: int = LEAST_POINTS, draws: int = DRAWS, seed: int = SEED
) -> ChangeScan:
    """Test whether the mean of each series changed once for good, at whatever date.

    The statistic is that of a step at its best date. Its p value comes from permuting the points, value and weight
    together: under no change every order of the points is as likely as any other, whatever their distribution, so the
    test keeps its level over the whole series for small n, rates near 1 and over-dispersion alike. What it
    does take for granted is that the points are independent of one another.

    Parameters
    ----------
    value : numpy.ndarray, shape (S, T)
        NaN where nothing was measured.
    weight : numpy.ndarray, shape (S, T), or None
        Tests behind each value; None weighs all alike.
    least : int
        Measured points on either side of the step at least.
    draws, seed : int
        Of the permutations.

    Returns
    -------
    ChangeScan

    References
    ----------
    James, B., James, K. L. and Siegmund, D. (1987). Tests for a change-point. Biometrika 74, 71-83. Antoch, J. and
    Huskova, M. (2001). Permutation tests in change point analysis. Statistics and Probability Letters 53, 37-46.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import scan_changes
    >>> found = scan_changes(np.array([[9.0, 8, 9, 9, 8, 5, 6, 5, 6, 5]]))
    >>> int(found.last[0]), float(found.before[0]), float(found.after[0]), round(float(found.p_value[0]), 2)
    (4, 8.6, 5.4, 0.01)
    """
    value = np.asarray(value, dtype=float)
    mass = np.ones_like(value) if weight is None else np.asarray(weight, dtype=float)
    known = np.isfinite(value) & (mass > 0)
    count = known.sum(axis=1)
    size = len(value)
    out = ChangeScan(
        statistic=np.zeros(size), p_value=np.ones(size), last=np.full(size, -1), before=np.full(size, np.nan),
        after=np.full(size, np.nan),
    )  # fmt: skip
    for points in np.unique(count[count >= 2 * least]):
        rows = np.flatnonzero(count == points)
        place = np.nonzero(known[rows])[1].reshape(len(rows), points)
        y, w = (np.take_along_axis(a[rows], place, axis=1) for a in (value, mass))
        _scan_group(out, rows, place, y, w, least, draws, seed)
    return out


def _scan_group(
    out: ChangeScan, rows: Ints, place: Ints, y: Floats, w: Floats, least: int, draws: int, seed: int
) -> None:
    """Fill in the rows of series with one number of measured points."""
    points = y.shape[1]
    mean = (w * y).sum(axis=1) / w.sum(axis=1)
    moved = w * (y - mean[:, None])
    spread = (moved * (y - mean[:, None])).sum(axis=1) / (points - 1)
    gain = step_gains(moved, w, least)
    best = gain.argmax(axis=1)
    top = gain[np.arange(len(y)), best]
    differs = spread > 1e-12 * np.maximum(mean**2, 1e-12)
    at = best + least - 1
    head, mass = np.cumsum(w * y, axis=1), np.cumsum(w, axis=1)
    line = np.arange(len(y))
    before = head[line, at] / mass[line, at]
    after = (head[:, -1] - head[line, at]) / (mass[:, -1] - mass[line, at])
    out.statistic[rows] = np.where(differs, top / np.where(differs, spread, 1.0), 0.0)
    out.p_value[rows] = np.where(differs, _chance(moved, w, top, least, draws, seed), 1.0)
    out.last[rows] = np.where(differs, place[line, at], -1)
    out.before[rows] = np.where(differs, before, mean)
    out.after[rows] = np.where(differs, after, mean)


def step_gains(moved: Floats, weight: Floats, least: int) -> Floats:
    """Return the weighted sum of squares that a step after each admissible point explains.

    Parameters
    ----------
    moved : numpy.ndarray, shape (..., T)
        Weight times distance from the weighted mean; sums to 0.
    weight : numpy.ndarray, shape (..., T)
        Of the same points.
    least : int
        Points on either side; the first column is a step after point ``least`` (counted from 1).

    Returns
    -------
    numpy.ndarray, shape (..., T - 2 least + 1)
    """
    inside = slice(least - 1, moved.shape[-1] - least)
    head = np.cumsum(moved, axis=-1)[..., inside]
    mass = np.cumsum(weight, axis=-1)
    whole = mass[..., -1:]
    mass = mass[..., inside]
    return np.asarray(head * head * whole / (mass * (whole - mass)))


def scan_power(value: Floats, weight: Floats, steps: Sequence[float], *, alpha: float = 0.05) -> list[float]:
    """Return how often a lasting step in the middle of one series would be found, given how its points vary.

    The points are put in many orders, the step is added to the later half of each, and the test is made anew.

    Parameters
    ----------
    value, weight : numpy.ndarray, shape (T,)
        Without gaps, at least twice `LEAST_POINTS` points.
    steps : sequence of float
        In the unit of the values.
    alpha : float
        Of the test.

    Returns
    -------
    list of float
        1 for each where the values do not differ.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import scan_power
    >>> quiet = np.array([90.0, 92, 88, 91, 87, 93, 90, 89, 91, 92, 88, 90])
    >>> [round(p, 1) for p in scan_power(quiet, np.ones(12), (2, 5))]
    [0.2, 1.0]
    """
    if not np.ptp(value) > 1e-12 * max(float(np.abs(value).max()), 1e-12):
        return [1.0] * len(steps)
    order = permutations(len(value), POWER_DRAWS)
    drawn, mass = value[order], weight[order]
    later = np.arange(len(value)) >= len(value) // 2
    bar = np.quantile(_explained(drawn, mass), 1 - alpha)
    return [float((_explained(drawn + step * later, mass) > bar).mean()) for step in steps]


def _explained(value: Floats, weight: Floats) -> Floats:
    """Return the share of the weighted variance of each series that its best step explains."""
    moved = weight * (value - np.average(value, weights=weight, axis=1)[:, None])
    return np.asarray(step_gains(moved, weight, LEAST_POINTS).max(axis=1) / (moved * value).sum(axis=1))


def permutations(points: int, draws: int, seed: int = SEED) -> Ints:
    """Return orders of so many points, shape (draws, points); the same for the same numbers."""
    return np.argsort(np.random.default_rng([seed, points]).random((draws, points)), axis=1)


def _chance(moved: Floats, w: Floats, top: Floats, least: int, draws: int, seed: int) -> Floats:
    """Return the share of permutations whose best step explains as much as the one found, the order found included."""
    order = np.ascontiguousarray(permutations(moved.shape[1], draws, seed).T)
    inside = slice(least - 1, len(order) - least)
    reached = np.zeros(len(moved))
    for i, (own, mass_of, bar) in enumerate(zip(moved, w, top * (1 - 1e-9), strict=True)):
        # one series at a time and in place: what is at hand then fits the cache
        head, mass = own[order], mass_of[order]
        np.cumsum(head, axis=0, out=head)
        np.cumsum(mass, axis=0, out=mass)
        whole, head, mass = mass[-1], head[inside], mass[inside]
        np.multiply(head, head, out=head)
        head /= mass
        head /= whole - mass
        reached[i] = (head.max(axis=0) * whole >= bar).sum()
    return np.asarray((reached + 1) / (draws + 1))


def dispersion_test(
    k: Floats, n: Floats, *, phases: Ints | None = None, draws: int = DRAWS, seed: int = SEED
) -> tuple[float, float]:
    """Return how much more the shares of one series differ than chance lets them, and how often chance does as much.

    Parameters
    ----------
    k, n : numpy.ndarray, shape (T,)
        Passes and tests; n = 0 where nothing was measured.
    phases : numpy.ndarray of int, shape (T,), or None
        Each phase has its own share.
    draws, seed : int
        Of the draws that hand the passes of a phase out to its batches anew, which is exact for every n and share.

    Returns
    -------
    tuple of float
        Pearson's statistic over its degrees of freedom (1 where there are none), and its p value.

    References
    ----------
    McCullagh, P. (1986). The conditional distribution of goodness-of-fit statistics for discrete data. Journal of the
    American Statistical Association 81, 104-107.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import dispersion_test
    >>> ratio, p = dispersion_test(np.array([18.0, 12, 19, 11, 20, 13]), np.full(6, 20.0))
    >>> round(ratio, 2), p
    (4.44, 0.001)
    """
    part = np.zeros(len(n), dtype=np.int64) if phases is None else np.asarray(phases)
    rng = np.random.default_rng([seed, len(n)])
    found, freedom, drawn = 0.0, 0, np.zeros(draws)
    for phase in np.unique(part):
        used = (part == phase) & (n > 0)
        tests, passes = n[used].astype(np.int64), k[used].astype(np.int64)
        share = passes.sum() / max(tests.sum(), 1)
        if len(tests) < 2 or share in (0.0, 1.0):
            continue
        scale = tests * share * (1 - share)
        again = rng.multivariate_hypergeometric(tests, int(passes.sum()), size=draws, method="marginals")
        found += float(((passes - tests * share) ** 2 / scale).sum())
        drawn += ((again - tests * share) ** 2 / scale).sum(axis=1)
        freedom += len(tests) - 1
    if freedom == 0:
        return 1.0, 1.0
    return found / freedom, float((1 + (drawn >= found * (1 - 1e-9)).sum()) / (draws + 1))
