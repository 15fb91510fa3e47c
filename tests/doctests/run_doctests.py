"""Run the examples of every docstring on a small demo workspace, and hold their output to what the docstring shows.

``open_workspace()`` in an example opens that workspace: the province of ``qbase demo``. What an example writes goes
into a temporary folder, which is the working folder while it runs.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ["-q", "-p", "no:cacheprovider", "-o", "testpaths=qbase", "--doctest-modules", "--import-mode=importlib"]
# started as processes of their own, never imported
ALONE = (
    "qbase/__main__.py",
    "qbase/demo/__main__.py",
    "qbase/reports/executing/run_kernel.py",
    "qbase/reports/running/fork_preload.py",
)


def build_home(home: pathlib.Path) -> dict[str, str]:
    """Load the small demo into a fresh workspace and return the environment that points to it."""
    env = {**os.environ, "QBASE_HOME": str(home), "QBASE_LANG": "en", "PYTHONPATH": str(ROOT)}
    for name in ("QBASE_RUN_DIR", "QBASE_RUN_ID"):
        env.pop(name, None)
    words = [sys.executable, "-m", "qbase", "demo", "--no-run", "--quiet", "--home", str(home)]
    subprocess.run(words, check=True, env=env, cwd=ROOT, stdout=subprocess.DEVNULL)
    return env


def main(places: list[str]) -> int:
    """Run the examples below some places, the whole package by default."""
    with tempfile.TemporaryDirectory(prefix="qbase-examples-") as folder:
        scratch = pathlib.Path(folder) / "scratch"
        scratch.mkdir()
        env = build_home(pathlib.Path(folder) / "home") | {"TMPDIR": folder, "COLUMNS": "120"}
        left_out = [f"--ignore={ROOT / path}" for path in ALONE]
        named = [str((ROOT / place).resolve()) for place in places or ["qbase"]]
        words = [sys.executable, "-m", "pytest", *WORDS, "-c", str(ROOT / "pyproject.toml"), *left_out, *named]
        return subprocess.run(words, env=env, cwd=scratch).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
