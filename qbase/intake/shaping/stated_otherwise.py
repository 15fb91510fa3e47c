"""Columns without a header of their own that a file tells all the same: ids, numbers of items, limits, "not stated"."""

from __future__ import annotations

import collections
import re
import zlib
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.recipes.notice_lists import result_of_title
from qbase.intake.values.written_limits import read_limits
from qbase.tables import Contract

LIMITS = ("lower_limit", "upper_limit")
_RECHECK = re.compile("复[查检验]")


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
    """Return the number of every row among those of its owner, from 1 on in file order."""
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


def says_recheck(texts: Sequence[str]) -> bool:
    """Say whether one of some texts says that a row is a re-check."""
    return any(_RECHECK.search(text) for text in texts)


def mark_rechecks(raw: pa.ChunkedArray) -> pa.Array | None:
    """Return yes for every row whose way of drawing says that it is a re-check; None when there is none."""
    words = pc.match_substring_regex(raw, _RECHECK.pattern).fill_null(False)
    if not pc.any(words).as_py():
        return None
    return pc.if_else(words, pa.scalar("true"), pa.scalar(None, pa.string())).combine_chunks()


def add_notice(data: pa.Table, titles: Sequence[str], file: str) -> pa.Table:
    """Add to a list of a public notice its title, the result its title gives to all rows, and numbers of its own.

    Parameters
    ----------
    data : pyarrow.Table
        Rows of text as read.
    titles : sequence of str
        Above the header; the name of the file takes their place where there is none.
    file : str
        Name of the file.

    Returns
    -------
    pyarrow.Table
    """
    title = next((text for text in titles if text.strip()), "") or file.rpartition(".")[0]
    if "notice_title" not in data.column_names:
        data = _put(data, "notice_title", pa.array([title] * len(data), pa.string()))
    result = next(filter(None, map(result_of_title, (*titles, file))), None)
    if "result" not in data.column_names and result is not None:
        data = _put(data, "result", pa.array([result] * len(data), pa.string()))
    if "record_no" not in data.column_names:
        serials = data.column("serial_no").to_pylist() if "serial_no" in data.column_names else [None] * len(data)
        notice = f"N{zlib.crc32(title.encode()):08x}"
        numbers = [f"{notice}-{serial or f'row{row}'}" for row, serial in enumerate(serials, 1)]
        data = _put(data, "record_no", pa.array(numbers, pa.string()))
    return data
