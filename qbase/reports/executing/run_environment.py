"""What a run may see of this process and leave behind: an allow-list of variables, and no process of its own."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
from collections.abc import Mapping

from qbase.core.package import PACKAGE

ALLOWED = (
    "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "PYTHONWARNINGS", "PYTHONUTF8",
    "SOURCE_DATE_EPOCH", "QBASE_CACHE",
)  # fmt: skip
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Sums of a threaded matrix product depend on the number of cores, and a process with threads must not be forked."""
THREAD_LOG = "QBASE_THREAD_LOG"


def allowed_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return what a kernel may see of the environment: an allow-list, never secrets of the host.

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


def end_leftovers(run_id: str) -> list[int]:
    """Kill programs that a run started and that left its group; they carry its id in their environment (Linux).

    Parameters
    ----------
    run_id : str
        Value of ``QBASE_RUN_ID``; nothing is done for an empty one.

    Returns
    -------
    list of int
        Process ids of what was killed.
    """
    mark = f"QBASE_RUN_ID={run_id}".encode()
    killed = []
    for folder in pathlib.Path("/proc").glob("[0-9]*") if run_id else ():
        with contextlib.suppress(OSError):
            if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)
                killed.append(int(folder.name))
    return killed
