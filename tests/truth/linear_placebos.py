"""All placebos of one draw at once, for studies: what each history would add in each place, then sums over a table.

The same numbers as `qbase.effects.doubt.placebo_paths` gives (test_few_clusters.py), twenty times cheaper: coefficients
are a weighted sum of outcomes, and the weights of a design are found once.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from average_base import AverageBase

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.exchanged_histories import missing_noise, standard_histories
from qbase.effects.doubt.heavy_tails import Tails, cell_cumulants, term_cumulants
from qbase.effects.doubt.history_noise import Noise, contrast_basis, two_way_residuals
from qbase.effects.doubt.moved_noise import MovedNoise, moved_noise_of


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """What history j adds to term k in the place of entity i, by [i, j, k].

    Parameters
    ----------
    outcome, treatment : numpy.ndarray, shape (N, N, K)
        Of the residuals of the outcome and of the treatment itself.
    common : numpy.ndarray, shape (K, T − 1)
        What noise that all histories share adds to each term.
    weights : numpy.ndarray, shape (N, K, T)
        Of each cell in each term.
    """

    outcome: Floats
    treatment: Floats
    common: Floats
    weights: Floats
    noise: Noise

    def tails(self, grid: OutcomeGrid) -> Tails:
        """Return how heavy the tails of the terms are, as `read_tails` does."""
        assert grid.n is not None
        assert self.noise.batch is not None
        treated = grid.is_treated
        cumulants = cell_cumulants(self.noise.batch[treated], grid.n[treated])
        cells = np.swapaxes(self.weights[treated], 1, 2)
        return term_cumulants(cells.reshape(-1, cells.shape[2]), *(c.ravel() for c in cumulants))

    def moved(self, grid: OutcomeGrid) -> MovedNoise:
        """Return what effects do to the noise of the treated, as `read_moved_noise` does."""
        assert self.noise.batch is not None
        assert grid.n is not None
        weights = np.swapaxes(self.weights, 1, 2)
        return moved_noise_of(self.noise.batch, grid.y, grid.n, grid.event_time >= 0, weights)

    def sums(self, table: Floats, places: np.ndarray, *, seed: int | None = None) -> Floats:
        """Return coefficients of placebos, shape (A, K)."""
        found = table[np.arange(len(table)), places].sum(axis=1)
        if seed is not None:
            missing = missing_noise(self.noise, len(places), seed)
            found = found if missing is None else found + missing @ self.common.T
        return np.asarray(found, dtype=float)


@functools.lru_cache(maxsize=4)
def term_weights(estimator: AverageBase, starts: tuple[float, ...], n_periods: int, n_terms: int) -> Floats:
    """Return the weight of each cell in each term, shape (N, K, T)."""
    start = np.array([np.nan if s < 0 else s for s in starts])
    cells = len(start) * n_periods
    grid = blank_grid(start, n_periods)
    found = np.nan_to_num(estimator.fit_many(grid, np.eye(cells).reshape(cells, len(start), n_periods)))
    return np.swapaxes(found.reshape(len(start), n_periods, n_terms), 1, 2).copy()


def blank_grid(start: Floats, n_periods: int) -> OutcomeGrid:
    return OutcomeGrid(
        indicator=None,  # type: ignore[arg-type]
        freq="Q",
        entities=tuple(f"K{i:03d}" for i in range(len(start))),
        first=0,
        y=np.zeros((len(start), n_periods)),
        n=None,
        k=None,
        start=start,
        weight=np.ones(len(start)),
        cluster=np.arange(len(start)),
    )


def place(grid: OutcomeGrid, estimator: AverageBase, noise: Noise, n_terms: int) -> Placed:
    """Return the tables of a complete grid with counts."""
    assert noise.root is not None
    assert noise.cautious is not None
    starts = tuple(-1.0 if np.isnan(s) else float(s) for s in grid.start)
    weights = term_weights(estimator, starts, grid.n_periods, n_terms)
    basis = contrast_basis(grid.n_periods)
    treated = (grid.event_time >= 0).astype(float)
    both = two_way_residuals(np.stack([grid.y, treated]), np.broadcast_to(noise.weight[:, None], grid.y.shape))
    standard = standard_histories(both, noise.root, noise.shared)
    lever = (weights @ basis) @ noise.cautious
    n = len(grid.y)
    flat = lever.reshape(n * n_terms, -1)
    tables = [np.swapaxes((flat @ standard[v].T).reshape(n, n_terms, n), 1, 2) for v in (0, 1)]
    return Placed(
        outcome=np.ascontiguousarray(tables[0]),
        treatment=np.ascontiguousarray(tables[1]),
        common=lever.sum(axis=0),
        weights=weights,
        noise=noise,
    )
