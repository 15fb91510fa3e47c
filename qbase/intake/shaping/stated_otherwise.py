"""Columns without a header of their own that the file tells all the same: ids, numbers of items, limits, "not stated"."""

from __future__ import annotations

import collections
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.values.written_limits import read_limits
from qbase.tables import Contract

LIMITS = ("lower_limit", "upper_limit")


def add_stated(data: pa.Table, contract: Contract) -> tuple[pa.Table, list[str]]:
    """Add the columns of a contract that others tell, and the value of a classification nobody stated.

    Parameters
    ----------
    data : pyarrow.Table
        Rows of text as read.
    contract : Contract
        Says which columns stand in for another, and what is stored where a classification is not stated.

    Returns
    -------
    tuple of (pyarrow.Table, list of str)
        The rows, and what a reader should know.
    """
    told: list[str] = []
    for column in contract.columns:
        name = column.name
        if column.unstated:
            cells = data.column(name) if name in data.column_names else pa.nulls(len(data), pa.string())
            if cells.null_count:
                told.append(f"{name}:not_stated {cells.null_count}")
                data = _put(data, name, pc.fill_null(cells, column.unstated))
        elif name not in data.column_names and column.instead == ("uscc",) and "uscc" in data.column_names:
            data = _put(data, name, data.column("uscc"))
            told.append(f"{name}:code_as_id")
        elif name not in data.column_names and name == "item_no" and {"sample_no"} <= set(data.column_names):
            data = _put(data, name, pa.array(_number(data.column("sample_no").to_pylist()), pa.string()))
    if set(LIMITS) <= set(contract.column_names) and "requirement_text" in data.column_names:
        data = _with_limits(data)
    return data, told


def _put(data: pa.Table, name: str, cells: pa.Array | pa.ChunkedArray) -> pa.Table:
    if name in data.column_names:
        return data.set_column(data.column_names.index(name), name, cells)
    return data.append_column(name, cells)


def _number(owners: list[str | None]) -> list[str]:
    """Number the rows of each owner from 1 on, in file order."""
    seen: collections.Counter[str | None] = collections.Counter()
    numbers = []
    for owner in owners:
        seen[owner] += 1
        numbers.append(str(seen[owner]))
    return numbers


def _with_limits(data: pa.Table) -> pa.Table:
    """Read the limits out of the requirement, where the file has no column of them."""
    texts = data.column("requirement_text").combine_chunks().dictionary_encode()
    known: Mapping[str, list[str | None]] = {
        name: [read_limits(text)[side] for text in texts.dictionary.to_pylist()] for side, name in enumerate(LIMITS)
    }
    for name in LIMITS:
        read = pa.array(known[name], pa.string()).take(texts.indices)
        has_own = name in data.column_names
        data = _put(data, name, pc.coalesce(data.column(name), read) if has_own else read)
    return data


def mark_rechecks(raw: pa.ChunkedArray) -> pa.Array | None:
    """Return yes for every row whose way of drawing says that it is a re-check; None when there is none."""
    found = np.asarray(pc.match_substring_regex(raw, "复[查检验]").fill_null(False))
    return pa.array(np.where(found, "true", None), pa.string()) if found.any() else None
