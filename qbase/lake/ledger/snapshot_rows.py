"""What the ledger says of snapshots, asked with the standard library alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.errors import UsageError
from qbase.lake.storage.snapshots import EMPTY_SNAPSHOT, Snapshot, snapshot_id

if TYPE_CHECKING:
    import sqlite3

    from qbase.lake.ledger.ledger_file import Ledger


def pick_snapshot(book: Ledger, wanted: str | None = None) -> Snapshot:
    """Return a snapshot by its id.

    Parameters
    ----------
    book : Ledger
        The ledger.
    wanted : str or None
        ``S0003``; the latest when None.

    Returns
    -------
    Snapshot
        ``S0000`` without tables while nothing was loaded.

    Raises
    ------
    UsageError
        There is no such snapshot (QB209).
    """
    with book.glancing() as connection:
        latest = (connection and find_snapshot(connection)) or Snapshot()
        if wanted in (None, latest.id):
            return latest
        if wanted == EMPTY_SNAPSHOT:
            return Snapshot()
        number = wanted[1:] if wanted and wanted[0] == "S" else ""
        if connection is not None and number.isascii() and number.isdigit():
            found = find_snapshot(connection, int(number))
            if found is not None and found.id == wanted:
                return found
    raise UsageError(
        "QB209",
        snapshot=wanted,
        found=str(wanted),
        expected=f"{EMPTY_SNAPSHOT} to {latest.id}",
        fix=f"name one of these, or leave it out for the latest, {latest.id}",
    )


def find_snapshot(connection: sqlite3.Connection, number: int | None = None) -> Snapshot | None:
    """Return a snapshot, or the latest; None when there is no such one.

    Parameters
    ----------
    connection : sqlite3.Connection
        Inside one transaction.
    number : int or None
        3 for ``S0003``; the latest when None.
    """
    query = "SELECT number, created_at, delivery FROM snapshots WHERE number = ?"
    latest = "SELECT number, created_at, delivery FROM snapshots ORDER BY number DESC LIMIT 1"
    row = (connection.execute(latest) if number is None else connection.execute(query, (number,))).fetchone()
    if row is None:
        return None
    number, created_at, delivery = row
    tables = connection.execute("SELECT table_name, version FROM snapshot_tables WHERE number = ?", (number,))
    return Snapshot(id=snapshot_id(number), created_at=created_at, versions=dict(tables), delivery=delivery)
