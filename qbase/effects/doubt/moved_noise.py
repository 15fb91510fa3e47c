"""An effect moves the noise of the cells it acts on: a rate that falls from 90 % to 80 % varies by a third more.

Histories of before carry the noise of before. Intervals by their exchange held an effect of −10 points in 88 % of draws
instead of 95 (2 of 36 treated, a fifth of the batches); their far ends are moved out for what it adds, never in.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.placebo_paths import Replay

ROUNDS = 30
"""An end depends on the noise at that end; a handful of rounds settle it."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MovedNoise:
    """Cells of the treated after their start, shape (C,), and the squares of their weights in each term, (C, K)."""

    rate: Floats
    n: Floats
    squares: Floats

    def widening(self, effect: float, term: int, spread: float) -> float:
        """Return by what the error of a term grows when all rates of these cells move by ``effect`` points, at least 1.

        Parameters
        ----------
        effect : float
            In percentage points.
        term : int
            Position of the term.
        spread : float
            Its error as the histories have it.
        """
        moved = np.clip(self.rate + effect, 0.0, 100.0)
        more = (moved * (100 - moved) - self.rate * (100 - self.rate)) / self.n
        return float(np.sqrt(1 + max(float(more @ self.squares[:, term]), 0.0) / spread**2)) if spread > 0 else 1.0

    def move_out(self, beta: float, end: float, term: int, spread: float) -> float:
        """Return where one end of an interval lies when the noise is that of the effect at this end."""
        found = end
        for _ in range(ROUNDS if np.isfinite(end) else 0):
            before, found = found, beta + self.widening(found, term, spread) * (end - beta)
            if found == before:  # and would be in every further round
                break
        return found


def read_moved_noise(grid: OutcomeGrid, replay: Replay) -> MovedNoise | None:
    """Return what effects do to the noise of the treated, or None where the outcome is no plain pass rate.

    Parameters
    ----------
    grid : OutcomeGrid
    replay : Replay
        Of the same grid, with an estimator linear in the outcome.
    """
    if replay.noise.batch is None or grid.n is None:
        return None
    cells = np.isfinite(grid.y) & grid.is_treated[:, None]
    weights = np.zeros((*grid.y.shape, replay.treated_weights.shape[1]))
    weights[cells] = replay.treated_weights
    return moved_noise_of(replay.noise.batch, grid.y, grid.n, cells & (grid.event_time >= 0), weights)


def moved_noise_of(batch: Floats, y: Floats, n: Floats, after: np.ndarray, weights: Floats) -> MovedNoise:
    """Return the same from arrays.

    Parameters
    ----------
    batch : numpy.ndarray, shape (N,)
        Variance of one batch, see `Noise`; it tells a rate but for its side of one half.
    y, n : numpy.ndarray, shape (N, T)
        Outcomes and batches.
    after : numpy.ndarray of bool, shape (N, T)
        Cells of the treated after their start.
    weights : numpy.ndarray, shape (N, T, K)
        Of each cell in each term.
    """
    before = np.where(after, np.nan, y)
    is_above = np.nansum(before - 50, axis=1) >= 0
    away = np.sqrt(np.maximum(2500.0 - batch, 0.0))
    rate = np.broadcast_to((50 + np.where(is_above, away, -away))[:, None], y.shape)
    return MovedNoise(rate=rate[after], n=np.maximum(n[after], 1.0), squares=weights[after] ** 2)
