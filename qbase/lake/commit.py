"""Deliveries become visible all at once or not at all.

Order of a commit: lock, undo what a killed load left, append to every table, then one transaction of the ledger.
Until that transaction ends no snapshot names the new versions, so no reader sees them.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence, Set
from typing import TypeAlias

from deltalake import DeltaTable

from qbase.core.errors import UsageError
from qbase.lake.ledger.ledger_book import Book
from qbase.lake.ledger.ledger_entries import add_deliveries, find_loaded, find_tables, read_snapshot
from qbase.lake.storage.delta_tables import Rows, add_checkpoint, append, check_name, joint_schema, open_clean, remove
from qbase.lake.storage.fault_points import fault
from qbase.lake.storage.snapshots import Delivery, Snapshot
from qbase.tables import Contract, describe_contract

Brought: TypeAlias = "tuple[Delivery, Mapping[str, Rows]]"
Contracts: TypeAlias = "Mapping[str, Contract]"
Check: TypeAlias = "Callable[[Snapshot, Set[str]], bool]"


def commit_deliveries(
    lake: pathlib.Path,
    book: Book,
    brought: Sequence[Brought],
    *,
    check: Check | None = None,
    contracts: Contracts | None = None,
) -> list[Snapshot]:
    """Append deliveries to their tables, take out the rows they replace, and write one snapshot.

    Parameters
    ----------
    lake : pathlib.Path
        Folder of the tables.
    book : Book
        The ledger.
    brought : sequence of (Delivery, mapping)
        What was received, no bytes twice, each with table -> rows; empty for a rejected delivery.
    check : callable or None
        Asked under the lock, with the snapshot that the new ones come on top of and their sha256; when it says no,
        nothing is written.
    contracts : mapping or None
        Table -> contract its rows were judged by, for the record.

    Returns
    -------
    list of Snapshot
        For each delivery the new one; for one that was loaded before, the one it made then. Empty when the check
        said no.

    Raises
    ------
    DataError
        A bad table name (QB220), a column that changed its type (QB221), refused features (QB222).
    SetupError
        The lake or the ledger cannot be read or written (QB204 to QB207, QB223).
    """
    for _, tables in brought:
        for table in tables:
            check_name(table)
    with book.holding() as held:
        fault("lock_taken")
        seen = _look(book, [delivery for delivery, _ in brought])
        new = [item for item, loaded in zip(brought, seen.loaded, strict=True) if loaded is None]
        if not new:
            return [loaded for loaded in seen.loaded if loaded is not None]
        if check is not None and not check(seen.latest, {delivery.sha256 for delivery, _ in new}):
            return []
        held.confirm()
        versions, counts = _write(lake, new, seen)
        structures = {table: describe_contract(contract) for table, contract in (contracts or {}).items()}
        with held.writing() as connection:
            fault("ledger_begun")
            entries = [(delivery, rows) for (delivery, _), rows in zip(new, counts, strict=True)]
            snapshot = add_deliveries(connection, entries, versions, structures)
            fault("ledger_filled")
        fault("ledger_committed")
    made = dataclasses.replace(snapshot, is_new=True)
    return [loaded or made for loaded in seen.loaded]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the ledger says under the lock: latest snapshot, those of deliveries loaded before, tables of the replaced.

    ``touched`` has one set of tables per delivery.
    """

    latest: Snapshot
    loaded: Sequence[Snapshot | None]
    touched: Mapping[str, frozenset[str]]


def _look(book: Book, deliveries: Sequence[Delivery]) -> _Seen:
    """Ask the ledger what a commit has to know.

    Raises
    ------
    UsageError
        A delivery replaces one that is not there (QB213).
    """
    with book.reading() as connection:
        if connection is None:
            for delivery in deliveries:
                _check_replaced(delivery, {})
            return _Seen(latest=Snapshot(), loaded=[None] * len(deliveries), touched={})
        latest = read_snapshot(connection) or Snapshot()
        loaded: list[Snapshot | None] = []
        touched = {}
        for delivery in deliveries:
            number = find_loaded(connection, delivery)
            loaded.append(None if number is None else read_snapshot(connection, number) or Snapshot())
            if number is None and delivery.replaces:
                tables = {sha256: find_tables(connection, sha256) for sha256 in delivery.replaces}
                _check_replaced(delivery, tables)
                names = frozenset(table for found in tables.values() for table in found or ())
                touched[delivery.sha256] = names & frozenset(latest.versions)
        return _Seen(latest=latest, loaded=loaded, touched=touched)


def _write(lake: pathlib.Path, new: Sequence[Brought], seen: _Seen) -> tuple[dict[str, int], list[dict[str, int]]]:
    """Write every table in at most two commits; return its version, and per delivery the rows it brought."""
    replaced = list(dict.fromkeys(sha256 for delivery, _ in new for sha256 in delivery.replaces))
    touched = frozenset[str]().union(*seen.touched.values())
    names = sorted({table for _, tables in new for table in tables} | touched)
    opened = {table: open_clean(lake, table, seen.latest.versions.get(table)) for table in names}
    parts = {table: [(d.sha256, tables[table]) for d, tables in new if table in tables] for table in names}
    schemas = {
        table: joint_schema(table, opened[table], [rows.schema for _, rows in given])
        for table, given in parts.items()
        if given
    }
    versions: dict[str, int] = {}
    counts: dict[str, dict[str, int]] = {delivery.sha256: {} for delivery, _ in new}
    for table, before in opened.items():
        there: DeltaTable | None = before
        gone = 0
        if there is not None and table in touched:
            there, gone = remove(table, there, replaced)
            fault("rows_removed")
        if parts[table]:
            there, added = append(lake, table, there, parts[table], schemas[table], number=seen.latest.number + 1)
            for sha256, rows in added.items():
                counts[sha256][table] = rows
        if there is not None and (gone or parts[table]):
            add_checkpoint(table, there, since=seen.latest.versions.get(table, 0))
            versions[table] = there.version()
        for sha256, tables in seen.touched.items():
            if gone and table in tables:
                counts[sha256].setdefault(table, 0)
        fault("table_written")
    fault("tables_written")
    return versions, [counts[delivery.sha256] for delivery, _ in new]


def _check_replaced(delivery: Delivery, tables: Mapping[str, list[str] | None]) -> None:
    for sha256 in delivery.replaces:
        if tables.get(sha256) is None:
            raise UsageError(
                "QB213",
                file=delivery.file_name,
                found=sha256,
                expected="the sha256 of a delivery that was loaded",
                fix="qbase load FILE --supersedes SHA256",
            )
