"""How firms come into the sample: draws of fixed size with exactly known inclusion probabilities.

Systematic sampling from a list in random order, in integers of one millionth: a firm with inclusion
probability p is hit by the grid with probability p exactly, and the draw is the same on every machine.
"""

from __future__ import annotations

import numpy as np

from qbase.demo.world.geography import Bools, Floats, Ints

MILLION = 1_000_000


def expit(eta: Floats) -> Floats:
    """Return probabilities rounded to one millionth, so that every platform draws alike."""
    return np.round(1 / (1 + np.exp(-eta)), 6)


def logit(p: Floats) -> Floats:
    """Return log odds."""
    return np.log(p) - np.log1p(-p)


def inclusion(weights: Floats, cluster: Ints, sizes: Ints) -> Ints:
    """Return inclusion probabilities in millionths, proportional to the weights within each cluster.

    Parameters
    ----------
    weights : numpy.ndarray, shape (F,)
        Not negative; 0 keeps a firm out.
    cluster : numpy.ndarray, shape (F,)
        Position of the cluster.
    sizes : numpy.ndarray, shape (C,)
        Wanted draws per cluster; no more than there are firms to draw.

    Returns
    -------
    numpy.ndarray, shape (F,)
        Where a firm would exceed 1 it is taken for certain and the others share the rest.
    """
    n_clusters = len(sizes)
    able = np.bincount(cluster, weights > 0, n_clusters)
    left = np.minimum(sizes, able).astype(float)
    pi = np.zeros(len(weights))
    free = weights > 0
    for _ in range(12):
        total = np.bincount(cluster, np.where(free, weights, 0.0), n_clusters)
        scale = np.divide(left, total, out=np.zeros(n_clusters), where=total > 0)
        pi = np.where(free, weights * scale[cluster], pi)
        over = free & (pi >= 1)
        if not over.any():
            break
        pi[over] = 1.0
        free &= ~over
        left = np.maximum(left - np.bincount(cluster, over, n_clusters), 0)
    return np.rint(np.clip(pi, 0, 1) * MILLION).astype(np.int64)


def draw(pi: Ints, cluster: Ints, order_key: Floats, start: Ints) -> Ints:
    """Draw one systematic sample per cluster.

    Parameters
    ----------
    pi : numpy.ndarray, shape (F,)
        Inclusion probabilities in millionths.
    cluster, order_key : numpy.ndarray, shape (F,)
        The list is shuffled within clusters by the key.
    start : numpy.ndarray, shape (C,)
        Random start of each grid, 0 to 999 999.

    Returns
    -------
    numpy.ndarray
        Positions of the firms drawn, ascending.
    """
    candidates = np.flatnonzero(pi)
    order = candidates[np.lexsort((order_key[candidates], cluster[candidates]))]
    summed = np.cumsum(pi[order])
    groups = cluster[order]
    first = np.r_[True, groups[1:] != groups[:-1]] if len(order) else np.zeros(0, dtype=bool)
    offset = np.maximum.accumulate(np.where(first, summed - pi[order], 0)) if len(order) else summed
    upper = summed - offset + start[groups]
    hit = upper // MILLION > (upper - pi[order]) // MILLION
    return np.sort(order[hit])


def family_draw(p: Floats, common: Floats, rho: float, rng: np.random.Generator) -> Bools:
    """Draw outcomes with probability p each and correlation rho within a family.

    With probability sqrt(rho) a member follows the family's common number, else its own: every
    member keeps exactly its p, and two members with equal p are correlated by rho.

    Parameters
    ----------
    p : numpy.ndarray, shape (N,)
        Probabilities of a pass.
    common : numpy.ndarray, shape (N,)
        Uniform number of the family each draw belongs to.
    rho : float
        Correlation.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    numpy.ndarray of bool, shape (N,)
        Passed or not.
    """
    own = rng.random(len(p))
    follows = rng.random(len(p)) < round(float(np.sqrt(rho)), 6)
    return np.where(follows, common, own) < p
