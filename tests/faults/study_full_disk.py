"""A real file system that is full at another kilobyte each time: does the report before stay, is the reason told?

Starts itself in a user and mount namespace of its own (``unshare -Urm``, no root needed) and mounts a small tmpfs. The
room left grows by a step until a run passes; every run is of the stand-in of study_torn_pages.py. Prints JSON.

    python tests/faults/study_full_disk.py --step 4
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from qbase.core.errors import QbaseError
from qbase.lake import Workspace
from qbase.reports import close_dead_runs, run_report
from qbase.reports.executing import papermill_engine
from tests.faults.study_torn_pages import execute, write_letter

MEGABYTES = 24
MOST_STEPS = 2_000


def hashes(workspace: Workspace) -> dict[str, str]:
    """Return the hash of page and record."""
    return {
        name: hashlib.sha256((workspace.site / name).read_bytes()).hexdigest() for name in ("plain.html", "plain.json")
    }


def fill(path: pathlib.Path, root: pathlib.Path, kilobytes: int) -> None:
    """Write a file that leaves so much room."""
    free = os.statvfs(root).f_bavail * os.statvfs(root).f_frsize
    with path.open("wb") as file:
        file.write(b"\0" * max(0, free - kilobytes * 1024))


def study(folder: str, step: int) -> dict[str, object]:
    """Run on a disk with more and more room; return what was told."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "none", folder], check=True)
    workspace = Workspace.create(pathlib.Path(folder) / "home")
    write_letter(workspace)
    papermill_engine.execute = execute
    run_report(workspace, "plain")
    told: collections.Counter[str] = collections.Counter()
    lost, filler, passed, room = 0, pathlib.Path(folder) / "filler", 0, 0
    while passed < 3 and sum(told.values()) < MOST_STEPS:
        before = hashes(workspace)
        fill(filler, pathlib.Path(folder), room)
        code = ""
        try:
            run_report(workspace, "plain", force=True)
        except QbaseError as error:
            code = error.code
        filler.unlink()
        close_dead_runs(workspace)
        told[code or "published"] += 1
        # with the gallery lacking (QB822) the report itself is out
        lost += code not in {"", "QB822"} and hashes(workspace) != before
        passed = passed + 1 if not code else 0
        room += step
    return {"runs": sum(told.values()), "told": dict(told), "last_room_kb": room, "old_report_lost": lost}


def main() -> None:
    """Run the study."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--step", type=int, default=4, help="kilobytes")
    asked.add_argument("--inside", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.inside:
        told = study(given.inside, given.step)
        print(json.dumps(told))
        raise SystemExit(1 if told["old_report_lost"] else 0)
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, "--inside", folder, "--step", str(given.step)]
        raise SystemExit(subprocess.run(["unshare", "-Urm", *words], check=False).returncode)


if __name__ == "__main__":
    main()
