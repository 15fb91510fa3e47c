"""Storey 2: tables and ledger. Snapshots, versions, lineage; parses no file.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.lake.ledger.ledger_file import Ledger as Ledger
    from qbase.lake.ledger.shared_ledger import SharedLedger as SharedLedger
    from qbase.lake.ledger_place import LedgerPlace as LedgerPlace
    from qbase.lake.ledger_place import find_ledger as find_ledger
    from qbase.lake.ledger_place import move_ledger as move_ledger
    from qbase.lake.release_entries import ReleaseStep as ReleaseStep
    from qbase.lake.release_entries import add_release_step as add_release_step
    from qbase.lake.release_entries import list_release_steps as list_release_steps
    from qbase.lake.run_changes import queue_runs as queue_runs
    from qbase.lake.run_claims import Claim as Claim
    from qbase.lake.run_claims import Slot as Slot
    from qbase.lake.run_claims import claim_slot as claim_slot
    from qbase.lake.run_claims import find_slot as find_slot
    from qbase.lake.run_claims import release_claim as release_claim
    from qbase.lake.run_claims import renew_claim as renew_claim
    from qbase.lake.run_entries import RunStep as RunStep
    from qbase.lake.run_entries import add_run as add_run
    from qbase.lake.run_entries import find_published as find_published
    from qbase.lake.run_entries import list_runs as list_runs
    from qbase.lake.run_entries import read_run as read_run
    from qbase.lake.run_entries import read_steps as read_steps
    from qbase.lake.run_entries import update_run as update_run
    from qbase.lake.run_slots import name_slot as name_slot
    from qbase.lake.run_slots import slot_key as slot_key
    from qbase.lake.schedule_entries import ScheduledSlot as ScheduledSlot
    from qbase.lake.schedule_entries import claim_scheduled as claim_scheduled
    from qbase.lake.schedule_entries import close_scheduled as close_scheduled
    from qbase.lake.schedule_entries import list_scheduled as list_scheduled
    from qbase.lake.schedule_entries import record_scheduled as record_scheduled
    from qbase.lake.schedule_entries import renew_scheduled as renew_scheduled
    from qbase.lake.schedule_entries import undo_scheduled as undo_scheduled
    from qbase.lake.signoff_entries import SignOff as SignOff
    from qbase.lake.signoff_entries import add_signoff as add_signoff
    from qbase.lake.signoff_entries import list_signoffs as list_signoffs
    from qbase.lake.storage.fault_points import FAULT_POINTS as FAULT_POINTS
    from qbase.lake.storage.fault_points import RUN_FAULT_POINTS as RUN_FAULT_POINTS
    from qbase.lake.storage.snapshots import Delivery as Delivery
    from qbase.lake.storage.snapshots import Snapshot as Snapshot
    from qbase.lake.table_changes import find_change as find_change
    from qbase.lake.workspace import Workspace as Workspace
    from qbase.lake.workspace import open_workspace as open_workspace

__getattr__, __dir__ = lazy_room(__name__)
