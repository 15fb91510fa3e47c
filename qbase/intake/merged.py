"""Cells that say more than they hold: merged ones stand for all their rows, and a rate of 0.975 % is remarkable."""

from __future__ import annotations

import statistics

import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.grid import Grid
from qbase.tables import ColumnRule

NUMERIC = ("int", "number")
HIGH_PCT = 20.0  # where most rates are above, one between 0 and 1 is more likely a share


def fill_merged(grid: Grid, column: int, rule: ColumnRule) -> tuple[pa.ChunkedArray, int]:
    """Return a column with merged cells filled down, and how many were filled.

    A merged name stands for each of its rows. A merged number does not: it would be counted several times.

    Parameters
    ----------
    grid : Grid
        A sheet as read; its merges are known for xlsx only.
    column : int
        Position.
    rule : ColumnRule
        What the column is.

    Returns
    -------
    tuple of (pyarrow.ChunkedArray, int)
    """
    cells = grid.cells.column(column)
    spans = [(first, last) for first, left, last, _ in grid.merges if left == column and last > first]
    if not spans or rule.type in NUMERIC:
        return cells, 0
    texts = cells.to_pylist()
    filled = 0
    for first, last in spans:
        for row in range(first + 1, min(last + 1, len(texts))):
            if not texts[row].strip() and texts[first].strip():
                texts[row] = texts[first]
                filled += 1
    return pa.chunked_array([pa.array(texts, pa.string())]), filled


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
