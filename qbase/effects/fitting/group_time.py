"""Effects by cohort and period: each cohort against those not treated, period by period, with who is behind each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.covariate_adjustment import (
    Side,
    compare_adjusted,
    compare_sorted,
    scale_covariates,
    sort_rows,
    spread_errors,
)

Control = Literal["not_yet", "never"]
Base = Literal["universal", "varying"]
Adjust = Literal["dr", "reg", "ipw"]
Bools = NDArray[np.bool_]


Shares = NDArray[np.float64]
"""Of each cohort and period in each of K averages, shape (K, G, T)."""


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
    n_treated, n_control : numpy.ndarray of int, shape (G, T)
        Entities observed at both dates.
    spread : callable
        Shares -> what each entity adds to the errors of the averages, shape (N, K).
    """

    cohorts: tuple[int, ...]
    att: Floats
    n_treated: NDArray[np.int64]
    n_control: NDArray[np.int64]
    spread: Callable[[Shares], Floats]


def fit_group_time(
    grid: OutcomeGrid,
    *,
    control: Control = "not_yet",
    base: Base = "universal",
    skip: int = 0,
    covariates: Floats | None = None,
    adjust: Adjust = "dr",
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
    sides = [list_sides(grid, g, control, base, skip) for g in cohorts]
    x = None if covariates is None else scale_covariates(covariates)
    if np.isfinite(grid.y).all():
        return fit_complete(grid, cohorts, sides) if x is None else fit_adjusted(grid, cohorts, sides, x, adjust)
    found = [_cohort(grid, side, x, adjust) for side in sides]
    shape = (len(cohorts), grid.n_periods)
    influence = tuple(f[1] for f in found)

    def spread(shares: Shares) -> Floats:
        parts = (part @ shares[:, i, :].T for i, part in enumerate(influence))
        return sum(parts, np.zeros((len(grid.y), len(shares))))

    return GroupTime(
        cohorts=cohorts,
        att=np.array([f[0] for f in found]).reshape(shape),
        n_treated=np.array([f[2] for f in found], dtype=np.int64).reshape(shape),
        n_control=np.array([f[3] for f in found], dtype=np.int64).reshape(shape),
        spread=spread,
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """Who is compared with whom for one cohort.

    Parameters
    ----------
    cohort : int
        Column of its start.
    types : numpy.ndarray, shape (S,)
        Distinct starts; NaN last for those never treated.
    is_control : numpy.ndarray of bool, shape (S, T)
        Whether those of a start are compared in a period.
    base : numpy.ndarray of int, shape (T,)
        The column each period is compared with.
    """

    cohort: int
    types: Floats
    is_control: Bools
    base: NDArray[np.int64]


def list_sides(grid: OutcomeGrid, g: int, control: Control, base: Base, skip: int) -> Sides:
    """Return who is compared with a cohort in each period, and which period its effect is measured from."""
    columns = np.arange(grid.n_periods)
    at = np.full(grid.n_periods, g - 1 - skip)
    if base == "varying":
        early = columns < g - skip
        at[early] = np.maximum(columns[early] - 1, 0)
    types = np.unique(grid.start)
    last = np.maximum(columns, at) + skip
    if control == "never":
        last = np.full(grid.n_periods, grid.n_periods - 1 + skip)
    return Sides(cohort=g, types=types, is_control=~(types[:, None] <= last) & (types != g)[:, None], base=at)


def _cohort(
    grid: OutcomeGrid, sides: Sides, x: Floats | None, adjust: Adjust
) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    kind = np.searchsorted(sides.types, grid.start)
    own, other = grid.start == sides.cohort, sides.is_control[kind]
    seen = np.isfinite(grid.y) & np.isfinite(grid.y[:, sides.base])
    treated, compared = seen & own[:, None], seen & other
    n_treated, n_control = treated.sum(axis=0), compared.sum(axis=0)
    att, influence = np.full(grid.n_periods, np.nan), np.zeros(grid.y.shape)
    if x is None:
        change, weight = grid.y - grid.y[:, sides.base], grid.weight[:, None]
        up, up_part = _mean(change, weight * treated)
        down, down_part = _mean(change, weight * compared)
        att, influence = up - down, up_part - down_part
    else:
        for columns in _alike(np.vstack([treated, compared])):
            first = columns[0]
            if not n_treated[first] or not n_control[first]:
                continue
            rows = [np.flatnonzero(side[:, first]) for side in (treated, compared)]
            sides_of = [_side(grid, r, columns, sides.base, x) for r in rows]
            att[columns], *parts = compare_adjusted(*sides_of, adjust=adjust)
            for r, part in zip(rows, parts, strict=True):
                influence[r[:, None], columns] = part
    empty = (n_treated == 0) | (n_control == 0)
    influence[:, empty] = 0.0
    return np.where(empty, np.nan, att), influence, n_treated, n_control


def _alike(present: Bools) -> list[NDArray[np.int64]]:
    """Return periods in which the same are present, shape (n, T), together: they share their propensity."""
    found: dict[bytes, list[int]] = {}
    for t in range(present.shape[1]):
        found.setdefault(np.packbits(present[:, t]).tobytes(), []).append(t)
    return [np.array(columns, dtype=np.int64) for columns in found.values()]


def _side(
    grid: OutcomeGrid, rows: NDArray[np.int64], columns: NDArray[np.int64], base: NDArray[np.int64], x: Floats
) -> Side:
    y = grid.y[rows]
    return Side(change=y[:, columns] - y[:, base[columns]], x=x[rows], weight=grid.weight[rows])


def _mean(change: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the weighted mean of each column and what each row adds to its error."""
    total = weight.sum(axis=0)
    safe = np.where(total > 0, total, 1.0)
    filled = np.where(weight > 0, change, 0.0)
    mean = np.einsum("ij,ij->j", weight, filled) / safe
    return mean, np.where(weight > 0, weight * (filled - mean), 0.0) / safe


def fit_complete(grid: OutcomeGrid, cohorts: tuple[int, ...], sides: list[Sides]) -> GroupTime:
    """Return the same where every cell is observed: from one mean of each distinct start, at any number of entities."""
    types = np.unique(grid.start)
    kind = np.searchsorted(types, grid.start)
    rows = [np.flatnonzero(kind == s) for s in range(len(types))]
    mass = np.array([grid.weight[r].sum() for r in rows])
    means = np.array([np.average(grid.y[r], axis=0, weights=grid.weight[r]) for r in rows])
    sizes = np.array([len(r) for r in rows])
    columns = np.arange(grid.n_periods)
    up, down, of_control, n_control = [], [], [], []
    for side in sides:
        change = means - means[:, side.base]
        total = (mass[:, None] * side.is_control).sum(axis=0)
        of_control.append(total)
        n_control.append((sizes[:, None] * side.is_control).sum(axis=0))
        up.append(change[np.searchsorted(types, side.cohort)])
        down.append((mass[:, None] * side.is_control * change).sum(axis=0) / np.where(total > 0, total, 1.0))

    def spread(shares: Shares) -> Floats:
        influence = np.empty((len(grid.y), len(shares)))
        for s, r in enumerate(rows):
            pull, middle = np.zeros((len(shares), grid.n_periods)), np.zeros(len(shares))
            for i, side in enumerate(sides):
                part = -shares[:, i, :] * side.is_control[s] / np.where(of_control[i] > 0, of_control[i], 1.0)
                mean = down[i]
                if types[s] == side.cohort:
                    part, mean = shares[:, i, :] / mass[s], up[i]
                pull += part
                for t in columns:
                    pull[:, side.base[t]] -= part[:, t]
                middle += part @ mean
            influence[r] = grid.weight[r, None] * (grid.y[r] @ pull.T - middle)
        return influence

    empty = [total == 0 for total in of_control]
    shape = (len(cohorts), grid.n_periods)
    att = [np.where(none, np.nan, u - d) for none, u, d in zip(empty, up, down, strict=True)]
    n_own = [np.full(grid.n_periods, sizes[np.searchsorted(types, side.cohort)]) for side in sides]
    return GroupTime(
        cohorts=cohorts,
        att=np.array(att).reshape(shape),
        n_treated=np.array(n_own, dtype=np.int64).reshape(shape),
        n_control=np.array(n_control, dtype=np.int64).reshape(shape),
        spread=spread,
    )


def fit_adjusted(
    grid: OutcomeGrid, cohorts: tuple[int, ...], sides: list[Sides], x: Floats, adjust: Adjust
) -> GroupTime:
    """Return effects adjusted for covariates where every cell is observed: from sums of each distinct start."""
    types = np.unique(grid.start)
    rows = sort_rows(grid.y, x, grid.weight, np.searchsorted(types, grid.start))
    sizes = np.diff(rows.edges)
    att = np.full((len(cohorts), grid.n_periods), np.nan)
    compared = []
    for i, side in enumerate(sides):
        for columns in _alike(side.is_control):
            others = tuple(np.flatnonzero(side.is_control[:, columns[0]]).tolist())
            if others:
                own = int(np.searchsorted(types, side.cohort))
                found = compare_sorted(rows, own, others, columns, side.base[columns], adjust=adjust)
                att[i, columns] = found.att
                compared.append((i, found))

    def spread(shares: Shares) -> Floats:
        return spread_errors(rows, [(one, shares[:, i, one.columns]) for i, one in compared], len(shares))

    n_own = [np.full(grid.n_periods, sizes[np.searchsorted(types, side.cohort)]) for side in sides]
    n_control = [(sizes[:, None] * side.is_control).sum(axis=0) for side in sides]
    return GroupTime(
        cohorts=cohorts,
        att=att,
        n_treated=np.array(n_own, dtype=np.int64).reshape(att.shape),
        n_control=np.array(n_control, dtype=np.int64).reshape(att.shape),
        spread=spread,
    )
