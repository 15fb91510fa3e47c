"""Measures that one aggregate of SQL cannot give: rows in, one value an entity and period out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core.periods import PER_YEAR, to_periods
from qbase.indicators.catalogue.indicator_rows import Measured
from qbase.indicators.measures import agglomeration, steadiness, yardstick
from qbase.indicators.measures.measure_scope import Scope
from qbase.indicators.measures.peer_rates import gaps_to_peers, lead_over_whole, probability_above

Floats = NDArray[np.float64]
Function = Callable[[Measured, Scope], pd.DataFrame]

QUARTERS = 12
LEAST_QUARTERS = 8
LEAD_PROBABILITY = 0.9
LEAST_FIRMS = 5
KM_PER_DEGREE = 111.195

_COUNTS = (
    "SELECT entity, period, count(*) AS n, count(*) FILTER (is_pass) AS k, count(DISTINCT firm) AS n_firms\n"
    "FROM counted\nGROUP BY entity, period"
)


def _grouped(function: Callable[[pd.DataFrame], float]) -> Function:
    def run(measured: Measured, scope: Scope) -> pd.DataFrame:
        rows = scope.ask(measured.text(), lookback=measured.lookback)
        found = [
            {"entity": e, "period": p, "value": function(group)}
            for (e, p), group in rows.groupby(["entity", "period"], sort=True)
        ]
        return frame_of_values(found)

    return run


def frame_of_values(found: list[dict[str, object]]) -> pd.DataFrame:
    """Return rows of entity, period and value as a frame, which has these columns even without a row."""
    return pd.DataFrame(found, columns=["entity", "period", "value"] if not found else None)


def nearest_index(group: pd.DataFrame) -> float:
    """Return Clark and Evans' index of places given as longitude and latitude, nan for fewer than five.

    References
    ----------
    Clark, P. J. and Evans, F. C. (1954). Distance to nearest neighbor as a measure of spatial relationships in
    populations. Ecology 35, 445-453.
    """
    lon, lat = group["own"].to_numpy(dtype=float), group["ref"].to_numpy(dtype=float)
    places = np.column_stack([lon * KM_PER_DEGREE * np.cos(np.radians(lat.mean())), lat * KM_PER_DEGREE])
    if len(places) < LEAST_FIRMS:
        return float("nan")
    from scipy.spatial import ConvexHull, QhullError, cKDTree

    try:
        area = float(ConvexHull(places).volume)
    except QhullError:
        return float("nan")
    distances = cKDTree(places).query(places, k=2)[0][:, 1]
    return float(distances.mean() / (0.5 * np.sqrt(area / len(places))))


def _lq(group: pd.DataFrame) -> float:
    own, own_all, ref, ref_all = group[["own", "own_all", "ref", "ref_all"]].to_numpy(dtype=float)[0]
    return agglomeration.location_quotient(own, own_all, ref, ref_all)


def _krugman(group: pd.DataFrame) -> float:
    return agglomeration.krugman(group["own"], group["ref"]) if group["own"].sum() > 0 else float("nan")


def _overlap(measured: Measured, scope: Scope) -> pd.DataFrame:
    rows = scope.ask(measured.text())
    wide = rows.pivot_table(
        index=["entity", "period", "firm_id"], columns="product_name", values="own", aggfunc="sum", fill_value=0.0
    )
    found: list[dict[str, object]] = [
        {"entity": e, "period": p, "value": agglomeration.overlap(group.to_numpy(dtype=float))}
        for (e, p), group in wide.groupby(level=["entity", "period"], sort=True)
    ]
    return frame_of_values(found)


def _quarterly(scope: Scope) -> Scope:
    return dataclasses.replace(scope, rows=dataclasses.replace(scope.rows, freq="Q"))


def _as_asked(frame: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """By half-year and by year the value is that of the last quarter."""
    if scope.rows.freq == "Q" or frame.empty:
        return frame
    quarters = pd.PeriodIndex(frame["period"])
    last = frame[quarters.quarter % (PER_YEAR["Q"] // PER_YEAR[scope.rows.freq]) == 0]
    return last.assign(period=to_periods(last["period"], scope.rows.freq))


def _trailing(one: Callable[[Floats, Floats], dict[str, float] | None]) -> Function:
    """Apply a function of counts to the last twelve quarters up to each quarter."""

    def run(measured: Measured, scope: Scope) -> pd.DataFrame:
        counts = _quarterly(scope).ask(_COUNTS, lookback=measured.lookback)
        found: list[dict[str, object]] = []
        for entity, group in counts.groupby("entity", sort=True):
            ordinals = pd.PeriodIndex(group["period"]).asi8
            n, k = group["n"].to_numpy(dtype=float), group["k"].to_numpy(dtype=float)
            for at, period in zip(ordinals, group["period"], strict=True):
                inside = (ordinals > at - QUARTERS) & (ordinals <= at)
                full = at - QUARTERS + 1 >= counts["period"].min().ordinal
                if not full or inside.sum() < LEAST_QUARTERS:
                    continue
                values = one(k[inside], n[inside])
                if values is not None:
                    found.append({"entity": entity, "period": period, **values})
        return _as_asked(pd.DataFrame(found, columns=None if found else ["entity", "period", "value", "n", "k"]), scope)

    return run


def _spread(k: Floats, n: Floats) -> dict[str, float]:
    value, low, high = steadiness.spread(k, n)
    return {"value": 100 * value, "lo": 100 * low, "hi": 100 * high, "n": len(n)}


def _inside_limits(k: Floats, n: Floats) -> dict[str, float]:
    return {"k": float(steadiness.inside_laney(k, n).sum()), "n": len(n)}


def _sigma_z(k: Floats, n: Floats) -> dict[str, float] | None:
    value = steadiness.sigma_z(k, n)
    return None if np.isnan(value) else {"value": value, "n": len(n)}


def _gap(measured: Measured, scope: Scope) -> pd.DataFrame:
    counts = scope.ask(_COUNTS)
    found = []
    for _, group in counts.groupby("period", sort=True):
        gaps = gaps_to_peers(group["k"].to_numpy(dtype=float), group["n"].to_numpy(dtype=float))
        if gaps is not None:
            value, low, high = (100 * x for x in gaps)
            found.append(group[["entity", "period", "n"]].assign(value=value, lo=low, hi=high))
    return pd.concat(found, ignore_index=True) if found else frame_of_values([])


def _lead(measured: Measured, scope: Scope) -> pd.DataFrame:
    rows = scope.ask(measured.text())
    found: list[dict[str, object]] = []
    for (entity, period), group in rows.groupby(["entity", "period"], sort=True):
        n, k, n_all, k_all = group[["n", "k", "n_province", "k_province"]].to_numpy(dtype=float).T
        value, low, high = lead_over_whole(k, n, k_all, n_all)
        found.append(
            {"entity": entity, "period": period, "value": 100 * value, "lo": 100 * low, "hi": 100 * high, "n": n.sum()}
        )
    return pd.DataFrame(found) if found else frame_of_values([])


def _persistence(measured: Measured, scope: Scope) -> pd.DataFrame:
    counts = _quarterly(scope).ask(_COUNTS, lookback=measured.lookback)
    total = counts.groupby("period")[["n", "k"]].transform("sum")
    others = counts.assign(n=total["n"] - counts["n"], k=total["k"] - counts["k"])
    is_above = probability_above(counts["k"], counts["n"], others["k"], others["n"]) > LEAD_PROBABILITY
    # where nobody else was tested the prior alone would put the entity ahead
    leads = is_above & (others["n"] > 0)
    found: list[dict[str, object]] = []
    for entity, group in counts.assign(leads=leads).groupby("entity", sort=True):
        run, before = 0, None
        for period, is_leading in zip(group["period"], group["leads"], strict=True):
            # a quarter without inspections breaks the run: nobody knows what it was
            unbroken = before is not None and period.ordinal == before + 1
            run = (run if unbroken else 0) + 1 if is_leading else 0
            before = period.ordinal
            found.append({"entity": entity, "period": period, "value": run})
    return _as_asked(frame_of_values(found), scope)


DERIVED: dict[str, Function] = {
    "concentration": _grouped(lambda g: agglomeration.concentration(g["own"])),
    "herfindahl": _grouped(lambda g: agglomeration.herfindahl(g["own"])),
    "effective_number": _grouped(lambda g: agglomeration.effective_number(g["own"])),
    "location_quotient": _grouped(_lq),
    "krugman": _grouped(_krugman),
    "overlap": _overlap,
    "nearest_neighbour": _grouped(nearest_index),
    "spread_of_rate": _trailing(_spread),
    "quarters_inside": _trailing(_inside_limits),
    "sigma_z": _trailing(_sigma_z),
    "gap_to_peers": _gap,
    "lead_over_province": _lead,
    "persistence": _persistence,
    **yardstick.FUNCTIONS,
}
"""Functions by the name the catalogue gives them, but for the one made of others."""
