"""Effects by cohort and period: each cohort against those not treated, period by period, with who is behind each."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid

Control = Literal["not_yet", "never"]
Base = Literal["universal", "varying"]
Bools = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GroupTime:
    """Effects of G cohorts in T periods.

    Parameters
    ----------
    cohorts : tuple of int, length G
        Column in which each cohort was first treated.
    att : numpy.ndarray, shape (G, T)
        Effect, or lead before the start, in the outcome's unit; NaN where a cohort is not observed, its base is
        not, or nobody is left to compare with; 0 at the base.
    influence : tuple of numpy.ndarray, length G
        What each entity adds to the error of a cohort's effects, shape (N, T); 0 where there is none.
    n_treated, n_control : numpy.ndarray of int, shape (G, T)
        Entities observed at both dates.
    """

    cohorts: tuple[int, ...]
    att: Floats
    influence: tuple[Floats, ...]
    n_treated: NDArray[np.int64]
    n_control: NDArray[np.int64]


def fit_group_time(
    grid: OutcomeGrid,
    *,
    control: Control = "not_yet",
    base: Base = "universal",
    skip: int = 0,
    covariates: Floats | None = None,
    adjust: Literal["dr", "reg", "ipw"] = "dr",
) -> GroupTime:
    """Estimate ATT(g, t): the change of a cohort since its base period less that of entities not treated.

    Parameters
    ----------
    grid : OutcomeGrid
        An entity counts in a comparison when it is observed in both of its periods; ``weight`` counts in both means.
    control : {"not_yet", "never"}
        Entities that start after the period (and after ``skip`` more), or those never treated within the data.
    base : {"universal", "varying"}
        The period ``1 + skip`` before the start for leads and effects alike, so that a linear trend shows as a line;
        or, for leads, the period before.
    skip : int
        Periods before the start in which the policy may already act: anticipation, or quarters of selection.
    covariates : numpy.ndarray, shape (N, p), or None
        Fixed over time; see `qbase.effects.fitting.covariate_adjustment.compare_adjusted`.
    adjust : {"dr", "reg", "ipw"}
        How covariates enter.

    References
    ----------
    Callaway, B. and Sant'Anna, P. H. C. (2021). Difference-in-differences with multiple time periods. J.
    Econometrics 225.
    """
    cohorts = tuple(g for g in grid.cohorts if g - 1 - skip >= 0)
    found = [_cohort(grid, g, control, base, skip, covariates, adjust) for g in cohorts]
    return GroupTime(
        cohorts=cohorts,
        att=np.array([f[0] for f in found]).reshape(len(cohorts), grid.n_periods),
        influence=tuple(f[1] for f in found),
        n_treated=np.array([f[2] for f in found], dtype=np.int64).reshape(len(cohorts), grid.n_periods),
        n_control=np.array([f[3] for f in found], dtype=np.int64).reshape(len(cohorts), grid.n_periods),
    )


def _cohort(
    grid: OutcomeGrid, g: int, control: Control, base: Base, skip: int, covariates: Floats | None, adjust: str
) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    own, other, at = _sides(grid, g, control, base, skip)
    rows = np.flatnonzero(own | other.any(axis=1))
    change = grid.y[rows] - grid.y[rows][:, at]
    seen = np.isfinite(change)
    treated, compared = seen & own[rows, None], seen & other[rows]
    n_treated, n_control = treated.sum(axis=0), compared.sum(axis=0)
    influence = np.zeros(grid.y.shape)
    if covariates is None:
        weight = grid.weight[rows, None]
        up, up_part = _mean(change, weight * treated)
        down, down_part = _mean(change, weight * compared)
        att, influence[rows] = up - down, up_part - down_part
    else:
        from qbase.effects.fitting.covariate_adjustment import compare_adjusted

        att, influence[rows] = compare_adjusted(
            change, treated, compared, covariates[rows], grid.weight[rows], adjust=adjust
        )
    empty = (n_treated == 0) | (n_control == 0)
    influence[:, empty] = 0.0
    return np.where(empty, np.nan, att), influence, n_treated, n_control


def _sides(
    grid: OutcomeGrid, g: int, control: Control, base: Base, skip: int
) -> tuple[Bools, Bools, NDArray[np.int64]]:
    """Return the cohort, who is compared in each period, and the column each period is compared with."""
    columns = np.arange(grid.n_periods)
    at = np.full(grid.n_periods, g - 1 - skip)
    if base == "varying":
        early = columns < g - skip
        at[early] = np.maximum(columns[early] - 1, 0)
    own = grid.start == g
    if control == "never":
        free = ~grid.is_treated & ~(grid.start - skip < grid.n_periods)
        return own, np.repeat(free[:, None], grid.n_periods, axis=1), at
    last = np.maximum(columns, at) + skip
    other = ~(grid.start[:, None] <= last)
    return own, other & ~own[:, None], at


def _mean(change: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the weighted mean of each column and what each row adds to its error."""
    total = weight.sum(axis=0)
    safe = np.where(total > 0, total, 1.0)
    filled = np.where(weight > 0, change, 0.0)
    mean = np.einsum("ij,ij->j", weight, filled) / safe
    return mean, np.where(weight > 0, weight * (filled - mean), 0.0) / safe
