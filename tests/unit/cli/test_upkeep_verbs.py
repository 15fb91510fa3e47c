"""``qbase verify --all`` and ``qbase doctor --deep``: what they print and how they end."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sqlite3

import pytest

from qbase.cli.help import deep_checks
from qbase.cli.main import run
from qbase.reports import run_report
from tests.faults.fault_letters import House
from tests.faults.test_runs import Instead

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def house(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> House:
    Instead(monkeypatch)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    made = House(tmp_path / "home")
    for name in ("a", "b"):
        run_report(made.workspace, made.letter(name))
    return made


def call(house: House, *words: str) -> int:
    return run([*words, "--home", str(house.workspace.root)])


def test_ledger_and_files_agree_or_are_told_one_per_line(house: House, capsys: Captured) -> None:
    assert call(house, "verify", "--all") == 0
    assert capsys.readouterr().out.strip() == "2 pages, 2 runs, 2 run folders: ledger and files agree"
    (house.workspace.site / "a.html").unlink()
    (house.workspace.site / "b.html").write_text("x", encoding="utf-8")
    assert call(house, "verify", "--all") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in lines[:-1]] == [
        ["changed", "reports/site/b.html"],
        ["missing", "reports/site/a.html"],
        ["extra", "reports/site/a.json"],
    ]
    assert lines[-1].endswith("3 disagree")
    assert call(house, "verify", "--all", "--json", "--lang", "zh") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["passed"], [one["kind"] for one in told["found"]]) == (False, ["changed", "missing", "extra"])


@pytest.mark.parametrize("words", [["verify"], ["verify", "--all", "a"]], ids=" ".join)
def test_verify_takes_reports_or_all(house: House, capsys: Captured, words: list[str]) -> None:
    assert call(house, *words) == 2
    assert "QB947" in capsys.readouterr().err


def test_the_doctor_looks_deeper_when_asked(house: House, capsys: Captured) -> None:
    assert call(house, "doctor", "--deep", "--json") == 0
    checks = {one["name"]["en"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    deep = ["ledger pages", "disk", "runs without a runner", "processes without a runner", "locks held by nobody"]
    deep += ["run folders without a row", "unfinished files", "old folders of forks"]
    deep += ["trial run, kernel", "trial run, fork"]
    assert list(checks)[-len(deep) :] == deep
    assert "a page published in" in checks["trial run, kernel"]["text"]["en"]
    assert call(house, "doctor", "--json") == 0
    assert "ledger pages" not in capsys.readouterr().out


def test_the_doctor_refuses_a_damaged_ledger_with_its_reason(
    house: House, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deep_checks, "ENGINES", ())
    with contextlib.closing(sqlite3.connect(house.workspace.ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(house.workspace.ledger.read_bytes())
    data[2 * 4096 : 5 * 4096] = b"\xff" * (3 * 4096)
    house.workspace.ledger.unlink()
    house.workspace.ledger.write_bytes(data)
    assert call(house, "doctor", "--deep") == 4
    told = capsys.readouterr().out
    (line,) = (line for line in told.splitlines() if " ledger pages " in line)
    assert line.startswith("[!]")
    assert "QB204" in line
    assert "runs without a runner" not in told


def test_a_disk_with_no_room_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deep_checks.look_at_disk(house.workspace.root).state == "good"
    monkeypatch.setattr(deep_checks, "LEAST_FILES", 10**15)
    finding = deep_checks.look_at_disk(house.workspace.root)
    assert finding.state == "bad" or "inodes" not in finding.text.en
    monkeypatch.setattr(deep_checks, "LEAST_GB", 10**9)
    assert deep_checks.look_at_disk(house.workspace.root).state == "bad"


def test_a_trial_that_fails_or_takes_a_kernel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from qbase.reports.upkeep import trial_run

    for error, instead, state in (("QB820: no kernel", "", "bad"), ("", "no fork server", "free")):
        trial = trial_run.Trial(engine="fork", seconds=1.0, error=error, instead=instead)
        monkeypatch.setattr(trial_run, "run_trial", lambda engine, trial=trial: trial)
        finding = deep_checks.look_at_engine("fork")
        assert finding.state == state
        assert (error or instead) in finding.text.en
    assert deep_checks.look_at_engine("fork").fix == ""
