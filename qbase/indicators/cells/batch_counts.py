"""Rates are sums of cells: batches of a firm in a period, by way of drawing, added over any shards of the inspections.

One SQL counts the cells of a shard of Parquet files. On one machine DuckDB counts all files at once; on a Dask
cluster every worker counts its shards, and only cells travel. Whole numbers are added, so both give the same panel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from qbase.compute import ShardQuery, add_up, open_files, query_frames
from qbase.indicators.catalogue.indicator_rows import read_sql
from qbase.indicators.cells.grown_cells import grow_by_period
from qbase.indicators.cells.snapshot_files import REGISTER
from qbase.indicators.cells.sorted_runs import WAYS, Column, number_column, sum_batches
from qbase.indicators.kept.kept_counts import count_once

if TYPE_CHECKING:
    from qbase.indicators.cells.window_sql import WindowSql

CELL = ("n", "k", "n_firms", "top1", "top2")
Ask = Callable[[str], pa.Table]
TALLIES = ("batch", "firm", "cells")


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


def count_cells(rows: WindowSql) -> Tally:
    """Count the cells of a window, here or on the workers of its cluster.

    Parameters
    ----------
    rows : WindowSql
        The window.

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
    if rows.cluster is not None:
        added = add_up(
            rows.cluster,
            rows.shard_query(read_sql("firm_cells")),
            table="inspections",
            by=("entity", "period"),
            summary=read_sql("cell_sums"),
        )
        return Tally(
            sums=sort_cells(added.table, ("entity", "period")),
            bytes_moved=added.bytes_moved,
            shards=added.shards,
            split_groups=added.split_groups,
        )

    def grow(kept: pd.DataFrame, fresh: ShardQuery) -> pd.DataFrame | None:
        return grow_by_period(rows, kept, fresh, _count_here, ("entity", "period"))

    words = ("tally", rows.entity, rows.freq)
    return Tally(sums=count_once(rows.workspace.lake, _query(rows), words, lambda: _count_here(rows), grow=grow))


def _query(rows: WindowSql) -> ShardQuery:
    return rows.shard_query(read_sql("firm_rows"), parts=row_parts(rows.entity))


def _count_here(rows: WindowSql) -> pd.DataFrame:
    query = _query(rows)
    with open_files(query) as ask:
        batches = ask(query.sql)
        places = {} if "entity" in batches.column_names else {"entity": read_register(ask, rows.entity)}
    sums = sum_batches(batches, places)
    return sums if sums is not None else _group(rows)


def _group(rows: WindowSql) -> pd.DataFrame:
    """Count by the SQL of the workers."""
    query = rows.shard_query(read_sql("firm_cells"))
    with open_files(query) as ask:
        cells = ask(query.sql)
    return sort_cells(query_frames(read_sql("cell_sums"), {"cells": cells}), ("entity", "period"))


def row_parts(entity: str, *, strata: str = "", names: str = "") -> dict[str, str]:
    """Return what fills ``statements/firm_rows.sql``: only a town is printed, only it has strangers."""
    place = "entity, CASE WHEN firm_no IS NULL THEN firm END AS stranger," if entity == "town_code" else ""
    return {"{place}": place, "{strata}": strata, "{names}": names}


def read_register(ask: Ask, column: str) -> Column:
    """Return a column of the register, to be looked up by the number of a firm."""
    # the register is numbered from 0 without a gap
    found = ask(f"SELECT {column} FROM {REGISTER} ORDER BY firm_no")  # noqa: S608  (names of ours)
    numbers, names = number_column(found, column)
    places = names.read(numbers.combine_chunks().to_batches()[0]) if len(found) else names.table[:0]
    return Column(source="firm_no", table=np.append(places, len(names.names)), names=names.names)


def sort_cells(found: pa.Table, keys: Sequence[str]) -> pd.DataFrame:
    """Return cells sorted by their keys, nothing last."""
    place = found.column_names.index("period")
    whole = found.set_column(place, "period", found["period"].cast(pa.timestamp("us")))
    frame: pd.DataFrame = whole.sort_by([(key, "ascending") for key in keys]).to_pandas()
    return frame
