"""Steps of an index on arrays: imputation, outliers, normalisation. All take worlds x indicators x entities."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qbase.scorecards.composite.index_design import Imputation, Normalisation
from qbase.scorecards.composite.index_values import Bools, Floats

SKEW, KURTOSIS, MOST_DRAWN_IN = 2.0, 3.5, 5
"""Thresholds of COINr (Becker 2022) and the Global Innovation Index: beyond both, at most five values are drawn in."""
LOG_OFFSET = 0.01
"""Of the range: keeps the lowest value finite in logarithms."""


def impute(values: Floats, method: Imputation, groups: Sequence[str] | None = None) -> Floats:
    """Fill what is missing.

    Parameters
    ----------
    values : numpy.ndarray, shape (W, m, n)
        NaN where missing.
    method : {"none", "mean", "median", "group_mean"}
        Over the entities of one world and indicator; the mean of the group where it has one, else of all.
    groups : sequence of str or None
        Group of each entity; empty for one of no group.

    Returns
    -------
    numpy.ndarray, shape (W, m, n)
        An indicator that nobody has stays missing.
    """
    gaps = np.isnan(values)
    if method == "none" or not gaps.any():
        return values
    filled = np.where(gaps, _along(values, "median" if method == "median" else "mean"), values)
    if method == "group_mean":
        for group in sorted(set(groups or ()) - {""}):
            inside = np.array([g == group for g in groups or ()])
            own = _along(values[:, :, inside], "mean")
            filled[:, :, inside] = np.where(gaps[:, :, inside] & np.isfinite(own), own, filled[:, :, inside])
    return filled


def _along(values: Floats, of: Literal["min", "max", "mean", "median", "std"]) -> Floats:
    """Return a statistic over the entities that have a value, NaN where nobody has."""
    gaps = np.isnan(values)
    if not gaps.any():
        return np.asarray(getattr(np, of)(values, axis=-1, keepdims=True))
    empty = gaps.all(axis=-1, keepdims=True)
    found = getattr(np, f"nan{of}")(np.where(empty, 0.0, values), axis=-1, keepdims=True)
    return np.where(empty, np.nan, found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Treatment:
    """What is done to outliers of one indicator, found once and applied to every draw of it.

    Parameters
    ----------
    low, high : float
        Values beyond are drawn in to these.
    n_low, n_high : int
        How many entities were.
    is_logged : bool
        Whether drawing in was not enough, so that logarithms are taken of all values instead.
    skew, kurtosis, skew_after, kurtosis_after : float
        Sample skewness and excess kurtosis, bias-corrected; NaN with fewer than four values, or none that differ.
    """

    low: float
    high: float
    n_low: int = 0
    n_high: int = 0
    is_logged: bool = False
    skew: float = np.nan
    kurtosis: float = np.nan
    skew_after: float = np.nan
    kurtosis_after: float = np.nan

    @property
    def changes(self) -> bool:
        """Whether it does anything."""
        return self.is_logged or self.n_low + self.n_high > 0


def find_treatment(values: Floats) -> Treatment:
    """Find how outliers of an indicator are treated, as COINr does.

    While skewness is beyond ±2 and kurtosis beyond 3.5 the outermost value on the longer side is set to its
    neighbour; after five of them, where that was not enough, logarithms of all original values are taken.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        NaN where missing.

    References
    ----------
    Becker, W. et al. (2022). COINr: an R package for developing composite indicators. JOSS 7(78), 4567.
    """
    x = values[np.isfinite(values)]
    whole = Treatment(low=float(x.min(initial=np.inf)), high=float(x.max(initial=-np.inf)))
    skew, kurtosis = shape_of(x)
    whole = dataclasses.replace(whole, skew=skew, kurtosis=kurtosis, skew_after=skew, kurtosis_after=kurtosis)
    drawn, n_low, n_high = x.copy(), 0, 0
    while _is_out(*shape_of(drawn)) and n_low + n_high < MOST_DRAWN_IN:
        if shape_of(drawn)[0] >= 0:
            outermost = drawn == drawn.max()
            drawn[outermost] = drawn[~outermost].max()
            n_high = int(outermost.sum())
        else:
            outermost = drawn == drawn.min()
            drawn[outermost] = drawn[~outermost].min()
            n_low = int(outermost.sum())
    if n_low + n_high == 0:
        return whole
    after = shape_of(drawn)
    if _is_out(*after):
        logged = dataclasses.replace(whole, is_logged=True)
        after = shape_of(treat(x, logged))
        return dataclasses.replace(logged, skew_after=after[0], kurtosis_after=after[1])
    return dataclasses.replace(
        whole, low=float(drawn.min()), high=float(drawn.max()), n_low=n_low, n_high=n_high, skew_after=after[0],
        kurtosis_after=after[1],
    )  # fmt: skip


def treat(values: Floats, treatment: Treatment) -> Floats:
    """Apply the treatment of outliers to values of its indicator, of any shape."""
    if not treatment.changes:
        return values
    if not treatment.is_logged:
        return np.clip(values, treatment.low, treatment.high)
    offset = LOG_OFFSET * (treatment.high - treatment.low)
    # a draw may fall below the lowest value the logarithm was made for
    return np.asarray(np.log(np.maximum(values - treatment.low, 0.0) + offset))


def shape_of(x: Floats) -> tuple[float, float]:
    """Return bias-corrected skewness and excess kurtosis (type 2 of Joanes and Gill 1998); NaN where there is none."""
    n = len(x)
    centred = x - x.mean() if n else x
    squares = float((centred**2).sum())
    if n < 4 or squares <= 1e-24 * max(1.0, float(np.abs(x).max()) ** 2):
        return np.nan, np.nan
    skew = np.sqrt(n) * (centred**3).sum() / squares**1.5 * np.sqrt(n * (n - 1)) / (n - 2)
    raw = n * (centred**4).sum() / squares**2
    return float(skew), float(((n + 1) * (raw - 3) + 6) * (n - 1) / ((n - 2) * (n - 3)))


def _is_out(skew: float, kurtosis: float) -> bool:
    return abs(skew) > SKEW and kurtosis > KURTOSIS


def normalise(
    values: Floats, method: Normalisation, ups: Bools, scale: tuple[float, float], ranges: Floats | None = None
) -> Floats:
    """Bring indicators to one scale, higher being better.

    Parameters
    ----------
    values : numpy.ndarray, shape (W, m, n)
        NaN where missing.
    method : {"min_max", "z_score", "rank"}
        Over the entities of each world.
    ups : numpy.ndarray, shape (m,)
        Whether more is better.
    scale : tuple of float
        Worst and best score.
    ranges : numpy.ndarray, shape (2, m), or None
        Declared ends for ``min_max``; NaN takes the lowest and highest value of the world. Beyond them a score stays
        at the end of the scale.

    Returns
    -------
    numpy.ndarray, shape (W, m, n)
        NaN for an indicator that does not differ between entities (unless a range is declared): it tells nothing
        about them, and its weight goes to the others.
    """
    directed = values * np.where(ups, 1.0, -1.0)[:, None]
    if method == "rank":
        return _scale_ranks(directed, scale)
    if method == "z_score":
        held = np.isfinite(directed).sum(axis=-1, keepdims=True)
        spread = _along(directed, "std") * np.sqrt(held / np.maximum(held - 1, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            score = 50 + 10 * (directed - _along(directed, "mean")) / _some(spread, np.abs(directed))
        return score if scale[0] <= 0 else np.maximum(score, scale[0])
    low, high = _along(directed, "min"), _along(directed, "max")
    if ranges is not None:
        first = np.where(ups, ranges[0], -ranges[1])[:, None]
        last = np.where(ups, ranges[1], -ranges[0])[:, None]
        is_declared = np.isfinite(first) & np.isfinite(last)
        low, high = np.where(is_declared, first, low), np.where(is_declared, last, high)
        directed = np.clip(directed, low, high)
    width = _some(high - low, np.maximum(np.abs(high), np.abs(low)))
    return np.asarray(scale[0] + (scale[1] - scale[0]) * ((directed - low) / width))


def _some(difference: Floats, size: Floats) -> Floats:
    """Return a difference, NaN where it is no more than the rounding of numbers of this size."""
    largest = size if size.shape == difference.shape else _along(size, "max")
    return np.where(difference > 1e-12 * largest, difference, np.nan)


def _scale_ranks(directed: Floats, scale: tuple[float, float]) -> Floats:
    """Put the last rank at the worst score and the first at the best; equal values share the mean of their ranks."""
    gaps = np.isnan(directed)
    # what is missing comes last, and so takes no rank from the others
    ranks = np.where(gaps, np.nan, mean_ranks(np.where(gaps, np.inf, directed)))
    held = (~gaps).sum(axis=-1, keepdims=True)
    flat = np.nanmax(np.where(np.isnan(ranks), 0, ranks), axis=-1, keepdims=True) <= (held + 1) / 2
    steps = np.where((held > 1) & ~flat, held - 1.0, np.nan)
    return np.asarray(scale[0] + (scale[1] - scale[0]) * (ranks - 1) / steps)


def mean_ranks(values: Floats) -> Floats:
    """Return ranks along the last axis from 1 for the lowest, ties sharing their mean; nothing is missing."""
    # ties get one rank, so that the sort need not be stable, which would cost three times as much
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, axis=-1)
    n = values.shape[-1]
    place = np.arange(n)
    is_new = _starts(ordered)
    first = np.maximum.accumulate(np.where(is_new, place, 0), axis=-1)
    is_end = np.concatenate([is_new[..., 1:], np.ones_like(is_new[..., :1])], axis=-1)
    last = np.minimum.accumulate(np.where(is_end, place, n - 1)[..., ::-1], axis=-1)[..., ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=-1)
    return ranks


def _starts(ordered: Floats) -> Bools:
    """Return where a value differs from the one before it."""
    return np.concatenate([np.ones_like(ordered[..., :1], bool), ordered[..., 1:] > ordered[..., :-1]], axis=-1)


def competition_ranks(scores: Floats) -> NDArray[np.int64]:
    """Return ranks from 1 for the best score; those as good as equal share the better rank.

    Parameters
    ----------
    scores : numpy.ndarray, shape (W, n)
        Finite; they count as equal when they agree to 9 decimals, so that the order of a sum decides no rank.
    """
    rounded = -np.round(scores, 9)
    order = np.argsort(rounded, axis=-1)
    ordered = np.take_along_axis(rounded, order, axis=-1)
    first = np.maximum.accumulate(np.where(_starts(ordered), np.arange(scores.shape[-1]), 0), axis=-1)
    ranks = np.empty(scores.shape, dtype=np.int64)
    np.put_along_axis(ranks, order, first + 1, axis=-1)
    return ranks
