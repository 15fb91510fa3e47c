"""This build against the build of before, in turn and in one run: processor seconds of loading, panels and reports.

``--base DIR`` is another checkout with an environment of its own (``git worktree add DIR COMMIT; make -C DIR test``).
Every job is a process of its own in either checkout; a ratio is the median over the rounds of ours by theirs.

- ``intake``: a CSV of inspections and a folder of small workbooks into a fresh workspace.
- ``panel``: the batch rate, naive and post-stratified, by cluster and by town, everything counted.
- ``report``: what ``make report`` does: demo, a real case, three letters run, checked and published.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

from bench_intake import write_inspections, write_workbooks
from bench_start import cpu_seconds

OURS = pathlib.Path(__file__).resolve().parents[2]
INTAKE = """
import pathlib, sys
from qbase.intake import load_files
from qbase.lake import Workspace
folder, given = map(pathlib.Path, sys.argv[1:])
for name in ("large.csv", "books"):
    load_files(Workspace.create(folder / name), [given / name])
"""
PANEL = """
import pathlib, shutil, sys
from qbase.indicators import build_panel
from qbase.lake import open_workspace
home = open_workspace(sys.argv[2])
for entity in ("cluster_id", "town_code"):
    for sampling in ("naive", "post_stratified"):
        for kept in (".cells", ".panels"):
            shutil.rmtree(home.lake / kept, ignore_errors=True)
        build_panel(home, "D1.batch", entity=entity, sampling=sampling)
"""
REPORT = """
import shutil, subprocess, sys
for place in ("reports/specs", "notebooks"):
    shutil.copytree(place, sys.argv[1] + "/home/" + place)
home = ["--home", sys.argv[1] + "/home"]
for words in (["demo", "--no-run"], ["load", "--case", "us_scrap_grants"],
              ["run", "quality_trends", "policy_effects", "us_scrap_grants", "--jobs", "2"]):
    subprocess.run([sys.executable, "-m", "qbase", *words, *home], check=True, stdout=subprocess.DEVNULL)
"""
JOBS = {"intake": INTAKE, "panel": PANEL, "report": REPORT}


def spend(checkout: pathlib.Path, words: list[str]) -> float:
    """Run a Python of a checkout and return the processor seconds of it and its children."""
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    return cpu_seconds(checkout / ".venv" / "bin" / "python", checkout, words, env)


def prepare(checkout: pathlib.Path, home: pathlib.Path) -> None:
    """Make the workspace the panels are built from."""
    spend(checkout, ["-m", "qbase", "demo", "--no-run", "--quiet", "--home", str(home)])


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--base", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--jobs", nargs="*", default=list(JOBS), choices=list(JOBS))
    given = parser.parse_args()
    if given.base is None:
        sys.stdout.write("before: name a checkout of the build of before with --base DIR\n")
        return 0
    answer: dict[str, object] = {"rounds": given.rounds, "rows": given.rows, "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="qbase-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "books").mkdir()
        write_inspections(folder / "large.csv", given.rows)
        write_workbooks(folder / "books", 60)
        builds = {"ours": OURS, "before": given.base.resolve()}
        for build, checkout in builds.items():
            prepare(checkout, folder / build)
        for job in given.jobs:
            found: dict[str, list[float]] = {build: [] for build in builds}
            for _ in range(given.rounds):
                for build, checkout in builds.items():
                    scratch = folder / "scratch"
                    scratch.mkdir()
                    place = folder / build if job == "panel" else folder
                    found[build].append(spend(checkout, ["-c", JOBS[job], str(scratch), str(place)]))
                    shutil.rmtree(scratch)
            ratio = statistics.median(a / b for a, b in zip(found["ours"], found["before"], strict=True))
            middle = {build: round(statistics.median(seconds), 2) for build, seconds in found.items()}
            answer[job] = {"cpu_ratio": round(ratio, 3), **middle}
    sys.stdout.write((json.dumps(answer, indent=1) if given.json else str(answer)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
