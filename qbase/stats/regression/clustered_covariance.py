"""Covariances of least squares with few clusters, and the degrees of freedom that go with each."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kind = Literal["CR0", "CR1", "CR2", "CR3"]

SINGULAR = 1e-10
"""An eigenvalue of I − H below this is a direction the cluster fits by itself; it carries no residual."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ClusteredFit:
    """Coefficients of least squares with a clustered covariance.

    Parameters
    ----------
    beta : numpy.ndarray, shape (K,)
        Coefficients.
    vcov : numpy.ndarray, shape (K, K)
        Their covariance.
    df : numpy.ndarray, shape (K,)
        Satterthwaite degrees of freedom of each.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import ClusteredFit
    >>> ClusteredFit(beta=np.array([1.5]), vcov=np.array([[0.04]]), df=np.array([2.6])).std_errors
    array([0.2])
    """

    beta: Floats
    vcov: Floats
    df: Floats

    @property
    def std_errors(self) -> Floats:
        """Square roots of the diagonal of the covariance, shape (K,)."""
        return np.asarray(np.sqrt(np.diag(self.vcov)), dtype=float)


def fit_clustered(y: Floats, x: Floats, cluster: Ints, *, kind: Kind = "CR2") -> ClusteredFit:
    """Fit least squares with a clustered covariance corrected for few clusters.

    Residuals of cluster g are multiplied by A before their cross products are summed: CR0 the identity, CR1
    √(G/(G − 1)), CR2 (I − H)^(−1/2), CR3 (I − H)^(−1), where H is the cluster's block of the hat matrix. The degrees of
    freedom are Satterthwaite's under independent errors of one variance. Fixed effects of the clusters themselves, or
    of parts of them, may be taken out of ``y`` and ``x`` beforehand: they change neither A nor the degrees of freedom.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Outcome, net of fixed effects.
    x : numpy.ndarray, shape (n, K)
        Regressors of full rank, net of fixed effects.
    cluster : numpy.ndarray of int, shape (n,)
        Cluster of each row.
    kind : {"CR0", "CR1", "CR2", "CR3"}
        The correction. CR3 is the jackknife over clusters without its factor (G − 1)/G.

    Returns
    -------
    ClusteredFit

    References
    ----------
    Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with multi-stage
    samples. Survey Methodology 28.
    Pustejovsky, J. E. and Tipton, E. (2018). Small-sample methods for cluster-robust variance estimation and hypothesis
    testing in fixed effects models. J. Business and Economic Statistics 36.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import fit_clustered
    >>> x = np.array([[1.0, 0], [1, 0], [1, 1], [1, 1], [1, 0], [1, 1]])
    >>> fit = fit_clustered(np.array([3.0, 4, 6, 5, 3, 7]), x, np.array([0, 0, 1, 1, 2, 3]))
    >>> print(fit.beta.round(3), fit.std_errors.round(3), fit.df.round(2))
    [3.333 2.667] [0.236 0.745] [1. 2.]
    """
    bread = np.asarray(np.linalg.inv(x.T @ x), dtype=float)
    beta = bread @ x.T @ y
    residuals = y - x @ beta
    groups = [np.flatnonzero(cluster == g) for g in np.unique(cluster)]
    # one column a cluster of the maps from residuals to coefficients: coefficient k is off by Σ_g maps[g][k] · e_g
    maps = [_adjusted(x[rows], bread, kind, len(groups)) for rows in groups]
    scores = np.stack([m @ residuals[rows] for m, rows in zip(maps, groups, strict=True)])
    df = np.array([_satterthwaite([m[k] for m in maps], groups, x, bread) for k in range(x.shape[1])])
    return ClusteredFit(beta=beta, vcov=scores.T @ scores, df=df)


def _adjusted(x: Floats, bread: Floats, kind: Kind, n_clusters: int) -> Floats:
    """Return bread · X' · A of one cluster, shape (K, rows)."""
    if kind == "CR0":
        return np.asarray(bread @ x.T, dtype=float)
    if kind == "CR1":
        return np.asarray(bread @ x.T * np.sqrt(n_clusters / (n_clusters - 1)), dtype=float)
    values, vectors = np.linalg.eigh(np.eye(len(x)) - x @ bread @ x.T)
    power = np.zeros_like(values)
    solid = values > SINGULAR
    power[solid] = values[solid] ** (-0.5 if kind == "CR2" else -1.0)
    return np.asarray(bread @ x.T @ (vectors * power) @ vectors.T, dtype=float)


def _satterthwaite(weights: list[Floats], groups: list[Ints], x: Floats, bread: Floats) -> float:
    """Return 2 E(V)² / Var(V) of the variance Σ_g (w_g' e_g)² under errors of one variance."""
    n_clusters = len(groups)
    through = np.stack([w @ x[rows] for w, rows in zip(weights, groups, strict=True)])
    cross = -through @ bread @ through.T
    cross[np.diag_indices(n_clusters)] += np.array([w @ w for w in weights])
    return float(np.trace(cross) ** 2 / (cross**2).sum())
