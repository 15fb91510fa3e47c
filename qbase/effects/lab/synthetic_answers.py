"""Synthetic control under placebo policies of one treated: the effect and its rank among the donors' own."""

from __future__ import annotations

import math

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.donors.donor_placebos import rank_among
from qbase.effects.donors.donor_pool import LEAST_BEFORE, LEAST_DONORS, MOST_DONORS, DonorPool, whole_block
from qbase.effects.donors.donor_weights import DonorFits, WeightSpec, fit_donors
from qbase.effects.lab.design_answers import Answers
from qbase.effects.lab.placebo_draws import Played
from qbase.effects.lab.untreated_history import History

SPEC = WeightSpec(method="sdid", solver="exact", ridge=None, starts=1, seed=0)
"""As `qbase.effects.estimate_synthetic` has it by default."""


def answer_synthetic(history: History, start: Floats, played: Played, *, level: float) -> Answers:
    """Answer by synthetic difference-in-differences, every other entity taking the place of the treated in turn.

    The weights rest on outcomes of the donors and on those of the treated before its start, so an effect moves nothing
    but the treated's own gap: each placebo policy is fitted once. There is no interval with one treated.

    Parameters
    ----------
    history : History
    start : numpy.ndarray, shape (A, N)
        One treated in each row.
    played : Played
        The first of its effects is 0.
    level : float
        A p value is only given where it could fall to 1 − level.
    """
    beta, p = (np.full(played.y.shape[:2], np.nan) for _ in range(2))
    known: dict[tuple[int, int, bytes], tuple[DonorFits, np.ndarray] | None] = {}
    for a, starts in enumerate(start):
        own = int(np.flatnonzero(np.isfinite(starts))[0])
        y = played.y[a, 0]
        key = own, int(starts[own]), y.tobytes()
        if key not in known:
            known[key] = _fit(history, own, int(starts[own]), y)
        found = known[key]
        if found is None:
            continue
        fits, after = found
        gained = played.y[a, :, own][:, after]
        beta[a] = fits.effects[0] + (gained - gained[:1]).mean(axis=1)
        if 1 / len(fits.effects) <= 1 - level + 1e-9:
            p[a] = [rank_among(float(b), fits.effects[1:])[1] for b in beta[a]]
    nothing = np.full(beta.shape, math.nan)
    return Answers(beta=beta, low=nothing, high=nothing, p=p)


def _fit(history: History, own: int, start: int, y: Floats) -> tuple[DonorFits, np.ndarray] | None:
    """Return the fits of the treated and of each donor in its place, and the columns their effects average.

    None where nothing can be compared.
    """
    grid = history.grid
    starts = np.full(len(y), np.nan)
    starts[own] = start
    grid = grid.with_start(starts)
    known = np.isfinite(y)
    held = known[own].copy()
    if held[:start].sum() < LEAST_BEFORE or not held[start:].any():
        return None
    usable, held = whole_block(known, ~grid.is_treated, held, start)
    n_donors = int(usable.sum())
    if not LEAST_DONORS <= n_donors <= MOST_DONORS:
        return None
    paths = np.vstack([y[usable][:, held], y[own][held]])
    columns = np.flatnonzero(held)
    n_before = int((columns < start).sum())
    pool = DonorPool(
        grid=grid,
        donors=tuple(e for e, kept in zip(grid.entities, usable, strict=True) if kept),
        treated=(grid.entities[own],),
        shares=np.ones(1),
        columns=tuple(int(c) for c in columns),
        n_before=n_before,
        paths=paths,
        match=paths[:, :n_before],
        outcomes=(grid.indicator.id,),
        predictors=np.empty((len(paths), 0)),
        predictor_names=(),
        without_cells=(),
        without_periods=(),
    )
    targets = np.zeros((n_donors + 1, n_donors + 1))
    targets[0, -1] = 1.0
    targets[1:, :-1] = np.eye(n_donors)
    allowed = np.vstack([np.ones((1, n_donors), dtype=bool), ~np.eye(n_donors, dtype=bool)])
    return fit_donors(pool, targets, allowed, SPEC), columns[n_before:]
