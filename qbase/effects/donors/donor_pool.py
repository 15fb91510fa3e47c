"""The treated and their possible donors as arrays: who has every cell, and on what they are matched."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from qbase.core.errors import DataError, PolicyError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.panel import Panel
from qbase.core.periods import ordinal, ordinals, parse_period
from qbase.core.policy import Policy
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid, Weight, build_grid

Predictor = str | tuple[str, str, str]
"""An indicator of the panel, as its mean before the start, or with the first and last period of that mean."""
LEAST_BEFORE = 2
LEAST_DONORS = 2
MOST_DONORS = 400
"""Every donor takes the place of the treated against all others, which among thousands of firms has no end."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DonorPool:
    """J donors and the average of the treated, over T periods all of them have.

    Parameters
    ----------
    grid : OutcomeGrid
        What they were taken from.
    donors : tuple of str, length J
    treated : tuple of str
    shares : numpy.ndarray, shape (number of treated,)
        Of each in their average; they sum to 1.
    columns : tuple of int, length T
        Of the grid, in order.
    n_before : int
        How many of the columns come before the start.
    paths : numpy.ndarray, shape (J + 1, T)
        The outcome; the last row is the average of the treated.
    match : numpy.ndarray, shape (J + 1, L)
        What weights make alike: the outcome before the start, or that of several outcomes in units of their spread.
    outcomes : tuple of str
        Whose paths are matched, sorted.
    predictors : numpy.ndarray, shape (J + 1, P)
        Their means, P = 0 without predictors.
    predictor_names : tuple of str, length P
    without_cells : tuple of str
        Donors left out because cells are missing.
    without_periods : tuple of str
        Codes of periods left out because a treated entity, or too many donors, have no outcome there.
    """

    grid: OutcomeGrid
    donors: tuple[str, ...]
    treated: tuple[str, ...]
    shares: Floats
    columns: tuple[int, ...]
    n_before: int
    paths: Floats
    match: Floats
    outcomes: tuple[str, ...]
    predictors: Floats
    predictor_names: tuple[str, ...]
    without_cells: tuple[str, ...]
    without_periods: tuple[str, ...]

    @property
    def periods(self) -> list[str]:
        """Codes of the periods, length T."""
        return [self.grid.code_of(column) for column in self.columns]

    @property
    def start(self) -> int:
        """Column of the grid in which the treated were first treated."""
        return self.grid.cohorts[0]

    def without(self, donors: Sequence[int]) -> np.ndarray:
        """Return which donors are left, shape (J,), without some of them."""
        left = np.ones(len(self.donors), dtype=bool)
        left[list(donors)] = False
        return left


def build_pool(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    outcomes: Sequence[str] = (),
    predictors: Sequence[Predictor] = (),
    donors: Sequence[str] | None = None,
    weight: Weight = "equal",
) -> DonorPool:
    """Bring treated and donors together, or say why there is no comparison to be built.

    A period in which a treated entity has no outcome is left out for all. Of what is left, the donor or the period
    with the largest share of missing cells is left out until none is missing. Nothing is interpolated.

    Parameters
    ----------
    panel, policy, outcome, outcomes, predictors, donors, weight
        See `qbase.effects.estimate_synthetic`.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.outcome_grid.build_grid`.
    PolicyError
        The treated began at several dates (QB580).
    DataError
        No more donors than treated, or fewer than two (QB581), or hundreds of them (QB585); too few
        periods before, or none after (QB582).
    UsageError
        A donor that is none (QB583), a predictor without values (QB584).
    """
    grid = build_grid(panel, policy, outcome, weight=weight)
    _refuse_dates(grid, policy)
    _refuse_strangers(grid, donors)
    names = tuple(sorted({outcome, *outcomes}))
    start, treated = grid.cohorts[0], grid.is_treated
    paths = {name: grid.y if name == outcome else _placed(panel, grid, name) for name in names}
    before = np.arange(grid.n_periods) < start
    # a further outcome is only matched: what it lacks after the start costs nothing
    known = np.isfinite(grid.y)
    for other in paths.values():
        known &= np.isfinite(other) | ~before
    held = known[treated].all(axis=0)
    _refuse_spans(grid, held & before, held & ~before, LEAST_BEFORE)
    wanted = ~treated if donors is None else ~treated & np.isin(grid.entities, list(donors))
    usable, held = whole_block(known, wanted, np.asarray(held), start)
    chosen = _predictors(panel, grid, predictors, held & before)
    usable &= np.isfinite(chosen).all(axis=1)
    _refuse_few(grid, int(usable.sum()), int(treated.sum()), int(wanted.sum()))
    shares = grid.weight[treated] / grid.weight[treated].sum()

    def stacked(values: Floats) -> Floats:
        return np.vstack([values[usable], shares @ values[treated]])

    columns = np.flatnonzero(held)
    n_before = int((columns < start).sum())
    return DonorPool(
        grid=grid,
        donors=_named(grid, usable),
        treated=_named(grid, treated),
        shares=shares,
        columns=tuple(int(c) for c in columns),
        n_before=n_before,
        paths=stacked(grid.y[:, held]),
        match=_matched([stacked(paths[name][:, held][:, :n_before]) for name in names]),
        outcomes=names,
        predictors=stacked(chosen),
        predictor_names=tuple(_said(p) for p in predictors),
        without_cells=_named(grid, wanted & ~usable),
        without_periods=tuple(grid.code_of(int(c)) for c in np.flatnonzero(~held)),
    )


def whole_block(known: np.ndarray, wanted: np.ndarray, held: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the donors and periods of a block without missing cells; whoever lacks the largest share goes first."""
    rows, columns = wanted.copy(), held.copy()
    early = np.arange(len(held)) < start
    while rows.any():
        missing = ~known & rows[:, None] & columns
        if not missing.any():
            break
        by_row, by_column = missing.sum(axis=1) / columns.sum(), missing.sum(axis=0) / rows.sum()
        scarce = (early & ((columns & early).sum() <= LEAST_BEFORE)) | (~early & ((columns & ~early).sum() <= 1))
        by_column = np.where(scarce, 0.0, by_column)
        if by_column.max() >= by_row.max():
            columns[by_column.argmax()] = False
        else:
            rows[by_row.argmax()] = False
    return rows, columns


def _named(grid: OutcomeGrid, rows: np.ndarray) -> tuple[str, ...]:
    return tuple(e for e, is_in in zip(grid.entities, rows, strict=True) if is_in)


def _matched(paths: list[Floats]) -> Floats:
    """Return the paths side by side; several are brought to one spread, over donors and periods."""
    if len(paths) == 1:
        return paths[0]
    spreads = [float(path[:-1].std()) for path in paths]
    return np.hstack([path / spread if spread > 0 else path for path, spread in zip(paths, spreads, strict=True)])


def _placed(panel: Panel, grid: OutcomeGrid, name: str) -> Floats:
    """Return an indicator of the panel in the rows and columns of the grid, shape (N, T)."""
    panel.refuse_shrunk(name)
    wide = panel.data[name].astype(float).unstack("period")
    wide.index = pd.Index([str(e) for e in wide.index])
    wide.columns = pd.Index(ordinals(pd.PeriodIndex(wide.columns)) - grid.first)
    return wide.reindex(index=list(grid.entities), columns=range(grid.n_periods)).to_numpy(dtype=float)


def _said(predictor: Predictor) -> str:
    return predictor if isinstance(predictor, str) else f"{predictor[0]} {predictor[1]}–{predictor[2]}"


def _predictors(panel: Panel, grid: OutcomeGrid, predictors: Sequence[Predictor], before: np.ndarray) -> Floats:
    means = np.empty((len(grid.entities), len(predictors)))
    for i, predictor in enumerate(predictors):
        name, *ends = (predictor,) if isinstance(predictor, str) else predictor
        window = before if not ends else _window(panel, grid, ends)
        values = np.where(window, _placed(panel, grid, name), np.nan)
        seen = np.isfinite(values)
        total = np.where(seen, values, 0.0).sum(axis=1)
        means[:, i] = np.divide(total, seen.sum(axis=1), out=np.full(len(total), np.nan), where=seen.any(axis=1))
        lost = ~np.isfinite(means[grid.is_treated, i])
        late = window[grid.cohorts[0] :].any()
        if lost.any() or late:
            raise UsageError(
                "QB584",
                predictor=_said(predictor),
                found="a window that reaches the start" if late else "no value of a treated entity in its window",
                expected=f"values of all treated before {grid.code_of(grid.cohorts[0])}",
                fix=f'("{name}", "{grid.code_of(0)}", "{grid.code_of(grid.cohorts[0] - 1)}")',
            )
    return means


def _window(panel: Panel, grid: OutcomeGrid, ends: Sequence[str]) -> np.ndarray:
    first, last = (ordinal(parse_period(end, panel.freq)) - grid.first for end in ends)
    column = np.arange(grid.n_periods)
    return np.asarray((column >= first) & (column <= last))


def _refuse_dates(grid: OutcomeGrid, policy: Policy) -> None:
    if len(grid.cohorts) > 1:
        found = ", ".join(grid.code_of(c) for c in grid.cohorts)
        raise PolicyError(
            "QB580",
            policy=policy.policy_id,
            found=f"{int(grid.is_treated.sum())} treated from {found}",
            expected="treated entities that began in one and the same period",
            fix="estimate_staggered(panel, policy, outcome), or one policy and one call for each date",
        )


def _refuse_strangers(grid: OutcomeGrid, donors: Sequence[str] | None) -> None:
    possible = _named(grid, ~grid.is_treated)
    strange = [str(d) for d in donors or () if str(d) not in possible]
    if strange:
        raise UsageError(
            "QB583",
            donor=strange[0],
            found=", ".join(strange[:3]),
            expected="entities with an outcome that are not treated: " + ", ".join(possible[:5]),
            fix=suggest_names(strange[0], list(possible), shown=3) or "donors=None takes all of them",
        )


def _refuse_few(grid: OutcomeGrid, n_donors: int, n_treated: int, n_wanted: int) -> None:
    if n_donors < LEAST_DONORS or n_donors <= n_treated:
        lost = n_wanted - n_donors
        raise DataError(
            "QB581",
            found=f"{n_donors} donors for {n_treated} treated" + (f"; {lost} more lack cells" if lost else ""),
            expected=f"at least {max(LEAST_DONORS, n_treated + 1)} donors with an outcome in every period",
            fix="a panel with more entities or a shorter window, or estimate_before_after(panel, policy, outcome)",
        )

    if n_donors > MOST_DONORS:
        raise DataError(
            "QB585",
            found=f"{n_donors} donors",
            expected=f"at most {MOST_DONORS} donors, each of which takes the place of the treated",
            fix='donors=[…] of the same product, or a panel of clusters or towns (entity="town_code")',
        )


def _refuse_spans(grid: OutcomeGrid, before: np.ndarray, after: np.ndarray, least: int) -> None:
    if before.sum() < least or not after.any():
        raise DataError(
            "QB582",
            found=f"{int(before.sum())} periods before {grid.code_of(grid.cohorts[0])} and {int(after.sum())} from it "
            "on with an outcome of every treated entity",
            expected=f"at least {least} before and 1 from the start on",
            fix="widen the window (first, last) of the panel",
        )
