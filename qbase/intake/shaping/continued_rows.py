"""Rows without a number of their own that go on with the row above, as merged cells do when they are saved as text."""

from __future__ import annotations

from collections.abc import Sequence

from qbase.intake.shaping.recipe_steps import Work
from qbase.tables import ColumnRule

_NAMED = ("enum", "bool", "date", "quarter")


def find_continued(work: Work, positions: Sequence[int]) -> list[int]:
    """Find the rows that go on with the row above, and those rows: which of them holds is not for a program to say.

    Such a row leaves its key and more of what is required empty, and still says something of its own: a result, a
    day. Numbers alone are a sum somebody forgot to label.

    Parameters
    ----------
    work : Work
        Rows as read.
    positions : sequence of int
        Where each stands; a row somewhere else on the sheet does not go on.

    Returns
    -------
    list of int
        Both rows of each pair, ascending.
    """
    contract = work.contract
    needed = [column for column in contract.columns if column.required]
    if not contract.key or not {column.name for column in needed} & set(work.data.column_names):
        return []
    keys = [not any(cells) for cells in work.rows(contract.key)]
    found: set[int] = set()
    for row in (row for row, is_blank in enumerate(keys) if is_blank):
        said = {column.name: cell for column in needed if (cell := work.cells(column.name)[row]) is not None}
        missing = len(needed) - len(said)
        speaks = any(_is_said(column, said[column.name]) for column in needed if column.name in said)
        goes_on = row > 0 and positions[row] == positions[row - 1] + 1 and (not keys[row - 1] or row - 1 in found)
        if speaks and goes_on and missing > len(contract.key) and row not in work.listed:
            found |= {row - 1, row}
    return sorted(found)


def _is_said(column: ColumnRule, cell: str) -> bool:
    """Say whether a cell holds a value of its column that names something."""
    return column.type in _NAMED and (not column.values or cell in column.values)
