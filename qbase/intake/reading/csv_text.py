"""CSV as it stands: every field raw text, quotes that must close, two engines that must count alike."""

from __future__ import annotations

import csv
import functools
import io
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as arrow_csv

from qbase.core.errors import DataError
from qbase.intake.reading.raw_grid import Grid, build_grid, skip_blank
from qbase.intake.values.row_account import check_count

SEPARATORS = (",", ";", "\t", "|")
LOOK = 15
FIELD_LIMIT = 1 << 20
BLOCK = 1 << 24  # Arrow needs whole records in a block


def read_csv(text: bytes, separator: str, file: str) -> Grid:
    """Read CSV text with two engines that must count the same records.

    A strict scan finds how many fields each record has. Where all have the same, Arrow reads the columns;
    else the stdlib reads every record as it stands and Arrow only counts.

    Parameters
    ----------
    text : bytes
        UTF-8 without mark.
    separator : str
        One of `SEPARATORS`.
    file : str
        What errors call it.

    Returns
    -------
    Grid
        All records; blank lines included unless they are very many.

    Raises
    ------
    DataError
        A quote does not close, or text follows a closing quote (QB315, names the line); or the engines
        count differently (QB330).
    """
    widths = scan_widths(text, separator)
    if len(widths) and widths[0] > 0 and (widths == widths[0]).all():
        cells = _read_arrow(text, separator, int(widths[0]))
        check_count(file, len(widths), cells.num_rows)
        return skip_blank(Grid(sheet="", cells=cells, widths=widths, long_rows={}))
    grid = build_grid(_records(text, separator))
    check_count(file, len(grid), count_records(text, separator, grid.width))
    return skip_blank(grid)


def scan_widths(text: bytes, separator: str) -> npt.NDArray[np.int32]:
    """Return the number of fields of each record, 0 for a blank line.

    Parameters
    ----------
    text : bytes
        UTF-8 without mark.
    separator : str
        One of `SEPARATORS`.

    Returns
    -------
    ndarray of int
        One per record, in file order.

    Raises
    ------
    DataError
        A quote does not close, or text follows a closing quote (QB315).
    """
    if b'"' in text or text.count(b"\r") != text.count(b"\r\n"):
        return np.fromiter((len(record) for record in _records(text, separator)), np.int32)
    if not text:
        return np.empty(0, np.int32)
    # without quotes a record is a line, and a line of n separators has n + 1 fields
    width = text.count(separator.encode(), 0, text.find(b"\n") + 1 or len(text)) + 1
    signs = text.translate(None, _delete_all_but(separator)) + (b"" if text.endswith(b"\n") else b"\n")
    line = separator.encode() * (width - 1) + b"\n"
    if width > 1 and len(signs) % width == 0 and signs == line * (len(signs) // width):
        return np.full(len(signs) // width, width, np.int32)
    return _scan_lines(text, separator)


@functools.cache
def _delete_all_but(separator: str) -> bytes:
    return bytes(set(range(256)) - {ord(separator), ord("\n")})


def _scan_lines(text: bytes, separator: str) -> npt.NDArray[np.int32]:
    """Return the number of fields of each line, where they differ or a blank line is to be told from one field."""
    raw = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    if not len(ends) or ends[-1] != len(raw) - 1:
        ends = np.append(ends, len(raw))
    starts = np.concatenate([[0], ends[:-1] + 1])
    before = np.searchsorted(np.flatnonzero(raw == ord(separator)), np.stack([starts, ends]))
    widths: npt.NDArray[np.int32] = (before[1] - before[0] + 1).astype(np.int32)
    lengths = ends - starts
    is_return = (lengths == 1) & (raw[np.minimum(starts, len(raw) - 1)] == ord("\r"))
    widths[(lengths == 0) | is_return] = 0
    return widths


def _read_arrow(text: bytes, separator: str, width: int) -> pa.Table:
    names = [str(i) for i in range(width)]
    return arrow_csv.read_csv(
        pa.BufferReader(text),
        read_options=arrow_csv.ReadOptions(column_names=names, block_size=BLOCK),
        parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True, ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
            check_utf8=False,  # decoding has proved it
        ),
    )


def find_separator(text: bytes, score: Callable[[Sequence[str]], float]) -> str:
    """Return the separator with which most of a row of headers near the top is understood.

    Parameters
    ----------
    text : bytes
        UTF-8 without mark.
    score : callable
        How well a row of headers is understood.

    Returns
    -------
    str
        A comma where no separator occurs: one column.
    """
    # a title may stand above the header: the line that says most decides
    lines = list(itertools.islice((line for line in _lines(text) if line.strip()), LOOK))
    best, best_score = ",", (-1.0, 0)
    for line in lines:
        candidates = [sign for sign in SEPARATORS if sign in line]
        if line == lines[0] and len(candidates) == 1 and score(next(csv.reader(lines[:1], delimiter=candidates[0]))):
            return candidates[0]
        for sign in candidates:
            fields = next(csv.reader([line], delimiter=sign))
            # before any header is known only the first line counts; a comma in a remark is no separator
            current = (score(fields), len(fields) if line == lines[0] else 0)
            if current > best_score:
                best, best_score = sign, current
    return best


def count_records(text: bytes, separator: str, width: int) -> int:
    """Count the records with a second engine (Arrow), independent of the first.

    Parameters
    ----------
    text : bytes
        UTF-8 without mark.
    separator : str
        As found.
    width : int
        Fields of most records; those with more or fewer are counted one by one.

    Returns
    -------
    int
        Records, blank lines included.
    """
    others = 0

    def count_other(_: object) -> str:
        nonlocal others
        others += 1
        return "skip"

    if not text:
        return 0
    names = [str(i) for i in range(max(width, 1))]
    reader = arrow_csv.open_csv(
        pa.BufferReader(text),
        read_options=arrow_csv.ReadOptions(column_names=names, block_size=BLOCK),
        parse_options=arrow_csv.ParseOptions(
            delimiter=separator,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=count_other,
        ),
        convert_options=arrow_csv.ConvertOptions(include_columns=["0"], column_types={"0": pa.binary()}),
    )
    rows = sum(int(batch.num_rows) for batch in reader)
    return rows + others


def _lines(text: bytes) -> Iterator[str]:
    return io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline="")


def _records(text: bytes, separator: str) -> Iterator[list[str]]:
    csv.field_size_limit(FIELD_LIMIT)
    reader = csv.reader(_lines(text), delimiter=separator, strict=True)
    start = 1
    try:
        for record in reader:
            yield record
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            "QB315",
            line=start,
            found=f"lines {start}-{reader.line_num}: {error}",
            expected='"…" closed, quotes inside doubled ""',
            fix=f"line {start}",
        ) from None
