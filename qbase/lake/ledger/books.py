"""Which ledger a workspace has: the file, read with the standard library alone, or a server."""

from __future__ import annotations

import pathlib

from qbase.lake.ledger.ledger_address import find_address, marker_of
from qbase.lake.ledger.ledger_book import Book
from qbase.lake.ledger.ledger_file import Ledger


def open_book(file: pathlib.Path, lock: pathlib.Path) -> Book:
    """Return the ledger of a workspace.

    Parameters
    ----------
    file : pathlib.Path
        Where it is kept as a file.
    lock : pathlib.Path
        Lock of the lake beside it.

    Raises
    ------
    SetupError
        The environment or the workspace names no address (QB240).
    """
    address = find_address(marker_of(file))
    if address is None:
        return Ledger(path=file, lock=lock)
    from qbase.lake.ledger.shared_ledger import SharedLedger

    return SharedLedger(address=address, file=file)
