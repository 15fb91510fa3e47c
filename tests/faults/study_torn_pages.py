"""Readers poll a report while it is published again and again, and while its publisher is killed: is any file torn?

Each publish is a run of its own through `qbase.reports.run_report`, whose cells stand for themselves; page, record and
gallery are read all the time by a process of its own. Then publishers are killed at random moments of a run. Every page
ends with its mark, and a record is a JSON document; anything else is torn. Prints JSON.

    python tests/faults/study_torn_pages.py --publishes 1000 --kills 1000
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pathlib
import random
import re
import signal
import tempfile
import time
from typing import Any

from qbase.lake import Workspace, open_workspace
from qbase.reports import close_dead_runs, run_report
from qbase.reports.executing import papermill_engine

FILES = ("plain.html", "plain.json", "index.html", "feed.json")
RUN_ID = re.compile(rb'<meta name="qbase-run" content="([\w-]+)">')


def execute(job: papermill_engine.Job) -> None:
    """Stand for the cells: all of them count as executed, and the record is that of the run."""
    job.executed, job.started = job.notebook, True
    for number, cell in enumerate([c for c in job.executed.cells if c.cell_type == "code"], 1):
        cell.execution_count = number
    results: dict[str, Any] = {"schema": 1, "sentinel": job.environment["QBASE_RUN_ID"], "snapshot": ""}
    results |= {name: [] for name in ("sources", "results", "scorecards")}
    results |= {name: {} for name in ("tables", "figures", "shown")}
    (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")


def write_letter(workspace: Workspace) -> None:
    """Write the letter that is published."""
    cells = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "execution_count": None, "outputs": []}
        for source, tags in (
            ("year: int = 2024  # 年份 | Year", ["parameters"]),
            ("from qbase.core import record\nyear\nrecord()", []),
        )
    ]
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (workspace.notebooks / "plain.ipynb").write_text(json.dumps(document), encoding="utf-8")
    spec = 'notebook = "notebooks/plain.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'
    (workspace.specs / "plain.toml").write_text(spec, encoding="utf-8")


def is_torn(name: str, data: bytes) -> bool:
    """Return whether a file is not what its publisher wrote, from the first byte to the last."""
    if name.endswith(".html"):
        return not data.lower().startswith(b"<!doctype html>") or not data.rstrip().endswith(b"</html>")
    try:
        return not isinstance(json.loads(data), dict)
    except ValueError:
        return True


def poll(site: str, told: Any, ended: Any) -> None:
    """Read the files of a site until told to end; tell how often, what was torn, and which runs were seen."""
    reads, torn, seen = 0, 0, set()
    while not ended.is_set():
        for name in FILES:
            data = pathlib.Path(site, name).read_bytes()
            reads, torn = reads + 1, torn + is_torn(name, data)
            if name == "plain.html" and (found := RUN_ID.search(data)):
                seen.add(found[1])
    told.put((reads, torn, len(seen)))


def publish(root: str, times: int) -> None:
    """Publish the letter so many times; the work of a process that may be killed."""
    papermill_engine.execute = execute
    workspace = open_workspace(root)
    for _ in range(times):
        run_report(workspace, "plain", force=True)


def main() -> None:
    """Run the study."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--publishes", type=int, default=1000)
    asked.add_argument("--kills", type=int, default=1000)
    given, draws = asked.parse_args(), random.Random(13)
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        workspace = Workspace.create(pathlib.Path(folder) / "home")
        write_letter(workspace)
        root, site = str(workspace.root), str(workspace.site)
        publish(root, 1)
        told, ended, began = context.Queue(), context.Event(), time.monotonic()
        reader = context.Process(target=poll, args=(site, told, ended))
        reader.start()
        versions = {}
        for _ in range(given.publishes):
            publish(root, 1)
            versions[RUN_ID.search((workspace.site / "plain.html").read_bytes())[1]] = 1  # type: ignore[index]
        each = (time.monotonic() - began) / given.publishes
        ended.set()
        reads, torn, seen = told.get()
        reader.join()
        after, inside = kill_publishers(context, workspace, given.kills, each, draws)
        print(
            json.dumps(
                {
                    "publishes": given.publishes, "versions": len(versions), "reads": reads, "versions_seen": seen,
                    "torn": torn, "seconds_each": round(each, 3), "kills": given.kills,
                    "kills_inside_a_run": inside, "torn_after_kill": after,
                    "staged_files_left": len(list(workspace.site.glob(".*.part"))),
                }
            )
        )  # fmt: skip
        if torn or after:
            raise SystemExit(1)


def kill_publishers(context: Any, workspace: Workspace, kills: int, each: float, draws: random.Random) -> Any:
    """Kill publishers at random moments; return how many files were torn, and how many died inside a run."""
    torn, inside = 0, 0
    for _ in range(kills):
        child = context.Process(target=publish, args=(str(workspace.root), 1000))
        child.start()
        time.sleep(draws.uniform(0, 2 * each))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        inside += bool(close_dead_runs(workspace))
        torn += sum(is_torn(name, (workspace.site / name).read_bytes()) for name in FILES)
    return torn, inside


if __name__ == "__main__":
    main()
