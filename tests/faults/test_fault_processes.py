"""Faults of processes: killed, stopped, never ending, multiplying. F1-F3 and F10-F21; the table is in docs/studies/faults.md."""

# ruff: noqa: E501  (cells are one line each)
from __future__ import annotations

import os
import signal
import sys

import pytest

from qbase.lake import list_runs
from qbase.reports import close_dead_runs, run_report
from tests.faults.fault_letters import TELL, House, become_ordinary, ends

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals and limits of Linux")
BOTH = pytest.mark.parametrize("engine", ["kernel", "fork"])
HOLDS_THE_LOCK = "import re; re.match(r'(a+)+$', 'a' * 60 + 'b')"
IMMUNE = "import signal, time\nfor s in (signal.SIGINT, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)\nwhile True: time.sleep(0.1)"


# each fork here is that of a server of its own, which takes seconds to load; a killed batch is in test_forked_runs.py
@pytest.mark.parametrize(
    ("engine", "how"), [("kernel", signal.SIGKILL), ("kernel", signal.SIGTERM), ("fork", signal.SIGTERM)], ids=str
)
def test_a_runner_that_is_ended_takes_its_cells_along_within_a_second(
    house: House, engine: str, how: signal.Signals
) -> None:
    """F2, F3, F12: also where a cell holds the interpreter lock, so that no thread of its process can look around."""
    house.letter("stuck", TELL, HOLDS_THE_LOCK)
    before = house.published()
    runner = house.start("stuck", engine)
    cells = house.pid_of_cells("stuck")
    runner.send_signal(how)
    runner.communicate()
    assert ends([cells])
    assert [(r.state, (r.error or {})["code"]) for r in close_dead_runs(house.workspace)] == [("failed", "QB818")]
    house.hold("stuck", before, "QB818")
    assert (house.folder(house.last("stuck")) / "run.json").is_file()


@BOTH
def test_cells_killed_from_outside_as_the_system_does_when_memory_is_short(house: House, engine: str) -> None:
    """F1, F14: the killer of processes asks nobody and leaves no word."""
    import threading

    house.letter("eats", TELL, "kept = bytearray(50_000_000)\nimport time; time.sleep(60)")
    threading.Thread(target=lambda: os.kill(house.pid_of_cells("eats"), signal.SIGKILL)).start()
    error = house.fail("eats", engine)
    assert error.code == "QB812"
    assert "4096 MB" in error.expected


@BOTH
@pytest.mark.parametrize("source", [IMMUNE, HOLDS_THE_LOCK], ids=["deaf", "holds-the-lock"])
def test_a_cell_that_hears_no_signal_ends_at_the_limit_of_its_run(house: House, engine: str, source: str) -> None:
    """F10-F12."""
    error = house.fail(house.letter("deaf", TELL, source, limits="[limits]\nseconds = 2\n"), engine)
    assert error.code == "QB813"


@pytest.mark.parametrize(
    ("source", "limits", "code", "found"),
    [
        ("import ctypes; ctypes.string_at(0)", "", "QB812", "ctypes"),
        ("kept = bytearray(2 * 10**9)", "[limits]\nmemory_mb = 800\n", "QB811", "MemoryError"),
    ],
    ids=["segfault", "memory"],
)
def test_a_kernel_that_breaks(house: House, source: str, limits: str, code: str, found: str) -> None:
    """F13, F15 with a kernel; with a fork in test_forked_runs.py."""
    error = house.fail(house.letter("breaks", TELL, source, limits=limits))
    assert error.code == code
    assert found in error.found


@BOTH
@pytest.mark.parametrize("how", ["ends", "killed"])
def test_a_copy_of_the_process_that_left_its_group_ends_with_its_run(house: House, engine: str, how: str) -> None:
    """F19: a copy has no environment of its own to be known by."""
    left = (
        "import os, signal, time\nchild = os.fork()\nif child == 0:\n    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    print(os.getpid(), file=open(os.environ['QBASE_RUN_DIR'] + '/pid_left', 'w'), flush=True)\n"
        "    time.sleep(300)\nwhile not os.path.exists(os.environ['QBASE_RUN_DIR'] + '/pid_left'): time.sleep(0.01)\n"
    )
    if how == "killed":
        error = house.fail(house.letter("leaves", TELL, left, "os.kill(os.getpid(), 9)"), engine)
        assert error.code == "QB812"
        return
    # nor would a crash leave what it held in memory on the disk
    core = "import resource; assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0"
    record = run_report(house.workspace, house.letter("leaves", TELL, left, core), engine=engine)  # type: ignore[arg-type]
    assert record.state == "ok"
    assert ends([int((house.folder(record) / "pid_left").read_text())])


def test_what_a_killed_runner_left_is_ended_when_its_row_is_closed(house: House) -> None:
    """F2 with F19: nobody was there to end what left the group."""
    left = "import os, subprocess\nchild = subprocess.Popen(['sleep', '300'], start_new_session=True)\nprint(child.pid, file=open(os.environ['QBASE_RUN_DIR'] + '/pid_left', 'w'), flush=True)"
    house.letter("leaves", left, TELL, "import time; time.sleep(300)")
    before = house.published()
    runner = house.start("leaves", "kernel")
    house.pid_of_cells("leaves")
    runner.kill()
    runner.communicate()
    close_dead_runs(house.workspace)
    house.hold("leaves", before, "QB818")


def test_processes_that_multiply_end_at_the_limit_and_with_their_run(house: House) -> None:
    """F20: under a limit on the number of processes of an ordinary user."""
    bomb = (
        "import os, time\nchildren = []\nwhile True:\n    child = os.fork()\n    if child == 0:\n        time.sleep(300)\n"
        "    print(child, file=open(os.environ['QBASE_RUN_DIR'] + '/pid_bomb', 'a'), flush=True)"
    )
    house.letter("bomb", TELL, bomb)
    before = house.published()
    limit = "import os, resource, pathlib\nown = sum(p.stat().st_uid == os.getuid() for p in pathlib.Path('/proc').glob('[0-9]*'))\nresource.setrlimit(resource.RLIMIT_NPROC, (own + 60, own + 60))\n"
    runner = house.start("bomb", "kernel", before=limit, preexec_fn=become_ordinary)
    told, complaints = runner.communicate()
    assert runner.returncode == 1, complaints
    assert told.startswith("error[QB811]")
    assert "BlockingIOError" in told
    record = house.hold("bomb", before, "QB811")
    multiplied = (house.folder(record) / "pid_bomb").read_text().split()
    assert len(multiplied) > 5


@BOTH
def test_a_cell_that_opens_files_until_none_is_left(house: House, engine: str) -> None:
    """F21."""
    source = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\nkept = [open(os.devnull) for _ in range(300)]"
    error = house.fail(house.letter("opens", TELL, source), engine)
    assert error.code == "QB811"
    assert "Too many open files" in error.found


@pytest.mark.parametrize("files", [8, 16])
def test_a_runner_with_hardly_a_file_to_open(house: House, files: int) -> None:
    """F21: wherever it runs out, it says so, and what was published stays."""
    house.letter("few")
    before = house.published()
    limit = f"import resource, qbase.reports.running.whole_run\nresource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))\n"
    runner = house.start("few", "kernel", before=limit)
    told, complaints = runner.communicate()
    assert runner.returncode in {1, 4}, (told, complaints)
    assert told.startswith("error[QB"), complaints
    close_dead_runs(house.workspace)
    assert all((run.state, bool(run.error)) == ("failed", True) for run in list_runs(house.workspace))
    assert house.published() == before
