"""A compact estimator for studies of inference: each event time against the average of the periods before the leads."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.path_fit import PathFit


@dataclasses.dataclass(frozen=True)
class AverageBase:
    """Difference in differences by event time; those never treated are the comparison. Complete grids only."""

    leads: int = 4
    lags: int = 8

    def __call__(self, grid: OutcomeGrid) -> PathFit:
        beta, influence = self.fit_many(grid, grid.y[None])
        times, n = self.times, grid.n_periods
        start = grid.start[grid.is_treated]
        behind = np.array([int(((start + e >= 0) & (start + e < n)).sum()) for e in times])
        cells = int((n - start).sum())
        n_treated = np.concatenate([[len(start)], behind])
        return PathFit(
            terms=(("att", None), *(("event", e) for e in times)),
            beta=beta[0],
            influence=influence[0],
            n_treated=n_treated.astype(np.int64),
            n_cells=np.concatenate([[cells], behind]).astype(np.int64),
            n_effective=n_treated.astype(float),
        )

    @property
    def times(self) -> list[int]:
        return list(range(-self.leads, self.lags + 1))

    def fit_many(self, grid: OutcomeGrid, outcomes: Floats) -> tuple[Floats, Floats]:
        n_terms, treated = 1 + len(self.times), np.flatnonzero(grid.is_treated)
        never = np.flatnonzero(~grid.is_treated)
        own = np.full((len(outcomes), len(treated), n_terms), np.nan)
        other = np.full((len(outcomes), len(never), len(treated), n_terms), 0.0)
        for column, i in enumerate(treated):
            contrast = self._contrast(int(grid.start[i]), grid.n_periods)
            there = np.isfinite(contrast[0])
            mine = outcomes[:, i] @ np.nan_to_num(contrast)
            theirs = outcomes[:, never] @ np.nan_to_num(contrast)
            own[:, column, there] = (mine - theirs.mean(axis=1))[:, there]
            other[:, :, column] = theirs - theirs.mean(axis=1, keepdims=True)
        here = np.isfinite(own[0])
        count = here.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            beta = np.nansum(own, axis=1) / count
        influence = np.zeros((len(outcomes), len(grid.y), n_terms))
        influence[:, treated] = np.where(here, own - beta[:, None], 0.0) / np.maximum(count, 1)
        influence[:, never] = -(other * here).sum(axis=2) / np.maximum(count, 1) / len(never)
        return beta, influence

    def _contrast(self, start: int, n: int) -> Floats:
        base = np.zeros(n)
        base[: start - self.leads] = 1 / (start - self.leads)
        columns = [np.where(np.arange(n) >= start, 1 / (n - start), 0.0) - base]
        for e in self.times:
            columns.append((np.arange(n) == start + e) - base if 0 <= start + e < n else np.full(n, np.nan))
        return np.stack(columns, axis=1)
