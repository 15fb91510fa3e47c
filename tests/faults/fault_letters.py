"""A workspace with small letters for the tests of faults, and what every fault is held to.

Whatever is done to a run: its row in the ledger names the reason, the report before is the same byte for byte, and one
second later no process of the run lives.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest

from qbase.core.errors import RunError
from qbase.core.results.run_values import RunRecord
from qbase.lake import Workspace, list_runs
from qbase.reports import run_report

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PARAMETERS = "year: int = 2024  # 年份 | Year | 2016..2025"
RECORD = "from qbase.core import record\nyear\nrecord()"
SPEC = 'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'
TELL = "import os; print(os.getpid(), file=open(os.environ['QBASE_RUN_DIR'] + '/pid', 'w'), flush=True)"
MADE_ANEW = {"index.html", "feed.json", "by"}
ORPHANS_END_S = 1.0
ORDINARY = 65534
"""The user nobody of every Linux."""
CAP_DAC_OVERRIDE = 1
RUNNER = """
import sys
from qbase.core.errors import QbaseError
from qbase.lake import open_workspace
from qbase.reports import run_report
{before}
try:
    print(run_report(open_workspace(sys.argv[1]), sys.argv[2], engine=sys.argv[3], force=True).state)
except QbaseError as error:
    print(error)
    sys.exit(error.exit_code)
"""


class House:
    """A workspace, its letters, and what was published before a fault."""

    def __init__(self, root: pathlib.Path) -> None:
        self.workspace = Workspace.create(root)

    def letter(self, name: str, *sources: str, limits: str = "") -> str:
        """Write a letter and its specification; an old report of that name is published already."""
        cells: list[dict[str, Any]] = [
            {"cell_type": "code", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
            for source in (PARAMETERS, *sources, RECORD)
        ]
        cells[0]["metadata"] = {"tags": ["parameters"]}
        document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
        (self.workspace.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
        (self.workspace.specs / f"{name}.toml").write_text(SPEC.format(name=name) + limits, encoding="utf-8")
        for end in ("html", "json"):
            (self.workspace.site / f"{name}.{end}").write_text('{"old": "旧"}', encoding="utf-8")
        return name

    def published(self) -> dict[str, str]:
        """Return the hash of every published file; the gallery may be built anew at any time."""
        files = [path for path in sorted(self.workspace.site.iterdir()) if path.name not in MADE_ANEW]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def last(self, name: str) -> RunRecord:
        """Return the last run of a report."""
        return list_runs(self.workspace, name, limit=1)[0]

    def folder(self, record: RunRecord) -> pathlib.Path:
        """Return the folder of a run."""
        return self.workspace.runs / record.report_id / record.run_id

    def fail(self, name: str, engine: Any = "kernel") -> RunError:
        """Run a report that must fail, and hold it to what every fault is held to."""
        before = self.published()
        with pytest.raises(RunError) as caught:
            run_report(self.workspace, name, engine=engine)
        self.hold(name, before, caught.value.code)
        return caught.value

    def hold(self, name: str, before: dict[str, str], code: str) -> RunRecord:
        """Hold the last run of a report to what every fault is held to."""
        record = self.last(name)
        assert (record.state, (record.error or {}).get("code")) == ("failed", code), record.error
        assert (record.error or {})["text"]
        assert self.published() == before
        assert not [path for path in self.workspace.site.iterdir() if path.suffix == ".part"]
        assert ends(processes_of(record, self.folder(record)))
        return record

    def start(self, name: str, engine: str, *, before: str = "", **how: Any) -> subprocess.Popen[str]:
        """Start a runner of its own; ``before`` is what it does first."""
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), **how.pop("env", {})}
        words = [sys.executable, "-c", RUNNER.format(before=before), str(self.workspace.root), name, engine]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*how.pop("through", ()), *words], env=environment, **pipes, **how)

    def pid_of_cells(self, name: str) -> int:
        """Wait until the first cell of a run has told its process id."""
        deadline = time.monotonic() + 120
        while not (told := [p for p in self.workspace.runs.glob(f"{name}/*/pid") if p.read_text().endswith("\n")]):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return int(told[-1].read_text())


def lives(pid: int) -> bool:
    """Return whether a process runs; one that waits to be reaped is dead."""
    try:
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pids: Sequence[int]) -> bool:
    """Return whether processes are gone within a second."""
    deadline = time.monotonic() + ORPHANS_END_S
    while any(map(lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(lives, pids))


def processes_of(record: RunRecord, folder: pathlib.Path) -> list[int]:
    """Return the processes of a run: by the environment they were started with, and those its cells told of."""
    mark = f"QBASE_RUN_ID={record.run_id}".encode()
    found = []
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
        except OSError:
            continue
    return found + [int(line) for told in folder.glob("pid*") for line in told.read_text().split()]


def become_ordinary() -> None:
    """Be bound by the limits of an ordinary user in the process that is started next, where it is root's.

    Root alone is never bound by a number of processes. The right to read every file stays, because a checkout may be
    root's.
    """
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    os.setgroups([])
    os.setresgid(ORDINARY, ORDINARY, ORDINARY)
    os.setresuid(ORDINARY, ORDINARY, ORDINARY)
    kept = 1 << CAP_DAC_OVERRIDE
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
    if libc.capset(header, data) != 0 or libc.prctl(47, 2, CAP_DAC_OVERRIDE, 0, 0) != 0:  # PR_CAP_AMBIENT_RAISE
        raise OSError(ctypes.get_errno(), "capabilities")
