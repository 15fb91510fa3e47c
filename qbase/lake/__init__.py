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
    from qbase.lake.schedule_entries import ScheduledSlot as ScheduledSlot
    from qbase.lake.schedule_entries import claim_scheduled as claim_scheduled
    from qbase.lake.schedule_entries import close_scheduled as close_scheduled
    from qbase.lake.schedule_entries import list_scheduled as list_scheduled
    from qbase.lake.schedule_entries import record_scheduled as record_scheduled
    from qbase.lake.schedule_entries import renew_scheduled as renew_scheduled
    from qbase.lake.schedule_entries import undo_scheduled as undo_scheduled
    from qbase.lake.storage.fault_points import FAULT_POINTS as FAULT_POINTS
    from qbase.lake.storage.snapshots import Delivery as Delivery
    from qbase.lake.storage.snapshots import Snapshot as Snapshot
    from qbase.lake.table_changes import find_change as find_change
    from qbase.lake.workspace import Workspace as Workspace
    from qbase.lake.workspace import open_workspace as open_workspace

__getattr__, __dir__ = lazy_room(__name__)
