"""Ledger and files held against each other, both ways, and what dead runs leave."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from typing import Any

import pytest

from qbase.core.results.run_values import RunRecord
from qbase.lake import add_run, list_runs, update_run
from qbase.reports import close_dead_runs, reconcile_runs, run_report
from qbase.reports.running.run_states import hold, is_held
from qbase.reports.upkeep.left_behind import STALE_SECONDS, find_left_behind
from qbase.reports.upkeep.trial_run import run_trial
from tests.faults.fault_letters import House
from tests.faults.test_runs import Instead


@pytest.fixture
def house(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Three letters, published once or twice; one of their runs failed."""
    instead, made = Instead(monkeypatch), House(tmp_path / "home")
    for name in ("a", "b", "c"):
        made.letter(name)
        run_report(made.workspace, name)
    run_report(made.workspace, "b", force=True)
    run_report(made.workspace, "c")
    instead.sentinel = "another"
    with pytest.raises(Exception, match="QB815"):
        run_report(made.workspace, "a", force=True)
    return made


def found(house: House) -> list[tuple[str, str]]:
    return [(one.kind, one.path) for one in reconcile_runs(house.workspace)[0]]


def test_a_workspace_in_order_has_nothing_to_tell(house: House) -> None:
    discrepancies, counts = reconcile_runs(house.workspace)
    assert discrepancies == []
    assert counts == {"pages": 3, "rows": 6, "folders": 6}
    assert find_left_behind(house.workspace).runs == ()


def test_what_is_published_and_gone_is_missing(house: House) -> None:
    (house.workspace.site / "a.html").unlink()
    (house.workspace.site / "b.json").unlink()
    folder = house.folder(house.last("c"))
    published = next(run for run in list_runs(house.workspace, "c") if run.state == "ok")
    (house.folder(published) / "results.json").unlink()
    assert folder != house.folder(published)
    assert sorted(found(house)) == [
        ("extra", "reports/site/a.json"),
        ("missing", "reports/runs/c/" + published.run_id + "/results.json"),
        ("missing", "reports/site/a.html"),
        ("missing", "reports/site/b.json"),
    ]


def test_what_nobody_published_is_extra(house: House) -> None:
    for end in ("html", "json"):
        shutil.copy(house.workspace.site / f"a.{end}", house.workspace.site / f"copy.{end}")
    (house.workspace.runs / "a" / "20260101T000000-abcdef").mkdir()
    assert sorted(found(house)) == [
        ("extra", "reports/runs/a/20260101T000000-abcdef"),
        ("extra", "reports/site/copy.html"),
    ]


def test_what_is_there_otherwise_than_stated_is_changed(house: House) -> None:
    page = house.workspace.site / "a.html"
    page.write_bytes(page.read_bytes() + b" ")
    older = list_runs(house.workspace, "b")[1]
    shutil.copy(house.folder(older) / "report.html", house.workspace.site / "b.html")
    meta = json.loads((house.workspace.site / "b.json").read_text(encoding="utf-8"))
    side = json.dumps(meta | {"run_id": older.run_id})
    (house.workspace.site / "b.json").write_text(side, encoding="utf-8")
    copy = house.folder(house.last("c")) / "run.json"
    copy.write_text(copy.read_text(encoding="utf-8").replace("unchanged", "ok"), encoding="utf-8")
    told = {one.path: one.text.en for one in reconcile_runs(house.workspace)[0]}
    assert set(told) == {
        "reports/site/a.html",
        "reports/site/b.html",
        copy.relative_to(house.workspace.root).as_posix(),
    }
    assert "another hash" in told["reports/site/a.html"]
    assert older.run_id in told["reports/site/b.html"]


def test_a_page_and_its_hash_forged_together_differ_from_what_the_run_wrote(house: House) -> None:
    import hashlib

    page, side = house.workspace.site / "a.html", house.workspace.site / "a.json"
    forged = page.read_bytes().replace("试验".encode(), "实验".encode())
    meta = json.loads(side.read_text(encoding="utf-8"))
    page.write_bytes(forged)
    side.write_text(json.dumps(meta | {"html_sha256": hashlib.sha256(forged).hexdigest()}), encoding="utf-8")
    assert found(house) == [("changed", "reports/site/a.html")]


def test_what_dead_runs_leave_is_found_and_what_lives_is_left_alone(house: House) -> None:
    known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot"), "")
    begun = {"state": "running", "started_at": "2026-01-31T02:00:00Z", "versions": {}, "slot": "2026-01-31"}
    for run_id in ("R-dead", "R-living"):
        params = {"year": len(run_id)}
        add_run(house.workspace, RunRecord(run_id=run_id, report_id="a", params=params, **begun, **known))  # type: ignore[arg-type]
    dead, living = (house.workspace.runs / "a" / run_id for run_id in ("R-dead", "R-living"))
    dead.mkdir()
    (dead / "running.lock").touch()
    (house.workspace.runs / "a" / "nobody").mkdir()
    (house.workspace.site / ".a.html.x.part").touch()
    environment = {**os.environ, "QBASE_RUN_ID": "R-dead"}
    sleeping = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]
    child = subprocess.Popen(sleeping, env=environment, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        with hold(living):
            assert (is_held(living), is_held(dead)) == (True, False)
            now = find_left_behind(house.workspace)
            later = find_left_behind(house.workspace, now=time.time() + STALE_SECONDS + 60)
    finally:
        child.kill()
        child.communicate()
    assert now.runs == ("R-dead",)
    assert now.processes == {child.pid: "R-dead"}
    assert now.locks == ("reports/runs/a/R-dead/running.lock",)
    assert (now.folders, now.files) == ((), ())
    assert later.folders == ("reports/runs/a/nobody",)
    assert later.files == ("reports/site/.a.html.x.part",)


def test_a_run_is_not_taken_for_dead_by_who_cannot_open_its_lock(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has no file left to open knows nothing of the runs of others."""
    record = house.last("a")
    update_run(house.workspace, dataclasses.replace(record, state="running", error=None))
    lock = house.folder(record) / "running.lock"
    lock.touch()
    real = pathlib.Path.open

    def exhausted(path: pathlib.Path, *words: Any, **how: Any) -> Any:
        if path == lock:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(path, *words, **how)

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "open", exhausted)
        assert is_held(lock.parent)
        assert close_dead_runs(house.workspace, "a") == []
    assert [run.run_id for run in close_dead_runs(house.workspace, "a")] == [record.run_id]


def test_a_trial_run_is_a_real_run(monkeypatch: pytest.MonkeyPatch) -> None:
    instead = Instead(monkeypatch)
    assert run_trial("kernel").error == ""
    instead.sentinel = "another"
    assert run_trial("kernel").error.startswith("QB815")


def test_a_page_whose_runner_died_before_it_could_say_so_is_not_made_again(house: House) -> None:
    """The row of a run is written before its fingerprint is known."""
    (record,) = list_runs(house.workspace, "c")[1:]
    update_run(house.workspace, dataclasses.replace(record, state="running", fingerprint="", snapshot=""))
    (closed,) = close_dead_runs(house.workspace, "c")
    assert (closed.state, closed.fingerprint) == ("ok", record.fingerprint)
    assert run_report(house.workspace, "c").state == "unchanged"
