"""Counted cells are kept beside the lake: files of a table are never rewritten, so the same count gives the same cells.

A report run for every cluster of a province then counts once instead of a thousand times. What is kept can always be
counted again: a file that is damaged, foreign or gone changes nothing but the time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pathlib
import time
from collections.abc import Callable
from importlib import resources

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from qbase.compute import ShardQuery
from qbase.core.lazy import read_once
from qbase.core.whole_files import write_atomic
from qbase.indicators.kept.kept_files import kept_name, make_room

FOLDER = ".cells"
CODE = {
    "qbase.indicators.cells": (
        "batch_counts.py",
        "record_fates.py",
        "snapshot_files.py",
        "sorted_runs.py",
        "strata.py",
    ),
    "qbase.compute": ("shard_query.py",),
}
"""What counts beside the statement: a correction there must not be answered with cells of before."""

WORTH_SECONDS = 0.5
"""What is counted faster is not kept: reading it back would save nothing."""

MOST_FILES = 96
MOST_BYTES = 500 * 2**20


def count_once(
    lake: pathlib.Path,
    query: ShardQuery,
    words: tuple[str, ...],
    count: Callable[[], pd.DataFrame],
    *,
    worth: float | None = None,
) -> pd.DataFrame:
    """Return cells as they were counted before, or count them and keep them.

    Parameters
    ----------
    lake : pathlib.Path
        Folder of the lake; cells are kept in its folder ``.cells``.
    query : ShardQuery
        What is counted: statement, parameters, and the files of every table it reads.
    words : tuple of str
        What else decides the answer: the kind of cells, entity, frequency.
    count : callable
        Counts them.
    worth : float or None
        Seconds of counting from which it is kept; None is `WORTH_SECONDS`. A few rows are read back sooner.

    Returns
    -------
    pandas.DataFrame
    """
    key = _key(query, words)
    found = _read(lake / FOLDER, key)
    if found is not None:
        return found
    start = time.monotonic()
    cells = count()
    if time.monotonic() - start >= (WORTH_SECONDS if worth is None else worth):
        # a workspace that can only be read, or a full disk, is no reason not to answer
        with contextlib.suppress(OSError):
            _write(lake / FOLDER, key, cells)
    return cells


def _key(query: ShardQuery, words: tuple[str, ...]) -> str:
    tables = {
        name: [
            files.columns,
            [(pathlib.PurePosixPath(u).name, size) for u, size in zip(files.urls, files.sizes, strict=True)],
        ]
        for name, files in query.tables.items()
    }
    parts = [_code(), words, query.sql, dict(query.params), dict(query.prepared), tables]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@read_once
def _code() -> str:
    """Return the hash of the code that counts."""
    files = [resources.files(package).joinpath(name) for package, names in CODE.items() for name in names]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _read(folder: pathlib.Path, key: str) -> pd.DataFrame | None:
    for path in sorted(folder.glob(f"{key}.*.parquet")):
        with contextlib.suppress(OSError, pa.ArrowException, ValueError, KeyError):
            data = path.read_bytes()
            # the name carries the hash of the content: what was changed or cut short is not trusted
            if path.name == kept_name(key, data, "parquet"):
                table = pq.read_table(pa.BufferReader(data))
                frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
                with contextlib.suppress(OSError):
                    os.utime(path)
                return frame
    return None


def _write(folder: pathlib.Path, key: str, cells: pd.DataFrame) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(cells, preserve_index=False), buffer, compression="zstd", compression_level=1)
    data = buffer.getvalue()
    name = kept_name(key, data, "parquet")
    write_atomic(folder / name, data)
    make_room(folder, key, keep=name, most_files=MOST_FILES, most_bytes=MOST_BYTES)
