"""How fast a page is rendered and verified, a long table cleaned, the gallery of a thousand pages brought up to date.

CPU seconds of one process, medians of ``--rounds``; bytes of the pages beside them. ``--base DIR`` names another
checkout with its own ``.venv``: it does the same over the same executed letters afterwards, and the ratio is ours by
theirs (below 1 is faster). ``--home DIR`` names a workspace whose reports have run; without it the demo is made (about
a minute). A build whose renderer takes other arguments says so instead of a number.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from bench_start import make_home

OURS = pathlib.Path(__file__).resolve().parents[2]
GOALS = {"render and verify a page": 0.25, "clean 20,000 rows": 1.0, "gallery, one of 1,000 changed": 1.0}
MOST_BYTES = 1_500_000
MEASURED = """
import json, pathlib, sys, tempfile, time
import nbformat
from qbase.core import RunRecord
from qbase.lake import open_workspace
from qbase.release import clean_html, verify_report
from qbase.reports import build_gallery, read_spec
from qbase.reports.rendering.page_rendering import render_report

home, rounds = open_workspace(sys.argv[1]), int(sys.argv[2])
told = {"render": [], "verify": [], "clean": [], "gallery": [], "gallery, nothing changed": [], "bytes": {}}

def timed(name, call):
    before = time.process_time()
    found = call()
    told[name].append(time.process_time() - before)
    return found

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    pages = []
    for path in sorted(home.runs.glob("*/*/run.ipynb")):
        if (path.parent / "report.html").is_file():
            known = json.loads((path.parent / "run.json").read_text("utf-8"))
            run = RunRecord(**{name: value for name, value in known.items() if name in RunRecord.__dataclass_fields__})
            results = json.loads((path.parent / "results.json").read_text("utf-8"))
            pages.append((path, run, results))
    for turn in range(rounds + 1):
        for path, run, results in pages:
            spec, notebook = read_spec(home, run.report_id), nbformat.read(path, as_version=4)
            if turn == 1:
                told["render"].clear(), told["verify"].clear()
            page = timed("render", lambda: render_report(notebook, spec=spec, run=run, results=results))
            out = folder / f"{run.report_id}.html"
            out.write_text(page, "utf-8")
            timed("verify", lambda: verify_report(out, record=results))
            told["bytes"][run.report_id] = len(page.encode())
    rows = "".join(f"<tr><td>{i}</td><td>firm {i}</td><td>{i % 97}.5</td></tr>" for i in range(20_000))
    table = f"<table><thead><tr><th>no</th><th>name</th><th>rate</th></tr></thead><tbody>{rows}</tbody></table>"
    for _ in range(rounds):
        timed("clean", lambda: clean_html(table))
    site = folder / "site"
    site.mkdir()
    first = min(p for p in home.site.glob("*.json") if p.name != "feed.json")
    meta = json.loads(first.read_text("utf-8"))
    for i in range(1000):
        params = {"entity": "cluster_id", "subject": f"K{i:04d}"}
        own = {**meta, "report_id": "trends", "key": f"trends~K{i:04d}", "params": params,
               "subject": {"zh": f"集群 {i}", "en": f"cluster {i}"},
               "finished_at": f"2026-11-{1 + i % 28:02d}T09:00:00Z"}
        (site / f"trends~K{i:04d}.html").write_text("<p>page</p>")
        (site / f"trends~K{i:04d}.json").write_text(json.dumps(own), "utf-8")
    build_gallery(site)
    for turn in range(rounds):
        one = site / f"trends~K{400 + turn:04d}.json"
        own = {**json.loads(one.read_text("utf-8")), "finished_at": f"2026-12-0{turn + 1}T09:00:00Z"}
        one.write_text(json.dumps(own), "utf-8")
        timed("gallery", lambda: build_gallery(site))
        timed("gallery, nothing changed", lambda: build_gallery(site))
    shown = [*site.glob("index.html"), *site.glob("by/*")]
    told["bytes"]["largest of the gallery"] = max(p.stat().st_size for p in shown)
print(json.dumps(told))
"""


def measure(checkout: pathlib.Path, home: pathlib.Path, rounds: int) -> dict[str, Any]:
    """Run the rounds in a process of a checkout; an error of its API is told by its last line."""
    env = {**os.environ, "PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1"}
    python = checkout / ".venv" / "bin" / "python"
    words = [str(python), "-c", MEASURED, str(home), str(rounds)]
    done = subprocess.run(words, cwd=checkout, env=env, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        return {"not measured": done.stderr.strip().splitlines()[-1]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def sums_of(told: dict[str, Any]) -> dict[str, float]:
    """Return the medians by the names of the goals."""
    render, verify = (statistics.median(told[name]) for name in ("render", "verify"))
    return {
        "render a page": render,
        "verify a page": verify,
        "render and verify a page": render + verify,
        "clean 20,000 rows": statistics.median(told["clean"]),
        "gallery, one of 1,000 changed": statistics.median(told["gallery"]),
        "gallery, nothing changed": statistics.median(told["gallery, nothing changed"]),
    }


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=pathlib.Path)
    parser.add_argument("--base", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qb-bench-") as folder:
        home = make_home(asked.home or pathlib.Path(folder) / "home").resolve()
        ours = measure(OURS, home, asked.rounds)
        theirs = {} if asked.base is None else measure(asked.base.resolve(), home, asked.rounds)
    found: dict[str, Any] = {"load": os.getloadavg()[0], "goals": GOALS, "most_bytes": MOST_BYTES}
    found |= {"ours": ours} if "render" not in ours else {"cpu_seconds": sums_of(ours), "bytes": ours["bytes"]}
    if "render" in theirs and "render" in ours:
        before = sums_of(theirs)
        found["before"] = {"cpu_seconds": before, "bytes": theirs["bytes"]}
        found["ratio"] = {name: value / before[name] for name, value in found["cpu_seconds"].items()}
    elif theirs:
        found["before"] = theirs
    if asked.json:
        print(json.dumps(found, indent=1))
        return 0
    for name, seconds in found.get("cpu_seconds", {}).items():
        goal = f"goal {GOALS[name]:.2f}" if name in GOALS else ""
        ratio = f"{found['ratio'][name]:5.2f} of before" if "ratio" in found else ""
        print(f"{name:32} {seconds:6.3f} s CPU   {goal:10} {ratio}")
    for name, size in found.get("bytes", {}).items():
        print(f"{name:32} {size / 1e6:6.2f} MB        goal {MOST_BYTES / 1e6:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
