"""What is to be run now: schedules held against the ledger; what is not to be run is written down with its reason."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qbase.core.errors import QbaseError
from qbase.lake import ScheduledSlot, find_change, list_scheduled, record_scheduled
from qbase.reports.asking.report_spec import find_specs, read_spec_file
from qbase.reports.scheduling.catching_up import LATE_AFTER, plan_slots
from qbase.reports.scheduling.due_instants import list_dues, unknown_error
from qbase.reports.scheduling.schedule_reading import Schedule, read_schedule

if TYPE_CHECKING:
    from qbase.lake import Workspace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Duty:
    """A schedule and a due time of it that is to be run."""

    schedule: Schedule
    slot: ScheduledSlot


def read_all_schedules(workspace: Workspace) -> tuple[list[Schedule], list[QbaseError]]:
    """Read the schedules of every specification; what does not hold stops no other."""
    found: list[Schedule] = []
    problems: list[QbaseError] = []
    try:
        paths = find_specs(workspace)
    except QbaseError as error:
        return [], [error]
    for path in paths.values():
        try:
            spec = read_spec_file(workspace, path)
        except QbaseError as error:
            problems.append(error)
            continue
        for name, told in sorted(spec.schedule.items()):
            try:
                found.append(read_schedule(spec, name, told))
            except QbaseError as error:
                problems.append(error)
    return found, problems


def list_duties(
    workspace: Workspace, schedule: Schedule, now: datetime.datetime
) -> tuple[list[Duty], list[ScheduledSlot], list[QbaseError]]:
    """List the due times of a schedule that are to be run now.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    schedule : Schedule
        One of its schedules. When it was never seen before it counts from now on.
    now : datetime.datetime
        With zone, whole seconds.

    Returns
    -------
    duties : list of Duty
        Oldest first; also what another scheduler claimed and may have died over.
    passed_over : list of ScheduledSlot
        Now written into the ledger as skipped or stale.
    problems : list of QbaseError
        The office calendar does not know the year (QB848).
    """
    known = list_scheduled(workspace, schedule.report_id, rule_key=schedule.key)
    behind = [slot for slot in known if slot.due_at <= now]
    if schedule.on_new:
        return _by_tables(workspace, schedule, now, is_new=not behind), [], []
    if not behind:
        record_seen(workspace, schedule, now)
        return [], [], []
    dues = list_dues(schedule, max(slot.due_at for slot in behind), now)
    problems: list[QbaseError] = []
    if dues.unknown_year is not None:
        problems.append(unknown_error(schedule, dues.unknown_year))
    plan = plan_slots(schedule, dues.instants, now)
    duties = [Duty(schedule=schedule, slot=_late(slot, now)) for slot in behind if slot.state == "claimed"]
    passed_over = []
    for planned in plan:
        slot = _slot(schedule, planned.due_at, is_late=planned.is_late)
        if planned.decision == "run":
            duties.append(Duty(schedule=schedule, slot=slot))
        else:
            passed_over.append(dataclasses.replace(slot, state=planned.decision, note=planned.note))
    record_scheduled(workspace, passed_over)
    return duties, passed_over, problems


def record_seen(workspace: Workspace, schedule: Schedule, now: datetime.datetime) -> None:
    """Write down that a schedule counts from now on, unless it was seen before: nothing is made up for before that."""
    known = list_scheduled(workspace, schedule.report_id, rule_key=schedule.key)
    if any(slot.due_at <= now for slot in known):
        return
    seen = [dataclasses.replace(_slot(schedule, now), state="seen")]
    if schedule.on_new:
        change = find_change(workspace, schedule.on_new)
        seen += (
            []
            if change is None
            else [dataclasses.replace(_of_change(schedule, change.id, change.created_at), state="seen")]
        )
    record_scheduled(workspace, seen)


def _by_tables(workspace: Workspace, schedule: Schedule, now: datetime.datetime, *, is_new: bool) -> list[Duty]:
    """Return the latest change of the tables a schedule waits for, unless a run has answered it."""
    if is_new:
        record_seen(workspace, schedule, now)
    change = find_change(workspace, schedule.on_new)
    if change is None:
        return []
    slot = _of_change(schedule, change.id, change.created_at)
    known = list_scheduled(workspace, schedule.report_id, rule_key=slot.rule_key)
    if any(one.state != "claimed" for one in known):
        return []
    return [Duty(schedule=schedule, slot=_late(slot, now))]


def _late(slot: ScheduledSlot, now: datetime.datetime) -> ScheduledSlot:
    return dataclasses.replace(slot, is_late=slot.is_late or now - slot.due_at > LATE_AFTER)


def _of_change(schedule: Schedule, snapshot: str, created_at: str) -> ScheduledSlot:
    """Return the slot of a snapshot: its number is part of the key, as two may be made within one second."""
    made_at = datetime.datetime.fromisoformat(created_at).replace(microsecond=0)
    return dataclasses.replace(_slot(schedule, made_at), rule_key=f"{schedule.key}@{snapshot}")


def _slot(schedule: Schedule, due_at: datetime.datetime, *, is_late: bool = False) -> ScheduledSlot:
    return ScheduledSlot(report_id=schedule.report_id, rule_key=schedule.key, due_at=due_at, is_late=is_late)


def orphans_of(schedules: Sequence[Schedule], slots: Sequence[ScheduledSlot]) -> list[ScheduledSlot]:
    """Return claimed slots whose schedule has gone from its specification."""
    keys = {(schedule.report_id, schedule.key) for schedule in schedules}
    return [slot for slot in slots if (slot.report_id, slot.rule_key.partition("@")[0]) not in keys]
