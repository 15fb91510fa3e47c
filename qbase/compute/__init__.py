"""Storey 1: one way to spread tasks over processes, and the one Dask client (or none).

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.compute.adding import Added, add_up
    from qbase.compute.cluster import Cluster, open_client
    from qbase.compute.shards import Files, ShardQuery, query_files, query_frames
    from qbase.compute.tasks import Outcome, map_tasks

_HOME = {
    "adding": ("Added", "add_up"),
    "cluster": ("Cluster", "open_client"),
    "shards": ("Files", "ShardQuery", "query_files", "query_frames"),
    "tasks": ("Outcome", "map_tasks"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Added", "Cluster", "Files", "Outcome", "ShardQuery", "add_up", "map_tasks", "open_client",
    "query_files", "query_frames",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.compute.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
