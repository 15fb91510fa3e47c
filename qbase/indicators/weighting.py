"""From strata and a frame to weights, from weighted strata to rates."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.panel import Sampling
from qbase.indicators.design_weights import (
    Floats,
    Ints,
    effective_parts,
    expected_draws,
    firm_correlation,
    merge_strata,
    own_factor,
    raking_factor,
)
from qbase.indicators.strata import KEYS

Fractions = Literal["recorded", "frame", "unrecorded"]
Adjust = Literal["post_stratify", "rake"]
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
    known = strata["inclusion_probability"].to_numpy(dtype=float)
    if is_post:  # the chance of one way of drawing says nothing about the others
        known = np.full(len(strata), np.nan)
    merged = strata.assign(weight=np.nan, firm_weight=np.nan)
    if frame is not None and not frame.empty:
        weights = stratum_weights(strata, frame, sampling=sampling, steps=steps, adjust=adjust)
        merged = strata.merge(weights, on=KEYS, how="left")
    elif is_post:
        raise _unclassed(strata)
    is_weighted = merged["weight"].notna().to_numpy() | np.isfinite(known)
    if is_post and not is_weighted.any():
        raise _unclassed(strata)
    by_probability = np.divide(1.0, known, out=np.full(len(known), np.nan), where=known > 0)
    fractions: Fractions = "unrecorded"
    if is_weighted[merged["n"] > 0].any():
        fractions = "recorded" if np.isfinite(by_probability)[merged["n"] > 0].all() else "frame"
    for name in ("weight", "firm_weight"):
        value = merged[name].where(~np.isfinite(by_probability), by_probability)
        merged[name] = _fill(merged.assign(value=value))
    return merged, fractions


def _fill(merged: pd.DataFrame) -> Floats:
    """Give draws without a class the mean weight of their entity and period: taken to be like the others."""
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
    rows = pd.MultiIndex.from_frame(frame[KEYS[:2]].drop_duplicates().sort_values(KEYS[:2]))
    columns, order, by_risk = _strata_of(frame)
    firms = _cube(frame, "firms", rows, columns)
    pool = pd.PeriodIndex(rows.get_level_values("period")).year.to_numpy(dtype=np.int64)
    each = np.arange(len(columns))
    random = _cube(strata, "random_n", rows, columns)
    kinds = [expected_draws(random, firms, pool, by_risk)]
    factor = np.ones(firms.shape)
    if sampling == "post_stratified":
        risk, drawn = _cube(strata, "risk_n", rows, columns), _cube(strata, "n", rows, columns)
        kinds.append(expected_draws(risk, firms, pool, each))
        kinds.append(expected_draws(drawn - random - risk, firms, pool, by_risk))
        due = sum(kinds, np.zeros(firms.shape))
        if adjust == "rake":
            factor = raking_factor(drawn, due, firms, by_risk, each % (len(columns) // (by_risk.max() + 1)))
        else:
            factor = own_factor(drawn, due * firms, merge_strata(_cube(strata, "n_firms", rows, columns), order))
    expected = sum(kinds, np.zeros(firms.shape))
    missed = np.prod([(1 - np.minimum(kind / steps, 1)) ** steps for kind in kinds], axis=0)
    index = pd.MultiIndex.from_tuples([(*row, *column) for row in rows for column in columns], names=KEYS)
    able = (expected > 0) & (firms > 0)
    out = pd.DataFrame(
        {
            "weight": np.divide(factor, expected, out=np.full(firms.shape, np.nan), where=able).ravel(),
            "firm_weight": np.divide(factor, 1 - missed, out=np.full(firms.shape, np.nan), where=able).ravel(),
        },
        index=index,
    )
    return out.dropna().reset_index()


def _strata_of(frame: pd.DataFrame) -> tuple[list[tuple[str, str]], Ints, Ints]:
    """Return the strata, their order of likeness (sizes to and fro), and the number of their risk class."""
    risks = sorted(frame["risk_class"].dropna().unique())
    sizes = sorted(frame["size_class"].dropna().unique(), key=lambda s: (*SIZE_ORDER, s).index(s))
    columns = [(r, s) for r in risks for s in sizes]
    m = len(sizes)
    order = [i * m + (j if i % 2 == 0 else m - 1 - j) for i in range(len(risks)) for j in range(m)]
    return columns, np.array(order, dtype=np.int64), np.repeat(np.arange(len(risks)), m)


def _cube(long: pd.DataFrame, value: str, rows: pd.MultiIndex, columns: list[tuple[str, str]]) -> Floats:
    sums = long.groupby(KEYS)[value].sum().unstack(["risk_class", "size_class"])
    wide = sums.reindex(index=rows, columns=pd.MultiIndex.from_tuples(columns)).fillna(0.0)
    return wide.to_numpy(dtype=float)


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
