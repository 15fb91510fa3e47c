"""Batches as whole numbers, sorted once, added in runs: what one machine counts instead of grouping names.

Gives what ``measures/cell_sums.sql`` and ``measures/strata.sql`` give over cells by firm, which Dask workers run;
grouping ten million batches by firm takes DuckDB several times as long as sorting them, and three times the memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Whole = NDArray[Any]

WAYS = ("random", "risk", "special", "other")
KK_SCALE = 5_354_228_880
"""Sums of k²/n are kept as whole numbers of this part (every n up to 24 divides it), so that no order of adding shows."""

_LOW = 3
_MOST = 2**24


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """A key of the cells: numbers in the order of their names; one beyond the last name is no name.

    Parameters
    ----------
    codes : numpy.ndarray, shape (rows,)
        Place of each row's name.
    names : pyarrow.Array
        Names, sorted.
    """

    codes: Whole
    names: pa.Array

    @property
    def size(self) -> int:
        """How many codes there may be."""
        return len(self.names) + 1


class Runs(NamedTuple):
    """Batches of one firm in one cell: the cell, batches, passes."""

    place: Whole
    n: Whole
    k: Whole


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Batches:
    """Sorted batches: by cell, firm, way of drawing.

    Parameters
    ----------
    keys : dict of str to pyarrow.Array
        What each cell is, by column, in the order of the cells.
    cells : int
        How many there are.
    owner : numpy.ndarray, shape (rows,)
        A number for cell and firm, rising.
    place : numpy.ndarray, shape (rows,)
        The cell.
    way, passed : numpy.ndarray, shape (rows,)
        Place in `WAYS`; 1 for a pass.
    """

    keys: dict[str, pa.Array]
    cells: int
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
        n = np.diff(at, append=len(owner)).astype(np.int32)
        k = np.add.reduceat(passed, at, dtype=np.int32) if len(at) else n
        return Runs(place[at], n, k)

    def by_way(self) -> tuple[Ints, Ints]:
        """Return batches and passes, shape (cells, ways)."""
        code = self.place.astype(np.int64) * 8
        code += self.way * np.uint8(2)
        code += self.passed
        counts = np.bincount(code, minlength=8 * self.cells).reshape(self.cells, 4, 2)
        return counts.sum(2), counts[:, :, 1]


def sort_batches(columns: dict[str, Column], firm: Ints, way: Whole, passed: Whole) -> Batches | None:
    """Sort batches by cell and firm.

    Parameters
    ----------
    columns : dict of str to Column
        Keys of a cell, the first above the next.
    firm : numpy.ndarray, shape (rows,)
        Number of the firm, 0 and on.
    way, passed : numpy.ndarray, shape (rows,)
        Place in `WAYS`; 1 for a pass.

    Returns
    -------
    Batches or None
        None where the numbers do not fit into one whole number (no register is that large).
    """
    width = (int(firm.max()) if len(firm) else 0).bit_length()
    kinds = 1
    for column in columns.values():
        kinds *= column.size
    if kinds.bit_length() + width + _LOW > 63:
        return None
    key = np.zeros(len(firm), dtype=np.int64)  # in place: a temporary of ten million numbers is 80 MB
    for column in columns.values():
        key *= column.size
        key += column.codes
    key <<= width
    key += firm
    key <<= _LOW
    key += way * np.uint8(2)
    key += passed
    key.sort()
    way, passed = ((key >> 1) & 3).astype(np.uint8), (key & 1).astype(np.uint8)
    key >>= _LOW
    cell = key >> width
    at = _starts(cell)
    place = np.repeat(np.arange(len(at), dtype=np.int32), np.diff(at, append=len(cell)))
    return Batches(
        keys=_names(columns, cell[at]), cells=len(at), owner=key, place=place, way=way, passed=passed
    )


def _names(columns: dict[str, Column], cell: Ints) -> dict[str, pa.Array]:
    keys: dict[str, pa.Array] = {}
    for name, column in reversed(columns.items()):
        cell, codes = np.divmod(cell, column.size)
        keys[name] = pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32), mask=codes == len(column.names)), column.names
        )
    return dict(reversed(keys.items()))


def _starts(key: Whole) -> Ints:
    """Return where runs of equal keys begin."""
    change = np.empty(len(key), dtype=bool)
    change[:1] = True
    np.not_equal(key[1:], key[:-1], out=change[1:])
    return np.flatnonzero(change)


def _total(place: Whole, values: Whole, cells: int) -> Ints:
    """Sum whole numbers by cell; places rise."""
    out = np.zeros(cells, dtype=np.int64)
    at = _starts(place)
    if len(at):
        out[place[at]] = np.add.reduceat(values, at, dtype=np.int64)
    return out


def _firms(runs: Runs, cells: int) -> Ints:
    return np.bincount(runs.place, minlength=cells)


def _clean(runs: Runs, cells: int) -> Ints:
    return np.bincount(runs.place[runs.n == runs.k], minlength=cells)


def _top_two(runs: Runs, cells: int) -> tuple[Ints, Ints]:
    """Return the two largest contributions of one firm to each cell."""
    first, second = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    key = runs.place * np.int64(_MOST)
    key += runs.n
    key.sort()
    firms = _firms(runs, cells)
    end = np.cumsum(firms)
    has, more = firms > 0, firms > 1
    first[has], second[more] = key[end[has] - 1] % _MOST, key[end[more] - 2] % _MOST
    return first, second


def _square_sums(runs: Runs, cells: int) -> tuple[Ints, Ints]:
    """Return the sums over firms of n² and of k²/n in parts of `KK_SCALE`."""
    n, k = runs.n.astype(np.int64), runs.k.astype(np.int64)
    nn = _total(runs.place, n * n, cells)
    k *= k
    k *= KK_SCALE
    k //= n
    return nn, _total(runs.place, k, cells)


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
        periods and firms do not fit into one whole number.
    """
    found = _read(rows, ("entity", "period"))
    if found is None:
        return None
    cells = found.cells
    owners = found.runs()
    n, k = found.by_way()
    columns: dict[str, Ints] = {"n": n.sum(1), "k": k.sum(1)}
    columns |= {"n_firms": _firms(owners, cells), "n_clean": _clean(owners, cells)}
    for number, name in enumerate(WAYS):
        runs = found.runs(found.way == number)
        columns |= {f"{name}_n": n[:, number], f"{name}_k": k[:, number], f"{name}_n_firms": _firms(runs, cells)}
        columns[f"{name}_top1"], columns[f"{name}_top2"] = _top_two(runs, cells)
    return _frame(found, columns)


def sum_strata(rows: pa.Table, keys: Sequence[str]) -> pd.DataFrame | None:
    """Add batches by stratum.

    Parameters
    ----------
    rows : pyarrow.Table
        As for `sum_batches`, with further columns ``keys``.
    keys : sequence of str
        Columns of a cell, the first above the next.

    Returns
    -------
    pandas.DataFrame or None
        Columns of ``measures/strata.sql``, sorted by ``keys``; None where the numbers do not fit.
    """
    found = _read(rows, keys)
    if found is None:
        return None
    cells, is_random = found.cells, found.way == 0
    n, k = found.by_way()
    owners, random, directed = found.runs(), found.runs(is_random), found.runs(~is_random)
    if len(owners.n) and int(owners.n.max()) ** 2 * KK_SCALE >= 2**63:
        return None
    nn, kk = _square_sums(owners, cells)
    random_nn, random_kk = _square_sums(random, cells)
    columns = {
        "n": n.sum(1), "k": k.sum(1), "n_firms": _firms(owners, cells), "n_clean": _clean(owners, cells),
        "sum_nn": nn, "kk_parts": kk, "random_n": n[:, 0], "random_k": k[:, 0],
        "random_n_firms": _firms(random, cells), "random_n_clean": _clean(random, cells),
        "random_sum_nn": random_nn, "random_kk_parts": random_kk, "risk_n": n[:, 1],
        "directed_n_firms": _firms(directed, cells),
    }  # fmt: skip
    columns["random_top1"], columns["random_top2"] = _top_two(random, cells)
    columns["directed_top1"], columns["directed_top2"] = _top_two(directed, cells)
    return _frame(found, columns)


def _read(rows: pa.Table, keys: Sequence[str]) -> Batches | None:
    columns = {name: read_column(rows[name]) for name in keys}
    way, passed = rows["way"].to_numpy(), rows["is_pass"].cast(pa.uint8()).to_numpy()
    return sort_batches(columns, _firm_numbers(rows), way, passed)


def read_column(column: pa.ChunkedArray) -> Column:
    """Return names as numbers in the order of the names."""
    whole = column.combine_chunks()
    if pa.types.is_date(whole.type):
        return _read_days(whole)
    coded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    order = pc.sort_indices(coded.dictionary)
    place = np.empty(len(order) + 1, dtype=np.int64)
    place[order.to_numpy()] = np.arange(len(order))
    place[-1] = len(order)
    codes = coded.indices.fill_null(len(order)) if coded.null_count else coded.indices
    return Column(codes=place[codes.to_numpy()], names=coded.dictionary.take(order))


def _read_days(days: pa.Array) -> Column:
    """Number the days that occur; ten million of them are looked up, not hashed."""
    number = days.cast(pa.int32()).to_numpy()
    if not len(number):
        return Column(codes=number, names=days)
    low = int(number.min())
    is_there = np.zeros(int(number.max()) - low + 1, dtype=bool)
    is_there[number - low] = True
    rank = np.cumsum(is_there, dtype=np.int32) - np.int32(1)
    seen = np.flatnonzero(is_there).astype(np.int32) + np.int32(low)
    return Column(codes=rank[number - low], names=pa.array(seen, pa.int32()).cast(pa.date32()))


def _firm_numbers(rows: pa.Table) -> Ints:
    """Return a number for every firm: that of the register, and further ones for those outside it."""
    column = rows["firm_no"].combine_chunks()
    firm: Ints = column.fill_null(0).to_numpy().astype(np.int64)
    if column.null_count:
        is_stranger = column.is_null().to_numpy(zero_copy_only=False)
        strangers = pa.chunked_array([rows["stranger"].combine_chunks().filter(pa.array(is_stranger))])
        firm[is_stranger] = firm.max() + 1 + read_column(strangers).codes
    return firm


def _frame(found: Batches, columns: dict[str, Ints]) -> pd.DataFrame:
    keys = {name: _plain(values) for name, values in found.keys.items()}
    return pd.DataFrame({**keys, **columns})


def _plain(values: pa.Array) -> object:
    kind = values.type.value_type
    if pa.types.is_date(kind):
        return values.cast(pa.date32()).cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
    if pa.types.is_floating(kind):
        return values.cast(kind).to_numpy(zero_copy_only=False)
    return pd.array(values.cast(pa.large_string()), dtype="str")
