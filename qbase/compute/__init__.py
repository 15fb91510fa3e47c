"""Storey 1: one way to spread tasks over processes, and the one Dask client (or none).

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.compute.adding import Added, add_up
    from qbase.compute.cluster import Cluster, open_client
    from qbase.compute.shards import Files, ShardQuery, open_files, query_files, query_frames
    from qbase.compute.tasks import Outcome, map_tasks

__getattr__ = lazy_names(
    __name__,
    {
        "adding": ("Added", "add_up"),
        "cluster": ("Cluster", "open_client"),
        "shards": ("Files", "ShardQuery", "open_files", "query_files", "query_frames"),
        "tasks": ("Outcome", "map_tasks"),
    },
)

__all__ = [
    "Added", "Cluster", "Files", "Outcome", "ShardQuery", "add_up", "map_tasks", "open_client", "open_files",
    "query_files", "query_frames",
]  # fmt: skip
