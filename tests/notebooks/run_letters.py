"""Build the demo lake in a workspace of its own, then hold every letter to its stored outputs (nbval).

``--update`` runs the letters there and stores their outputs instead.
nbval alone is not trusted (a failing ``%magic`` passes it): the letters also run through papermill elsewhere.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import nbformat
from clean_letters import clean
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).resolve().parents[2]
LETTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def build_home(home: pathlib.Path) -> dict[str, str]:
    """Load the small demo into a fresh workspace and return the environment that points to it."""
    shutil.copytree(ROOT / "reports" / "specs", home / "reports" / "specs")
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    env = {**os.environ, "QBASE_HOME": str(home), "QBASE_LANG": "zh"}
    for name in ("QBASE_RUN_DIR", "QBASE_RUN_ID"):
        env.pop(name, None)
    for words in (["demo", "--no-run", "--quiet"], ["load", "--case", "us_scrap_grants", "--quiet"]):
        subprocess.run(
            [sys.executable, "-m", "qbase", *words, "--home", str(home)],
            check=True,
            env=env,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
    return env


def update(env: dict[str, str]) -> int:
    """Execute each letter and store its text outputs."""
    os.environ.update(env)
    for path in LETTERS:
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
        ).execute()
        nbformat.validate(notebook)
        path.write_text(nbformat.writes(clean(notebook)) + "\n", encoding="utf-8")
    return 0


def check(env: dict[str, str]) -> int:
    """Run nbval over the letters."""
    words = [
        "-m",
        "pytest",
        "-p",
        "no:xdist",
        "-o",
        "addopts=",
        "-o",
        "filterwarnings=default",
        "-p",
        "no:cacheprovider",
    ]
    nbval = [
        "--nbval",
        "--nbval-sanitize-with",
        str(ROOT / "tests/notebooks/sanitize.cfg"),
        "--nbval-cell-timeout",
        "300",
    ]
    letters = [str(path) for path in LETTERS]
    return subprocess.run([sys.executable, *words, "-q", *nbval, *letters], env=env, cwd=ROOT).returncode


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="qbase-letters-") as folder:
        environment = build_home(pathlib.Path(folder))
        sys.exit(update(environment) if "--update" in sys.argv[1:] else check(environment))
