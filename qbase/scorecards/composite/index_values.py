"""What goes into an index: one value of each indicator for each entity, with the counts or the interval behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.scorecards.composite.index_design import IndexDesign

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class IndexValues:
    """Values of n entities and m indicators, with what is known of their doubt.

    Parameters
    ----------
    entities : tuple of str
        By id.
    names : mapping
        Entity -> its name.
    indicators : tuple of Indicator
        In the order of the design.
    values : numpy.ndarray, shape (n, m)
        NaN where missing.
    n_eff : numpy.ndarray, shape (n, m)
        Tests that a rate is worth; NaN where it carries none.
    low, high : numpy.ndarray, shape (n, m)
        Ends of its 95 % interval; NaN where it has none.
    period : pandas.Period
        Of all values.
    """

    entities: tuple[str, ...]
    names: Mapping[str, Text]
    indicators: tuple[Indicator, ...]
    values: Floats
    n_eff: Floats
    low: Floats
    high: Floats
    period: pd.Period

    @property
    def ups(self) -> Bools:
        """Whether more is better, by indicator."""
        return np.array([i.better == "up" for i in self.indicators])

    @property
    def doubted(self) -> Bools:
        """Which values carry a doubt: counts, or an interval of some width; shape (n, m)."""
        counted = np.array([i.unit == "pct" for i in self.indicators]) & (self.n_eff > 0)
        with np.errstate(invalid="ignore"):
            return np.isfinite(self.values) & (counted | (self.high > self.low))

    def keep(self, rows: Bools, columns: Bools) -> IndexValues:
        """Return those of some entities and indicators."""
        cut = np.ix_(rows, columns)
        parts = {name: getattr(self, name)[cut] for name in ("values", "n_eff", "low", "high")}
        return dataclasses.replace(
            self,
            entities=tuple(e for e, kept in zip(self.entities, rows, strict=True) if kept),
            indicators=tuple(i for i, kept in zip(self.indicators, columns, strict=True) if kept),
            **parts,
        )


def read_index_values(panel: Panel, design: IndexDesign, period: str | pd.Period | None = None) -> IndexValues:
    """Read the values of one period that an index is made of.

    Raises
    ------
    PanelError
        The panel has no such indicator (QB123), or shrunk values of it (QB125).
    UsageError
        A period that is none (QB101), or an indicator without a better direction (QB662).
    DataError
        No entity has a value in the period (QB663).
    """
    indicators = [panel.indicator(i) for i in design.indicators]
    for indicator in indicators:
        panel.refuse_shrunk(indicator.id)
        if indicator.better == "none":
            raise UsageError(
                "QB662", indicator=indicator.id, found='better="none"', expected="up | down",
                fix=f"leave {indicator.id} out, or declare which direction is an improvement",
            )  # fmt: skip
    at = panel.periods[-1] if period is None else periods.parse_period(period, panel.freq)
    held = panel.data.index.get_level_values("period")
    rows = panel.data[held == at].droplevel("period").sort_index()
    if rows.empty:
        raise DataError(
            "QB663", period=periods.code(at), found="no row",
            expected=f"one of {periods.code(held.min())} to {periods.code(held.max())}",
            fix=f'period="{periods.code(held.max())}"',
        )  # fmt: skip
    grids = {
        name: np.column_stack([_column(rows, f"{i.id}{end}") for i in indicators])
        for name, end in (("values", ""), ("n", "__n"), ("n_eff", "__n_eff"), ("low", "__lo"), ("high", "__hi"))
    }
    worth = np.where(np.isfinite(grids["n_eff"]), grids["n_eff"], grids.pop("n"))
    entities = tuple(str(e) for e in rows.index)
    return IndexValues(
        entities=entities, names={e: panel.label(e) for e in entities}, indicators=tuple(indicators), period=at,
        **(grids | {"n_eff": worth}),
    )  # fmt: skip


def _column(rows: pd.DataFrame, name: str) -> Floats:
    if name not in rows:
        return np.full(len(rows), np.nan)
    return rows[name].to_numpy(dtype=float)


def order_by_content(values: IndexValues) -> NDArray[np.intp]:
    """Return an order of entities that neither their rows nor their names decide, so that random draws do not either.

    Those alike in every number follow their ids.
    """
    keys = [np.nan_to_num(grid, nan=-np.inf) for grid in (values.values, values.n_eff, values.low, values.high)]
    return np.lexsort([np.array(values.entities), *np.concatenate(keys, axis=1).T])
