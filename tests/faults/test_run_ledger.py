"""The ledger of runs under faults: a runner killed at every step, two runners for one slot, one that fell asleep."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import pytest

from qbase.core.errors import RunError
from qbase.lake import (
    RUN_FAULT_POINTS,
    Workspace,
    claim_slot,
    find_slot,
    list_runs,
    read_run,
    read_steps,
    renew_claim,
    slot_key,
)
from qbase.lake.storage.fault_points import EXIT
from qbase.reports import close_dead_runs, run_report

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PARAMETERS = "year: int = 2024  # 年份 | Year | 2016..2025"
SPEC = 'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'
# a letter whose cells take no time: what is tried here is what happens around them
RUNNER = """
import json, os, pathlib, sys, time
from qbase.core.errors import QbaseError
from qbase.lake import open_workspace
from qbase.reports import run_report
from qbase.reports.executing import papermill_engine as engine
def execute(job):
    job.executed, job.started = job.notebook, True
    for number, cell in enumerate([c for c in job.executed.cells if c.cell_type == "code"], 1):
        cell.execution_count = number
    results = {"schema": 1, "sentinel": job.environment["QBASE_RUN_ID"], "snapshot": "", "sources": []}
    results |= {"results": [], "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
    (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    waiting = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    while waiting is not None and not waiting.exists():
        time.sleep(0.02)
engine.execute = execute
try:
    print(run_report(open_workspace(sys.argv[1]), "plain").state)
except QbaseError as error:
    print(error.code)
"""
OLD = b'{"old": "\xe6\x97\xa7"}'


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    made = Workspace.create(tmp_path / "home")
    cells = [
        {"cell_type": "markdown", "metadata": {"tags": ["zh"]}, "source": "# 试验"},
        {"cell_type": "markdown", "metadata": {"tags": ["en"]}, "source": "# Trial"},
    ]
    for source, tags in ((PARAMETERS, ["parameters"]), ("from qbase.core import record\nyear\nrecord()", [])):
        plain = {"cell_type": "code", "metadata": {"tags": tags}, "source": source}
        cells.append(plain | {"execution_count": None, "outputs": []})
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (made.notebooks / "plain.ipynb").write_text(json.dumps(document), encoding="utf-8")
    (made.specs / "plain.toml").write_text(SPEC.format(name="plain"), encoding="utf-8")
    for end in ("html", "json"):
        (made.site / f"plain.{end}").write_bytes(OLD)
    return made


def start(workspace: Workspace, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(workspace.root), *words],
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def told(runner: subprocess.Popen[str]) -> str:
    return runner.communicate(timeout=120)[0].strip()


def page(workspace: Workspace) -> tuple[bytes, dict[str, Any]]:
    html = (workspace.site / "plain.html").read_bytes()
    return html, json.loads((workspace.site / "plain.json").read_bytes())


STATE_AT = {"run_folder_held": None, "leased_begun": None, "leased_written": None}
"""What the row says when the runner has died there: what was not committed never was."""
STATE_AT |= dict.fromkeys(("leased_committed", "running_begun", "running_written"), "leased")
STATE_AT |= dict.fromkeys(("running_committed", "verifying_begun", "verifying_written"), "running")
STATE_AT |= dict.fromkeys(("verifying_committed", "page_staged", "publish_begun"), "verifying")
STATE_AT |= dict.fromkeys(("one_file_replaced", "files_replaced", "publish_written"), "verifying")
STATE_AT |= dict.fromkeys(("publish_committed", "run_told"), "ok")
OUT = ("one_file_replaced", "files_replaced", "publish_written", "publish_committed", "run_told")
"""From here on the new page is out, and a run that is asked for again has nothing to do."""


@pytest.mark.parametrize("point", RUN_FAULT_POINTS)
def test_a_runner_killed_at_any_step_leaves_what_the_next_one_can_go_on_from(workspace: Workspace, point: str) -> None:
    killed = start(workspace, QBASE_FAULT=point)
    assert told(killed) == ""
    assert killed.returncode == EXIT
    before = list_runs(workspace, "plain")
    assert [run.state for run in before] == [state for state in [STATE_AT[point]] if state]
    old = (workspace.site / "plain.html").read_bytes()
    assert (old == OLD) == (point not in OUT)

    closed = close_dead_runs(workspace)
    # state and reason are told, and the page is the old one byte for byte, or the whole new one
    if STATE_AT[point] in (None, "ok"):
        assert closed == []
    elif point in OUT:
        assert [run.state for run in closed] == ["ok"]
    else:
        assert [(run.state, (run.error or {})["code"]) for run in closed] == [("failed", "QB818")]
        assert read_steps(workspace, closed[0].run_id)[-1].reason == f"QB818 no runner · {STATE_AT[point]}"
    html, meta = page(workspace)
    assert html == old
    if point in OUT:
        assert meta["html_sha256"] == hashlib.sha256(html).hexdigest()
        assert meta["run_id"] == list_runs(workspace, "plain")[0].run_id
    else:
        assert (workspace.site / "plain.json").read_bytes() == OLD

    again = start(workspace)
    assert told(again) == ("unchanged" if point in OUT else "ok")
    runs = list_runs(workspace, "plain")
    assert [run.state for run in runs].count("ok") == 1
    (published,) = [run for run in runs if run.state == "ok"]
    assert page(workspace)[1]["run_id"] == published.run_id
    slot = find_slot(workspace, slot_key("plain", published.params, published.slot))
    assert slot is not None
    assert (slot.run_id, slot.published) == ("", published.run_id)
    steps = [step.state for step in read_steps(workspace, published.run_id)]
    assert steps == ["leased", "running", "verifying", "ok"]


def test_a_runner_killed_leaves_no_file_that_a_prune_does_not_find(workspace: Workspace) -> None:
    assert told(start(workspace, QBASE_FAULT="page_staged")) == ""
    assert [path.suffix for path in workspace.site.iterdir() if path.name.startswith(".")] == [".part", ".part"]


def test_of_two_runners_of_one_slot_one_publishes(workspace: Workspace, tmp_path: pathlib.Path) -> None:
    go = tmp_path / "go"
    runners = [start(workspace, str(go)) for _ in range(2)]
    deadline = time.monotonic() + 60
    while all(runner.poll() is None for runner in runners):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # one was refused while the other goes on
    (refused,) = [runner for runner in runners if runner.poll() is not None]
    assert told(refused) == "QB835"
    assert [run.state for run in list_runs(workspace)] == ["running"]
    go.touch()
    assert sorted(map(told, [r for r in runners if r is not refused])) == ["ok"]
    assert [run.state for run in list_runs(workspace)] == ["ok"]
    assert len(list((workspace.runs / "plain").iterdir())) == 1


def test_a_runner_whose_slot_was_taken_over_publishes_nothing(workspace: Workspace, tmp_path: pathlib.Path) -> None:
    import sqlite3

    go = tmp_path / "go"
    asleep = start(workspace, str(go))
    deadline = time.monotonic() + 60
    while [run.state for run in list_runs(workspace)] != ["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (first,) = list_runs(workspace)
    # as if it had been asleep on another machine: its lease has run out
    with sqlite3.connect(workspace.ledger, timeout=60) as ledger:
        ledger.execute("UPDATE slots SET lease_until = 1.0, host = 'elsewhere/0'")
    ledger.close()
    second = start(workspace)
    assert told(second) == "ok"
    html, meta = page(workspace)
    go.touch()
    assert told(asleep) == "QB836"
    assert page(workspace) == (html, meta)
    states = {run.run_id: (run.state, (run.error or {}).get("code")) for run in list_runs(workspace)}
    assert states[meta["run_id"]] == ("ok", None)
    assert states[first.run_id][0] == "failed"
    assert len(states) == 2


def test_a_lease_that_was_never_given_counts_as_over(workspace: Workspace) -> None:
    import sqlite3

    claim = claim_slot(workspace, "a1", run_id="R1")
    assert claim is not None
    assert claim_slot(workspace, "a1", run_id="R2") is None
    with sqlite3.connect(workspace.ledger) as ledger:
        ledger.execute("UPDATE slots SET lease_until = NULL")
    ledger.close()
    taken = claim_slot(workspace, "a1", run_id="R2")
    assert taken is not None
    assert taken.token == claim.token + 1
    assert not renew_claim(workspace, claim)
    assert renew_claim(workspace, taken)


def test_a_lease_of_a_clock_that_was_set_back_since_counts_as_over(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qbase.lake import run_claims

    claim = claim_slot(workspace, "a1", run_id="R1")
    now = time.time()
    monkeypatch.setattr(run_claims, "lease_clock", lambda: now - 3600)
    taken = claim_slot(workspace, "a1", run_id="R2")
    assert claim is not None
    assert taken is not None
    assert not renew_claim(workspace, claim)


def test_a_runner_of_another_machine_is_dead_when_its_lease_is_over_and_not_before(workspace: Workspace) -> None:
    import sqlite3

    assert told(start(workspace, QBASE_FAULT="running_committed")) == ""
    with sqlite3.connect(workspace.ledger) as ledger:
        ledger.execute("UPDATE slots SET host = 'elsewhere/0'")
    # its lock file says nothing here, and its lease still runs
    assert close_dead_runs(workspace) == []
    with pytest.raises(RunError, match="QB835"):
        run_report(workspace, "plain")
    assert [run.state for run in list_runs(workspace)] == ["running"]
    assert len(list((workspace.runs / "plain").iterdir())) == 1
    with ledger:
        ledger.execute("UPDATE slots SET lease_until = NULL")
    ledger.close()
    assert [run.state for run in close_dead_runs(workspace)] == ["failed"]
    assert told(start(workspace)) == "ok"


def test_a_beating_heart_keeps_the_slot(workspace: Workspace) -> None:
    from qbase.reports.running.heartbeat import Heartbeat

    claim = claim_slot(workspace, "a1", run_id="R1", lease_seconds=0.3)
    assert claim is not None
    with Heartbeat(workspace, claim):
        time.sleep(1)
        assert claim_slot(workspace, "a1", run_id="R2") is None
    time.sleep(0.4)
    assert claim_slot(workspace, "a1", run_id="R2") is not None


def test_a_queued_run_is_taken_up_under_its_own_id(workspace: Workspace) -> None:
    from qbase.lake import queue_runs

    assert told(start(workspace)) == "ok"
    (done,) = list_runs(workspace)
    waiting = dataclasses.replace(done, run_id="R-waits", state="queued", slot="2026-01-31", outputs=())
    twice = dataclasses.replace(waiting, run_id="R-again", slot="20260131")
    assert queue_runs(workspace, [waiting, twice]) == ["R-waits", "R-waits"]
    assert close_dead_runs(workspace) == []
    code = RUNNER.replace('"plain").state', '"plain", slot="2026-01-31", force=True).state')
    subprocess.run(
        [sys.executable, "-c", code, str(workspace.root)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=True, capture_output=True,
    )  # fmt: skip
    assert read_run(workspace, "R-waits").state == "ok"
    assert [step.state for step in read_steps(workspace, "R-waits")] == ["queued", "leased", "running", "verifying", "ok"]
