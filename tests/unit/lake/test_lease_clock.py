"""Leases of machines whose clocks differ: the clock of the server gives and judges them, whoever claims."""

from __future__ import annotations

import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from qbase.core import RunRecord, UsageError
from qbase.lake import ScheduledSlot, Workspace, claim_scheduled, claim_slot, find_slot, renew_claim
from qbase.lake.run_changes import begin_run, find_unfinished
from qbase.lake.run_claims import Claim, read_lease

PROJECT = pathlib.Path(__file__).resolve().parents[3]
DAY = datetime.timedelta(days=1)
# a machine of its own: what it says is what it was given, and what its clock is
CLAIMER = """
import sys, time
from qbase.lake import claim_slot, open_workspace
from qbase.lake.run_changes import find_unfinished
home = open_workspace(sys.argv[1])
over = [found.is_over for found in find_unfinished(home)]
claim = claim_slot(home, sys.argv[2], run_id="elsewhere", lease_seconds=60)
print(claim.token if claim else None, over, int(time.time()))
"""
server = pytest.mark.parametrize("workspace", ["server"], indirect=True)


def elsewhere(workspace: Workspace, key: str, shift: str) -> tuple[str, float]:
    """Claim a slot by a machine whose clock is shifted; return what it got and how far its clock is from ours."""
    if shutil.which("faketime") is None:
        pytest.skip("needs faketime (bash tests/system-deps.sh)")
    said = subprocess.run(
        ["faketime", "-f", shift, sys.executable, "-c", CLAIMER, str(workspace.root), key],
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return " ".join(said[:-1]), float(said[-1]) - time.time()


def begun(workspace: Workspace) -> Claim:
    known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot"), "")
    run = RunRecord(
        run_id="R1", report_id="trends", params={}, versions={}, state="leased", slot="2026-10-01",
        started_at="2026-10-01T06:00:00+08:00", **known,
    )  # fmt: skip
    claim = begin_run(workspace, run)
    assert claim is not None
    return claim


@server
@pytest.mark.parametrize("shift", ["+1d", "-1d"])
def test_the_clock_of_who_claims_plays_no_part(workspace: Workspace, shift: str) -> None:
    ours = begun(workspace)
    # by its own clock our lease ran out yesterday, or lies so far ahead that it cannot be one
    got, apart = elsewhere(workspace, ours.key, shift)
    assert abs(apart) > 80_000, "the clock was not set"
    assert got == "None [False]"
    assert renew_claim(workspace, ours)
    # what it is given runs out when the server says so
    got, _ = elsewhere(workspace, "another", shift)
    assert got == "1 [False]"
    slot = find_slot(workspace, "another")
    assert slot is not None
    assert 0 < (slot.lease_until or 0) - time.time() <= 60
    assert claim_slot(workspace, "another", run_id="R2") is None
    assert [found.is_over for found in find_unfinished(workspace)] == [False]


@server
def test_a_scheduler_whose_clock_is_ahead_takes_no_due_time_from_one_that_lives(workspace: Workspace) -> None:
    now = datetime.datetime.now(datetime.UTC)
    due = now.replace(microsecond=0)
    slot = ScheduledSlot(report_id="trends", rule_key="weekly:1", due_at=due)
    assert claim_scheduled(workspace, slot, holder="first", now=now).claimed_by == "first"
    for apart in (DAY, -DAY):
        found = claim_scheduled(workspace, slot, holder="second", now=now + apart)
        assert (found.claimed_by, found.attempts) == ("first", 1)
        assert found.lease_until is not None
        assert abs(found.lease_until - now) < DAY / 2


@server
def test_a_lease_that_ran_out_by_the_server_is_taken_over(workspace: Workspace) -> None:
    assert claim_slot(workspace, "a1", run_id="R1", lease_seconds=0)
    time.sleep(0.01)
    got, _ = elsewhere(workspace, "a1", "-1d")
    assert got.startswith("2 ")


@pytest.mark.parametrize("written", ["0", "0.5", "3601", "-60", "nan", "inf", "a minute"])
def test_a_lease_that_is_none_is_told(written: str) -> None:
    assert read_lease({"QBASE_LEASE_SECONDS": ""}) == 60.0
    with pytest.raises(UsageError, match="QB233"):
        read_lease({"QBASE_LEASE_SECONDS": written})
