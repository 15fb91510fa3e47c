"""What Windows and macOS lack is asked for where it is used, never where a module begins; runs go on in kernels."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

ELSEWHERE = """
import builtins, importlib, json, os, pathlib, pkgutil, sys, tempfile, types

ABSENT = {"fcntl", "resource", "pwd", "grp", "termios", "syslog"}
imports = builtins.__import__

def without(name, globals=None, locals=None, fromlist=(), level=0):
    # libraries of others know by themselves on which system they are
    if level == 0 and name in ABSENT and str((globals or {}).get("__name__")).startswith("qbase"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return imports(name, globals, locals, fromlist, level)

builtins.__import__ = without
for name in ("fork", "forkpty", "setsid", "killpg"):
    delattr(os, name)

import qbase
told = {"failed": {}, "imported": 0}
for found in pkgutil.walk_packages(qbase.__path__, "qbase."):
    if found.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(found.name)
        told["imported"] += 1
    except Exception as error:
        told["failed"][found.name] = repr(error)

from qbase.lake import Workspace
from qbase.reports.batching import run_batch
from qbase.reports.executing import fork_door, fork_engine
from qbase.reports.releasing.accounts import read_account
from qbase.reports.running import run_states

sys.platform = "win32"
home = pathlib.Path(tempfile.mkdtemp())
job = types.SimpleNamespace(root=home, folder=home)
notebook = types.SimpleNamespace(nb=types.SimpleNamespace(cells=[]))
fork_engine.run_in_kernel = lambda manager, kernel, job: told.update(kernel=kernel)
fork_engine.run_in_fork(notebook, "qbase", job)
told["log"] = (home / "log.txt").read_text("utf-8")
told["fans_out"] = run_batch.fan_out(Workspace(home), types.SimpleNamespace(waiting=[1]), 2)
told["account"] = read_account()
with run_states.hold(home / "run"):
    told["lock"] = (home / "run" / run_states.LOCK).is_file()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(project_root: pathlib.Path) -> dict[str, object]:
    env = {
        **os.environ,
        "PYTHONPATH": str(project_root),
        "PYTHONIOENCODING": "utf-8",
        "USERNAME": "wang",
        "LOGNAME": "wang",
    }
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], env=env, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_every_module_can_be_imported_without_what_only_posix_has(
    told: dict[str, object], project_root: pathlib.Path
) -> None:
    assert told["failed"] == {}
    there = [p for p in (project_root / "qbase").rglob("*.py") if p.name != "__main__.py"]
    assert told["imported"] == len(there) - 1, "all of them, and the package itself was imported before"


def test_where_no_process_can_be_forked_reports_run_in_kernels(told: dict[str, object]) -> None:
    assert told["kernel"] == "qbase"
    assert told["log"] == "engine kernel instead of fork: no fork server on win32\n"
    assert told["fans_out"] is False


def test_the_account_is_known_and_a_run_goes_on_without_locks(told: dict[str, object]) -> None:
    assert told["account"] == "wang"
    assert told["lock"] is True
