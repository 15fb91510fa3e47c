"""What the ledger says of snapshots, asked with the standard library alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.errors import UsageError
from qbase.lake.storage.snapshots import EMPTY_SNAPSHOT, Snapshot, snapshot_id

if TYPE_CHECKING:
    from qbase.lake.ledger.ledger_book import Book, Glance


def pick_snapshot(book: Book, wanted: str | None = None) -> Snapshot:
    """Return a snapshot by its id.

    Parameters
    ----------
    book : Book
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


def find_snapshot(connection: Glance, number: int | None = None) -> Snapshot | None:
    """Return a snapshot, or the latest; None when there is no such one.

    Parameters
    ----------
    connection : Glance
        Inside one transaction.
    number : int or None
        3 for ``S0003``; the latest when None.
    """
    query = "SELECT number, created_at, delivery FROM snapshots WHERE number = :number"
    latest = "SELECT number, created_at, delivery FROM snapshots ORDER BY number DESC LIMIT 1"
    row = (connection.execute(latest) if number is None else connection.execute(query, {"number": number})).fetchone()
    if row is None:
        return None
    number, created_at, delivery = row
    named = "SELECT table_name, version FROM snapshot_tables WHERE number = :number"
    tables = connection.execute(named, {"number": number}).fetchall()
    return Snapshot(id=snapshot_id(number), created_at=created_at, versions=dict(tables), delivery=delivery)
