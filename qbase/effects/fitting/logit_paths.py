"""Imputation on the log-odds: passes the treated would have had, where trends are parallel on the logit scale."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import expit

from qbase.core.errors import UsageError
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.imputation import add_own_errors, contrast_of
from qbase.effects.fitting.imputed_terms import (
    Bools,
    Cells,
    Shares,
    Window,
    add_shares,
    known_cells,
    list_path_terms,
    memberships,
    sort_cells,
)
from qbase.effects.fitting.path_fit import Ints, PathFit, Term
from qbase.stats.regression.firth_logit import (
    TwoWayLogit,
    find_shift,
    fit_level_logit,
    fit_two_way_logit,
    row_totals,
    unbend_odds,
)

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
    refuse_no_rate(grid)
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

    window: Window
    terms: tuple[Term, ...]

    def __call__(self, grid: OutcomeGrid) -> PathFit:
        """Fit the grid's rates as passes of its batches."""
        found = self._impute(grid)
        starts = [start for start, _ in found.cells.cohorts]
        rows = [at for _, at in found.cells.cohorts]
        beta, influence = np.zeros(len(self.terms)), sum_others(found, len(grid.y), len(self.terms))
        for parts, is_lead in ((found.lags, False), (found.leads, True)):
            effects, weights = [part.effect for part in parts], [part.weight for part in parts]
            add_own_errors(influence, effects, weights, starts, found.members, rows, is_lead=is_lead)
            for effect, weight, member in zip(effects, weights, found.members, strict=True):
                beta += (effect * weight).sum(axis=0) @ member
        divisor = found.shares.divisor
        return found.shares.fit(self.terms, WHOLE * beta / divisor, WHOLE * influence / divisor)

    def fit_many(self, grid: OutcomeGrid, outcomes: Floats) -> Floats:
        """Return coefficients (A, K) of outcomes (A, N, T) to first order about the fit of the grid.

        For deviations in points, such as histories exchanged between entities: each moves the log-odds by one step of
        the scoring algorithm, from the rates the grid's own outcome has given.
        """
        found = self._impute(grid)
        y = np.nan_to_num(outcomes)
        score = y * found.counts.n * found.cells.is_base
        beta = np.zeros((len(y), len(self.terms)))
        for parts in (found.lags, found.leads):
            for part, (_, rows), member in zip(parts, found.cells.cohorts, found.members, strict=True):
                moved = part.slope * step_log_odds(score, part, rows)
                beta += (y[:, rows] * part.weight - moved).sum(axis=1) @ member
        return np.where(found.shares.mass > 0, beta / found.shares.divisor, np.nan)

    def _impute(self, grid: OutcomeGrid) -> Found:
        counts = count_passes(grid)
        cells = sort_cells(grid, self.window, counts.n > 0)
        starts = np.array([start for start, _ in cells.cohorts], dtype=np.int64)
        members = list(memberships(self.terms, starts, grid.n_periods))
        lags = impute_lags(grid, counts, cells)
        leads = [impute_leads(grid, counts, cells, lags[1], i, member) for i, member in enumerate(members)]
        shares = add_shares(
            [a.weight + b.weight for a, b in zip(lags[0], leads, strict=True)], members, len(self.terms)
        )
        return Found(counts=counts, cells=cells, members=members, lags=lags[0], leads=leads, shares=shares)


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
    weight, slope : numpy.ndarray, shape (N_g, T)
        Weight of each cell, 0 where it cannot be imputed or does not count; and that times p (1 − p).
    own : numpy.ndarray, shape (N_g, T)
        Information of the cells behind the level of each entity.
    fit : TwoWayLogit
        Behind the period effects.
    """

    effect: Floats
    weight: Floats
    slope: Floats
    own: Floats
    fit: TwoWayLogit


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """All cohorts, from the start on and before it."""

    counts: Counts
    cells: Cells
    members: list[Floats]
    lags: list[Imputed]
    leads: list[Imputed]
    shares: Shares


def sum_others(found: Found, n_entities: int, n_terms: int) -> Floats:
    """Return what untreated cells add to the errors of the sums behind each term, by the period effects, (N, K)."""
    total = np.zeros((n_entities, n_terms))
    for parts in (found.lags, found.leads):
        for part, member in zip(parts, found.members, strict=True):
            if part.weight.any():
                contrast = contrast_of(part.slope, part.own / row_totals(part.own)[:, None], member)
                total += part.fit.score @ (part.fit.inverse @ contrast)
    return total


def step_log_odds(score: Floats, part: Imputed, rows: Ints) -> Floats:
    """Return by how much scores (A, N, T) move the log-odds of some entities, (A, N_g, T), to first order."""
    information = part.fit.information
    total, is_fitted = row_totals(information), information > 0
    by_cell = score * is_fitted
    by_period = (by_cell.sum(axis=1) - by_cell.sum(axis=2) @ (information / total[:, None])) @ part.fit.inverse
    own = score[:, rows] * (part.own > 0)
    level = (own.sum(axis=2) - by_period @ part.own.T) / row_totals(part.own)
    return np.asarray(level[:, :, None] + by_period[:, None])


def count_passes(grid: OutcomeGrid) -> Counts:
    """Return batches, and the passes that make the outcome of them: placebos and jackknives change the outcome only.

    Raises
    ------
    UsageError
        The outcome counts nothing (QB543).
    """
    if grid.n is None:
        raise _no_rate(grid, "an outcome without batches")
    n = np.where(np.isfinite(grid.y), grid.n, 0.0)
    return Counts(k=n * np.clip(np.where(n > 0, grid.y, 0.0) / WHOLE, 0.0, 1.0), n=n)


def refuse_no_rate(grid: OutcomeGrid) -> None:
    """Raise where the outcome is no plain rate of passes.

    Raises
    ------
    UsageError
        It counts nothing, or is weighted or predicted (QB543).
    """
    seen = np.isfinite(grid.y)
    if grid.n is None or grid.k is None:
        raise _no_rate(grid, "an outcome without batches")
    off = np.abs(np.where(seen, WHOLE * grid.k / np.where(grid.n > 0, grid.n, 1.0) - grid.y, 0.0)).max()
    if off > SAME or (seen & (grid.n <= 0)).any():
        raise _no_rate(grid, f"an outcome up to {off:.3g} away from 100 k / n")


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
    counts = count_passes(grid)
    cells = sort_cells(grid, window, counts.n > 0)
    fit, probability = _fit_base(counts, cells.is_base)
    return np.where(known_cells(cells.is_base, fit.labels), WHOLE * probability, np.nan)


def _fit_base(counts: Counts, is_base: Bools) -> tuple[TwoWayLogit, Floats]:
    k, n = np.where(is_base, counts.k, 0.0), np.where(is_base, counts.n, 0.0)
    fit = fit_two_way_logit(k, n)
    return fit, np.asarray(expit(fit.log_odds + find_shift(k, n, fit.log_odds)))


def impute_lags(grid: OutcomeGrid, counts: Counts, cells: Cells) -> tuple[list[Imputed], TwoWayLogit]:
    """Impute the treated cells of all cohorts from one fit of all untreated cells."""
    fit, probability = _fit_base(counts, cells.is_base)
    known = known_cells(cells.is_base, fit.labels) & cells.is_treated
    cohorts = []
    for _, rows in cells.cohorts:
        p, weight = probability[rows], grid.weight[rows, None] * known[rows]
        cohorts.append(
            Imputed(
                effect=counts.rate[rows] - p,
                weight=weight,
                slope=weight * p * (1 - p),
                own=fit.information[rows],
                fit=fit,
            )
        )
    return cohorts, fit


def impute_leads(
    grid: OutcomeGrid, counts: Counts, cells: Cells, whole: TwoWayLogit, which: int, member: Floats
) -> Imputed:
    """Impute the cells of one cohort before its start from period effects of all others and its own levels."""
    start, rows = cells.cohorts[which]
    is_other = cells.is_base.copy()
    is_other[rows] = False
    if not (member[:start].any() and is_other.any()):
        none = np.zeros((len(rows), grid.n_periods))
        return Imputed(effect=none, weight=none, slope=none, own=none, fit=whole)
    k, n = np.where(is_other, counts.k, 0.0), np.where(is_other, counts.n, 0.0)
    fit = fit_two_way_logit(k, n, start=(np.where(is_other.any(axis=1), whole.entity, 0.0), whole.period))
    known = _comparable(fit.labels, cells.is_base[rows])
    own_k, own_n = np.where(known, counts.k[rows], 0.0), np.where(known, counts.n[rows], 0.0)
    level, information = fit_level_logit(own_k, own_n, fit.period)
    own_odds = unbend_odds(level[:, None] + fit.period, information, fit.inverse)
    shift = find_shift(np.vstack([k, own_k]), np.vstack([n, own_n]), np.vstack([fit.log_odds, own_odds]))
    p, weight = expit(own_odds + shift), grid.weight[rows, None] * known
    return Imputed(effect=counts.rate[rows] - p, weight=weight, slope=weight * p * (1 - p), own=information, fit=fit)


def _comparable(labels: Ints, is_base: Bools) -> Bools:
    main = np.bincount(labels, weights=is_base.any(axis=0)).argmax()
    known = is_base & (labels == main)
    return np.asarray(known & (known.sum(axis=1) > 1)[:, None])
