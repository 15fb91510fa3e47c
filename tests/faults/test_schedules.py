"""Faults of time and of schedulers: clocks that jump, schedulers that die, stop or are two; each slot runs once."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pytest

from qbase.core import SetupError
from qbase.lake import Delivery, Workspace, claim_scheduled, list_runs, list_scheduled
from qbase.reports import read_schedules, read_spec, run_due
from qbase.reports.executing import papermill_engine
from qbase.reports.scheduling.rule_words import RULE_WORDS
from qbase.reports.ticking import schedule_tick
from qbase.reports.ticking.schedule_edits import add_schedule, remove_schedule
from qbase.reports.ticking.schedule_loop import run_schedules
from qbase.reports.ticking.slot_holder import beating, is_living, new_holder
from tests.faults import quick_schedule

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUNDAY = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)
HOUR, DAY, MINUTE = datetime.timedelta(hours=1), datetime.timedelta(days=1), datetime.timedelta(minutes=1)
# Monday, 8:00 in Shanghai
MONDAY = SUNDAY + DAY
WEEKLY = {"rule": "FREQ=WEEKLY;BYDAY=MO", "start": "2026-11-02T08:00", "zone": "Asia/Shanghai"}
DAILY = {**WEEKLY, "rule": "FREQ=DAILY"}
SECONDS = 120.0  # a machine that is busy is waited for; what is awaited is a fact, never a speed


@pytest.fixture
def home(tmp_path, monkeypatch):
    workspace = Workspace.create(tmp_path / "home")
    monkeypatch.setenv("QUICK_COUNT", str(tmp_path / "count"))
    monkeypatch.setattr(papermill_engine, "execute", quick_schedule.execute)
    write_letter(workspace, "trends")
    return workspace


def write_letter(workspace, name):
    codes = ["year: int = 2024  # 年份 | Year of the report | 2016..2025", "year"]
    plain = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    cells = [{**plain, "source": code} for code in codes]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (workspace.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
    spec = f'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "质量走势"\ntitle_en = "Trends"\nmay_use = ["*"]\n'
    (workspace.specs / f"{name}.toml").write_text(spec, encoding="utf-8")


def executed():
    path = pathlib.Path(os.environ["QUICK_COUNT"])
    return len(path.read_text("utf-8").splitlines()) if path.exists() else 0


def at(moment):
    return lambda: moment


def states(workspace, **wanted):
    found = list_scheduled(workspace, **wanted)
    return [(slot.spelled[5:16], slot.state, slot.is_late) for slot in found if slot.state != "seen"]


def command(workspace, *words, moment=None, zone="", seconds=0.0):
    """Return the words and environment of a scheduler as a process of its own, by a clock that was set."""
    said = [sys.executable, str(ROOT / "tests" / "faults" / "quick_schedule.py"), "schedule", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "QUICK_SECONDS": str(seconds), "LANG": "en_GB.UTF-8"}
    env |= {"TZ": zone} if zone else {}
    if moment is not None:
        if shutil.which("faketime") is None:
            pytest.skip("needs faketime (apt-get install faketime)")
        # the clock runs on from there; without its monotonic twin (DONT_FAKE_MONOTONIC) every sleep would fail
        local = subprocess.run(
            ["date", "-d", f"@{moment.timestamp():.0f}", "+%Y-%m-%d %H:%M:%S"], env=env, capture_output=True, text=True
        )
        said = ["faketime", "-f", f"@{local.stdout.strip()}", *said]
    return [*said, "--home", str(workspace.root)], env


def tick(workspace, moment, zone=""):
    words, env = command(workspace, "tick", moment=moment, zone=zone)
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done


def wait_for(is_so):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, "never came"
        time.sleep(0.05)


def test_a_missed_monday_runs_once_and_is_recorded_as_late(home):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))
    assert run_due(home, clock=at(MONDAY - MINUTE)).seen == ()
    late = MONDAY + 30 * HOUR
    (seen,) = run_due(home, clock=at(late)).seen
    assert (seen.slot.due_at, seen.slot.is_late, seen.slot.state) == (MONDAY, True, "done")
    assert seen.outcome.record.slot == "2026-11-30T00:00:00Z"
    assert run_due(home, clock=at(late + MINUTE)).seen == ()
    assert (executed(), states(home)) == (1, [("11-30T00:00", "done", True)])
    (run,) = list_runs(home)
    assert list_scheduled(home, state="done")[0].run_id == run.run_id


@pytest.mark.parametrize(
    ("told", "runs", "expected"),
    [
        ({}, 1, [("skipped", True), ("skipped", True), ("done", True)]),
        ({"catch_up": "all"}, 3, [("done", True), ("done", True), ("done", True)]),
        ({"catch_up": "skip"}, 0, [("skipped", True), ("skipped", True), ("skipped", True)]),
        ({"catch_up": "all", "stale_after_days": 9}, 2, [("stale", True), ("done", True), ("done", True)]),
    ],
)
def test_a_scheduler_that_was_down_over_three_slots(home, told, runs, expected):
    add_schedule(home, "trends", "weekly", {**WEEKLY, **told}, clock=at(SUNDAY))
    back = MONDAY + 14 * DAY + HOUR
    found = run_due(home, clock=at(back))
    assert [(one.slot.state, one.slot.is_late) for one in found.seen if one.outcome is None] == [
        pair for pair in expected if pair[0] != "done"
    ]
    assert [(state, late) for _, state, late in states(home)] == expected
    assert run_due(home, clock=at(back + MINUTE)).seen == ()
    # every run has a slot of its own; the second and third change nothing
    assert [run.state for run in list_runs(home)].count("ok") == runs
    assert all(slot.note for slot in list_scheduled(home) if slot.state in {"skipped", "stale"})


def test_what_is_due_runs_side_by_side_but_never_two_times_of_one_schedule(home, monkeypatch):
    write_letter(home, "other")
    for report in ("other", "trends"):
        add_schedule(home, report, "weekly", {**WEEKLY, "catch_up": "all"}, clock=at(SUNDAY))
    groups = []

    def run_none(workspace, jobs, *, jobs_at_once, engine):
        groups.append(([f"{job.report_id} {job.slot[:10]}" for job in jobs], jobs_at_once, engine))
        return [schedule_tick.Outcome(job=job) for job in jobs]

    monkeypatch.setattr(schedule_tick, "run_many", run_none)
    run_due(home, clock=at(MONDAY + 7 * DAY), jobs_at_once=3)
    days = ("2026-11-30", "2026-12-07")
    assert groups == [([f"other {day}", f"trends {day}"], 2, "fork") for day in days]


def test_a_schedule_counts_from_when_it_was_first_seen(home):
    spec = home.specs / "trends.toml"
    written = '[schedule.weekly]\nrule = "FREQ=WEEKLY;BYDAY=MO"\nstart = "2025-01-06T08:00"\nzone = "Asia/Shanghai"\n'
    spec.write_text(spec.read_text("utf-8") + written, encoding="utf-8")
    assert run_due(home, clock=at(SUNDAY)).seen == ()
    assert len(run_due(home, clock=at(MONDAY)).seen) == 1
    # another rule under the same name: what it would have had before is not made up for
    spec.write_text(spec.read_text("utf-8").replace("BYDAY=MO", "BYDAY=SU"), encoding="utf-8")
    assert run_due(home, clock=at(MONDAY + HOUR)).seen == ()
    assert len(run_due(home, clock=at(MONDAY + 6 * DAY + HOUR)).seen) == 1


def add_due_now(workspace, report):
    """Add a schedule whose first time was just now, seen an hour before."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    told = {"rule": "FREQ=DAILY", "start": f"{now - MINUTE:%Y-%m-%dT%H:%M:%S}", "zone": "UTC"}
    add_schedule(workspace, report, "daily", told, clock=at(now - HOUR))
    return now - MINUTE


def test_two_schedulers_at_once_run_a_slot_once(home):
    due = add_due_now(home, "trends")
    words, env = command(home, "tick", "--json", seconds=1.0)
    both = [subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "ab"]
    told = [process.communicate(timeout=SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(len(json.loads(text)["seen"]) for text in told) == [0, 1]
    assert (executed(), [(slot.due_at, slot.state) for slot in list_scheduled(home)][1:]) == (1, [(due, "done")])


def test_a_scheduler_that_was_killed_is_followed_by_another_when_its_lease_runs_out(home):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))
    words, env = command(home, "tick", moment=MONDAY, seconds=600)
    first = subprocess.Popen(
        words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(executed)
    first.kill()
    first.wait()
    with contextlib.suppress(ProcessLookupError):
        # faketime starts the scheduler as a child
        os.killpg(first.pid, signal.SIGKILL)
    (held,) = list_scheduled(home, state="claimed")
    wait_for(lambda: not is_living(held.claimed_by))
    assert run_due(home, clock=at(MONDAY + 2 * MINUTE)).seen == ()
    (seen,) = run_due(home, clock=at(MONDAY + 20 * MINUTE)).seen
    assert (seen.slot.state, seen.slot.attempts, seen.slot.is_late) == ("done", 2, True)
    assert run_due(home, clock=at(MONDAY + HOUR)).seen == ()
    assert sorted(run.state for run in list_runs(home)) == ["failed", "ok"]


def test_a_report_that_went_out_before_its_scheduler_died_is_not_run_again(home, monkeypatch):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))

    def die(*given, **more):
        raise SystemExit(9)

    with monkeypatch.context() as killed:
        killed.setattr(schedule_tick, "close_scheduled", die)
        with pytest.raises(SystemExit):
            run_due(home, clock=at(MONDAY))
    # the data have moved on meanwhile: without the slot of the first run it would be made anew
    load(home, "firms", 1)
    (seen,) = run_due(home, clock=at(MONDAY + HOUR)).seen
    assert (seen.slot.state, executed(), len(list_runs(home))) == ("done", 1, 1)
    assert seen.slot.run_id == list_runs(home)[0].run_id


def test_a_report_that_takes_its_schedulers_down_is_given_up(home, monkeypatch):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))

    def die(*given, **more):
        raise SystemExit(9)

    with monkeypatch.context() as killed:
        killed.setattr(schedule_tick, "run_many", die)
        for hour in range(3):
            with pytest.raises(SystemExit):
                run_due(home, clock=at(MONDAY + hour * HOUR))
    (seen,) = run_due(home, clock=at(MONDAY + 3 * HOUR)).seen
    assert (seen.slot.state, seen.outcome.error.code, executed()) == ("failed", "QB849", 0)
    assert len(run_due(home, clock=at(MONDAY + 7 * DAY)).seen) == 1
    assert executed() == 1


def test_a_scheduler_that_lives_keeps_its_claim_whatever_the_clock_says(home):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))
    (schedule,) = read_schedules(read_spec(home, "trends"))
    slot = list_scheduled(home, rule_key=schedule.key)[0]
    held = claim_scheduled(
        home, schedule_tick.dataclasses.replace(slot, due_at=MONDAY), holder=new_holder(os.getppid()), now=MONDAY
    )
    assert is_living(held.claimed_by)
    assert run_due(home, clock=at(MONDAY + DAY)).seen == ()
    assert (executed(), states(home)) == (0, [("11-30T00:00", "claimed", False)])


def test_a_server_whose_ledger_was_busy_when_it_closed_a_slot_closes_it_later(home, monkeypatch):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))

    def busy(*given, **more):
        raise SetupError("QB206", found="ledger.sqlite", expected="nobody else writing", fix="again")

    with monkeypatch.context() as locked:
        locked.setattr(schedule_tick, "close_scheduled", busy)
        with pytest.raises(SetupError):
            run_due(home, clock=at(MONDAY))
    assert run_due(home, clock=at(MONDAY + MINUTE)).seen == ()
    (seen,) = run_due(home, clock=at(MONDAY + 6 * MINUTE)).seen
    assert (seen.slot.state, executed()) == ("done", 1)


def test_who_holds_a_claim_gives_signs_of_life(home):
    slot = claim_scheduled(home, list_slot(), holder="a", now=MONDAY)
    clock = iter(MONDAY + minute * MINUTE for minute in range(10**6))
    with beating(home, [slot], lambda: next(clock), 0.3):
        wait_for(lambda: list_scheduled(home)[0].lease_until > MONDAY + 3 * MINUTE)


def list_slot():
    from qbase.lake import ScheduledSlot

    return ScheduledSlot(report_id="trends", rule_key="weekly:1", due_at=MONDAY)


def test_a_clock_that_goes_back_an_hour_runs_nothing_twice_and_loses_nothing(home):
    add_schedule(home, "trends", "daily", DAILY, clock=at(SUNDAY - HOUR))
    tick(home, SUNDAY + MINUTE)
    tick(home, SUNDAY - HOUR + MINUTE)
    for moment in (SUNDAY + MINUTE, MONDAY, MONDAY - HOUR, MONDAY + MINUTE):
        run_due(home, clock=at(moment + MINUTE))
    assert (executed(), states(home)) == (2, [("11-29T00:00", "done", False), ("11-30T00:00", "done", False)])


def test_a_clock_that_was_a_day_ahead_runs_nothing_twice_and_loses_nothing(home):
    add_schedule(home, "trends", "daily", DAILY, clock=at(SUNDAY - HOUR))
    # Monday's was run on Sunday, when the clock said Monday; Sunday's was made up for by it
    tick(home, MONDAY + MINUTE)
    for moment in (SUNDAY, MONDAY, MONDAY + DAY):
        run_due(home, clock=at(moment + MINUTE))
    assert [state for _, state, _ in states(home)] == ["skipped", "done", "done"]
    assert executed() == 2


def test_a_clock_that_was_a_year_ahead_silences_no_schedule(home):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))
    assert len(run_due(home, clock=at(MONDAY + 364 * DAY)).seen) == 53
    found = run_due(home, clock=at(MONDAY))
    assert len(found.taken_back) == 51
    assert [one.slot.state for one in run_due(home, clock=at(MONDAY + 7 * DAY)).seen] == ["done"]


def test_a_schedule_first_seen_by_a_clock_that_was_ahead_counts_from_the_true_time(home):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY + 364 * DAY))
    assert len(run_due(home, clock=at(SUNDAY)).taken_back) == 1
    assert len(run_due(home, clock=at(MONDAY)).seen) == 1


def test_the_zone_of_the_environment_changes_nothing(home):
    add_schedule(home, "trends", "daily", DAILY, clock=at(SUNDAY - HOUR))
    tick(home, SUNDAY + MINUTE, "America/New_York")
    # there it is Monday, 8:00, six hours after it is due in Shanghai
    tick(home, SUNDAY + 6 * HOUR, "Pacific/Kiritimati")
    assert (executed(), states(home)) == (1, [("11-29T00:00", "done", False)])


def test_clocks_that_change_run_each_day_once(home):
    told = {"rule": "FREQ=DAILY", "start": "2026-10-30T01:30", "zone": "America/New_York"}
    begin = datetime.datetime(2026, 10, 31, 4, tzinfo=datetime.UTC)
    add_schedule(home, "trends", "night", told, clock=at(begin))
    for half_hour in range(1, 2 * 72):
        run_due(home, clock=at(begin + half_hour * HOUR / 2))
    # 1 November has two 1:30; 2 November is an hour later in UTC
    assert [due for due, _, _ in states(home)] == ["10-31T05:30", "11-01T05:30", "11-02T06:30"]
    assert executed() == 3


def test_a_night_without_its_hour_runs_once_by_the_clock_of_the_machine(home):
    """F23, with a machine that is in that zone: at 1:00 clocks are put forward to 2:00, and there is no 1:30."""
    told = {"rule": "FREQ=DAILY", "start": "2027-03-27T01:30", "zone": "Europe/London"}
    night = datetime.datetime(2027, 3, 28, 1, 30, tzinfo=datetime.UTC)
    add_schedule(home, "trends", "night", told, clock=at(night - DAY - HOUR))
    for minutes in (-31, -1):
        run_due(home, clock=at(night + minutes * MINUTE))
    for minutes in (1, 31):
        tick(home, night + minutes * MINUTE, "Europe/London")
    assert [due for due, _, _ in states(home)] == ["03-27T01:30", "03-28T01:30"]
    assert executed() == 2


def test_every_end_of_a_month_runs_once(home):
    """F24: of a leap year, by a clock that goes on half a day at a time, and by the machine's on 29 February."""
    told = {**RULE_WORDS["month-end"], "start": "2027-12-31T18:00", "zone": "Asia/Shanghai"}
    begin = datetime.datetime(2028, 1, 20, tzinfo=datetime.UTC)
    leap = datetime.datetime(2028, 2, 29, 10, 1, tzinfo=datetime.UTC)
    add_schedule(home, "trends", "end", told, clock=at(begin))
    for half_day in range(1, 2 * 103):
        moment = begin + half_day * DAY / 2
        if moment - DAY / 2 < leap <= moment:
            tick(home, leap)
        run_due(home, clock=at(moment))
    assert [due for due, _, _ in states(home)] == ["01-31T10:00", "02-29T10:00", "03-31T10:00", "04-30T10:00"]
    assert executed() == 4


def load(workspace, table, number):
    delivery = Delivery(sha256=f"{number:064d}", file_name=table, table=table, verdict="OK")
    workspace.commit(delivery, {table: pa.table({"v": [number]})})


def test_new_rows_of_a_declared_table_run_a_report_once_a_snapshot(home):
    load(home, "firms", 1)
    now = datetime.datetime.now(datetime.UTC)
    add_schedule(home, "trends", "rows", {"on_new": ["firms"]}, clock=at(now))

    def look():
        return [one.slot.rule_key.partition("@")[2] for one in run_due(home).seen]

    assert look() == []
    load(home, "orders", 2)
    assert look() == []
    load(home, "firms", 3)
    assert [look(), look()] == [["S0003"], []]
    # several deliveries between two looks are one run
    load(home, "firms", 4)
    load(home, "firms", 5)
    load(home, "orders", 6)
    assert [look(), look()] == [["S0005"], []]
    assert executed() == 2


def test_a_table_that_comes_later_is_waited_for(home):
    add_schedule(home, "trends", "rows", {"on_new": ["firms"]})
    assert run_due(home).seen == ()
    load(home, "firms", 1)
    assert len(run_due(home).seen) == 1
    assert run_due(home).seen == ()


def test_one_specification_that_does_not_hold_stops_no_other(home):
    write_letter(home, "other")
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))
    add_schedule(home, "other", "weekly", WEEKLY, clock=at(SUNDAY))
    spec = home.specs / "other.toml"
    spec.write_text(spec.read_text("utf-8").replace("Asia/Shanghai", "Asia/Shanhai"), encoding="utf-8")
    found = run_due(home, clock=at(MONDAY))
    assert [problem.code for problem in found.problems] == ["QB847"]
    assert [one.slot.report_id for one in found.seen] == ["trends"]
    spec.write_text("notebook = ", encoding="utf-8")
    found = run_due(home, clock=at(MONDAY + 7 * DAY))
    assert ([problem.code for problem in found.problems], len(found.seen)) == (["QB802"], 1)


def test_a_year_that_the_office_calendar_lacks_is_told_and_made_up_for_later(home, monkeypatch):
    from chinese_calendar import constants

    from qbase.reports.scheduling.office_calendar import newest_year

    year = newest_year() + 1
    eve = datetime.datetime(year - 1, 12, 30, tzinfo=datetime.UTC)
    told = {**DAILY, "start": f"{year - 1}-01-01T08:00", "calendar": "china", "day_off": "skip"}
    add_schedule(home, "trends", "working", told, clock=at(eve))
    found = run_due(home, clock=at(eve + 5 * DAY))
    assert [problem.code for problem in found.problems] == ["QB848"]
    assert {one.slot.due_at.year for one in found.seen} == {year - 1}
    # the library is upgraded
    for day in range(1, 4):
        monkeypatch.setitem(constants.holidays, datetime.date(year, 1, day), "New Year")
    monkeypatch.setitem(constants.holidays, datetime.date(year, 10, 1), "National Day")
    monkeypatch.setitem(constants.workdays, datetime.date(year, 1, 4), "make-up")
    found = run_due(home, clock=at(datetime.datetime(year, 1, 5, tzinfo=datetime.UTC) - HOUR))
    assert [(one.slot.spelled, one.slot.is_late) for one in found.seen] == [(f"{year}-01-04T00:00:00Z", True)]


def test_a_claim_whose_schedule_has_gone_is_closed(home, monkeypatch):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))

    def die(*given, **more):
        raise SystemExit(9)

    with monkeypatch.context() as killed:
        killed.setattr(schedule_tick, "run_many", die)
        with pytest.raises(SystemExit):
            run_due(home, clock=at(MONDAY))
    remove_schedule(home, "trends", "weekly")
    (seen,) = run_due(home, clock=at(MONDAY + HOUR)).seen
    assert (seen.slot.state, seen.slot.note, executed()) == ("failed", "its schedule has gone", 0)


def test_a_server_that_is_told_to_stop_finishes_its_run_and_begins_no_other(home):
    write_letter(home, "other")
    for report in ("other", "trends"):
        add_due_now(home, report)
    words, env = command(home, "serve", seconds=3.0)
    server = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(executed)
    server.send_signal(signal.SIGTERM)
    out, err = server.communicate(timeout=SECONDS)
    assert (server.returncode, "stopped" in err) == (0, True), err
    assert [state for _, state, _ in states(home)] == ["done"]
    assert "other" in out
    assert "trends" not in out
    (seen,) = run_due(home).seen
    assert (seen.slot.report_id, seen.slot.state) == ("trends", "done")


def test_a_server_looks_again_until_it_is_stopped(home):
    add_schedule(home, "trends", "weekly", WEEKLY, clock=at(SUNDAY))
    moments = iter([SUNDAY, SUNDAY + HOUR, *[MONDAY] * 1000])
    ticks = []
    looks = run_schedules(
        home,
        is_stopped=lambda: len(ticks) == 3,
        every_seconds=0.01,
        clock=lambda: next(moments),
        on_tick=ticks.append,
    )
    assert looks == 3
    assert sum(len(found.seen) for found in ticks) == executed() == 1
