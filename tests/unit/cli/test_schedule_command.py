"""``qbase schedule``: what each action prints, writes and returns."""

from __future__ import annotations

import datetime
import json
import tomllib

import pytest

from qbase.cli.main import run
from qbase.lake import Workspace, list_scheduled
from qbase.reports.ticking import slot_holder
from tests.unit.cli.test_every_verb import write_letter

ADD = ["schedule", "add", "trends", "--at", "08:00", "--zone", "Asia/Shanghai"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "QBASE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    workspace = Workspace.create(tmp_path / "home")
    monkeypatch.chdir(workspace.root)
    write_letter(workspace, "trends", "1")
    return workspace


def told_json(capsys, *words):
    code = run([*words, "--json", "--quiet"])
    told = capsys.readouterr()
    return code, json.loads(told.out)


def written(workspace):
    return tomllib.loads((workspace.specs / "trends.toml").read_text("utf-8"))["schedule"]


def test_a_schedule_is_added_listed_and_removed(home, capsys):
    before = (home.specs / "trends.toml").read_text("utf-8")
    assert run(["schedule"]) == 0
    assert "qbase schedule add" in capsys.readouterr().err
    assert run([*ADD, "--rule", "quarter-end", "-p", "year=2020", "--except", "2026-12-31"]) == 0
    assert "trends  [schedule.quarter-end]" in capsys.readouterr().out
    one = written(home)["quarter-end"]
    assert one["rule"] == "FREQ=MONTHLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1"
    assert one["start"].endswith("T08:00")
    assert (one["params"], one["except"], one["lang"]) == ({"year": 2020}, ["2026-12-31"], "en")
    # it counts from now on
    assert [slot.state for slot in list_scheduled(home)] == ["seen"]
    code, listed = told_json(capsys, "schedule", "list")
    assert (code, [entry["name"] for entry in listed["schedules"]]) == (0, ["quarter-end"])
    assert len(listed["schedules"][0]["next"]) == 1
    assert run([*ADD, "--rule", "quarter-end"]) == 2
    assert "QB862" in capsys.readouterr().err
    assert run(["schedule", "remove", "trends"]) == 0
    assert (home.specs / "trends.toml").read_text("utf-8").rstrip() == before.rstrip()
    assert run(["schedule", "remove", "trends", "--name", "weekly"]) == 2
    assert "QB861" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["schedule", "add", "trends"], "QB938"),
        (["schedule", "add"], "QB938"),
        (["schedule", "remove"], "QB938"),
        ([*ADD[:-2], "--rule", "monday"], "QB847"),
        ([*ADD, "--rule", "FREQ=MONTHLY;BYMONTHDAY=31"], "QB846"),
        ([*ADD, "--rule", "fortnightly"], "QB845"),
        ([*ADD, "--rule", "monday", "-p", "year=1900"], "QB806"),
        ([*ADD, "--rule", "monday", "-p", "yaer=2020"], "QB803"),
        ([*ADD, "--on-new", "inspections"], "QB845"),
        ([*ADD[:2], "trens", *ADD[3:], "--rule", "monday"], "QB801"),
    ],
)
def test_what_does_not_hold_is_refused_and_nothing_is_written(home, capsys, words, code):
    before = (home.specs / "trends.toml").read_text("utf-8")
    assert run(words) == 2
    told = capsys.readouterr()
    assert f"error[{code}]" in told.err
    assert told.out == ""
    assert (home.specs / "trends.toml").read_text("utf-8") == before
    assert list_scheduled(home) == []


def test_the_last_working_day_is_the_calendars_and_its_end_is_said(home, capsys):
    assert run([*ADD, "--rule", "last-working-day"]) == 0
    assert (written(home)["last-working-day"]["calendar"], written(home)["last-working-day"]["day_off"]) == (
        "china",
        "previous",
    )
    capsys.readouterr()
    assert run(["schedule", "next", "--count", "400"]) == 0
    told = capsys.readouterr()
    assert "error[QB848]" in told.err
    assert run(["schedule", "list"]) == 0
    told = capsys.readouterr()
    assert "The office calendar of China is known to the end of" in told.err
    assert "FREQ=MONTHLY;BYMONTHDAY=-1 (china: previous)" in told.out
    assert run([*ADD, "--rule", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "--name", "guess"]) == 0
    assert "make-up days" in capsys.readouterr().err


def test_next_lists_local_times(home, capsys):
    start = ["--start", "2030-01-07T08:00", "--zone", "America/New_York"]
    assert run(["schedule", "add", "trends", "--rule", "monday", *start]) == 0
    capsys.readouterr()
    assert run(["schedule", "next", "trends", "--count", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2030-01-07 08:00  America/New_York  trends  monday",
        "2030-01-14 08:00  America/New_York  trends  monday",
    ]
    _, found = told_json(capsys, "schedule", "next", "trends", "--count", "1")
    assert found["schedules"][0]["next"] == ["2030-01-07T13:00:00Z"]


def test_tick_runs_what_is_due_and_its_exit_code_says_how_it_went(home, capsys, monkeypatch):
    assert run(["schedule", "tick"]) == 0
    assert "nothing is due" in capsys.readouterr().err
    write_letter(home, "gone", "1")
    assert run([*ADD[:2], "gone", *ADD[3:], "--rule", "daily"]) == 0
    (home.notebooks / "gone.ipynb").unlink()
    capsys.readouterr()
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    monkeypatch.setattr("qbase.reports.ticking.schedule_tick.run_due.__kwdefaults__", _with_clock(tomorrow))
    code, found = told_json(capsys, "schedule", "tick")
    assert code == 1
    (one,) = found["seen"]
    assert (one["report_id"], one["schedule"], one["state"], one["note"][:5]) == ("gone", "daily", "failed", "QB809")
    (home.specs / "gone.toml").write_text("notebook =", encoding="utf-8")
    code, found = told_json(capsys, "schedule", "tick")
    assert (code, [problem["code"] for problem in found["problems"]]) == (2, ["QB802"])


def _with_clock(moment):
    from qbase.reports.ticking.schedule_tick import run_due

    assert run_due.__kwdefaults__["clock"] is slot_holder.read_clock
    return {**run_due.__kwdefaults__, "clock": lambda: moment}


def test_install_prints_or_writes_and_never_enables(home, capsys, tmp_path):
    assert run(["schedule", "install"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("# qbase-schedule.service\n[Unit]\n")
    assert "Persistent=true" in told.out
    assert str(home.root) in told.out
    assert "Nothing was enabled" in told.err
    assert run(["schedule", "install", "--kind", "crontab"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("*/5 * * * * ")
    assert f"schedule tick --home {home.root} --quiet" in line
    units = tmp_path / "units"
    assert run(["schedule", "install", "--output", str(units)]) == 0
    assert sorted(path.name for path in units.iterdir()) == ["qbase-schedule.service", "qbase-schedule.timer"]
    assert run(["schedule", "install", "--output", str(units)]) == 0
    (units / "qbase-schedule.timer").write_text("mine", encoding="utf-8")
    capsys.readouterr()
    assert run(["schedule", "install", "--output", str(units)]) == 2
    assert "QB940" in capsys.readouterr().err
    assert (units / "qbase-schedule.timer").read_text("utf-8") == "mine"


def test_a_path_with_a_line_break_is_refused(tmp_path, capsys):
    odd = Workspace.create(tmp_path / "a\nb")
    assert run(["schedule", "install", "--home", str(odd.root)]) == 2
    assert "QB939" in capsys.readouterr().err
