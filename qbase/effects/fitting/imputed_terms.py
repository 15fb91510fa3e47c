"""What is imputed: which cells are untreated, which terms average which cells, and where effects are measured from."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.path_fit import Ints, PathFit, Term
from qbase.stats.linked_periods import LINKED

Bools = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """Event times of a path.

    Parameters
    ----------
    leads, lags : int
        From ``−leads`` to ``lags``.
    donut : int
        Quarters of selection before the start: in no base, no effect.
    anticipation : int
        Quarters before the start in which those to be treated may have reacted already; treated alike.
    """

    leads: int
    lags: int
    donut: int = 0
    anticipation: int = 0

    @property
    def gap(self) -> int:
        """Periods before the start that are no base."""
        return self.donut + self.anticipation


def list_path_terms(grid: OutcomeGrid, window: Window) -> tuple[Term, ...]:
    """Return the terms of a path: overall, event times in order without those of the gap, cohorts, periods."""
    events = [*range(-window.leads, -window.gap), *range(window.lags + 1)]
    cohorts = grid.cohorts
    periods = range(min(cohorts), grid.n_periods) if cohorts else range(0)
    return (
        ("att", None),
        *(("event", e) for e in events),
        *(("cohort", c) for c in cohorts),
        *(("period", t) for t in periods),
    )


def memberships(terms: tuple[Term, ...], starts: Ints, n_periods: int) -> Floats:
    """Return which cells each term averages, as 0 and 1 of shape (G, T, K), by the start of G cohorts.

    Only event times below 0 hold cells before the start.
    """
    kind = np.array([name for name, _ in terms])
    at = np.array([np.nan if where is None else where for _, where in terms], dtype=float)
    period = np.arange(n_periods, dtype=float)[None, :, None]
    start = starts.astype(float)[:, None, None]
    since = period - start
    member = (kind == "att") | (kind == "cohort") & (start == at) | (kind == "period") & (period == at)
    return np.asarray(np.where(kind == "event", since == at, member & (since >= 0)), dtype=float)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Cells of a grid by what is known of them.

    Parameters
    ----------
    is_base : numpy.ndarray of bool, shape (N, T)
        Seen, untreated, and not in the gap before a start: what effects of entities and periods are fitted on.
    is_treated : numpy.ndarray of bool, shape (N, T)
        Seen from the start on, in entities with a base.
    cohorts : tuple of (int, numpy.ndarray of int)
        Start and rows of the entities with both, in order of start.
    """

    is_base: Bools
    is_treated: Bools
    cohorts: tuple[tuple[int, Ints], ...]


def sort_cells(grid: OutcomeGrid, window: Window, is_seen: Bools) -> Cells:
    """Sort the cells seen into base, treated, and neither.

    Parameters
    ----------
    grid : OutcomeGrid
    window : Window
    is_seen : numpy.ndarray of bool, shape (N, T)
    """
    since = grid.event_time
    is_base: Bools = is_seen & np.asarray(~(since >= -window.gap))
    is_treated: Bools = is_seen & np.asarray(since >= 0) & np.any(is_base, axis=1, keepdims=True)
    owns = is_treated.any(axis=1)
    cohorts = tuple((c, np.flatnonzero(owns & (grid.start == c))) for c in grid.cohorts)
    return Cells(is_base=is_base, is_treated=is_treated, cohorts=tuple((c, r) for c, r in cohorts if len(r)))


def known_cells(is_base: Bools, labels: Ints) -> Bools:
    """Return the cells whose period hangs together with the base of their entity, shape (N, T)."""
    own = labels[np.argmax(is_base, axis=1)]
    is_linked: Bools = np.asarray(own[:, None] == labels)
    return np.asarray(is_linked & np.any(is_base, axis=1, keepdims=True), dtype=np.bool_)


def group_means(values: list[Floats], weights: list[Floats], starts: list[int], *, is_lead: bool) -> list[Floats]:
    """Return the mean each effect is measured against where its error is asked for.

    The mean of the cohort at that event time, weighted by squared shares (Borusyak, Jaravel and Spiess 2024, equation
    8). A cohort of one entity would be measured against itself and show no error: it takes the mean of the other
    cohorts at that event time; where there is none, leads take 0 and lags the mean over all lags of the others, or of
    its own when it is the only one treated.

    Parameters
    ----------
    values : list of numpy.ndarray, shape (N_g, T)
        Effects of one cohort each.
    weights : list of numpy.ndarray, shape (N_g, T)
        Share of each cell; 0 where it has none.
    starts : list of int
        Of each cohort.
    is_lead : bool
        Whether the cells lie before the start.

    Returns
    -------
    list of numpy.ndarray, shape (T,)
    """
    squares = [w * w for w in weights]
    sums = [(v * q).sum(axis=0) for v, q in zip(values, squares, strict=True)]
    masses = [q.sum(axis=0) for q in squares]
    n_periods = values[0].shape[1] if values else 0
    by_event, event_mass = np.zeros(2 * n_periods), np.zeros(2 * n_periods)
    spans = [slice(n_periods - start, 2 * n_periods - start) for start in starts]
    for span, total, mass in zip(spans, sums, masses, strict=True):
        by_event[span] += total
        event_mass[span] += mass
    means = []
    for span, total, mass, square in zip(spans, sums, masses, squares, strict=True):
        n_alike = (square > 0).sum(axis=0)
        own = _mean(total, mass)
        if (n_alike == 1).any():
            rest = event_mass[span] - mass
            others = (by_event[span] - total) / np.where(rest > 0, rest, 1.0)
            last = 0.0 if is_lead else _mean_of_lags(total, mass, by_event, event_mass)
            own = np.where(n_alike > 1, own, np.where(rest > LINKED * event_mass.sum(), others, last))
        means.append(own)
    return means


def _mean(total: Floats, mass: Floats) -> Floats:
    return np.asarray(total / np.where(mass > 0, mass, 1.0), dtype=float)


def _mean_of_lags(total: Floats, mass: Floats, by_event: Floats, event_mass: Floats) -> float:
    """Return the mean over all lags of the other cohorts, or of the own where there is no other."""
    rest = float(event_mass.sum() - mass.sum())
    if rest > LINKED * event_mass.sum():
        return float(by_event.sum() - total.sum()) / rest
    return float(total.sum()) / (float(mass.sum()) or 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """Weight of entities and number of cells behind each term.

    Parameters
    ----------
    mass : numpy.ndarray, shape (K,)
        Sum of weights over the cells; 0 where there is none.
    n_treated, n_cells : numpy.ndarray of int, shape (K,)
    n_effective : numpy.ndarray, shape (K,)
    """

    mass: Floats
    n_treated: Ints
    n_cells: Ints
    n_effective: Floats

    @property
    def divisor(self) -> Floats:
        """The mass, or 1 where there is none."""
        return np.where(self.mass > 0, self.mass, 1.0)

    def fit(self, terms: tuple[Term, ...], beta: Floats, influence: Floats) -> PathFit:
        """Return coefficients with who is behind them; those with nobody are NaN."""
        return PathFit(
            terms=terms,
            beta=np.where(self.mass > 0, beta, np.nan),
            influence=influence,
            n_treated=self.n_treated,
            n_cells=self.n_cells,
            n_effective=self.n_effective,
        )


def add_shares(weights: list[Floats], members: list[Floats], n_terms: int) -> Shares:
    """Add up who is behind each term.

    Parameters
    ----------
    weights : list of numpy.ndarray, shape (N_g, T)
        Weight of each cell of some entities; 0 where it does not count.
    members : list of numpy.ndarray, shape (T, K)
        Which cells of theirs each term averages.
    n_terms : int
        K, where there are no entities too.
    """
    mass, squares, cells, treated = (np.zeros(n_terms) for _ in range(4))
    for weight, member in zip(weights, members, strict=True):
        by_entity = weight @ member
        mass += by_entity.sum(axis=0)
        squares += (by_entity**2).sum(axis=0)
        cells += (weight > 0).sum(axis=0) @ member
        treated += (by_entity > 0).sum(axis=0)
    return Shares(
        mass=mass,
        n_treated=treated.astype(np.int64),
        n_cells=np.rint(cells).astype(np.int64),
        n_effective=mass**2 / np.where(squares > 0, squares, 1.0),
    )
