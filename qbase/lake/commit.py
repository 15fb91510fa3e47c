"""One delivery becomes visible all at once or not at all.

Order of a commit: lock, undo what a killed load left, append to every table, then one transaction of the ledger.
Until that transaction ends no snapshot names the new versions, so no reader sees them.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from qbase.lake.deliveries import Delivery, Snapshot
from qbase.lake.delta import Rows, append, check_name, joint_schema, open_clean
from qbase.lake.faults import fault
from qbase.lake.ledger import add_delivery, find_loaded, read_snapshot
from qbase.lake.locks import hold_lock
from qbase.lake.sqlite import Ledger


def commit_delivery(lake: pathlib.Path, book: Ledger, delivery: Delivery, tables: Mapping[str, Rows]) -> Snapshot:
    """Append a delivery to its tables and write the snapshot.

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
        latest, loaded = _look(book, delivery)
        if loaded is not None:
            return loaded
        opened = {table: open_clean(lake, table, latest.versions.get(table)) for table in sorted(tables)}
        schemas = {table: joint_schema(table, opened[table], tables[table].schema) for table in opened}
        written: dict[str, tuple[int, int]] = {}
        for table, there in opened.items():
            written[table] = append(
                lake,
                table,
                there,
                tables[table],
                schemas[table],
                delivery=delivery.sha256,
                number=latest.number + 1,
            )
            fault("table_written")
        fault("tables_written")
        versions = {table: version for table, (version, _) in written.items()}
        rows = {table: count for table, (_, count) in written.items()}
        with book.writing(is_locked=True) as connection:
            fault("ledger_begun")
            snapshot = add_delivery(connection, delivery, versions, rows)
            fault("ledger_filled")
        fault("ledger_committed")
        return snapshot


def _look(book: Ledger, delivery: Delivery) -> tuple[Snapshot, Snapshot | None]:
    """Return the latest snapshot, and the one this delivery made when it was loaded before."""
    with book.reading() as connection:
        if connection is None:
            return Snapshot(), None
        number = find_loaded(connection, delivery.sha256)
        loaded = None if number is None else read_snapshot(connection, number) or Snapshot()
        return read_snapshot(connection) or Snapshot(), loaded
