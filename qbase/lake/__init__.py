"""Storey 2: tables and ledger. Snapshots, versions, lineage; parses no file.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.lake.deliveries import Delivery, Snapshot
    from qbase.lake.faults import FAULT_POINTS
    from qbase.lake.ledger import add_run, find_published, list_runs, read_run, update_run
    from qbase.lake.sqlite import Ledger
    from qbase.lake.workspace import Workspace, open_workspace

_HOME = {
    "deliveries": ("Delivery", "Snapshot"),
    "faults": ("FAULT_POINTS",),
    "ledger": ("add_run", "find_published", "list_runs", "read_run", "update_run"),
    "sqlite": ("Ledger",),
    "workspace": ("Workspace", "open_workspace"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "FAULT_POINTS", "Delivery", "Ledger", "Snapshot", "Workspace", "add_run", "find_published", "list_runs",
    "open_workspace", "read_run", "update_run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.lake.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
