"""A compact estimator for studies of inference: each event time against the average of the periods before the leads."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.path_fit import PathFit


@dataclasses.dataclass(frozen=True)
class AverageBase:
    """Difference in differences by event time; those never treated are the comparison. Complete grids only."""

    leads: int = 4
    lags: int = 8

    @property
    def times(self) -> tuple[int, ...]:
        return tuple(range(-self.leads, self.lags + 1))

    def __call__(self, grid: OutcomeGrid) -> PathFit:
        beta, influence = self._fit(grid, grid.y[None])
        n = grid.n_periods
        start = grid.start[grid.is_treated]
        behind = [int(((start + e >= 0) & (start + e < n)).sum()) for e in self.times]
        n_treated = np.array([len(start), *behind], dtype=np.int64)
        return PathFit(
            terms=(("att", None), *(("event", e) for e in self.times)),
            beta=beta[0],
            influence=influence[0],
            n_treated=n_treated,
            n_cells=np.array([int((n - start).sum()), *behind], dtype=np.int64),
            n_effective=n_treated.astype(float),
        )

    def fit_many(self, grid: OutcomeGrid, outcomes: Floats) -> Floats:
        return self._fit(grid, outcomes)[0]

    def _fit(self, grid: OutcomeGrid, outcomes: Floats) -> tuple[Floats, Floats]:
        starts = tuple(int(s) if s < grid.n_periods else -1 for s in np.nan_to_num(grid.start, nan=np.inf))
        rows = np.array(starts)
        dates = sorted(set(starts) - {-1})
        contrast, is_there = contrasts(tuple(dates), grid.n_periods, self.leads, self.times)
        never = rows < 0
        beta = np.zeros((len(outcomes), is_there.shape[1]))
        count = np.maximum(sum((rows == d).sum() * is_there[j] for j, d in enumerate(dates)), 1)
        influence = np.zeros((len(outcomes), len(rows), is_there.shape[1]))
        along = [outcomes @ c for c in contrast]
        for j, date in enumerate(dates):
            mine, theirs = along[j][:, rows == date], along[j][:, never]
            gap = mine - theirs.mean(axis=1, keepdims=True)
            beta += gap.sum(axis=1) / count
            influence[:, rows == date] = gap
            influence[:, never] -= (theirs - theirs.mean(axis=1, keepdims=True)) * ((rows == date).sum() / never.sum())
        for j, date in enumerate(dates):
            influence[:, rows == date] = (influence[:, rows == date] - beta[:, None]) * is_there[j]
        seen = is_there.any(axis=0)
        return np.where(seen, beta, np.nan), influence / count


@functools.lru_cache
def contrasts(dates: tuple[int, ...], n: int, leads: int, times: tuple[int, ...]) -> tuple[list[Floats], Floats]:
    """Return for each date the weights of periods in each term, (T, K), and which terms it reaches, (dates, K)."""
    found, there = [], []
    for start in dates:
        base = np.where(np.arange(n) < start - leads, 1 / (start - leads), 0.0)
        columns = [np.where(np.arange(n) >= start, 1 / (n - start), 0.0) - base]
        reaches = [1.0]
        for e in times:
            is_seen = 0 <= start + e < n
            columns.append(((np.arange(n) == start + e) - base) * is_seen)
            reaches.append(float(is_seen))
        found.append(np.stack(columns, axis=1))
        there.append(reaches)
    return found, np.array(there)
