"""Workbooks whose text cannot become a formula, the same bytes each time."""

from __future__ import annotations

import datetime
import decimal
import io
import math
import pathlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import openpyxl
import pandas as pd
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from qbase.core.errors import DataError
from qbase.core.whole_files import write_atomic
from qbase.export.inert_csv import TRIGGERS

MAX_ROWS, MAX_COLUMNS, MAX_TEXT, MAX_NAME = 1_048_576, 16_384, 32_767, 31
EXACT_DIGITS = 10**15  # a spreadsheet keeps 15 digits of a number
FIXED = (1980, 1, 1, 0, 0, 0)
FIXED_DAY = "1980-01-01"

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_BAD_NAME = re.compile(r"[\[\]:*?/\\]")
_STAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms:\2>)")


def write_xlsx(
    sheets: Mapping[str, pd.DataFrame],
    path: pathlib.Path | None = None,
    *,
    above: Mapping[str, Sequence[str]] | None = None,
) -> bytes:
    """Write frames as a workbook whose text cells can never become formulas.

    Text is stored as text and marked so that editing the cell keeps it text. Characters a
    workbook cannot hold are replaced by U+FFFD; whole numbers above 15 digits are written as text.

    Parameters
    ----------
    sheets : mapping
        Sheet name -> frame; the index is not written.
    path : Path or None
        Written whole or not at all; None only returns the bytes.
    above : mapping, optional
        Sheet name -> lines of text above its table, the first of them in bold.

    Returns
    -------
    bytes
        What was written; the same frames give the same bytes. A `decimal.Decimal` shows as many decimals as it has.

    Raises
    ------
    DataError
        A frame or a text is larger than a sheet can hold (QB190), or a sheet name is not allowed (QB191).

    Examples
    --------
    >>> import pathlib
    >>> import openpyxl
    >>> import pandas as pd
    >>> from qbase.export import write_xlsx
    >>> rates = pd.DataFrame({"集群": ["K003", "=SUM(A1:A9)"], "批次": [20, 18]})
    >>> data = write_xlsx({"合格率": rates}, pathlib.Path("rates.xlsx"))
    >>> list(openpyxl.load_workbook("rates.xlsx")["合格率"].values)
    [('集群', '批次'), ('K003', 20), ('=SUM(A1:A9)', 18)]
    """
    checked = {name: _plain_rows(name, frame) for name, frame in sheets.items()}
    book = openpyxl.Workbook(write_only=True)
    for name, (header, *rows) in checked.items():
        sheet = book.create_sheet(name)
        lines = [_text(line) for line in (above or {}).get(name, ())]
        sheet.freeze_panes = f"A{len(lines) + 2}"
        for i, line in enumerate(lines):
            sheet.append([_cell(sheet, line, bold=i == 0)])
        sheet.append([_cell(sheet, value, bold=True) for value in header])
        for row in rows:
            sheet.append([_cell(sheet, value) for value in row])
    buffer = io.BytesIO()
    book.save(buffer)
    data = clean_times(buffer.getvalue())
    if path is not None:
        write_atomic(path, data)
    return data


def _plain_rows(name: str, frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return header and rows; everything is checked before the first cell is written."""
    _check_sheet(name, frame)
    header = tuple(_text(str(column)) for column in frame.columns)
    columns = [[_plain(value) for value in frame.iloc[:, position].tolist()] for position in range(frame.shape[1])]
    return [header, *zip(*columns, strict=True)]


def _cell(sheet: Any, plain: object, *, bold: bool = False) -> Any:
    cell = WriteOnlyCell(sheet, value=plain if not isinstance(plain, str) else None)
    if isinstance(plain, str):
        # the value is set behind the guess that openpyxl makes from it ("=1" a formula, "#N/A" an error)
        cell._value = plain
        cell.data_type = "s"
        cell.quotePrefix = plain.startswith(TRIGGERS)
    if isinstance(plain, decimal.Decimal):
        places = max(-int(plain.as_tuple().exponent), 0)
        cell.number_format = "#,##0" + (f".{'0' * places}" if places else "")
    if bold:
        cell.font = Font(bold=True)
    return cell


def _plain(value: object) -> object:
    """Return a value a cell holds without loss: text, number, date or nothing."""
    if isinstance(value, str):
        return _text(value)
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < EXACT_DIGITS else str(value)
    if isinstance(value, float | decimal.Decimal):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat() if value.tzinfo else pd.Timestamp(value).to_pydatetime()
    if isinstance(value, datetime.date):
        return value
    return _text(str(value))


def _text(value: str) -> str:
    text = _ILLEGAL.sub("\ufffd", value)
    if len(text) > MAX_TEXT:
        raise DataError(
            "QB190",
            found=f"{len(text):,} > {MAX_TEXT:,}",
            expected=f"<= {MAX_TEXT:,}",
            fix="CSV",
        )
    return text


def _check_sheet(name: str, frame: pd.DataFrame) -> None:
    rows, columns = frame.shape[0] + 1, frame.shape[1]
    if rows > MAX_ROWS or columns > MAX_COLUMNS:
        raise DataError(
            "QB190",
            found=f"{rows:,} x {columns:,}",
            expected=f"<= {MAX_ROWS:,} x {MAX_COLUMNS:,}",
            fix="CSV",
        )
    if not name or len(name) > MAX_NAME or _BAD_NAME.search(name) or name.startswith("'") or name.endswith("'"):
        raise DataError(
            "QB191",
            name=name,
            found=repr(name),
            expected=f"1-{MAX_NAME}, no [ ] : * ? / \\ '",
            fix=_BAD_NAME.sub("_", name.strip("'"))[:MAX_NAME] or "Sheet1",
        )


def clean_times(data: bytes, day: str = FIXED_DAY) -> bytes:
    """Return the archive of an office file with constant times, so that the same content gives the same bytes.

    Parameters
    ----------
    data : bytes
        A workbook or a document of a word processor.
    day : str
        When it says that it was made, ISO.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "docProps/core.xml":
                content = _STAMP.sub(rb"\g<1>" + f"{day}T00:00:00Z".encode() + rb"\g<3>", content)
            info = zipfile.ZipInfo(entry.filename, FIXED)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            new.writestr(info, content)
    return out.getvalue()
