"""How fast the command line starts, in CPU seconds (user + system) of the whole process, beside Python's own start.

Prints one line a call, or JSON with ``--json``: the median of five. ``--base DIR`` names another checkout with its own
``.venv``: its calls run in turn with ours, and the ratio (ours / theirs; below 1 is faster) is the median over pairs.

Both find their bytecode in a temporary folder, as an installation that was used once does; with ``--as-is`` the
environment decides (``PYTHONDONTWRITEBYTECODE`` makes every start compile what is not compiled yet).
``--home DIR`` names a workspace with runs; without it the demo is made in a temporary folder (about a minute).
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUNDS = 5
REPORT = "quality_trends"
LETTER = "20_quality_trends.ipynb"
PASS, IMPORT, HELP = "python -c pass", "import qbase as qb", "qbase --help"
GOALS = {IMPORT: 0.15, HELP: 0.15, "qbase list": 0.5, "qbase runs": 0.5, f"qbase inspect {REPORT}": 0.5}


def calls_of(home: pathlib.Path) -> dict[str, list[str]]:
    """Return the calls by name, as words after the interpreter."""
    at = ["--home", str(home)]
    calls = {PASS: ["-c", "pass"], IMPORT: ["-c", "import qbase as qb"], HELP: ["-m", "qbase", "--help"]}
    return calls | {name: ["-m", *name.split(), *at] for name in GOALS if name not in calls}


def make_home(home: pathlib.Path) -> pathlib.Path:
    """Make the demo with its runs, where there is none, and add the report that is inspected."""
    if not (home / "reports" / "specs").is_dir():
        demo = [sys.executable, "-m", "qbase", "demo", "--home", str(home), "--quiet"]
        subprocess.run(demo, cwd=ROOT, check=True, capture_output=True)
    for source, folder in (
        (ROOT / "reports/specs" / f"{REPORT}.toml", "reports/specs"),
        (ROOT / "notebooks" / LETTER, "notebooks"),
    ):
        if not (home / folder / source.name).exists():
            shutil.copy(source, home / folder)
    return home


def cpu_seconds(python: pathlib.Path, root: pathlib.Path, words: Sequence[str], env: dict[str, str]) -> float:
    """Return user and system seconds of one call; its working folder decides which checkout is imported."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(python), *words], cwd=root, env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def environment(cache: pathlib.Path, *, as_is: bool) -> dict[str, str]:
    """Return the environment of the calls of one checkout."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "QBASE_HOME")}
    if not as_is:
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        env["PYTHONPYCACHEPREFIX"] = str(cache)
    return env


def measure(home: pathlib.Path, base: pathlib.Path | None, cache: pathlib.Path, *, as_is: bool) -> dict[str, Any]:
    """Measure every call, ours and theirs in turn, after one round that is not counted."""
    sides = {"ours": (pathlib.Path(sys.executable), ROOT, environment(cache / "ours", as_is=as_is))}
    if base is not None:
        sides["theirs"] = (base / ".venv/bin/python", base, environment(cache / "theirs", as_is=as_is))
    found: dict[str, Any] = {}
    for name, words in calls_of(home).items():
        rounds = [
            {side: cpu_seconds(python, root, words, env) for side, (python, root, env) in sides.items()}
            for _ in range(ROUNDS + 1)
        ][1:]
        medians = {side: round(statistics.median(r[side] for r in rounds), 4) for side in sides}
        found[name] = {"cpu_seconds": medians["ours"], "goal": GOALS.get(name)}
        if base is not None:
            ratio = statistics.median(r["ours"] / r["theirs"] for r in rounds)
            found[name] |= {"base_cpu_seconds": medians["theirs"], "ratio": round(ratio, 3)}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--base", type=pathlib.Path)
    parser.add_argument("--home", type=pathlib.Path)
    parser.add_argument("--as-is", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = make_home((given.home or pathlib.Path(folder) / "home").resolve())
        base = None if given.base is None else given.base.resolve()
        calls = measure(home, base, pathlib.Path(folder), as_is=given.as_is)
    if given.json:
        facts = {
            "rounds": ROUNDS,
            "bytecode": "as is" if given.as_is else "cached",
            "base": str(base) if base else None,
        }
        print(json.dumps({**facts, "calls": calls}, ensure_ascii=False, indent=2))
        return
    for name, call in calls.items():
        goal = f"  (goal {call['goal']:.2f})" if call["goal"] else ""
        ratio = f"  {call['ratio']:.2f} of {call['base_cpu_seconds']:.3f} s" if base else ""
        print(f"{name:<30} {call['cpu_seconds']:.3f} s{goal}{ratio}")


if __name__ == "__main__":
    main()
