"""Storey 1: one way to spread tasks over processes, and the one Dask client (or none).

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.compute.added_shards import Added as Added
    from qbase.compute.added_shards import add_up as add_up
    from qbase.compute.cluster_tasks import ClusterTasks as ClusterTasks
    from qbase.compute.dask_client import Cluster as Cluster
    from qbase.compute.dask_client import open_client as open_client
    from qbase.compute.process_tasks import Outcome as Outcome
    from qbase.compute.process_tasks import map_tasks as map_tasks
    from qbase.compute.shard_query import Files as Files
    from qbase.compute.shard_query import ShardQuery as ShardQuery
    from qbase.compute.shard_query import open_files as open_files
    from qbase.compute.shard_query import query_files as query_files
    from qbase.compute.shard_query import query_frames as query_frames

__getattr__, __dir__ = lazy_room(__name__)
