"""One sheet as it was read: raw text, nothing interpreted, nothing left out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

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
    row_offset : int
        Number of the first row in the file, from 1.
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
    row_offset: int = 1
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
) -> Grid:
    """Turn rows of text into columns, a chunk at a time.

    Parameters
    ----------
    rows : iterable of sequence of str
        In file order; a blank line is an empty sequence.
    sheet, faults, notes, numbers, merges
        As in `Grid`.

    Returns
    -------
    Grid
        All rows.
    """
    stream = iter(rows)
    chunk = _take(stream, SAMPLE_ROWS)
    width = max((len(row) for row in chunk), default=0) or 1  # a table without columns forgets its rows
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
    )


def _take(stream: Iterator[Sequence[str]], count: int) -> list[Sequence[str]]:
    return [row for _, row in zip(range(count), stream, strict=False)]
