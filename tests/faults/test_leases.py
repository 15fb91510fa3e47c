"""A lease while a forked runner works: it beats, and one that was stopped may publish nothing when it goes on. F29."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from qbase.lake import claim_slot, find_slot, list_runs, release_claim
from qbase.lake.run_changes import key_of
from qbase.lake.run_claims import LEASE
from qbase.reports import run_report
from tests.faults.fault_letters import PROJECT, House

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks and /proc need Linux")
SECONDS = 4.0
BEATS_SEEN = 3
SLOT = "2026-06-28"
WAIT = "import os, pathlib, time\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.05)"
BATCH = """
import sys
from qbase.lake import open_workspace
from qbase.reports import Job, run_many
jobs = [Job(report_id=sys.argv[2], slot=sys.argv[3])]
for outcome in run_many(open_workspace(sys.argv[1]), jobs, jobs_at_once=2, engine="fork"):
    print(outcome.error.code if outcome.error else outcome.record.state)
"""


@contextlib.contextmanager
def batch_of(house: House, name: str) -> Iterator[subprocess.Popen[str]]:
    """Start a batch whose runner is a fork, with a short lease; it does not outlive the test."""
    with subprocess.Popen(
        [sys.executable, "-c", BATCH, str(house.workspace.root), name, SLOT],
        env={**os.environ, "PYTHONPATH": str(PROJECT), LEASE: str(SECONDS)}, stdout=subprocess.PIPE, text=True,
    ) as batch:  # fmt: skip
        try:
            yield batch
        finally:
            batch.kill()


def wait_until_running(house: House, name: str) -> str:
    """Wait until a run executes its cells and return the key of its slot."""
    deadline = time.monotonic() + 300
    while not [run for run in list_runs(house.workspace, name) if run.state == "running"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return key_of(house.last(name))


def runner_of(house: House, name: str) -> int:
    """Return the process that holds the lock of a run folder, as the system tells it."""
    (lock,) = house.workspace.runs.glob(f"{name}/*/running.lock")
    inode = str(lock.stat().st_ino)
    for line in pathlib.Path("/proc/locks").read_text("ascii").splitlines():
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
            return int(words[4])
    raise AssertionError("nobody holds the lock")


@pytest.mark.slow
def test_a_forked_run_longer_than_its_lease_keeps_its_slot(house: House) -> None:
    name = house.letter("long", WAIT)
    with batch_of(house, name) as batch:
        key = wait_until_running(house, name)
        until: set[float | None] = set()
        deadline = time.monotonic() + 300
        # several leases long, whoever else asks for the slot does not get it
        while len(until) < BEATS_SEEN * 3 + 1:
            assert claim_slot(house.workspace, key, run_id="another") is None
            slot = find_slot(house.workspace, key)
            assert slot is not None
            until.add(slot.lease_until)
            assert time.monotonic() < deadline
            time.sleep(0.1)
        told = sorted(moment for moment in until if moment)
        assert told[-1] - told[0] > 2 * SECONDS
        (house.workspace.root / "go").touch()
        assert batch.communicate(timeout=300)[0] == "ok\n"
        slot = find_slot(house.workspace, key)
        assert slot is not None
        assert (slot.token, slot.run_id, slot.published) == (1, "", house.last(name).run_id)


@pytest.mark.slow
@pytest.mark.parametrize("published_by_another", [True, False])
def test_a_forked_run_that_was_stopped_loses_its_lease_and_publishes_nothing(
    house: House, published_by_another: bool
) -> None:
    name = house.letter("stopped", WAIT)
    with batch_of(house, name) as batch:
        key = wait_until_running(house, name)
        (asleep,) = list_runs(house.workspace, name)
        before = house.published()
        runner = runner_of(house, name)
        assert runner != batch.pid
        os.kill(runner, signal.SIGSTOP)
        try:
            deadline = time.monotonic() + 300
            while (claim := claim_slot(house.workspace, key, run_id="another")) is None:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert claim.token == 2
            (house.workspace.root / "go").touch()
            if published_by_another:
                release_claim(house.workspace, claim)
                awake = run_report(house.workspace, name, slot=SLOT, engine="fork")
                assert awake.state == "ok"
                before = house.published()
        finally:
            os.kill(runner, signal.SIGCONT)
        assert batch.communicate(timeout=300)[0] == "QB836\n"
        assert house.published() == before
        ended = {run.run_id: (run.state, (run.error or {}).get("code")) for run in list_runs(house.workspace, name)}
        assert ended.pop(asleep.run_id) in {("failed", "QB836"), ("failed", "QB818")}
        assert [state for state, _ in ended.values()] == (["ok"] if published_by_another else [])
