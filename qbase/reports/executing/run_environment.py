"""What a run may see of this process and leave behind: an allow-list of variables, no process, no thread that failed.

Nobody waits for the exception of a thread: Python prints it and the cell counts as done. So it is put on file.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import threading
from collections.abc import Collection, Mapping
from typing import Any

from qbase.core.lazy import PACKAGE

ALLOWED = (
    "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "PYTHONWARNINGS", "PYTHONUTF8",
    "SOURCE_DATE_EPOCH", "QBASE_CACHE",
    # by these a letter reads the lake where the ledger is on a server; what a page shows of them is looked for
    "QBASE_LEDGER", "PGPASSFILE",
    # a runner of a batch is a fork too, and holds its slot by the same lease
    "QBASE_LEASE_SECONDS",
)  # fmt: skip
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Sums of a threaded matrix product depend on the number of cores, and a process with threads must not be forked."""
THREAD_LOG = "QBASE_THREAD_LOG"
FILE = "thread_errors.jsonl"
RUN_ID = "QBASE_RUN_ID"
NAME_BYTES = 15
"""The name of a process holds no more."""


def allowed_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return what a kernel may see of the environment: an allow-list, no secret of the host but the way to the ledger.

    Parameters
    ----------
    extra : mapping
        Variables of the run, which win.

    Returns
    -------
    dict
        With the folder of this very package first on the path, so that the code that runs is
        the code that was fingerprinted.
    """
    kept = {k: v for k, v in os.environ.items() if k in ALLOWED or k.startswith("LC_")}
    package = str(PACKAGE.parent)
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    path = os.pathsep.join(dict.fromkeys(paths))
    return {**kept, **ONE_THREAD, "PYTHONPATH": path, "PYTHONHASHSEED": "0", **extra}


def end_group(group: int | None) -> None:
    """Kill what a cell has started and left behind in the group of its kernel."""
    if group is not None and hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def mark_process(run_id: str) -> None:
    """Give this process, and every copy it will make of itself, a name that tells its run (Linux).

    A fork keeps the environment of the process it comes from, in which no run is named.
    """
    name = pathlib.Path("/proc/self/comm")
    if run_id and name.is_file():
        name.write_text(run_id[-NAME_BYTES:], encoding="utf-8")


def end_leftovers(run_id: str) -> list[int]:
    """Kill what a run started and what left its group (Linux).

    A program carries the id of the run in its environment, a copy of a process in its name.

    Parameters
    ----------
    run_id : str
        Value of ``QBASE_RUN_ID``; nothing is done for an empty one.

    Returns
    -------
    list of int
        Process ids of what was killed.
    """
    killed = []
    for pid in find_processes({run_id} - {""}):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
    return killed


def find_processes(run_ids: Collection[str]) -> dict[int, str]:
    """Return the processes of runs, other than this one, with the run each belongs to (Linux).

    Parameters
    ----------
    run_ids : collection of str
        Runs to look for.
    """
    variables = {f"{RUN_ID}={run_id}".encode(): run_id for run_id in run_ids}
    names = {run_id[-NAME_BYTES:]: run_id for run_id in run_ids}
    found: dict[int, str] = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*") if run_ids else ():
        with contextlib.suppress(OSError):
            named = names.get((folder / "comm").read_text(errors="replace").removesuffix("\n"))
            carried = set((folder / "environ").read_bytes().split(b"\0")) & variables.keys()
            run_id = named or next((variables[one] for one in carried), None)
            if run_id is not None and int(folder.name) != os.getpid():
                found[int(folder.name)] = run_id
    return found


def watch_threads() -> None:
    """Write every exception that ends a thread of this process to the file that ``QBASE_THREAD_LOG`` names."""
    path, told_before = os.environ.get(THREAD_LOG), threading.excepthook
    if not path:
        return

    def tell(args: Any) -> None:
        if args.exc_type is not SystemExit:
            name = args.thread.name if args.thread else ""
            line = json.dumps({"thread": name, "ename": args.exc_type.__name__, "evalue": str(args.exc_value)})
            with open(path, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        told_before(args)

    threading.excepthook = tell


def read_thread_errors(folder: pathlib.Path) -> list[dict[str, str]]:
    """Return what `watch_threads` wrote for the run in a folder, oldest first.

    Returns
    -------
    list of dict
        ``thread``, ``ename`` and ``evalue`` of each.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
