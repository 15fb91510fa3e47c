"""A calendar by walking: every step of time and every day from 1986 to 2100 is looked at; zoneinfo alone, no dateutil.

Each rule stands here twice, as text of RFC 5545 and as a question about a single day, written by hand.
"""

from __future__ import annotations

import dataclasses
import datetime
import zoneinfo
from collections.abc import Callable, Iterator

FIRST, LAST = datetime.date(1986, 1, 1), datetime.date(2100, 12, 31)
ZONES = ("Asia/Shanghai", "Europe/London", "UTC")
# clocks change at 0:00, 1:00 and 2:00 of these zones, and jump over or repeat the hour after
TIMES = ("00:30", "01:30", "02:00", "02:30", "03:00", "08:00")
ONE_DAY = datetime.timedelta(days=1)
UTC = datetime.UTC
Asked = Callable[[datetime.date], bool]


@dataclasses.dataclass(frozen=True)
class Case:
    """A rule, its first day, and whether a day belongs to it; ``times`` where the rule names them itself."""

    rule: str
    first: datetime.date
    asked: Asked
    allow: bool = False
    times: tuple[str, ...] = ()


def last_of_month(day: datetime.date) -> bool:
    return (day + ONE_DAY).month != day.month


def nth_from_start(day: datetime.date) -> int:
    return (day.day - 1) // 7 + 1


def nth_from_end(day: datetime.date) -> int:
    count, at = 0, day
    while at.month == day.month:
        count, at = count + 1, at + 7 * ONE_DAY
    return count


def last_weekday_of_month(day: datetime.date) -> bool:
    if day.weekday() > 4:
        return False
    at = day + ONE_DAY
    while at.month == day.month:
        if at.weekday() <= 4:
            return False
        at += ONE_DAY
    return True


def months_since(first: datetime.date, day: datetime.date) -> int:
    return (day.year - first.year) * 12 + day.month - first.month


def monday_of(day: datetime.date) -> datetime.date:
    return day - day.weekday() * ONE_DAY


def hundredth_or_last(day: datetime.date) -> bool:
    return day.timetuple().tm_yday == 100 or (day.month, day.day) == (12, 31)


D = datetime.date
CASES = [
    Case("FREQ=DAILY", D(1986, 1, 1), lambda d: True),
    Case("FREQ=DAILY;INTERVAL=10", D(1986, 1, 4), lambda d: (d - D(1986, 1, 4)).days % 10 == 0),
    Case("FREQ=WEEKLY;BYDAY=MO", D(1986, 1, 1), lambda d: d.weekday() == 0),
    Case("FREQ=WEEKLY;BYDAY=MO,WE,FR", D(1986, 1, 2), lambda d: d.weekday() in {0, 2, 4}),
    Case("FREQ=WEEKLY", D(1986, 1, 2), lambda d: d.weekday() == D(1986, 1, 2).weekday()),
    Case(
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU",
        D(1986, 1, 6),
        lambda d: d.weekday() in {0, 6} and (monday_of(d) - D(1986, 1, 6)).days % 14 == 0,
    ),
    Case("FREQ=MONTHLY;BYMONTHDAY=1", D(1986, 1, 1), lambda d: d.day == 1),
    Case("FREQ=MONTHLY", D(1986, 1, 28), lambda d: d.day == 28),
    Case("FREQ=MONTHLY;BYMONTHDAY=-1", D(1986, 1, 1), last_of_month),
    Case("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", D(1986, 1, 1), last_of_month),
    Case(
        "FREQ=MONTHLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1",
        D(1986, 1, 1),
        lambda d: last_of_month(d) and d.month % 3 == 0,
    ),
    Case(
        "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=15",
        D(1986, 2, 1),
        lambda d: d.day == 15 and months_since(D(1986, 2, 1), d) % 3 == 0,
    ),
    Case("FREQ=MONTHLY;BYDAY=1MO", D(1986, 1, 1), lambda d: d.weekday() == 0 and nth_from_start(d) == 1),
    Case("FREQ=MONTHLY;BYDAY=-1FR", D(1986, 1, 1), lambda d: d.weekday() == 4 and nth_from_end(d) == 1),
    Case("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", D(1986, 1, 1), last_weekday_of_month),
    Case("FREQ=MONTHLY;BYMONTHDAY=31", D(1986, 1, 1), lambda d: d.day == 31, allow=True),
    Case("FREQ=MONTHLY;BYMONTHDAY=29,30", D(1986, 1, 1), lambda d: d.day in {29, 30}, allow=True),
    Case("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", D(1986, 1, 1), lambda d: d.day == 13 and d.weekday() == 4),
    Case("FREQ=MONTHLY;BYDAY=5MO", D(1986, 1, 1), lambda d: d.weekday() == 0 and nth_from_start(d) == 5, allow=True),
    Case("FREQ=YEARLY", D(1986, 8, 10), lambda d: (d.month, d.day) == (8, 10)),
    Case(
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", D(1986, 1, 1), lambda d: (d.month, d.day) == (2, 29), allow=True
    ),
    Case(
        "FREQ=YEARLY;INTERVAL=3;BYMONTH=10;BYMONTHDAY=1",
        D(1986, 10, 1),
        lambda d: (d.month, d.day) == (10, 1) and (d.year - 1986) % 3 == 0,
    ),
    Case("FREQ=YEARLY;BYYEARDAY=100,-1", D(1986, 1, 1), hundredth_or_last),
    Case("FREQ=YEARLY;BYWEEKNO=1,20;BYDAY=MO", D(1986, 1, 1), lambda d: d.isocalendar()[1:] in {(1, 1), (20, 1)}),
    Case(
        "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30",
        D(1986, 1, 1),
        lambda d: True,
        times=("02:00", "02:30", "03:00", "03:30"),
    ),
]  # fmt: skip


def walk_zone(zone: str, step: int = 1800) -> dict[int, int]:
    """Look at the clock of a zone every so many seconds; return local time -> the instant it is due at, in seconds."""
    wanted = {int(t[:2]) * 3600 + int(t[3:]) * 60 for t in (*TIMES, "03:30")}
    place, read = zoneinfo.ZoneInfo(zone), datetime.datetime.fromtimestamp
    begin = round(datetime.datetime(FIRST.year - 1, 12, 30, tzinfo=UTC).timestamp())
    end = round(datetime.datetime(LAST.year + 1, 1, 2, tzinfo=UTC).timestamp())
    found: dict[int, int] = {}
    shown = begin - step + read(begin - step, place).utcoffset().seconds
    for at in range(begin, end, step):
        before, shown = shown, at + read(at, place).utcoffset().seconds
        # clocks were put forward: what would have been shown is due as long after the last time shown
        for missed in range(before + step, shown, step):
            if missed % 86400 in wanted:
                found.setdefault(missed, at + missed - before - step)
        if shown % 86400 in wanted:
            found.setdefault(shown, at)
    return found


def days_of(case: Case, until: datetime.date = LAST) -> Iterator[datetime.date]:
    """Yield the days of a case, each day of the calendar asked."""
    day = case.first
    while day <= until:
        if case.asked(day):
            yield day
        day += ONE_DAY


def seconds_of(day: datetime.date, time: str) -> int:
    """Return a local time as seconds, as if it were in UTC."""
    return (day - datetime.date(1970, 1, 1)).days * 86400 + int(time[:2]) * 3600 + int(time[3:]) * 60


def brute_dues(case: Case, time: str, walked: dict[int, int]) -> list[int]:
    """Return when a case is due, by the walk alone."""
    return sorted({walked[seconds_of(day, t)] for day in days_of(case) for t in case.times or (time,)})


def told_schedule(case: Case, time: str, zone: str) -> dict[str, object]:
    """Return the table of a specification for a case."""
    told: dict[str, object] = {"rule": case.rule, "start": f"{case.first}T{time}", "zone": zone}
    return told | ({"allow_short_months": True} if case.allow else {})
