"""Storey 1: one way to spread tasks over processes, and the one Dask client (or none).

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.compute.cluster import open_client
    from qbase.compute.tasks import Outcome, map_tasks

_MODULE_OF = {"Outcome": "tasks", "map_tasks": "tasks", "open_client": "cluster"}

__all__ = ["Outcome", "map_tasks", "open_client"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.compute.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
