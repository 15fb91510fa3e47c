"""The log of a run for programs: every step with its time, and nothing of what the cells showed."""

from __future__ import annotations

import datetime
import json
import pathlib

import pytest

from qbase.core.errors import RunError
from qbase.lake import Workspace, list_runs
from qbase.reports import run_report
from qbase.reports.recording.run_log import RunLog
from tests.faults.fault_letters import House
from tests.faults.test_runs import Instead

PRIVATE = "甲厂不合格"


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    return House(tmp_path / "home")


def lines(workspace: Workspace, name: str) -> list[dict[str, object]]:
    record = list_runs(workspace, name, limit=1)[0]
    text = (workspace.runs / name / record.run_id / "log.jsonl").read_text(encoding="utf-8")
    assert PRIVATE not in text
    return [json.loads(line) for line in text.splitlines()]


def test_every_step_of_a_run_is_a_line_with_its_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    Instead(monkeypatch)
    house.letter("plain", f"'{PRIVATE}'")
    run_report(house.workspace, "plain")
    told = lines(house.workspace, "plain")
    steps = " ".join(f"{line['step']}-{line['event']}" for line in told)
    assert steps == "run-begun render-begun verify-begun publish-begun publish-done run-ok"
    seconds = [line["seconds"] for line in told]
    assert seconds == sorted(seconds)  # type: ignore[type-var]
    assert all(datetime.datetime.fromisoformat(str(line["time"])).utcoffset() is not None for line in told)
    assert told[0]["engine"] == "kernel"
    assert told[-1]["page_bytes"] == (house.workspace.site / "plain.html").stat().st_size
    run_report(house.workspace, "plain")
    assert [line["event"] for line in lines(house.workspace, "plain")] == ["begun", "unchanged"]


def test_a_failure_is_its_code_and_not_its_words(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    instead = Instead(monkeypatch)
    house.letter("plain")
    instead.raises = RunError("QB815", report="plain", found=PRIVATE, expected=PRIVATE, fix=PRIVATE)
    with pytest.raises(RunError):
        run_report(house.workspace, "plain")
    assert lines(house.workspace, "plain")[-1]["event"] == "failed"
    assert str(lines(house.workspace, "plain")[-1]["code"]).startswith("QB8")
    instead.raises = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run_report(house.workspace, "plain")
    assert lines(house.workspace, "plain")[-1]["code"] == "QB818"


def test_cells_are_counted_as_they_begin(tmp_path: pathlib.Path) -> None:
    heard: list[tuple[str, int, int]] = []
    follow = RunLog(tmp_path).following(lambda *told: heard.append(told))
    for done in (1, 2):
        follow("cells", done, 2)
    assert heard == [("cells", 1, 2), ("cells", 2, 2)]
    told = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["event"], line["done"], line["total"]) for line in told] == [("begun", 1, 2), ("begun", 2, 2)]


def test_a_log_that_cannot_be_written_ends_no_run(tmp_path: pathlib.Path) -> None:
    log = RunLog(tmp_path / "gone")
    log.tell("run", "begun")
    assert not log.path.exists()
