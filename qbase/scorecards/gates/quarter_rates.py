"""Rates of entities by quarter as arrays, and what a window of quarters has together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.indicators.kept.value_bytes import learn
from qbase.stats.design.design_weights import firm_correlation

Floats = NDArray[np.float64]
YEAR = 4


@learn
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class QuarterRates:
    """Rates by entity (rows) and quarter (columns).

    Parameters
    ----------
    panel : Panel
        Where they come from.
    outcome : str
        Id of the rate.
    entities : tuple of str
        Rows.
    quarters : pandas.PeriodIndex
        Columns, without gaps.
    rate : numpy.ndarray, shape (entities, quarters)
        Shares; 0 where nothing was drawn.
    n, n_eff : numpy.ndarray
        Draws, and draws of a simple random sample that tell as much; 0 where nothing was drawn.
    total : numpy.ndarray
        What the draws stand for, the sum of their weights: how clusters of one product count together.
    is_young : numpy.ndarray of bool
        Preliminary.
    pairs : numpy.ndarray, shape (entities, quarters)
        Pairs of draws (in both orders) of one firm in different quarters, among the last 1, 2, … quarters.
    likeness : float
        Correlation of batches of one firm over a year.
    """

    panel: Panel
    outcome: str
    entities: tuple[str, ...]
    quarters: pd.PeriodIndex
    rate: Floats
    n: Floats
    n_eff: Floats
    total: Floats
    is_young: NDArray[np.bool_]
    pairs: Floats
    likeness: float = 0.0

    def design_effect(self, window: int) -> Floats:
        """Return by how much firms drawn in several of the last quarters thin what a window tells, by entity."""
        window = min(window, len(self.quarters))
        n = self.n[:, -window:].sum(axis=1)
        share: Floats = np.divide(self.pairs[:, window - 1], n, out=np.zeros_like(n), where=n > 0)
        return 1 + self.likeness * share

    def keep(self, window: int) -> QuarterRates:
        """Return the rates of the last quarters only."""
        cut = {name: getattr(self, name)[:, -window:] for name in ("rate", "n", "n_eff", "total", "is_young")}
        return dataclasses.replace(self, quarters=self.quarters[-window:], pairs=self.pairs[:, :window], **cut)

    def last(self, window: int) -> Pooled:
        """Return what the last quarters have together, every draw counting alike: as many draws, as much weight.

        Classes are weighted within a quarter; between quarters the number of draws weighs, which does not depend on
        what they found. The effective number of draws is Kish's over the effective numbers of the quarters, thinned by
        firms that were drawn in several of them.
        """
        part = slice(max(len(self.quarters) - window, 0), None)
        drawn, n_eff = self.n[:, part], self.n_eff[:, part]
        n = drawn.sum(axis=1)
        spread = np.divide(drawn**2, n_eff, out=np.zeros_like(drawn), where=n_eff > 0).sum(axis=1)
        there = n > 0
        rate = np.divide((drawn * self.rate[:, part]).sum(axis=1), n, out=np.zeros_like(n), where=there)
        size = np.divide(n**2, spread, out=np.zeros_like(n), where=there)
        return Pooled(
            rate=rate,
            n=n,
            n_eff=np.minimum(size / self.design_effect(window), n),
            is_young=np.asarray(self.is_young[:, part].any(axis=1)),
            quarters=self.quarters[part],
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pooled:
    """What a window of quarters has together, by entity.

    Parameters
    ----------
    rate, n, n_eff : numpy.ndarray, shape (entities,)
        As in `QuarterRates`.
    is_young : numpy.ndarray of bool
        Some quarter of the window is preliminary.
    quarters : pandas.PeriodIndex
        The window.
    """

    rate: Floats
    n: Floats
    n_eff: Floats
    is_young: NDArray[np.bool_]
    quarters: pd.PeriodIndex

    @property
    def words(self) -> Text:
        """The window: 2025Q1 to 2025Q4."""
        first, last = periods.code(self.quarters[0]), periods.code(self.quarters[-1])
        return Text(f"{first} 至 {last}", f"{first} to {last}")


def read_quarters(
    panel: Panel,
    outcome: str,
    *,
    last: pd.Period,
    quarters: int,
    young: pd.Series | None = None,
    firms: pd.DataFrame | None = None,
) -> QuarterRates:
    """Read the rates of a quarterly panel up to a quarter.

    Parameters
    ----------
    panel : Panel
        Quarterly; ``outcome`` is a rate with counts.
    outcome : str
        Its id.
    last : pandas.Period
        Last quarter.
    quarters : int
        How many.
    young : pandas.Series or None
        Preliminary or not, index (entity, period).
    firms : pandas.DataFrame or None
        Entity, period, firm, n, k: draws of every firm, of all quarters on record; None takes them as drawn once.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    """
    counts = panel.counts(outcome)
    index = pd.period_range(last - (quarters - 1), last)
    entities = tuple(panel.entities)
    n_eff = panel.data.get(f"{outcome}__n_eff", counts["n"])
    columns = pd.DataFrame({"rate": panel.data[outcome] / 100, "n": counts["n"], "n_eff": n_eff})
    columns["total"] = _totals(panel).reindex(columns.index).fillna(columns["n"])
    grid = pd.MultiIndex.from_product([entities, index], names=["entity", "period"])
    cube = columns.reindex(grid).fillna(0.0).to_numpy(dtype=float).reshape(len(entities), quarters, 4)
    flags = np.zeros(cube.shape[:2], dtype=bool)
    if young is not None:
        flags = young.reindex(grid).eq(True).to_numpy().reshape(cube.shape[:2])
    return QuarterRates(
        panel=panel,
        outcome=outcome,
        entities=entities,
        quarters=index,
        rate=cube[..., 0].clip(0, 1),
        n=cube[..., 1],
        n_eff=cube[..., 2],
        total=np.where(cube[..., 1] > 0, cube[..., 3], 0.0),
        is_young=flags,
        pairs=_pairs(firms, entities, index),
        likeness=0.0 if firms is None else _likeness(firms, last),
    )


def _pairs(firms: pd.DataFrame | None, entities: tuple[str, ...], index: pd.PeriodIndex) -> Floats:
    """Count pairs of draws of one firm in different quarters, for windows of 1, 2, … of the last quarters."""
    found = np.zeros((len(entities), len(index)))
    if firms is None:
        return found
    place = pd.Index(entities)
    for back in range(2, len(index) + 1):
        held = firms[(firms["period"] > index[-1] - back) & (firms["period"] <= index[-1])]
        own = held.assign(nn=held["n"] ** 2).groupby(["entity", "firm"], observed=True)[["n", "nn"]].sum()
        pairs = (own["n"] ** 2 - own["nn"]).groupby(level="entity", observed=True).sum()
        found[:, back - 1] = pairs.reindex(place).fillna(0.0).to_numpy(dtype=float)
    return found


def _likeness(firms: pd.DataFrame, last: pd.Period) -> float:
    """Return the correlation of batches of one firm within an entity and a year back from the last quarter."""
    years = (last.ordinal - pd.PeriodIndex(firms["period"]).asi8) // YEAR
    own = firms.assign(year=years).groupby(["entity", "year", "firm"], observed=True)[["n", "k"]].sum()
    own = own.assign(nn=own["n"] ** 2, kk=own["k"] ** 2 / own["n"], firms=1.0)
    n, k, nn, kk, count = (x.to_numpy(dtype=float) for _, x in own.groupby(level=["entity", "year"]).sum().items())
    return firm_correlation(n, count, nn, kk, k)


def _totals(panel: Panel) -> pd.Series:
    """Return the sum of weights by entity and period; none for a panel without cells or without weights."""
    cells = panel.cells
    if panel.sampling == "naive" or cells is None or "weight" not in cells:
        return pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], []]))
    used = cells[cells["sampling"] == "random"] if panel.sampling == "random_draw" else cells
    return (used["weight"] * used["n"]).groupby([used["entity"], used["period"]]).sum()
