"""The wild cluster bootstrap of any linear estimator, on its influence by cluster: all signs up to twelve clusters."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Literal

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.path_statistics import sum_by_cluster
from qbase.effects.doubt.placebo_paths import is_linear
from qbase.effects.fitting.path_fit import Estimator, PathFit
from qbase.stats.testing.adoption_permutations import inverted_limits, permutation_p

ENUMERATED = 12
"""Up to so many clusters all 2^G sign vectors are run through."""

DRAWS = 9_999

WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))

Signs = Literal["rademacher", "webb"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Wild:
    """P values and intervals of the wild cluster bootstrap, each of shape (K,).

    ``p_floor`` is the smallest p value the signs can give: 2/2^G when enumerated, since all signs turned around give
    the same statistic.
    """

    p_value: Floats
    ci_low: Floats
    ci_high: Floats
    p_floor: float
    is_null_imposed: bool


def sign_vectors(n_clusters: int, *, signs: Signs = "rademacher", draws: int = DRAWS, seed: int = 0) -> Floats:
    """Return vectors of random signs other than the identity, shape (B, G): all of them up to twelve clusters.

    Parameters
    ----------
    n_clusters : int
    signs : {"rademacher", "webb"}
        ±1, or Webb's six values ±√½, ±1, ±√1½; only ±1 is enumerated.
    draws : int
        Where there are more than twelve clusters, or Webb's values are asked for.
    seed : int
        Of the draws.
    """
    if n_clusters <= ENUMERATED and signs == "rademacher":
        return np.array(list(itertools.product([1.0, -1.0], repeat=n_clusters)))[1:]
    rng = np.random.default_rng(seed)
    if signs == "webb":
        return rng.choice(np.concatenate([WEBB, -WEBB]), (draws, n_clusters))
    return rng.choice(np.array([1.0, -1.0]), (draws, n_clusters))


def shares_by_cluster(grid: OutcomeGrid, estimator: Estimator, fit: PathFit) -> Floats | None:
    """Return the share of each cluster's effect in each term, shape (G, K); None for an estimator not linear in y.

    The effect of one cluster alone, set to 1 in its treated cells and 0 elsewhere, is estimated as its share.
    """
    if not is_linear(grid, estimator, fit):
        return None
    since = grid.event_time >= 0
    n_clusters = int(grid.cluster.max()) + 1
    shares = np.zeros((n_clusters, len(fit.terms)))
    holes = np.where(np.isfinite(grid.y), 0.0, np.nan)
    for g in np.unique(grid.cluster[grid.is_treated]):
        alone = (since & (grid.cluster == g)[:, None]).astype(float) + holes
        shares[g] = estimator(dataclasses.replace(grid, y=alone)).beta
    return shares


def bootstrap_wild(
    grid: OutcomeGrid,
    estimator: Estimator,
    fit: PathFit,
    *,
    level: float = 0.95,
    signs: Signs = "rademacher",
    draws: int = DRAWS,
    seed: int = 0,
) -> Wild:
    """Turn the signs of the clusters' influence around and see how often chance does as much.

    Under a hypothesis a cluster's influence is its influence on the estimate plus its share times what the estimate is
    off: the null is imposed wherever the estimator is linear. The statistic is the coefficient itself; with signs ±1
    its clustered error does not depend on them. Intervals hold every hypothesis the same signs do not reject, found
    without search (`qbase.stats.inverted_limits`). Leads have no share of an effect: their null is that of no
    difference, and their interval is that of the unrestricted bootstrap.

    Parameters
    ----------
    grid, estimator, fit
        The grid, and what gave ``fit`` on it.
    level : float
        Of the intervals; infinite where the floor lies above 1 − level.
    signs, draws, seed
        See `sign_vectors`.

    Returns
    -------
    Wild

    References
    ----------
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2008). Bootstrap-based improvements for inference with clustered
    errors. Review of Economics and Statistics 90.
    Kline, P. and Santos, A. (2012). A score based approach to wild bootstrap inference. J. Econometric Methods 1.
    Webb, M. D. (2023). Reworking wild bootstrap-based inference for clustered errors. Canadian J. of Economics 56.
    """
    scores = sum_by_cluster(fit.influence, grid.cluster)
    shares = shares_by_cluster(grid, estimator, fit)
    given = np.zeros_like(scores) if shares is None else np.nan_to_num(shares)
    vectors = sign_vectors(len(scores), signs=signs, draws=draws, seed=seed)
    shift, lever = vectors @ scores, vectors @ given
    n_terms = len(fit.terms)
    p, low, high = np.full(n_terms, np.nan), np.full(n_terms, np.nan), np.full(n_terms, np.nan)
    for k in np.flatnonzero(np.isfinite(fit.beta) & (np.abs(scores).max(axis=0) > 0)):
        p[k] = permutation_p(abs(fit.beta[k]), np.abs(shift[:, k] + lever[:, k] * fit.beta[k]))
        nearest, farthest = inverted_limits(shift[:, k], lever[:, k], level=level)
        low[k], high[k] = fit.beta[k] - farthest, fit.beta[k] - nearest
    is_enumerated = len(scores) <= ENUMERATED and signs == "rademacher"
    floor = 2 / (1 + len(vectors)) if is_enumerated else 1 / (1 + len(vectors))
    return Wild(p_value=p, ci_low=low, ci_high=high, p_floor=floor, is_null_imposed=shares is not None)
