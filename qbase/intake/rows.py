"""Which rows of a sheet are data, and why the others are not: each of them is listed with a reason."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.grid import Grid
from qbase.tables import normalise_header

TOTALS = ("合计", "小计", "总计", "共计", "总数", "total", "subtotal", "grandtotal")
_NOTE = re.compile(
    r"(注|备注|附注|说明|数据来源|资料来源|来源|note|notes|source)\s*[0-9一二三四五六七八九十]?\s*[:：]", re.I
)
_SUSPECT = "^(?i)(合|小|总|共|注|备|附|说|数|资|来|total|sub|grand|note|source)"
_SPACE = re.compile(r"[\s\u3000:：]+")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The parts of a sheet.

    Parameters
    ----------
    header : int
        Position of the header row.
    headers : tuple of str
        As they stand.
    data : ndarray of int
        Positions of the data rows, ascending.
    listed : mapping
        Position -> why it is no data row: ``header``, ``blank_row``, ``repeated_header``, ``total_row``, ``note_row``.
    """

    header: int
    headers: tuple[str, ...]
    data: npt.NDArray[np.int64]
    listed: dict[int, str]


def find_layout(grid: Grid) -> Layout | None:
    """Find header and data rows: the first row that holds something is the header.

    Parameters
    ----------
    grid : Grid
        A sheet as read.

    Returns
    -------
    Layout or None
        None when every row is blank.
    """
    first = _first_filled(grid)
    filled = np.flatnonzero(np.asarray(first.is_valid()))
    if not len(filled):
        return None
    header = int(filled[0])
    headers = grid.row(header)
    listed = {int(i): "blank_row" for i in np.flatnonzero(np.asarray(first.is_null()))}
    listed[header] = "header"
    for position in _suspects(first, headers):
        reason = _reason(grid.row(position), headers)
        if position > header and reason:
            listed[position] = reason
    _drop_inner_notes(listed, len(grid))
    is_data = np.ones(len(grid), np.bool_)
    is_data[list(listed)] = False
    return Layout(header=header, headers=headers, data=np.flatnonzero(is_data), listed=listed)


def _first_filled(grid: Grid) -> pa.Array:
    """Return the first cell of each row that is not blank, trimmed; null for a blank row."""
    found = pa.nulls(len(grid), pa.string())
    for i in range(grid.width):
        if not found.null_count:
            break
        column = pc.utf8_trim_whitespace(grid.cells.column(i).combine_chunks())
        found = pc.coalesce(found, pc.if_else(pc.equal(column, ""), None, column))
    return found


def _suspects(first: pa.Array, headers: Sequence[str]) -> list[int]:
    """Return rows whose first text could be a total, a note or the header again; only these are looked at closely."""
    label = next((header.strip() for header in headers if header.strip()), "")
    wanted = pc.or_(pc.match_substring_regex(first, _SUSPECT), pc.equal(first, label)).fill_null(False)
    return [int(i) for i in np.flatnonzero(np.asarray(wanted))]


def _is_total(text: str) -> bool:
    return len(text) <= 20 and _SPACE.sub("", text).casefold() in TOTALS


def _reason(row: Sequence[str], headers: Sequence[str]) -> str:
    filled = [cell.strip() for cell in row if cell.strip()]
    if [normalise_header(cell) for cell in row] == [normalise_header(cell) for cell in headers]:
        return "repeated_header"
    # a firm may be called Total, but then the rest of its row is filled as well
    if filled and _is_total(filled[0]) and len(filled) < sum(bool(header.strip()) for header in headers):
        return "total_row"
    return "note_row" if len(filled) == 1 and _NOTE.match(filled[0]) else ""


def _drop_inner_notes(listed: dict[int, str], rows: int) -> None:
    """Keep notes below the data only: further up such a row is broken and must be looked at."""
    last = next((position for position in range(rows - 1, -1, -1) if position not in listed), -1)
    for position in [p for p, reason in listed.items() if reason == "note_row" and p < last]:
        del listed[position]
