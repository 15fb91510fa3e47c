"""When reports are due, against a calendar by walking, 1986 to 2100."""

from __future__ import annotations

import datetime

import pytest

from qbase.core import ReportSpec, Text
from qbase.reports import list_dues, read_schedules
from tests.reference import brute_calendar as brute

FROM, TO = (datetime.datetime(*day, tzinfo=datetime.UTC) for day in ((1985, 12, 1), (2100, 12, 31)))


@pytest.fixture(scope="module", params=brute.ZONES)
def walked(request):
    return request.param, brute.walk_zone(request.param)


def dues(told):
    spec = ReportSpec(report_id="r", notebook="", title=Text("", ""), schedule={"s": told})
    return [round(due.timestamp()) for due in list_dues(read_schedules(spec)[0], FROM, TO).instants]


@pytest.mark.parametrize("case", brute.CASES, ids=lambda case: case.rule)
def test_every_due_instant_of_115_years(walked, case):
    zone, found = walked
    # clocks change in these hours; the other cases meet the same arithmetic at one of them
    for time in brute.TIMES if case.rule in {"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE,FR"} else ("00:30", "02:30"):
        if case.times and time != "00:30":
            continue
        expected = [due for due in brute.brute_dues(case, time, found) if due <= TO.timestamp()]
        assert len(expected) > 10
        assert dues(brute.told_schedule(case, time, zone)) == expected, time


def test_the_walk_itself_knows_the_changes_of_clocks(walked):
    zone, found = walked
    expected = {
        # put forward at 2:00 on 4 May 1986, back at 2:00 on 14 September 1986
        "Asia/Shanghai": [("1986-05-04T02:30", "1986-05-03T18:30"), ("1986-09-14T01:30", "1986-09-13T16:30")],
        "Europe/London": [("2026-03-29T01:30", "2026-03-29T01:30"), ("2026-10-25T01:30", "2026-10-25T00:30")],
        "UTC": [("2026-03-29T01:30", "2026-03-29T01:30")],
    }[zone]
    for wall, instant in expected:
        local, due = (datetime.datetime.fromisoformat(f"{text}Z").timestamp() for text in (wall, instant))
        assert found[round(local)] == due
