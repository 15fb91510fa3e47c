"""From sheets of raw text to one table of text with canonical columns; every row keeps its place."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qbase.core.errors import DataError
from qbase.intake.grid import Grid
from qbase.intake.mapping import ColumnMap, map_columns
from qbase.intake.recipe import Recipe
from qbase.intake.rows import Layout, find_layout
from qbase.intake.split import ROW
from qbase.intake.values import FATAL, Reader, build_reader, read_column
from qbase.tables import Contract


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One sheet whose rows go to the table.

    Parameters
    ----------
    grid, layout, columns
        The sheet, its parts, its columns.
    offset : int
        Position of its first data row among all data rows of the file.
    """

    grid: Grid
    layout: Layout
    columns: ColumnMap
    offset: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sheets:
    """All data rows of a file.

    Parameters
    ----------
    contract : Contract
        Of the table.
    parts : tuple of Part
        Sheets that hold data rows.
    unused : tuple of Grid
        Sheets that hold no known table; their rows are listed.
    data : pyarrow.Table
        D rows of text, canonical columns and `ROW`.
    codes : mapping
        Reason code -> positions of rows the readers set aside.
    readers : mapping
        Column -> its reader.
    warnings : tuple of str
        Codes with counts.
    """

    contract: Contract
    parts: tuple[Part, ...]
    unused: tuple[Grid, ...]
    data: pa.Table
    codes: Mapping[str, npt.NDArray[np.int64]]
    readers: Mapping[str, Reader]
    warnings: tuple[str, ...]


def read_sheets(grids: Sequence[Grid], recipe: Recipe, file: str) -> Sheets:
    """Find the table of each sheet and read its columns.

    Parameters
    ----------
    grids : sequence of Grid
        Sheets as read.
    recipe : Recipe
        How the source writes.
    file : str
        What errors call it.

    Returns
    -------
    Sheets

    Raises
    ------
    DataError
        No rows (QB323), no sheet with a known table or with required columns missing (QB320, QB321, QB322),
        or sheets of different tables (QB324).
    """
    parts, unused = _find_parts(grids, recipe)
    if not parts:
        raise DataError("QB323", file=file, found="0", expected=">= 1", fix=file)
    tables = sorted({part.columns.contract.name for part in parts})
    if len(tables) > 1:
        raise DataError("QB324", file=file, found=", ".join(tables), expected="1", fix=" / ".join(tables))
    contract = parts[0].columns.contract
    readers = {
        column.name: build_reader(column, missing=recipe.missing, values=recipe.values.get(column.name))
        for column in contract.columns
    }
    codes: dict[str, list[npt.NDArray[np.int64]]] = {}
    counts: collections.Counter[str] = collections.Counter()
    tables_read = [_read_part(part, recipe, readers, codes, counts) for part in parts]
    data = pa.concat_tables(tables_read, promote_options="default")
    if not data.num_rows:
        raise DataError("QB323", file=file, found="0", expected=">= 1", fix=file)
    remarks = [f"{code} {count}" for code, count in sorted(counts.items())]
    remarks += [warning for part in parts for warning in (*part.columns.warnings, *part.grid.notes)]
    remarks += [f"{grid.sheet}:sheet_unused" for grid in unused]
    return Sheets(
        contract=contract,
        parts=tuple(parts),
        unused=tuple(unused),
        data=data.append_column(ROW, pa.array(range(data.num_rows), pa.int64())),
        codes={code: np.concatenate(rows) for code, rows in codes.items()},
        readers=readers,
        warnings=tuple(dict.fromkeys(remarks)),
    )


def _find_parts(grids: Sequence[Grid], recipe: Recipe) -> tuple[list[Part], list[Grid]]:
    parts: list[Part] = []
    unused: list[Grid] = []
    unknown: list[DataError] = []
    offset = 0
    for grid in grids:
        layout = find_layout(grid)
        if layout is None:
            unused.append(grid)
            continue
        try:
            columns = map_columns(layout.headers, recipe)
        except DataError as error:
            # a sheet of remarks is no fault of the workbook; a table with a column missing is
            if error.code != "QB320":
                raise
            unknown.append(error)
            unused.append(grid)
            continue
        parts.append(Part(grid=grid, layout=layout, columns=columns, offset=offset))
        offset += len(layout.data)
    if not parts and unknown:
        raise unknown[0]
    return parts, unused


def _read_part(
    part: Part,
    recipe: Recipe,
    readers: Mapping[str, Reader],
    codes: dict[str, list[npt.NDArray[np.int64]]],
    counts: collections.Counter[str],
) -> pa.Table:
    """Read the columns of one sheet; add what the readers found to ``codes`` and ``counts``."""
    data, grid = part.layout.data, part.grid
    arrays: dict[str, pa.Array] = {}
    for name, position in part.columns.positions.items():
        raw = _rows(grid.cells.column(position), data)
        reading = read_column(raw, readers[name])
        # a column that reading did not change is not kept twice
        arrays[name] = raw if raw.equals(pa.chunked_array([reading.values])) else reading.values
        for code, rows in reading.codes.items():
            if code.startswith(FATAL):
                codes.setdefault(f"{name}:{code.removeprefix(FATAL)}", []).append(rows + part.offset)
            else:
                counts[f"{name}:{code}"] += len(rows)
    for name, value in recipe.constants.items():
        arrays[name] = pa.array([value] * len(data), pa.string())
    _add_widths(part, codes)
    _add_faults(part, codes, counts)
    return pa.table(arrays)


def _rows(column: pa.ChunkedArray, positions: npt.NDArray[np.int64]) -> pa.ChunkedArray:
    """Return rows of a column, without a copy where they follow one another."""
    if len(positions) and positions[-1] - positions[0] == len(positions) - 1:
        return column.slice(int(positions[0]), len(positions))
    return column.take(pa.array(positions))


def _add_widths(part: Part, codes: dict[str, list[npt.NDArray[np.int64]]]) -> None:
    expected = int(part.grid.widths[part.layout.header])
    widths = part.grid.widths[part.layout.data]
    for code, wrong in (("too_many_fields", widths > expected), ("too_few_fields", widths < expected)):
        if wrong.any():
            codes.setdefault(code, []).append(np.flatnonzero(wrong) + part.offset)


def _add_faults(part: Part, codes: dict[str, list[npt.NDArray[np.int64]]], counts: collections.Counter[str]) -> None:
    columns = {position: name for name, position in part.columns.positions.items()}
    row_of = {int(position): i + part.offset for i, position in enumerate(part.layout.data)} if part.grid.faults else {}
    for fault in part.grid.faults:
        name, row = columns.get(fault.column), row_of.get(fault.row)
        if name is None or row is None:
            continue
        if fault.is_fatal:
            codes.setdefault(f"{name}:{fault.code}", []).append(np.array([row], np.int64))
        else:
            counts[f"{name}:{fault.code}"] += 1
    for position, count in part.grid.numbers.items():
        name = columns.get(position)
        if name is not None and part.columns.contract.column(name).type == "code":
            counts[f"{name}:stored_as_number"] += count
