"""PostgreSQL through pg8000: how it is reached, what is said first on a connection, and what its errors mean.

pg8000 has one class for every error of the server, so an error is known by its SQLSTATE. It also trusts any
certificate where the server offers TLS, and prepares for that even on a Unix socket, unless it is told otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from qbase.core.errors import SetupError
from qbase.lake.ledger.ledger_address import LedgerAddress, find_password
from qbase.lake.ledger.ledger_settings import BUSY_SECONDS
from qbase.lake.storage.locks import busy_error, unwritable_error

CONNECT_SECONDS = 10.0
# longer than any wait for a lock, so that only a server that is gone is given up
ANSWER_SECONDS = BUSY_SECONDS + 30
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_CLASSES_OF_ACCESS = ("08", "28", "3D", "57", "53300")
_CLASSES_OF_WRITING = ("25006", "42501", "53", "54", "58")
_QUIET = "qbase"
_LOCKED = ("55P03", "40P01")
# a machine that lost its power holds its locks until the server misses it; one that thinks for long is no idle one
_FIRST_WORDS = (
    "SELECT set_config(name, CASE name WHEN 'tcp_keepalives_count' THEN '3' WHEN 'tcp_keepalives_idle' THEN '30' "
    "WHEN 'tcp_keepalives_interval' THEN '10' ELSE '0' END, false) FROM pg_settings WHERE name IN "
    "('tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count', 'idle_session_timeout', "
    "'idle_in_transaction_session_timeout', 'statement_timeout')"
)


@contextlib.contextmanager
def connect_shared(address: LedgerAddress) -> Iterator[sa.Connection]:
    """Give a connection, closed at the end of the block.

    Raises
    ------
    SetupError
        pg8000 is not installed (QB242), or the server cannot be reached or refuses (QB224).
    """
    with _engine(address).connect() as connection:
        connection.exec_driver_sql(_FIRST_WORDS)
        connection.commit()
        yield connection


@functools.lru_cache(maxsize=8)
def _engine(address: LedgerAddress) -> sa.Engine:
    """Return the engine of an address; without a pool it holds no connection, and without a URL no password."""
    try:
        driver = importlib.import_module("pg8000.dbapi")
    except ImportError as error:
        raise SetupError(
            "QB242", found=str(error), expected="pg8000, for the ledger on a server", fix="pip install 'qbase[shared]'"
        ) from error
    # a connection that broke cannot be closed well either: SQLAlchemy would log that beside the error that is told
    logging.getLogger(f"sqlalchemy.pool.impl.NullPool.{_QUIET}").setLevel(logging.CRITICAL + 1)
    creator = functools.partial(_open, driver, address)
    return sa.create_engine(
        "postgresql+pg8000://", creator=creator, poolclass=NullPool, pool_logging_name=_QUIET, hide_parameters=True
    )


def _open(driver: Any, address: LedgerAddress) -> Any:
    known: dict[str, Any] = {"user": address.user, "database": address.database, "password": find_password(address)}
    known |= {"timeout": ANSWER_SECONDS, "application_name": "qbase"}
    try:
        if address.socket:
            return driver.connect(**known, unix_sock=address.socket, ssl_context=False)
        with contextlib.ExitStack() as undone:
            reached = undone.enter_context(socket.create_connection((address.host, address.port), CONNECT_SECONDS))
            reached.settimeout(ANSWER_SECONDS)
            reached.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in KEEPALIVE.items():
                if hasattr(socket, name):
                    reached.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            opened = driver.connect(**known, host=address.host, sock=reached)
            undone.pop_all()
            return opened
    except OSError as error:
        # a name that is not known, a call refused, a server that does not answer
        raise unreachable_error(address, error.strerror or str(error)) from error


@contextlib.contextmanager
def telling_shared(address: LedgerAddress) -> Iterator[None]:
    """Turn what the server or the way to it says into an error a user can act on.

    A broken constraint is our own mistake and passes.

    Raises
    ------
    SetupError
        The server cannot be reached or refuses (QB224), cannot write (QB207), or somebody else writes too long (QB206).
    """
    try:
        yield
    except Exception as error:
        state, words = state_of(error), words_of(error)
        if state.startswith(_LOCKED):
            raise busy_error(address.database, BUSY_SECONDS) from error
        if state.startswith(_CLASSES_OF_ACCESS) or _is_way(_cause_of(error)):
            raise unreachable_error(address, words) from error
        if state.startswith(_CLASSES_OF_WRITING) or isinstance(error, OSError):
            raise unwritable_error(address.database, words) from error
        raise


def state_of(error: BaseException) -> str:
    """Return the SQLSTATE of what the server said; empty when it was not the server that said it."""
    return str(_said(error).get("C", ""))


def _is_way(cause: BaseException) -> bool:
    """Whether it was the way to the server that failed; pg8000 says by the same class that an error was passed over."""
    return type(cause).__name__ == "InterfaceError" and "failed transaction" not in str(cause)


def _said(error: BaseException) -> Mapping[str, str]:
    """Return what the server said: C is its SQLSTATE, M its words.

    Where it said why nobody is let in and hung up, pg8000 fails once more in hanging up; the reason lies below.
    """
    cause: BaseException | None = _cause_of(error)
    while cause is not None:
        if cause.args and isinstance(cause.args[0], dict):
            return cause.args[0]
        cause = (cause.__cause__ or cause.__context__) if isinstance(cause, OSError) or _is_way(cause) else None
    return {}


def _cause_of(error: BaseException) -> BaseException:
    # SQLAlchemy wraps what the driver said
    return getattr(error, "orig", None) or error


def words_of(error: BaseException) -> str:
    """Return what the server said, or why it was not reached, which pg8000 keeps behind its "network error"."""
    said, cause = _said(error), _cause_of(error)
    deepest = cause.__cause__ or cause
    return said.get("M") or getattr(deepest, "strerror", None) or str(deepest) or type(deepest).__name__


def unreachable_error(address: LedgerAddress, found: str) -> SetupError:
    """Return the error for a server that cannot be reached or lets nobody in."""
    return SetupError(
        "QB224",
        found=f"{address}: {found}",
        expected="a PostgreSQL server that answers, and lets this user in",
        fix="start it, or correct QBASE_LEDGER, data/ledger.toml or ~/.pgpass, then: qbase doctor",
    )
