"""Least squares over weights that are not negative and sum to one: exactly, or by the steps of the published code."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from qbase.effects.comparison.outcome_grid import Floats

Bools = NDArray[np.bool_]
FIRST_STEPS = 100
MOST_STEPS = 10_000
KEPT_ABOVE = 4
"""After the first steps, weights of at most a quarter of the largest start again from 0."""


def fit_simplex(features: Floats, target: Floats, *, ridge: float = 0.0) -> Floats:
    """Minimise ‖features · w − target‖² + ridge ‖w‖² over the simplex, exactly.

    As the weights sum to one, the problem is to find the point nearest to 0 in the convex hull of
    ``features − target``; with one more row of ones it is a problem of non-negative least squares whose solution is
    proportional to it, and Lawson and Hanson's active set ends in finitely many steps.

    Parameters
    ----------
    features : numpy.ndarray, shape (L, J)
    target : numpy.ndarray, shape (L,)
    ridge : float

    Returns
    -------
    numpy.ndarray, shape (J,)

    References
    ----------
    Lawson, C. L. and Hanson, R. J. (1974). Solving Least Squares Problems, chapter 23.
    """
    apart = features - target[:, None]
    n_donors = features.shape[1]
    scale = max(float(np.abs(apart).max()), float(np.sqrt(ridge)), 1e-300)
    rows = [apart / scale, *([np.sqrt(ridge) / scale * np.eye(n_donors)] if ridge > 0 else []), np.ones((1, n_donors))]
    stacked = np.vstack(rows)
    aim = np.zeros(len(stacked))
    aim[-1] = 1.0
    weights = np.asarray(nnls(stacked, aim, maxiter=100 * n_donors + 1000)[0], dtype=float)
    return np.asarray(weights / weights.sum(), dtype=float)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SimplexBatch:
    """B problems of one size: minimise (w′ G w − 2 c′ w + ridge ‖w‖²) / rows over the simplex of what is allowed.

    Parameters
    ----------
    gram : numpy.ndarray, shape (n, n) shared, or (B, n, n)
        Cross products of the features.
    cross : numpy.ndarray, shape (B, n)
        Of the features with the target.
    ridge : numpy.ndarray, shape (B,)
    rows : numpy.ndarray, shape (B,)
        Number of rows of the features.
    allowed : numpy.ndarray of bool, shape (B, n)
    tolerance : numpy.ndarray, shape (B,)
        The steps end when one lowers the objective by less than its square.
    """

    gram: Floats
    cross: Floats
    ridge: Floats
    rows: Floats
    allowed: Bools
    tolerance: Floats


def fit_simplex_by_steps(batch: SimplexBatch) -> Floats:
    """Minimise by the Frank–Wolfe steps of R's synthdid, which the published figures come from.

    From equal weights at most 100 steps, small weights put to 0, then at most 10,000 steps. Where the limit is
    reached the result is near the optimum, not at it.

    Returns
    -------
    numpy.ndarray, shape (B, n)

    References
    ----------
    Arkhangelsky, D., Athey, S., Hirshberg, D. A., Imbens, G. W. and Wager, S. (2021). Synthetic
    difference-in-differences. American Economic Review 111, and the R package synthdid 0.0.9.
    """
    start = batch.allowed / batch.allowed.sum(axis=1, keepdims=True)
    early = _descend(batch, start, FIRST_STEPS)
    kept = np.where(early <= early.max(axis=1, keepdims=True) / KEPT_ABOVE, 0.0, early)
    return _descend(batch, kept / kept.sum(axis=1, keepdims=True), MOST_STEPS)


def _descend(batch: SimplexBatch, start: Floats, limit: int) -> Floats:
    done = np.array(start)
    live, x = np.arange(len(start)), np.array(start)
    shared = batch.gram.ndim == 2
    product = x @ batch.gram if shared else np.einsum("bij,bj->bi", batch.gram, x)
    product = product + batch.ridge[:, None] * x
    allowed, cross, ridge = np.where(batch.allowed, 0.0, np.inf), batch.cross, batch.ridge
    least, rows = batch.tolerance**2, batch.rows
    for step in range(limit):
        at = np.arange(len(live))
        slope = product - cross
        vertex = np.argmin(slope + allowed, axis=1)
        way = -x
        way[at, vertex] += 1.0
        bent = (batch.gram[vertex] if shared else batch.gram[live, vertex]) - product
        bent[at, vertex] += ridge
        curve, fall = np.einsum("bi,bi->b", way, bent), -np.einsum("bi,bi->b", slope, way)
        size = np.clip(np.divide(fall, curve, out=np.zeros_like(fall), where=curve > 0), 0.0, 1.0)
        x += size[:, None] * way
        product += size[:, None] * bent
        going = (2 * size * fall - size**2 * curve) / rows > least
        if step == 0 or going.all():
            continue
        done[live[~going]] = x[~going]
        live, x, product = live[going], x[going], product[going]
        allowed, cross, ridge, least, rows = (a[going] for a in (allowed, cross, ridge, least, rows))
        if not len(live):
            break
    done[live] = x
    return done
