"""Runs any measure of the catalogue over a snapshot: from SQL to values with what stands behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core.periods import period_at, to_periods
from qbase.indicators.catalogue.indicator_rows import Measured, find_indicator
from qbase.indicators.measures.derived_measures import DERIVED, Function, frame_of_values
from qbase.indicators.measures.measure_scope import Scope, needed_tables, open_scope
from qbase.stats.rates.wilson import wilson_interval

if TYPE_CHECKING:
    pass

COMPOSITE = (
    "D1.batch", "D2.firms", "N3", "N4", "L10", "L11.grade", "T3", "L13.sales", "L3.province", "G2b.survey",
)  # fmt: skip
COMPOSITE_LEAST = 7
SLOTS = 5
"""No kind of measure returns more columns."""


def measure(measured: Mapping[str, Measured], scope: Scope) -> dict[str, pd.DataFrame]:
    """Compute indicators; those that SQL computes alone share one question, so that a part is read once.

    Parameters
    ----------
    measured : mapping of str to Measured
        Definitions by id.
    scope : Scope
        Where and when.

    Returns
    -------
    dict of str to pandas.DataFrame
        Index (entity, period); columns named after the indicator: its value and companions ``__n``, ``__k``,
        ``__n_firms``, ``__n_eff``, ``__num``, ``__den``, ``__lo``, ``__hi`` where they apply. A rate of nothing and a
        ratio to nothing have no row.
    """
    asked = {i: m for i, m in measured.items() if not m.function and not m.is_inspected}
    answers: dict[str, pd.DataFrame] = {}
    for lookback in sorted({m.lookback for m in asked.values()}):
        answers |= _ask_together({i: m for i, m in asked.items() if m.lookback == lookback}, scope, lookback)
    return {
        i: _finish(m, _inside(answers[i] if i in answers else _compute(m, scope), scope)) for i, m in measured.items()
    }


def _compute(measured: Measured, scope: Scope) -> pd.DataFrame:
    if measured.function:
        return FUNCTIONS[measured.function](measured, scope)
    rows = scope.rows.query(measured.measure)
    return rows.assign(entity=rows["entity"].astype(str), period=to_periods(rows["period"], scope.rows.freq))


def _ask_together(asked: Mapping[str, Measured], scope: Scope, lookback: int) -> dict[str, pd.DataFrame]:
    names = {i: m.column_names for i, m in asked.items()}
    selects = []
    for i, m in asked.items():
        slots = [f"CAST({c} AS DOUBLE) AS c{at}" for at, c in enumerate(names[i])]
        slots += [f"NULL AS c{at}" for at in range(len(names[i]), SLOTS)]
        # ids and columns come from the catalogue of the package
        selects.append(f"SELECT '{i}' AS id, entity, period, {', '.join(slots)} FROM (\n{m.text()}\n)")  # noqa: S608
    rows = scope.ask("\nUNION ALL\n".join(selects), lookback=lookback)
    found = dict(tuple(rows.groupby("id", sort=False)))
    columns = {i: {f"c{at}": c for at, c in enumerate(names[i])} for i in asked}
    return {
        i: found.get(i, rows.iloc[:0])
        .rename(columns=columns[i])[["entity", "period", *names[i]]]
        .reset_index(drop=True)
        for i in asked
    }


def _inside(frame: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    if frame.empty:
        return frame
    rows = scope.rows
    keep = pd.Series(True, index=frame.index)
    if rows.first_day > "0100":
        keep &= frame["period"] >= period_at(rows.first_day, rows.freq)
    if rows.last_day < "9000":
        keep &= frame["period"] <= period_at(rows.last_day, rows.freq)
    return frame[keep]


def _finish(measured: Measured, frame: pd.DataFrame) -> pd.DataFrame:
    i, kind = measured.indicator.id, measured.kind
    columns: dict[str, object]
    if kind == "rate":
        frame = frame[frame["n"] > 0]
        n, k = frame["n"].to_numpy(dtype=np.int64), frame["k"].to_numpy(dtype=np.int64)
        low, high = wilson_interval(k, n)
        columns = {"": 100 * k / n, "__n": n, "__k": k}
        if "n_firms" in frame:
            columns["__n_firms"] = frame["n_firms"].to_numpy(dtype=np.int64)
        columns |= {"__lo": 100 * low, "__hi": 100 * high}
    elif kind == "weighted":
        frame = frame[frame["n_eff"] > 0]
        n_eff, share = frame["n_eff"].to_numpy(dtype=float), frame["share"].to_numpy(dtype=float)
        low, high = wilson_interval(share * n_eff, n_eff)
        columns = {"": 100 * share, "__n": frame["n"].to_numpy(dtype=np.int64), "__k": frame["k"].to_numpy(np.int64)}
        columns |= {"__n_firms": frame["n_firms"].to_numpy(dtype=np.int64), "__n_eff": n_eff}
        columns |= {"__lo": 100 * low, "__hi": 100 * high}
    elif kind == "ratio":
        frame = frame[(frame["den"] > 0) & frame["num"].notna()]
        num, den = frame["num"].to_numpy(dtype=float), frame["den"].to_numpy(dtype=float)
        columns = {"": measured.scale * num / den, "__num": num, "__den": den}
    else:
        frame = frame[frame["value"].notna()]
        columns = {"": frame["value"].to_numpy(dtype=float)}
        columns |= {f"__{c}": frame[c].to_numpy(dtype=float) for c in ("lo", "hi", "n", "k", "n_firms") if c in frame}
    index = pd.MultiIndex.from_arrays([frame["entity"], frame["period"]], names=["entity", "period"])
    return pd.DataFrame({i + name: values for name, values in columns.items()}, index=index)


def _composite(measured: Measured, scope: Scope) -> pd.DataFrame:
    # scaled over every year on record, so that the window does not change a value
    rows = dataclasses.replace(scope.rows, first_day="0001-01-01", last_day="9999-12-31")
    everything = open_scope(rows)
    held = set(rows.workspace.tables(rows.at))
    parts = {i: find_indicator(i) for i in COMPOSITE}
    parts = {i: m for i, m in parts.items() if needed_tables(m, entity=rows.entity) <= held}
    scaled = []
    for i, frame in measure(parts, everything).items():
        values = frame[i]
        spread = values.max() - values.min()
        if len(values) and spread > 0:
            scaled.append(100 * (values - values.min()) / spread)
    if len(scaled) < COMPOSITE_LEAST:
        return frame_of_values([])
    table = pd.concat(scaled, axis=1)
    table = table[table.notna().sum(axis=1) >= COMPOSITE_LEAST]
    means: pd.DataFrame = table.mean(axis=1).rename("value").reset_index()
    return means


FUNCTIONS: dict[str, Function] = {**DERIVED, "composite": _composite}
"""Functions by the name the catalogue gives them."""
