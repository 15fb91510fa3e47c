"""From strata and a frame to weights, from weighted strata to rates."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.panel import Sampling
from qbase.indicators.cells.sampling_design import Adjust
from qbase.indicators.cells.strata import KEYS
from qbase.stats.design.design_weights import (
    Floats,
    Ints,
    effective_parts,
    expected_draws,
    firm_correlation,
    merge_strata,
    own_factor,
    raking_factor,
)

Fractions = Literal["recorded", "frame", "unrecorded"]
SIZE_ORDER = ("large", "medium", "small", "micro")


def add_weights(
    strata: pd.DataFrame, frame: pd.DataFrame | None, sampling: Sampling, steps: int, adjust: Adjust
) -> tuple[pd.DataFrame, Fractions]:
    """Add the weight of a batch and of a firm to each stratum; say where the fractions come from.

    Raises
    ------
    DataError
        All draws are to be post-stratified and none carries a class of the frame (QB432).
    """
    is_post = sampling == "post_stratified"
    merged = strata.assign(weight=np.nan, firm_weight=np.nan)
    if frame is not None and not frame.empty:
        grid = Grid.of(frame)
        weight, firm_weight = _weigh(grid, strata, frame, sampling=sampling, steps=steps, adjust=adjust)
        place = grid.place(strata)
        merged = strata.assign(weight=_at(weight, place), firm_weight=_at(firm_weight, place))
    if is_post and merged["weight"].isna().all():
        raise _unclassed(strata)
    # of all draws none is weighted by its chance: that of one way of drawing says nothing about the others
    stated = (np.nan if is_post else 1) / strata["inclusion_probability"].astype(float)
    is_drawn = strata["n"] > 0
    fractions: Fractions = "unrecorded"
    if (stated.notna() | merged["weight"].notna())[is_drawn].any():
        fractions = "recorded" if stated[is_drawn].notna().all() else "frame"
    for name in ("weight", "firm_weight"):
        merged[name] = _fill_with_mean(merged.assign(value=stated.fillna(merged[name])))
    return merged, fractions


def _fill_with_mean(merged: pd.DataFrame) -> Floats:
    """Give draws without a class the mean weight of their entity and period: taken to be like the others."""
    if merged["value"].notna().all():
        return merged["value"].to_numpy(dtype=float)
    n = merged["n"].where(merged["value"].notna(), 0)
    sums = pd.DataFrame({"w": merged["value"].fillna(0) * n, "n": n}).groupby([merged["entity"], merged["period"]])
    total = sums.transform("sum")
    mean = (total["w"] / total["n"].where(total["n"] > 0)).fillna(1.0)
    return merged["value"].fillna(mean).to_numpy(dtype=float)


def _unclassed(strata: pd.DataFrame) -> DataError:
    return DataError(
        "QB432",
        found=f"{int(strata['n'].sum()):,} batches, risk_class or size_class empty or unknown to the frame in all",
        expected="risk_class and size_class as in table frame",
        fix='sampling="random_draw", or load inspections with their classes',
    )


def stratum_weights(
    strata: pd.DataFrame,
    frame: pd.DataFrame,
    *,
    sampling: Sampling,
    steps: int = 1,
    adjust: Adjust = "post_stratify",
) -> pd.DataFrame:
    """Return the weight of one batch and of one firm by cluster, period, risk class and size.

    Parameters
    ----------
    strata : pandas.DataFrame
        Columns cluster_id, period, risk_class, size_class, n, n_firms, random_n, risk_n.
    frame : pandas.DataFrame
        Columns cluster_id, period, risk_class, size_class, firms.
    sampling : {"random_draw", "post_stratified"}
        Treatment.
    steps : int
        Rounds of drawing in a period (4 quarters in a year): what a firm's chance to be drawn at all depends on.
    adjust : {"post_stratify", "rake"}
        Bring the draws of a cluster and period to the frame by merged strata, or by the margins of risk class and
        size alone; both partially pooled.

    Returns
    -------
    pandas.DataFrame
        The keys, ``weight`` (firms one batch stands for) and ``firm_weight`` (firms one drawn firm stands for).
    """
    grid = Grid.of(frame)
    weight, firm_weight = _weigh(grid, strata, frame, sampling=sampling, steps=steps, adjust=adjust)
    out = pd.DataFrame({"weight": weight.ravel(), "firm_weight": firm_weight.ravel()}, index=grid.index())
    return out.dropna().reset_index()


def _weigh(
    grid: Grid, strata: pd.DataFrame, frame: pd.DataFrame, *, sampling: Sampling, steps: int, adjust: Adjust
) -> tuple[Floats, Floats]:
    """Return the weight of one batch and of one firm by cluster and period (rows) and stratum (columns)."""
    place, by_risk, order = grid.place(strata), grid.by_risk, grid.order
    firms = grid.cube(grid.place(frame), frame["firms"])
    each = np.arange(firms.shape[1])
    random = grid.cube(place, strata["random_n"])
    kinds = [expected_draws(random, firms, grid.pool, by_risk)]
    factor = np.ones(firms.shape)
    if sampling == "post_stratified":
        risk, drawn = grid.cube(place, strata["risk_n"]), grid.cube(place, strata["n"])
        kinds.append(expected_draws(risk, firms, grid.pool, each))
        kinds.append(expected_draws(drawn - random - risk, firms, grid.pool, by_risk))
        due = sum(kinds, np.zeros(firms.shape))
        if adjust == "rake":
            factor = raking_factor(drawn, due, firms, by_risk, each % (len(each) // (by_risk.max() + 1)))
        else:
            factor = own_factor(drawn, due * firms, merge_strata(grid.cube(place, strata["n_firms"]), order))
    expected = sum(kinds, np.zeros(firms.shape))
    missed = np.ones(firms.shape)
    for kind in kinds:
        missed *= (1 - np.minimum(kind / steps, 1)) ** steps
    able = (expected > 0) & (firms > 0)
    return (
        np.divide(factor, expected, out=np.full(firms.shape, np.nan), where=able),
        np.divide(factor, 1 - missed, out=np.full(firms.shape, np.nan), where=able),
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Clusters in a period (rows) and strata (columns) of a frame, as numbers.

    Parameters
    ----------
    clusters, periods, risks, sizes : pandas.Index
        Names of the frame; sizes from large to small.
    row : numpy.ndarray, shape (clusters * periods,)
        Row of each cluster and period; -1 where the frame has none.
    """

    clusters: pd.Index
    periods: pd.Index
    risks: pd.Index
    sizes: pd.Index
    row: Ints

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Grid:
        """Return the grid of a frame."""
        clusters, periods, risks, sizes = (_names(frame[key]) for key in KEYS)
        sizes = pd.Index(sorted(sizes, key=lambda s: (*SIZE_ORDER, s).index(s)))
        cell = _codes(frame[KEYS[0]], clusters) * len(periods) + _codes(frame[KEYS[1]], periods)
        is_there = np.zeros(len(clusters) * len(periods), dtype=bool)
        is_there[cell] = True
        row = np.where(is_there, np.cumsum(is_there) - 1, -1)
        return cls(clusters=clusters, periods=periods, risks=risks, sizes=sizes, row=row)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.row.max()) + 1, len(self.risks) * len(self.sizes)

    @property
    def pool(self) -> Ints:
        """Year of each row: rows of a year share their relative rates."""
        years: Ints = pd.PeriodIndex(self.periods).year.to_numpy(dtype=np.int64)
        return years[np.flatnonzero(self.row >= 0) % len(self.periods)]

    @property
    def by_risk(self) -> Ints:
        """Number of the risk class of each column."""
        return np.repeat(np.arange(len(self.risks)), len(self.sizes))

    @property
    def order(self) -> Ints:
        """Columns in the order of likeness: sizes to and fro."""
        each = np.arange(self.shape[1]).reshape(len(self.risks), len(self.sizes))
        each[1::2] = each[1::2, ::-1].copy()
        return each.ravel()

    def place(self, long: pd.DataFrame) -> Ints:
        """Return where in the grid each row of a long frame belongs; -1 for nowhere."""
        cluster, period, risk, size = (
            _codes(long[key], names)
            for key, names in zip(KEYS, (self.clusters, self.periods, self.risks, self.sizes), strict=True)
        )
        row = np.where((cluster >= 0) & (period >= 0), self.row[cluster * len(self.periods) + period], -1)
        is_known = (row >= 0) & (risk >= 0) & (size >= 0)
        return np.where(is_known, row * self.shape[1] + risk * len(self.sizes) + size, -1)

    def cube(self, place: Ints, values: pd.Series) -> Floats:
        """Sum values by their place."""
        is_known = place >= 0
        weights = values.to_numpy(dtype=float)[is_known]
        sums = np.bincount(place[is_known], weights, minlength=self.shape[0] * self.shape[1])
        return sums.astype(float).reshape(self.shape)

    def index(self) -> pd.MultiIndex:
        """Return the keys of every place."""
        cell = np.flatnonzero(self.row >= 0).repeat(self.shape[1])
        column = np.tile(np.arange(self.shape[1]), self.shape[0])
        arrays = [
            self.clusters.take(cell // len(self.periods)), self.periods.take(cell % len(self.periods)),
            self.risks.take(column // len(self.sizes)), self.sizes.take(column % len(self.sizes)),
        ]  # fmt: skip
        return pd.MultiIndex.from_arrays(arrays, names=KEYS)


def _names(column: pd.Series) -> pd.Index:
    names: pd.Index = pd.Index(column.dropna().unique()).sort_values()
    return names


def _codes(column: pd.Series, names: pd.Index) -> Ints:
    """Return the place of each value among names; -1 for none. Each distinct value is looked up once."""
    codes, seen = pd.factorize(column)
    return np.append(names.get_indexer(pd.Index(seen)), -1)[codes]


def _at(values: Floats, place: Ints) -> Floats:
    return np.append(values.ravel(), np.nan)[place]


def weighted_rates(strata: pd.DataFrame, by: list[str], *, numerator: str = "batch") -> pd.DataFrame:
    """Sum weighted strata to rates.

    Parameters
    ----------
    strata : pandas.DataFrame
        By stratum: the columns ``by``, n, k, n_firms, n_clean, sum_nn, sum_kk, weight, firm_weight.
    by : list of str
        What is told apart; a list of one constant column sums everything.
    numerator : {"batch", "firm"}
        Batches that passed, or firms of which every batch passed.

    Returns
    -------
    pandas.DataFrame
        Index ``by``; n, k (unweighted counts), n_firms, n_eff, rate (share).
    """
    if numerator == "firm":
        n, k, weight = (strata[c].to_numpy(dtype=float) for c in ("n_firms", "n_clean", "firm_weight"))
        spread, correlation = n, 0.0
    else:
        n, k, weight, firms, spread, kk = (
            strata[c].to_numpy(dtype=float) for c in ("n", "k", "weight", "n_firms", "sum_nn", "sum_kk")
        )
        correlation = firm_correlation(n, firms, spread, kk, k)
    parts = pd.DataFrame(
        {
            "n": n, "k": k, "n_firms": strata["n_firms"].to_numpy(dtype=float), "wn": weight * n, "wk": weight * k,
            "part": effective_parts(weight, n, spread, correlation),
        },
        index=pd.MultiIndex.from_frame(strata[by]),
    )  # fmt: skip
    total = parts.groupby(level=by).sum()
    rate = (total["wk"] / total["wn"]).clip(0, 1)
    n_eff = np.minimum(total["wn"] ** 2 / total["part"], total["n"])
    return total[["n", "k", "n_firms"]].assign(n_eff=n_eff, rate=rate)


def count_firms_once(rates: pd.DataFrame, firms: pd.DataFrame, *, numerator: str) -> pd.DataFrame:
    """Return rates with every firm counted once.

    A firm drawn with several probabilities, or of another class later in the year, stands in several strata. What it
    has there is taken to pass or fail together: the effective sample size falls as the firms do.

    Parameters
    ----------
    rates : pandas.DataFrame
        From `weighted_rates` or `qbase.indicators.sampling.output_rates.output_rates`.
    firms : pandas.DataFrame
        Same index: ``n_firms``, ``n_clean``.
    numerator : {"batch", "firm"}
        What n and k count.
    """
    once = firms.reindex(rates.index)
    n_firms = np.minimum(rates["n_firms"], once["n_firms"])
    found = rates.assign(n_firms=n_firms, n_eff=rates["n_eff"] * n_firms / rates["n_firms"])
    if numerator == "firm":
        found = found.assign(n=n_firms, k=np.minimum(rates["k"], once["n_clean"]))
    return found
