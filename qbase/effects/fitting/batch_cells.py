"""Group-time effects with every batch a row of a repeated cross-section, from batches and passes of each cell alone."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.group_time import Base, Bools, Control, GroupTime, Shares, Sides, list_sides


def weigh_by_batches(grid: OutcomeGrid) -> OutcomeGrid:
    """Return the grid in which an entity weighs as many as its batches in all periods, as a row-level estimator has it.

    Cells without batches are empty.
    """
    batches = np.zeros(grid.y.shape) if grid.n is None else np.where(np.isfinite(grid.y), grid.n, 0.0)
    return dataclasses.replace(
        grid,
        y=np.where(batches > 0, grid.y, np.nan),
        weight=np.maximum(batches.sum(axis=1), np.finfo(float).tiny),
        weighted_by="n",
    )


def fit_batch_cells(
    grid: OutcomeGrid, *, control: Control = "not_yet", base: Base = "universal", skip: int = 0
) -> GroupTime:
    """Estimate ATT(g, t) as if every batch were a row: the change of the mean over rows, less that of those compared.

    An entity counts in each period it has batches in; nobody has to be there twice. With the mean m of a cohort in a
    period, an entity of k passes among n batches adds (k − n m) / N to its error, N being all its batches: nothing is
    expanded, and estimates and errors are those of the rows.

    Parameters
    ----------
    grid : OutcomeGrid
        With ``n``; its outcome is the share of passes in each cell, in its own unit.
    control, base, skip
        See `qbase.effects.fitting.group_time.fit_group_time`.

    References
    ----------
    Callaway, B. and Sant'Anna, P. H. C. (2021). Difference-in-differences with multiple time periods, section 4.2. J.
    Econometrics 225.
    """
    cohorts = tuple(g for g in grid.cohorts if g - 1 - skip >= 0)
    sides = [list_sides(grid, g, control, base, skip) for g in cohorts]
    found = [_cohort(grid, side) for side in sides]
    shape = (len(cohorts), grid.n_periods)

    def spread(shares: Shares) -> Floats:
        parts = (_influence(grid, side) @ shares[:, i, :].T for i, side in enumerate(sides))
        return sum(parts, np.zeros((len(grid.y), len(shares))))

    return GroupTime(
        cohorts=cohorts,
        att=np.array([f[0] for f in found]).reshape(shape),
        n_treated=np.array([f[1] for f in found], dtype=np.int64).reshape(shape),
        n_control=np.array([f[2] for f in found], dtype=np.int64).reshape(shape),
        spread=spread,
    )


def _batches(grid: OutcomeGrid) -> tuple[Floats, Floats]:
    """Return batches, and outcomes times batches, shape (N, T)."""
    n = np.zeros(grid.y.shape) if grid.n is None else np.where(np.isfinite(grid.y), grid.n, 0.0)
    return n, np.where(n > 0, np.where(np.isfinite(grid.y), grid.y, 0.0) * n, 0.0)


def _arms(grid: OutcomeGrid, sides: Sides) -> list[tuple[float, Bools, NDArray[np.int64]]]:
    """Return sign and rows of both sides, now and at the base, shape (N, T): now up, base down, those compared so."""
    own: Bools = np.repeat((grid.start == sides.cohort)[:, None], grid.n_periods, axis=1)
    other = sides.is_control[np.searchsorted(sides.types, grid.start)]
    now: NDArray[np.int64] = np.arange(grid.n_periods, dtype=np.int64)
    return [(1.0, own, now), (-1.0, own, sides.base), (-1.0, other, now), (1.0, other, sides.base)]


def _cohort(grid: OutcomeGrid, sides: Sides) -> tuple[Floats, Floats, Floats]:
    n, k = _batches(grid)
    att = np.zeros(grid.n_periods)
    for sign, rows, at in _arms(grid, sides):
        total = (rows * n[:, at]).sum(axis=0)
        att += sign * np.where(total > 0, (rows * k[:, at]).sum(axis=0) / np.where(total > 0, total, 1.0), np.nan)
    own = grid.start == sides.cohort
    other = sides.is_control[np.searchsorted(sides.types, grid.start)]
    return att, (n[own] > 0).sum(axis=0), (other & (n > 0)).sum(axis=0)


def _influence(grid: OutcomeGrid, sides: Sides) -> Floats:
    """Return what each entity adds to the errors of a cohort's effects, shape (N, T)."""
    n, k = _batches(grid)
    influence = np.zeros(grid.y.shape)
    empty = np.zeros(grid.n_periods, dtype=bool)
    for sign, rows, at in _arms(grid, sides):
        batches, passes = rows * n[:, at], rows * k[:, at]
        total = batches.sum(axis=0)
        empty |= total == 0
        safe = np.where(total > 0, total, 1.0)
        influence += sign * (passes - batches * (passes.sum(axis=0) / safe)) / safe
    influence[:, empty] = 0.0
    return influence
