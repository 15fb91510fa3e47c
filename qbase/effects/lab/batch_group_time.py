"""Group-time effects under many placebo policies at once: weights on cells, estimates, and each entity's influence.

The numbers are those of `qbase.effects.fitting.aggregation.GroupTimePath` with controls not yet treated and the period
before the start as base, one policy after the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.lab.batch_imputation import BatchFit, Bools


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CohortSides:
    """One start column: whom it treats, and who is compared with them, from it on.

    Parameters
    ----------
    column : int
    is_own : numpy.ndarray of bool, shape (A, N)
        Entities that start here.
    up, down : numpy.ndarray, shape (A, N, T)
        Share of each treated and each compared entity in its mean of a period; 0 where nothing can be compared.
    share : numpy.ndarray, shape (A, T)
        Of each period's effect in the overall one, not yet divided by the mass of all.
    size : numpy.ndarray, shape (A,)
        Sum of the weights of the cohort.
    """

    column: int
    is_own: Bools
    up: Floats
    down: Floats
    share: Floats
    size: Floats


def list_cohorts(start: Floats, seen: Bools, weight: Floats) -> Iterator[CohortSides]:
    """Yield every start column that has a period before it."""
    n_periods = seen.shape[2]
    there = seen.any(axis=2)
    for column in (int(c) for c in np.unique(start[np.isfinite(start)]) if 1 <= c < n_periods):
        is_own: Bools = (start == column) & there
        late = np.arange(n_periods) >= column
        both = seen & seen[:, :, column - 1 : column] & late
        waits = ~(start[:, :, None] <= np.arange(n_periods))
        sides = [weight[None, :, None] * (both & side) for side in (is_own[:, :, None], waits)]
        totals = [side.sum(axis=1, keepdims=True) for side in sides]
        can = (totals[0] > 0) & (totals[1] > 0)
        up, down = (
            np.where(can, side / np.where(total > 0, total, 1.0), 0.0)
            for side, total in zip(sides, totals, strict=True)
        )
        size = (weight[None, :] * is_own).sum(axis=1)
        yield CohortSides(column=column, is_own=is_own, up=up, down=down, share=size[:, None] * can[:, 0], size=size)


def group_time_weights(start: Floats, seen: Bools, weight: Floats) -> Floats:
    """Return the weight of each outcome in the overall effect, shape (A, N, T): the estimate is their sum.

    NaN for a policy under which nothing can be compared.

    Parameters
    ----------
    start, seen, weight
        See `qbase.effects.lab.batch_imputation.ready_imputation`.
    """
    weights, mass = np.zeros(seen.shape), np.zeros(len(seen))
    for cohort in list_cohorts(start, seen, weight):
        part = cohort.share[:, None, :] * (cohort.up - cohort.down)
        weights += part
        weights[:, :, cohort.column - 1] -= part.sum(axis=2)
        mass += cohort.share.sum(axis=1)
    return np.asarray(weights / np.where(mass > 0, mass, np.nan)[:, None, None], dtype=float)


def compare_many(start: Floats, seen: Bools, weight: Floats, y: Floats) -> BatchFit:
    """Compare each cohort with those not yet treated, under many policies.

    Parameters
    ----------
    start, seen, weight, y
        See `qbase.effects.lab.batch_imputation.impute_many`.
    """
    cohorts = list(list_cohorts(start, seen, weight))
    mass = sum((c.share.sum(axis=1) for c in cohorts), np.zeros(len(seen)))
    mass = np.where(mass > 0, mass, np.nan)[:, None]
    filled = np.where(seen[:, None], y, 0.0)
    beta, influence = np.zeros(y.shape[:2]), np.zeros(y.shape[:3])
    pulls: list[tuple[CohortSides, Floats]] = []
    behind: Bools = np.zeros(start.shape, dtype=bool)
    for cohort in cohorts:
        change = filled - filled[..., cohort.column - 1 : cohort.column]
        share = cohort.share[:, None, :]
        means = [(side[:, None] * change).sum(axis=2) for side in (cohort.up, cohort.down)]
        effect = means[0] - means[1]
        beta += (share * effect).sum(axis=2)
        for side, mean, sign in ((cohort.up, means[0], 1.0), (cohort.down, means[1], -1.0)):
            influence += sign * (share[:, :, None] * side[:, None] * (change - mean[:, :, None])).sum(axis=3)
        pulls.append((cohort, effect))
        behind |= cohort.is_own & (seen & (cohort.share > 0)[:, None, :]).any(axis=2)
    beta = beta / mass
    for cohort, effect in pulls:
        # a heavier cohort pulls the average its way: what its size adds to the error
        pull = (cohort.share[:, None] * (effect - beta[..., None])).sum(axis=2)
        pull = pull / np.where(cohort.size > 0, cohort.size, 1.0)[:, None]
        influence += (weight * cohort.is_own)[:, None] * pull[..., None]
    return BatchFit(beta=beta, influence=influence / mass[..., None], n_treated=behind.sum(axis=1).astype(np.int64))
