"""Two-way fixed effects, and before against after, under many placebo policies at once.

The numbers are those of `qbase.effects.extra.twfe` (clustered by entity, small-sample factor of fixest) and of
`qbase.effects.estimators.before_after`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.fitting.two_way_fit import NO_DOUBT
from qbase.effects.lab.batch_imputation import Bools, Periods, factor_cells


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PlainFit:
    """Estimates of A policies in M outcomes with their errors.

    Parameters
    ----------
    beta, std_error : numpy.ndarray, shape (A, M)
        NaN where there is none.
    df : numpy.ndarray, shape (A,)
        Of t.
    n_treated : numpy.ndarray of int, shape (A,)
    """

    beta: Floats
    std_error: Floats
    df: Floats
    n_treated: NDArray[np.int64]


def regress_many(start: Floats, seen: Bools, y: Floats) -> PlainFit:
    """Regress outcomes on treatment, entity and period effects; entities weigh the same.

    Parameters
    ----------
    start, seen, y
        See `qbase.effects.lab.batch_imputation.impute_many`.
    """
    treated = seen & (np.arange(seen.shape[2]) - start[:, :, None] >= 0)
    periods = factor_cells(seen)
    dummy = _within(treated.astype(float)[:, None], seen, periods)[:, 0]
    outcome = _within(np.where(seen[:, None], y, 0.0), seen, periods)
    total = (dummy**2).sum(axis=(1, 2))
    total = np.where(total > NO_DOUBT * np.maximum(treated.sum(axis=(1, 2)), 1), total, np.nan)[:, None]
    beta = (dummy[:, None] * outcome).sum(axis=(2, 3)) / total
    scores = (dummy[:, None] * (outcome - beta[..., None, None] * dummy[:, None])).sum(axis=3)
    n, entities = seen.sum(axis=(1, 2)), seen.any(axis=2).sum(axis=1)
    counted = 1 + seen.any(axis=1).sum(axis=1)
    factor = (entities / (entities - 1) * (n - 1) / (n - counted))[:, None]
    error = np.sqrt(factor * (scores**2).sum(axis=2)) / total
    spread = np.sqrt((outcome**2).sum(axis=(2, 3)) / n[:, None])
    return PlainFit(
        beta=beta,
        std_error=np.where(error > NO_DOUBT * spread, error, np.nan),
        df=(entities - 1).astype(float),
        n_treated=treated.any(axis=2).sum(axis=1).astype(np.int64),
    )


def _within(values: Floats, cells: Bools, periods: Periods) -> Floats:
    """Return values, (A, M, N, T) and 0 outside the cells, net of entity and period effects."""
    share, inside = periods.share[:, None], cells[:, None]
    centred = np.where(inside, values - (values * share).sum(axis=3, keepdims=True), 0.0)
    period = centred.sum(axis=2) @ periods.inverse
    step = period[:, :, None] - (share * period[:, :, None]).sum(axis=3, keepdims=True)
    return np.asarray(np.where(inside, centred - step, 0.0), dtype=float)


def pair_many(start: Floats, seen: Bools, weight: Floats, y: Floats, season: NDArray[np.int64]) -> PlainFit:
    """Compare the treated after their start with themselves before, season by season.

    Parameters
    ----------
    start, seen, weight, y
        See `qbase.effects.lab.batch_imputation.impute_many`.
    season : numpy.ndarray of int, shape (T,)
        Of each period; one by year.
    """
    since = np.arange(seen.shape[2]) - start[:, :, None]
    pull, pairs = np.zeros(seen.shape), np.zeros(start.shape)
    for which in np.unique(season):
        alike = seen & (season == which)
        sides = [alike & (since >= 0), alike & (since < 0)]
        after, before = (side.sum(axis=2) for side in sides)
        paired = (after > 0) & (before > 0)
        pairs += paired
        for side, number, sign in ((sides[0], after, 1.0), (sides[1], before, -1.0)):
            pull += sign * side * (paired / np.maximum(number, 1))[:, :, None]
    change = np.einsum("amnt,ant->amn", np.where(seen[:, None], y, 0.0), pull / np.maximum(pairs, 1)[:, :, None])
    share = np.where(pairs > 0, weight, 0.0)
    total = share.sum(axis=1, keepdims=True)
    share = share / np.where(total > 0, total, np.nan)
    beta = (change * share[:, None]).sum(axis=2)
    n = (pairs > 0).sum(axis=1)
    squares = ((share[:, None] * (change - beta[..., None])) ** 2).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(squares * (n / (n - 1))[:, None])
    return PlainFit(
        beta=beta,
        std_error=np.where(error > 0, error, np.nan),
        df=(n - 1).astype(float),
        n_treated=n.astype(np.int64),
    )
