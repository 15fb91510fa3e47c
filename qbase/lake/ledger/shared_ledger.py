"""The ledger on a PostgreSQL server, for several machines that work on one workspace.

What ``BEGIN IMMEDIATE`` and a lock file do for the file, advisory locks do here. A writer takes one inside its
transaction, which reads what was committed: a transaction of a higher level would go on with the view it had before it
waited. Whoever writes tables holds another one on the very connection its transaction will use, so that a lock that was
lost takes the transaction with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from qbase.core.errors import SetupError
from qbase.lake.ledger.ledger_address import VARIABLE, LedgerAddress, Marker, marker_of, read_marker, write_marker
from qbase.lake.ledger.ledger_book import Glance, Held, Lock
from qbase.lake.ledger.ledger_settings import BUSY_SECONDS, UPGRADES, VERSION
from qbase.lake.ledger.readable_copy import is_writable
from qbase.lake.storage.locks import WAIT_SECONDS, busy_error, lost_error

if TYPE_CHECKING:
    import sqlalchemy as sa

SPACE = 0x71626173
"""First half of every advisory lock of this program ("qbas"); the second half is one of these."""
WRITER = 1
LOCKS: dict[Lock, int] = {"lake": 2, "diary": 3}
SLICE_SECONDS = 30.0
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())"
_HELD = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()
AND classid = :space AND objid = :number AND objsubid = 2
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharedLedger:
    """The ledger of a workspace on a server.

    Parameters
    ----------
    address : LedgerAddress
        The database.
    file : pathlib.Path
        The SQLite file that stood in its place, or would.

    Examples
    --------
    >>> import pathlib
    >>> from qbase.lake import SharedLedger
    >>> from qbase.lake.ledger.ledger_address import read_address
    >>> address = read_address("postgresql+pg8000://office:geheim@db.example/quality")
    >>> SharedLedger(address=address, file=pathlib.Path("data/ledger.sqlite")).name
    'postgresql+pg8000://office@db.example/quality'
    """

    address: LedgerAddress
    file: pathlib.Path

    @property
    def name(self) -> str:
        """Its address without a password."""
        return str(self.address)

    @property
    def marker(self) -> pathlib.Path:
        """The file by which the workspace says which ledger is its own."""
        return marker_of(self.file)

    @property
    def is_writable(self) -> bool:
        """Whether the workspace can be written, without which its ledger is only read."""
        return is_writable(self.file.parent)

    def read_clock(self, connection: Glance | sa.Connection) -> float:
        """Return the seconds since 1970 by the clock of the server, whatever those of the machines say.

        Of this moment: ``now()`` would be the beginning of the transaction, which may have waited for its turn.
        """
        from qbase.lake.ledger.ledger_engine import Asked

        asked = connection if isinstance(connection, Asked) else Asked(cast("sa.Connection", connection))
        return float(asked.execute(_CLOCK).scalar_one())

    @contextlib.contextmanager
    def glancing(self) -> Iterator[Glance | None]:
        """Give what `reading` gives, asked in plain SQL.

        Raises
        ------
        SetupError
            As `reading`.
        """
        from qbase.lake.ledger.ledger_engine import Asked

        with self.reading() as connection:
            yield None if connection is None else Asked(connection)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """Give a connection with one consistent view, or None while there is no ledger.

        Raises
        ------
        SetupError
            The server cannot be reached (QB224), the ledger is newer than this program (QB205) or that of another
            workspace (QB243).
        """
        with self._connected() as connection:
            with connection.begin():
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                version = self._version(connection)
                if version in (0, VERSION):
                    yield connection if version else None
                    return
            # a writer brings it to this version
            with self.writing():
                pass
            with connection.begin():
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection inside a transaction that nobody else writes beside, committed at the end of the block.

        Raises
        ------
        SetupError
            As `reading`; somebody else writes too long (QB206), or it cannot be written (QB207).
        """
        with self._connected() as connection, self._transaction(connection):
            yield connection

    @contextlib.contextmanager
    def holding(self, what: Lock = "lake") -> Iterator[Held]:
        """Keep other writers of the lake, or of the diary of links, out while the block runs, on whatever machine.

        Raises
        ------
        SetupError
            As `writing`.
        """
        from qbase.lake.ledger.shared_engine import connect_shared, telling_shared

        with contextlib.ExitStack() as stack:
            # what fails under the lock is not for the ledger to tell
            with telling_shared(self.address):
                connection = stack.enter_context(connect_shared(self.address))
                _lock(connection, LOCKS[what], self.name)
            yield _HeldShared(self, connection, LOCKS[what])

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        from qbase.lake.ledger.shared_engine import connect_shared, telling_shared

        with telling_shared(self.address), connect_shared(self.address) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, connection: sa.Connection) -> Iterator[None]:
        """Begin as a writer: alone, in a ledger of this version that belongs to this workspace."""
        with connection.begin():
            enter(connection)
            version = self._version(connection)
            if version == VERSION:
                yield
                return
            if version:
                _upgrade(connection, version)
            else:
                known = read_marker(self.marker) or Marker(url=self.name, id=uuid.uuid4().hex)
                begin_shared(connection, self.name, known.id)
                # before the transaction ends, so that no database holds the ledger of no workspace
                write_marker(self.marker, known)
        with connection.begin():
            enter(connection)
            yield

    def _version(self, connection: sa.Connection) -> int:
        """Return the version of the ledger, 0 while there is none in the database.

        Raises
        ------
        SetupError
            It is newer than this program (QB205), or not that of this workspace (QB243).
        """
        facts = read_facts(connection)
        marker = read_marker(self.marker)
        if facts.get("id", "") != (marker.id if marker else ""):
            raise _other_error(self, facts, marker)
        if not facts and self.file.exists() and self.file.stat().st_size:
            raise _file_error(self.file, self.name)
        version = int(facts.get("version", "0"))
        if version > VERSION:
            raise SetupError(
                "QB205",
                found=f"{self.name} of version {version}",
                expected=f"version {VERSION} or older",
                fix="install the newer qbase that wrote it",
            )
        return version


class _HeldShared:
    """An advisory lock on a connection, and the transaction that may be begun on it."""

    def __init__(self, book: SharedLedger, connection: sa.Connection, number: int) -> None:
        self._book, self._connection, self._number = book, connection, number

    def confirm(self) -> None:
        """Ask the server whether this connection still holds the lock.

        Raises
        ------
        SetupError
            It does not (QB206), or there is no connection any more (QB224).
        """
        from qbase.lake.ledger.shared_engine import telling_shared

        with telling_shared(self._book.address), self._connection.begin():
            self._check()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give the transaction on the connection of the lock.

        Raises
        ------
        SetupError
            The lock was lost meanwhile (QB206, QB224).
        """
        from qbase.lake.ledger.shared_engine import telling_shared

        with telling_shared(self._book.address), self._book._transaction(self._connection):
            self._check()
            yield self._connection

    def _check(self) -> None:
        from qbase.lake.ledger.ledger_engine import Asked

        # a pool of connections before the server may have given this one to somebody else
        if not Asked(self._connection).execute(_HELD, {"space": SPACE, "number": self._number}).scalar_one():
            raise lost_error(self._book.name)


def enter(connection: sa.Connection) -> None:
    """Wait until no other writer is in a transaction; what is read afterwards is what the last one left."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(BUSY_SECONDS * 1000)}")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SPACE}, {WRITER})")


def _lock(connection: sa.Connection, number: int, name: str) -> None:
    """Wait for a lock of the session, in slices: a server that is gone is noticed between them."""
    from qbase.lake.ledger.shared_engine import state_of

    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        left = deadline - time.monotonic()
        try:
            with connection.begin():
                wait = max(1, int(min(SLICE_SECONDS, left) * 1000))
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait}")
                connection.exec_driver_sql(f"SELECT pg_advisory_lock({SPACE}, {number})")
            return
        except Exception as error:
            if state_of(error) != "55P03":
                raise
            if left <= SLICE_SECONDS:
                raise busy_error(name, WAIT_SECONDS) from error


@functools.cache
def _facts() -> sa.Table:
    """Return the one table that the file has no need of: what the ledger is."""
    import sqlalchemy as sa

    words = (sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
    return sa.Table("ledger_facts", sa.MetaData(), *words)


def read_facts(connection: sa.Connection) -> dict[str, str]:
    """Return version and number of the ledger in a database; empty when it holds none."""
    # one row whether or not the table is there: a query on an absent table would end the transaction
    there = connection.exec_driver_sql("SELECT to_regclass('ledger_facts')::text").scalar_one()
    return dict(connection.execute(_facts().select()).all()) if there else {}


def begin_shared(connection: sa.Connection, name: str, number: str) -> None:
    """Create the tables of a ledger, with its number, inside the transaction of a writer.

    Raises
    ------
    SetupError
        The database has tables already, or cannot hold every character (QB244).
    """
    from qbase.lake.ledger.ledger_schema import METADATA

    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    relations = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind <> 'i'"
    there = connection.exec_driver_sql(f"{relations} ORDER BY relname LIMIT 5").scalars().all()
    if there or encoding != "UTF8":
        raise SetupError(
            "QB244",
            found=f"{name}: {', '.join(there) or encoding}",
            expected="an empty database in UTF8",
            fix=f"createdb --encoding=UTF8 --template=template0 NAME, then name it in {VARIABLE}",
        )
    METADATA.create_all(connection)
    _facts().create(connection)
    connection.execute(_facts().insert(), [{"name": "version", "value": str(VERSION)}, {"name": "id", "value": number}])


def _upgrade(connection: sa.Connection, version: int) -> None:
    """Bring an older ledger to this version inside the transaction of a writer."""
    for step in range(version, VERSION):
        for statement in UPGRADES[step]:
            connection.exec_driver_sql(statement)
    facts = _facts()
    connection.execute(facts.update().where(facts.c.name == "version").values(value=str(VERSION)))


def _other_error(book: SharedLedger, facts: Mapping[str, str], marker: Marker | None) -> SetupError:
    """Return the error for a database whose ledger is not that of the workspace."""
    there = f"ledger {facts['id']}" if facts else "no ledger"
    if marker is None:
        return SetupError(
            "QB243",
            found=f"{book.name}: {there}, and no {book.marker.name} in this workspace",
            expected="a database without a ledger, or the workspace the ledger belongs to",
            fix=f"unset {VARIABLE}, or name a database of its own for this workspace",
        )
    return SetupError(
        "QB243",
        found=f"{book.name}: {there}",
        expected=f"ledger {marker.id}, which data/{book.marker.name} names",
        fix=f"correct {VARIABLE}" if facts else f"correct {VARIABLE}; if a move was interrupted: qbase ledger move",
    )


def _file_error(file: pathlib.Path, name: str) -> SetupError:
    """Return the error for a workspace that has a ledger in a file, where the environment names a server."""
    return SetupError(
        "QB243",
        found=f"data/{file.name}, and {VARIABLE} names {name}",
        expected="one ledger for one workspace",
        fix=f"qbase ledger move, or unset {VARIABLE} to go on with the file",
    )
