"""Rows and sheets without a header of their own: they go on with what stands above, or below words nobody knows."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.finding.column_meaning import ColumnMap
from qbase.intake.finding.data_rows import Layout, find_layout
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.shaping.recipe_steps import Work
from qbase.intake.values.cell_values import FATAL, ColumnReading, Reader, read_column
from qbase.intake.values.written_numbers import plain_number
from qbase.tables import ColumnRule

SHEET = 2**40  # rows of another sheet stand so much further
LEAST = 3  # cells that cannot be what their column wants; fewer are enough where other cells are called like columns
_CALLED = re.compile(
    r".{0,6}(?:编[号码]|序号|代码|名称?|品名|日期|时间|结[果论]|判[定别]|类[别型]|等级|级别|方式|场所|领域|厂家|单位|企业|地址|"
    r"规格|型号|备注|no\.?|name|date|result|type|level)",
    re.IGNORECASE,
)
_MEASURED = ("date", "quarter", "int", "number")
TELLING = 2  # columns whose cells only fit where they belong
MOST = 0.8  # of the rows, or cells: some may be broken in any delivery
SAMPLE = 200
_WRITTEN = {"date": re.compile(r"\d{4}-\d{2}-\d{2}"), "quarter": re.compile(r"\d{4}Q[1-4]")}
_NAMED = ("enum", "bool", "date", "quarter")


def find_continued(work: Work, positions: npt.NDArray[np.int64]) -> list[int]:
    """Find the rows that go on with the row above, and those rows: which of them holds is not for a program to say.

    Such a row leaves its key and more of what is required empty, and still says something of its own: a result, a
    day. Numbers alone are a sum somebody forgot to label.

    Parameters
    ----------
    work : Work
        Rows as read.
    positions : ndarray of int
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
    keys = ~np.logical_or.reduce([work.filled(name) for name in contract.key])
    found: set[int] = set()
    for row in np.flatnonzero(keys).tolist():
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


def find_foreign(work: Work, positions: npt.NDArray[np.int64]) -> list[int]:
    """Find headers in words nobody knows among the rows, and the rows below them, whose columns they may rename.

    Such a row has no digit in any cell, a word where a day or a number belongs, and no word its columns allow but
    what a recipe or a file that states nothing puts into every row.

    Parameters
    ----------
    work : Work
        Rows as read.
    positions : ndarray of int
        Where each stands.

    Returns
    -------
    list of int
        From each such header to the end of its sheet or table, ascending.
    """
    columns = [column for column in work.contract.columns if column.name in work.data.column_names]
    if not len(work) or {column.type for column in columns}.isdisjoint(_MEASURED):
        return []
    wordy = np.arange(len(work))
    for column in columns:
        cells = work.data.column(column.name)
        if len(wordy) < len(work):
            cells = cells.take(pa.array(wordy))
        has_digit = pc.fill_null(pc.match_substring_regex(cells, "[0-9]"), False)
        wordy = wordy[~np.asarray(has_digit)]
        if not len(wordy):
            return []
    found: set[int] = set()
    for row in wordy.tolist():
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


def continue_layout(grid: Grid, above: Layout, recipe: Recipe) -> Layout | None:
    """Return the parts of a sheet without a header, should it go on with another one; None where it has a header.

    Parameters
    ----------
    grid : Grid
        The sheet.
    above : Layout
        Of the sheet before: its headers hold, and the units stated above them.
    recipe : Recipe
        How the source writes.

    Returns
    -------
    Layout or None
    """
    headers = above.headers[: grid.width]
    if min(grid.width, len(headers)) < LEAST or sum(map(bool, map(str.strip, headers))) < LEAST:
        return None
    found = find_layout(grid, dataclasses.replace(recipe, headers=headers))
    if found is None or found.header >= 0:
        return None
    titles = itertools.takewhile(lambda i: sum(bool(c.strip()) for c in grid.row(i)) == 1, found.data.tolist())
    listed = found.listed | dict.fromkeys(titles, "title_row")
    return dataclasses.replace(
        found,
        listed=listed,
        data=np.setdiff1d(found.data, list(listed)),
        units=tuple(dict.fromkeys((*above.units, *found.units))),
        strange_units=tuple(dict.fromkeys((*above.strange_units, *found.strange_units))),
    )


def judge_sheet(
    grid: Grid, layout: Layout, columns: ColumnMap, readers: Mapping[str, Reader]
) -> Literal["goes_on", "may_go_on", "below_header", "other"]:
    """Say whether the rows of a sheet are what the columns of another sheet want, place by place.

    Parameters
    ----------
    grid, layout
        The sheet, with all its rows as data.
    columns, readers
        Of the other sheet.

    Returns
    -------
    str
        ``goes_on`` where nothing else is likely, ``may_go_on`` where a person has to say, ``below_header`` where all
        but the first row fit.
    """
    fits, says = [np.ones(len(layout.data), np.bool_)], []
    for name, position in columns.positions.items():
        rule = columns.contract.column(name)
        if position >= grid.width:
            fits.append(np.full(len(layout.data), not rule.required))
            continue
        reading = read_column(grid.cells_of(position, layout.data), readers[name])
        fits.append(_fits(rule, reading))
        if rule.name == "year" or rule.type not in ("text", "int", "number"):
            says.append(_says(rule, reading) & fits[-1])
    is_fit = np.logical_and.reduce(fits)
    if not len(is_fit):
        return "other"
    skipped = 0 if is_fit[0] or len(is_fit) == 1 else 1
    is_most = is_fit[skipped:].mean() >= MOST
    is_told = sum(cells[skipped:].mean() >= MOST for cells in says) >= TELLING
    if is_most and is_told and (skipped or grid.width <= len(layout.headers)):
        return "below_header" if skipped else "goes_on"
    return "may_go_on" if is_fit[0] or is_most else "other"


def resembles(grid: Grid, layout: Layout, columns: ColumnMap, readers: Mapping[str, Reader]) -> bool:
    """Say whether a sheet holds the table of another one in other words: its days and classes stand in some column.

    Parameters
    ----------
    grid, layout
        The sheet, with a header nobody knows.
    columns, readers
        Of the other sheet.

    Returns
    -------
    bool
    """
    rows = layout.data[:SAMPLE]
    if not len(rows):
        return False
    cells = [grid.cells_of(position, rows) for position in range(grid.width)]
    alike = 0
    for name in columns.positions:
        rule = columns.contract.column(name)
        if rule.type in _NAMED:
            readings = (read_column(raw, readers[name]) for raw in cells)
            alike += any((_says(rule, reading) & _fits(rule, reading)).mean() >= MOST for reading in readings)
    return alike >= TELLING


def _says(rule: ColumnRule, reading: ColumnReading) -> npt.NDArray[np.bool_]:
    """Say which cells hold something; in a column of codes a word is nothing."""
    filled = np.asarray(reading.values.is_valid())
    if rule.type == "code":
        filled &= np.asarray(pc.fill_null(pc.match_substring_regex(reading.values, "[0-9]"), False))
    return filled


def _fits(rule: ColumnRule, reading: ColumnReading) -> npt.NDArray[np.bool_]:
    """Say which cells are what their column wants; an empty one is where the column may be empty."""
    found = np.array([_is_of(rule, cell) for cell in reading.values.to_pylist()], np.bool_)
    for code, rows in reading.codes.items():
        if code.startswith(FATAL):
            found[rows] = False
    return found


def _is_of(rule: ColumnRule, cell: str | None) -> bool:
    if not cell:
        return not rule.required
    if rule.type in _WRITTEN:
        return _WRITTEN[rule.type].match(cell) is not None
    if rule.type in ("int", "number"):
        plain = plain_number(cell)
        return plain is not None and (rule.name != "year" or (len(plain) == 4 and plain[:2] in ("19", "20")))
    if rule.type in ("enum", "bool"):
        return cell in rule.values if rule.values else cell in ("true", "false")
    return rule.type != "code" or not rule.pattern or re.fullmatch(rule.pattern, cell) is not None
