"""The SQLite file of the ledger: how it is created, opened, checked, and what its errors mean.

Write-ahead log, synchronous = FULL, writers begin IMMEDIATE, no connection is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from qbase.core.errors import SetupError
from qbase.lake.ledger.ledger_schema import METADATA, UPGRADES, VERSION
from qbase.lake.storage.locks import busy_error, hold_lock, unwritable_error

BUSY_SECONDS = 60.0
CHECKED_BELOW_BYTES = 64 * 1024 * 1024


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

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """Give a connection with one consistent view, or None while there is no ledger.

        Raises
        ------
        SetupError
            The file is damaged (QB204), newer than this program (QB205) or cannot be used (QB206, QB207).
        """
        with _telling(self.path):
            if _is_empty(self.path):
                yield None
                return
            with self._connecting() as connection:
                version = _version(connection, self.path)
                if version in (0, VERSION):
                    yield connection if version else None
                    return
            with hold_lock(self.lock):
                _upgrade(self.path)
            with self._connecting() as connection:
                yield connection

    @contextlib.contextmanager
    def writing(self, *, is_locked: bool = False) -> Iterator[sa.Connection]:
        """Give a connection inside one IMMEDIATE transaction, committed at the end of the block.

        Parameters
        ----------
        is_locked : bool
            The caller holds the lock already.

        Raises
        ------
        SetupError
            As `reading`.
        """
        locked = contextlib.nullcontext() if is_locked else hold_lock(self.lock)
        with _telling(self.path):
            version = 0
            if not _is_empty(self.path):
                with self._connecting(immediate=True) as connection:
                    version = _version(connection, self.path)
                    if version == VERSION:
                        yield connection
                        return
            with locked:
                (_upgrade if version else _create)(self.path)
            with self._connecting(immediate=True) as connection:
                yield connection

    @contextlib.contextmanager
    def _connecting(self, *, immediate: bool = False) -> Iterator[sa.Connection]:
        """Give a connection inside one transaction, to a file whose pages were checked once in this process."""
        status = self.path.stat()
        if 0 < status.st_size < CHECKED_BELOW_BYTES:
            _check_pages(self.path, status.st_ino)
        engine = _engine(self.path).execution_options(immediate=immediate)
        with engine.connect() as connection, connection.begin():
            yield connection


def _is_empty(path: pathlib.Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _version(connection: sa.Connection, path: pathlib.Path) -> int:
    """Return the version of the ledger, 0 when nothing was written into the file yet."""
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if version > VERSION:
        raise SetupError(
            "QB205",
            found=f"{path.name} of version {version}",
            expected=f"version {VERSION} or older",
            fix="install the newer qbase that wrote it",
        )
    return version


@functools.lru_cache(maxsize=256)
def _check_pages(path: pathlib.Path, inode: int) -> None:
    """Check the pages once per process and file; an error is not cached."""
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if found != "ok":
        raise _damaged(path, found)


def _create(path: pathlib.Path) -> None:
    """Create the tables, whole or not at all; a ledger made meanwhile by somebody else is left alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    with _engine(path).execution_options(immediate=True).connect() as ledger, ledger.begin():
        METADATA.create_all(ledger)
        ledger.exec_driver_sql(f"PRAGMA user_version={VERSION}")


def _upgrade(path: pathlib.Path) -> None:
    """Bring an older ledger to this version, whole or not at all; one that somebody else upgraded is left alone."""
    with _engine(path).execution_options(immediate=True).connect() as ledger, ledger.begin():
        version = int(ledger.exec_driver_sql("PRAGMA user_version").scalar_one())
        for step in range(version, VERSION):
            for statement in UPGRADES[step]:
                ledger.exec_driver_sql(statement)
        ledger.exec_driver_sql(f"PRAGMA user_version={VERSION}")


@functools.lru_cache(maxsize=64)
def _engine(path: pathlib.Path) -> sa.Engine:
    """Return the engine of a file; without a pool it holds no connection, so a fork is safe."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)), poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS}
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        is_immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_immediate else "BEGIN")

    return engine


@contextlib.contextmanager
def _telling(path: pathlib.Path) -> Iterator[None]:
    """Turn what SQLite says into an error a user can act on; a broken constraint is our own mistake and passes."""
    try:
        yield
    except (sa.exc.IntegrityError, sqlite3.IntegrityError):
        raise
    except (sa.exc.DatabaseError, sqlite3.DatabaseError, OSError) as error:
        cause = getattr(error, "orig", None) or error
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
