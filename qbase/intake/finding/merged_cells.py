"""Merged cells stand for all their rows, as offices group them; amounts do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qbase.intake.reading.raw_grid import Grid
from qbase.tables import ColumnRule


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
