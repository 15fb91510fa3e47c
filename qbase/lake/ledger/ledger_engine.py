"""The ledger through SQLAlchemy: for what is written, and for questions about deliveries."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from qbase.lake.ledger.ledger_schema import METADATA
from qbase.lake.ledger.ledger_settings import BUSY_SECONDS, VERSION


class Asked:
    """A connection of SQLAlchemy that is asked in plain SQL, ``:name`` standing for a value.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Inside a transaction.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def execute(self, query: str, values: Mapping[str, Any] | None = None, /) -> sa.CursorResult[Any]:
        """Return rows."""
        return self._connection.execute(sa.text(query), values or {})


@contextlib.contextmanager
def connect(path: pathlib.Path, *, immediate: bool = False) -> Iterator[sa.Connection]:
    """Give a connection inside one transaction, committed at the end of the block."""
    engine = _engine(path).execution_options(immediate=immediate)
    with engine.connect() as connection, connection.begin():
        yield connection


def driver_of(connection: sa.Connection) -> sqlite3.Connection:
    """Return the SQLite connection beneath, inside the same transaction."""
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return driver


def create_tables(path: pathlib.Path) -> None:
    """Create the tables, whole or not at all; a ledger made meanwhile by somebody else is left alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    with connect(path, immediate=True) as ledger:
        METADATA.create_all(ledger)
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
