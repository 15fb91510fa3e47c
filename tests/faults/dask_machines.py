"""A Dask scheduler and its workers as processes of their own, as on several machines; and light letters for them."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from qbase.compute import open_client
from qbase.lake import Workspace

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARAMETERS = "number: int = 0  # 号 | Number"
LIGHT = ("shown = number * number\nshown",)
RECORD = "from qbase.core import record\nrecord()"
START_SECONDS = 240
"""A program of Dask stands in two seconds, and on a busy machine in a hundred times that."""
SPEC = 'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'


class Machines:
    """A scheduler and workers, each with one thread.

    A nanny starts a worker anew that was killed, as it does by default; its worker is daemonic.
    """

    def __init__(self, folder: pathlib.Path, workers: int, *, nanny: bool = True) -> None:
        self.folder = folder
        note = folder / "scheduler.json"
        words = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(note), "--no-dashboard")
        self.scheduler = self.start("scheduler", *words)
        if nanny:
            self.start_worker("--nworkers", str(workers))
        for _ in range(0 if nanny else workers):
            self.start_worker("--no-nanny")
        deadline = time.monotonic() + START_SECONDS
        while not note.exists() or not note.read_text():
            assert time.monotonic() < deadline, "no scheduler"
            time.sleep(0.02)
        self.address = json.loads(note.read_text())["address"]
        self.client = open_client(self.address)
        self.client.wait_for_workers(workers, timeout=START_SECONDS)

    def start(self, kind: str, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program of Dask."""
        known = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **(env or {})}
        code = f"from distributed.cli import dask_{kind} as m; m.main()"
        with (self.folder / f"{kind}-{len(self.processes)}.log").open("wb") as log:
            started = [sys.executable, "-c", code, *words]
            process = subprocess.Popen(started, env=known, stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)
        return process

    def start_worker(self, *also: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker, or several under nannies."""
        words = ["--scheduler-file", str(self.folder / "scheduler.json"), "--nthreads", "1", "--no-dashboard"]
        words += ["--local-directory", str(self.folder), "--death-timeout", "60", *also]
        return self.start("worker", *words, env=env)

    def pids(self) -> list[int]:
        """Return the process ids of the workers that stand."""
        return sorted(self.client.run(os.getpid, on_error="ignore").values())

    def wait(self, workers: int) -> None:
        """Wait until so many workers stand."""
        self.client.wait_for_workers(workers, timeout=START_SECONDS)

    def stop(self) -> None:
        """End everything."""
        with contextlib.suppress(Exception):
            self.client.close(timeout=2)
        for process in reversed(self.processes):
            for pid in (*descendants(process.pid), process.pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def open_machines(folder: pathlib.Path, workers: int = 2, **how: Any) -> Iterator[Machines]:
    """Give a cluster that ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Machines.__new__(Machines)
    made.processes = []
    try:
        made.__init__(folder, workers, **how)  # type: ignore[misc]
        yield made
    finally:
        made.stop()


def write_letter(workspace: Workspace, name: str = "light", sources: Sequence[str] = LIGHT) -> None:
    """Write a letter and its specification."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
        for source in (PARAMETERS, *sources, RECORD)
    ]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (workspace.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
    (workspace.specs / f"{name}.toml").write_text(SPEC.format(name=name), encoding="utf-8")


def parents() -> dict[int, int]:
    """Return the parent of every process that lives."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(stat.parent.name)] = int(fields[1])
    return found


def descendants(pid: int) -> list[int]:
    """Return what a process started, and what that started, and so on."""
    known, found = parents(), [pid]
    for one in found:
        found += [child for child, parent in known.items() if parent == one]
    return found[1:]


def end_within(pids: Sequence[int], seconds: float) -> list[int]:
    """Wait until processes are gone; return those that are not by then."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if pid in parents()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
