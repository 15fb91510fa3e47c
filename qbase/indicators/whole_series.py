"""A rate counted once over all that is on record; any window cut from it is what counting that window would give."""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core.coverage import Coverage
from qbase.core.panel import Panel
from qbase.core.periods import Freq, period_at
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.indicators.cells.inspection_window import Rows, open_rows
from qbase.indicators.cells.record_fates import (
    PLAIN,
    count_fates_by_period,
    find_set_aside,
    place_set_aside,
    settle_fates,
)
from qbase.indicators.cells.window_sql import ALWAYS, Entity
from qbase.indicators.firm_counts import FirmCounts, read_firm_counts
from qbase.indicators.panel_building import build_panel

if TYPE_CHECKING:
    from qbase.lake import Workspace

CUT = ("batch", "firm")
"""Measures whose value in a period rests on that period alone; a yardstick, say, is that of the window."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WholeSeries:
    """One rate of all periods, as drawn, with what is needed to tell what any window of it stands on.

    Parameters
    ----------
    panel : Panel
        Of every period on record.
    firms : FirmCounts or None
        Likewise; None where `read_firm_counts` has none.
    plain, lost : pandas.DataFrame
        From `count_fates_by_period`.
    set_aside : pandas.DataFrame
        From `find_set_aside`.
    """

    panel: Panel
    firms: FirmCounts | None
    plain: pd.DataFrame
    lost: pd.DataFrame
    set_aside: pd.DataFrame

    def cut(self, rows: Rows) -> tuple[Panel, FirmCounts | None] | None:
        """Return panel and firms of a window, equal to those counted for it alone.

        Parameters
        ----------
        rows : Rows
            The window, its words checked.

        Returns
        -------
        tuple or None
            None where nothing was counted in it: who counts says why.
        """
        panel = self.panel
        data = panel.data[_inside(panel.data.index.get_level_values("period"), rows)]
        if data.empty or panel.cells is None:
            return None
        held = [data.index.get_level_values(level) for level in ("entity", "period")]
        data = data.set_axis(pd.MultiIndex.from_arrays(held, names=["entity", "period"]))
        cells = panel.cells[_inside(panel.cells["period"], rows)].reset_index(drop=True)
        among = set(held[0])
        labels = {entity: label for entity, label in panel.labels.items() if entity in among}
        cut = dataclasses.replace(
            panel, data=data, cells=cells, labels=labels, coverage=self._coverage(rows, data, cells)
        )
        if self.firms is None:
            return cut, None
        firms = self.firms.data
        kept = firms[_inside(firms["period"], rows)].reset_index(drop=True)
        return cut, dataclasses.replace(self.firms, data=kept)

    def _coverage(self, rows: Rows, data: pd.DataFrame, cells: pd.DataFrame) -> Coverage | None:
        whole = self.panel.coverage
        if whole is None:
            return None
        plain = self.plain[["fate", "n"]].assign(fate=[PLAIN[place] for place in self.plain["fate"]])
        inside = _is_day_inside(self.plain["period"], rows)
        dated = self.plain["period"].notna()
        plain.loc[dated & ~inside, "fate"] = "outside"
        lost = self.lost[_is_day_inside(self.lost["period"], rows)]
        fates = settle_fates(_sums(plain), counted=int(cells["n"].sum()), lost=lambda: _sums(lost))
        measured = {i: int(data[f"{i}__n"].sum()) for i in whole.measured}
        held = set(self.plain.loc[inside, "delivery"])
        is_whole = (rows.first_day, rows.last_day) == ALWAYS
        outside = [] if is_whole else [sha for sha in self.plain["delivery"].unique() if sha not in held]
        aside = place_set_aside(self.set_aside, lambda: outside)
        return Coverage(fates=fates, measured=measured) + Coverage(fates=aside, refused=whole.refused)


def open_series(workspace: Workspace, indicator: str, *, entity: Entity, freq: Freq) -> WholeSeries | None:
    """Open the whole series of a rate, as drawn.

    Parameters
    ----------
    workspace : Workspace
        Whose data are counted.
    indicator : str
        Id of the catalogue.
    entity : {"cluster_id", "firm_id", "town_code"}
        What is followed.
    freq : {"Q", "H", "A"}
        Quarters, half-years or years.

    Returns
    -------
    WholeSeries or None
        None for what cannot be cut: only pass rates of batches and firms rest on their own period alone.

    Raises
    ------
    QbaseError
        As `build_panel`.

    Examples
    --------
    >>> from qbase.indicators.cells.inspection_window import open_rows
    >>> from qbase.indicators.whole_series import open_series
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> series = open_series(workspace, "D1.batch", entity="cluster_id", freq="Q")
    >>> asked = dict(entity="cluster_id", freq="Q", snapshot=None, first="2025Q1", last="2025Q4")
    >>> panel, firms = series.cut(open_rows(workspace, **asked))
    >>> panel
    <Panel D1.batch: 12 x 4 quarterly periods 2025Q1 to 2025Q4, 46 rows, naive>
    >>> firms
    <FirmCounts D1.batch: 12 entities, 459 firms, 825 batches, naive>
    """
    if find_indicator(indicator).measure not in CUT:
        return None
    panel = build_panel(workspace, indicator, entity=entity, freq=freq)
    rows = open_rows(workspace, entity=entity, freq=freq, snapshot=panel.snapshot, first=None, last=None)
    firms = read_firm_counts(workspace, indicator, entity=entity, freq=freq, snapshot=panel.snapshot)
    plain, lost = count_fates_by_period(rows)
    return WholeSeries(panel=panel, firms=firms, plain=plain, lost=lost, set_aside=find_set_aside(rows))


def _inside(periods: pd.Index | pd.Series, rows: Rows) -> NDArray[np.bool_]:
    """Return which periods lie in a window."""
    held = pd.PeriodIndex(periods)
    keep = np.ones(len(held), dtype=bool)
    if rows.first_day > ALWAYS[0]:
        keep &= held >= period_at(rows.first_day, rows.freq)
    if rows.last_day < ALWAYS[1]:
        keep &= held <= period_at(rows.last_day, rows.freq)
    return keep


def _is_day_inside(days: pd.Series, rows: Rows) -> pd.Series:
    first, last = (datetime.date.fromisoformat(day) for day in (rows.first_day, rows.last_day))
    return pd.Series([not pd.isna(day) and first <= day <= last for day in days], index=days.index, dtype=bool)


def _sums(counted: pd.DataFrame) -> dict[str, int]:
    return {str(fate): int(n) for fate, n in counted.groupby("fate")["n"].sum().items()}
