"""Faults of disks while a report is published: full, broken, read-only, slow, killed in between. F5-F9 and F30.

A runner killed between page and record is in the tests of the ledger, which finishes what it had begun.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from qbase.core.errors import QbaseError
from qbase.lake import list_runs
from qbase.reports import Discrepancy, close_dead_runs, reconcile_runs, run_report
from qbase.reports.running.run_states import shows
from tests.faults.fault_letters import PROJECT, House
from tests.faults.test_read_only import obey_permissions
from tests.faults.test_runs import Instead

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and signals are POSIX")
# a run whose cells stand for themselves: the disk is what is asked
ALONE = """
import json, os, pathlib, sys, qbase.reports.executing.papermill_engine as engine
import qbase.reports.rendering.page_rendering as render, qbase.release as release
from qbase.reports.running.run_steps import OneRun
def execute(job):
    job.executed, job.started = job.notebook, True
    for n, c in enumerate([c for c in job.executed.cells if c.cell_type == "code"], 1):
        c.execution_count = n
    results = {"schema": 1, "sentinel": job.environment["QBASE_RUN_ID"], "snapshot": "", "sources": []}
    results |= {"results": [], "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
    (job.folder / "results.json").write_text(json.dumps(results))
engine.execute = execute
"""
STUDY = PROJECT / "tests" / "faults" / "study_torn_pages.py"
OPENED, RENAMED = "open", "os.rename"


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Instead:
    return Instead(monkeypatch)


class Disk:
    """Lets the n-th file opened for writing, made or renamed below a folder fail, alone or with all after it."""

    def __init__(self) -> None:
        self.root, self.fails_at, self.number, self.passed, self.is_lost = "", 0, 0, 0, False
        sys.addaudithook(self.look)

    def look(self, event: str, words: tuple[Any, ...]) -> None:
        if not self.fails_at or event not in {OPENED, RENAMED, "os.mkdir", "sqlite3.connect"}:
            return
        if event == OPENED and not (words[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        if not str(words[0]).startswith(self.root):
            return
        self.passed += 1
        if self.passed == self.fails_at or (self.is_lost and self.passed > self.fails_at):
            raise OSError(self.number, os.strerror(self.number), str(words[0]))


DISK = Disk()  # an audit hook stays for the life of a process


@pytest.fixture
def disk() -> Any:
    yield DISK
    DISK.fails_at = 0


def fails_at(disk: Disk, house: House, n: int, number: int) -> QbaseError | None:
    """Run the report on a disk that fails at the n-th call."""
    disk.root, disk.number, disk.passed, disk.fails_at = str(house.workspace.root), number, 0, n
    try:
        run_report(house.workspace, "plain", force=True)
    except QbaseError as error:
        return error
    finally:
        disk.fails_at = 0
    return None


@pytest.mark.parametrize(
    ("number", "is_lost"),
    [(errno.ENOSPC, False), (errno.EIO, False), (errno.EROFS, True)],
    ids=["full", "broken", "lost"],
)
def test_a_disk_that_fails_at_the_nth_call(
    house: House, instead: Instead, disk: Disk, number: int, is_lost: bool
) -> None:
    """F6, F8: n grows until the run passes; each failure is told, and the report before stays as it was.

    A disk that takes nothing any more from the second of two renames on cannot be made to show the old page again; that
    its page is not the one the ledger names is what `qbase verify --all` says then.
    """
    house.letter("plain")
    run_report(house.workspace, "plain")
    told: list[str] = []
    disk.is_lost = is_lost
    before = house.published()
    for n in range(1, 100):
        error = fails_at(disk, house, n, number)
        if disk.passed < n:
            break
        told.append(error.code if error else "")
        parts = list(house.workspace.site.glob(".*.part"))
        assert is_lost or not parts
        for part in parts:
            part.unlink()
        close_dead_runs(house.workspace)
        if error is None or error.code == "QB822":
            # the report is out, whole, and the gallery is not; or what failed was a log
            assert house.published() != before
        else:
            assert error.code in {"QB817", "QB207"}, error
        if house.published() == before:
            assert house.last("plain").state == "failed" or error is not None
        elif on_the_site(house):
            assert is_lost
            assert [one.kind for one in on_the_site(house)] == ["changed"]
            assert run_report(house.workspace, "plain").state == "ok"
        else:
            last = house.last("plain")
            meta = json.loads((house.workspace.site / "plain.json").read_text(encoding="utf-8"))
            assert (last.state, last.run_id) == ("ok", meta["run_id"])
        before = house.published()
    assert len(told) > 12
    assert {"QB817", "QB207", "QB822"} <= set(told)
    states = {run.state for run in list_runs(house.workspace, "plain")}
    assert states == {"ok", "failed"}
    assert all(run.error for run in list_runs(house.workspace, "plain") if run.state == "failed")
    assert on_the_site(house) == []


def on_the_site(house: House) -> list[Discrepancy]:
    """Return where published files and ledger disagree."""
    return [one for one in reconcile_runs(house.workspace)[0] if one.path.startswith("reports/site/")]


@pytest.mark.parametrize("kilobytes", [0, 40, 150])
def test_a_limit_on_the_size_of_files(house: House, kilobytes: int) -> None:
    """F7: a limit meets the run at another file each time."""
    house.letter("plain")
    before = house.published()
    limit = f"import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes * 1000},) * 2)\n"  # noqa: E501
    runner = house.start("plain", "kernel", before=ALONE + limit)
    told, complaints = runner.communicate()
    if told == "ok\n":
        assert kilobytes == 150
        return
    assert told.startswith(("error[QB817]", "error[QB207]")), (told, complaints)
    close_dead_runs(house.workspace)
    assert house.published() == before
    assert not list(house.workspace.root.rglob("*.part"))
    assert all(r.state == "failed" and r.error for r in list_runs(house.workspace, "plain"))


def test_a_site_that_may_not_be_written(house: House) -> None:
    """F8: permissions bind, root or not."""
    house.letter("plain")
    before = house.published()
    house.workspace.site.chmod(0o555)
    try:
        runner = house.start("plain", "kernel", before=ALONE, preexec_fn=obey_permissions)
        told, complaints = runner.communicate()
    finally:
        house.workspace.site.chmod(0o755)
    assert told.startswith("error[QB817]"), (told, complaints)
    assert "Permission denied: reports/site" in told
    house.hold("plain", before, "QB817")


def test_a_disk_that_does_not_keep_what_it_was_told(
    house: House, instead: Instead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F9: the n-th fsync fails; n grows until the page is out."""
    house.letter("plain")
    real, before = os.fsync, house.published()
    for n in range(1, 30):
        made: list[int] = []

        def broken(handle: int, n: int = n, made: list[int] = made) -> None:
            made.append(handle)
            if len(made) == n:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(handle)

        monkeypatch.setattr(os, "fsync", broken)
        try:
            run_report(house.workspace, "plain", force=True)
        except QbaseError as error:
            assert not list(house.workspace.site.glob(".*.part"))
            if error.code == "QB822":
                return
            close_dead_runs(house.workspace)
            # where the row could be written and its copy could not, the row is closed by the next call
            assert (house.last("plain").error or {})["code"] in {"QB817", "QB818"}
            assert house.published() == before
        else:
            # the folder of what was published: its files are out already
            assert shows(house.workspace, "plain", house.last("plain").fingerprint)
            before = house.published()
    pytest.fail("no fsync of the gallery failed")


def test_a_slow_rename_shows_the_old_page_or_the_new_one(
    house: House, instead: Instead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: between two slow renames every file is whole."""
    house.letter("plain")
    seen: set[str] = set()
    ended = threading.Event()
    real: Callable[..., None] = os.replace

    def slowly(*words: Any) -> None:
        time.sleep(0.3)
        real(*words)

    def read() -> None:
        while not ended.is_set():
            seen.add(hashlib.sha256((house.workspace.site / "plain.html").read_bytes()).hexdigest())

    reader = threading.Thread(target=read)
    before = house.published()["plain.html"]
    reader.start()
    try:
        monkeypatch.setattr(os, "replace", slowly)
        record = run_report(house.workspace, "plain")
    finally:
        ended.set()
        reader.join()
    assert record.state == "ok"
    assert seen == {before, house.published()["plain.html"]}


def test_publishing_is_never_seen_half_done_and_a_kill_tears_nothing(tmp_path: pathlib.Path) -> None:
    """F5, short: the long loop with a thousand kills is study_torn_pages.py."""
    done = subprocess.run(
        [sys.executable, str(STUDY), "--publishes", "40", "--kills", "6"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["torn"], told["torn_after_kill"]) == (0, 0)
    assert told["versions"] == 40
