"""Schedules added to specifications and taken out again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.reports.asking.report_spec import find_specs, read_spec
from qbase.reports.asking.run_request import read_request
from qbase.reports.asking.spec_editing import add_table, drop_table
from qbase.reports.scheduling.schedule_reading import Schedule, read_schedule
from qbase.reports.ticking.due_slots import record_seen
from qbase.reports.ticking.slot_holder import Clock, read_clock

if TYPE_CHECKING:
    from qbase.lake import Workspace


def add_schedule(
    workspace: Workspace, report_id: str, name: str, told: Mapping[str, Any], *, clock: Clock = read_clock
) -> Schedule:
    """Write a schedule into the specification of a report; it counts from now on.

    Parameters
    ----------
    workspace : Workspace
        Where the specification lives.
    report_id, name : str
        The report, and what the schedule is called.
    told : mapping
        As under ``[schedule.NAME]``.
    clock : callable, optional
        Gives the time with zone.

    Raises
    ------
    UsageError
        No such report (QB801), a schedule of this name is there (QB862), it does not hold (QB845 to QB847), or its
        parameters do not (QB803 to QB806).
    SetupError
        The file cannot be edited by lines (QB860).
    """
    spec = read_spec(workspace, report_id)
    if name in spec.schedule:
        raise UsageError(
            "QB862",
            report=report_id,
            name=name,
            found=name,
            expected="a name that is free",
            fix=f"qbase schedule remove {report_id} --name {name}, or another --name",
        )
    schedule = read_schedule(spec, name, told)
    read_request(workspace, report_id, schedule.params)
    add_table(find_specs(workspace)[report_id], "schedule", name, schedule.payload())
    record_seen(workspace, schedule, clock().replace(microsecond=0))
    return schedule


def remove_schedule(workspace: Workspace, report_id: str, name: str) -> None:
    """Take a schedule out of the specification of a report; what the ledger knows of it stays.

    Raises
    ------
    UsageError
        No such report (QB801) or schedule (QB861).
    SetupError
        The file cannot be edited by lines (QB860).
    """
    spec = read_spec(workspace, report_id)
    if name not in spec.schedule:
        raise UsageError(
            "QB861",
            report=report_id,
            name=name,
            found=name,
            expected=" · ".join(spec.schedule) or "a schedule; the report has none",
            fix=f"qbase schedule list {report_id}",
        )
    drop_table(find_specs(workspace)[report_id], "schedule", name)
