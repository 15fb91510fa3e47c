"""What every forked run starts from: the libraries loaded once, nothing else done, and not one thread.

Loaded by the fork server alone. A fork of a process with several threads may stop for ever, because a lock that another
thread held is never released in the child; so the libraries that start threads of their own when loaded are told not
to, and what cannot be told is left out.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import sys
from typing import Any

from qbase.core.lazy import PACKAGE, prepare

LIBRARIES = (
    "numpy", "pandas", "matplotlib.pyplot", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
    "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet", "duckdb", "deltalake", "scipy.stats", "scipy.optimize",
    "statsmodels.api", "seaborn", "fontTools.subset", "fontTools.ttLib", "PIL.Image", "jinja2", "mistune", "nh3",
    "pypinyin", "sqlalchemy", "nbclient", "nbconvert", "papermill", "ipykernel.ipkernel", "ipykernel.debugger",
    "IPython.extensions.storemagic",
)  # fmt: skip
NEVER = ("matplotlib_inline.backend_inline",)
"""Loaded before the fork it takes no notice of the shell of the child, and every figure is lost without a word."""
HIDDEN = ("polars", "debugpy")
"""Start threads, when loaded or when used; a letter that names one gets a kernel. Statsmodels and ipykernel ask whether
they are there, and do without."""
QUIET = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "_RJEM_MALLOC_CONF": "background_thread:false",
    "MALLOC_CONF": "background_thread:false",
}
"""Environment of the server: allocators without threads of their own."""
ROOMS_APART = ("cli", "demo", "explore")
_STATE: dict[str, Any] = {"loaded": 0, "missing": [], "never": [], "threads": 0}


def state() -> dict[str, Any]:
    """Return what was loaded, what could not be, and how many threads there were then."""
    return dict(_STATE)


def load_template() -> None:
    """Load the libraries and the house; what cannot be loaded is left to the runs that need it."""
    with hidden(HIDDEN):
        for name in LIBRARIES:
            _load(name)
        for module in pkgutil.walk_packages([str(PACKAGE)], "qbase."):
            room, stem = module.name.split(".")[1], module.name.rpartition(".")[2]
            if room not in ROOMS_APART and stem not in {"__main__", "run_kernel", "fork_preload"}:
                _load(module.name)
    prepare()


def freeze_template() -> None:
    """Look at what there is now, and keep it apart from what the runs make."""
    gc.collect()
    # the collector leaves alone what was there before the fork, and its pages stay shared
    gc.freeze()
    _STATE["loaded"] = len(sys.modules)
    _STATE["never"] = [name for name in NEVER if name in sys.modules]
    _STATE["threads"] = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0


@contextlib.contextmanager
def hidden(names: tuple[str, ...]) -> Any:
    """Let modules not be found for a while, unless they are loaded already."""
    put = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(put))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in put:
            sys.modules.pop(name, None)


def _load(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:
        _STATE["missing"].append(f"{name}: {type(error).__name__}")
