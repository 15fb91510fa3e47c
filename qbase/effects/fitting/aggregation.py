"""From effects by cohort and period to the overall effect and those by event time, cohort and period."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.batch_cells import fit_batch_cells
from qbase.effects.fitting.group_time import Adjust, Base, Bools, Control, GroupTime, fit_group_time
from qbase.effects.fitting.path_fit import Ints, PathFit, Term

Rows = Literal["entities", "batches"]
BLOCK = 2048
"""Entities at once: what is between stays in the processor's cache."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GroupTimePath:
    """The estimator of a path of event times from effects by cohort and period.

    Parameters
    ----------
    leads, lags : int
        Event times from −leads to lags. The overall effect covers all treated cells, whatever the window; periods
        before the start are never part of it.
    control, base, skip, covariates, adjust
        See `qbase.effects.fitting.group_time.fit_group_time`.
    balanced : bool
        Only cohorts observed in every event time from 0 to lags stand behind the event times from 0 on.
    partial : int
        Periods from the start on in which the policy acted in part: shown as event times, in no other average.
    rows : {"entities", "batches"}
        Whether an entity's mean is a row, or each of its batches; see `qbase.effects.fitting.batch_cells`.
    """

    leads: int
    lags: int
    control: Control = "not_yet"
    base: Base = "universal"
    skip: int = 0
    covariates: Floats | None = None
    adjust: Adjust = "dr"
    balanced: bool = False
    partial: int = 0
    rows: Rows = "entities"

    def fit(self, grid: OutcomeGrid) -> GroupTime:
        """Return the effects by cohort and period."""
        if self.rows == "batches":
            return fit_batch_cells(grid, control=self.control, base=self.base, skip=self.skip)
        return fit_group_time(
            grid, control=self.control, base=self.base, skip=self.skip, covariates=self.covariates, adjust=self.adjust
        )

    def __call__(self, grid: OutcomeGrid) -> PathFit:
        """Fit the outcomes of a grid."""
        return self.average(grid, self.fit(grid))

    def average(self, grid: OutcomeGrid, found: GroupTime) -> PathFit:
        """Average effects by cohort and period that were fitted already."""
        return aggregate_effects(
            grid, found, leads=self.leads, lags=self.lags, balanced=self.balanced, partial=self.partial
        )

    def fit_many(self, grid: OutcomeGrid, outcomes: Floats) -> Floats:
        """Fit outcomes of shape (A, N, T), observed where those of the grid are: coefficients of shape (A, K)."""
        plan = plan_averages(
            grid, self.fit(grid), leads=self.leads, lags=self.lags, balanced=self.balanced, partial=self.partial
        )
        return np.array([plan.weigh(self.fit(dataclasses.replace(grid, y=y))) for y in outcomes])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Averages:
    """Which cells each average is made of, and by which shares, shape (K, G, T)."""

    grid: OutcomeGrid
    terms: tuple[Term, ...]
    shares: Floats
    rows: tuple[Ints, ...]
    mass: Floats

    def weigh(self, found: GroupTime) -> Floats:
        """Return the averages, shape (K,)."""
        att = np.where(np.isfinite(found.att), found.att, 0.0)
        flat = self.shares.reshape(len(self.shares), -1) @ att.ravel()
        return np.where(self.shares.any(axis=(1, 2)), flat, np.nan)

    def average(self, found: GroupTime) -> tuple[Floats, Floats]:
        """Return the averages (K,) and what each entity adds to their errors (N, K), shares estimated as well."""
        att = np.where(np.isfinite(found.att), found.att, 0.0)
        beta = self.weigh(found)
        is_there = np.isfinite(beta)
        influence = found.spread(self.shares)
        apart = att[:, None, :] - np.where(is_there, beta, 0.0)[None, :, None]
        # a heavier cohort pulls the average its way: what its size adds to the error
        pull = np.einsum("kgt,gkt->gk", self.shares, apart) / self.mass[:, None]
        starts = np.array(found.cohorts, dtype=float)
        for first in range(0, len(influence), BLOCK):
            block = slice(first, first + BLOCK)
            is_of = self.grid.start[block, None] == starts
            influence[block] += np.where(is_of, self.grid.weight[block, None], 0.0) @ pull
        return beta, influence


def plan_averages(
    grid: OutcomeGrid, found: GroupTime, *, leads: int, lags: int, balanced: bool = False, partial: int = 0
) -> Averages:
    """Return the averages over the cells that can be estimated, weighed by the cohorts; see `GroupTimePath`."""
    rows = tuple(np.flatnonzero(grid.start == g) for g in found.cohorts)
    mass = np.array([grid.weight[r].sum() for r in rows])
    starts, columns = np.array(found.cohorts, dtype=int), np.arange(grid.n_periods)
    event = columns[None, :] - starts[:, None]
    there = np.isfinite(found.att)
    late = (event >= partial) & there
    whole = _whole(found, event, lags) if balanced else np.ones(len(starts), dtype=bool)
    terms: list[Term] = [("att", None), *(("event", e) for e in range(-leads, lags + 1))]
    masks = [late, *((event == e) & there & (whole[:, None] | (e < 0)) for e in range(-leads, lags + 1))]
    terms += [("cohort", g) for g in found.cohorts]
    masks += [late & (np.arange(len(starts)) == i)[:, None] for i in range(len(starts))]
    first = min(found.cohorts, default=grid.n_periods)
    terms += [("period", t) for t in range(first, grid.n_periods)]
    masks += [late & (columns == t)[None, :] for t in range(first, grid.n_periods)]
    weights = np.array(masks) * mass[:, None]
    total = weights.sum(axis=(1, 2), keepdims=True)
    return Averages(
        grid=grid, terms=tuple(terms), shares=weights / np.where(total > 0, total, 1.0), rows=rows, mass=mass
    )


def aggregate_effects(
    grid: OutcomeGrid, found: GroupTime, *, leads: int, lags: int, balanced: bool = False, partial: int = 0
) -> PathFit:
    """Average group-time effects by the weight of the cohorts.

    Shares of cohorts are estimated too: their part of the error is in ``influence``, as in R's ``did``.
    """
    plan = plan_averages(grid, found, leads=leads, lags=lags, balanced=balanced, partial=partial)
    beta, influence = plan.average(found)
    groups = [_Seen.read(np.isfinite(grid.y[r]), grid.weight[r]) for r in plan.rows]
    counts = [_behind(found, share > 0, groups) for share in plan.shares]
    return PathFit(
        terms=plan.terms,
        beta=beta,
        influence=influence,
        n_treated=np.array([c[0] for c in counts], dtype=np.int64),
        n_cells=np.array([c[1] for c in counts], dtype=np.int64),
        n_effective=np.array([c[2] for c in counts]),
    )


def _whole(found: GroupTime, event: np.ndarray, lags: int) -> Bools:
    return np.array(
        [set(range(lags + 1)) <= set(event[i][np.isfinite(found.att[i])].tolist()) for i in range(len(found.cohorts))],
        dtype=bool,
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    """The periods in which entities of a cohort are observed, and how many there are of each kind: (P, T), (P,)."""

    periods: Bools
    n: Floats
    weight: Floats
    squares: Floats

    @classmethod
    def read(cls, periods: Bools, weight: Floats) -> _Seen:
        if periods.all():  # one kind, however many entities
            sums = (np.array([float(v)]) for v in (len(weight), weight.sum(), weight @ weight))
            return cls(periods=periods[:1], **dict(zip(("n", "weight", "squares"), sums, strict=True)))
        return cls(periods=periods, n=np.ones(len(weight)), weight=weight, squares=weight**2)


def _behind(found: GroupTime, mask: Bools, groups: list[_Seen]) -> tuple[int, int, float]:
    """Return treated entities and cells behind an average, and its effective number of entities."""
    n, total, squares = 0, 0.0, 0.0
    for i in np.flatnonzero(mask.any(axis=1)):
        own = groups[i]
        periods = own.periods[:, mask[i]].sum(axis=1)
        n += int(own.n[periods > 0].sum())
        total, squares = total + own.weight @ periods, squares + own.squares @ periods**2
    return n, int(found.n_treated[mask].sum()), float(total**2 / squares) if squares else 0.0
