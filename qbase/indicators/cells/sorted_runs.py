"""Batches as whole numbers, sorted once, added in runs: what one machine counts instead of grouping names.

Gives what ``statements/cell_sums.sql`` and ``statements/strata.sql`` give over cells by firm, which Dask workers run;
grouping ten million batches by firm takes DuckDB several times as long as sorting them, and three times the memory.
Work goes in pieces that fit the cache of a core, one thread a core.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from qbase.core.values import EMPTY

Ints = NDArray[np.int64]
Whole = NDArray[Any]

WAYS = ("random", "risk", "special", "other")
KK_SCALE = 5_354_228_880
"""Sums of k²/n are whole numbers of this part (every n up to 24 divides it), so that no order of adding shows."""

PIECE = 2**18
_LOW = 3
_MOST = 2**24


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """A key of the cells: names as numbers in their order; one beyond the last is no name.

    Parameters
    ----------
    source : str
        Column of the rows with a number, ``low`` and on, or nothing.
    table : numpy.ndarray
        Place of the name for each number; the last is for nothing.
    names : pyarrow.Array
        Names, sorted.
    low : int
        The smallest number.
    """

    source: str
    table: Whole
    names: pa.Array
    low: int = 0

    @property
    def size(self) -> int:
        """How many places there may be."""
        return len(self.names) + 1

    def read(self, piece: pa.RecordBatch) -> Whole:
        """Return the places of rows."""
        number = piece[self.source]
        if number.null_count:
            number = number.fill_null(self.low + len(self.table) - 1)
        found = number.to_numpy(zero_copy_only=False)
        places: Whole = self.table[found - found.dtype.type(self.low) if self.low else found]
        return places


class Runs(NamedTuple):
    """Batches of one firm in one cell: the cell, batches, passes."""

    place: Whole
    n: Whole
    k: Whole


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Batches:
    """Batches sorted by cell and firm; a piece of all, its cells whole.

    Parameters
    ----------
    cell : numpy.ndarray, shape (cells,)
        The numbers of the cells, rising.
    owner : numpy.ndarray, shape (rows,)
        A number for cell and firm, rising.
    place : numpy.ndarray, shape (rows,)
        Place of the cell in ``cell``.
    way, passed : numpy.ndarray, shape (rows,)
        Place in `WAYS`; 1 for a pass.
    """

    cell: Ints
    owner: Ints
    place: Whole
    way: Whole
    passed: Whole

    def runs(self, mask: NDArray[np.bool_] | None = None) -> Runs:
        """Return the firms of each cell with their batches, of all rows or of those under a mask."""
        owner, place, passed = self.owner, self.place, self.passed
        if mask is not None:
            owner, place, passed = owner[mask], place[mask], passed[mask]
        at = _starts(owner)
        n = np.diff(at, append=len(owner))
        return Runs(place[at], n, np.add.reduceat(passed, at, dtype=np.int64) if len(at) else n)

    def by_way(self) -> tuple[Ints, Ints]:
        """Return batches and passes, shape (cells, ways)."""
        code = self.place * 8 + self.way * np.uint8(2) + self.passed
        counts = np.bincount(code, minlength=8 * len(self.cell)).reshape(len(self.cell), 4, 2)
        return counts.sum(2), counts[:, :, 1]


Count = Callable[[Batches], dict[str, Ints]]


def sum_batches(rows: pa.Table, columns: Mapping[str, Column] = EMPTY) -> pd.DataFrame | None:
    """Add batches by entity and period.

    Parameters
    ----------
    rows : pyarrow.Table
        ``entity``, ``period``, ``firm_no``, ``stranger``, ``way`` (place in `WAYS`) and ``is_pass`` of every batch.
    columns : mapping
        Keys that are looked up by a number; the others are columns of ``rows``.

    Returns
    -------
    pandas.DataFrame or None
        Columns of ``statements/cell_sums.sql``, sorted by entity and period; None where the numbers of entities,
        periods and firms do not fit into one whole number (no register is that large).
    """
    return add_rows(rows, ("entity", "period"), count_batches, columns)


def add_rows(
    rows: pa.Table, keys: Sequence[str], count: Count, columns: Mapping[str, Column] = EMPTY
) -> pd.DataFrame | None:
    """Sort batches by cell and firm, and count them.

    Parameters
    ----------
    rows : pyarrow.Table
        As for `sum_batches`.
    keys : sequence of str
        Columns of a cell, the first above the next.
    count : callable
        Counts of sorted batches by cell: `count_batches` or `count_strata`.
    columns : mapping
        Keys that are looked up by a number; the others are columns of ``rows``.

    Returns
    -------
    pandas.DataFrame or None
        One row per cell, sorted by ``keys``; None where the numbers do not fit into one whole number.
    """
    known = dict(columns)
    for name in keys:
        if name not in known:
            rows, known[name] = number_column(rows, name)
    rows, strangers = number_column(rows, "stranger") if "stranger" in rows.column_names else (rows, None)
    register = (pc.max(rows["firm_no"]).as_py() or 0) + 1
    firms = register + (strangers.size if strangers else 0)
    kinds = 1
    for name in keys:
        kinds *= known[name].size
    width = firms.bit_length()
    if kinds.bit_length() + width + _LOW > 63:
        return None
    used = [known[name] for name in keys]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        pieces = rows.to_batches(max_chunksize=PIECE)
        packed = threads.map(lambda piece: _pack(piece, used, strangers, register, width), pieces)
        key, at = np.empty(len(rows), dtype=np.int64), 0
        for part in packed:
            key[at : at + len(part)] = part
            at += len(part)
        key.sort()
        counted = list(threads.map(lambda part: _count(part, width, count), _cut(key, width + _LOW)))
    del key
    cell = np.concatenate([c for c, _ in counted])
    # what has been put together is let go
    sums = {name: np.concatenate([found.pop(name) for _, found in counted]) for name in list(counted[0][1])}
    return pd.DataFrame({**_name(cell, {name: known[name] for name in keys}), **sums})


def number_column(rows: pa.Table, name: str) -> tuple[pa.Table, Column]:
    """Return rows with numbers instead of names, and what the numbers mean."""
    values = rows[name]
    if pa.types.is_date(values.type):
        return _number_days(rows, name)
    coded = (values if pa.types.is_dictionary(values.type) else values.dictionary_encode()).unify_dictionaries()
    names = coded.chunk(0).dictionary if coded.num_chunks else pa.array([], values.type)
    numbers = pa.chunked_array([chunk.indices for chunk in coded.chunks], pa.int32())
    order = pc.sort_indices(names).to_numpy()
    table = np.empty(len(order) + 1, dtype=np.int64)
    table[order] = np.arange(len(order))
    table[-1] = len(order)
    column = Column(source=name, table=table, names=names.take(pa.array(order)))
    return rows.set_column(rows.column_names.index(name), name, numbers), column


def _number_days(rows: pa.Table, name: str) -> tuple[pa.Table, Column]:
    days = rows[name].cast(pa.int32())
    low, high = (pc.min_max(days)[side].as_py() or 0 for side in ("min", "max"))
    seen = np.unique(np.concatenate([np.unique(chunk.to_numpy()) for chunk in days.chunks] or [np.empty(0, np.int32)]))
    table = np.full(high - low + 2, len(seen), dtype=np.int64)
    table[seen - low] = np.arange(len(seen))
    names = pa.array(seen.astype(np.int32)).cast(pa.date32())
    return rows.set_column(rows.column_names.index(name), name, days), Column(
        source=name, table=table, names=names, low=low
    )


def _pack(
    piece: pa.RecordBatch, columns: Sequence[Column], strangers: Column | None, register: int, width: int
) -> Ints:
    """Return one number per batch: cell, firm, way of drawing, pass."""
    key = np.zeros(len(piece), dtype=np.int64)
    for column in columns:
        key *= column.size
        key += column.read(piece)
    firm = piece["firm_no"]
    key <<= width
    if strangers is not None and firm.null_count:
        # a firm outside the register has a number beyond it
        key += np.where(
            firm.is_null().to_numpy(zero_copy_only=False),
            register + strangers.read(piece),
            firm.fill_null(0).to_numpy(),
        )
    else:
        key += firm.to_numpy(zero_copy_only=False)
    key <<= _LOW
    key += piece["way"].to_numpy(zero_copy_only=False) * np.uint8(2)
    key += piece["is_pass"].to_numpy(zero_copy_only=False)
    return key


def _cut(key: Ints, shift: int) -> list[Ints]:
    """Cut sorted numbers into pieces that hold whole cells."""
    ends = [0]
    while ends[-1] < len(key):
        last = min(ends[-1] + PIECE, len(key)) - 1
        ends.append(int(np.searchsorted(key, key[last] | ((1 << shift) - 1), side="right")))
    return [key[a:b] for a, b in itertools.pairwise(ends)] or [key]


def _count(key: Ints, width: int, count: Count) -> tuple[Ints, dict[str, Ints]]:
    owner = key >> _LOW
    cell = owner >> width
    at = _starts(cell)
    place = np.repeat(np.arange(len(at)), np.diff(at, append=len(cell)))
    found = Batches(
        cell=cell[at],
        owner=owner,
        place=place,
        way=((key >> 1) & 3).astype(np.uint8),
        passed=(key & 1).astype(np.uint8),
    )
    return found.cell, count(found)


def _name(cell: Ints, columns: Mapping[str, Column]) -> dict[str, object]:
    keys: dict[str, object] = {}
    for name, column in reversed(list(columns.items())):
        cell, place = np.divmod(cell, column.size)
        number = pa.array(place.astype(np.int32), mask=place == len(column.names))
        kind = column.names.type
        if pa.types.is_date(kind):
            keys[name] = column.names.cast(pa.timestamp("us")).take(number).to_numpy(zero_copy_only=False)
        elif pa.types.is_floating(kind):
            keys[name] = column.names.take(number).to_numpy(zero_copy_only=False)
        else:
            keys[name] = pd.array(column.names.cast(pa.large_string()).take(number), dtype="str")
    return dict(reversed(list(keys.items())))


def count_batches(found: Batches) -> dict[str, Ints]:
    """Return the columns of ``statements/cell_sums.sql``."""
    cells = len(found.cell)
    owners = found.runs()
    n, k = found.by_way()
    columns: dict[str, Ints] = {"n": n.sum(1), "k": k.sum(1)}
    columns |= {"n_firms": _firms(owners, cells), "n_clean": _clean(owners, cells)}
    for number, name in enumerate(WAYS):
        runs = found.runs(found.way == number)
        columns |= {f"{name}_n": n[:, number], f"{name}_k": k[:, number], f"{name}_n_firms": _firms(runs, cells)}
        if name == "random":
            columns["random_n_clean"] = _clean(runs, cells)
        columns[f"{name}_top1"], columns[f"{name}_top2"] = _top_two(runs, cells)
    return columns


def count_strata(found: Batches) -> dict[str, Ints]:
    """Return the columns of ``statements/strata.sql``."""
    cells, is_random = len(found.cell), found.way == 0
    n, k = found.by_way()
    owners, random, directed = found.runs(), found.runs(is_random), found.runs(~is_random)
    columns = {
        "n": n.sum(1), "k": k.sum(1), "n_firms": _firms(owners, cells), "n_clean": _clean(owners, cells),
        "random_n": n[:, 0], "random_k": k[:, 0], "risk_n": n[:, 1],
        "random_n_firms": _firms(random, cells), "random_n_clean": _clean(random, cells),
        "directed_n_firms": _firms(directed, cells),
    }  # fmt: skip
    columns["random_top1"], columns["random_top2"] = _top_two(random, cells)
    columns["directed_top1"], columns["directed_top2"] = _top_two(directed, cells)
    # a nation has millions of strata: counts in half the memory
    small = {name: values.astype(np.int32) for name, values in columns.items()}
    return small | {
        "sum_nn": _squares(owners, cells), "kk_parts": _parts(owners, cells),
        "random_sum_nn": _squares(random, cells), "random_kk_parts": _parts(random, cells),
    }  # fmt: skip


def _starts(key: Whole) -> Ints:
    """Return where runs of equal keys begin."""
    change = np.empty(len(key), dtype=bool)
    change[:1] = True
    np.not_equal(key[1:], key[:-1], out=change[1:])
    return np.flatnonzero(change)


def _firms(runs: Runs, cells: int) -> Ints:
    return np.bincount(runs.place, minlength=cells)


def _clean(runs: Runs, cells: int) -> Ints:
    return np.bincount(runs.place[runs.n == runs.k], minlength=cells)


def _top_two(runs: Runs, cells: int) -> tuple[Ints, Ints]:
    """Return the two largest contributions of one firm to each cell."""
    first, second = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    key = runs.place * _MOST + runs.n
    key.sort()
    firms = _firms(runs, cells)
    end = np.cumsum(firms)
    has, more = firms > 0, firms > 1
    first[has], second[more] = key[end[has] - 1] % _MOST, key[end[more] - 2] % _MOST
    return first, second


def _squares(runs: Runs, cells: int) -> Ints:
    return _total(runs.place, runs.n * runs.n, cells)


def _parts(runs: Runs, cells: int) -> Ints:
    """Return the sums over firms of k²/n in parts of `KK_SCALE`."""
    parts = runs.k * KK_SCALE
    more = np.flatnonzero(runs.n > 1)
    whole, rest = np.divmod(runs.k[more] ** 2, runs.n[more])
    parts[more] = whole * KK_SCALE + rest * KK_SCALE // runs.n[more]
    return _total(runs.place, parts, cells)


def _total(place: Whole, values: Ints, cells: int) -> Ints:
    """Sum whole numbers by cell; places rise."""
    out = np.zeros(cells, dtype=np.int64)
    at = _starts(place)
    if len(at):
        out[place[at]] = np.add.reduceat(values, at)
    return out
