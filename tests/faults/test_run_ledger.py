"""The ledger of runs under faults: a runner killed at every step, two runners for one slot, one that fell asleep."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import random
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qbase.lake import RUN_FAULT_POINTS, Workspace, find_slot, list_runs, queue_runs, read_run, read_steps, slot_key
from qbase.lake.storage.fault_points import EXIT
from qbase.reports import close_dead_runs, prune_runs

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PARAMETERS = "year: int = 2024  # 年份 | Year | 2016..2025"
SPEC = 'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'
# one process loads the libraries once and forks a runner for every line it reads; the cells of its letter take no time:
# what is tried here is what happens around them
RUNNERS = """
import json, os, pathlib, signal, sys, time
from qbase.core.errors import QbaseError
from qbase.lake import open_workspace
from qbase.reports import Job, resume_runs, run_many, run_report
from qbase.reports.executing import papermill_engine as engine
from qbase.reports.running.warm_up import warm_up
import qbase.release, qbase.reports.rendering.gallery, qbase.reports.running.whole_run, qbase.lake.ledger.ledger_engine
def run(ask):
    def execute(job):
        job.executed, job.started = job.notebook, True
        for number, cell in enumerate([c for c in job.executed.cells if c.cell_type == "code"], 1):
            cell.execution_count = number
        results = {"schema": 1, "sentinel": job.environment["QBASE_RUN_ID"], "snapshot": "", "sources": []}
        results |= {"results": [], "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
        (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
        while ask["until"] and not pathlib.Path(ask["until"]).exists():
            time.sleep(0.02)
    engine.execute = execute
    os.environ["QBASE_FAULT"] = ask["fault"]
    home = open_workspace(ask["home"])
    try:
        if ask["batch"]:
            asked = [Job(report_id="plain", slot=day, force=ask["force"], lang="en") for day in ask["batch"]]
            return " ".join(outcome.record.state for outcome in run_many(home, asked, engine="kernel"))
        if ask["resume"]:
            return " ".join(outcome.record.state for outcome in resume_runs(home))
        return run_report(home, "plain", slot=ask["slot"], force=ask["force"]).state
    except QbaseError as error:
        return error.code
def serve(ask):
    pipe, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(end, run(ask).encode())
        os._exit(0)
    os.close(end)
    pathlib.Path(ask["out"]).with_suffix(".pid").write_text(str(child))
    said = os.read(pipe, 1000).decode()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out = pathlib.Path(ask["out"])
    out.with_suffix(".new").write_text(json.dumps([said, code]))
    out.with_suffix(".new").replace(out)
    os._exit(0)
warm_up()
for line in sys.stdin:
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        serve(json.loads(line))
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


@pytest.fixture(scope="module")
def runners() -> Iterator[subprocess.Popen[str]]:
    server = subprocess.Popen(
        [sys.executable, "-c", RUNNERS],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        text=True,
    )
    yield server
    assert server.stdin is not None
    server.stdin.close()
    server.wait(timeout=60)


class Runner:
    """One that was asked to run the letter of a workspace in a process of its own."""

    def __init__(self, server: subprocess.Popen[str], workspace: Workspace, **how: Any) -> None:
        self.out = workspace.root / f"said-{secrets.token_hex(4)}"
        ask = {
            "home": str(workspace.root),
            "fault": "",
            "slot": None,
            "until": None,
            "batch": [],
            "resume": False,
            "force": False,
        } | how
        assert server.stdin is not None
        server.stdin.write(json.dumps({**ask, "out": str(self.out)}) + "\n")
        server.stdin.flush()

    def is_over(self) -> bool:
        return self.out.exists()

    def kill(self) -> None:
        """Kill it as soon as it can be."""
        pid = self.out.with_suffix(".pid")
        wait_for(lambda: pid.exists() and bool(pid.read_text()))
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGKILL)

    def end(self) -> tuple[str, int]:
        """Return what it said and its exit code."""
        wait_for(self.is_over)
        said, code = json.loads(self.out.read_text(encoding="utf-8"))
        return said, code


Start = Callable[..., Runner]


@pytest.fixture
def start(runners: subprocess.Popen[str], workspace: Workspace) -> Start:
    return lambda **how: Runner(runners, workspace, **how)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def change(workspace: Workspace, sql: str) -> None:
    """Write into the ledger what time or another machine would have brought about."""
    with contextlib.closing(sqlite3.connect(workspace.ledger, timeout=60)) as ledger, ledger:
        ledger.execute(sql)


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
def test_a_runner_killed_at_any_step_leaves_what_the_next_one_can_go_on_from(
    workspace: Workspace, start: Start, point: str
) -> None:
    assert start(fault=point).end() == ("", EXIT)
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

    assert start().end() == ("unchanged" if point in OUT else "ok", 0)
    runs = list_runs(workspace, "plain")
    assert [run.state for run in runs].count("ok") == 1
    (published,) = [run for run in runs if run.state == "ok"]
    assert page(workspace)[1]["run_id"] == published.run_id
    slot = find_slot(workspace, slot_key("plain", published.params, published.slot))
    assert slot is not None
    assert (slot.run_id, slot.published) == ("", published.run_id)
    steps = [step.state for step in read_steps(workspace, published.run_id)]
    assert steps == ["leased", "running", "verifying", "ok"]
    # nothing is left but what the ledger knows; what a killed runner had staged goes when it is pruned
    for path in (*workspace.site.glob(".*"), *workspace.runs.glob("*/*")):
        os.utime(path, (1.0, 1.0))
    prune_runs(workspace, keep=10)
    assert {path.name for path in workspace.runs.glob("*/*")} <= {run.run_id for run in runs}
    assert not list(workspace.root.rglob("*.part"))


def test_of_two_runners_of_one_slot_one_publishes(workspace: Workspace, start: Start, tmp_path: pathlib.Path) -> None:
    go = tmp_path / "go"
    both = [start(until=str(go)) for _ in range(2)]
    wait_for(lambda: any(runner.is_over() for runner in both))
    # one was refused while the other goes on
    (refused,) = [runner for runner in both if runner.is_over()]
    assert refused.end() == ("QB835", 0)
    wait_for(lambda: [run.state for run in list_runs(workspace)] == ["running"])
    go.touch()
    assert [runner.end() for runner in both if runner is not refused] == [("ok", 0)]
    assert [run.state for run in list_runs(workspace)] == ["ok"]
    assert len(list((workspace.runs / "plain").iterdir())) == 1


def test_a_runner_whose_slot_was_taken_over_publishes_nothing(
    workspace: Workspace, start: Start, tmp_path: pathlib.Path
) -> None:
    go = tmp_path / "go"
    asleep = start(until=str(go))
    wait_for(lambda: [run.state for run in list_runs(workspace)] == ["running"])
    (first,) = list_runs(workspace)
    # as if it slept on another machine: its lease has run out
    change(workspace, "UPDATE slots SET lease_until = 1.0, host = 'elsewhere/0'")
    assert start().end() == ("ok", 0)
    html, meta = page(workspace)
    go.touch()
    assert asleep.end() == ("QB836", 0)
    assert page(workspace) == (html, meta)
    states = {run.run_id: run.state for run in list_runs(workspace)}
    assert states == {first.run_id: "failed", meta["run_id"]: "ok"}


def test_a_runner_of_another_machine_is_dead_when_its_lease_is_over_and_not_before(
    workspace: Workspace, start: Start
) -> None:
    assert start(fault="running_committed").end() == ("", EXIT)
    change(workspace, "UPDATE slots SET host = 'elsewhere/0'")
    # its lock file says nothing here, and its lease still runs
    assert close_dead_runs(workspace) == []
    assert start().end() == ("QB835", 0)
    assert [run.state for run in list_runs(workspace)] == ["running"]
    assert len(list((workspace.runs / "plain").iterdir())) == 1
    # it never sent a sign of life
    change(workspace, "UPDATE slots SET lease_until = NULL")
    assert [run.state for run in close_dead_runs(workspace)] == ["failed"]
    assert start().end() == ("ok", 0)


def test_a_queued_run_is_taken_up_under_its_own_id(workspace: Workspace, start: Start) -> None:
    assert start().end() == ("ok", 0)
    (done,) = list_runs(workspace)
    waiting = dataclasses.replace(done, run_id="R-waits", state="queued", slot="2026-01-31", outputs=())
    twice = dataclasses.replace(waiting, run_id="R-again", slot="20260131")
    assert queue_runs(workspace, [waiting, twice]) == ["R-waits", "R-waits"]
    assert close_dead_runs(workspace) == []
    assert start(slot="2026-01-31").end() == ("ok", 0)
    assert read_run(workspace, "R-waits").state == "ok"
    steps = [step.state for step in read_steps(workspace, "R-waits")]
    assert steps == ["queued", "leased", "running", "verifying", "ok"]


@pytest.mark.parametrize("point", ["run_folder_held", "leased_committed", "page_staged", "files_replaced"])
def test_what_a_killed_runner_left_is_resumed_and_published_once(
    workspace: Workspace, start: Start, point: str
) -> None:
    assert start(slot="2026-02-28").end() == ("ok", 0)
    (done,) = list_runs(workspace)
    asked = dataclasses.replace(done, state="queued", outputs=())
    days = ("2026-03-31", "2026-04-30")
    queue_runs(workspace, [dataclasses.replace(asked, run_id=f"R-{day}", slot=day) for day in days])
    assert start(slot=days[0], fault=point).end() == ("", EXIT)
    # whoever looks at the runs in between closes the dead one, and it is resumed all the same
    close_dead_runs(workspace)
    left = 1 if point == "files_replaced" else 2
    assert start(resume=True).end() == (" ".join(["ok"] * left), 0)
    runs = list_runs(workspace)
    for day in days:
        assert [run.state for run in runs if run.slot == day].count("ok") == 1
    assert start(resume=True).end() == ("", 0)
    assert list_runs(workspace) == runs


def test_who_resumes_a_batch_asks_for_it_as_it_was_asked_for(workspace: Workspace, start: Start) -> None:
    """What was forced is forced again: the run that was interrupted, and those that had not begun."""
    days = ["2026-03-31", "2026-04-30", "2026-05-31"]
    assert start(batch=days).end() == ("ok ok ok", 0)
    # without force there is nothing to do, with it all is run anew; it dies while it executes the first
    assert start(batch=days).end() == ("unchanged unchanged unchanged", 0)
    assert start(batch=days, force=True, fault="running_committed").end() == ("", EXIT)
    begun = [run for run in list_runs(workspace) if run.state in {"running", "queued"}]
    assert [(run.is_forced, run.lang) for run in begun] == [(True, "en")] * 3
    close_dead_runs(workspace)
    assert start(resume=True).end() == ("ok ok ok", 0)
    assert start(resume=True).end() == ("", 0)
    assert [run.state for run in list_runs(workspace) if run.is_forced].count("ok") == 3


def test_a_run_that_waits_is_forced_when_it_is_asked_for_by_force(workspace: Workspace, start: Start) -> None:
    assert start(slot="2026-03-31").end() == ("ok", 0)
    (done,) = list_runs(workspace)
    waiting = dataclasses.replace(done, run_id="R-waits", state="queued", outputs=())
    forced = dataclasses.replace(waiting, run_id="R-again", is_forced=True)
    assert queue_runs(workspace, [waiting]) == queue_runs(workspace, [forced, waiting])[:1] == ["R-waits"]
    assert read_run(workspace, "R-waits").is_forced
    assert start(resume=True).end() == ("ok", 0)


def test_a_batch_killed_again_and_again_publishes_every_slot_once(workspace: Workspace, start: Start) -> None:
    days = [f"2026-01-{day:02d}" for day in range(1, 25)]
    draw = random.Random(20220810)
    for kills in range(8):
        runner = start(batch=days) if kills % 2 == 0 else start(resume=True)
        done = sum(run.state == "ok" for run in list_runs(workspace, limit=1000))
        wanted = min(done + draw.randint(0, 3), len(days))
        # killed wherever it is when so many pages are out
        wait_for(lambda: sum(run.state == "ok" for run in list_runs(workspace, limit=1000)) >= wanted)  # noqa: B023
        time.sleep(draw.random() / 20)
        runner.kill()
        runner.end()
    start(resume=True).end()
    start(batch=days).end()
    runs = list_runs(workspace, limit=1000)
    assert sorted(run.slot for run in runs if run.state == "ok") == days
    assert {run.state for run in runs} <= {"ok", "unchanged", "failed"}
    assert {(run.error or {})["code"] for run in runs if run.state == "failed"} <= {"QB818"}
    html, meta = page(workspace)
    assert hashlib.sha256(html).hexdigest() == meta["html_sha256"]
    assert read_run(workspace, meta["run_id"]).state == "ok"
