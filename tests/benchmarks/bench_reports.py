"""Thousands of reports: forks of the house against the papermill and nbconvert commands, and against the build of before.

Three letters: *light* (a table and a plot), *heavy* (a regression and a bootstrap inside a plot) and the real trends
letter of the demo. Ours also verifies and publishes; theirs does neither. Prints lines, or JSON with ``--json``; ``--few``
runs a fraction; words choose among ``light heavy letters memory unchanged``.

- ``light``, ``heavy``: ``per_minute`` on ``jobs`` cores, start-up left out of ours as out of theirs; ``cli_per_minute``
  of the two commands one after the other, in an environment of their own as PyPI resolves them; ``ratio_wall``,
  ``ratio_cpu`` of a report by them to one more of ours; ``ratio_wall_here``, ``ratio_cpu_here`` by the same commands in
  our environment, which leaves a slow import out; ``overhead_cpu``: of one more report beside its cells.
- ``letters``: ``cpu_s`` of one more trends page in a batch; ``ratio_before``: what the build of before (``BEFORE``, in a
  worktree and an environment of its own, made here in a temporary folder) takes for it in the same run.
- ``memory_per_run_mb``: what one more report at once adds to the peak of the proportional set size, summed over the
  process tree, for the light and the trends letter the larger one.
- ``unchanged_1000_s``: seconds to ask for a thousand reports again of which none would change.
- ``load``: load averages before and after; figures of a busy machine are pessimistic.
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
import time
from collections.abc import Sequence
from typing import Any

import psutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEFORE = "fe3da63"
JOBS = 2
COMMANDS = ("papermill==2.7.0", "nbconvert==7.17.2", "ipykernel", "pandas", "statsmodels", "seaborn")
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
LETTERS = {"light": (TIMER, DATA, PLOT), "heavy": (TIMER, DATA, MODEL, PLOT, BOOTSTRAP, BOXES)}
BATCH = """
import ctypes, json, os, sys, time
from qbase.lake import open_workspace
from qbase.reports import Job, run_many
home, report, jobs, params, force = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]), sys.argv[5] == "force"
ends, begun = [], time.perf_counter()
done = run_many(open_workspace(home), [Job(report_id=report, params=p, force=force) for p in params], jobs_at_once=jobs,
                engine="fork", on_done=lambda outcome: ends.append(time.perf_counter() - begun))
assert all(outcome.error is None for outcome in done), [outcome.error for outcome in done if outcome.error][:3]
print(json.dumps([ends, sorted({outcome.record.state for outcome in done})]))
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

Env = dict[str, str]


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


def spend(words: Sequence[str], env: Env) -> tuple[float, float, str]:
    """Run one command; return its seconds, the processor seconds of it and all it started, and what it printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, env=env, cwd=env["QBASE_HOME"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)[:200]}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu, done.stdout


def params_of(report: str, count: int) -> list[dict[str, Any]]:
    """Return so many choices of a report; the demo has twelve clusters."""
    if report == "quality_trends":
        return [{"subject": f"K{1 + i % 12:03d}"} for i in range(count)]
    return [{"year": i} for i in range(count)]


def words_of(python: str, report: str, jobs: int, params: Sequence[dict[str, Any]], env: Env, force: str) -> list[str]:
    """Return the command that runs a batch."""
    return [python, "-c", BATCH, env["QBASE_HOME"], report, str(jobs), json.dumps(params), force]


def batch(python: str, report: str, count: int, env: Env) -> tuple[float, list[float]]:
    """Run a batch; return its processor seconds and when each report was done."""
    _, cpu, told = spend(words_of(python, report, JOBS, params_of(report, count), env, "force"), env)
    return cpu, json.loads(told.splitlines()[-1])[0]


def one_more(python: str, report: str, small: int, large: int, env: Env) -> tuple[float, float]:
    """Return seconds and processor seconds of one more report in a batch: start-up falls out of the difference."""
    few, _ = batch(python, report, small, env)
    many, ends = batch(python, report, large, env)
    return (ends[-1] - ends[JOBS - 1]) / (large - JOBS), (many - few) / (large - small)


def commands(python: str, home: pathlib.Path, name: str, runs: int, env: Env) -> tuple[float, float]:
    """Return seconds and processor seconds of one report by papermill and nbconvert, the median of some."""
    executed, source = str(home / "executed.ipynb"), str(home / "notebooks" / f"plain_{name}.ipynb")
    spent = []
    for _ in range(runs):
        first = spend([python, "-m", "papermill", source, executed, "--no-progress-bar"], env)
        second = spend([python, "-m", "nbconvert", "--to", "html", executed], env)
        spent.append((first[0] + second[0], first[1] + second[1]))
    seconds, cpu = zip(*spent, strict=True)
    return statistics.median(seconds), statistics.median(cpu)


def compare(name: str, home: pathlib.Path, theirs: str, env: Env, few: bool) -> dict[str, Any]:
    """Measure one letter in forks and by the two commands, in turn."""
    runs, small, large = (1, 4, 10) if few else (3, 10, 50)
    cli, cli_cpu = commands(theirs, home, name, runs, env)
    here, here_cpu = commands(sys.executable, home, name, runs, env)
    shutil.rmtree(home / "reports" / "runs", ignore_errors=True)
    seconds, cpu = one_more(sys.executable, name, small, large, env)
    spent = [float(path.read_text()) for path in (home / "reports" / "runs" / name).glob("*/cells_cpu")]
    return {
        "per_minute": round(60 / seconds, 1), "cli_per_minute": round(60 / cli, 1),
        "ratio_wall": round(cli / seconds, 1), "ratio_cpu": round(cli_cpu / cpu, 1),
        "ratio_wall_here": round(here / seconds, 1), "ratio_cpu_here": round(here_cpu / cpu, 1),
        "cpu_s": round(cpu, 3), "overhead_cpu": round(cpu - statistics.median(spent), 3),
    }  # fmt: skip


def make_before(folder: pathlib.Path) -> pathlib.Path:
    """Check the build of before out, with an environment of its own; return its Python."""
    place = folder / "before"
    subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(place), BEFORE], cwd=ROOT, check=True)
    subprocess.run(["make", "setup"], cwd=place, check=True, capture_output=True)
    return place / ".venv" / "bin" / "python"


def drop_before(folder: pathlib.Path) -> None:
    """Take the checkout away again."""
    subprocess.run(["git", "worktree", "remove", "--force", str(folder / "before")], cwd=ROOT, check=False)


def letters(folder: pathlib.Path, env: Env, few: bool) -> dict[str, Any]:
    """Measure trends pages of this build and of the build of before, in turn."""
    small, large = (4, 10) if few else (20, 120)
    try:
        python = str(make_before(folder))
        old = {**env, "QBASE_HOME": str(folder / "home_before"), "PYTHONPATH": str(folder / "before")}
        copy_letters(folder / "before", pathlib.Path(old["QBASE_HOME"]))
        spend([python, "-m", "qbase", "demo", "--no-run", "--quiet", "--home", old["QBASE_HOME"]], old)
        seconds, cpu = one_more(sys.executable, "quality_trends", small, large, env)
        # the batch of before had no word for what is forced or not
        old_seconds, old_cpu = one_more(python, "quality_trends", small, 10 if few else 40, old)
    finally:
        drop_before(folder)
    return {
        "cpu_s": round(cpu, 3), "ratio_before": round(old_cpu / cpu, 2), "before_cpu_s": round(old_cpu, 3),
        "per_minute": round(60 / seconds, 1), "ratio_before_wall": round(old_seconds / seconds, 2),
    }  # fmt: skip


def pss_mb(process: psutil.Process) -> float:
    """Return the proportional set size of a process and all it started; one that ends in between counts nothing."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            lines = pathlib.Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def peak_mb(report: str, jobs: int, count: int, env: Env) -> float:
    """Return the peak of the proportional set size of a batch."""
    words = words_of(sys.executable, report, jobs, params_of(report, count), env, "force")
    batch_of = subprocess.Popen(words, env=env, cwd=env["QBASE_HOME"], stdout=subprocess.DEVNULL)
    peak, process = 0.0, psutil.Process(batch_of.pid)
    while batch_of.poll() is None:
        try:
            peak = max(peak, pss_mb(process))
        except psutil.Error:
            break
        time.sleep(0.02)
    if batch_of.wait():
        raise RuntimeError(f"the batch of {report} failed")
    return peak


def memory(env: Env, few: bool) -> dict[str, float]:
    """Return what one more report at once adds, by letter: the slope from one to three at once."""
    count = 6 if few else 12
    found = {}
    for report in ("light", "quality_trends"):
        peak_mb(report, 2, count, env)
        found[report] = round((peak_mb(report, 3, count, env) - peak_mb(report, 1, count, env)) / 2, 1)
    return found


def unchanged(env: Env, count: int) -> dict[str, Any]:
    """Publish so many light reports, and ask for them again."""
    params = params_of("light", count)
    spend(words_of(sys.executable, "light", JOBS, params, env, ""), env)
    seconds, cpu, told = spend(words_of(sys.executable, "light", JOBS, params, env, ""), env)
    states = json.loads(told.splitlines()[-1])[1]
    if states != ["unchanged"]:
        raise RuntimeError(f"states {states}")
    return {"reports": count, "seconds": round(seconds, 2), "cpu_s": round(cpu, 2)}


def copy_letters(checkout: pathlib.Path, home: pathlib.Path) -> None:
    """Take the letters and specifications of a checkout into a workspace."""
    for name in ("notebooks", "reports/specs"):
        shutil.copytree(checkout / name, home / name)


def make_commands(folder: pathlib.Path) -> str:
    """Make an environment with the commands as PyPI resolves them; return its Python."""
    place = folder / "commands"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, str(place)], check=True)
    python = str(place / "bin" / "python")
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *COMMANDS], check=True)
    return python


def main() -> int:
    """Measure what is asked for, in turn."""
    few, as_json = "--few" in sys.argv, "--json" in sys.argv
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")]
    found: dict[str, Any] = {"cores": os.cpu_count(), "jobs": JOBS, "load": [round(os.getloadavg()[0], 1)]}

    def tell(name: str, value: Any) -> None:
        found[name] = value
        if not as_json:
            sys.stdout.write(f"{name}: {value}\n")
            sys.stdout.flush()

    def is_wanted(name: str) -> bool:
        return not wanted or name in wanted

    with tempfile.TemporaryDirectory(prefix="qbase-bench-") as name:
        folder = pathlib.Path(name)
        home = folder / "home"
        copy_letters(ROOT, home)
        env = {**os.environ, "QBASE_HOME": str(home), "PYTHONPATH": str(ROOT)}
        spend([sys.executable, "-m", "qbase", "demo", "--no-run", "--quiet", "--home", str(home)], env)
        for letter, sources in LETTERS.items():
            write_letter(home, letter, (*sources, RECORD))
            write_letter(home, f"plain_{letter}", sources)
        if any(map(is_wanted, LETTERS)):
            theirs = make_commands(folder)
            for letter in filter(is_wanted, LETTERS):
                tell(letter, compare(letter, home, theirs, {**env, "PYTHONPATH": ""}, few))
        if is_wanted("letters"):
            tell("letters", letters(folder, env, few))
        if is_wanted("memory"):
            by_letter = memory(env, few)
            tell("memory_by_letter_mb", by_letter)
            tell("memory_per_run_mb", max(by_letter.values()))
        if is_wanted("unchanged"):
            again = unchanged(env, 100 if few else 1000)
            tell("unchanged", again)
            tell("unchanged_1000_s", None if few else again["seconds"])
    found["load"].append(round(os.getloadavg()[0], 1))
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
