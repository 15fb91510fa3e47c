"""Places where a test may kill the process: ``$QBASE_FAULT`` names one, in the order they are passed."""

from __future__ import annotations

import os

EXIT = 137
FAULT_POINTS = (
    "raw_copied",
    "raw_stored",
    "lock_taken",
    "orphans_undone",
    "table_written",
    "tables_written",
    "ledger_begun",
    "ledger_filled",
    "ledger_committed",
)


def fault(point: str) -> None:
    """End the process at once, as a power cut would, when ``$QBASE_FAULT`` names this point."""
    if os.environ.get("QBASE_FAULT") == point:
        os._exit(EXIT)
