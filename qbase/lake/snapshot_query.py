"""Questions to a snapshot: DuckDB over the Parquet files of its versions, locked in.

A query can read the tables of its snapshot and nothing else: no other file, no Python variable, no setting.
One statement, and one that only reads; DuckDB runs ``WITH x AS (COPY … TO …) SELECT`` as a SELECT, so the parsed
statement is walked and every part of it must be a reading one.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from qbase.core.errors import DataError, UsageError
from qbase.lake.storage.delta_tables import missing_error, read_version
from qbase.lake.storage.locks import unwritable_error
from qbase.lake.storage.snapshots import Snapshot
from qbase.tables import list_contracts, read_contract, sql_type

Params = Sequence[Any] | Mapping[str, Any]

# In the JSON of a parsed statement a quote inside a text is escaped, so no text of a query can look like a node.
_NODE = re.compile(r'"type"\s*:\s*"(\w+_NODE)"')
_READING = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


def query_frame(lake: pathlib.Path, snapshot: Snapshot, sql: str, params: Params) -> pd.DataFrame:
    """Return the answer as a pandas frame.

    Raises
    ------
    UsageError
        Not one statement that only reads (QB231).
    DataError
        A table is not in the snapshot (QB232), or the query fails (QB230).
    SetupError
        Files of the snapshot are missing (QB223).
    """
    with _asking(lake, snapshot, sql, params) as relation, warnings.catch_warnings():
        # duckdb 2.0 drops columns in place when it sets a time zone; pandas 3.1 announces the end of that.
        warnings.filterwarnings("ignore", message="The inplace keyword in DataFrame.drop")
        frame: pd.DataFrame = relation.df()
        return frame


def query_arrow(lake: pathlib.Path, snapshot: Snapshot, sql: str, params: Params) -> pa.Table:
    """Return the answer as an Arrow table; errors as `query_frame`."""
    with _asking(lake, snapshot, sql, params) as relation:
        return relation.to_arrow_table()


@contextlib.contextmanager
def _asking(lake: pathlib.Path, snapshot: Snapshot, sql: str, params: Params) -> Iterator[duckdb.DuckDBPyRelation]:
    try:
        with tempfile.TemporaryDirectory(prefix="qbase-") as spill, duckdb.connect(config=_CONFIG) as connection:
            _check_reading(connection, sql)
            _lock_in(connection, lake, spill)
            for table in _named(sql, snapshot):
                _add_view(connection, lake, table, snapshot.versions[table])
            yield connection.sql(sql, params=params or None)
    except (duckdb.Error, UnicodeError) as error:
        raise _told(error, snapshot) from error
    except OSError as error:
        raise unwritable_error("temporary folder", str(error)) from error


def _lock_in(connection: duckdb.DuckDBPyConnection, lake: pathlib.Path, spill: str) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET temp_directory = ?", [spill])
    connection.execute("SET allowed_directories = ?", [[f"{lake}/"]])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _named(sql: str, snapshot: Snapshot) -> list[str]:
    """Return the tables whose name stands in a query, or all when none does: opening files costs time."""
    text = sql.lower()
    return [t for t in sorted(snapshot.versions) if t in text] or sorted(snapshot.versions)


def _add_view(connection: duckdb.DuckDBPyConnection, lake: pathlib.Path, table: str, version: int) -> None:
    files, schema = read_version(lake, table, version)
    names = ", ".join(['"' + name.replace('"', '""') + '"' for name in schema.names] + _absent(table, schema))
    if not files:
        connection.from_arrow(schema.empty_table()).project(names).create(table)
        return
    paths = ", ".join("'" + str(f).replace("'", "''") + "'" for f in files)
    try:
        connection.execute(
            f'CREATE VIEW "{table}" AS SELECT {names} '  # noqa: S608  (names and paths of our own tables)
            f"FROM read_parquet([{paths}], union_by_name = true)"
        )
    except duckdb.Error as error:
        raise missing_error(table, _first_line(str(error)), version) from error


def _absent(table: str, schema: pa.Schema) -> list[str]:
    """Return the columns of the contract that no delivery brought yet, as typed nulls: a query may name any of them."""
    if table not in list_contracts():
        return []
    missing = [column for column in read_contract(table).columns if column.name not in schema.names]
    return [f'NULL::{sql_type(column)} AS "{column.name}"' for column in missing]


def _check_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse anything but one statement all of whose parts read; a text that is no Unicode fails on the way."""
    sql.encode()
    count = len(connection.extract_statements(sql))
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    parsed = str(row[0]) if row else ""
    nodes = set(_NODE.findall(parsed))
    if count != 1 or not nodes or not nodes <= _READING:
        raise UsageError(
            "QB231",
            found=f"{count} statements" if count != 1 else ", ".join(sorted(nodes - _READING)) or "no SELECT",
            expected="one SELECT that only reads",
            fix="ask with one SELECT; tables are changed by qbase load only",
        )


def _told(error: Exception, snapshot: Snapshot) -> DataError:
    found = _first_line(str(error))
    if isinstance(error, duckdb.CatalogException) and "Table with name" in found:
        return DataError(
            "QB232",
            snapshot=snapshot.id,
            found=found.removeprefix("Catalog Error: "),
            expected=" | ".join(sorted(snapshot.versions)) or "a table; the lake is empty",
            fix="qbase load FILE, or name one of these tables",
        )
    return DataError(
        "QB230",
        found=found,
        expected=f"a query on: {', '.join(sorted(snapshot.versions)) or 'an empty lake'}",
        fix="correct the query",
    )


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no message"
