"""What each class of estimator aims at: it is given the province without noise and answers in its own way.

Rates and weights are arrays of shape (C, T): clusters by quarters. A weight of 0 leaves a cell out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qbase.demo.world.firm_population import NEVER
from qbase.demo.world.geography import Bools, Floats, Ints

Estimator = Callable[[Floats, Floats, Ints], float]
_SWEEPS, _TOLERANCE = 400, 1e-10


def _treated(cohort: Ints, n_quarters: int) -> Bools:
    return np.arange(n_quarters)[None, :] >= cohort[:, None]


def _two_way(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return cluster and quarter effects of a weighted two-way fit, by alternating means."""
    c, t = np.zeros(len(values)), np.zeros(values.shape[1])
    row, column = np.maximum(weights.sum(1), 1e-12), np.maximum(weights.sum(0), 1e-12)
    for _ in range(_SWEEPS):
        new = ((values - t) * weights).sum(1) / row
        t = ((values - new[:, None]) * weights).sum(0) / column
        done = np.abs(new - c).max() < _TOLERANCE
        c = new
        if done:
            break
    return c, t


def imputation(rates: Floats, weights: Floats, cohort: Ints) -> float:
    """Fit two-way effects to untreated cells, predict the treated ones, average the differences."""
    treated = _treated(cohort, rates.shape[1])
    values = np.where(weights > 0, rates, 0.0)
    c, t = _two_way(values, np.where(treated, 0.0, weights))
    gap = values - c[:, None] - t
    return float(np.average(gap[treated], weights=weights[treated]))


def twfe(rates: Floats, weights: Floats, cohort: Ints) -> float:
    """Regress on cluster and quarter effects and one dummy of treatment."""
    treated = _treated(cohort, rates.shape[1]).astype(float)
    values = np.where(weights > 0, rates, 0.0)
    rest = []
    for x in (treated, values):
        c, t = _two_way(x, weights)
        rest.append(x - c[:, None] - t)
    return float((weights * rest[0] * rest[1]).sum() / (weights * rest[0] ** 2).sum())


def group_time(rates: Floats, weights: Floats, cohort: Ints) -> float:
    """Compare each cohort with the never treated since the quarter before adoption; average the cells.

    Every event time counts by its treated cells, as in Callaway and Sant'Anna (2021).
    """
    n = rates.shape[1]
    values = np.where(weights > 0, rates, 0.0)
    never = cohort >= NEVER
    control = _mean(values[never], weights[never])
    total, count = 0.0, 0.0
    for g in np.unique(cohort[~never]):
        own = cohort == g
        path, size = _mean(values[own], weights[own]), weights[own].sum(0)
        effect = (path[g:] - path[g - 1]) - (control[g:] - control[g - 1])
        good = np.isfinite(effect) & (np.arange(g, n) >= g)
        total += float((effect[good] * size[g:][good]).sum())
        count += float(size[g:][good].sum())
    return total / count if count else float("nan")


def _mean(values: Floats, weights: Floats) -> Floats:
    total = weights.sum(0)
    mean: Floats = np.divide((values * weights).sum(0), total, out=np.full(len(total), np.nan), where=total > 0)
    return mean


def logit_imputation(rates: Floats, weights: Floats, cohort: Ints) -> float:
    """Fit two-way effects in log odds to untreated cells, predict the treated ones, average the differences.

    Fractional logit by iteratively reweighted least squares; parallel trends hold in log odds instead of
    in percentage points, so its answer differs from `imputation` even without noise.
    """
    treated = _treated(cohort, rates.shape[1])
    values = np.clip(np.where(weights > 0, rates, 0.5), 1e-6, 1 - 1e-6)
    base = np.where(treated, 0.0, weights)
    eta = np.log(values / (1 - values))
    c, t = _two_way(eta, base)
    for _ in range(25):
        fitted = c[:, None] + t
        p = 1 / (1 + np.exp(-fitted))
        spread = np.maximum(p * (1 - p), 1e-9)
        new_c, new_t = _two_way(fitted + (values - p) / spread, base * spread)
        step = np.abs(new_c[:, None] + new_t - fitted).max()
        c, t = new_c, new_t
        if step < 1e-9:
            break
    gap = values - 1 / (1 + np.exp(-(c[:, None] + t)))
    return float(np.average(gap[treated], weights=weights[treated]))


ESTIMATORS: dict[str, Estimator] = {
    "twfe": twfe,
    "imputation": imputation,
    "group_time": group_time,
    "logit_imputation": logit_imputation,
}
