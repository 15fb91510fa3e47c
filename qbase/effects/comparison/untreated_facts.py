"""What can be known of a comparison before any treated outcome is looked at."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.panel import Panel
from qbase.core.policy import Policy, match_policy
from qbase.effects.comparison.outcome_grid import Floats

Mask = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True)
class UntreatedFacts:
    """Facts of entities, dates and untreated cells; no outcome of a treated cell is among them.

    Parameters
    ----------
    n_treated : int
        Entities with an untreated outcome before their start, which lies within the data.
    n_without_before : int
        Entities treated within the data and never seen before.
    n_after_data : int
        Entities treated after the data end: controls.
    n_never : int
        Entities never treated with an outcome.
    starts : tuple of str
        Codes of the distinct starts of the treated.
    n_before : int
        Fewest periods with an outcome before the start among the treated.
    n_after : int
        Periods from the last start to the end of the data.
    last_without_untreated : str
        First period in which nobody is untreated; empty where there is none.
    batches_per_cell : float or None
        Median over untreated cells.
    random_per_cell : float or None
        The same of random draws (双随机); None where the panel does not tell how batches were drawn.
    level : float or None
        Mean outcome of the treated before their start.
    block_error : float or None
        Standard error that a comparison of treated and untreated would have, from how the untreated history of all
        changes between two blocks of ``block`` periods.
    block : int
        Periods in each of them.
    n_blocks : int
        Entities behind it.
    """

    n_treated: int
    n_without_before: int
    n_after_data: int
    n_never: int
    starts: tuple[str, ...]
    n_before: int
    n_after: int
    last_without_untreated: str
    batches_per_cell: float | None
    random_per_cell: float | None
    level: float | None
    block_error: float | None
    block: int
    n_blocks: int

    @property
    def n_controls(self) -> int:
        """Entities untreated throughout the data."""
        return self.n_never + self.n_after_data


def read_facts(panel: Panel, policy: Policy, outcome: str) -> UntreatedFacts:
    """Read the facts of untreated cells.

    Parameters
    ----------
    panel, policy, outcome
        As for an estimate; treated entities that the panel does not hold are passed over.

    Returns
    -------
    UntreatedFacts

    Raises
    ------
    PanelError
        Unknown (QB123) or shrunk (QB125) indicator.
    """
    panel.refuse_shrunk(outcome)
    panel.indicator(outcome)
    values = panel.data[outcome].astype(float).unstack("period").sort_index()
    columns = pd.PeriodIndex(values.columns)
    first = match_policy(policy, panel.entities).first_treated
    start = np.array([_column(first.get(str(e)), columns) for e in values.index])
    untreated = np.arange(len(columns))[None, :] < np.where(np.isnan(start), np.inf, start)[:, None]
    y = np.where(untreated, values.to_numpy(dtype=float), np.nan)
    within = start < len(columns)
    before = np.isfinite(y).sum(axis=1)
    treated = within & (before > 0)
    controls = ~within & (before > 0)
    alone = np.flatnonzero(~(untreated & (treated | controls)[:, None]).any(axis=0))
    error, block, n = _block_error(y, start, treated, controls)
    return UntreatedFacts(
        n_treated=int(treated.sum()),
        n_without_before=int((within & (before == 0)).sum()),
        n_after_data=int((controls & ~np.isnan(start)).sum()),
        n_never=int((controls & np.isnan(start)).sum()),
        starts=tuple(periods.code(columns[int(s)]) for s in sorted(set(start[treated]))),
        n_before=int(before[treated].min()) if treated.any() else 0,
        n_after=len(columns) - int(start[treated].max()) if treated.any() else 0,
        last_without_untreated=periods.code(columns[alone[0]]) if len(alone) else "",
        batches_per_cell=_batches(panel, outcome, values, untreated),
        random_per_cell=_random(panel, values, untreated),
        level=float(np.nanmean(y[treated])) if treated.any() else None,
        block_error=error,
        block=block,
        n_blocks=n,
    )


def _column(first: pd.Period | None, columns: pd.PeriodIndex) -> float:
    if first is None:
        return float("nan")
    return float(np.searchsorted(periods.ordinals(columns), periods.ordinal(first)))


def _batches(panel: Panel, outcome: str, values: pd.DataFrame, untreated: Mask) -> float | None:
    name = f"{outcome}__n"
    if name not in panel.data:
        return None
    n = panel.data[name].astype(float).unstack("period").reindex(index=values.index, columns=values.columns)
    seen = np.where(untreated & (n.to_numpy(dtype=float) > 0), n.to_numpy(dtype=float), np.nan)
    return float(np.nanmedian(seen)) if np.isfinite(seen).any() else None


def _random(panel: Panel, values: pd.DataFrame, untreated: Mask) -> float | None:
    if panel.cells is None or panel.cells.empty:
        return None
    drawn = panel.cells[panel.cells["sampling"] == "random"]
    n = drawn.groupby(["entity", "period"])["n"].sum().unstack("period")
    placed = n.reindex(index=values.index, columns=values.columns).fillna(0).to_numpy(dtype=float)
    seen = np.where(untreated & np.isfinite(values.to_numpy(dtype=float)), placed, np.nan)
    return float(np.nanmedian(seen)) if np.isfinite(seen).any() else None


def _block_error(y: Floats, start: Floats, treated: Mask, controls: Mask) -> tuple[float | None, int, int]:
    """Return the error of treated against controls between two blocks of equal length before the first start.

    Changes between block means hold all that ties an entity's periods together, so no model of it is needed.
    """
    end = int(start[treated].min()) if treated.any() else y.shape[1]
    block = end // 2
    n1, n0 = int(treated.sum()), int(controls.sum())
    if block < 1 or n1 < 1 or n0 < 1:
        return None, block, 0
    early, late = y[:, end - 2 * block : end - block], y[:, end - block : end]
    change = np.array([_mean(b) - _mean(a) for a, b in zip(early, late, strict=True)])
    change = change[np.isfinite(change) & (treated | controls)]
    if len(change) < 3:
        return None, block, len(change)
    return float(change.std(ddof=1) * np.sqrt(1 / n1 + 1 / n0)), block, len(change)


def _mean(values: Floats) -> float:
    seen = values[np.isfinite(values)]
    return float(seen.mean()) if len(seen) else float("nan")
