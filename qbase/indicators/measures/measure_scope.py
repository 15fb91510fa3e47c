"""A window of a snapshot with the span its records cover, and what may be asked of it."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.periods import to_periods
from qbase.indicators.catalogue.indicator_rows import Measured
from qbase.indicators.catalogue.sql_parts import assemble_sql, tables_of
from qbase.indicators.cells.inspection_window import Rows, require_table
from qbase.intake import TownCodes, read_towns

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

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
        Year of the yardstick (`qbase.indicators.measures.yardstick`).
    """

    rows: Rows
    span_first: str
    span_last: str
    data_first: str
    base_year: int | None = None

    @functools.cached_property
    def towns(self) -> TownCodes:
        """Division codes over time."""
        return read_towns(self.rows.workspace, self.rows.at)

    def ask(self, sql: str, *, lookback: int = 0) -> pd.DataFrame:
        """Run a SELECT over parts; entity as text, period as period, sorted."""
        rows = self.rows
        base = rows.base_sql(named=True)
        now, replaced = self.towns.renumbered(), self.towns.replaced
        text = assemble_sql(sql, entity=rows.entity, freq=rows.freq, base=base, towns=now, replaced=replaced)
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
