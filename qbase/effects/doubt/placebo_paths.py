"""An estimator run again and again as if others had adopted: the placebos behind permutation tests and bands."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.exchanged_histories import exchange_histories, missing_noise
from qbase.effects.doubt.history_noise import Noise, fit_noise, two_way_residuals
from qbase.effects.fitting.path_fit import Estimator, Ints, PathFit
from qbase.stats.testing.adoption_permutations import exchanged_places, list_assignments

LISTED = 2
"""All assignments are listed while there are at most so many times the draws; a list is exact, draws are not."""

BLOCK = 200_000
"""Numbers of a block of replayed outcomes: 1.6 MB, which stays in the processor's cache."""

LINEAR = 1e-8
"""Twice the outcome gives twice the coefficients of a linear estimator, up to this share."""


@runtime_checkable
class BatchEstimator(Protocol):
    """An estimator linear in the outcome that fits many outcomes on one grid at once."""

    def __call__(self, grid: OutcomeGrid) -> PathFit:
        """Fit the grid's own outcome."""
        ...

    def fit_many(self, grid: OutcomeGrid, outcomes: Floats) -> Floats:
        """Fit outcomes of shape (A, N, T); return coefficients of shape (A, K)."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Exchange:
    """Who may take whose place.

    Parameters
    ----------
    kind : {"histories", "dates"}
        Residual histories change places, each rescaled to the noise of its new place, where the estimator is linear in
        the outcome and each cluster is one entity; else clusters exchange their dates of adoption.
    places : numpy.ndarray of int, shape (A, G)
        Assignments other than the observed one, see `qbase.stats.exchanged_places`.
    n_possible : int
        Distinct assignments, the observed one included.
    is_complete : bool
        Whether all of them are there.
    seed : int
        Of what is drawn.
    """

    kind: Literal["histories", "dates"]
    places: Ints
    n_possible: int
    is_complete: bool
    seed: int

    @property
    def p_floor(self) -> float:
        """Smallest p value that can come out."""
        return 1 / (1 + len(self.places))


def labels_of(grid: OutcomeGrid) -> Ints | None:
    """Return the date of each cluster as a label, shape (G,); None where entities of one cluster differ.

    Who is treated after the data end is untreated in them.
    """
    dates = np.where(grid.is_treated, grid.start, grid.n_periods).astype(np.int64)
    n_clusters = int(grid.cluster.max()) + 1
    labels = np.full(n_clusters, -1, dtype=np.int64)
    labels[grid.cluster] = dates
    return labels if np.array_equal(labels[grid.cluster], dates) else None


def find_exchange(grid: OutcomeGrid, estimator: Estimator, fit: PathFit, *, draws: int, seed: int) -> Exchange | None:
    """Find who may take whose place, or None where entities of one cluster adopted at different times.

    Parameters
    ----------
    grid : OutcomeGrid
    estimator : Estimator
        That gave ``fit`` on this grid.
    fit : PathFit
    draws : int
        Assignments drawn where there are more than twice as many.
    seed : int
        Of the draws.
    """
    labels = labels_of(grid)
    if labels is None:
        return None
    found = list_assignments(labels, draws=draws, limit=LISTED * (draws + 1), seed=seed)
    is_single = len(labels) == len(grid.y)
    kind: Literal["histories", "dates"] = "histories" if is_single and is_linear(grid, estimator, fit) else "dates"
    places = exchanged_places(labels, found.rows)
    if kind == "histories":
        # the labels go by cluster, the histories by entity
        row_of = np.argsort(grid.cluster)
        places = row_of[places[:, grid.cluster]]
    return Exchange(kind=kind, places=places, n_possible=found.n_possible, is_complete=found.is_complete, seed=seed)


def is_linear(grid: OutcomeGrid, estimator: Estimator, fit: PathFit) -> bool:
    """Return whether the estimator is linear in ``grid.y``; one that reads passes and batches is not."""
    if isinstance(estimator, BatchEstimator):
        return True
    twice = estimator(dataclasses.replace(grid, y=2 * grid.y)).beta
    return bool(np.allclose(twice, 2 * fit.beta, rtol=LINEAR, atol=LINEAR, equal_nan=True))


def without_effect(grid: OutcomeGrid, fit: PathFit) -> OutcomeGrid:
    """Return outcomes less the overall effect in treated cells.

    The effect of each event time is not taken out by itself: the noise of the few cells behind it would go with it, and
    placebos that keep some of the treated in place would vary too little (joint bands of 4 of 12: 11 % at 5 %). What an
    effect varies with time stays in as noise and makes tests and bands cautious.
    """
    overall = fit.beta[0] if np.isfinite(fit.beta[0]) else 0.0
    return dataclasses.replace(grid, y=grid.y - overall * (grid.event_time >= 0))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Replay:
    """A grid made ready to be replayed: its residuals and their noise are worked out once."""

    grid: OutcomeGrid
    estimator: Estimator
    terms: tuple[tuple[str, int | None], ...]
    noise: Noise

    def of_histories(self, y: Floats, places: Ints, *, seed: int | None = None) -> Iterator[Floats]:
        """Yield coefficients, (a, K), block by block, of outcomes whose histories changed places.

        Parameters
        ----------
        y : numpy.ndarray, shape (N, T)
            Outcomes as they would be without the policy.
        places : numpy.ndarray of int, shape (A, N)
            Whose history each entity takes on.
        seed : int or None
            Of the noise put back where period means took it out; None for a treatment, which has none.
        """
        missing = None if seed is None else missing_noise(self.noise, len(places), seed)
        residuals = two_way_residuals(y, np.broadcast_to(self.noise.weight[:, None], y.shape))
        holes = np.where(np.isfinite(y), 0.0, np.nan)
        step = max(1, BLOCK // y.size)
        for first in range(0, len(places), step):
            part = slice(first, first + step)
            drawn = None if missing is None else missing[part]
            yield self.fit_each(exchange_histories(residuals, places[part], self.noise, drawn) + holes)

    def of_dates(self, grid: OutcomeGrid, places: Ints) -> Iterator[Floats]:
        """Yield the same under dates of adoption that clusters exchanged; ``places`` has shape (A, G)."""
        start_of = np.full(int(grid.cluster.max()) + 1, np.nan)
        start_of[grid.cluster] = grid.start
        for row in places:
            moved = np.empty_like(start_of)
            moved[row] = start_of
            yield self.estimator(grid.with_start(moved[grid.cluster])).beta[None]

    @functools.cached_property
    def treated_weights(self) -> Floats:
        """Weight of every cell of a treated entity that has an outcome in each term, shape (C, K), entity by entity.

        It is what an outcome of 1 there alone gives, for the estimator is linear.
        """
        grid = self.grid
        cells = np.argwhere(np.isfinite(grid.y) & grid.is_treated[:, None])
        holes = np.where(np.isfinite(grid.y), 0.0, np.nan)
        step, found = max(1, BLOCK // grid.y.size), []
        for first in range(0, len(cells), step):
            part = cells[first : first + step]
            outcomes = np.tile(holes, (len(part), 1, 1))
            outcomes[(np.arange(len(part)), *part.T)] = 1.0
            found.append(np.nan_to_num(self.fit_each(outcomes)))
        return np.concatenate(found)

    def fit_each(self, outcomes: Floats) -> Floats:
        """Return the coefficients, shape (A, K), of each of some outcomes, (A, N, T), on this grid."""
        if isinstance(self.estimator, BatchEstimator):
            return self.estimator.fit_many(self.grid, outcomes)
        return np.stack([self.estimator(dataclasses.replace(self.grid, y=y)).beta for y in outcomes])


def ready_replay(grid: OutcomeGrid, estimator: Estimator, fit: PathFit) -> Replay:
    """Return a grid made ready to be replayed."""
    return Replay(grid=grid, estimator=estimator, terms=fit.terms, noise=fit_noise(grid))
