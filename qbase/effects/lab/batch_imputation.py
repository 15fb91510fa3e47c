"""Imputation under many placebo policies at once: weights on cells, estimates, and each entity's influence.

The numbers are those of `qbase.effects.fitting.imputation`, policy after policy; here A of them share all steps.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats
from qbase.stats.regression.linked_periods import LARGEST, LINKED

Bools = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BatchFit:
    """Overall effects of A policies in M outcomes each.

    Parameters
    ----------
    beta : numpy.ndarray, shape (A, M)
        NaN where it cannot be estimated.
    influence : numpy.ndarray, shape (A, M, N)
        What each entity adds to the error.
    n_treated : numpy.ndarray of int, shape (A,)
        Treated entities behind the estimate.
    """

    beta: Floats
    influence: Floats
    n_treated: NDArray[np.int64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Periods:
    """Period effects of A sets of cells, the effects of entities taken out.

    Parameters
    ----------
    share : numpy.ndarray, shape (A, N, T)
        Of each cell in the mean of its entity, 0 outside the cells.
    inverse : numpy.ndarray, shape (A, T, T)
        Of the information; NaN where not all periods hang together.
    is_seen : numpy.ndarray of bool, shape (A, T)
        Periods in which somebody has a cell.
    """

    share: Floats
    inverse: Floats
    is_seen: Bools


def factor_cells(cells: Bools) -> Periods:
    """Return the period effects of sets of cells made ready, shape (A, N, T)."""
    inside = cells.astype(float)
    share = inside / np.maximum(inside.sum(axis=2, keepdims=True), 1.0)
    by_period = inside.sum(axis=1)
    n_periods = cells.shape[2]
    information = np.eye(n_periods) * by_period[:, None, :] - np.swapaxes(inside, 1, 2) @ share
    is_seen: Bools = np.asarray(by_period > 0)
    scale = np.trace(information, axis1=1, axis2=2)[:, None, None] / n_periods
    scale = np.where(scale > 0, scale, 1.0)
    # the level of all periods is free; a period without a cell is on its own
    level = scale / n_periods * (is_seen[:, :, None] & is_seen[:, None, :])
    filled = information + level + np.eye(n_periods) * ~is_seen[:, None, :] * scale
    inverse = _inverses(filled)
    is_whole = np.abs(inverse).max(axis=(1, 2), keepdims=True) * scale < LARGEST
    return Periods(share=share, inverse=np.where(is_whole, inverse, np.nan), is_seen=is_seen)


def _inverses(matrices: Floats) -> Floats:
    """Return inverses; NaN for a matrix that has none."""
    try:
        return np.asarray(np.linalg.inv(matrices), dtype=float)
    except np.linalg.LinAlgError:
        found = np.full_like(matrices, np.nan)
        for at, matrix in enumerate(matrices):
            if np.linalg.matrix_rank(matrix) == len(matrix):
                found[at] = np.linalg.inv(matrix)
        return found


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Imputing:
    """Imputation of A policies made ready.

    Parameters
    ----------
    is_base : numpy.ndarray of bool, shape (A, N, T)
        Untreated cells.
    own : numpy.ndarray, shape (A, N, T)
        Weight of the treated cells that can be imputed, 0 elsewhere.
    reply : numpy.ndarray, shape (A, T)
        What a residual of an untreated cell adds to the sum of effects.
    mass : numpy.ndarray, shape (A,)
        Sum of the weights; NaN where nothing can be imputed.
    periods : Periods
    """

    is_base: Bools
    own: Floats
    reply: Floats
    mass: Floats
    periods: Periods


def ready_imputation(start: Floats, seen: Bools, weight: Floats) -> Imputing:
    """Work out all that does not depend on the outcome.

    Parameters
    ----------
    start : numpy.ndarray, shape (A, N)
        Column of the first treated period; NaN when never.
    seen : numpy.ndarray of bool, shape (A, N, T)
        Cells with an outcome; none of an entity that is left out.
    weight : numpy.ndarray, shape (N,)
        Of each entity in the average.
    """
    since = np.arange(seen.shape[2]) - start[:, :, None]
    is_base: Bools = seen & ~(since >= 0)
    periods = factor_cells(is_base)
    known = seen & (since >= 0) & is_base.any(axis=2, keepdims=True) & periods.is_seen[:, None, :]
    own = weight[None, :, None] * known
    pull = own.sum(axis=2)
    contrast = (periods.share * pull[:, :, None]).sum(axis=1) - own.sum(axis=1)
    mass = own.sum(axis=(1, 2))
    return Imputing(
        is_base=is_base,
        own=own,
        reply=(periods.inverse @ contrast[:, :, None])[:, :, 0],
        mass=np.where(mass > 0, mass, np.nan),
        periods=periods,
    )


def imputation_weights(start: Floats, seen: Bools, weight: Floats) -> Floats:
    """Return the weight of each outcome in the overall effect, shape (A, N, T): the estimate is their sum.

    NaN for a policy under which nothing can be imputed, or not all untreated periods hang together.

    Parameters
    ----------
    start, seen, weight
        See `ready_imputation`.
    """
    ready = ready_imputation(start, seen, weight)
    share, reply = ready.periods.share, ready.reply[:, None, :]
    of_level = ready.own.sum(axis=2, keepdims=True) * share
    of_period = ready.is_base * reply - share * (ready.is_base * reply).sum(axis=2, keepdims=True)
    return np.asarray((ready.own - of_level + of_period) / ready.mass[:, None, None], dtype=float)


def impute_many(start: Floats, seen: Bools, weight: Floats, y: Floats) -> BatchFit:
    """Impute under many policies; the numbers of `qbase.effects.fitting.imputation.fit_imputation`.

    Parameters
    ----------
    start, seen, weight
        See `ready_imputation`.
    y : numpy.ndarray, shape (A, M, N, T)
        Outcomes; anything outside the cells seen.
    """
    ready = ready_imputation(start, seen, weight)
    base = ready.is_base[:, None]
    inside = np.where(base, y, 0.0)
    size = np.maximum(ready.is_base.sum(axis=2), 1)[:, None]
    mean = inside.sum(axis=3) / size
    total = (np.where(base, inside - mean[..., None], 0.0)).sum(axis=2)
    period = total @ ready.periods.inverse
    level = mean - np.einsum("amt,ant->amn", period, ready.periods.share)
    rest = np.where(seen[:, None], y, 0.0) - level[..., None] - period[:, :, None]
    effects = np.where(ready.own[:, None] > 0, rest, 0.0)
    own = ready.own[:, None]
    influence = (np.where(base, rest, 0.0) * ready.reply[:, None, None]).sum(axis=3)
    influence += ((effects - _alike_means(start, ready.own, effects)) * own).sum(axis=3)
    return BatchFit(
        beta=(effects * own).sum(axis=(2, 3)) / ready.mass[:, None],
        influence=influence / ready.mass[:, None, None],
        n_treated=(ready.own > 0).any(axis=2).sum(axis=1).astype(np.int64),
    )


def _alike_means(start: Floats, own: Floats, effects: Floats) -> Floats:
    """Return what each effect is measured against where its error is asked for, shape (A, M, N, T).

    The mean of its cohort, or of the others where the cohort is one entity: the rule of
    `qbase.effects.fitting.imputed_terms.group_means`.
    """
    n_periods, squares = own.shape[2], own**2
    columns = [int(c) for c in np.unique(start[np.isfinite(start)]) if c < n_periods]
    by_event = np.zeros((*effects.shape[:2], n_periods))
    event_mass = np.zeros((len(own), 1, n_periods))
    sums, masses, sizes = {}, {}, {}
    for c in columns:
        part = squares * (start == c)[:, :, None]
        sums[c] = np.einsum("amnt,ant->amt", effects, part)
        masses[c] = part.sum(axis=1)[:, None]
        sizes[c] = (part > 0).sum(axis=1)[:, None]
        by_event[..., : n_periods - c] += sums[c][..., c:]
        event_mass[..., : n_periods - c] += masses[c][..., c:]
    whole = event_mass.sum(axis=2, keepdims=True)
    means = np.zeros(effects.shape)
    for c in columns:
        mine = masses[c].sum(axis=2, keepdims=True)
        apart = by_event.sum(axis=2, keepdims=True) - sums[c].sum(axis=2, keepdims=True)
        lone = sums[c].sum(axis=2, keepdims=True) / np.where(mine > 0, mine, 1.0)
        last = np.where(whole - mine > LINKED * whole, apart / np.where(whole > mine, whole - mine, 1.0), lone)
        rest, other = np.zeros(masses[c].shape), np.zeros(sums[c].shape)
        rest[..., c:] = event_mass[..., : n_periods - c] - masses[c][..., c:]
        other[..., c:] = by_event[..., : n_periods - c] - sums[c][..., c:]
        others = np.where(rest > LINKED * whole, other / np.where(rest > 0, rest, 1.0), last)
        found = np.where(sizes[c] > 1, sums[c] / np.where(masses[c] > 0, masses[c], 1.0), others)
        means += found[:, :, None] * (start == c)[:, None, :, None]
    return means
