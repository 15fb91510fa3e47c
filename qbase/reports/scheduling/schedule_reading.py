"""The ``[schedule.NAME]`` tables of a specification, read strictly and written back as they were meant."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from qbase.core.errors import UsageError
from qbase.core.values import freeze
from qbase.reports.scheduling.office_calendar import CHINA, DayOff
from qbase.reports.scheduling.recurrence import Recurrence, RuleError, comes_ever, parse_recurrence
from qbase.reports.scheduling.short_months import find_missing

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.core.results.run_values import ReportSpec

CatchUp = Literal["once", "all", "skip"]
CATCH_UP = ("once", "all", "skip")
DAYS_OFF = ("run", "skip", "next", "previous")
STALE_DAYS = 31
KEYS: Mapping[str, str] = {
    "rule": "text",
    "start": "text",
    "zone": "text",
    "on_new": "list of text",
    "except": "list of text",
    "calendar": "text",
    "day_off": "text",
    "catch_up": "text",
    "stale_after_days": "whole number",
    "allow_short_months": "true or false",
    "params": "table",
    "lang": "text",
}
TIMED = ("rule", "start", "zone", "except", "calendar", "day_off", "catch_up", "stale_after_days", "allow_short_months")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_START = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a report is due: by a rule of RFC 5545 in a time zone, or whenever its tables have new rows.

    Parameters
    ----------
    report_id, name : str
        Whose schedule, and which of its schedules.
    rule : Recurrence or None
        None when new rows are what it waits for.
    start : datetime.datetime
        First local time, without zone; the rule takes from it what it does not say itself.
    zone : str
        Time zone of the start, ``Asia/Shanghai``.
    left_out : tuple of datetime.date
        Local days on which nothing is due.
    calendar : str
        ``china`` for the office calendar; empty for none.
    day_off : {"run", "skip", "next", "previous"}
        What becomes of a day off of that calendar.
    catch_up : {"once", "all", "skip"}
        Which of several missed times is made up for.
    stale_after_days : int
        What is older is recorded and not run.
    allow_short_months : bool
        Months without the day are meant to be passed over.
    on_new : tuple of str
        Tables whose new rows make it due.
    params : mapping
        Parameters of the run, beside those of the specification.
    lang : {"zh", "en"}
        Language the page shows first.

    Examples
    --------
    >>> from qbase.core import ReportSpec, Text
    >>> from qbase.reports import read_schedules
    >>> told = {"rule": "FREQ=MONTHLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1"}
    >>> told |= {"start": "2026-12-31T18:00", "zone": "Asia/Shanghai"}
    >>> spec = ReportSpec(report_id="trends", notebook="", title=Text("", ""), schedule={"quarter": told})
    >>> (schedule,) = read_schedules(spec)
    >>> schedule.name, schedule.rule.freq, schedule.catch_up
    ('quarter', 'MONTHLY', 'once')
    """

    report_id: str
    name: str
    rule: Recurrence | None = None
    start: datetime.datetime = datetime.datetime.min
    zone: str = ""
    left_out: tuple[datetime.date, ...] = ()
    calendar: str = ""
    day_off: DayOff = "run"
    catch_up: CatchUp = "once"
    stale_after_days: int = STALE_DAYS
    allow_short_months: bool = False
    on_new: tuple[str, ...] = ()
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lang: Lang = "zh"

    @property
    def key(self) -> str:
        """What names the schedule in the ledger: another rule under the same name is another schedule."""
        rule = self.rule.written() if self.rule else ""
        words = (rule, self.start.isoformat(), self.zone, self.calendar, self.day_off, *self.on_new)
        return f"{self.name}:{hashlib.sha256(chr(0).join(words).encode()).hexdigest()[:12]}"

    def payload(self) -> dict[str, Any]:
        """Return the table of a specification that reads back as this schedule; what is usual is left out."""
        found: dict[str, Any] = {}
        if self.rule is not None:
            has_seconds = "" if self.start.second else "minutes"
            start = self.start.isoformat(timespec=has_seconds or "seconds")
            found = {"rule": self.rule.written(), "start": start, "zone": self.zone}
        if self.left_out:
            found["except"] = [day.isoformat() for day in self.left_out]
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        for name in ("calendar", "day_off", "catch_up", "stale_after_days", "allow_short_months", "lang"):
            if getattr(self, name) != usual[name]:
                found[name] = getattr(self, name)
        return found | ({"on_new": list(self.on_new)} if self.on_new else {}) | self._params()

    def _params(self) -> dict[str, Any]:
        return {"params": dict(self.params)} if self.params else {}


def read_schedules(spec: ReportSpec) -> list[Schedule]:
    """Read the schedules of a specification, sorted by name.

    Parameters
    ----------
    spec : ReportSpec
        With its ``[schedule.NAME]`` tables.

    Returns
    -------
    list of Schedule
        Empty for a report that runs on request only.

    Raises
    ------
    UsageError
        A schedule does not hold (QB845), has a day that not every month has (QB846), or no time zone (QB847).

    Examples
    --------
    >>> from qbase.core import ReportSpec, Text
    >>> from qbase.reports import read_schedules
    >>> told = {"rule": "FREQ=MONTHLY", "start": "2026-12-31T18:00", "zone": "Asia/Shanghai"}
    >>> read_schedules(ReportSpec(report_id="trends", notebook="", title=Text("", ""), schedule={"month": told}))
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB846] schedule "month" of "trends" names days that not every month has
      found     day 31
      expected  days that every month has; the last one is BYMONTHDAY=-1
      to fix    BYMONTHDAY=-1, or allow_short_months = true to pass over the others
    """
    return [read_schedule(spec, name, told) for name, told in sorted(spec.schedule.items())]


def read_schedule(spec: ReportSpec, name: str, told: Any) -> Schedule:
    """Read one ``[schedule.NAME]`` table.

    Raises
    ------
    UsageError
        It does not hold (QB845), has a day that not every month has (QB846), or no time zone (QB847).
    """
    if not isinstance(told, Mapping):
        raise _bad(spec, name, f"{name} = {told!r} under [schedule]", f"[schedule.NAME] with {' · '.join(KEYS)}")
    if not NAME.fullmatch(name):
        raise _bad(spec, name, name, "a name of small letters, digits, - and _")
    for key, value in told.items():
        _check_key(spec, name, key, value)
    if ("rule" in told) == ("on_new" in told):
        raise _bad(spec, name, "rule and on_new" if "rule" in told else "neither", "either rule or on_new")
    shared = {
        "report_id": spec.report_id,
        "name": name,
        "params": freeze(dict(told.get("params", {}))),
        "lang": _choice(spec, name, told, "lang", ("zh", "en"), "zh"),
    }
    return _on_new(spec, name, told, shared) if "on_new" in told else _by_rule(spec, name, told, shared)


def _on_new(spec: ReportSpec, name: str, told: Mapping[str, Any], shared: Mapping[str, Any]) -> Schedule:
    useless = [key for key in told if key in TIMED]
    if useless:
        raise _bad(spec, name, f"on_new with {useless[0]}", "on_new alone, with params and lang")
    tables = tuple(told["on_new"])
    declared = {*spec.tables, *spec.may_use}
    strange = [table for table in tables if table not in declared and "*" not in declared]
    if strange or not tables:
        raise _bad(
            spec, name, f"on_new = {list(tables)}", f"tables the report declares: {' · '.join(sorted(declared))}"
        )
    return Schedule(**shared, on_new=tuple(sorted(set(tables))))


def _by_rule(spec: ReportSpec, name: str, told: Mapping[str, Any], shared: Mapping[str, Any]) -> Schedule:
    zone = _zone(spec, name, told.get("zone", ""))
    try:
        rule, start = parse_recurrence(told["rule"]), _start(told.get("start", ""))
    except RuleError as error:
        raise _bad(spec, name, error.found, error.expected) from error
    if not comes_ever(rule, start):
        raise _bad(spec, name, f"{rule.written()} never comes", "a rule with at least one day")
    is_short_allowed = bool(told.get("allow_short_months", False))
    missing = "" if is_short_allowed else find_missing(rule, start)
    if missing:
        raise UsageError(
            "QB846",
            report=spec.report_id,
            name=name,
            found=missing,
            expected="days that every month has; the last one is BYMONTHDAY=-1",
            fix="BYMONTHDAY=-1, or allow_short_months = true to pass over the others",
        )
    calendar = _choice(spec, name, told, "calendar", ("", CHINA), "")
    day_off = _choice(spec, name, told, "day_off", DAYS_OFF, "run")
    if bool(calendar) != (day_off != "run"):
        raise _bad(spec, name, "calendar or day_off alone", 'calendar = "china" with day_off = "next", say')
    stale_after_days = told.get("stale_after_days", STALE_DAYS)
    if stale_after_days < 1:
        raise _bad(spec, name, f"stale_after_days = {stale_after_days}", "stale_after_days: whole number, 1..")
    return Schedule(
        **shared,
        rule=rule,
        start=start,
        zone=zone,
        left_out=tuple(sorted({_left_out(spec, name, day) for day in told.get("except", ())})),
        calendar=calendar,
        day_off=day_off,
        catch_up=_choice(spec, name, told, "catch_up", CATCH_UP, "once"),
        stale_after_days=stale_after_days,
        allow_short_months=is_short_allowed,
    )


def _check_key(spec: ReportSpec, name: str, key: str, value: Any) -> None:
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, n=1)
        raise _bad(spec, name, key, f"{near[0]}?" if near else " · ".join(KEYS))
    good = {
        "text": isinstance(value, str),
        "list of text": isinstance(value, Sequence) and not isinstance(value, str) and all(map(_is_text, value)),
        "whole number": type(value) is int,
        "true or false": isinstance(value, bool),
        "table": isinstance(value, Mapping),
    }[KEYS[key]]
    if not good:
        raise _bad(spec, name, f"{key} = {value!r}", f"{key}: {KEYS[key]}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _choice(spec: ReportSpec, name: str, told: Mapping[str, Any], key: str, known: Sequence[str], usual: str) -> Any:
    value = told.get(key, usual)
    if value not in known:
        raise _bad(spec, name, f'{key} = "{value}"', " · ".join(filter(None, known)))
    return value


def _zone(spec: ReportSpec, name: str, zone: str) -> str:
    if zone not in _zones():
        raise UsageError(
            "QB847",
            report=spec.report_id,
            name=name,
            found=f'zone = "{zone}"' if zone else "no zone",
            expected="a time zone of the IANA database, whatever this machine is set to",
            fix='zone = "Asia/Shanghai"',
        )
    return zone


@functools.cache
def _zones() -> frozenset[str]:
    """Return the zones of the IANA database; the system also knows ``localtime``, whatever that is on a machine."""
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    return frozenset(names) - {"Factory"}


def _start(text: str) -> datetime.datetime:
    expected = 'start = "2026-11-30T08:00", local, without offset and parts of seconds, from 1970 on'
    if not _START.fullmatch(text):
        raise RuleError(f'start = "{text}"', expected)
    try:
        start = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise RuleError(f'start = "{text}": {error}', expected) from error
    if start.year < 1970:
        raise RuleError(f'start = "{text}"', expected)
    return start


def _left_out(spec: ReportSpec, name: str, text: str) -> datetime.date:
    try:
        if _DATE.fullmatch(text):
            return datetime.date.fromisoformat(text)
    except ValueError:
        pass
    raise _bad(spec, name, f'except: "{text}"', 'days, except = ["2026-10-01"]')


def _bad(spec: ReportSpec, name: str, found: str, expected: str) -> UsageError:
    fix = f"correct [schedule.{name}] of {spec.report_id}.toml"
    return UsageError("QB845", report=spec.report_id, name=name, found=found, expected=expected, fix=fix)
