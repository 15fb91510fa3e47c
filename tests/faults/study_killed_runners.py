"""Thousands of light runs whose runner is killed at random again and again: each published exactly once?

A batch of forks is started anew after every SIGKILL, with the reports that have no page yet. At the end the whole batch
is asked for once more, which must change nothing. Held: every report has one good run in the ledger and one page, every
page is whole and is what its run wrote (`reconcile_runs`), and no process of a run is left. Prints JSON.

    python tests/faults/study_killed_runners.py --runs 5000 --kills 50
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from qbase.lake import Workspace, list_runs, open_workspace
from qbase.reports import Job, close_dead_runs, reconcile_runs, run_many
from qbase.reports.executing.run_environment import find_processes

LETTER = ("number: int = 0  # 号 | Number", "shown = number * number\nshown", "from qbase.core import record\nrecord()")
SPEC = 'notebook = "notebooks/light.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'
ORPHANS_END_S = 1.0


def write_letter(workspace: Workspace) -> None:
    """Write the letter and its specification."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
        for source in LETTER
    ]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (workspace.notebooks / "light.ipynb").write_text(json.dumps(document), encoding="utf-8")
    (workspace.specs / "light.toml").write_text(SPEC, encoding="utf-8")


def published(workspace: Workspace) -> set[int]:
    """Return the numbers that have a page with its facts."""
    found = set()
    for path in workspace.site.glob("light~*.json"):
        meta = json.loads(path.read_text(encoding="utf-8"))
        found.add(int(meta["params"]["number"]))
    return found


def run_batch(home: str, first: int, last: int, jobs: int, everything: bool) -> None:
    """Run what has no page yet, or everything; the work of a runner that may be killed."""
    workspace = open_workspace(home)
    close_dead_runs(workspace)
    done = set() if everything else published(workspace)
    asked = [Job(report_id="light", params={"number": n}) for n in range(first, last) if n not in done]
    outcomes = run_many(workspace, asked, jobs_at_once=jobs, engine="fork")
    assert all(outcome.error is None for outcome in outcomes), [o.error for o in outcomes if o.error][:3]
    if everything:
        records = [outcome.record for outcome in outcomes if outcome.record]
        moved = [f"{one.params} {one.state} {one.run_id}" for one in records if one.state != "unchanged"]
        assert not moved, f"{len(moved)} of {len(records)} ran again: {moved[:5]}"


def start(workspace: Workspace, runs: int, jobs: int, everything: bool = False) -> subprocess.Popen[bytes]:
    """Start a runner of its own."""
    words = [sys.executable, __file__, "--runner", str(workspace.root), "--runs", str(runs), "--jobs", str(jobs)]
    return subprocess.Popen([*words, *(["--everything"] if everything else [])])


def main() -> None:
    """Run the study."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--runs", type=int, default=5000)
    asked.add_argument("--kills", type=int, default=50)
    asked.add_argument("--jobs", type=int, default=2)
    asked.add_argument("--runner", help=argparse.SUPPRESS)
    asked.add_argument("--everything", action="store_true", help=argparse.SUPPRESS)
    given, draws = asked.parse_args(), random.Random(5)
    if given.runner:
        run_batch(given.runner, 1, given.runs + 1, given.jobs, given.everything)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        workspace = Workspace.create(pathlib.Path(folder) / "home")
        write_letter(workspace)
        began, orphans, kills = time.monotonic(), 0, 0
        for point in sorted(draws.sample(range(given.runs), given.kills)):
            runner = start(workspace, given.runs, given.jobs)
            while runner.poll() is None and len(list(workspace.site.glob("light~*.json"))) < point:
                time.sleep(0.02)
            time.sleep(draws.uniform(0, 0.3))
            if runner.poll() is None:
                os.kill(runner.pid, signal.SIGKILL)
                kills += 1
            runner.wait()
            time.sleep(ORPHANS_END_S)
            orphans += len(find_processes({run.run_id for run in list_runs(workspace, limit=given.runs * 3)}))
        assert start(workspace, given.runs, given.jobs).wait() == 0
        seconds = time.monotonic() - began
        assert start(workspace, given.runs, given.jobs, everything=True).wait() == 0
        told = judge(workspace, given.runs)
        print(json.dumps({"runs": given.runs, "kills": kills, "orphans": orphans, "seconds": round(seconds), **told}))
        if orphans or any(told[name] for name in ("missing", "published_twice", "disagreements")):
            raise SystemExit(1)


def judge(workspace: Workspace, runs: int) -> dict[str, Any]:
    """Hold ledger and pages against what was asked."""
    rows = list_runs(workspace, limit=10**9)
    good = collections.Counter(int(row.params["number"]) for row in rows if row.state == "ok")
    wanted = set(range(1, runs + 1))
    told = reconcile_runs(workspace)[0]
    # a runner killed before it could write its first row leaves a folder, which the doctor names
    empty = [one for one in told if one.kind == "extra" and one.path.startswith("reports/runs/")]
    return {
        "states": dict(collections.Counter(row.state for row in rows)),
        "missing": len(wanted - published(workspace)) + len(wanted - set(good)),
        "published_twice": sum(count > 1 for count in good.values()),
        "disagreements": [one.payload() for one in told if one not in empty][:5],
        "folders_without_a_row": len(empty),
        "staged_files_left": len(list(workspace.site.glob(".*.part"))),
    }


if __name__ == "__main__":
    main()
