"""One sheet as it was read: raw text, nothing interpreted, nothing left out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.reading.sheet_cells import MAX_BLANK

# the widest of the first rows decides how many columns are kept as columns; a longer row further down
# is kept beside them, so that one broken line cannot blow up the whole table
SAMPLE_ROWS = 100
CHUNK_ROWS = 50_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """A cell the reader itself cannot vouch for.

    Parameters
    ----------
    row, column : int
        Position in the grid, from 0.
    code : str
        ``error_cell``, ``formula_without_value``, ``long_number`` …
    is_fatal : bool
        Whether the row must be set aside; False only adds a warning.
    """

    row: int
    column: int
    code: str
    is_fatal: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Rows of raw text.

    Parameters
    ----------
    sheet : str
        Name of the sheet; empty for CSV.
    cells : pyarrow.Table
        R rows x W columns of strings; short rows are filled up with empty text.
    widths : ndarray of int
        R fields as they stood in the file.
    long_rows : mapping
        Row -> all its fields, where it has more than W.
    row_numbers : ndarray of int
        Place of each row in the file, from 0, where blank rows were skipped; empty where none was.
    faults : tuple of Fault
        Cells the reader cannot vouch for.
    notes : tuple of str
        Warnings about the sheet.
    numbers : mapping
        Column -> cells stored as numbers, where the format knows types.
    merges : tuple of tuple of int
        First row, first column, last row, last column of merged cells, where the format knows them.
    """

    sheet: str
    cells: pa.Table
    widths: npt.NDArray[np.int32]
    long_rows: Mapping[int, tuple[str, ...]]
    row_numbers: npt.NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.empty(0, np.int64))
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    numbers: Mapping[int, int] = dataclasses.field(default_factory=dict)
    merges: tuple[tuple[int, int, int, int], ...] = ()

    def __len__(self) -> int:
        return int(self.cells.num_rows)

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.cells.num_columns)

    def cells_of(self, column: int, rows: npt.ArrayLike) -> pa.ChunkedArray:
        """Return the cells of a column in some rows."""
        return self.cells.column(column).take(pa.array(np.asarray(rows, np.int64)))

    def row_nos(self, positions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the numbers that rows have in the file, from 1."""
        places = np.asarray(positions, np.int64)
        return (self.row_numbers[places] if len(self.row_numbers) else places) + 1

    def row_no(self, position: int) -> int:
        """Return the number that a row has in the file, from 1."""
        return int(self.row_nos([position])[0])

    def rows(self, positions: Iterable[int]) -> list[tuple[str, ...]]:
        """Return rows verbatim, with as many fields as they had."""
        wanted = [int(position) for position in positions]
        part = self.cells.take(pa.array(wanted, pa.int64()))
        columns = [part.column(i).to_pylist() for i in range(self.width)]
        rows = list(zip(*columns, strict=True)) if columns else [()] * len(wanted)
        return [
            self.long_rows.get(position, row[: self.widths[position]])
            for position, row in zip(wanted, rows, strict=True)
        ]

    def row(self, position: int) -> tuple[str, ...]:
        """Return one row verbatim."""
        return self.rows([position])[0]

    def raw_json(self, positions: Iterable[int]) -> list[str]:
        """Return rows verbatim as JSON lists."""
        return [json.dumps(row, ensure_ascii=False) for row in self.rows(positions)]


def build_grid(
    rows: Iterable[Sequence[str]],
    *,
    sheet: str = "",
    faults: tuple[Fault, ...] = (),
    notes: tuple[str, ...] = (),
    numbers: Mapping[int, int] | None = None,
    merges: tuple[tuple[int, int, int, int], ...] = (),
    row_numbers: Sequence[int] = (),
    width: int = 0,
) -> Grid:
    """Turn rows of text into columns, a chunk at a time.

    Parameters
    ----------
    rows : iterable of sequence of str
        In file order; a blank line is an empty sequence.
    sheet, faults, notes, numbers, merges, row_numbers
        As in `Grid`.
    width : int
        Columns to keep as such; 0 takes the widest of the first rows.

    Returns
    -------
    Grid
        All rows.
    """
    stream = iter(rows)
    chunk = _take(stream, SAMPLE_ROWS)
    width = width or max((len(row) for row in chunk), default=0) or 1  # a table without columns forgets its rows
    schema = pa.schema([(str(i), pa.string()) for i in range(width)])
    batches: list[pa.RecordBatch] = []
    widths: list[npt.NDArray[np.int32]] = []
    long_rows: dict[int, tuple[str, ...]] = {}
    seen = 0
    while chunk:
        lengths = np.fromiter((len(row) for row in chunk), np.int32, len(chunk))
        for i in np.flatnonzero(lengths != width):
            row = chunk[i]
            if len(row) > width:
                long_rows[seen + int(i)] = tuple(row)
            chunk[i] = [*row[:width], *[""] * (width - len(row))]
        arrays = [pa.array(column, pa.string()) for column in zip(*chunk, strict=True)]
        if arrays:
            batches.append(pa.record_batch(arrays, schema=schema))
        widths.append(lengths)
        seen += len(chunk)
        chunk = _take(stream, CHUNK_ROWS)
    return Grid(
        sheet=sheet,
        cells=pa.Table.from_batches(batches, schema=schema),
        widths=np.concatenate(widths) if widths else np.empty(0, np.int32),
        long_rows=long_rows,
        faults=faults,
        notes=notes,
        numbers=numbers or {},
        merges=merges,
        row_numbers=np.asarray(row_numbers, np.int64),
    )


def first_filled(grid: Grid) -> pa.Array:
    """Return the first cell of each row that is not blank, trimmed; null for a blank row."""
    found = pa.nulls(len(grid), pa.string())
    for i in range(grid.width):
        if not found.null_count:
            break
        column = pc.utf8_trim_whitespace(grid.cells.column(i).combine_chunks())
        found = pc.coalesce(found, pc.if_else(pc.equal(column, ""), None, column))
    beyond = {
        row: next((cell.strip() for cell in cells if cell.strip()), None)
        for row, cells in grid.long_rows.items()
        if not found[row].is_valid
    }
    if not any(beyond.values()):
        return found
    return pa.array([text or beyond.get(row) for row, text in enumerate(found.to_pylist())], pa.string())


def skip_blank(grid: Grid) -> Grid:
    """Return a grid without its blank rows where they are very many: nothing is to be made of each of them."""
    is_blank = np.asarray(first_filled(grid).is_null())
    blank = int(is_blank.sum())
    if blank <= MAX_BLANK:
        return grid
    kept = np.flatnonzero(~is_blank)
    places = {int(position): i for i, position in enumerate(kept)} if grid.long_rows else {}
    return dataclasses.replace(
        grid,
        cells=grid.cells.take(pa.array(kept)),
        widths=grid.widths[kept],
        long_rows={places[row]: cells for row, cells in grid.long_rows.items() if row in places},
        notes=(*grid.notes, f"sheet:blank_rows_skipped {blank}"),
        row_numbers=kept,
    )


def _take(stream: Iterator[Sequence[str]], count: int) -> list[Sequence[str]]:
    return [row for _, row in zip(range(count), stream, strict=False)]
