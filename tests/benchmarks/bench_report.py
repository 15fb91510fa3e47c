"""A report from letter to verified page, against the papermill and nbconvert commands on the same letter, in one run.

Prints one line, or JSON with ``--json``: median seconds of each and their ratio (ours / theirs; below 1 is faster).
Ours also verifies and publishes.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]
LETTER = ROOT / "notebooks" / "20_quality_trends.ipynb"
RUNS = 3


def seconds(words: Sequence[str], env: dict[str, str]) -> float:
    """Run one command and return its wall time."""
    start = time.perf_counter()
    subprocess.run(words, check=True, env=env, cwd=ROOT, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    """Measure both ways in turn."""
    with tempfile.TemporaryDirectory(prefix="qbase-bench-") as folder:
        home = pathlib.Path(folder)
        for name in ("notebooks", "reports/specs"):
            shutil.copytree(ROOT / name, home / name)
        env = {**os.environ, "QBASE_HOME": folder}
        python = [sys.executable, "-m"]
        qbase = [*python, "qbase"]
        subprocess.run([*qbase, "demo", "--no-run", "--home", folder], check=True, env=env, capture_output=True)
        ours, theirs = [], []
        for _ in range(RUNS):
            ours.append(seconds([*qbase, "run", "quality_trends", "--force", "--home", folder], env))
            executed = str(home / "executed.ipynb")
            papermill = [*python, "papermill", str(LETTER), executed, "--no-progress-bar"]
            nbconvert = [*python, "jupyter", "nbconvert", "--to", "html", executed]
            theirs.append(seconds(papermill, env) + seconds(nbconvert, env))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    figures = {
        "qbase_s": round(statistics.median(ours), 2),
        "papermill_nbconvert_s": round(statistics.median(theirs), 2),
        "ratio": round(statistics.median(ratios), 2),
    }
    sys.stdout.write((json.dumps(figures) if "--json" in sys.argv[1:] else f"report: {figures}") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
