"""What the ledger knows of the contracts that stored rows were judged by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qbase.lake.ledger.ledger_entries import find_structure

if TYPE_CHECKING:
    from qbase.lake.workspace import Workspace


def read_stored_contract(workspace: Workspace, table: str) -> dict[str, Any] | None:
    """Return the structure of the contract the latest rows of a table were judged by; None when not on record."""
    with workspace.book.reading() as connection:
        row = None if connection is None else find_structure(connection, table)
    found: dict[str, Any] | None = None if row is None else json.loads(row["structure"])
    return found
