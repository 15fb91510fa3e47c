"""Files whose bytes depend on nothing but their content: no clock, no zip dates, no float statistics."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qbase.core.whole_files import write_atomic

ZIP_DATE = (2026, 1, 1, 0, 0, 0)
DOC_DATE = "2026-01-01T00:00:00Z"
LEAST = -(2**62)
Cells = Sequence[Sequence[Any]]


def csv_bytes(rows: Cells, *, encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    """Return rows as CSV with Windows line ends; only fields that need quotes have them."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode(encoding)


def write_csv(path: Path, rows: Cells, *, encoding: str = "utf-8") -> Path:
    """Write rows as CSV, whole or not at all."""
    write_atomic(path, csv_bytes(rows, encoding=encoding))
    return path


def workbook_bytes(book: openpyxl.Workbook) -> bytes:
    """Return a workbook with fixed dates in the zip and in docProps."""
    raw = io.BytesIO()
    book.save(raw)
    out = io.BytesIO()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+Z?(?=<)", DOC_DATE.encode(), data)
            target.writestr(zipfile.ZipInfo(name, ZIP_DATE), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def write_xlsx(path: Path, sheets: Mapping[str, Cells]) -> Path:
    """Write sheets of plain rows as xlsx, whole or not at all."""
    book = openpyxl.Workbook(write_only=True)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    write_atomic(path, workbook_bytes(book))
    return path


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as Arrow: empty texts become null, ``…_date`` columns dates."""
    arrays: dict[str, pa.Array] = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype == bool or column.dtype.kind in "iuf":
            arrays[name] = pa.array(column.to_numpy(), from_pandas=True)
            continue
        values = pa.array(column if column.dtype == "str" else column.tolist()).cast(pa.string())
        values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
        arrays[name] = values.cast(pa.date32()) if name.endswith("_date") else values
    return pa.table(arrays)


def write_parquet(path: Path, table: pa.Table) -> Path:
    """Write Arrow as Parquet without statistics of floats, whole or not at all."""
    sink = io.BytesIO()
    exact = [f.name for f in table.schema if not pa.types.is_floating(f.type)]
    pq.write_table(table, sink, compression="zstd", write_statistics=exact)
    write_atomic(path, sink.getvalue())
    return path


def content_hash(table: pa.Table) -> str:
    """Return a hash of the content of a table, the same whatever library version wrote it.

    Columns count in alphabetical order, numbers with six decimals, texts as UTF-8, a null as an empty text or as
    the smallest integer.

    Parameters
    ----------
    table : pyarrow.Table
        Texts, numbers, truth values, dates.

    Returns
    -------
    str
        sha256.
    """
    digest = hashlib.sha256(str(table.num_rows).encode())
    for name in sorted(table.column_names):
        digest.update(f"\x1e{name}\x1e".encode())
        column = table[name].combine_chunks()
        for part in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
            digest.update(_logical_bytes(part))
    return digest.hexdigest()


def _logical_bytes(column: pa.Array) -> bytes:
    if pa.types.is_string(column.type):
        filled = pa.array(pc.fill_null(column, ""))
        lengths: bytes = pc.binary_length(filled).to_numpy(zero_copy_only=False).astype("<i4").tobytes()
        return lengths + "".join(filled.to_pylist()).encode()
    if pa.types.is_floating(column.type):
        numbers = column.to_numpy(zero_copy_only=False)
        scaled = np.where(np.isfinite(numbers), np.rint(np.nan_to_num(numbers) * 1e6), LEAST)
        return scaled.astype("<i8").tobytes()
    whole = column.cast(pa.int32()) if pa.types.is_date(column.type) else column
    filled = pc.fill_null(whole.cast(pa.int64()), LEAST)
    out: bytes = filled.to_numpy(zero_copy_only=False).astype("<i8").tobytes()
    return out
