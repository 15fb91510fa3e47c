"""Map and reduce over a Dask cluster: every worker counts its shards, the client adds the counts.

Sums of whole numbers do not depend on who counted first, so that a worker may die, and its shards be counted again
elsewhere, without changing the answer. Dask alone decides which worker does what.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from qbase.compute.dask_client import Cluster, open_client
from qbase.compute.shard_query import ShardQuery, query_files, query_frames
from qbase.core.errors import QbaseError, RunError

SHARDS_PER_THREAD = 4
"""Several small shards instead of one large: whoever is done first takes the next, and all end together."""
RETRIES = 3


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Added:
    """What the workers counted together.

    Parameters
    ----------
    table : pyarrow.Table
        One row per group.
    bytes_moved : int
        Bytes of the answers that came to the client.
    shards : int
        Tasks of the map.
    split_groups : int
        Groups that lay in several shards; only theirs came in detail.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from qbase.compute import Added
    >>> counts = pa.table({"cluster_id": ["K003"], "n": [20], "k": [16]})
    >>> added = Added(table=counts, bytes_moved=0, shards=8, split_groups=1)
    >>> added.table.to_pylist(), added.shards
    ([{'cluster_id': 'K003', 'n': 20, 'k': 16}], 8)
    """

    table: pa.Table
    bytes_moved: int
    shards: int
    split_groups: int


def add_up(cluster: Cluster, query: ShardQuery, *, table: str, by: Sequence[str], summary: str) -> Added:
    """Count shards on the workers and add the counts.

    A group that lies in one shard is summed up where it was counted. Of a group that lies in several, the detailed
    counts travel, are added here and summed up here.

    Parameters
    ----------
    cluster : Cluster
        Where.
    query : ShardQuery
        Answers with rows of ``by``, further keys, and whole numbers that add up.
    table : str
        The table that is cut into shards of whole files; every shard sees all of the others.
    by : sequence of str
        Keys of a group.
    summary : str
        SELECT over relation ``cells`` that turns the added rows of a group into one row with ``by``.

    Returns
    -------
    Added

    Raises
    ------
    SetupError
        Dask is not installed (QB181), the scheduler does not answer (QB182), or a file cannot be read (QB184).
    RunError
        A task failed for another reason, and failed again (QB185).

    Examples
    --------
    >>> from qbase.compute import Cluster, Files, ShardQuery, add_up
    >>> empty = Files(urls=(), columns=(("cluster_id", "VARCHAR"),))
    >>> query = ShardQuery(sql="SELECT cluster_id, count(*) AS n FROM batches GROUP BY ALL", tables={"batches": empty})
    >>> summary = "SELECT cluster_id, sum(n) AS n FROM cells GROUP BY ALL"
    >>> add_up(Cluster(address="nowhere"), query, table="batches", by=["cluster_id"], summary=summary)
    Traceback (most recent call last):
        ...
    qbase.core.errors.SetupError: error[QB182] the Dask scheduler at nowhere does not answer
    ...
    """
    with open_client(cluster.address) as client:
        try:
            threads = max(1, sum(client.nthreads().values()))
            shards = query.tables[table].split(SHARDS_PER_THREAD * threads)
            alone = dataclasses.replace(query, threads=1)
            queries = [dataclasses.replace(alone, tables={**query.tables, table: shard}) for shard in shards]
            return _add_up(client, queries, tuple(by), summary)
        except QbaseError:
            raise
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            raise RunError(
                "QB185",
                address=cluster.address,
                found=f"{type(error).__name__}: {lines[0]}",
                expected="workers with the same qbase and enough memory",
                fix="look at the log of dask worker; without --cluster the panel is built on this machine",
            ) from error


def _add_up(client: Any, queries: Sequence[ShardQuery], by: tuple[str, ...], summary: str) -> Added:
    counted = client.map(query_files, queries, pure=False, retries=RETRIES)
    keys = client.gather(client.map(find_groups, counted, by=by, pure=False, retries=RETRIES))
    names = ", ".join(by)
    split = query_frames(
        f"SELECT {names} FROM keys GROUP BY {names} HAVING count(*) > 1",  # noqa: S608  (names of ours)
        {"keys": pa.concat_tables(keys)},
    )
    whole = client.map(sum_whole, counted, by=by, summary=summary, split=split, pure=False, retries=RETRIES)
    parts = client.map(take_split, counted, by=by, split=split, pure=False, retries=RETRIES) if len(split) else []
    sums, details = client.gather(whole), client.gather(parts)
    tables = [*sums, query_frames(summary, {"cells": add_rows(pa.concat_tables(details))})] if details else sums
    return Added(
        table=pa.concat_tables(tables),
        bytes_moved=sum(t.nbytes for t in (*keys, *sums, *details)),
        shards=len(queries),
        split_groups=len(split),
    )


def find_groups(cells: pa.Table, *, by: tuple[str, ...]) -> pa.Table:
    """Return the groups a shard has rows of."""
    return query_frames(f"SELECT DISTINCT {', '.join(by)} FROM cells", {"cells": cells})  # noqa: S608  (names of ours)


def sum_whole(cells: pa.Table, *, by: tuple[str, ...], summary: str, split: pa.Table) -> pa.Table:
    """Sum up the groups that lie in this shard alone."""
    if len(split):
        sql = f"SELECT * FROM cells ANTI JOIN split USING ({', '.join(by)})"  # noqa: S608  (names of ours)
        cells = query_frames(sql, {"cells": cells, "split": split})
    return query_frames(summary, {"cells": cells})


def take_split(cells: pa.Table, *, by: tuple[str, ...], split: pa.Table) -> pa.Table:
    """Return the detailed counts of the groups that lie in other shards as well."""
    sql = f"SELECT * FROM cells SEMI JOIN split USING ({', '.join(by)})"  # noqa: S608  (names of ours)
    return query_frames(sql, {"cells": cells, "split": split})


def add_rows(cells: pa.Table) -> pa.Table:
    """Add the whole numbers of rows with equal keys."""
    numbers = [f.name for f in cells.schema if pa.types.is_integer(f.type)]
    keys = ", ".join(name for name in cells.column_names if name not in numbers)
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in numbers)
    return query_frames(f"SELECT {keys}, {sums} FROM cells GROUP BY {keys}", {"cells": cells})  # noqa: S608
