"""Storey 2: tables and ledger. Snapshots, versions, lineage; parses no file.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.lake.ledger.ledger_file import Ledger as Ledger
    from qbase.lake.run_entries import add_run as add_run
    from qbase.lake.run_entries import find_published as find_published
    from qbase.lake.run_entries import list_runs as list_runs
    from qbase.lake.run_entries import read_run as read_run
    from qbase.lake.run_entries import update_run as update_run
    from qbase.lake.signoff_entries import SignOff as SignOff
    from qbase.lake.signoff_entries import add_signoff as add_signoff
    from qbase.lake.signoff_entries import list_signoffs as list_signoffs
    from qbase.lake.storage.fault_points import FAULT_POINTS as FAULT_POINTS
    from qbase.lake.storage.snapshots import Delivery as Delivery
    from qbase.lake.storage.snapshots import Snapshot as Snapshot
    from qbase.lake.workspace import Workspace as Workspace
    from qbase.lake.workspace import open_workspace as open_workspace

__getattr__, __dir__ = lazy_room(__name__)
