"""Reports on Dask workers against the pool of this machine, on the real trends letter of the demo.

Both run the same forced batch with as many runs at once: ``--jobs 2`` here, two workers of one thread there, which were
started and have loaded the libraries before. Start-up falls out of the difference of a small and a large batch. Prints
lines, or JSON with ``--json``; ``--few`` runs a fraction.

- ``pool``, ``dask``: ``cpu_s`` of one more page, ``seconds`` between two pages when all is going on.
- ``ratio_cpu``, ``ratio_wall``: what the pool takes by what Dask takes; 0.8 is what the issue asks for.
- ``load``: load averages before and after; only ``ratio_cpu`` says something on a busy machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

import psutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from qbase.lake import open_workspace  # noqa: E402
from qbase.reports import Job, run_many, run_on_cluster  # noqa: E402
from tests.faults.dask_machines import Machines, open_machines  # noqa: E402

JOBS = 2
REPORT = "quality_trends"


def jobs(count: int) -> list[Job]:
    """Return so many forced jobs; the demo has twelve clusters, and their dates tell them apart."""
    return [
        Job(report_id=REPORT, params={"subject": f"K{1 + i % 12:03d}"}, slot=f"2026-01-{1 + i // 12:02d}", force=True)
        for i in range(count)
    ]


def spent(pids: list[int]) -> float:
    """Return the processor seconds of processes and all they started, ended ones too."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(pid)
            for one in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    total += sum(one.cpu_times()[:4])
    return total


def measure(run: Any, pids: list[int], few: bool) -> dict[str, float]:
    """Return what one more page takes, after a batch that warmed everything up."""
    run(jobs(2 * JOBS))
    found = []
    for count in (4, 12) if few else (6, 30):
        before, began = spent(pids), time.perf_counter()
        outcomes = run(jobs(count))
        assert all(outcome.error is None for outcome in outcomes), [o.error for o in outcomes if o.error][:3]
        found.append((count, spent(pids) - before, time.perf_counter() - began))
    (small, small_cpu, small_s), (large, large_cpu, large_s) = found
    return {
        "cpu_s": round((large_cpu - small_cpu) / (large - small), 3),
        "seconds": round((large_s - small_s) / (large - small), 3),
    }


def on_dask(home: pathlib.Path, machines: Machines, few: bool) -> dict[str, float]:
    """Measure the workers, their scheduler and this process."""
    workspace = open_workspace(home)
    pids = [os.getpid()]  # everything is a child of this process
    return measure(lambda asked: run_on_cluster(workspace, asked, machines.address), pids, few)


def in_pool(home: pathlib.Path, few: bool) -> dict[str, float]:
    """Measure the pool of this machine."""
    workspace = open_workspace(home)
    return measure(lambda asked: run_many(workspace, asked, jobs_at_once=JOBS, engine="fork"), [os.getpid()], few)


def main() -> int:
    """Measure both, one after the other."""
    few, as_json = "--few" in sys.argv, "--json" in sys.argv
    load = [round(os.getloadavg()[0], 1)]
    with tempfile.TemporaryDirectory(prefix="qbase-bench-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        home = folder / "home"
        for part in ("notebooks", "reports/specs"):
            shutil.copytree(ROOT / part, home / part)
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        demo = [sys.executable, "-m", "qbase", "demo", "--no-run", "--quiet", "--home", str(home)]
        subprocess.run(demo, env=env, check=True)
        pool = in_pool(home, few)
        from qbase.reports.executing.fork_door import close_door

        close_door()
        with open_machines(folder / "dask", JOBS, nanny=False) as machines:
            dask = on_dask(home, machines, few)
    found = {
        "pool": pool, "dask": dask, "ratio_cpu": round(pool["cpu_s"] / dask["cpu_s"], 2),
        "ratio_wall": round(pool["seconds"] / dask["seconds"], 2), "load": [*load, round(os.getloadavg()[0], 1)],
    }  # fmt: skip
    sys.stdout.write(json.dumps(found) + "\n" if as_json else "".join(f"{k}: {v}\n" for k, v in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
