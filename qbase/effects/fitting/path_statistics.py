"""What is looked at in a path, real or placebo: joint F and the largest absolute t of some of its terms."""

from __future__ import annotations

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.fitting.path_fit import Ints

FLAT = 1e-8
"""Directions whose variance is below this share of the largest are without noise: few clusters cannot span all leads."""


def sum_by_cluster(influence: Floats, cluster: Ints) -> Floats:
    """Return influence summed within clusters, shape (..., G, K), from (..., N, K)."""
    n_clusters = int(cluster.max()) + 1
    if n_clusters == influence.shape[-2]:
        return influence
    member = np.zeros((n_clusters, len(cluster)))
    member[cluster, np.arange(len(cluster))] = 1.0
    return np.asarray(member @ influence, dtype=float)


def joint_f(beta: Floats, scores: Floats) -> Floats:
    """Return F of terms that are jointly 0, with a pseudo-inverse where clusters are fewer than terms.

    Parameters
    ----------
    beta : numpy.ndarray, shape (A, q)
    scores : numpy.ndarray, shape (A, G, q)
        Influence summed by cluster.

    Returns
    -------
    numpy.ndarray, shape (A,)
        NaN where a coefficient is missing or none has any noise.
    """
    n_clusters = scores.shape[1]
    vcov = np.swapaxes(scores, 1, 2) @ scores * n_clusters / (n_clusters - 1)
    scale = np.sqrt(np.einsum("akk->ak", vcov))
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(scale > 0, beta / scale, 0.0)
        correlation = vcov / (scale[:, :, None] * scale[:, None, :])
    values, vectors = np.linalg.eigh(np.nan_to_num(correlation))
    solid = values > FLAT * values[:, -1:]
    along = np.einsum("akj,ak->aj", vectors, np.nan_to_num(t))
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.where(solid, along**2 / values, 0.0).sum(axis=1) / solid.sum(axis=1)
    return np.where(np.isfinite(beta).all(axis=1) & (values[:, -1] > 0), total, np.nan)


def largest_t(beta: Floats, scale: Floats) -> Floats:
    """Return the largest absolute ratio of coefficients to their scale, shape (A,); NaN where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(scale > 0, np.abs(beta) / scale, np.nan)
    empty = np.isnan(t).all(axis=1)
    return np.where(empty, np.nan, np.nanmax(np.where(empty[:, None], 0.0, t), axis=1))


def errors_of(scores: Floats) -> Floats:
    """Return clustered standard errors, shape (A, q), from influence summed by cluster."""
    n_clusters = scores.shape[1]
    return np.asarray(np.sqrt((scores**2).sum(axis=1) * n_clusters / (n_clusters - 1)), dtype=float)
