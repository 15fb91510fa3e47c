"""One delivery becomes visible all at once or not at all.

Order of a commit: lock, undo what a killed load left, append to every table, then one transaction of the ledger.
Until that transaction ends no snapshot names the new versions, so no reader sees them.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

from qbase.core.errors import UsageError
from qbase.lake.deliveries import Delivery, Snapshot
from qbase.lake.delta import Rows, append, check_name, joint_schema, open_clean, remove
from qbase.lake.faults import fault
from qbase.lake.ledger import add_delivery, find_loaded, find_tables, read_snapshot
from qbase.lake.locks import hold_lock
from qbase.lake.sqlite import Ledger
from qbase.tables import Contract, describe_contract


def commit_delivery(
    lake: pathlib.Path,
    book: Ledger,
    delivery: Delivery,
    tables: Mapping[str, Rows],
    contracts: Mapping[str, Contract] | None = None,
) -> Snapshot:
    """Append a delivery to its tables, take out the rows it replaces, and write the snapshot.

    Parameters
    ----------
    lake : pathlib.Path
        Folder of the tables.
    book : Ledger
        The ledger.
    delivery : Delivery
        What was received.
    tables : mapping
        Table -> rows; empty for a rejected delivery.
    contracts : mapping or None
        Table -> contract its rows were judged by, for the record.

    Returns
    -------
    Snapshot
        The new one; for a delivery loaded before, the one it made then.

    Raises
    ------
    DataError
        A bad table name (QB220), a column that changed its type (QB221), refused features (QB222).
    SetupError
        The lake or the ledger cannot be read or written (QB204 to QB207, QB223).
    """
    for table in tables:
        check_name(table)
    with hold_lock(book.lock):
        fault("lock_taken")
        latest, loaded, touched = _look(book, delivery)
        if loaded is not None:
            return loaded
        names = sorted({*tables, *touched})
        opened = {table: open_clean(lake, table, latest.versions.get(table)) for table in names}
        schemas = {table: joint_schema(table, opened[table], tables[table].schema) for table in sorted(tables)}
        written: dict[str, tuple[int, int]] = {}
        for table, before in opened.items():
            there, gone = before, 0
            if there is not None and table in touched:
                there, gone = remove(table, there, delivery.replaces)
                fault("rows_removed")
            if table in tables:
                written[table] = append(
                    lake,
                    table,
                    there,
                    tables[table],
                    schemas[table],
                    delivery=delivery.sha256,
                    number=latest.number + 1,
                )
            elif there is not None and gone:
                written[table] = (there.version(), 0)
            fault("table_written")
        fault("tables_written")
        structures = {table: describe_contract(contract) for table, contract in (contracts or {}).items()}
        versions = {table: version for table, (version, _) in written.items()}
        rows = {table: count for table, (_, count) in written.items()}
        with book.writing(is_locked=True) as connection:
            fault("ledger_begun")
            snapshot = add_delivery(connection, delivery, versions, rows, structures)
            fault("ledger_filled")
        fault("ledger_committed")
        return dataclasses.replace(snapshot, is_new=True)


def _look(book: Ledger, delivery: Delivery) -> tuple[Snapshot, Snapshot | None, set[str]]:
    """Return the latest snapshot, the one this delivery made when it was there before, the tables it replaces rows of.

    Raises
    ------
    UsageError
        It replaces a delivery that is not there (QB213).
    """
    with book.reading() as connection:
        if connection is None:
            _check_replaced(delivery, {})
            return Snapshot(), None, set()
        number = find_loaded(connection, delivery)
        if number is not None:
            return Snapshot(), read_snapshot(connection, number) or Snapshot(), set()
        tables = {sha256: find_tables(connection, sha256) for sha256 in delivery.replaces}
        _check_replaced(delivery, tables)
        latest = read_snapshot(connection) or Snapshot()
        return latest, None, {table for names in tables.values() for table in names or ()} & set(latest.versions)


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
