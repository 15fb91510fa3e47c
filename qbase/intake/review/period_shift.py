"""How a table differs from its own last period: mixes, medians, gaps. Large changes are looked at, not judged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace
    from qbase.tables import ColumnRule, Contract

LEAST_ROWS = 30
"""Below it a mix moves by chance alone."""
MIX_LIMIT = 0.15
"""Share of rows that would have to change their value; sampling noise is added to it."""
MEDIAN_LIMIT = 3.0
"""Factor between two medians: a change of unit is at least 10."""
MISSING_LIMIT_PP = 10.0
COLUMNS = ("column", "kind", "value", "before", "now", "distance", "limit", "passed")


def period_sql(contract: Contract) -> str:
    """Return SQL of the period of a row: a quarter, or a year where the table is by year; empty when it has none."""
    column = contract.period_column
    if column is None:
        return "year::VARCHAR" if "year" in contract.column_names else ""
    if contract.column(column).type == "quarter":
        return column
    return f"year({column}) || 'Q' || quarter({column})"


def read_periods(workspace: Workspace, contract: Contract, at: Snapshot) -> pd.DataFrame:
    """Return the periods a table covers, oldest first, with their rows: ``period n``."""
    period = period_sql(contract)
    if not period:
        return pd.DataFrame({"period": pd.Series(dtype=str), "n": pd.Series(dtype=int)})
    sql = (
        f"SELECT {period} AS period, count(*) AS n FROM {contract.name} GROUP BY 1 HAVING period IS NOT NULL ORDER BY 1"  # noqa: S608
    )
    return workspace.query(sql, snapshot=at)


def find_shifts(workspace: Workspace, contract: Contract, periods: pd.DataFrame, at: Snapshot) -> pd.DataFrame:
    """Compare the last period with the one before, column by column.

    Parameters
    ----------
    workspace, contract, at
        The table and its snapshot.
    periods : pandas.DataFrame
        From `read_periods`.

    Returns
    -------
    pandas.DataFrame
        ``column kind value before now distance limit passed``: ``mix`` of an enum or truth value (``value`` moved
        most, in percent of rows), ``median`` of a number, ``missing`` cells in percent. Empty below 30 rows a period.
    """
    empty = pd.DataFrame(columns=list(COLUMNS))
    if len(periods) < 2 or int(periods["n"].iloc[-2:].min()) < LEAST_ROWS:
        return empty
    old, new = (str(code) for code in periods["period"].iloc[-2:])
    columns = [c for c in contract.columns if c.type in ("enum", "bool", "int", "number") and c.name != "year"]
    named = ", ".join(f'"{c.name}"' for c in columns)
    sql = f"SELECT {period_sql(contract)} AS period__, {named} FROM {contract.name} WHERE period__ IN (?, ?)"  # noqa: S608
    if not columns:
        return empty
    rows = workspace.query(sql, params=(old, new), snapshot=at)
    before, now = (rows[rows["period__"] == code] for code in (old, new))
    found: list[dict[str, Any]] = []
    for column in columns:
        found += _compare(column, before[column.name], now[column.name])
    return pd.DataFrame(found, columns=list(COLUMNS))


def _compare(column: ColumnRule, before: pd.Series, now: pd.Series) -> list[dict[str, Any]]:
    gaps = [100 * float(part.isna().mean()) for part in (before, now)]
    far = abs(gaps[1] - gaps[0])
    rows = [_row(column, "missing", "", gaps[0], gaps[1], far, MISSING_LIMIT_PP)]
    before, now = before.dropna(), now.dropna()
    if min(len(before), len(now)) < LEAST_ROWS:
        return rows
    if column.type in ("enum", "bool"):
        return [*rows, _mix(column, before.astype(str), now.astype(str))]
    medians = [float(part.astype(float).median()) for part in (before, now)]
    if min(medians) > 0:
        factor = max(medians) / min(medians)
        rows.append(_row(column, "median", "", medians[0], medians[1], factor, MEDIAN_LIMIT))
    return rows


def _mix(column: ColumnRule, before: pd.Series, now: pd.Series) -> dict[str, Any]:
    """Compare two mixes by the total variation distance."""
    shares = pd.DataFrame({"b": before.value_counts(normalize=True), "n": now.value_counts(normalize=True)}).fillna(0.0)
    gap = (shares["n"] - shares["b"]).sort_index()
    value = str(gap.abs().idxmax())
    limit = MIX_LIMIT + 0.5 * math.sqrt(len(shares) / min(len(before), len(now)))
    return _row(
        column, "mix", value, 100 * shares["b"][value], 100 * shares["n"][value], float(gap.abs().sum()) / 2, limit
    )


def _row(
    column: ColumnRule, kind: str, value: str, before: float, now: float, distance: float, limit: float
) -> dict[str, Any]:
    cells = (column.name, kind, value, before, now, distance, limit, distance <= limit)
    return dict(zip(COLUMNS, cells, strict=True))
