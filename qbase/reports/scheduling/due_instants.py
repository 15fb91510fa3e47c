"""A schedule and a span of time in; the instants in UTC at which it is due out.

A local time that a change of clocks leaves out is due as much later as clocks were put forward; one that comes twice
is due the first time. So nothing is lost and nothing is due twice.
"""

from __future__ import annotations

import dataclasses
import datetime
import zoneinfo
from collections.abc import Iterator

from qbase.core.errors import DataError
from qbase.reports.scheduling.office_calendar import FARTHEST, UnknownYearError, move_day, newest_year
from qbase.reports.scheduling.recurrence import Recurrence, list_walls
from qbase.reports.scheduling.schedule_reading import Schedule

_MOVED = datetime.timedelta(days=FARTHEST + 1)
_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dues:
    """When a schedule is due within a span of time.

    Parameters
    ----------
    instants : tuple of datetime.datetime
        In UTC, sorted, each once.
    unknown_year : int or None
        First year of the span that the office calendar does not hold; what is due from there on is not among them.

    Examples
    --------
    >>> from qbase.reports.scheduling.due_instants import Dues
    >>> Dues()
    Dues(instants=(), unknown_year=None)
    """

    instants: tuple[datetime.datetime, ...] = ()
    unknown_year: int | None = None


def list_dues(schedule: Schedule, after: datetime.datetime, until: datetime.datetime) -> Dues:
    """List when a schedule is due in a span of time.

    Parameters
    ----------
    schedule : Schedule
        By a rule; one that waits for new rows is due at no instant of its own.
    after, until : datetime.datetime
        With zone; later than ``after``, not later than ``until``.

    Returns
    -------
    Dues

    Examples
    --------
    >>> import datetime
    >>> from qbase.core import ReportSpec, Text
    >>> from qbase.reports import list_dues, read_schedules
    >>> told = {"rule": "FREQ=DAILY", "start": "2026-03-07T02:30", "zone": "America/New_York"}
    >>> spec = ReportSpec(report_id="trends", notebook="", title=Text("", ""), schedule={"night": told})
    >>> first = datetime.datetime(2026, 3, 7, tzinfo=datetime.UTC)
    >>> dues = list_dues(read_schedules(spec)[0], first, first + datetime.timedelta(days=3))
    >>> [f"{due:%d %H:%M}" for due in dues.instants]  # on the 8th clocks go from 2:00 to 3:00
    ['07 07:30', '08 07:30', '09 06:30']
    """
    if schedule.rule is None or until <= after:
        return Dues()
    found: set[datetime.datetime] = set()
    unknown: int | None = None
    zone = zoneinfo.ZoneInfo(schedule.zone)
    for wall in _walls(schedule.rule, schedule, (after.astimezone(zone), until.astimezone(zone))):
        try:
            day = move_day(wall.date(), schedule.day_off)
        except UnknownYearError as error:
            if to_instant(wall, zone) <= until:
                unknown = min(unknown or error.year, error.year)
            continue
        if day is not None and not {day, wall.date()} & set(schedule.left_out):
            due = to_instant(datetime.datetime.combine(day, wall.time()), zone)
            if after < due <= until:
                found.add(due)
    return Dues(instants=tuple(sorted(found)), unknown_year=unknown)


def list_next(schedule: Schedule, after: datetime.datetime, count: int) -> Dues:
    """List the next so many instants of a schedule; fewer where it ends, or its calendar does."""
    span = datetime.timedelta(days=40)
    while True:
        dues = list_dues(schedule, after, after + span)
        is_enough = len(dues.instants) >= count or dues.unknown_year is not None
        if is_enough or schedule.rule is None or after.year + span.days / 365 > 2100:
            return Dues(instants=dues.instants[:count], unknown_year=dues.unknown_year)
        span *= 4


def to_instant(wall: datetime.datetime, zone: zoneinfo.ZoneInfo) -> datetime.datetime:
    """Return the instant of a local time: the first of two, and behind the gap when there is none."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(datetime.UTC)


def unknown_error(schedule: Schedule, year: int) -> DataError:
    """Return what to say of a schedule whose office calendar ends."""
    return DataError(
        "QB848",
        report=schedule.report_id,
        name=schedule.name,
        found=f"{year}; the newest year known is {newest_year()}",
        expected="a year whose days off and make-up days have been announced",
        fix="pip install --upgrade chinesecalendar; nothing is lost meanwhile, what is due runs then, as late",
    )


def _walls(
    rule: Recurrence, schedule: Schedule, span: tuple[datetime.datetime, datetime.datetime]
) -> Iterator[datetime.datetime]:
    """Yield the local times of a rule that may fall into a span, also by way of the calendar."""
    reach = _MOVED if schedule.calendar else _DAY
    first, last = span[0].replace(tzinfo=None) - reach, span[1].replace(tzinfo=None) + reach
    end = rule.until
    for wall in list_walls(rule, schedule.start, last):
        if isinstance(end, datetime.datetime):
            is_over = to_instant(wall, zoneinfo.ZoneInfo(schedule.zone)) > end
        else:
            is_over = end is not None and wall.date() > end
        if wall >= first and not is_over:
            yield wall
