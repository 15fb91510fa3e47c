"""The jackknife over clusters (CRV3) for any estimator, with degrees of freedom that know how few are treated."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.core.errors import QbaseError
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.path_statistics import sum_by_cluster
from qbase.effects.fitting.path_fit import Estimator, PathFit


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Jackknife:
    """Coefficients without each cluster in turn.

    Parameters
    ----------
    deleted : numpy.ndarray, shape (G, K)
        NaN where a term cannot be estimated without that cluster.
    vcov : numpy.ndarray, shape (K, K)
        (G − 1)/G times the cross product of their differences from the estimate; NaN for a term that hangs on one
        cluster, which has no jackknife error.
    df : numpy.ndarray, shape (K,)
        Satterthwaite's, see `two_group_df`; never above G − 1.
    """

    deleted: Floats
    vcov: Floats
    df: Floats


def fit_jackknife(grid: OutcomeGrid, estimator: Estimator, fit: PathFit) -> Jackknife:
    """Estimate again without each cluster in turn.

    Parameters
    ----------
    grid : OutcomeGrid
    estimator : Estimator
        That gave ``fit`` on this grid.
    fit : PathFit

    Returns
    -------
    Jackknife

    References
    ----------
    MacKinnon, J. G., Nielsen, M. Ø. and Webb, M. D. (2023). Fast and reliable jackknife and bootstrap methods for
    cluster-robust inference. J. Applied Econometrics 38.
    """
    n_clusters = int(grid.cluster.max()) + 1
    deleted = np.full((n_clusters, len(fit.terms)), np.nan)
    for g in range(n_clusters):
        try:
            again = estimator(grid.keep(grid.cluster != g))
        except QbaseError:  # nothing can be compared without this cluster: no term has an error
            continue
        found = dict(zip(again.terms, again.beta, strict=True))
        deleted[g] = [found.get(term, np.nan) for term in fit.terms]
    apart = deleted - fit.beta
    vcov = apart.T @ apart * (n_clusters - 1) / n_clusters
    df = two_group_df(grid, fit)
    return Jackknife(deleted=deleted, vcov=np.asarray(vcov, dtype=float), df=df)


def two_group_df(grid: OutcomeGrid, fit: PathFit) -> Floats:
    """Return Satterthwaite's degrees of freedom of each term, its variance split between treated and comparison.

    V² / (V₁²/(G₁ − 1) + V₀²/(G₀ − 1)) with the parts of the variance from the treated clusters behind a term and from
    the others: Welch's formula. With four treated of few batches almost all variance is theirs, and there are three
    degrees of freedom, whatever the number of clusters.

    Returns
    -------
    numpy.ndarray, shape (K,)
        At most G − 1; NaN for a term one treated cluster stands behind.

    References
    ----------
    Welch, B. L. (1947). The generalization of "Student's" problem when several different population variances are
    involved. Biometrika 34.
    Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with multi-stage
    samples. Survey Methodology 28.
    """
    scores = sum_by_cluster(fit.influence, grid.cluster) ** 2
    n_clusters = len(scores)
    is_treated = np.zeros(n_clusters, dtype=bool)
    is_treated[grid.cluster[grid.is_treated]] = True
    mine, others = scores[is_treated].sum(axis=0), scores[~is_treated].sum(axis=0)
    behind = np.minimum(fit.n_treated, is_treated.sum()).astype(float)
    compared = np.maximum((scores[~is_treated] > 0).sum(axis=0), 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        df = (mine + others) ** 2 / (mine**2 / (behind - 1) + others**2 / (compared - 1))
    return np.where(behind > 1, np.minimum(df, n_clusters - 1), np.nan)
