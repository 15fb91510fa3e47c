"""同上, 〃 and do.: the value above, within a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from qbase.intake.finding.data_rows import Layout
from qbase.intake.values.nothing_words import is_ditto, refers_elsewhere
from qbase.tables import ColumnRule

_EDGES = frozenset({"header", "repeated_header", "title_row"})


def fill_ditto(
    raw: pa.ChunkedArray, texts: Sequence[str], layout: Layout, rule: ColumnRule, key: Sequence[str]
) -> tuple[pa.ChunkedArray, list[int], list[int]]:
    """Return a column with ditto marks filled from the row above.

    A mark below a header has nothing above it, an amount is not repeated by a mark, and 同左 points elsewhere: such
    rows are to be set aside. Where a mark stands for the number that names a row, so is the row it goes on with.

    Parameters
    ----------
    raw : pyarrow.ChunkedArray
        D data cells as they stand.
    texts : sequence of str
        The different texts among them; those that are plain may be left out.
    layout : Layout
        Where the rows stand.
    rule : ColumnRule
        What the column is.
    key : sequence of str
        Columns that together name a row of the table.

    Returns
    -------
    tuple of (pyarrow.ChunkedArray, list of int, list of int)
        The column, the rows that were filled, and those that could not be.
    """
    marks = {text for text in texts if is_ditto(text)}
    elsewhere = {text for text in texts if refers_elsewhere(text)}
    if not marks and not elsewhere:
        return raw, [], []
    is_amount = rule.type in ("int", "number") and rule.name not in key
    is_own_number = tuple(key) == (rule.name,)
    cells, filled, unclear = raw.to_pylist(), [], []
    edges = {position for position, reason in layout.listed.items() if reason in _EDGES}
    for row in np.flatnonzero(np.asarray([cell in marks for cell in cells])).tolist():
        above = cells[row - 1] if row and not edges & _between(layout, row) else ""
        is_usable = above.strip() and above not in marks | elsewhere
        if is_own_number and is_usable:
            unclear.append(row - 1)
        if not is_amount and not is_own_number and is_usable:
            cells[row] = above
            filled.append(row)
        else:
            unclear.append(row)
    unclear += [row for row, cell in enumerate(cells) if cell in elsewhere]
    return pa.chunked_array([pa.array(cells, pa.string())]), filled, sorted(set(unclear))


def _between(layout: Layout, row: int) -> set[int]:
    return set(range(int(layout.data[row - 1]) + 1, int(layout.data[row])))
