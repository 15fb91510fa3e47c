"""Due times in the ledger: one spelling, one holder, closed once."""

from __future__ import annotations

import concurrent.futures
import datetime
import sqlite3
import zoneinfo

import pyarrow as pa
import pytest

from qbase.core import UsageError
from qbase.lake import (
    Delivery,
    ScheduledSlot,
    Workspace,
    claim_scheduled,
    close_scheduled,
    find_change,
    list_scheduled,
    record_scheduled,
    renew_scheduled,
    undo_scheduled,
)
from qbase.lake.ledger import ledger_settings

DUE = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create(tmp_path)


def slot(due_at=DUE, **facts):
    return ScheduledSlot(**{"report_id": "trends", "rule_key": "weekly:1", "due_at": due_at, **facts})


def claim(workspace, holder, minutes=0, **more):
    return claim_scheduled(workspace, slot(), holder=holder, now=DUE + minutes * MINUTE, **more)


def test_one_instant_is_one_slot_in_whatever_zone_it_is_said(workspace):
    shanghai = DUE.astimezone(zoneinfo.ZoneInfo("Asia/Shanghai"))
    assert slot(shanghai).spelled == slot().spelled == "2026-11-30T00:00:00Z"
    record_scheduled(workspace, [slot(state="skipped"), slot(shanghai, state="stale")])
    (found,) = list_scheduled(workspace)
    assert (found.due_at, found.due_at.tzinfo, found.state) == (DUE, datetime.UTC, "skipped")
    for strange in (DUE.replace(tzinfo=None), DUE.replace(microsecond=1)):
        with pytest.raises(UsageError, match="QB215"):
            record_scheduled(workspace, [slot(strange, state="skipped")])


def test_the_two_hours_that_look_alike_are_two_slots(workspace):
    new_york = zoneinfo.ZoneInfo("America/New_York")
    twice = [datetime.datetime(2026, 11, 1, 1, 30, tzinfo=new_york, fold=fold) for fold in (0, 1)]
    record_scheduled(workspace, [slot(at, state="skipped") for at in twice])
    assert [found.spelled for found in list_scheduled(workspace)] == ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"]


def test_a_claim_holds_until_its_lease_runs_out_without_a_sign_of_life(workspace):
    first = claim(workspace, "first")
    assert (first.claimed_by, first.state, first.attempts) == ("first", "claimed", 1)
    assert claim(workspace, "second", 5).claimed_by == "first"
    assert renew_scheduled(workspace, first, now=DUE + 5 * MINUTE)
    assert claim(workspace, "second", 9).claimed_by == "first"
    # a process that is known to live keeps its claim whatever the clock says
    assert claim(workspace, "second", 60 * 24, is_alive=lambda holder: holder == "first").claimed_by == "first"
    second = claim(workspace, "second", 11)
    assert (second.claimed_by, second.attempts) == ("second", 2)
    # the first one wakes up: it neither holds nor closes what is not its own any more
    assert not renew_scheduled(workspace, first, now=DUE + 12 * MINUTE)
    assert not close_scheduled(workspace, first, state="done", run_id="R1")
    assert close_scheduled(workspace, second, state="failed", run_id="R2", note="QB811")
    assert not close_scheduled(workspace, second, state="done")
    (found,) = list_scheduled(workspace)
    assert (found.state, found.run_id, found.note) == ("failed", "R2", "QB811")
    assert claim(workspace, "third", 60 * 24).state == "failed"


def test_a_holder_that_claims_again_has_what_it_had(workspace):
    assert claim(workspace, "first").attempts == claim(workspace, "first", 60).attempts == 1


def test_of_many_claims_at_once_one_holds(workspace):
    claim_scheduled(workspace, slot(DUE - MINUTE), holder="x", now=DUE)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: claim(workspace, name).claimed_by, "abcdefgh"))
    assert len(set(found)) == 1
    assert [one.attempts for one in list_scheduled(workspace)] == [1, 1]


def test_slots_are_listed_by_report_rule_and_state(workspace):
    record_scheduled(workspace, [slot(state="seen"), slot(DUE + MINUTE, state="skipped", rule_key="daily:1")])
    record_scheduled(workspace, [slot(DUE - MINUTE, state="stale", report_id="other", note="old")])
    assert [one.report_id for one in list_scheduled(workspace)] == ["other", "trends", "trends"]
    assert [one.state for one in list_scheduled(workspace, "trends")] == ["seen", "skipped"]
    assert [one.state for one in list_scheduled(workspace, "trends", rule_key="daily:1")] == ["skipped"]
    assert [one.note for one in list_scheduled(workspace, state="stale")] == ["old"]


def test_what_a_clock_that_was_ahead_decided_is_taken_back_and_what_ran_stays(workspace):
    ahead = [
        slot(DUE + day * 24 * 60 * MINUTE, state=state) for day, state in enumerate(("seen", "skipped", "stale"), 1)
    ]
    record_scheduled(workspace, [slot(state="skipped"), *ahead])
    ran = claim_scheduled(workspace, slot(DUE + MINUTE), holder="a", now=DUE + MINUTE)
    close_scheduled(workspace, ran, state="done")
    assert [one.state for one in undo_scheduled(workspace, DUE)] == ["seen", "skipped", "stale"]
    assert [one.state for one in list_scheduled(workspace)] == ["skipped", "done"]
    assert undo_scheduled(workspace, DUE) == []


def test_nothing_is_there_before_anything_was_written(workspace):
    assert list_scheduled(workspace) == undo_scheduled(workspace, DUE) == []
    record_scheduled(workspace, [])
    assert not workspace.ledger.exists()


def test_a_ledger_of_before_gets_the_table_and_keeps_what_it_has(workspace, make_older):
    workspace.commit(Delivery(sha256="a" * 64, file_name="a", table="t", verdict="OK"), {"t": pa.table({"v": [1]})})
    with sqlite3.connect(workspace.ledger) as connection:
        new = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'scheduled_slots'").fetchone()[0]
    connection.close()
    make_older(workspace.ledger, 4)
    assert claim(workspace, "first").claimed_by == "first"
    assert workspace.snapshot().id == "S0001"
    with sqlite3.connect(workspace.ledger) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (ledger_settings.VERSION,)
        old = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'scheduled_slots'").fetchone()[0]
        upgraded = connection.execute("PRAGMA table_info(scheduled_slots)").fetchall()
        index = connection.execute("SELECT name FROM sqlite_master WHERE name = 'scheduled_in_state'").fetchone()
        connection.execute("DROP TABLE scheduled_slots")
        connection.execute(new)
        made = connection.execute("PRAGMA table_info(scheduled_slots)").fetchall()
    connection.close()
    assert index == ("scheduled_in_state",)
    assert (old is None, upgraded) == (False, made)


def test_a_change_is_the_snapshot_that_brought_the_latest_rows(workspace):
    assert find_change(workspace, ["firms"]) is None
    for number, table in enumerate(("firms", "orders", "firms", "visits")):
        delivery = Delivery(sha256=f"{number:064d}", file_name=table, table=table, verdict="OK")
        workspace.commit(delivery, {table: pa.table({"v": [number]})})
    found = {tables: find_change(workspace, tables).id for tables in (("firms",), ("orders",), ("firms", "orders"))}
    assert found == {("firms",): "S0003", ("orders",): "S0002", ("firms", "orders"): "S0003"}
    assert find_change(workspace, ["other"]) is None
