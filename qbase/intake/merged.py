"""Cells that say more than they hold: merged ones stand for all their rows, and a rate of 0.975 % is remarkable."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.grid import Grid
from qbase.tables import ColumnRule

NUMERIC = ("int", "number")
HIGH_PCT = 20.0  # where most rates are above, one between 0 and 1 is more likely a share


def fill_merged(
    grid: Grid, column: int, rule: ColumnRule, key: Sequence[str], data: npt.NDArray[np.int64]
) -> tuple[pa.ChunkedArray, list[int]]:
    """Return a column with merged cells filled down, and the rows that were filled.

    A merged name, year or code stands for each of its rows. A merged amount does not: it would be counted several
    times.

    Parameters
    ----------
    grid : Grid
        A sheet as read; its merges are known for xlsx only.
    column : int
        Position.
    rule : ColumnRule
        What the column is.
    key : sequence of str
        Columns that together name a row of the table.
    data : ndarray of int
        Positions of the data rows, ascending; a merged cell has to begin in one of them.

    Returns
    -------
    tuple of (pyarrow.ChunkedArray, list of int)
    """
    cells = grid.cells.column(column)
    spans = [(first, last) for first, left, last, _ in grid.merges if left == column and last > first]
    if not spans or _is_measured(rule, key):
        return cells, []
    texts, rows = cells.to_pylist(), set(data.tolist())
    filled = []
    for first, last in spans:
        for row in range(first + 1, min(last + 1, len(texts))):
            if first in rows and row in rows and not texts[row].strip() and texts[first].strip():
                texts[row] = texts[first]
                filled.append(row)
    return pa.chunked_array([pa.array(texts, pa.string())]), filled


def _is_measured(rule: ColumnRule, key: Sequence[str]) -> bool:
    """Say whether a column holds amounts and counts; a year or a number of the key only names what they are of."""
    return rule.type == "number" or (rule.type == "int" and (bool(rule.unit) or rule.name not in key))


def remark_shares(name: str, rule: ColumnRule, values: pa.Array) -> dict[str, int]:
    """Count the rates of a percentage that look like shares; they stay what the contract says they are.

    Parameters
    ----------
    name : str
        Of the column.
    rule : ColumnRule
        Only percentages are looked at.
    values : pyarrow.Array
        Texts as read.

    Returns
    -------
    dict of str to int
        ``may_be_share`` with its count, or nothing.
    """
    if rule.unit != "pct" or rule.type not in NUMERIC:
        return {}
    numbers = []
    for text, count in ((item["values"].as_py(), item["counts"].as_py()) for item in pc.value_counts(values)):
        try:
            numbers += [float(text)] * count if text else []
        except ValueError:
            continue
    small = sum(0 < number <= 1 for number in numbers)
    others = [number for number in numbers if number > 1]
    if small and (statistics.median(others) >= HIGH_PCT if others else small > 1):
        return {f"{name}:may_be_share": small}
    return {}
