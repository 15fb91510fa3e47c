"""Two-way fixed effects with one coefficient per cohort and period: what Sun and Abraham average by cohort shares."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.aggregation import aggregate_effects, plan_averages
from qbase.effects.fitting.group_time import Bools, GroupTime, Shares
from qbase.effects.fitting.path_fit import Ints, PathFit

SINGULAR = 1e-10
"""An eigenvalue below this share of the largest is a direction the data say nothing about."""

FREE = 1e-7
"""A coefficient with a larger part in such a direction cannot be estimated."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class InteractionPath:
    """The estimator of a path from a saturated two-way regression.

    Parameters
    ----------
    leads, lags : int
        Event times shown, from −leads to lags; every other one has its own coefficient too, nothing is binned.
    """

    leads: int
    lags: int

    def fit(self, grid: OutcomeGrid) -> GroupTime:
        """Return the effects by cohort and period."""
        return fit_interaction(grid)

    def __call__(self, grid: OutcomeGrid) -> PathFit:
        """Fit the outcomes of a grid."""
        return self.average(grid, self.fit(grid))

    def average(self, grid: OutcomeGrid, found: GroupTime) -> PathFit:
        """Average effects by cohort and period that were fitted already."""
        return aggregate_effects(grid, found, leads=self.leads, lags=self.lags)

    def fit_many(self, grid: OutcomeGrid, outcomes: Floats) -> Floats:
        """Fit outcomes of shape (A, N, T), observed where those of the grid are: coefficients of shape (A, K)."""
        system = factor_interaction(grid)
        found = _group_time(grid, system, system.solve(grid.y))
        plan = plan_averages(grid, found, leads=self.leads, lags=self.lags)
        return np.array([plan.weigh(_group_time(grid, system, system.solve(y))) for y in outcomes])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pattern:
    """Entities of one start that are observed in the same periods: they share their regressors.

    Parameters
    ----------
    rows : numpy.ndarray of int
        The entities.
    columns : numpy.ndarray of int, shape (S,)
        Periods in which they are observed.
    x : numpy.ndarray, shape (S, K)
        Regressors net of entity means.
    weight : numpy.ndarray
        Of the entities.
    """

    rows: Ints
    columns: Ints
    x: Floats
    weight: Floats


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Interactions:
    """A saturated regression made ready for any outcome.

    Parameters
    ----------
    cohorts : tuple of int, length G
        Column in which each was first treated.
    cell : numpy.ndarray of int, shape (G, T)
        Coefficient of each cohort and period; −1 where it has none: the base, or nobody observed.
    patterns : tuple of Pattern
        The rows of the regression.
    inverse : numpy.ndarray, shape (K, K)
        Inverse of the cross products, on the directions the data speak of.
    is_known : numpy.ndarray of bool, shape (K,)
        Coefficients that can be estimated.
    n_treated, n_control : numpy.ndarray of int, shape (G, T)
        Entities observed.
    """

    cohorts: tuple[int, ...]
    cell: NDArray[np.int64]
    patterns: tuple[Pattern, ...]
    inverse: Floats
    is_known: Bools
    n_treated: Ints
    n_control: Ints

    def solve(self, y: Floats) -> Floats:
        """Return all coefficients, those of periods too, for an outcome of shape (N, T)."""
        total = np.zeros(len(self.inverse))
        for p in self.patterns:
            total += p.x.T @ (p.weight @ y[np.ix_(p.rows, p.columns)])
        return self.inverse @ total


def fit_interaction(grid: OutcomeGrid) -> GroupTime:
    """Regress outcomes on effects of entities and periods and on one dummy per cohort and period but the last before.

    Where nobody is never treated, those treated last are compared, and the periods from their start on are left out.

    Parameters
    ----------
    grid : OutcomeGrid
        ``weight`` weighs the rows of an entity.

    References
    ----------
    Sun, L. and Abraham, S. (2021). Estimating dynamic treatment effects in event studies with heterogeneous treatment
    effects. J. Econometrics 225.
    """
    system = factor_interaction(grid)
    return _group_time(grid, system, system.solve(grid.y))


def factor_interaction(grid: OutcomeGrid) -> Interactions:
    """Return the regression of a grid, without its outcome."""
    seen = np.isfinite(grid.y)
    is_compared, last = ~grid.is_treated, grid.n_periods
    starts = grid.cohorts
    if not is_compared.any() and starts:
        last = starts.pop()
        is_compared = grid.start == last
    seen = seen & (np.arange(grid.n_periods) < last)
    own = {g: grid.start == g for g in starts}
    cohorts = tuple(g for g in starts if g >= 1 and seen[own[g], g - 1].any())
    kind = np.full(len(grid.y), -2)
    kind[is_compared] = -1
    for i, g in enumerate(cohorts):
        kind[own[g]] = i
    n_treated = np.array([seen[own[g]].sum(axis=0) for g in cohorts], dtype=np.int64).reshape(-1, grid.n_periods)
    n_control = np.broadcast_to(seen[is_compared].sum(axis=0), n_treated.shape).astype(np.int64)
    is_free = n_treated > 0
    for i, g in enumerate(cohorts):
        is_free[i, g - 1] = False
    cell = np.where(is_free, np.cumsum(is_free).reshape(is_free.shape) - 1, -1)
    patterns = tuple(_patterns(grid, seen, kind, cell, int(is_free.sum())))
    gram = sum((p.weight.sum() * p.x.T @ p.x for p in patterns), np.zeros((int(is_free.sum()) + grid.n_periods,) * 2))
    values, vectors = np.linalg.eigh(gram)
    held = values > SINGULAR * max(float(values[-1]), np.finfo(float).tiny)
    inverse = (vectors[:, held] / values[held]) @ vectors[:, held].T
    is_known = np.abs(vectors[:, ~held]).max(axis=1, initial=0.0) < FREE
    return Interactions(
        cohorts=cohorts, cell=cell, patterns=patterns, inverse=inverse, is_known=is_known, n_treated=n_treated,
        n_control=n_control,
    )  # fmt: skip


def _patterns(grid: OutcomeGrid, seen: Bools, kind: Ints, cell: Ints, n_cells: int) -> list[Pattern]:
    """Return the entities by who they are and when they are observed; one seen once says nothing and is left out."""
    used = np.flatnonzero((kind >= -1) & (seen.sum(axis=1) > 1))
    found: list[Pattern] = []
    if not len(used):
        return found
    keys = np.column_stack([kind[used], np.packbits(seen[used], axis=1)])
    for key in np.unique(keys, axis=0):
        rows = used[(keys == key).all(axis=1)]
        columns = np.flatnonzero(seen[rows[0]])
        x = np.zeros((len(columns), n_cells + grid.n_periods))
        x[np.arange(len(columns)), n_cells + columns] = 1.0
        if key[0] >= 0:
            at = cell[key[0], columns]
            x[np.flatnonzero(at >= 0), at[at >= 0]] = 1.0
        found.append(Pattern(rows=rows, columns=columns, x=x - x.mean(axis=0), weight=grid.weight[rows]))
    return found


def _group_time(grid: OutcomeGrid, system: Interactions, beta: Floats) -> GroupTime:
    cell, known = system.cell, np.append(system.is_known, True)
    att = np.where(cell >= 0, np.append(beta, 0.0)[cell], np.nan)
    att = np.where(known[cell], att, np.nan)
    for i, g in enumerate(system.cohorts):
        att[i, g - 1] = 0.0

    def spread(shares: Shares) -> Floats:
        influence = np.zeros((len(grid.y), len(shares)))
        loads = np.zeros((len(beta), len(shares)))
        loads[cell[cell >= 0]] = shares[:, cell >= 0].T
        pull = system.inverse @ loads
        for p in system.patterns:
            # both sides of an entity's own mean: the regressors are net of it already
            left = grid.y[np.ix_(p.rows, p.columns)] - p.x @ beta
            influence[p.rows] = p.weight[:, None] * (left @ (p.x @ pull))
        return influence

    return GroupTime(
        cohorts=system.cohorts, att=att, n_treated=system.n_treated, n_control=system.n_control, spread=spread
    )
