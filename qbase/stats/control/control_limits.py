"""Control limits of many series at once: p and Laney p′ charts, XmR, EWMA and CUSUM, on arrays of series × periods."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

D2 = 1.128
"""Mean moving range of two standard normals, as the handbooks print it (1.12838)."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ControlChart:
    """Limits of S series over T periods.

    Parameters
    ----------
    value, centre, low, high : numpy.ndarray, shape (S, T)
        What is drawn, its centre line and its limits, in the unit of the values; NaN where nothing was measured.
    z : numpy.ndarray, shape (S, T)
        Distance from the centre in standard errors: what rules look at.
    sigma_z : numpy.ndarray, shape (S, T)
        Laney's factor of the phase, 1 where the chart takes no account of over-dispersion.
    n_points : numpy.ndarray of int, shape (S, T)
        Measured periods of the phase each period lies in.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import ControlChart, xmr_chart
    >>> chart = xmr_chart(np.array([[10.0, 12, 11, 13, 9]]))
    >>> isinstance(chart, ControlChart), int(chart.n_points[0, 0])
    (True, 5)
    """

    value: Floats
    centre: Floats
    low: Floats
    high: Floats
    z: Floats
    sigma_z: Floats
    n_points: Ints


def read_phases(phases: NDArray[np.int64] | None, shape: tuple[int, int]) -> Ints:
    """Return the phase of every period of every series, numbered from 0; None is one phase for all.

    Parameters
    ----------
    phases : numpy.ndarray of int, shape (T,) or (S, T), or None
        Any numbers; equal neighbours are one phase.
    shape : tuple of int
        S, T.
    """
    if phases is None:
        return np.zeros(shape, dtype=np.int64)
    spread = np.broadcast_to(np.asarray(phases), shape)
    steps = np.zeros(shape, dtype=np.int64)
    steps[:, 1:] = spread[:, 1:] != spread[:, :-1]
    return np.cumsum(steps, axis=1)


def p_chart(k: Floats, n: Floats, *, phases: Ints | None = None, sigmas: float = 3.0) -> ControlChart:
    """Return the chart of a share: binomial limits that widen where n is small, within 0 and 1.

    Parameters
    ----------
    k, n : numpy.ndarray, shape (S, T)
        Passes and tests; n = 0 where nothing was measured.
    phases : numpy.ndarray of int or None
        See `read_phases`; each phase has its own centre.
    sigmas : float
        Distance of the limits.

    References
    ----------
    Montgomery, D. C. (2013). Introduction to Statistical Quality Control, chapter 7.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import p_chart
    >>> chart = p_chart(np.array([[18.0, 19, 20, 15]]), np.full((1, 4), 20.0))
    >>> float(chart.centre[0, 0]), chart.low[0, 0].round(3), float(chart.high[0, 0])
    (0.9, np.float64(0.699), 1.0)
    """
    return _shares(k, n, phases, sigmas, is_laney=False)


def laney_chart(
    k: Floats, n: Floats, *, phases: Ints | None = None, sigmas: float = 3.0, factor: Floats | None = None
) -> ControlChart:
    """Return the chart of a share whose periods differ by more than chance: limits of `p_chart` times sigma_z.

    sigma_z is the mean moving range of the z scores over 1.128, by phase; 1 in a phase of fewer than two points.

    Parameters
    ----------
    k, n, phases, sigmas
        As `p_chart`.
    factor : numpy.ndarray, shape (T,) or (S, T), or None
        sigma_z where it is known from elsewhere; NaN where it is not.

    References
    ----------
    Laney, D. B. (2002). Improved control charts for attributes. Quality Engineering 14, 531-537.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import laney_chart
    >>> k = np.array([[930.0, 870, 950, 880, 940, 890]])
    >>> chart = laney_chart(k, np.full((1, 6), 1000.0))
    >>> chart.sigma_z[0, 0].round(2), bool((abs(chart.z) > 3).any())
    (np.float64(6.27), False)
    """
    return _shares(k, n, phases, sigmas, is_laney=True, given=factor)


def xmr_chart(value: Floats, *, phases: Ints | None = None, sigmas: float = 3.0) -> ControlChart:
    """Return the chart of single values: mean ± sigmas × mean moving range / 1.128, by phase.

    References
    ----------
    Wheeler, D. J. (2000). Understanding Variation.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import xmr_chart
    >>> chart = xmr_chart(np.array([[10.0, 12, 11, 13, 9]]))
    >>> float(chart.centre[0, 0]), chart.low[0, 0].round(2), chart.high[0, 0].round(2)
    (11.0, np.float64(5.02), np.float64(16.98))
    """
    part = read_phases(phases, value.shape)
    known = np.isfinite(value)
    mean, count = _phase_means(np.where(known, value, 0.0), known.astype(float), known, part)
    spread = _mean_moving_range(value, known, part) / D2
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, (value - mean) / spread, np.where(known, 0.0, np.nan))
    return ControlChart(
        value=value, centre=mean, low=mean - sigmas * spread, high=mean + sigmas * spread, z=z,
        sigma_z=np.ones_like(value), n_points=count,
    )  # fmt: skip


def ewma_chart(z: Floats, *, weight: float = 0.2, sigmas: float = 3.0) -> ControlChart:
    """Return the exponentially weighted mean of z scores with its exact limits, which widen from the first period on.

    A period without a score leaves the mean where it was.

    Parameters
    ----------
    z : numpy.ndarray, shape (S, T)
        Standardised values, of `laney_chart` or `xmr_chart`.
    weight : float
        Of the newest period, above 0 and at most 1.
    sigmas : float
        Distance of the limits.

    References
    ----------
    Lucas, J. M. and Saccucci, M. S. (1990). Exponentially weighted moving average control schemes. Technometrics 32.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import ewma_chart
    >>> chart = ewma_chart(np.array([[0.0, 1.0, 2.0, 3.0]]), weight=0.3)
    >>> chart.value[0].round(3).tolist(), chart.high[0, -1].round(3)
    ([0.0, 0.3, 0.81, 1.467], np.float64(1.223))
    """
    known = np.isfinite(z)
    mean, left = np.zeros(z.shape[0]), np.ones(z.shape[0])
    value, half = np.empty_like(z), np.empty_like(z)
    for t in range(z.shape[1]):
        mean = np.where(known[:, t], (1 - weight) * mean + weight * np.where(known[:, t], z[:, t], 0.0), mean)
        left = np.where(known[:, t], left * (1 - weight) ** 2, left)
        value[:, t], half[:, t] = mean, sigmas * np.sqrt(weight / (2 - weight) * (1 - left))
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.where(half > 0, sigmas * value / half, 0.0)
    shown = np.where(known, value, np.nan)
    return ControlChart(
        value=shown, centre=np.zeros_like(z), low=-half, high=half, z=np.where(known, scores, np.nan),
        sigma_z=np.ones_like(z), n_points=np.broadcast_to(known.sum(axis=1)[:, None], z.shape).astype(np.int64),
    )  # fmt: skip


def cusum_paths(z: Floats, *, slack: float = 0.5) -> tuple[Floats, Floats]:
    """Return the upper and lower cumulative sums of z scores, both from 0 on and never below it.

    Parameters
    ----------
    z : numpy.ndarray, shape (S, T)
        Standardised values; a period without one leaves the sums where they were.
    slack : float
        Half of the shift that should be found, in standard errors.

    References
    ----------
    Page, E. S. (1954). Continuous inspection schemes. Biometrika 41, 100-115.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import cusum_paths
    >>> upper, lower = cusum_paths(np.array([[0.0, 1.0, 2.0, -1.0]]))
    >>> upper[0].tolist(), lower[0].tolist()
    ([0.0, 0.5, 2.0, 0.5], [0.0, 0.0, 0.0, 0.5])
    """
    steps = np.where(np.isfinite(z), z, np.nan)
    high, low = np.zeros(z.shape[0]), np.zeros(z.shape[0])
    upper, lower = np.empty_like(z), np.empty_like(z)
    for t in range(z.shape[1]):
        known = np.isfinite(steps[:, t])
        step = np.where(known, steps[:, t], 0.0)
        high = np.where(known, np.maximum(0.0, high + step - slack), high)
        low = np.where(known, np.maximum(0.0, low - step - slack), low)
        upper[:, t], lower[:, t] = high, low
    return upper, lower


def _shares(
    k: Floats, n: Floats, phases: Ints | None, sigmas: float, *, is_laney: bool, given: Floats | None = None
) -> ControlChart:
    part = read_phases(phases, k.shape)
    known = n > 0
    size = np.where(known, n, 0.0)
    centre, count = _phase_means(np.where(known, k, 0.0), size, known, part)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(known, k / n, np.nan)
        error = np.where(known, np.sqrt(centre * (1 - centre) / n), np.nan)
        z = np.where(error > 0, (value - centre) / error, np.where(known, 0.0, np.nan))
    factor = np.ones_like(value)
    if is_laney:
        moved = _mean_moving_range(z, known, part) / D2
        factor = np.where(np.isfinite(moved) & (moved > 0), moved, 1.0)
        factor = factor if given is None else np.where(np.isfinite(given), given, factor)
    half = sigmas * error * factor
    return ControlChart(
        value=value, centre=centre, low=np.maximum(centre - half, 0.0), high=np.minimum(centre + half, 1.0),
        z=z / factor, sigma_z=factor, n_points=count,
    )  # fmt: skip


def _phase_means(part_sum: Floats, weight: Floats, known: NDArray[np.bool_], part: Ints) -> tuple[Floats, Ints]:
    """Return the mean of each phase, spread over its periods, and its number of measured periods."""
    cell = _cells(part)
    size = int(cell.max(initial=-1)) + 1
    flat = cell.ravel()
    sums = np.bincount(flat, part_sum.ravel(), minlength=size)
    mass = np.bincount(flat, weight.ravel(), minlength=size)
    count = np.bincount(flat, known.ravel(), minlength=size)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / mass
    return mean[cell], count.astype(np.int64)[cell]


def _mean_moving_range(value: Floats, known: NDArray[np.bool_], part: Ints) -> Floats:
    """Return the mean step between neighbouring measured periods of a phase, spread over its periods."""
    last = np.where(known, np.arange(value.shape[1]), -1)
    before = np.maximum.accumulate(last, axis=1)
    before = np.concatenate([np.full((len(value), 1), -1), before[:, :-1]], axis=1)
    rows = np.arange(len(value))[:, None]
    is_step = known & (before >= 0)
    is_step &= part[rows, np.maximum(before, 0)] == part
    step = np.where(is_step, np.abs(value - value[rows, np.maximum(before, 0)]), 0.0)
    mean, _ = _phase_means(step, is_step.astype(float), is_step, part)
    return mean


def _cells(part: Ints) -> Ints:
    return np.asarray(part + (np.arange(len(part)) * (int(part.max(initial=0)) + 1))[:, None], dtype=np.int64)
