"""A ledger moves from its file to a server: every row, each compared afterwards, or not at all.

Until the transaction on the server ends the file rules. ``data/ledger.toml`` is written last before that: from then on
nobody uses the file any more, and whoever waited for it is told.
"""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Iterator

import sqlalchemy as sa

from qbase.core.errors import UsageError
from qbase.lake.ledger.ledger_address import LedgerAddress, Marker, read_address, read_marker, write_marker
from qbase.lake.ledger.ledger_engine import connect, driver_of
from qbase.lake.ledger.ledger_file import Ledger, telling_file, version_of
from qbase.lake.ledger.ledger_schema import METADATA
from qbase.lake.ledger.ledger_settings import MOVED
from qbase.lake.ledger.shared_engine import connect_shared, state_of, telling_shared, words_of
from qbase.lake.ledger.shared_ledger import SharedLedger, begin_shared, enter, read_facts
from qbase.lake.storage.locks import hold_lock

BATCH = 200


def move_file(old: Ledger, address: LedgerAddress | None) -> tuple[str, dict[str, int]]:
    """Move a ledger from its file to a server.

    Parameters
    ----------
    old : Ledger
        The file; it need not exist.
    address : LedgerAddress or None
        Where to; None repeats a move that was interrupted.

    Returns
    -------
    tuple of (str, dict)
        The address without its password, and the rows of each table.

    Raises
    ------
    UsageError
        The ledger is on a server already, another move was begun, or a row cannot be kept there (QB245).
    SetupError
        The database is not empty (QB244), the server cannot be reached (QB224), or file or lock cannot be used (QB204
        to QB207).
    """
    if read_marker(old.marker) is None:
        with old.reading():  # brings an older file to this version, and tells a damaged one
            pass
    with hold_lock(old.lock.with_name(".diary")), hold_lock(old.lock):
        # now nobody else moves it
        marker = read_marker(old.marker)
        new = SharedLedger(address=_target(marker, address), file=old.path)
        with telling_shared(new.address), connect_shared(new.address) as there:
            if marker is not None:
                _check_begun(there, new, marker)
            with _source(old) as here:
                rows = _move(here, there, new, marker)
                if here is not None:
                    here.exec_driver_sql(f"PRAGMA user_version={MOVED}")
    return new.name, rows


def _check_begun(there: sa.Connection, new: SharedLedger, marker: Marker) -> None:
    """Raise when the move that was begun did end."""
    with there.begin():
        if read_facts(there).get("id") == marker.id:
            raise _unmoved(f"{new.name} has it already", "a ledger in a file", "qbase ledger")


def _target(marker: Marker | None, address: LedgerAddress | None) -> LedgerAddress:
    """Return where to; a move that was begun goes on to where it was begun."""
    if address is not None and (marker is None or marker.url == str(address)):
        return address
    if marker is None or address is not None:
        raise _unmoved(
            f"a move to {marker.url} was begun" if marker else "no address",
            "the same address again, or none" if marker else "an address, as a word or in QBASE_LEDGER",
            "qbase ledger move" if marker else "qbase ledger move postgresql+pg8000://USER@HOST/DATABASE",
        )
    return read_address(marker.url)


@contextlib.contextmanager
def _source(old: Ledger) -> Iterator[sa.Connection | None]:
    """Give the file inside a transaction that keeps every writer out; None while there is none."""
    if old.is_empty:
        yield None
        return
    with telling_file(old.path), connect(old.path, immediate=True) as here:
        version_of(driver_of(here), old.path)
        yield here


def _move(here: sa.Connection | None, there: sa.Connection, new: SharedLedger, marker: Marker | None) -> dict[str, int]:
    """Copy and compare in one transaction of the server; the workspace is told just before it ends."""
    known = marker or Marker(url=new.name, id=uuid.uuid4().hex)
    try:
        with there.begin():
            enter(there)
            begin_shared(there, new.name, known.id)
            rows = {table.name: _copy(table, here, there) for table in METADATA.sorted_tables}
            write_marker(new.marker, known)
    except BaseException:
        if marker is None:
            _take_back(new, known)
        raise
    return rows


def _take_back(new: SharedLedger, known: Marker) -> None:
    """Remove what the workspace was told, unless the server says, or might say, that the transaction has ended."""
    if read_marker(new.marker) != known:
        return
    with contextlib.suppress(Exception), connect_shared(new.address) as asked:
        if not read_facts(asked):
            new.marker.unlink()


def _copy(table: sa.Table, here: sa.Connection | None, there: sa.Connection) -> int:
    """Copy a table and hold every row against its original; return how many there are."""
    if here is None:
        return 0
    ordered = sa.select(table).order_by(*table.primary_key.columns)
    try:
        for batch in here.execute(ordered).mappings().partitions(BATCH):
            there.execute(sa.insert(table).values([dict(row) for row in batch]))
    except sa.exc.StatementError as error:
        if not isinstance(error.orig, ValueError) and not state_of(error).startswith("22"):
            raise
        # a text with a NUL, a number too large, a text among numbers: SQLite keeps what PostgreSQL cannot
        raise _unmoved(
            f"{table.name}: {words_of(error)}", "rows that PostgreSQL can keep", "correct the row"
        ) from error
    count = 0
    for old, kept in itertools.zip_longest(here.execute(ordered), there.execute(ordered)):
        if old is None or kept is None or tuple(old) != tuple(kept):
            raise _unmoved(
                f"{table.name}, row {count + 1}: another one arrived", "every row as it was", "qbase ledger move"
            )
        count += 1
    column = table.autoincrement_column
    if column is not None and count:
        last = sa.func.pg_get_serial_sequence(table.name, column.name)
        there.execute(sa.select(sa.func.setval(last, sa.select(sa.func.max(column)).scalar_subquery())))
    return count


def _unmoved(found: str, expected: str, fix: str) -> UsageError:
    return UsageError("QB245", found=found, expected=expected, fix=fix)
