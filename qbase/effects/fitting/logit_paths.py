"""Imputation on the log-odds: passes the treated would have had, where trends are parallel on the logit scale."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from scipy.special import expit

from qbase.core.errors import UsageError
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.imputation import add_own_errors, contrast_of
from qbase.effects.fitting.imputed_terms import (
    Bools,
    Cells,
    Window,
    add_shares,
    known_cells,
    list_path_terms,
    memberships,
    sort_cells,
)
from qbase.effects.fitting.path_fit import Ints, PathFit, Term
from qbase.stats.regression.firth_logit import TwoWayLogit, find_shift, fit_level_logit, fit_two_way_logit, unbend_odds

WHOLE = 100.0
"""A rate in percent is this many times k / n."""

SAME = 1e-6
"""Points by which an outcome may differ from 100 k / n and still be that rate."""


def fit_logit_imputation(
    grid: OutcomeGrid,
    *,
    leads: int,
    lags: int,
    donut: int = 0,
    anticipation: int = 0,
    terms: tuple[Term, ...] | None = None,
) -> PathFit:
    """Fit effects as pass rates less those imputed from effects of entities and periods on the log-odds.

    Log-odds of untreated cells are fitted by grouped maximum likelihood with Firth's penalty, k of n as they were
    tested; empirical logits are off where many cells pass throughout. Rates so fitted lean towards one half: log-odds
    of each cell are freed of that by their own variance, and one shift of all of them makes the passes fitted in
    untreated cells those seen (FLIC). Effects are percentage points, seen less imputed, averaged as in
    `qbase.effects.fitting.imputation.fit_imputation`; leads take their period effects from the other cohorts and their
    level from the entity's own periods before the start, as there.

    Parameters
    ----------
    grid, leads, lags, donut, anticipation, terms
        See `qbase.effects.fitting.imputation.fit_imputation`. The outcome is 100 k / n.

    Returns
    -------
    PathFit
        Influence by the delta method, with the conservative errors of Borusyak, Jaravel and Spiess in treated cells.

    Raises
    ------
    UsageError
        The outcome is no plain rate of counts (QB543).
    DataError
        A fit that does not settle (QB542).

    References
    ----------
    Wooldridge, J. M. (2023). Simple approaches to nonlinear difference-in-differences with panel data. Econometrics
    Journal 26. Puhr, R. et al. (2017). Statistics in Medicine 36.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.core import Indicator, Text
    >>> from qbase.effects.comparison.outcome_grid import OutcomeGrid
    >>> from qbase.effects.fitting.logit_paths import fit_logit_imputation
    >>> n = np.full((4, 4), 50.0)
    >>> k = np.array([[40, 41, 42, 50], [38, 40, 41, 49], [45, 45, 46, 46], [44, 45, 45, 46]], dtype=float)
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> grid = OutcomeGrid(
    ...     indicator=rate, freq="A", entities=("a", "b", "c", "d"), first=50, y=100 * k / n, n=n, k=k,
    ...     start=np.array([3, 3, np.nan, np.nan]), weight=np.ones(4), cluster=np.arange(4),
    ... )
    >>> fit = fit_logit_imputation(grid, leads=1, lags=0)
    >>> {term: round(float(b), 2) for term, b in zip(fit.terms, fit.beta)}  # doctest: +NORMALIZE_WHITESPACE
    {('att', None): 14.57, ('event', -1): 0.47, ('event', 0): 14.57, ('cohort', 3): 14.57, ('period', 3): 14.57}
    """
    window = Window(leads=leads, lags=lags, donut=donut, anticipation=anticipation)
    return LogitEstimator(window=window, terms=terms or list_path_terms(grid, window))(grid)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogitEstimator:
    """Imputation on the log-odds with its options: the same terms on any grid.

    Parameters
    ----------
    window : Window
        Event times, and periods before the start that are no base.
    terms : tuple of Term
    """

    reads_counts: ClassVar[bool] = True

    window: Window
    terms: tuple[Term, ...]

    def __call__(self, grid: OutcomeGrid) -> PathFit:
        """Fit the grid's passes and batches."""
        counts = read_counts(grid)
        cells = sort_cells(grid, self.window, counts.n > 0)
        starts = [start for start, _ in cells.cohorts]
        rows = [at for _, at in cells.cohorts]
        members = list(memberships(self.terms, np.array(starts, dtype=np.int64), grid.n_periods))
        lags = impute_lags(grid, counts, cells, members)
        leads = [impute_leads(grid, counts, cells, lags, i, member) for i, member in enumerate(members)]
        shares = add_shares([a.weight + b.weight for a, b in zip(lags.cohorts, leads, strict=True)], members)
        beta, influence = np.zeros(len(self.terms)), lags.others + sum(lead.others for lead in leads)
        for parts, is_lead in ((lags.cohorts, False), (leads, True)):
            effects, weights = [part.effect for part in parts], [part.weight for part in parts]
            add_own_errors(influence, effects, weights, starts, members, rows, is_lead=is_lead)
            for effect, weight, member in zip(effects, weights, members, strict=True):
                beta += (effect * weight).sum(axis=0) @ member
        return shares.fit(self.terms, WHOLE * beta / shares.divisor, WHOLE * influence / shares.divisor)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """Passes and batches, 0 of 0 where there is no outcome; ``rate`` is their share, 0 there."""

    k: Floats
    n: Floats

    @property
    def rate(self) -> Floats:
        """Share passed, shape (N, T)."""
        return self.k / np.where(self.n > 0, self.n, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Imputed:
    """Effects of one cohort, as shares.

    Parameters
    ----------
    effect : numpy.ndarray, shape (N_g, T)
        Rate less imputed probability.
    weight : numpy.ndarray, shape (N_g, T)
        Of each cell; 0 where it cannot be imputed or does not count.
    others : numpy.ndarray, shape (N, K)
        What other entities add to the errors of the sums behind the terms.
    """

    effect: Floats
    weight: Floats
    others: Floats


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lags:
    """All cohorts from the start on, the fit behind them, and what untreated cells add to their errors."""

    fit: TwoWayLogit
    probability: Floats
    cohorts: tuple[Imputed, ...]
    others: Floats


def read_counts(grid: OutcomeGrid) -> Counts:
    """Return the counts behind an outcome that is their plain rate in percent.

    Raises
    ------
    UsageError
        It counts nothing, or is weighted or predicted (QB543).
    """
    seen = np.isfinite(grid.y)
    if grid.n is None or grid.k is None:
        raise _no_rate(grid, "an outcome without batches")
    counts = Counts(k=np.where(seen, grid.k, 0.0), n=np.where(seen, grid.n, 0.0))
    off = np.abs(WHOLE * counts.rate - np.where(seen, grid.y, 0.0)).max()
    if off > SAME or (seen & (grid.n <= 0)).any():
        raise _no_rate(grid, f"an outcome up to {off:.3g} away from 100 k / n")
    return counts


def _no_rate(grid: OutcomeGrid, found: str) -> UsageError:
    return UsageError(
        "QB543",
        outcome=grid.indicator.id,
        found=found,
        expected="the plain pass rate, 100 k / n in every cell",
        fix='scale="probability", or an outcome whose passes and batches are in the panel',
    )


def impute_rates(grid: OutcomeGrid, window: Window) -> Floats:
    """Return the rate in percent imputed for every cell, shape (N, T); NaN where it cannot be."""
    counts = read_counts(grid)
    cells = sort_cells(grid, window, counts.n > 0)
    lags = impute_lags(grid, counts, cells, [np.zeros((grid.n_periods, 0)) for _ in cells.cohorts])
    return np.where(known_cells(cells.is_base, lags.fit.labels), WHOLE * lags.probability, np.nan)


def impute_lags(grid: OutcomeGrid, counts: Counts, cells: Cells, members: list[Floats]) -> Lags:
    """Impute the treated cells of all cohorts from one fit of all untreated cells."""
    k, n = np.where(cells.is_base, counts.k, 0.0), np.where(cells.is_base, counts.n, 0.0)
    fit = fit_two_way_logit(k, n)
    eta = fit.log_odds
    p = expit(eta + find_shift(k, n, eta))
    total = np.maximum(fit.information.sum(axis=1, keepdims=True), 1e-300)
    known = known_cells(cells.is_base, fit.labels) & cells.is_treated
    cohorts, contrast = [], np.zeros((grid.n_periods, members[0].shape[1] if members else 0))
    for (_, rows), member in zip(cells.cohorts, members, strict=True):
        weight = grid.weight[rows, None] * known[rows]
        slope = weight * p[rows] * (1 - p[rows])
        contrast += contrast_of(slope, fit.information[rows] / total[rows], member)
        cohorts.append(Imputed(effect=counts.rate[rows] - p[rows], weight=weight, others=np.zeros(0)))
    return Lags(fit=fit, probability=p, cohorts=tuple(cohorts), others=fit.score @ (fit.inverse @ contrast))


def impute_leads(grid: OutcomeGrid, counts: Counts, cells: Cells, lags: Lags, which: int, member: Floats) -> Imputed:
    """Impute the cells of one cohort before its start from period effects of all others and its own levels."""
    rows = cells.cohorts[which][1]
    none = Imputed(
        effect=np.zeros((len(rows), grid.n_periods)),
        weight=np.zeros((len(rows), grid.n_periods)),
        others=np.zeros((len(grid.y), member.shape[1])),
    )
    is_other = cells.is_base.copy()
    is_other[rows] = False
    if not (member[: cells.cohorts[which][0]].any() and is_other.any()):
        return none
    k, n = np.where(is_other, counts.k, 0.0), np.where(is_other, counts.n, 0.0)
    fit = fit_two_way_logit(k, n, start=(np.where(is_other.any(axis=1), lags.fit.entity, 0.0), lags.fit.period))
    known = _comparable(fit.labels, cells.is_base[rows])
    own_k, own_n = np.where(known, counts.k[rows], 0.0), np.where(known, counts.n[rows], 0.0)
    level, information = fit_level_logit(own_k, own_n, fit.period)
    own_eta = unbend_odds(level[:, None] + fit.period, information, fit.inverse)
    shift = find_shift(np.vstack([k, own_k]), np.vstack([n, own_n]), np.vstack([fit.log_odds, own_eta]))
    p = expit(own_eta + shift)
    weight = grid.weight[rows, None] * known
    total = np.maximum(information.sum(axis=1, keepdims=True), 1e-300)
    contrast = contrast_of(weight * p * (1 - p), information / total, member)
    return Imputed(effect=counts.rate[rows] - p, weight=weight, others=fit.score @ (fit.inverse @ contrast))


def _comparable(labels: Ints, is_base: Bools) -> Bools:
    main = np.bincount(labels, weights=is_base.any(axis=0)).argmax()
    known = is_base & (labels == main)
    return np.asarray(known & (known.sum(axis=1) > 1)[:, None])
