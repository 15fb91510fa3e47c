"""Claims of slots: one holder, a token that grows, leases that run out, and one spelling of every logical date."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import sqlite3
import threading
import time
import zoneinfo
from typing import Any

import pytest

from qbase.core import RunRecord, UsageError
from qbase.lake import (
    Claim,
    Workspace,
    add_run,
    claim_slot,
    find_slot,
    list_runs,
    name_slot,
    read_steps,
    release_claim,
    renew_claim,
    slot_key,
)
from qbase.lake.ledger.ledger_file import Ledger

SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def claimed(workspace: Workspace, run_id: str, **how: float) -> Claim:
    claim = claim_slot(workspace, "a1", run_id=run_id, **how)
    assert claim is not None
    return claim


def test_a_slot_has_one_holder_and_a_new_token_for_every_claim(workspace: Workspace) -> None:
    first = claimed(workspace, "R1")
    assert claim_slot(workspace, "a1", run_id="R2") is None
    # the same run id in another process is somebody else too
    assert claim_slot(workspace, "a1", run_id="R1") is None
    assert claim_slot(workspace, "b2", run_id="R2") is not None
    release_claim(workspace, first)
    second = claimed(workspace, "R2")
    assert second.token == first.token + 1
    # what has no claim any more changes nothing
    assert not renew_claim(workspace, first)
    release_claim(workspace, first)
    assert renew_claim(workspace, second)
    slot = find_slot(workspace, "a1")
    assert slot is not None
    assert (slot.run_id, slot.token) == ("R2", 2)


def test_a_released_claim_is_not_renewed(workspace: Workspace) -> None:
    claim = claimed(workspace, "R1")
    release_claim(workspace, claim)
    assert not renew_claim(workspace, claim)


def test_a_lease_that_was_never_given_or_ran_out_or_lies_in_a_future_that_is_none_is_over(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    before = claimed(workspace, "R0")
    with contextlib.closing(sqlite3.connect(workspace.ledger)) as ledger, ledger:
        ledger.execute("UPDATE slots SET lease_until = NULL")
    never = claimed(workspace, "R1")
    monkeypatch.setattr(Ledger, "read_clock", lambda self, connection: now + 3600)
    late = claimed(workspace, "R2")
    # the clock is set back an hour
    monkeypatch.setattr(Ledger, "read_clock", lambda self, connection: now)
    back = claimed(workspace, "R3")
    assert [claim.token for claim in (before, never, late, back)] == [1, 2, 3, 4]
    assert [renew_claim(workspace, claim) for claim in (before, never, late, back)] == [False, False, False, True]


def test_of_many_that_claim_at_once_one_gets_it(workspace: Workspace) -> None:
    claimed(workspace, "R0", lease_seconds=0)
    got: list[Claim] = []
    gate = threading.Barrier(8)

    def claim(number: int) -> None:
        gate.wait()
        found = claim_slot(workspace, "a1", run_id=f"R{number}")
        if found is not None:
            got.append(found)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [claim.token for claim in got] == [2]


def test_a_beating_heart_keeps_a_slot(workspace: Workspace) -> None:
    from qbase.reports.running.heartbeat import Heartbeat

    claim = claimed(workspace, "R1", lease_seconds=1.5)
    before = find_slot(workspace, "a1")
    with Heartbeat(workspace, claim):
        deadline = time.monotonic() + 60
        while (now := find_slot(workspace, "a1")) is not None and now == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    after = find_slot(workspace, "a1")
    assert before is not None
    assert after is not None
    assert (after.lease_until or 0) > (before.lease_until or 0)
    # nobody renews it any more
    deadline = time.monotonic() + 60
    while claim_slot(workspace, "a1", run_id="R2") is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("2026-10-01", "2026-10-01"),
        (" 20261001 ", "2026-10-01"),
        (datetime.date(2026, 10, 1), "2026-10-01"),
        ("2026-10-01T06:00:00+08:00", "2026-09-30T22:00:00Z"),
        ("2026-10-01 06:00+0800", "2026-09-30T22:00:00Z"),
        (datetime.datetime(2026, 10, 1, 6, tzinfo=SHANGHAI), "2026-09-30T22:00:00Z"),
        ("2026-09-30T22:00:00.000Z", "2026-09-30T22:00:00Z"),
        ("2026-09-30T22:00:00.25Z", "2026-09-30T22:00:00.250000Z"),
    ],
)
def test_an_instant_has_one_spelling(given: str | datetime.date, spelled: str) -> None:
    assert name_slot(given) == spelled
    assert name_slot(spelled) == spelled


def test_the_hour_that_comes_twice_is_two_instants() -> None:
    london = zoneinfo.ZoneInfo("Europe/London")
    twice = [datetime.datetime(2026, 10, 25, 1, 30, tzinfo=london, fold=fold) for fold in (0, 1)]
    assert [name_slot(moment) for moment in twice] == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]


@pytest.mark.parametrize("given", ["", "Q3", "2026-02-30", "2026-10-01T06:00", "0001-01-01T00:00+08:00"])
def test_what_is_no_logical_date_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="QB214"):
        name_slot(given)


def test_the_key_of_a_slot_knows_all_parameters_but_the_language() -> None:
    key = slot_key("trends", {"a": 1, "b": "x", "lang": "zh"}, "2026-10-01")
    assert key == slot_key("trends", {"b": "x", "a": 1}, "20261001")
    others = [("trends", {"a": 1, "b": "y"}, "2026-10-01"), ("trends", {"a": 1.0, "b": "x"}, "2026-10-01")]
    others += [("trend", {"a": 1, "b": "x"}, "2026-10-01"), ("trends", {"a": 1, "b": "x"}, "2026-10-01T00:00Z")]
    assert len({key, *(slot_key(*other) for other in others)}) == 5


def run(**facts: str) -> RunRecord:
    known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot", "slot"), "")
    plain = {"report_id": "trends", "state": "ok", "started_at": "2026-01-01", **known, **facts}
    return RunRecord(params={"subject": "K003"}, versions={}, **plain)  # type: ignore[arg-type]


def structure(path: pathlib.Path) -> set[tuple[str, ...]]:
    """Return columns and indexes of a ledger."""
    with contextlib.closing(sqlite3.connect(path)) as ledger:
        tables = [name for (name,) in ledger.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = {
            (table, name, kind, str(is_needed), str(default).strip("'"), str(key))
            for table in tables
            for _, name, kind, is_needed, default, key in ledger.execute(f"PRAGMA table_info({table})")
        }
        for table in tables:
            for _, index, unique, origin, _ in ledger.execute(f"PRAGMA index_list({table})"):
                columns = [name for _, _, name in ledger.execute(f"PRAGMA index_info({index})")]
                found.add((table, index if origin == "c" else origin, str(unique), *columns))
    return found


def test_a_ledger_of_version_3_is_upgraded_to_what_a_new_one_is(tmp_path: pathlib.Path, make_older: Any) -> None:
    old, new = (Workspace.create(tmp_path / name) for name in ("old", "new"))
    for workspace in (old, new):
        add_run(workspace, run(run_id="R1"))
        add_run(workspace, run(run_id="R2", state="running", slot="any word"))
    make_older(old.ledger, 3)
    # looking is enough; rows of before are read, found by their subject, and have no history
    assert list_runs(old, subject="K003") == list_runs(new, subject="K003") != []
    assert read_steps(old, "R1") == []
    assert structure(old.ledger) == structure(new.ledger)
    from qbase.reports import close_dead_runs

    assert [(run.run_id, run.state) for run in close_dead_runs(old)] == [("R2", "failed")]
    assert [step.state for step in read_steps(old, "R2")] == ["failed"]
