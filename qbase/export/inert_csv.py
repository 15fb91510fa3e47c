"""CSV whose text cannot become a formula."""

from __future__ import annotations

import csv
import decimal
import io
import numbers
import pathlib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from qbase.core.whole_files import write_atomic

# spreadsheet programs read a cell that starts with one of these as a formula or a command;
# the full-width forms are turned into the narrow ones by some of them first
TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
_PLAIN = frozenset({str, int, float, bool, type(None)})
_LARGEST = 2**53
BOM = b"\xef\xbb\xbf"


def write_csv(frame: pd.DataFrame, path: pathlib.Path | None = None, *, bom: bool = True) -> bytes:
    """Write a frame as CSV whose text cells no spreadsheet takes for a formula.

    Text that starts with ``= + - @``, a tab, a line break or NUL is prefixed with ``'``.
    Numbers stay numbers: a negative one is no text.

    Parameters
    ----------
    frame : DataFrame
        Its index is not written.
    path : Path or None
        Written whole or not at all; None only returns the bytes.
    bom : bool
        Start with a byte order mark, without which Excel takes Chinese text for another encoding.

    Returns
    -------
    bytes
        What was written; the same frame gives the same bytes.

    Examples
    --------
    >>> import pathlib
    >>> import pandas as pd
    >>> from qbase.export import write_csv
    >>> rates = pd.DataFrame({"集群": ["K003", "=SUM(A1:A9)"], "变化": [-1.8, 2.0]})
    >>> data = write_csv(rates, pathlib.Path("rates.csv"))
    >>> print(pathlib.Path("rates.csv").read_text(encoding="utf-8-sig"))
    集群,变化
    K003,-1.8
    '=SUM(A1:A9),2.0
    """
    safe = pd.DataFrame(
        {position: _safe_column(frame.iloc[:, position]) for position in range(frame.shape[1])},
        index=frame.index,
    )
    header = [make_inert(str(name)) for name in frame.columns]
    text = safe.to_csv(index=False, header=header, lineterminator="\r\n", date_format=None)
    data = (BOM if bom else b"") + text.encode("utf-8")
    if path is not None:
        write_atomic(path, data)
    return data


def write_columns(labels: Sequence[str], columns: Sequence[list[Any]]) -> bytes:
    """Return what `write_csv` writes of a frame of these columns, whose values are those of JSON.

    Parameters
    ----------
    labels : sequence of str
        Names of the columns; one may stand twice.
    columns : sequence of list
        All of one length.
    """
    told = [_told_column(column) for column in columns]
    if not told or any(column is None for column in told):
        frame = pd.DataFrame(dict(enumerate(columns)))
        return write_csv(frame.set_axis(list(labels), axis=1))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([make_inert(label) for label in labels])
    writer.writerows(zip(*told, strict=True))
    return BOM + out.getvalue().encode("utf-8")


def _told_column(values: list[Any]) -> list[Any] | None:
    """Return values as pandas would write them; None where that is better left to it."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN or any(type(value) is int and abs(value) > _LARGEST for value in values):
        return None
    if kinds <= {int, float, type(None)} and kinds & {int, float} and kinds != {int}:
        return ["" if value is None or value != value else float(value) for value in values]
    blank = [value is None or value != value for value in values]
    return [
        "" if empty else make_inert(value) if type(value) is str else value
        for empty, value in zip(blank, values, strict=True)
    ]


def make_inert(text: str) -> str:
    """Prefix text that a spreadsheet would take for a formula.

    >>> make_inert("=1+1"), make_inert("合格")
    ("'=1+1", '合格')
    """
    return "'" + text if text.startswith(TRIGGERS) else text


def _safe_column(column: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    return column.astype(object).map(_safe_value, na_action="ignore")


def _safe_value(value: object) -> object:
    if isinstance(value, numbers.Number | decimal.Decimal):
        return value
    return make_inert(str(value))
