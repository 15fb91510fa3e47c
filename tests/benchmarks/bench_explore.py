"""How fast exploring answers, in CPU seconds: the import, the first figure of a fresh kernel, a change of a control.

Prints one line a question, or JSON with ``--json``. The import and the first figure are whole processes less an empty
one, the median of five; a change is the median over controls of an open explorer: once where what is asked for was
counted before (``kept``), and once where it is asked for the first time (``new window``).
``--home DIR`` names a workspace with the demo; without it one is made in a temporary folder (about a minute).
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

from bench_start import cpu_seconds, make_home

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUNDS = 5
WINDOW = {"first": "2019Q1", "last": "2025Q4"}
FIGURE = (
    "import qbase as qb; panel = qb.build_panel(qb.open_workspace(), 'D1.batch', first='2019Q1', last='2025Q4'); "
    "qb.plot(qb.estimate_level(panel, 'D1.batch', entity='K003'))"
)
CALLS = {"import": "import qbase as qb", "first figure": FIGURE}
GOALS = {"import": 0.15, "first figure": 2.0, "change, kept": 0.3, "change, new window": 0.3}


def time_starts(home: pathlib.Path, cache: pathlib.Path) -> dict[str, float]:
    """Return CPU seconds of the calls beyond those of an empty process."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # bytecode of a folder of its own, as an installation that was used once has it
    env |= {"QBASE_HOME": str(home), "PYTHONPYCACHEPREFIX": str(cache)}
    python = pathlib.Path(sys.executable)

    def spent(line: str) -> float:
        cpu_seconds(python, ROOT, ["-c", line], env)
        return statistics.median(cpu_seconds(python, ROOT, ["-c", line], env) for _ in range(ROUNDS))

    empty = spent("pass")
    return {name: spent(line) - empty for name, line in CALLS.items()}


def time_changes(home: pathlib.Path) -> dict[str, float]:
    """Return CPU seconds of changes of the controls of one explorer."""
    from qbase.explore import View, open_explorer
    from qbase.lake import Workspace

    explorer = open_explorer(Workspace(home), View(subject="K003", **WINDOW))

    def spent(name: str, value: object) -> float:
        before = time.process_time()
        explorer.controls[name].value = value
        assert explorer.seen is not None
        return time.process_time() - before

    looks = [("subject", f"K00{i}") for i in (1, 2, 4, 5)] + [("method", m) for m in ("control", "change", "level")]
    for name, value in looks:
        spent(name, value)
    kept = [spent(name, value) for name, value in looks]
    periods = explorer.controls["window"].options
    new = [spent("window", (periods[i], periods[-1])) for i in range(2, 2 + ROUNDS)]
    return {"change, kept": statistics.median(kept), "change, new window": statistics.median(new)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qb-bench-") as folder:
        home = make_home(asked.home or pathlib.Path(folder) / "home").resolve()
        found = {**time_starts(home, pathlib.Path(folder) / "cache"), **time_changes(home)}
    if asked.json:
        print(json.dumps({"cpu_seconds": found, "goals": GOALS}, indent=1))
        return
    for name, seconds in found.items():
        print(f"{name:20} {seconds:6.3f} s CPU   goal {GOALS[name]:.2f}")


if __name__ == "__main__":
    main()
