"""Two hundred megabytes of output and a hundred thousand displays, in both engines: cut with their reason?

Prints one JSON line each: code of the failure, seconds, peak memory of the runner, size of the notebook that is kept.

    python tests/faults/study_floods.py
"""

from __future__ import annotations

import json
import multiprocessing
import pathlib
import resource
import tempfile
import time
from typing import Any

from qbase.core.errors import QbaseError
from qbase.lake import list_runs
from qbase.reports import run_report
from tests.faults.fault_letters import House

FLOODS = {
    "200 MB in lines": "for i in range(200): print(('x' * 99 + chr(10)) * 10_000)",
    "200 MB at once": "print('x' * 200_000_000)",
    "100,000 displays": "from IPython.display import display\nfor i in range(100_000): display(i)",
}


def flood(name: str, engine: Any) -> None:
    """Run one flood in this process, which is new."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        house = House(pathlib.Path(folder) / "home")
        house.letter("flood", FLOODS[name], limits="[limits]\nseconds = 900\n")
        before, began, code = house.published(), time.monotonic(), ""
        try:
            run_report(house.workspace, "flood", engine=engine)
        except QbaseError as error:
            code = error.code
        kept = house.folder(list_runs(house.workspace, "flood")[0]) / "run.ipynb"
        told = {
            "flood": name, "engine": engine, "code": code, "seconds": round(time.monotonic() - began, 1),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "notebook_mb": round(kept.stat().st_size / 2**20, 1), "old_report_stays": house.published() == before,
        }  # fmt: skip
    print(json.dumps(told), flush=True)


def main() -> None:
    """Run the study, each flood in a process of its own."""
    context = multiprocessing.get_context("spawn")
    for name in FLOODS:
        for engine in ("kernel", "fork"):
            child = context.Process(target=flood, args=(name, engine))
            child.start()
            child.join()


if __name__ == "__main__":
    main()
