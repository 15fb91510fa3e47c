"""Where the ledger of a workspace is, what it holds, and how it moves to a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from qbase.lake.ledger.ledger_address import VARIABLE, check_words, read_address

if TYPE_CHECKING:
    from qbase.lake.workspace import Workspace

COUNTED = ("snapshots", "deliveries", "runs")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LedgerPlace:
    """Where a ledger is, and what it holds.

    Parameters
    ----------
    address : str
        File below the workspace, or address without its password.
    is_shared : bool
        Whether it is on a server, where several machines reach it.
    rows : mapping
        Table -> rows; empty while nothing was written.

    Examples
    --------
    >>> from qbase.lake import find_ledger, open_workspace
    >>> place = find_ledger(open_workspace())
    >>> place.address, place.is_shared, place.rows["snapshots"] > 0
    ('data/ledger.sqlite', False, True)
    """

    address: str
    is_shared: bool
    rows: Mapping[str, int]


def find_ledger(workspace: Workspace) -> LedgerPlace:
    """Find the ledger of a workspace and count what it holds.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.

    Returns
    -------
    LedgerPlace

    Raises
    ------
    SetupError
        It cannot be read or reached (QB204 to QB207, QB224, QB240, QB243).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace, find_ledger
    >>> find_ledger(Workspace.create(tempfile.mkdtemp()))
    LedgerPlace(address='data/ledger.sqlite', is_shared=False, rows={})
    """
    from qbase.lake.ledger.ledger_file import Ledger

    book = workspace.book
    with book.glancing() as connection:
        counts = [f"(SELECT count(*) FROM {table})" for table in COUNTED]  # noqa: S608  (names of ours)
        found = None if connection is None else connection.execute(f"SELECT {', '.join(counts)}").fetchone()
    rows = {} if found is None else dict(zip(COUNTED, found, strict=True))
    is_shared = not isinstance(book, Ledger)
    address = book.name if is_shared else workspace.relative(workspace.ledger)
    return LedgerPlace(address=address, is_shared=is_shared, rows=rows)


def move_ledger(workspace: Workspace, url: str | None = None) -> LedgerPlace:
    """Move the ledger from its file to a PostgreSQL server that several machines share: whole, or not at all.

    Every row is compared with its original before the move counts. The file stays as it was, and is not used any more;
    ``data/ledger.toml`` says where the ledger is. Tables and files as received stay in the workspace, which all
    machines must see under the same rules: storage that creates a file only where there is none.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    url : str or None
        ``postgresql+pg8000://user@host:5432/database`` of an empty database, without a password; that of the
        environment (`QBASE_LEDGER`, where a password may stand) or of an interrupted move when None.

    Returns
    -------
    LedgerPlace
        Where it is now, and all rows that were moved.

    Raises
    ------
    UsageError
        The address has a password (QB241); the ledger is on a server already, or a row cannot be kept there (QB245).
    SetupError
        No address can be read (QB240), pg8000 is missing (QB242), the database is not empty (QB244), the server cannot
        be reached (QB224), or the file cannot be used (QB204 to QB207).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace, move_ledger
    >>> move_ledger(Workspace.create(tempfile.mkdtemp()), "postgresql+pg8000://office:geheim@db.example/quality")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB241] a password has no place among the words of a command
      found     a password in the address of db.example
      expected  postgresql+pg8000://USER@HOST:5432/DATABASE, the password in ~/.pgpass or in QBASE_LEDGER
      to fix    leave the password out here, or export QBASE_LEDGER=… and: qbase ledger move
    """
    import os

    from qbase.lake.ledger.ledger_file import Ledger
    from qbase.lake.ledger.ledger_move import move_file

    named = os.environ.get(VARIABLE)
    address = check_words(url) if url else read_address(named) if named else None
    old = Ledger(path=workspace.ledger, lock=workspace.lake / ".lock")
    where, rows = move_file(old, address)
    return LedgerPlace(address=where, is_shared=True, rows=rows)
