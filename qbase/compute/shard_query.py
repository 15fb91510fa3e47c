"""One SQL over Parquet files, here or on a worker: what a shard answers is small, whatever it reads.

A worker needs qbase and the files under the same address, nothing else: no lake, no ledger.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from qbase.core.errors import SetupError

LOCAL = frozenset({"file"})

Settings = tuple[int | None, int | None]

_LOCK = threading.Lock()
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files:
    """Parquet files that together are a table.

    Parameters
    ----------
    urls : tuple of str
        Paths, or addresses that `fsspec` opens (``s3://…``); none for an empty table.
    columns : tuple of (str, str)
        Name and DuckDB type of every column; one that a file lacks is null.
    sizes : tuple of int
        Bytes of each file, so that shards can be made equal.

    Examples
    --------
    >>> from qbase.compute import Files
    >>> files = Files(urls=("a.parquet", "b.parquet", "c.parquet"), columns=(("n", "BIGINT"),), sizes=(70, 40, 30))
    >>> [shard.urls for shard in files.split(2)]
    [('a.parquet',), ('b.parquet', 'c.parquet')]
    """

    urls: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    sizes: tuple[int, ...] = ()

    def split(self, shards: int) -> list[Files]:
        """Return at most so many shards of whole files, nearly equal in bytes; the same files give the same shards."""
        sizes = self.sizes or (1,) * len(self.urls)
        loads: list[list[int]] = [[] for _ in range(max(1, min(shards, len(self.urls))))]
        for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
            min(loads, key=lambda load: sum(sizes[j] for j in load)).append(i)
        return [
            dataclasses.replace(
                self, urls=tuple(self.urls[i] for i in sorted(load)), sizes=tuple(sizes[i] for i in sorted(load))
            )
            for load in loads
        ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardQuery:
    """One statement over files.

    Parameters
    ----------
    sql : str
        A SELECT of ours; ``$name`` stands for a parameter.
    tables : mapping
        Name -> files, for the tables it names.
    params : mapping
        Values of the parameters.
    prepared : mapping
        Name -> SELECT over ``tables`` that is answered once per process and kept: what every shard needs whole.
    threads : int or None
        Threads of DuckDB; None takes every core. A worker is given one per task.
    memory_mb : int or None
        What DuckDB may hold before it goes to disk; None is its own default.

    Examples
    --------
    >>> from qbase.compute import Files, ShardQuery
    >>> batches = Files(urls=("batches.parquet",), columns=(("cluster_id", "VARCHAR"), ("result", "VARCHAR")))
    >>> sql = "SELECT count(*) AS n FROM batches WHERE cluster_id = $cluster"
    >>> query = ShardQuery(sql=sql, tables={"batches": batches}, params={"cluster": "K003"}, threads=1)
    >>> query.params, query.tables["batches"].urls
    ({'cluster': 'K003'}, ('batches.parquet',))
    """

    sql: str
    tables: Mapping[str, Files]
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prepared: Mapping[str, str] = dataclasses.field(default_factory=dict)
    threads: int | None = None
    memory_mb: int | None = None


def query_files(query: ShardQuery) -> pa.Table:
    """Run a statement over Parquet files in this process.

    Parameters
    ----------
    query : ShardQuery
        What to run.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    SetupError
        A file cannot be read from here (QB184), or counting needs more memory than it may take (QB187).

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> from qbase.compute import Files, ShardQuery, query_files
    >>> pq.write_table(pa.table({"cluster_id": ["K003", "K003", "K007"]}), "batches_1.parquet")
    >>> batches = Files(urls=("batches_1.parquet",), columns=(("cluster_id", "VARCHAR"),))
    >>> sql = "SELECT cluster_id, count(*) AS n FROM batches GROUP BY ALL ORDER BY ALL"
    >>> query_files(ShardQuery(sql=sql, tables={"batches": batches}, threads=1)).to_pylist()
    [{'cluster_id': 'K003', 'n': 2}, {'cluster_id': 'K007', 'n': 1}]
    """
    with _told(query), _session(query).cursor() as connection:
        _add_views(connection, query.tables.items())
        return connection.sql(query.sql, params=dict(query.params) or None).to_arrow_table()


@contextlib.contextmanager
def open_files(query: ShardQuery) -> Iterator[Callable[[str], pa.Table]]:
    """Open Parquet files for several statements, what is prepared standing still between them.

    Parameters
    ----------
    query : ShardQuery
        Files, parameters and what is prepared.

    Yields
    ------
    callable
        Runs a statement, which need not be the one of ``query``, and returns an Arrow table.

    Raises
    ------
    SetupError
        A file cannot be read from here (QB184), or counting needs more memory than it may take (QB187).

    Examples
    --------
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> from qbase.compute import Files, ShardQuery, open_files
    >>> pq.write_table(pa.table({"result": ["pass", "fail", "pass"]}), "batches_2.parquet")
    >>> batches = Files(urls=("batches_2.parquet",), columns=(("result", "VARCHAR"),))
    >>> with open_files(ShardQuery(sql="", tables={"batches": batches}, threads=1)) as ask:
    ...     ask("SELECT count(*) AS n FROM batches").to_pylist()
    ...     ask("SELECT count(*) AS k FROM batches WHERE result = 'pass'").to_pylist()
    [{'n': 3}]
    [{'k': 2}]
    """

    def ask(sql: str) -> pa.Table:
        params = {name: value for name, value in query.params.items() if f"${name}" in sql}
        with _told(query):
            return connection.sql(sql, params=params or None).to_arrow_table()

    with _told(query):
        connection = _open((query.threads, query.memory_mb))
    with connection:
        with _told(query):
            _add_views(connection, query.tables.items())
            for name, sql in query.prepared.items():
                connection.execute(f"CREATE TEMP TABLE {name} AS {sql}")
        yield ask


@contextlib.contextmanager
def _told(query: ShardQuery) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise _too_large(query, error) from error
    except (duckdb.Error, OSError, ImportError, ValueError) as error:
        raise _unreadable(query, error) from error


def query_frames(sql: str, frames: Mapping[str, pa.Table]) -> pa.Table:
    """Run a statement of ours over Arrow tables.

    Parameters
    ----------
    sql : str
        One SELECT.
    frames : mapping
        Name -> table.

    Returns
    -------
    pyarrow.Table

    Examples
    --------
    >>> import pyarrow as pa
    >>> from qbase.compute import query_frames
    >>> cells = pa.table({"quarter": ["2022Q3", "2022Q3"], "k": [18, 38], "n": [20, 40]})
    >>> sql = "SELECT quarter, round(100 * sum(k) / sum(n), 1) AS rate FROM cells GROUP BY quarter"
    >>> query_frames(sql, {"cells": cells}).to_pylist()
    [{'quarter': '2022Q3', 'rate': 93.3}]
    """
    with duckdb.connect(config=_CONFIG) as connection:
        connection.execute("SET threads = 1")
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in frames.items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()


def _session(query: ShardQuery) -> duckdb.DuckDBPyConnection:
    settings = (query.threads, query.memory_mb)
    if not query.prepared:
        return _open(settings)
    text = " ".join(query.prepared.values()).lower()
    shared = tuple((name, files) for name, files in sorted(query.tables.items()) if name in text)
    with _LOCK:  # two tasks of one worker must not prepare the same thing twice
        return _prepare(tuple(sorted(query.prepared.items())), shared, settings)


def _open(settings: Settings) -> duckdb.DuckDBPyConnection:
    threads, memory = settings
    # DuckDB makes this folder only when it needs it, and removes it when it is done
    spill = pathlib.Path(tempfile.gettempdir()) / f"qbase-spill-{os.getpid()}"
    connection = duckdb.connect(config={**_CONFIG, "temp_directory": str(spill)})
    if threads is not None:
        connection.execute(f"SET threads = {int(threads)}")
    if memory is not None:
        connection.execute(f"SET memory_limit = '{int(memory)}MB'")
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    # who needs an order asks for one; keeping that of the files would hold back what is ready
    connection.execute("SET preserve_insertion_order = false")
    return connection


# one register of firms at a time: that of the next panel replaces it
@functools.lru_cache(maxsize=1)
def _prepare(
    prepared: tuple[tuple[str, str], ...], tables: tuple[tuple[str, Files], ...], settings: Settings
) -> duckdb.DuckDBPyConnection:
    connection = _open(settings)
    _add_views(connection, tables)
    for name, sql in prepared:
        connection.execute(f"CREATE TABLE {name} AS {sql}")
    return connection


def _add_views(connection: duckdb.DuckDBPyConnection, tables: Iterable[tuple[str, Files]]) -> None:
    for name, files in tables:
        connection.execute(f"CREATE TEMP VIEW {name} AS {_select(connection, files)}")


def _select(connection: duckdb.DuckDBPyConnection, files: Files) -> str:
    """Return a SELECT of every column of a table; those that these files lack are null."""
    if not files.urls:
        return "SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in files.columns) + " WHERE false"
    _reach(connection, files)
    paths = ", ".join("'" + url.replace("'", "''") + "'" for url in files.urls)
    relation = f"read_parquet([{paths}], union_by_name = true)"
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()  # noqa: S608  (our own files)
    present = {str(row[0]) for row in described}
    columns = ", ".join(f'"{name}"' if name in present else f'NULL::{kind} AS "{name}"' for name, kind in files.columns)
    return f"SELECT {columns} FROM {relation}"  # noqa: S608  (names and paths of our own tables)


def _reach(connection: duckdb.DuckDBPyConnection, files: Files) -> None:
    """Let DuckDB read addresses through fsspec, the way Delta's storage is named."""
    for scheme in {url.partition("://")[0] for url in files.urls if "://" in url} - LOCAL:
        if not connection.filesystem_is_registered(scheme):
            import fsspec

            connection.register_filesystem(fsspec.filesystem(scheme))


def _too_large(query: ShardQuery, error: Exception) -> SetupError:
    limit = f"{query.memory_mb:,} MB" if query.memory_mb else "the memory of this machine"
    return SetupError(
        "QB187",
        found=str(error).strip().splitlines()[0],
        expected=f"a count that fits into {limit}, with what goes to disk beside it",
        fix="count fewer periods (first=, last=), or share the work out: --cluster ADDRESS",
    )


def _unreadable(query: ShardQuery, error: Exception) -> SetupError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    every = [url for files in query.tables.values() for url in files.urls]
    return SetupError(
        "QB184",
        found=lines[0],
        expected=f"files that every worker can read, such as {every[0] if every else '–'}",
        fix="put the lake where all machines see it, and name that place: --storage URL",
    )
