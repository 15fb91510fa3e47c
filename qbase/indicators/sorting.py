"""Cells of one machine: batches as whole numbers, sorted once, added in runs.

Gives what ``measures/cell_sums.sql`` gives over ``measures/firm_cells.sql``, which Dask workers run; grouping ten
million batches by firm takes DuckDB three times as long as sorting them, and three times the memory.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]

WAYS = ("random", "risk", "special", "other")


def sum_batches(rows: pa.Table) -> pd.DataFrame | None:
    """Add batches by entity and period.

    Parameters
    ----------
    rows : pyarrow.Table
        ``entity``, ``period``, ``firm_no``, ``stranger``, ``way`` (place in `WAYS`) and ``is_pass`` of every batch.

    Returns
    -------
    pandas.DataFrame or None
        Columns of ``measures/cell_sums.sql``, sorted by entity and period; None where the numbers of entities,
        periods and firms do not fit into one whole number (no register is that large).
    """
    entity, names = _codes(rows["entity"])
    days = rows["period"].combine_chunks().cast(pa.int32()).to_numpy()
    known, period = _rank_days(days)
    firm = _firms(rows)
    firms = int(firm.max()) + 1 if len(firm) else 1
    if len(names) * max(1, len(known)) * firms * 8 >= 2**63:
        return None
    key = entity  # in place: a temporary of ten million numbers is 80 MB
    key *= len(known)
    key += period
    key *= firms
    key += firm
    key *= 4
    key += rows["way"].to_numpy()
    key *= 2
    key += rows["is_pass"].to_numpy()
    key.sort()
    return _sum_runs(key, firms).pipe(_name, names, known)


def _codes(column: pa.ChunkedArray) -> tuple[Ints, NDArray[np.object_]]:
    """Return numbers in the order of the names, and the names."""
    coded = column.combine_chunks().dictionary_encode()
    names = np.asarray(coded.dictionary.to_pylist(), dtype=object)
    order = np.argsort(names)
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    return rank[coded.indices.to_numpy()], names[order]


def _rank_days(days: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """Return the days that occur, and the place of each row's day among them."""
    if not len(days):
        return days, days.astype(np.int16)
    low = int(days.min())
    is_there = np.zeros(int(days.max()) - low + 1, dtype=bool)
    is_there[days - low] = True
    rank = np.cumsum(is_there, dtype=np.int16) - np.int16(1)
    return np.flatnonzero(is_there).astype(np.int32) + np.int32(low), rank[days - low]


def _firms(rows: pa.Table) -> Ints:
    """Return a number for every firm: that of the register, and further ones for those outside it."""
    column = rows["firm_no"].combine_chunks()
    firm: Ints = column.fill_null(0).to_numpy().astype(np.int64)
    if column.null_count:
        is_stranger = column.is_null().to_numpy(zero_copy_only=False)
        codes, _ = _codes(pa.chunked_array([rows["stranger"].combine_chunks().filter(pa.array(is_stranger))]))
        firm[is_stranger] = firm.max() + 1 + codes
    return firm


def _starts(*keys: Ints) -> Ints:
    """Return where runs of equal keys begin."""
    change = np.zeros(len(keys[0]), dtype=bool)
    change[:1] = True
    for key in keys:
        change[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(change)


def _sum_runs(key: Ints, firms: int) -> pd.DataFrame:
    run = _starts(key >> 1)
    n = np.diff(np.append(run, len(key)))
    k = np.add.reduceat(key & 1, run) if len(run) else n
    way, owner = (key[run] >> 1) & 3, key[run] >> 3
    group = owner // firms
    first = _starts(group)
    columns: dict[str, Ints] = {"group": group[first]}
    one = _starts(owner)
    own_n, own_k = (np.add.reduceat(v, one) if len(one) else v for v in (n, k))
    at = _starts(group[one])
    columns["n"], columns["k"] = (np.add.reduceat(v, first) if len(first) else v for v in (n, k))
    columns["n_firms"] = np.diff(np.append(at, len(one)))
    columns["n_clean"] = np.add.reduceat((own_n == own_k).astype(np.int64), at) if len(at) else at
    place = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(group))))
    for number, name in enumerate(WAYS):
        mine = way == number
        columns |= _of_way(name, n[mine], k[mine], place[mine], len(first))
    return pd.DataFrame(columns)


def _of_way(name: str, n: Ints, k: Ints, place: Ints, groups: int) -> dict[str, Ints]:
    """Sum one way of drawing into its groups; the two largest contributions of one firm beside them."""
    out = {f"{name}_{c}": np.zeros(groups, dtype=np.int64) for c in ("n", "k", "n_firms", "top1", "top2")}
    at = _starts(place)
    if not len(at):
        return out
    to, size = place[at], np.diff(np.append(at, len(place)))
    top = np.maximum.reduceat(n, at)
    is_top = np.flatnonzero(n == np.repeat(top, size))
    rest = n.copy()
    rest[is_top[_starts(place[is_top])]] = 0
    values = (np.add.reduceat(n, at), np.add.reduceat(k, at), size, top, np.maximum.reduceat(rest, at))
    for column, value in zip(out.values(), values, strict=True):
        column[to] = value
    return out


def _name(sums: pd.DataFrame, names: NDArray[np.object_], days: NDArray[np.int32]) -> pd.DataFrame:
    group = sums.pop("group").to_numpy()
    periods = days.astype("datetime64[D]").astype("datetime64[s]")
    place = len(days) or 1
    sums.insert(0, "period", periods[group % place])
    sums.insert(0, "entity", pd.array(names[group // place], dtype="str"))
    return sums
