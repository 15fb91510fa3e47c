"""The researcher's own history without any policy: what placebo policies are played out on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

from qbase.core.errors import DataError
from qbase.core.panel import Panel
from qbase.core.periods import PER_YEAR
from qbase.core.policy import Policy
from qbase.effects.comparison.outcome_grid import OutcomeGrid, build_grid

Kind = Literal["before", "never"]

BEFORE = 4
"""Periods before a placebo's start whose average can be a base."""

AFTER = {"Q": 4, "H": 2, "A": 2}
"""Periods from the last placebo's start on: one of each season."""

LEAST_ENTITIES = 4
LEAST_CELLS = 4
"""An entity with fewer outcomes shows nothing before and after a start."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """Outcomes nobody was treated in, and the policy that placebos imitate.

    Parameters
    ----------
    grid : OutcomeGrid
        N entities in T periods; nobody is treated.
    kind : {"before", "never"}
        All entities before the first adoption, or those never treated in all periods.
    entity : str
        What the panel follows.
    offsets : tuple of int
        Periods from the first adoption of the policy to that of each treated, in order.
    """

    grid: OutcomeGrid
    kind: Kind
    entity: str
    offsets: tuple[int, ...]

    @property
    def room(self) -> int:
        """Periods in which a placebo may start, less one."""
        return self.grid.n_periods - BEFORE - AFTER[self.grid.freq]

    @property
    def season(self) -> np.ndarray:
        """Season of each period, shape (T,)."""
        return np.asarray((self.grid.first + np.arange(self.grid.n_periods)) % PER_YEAR[self.grid.freq])

    def last(self, n_periods: int) -> History:
        """Return the latest periods of the history."""
        return dataclasses.replace(self, grid=cut_columns(self.grid, self.grid.n_periods - n_periods, None))


def take_history(
    panel: Panel, policy: Policy, outcome: str, *, kind: Kind | None = None, weight: str | Mapping[str, float] = "equal"
) -> History:
    """Return the untreated history of a panel.

    Parameters
    ----------
    panel, policy, outcome, weight
        See `qbase.effects.comparison.outcome_grid.build_grid`.
    kind : {"before", "never"} or None
        None takes all entities before the first adoption where these periods are enough, else those never treated.

    Raises
    ------
    DataError
        Too few periods or entities for a placebo policy (QB553).
    """
    grid = build_grid(panel, policy, outcome, weight=weight)
    offsets = tuple(int(s - min(grid.cohorts)) for s in np.sort(grid.start[grid.is_treated]))
    cuts = {
        "before": cut_columns(grid, 0, min(grid.cohorts)),
        "never": cut_columns(grid.keep(~grid.is_treated), 0, None),
    }
    wanted: tuple[Kind, ...] = ("before", "never") if kind is None else (kind,)
    for name in wanted:
        found = History(grid=cuts[name], kind=name, entity=panel.entity, offsets=offsets)
        if found.room >= 0 and len(found.grid.entities) >= LEAST_ENTITIES:
            return found
    least = BEFORE + AFTER[grid.freq]
    raise DataError(
        "QB553",
        found="; ".join(f"{n}: {len(cuts[n].entities)} entities, {cuts[n].n_periods} periods" for n in wanted),
        expected=f"at least {LEAST_ENTITIES} entities in {least} periods without any treatment",
        fix='history="never"' if kind == "before" else "a panel that begins earlier, or more entities in it",
    )


def cut_columns(grid: OutcomeGrid, first: int, last: int | None) -> OutcomeGrid:
    """Return some periods of a grid with nobody treated; entities hardly seen in them are left out."""
    end = grid.n_periods if last is None else last
    cut = grid.between(grid.first + max(first, 0), grid.first + end).with_start(np.full(len(grid.y), np.nan))
    return cut.keep(np.isfinite(cut.y).sum(axis=1) >= LEAST_CELLS)
