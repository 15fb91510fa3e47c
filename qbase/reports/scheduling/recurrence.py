"""Rules of RFC 5545, read strictly: what dateutil would take for something else, or never end on, is refused.

dateutil gets numbers and a start without zone, never text: read as text it loses zones, passes over days to leave
out, and takes an interval of 0.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
FINER = ("HOURLY", "MINUTELY", "SECONDLY")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
# part -> lowest and highest number, and whether it may count from the end
NUMBERS: Mapping[str, tuple[int, int, bool]] = {
    "BYMONTH": (1, 12, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSETPOS": (1, 366, True),
}
# RFC 5545, page 44: which part has no meaning where
BARRED = {
    "BYMONTHDAY": ("WEEKLY",),
    "BYYEARDAY": ("DAILY", "WEEKLY", "MONTHLY"),
    "BYWEEKNO": ("DAILY", "WEEKLY", "MONTHLY"),
}
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_WHOLE_DAY = re.compile(r"\d{8}")
_INSTANT = re.compile(r"\d{8}T\d{6}Z")


class RuleError(ValueError):
    """A rule does not hold; says what was found and what was expected."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found, expected)
        self.found, self.expected = found, expected


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recurrence:
    """The value of an RRULE.

    Parameters
    ----------
    freq : {"YEARLY", "MONTHLY", "WEEKLY", "DAILY"}
        How long a period is.
    interval : int
        Every so many periods.
    count : int or None
        So many times in all, days that are left out included.
    until : datetime.date, datetime.datetime or None
        Last local day, or last instant in UTC.
    week_start : str
        First day of a week.
    weekdays : tuple of (int, str)
        Which one of the period, 0 for all, and the day.
    numbers : tuple of (str, tuple of int)
        The other parts, by name.
    """

    freq: str
    interval: int = 1
    count: int | None = None
    until: datetime.date | datetime.datetime | None = None
    week_start: str = "MO"
    weekdays: tuple[tuple[int, str], ...] = ()
    numbers: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def by(self, part: str) -> tuple[int, ...]:
        """Return the numbers of a part; none where it is not given."""
        return dict(self.numbers).get(part, ())

    def written(self) -> str:
        """Return the rule as text that reads back as the same rule."""
        parts = {"FREQ": self.freq}
        if self.interval != 1:
            parts["INTERVAL"] = str(self.interval)
        if self.count is not None:
            parts["COUNT"] = str(self.count)
        if self.until is not None:
            is_instant = isinstance(self.until, datetime.datetime)
            parts["UNTIL"] = f"{self.until:%Y%m%dT%H%M%SZ}" if is_instant else f"{self.until:%Y%m%d}"
        parts |= {name: ",".join(map(str, values)) for name, values in self.numbers}
        if self.weekdays:
            parts["BYDAY"] = ",".join(f"{nth or ''}{day}" for nth, day in self.weekdays)
        if self.week_start != "MO":
            parts["WKST"] = self.week_start
        return ";".join(f"{name}={value}" for name, value in parts.items())


def parse_recurrence(text: str) -> Recurrence:
    """Read the value of an RRULE.

    Raises
    ------
    RuleError
        It is none, or none that a report can be run by.
    """
    given: dict[str, str] = {}
    for part in text.upper().replace(" ", "").removeprefix("RRULE:").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in given:
            raise RuleError(part or text, "NAME=VALUE;NAME=VALUE, every name once")
        given[name] = value
    freq = given.pop("FREQ", "")
    if freq not in FREQUENCIES:
        hint = "; several times a day: FREQ=DAILY;BYHOUR=8,14" if freq in FINER else ""
        raise RuleError(f"FREQ={freq}", f"FREQ={' | '.join(FREQUENCIES)}{hint}")
    week_start = given.pop("WKST", "MO")
    if week_start not in DAYS:
        raise RuleError(f"WKST={week_start}", " | ".join(DAYS))
    if "COUNT" in given and "UNTIL" in given:
        raise RuleError("COUNT and UNTIL", "one of them")
    rule = Recurrence(
        freq=freq,
        interval=_whole(given.pop("INTERVAL", "1"), "INTERVAL"),
        count=_whole(given.pop("COUNT"), "COUNT") if "COUNT" in given else None,
        until=_until(given.pop("UNTIL")) if "UNTIL" in given else None,
        week_start=week_start,
        weekdays=_weekdays(given.pop("BYDAY")) if "BYDAY" in given else (),
        numbers=tuple((name, _numbers(name, value)) for name, value in given.items()),
    )
    _check_together(rule)
    return rule


def _whole(text: str, name: str) -> int:
    # an interval of 0 never ends
    if not re.fullmatch(r"\d{1,4}", text) or int(text) < 1:
        raise RuleError(f"{name}={text}", f"{name}: whole number, 1..9999")
    return int(text)


def _until(text: str) -> datetime.date | datetime.datetime:
    try:
        if _WHOLE_DAY.fullmatch(text):
            return datetime.datetime.strptime(text, "%Y%m%d").date()
        if _INSTANT.fullmatch(text):
            return datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        pass
    raise RuleError(f"UNTIL={text}", "UNTIL=20261231, the last day, or UNTIL=20261231T160000Z in UTC")


def _weekdays(text: str) -> tuple[tuple[int, str], ...]:
    found = [_DAY.fullmatch(word) for word in text.split(",")]
    days = tuple((int(day[1] or 0), day[2]) for day in found if day)
    if not all(found) or any(day and day[1] and not int(day[1]) for day in found):
        raise RuleError(f"BYDAY={text}", "MO, TU … SU; 1MO is the first Monday, -1FR the last Friday")
    return days


def _numbers(name: str, text: str) -> tuple[int, ...]:
    if name not in NUMBERS:
        raise RuleError(name, " · ".join(("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", *NUMBERS, "WKST")))
    low, high, from_the_end = NUMBERS[name]
    words = text.split(",")
    good = all(re.fullmatch(r"[+-]?\d{1,3}" if from_the_end else r"\d{1,2}", word) for word in words)
    values = tuple(sorted({int(word) for word in words})) if good else ()
    if not values or not all(low <= abs(value) <= high for value in values):
        told = f"{low}..{high}" + (f" or -{high}..-{low}" if from_the_end else "")
        raise RuleError(f"{name}={text}", f"{name}: {told}")
    return values


def _check_together(rule: Recurrence) -> None:
    """Refuse parts that mean nothing together, or that dateutil reads otherwise than RFC 5545 does."""
    for name, frequencies in BARRED.items():
        if rule.by(name) and rule.freq in frequencies:
            raise RuleError(f"{name} with FREQ={rule.freq}", f"{name} without it")
    has_nth = any(nth for nth, _ in rule.weekdays)
    if has_nth and (rule.freq not in {"YEARLY", "MONTHLY"} or rule.by("BYWEEKNO")):
        raise RuleError("a numbered weekday (1MO)", "FREQ=MONTHLY or YEARLY, without BYWEEKNO")
    if rule.by("BYWEEKNO") and (not rule.weekdays or rule.interval > 1):
        # without a day dateutil takes all seven; weeks that begin in the year before are lost by an interval
        raise RuleError("BYWEEKNO", "BYWEEKNO with BYDAY, every year")
    others = [name for name, _ in rule.numbers if name != "BYSETPOS"]
    if rule.by("BYSETPOS") and not others and not rule.weekdays:
        raise RuleError("BYSETPOS alone", "BYSETPOS with another BY… part")


def list_walls(rule: Recurrence, start: datetime.datetime, until: datetime.datetime) -> Iterator[datetime.datetime]:
    """Yield the local times of a rule, from its start on, none later than ``until``.

    Parameters
    ----------
    rule : Recurrence
        The rule; its own UNTIL is left to the caller, who knows the zone.
    start : datetime.datetime
        Without zone: DTSTART.
    until : datetime.datetime
        Without zone.
    """
    for wall in _rule_of(rule, start):
        if wall > until:
            return
        yield wall


@functools.lru_cache(maxsize=256)
def comes_ever(rule: Recurrence, start: datetime.datetime) -> bool:
    """Return whether a rule has any day at all: the 30th of February is looked for until the year 9999."""
    return next(iter(_rule_of(rule, start)), None) is not None


def _rule_of(rule: Recurrence, start: datetime.datetime) -> Any:
    from dateutil import rrule

    days = [getattr(rrule, day)(nth) if nth else getattr(rrule, day) for nth, day in rule.weekdays]
    return rrule.rrule(
        getattr(rrule, rule.freq),
        dtstart=start,
        interval=rule.interval,
        count=rule.count,
        wkst=getattr(rrule, rule.week_start),
        byweekday=days or None,
        **{name.lower(): values for name, values in rule.numbers},
    )
