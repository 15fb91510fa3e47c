"""What every estimator of this room returns before inference: coefficients, and who is behind each of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid

Ints = NDArray[np.int64]
Term = tuple[str, int | None]
"""``("att", None)``, ``("event", −2)``, ``("cohort", 12)`` or ``("period", 14)``; both by column of the grid."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PathFit:
    """Coefficients of one estimator on one grid.

    Parameters
    ----------
    terms : tuple of Term, length K
        What each coefficient is: first the overall effect, then event times in order, cohorts, periods.
    beta : numpy.ndarray, shape (K,)
        In the outcome's unit; NaN where a term cannot be estimated on this grid.
    influence : numpy.ndarray, shape (N, K)
        What each entity adds to a coefficient's error: their cross product, summed by cluster, is the covariance
        without a small-sample factor. 0 for a term that cannot be estimated.
    n_treated, n_cells : numpy.ndarray of int, shape (K,)
        Treated entities and treated cells behind each.
    n_effective : numpy.ndarray, shape (K,)
        1 / Σ share² over the treated entities.
    """

    terms: tuple[Term, ...]
    beta: Floats
    influence: Floats
    n_treated: Ints
    n_cells: Ints
    n_effective: Floats

    def pick(self, kind: str, *, leads: bool | None = None) -> Ints:
        """Return the positions of the terms of a kind; of event times only those before (or from) the start."""
        return np.array(
            [
                i
                for i, (name, at) in enumerate(self.terms)
                if name == kind and (leads is None or ((at or 0) < 0) == leads)
            ],
            dtype=np.int64,
        )


Estimator = Callable[[OutcomeGrid], PathFit]
"""The same terms, in the same order, whatever the dates of adoption: what permutations and jackknives call again."""


def clustered_vcov(fit: PathFit, cluster: Ints) -> Floats:
    """Return the covariance of the coefficients, clustered, with the factor G / (G − 1).

    Parameters
    ----------
    fit : PathFit
    cluster : numpy.ndarray of int, shape (N,)
        Labels 0 to G − 1.

    Returns
    -------
    numpy.ndarray, shape (K, K)
    """
    n_clusters = int(cluster.max()) + 1
    sums = fit.influence
    if n_clusters < len(cluster):
        sums = np.zeros((n_clusters, fit.influence.shape[1]))
        np.add.at(sums, cluster, fit.influence)
    return np.asarray(sums.T @ sums * n_clusters / (n_clusters - 1), dtype=float)
