"""Rates are sums of cells: batches of a firm in a period, by way of drawing, added over any shards of the inspections.

One SQL counts the cells of a shard of Parquet files. On one machine DuckDB counts all files at once; on a Dask
cluster every worker counts its shards, and only cells travel. Whole numbers are added, so both give the same panel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from qbase.compute import Cluster, Files, ShardQuery, add_up, query_files
from qbase.indicators.catalogue import read_sql
from qbase.indicators.sorting import WAYS, sum_batches
from qbase.lake.delta import read_version

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

CELL = ("n", "k", "n_firms", "top1", "top2")
READ = ("inspections", "firms", "identity_links")
TALLIES = ("batch", "firm", "cells")
MEMORY_MB = 1000
"""DuckDB goes to disk beyond; the nation's panel then stays below 2 GB."""

_REGISTER = "register_of_firms"
_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """Batches of a window, counted once for every rate that is made of them.

    Parameters
    ----------
    sums : pandas.DataFrame
        One row per entity and period, sorted.
    bytes_moved, shards, split_groups : int
        What came over the wire from a cluster, in how many tasks, and how many groups lay in several shards; 0 on
        one machine.
    """

    sums: pd.DataFrame
    bytes_moved: int = 0
    shards: int = 0
    split_groups: int = 0

    def take(self, measure: str) -> pd.DataFrame:
        """Return the counts of one measure: ``batch``, ``firm``, or ``cells`` by way of drawing."""
        keys = self.sums[["entity", "period"]]
        if measure == "batch":
            return self.sums[["entity", "period", "n", "k", "n_firms"]].copy()
        if measure == "firm":
            n = self.sums["n_firms"]
            return keys.assign(n=n, k=self.sums["n_clean"], n_firms=n)
        parts = [self._of_way(way) for way in WAYS]
        whole = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
        ordered: pd.DataFrame = whole.sort_values(["entity", "period", "stratum"], kind="stable", ignore_index=True)
        return ordered

    def _of_way(self, way: str) -> pd.DataFrame:
        rows = self.sums[self.sums[f"{way}_n"] > 0]
        found = rows[["entity", "period"]].assign(stratum=way, sampling="random" if way == "random" else "directed")
        return found.assign(**{name: rows[f"{way}_{name}"] for name in CELL})


def count_cells(
    workspace: Workspace,
    at: Snapshot,
    *,
    base: str,
    firms: str,
    params: Mapping[str, str],
    cluster: Cluster | None = None,
) -> Tally:
    """Count the cells of a window.

    Parameters
    ----------
    workspace : Workspace
        Where the inspections lie.
    at : Snapshot
        Which version of them.
    base : str
        Common table expressions up to ``counted``, with ``{firms}`` for the register.
    firms : str
        SELECT of the register of firms.
    params : mapping
        Values of the parameters of ``base``.
    cluster : Cluster or None
        Dask workers that share the files; None counts here.

    Returns
    -------
    Tally

    Raises
    ------
    SetupError
        No Dask (QB181), no scheduler (QB182), or files out of reach (QB184).
    RunError
        The workers did not finish (QB185).
    """
    storage = cluster.storage if cluster is not None else ""
    tables = {t: table_files(workspace, t, at, storage=storage) for t in READ if t in at.versions}
    cells, summary = read_sql("firm_cells"), read_sql("cell_sums")
    if cluster is None:
        rows = base.replace("{firms}", firms) + "\n" + read_sql("firm_rows")
        batches = query_files(ShardQuery(sql=rows, tables=tables, params=params, memory_mb=MEMORY_MB))
        sums = sum_batches(batches)
        if sums is not None:
            return Tally(sums=sums)
        sql = f"{base.replace('{firms}', firms)}, cells AS (\n{cells})\n{summary}"
        found = query_files(ShardQuery(sql=sql, tables=tables, params=params, memory_mb=MEMORY_MB))
        return Tally(sums=_sorted(found))
    query = ShardQuery(
        sql=base.replace("{firms}", f"SELECT * FROM {_REGISTER}") + "\n" + cells,  # noqa: S608  (a name of ours)
        tables=tables,
        params=params,
        prepared={_REGISTER: firms},
    )
    added = add_up(cluster, query, table="inspections", by=("entity", "period"), summary=summary)
    return Tally(
        sums=_sorted(added.table),
        bytes_moved=added.bytes_moved,
        shards=added.shards,
        split_groups=added.split_groups,
    )


def table_files(workspace: Workspace, table: str, at: Snapshot, *, storage: str = "") -> Files:
    """Return the Parquet files of a table, as this machine or the workers of a cluster name them.

    Parameters
    ----------
    workspace : Workspace
        Where it lies.
    table : str
        A table of the snapshot.
    at : Snapshot
        Which version.
    storage : str
        Address of ``data/lake`` elsewhere; empty for the path here.

    Returns
    -------
    qbase.compute.Files

    Raises
    ------
    SetupError
        The version is not there (QB223).
    """
    paths, schema = read_version(workspace.lake, table, at.versions[table])
    home = storage.rstrip("/")
    urls = (f"{home}/{p.relative_to(workspace.lake).as_posix()}" if home else str(p) for p in paths)
    return Files(
        urls=tuple(urls),
        columns=tuple((f.name, _TYPES.get(f.type, "VARCHAR")) for f in schema),
        sizes=tuple(p.stat().st_size for p in paths),
    )


def _sorted(found: pa.Table) -> pd.DataFrame:
    columns = {name: found[name].to_numpy() for name in found.column_names if name not in ("entity", "period")}
    # names repeat by the thousand: sorting their codes is a tenth of sorting the names
    coded = found["entity"].combine_chunks().dictionary_encode()
    names = np.asarray(coded.dictionary.to_pylist(), dtype=object)
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(names)] = np.arange(len(names))
    codes = coded.indices.to_numpy()
    period = found["period"].cast(pa.timestamp("s")).to_numpy()
    order = np.lexsort((period, rank[codes]))
    frame = pd.DataFrame({name: values[order] for name, values in columns.items()})
    frame.insert(0, "period", period[order])
    frame.insert(0, "entity", pd.array(names[codes][order], dtype="str"))
    return frame
