"""The SQLite file of the ledger: how it is created, opened, checked, and what its errors mean.

Write-ahead log, synchronous = FULL, writers begin IMMEDIATE, no connection is kept. Runs and snapshots are read with
the standard library alone; SQLAlchemy, slow to import, comes in where something is written or deliveries are asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

from qbase.core.errors import SetupError
from qbase.lake.ledger.ledger_address import marker_of
from qbase.lake.ledger.ledger_book import Held, Lock
from qbase.lake.ledger.ledger_settings import BUSY_SECONDS, MOVED, UPGRADES, VERSION
from qbase.lake.ledger.readable_copy import is_writable, readable_path
from qbase.lake.storage.locks import busy_error, hold_lock, unwritable_error

if TYPE_CHECKING:
    import sqlalchemy as sa

CHECKED_BELOW_BYTES = 64 * 1024 * 1024
C = TypeVar("C")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ledger:
    """The ledger of a workspace.

    Parameters
    ----------
    path : pathlib.Path
        The SQLite file; it need not exist yet, and then reads as empty.
    lock : pathlib.Path
        Lock under which it is created.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> sql = 'SELECT file_name, accepted FROM deliveries WHERE "table" = ?'
    >>> with open_workspace().book.reading() as connection:
    ...     connection.exec_driver_sql(sql, ("clusters",)).all()
    [('产业集群.csv', 12)]
    """

    path: pathlib.Path
    lock: pathlib.Path

    @property
    def name(self) -> str:
        """Name of its file."""
        return self.path.name

    @property
    def marker(self) -> pathlib.Path:
        """The file by which the workspace says that its ledger is on a server."""
        return marker_of(self.path)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written yet."""
        return _is_empty(self.path)

    @property
    def is_writable(self) -> bool:
        """Whether it can be written; one that cannot is read all the same."""
        return self.is_empty or is_writable(self.path)

    def read_clock(self, connection: object = None) -> float:
        """Return the seconds since 1970 by the clock of this machine, which alone uses the file."""
        return time.time()

    def glancing(self) -> AbstractContextManager[sqlite3.Connection | None]:
        """Give what `reading` gives, as a connection of the standard library.

        Raises
        ------
        SetupError
            As `reading`.
        """
        return self._seen(_connect, lambda connection: connection)

    def reading(self) -> AbstractContextManager[sa.Connection | None]:
        """Give a connection with one consistent view, or None while there is no ledger.

        Raises
        ------
        SetupError
            The file is damaged (QB204), newer than this program (QB205) or cannot be used (QB206, QB207).
        """
        from qbase.lake.ledger.ledger_engine import connect, driver_of

        return self._seen(connect, driver_of)

    @contextlib.contextmanager
    def _seen(
        self,
        connect: Callable[[pathlib.Path], AbstractContextManager[C]],
        driver_of: Callable[[C], sqlite3.Connection],
    ) -> Iterator[C | None]:
        with telling_file(self.path):
            if _is_empty(self.path):
                yield None
                return
            path = readable_path(self.path)
            _check_once(path)
            with connect(path) as connection:
                version = version_of(driver_of(connection), path)
                if version in (0, VERSION):
                    yield connection if version else None
                    return
            with hold_lock(self.lock) if path == self.path else contextlib.nullcontext():
                _upgrade(path)
            with connect(path) as connection:
                yield connection

    @contextlib.contextmanager
    def holding(self, what: Lock = "lake") -> Iterator[Held]:
        """Keep other writers of the lake, or of the diary of links, out while the block runs.

        Raises
        ------
        SetupError
            The lock file cannot be opened (QB207), somebody else holds it too long (QB206), or the ledger moved to a
            server meanwhile (QB243).
        """
        with hold_lock(self.lock if what == "lake" else self.lock.with_name(f".{what}")):
            self.check_here()
            yield _HeldFile(self)

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Give a connection inside one IMMEDIATE transaction, committed at the end of the block.

        Raises
        ------
        SetupError
            As `reading`, and when the ledger moved to a server meanwhile (QB243).
        """
        return self._written(hold_lock(self.lock))

    @contextlib.contextmanager
    def _written(self, locked: AbstractContextManager[None]) -> Iterator[sa.Connection]:
        from qbase.lake.ledger.ledger_engine import connect, create_tables, driver_of

        with telling_file(self.path):
            version = 0
            if not _is_empty(self.path):
                _check_once(self.path)
                with connect(self.path, immediate=True) as connection:
                    version = version_of(driver_of(connection), self.path)
                    self.check_here()
                    if version == VERSION:
                        yield connection
                        return
            with locked:
                self.check_here()
                (_upgrade if version else create_tables)(self.path)
            _check_once(self.path)
            with connect(self.path, immediate=True) as connection:
                self.check_here()
                yield connection

    def check_here(self) -> None:
        """Raise when the ledger moved to a server; asked again by whoever waited for another writer.

        Raises
        ------
        SetupError
            It did (QB243).
        """
        if self.marker.exists():
            raise _moved(self.path)


@dataclasses.dataclass(frozen=True)
class _HeldFile:
    """A lock file that is held; nobody can lose it."""

    book: Ledger

    def confirm(self) -> None:
        """Do nothing: the system keeps the lock as long as this process lives."""

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Give the transaction; a ledger that is not there yet is created under the lock that is held."""
        return self.book._written(contextlib.nullcontext())


def _is_empty(path: pathlib.Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def version_of(connection: sqlite3.Connection, path: pathlib.Path) -> int:
    """Return the version of the ledger, 0 when nothing was written into the file yet.

    Raises
    ------
    SetupError
        It is newer than this program (QB205), or the ledger moved to a server (QB243).
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version == MOVED:
        raise _moved(path)
    if version > VERSION:
        raise SetupError(
            "QB205",
            found=f"{path.name} of version {version}",
            expected=f"version {VERSION} or older",
            fix="install the newer qbase that wrote it",
        )
    return version


def _check_once(path: pathlib.Path) -> None:
    """Check the pages of a file that is not too large for it."""
    status = path.stat()
    if 0 < status.st_size < CHECKED_BELOW_BYTES:
        _check_pages(path, status.st_ino)


@functools.lru_cache(maxsize=256)
def _check_pages(path: pathlib.Path, inode: int) -> None:
    """Check the pages once per process and file; an error is not cached."""
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if found != "ok":
        raise _damaged(path, found)


def _upgrade(path: pathlib.Path) -> None:
    """Bring an older ledger to this version, whole or not at all; one that somebody else upgraded is left alone."""
    with _connect(path, begin="BEGIN IMMEDIATE") as ledger:
        for step in range(version_of(ledger, path), VERSION):
            for statement in UPGRADES[step]:
                ledger.execute(statement)
        ledger.execute(f"PRAGMA user_version={VERSION}")


@contextlib.contextmanager
def _connect(path: pathlib.Path, *, begin: str = "BEGIN") -> Iterator[sqlite3.Connection]:
    """Give a connection inside one transaction, committed at the end of the block."""
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(begin)
        # commits, or rolls back when the block fails
        with connection:
            yield connection


@contextlib.contextmanager
def telling_file(path: pathlib.Path) -> Iterator[None]:
    """Turn what SQLite says into an error a user can act on; a broken constraint is our own mistake and passes.

    Raises
    ------
    SetupError
        The file is damaged (QB204), busy (QB206) or cannot be used (QB207).
    """
    try:
        yield
    except Exception as error:
        # SQLAlchemy wraps what the driver said
        cause = getattr(error, "orig", None) or error
        if isinstance(cause, sqlite3.IntegrityError) or not isinstance(cause, sqlite3.DatabaseError | OSError):
            raise
        text = str(cause)
        if "locked" in text:
            raise busy_error(path.name, BUSY_SECONDS) from error
        is_disk = isinstance(cause, OSError) or any(
            word in text for word in ("full", "readonly", "unable to open", "disk I/O")
        )
        raise (unwritable_error(path.name, text) if is_disk else _damaged(path, text)) from error


def _damaged(path: pathlib.Path, found: str) -> SetupError:
    return SetupError(
        "QB204",
        found=f"{path.name}: {found}",
        expected="a sound SQLite file",
        fix=f"put back a copy of data/{path.name}; without one, move it and data/lake away, then: "
        "qbase load data/raw, and with --recipe NAME again for files that were read with one",
    )


def _moved(path: pathlib.Path) -> SetupError:
    marker = marker_of(path).name
    return SetupError(
        "QB243",
        found=f"{path.name} was moved to a server",
        expected=f"data/{marker}, which says where it is",
        fix=f"type the same command again; where data/{marker} is gone, put it back from a copy of the workspace",
    )
