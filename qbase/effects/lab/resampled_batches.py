"""The same history with fewer batches a cell, as subsamples show it, or with more, as a stated model does."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from qbase.core.errors import DataError
from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.doubt.history_noise import SAME, two_way_residuals
from qbase.effects.lab.untreated_history import History

Made = Literal["observed", "subsample", "model"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Resampled:
    """Histories of A draws, shape (A, N, T): outcomes, batches and passes; NaN and 0 where nothing was tested."""

    y: Floats
    n: Floats
    k: Floats

    def block(self, at: slice) -> Resampled:
        """Return some of the draws."""
        return Resampled(y=self.y[at], n=self.n[at], k=self.k[at])


def resample_batches(history: History, factor: float, *, draws: int, seed: int) -> Resampled:
    """Return histories with ``factor`` times the batches in every cell.

    Fewer: batches are taken without replacement from those tested (hypergeometric), at least one a cell. More: rates
    of cells are what entity and period effects give plus the part of the residual that is not sampling, and batches are
    drawn from them (binomial); the residual's share that is not sampling is its variance less that of the batches.

    Parameters
    ----------
    history : History
    factor : float
        Above 0.
    draws, seed : int

    Raises
    ------
    DataError
        The outcome is no plain rate of passes among batches (QB554).
    """
    grid = history.grid
    seen = np.isfinite(grid.y)
    if grid.n is None or grid.k is None or not _is_rate(grid.y[seen], grid.n[seen], grid.k[seen]):
        raise DataError(
            "QB554",
            outcome=grid.indicator.id,
            found="no passes and batches" if grid.n is None else "an outcome other than passes among batches",
            expected="a rate of passes whose batches are counted, as build_panel gives it",
            fix='batches=(), or build_panel(workspace, "D1.batch", sampling="naive")',
        )
    tested, passed = np.where(seen, grid.n, 0).astype(np.int64), np.where(seen, grid.k, 0).astype(np.int64)
    rng = np.random.default_rng(seed)
    shape = (draws, *grid.y.shape)
    n = np.floor(factor * tested + rng.random(shape)).astype(np.int64)
    if factor <= 1:
        n = np.minimum(np.maximum(n, 1), tested)
        k = rng.hypergeometric(np.broadcast_to(passed, shape), np.broadcast_to(tested - passed, shape), n)
    else:
        k = rng.binomial(n, np.broadcast_to(true_rates(history), shape))
    with np.errstate(invalid="ignore"):
        y = np.where(n > 0, 100 * k / np.maximum(n, 1), np.nan)
    return Resampled(y=y, n=n.astype(float), k=k.astype(float))


def true_rates(history: History) -> Floats:
    """Return rates of cells with the part of sampling taken out of how far they lie off, shape (N, T), as shares."""
    grid = history.grid
    seen = np.isfinite(grid.y)
    rate = np.where(seen, grid.y, 0.0) / 100
    rest = two_way_residuals(np.where(seen, grid.y, np.nan) / 100, np.ones(grid.y.shape))
    level = np.clip(rate - rest, 0.01, 0.99)
    batches = np.where(seen, np.maximum(np.asarray(grid.n), 1), 1.0)
    lost = 1 - (sum(grid.y.shape) - 1) / max(int(seen.sum()), 1)
    drawn = (level * (1 - level) / batches)[seen].mean() * max(lost, 0.1)
    whole = max(float((rest[seen] ** 2).mean()), 1e-12)
    return np.asarray(np.clip(level + np.sqrt(max(0.0, 1 - drawn / whole)) * rest, 0.0, 1.0), dtype=float)


def _is_rate(y: Floats, n: Floats, k: Floats) -> bool:
    with np.errstate(invalid="ignore", divide="ignore"):
        return bool(np.allclose(y, 100 * k / n, rtol=SAME, atol=SAME))
