"""Rows that are not what their column says: they go on with the row above, or stand below a header nobody knows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.shaping.recipe_steps import Work
from qbase.tables import ColumnRule

SHEET = 2**40  # rows of another sheet stand so much further
LEAST = 3  # cells that cannot be what their column wants; fewer are enough where other cells are called like columns
_CALLED = re.compile(
    r".{0,6}(?:编[号码]|序号|代码|名称?|品名|日期|时间|结[果论]|判[定别]|类[别型]|等级|级别|方式|场所|领域|厂家|单位|企业|地址|"
    r"规格|型号|备注|no\.?|name|date|result|type|level)",
    re.IGNORECASE,
)
_MEASURED = ("date", "quarter", "int", "number")
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
    """Say whether a cell holds a value of its column that names something, and that somebody wrote."""
    return cell != column.unstated and column.type in _NAMED and (not column.values or cell in column.values)


def find_foreign(work: Work, positions: Sequence[int]) -> list[int]:
    """Find headers in words nobody knows among the rows, and the rows below them, whose columns they may rename.

    Such a row has no digit in any cell, a word where a day or a number belongs, and no word its columns allow but
    what a recipe or a file that states nothing puts into every row.

    Parameters
    ----------
    work : Work
        Rows as read.
    positions : sequence of int
        Where each stands.

    Returns
    -------
    list of int
        From each such header to the end of its sheet or table, ascending.
    """
    columns = [column for column in work.contract.columns if column.name in work.data.column_names]
    if not len(work) or {column.type for column in columns}.isdisjoint(_MEASURED):
        return []
    wordy = pa.array(np.ones(len(work), np.bool_))
    for column in columns:
        cells = work.data.column(column.name).combine_chunks()
        wordy = pc.and_(wordy, pc.invert(pc.fill_null(pc.match_substring_regex(cells, "[0-9]"), False)))
    found: set[int] = set()
    for row in np.flatnonzero(np.asarray(wordy)).tolist():
        if row in found or row in work.listed:
            continue
        said = [(column, work.data.column(column.name)[row].as_py()) for column in columns]
        wrong = [column.type for column, cell in said if cell and _is_odd(column, cell)]
        right = any(
            column.type == "enum" and cell in column.values and cell != column.unstated for column, cell in said
        )
        called = sum(bool(cell and _CALLED.fullmatch(cell)) for _, cell in said)
        is_header = len(wrong) >= LEAST or min(len(wrong), called) > 1
        if is_header and not right and not set(wrong).isdisjoint(_MEASURED):
            found |= {below for below in range(row, len(work)) if positions[below] // SHEET == positions[row] // SHEET}
    return sorted(found)


def _is_odd(column: ColumnRule, cell: str) -> bool:
    """Say whether a cell without digits cannot be what its column wants."""
    return column.type in _MEASURED or (
        column.type in ("enum", "bool") and bool(column.values) and cell not in column.values
    )
