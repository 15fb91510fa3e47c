"""Thousands of reports: forks and kernels of the house against the papermill and nbconvert commands, in one run.

Three letters: *light* (a table and a plot), *heavy* (a regression and a bootstrap inside a plot) and the real trends
letter of the demo. Ours also verifies and publishes; theirs does neither. Prints lines, or JSON with ``--json``; ``--few``
runs a fraction. Figures per letter:

- ``theirs_s``, ``theirs_cpu``: seconds and processor seconds of one report by the two commands;
- ``kernel_s``, ``kernel_cpu``: of one `qbase run` with a kernel (a single report);
- ``fork_cpu``: processor seconds of one more report in a batch of forks; ``cells_cpu``: of its cells alone;
- ``overhead_cpu``: the difference; ``boot_cpu``: what a batch costs once;
- ``per_minute`` and ``theirs_per_minute``: reports a minute on ``jobs`` cores, start-up left out of ours as out of theirs;
- ``extra_run_mb``: memory of one more report at once, proportional set size at its peak.
"""

# ruff: noqa: E501  (cells are one line each)
from __future__ import annotations

import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRENDS = "20_quality_trends"
JOBS = 2
PARAMETERS = "year: int = 2024  # 年份 | Year"
TIMER = "import os, pathlib, time\nbegun = time.process_time()"
PLOT = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(6, 3))\nframe.groupby('group').y.mean().plot(ax=ax);"
DATA = (
    "import numpy as np\nimport pandas as pd\ndraws = np.random.default_rng(year)\n"
    "frame = pd.DataFrame({'group': np.repeat(np.arange(20), 50), 'x': draws.normal(size=1000)})\n"
    "frame['y'] = 0.5 * frame.x + draws.normal(size=1000)\nframe.describe()"
)
MODEL = (
    "import statsmodels.formula.api as smf\nfit = smf.ols('y ~ x + C(group)', frame).fit(\n"
    "    cov_type='cluster', cov_kwds={'groups': frame.group})\nfit.summary().tables[0]"
)
BOOTSTRAP = "import seaborn as sns\nsns.lineplot(frame, x='group', y='y', seed=year);"
BOXES = "plt.figure(); sns.boxplot(frame, x='group', y='y');"
RECORD = (
    "from qbase.core import record\nspent = time.process_time() - begun\nfolder = os.environ.get('QBASE_RUN_DIR')\n"
    "_ = folder and (pathlib.Path(folder) / 'cells_cpu').write_text(str(spent))\nrecord()"
)
LETTERS = {"light": (TIMER, DATA, PLOT, RECORD), "heavy": (TIMER, DATA, MODEL, PLOT, BOOTSTRAP, BOXES, RECORD)}
BATCH = """
import ctypes, json, os, sys, time
from qbase.lake import open_workspace
from qbase.reports import Job, run_many
home, report, jobs, params = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
ends = []
done = run_many(open_workspace(home), [Job(report_id=report, params=p, force=True) for p in params], jobs_at_once=jobs,
                engine="fork", on_done=lambda outcome: ends.append(time.perf_counter()))
assert all(outcome.error is None for outcome in done), [outcome.error for outcome in done]
print(json.dumps(ends))
# the fork server outlives the process that started it by a moment; as its heir its processor time is known
from qbase.reports.executing.fork_door import close_door
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
close_door()
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


def write_letter(home: pathlib.Path, name: str, sources: Sequence[str]) -> None:
    """Write a letter and its specification into a workspace."""
    cells = [
        {"cell_type": "code", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
        for source in (PARAMETERS, *sources)
    ]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": kernel, "cells": cells}
    (home / "notebooks" / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
    spec = f'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'
    (home / "reports" / "specs" / f"{name}.toml").write_text(spec, encoding="utf-8")


def spend(words: Sequence[str], env: dict[str, str]) -> tuple[float, float, str]:
    """Run one command; return its seconds, the processor seconds of it and all it started, and what it printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    told = subprocess.run(words, check=True, env=env, cwd=env["QBASE_HOME"], capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu, told


def params_of(report: str, count: int) -> list[dict[str, Any]]:
    """Return so many choices of a report."""
    if report == "quality_trends":
        return [{"subject": f"K{1 + i % 6:03d}"} for i in range(count)]
    return [{"year": i} for i in range(count)]


def batch(report: str, count: int, jobs: int, env: dict[str, str]) -> tuple[float, list[float]]:
    """Run a batch; return its processor seconds and when each report was done."""
    words = [sys.executable, "-c", BATCH, env["QBASE_HOME"], report, str(jobs), json.dumps(params_of(report, count))]
    _, cpu, told = spend(words, env)
    return cpu, json.loads(told.splitlines()[-1])


def peak_mb(report: str, jobs: int, env: dict[str, str], count: int) -> float:
    """Return the peak proportional set size of a batch and all it started."""
    import psutil

    words = [sys.executable, "-c", BATCH, env["QBASE_HOME"], report, str(jobs), json.dumps(params_of(report, count))]
    peak, ended = 0, threading.Event()
    process = subprocess.Popen(words, env=env, cwd=env["QBASE_HOME"], stdout=subprocess.DEVNULL)
    threading.Thread(target=lambda: (process.wait(), ended.set()), daemon=True).start()
    while not ended.wait(0.03):
        total = 0
        try:
            for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
                for line in pathlib.Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines():
                    total += int(line.split()[1]) if line.startswith("Pss:") else 0
        except (OSError, psutil.Error):
            continue
        peak = max(peak, total)
    return peak / 1024


def cells_cpu(home: pathlib.Path, report: str) -> float | None:
    """Return the median processor seconds that the cells of a letter with a timer took."""
    spent = [float(path.read_text()) for path in (home / "reports" / "runs" / report).glob("*/cells_cpu")]
    return statistics.median(spent) if spent else None


def measure(home: pathlib.Path, report: str, notebook: str, env: dict[str, str], few: bool) -> dict[str, Any]:
    """Measure one letter in every way."""
    python = [sys.executable, "-m"]
    runs, small, large = (1, 4, 10) if few else (3, 10, 50)
    executed, source = str(home / "executed.ipynb"), str(home / "notebooks" / f"{notebook}.ipynb")
    theirs, single = [], []
    for _ in range(runs):
        first = spend([*python, "papermill", source, executed, "--no-progress-bar"], env)
        second = spend([*python, "jupyter", "nbconvert", "--to", "html", executed], env)
        theirs.append((first[0] + second[0], first[1] + second[1]))
        single.append(spend([*python, "qbase", "run", report, "--force", "--home", str(home)], env)[:2])
    shutil.rmtree(home / "reports" / "runs", ignore_errors=True)
    few_cpu, _ = batch(report, small, JOBS, env)
    many_cpu, ends = batch(report, large, JOBS, env)
    more = (many_cpu - few_cpu) / (large - small)
    seconds = (ends[-1] - ends[JOBS - 1]) / (large - JOBS)
    cells = cells_cpu(home, report)
    their_seconds, their_cpu = (statistics.median(column) for column in zip(*theirs, strict=True))
    our_seconds, our_cpu = (statistics.median(column) for column in zip(*single, strict=True))
    return {
        "theirs_s": round(their_seconds, 2), "theirs_cpu": round(their_cpu, 2),
        "kernel_s": round(our_seconds, 2), "kernel_cpu": round(our_cpu, 2), "fork_cpu": round(more, 3),
        "cells_cpu": cells and round(cells, 3), "overhead_cpu": cells and round(more - cells, 3),
        "boot_cpu": round(few_cpu - small * more, 1), "per_minute": round(60 / seconds, 1),
        "theirs_per_minute": round(60 / their_seconds, 1), "times_cpu": round(their_cpu / more, 1),
        "extra_run_mb": round(peak_mb(report, 2, env, small) - peak_mb(report, 1, env, small), 1),
    }  # fmt: skip


def main() -> int:
    """Measure the letters in turn."""
    few, wanted = "--few" in sys.argv[1:], [w for w in sys.argv[1:] if not w.startswith("--")]
    with tempfile.TemporaryDirectory(prefix="qbase-bench-") as folder:
        home = pathlib.Path(folder)
        for name in ("notebooks", "reports/specs"):
            shutil.copytree(ROOT / name, home / name)
        env = {**os.environ, "QBASE_HOME": folder, "PYTHONPATH": str(ROOT)}
        spend([sys.executable, "-m", "qbase", "demo", "--no-run", "--home", folder], env)
        found: dict[str, Any] = {"cores": os.cpu_count(), "jobs": JOBS}
        for name, sources in LETTERS.items():
            write_letter(home, name, sources)
        for report, notebook in {**{name: name for name in LETTERS}, "quality_trends": TRENDS}.items():
            if not wanted or report in wanted:
                found[report] = measure(home, report, notebook, env, few)
                if "--json" not in sys.argv[1:]:
                    sys.stdout.write(f"{report}: {found[report]}\n")
    if "--json" in sys.argv[1:]:
        sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
