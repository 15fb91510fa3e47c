"""Tables one below the other on a sheet: a row that understands as a header begins a new one."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.finding.column_meaning import is_known
from qbase.intake.finding.data_rows import Layout, find_layout
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes.recipe_model import TIDY, Recipe
from qbase.tables import list_contracts, normalise_header, read_contract

LEAST = 3  # headers that have to be understood, and more than half of the row
_MARK = "\ufeff"  # stands in the middle where files were put one behind the other


def find_layouts(grid: Grid, recipe: Recipe = TIDY) -> list[Layout]:
    """Find the tables of a sheet.

    Parameters
    ----------
    grid : Grid
        A sheet as read.
    recipe : Recipe
        What headers mean.

    Returns
    -------
    list of Layout
        One per table, in order, with positions in the grid; none when every row is blank. A header that only
        repeats the one above begins no new table.
    """
    whole = find_layout(grid, recipe)
    if whole is None:
        return []
    starts, repeated = _starts(grid, whole, recipe)
    if not starts:
        return [_without(whole, repeated)]
    edges = [0, *starts, len(grid)]
    found = []
    for begin, end in itertools.pairwise(edges):
        layout = find_layout(_slice(grid, begin, end), recipe)
        if layout is not None:  # each has a header
            found.append(_moved(layout, begin))
    return found


def _starts(grid: Grid, whole: Layout, recipe: Recipe) -> tuple[list[int], list[int]]:
    """Return where further tables begin, title lines and all, and the headers that only repeat the last."""
    height = len(whole.of_reason("header"))
    last = _plain(whole.headers)
    starts: list[int] = []
    repeated: list[int] = []
    for position in _candidates(grid, whole):
        names = _plain(grid.row(position))
        known = sum(is_known(name, recipe) for name in names)
        if known < LEAST or 2 * known <= sum(map(bool, names)):
            continue
        if names == last:
            repeated.append(position)
            continue
        last = names
        starts.append(_top(grid, whole, position - max(height - 1, 0), starts[-1] if starts else whole.header))
    return starts, repeated


def _without(layout: Layout, repeated: Sequence[int]) -> Layout:
    """Return a layout in which repeated headers are no data."""
    if not repeated:
        return layout
    listed = layout.listed | dict.fromkeys(repeated, "repeated_header")
    return dataclasses.replace(layout, listed=listed, data=np.setdiff1d(layout.data, repeated))


def _candidates(grid: Grid, whole: Layout) -> list[int]:
    """Return data rows that begin with a header of any table, or of this one."""
    if not len(whole.data) or not grid.width:
        return []
    names = {header.strip() for header in whole.headers} | _all_headers()
    wanted = pa.array(sorted(names - {""}), pa.string())
    found = np.zeros(len(grid), np.bool_)
    for column in range(min(grid.width, LEAST)):
        cells = pc.utf8_trim_whitespace(pc.utf8_ltrim(grid.cells.column(column), _MARK))
        found |= np.asarray(pc.is_in(cells, wanted))
    rows: list[int] = whole.data[found[whole.data]].tolist()
    return [row for row in rows if row > whole.header]


@functools.cache
def _all_headers() -> frozenset[str]:
    contracts = map(read_contract, list_contracts())
    return frozenset(name for contract in contracts for column in contract.columns for name in column.headers)


def _plain(names: Sequence[str]) -> list[str]:
    plain = [normalise_header(name.replace(_MARK, "")) for name in names]
    while plain and not plain[-1]:
        plain.pop()
    return plain


def _top(grid: Grid, whole: Layout, header: int, floor: int) -> int:
    """Return the first of the blank rows and title lines above a header, which belong to its table."""
    top = header
    while top - 1 > floor and whole.listed.get(top - 1) in (None, "blank_row", "title_row", "note_row", "unit_row"):
        if sum(bool(cell.strip()) for cell in grid.row(top - 1)) > 1:
            break
        top -= 1
    return top


def _slice(grid: Grid, begin: int, end: int) -> Grid:
    """Return some rows of a grid, for finding their parts only."""
    return dataclasses.replace(
        grid,
        cells=grid.cells.slice(begin, end - begin),
        widths=grid.widths[begin:end],
        row_numbers=grid.row_numbers[begin:end],
        long_rows={row - begin: cells for row, cells in grid.long_rows.items() if begin <= row < end},
        merges=tuple((a - begin, b, c - begin, d) for a, b, c, d in grid.merges if begin <= a < end),
        faults=(),
        notes=(),
    )


def _moved(layout: Layout, by: int) -> Layout:
    return dataclasses.replace(
        layout,
        begin=by,
        header=layout.header + by if layout.header >= 0 else -1,
        data=layout.data + by,
        listed={position + by: reason for position, reason in layout.listed.items()},
    )
