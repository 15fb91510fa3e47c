"""CSV as it stands: every field raw text, quotes that must close, two engines that must count alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.csv as arrow_csv

from qbase.core.errors import DataError
from qbase.intake.grid import Grid, build_grid

SEPARATORS = (",", ";", "\t", "|")
FIELD_LIMIT = 1 << 20


def read_csv(text: bytes, separator: str) -> Grid:
    """Read CSV text.

    Parameters
    ----------
    text : bytes
        UTF-8 without mark.
    separator : str
        One of `SEPARATORS`.

    Returns
    -------
    Grid
        All records, blank lines included.

    Raises
    ------
    DataError
        A quote does not close, or text follows a closing quote (QB315); names the line.
    """
    return build_grid(_records(text, separator))


def find_separator(text: bytes, score: Callable[[Sequence[str]], float]) -> str:
    """Return the separator of the first line that is not blank.

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
    line = next((line for line in _lines(text) if line.strip()), "")
    best, best_score = ",", (-1.0, 0)
    for sign in SEPARATORS:
        if sign not in line:
            continue
        fields = next(csv.reader([line], delimiter=sign))
        current = (score(fields), len(fields))
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
        io.BytesIO(text),
        read_options=arrow_csv.ReadOptions(column_names=names, block_size=max(1 << 24, 2 * FIELD_LIMIT)),
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
