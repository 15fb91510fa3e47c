"""Schedules as a specification says them: what is taken, what is refused, when they are due."""

from __future__ import annotations

import datetime
import itertools

import chinese_calendar
import pytest

from qbase.core import ReportSpec, Text, UsageError
from qbase.reports import list_dues, read_schedules
from qbase.reports.scheduling import office_calendar
from qbase.reports.scheduling.catching_up import plan_slots
from qbase.reports.scheduling.due_instants import list_next
from qbase.reports.scheduling.rule_words import RULE_WORDS, is_weekday_guess

UTC = datetime.UTC
BASE = {"rule": "FREQ=DAILY", "start": "2026-01-01T08:00", "zone": "Asia/Shanghai"}


def spec_of(told, **facts):
    plain = {"report_id": "trends", "notebook": "", "title": Text("", ""), "tables": ("inspections",)}
    return ReportSpec(**{**plain, **facts}, schedule={"s": told})


def read(**told):
    return read_schedules(spec_of({**BASE, **told}))[0]


def dues(first, last, **told):
    span = (datetime.datetime.fromisoformat(f"{day}T00:00:00Z") for day in (first, last))
    return [f"{due:%Y-%m-%dT%H:%MZ}" for due in list_dues(read(**told), *span).instants]


def days(first, last, **told):
    """Return local days in Shanghai on which something is due."""
    span = (datetime.datetime.fromisoformat(f"{day}T00:00:00+08:00") for day in (first, last))
    found = list_dues(read(**told), *span).instants
    return [f"{due.astimezone(datetime.timezone(datetime.timedelta(hours=8))):%m-%d}" for due in found]


@pytest.mark.parametrize(
    ("told", "code", "found"),
    [
        ({"zone": ""}, "QB847", "no zone"),
        ({"zone": "Mars/Phobos"}, "QB847", 'zone = "Mars/Phobos"'),
        ({"zone": "localtime"}, "QB847", 'zone = "localtime"'),
        ({"zone": "right/UTC"}, "QB847", 'zone = "right/UTC"'),
        ({"zone": "Factory"}, "QB847", 'zone = "Factory"'),
        ({"zone": "../etc/passwd"}, "QB847", 'zone = "../etc/passwd"'),
        ({"rule": "FREQ=HOURLY"}, "QB845", "FREQ=HOURLY"),
        ({"rule": "BYDAY=MO"}, "QB845", "FREQ="),
        ({"rule": "FREQ=DAILY;INTERVAL=0"}, "QB845", "INTERVAL=0"),
        ({"rule": "FREQ=DAILY;COUNT=0"}, "QB845", "COUNT=0"),
        ({"rule": "FREQ=DAILY;FREQ=DAILY"}, "QB845", "FREQ=DAILY"),
        ({"rule": "FREQ=DAILY;COUNT=3;UNTIL=20270101"}, "QB845", "COUNT and UNTIL"),
        ({"rule": "FREQ=DAILY;UNTIL=20270101T080000"}, "QB845", "UNTIL=20270101T080000"),
        ({"rule": "FREQ=DAILY;UNTIL=20270231"}, "QB845", "UNTIL=20270231"),
        ({"rule": "FREQ=DAILY;BYHOUR=24"}, "QB845", "BYHOUR=24"),
        ({"rule": "FREQ=MONTHLY;BYMONTHDAY=0"}, "QB845", "BYMONTHDAY=0"),
        ({"rule": "FREQ=MONTHLY;BYMONTHDAY=1.5"}, "QB845", "BYMONTHDAY=1.5"),
        ({"rule": "FREQ=WEEKLY;BYDAY=1MO"}, "QB845", "a numbered weekday (1MO)"),
        ({"rule": "FREQ=WEEKLY;BYDAY=MONDAY"}, "QB845", "BYDAY=MONDAY"),
        ({"rule": "FREQ=MONTHLY;BYDAY=0MO"}, "QB845", "BYDAY=0MO"),
        ({"rule": "FREQ=WEEKLY;BYMONTHDAY=3"}, "QB845", "BYMONTHDAY with FREQ=WEEKLY"),
        ({"rule": "FREQ=MONTHLY;BYWEEKNO=3;BYDAY=MO"}, "QB845", "BYWEEKNO with FREQ=MONTHLY"),
        ({"rule": "FREQ=YEARLY;BYWEEKNO=3"}, "QB845", "BYWEEKNO"),
        ({"rule": "FREQ=YEARLY;BYEASTER=1"}, "QB845", "BYEASTER"),
        ({"rule": "FREQ=DAILY;BYSETPOS=1"}, "QB845", "BYSETPOS alone"),
        ({"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "QB845", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30 never comes"),
        ({"start": "2026-01-01"}, "QB845", 'start = "2026-01-01"'),
        ({"start": "2026-01-01T08:00+08:00"}, "QB845", 'start = "2026-01-01T08:00+08:00"'),
        ({"start": "2026-01-01T08:00:00.5"}, "QB845", 'start = "2026-01-01T08:00:00.5"'),
        ({"start": "2026-02-30T08:00"}, "QB845", 'start = "2026-02-30T08:00": day is out of range for month'),
        ({"start": "1969-12-31T08:00"}, "QB845", 'start = "1969-12-31T08:00"'),
        ({"except": ["2026-10-01T08:00"]}, "QB845", 'except: "2026-10-01T08:00"'),
        ({"except": ["20261001"]}, "QB845", 'except: "20261001"'),
        ({"except": "2026-10-01"}, "QB845", "except = '2026-10-01'"),
        ({"calendar": "china"}, "QB845", "calendar or day_off alone"),
        ({"day_off": "next"}, "QB845", "calendar or day_off alone"),
        ({"calendar": "us", "day_off": "next"}, "QB845", 'calendar = "us"'),
        ({"catch_up": "twice"}, "QB845", 'catch_up = "twice"'),
        ({"stale_after_days": 0}, "QB845", "stale_after_days = 0"),
        ({"stale_after_days": True}, "QB845", "stale_after_days = True"),
        ({"zoen": "UTC"}, "QB845", "zoen"),
        ({"on_new": ["inspections"]}, "QB845", "rule and on_new"),
        ({"lang": "fr"}, "QB845", 'lang = "fr"'),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused(told, code, found):
    with pytest.raises(UsageError) as caught:
        read(**told)
    assert (caught.value.code, caught.value.found) == (code, found)


def test_a_trigger_waits_for_declared_tables_and_for_nothing_else():
    (one,) = read_schedules(spec_of({"on_new": ["inspections"]}))
    assert one.on_new == ("inspections",)
    for told in ({"on_new": ["orders"]}, {"on_new": []}, {"on_new": ["inspections"], "zone": "UTC"}, {}, "daily"):
        with pytest.raises(UsageError, match="QB845"):
            read_schedules(spec_of(told))
    assert read_schedules(spec_of({"on_new": ["orders"]}, may_use=("*",)))[0].on_new == ("orders",)


@pytest.mark.parametrize(
    ("rule", "start", "missing"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-01", "day 31"),
        ("FREQ=MONTHLY;BYMONTHDAY=29,30", "2026-01-01", "day 29, 30"),
        ("FREQ=MONTHLY;BYMONTHDAY=-31", "2026-01-01", "day -31"),
        ("FREQ=MONTHLY", "2026-01-31", "day 31"),
        ("FREQ=MONTHLY;INTERVAL=3", "2026-01-31", "day 31"),
        ("FREQ=YEARLY", "2028-02-29", "day 29"),
        ("FREQ=DAILY;BYMONTHDAY=31", "2026-01-01", "day 31"),
        ("FREQ=MONTHLY;BYDAY=5MO", "2026-01-01", "5MO"),
        ("FREQ=YEARLY;BYDAY=53MO", "2026-01-01", "53MO"),
        ("FREQ=YEARLY;BYYEARDAY=366", "2026-01-01", "BYYEARDAY=366"),
        ("FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "2026-01-01", "BYWEEKNO=53"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=5", "2026-01-01", "BYSETPOS=5 in 2026-02"),
    ],
)
def test_days_that_not_every_month_has_want_a_word(rule, start, missing):
    told = {"rule": rule, "start": f"{start}T08:00"}
    with pytest.raises(UsageError) as caught:
        read(**told)
    assert (caught.value.code, caught.value.found) == ("QB846", missing)
    assert read(**told, allow_short_months=True).allow_short_months


@pytest.mark.parametrize(
    ("rule", "start"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31"),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2026-01-31"),
        ("FREQ=MONTHLY;BYMONTH=1,3,5;BYMONTHDAY=31", "2026-01-01"),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31", "2026-01-01"),
        ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31", "2026-02-28"),
        ("FREQ=YEARLY", "2026-12-31"),
        ("FREQ=DAILY", "2026-01-31"),
        ("FREQ=WEEKLY", "2026-01-31"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-01-31"),
    ],
)
def test_days_that_every_month_has_need_none(rule, start):
    assert read(rule=rule, start=f"{start}T08:00").rule is not None


def test_a_schedule_reads_back_as_it_was_written_zone_and_all():
    told = {
        "rule": "FREQ=MONTHLY;UNTIL=20271231T160000Z;BYMONTH=3,6;BYMONTHDAY=-1;BYHOUR=8;WKST=SU",
        "start": "2026-01-01T08:00:30",
        "zone": "America/New_York",
        "except": ["2026-06-30"],
        "calendar": "china",
        "day_off": "previous",
        "catch_up": "all",
        "stale_after_days": 5,
        "params": {"subject": "K003"},
        "lang": "en",
    }
    (first,) = read_schedules(spec_of(told))
    assert first.payload() == told
    (again,) = read_schedules(spec_of(first.payload()))
    assert again == first
    assert again.key == first.key
    # another zone, or another minute, is another schedule in the ledger; other parameters are not
    others = [
        read_schedules(spec_of({**told, **change}))[0].key
        for change in ({"zone": "UTC"}, {"start": "2026-01-01T08:01"})
    ]
    assert first.key not in others
    assert read_schedules(spec_of({**told, "params": {}, "except": []}))[0].key == first.key


def test_a_local_time_that_is_left_out_is_due_as_much_later_and_one_that_comes_twice_once():
    new_york = {"zone": "America/New_York"}
    assert dues("2027-03-13", "2027-03-16", start="2027-03-13T02:30", **new_york) == [
        "2027-03-13T07:30Z", "2027-03-14T07:30Z", "2027-03-15T06:30Z",
    ]  # fmt: skip
    assert dues("2026-10-31", "2026-11-03", start="2026-10-31T01:30", **new_york) == [
        "2026-10-31T05:30Z", "2026-11-01T05:30Z", "2026-11-02T06:30Z",
    ]  # fmt: skip
    # 2:30 does not exist, is due at 3:30, and 3:30 is due of its own: one instant, one slot
    both = dues("2027-03-14", "2027-03-15", rule="FREQ=DAILY;BYHOUR=2,3", start="2027-03-13T02:30", **new_york)
    assert both == ["2027-03-14T07:30Z"]
    assert dues("2026-03-01", "2026-03-24", rule="FREQ=WEEKLY;BYDAY=MO", start="2026-03-02T00:00", **new_york) == [
        "2026-03-02T05:00Z", "2026-03-09T04:00Z", "2026-03-16T04:00Z", "2026-03-23T04:00Z",
    ]  # fmt: skip


def test_a_day_is_left_out_by_its_date_whatever_clocks_do_on_it():
    assert days("2026-01-01", "2026-01-05", **{"except": ["2026-01-02"]}) == ["01-01", "01-03", "01-04"]
    new_york = {"zone": "America/New_York", "start": "2026-10-31T01:30", "except": ["2026-11-01"]}
    assert dues("2026-10-31", "2026-11-03", **new_york) == ["2026-10-31T05:30Z", "2026-11-02T06:30Z"]


def test_until_is_a_local_day_or_an_instant_and_count_counts_days_left_out():
    assert days("2026-01-01", "2026-02-01", rule="FREQ=DAILY;UNTIL=20260103") == ["01-01", "01-02", "01-03"]
    # 8:00 in Shanghai is 0:00 in UTC
    assert days("2026-01-01", "2026-02-01", rule="FREQ=DAILY;UNTIL=20260103T000000Z") == ["01-01", "01-02", "01-03"]
    assert days("2026-01-01", "2026-02-01", rule="FREQ=DAILY;UNTIL=20260102T235959Z") == ["01-01", "01-02"]
    left_out = {"except": ["2026-01-02"]}
    assert days("2026-01-01", "2026-02-01", rule="FREQ=DAILY;COUNT=3", **left_out) == ["01-01", "01-03"]


def test_a_span_begins_after_its_first_instant_and_holds_its_last():
    schedule = read()
    at = datetime.datetime(2026, 1, 5, tzinfo=UTC)
    second = datetime.timedelta(seconds=1)
    assert list_dues(schedule, at - second, at).instants == (at,)
    assert list_dues(schedule, at, at + second).instants == ()
    assert list_dues(schedule, at, at).instants == ()


# days off and make-up days as the notices of the State Council say them
OFF = {
    2025: ["01-01", *(f"01-{d}" for d in range(28, 32)), *(f"02-0{d}" for d in range(1, 5)), "04-04", "04-05", "04-06",
           *(f"05-0{d}" for d in range(1, 6)), "05-31", "06-01", "06-02", *(f"10-0{d}" for d in range(1, 9))],
    2026: ["01-01", "01-02", "01-03", *(f"02-{d}" for d in range(15, 24)), "04-04", "04-05", "04-06",
           *(f"05-0{d}" for d in range(1, 6)), "06-19", "06-20", "06-21", "09-25", "09-26", "09-27",
           *(f"10-0{d}" for d in range(1, 8))],
}  # fmt: skip
MADE_UP = {
    2025: ["01-26", "02-08", "04-27", "09-28", "10-11"],
    2026: ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"],
}


@pytest.mark.parametrize("year", [2025, 2026])
def test_office_days_are_those_of_the_notice(year):
    day, expected = datetime.date(year, 1, 1), []
    while day.year == year:
        named = f"{day:%m-%d}"
        if named in MADE_UP[year] or (day.weekday() < 5 and named not in OFF[year]):
            expected.append(named)
        day += datetime.timedelta(days=1)
    working = {**RULE_WORDS["working-days"], "start": f"{year}-01-01T08:00"}
    assert days(f"{year}-01-01", f"{year + 1}-01-01", **working) == expected


def test_the_last_working_day_is_the_office_calendars():
    last = {**RULE_WORDS["last-working-day"], "start": "2025-01-01T08:00"}
    found = days("2025-01-01", "2026-03-02", **last)
    assert found[0] == "01-27"
    assert found[-1] == "02-28"  # a Saturday on which offices work
    assert days("2026-02-01", "2026-02-28", rule="FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1") == ["02-27"]
    first = {**RULE_WORDS["first-working-day"], "start": "2026-01-01T08:00"}
    assert days("2026-01-01", "2026-12-31", **first) == [
        "01-04", "02-02", "03-02", "04-01", "05-06", "06-01", "07-01", "08-03", "09-01", "10-08", "11-02", "12-01",
    ]  # fmt: skip
    assert is_weekday_guess("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1")
    assert not is_weekday_guess("FREQ=WEEKLY;BYDAY=MO")


@pytest.mark.parametrize("word", RULE_WORDS)
def test_every_word_is_a_schedule(word):
    assert len(list_next(read(**RULE_WORDS[word]), datetime.datetime(2026, 1, 1, tzinfo=UTC), 1).instants) == 1


def test_moved_days_that_meet_are_one_and_days_left_out_count_on_both_ends():
    holiday = {"calendar": "china", "day_off": "next", "start": "2026-10-01T08:00"}
    assert days("2026-10-01", "2026-10-11", **holiday) == ["10-08", "10-09", "10-10"]
    assert days("2026-10-01", "2026-10-11", **holiday, **{"except": ["2026-10-08"]}) == ["10-09", "10-10"]


def test_a_year_without_its_notice_is_never_believed(monkeypatch):
    newest = office_calendar.newest_year()
    first, last = (datetime.datetime(newest, 12, 1, tzinfo=UTC), datetime.datetime(newest + 1, 3, 1, tzinfo=UTC))
    schedule = read(**RULE_WORDS["working-days"], start=f"{newest}-01-01T08:00")
    # a library that answers for any year, as others do, is not asked
    monkeypatch.setattr(chinese_calendar, "is_workday", lambda day: True)
    found = list_dues(schedule, first, last)
    assert found.unknown_year == newest + 1
    assert {due.year for due in found.instants} == {newest}
    coming = list_next(schedule, first, 60)
    assert len(coming.instants) == 30  # 1 December, 8:00 in Shanghai, is where the span begins
    assert coming.unknown_year == newest + 1
    with pytest.raises(office_calendar.UnknownYearError):
        office_calendar.is_office_day(datetime.date(office_calendar.oldest_year() - 1, 6, 1))


def test_a_year_known_by_its_first_days_only_is_not_known(monkeypatch):
    from chinese_calendar import constants

    newest = office_calendar.newest_year()
    monkeypatch.setitem(constants.holidays, datetime.date(newest + 1, 1, 1), "New Year")
    assert chinese_calendar.is_workday(datetime.date(newest + 1, 10, 1))  # what the library makes of it
    assert office_calendar.newest_year() == newest


MONDAYS = [datetime.datetime(2026, 11, day, tzinfo=UTC) for day in (9, 16, 23)]


@pytest.mark.parametrize(
    ("told", "minutes", "expected"),
    [
        ({}, 0, ["skipped", "skipped", "run"]),
        ({"catch_up": "all"}, 0, ["run", "run", "run"]),
        ({"catch_up": "skip"}, 5, ["skipped", "skipped", "run"]),
        ({"catch_up": "skip"}, 16, ["skipped", "skipped", "skipped"]),
        ({"catch_up": "all", "stale_after_days": 10}, 0, ["stale", "run", "run"]),
        ({"stale_after_days": 1}, 60 * 25, ["stale", "stale", "stale"]),
    ],
)
def test_what_becomes_of_missed_times(told, minutes, expected):
    now = MONDAYS[-1] + datetime.timedelta(minutes=minutes)
    plan = plan_slots(read(**told), MONDAYS, now)
    assert [slot.decision for slot in plan] == expected
    assert [slot.due_at for slot in plan] == MONDAYS
    assert [slot.is_late for slot in plan] == [True, True, minutes > 15]
    assert all(slot.note for slot in plan if slot.decision != "run")


def test_the_next_times_are_listed_as_far_as_there_are_any():
    schedule = read(rule="FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=1")
    coming = list_next(schedule, datetime.datetime(2026, 11, 29, tzinfo=UTC), 3).instants
    assert [due.year for due in coming] == [2027, 2028, 2029]
    assert all(earlier < later for earlier, later in itertools.pairwise(coming))
    ended = read(rule="FREQ=DAILY;COUNT=3")
    assert list_next(ended, datetime.datetime(2026, 11, 29, tzinfo=UTC), 3).instants == ()
