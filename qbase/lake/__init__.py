"""Storey 2: tables and ledger. Snapshots, versions, lineage; parses no file.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.lake.deliveries import Delivery, Snapshot
    from qbase.lake.faults import FAULT_POINTS
    from qbase.lake.runs import add_run, find_published, list_runs, read_run, update_run
    from qbase.lake.sqlite import Ledger
    from qbase.lake.workspace import Workspace, open_workspace

__getattr__ = lazy_names(
    __name__,
    {
        "deliveries": ("Delivery", "Snapshot"),
        "faults": ("FAULT_POINTS",),
        "runs": ("add_run", "find_published", "list_runs", "read_run", "update_run"),
        "sqlite": ("Ledger",),
        "workspace": ("Workspace", "open_workspace"),
    },
)

__all__ = [
    "FAULT_POINTS", "Delivery", "Ledger", "Snapshot", "Workspace", "add_run", "find_published", "list_runs",
    "open_workspace", "read_run", "update_run",
]  # fmt: skip
