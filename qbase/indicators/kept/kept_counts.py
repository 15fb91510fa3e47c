"""Counted cells are kept beside the lake: files of a table are never rewritten, so the same count gives the same cells.

A report run for every cluster of a province then counts once instead of a thousand times, and a delivery is counted in
the periods of its rows alone. What is kept can always be counted again: a file that is damaged, foreign or gone changes
nothing but the time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import time
from collections.abc import Callable
from importlib import resources
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from qbase.compute import Files, ShardQuery
from qbase.core.lazy import read_once
from qbase.core.whole_files import write_atomic
from qbase.indicators.kept.kept_files import kept_name, make_room

FOLDER = ".cells"
HALF = 32
"""Characters of a key that are of all but the files of `GROWS`; as many are of these."""
CODE = {
    "qbase.indicators.cells": (
        "batch_counts.py",
        "grown_cells.py",
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

GROWS = "inspections"
"""The table whose files come one by one; any other is small, and what changes there is counted anew."""
MARK = b"qbase_files"

Grow = Callable[[pd.DataFrame, ShardQuery], pd.DataFrame | None]
"""Cells kept without some files, and the query over these alone -> all cells, or None where that is no gain."""

MOST_FILES = 96
MOST_BYTES = 500 * 2**20


def count_once(
    lake: pathlib.Path,
    query: ShardQuery,
    words: tuple[str, ...],
    count: Callable[[], pd.DataFrame],
    *,
    worth: float | None = None,
    grow: Grow | None = None,
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
    grow : callable or None
        Makes them of cells that were kept before some files of table ``inspections`` came; None counts all.

    Returns
    -------
    pandas.DataFrame
    """
    key = _key(query, words)
    found = _read(lake / FOLDER, key)
    if found is not None:
        return found
    start = time.monotonic()
    older = None if grow is None else _read_older(lake / FOLDER, key, query)
    grown = None if grow is None or older is None else grow(*older)
    cells = count() if grown is None else grown
    if older is not None or time.monotonic() - start >= (WORTH_SECONDS if worth is None else worth):
        # a workspace that can only be read, or a full disk, is no reason not to answer
        with contextlib.suppress(OSError):
            _write(lake / FOLDER, key, cells, _names(query.tables[GROWS]) if GROWS in query.tables else [])
    return cells


def _key(query: ShardQuery, words: tuple[str, ...]) -> str:
    """Return the hash of all that decides cells, in halves: the second is of the files that come one by one."""
    tables = {name: [files.columns, _names(files) * (name != GROWS)] for name, files in query.tables.items()}
    parts = [_code(), words, query.sql, dict(query.params), dict(query.prepared), tables]
    grows = _names(query.tables[GROWS]) if GROWS in query.tables else []
    return "".join(hashlib.sha256(repr(part).encode()).hexdigest()[:HALF] for part in (parts, grows))


def _names(files: Files) -> list[list[Any]]:
    return [[pathlib.PurePosixPath(u).name, size] for u, size in zip(files.urls, files.sizes, strict=True)]


def _read_older(folder: pathlib.Path, key: str, query: ShardQuery) -> tuple[pd.DataFrame, ShardQuery] | None:
    """Return the cells that lack the fewest files of today's, and the query over what they lack."""
    files = query.tables[GROWS]
    now = list(map(tuple, _names(files)))
    known: list[tuple[int, str, set[tuple[str, int]]]] = []
    for path in folder.glob(f"{key[:HALF]}*.parquet"):
        with contextlib.suppress(OSError, pa.ArrowException, ValueError, KeyError):
            held = set(map(tuple, json.loads((pq.read_schema(path).metadata or {})[MARK])))
            if held < set(now):
                known.append((len(held), path.name.partition(".")[0], held))
    for _, other, held in sorted(known, key=lambda one: -one[0]):
        cells = _read(folder, other)
        if cells is not None:
            lacking = [i for i, name in enumerate(now) if name not in held]
            fresh = dataclasses.replace(
                files, urls=tuple(files.urls[i] for i in lacking), sizes=tuple(files.sizes[i] for i in lacking)
            )
            return cells, dataclasses.replace(query, tables={**query.tables, GROWS: fresh})
    return None


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


def _write(folder: pathlib.Path, key: str, cells: pd.DataFrame, files: list[list[Any]]) -> None:
    buffer = io.BytesIO()
    table = pa.Table.from_pandas(cells, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), MARK: json.dumps(files).encode()})
    pq.write_table(table, buffer, compression="zstd", compression_level=1)
    data = buffer.getvalue()
    name = kept_name(key, data, "parquet")
    write_atomic(folder / name, data)
    make_room(folder, key, keep=name, most_files=MOST_FILES, most_bytes=MOST_BYTES)
