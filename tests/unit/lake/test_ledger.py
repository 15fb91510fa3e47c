"""The ledger: runs, and what happens when the file is damaged."""

from __future__ import annotations

import dataclasses
import hashlib
import sqlite3

import pyarrow as pa
import pytest

from qbase.core import RunRecord, SetupError, UsageError
from qbase.lake import Delivery, Workspace, add_run, find_published, list_runs, read_run, update_run
from qbase.lake.storage import locks

BOTH = pytest.mark.parametrize("workspace", ["file", "server"], indirect=True)
"""A test that the ledger passes whichever keeps it."""


def run(run_id="r1", **facts):
    plain = {
        "run_id": run_id,
        "report_id": "trends",
        "notebook": "notebooks/20.ipynb",
        "params": {"year": 2022, "镇": ["甲", None]},
        "slot": "2022-08-10",
        "state": "running",
        "fingerprint": "f1",
        "commit": "",
        "versions": {"pandas": "3.1"},
        "snapshot": "S0001",
        "started_at": f"2022-08-10T00:00:0{run_id[-1]}+00:00",
    }
    return RunRecord(**{**plain, **facts})


def load(workspace, name="a"):
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    delivery = Delivery(sha256=sha256, file_name=name, table="t", verdict="OK")
    return workspace.commit(delivery, {"t": pa.table({"v": [1]})})


@BOTH
def test_a_run_is_written_and_replaced_whole(workspace):
    assert list_runs(workspace) == []
    assert find_published(workspace, "trends") is None
    assert not workspace.ledger.exists()
    add_run(workspace, run())
    assert list_runs(workspace) == [run()]
    ended = dataclasses.replace(
        run(), state="failed", seconds=1.5, outputs=("a.html",), error={"cell": 3, "code": "QB803", "text": "错"}
    )
    update_run(workspace, ended)
    assert read_run(workspace, "r1") == ended
    assert workspace.snapshot().id == "S0000"


@BOTH
def test_runs_are_listed_newest_first_and_found_by_slot_and_fingerprint(workspace):
    add_run(workspace, run("r1", state="ok"))
    add_run(workspace, run("r2", state="ok", fingerprint="f2"))
    add_run(workspace, run("r3", state="failed", slot="2022-09-10"))
    add_run(workspace, run("r4", report_id="other"))
    assert [r.run_id for r in list_runs(workspace)] == ["r4", "r3", "r2", "r1"]
    assert [r.run_id for r in list_runs(workspace, "trends", limit=2)] == ["r3", "r2"]
    assert find_published(workspace, "trends").run_id == "r2"
    assert find_published(workspace, "trends", slot="2022-08-10", fingerprint="f1").run_id == "r1"
    assert find_published(workspace, "trends", slot="2022-09-10") is None
    assert find_published(workspace, "other") is None


@BOTH
def test_run_ids_are_used_once_and_must_exist(workspace):
    with pytest.raises(UsageError, match="QB210"):
        update_run(workspace, run())
    add_run(workspace, run())
    with pytest.raises(UsageError, match="QB211"):
        add_run(workspace, run(state="ok"))
    with pytest.raises(UsageError, match="QB210"):
        read_run(workspace, "r9")
    assert list_runs(workspace)[0].state == "running"


def test_the_ledger_is_durable_by_its_settings(workspace):
    load(workspace)
    with sqlite3.connect(workspace.ledger) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    with workspace.book.writing() as open_ledger:
        assert open_ledger.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert open_ledger.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def _all_ways_in(workspace):
    return [
        workspace.snapshot,
        workspace.deliveries,
        lambda: list_runs(workspace),
        lambda: add_run(workspace, run()),
        lambda: load(workspace, "b"),
    ]


def test_garbage_instead_of_a_ledger(workspace):
    workspace.ledger.write_bytes(b"this is no database" * 100)
    for act in _all_ways_in(workspace):
        with pytest.raises(SetupError) as caught:
            act()
        assert caught.value.code == "QB204"
        assert "data/raw" in caught.value.fix


def test_a_damaged_page_is_noticed_at_open(workspace):
    for name in "abcdefgh":
        load(workspace, name)
    with sqlite3.connect(workspace.ledger) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    damaged = Workspace.create(workspace.root.with_name(workspace.root.name + "-damaged"))
    data = bytearray(workspace.ledger.read_bytes())
    assert len(data) > 3 * 4096
    data[4096 : 3 * 4096] = b"\xff" * (2 * 4096)
    damaged.ledger.write_bytes(data)
    for act in _all_ways_in(damaged):
        with pytest.raises(SetupError) as caught:
            act()
        assert caught.value.code == "QB204"


def test_a_newer_ledger_is_left_alone(workspace):
    load(workspace)
    with sqlite3.connect(workspace.ledger) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for act in _all_ways_in(workspace):
        with pytest.raises(SetupError, match="QB205"):
            act()


def test_an_empty_file_is_no_ledger_yet(workspace):
    workspace.ledger.touch()
    assert workspace.snapshot().id == "S0000"
    assert load(workspace).id == "S0001"


def test_a_lock_held_too_long_is_told(workspace):
    lock = workspace.book.lock
    with locks.hold_lock(lock), pytest.raises(SetupError) as caught, locks.hold_lock(lock, wait_seconds=0.05):
        pass
    assert caught.value.code == "QB206"
    with locks.hold_lock(lock, wait_seconds=0.05):
        pass
