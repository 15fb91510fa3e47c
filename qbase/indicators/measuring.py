"""Runs any measure of the catalogue over a snapshot: from SQL to values with what stands behind them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.periods import to_periods
from qbase.indicators.catalogue import Measured
from qbase.indicators.parts import assemble_sql, tables_of
from qbase.indicators.rows import Rows, require_table
from qbase.indicators.wilson import wilson_interval
from qbase.intake import read_towns

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

SLOTS = 5
"""No kind of measure returns more columns."""

# where the records of a lake begin and end; what starts earlier or ends later (a certificate, a firm) is no record
_SPANS = {
    "inspections": ("min(sample_date)", "max(sample_date)"),
    "firm_year": ("make_date(min(year), 1, 1)", "make_date(max(year), 12, 31)"),
    "firm_checks": ("make_date(min(year), 1, 1)", "make_date(max(year), 12, 31)"),
    "programme": (
        "make_date(CAST(left(min(quarter), 4) AS INT), 3 * CAST(right(min(quarter), 1) AS INT) - 2, 1)",
        "make_date(CAST(left(max(quarter), 4) AS INT), 3 * CAST(right(max(quarter), 1) AS INT), 28)",
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scope:
    """A window of a snapshot, with the span its records cover.

    Parameters
    ----------
    rows : Rows
        Window, entity, frequency and snapshot.
    span_first, span_last : str
        ISO dates: the part of the window that records cover; empty where there are none.
    data_first : str
        ISO date of the first record, whatever the window.
    base_year : int or None
        Year of the yardstick (`qbase.indicators.yardstick`).
    """

    rows: Rows
    span_first: str
    span_last: str
    data_first: str
    base_year: int | None = None

    @functools.cached_property
    def towns(self) -> dict[str, str]:
        """Division code -> the one its place has today, for those that changed."""
        return read_towns(self.rows.workspace, self.rows.at).renumbered()

    def ask(self, sql: str, *, lookback: int = 0) -> pd.DataFrame:
        """Run a SELECT over parts; entity as text, period as period, sorted."""
        rows = self.rows
        base = rows.base_sql(named=True)
        text = assemble_sql(sql, entity=rows.entity, freq=rows.freq, base=base, towns=self.towns)
        first = _back(rows.first_day, lookback)
        values = {
            "first_day": first,
            "last_day": rows.last_day,
            "span_first": max(self.data_first, _back(self.span_first, lookback)),
            "span_last": self.span_last,
        }
        params = {name: value for name, value in values.items() if f"${name}" in text}
        frame = rows.workspace.query(text, params=params, snapshot=rows.at)
        frame = frame[frame["entity"].notna() & frame["period"].notna()]
        frame = frame.assign(entity=frame["entity"].astype(str), period=to_periods(frame["period"], rows.freq))
        by = [c for c in ("entity", "period", "firm_id", "product_name", "industry_code") if c in frame.columns]
        ordered: pd.DataFrame = frame.sort_values(by, kind="stable", ignore_index=True)
        return ordered


def _back(day: str, quarters: int) -> str:
    if not quarters or day < "0100":
        return day
    return (pd.Timestamp(day) - pd.DateOffset(months=3 * quarters)).date().isoformat()


def open_scope(rows: Rows, *, base_year: int | None = None) -> Scope:
    """Find the span of the records inside a window."""
    tables = [t for t in _SPANS if rows.workspace.has_table(t, rows.at)]
    parts = [f"SELECT {_SPANS[t][0]} AS a, {_SPANS[t][1]} AS b FROM {t}" for t in tables]  # noqa: S608
    first: Any = None
    last: Any = None
    if parts:
        sql = f"SELECT min(a) AS a, max(b) AS b FROM ({' UNION ALL '.join(parts)})"  # noqa: S608
        first, last = rows.workspace.query(sql, snapshot=rows.at).iloc[0]
    if first is None or pd.isna(first):
        return Scope(
            rows=rows, span_first="9999-01-01", span_last="0001-01-01", data_first="9999-01-01", base_year=base_year
        )
    begin, end = (pd.Timestamp(d).date().isoformat() for d in (first, last))
    return Scope(
        rows=rows,
        span_first=max(begin, rows.first_day),
        span_last=min(end, rows.last_day),
        data_first=begin,
        base_year=base_year,
    )


def check_measured(measured: Measured, workspace: Workspace, at: Snapshot, *, entity: str, freq: str) -> None:
    """Refuse what an indicator cannot be asked for, before anything is computed.

    Raises
    ------
    UsageError
        Not measured for this kind of entity or by this frequency (QB420).
    DataError
        It needs data without a source (QB422), or a table is missing (QB403).
    """
    i = measured.indicator.id
    if measured.missing is not None:
        raise DataError(
            "QB422", indicator=i, found="no source", expected=measured.missing.en, fix="qbase indicators --missing"
        )
    for option, value, known in (("freq", freq, measured.freqs), ("entity", entity, measured.entities)):
        if value not in known:
            raise UsageError(
                "QB420",
                indicator=i,
                value=f"{option}={value}",
                found=f'build_panel(…, "{i}", {option}="{value}")',
                expected=" | ".join(known),
                fix=f'{option}="{known[0]}"        (or --{option} {known[0]})',
            )
    for table in sorted(needed_tables(measured, entity=entity)):
        require_table(workspace, table, at)


def needed_tables(measured: Measured, *, entity: str = "cluster_id") -> frozenset[str]:
    """Return the tables of the lake an indicator reads."""
    named = frozenset(n.split(".")[0] for n in measured.needs)
    read = named | tables_of(measured.text())
    if "inspections" in named and entity != "town_code":
        read |= {"firms"}
    return read


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
        from qbase.indicators.functions import FUNCTIONS

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
        keep &= frame["period"] >= pd.Period(rows.first_day, freq=frame["period"].iloc[0].freqstr)
    if rows.last_day < "9000":
        keep &= frame["period"] <= pd.Period(rows.last_day, freq=frame["period"].iloc[0].freqstr)
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
