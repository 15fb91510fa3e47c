"""Simultaneous intervals: one critical value that covers a whole path at once."""

from __future__ import annotations

import numpy as np
from scipy import stats

from qbase.effects.fitting.two_way_fit import Floats

DRAWS = 50_000
"""Monte-Carlo error of the 95 % critical value is then about 0.01 (20,000 draws: 0.015)."""

JITTER = 1e-9
"""With few clusters the correlation is singular; this keeps its Cholesky factor, and its draws, stable."""


def sup_t_value(vcov: Floats, df: float, *, level: float, seed: int, draws: int = DRAWS) -> float:
    """Return the critical value c such that all |t| ≤ c at once with the given probability.

    Quantile of the largest absolute component of a multivariate t with the correlation of the estimates and
    ``df`` degrees of freedom, by simulation with a fixed seed; never below the pointwise value.

    Parameters
    ----------
    vcov : numpy.ndarray, shape (K, K)
        Covariance of the estimates.
    df : float
        Degrees of freedom.
    level : float
        Simultaneous confidence level.
    seed : int
        Of the simulation.
    draws : int
        Number of simulated paths.

    References
    ----------
    Montiel Olea, J. L. and Plagborg-Møller, M. (2019). Simultaneous confidence bands. J. Applied Econometrics 34.
    """
    scale = np.sqrt(np.diag(vcov))
    correlation = vcov / np.outer(scale, scale)
    k = len(scale)
    factor = _factor(correlation)
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((draws, k)) @ factor.T
    spread = np.sqrt(rng.chisquare(df, draws) / df)
    largest = np.abs(normal).max(axis=1) / spread
    return max(float(np.quantile(largest, level)), float(stats.t.ppf(0.5 + level / 2, df)))


def _factor(correlation: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.cholesky(correlation + JITTER * np.eye(len(correlation))), dtype=float)
    except np.linalg.LinAlgError:  # an eigenvalue below -1e-9, from rounding in a badly scaled problem
        values, vectors = np.linalg.eigh(correlation)
        return np.asarray(vectors * np.sqrt(np.clip(values, 0, None)), dtype=float)
