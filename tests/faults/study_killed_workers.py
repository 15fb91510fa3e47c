"""Hundreds of light runs on Dask workers that are killed at random again and again: each published exactly once?

A nanny starts every killed worker anew. At the end the whole batch is asked for once more, which must change nothing.
Held: every report has one good run in the ledger and one whole page that is what its run wrote, and after each kill no
process that the worker had started lives. Prints JSON.

    python tests/faults/study_killed_workers.py --runs 300 --kills 15
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from qbase.lake import Workspace, list_runs  # noqa: E402
from qbase.reports import Job, Outcome, reconcile_runs, run_on_cluster  # noqa: E402
from tests.faults.dask_machines import (  # noqa: E402
    Machines,
    descendants,
    end_within,
    open_machines,
    write_letter,
)

ORPHANS_END_S = 2.0
SEED = 5


class Killer(threading.Thread):
    """Kills a worker at random after so many reports are done."""

    def __init__(self, machines: Machines, points: list[int], done: list[Outcome]) -> None:
        super().__init__(daemon=True)
        self.machines, self.points, self.done = machines, points, done
        self.draws, self.kills, self.orphans = random.Random(SEED), 0, 0

    def run(self) -> None:
        """Kill, wait, and count what is left."""
        for point in self.points:
            while len(self.done) < point:
                time.sleep(0.01)
            time.sleep(self.draws.uniform(0, 0.5))
            pids = self.machines.pids()
            if not pids:
                continue
            victim = self.draws.choice(pids)
            below = descendants(victim)
            os.kill(victim, signal.SIGKILL)
            self.kills += 1
            self.orphans += len(end_within(below, ORPHANS_END_S))


def judge(workspace: Workspace, runs: int) -> dict[str, Any]:
    """Hold ledger and pages against what was asked."""
    rows = list_runs(workspace, limit=10**9)
    good = collections.Counter(int(row.params["number"]) for row in rows if row.state == "ok")
    told = reconcile_runs(workspace)[0]
    # a runner killed before it could write its first row leaves a folder, which the doctor names
    empty = [one for one in told if one.kind == "extra" and one.path.startswith("reports/runs/")]
    shown = {json.loads(path.read_text("utf-8"))["params"]["number"] for path in workspace.site.glob("light~*.json")}
    return {
        "states": dict(collections.Counter(row.state for row in rows)),
        "missing": len(set(range(1, runs + 1)) - set(good)) + len(set(range(1, runs + 1)) - shown),
        "published_twice": sum(count > 1 for count in good.values()),
        "disagreements": [one.payload() for one in told if one not in empty][:5],
        "folders_without_a_row": len(empty),
        "staged_files_left": len(list(workspace.site.glob(".*.part"))),
    }


def main() -> None:
    """Run the study."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--runs", type=int, default=300)
    asked.add_argument("--kills", type=int, default=15)
    asked.add_argument("--workers", type=int, default=2)
    given = asked.parse_args()
    points = sorted(random.Random(SEED).sample(range(given.runs - 10), given.kills))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = pathlib.Path(folder)
        workspace = Workspace.create(place / "home")
        write_letter(workspace)
        jobs = [Job(report_id="light", params={"number": number}) for number in range(1, given.runs + 1)]
        done: list[Outcome] = []
        again: list[Outcome] = []
        with open_machines(place / "dask", given.workers) as machines:
            killer, began = Killer(machines, points, done), time.monotonic()
            killer.start()
            outcomes = run_on_cluster(workspace, jobs, machines.address, on_done=done.append, on_retry=again.append)
            seconds = time.monotonic() - began
            killer.join(60)
            failed = [str(outcome.error) for outcome in outcomes if outcome.error]
            machines.wait(given.workers)
            changed = [o for o in run_on_cluster(workspace, jobs, machines.address) if o.record.state != "unchanged"]  # type: ignore[union-attr]
        told = judge(workspace, given.runs)
    facts = {"runs": given.runs, "kills": killer.kills, "orphans": killer.orphans, "seconds": round(seconds)}
    print(json.dumps({**facts, "tried_again": len(again), "failed": failed[:3], "changed": len(changed), **told}))
    if killer.orphans or failed or changed or told["missing"] or told["published_twice"] or told["disagreements"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
