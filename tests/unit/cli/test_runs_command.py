"""``qbase runs`` and ``qbase prune``: filters, one run as a whole, what was interrupted, folders nobody needs."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest

from qbase.cli.main import run
from qbase.core import RunRecord
from qbase.lake import Workspace, add_run, list_runs, queue_runs

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("LC_ALL", "LC_MESSAGES", "QBASE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    workspace = Workspace.create(tmp_path / "home")
    monkeypatch.chdir(workspace.root)
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "execution_count": None, "outputs": []}
        for source, tags in (("year: int = 2024  # 年份 | Year | 2016..2025", ["parameters"]), ("year", []))
    ]
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (workspace.notebooks / "trends.ipynb").write_text(json.dumps(document), encoding="utf-8")
    spec = 'notebook = "notebooks/trends.ipynb"\ntitle_zh = "质量走势"\ntitle_en = "Quality trends"\n'
    (workspace.specs / "trends.toml").write_text(spec, encoding="utf-8")
    return workspace


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stand-in "execute" letters in no time."""
    from qbase.reports.executing import papermill_engine as engine

    def execute(job: Any) -> None:
        job.executed, job.started = job.notebook, True
        for number, cell in enumerate(job.executed.cells, 1):
            cell.execution_count = number
        results = {"sentinel": job.environment["QBASE_RUN_ID"], "snapshot": "", "sources": [], "results": []}
        results |= {"schema": 1, "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
        (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")

    monkeypatch.setattr(engine, "execute", execute)


def told(capsys: Captured, *words: str) -> str:
    assert run([*words]) == 0
    return capsys.readouterr().out


def test_one_run_is_shown_with_its_history(home: Workspace, quick: None, capsys: Captured) -> None:
    told(capsys, "run", "trends", "-p", "year=2023")
    (record,) = list_runs(home)
    (home.root / record.outputs[-1]).unlink()
    shown = told(capsys, "runs", "show", record.run_id)
    assert f"Run          {record.run_id}" in shown
    assert record.fingerprint in shown
    assert "pandas" in shown
    assert ["year", "2023"] in [line.split() for line in shown.splitlines()]
    at = [line.split()[1] for line in shown.splitlines() if line.startswith("20") and line.split()[-1] == "–"]
    assert at == ["leased", "running", "verifying", "ok"]
    assert f"Output  {record.outputs[0]}" in shown
    assert f"Output  {record.outputs[-1]} (gone)" in shown
    document = json.loads(told(capsys, "runs", "show", record.run_id, "--json"))
    assert document["run"] == record.payload()
    assert [step["state"] for step in document["steps"]] == ["leased", "running", "verifying", "ok"]
    assert "已领取" in told(capsys, "runs", "show", record.run_id, "--lang", "zh")


def test_runs_are_filtered_by_state_and_a_failed_one_tells_why(home: Workspace, quick: None, capsys: Captured) -> None:
    told(capsys, "run", "trends")
    spec = home.specs / "trends.toml"
    spec.write_text(spec.read_text(encoding="utf-8") + 'tables = ["inspections"]\n', encoding="utf-8")
    assert run(["run", "trends"]) == 3
    capsys.readouterr()
    failed, good = list_runs(home)
    for state, record in (("failed", failed), ("ok", good)):
        document = json.loads(told(capsys, "runs", "trends", "--state", state, "--json"))
        assert [entry["run_id"] for entry in document["runs"]] == [record.run_id]
    shown = told(capsys, "runs", "show", failed.run_id)
    assert "error[QB810]" in shown
    assert "QB810" in shown.partition("REASON")[2].splitlines()[2]


@pytest.mark.parametrize(("words", "code"), [(["runs", "show"], "QB932"), (["runs", "show", "R9"], "QB210")])
def test_what_cannot_be_shown_is_told(home: Workspace, capsys: Captured, words: list[str], code: str) -> None:
    assert run(words) == 2
    assert f"error[{code}]" in capsys.readouterr().err


def test_what_waits_in_the_queue_is_run(home: Workspace, quick: None, capsys: Captured) -> None:
    assert run(["runs", "resume"]) == 0
    assert "nothing was interrupted or waits" in capsys.readouterr().err
    told(capsys, "run", "trends")
    (done,) = list_runs(home)
    values = done.payload() | {"run_id": "R1", "slot": "2026-01-31", "state": "queued", "outputs": ()}
    queue_runs(home, [RunRecord(**values)])
    assert json.loads(told(capsys, "runs", "--state", "queued", "--json"))["runs"][0]["run_id"] == "R1"
    assert "(ok, " in told(capsys, "runs", "resume")
    assert {run.run_id: run.state for run in list_runs(home)} == {done.run_id: "ok", "R1": "ok"}


def test_prune_keeps_the_last_the_published_and_the_unfinished(home: Workspace, capsys: Captured) -> None:
    known = dict.fromkeys(("notebook", "slot", "fingerprint", "commit", "snapshot"), "")
    for day in range(1, 5):
        for year, state in ((2023, "ok"), (2024, "ok"), (2023, "failed"), (2023, "running")):
            name = f"{state}-{year}-{day}"
            record = RunRecord(
                run_id=name, report_id="trends", params={"year": year, "lang": "zh" if day % 2 else "en"}, versions={},
                state=state, started_at=f"2026-01-0{day}", **known,
            )  # fmt: skip
            add_run(home, record)
            (home.runs / "trends" / name).mkdir(parents=True)
            (home.runs / "trends" / name / "run.json").write_text("x" * 3000)
    for name in ("new", "old"):
        (home.runs / "trends" / name).mkdir()
        (home.site / f".{name}.part").write_text("x")
    for path in (home.runs / "trends" / "old", home.site / ".old.part"):
        os.utime(path, (1.0, 1.0))
    # the page shows an old run: a younger one failed after it
    (home.site / "trends.html").write_text("")
    (home.site / "trends.json").write_text(json.dumps({"schema": 1, "run_id": "ok-2024-1"}))
    before = sorted(home.root.rglob("*"))
    gone = {f"ok-2023-{d}" for d in (1, 2)} | {"ok-2024-2"} | {f"failed-2023-{d}" for d in (1, 2)} | {"old"}

    document = json.loads(told(capsys, "prune", "--keep", "2", "--dry-run", "--json"))
    assert sorted(home.root.rglob("*")) == before
    shown = {entry["path"]: entry["reason"] for entry in document["removed"]}
    assert shown.pop("reports/site/.old.part") == "staged"
    assert shown.pop("reports/runs/trends/old") == "no run"
    assert shown == {f"reports/runs/trends/{name}": "older" for name in gone - {"old"}}

    assert run(["prune", "--keep", "2"]) == 0
    said = capsys.readouterr()
    assert "reports/runs/trends/ok-2023-1" in said.out
    assert said.err == "7 removed, 0.0 MB\n"
    left = {path.name for path in (home.runs / "trends").iterdir()}
    kept = {f"ok-2023-{d}" for d in (3, 4)} | {f"ok-2024-{d}" for d in (1, 3, 4)} | {f"failed-2023-{d}" for d in (3, 4)}
    assert left == kept | {f"running-2023-{d}" for d in range(1, 5)} | {"new"}
    assert (home.site / ".new.part").exists()
    # the history stays
    assert len(list_runs(home, limit=100)) == 16
    assert run(["prune", "--keep", "2"]) == 0
    assert capsys.readouterr().err == "0 removed, 0.0 MB\n"
    assert run(["prune", "--keep", "0"]) == 2
