"""Imputation: what the treated would have shown, from effects of entities and periods in untreated cells."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.imputed_terms import (
    Bools,
    Shares,
    Window,
    add_shares,
    group_means,
    known_cells,
    list_path_terms,
    memberships,
    sort_cells,
)
from qbase.effects.fitting.path_fit import Ints, PathFit, Term
from qbase.stats.regression.linked_periods import invert_periods, period_information


def fit_imputation(
    grid: OutcomeGrid,
    *,
    leads: int,
    lags: int,
    donut: int = 0,
    anticipation: int = 0,
    terms: tuple[Term, ...] | None = None,
) -> PathFit:
    """Fit effects as outcomes less what entity and period effects of the untreated cells impute.

    Entity and period effects are fitted by least squares on the cells that are untreated (cells the same, gaps
    allowed); an effect is the outcome less their sum; terms are means of effects by the weights of entities. The base
    of a path is thereby the *average* of all periods before the start, not one of them.

    Leads are measured from the same base and against the same kind of controls as effects: period effects come from
    the untreated cells of all other cohorts, the entity's level from its own periods before the start. Leads of one
    entity therefore sum to 0, and where one cohort drifts away in a straight line, its leads and lags lie on that one
    line. (Residuals of the fit would not: treated cells pull their own period effects, which bends the line at the
    start.) Where several cohorts drift, those not yet treated take a share of it away as controls, from leads and lags
    alike, until they are treated themselves: the line bends there. Periods before ``−leads`` are left free: they belong
    to the base and are not shown; one term for all of them would bend a straight drift as well.

    Effects of entities are taken out first, which leaves T equations for the period effects: exact, and the cost is
    linear in entities.

    Parameters
    ----------
    grid : OutcomeGrid
    leads, lags : int
        Event times shown, from ``−leads`` to ``lags``; the overall effect has all from 0 on.
    donut, anticipation : int
        Periods before the start that are neither base nor effect: those in which the treated were selected, and those
        in which they may have reacted beforehand. The overall effect is that from the start on whatever they are.
    terms : tuple of Term or None
        None takes those of the grid.

    Returns
    -------
    PathFit
        NaN for a term none of whose cells can be imputed: the entity has no untreated cell, nobody is untreated in
        the period, or the two are linked by no third. Influence is that of Borusyak, Jaravel and Spiess, conservative
        where effects differ within a cohort.

    References
    ----------
    Borusyak, K., Jaravel, X. and Spiess, J. (2024). Revisiting event-study designs: robust and efficient estimation.
    Review of Economic Studies 91.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.core import Indicator, Text
    >>> from qbase.effects.comparison.outcome_grid import OutcomeGrid
    >>> from qbase.effects.fitting.imputation import fit_imputation
    >>> y = np.array([[1, 2, 3, 9], [2, 3, 4, 9], [5, 6, 7, 8], [0, 1, 2, 3]], dtype=float)
    >>> rate = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> grid = OutcomeGrid(
    ...     indicator=rate, freq="A", entities=("a", "b", "c", "d"), first=50, y=y, n=None, k=None,
    ...     start=np.array([3, 3, np.nan, np.nan]), weight=np.ones(4), cluster=np.arange(4),
    ... )
    >>> fit = fit_imputation(grid, leads=2, lags=0)
    >>> dict(zip(fit.terms, fit.beta.round(6).tolist()))  # doctest: +NORMALIZE_WHITESPACE
    {('att', None): 4.5, ('event', -2): 0.0, ('event', -1): 0.0, ('event', 0): 4.5,
     ('cohort', 3): 4.5, ('period', 3): 4.5}
    """
    window = Window(leads=leads, lags=lags, donut=donut, anticipation=anticipation)
    return ImputationEstimator(window=window, terms=terms or list_path_terms(grid, window))(grid)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImputationEstimator:
    """Imputation with its options, as permutations and jackknives call it: the same terms on any grid.

    Parameters
    ----------
    window : Window
        Event times, and periods before the start that are no base.
    terms : tuple of Term
    """

    window: Window
    terms: tuple[Term, ...]

    def __call__(self, grid: OutcomeGrid) -> PathFit:
        """Fit the grid's own outcome."""
        system = factor_grid(grid, self.window, self.terms)
        solved = solve_outcomes(system, grid.y[None])
        return system.shares.fit(self.terms, average_effects(system, solved)[0], influence_of(system, solved))

    def fit_many(self, grid: OutcomeGrid, outcomes: Floats) -> Floats:
        """Fit outcomes of shape (A, N, T) with the gaps of the grid; return coefficients of shape (A, K)."""
        system = factor_grid(grid, self.window, self.terms)
        return np.where(system.shares.mass > 0, average_effects(system, solve_outcomes(system, outcomes)), np.nan)


def impute_outcomes(grid: OutcomeGrid, window: Window) -> Floats:
    """Return what effects of entities and periods impute for every cell, shape (N, T).

    NaN where the period does not hang together with the untreated cells of the entity.
    """
    cells = sort_cells(grid, window, np.isfinite(grid.y))
    base = cells.is_base.astype(float)
    size = np.maximum(base.sum(axis=1), 1.0)
    inverse, labels = invert_periods(period_information(base, size))
    y = np.nan_to_num(grid.y)
    mean = (y * base).sum(axis=1) / size
    period = ((y - mean[:, None]) * base).sum(axis=0) @ inverse
    level = mean - base @ period / size
    return np.where(known_cells(cells.is_base, labels), level[:, None] + period, np.nan)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Cohort:
    """One cohort made ready: lags against all untreated cells, leads against those of the others.

    Parameters
    ----------
    start : int
    rows : numpy.ndarray of int, shape (N_g,)
    lag_weight, lead_weight : numpy.ndarray, shape (N_g, T)
        Weight of the entity in its cells that can be imputed, else 0.
    member : numpy.ndarray, shape (T, K)
        Which cells each term averages.
    lead_inverse : numpy.ndarray, shape (T, T)
        For period effects of all others.
    lead_reply : numpy.ndarray, shape (T, K)
        What a residual of another entity adds to each lead.
    """

    start: int
    rows: Ints
    lag_weight: Floats
    lead_weight: Floats
    member: Floats
    lead_inverse: Floats
    lead_reply: Floats


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class System:
    """All of imputation that does not depend on the outcome.

    Parameters
    ----------
    base : numpy.ndarray, shape (N, T)
        1 in untreated cells.
    size : numpy.ndarray, shape (N,)
        Untreated cells of each entity, at least 1.
    inverse : numpy.ndarray, shape (T, T)
        Of the information on period effects.
    reply : numpy.ndarray, shape (T, K)
        What a residual adds to each term from 0 on.
    cohorts : tuple of Cohort
    shares : Shares
    """

    base: Floats
    size: Floats
    inverse: Floats
    reply: Floats
    cohorts: tuple[Cohort, ...]
    shares: Shares


def factor_grid(grid: OutcomeGrid, window: Window, terms: tuple[Term, ...]) -> System:
    """Work out all that does not depend on the outcome."""
    cells = sort_cells(grid, window, np.isfinite(grid.y))
    base = cells.is_base.astype(float)
    size = np.maximum(base.sum(axis=1), 1.0)
    information = period_information(base, size)
    inverse, labels = invert_periods(information)
    known = known_cells(cells.is_base, labels) & cells.is_treated
    starts = np.array([start for start, _ in cells.cohorts], dtype=np.int64)
    members = memberships(terms, starts, grid.n_periods)
    contrast, cohorts = np.zeros((grid.n_periods, len(terms))), []
    for (start, rows), member in zip(cells.cohorts, members, strict=True):
        own, weight = base[rows], grid.weight[rows, None]
        lag_weight = weight * known[rows]
        contrast += contrast_of(lag_weight, own / size[rows, None], member)
        lead_inverse, lead_known = _other_periods(
            information - period_information(own, size[rows]), cells.is_base[rows]
        )
        lead_weight = weight * lead_known
        level = lead_known / np.maximum(lead_known.sum(axis=1, keepdims=True), 1)
        lead_reply = lead_inverse @ contrast_of(lead_weight, level, member)
        cohorts.append(
            Cohort(
                start=start,
                rows=rows,
                lag_weight=lag_weight,
                lead_weight=lead_weight,
                member=member,
                lead_inverse=lead_inverse,
                lead_reply=lead_reply,
            )
        )
    shares = add_shares([c.lag_weight + c.lead_weight for c in cohorts], list(members), len(terms))
    return System(
        base=base, size=size, inverse=inverse, reply=inverse @ contrast, cohorts=tuple(cohorts), shares=shares
    )


def contrast_of(weight: Floats, level: Floats, member: Floats) -> Floats:
    """Return how much of each period effect the sums of effects of some entities hold, shape (T, K).

    Parameters
    ----------
    weight : numpy.ndarray, shape (N_g, T)
        Of each cell.
    level : numpy.ndarray, shape (N_g, T)
        Share of each period in the entity's level.
    member : numpy.ndarray, shape (T, K)
        Which cells each term adds up.
    """
    return np.asarray(level.T @ (weight @ member) - weight.sum(axis=0)[:, None] * member)


def _other_periods(information: Floats, is_base: Bools) -> tuple[Floats, Bools]:
    """Return the inverse without a cohort, and which of its untreated cells others can be compared with.

    An entity with one such cell has no lead: its level would be that cell.
    """
    inverse, labels = invert_periods(information)
    is_seen = is_base.any(axis=0)
    main = np.bincount(labels, weights=is_seen).argmax()
    known = is_base & (labels == main)
    return inverse, known & (known.sum(axis=1) > 1)[:, None]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Solved:
    """Effects in A outcomes.

    Parameters
    ----------
    y : numpy.ndarray, shape (A, N, T)
        Outcomes, 0 where there is none.
    level, period : numpy.ndarray, shapes (A, N) and (A, T)
        Effects of entities and periods in the untreated cells.
    other_level, other_period : tuple of numpy.ndarray
        The same without each cohort.
    lags, leads : tuple of numpy.ndarray, shape (A, N_g, T)
        Outcomes less imputed ones, of each cohort.
    """

    y: Floats
    level: Floats
    period: Floats
    other_level: tuple[Floats, ...]
    other_period: tuple[Floats, ...]
    lags: tuple[Floats, ...]
    leads: tuple[Floats, ...]


def solve_outcomes(system: System, outcomes: Floats) -> Solved:
    """Impute outcomes of shape (A, N, T) on one factored grid."""
    y = np.nan_to_num(outcomes)
    mean = (y * system.base).sum(axis=2) / system.size
    centred = (y - mean[:, :, None]) * system.base
    total = centred.sum(axis=1)
    level, period = _two_ways(system, mean, total @ system.inverse)
    others = [
        _two_ways(system, mean, (total - centred[:, c.rows].sum(axis=1)) @ c.lead_inverse) for c in system.cohorts
    ]
    return Solved(
        y=y,
        level=level,
        period=period,
        other_level=tuple(own for own, _ in others),
        other_period=tuple(when for _, when in others),
        lags=tuple(y[:, c.rows] - level[:, c.rows, None] - period[:, None] for c in system.cohorts),
        leads=tuple(
            _from_own_level(y[:, c.rows] - when[:, None], c.lead_weight > 0)
            for c, (_, when) in zip(system.cohorts, others, strict=True)
        ),
    )


def average_effects(system: System, solved: Solved) -> Floats:
    """Return the mean of each term's effects, shape (A, K)."""
    beta = np.zeros((len(solved.y), len(system.shares.mass)))
    for c, lag, lead in zip(system.cohorts, solved.lags, solved.leads, strict=True):
        beta += np.einsum("int,nt->it", lag, c.lag_weight) @ c.member
        beta += np.einsum("int,nt->it", lead, c.lead_weight) @ c.member
    return beta / system.shares.divisor


def influence_of(system: System, solved: Solved) -> Floats:
    """Return what each entity adds to the error of each term in the first outcome, shape (N, K)."""
    y = solved.y[0]
    influence = (system.base * (y - solved.level[0][:, None] - solved.period[0])) @ system.reply
    for c, level, period in zip(system.cohorts, solved.other_level, solved.other_period, strict=True):
        columns = np.flatnonzero(c.lead_reply.any(axis=0))
        if len(columns):
            others = system.base * (y - level[0][:, None] - period[0])
            others[c.rows] = 0
            influence[:, columns] += others @ c.lead_reply[:, columns]
    starts, members = [c.start for c in system.cohorts], [c.member for c in system.cohorts]
    rows = [c.rows for c in system.cohorts]
    lags, leads = [v[0] for v in solved.lags], [v[0] for v in solved.leads]
    add_own_errors(influence, lags, [c.lag_weight for c in system.cohorts], starts, members, rows, is_lead=False)
    add_own_errors(influence, leads, [c.lead_weight for c in system.cohorts], starts, members, rows, is_lead=True)
    return np.asarray(influence / system.shares.divisor)


def add_own_errors(
    influence: Floats,
    values: list[Floats],
    weights: list[Floats],
    starts: list[int],
    members: list[Floats],
    rows: list[Ints],
    *,
    is_lead: bool,
) -> None:
    """Add, in place, what treated entities add to the errors of the sums behind each term by their own cells.

    Parameters
    ----------
    influence : numpy.ndarray, shape (N, K)
    values, weights, starts, is_lead
        See `qbase.effects.fitting.imputed_terms.group_means`.
    members : list of numpy.ndarray, shape (T, K)
        Which cells each term averages.
    rows : list of numpy.ndarray of int
        Of the entities of each cohort.
    """
    means = group_means(values, weights, starts, is_lead=is_lead)
    for value, weight, member, mean, at in zip(values, weights, members, means, rows, strict=True):
        influence[at] += ((value - mean) * weight) @ member


def _two_ways(system: System, mean: Floats, period: Floats) -> tuple[Floats, Floats]:
    return mean - (period @ system.base.T) / system.size, period


def _from_own_level(values: Floats, is_known: Bools) -> Floats:
    count = np.maximum(is_known.sum(axis=1), 1)
    own = (values * is_known).sum(axis=2) / count
    return np.asarray(values - own[:, :, None])
