"""From effects by cohort and period to the overall effect and those by event time, cohort and period."""

from __future__ import annotations

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.group_time import Bools, GroupTime
from qbase.effects.fitting.path_fit import Ints, PathFit, Term


def aggregate_effects(grid: OutcomeGrid, found: GroupTime, *, leads: int, lags: int, balanced: bool = False) -> PathFit:
    """Average group-time effects by the weight of the cohorts.

    Parameters
    ----------
    grid : OutcomeGrid
        Its weights are those of the average.
    found : GroupTime
        From `qbase.effects.fitting.group_time.fit_group_time`.
    leads, lags : int
        Event times from −leads to lags. The overall effect covers all treated cells, whatever the window; periods
        before the start are never part of it.
    balanced : bool
        Only cohorts observed in every event time from 0 to lags stand behind the event times from 0 on.

    Returns
    -------
    PathFit
        Shares of cohorts are estimated too: their part of the error is in ``influence``, as in R's ``did``.
    """
    rows = [np.flatnonzero(grid.start == g) for g in found.cohorts]
    mass = np.array([grid.weight[r].sum() for r in rows])
    starts, columns = np.array(found.cohorts, dtype=int), np.arange(grid.n_periods)
    event = columns[None, :] - starts[:, None]
    late = (event >= 0) & np.isfinite(found.att)
    terms: list[Term] = [("att", None)]
    masks: list[Bools] = [late]
    whole = _whole(found, event, lags) if balanced else np.ones(len(starts), dtype=bool)
    for e in range(-leads, lags + 1):
        terms.append(("event", e))
        masks.append((event == e) & np.isfinite(found.att) & (whole[:, None] | (e < 0)))
    for i, g in enumerate(found.cohorts):
        terms.append(("cohort", g))
        masks.append(late & (np.arange(len(starts)) == i)[:, None])
    for t in range(min(found.cohorts, default=0), grid.n_periods):
        terms.append(("period", t))
        masks.append(late & (columns == t)[None, :])
    beta, influence = _averages(grid, found, masks, rows, mass)
    seen = [np.isfinite(grid.y[r]) for r in rows]
    counts = [_behind(found, mask, [grid.weight[r] for r in rows], seen) for mask in masks]
    return PathFit(
        terms=tuple(terms),
        beta=beta,
        influence=influence,
        n_treated=np.array([c[0] for c in counts], dtype=np.int64),
        n_cells=np.array([c[1] for c in counts], dtype=np.int64),
        n_effective=np.array([c[2] for c in counts]),
    )


def _whole(found: GroupTime, event: np.ndarray, lags: int) -> Bools:
    return np.array(
        [set(range(lags + 1)) <= set(event[i][np.isfinite(found.att[i])].tolist()) for i in range(len(found.cohorts))],
        dtype=bool,
    )


def _averages(
    grid: OutcomeGrid, found: GroupTime, masks: list[Bools], rows: list[Ints], mass: Floats
) -> tuple[Floats, Floats]:
    shares = np.array([_shares(mask, mass) for mask in masks])
    att = np.where(np.isfinite(found.att), found.att, 0.0)
    is_there = np.array([mask.any() for mask in masks])
    beta = np.where(is_there, np.einsum("kgt,gt->k", shares, att), np.nan)
    influence = found.spread(shares)
    for i, own in enumerate(rows):
        # a heavier cohort pulls the average its way: what its size adds to the error
        pull = (shares[:, i, :] * (att[i] - np.where(is_there, beta, 0.0)[:, None])).sum(axis=1) / mass[i]
        influence[own] += grid.weight[own, None] * pull[None, :]
    return beta, influence


def _shares(mask: Bools, mass: Floats) -> Floats:
    weights = mask * mass[:, None]
    total = weights.sum()
    return np.asarray(weights / total if total > 0 else weights, dtype=float)


def _behind(found: GroupTime, mask: Bools, weights: list[Floats], seen: list[Bools]) -> tuple[int, int, float]:
    """Return treated entities and cells behind an average, and its effective number of entities."""
    n, total, squares = 0, 0.0, 0.0
    for i in np.flatnonzero(mask.any(axis=1)):
        periods = seen[i][:, mask[i]].sum(axis=1)
        share = weights[i] * periods
        n, total, squares = n + int((periods > 0).sum()), total + share.sum(), squares + (share**2).sum()
    return n, int(found.n_treated[mask].sum()), float(total**2 / squares) if squares else 0.0
