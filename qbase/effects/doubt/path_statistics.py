"""What is looked at in a path, real or placebo: joint F and the largest absolute t of some of its terms."""

from __future__ import annotations

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.fitting.path_fit import Ints

FLAT = 1e-8
"""Directions with less than this share of the largest variance are without noise: few clusters cannot span all."""


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


def quadratic_f(every: Floats) -> Floats:
    """Return the joint F of observed and placebo coefficients against how all of them vary together.

    The covariance is that of all rows around 0, the observed one among them, so that exchangeable rows stay so.

    Parameters
    ----------
    every : numpy.ndarray, shape (A, q)

    Returns
    -------
    numpy.ndarray, shape (A,)
        NaN where a coefficient is missing.
    """
    whole = every[np.isfinite(every).all(axis=1)]
    scale = np.sqrt((whole**2).mean(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh((whole / scale).T @ (whole / scale) / len(whole))
    solid = values > FLAT * values[-1]
    along = (every / scale) @ vectors[:, solid]
    return np.asarray((along**2 / values[solid]).mean(axis=1), dtype=float)


def largest_t(every: Floats, *, scaled: bool = False) -> Floats:
    """Return the largest absolute coefficient of each row against how all rows vary, shape (A,).

    Parameters
    ----------
    every : numpy.ndarray, shape (A, q)
        Observed and placebo coefficients.
    scaled : bool
        Whether they are of one scale already.
    """
    scale = np.ones(every.shape[1]) if scaled else np.sqrt(np.nanmean(every**2, axis=0))
    return np.asarray(np.abs(every / np.where(scale > 0, scale, 1.0)).max(axis=1), dtype=float)
