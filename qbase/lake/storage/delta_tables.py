"""Delta tables: append, undo what no snapshot knows, and name the files of a version.

Logs are never cleaned and files never vacuumed, because an old snapshot must stay readable.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import urllib.parse
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import DeltaError, TableNotFoundError

from qbase.core.errors import DataError, SetupError
from qbase.lake.storage.fault_points import fault
from qbase.lake.storage.locks import lost_error, unwritable_error

Rows: TypeAlias = "pa.Table | pa.RecordBatchReader"

ORPHANS = ".orphans"
CHECKPOINT_EVERY = 20  # opening a table reads every commit since its last checkpoint; one costs as much as 5 commits
ORIGIN = "delivery_sha256"
BATCH_ROWS = 1 << 20  # handed over as one: of several batches the writer does not keep the order

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
# a writer holds a group of rows in memory, and readers share the groups out among them
_WRITING = WriterProperties(compression="SNAPPY", max_row_group_size=1 << 17)
_REFUSED = {"deletionVectors", "columnMapping"}


def check_name(table: str) -> None:
    """Raise unless a name can be a table: it becomes a folder and a name in SQL.

    Raises
    ------
    DataError
        The name has other characters than lower-case letters, digits and underscores (QB220).
    """
    if not _NAME.fullmatch(table):
        raise DataError(
            "QB220",
            table=table,
            found=repr(table),
            expected="a lower-case letter, then letters, digits and underscores, at most 63",
            fix="rename the table, for example: inspections",
        )


def open_clean(lake: pathlib.Path, table: str, version: int | None) -> DeltaTable | None:
    """Open a table for writing, after taking back commits that no snapshot knows: what a killed load left behind.

    Parameters
    ----------
    lake : pathlib.Path
        Folder of the tables.
    table : str
        Name of the table.
    version : int or None
        Version of the latest snapshot; None when no snapshot has the table.

    Returns
    -------
    deltalake.DeltaTable or None
        At the content of that version; None for a new table.

    Raises
    ------
    SetupError
        The table is older than its snapshot, or gone (QB223).
    DataError
        The table has features that are refused (QB222).
    """
    folder = lake / table
    if version is None:
        if folder.exists():
            (lake / ORPHANS).mkdir(exist_ok=True)
            folder.rename(lake / ORPHANS / f"{table}-{uuid.uuid4().hex}")
            fault("orphans_undone")
        return None
    opened = _open(lake, table)
    if opened.version() < version:
        raise missing_error(table, f"version {opened.version()}", version)
    if opened.version() > version:
        with _telling(table):
            opened.restore(version, commit_properties=CommitProperties(custom_metadata={"qbase": "undone"}))
        fault("orphans_undone")
        return _open(lake, table)
    return opened


def joint_schema(table: str, opened: DeltaTable | None, given: Sequence[pa.Schema]) -> pa.Schema:
    """Return the columns a table will have: the known ones, then new ones.

    Parameters
    ----------
    table : str
        Name of the table.
    opened : deltalake.DeltaTable or None
        The table; None when it is new.
    given : sequence of pyarrow.Schema
        Columns that come; one that is all null takes the type it has in the table, or in a later part.

    Returns
    -------
    pyarrow.Schema
        In the types of the house, every column nullable.

    Raises
    ------
    DataError
        A column changed its type (QB221).
    """
    fields = {} if opened is None else {f.name: f.type for f in table_schema(opened)}
    for field in (field for schema in given for field in schema):
        kind = field.type if pa.types.is_null(field.type) else house_type(field.type)
        old = fields.setdefault(field.name, kind)
        if pa.types.is_null(old):
            fields[field.name] = kind
        elif kind not in (old, pa.null()):
            raise DataError(
                "QB221",
                table=table,
                column=field.name,
                found=f"{field.name}: {kind}",
                expected=f"{field.name}: {old}",
                fix="map the column to its old type in the recipe, or load it under another name",
            )
    return pa.schema([pa.field(name, house_type(kind)) for name, kind in fields.items()])


def append(
    lake: pathlib.Path,
    table: str,
    opened: DeltaTable | None,
    parts: Sequence[tuple[str, Rows]],
    schema: pa.Schema,
    *,
    number: int,
) -> tuple[DeltaTable, dict[str, int]]:
    """Append rows in one commit that carries each delivery as application transaction id.

    Parameters
    ----------
    lake : pathlib.Path
        Folder of the tables.
    table : str
        Name of the table.
    opened : deltalake.DeltaTable or None
        From `open_clean`; None creates the table.
    parts : sequence of (str, pyarrow.Table or pyarrow.RecordBatchReader)
        sha256 of each delivery, and its rows.
    schema : pyarrow.Schema
        From `joint_schema`.
    number : int
        Number of the snapshot they are meant for.

    Returns
    -------
    tuple of (deltalake.DeltaTable, dict)
        The table afterwards; sha256 -> rows appended.

    Raises
    ------
    SetupError
        The disk is full or cannot be written (QB207), or somebody else wrote at the same time (QB206).
    """
    if opened is not None and all(isinstance(rows, pa.Table) and rows.num_rows == 0 for _, rows in parts):
        return opened, dict.fromkeys((delivery for delivery, _ in parts), 0)
    counter, before = _Counter(parts, schema), -1 if opened is None else opened.version()
    with _telling(table):
        write_deltalake(
            opened if opened is not None else _uri(lake, table),
            pa.RecordBatchReader.from_batches(schema, iter(counter)),
            mode="append",
            schema_mode="merge",
            writer_properties=_WRITING,
            commit_properties=CommitProperties(
                custom_metadata={"qbase_delivery": " ".join(counter.rows)},
                app_transactions=[Transaction(app_id=delivery, version=number) for delivery in counter.rows],
            ),
            post_commithook_properties=_HOOKS,
        )
    after = opened if opened is not None else _open(lake, table)
    _check_alone(table, after, before)
    return after, counter.rows


def add_checkpoint(table: str, opened: DeltaTable, *, since: int) -> None:
    """Write the state of a table into one file now and then, so that opening it stays as fast as it was.

    Parameters
    ----------
    table : str
        Name of the table.
    opened : deltalake.DeltaTable
        After a commit.
    since : int
        Version of the snapshot before.

    Raises
    ------
    SetupError
        The disk is full or cannot be written (QB207).
    """
    if opened.version() // CHECKPOINT_EVERY > since // CHECKPOINT_EVERY:
        with _telling(table):
            opened.create_checkpoint()


def remove(table: str, opened: DeltaTable, deliveries: Sequence[str]) -> tuple[DeltaTable, int]:
    """Remove the rows of deliveries in one commit; older versions keep them.

    Parameters
    ----------
    table : str
        Name of the table.
    opened : deltalake.DeltaTable
        From `open_clean`.
    deliveries : sequence of str
        sha256 of the deliveries; hexadecimal, so that they may stand in a predicate.

    Returns
    -------
    tuple of (deltalake.DeltaTable, int)
        The table without them, and how many rows left.

    Raises
    ------
    SetupError
        The disk is full or cannot be written (QB207), or somebody else wrote at the same time (QB206).
    """
    if ORIGIN not in table_schema(opened).names or not deliveries:
        return opened, 0
    listed, before = ", ".join(f"'{sha256}'" for sha256 in deliveries), opened.version()
    with _telling(table):
        done = opened.delete(
            f"{ORIGIN} IN ({listed})",
            commit_properties=CommitProperties(custom_metadata={"qbase": "replaced"}),
            post_commithook_properties=_HOOKS,
        )
    _check_alone(table, opened, before)
    return opened, int(done["num_deleted_rows"])


def _check_alone(table: str, opened: DeltaTable, before: int) -> None:
    """Raise when the commit of somebody else lies below ours, whose rows it would bring into our version.

    It can only where a lock was lost, as across machines it may be.
    """
    if opened.version() > before + 1:
        raise lost_error(table)


@contextlib.contextmanager
def _telling(table: str) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise unwritable_error(table, str(error)) from error


def read_version(lake: pathlib.Path, table: str, version: int) -> tuple[list[pathlib.Path], pa.Schema]:
    """Return the Parquet files of a version in the order they were loaded, and its columns.

    Raises
    ------
    SetupError
        The version is not there (QB223).
    DataError
        The table has features that are refused (QB222).
    """
    table_at = _open(lake, table, version)
    added = pa.table(table_at.get_add_actions(flatten=True))
    files = sorted(zip(added["modification_time"].cast(pa.int64()).to_pylist(), added["path"].to_pylist(), strict=True))
    return [lake / table / urllib.parse.unquote(path) for _, path in files], table_schema(table_at)


def table_schema(table: DeltaTable) -> pa.Schema:
    """Return the columns of a table as Arrow types of the house."""
    return pa.schema([pa.field(f.name, house_type(f.type)) for f in pa.schema(table.schema().to_arrow())])


def house_type(kind: pa.DataType) -> pa.DataType:
    """Return the type a column is stored in: one width of integers and floats, plain strings, microseconds in UTC."""
    if pa.types.is_dictionary(kind):
        return house_type(kind.value_type)
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC" if kind.tz else None)
    return kind


class _Counter:
    """Batches in the types of the house, absent columns as null, counted by delivery as they pass."""

    def __init__(self, parts: Sequence[tuple[str, Rows]], schema: pa.Schema) -> None:
        self.rows = {delivery: 0 for delivery, _ in parts}
        self._parts = parts
        self._schema = schema

    def __iter__(self) -> Iterator[Any]:
        for delivery, rows in self._parts:
            for batch in _whole_batches(rows) if isinstance(rows, pa.Table) else rows:
                self.rows[delivery] += batch.num_rows
                present = set(batch.schema.names)
                yield pa.record_batch(
                    [
                        batch[f.name].cast(f.type) if f.name in present else pa.nulls(batch.num_rows, f.type)
                        for f in self._schema
                    ],
                    schema=self._schema,
                )


def _whole_batches(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(rows), BATCH_ROWS):
        yield from rows.slice(start, BATCH_ROWS).combine_chunks().to_batches()


def _uri(lake: pathlib.Path, table: str) -> str:
    return (lake / table).as_uri()


def _open(lake: pathlib.Path, table: str, version: int | None = None) -> DeltaTable:
    try:
        opened = DeltaTable(_uri(lake, table), version=version)
    except TableNotFoundError as error:
        raise missing_error(table, "no table", version) from error
    except (DeltaError, OSError) as error:
        raise missing_error(table, str(error).splitlines()[0], version) from error
    protocol = opened.protocol()
    features = {*(protocol.reader_features or ()), *(protocol.writer_features or ())} & _REFUSED
    settings = opened.metadata().configuration
    if settings.get("delta.columnMapping.mode", "none") != "none":
        features.add("columnMapping")
    if settings.get("delta.enableDeletionVectors", "false") == "true":
        features.add("deletionVectors")
    if opened.metadata().partition_columns:
        features.add("partitions")
    if features:
        raise DataError(
            "QB222",
            table=table,
            found=", ".join(sorted(features)),
            expected="a plain Delta table: no deletion vectors, no column mapping, no partitions",
            fix="write the table through qbase load only",
        )
    return opened


def missing_error(table: str, found: str, version: int | None) -> SetupError:
    """Return the error for a version that the ledger names and the lake does not hold."""
    return SetupError(
        "QB223",
        table=table,
        found=found,
        expected=f"version {version}" if version is not None else "a Delta table",
        fix=f"put back data/lake/{table} from a copy as new as data/ledger.sqlite",
    )
