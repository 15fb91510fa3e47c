"""What was due up to now in; what of it is to be run out, and why the rest is not: nothing is dropped in silence."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Literal

from qbase.reports.scheduling.schedule_reading import Schedule

LATE_AFTER = datetime.timedelta(minutes=15)
"""Between two looks of a timer that ticks every five minutes nothing is late."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlannedSlot:
    """One due time and what becomes of it.

    Parameters
    ----------
    due_at : datetime.datetime
        In UTC.
    decision : {"run", "skipped", "stale"}
        Whether it runs, another one is run for it, or it is too old.
    is_late : bool
        More than a quarter of an hour has passed.
    note : str
        Why it is not run.
    """

    due_at: datetime.datetime
    decision: Literal["run", "skipped", "stale"]
    is_late: bool = False
    note: str = ""


def plan_slots(schedule: Schedule, dues: Sequence[datetime.datetime], now: datetime.datetime) -> list[PlannedSlot]:
    """Decide what becomes of the times that were due and not seen to yet.

    Parameters
    ----------
    schedule : Schedule
        With its policy of catching up.
    dues : sequence of datetime.datetime
        In UTC, sorted, none later than now.
    now : datetime.datetime
        With zone.

    Returns
    -------
    list of PlannedSlot
        One for each, in the order given.
    """
    limit = now - datetime.timedelta(days=schedule.stale_after_days)
    newest = dues[-1] if dues else now
    return [_planned(schedule, due, newest, now, limit) for due in dues]


def _planned(
    schedule: Schedule,
    due: datetime.datetime,
    newest: datetime.datetime,
    now: datetime.datetime,
    limit: datetime.datetime,
) -> PlannedSlot:
    is_late = now - due > LATE_AFTER
    if due < limit:
        note = f"older than {schedule.stale_after_days} days"
        return PlannedSlot(due_at=due, decision="stale", is_late=True, note=note)
    if schedule.catch_up == "once" and due != newest:
        note = f"made up for by {newest:%Y-%m-%dT%H:%M:%SZ}"
        return PlannedSlot(due_at=due, decision="skipped", is_late=is_late, note=note)
    if schedule.catch_up == "skip" and is_late:
        return PlannedSlot(due_at=due, decision="skipped", is_late=True, note="missed; catch_up = skip")
    return PlannedSlot(due_at=due, decision="run", is_late=is_late)
