"""Tasks over processes. `eval` is the function: a builtin travels to any process by name."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from qbase.compute import map_tasks, open_client
from qbase.core import RunError, SetupError, UsageError

RAISE_USAGE = (
    "(_ for _ in ()).throw(__import__('qbase.core.errors', fromlist=['x']).UsageError("
    "'QB101', text='x', found='f', expected='e', fix='t'))"
)


def test_one_job_runs_here_in_order_and_survives_errors():
    seen = []
    outcomes = map_tasks(eval, ["1+1", "1/0", "__import__('os').getpid()"], on_done=lambda o: seen.append(o.index))
    assert [o.value for o in outcomes] == [2, None, os.getpid()]
    assert isinstance(outcomes[1].error, ZeroDivisionError)
    assert "1/0" in str(outcomes[1].task)
    assert "ZeroDivisionError" in outcomes[1].trace
    assert seen == [0, 1, 2]


def test_several_processes_keep_order_and_report_a_killed_one():
    kill = "__import__('os').kill(__import__('os').getpid(), 9)"
    tasks = ["1", kill, "1/0", "__import__('sys').exit(0)", RAISE_USAGE, "lambda: 0", "7"]
    seen: list[int] = []
    outcomes = map_tasks(eval, tasks, jobs=2, on_done=lambda o: seen.append(o.index))
    assert [o.is_ok for o in outcomes] == [True, False, False, False, False, False, True]
    assert [o.task for o in outcomes] == tasks
    assert sorted(seen) == list(range(7))
    assert isinstance(outcomes[1].error, RunError)
    assert outcomes[1].error.code == "QB180"
    assert "task 2" in str(outcomes[1].error)
    assert isinstance(outcomes[2].error, ZeroDivisionError)
    assert "sys.exit(0)" in str(outcomes[3].error)
    assert isinstance(outcomes[4].error, UsageError)
    assert outcomes[4].error.code == "QB101"
    assert outcomes[6].value == 7


def test_no_tasks_and_bad_jobs():
    assert map_tasks(eval, [], jobs=3) == []
    with pytest.raises(UsageError) as caught:
        map_tasks(eval, ["1"], jobs=0)
    assert caught.value.code == "QB183"


@pytest.mark.skipif(os.name != "posix", reason="looks for processes in the manner of POSIX")
def test_processes_end_with_a_killed_parent(tmp_path):
    note = tmp_path / "pid"
    task = f"(open({str(note)!r}, 'w').write(str(__import__('os').getpid())), __import__('time').sleep(60))"
    code = f"from qbase.compute import map_tasks\nif __name__ == '__main__': map_tasks(eval, [{task!r}] * 2, jobs=2)"
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        _wait_until(lambda: note.exists() and note.read_text() != "")
    finally:
        parent.kill()
        parent.wait()
    _wait_until(lambda: not _is_alive(int(note.read_text())))


def _wait_until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_client_without_dask_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SetupError) as caught:
        open_client("tcp://127.0.0.1:1")
    assert caught.value.code == "QB181"
    assert caught.value.fix == "pip install qbase[cluster]"
