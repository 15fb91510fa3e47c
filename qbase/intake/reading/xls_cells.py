"""Reader of old workbooks (BIFF): text, error and format of every cell, as that of xlsx gives them.

It runs in the child process of `qbase.intake.reading.child_worker`.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
from collections.abc import Iterator
from typing import Any

import python_calamine
import xlrd
from xlrd.biffh import error_text_from_code

from qbase.intake.reading.sheet_cells import Refused, Sheet
from qbase.intake.values.cell_text import Cells, Style, find_style
from qbase.intake.values.marked_text import LOWERED, PLAIN, RAISED, STRUCK, Piece, join_pieces

_KINDS = {xlrd.XL_CELL_NUMBER: "n", xlrd.XL_CELL_DATE: "n", xlrd.XL_CELL_BOOLEAN: "b", xlrd.XL_CELL_ERROR: "e"}
_RAISE = {1: RAISED, 2: LOWERED}
_NO_BOOK = "Can't find workbook"


def read_xls(path: str) -> list[Sheet]:
    """Read all worksheets of an old workbook.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    list of Sheet
        Cells as text by row and column, from 0.

    Raises
    ------
    Refused
        It is broken, has a password, or is absurdly large.
    """
    try:
        book = xlrd.open_workbook(path, formatting_info=True, logfile=io.StringIO())
    except MemoryError:
        raise
    except Exception as error:  # xlrd raises whatever its tables run into
        if _NO_BOOK in str(error):
            python_calamine.CalamineWorkbook.from_path(path)  # tells a workbook of today with a password
        why = "encrypted" if "encrypted" in str(error) else "broken"
        raise Refused(why, f"{type(error).__name__}: {error}") from None
    cells = Cells(strings=[], styles=list(_styles(book)), is_1904=book.datemode == 1)
    return [_read_sheet(book, sheet, cells) for sheet in book.sheets()]


def _styles(book: Any) -> Iterator[Style]:
    for xf in book.xf_list:
        number_format = book.format_map.get(xf.format_key)
        style = find_style(xf.format_key, number_format.format_str if number_format is not None else "")
        yield dataclasses.replace(style, is_struck=bool(book.font_list[xf.font_index].struck_out))


def _read_sheet(book: Any, printed: Any, cells: Cells) -> Sheet:
    sheet = Sheet(name=printed.name)
    hidden = {
        "hidden_sheet": bool(printed.visibility),
        "hidden_rows": sum(bool(row.hidden) for row in printed.rowinfo_map.values()),
        "hidden_columns": sum(bool(column.hidden) for column in printed.colinfo_map.values()),
        "merged_cells": len(printed.merged_cells),
    }
    for code, count in hidden.items():
        if count:
            sheet.note(code, int(count))
    sheet.merges = [(first, left, last - 1, right - 1) for first, last, left, right in printed.merged_cells]
    for row in range(printed.nrows):
        is_struck = False
        for column, cell in enumerate(printed.row(row)):
            if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK) or cell.value == "":
                continue
            text, code, is_fatal = _text(book, printed, (row, column), cells)
            sheet.store(row, column, text, code, is_fatal=is_fatal)
            is_struck |= bool(text.strip()) and cells.styles[cell.xf_index].is_struck
        if is_struck:
            sheet.note("struck_rows")
    return sheet


def _text(book: Any, printed: Any, place: tuple[int, int], cells: Cells) -> tuple[str, str, bool]:
    cell = printed.cell(*place)
    if cell.ctype == xlrd.XL_CELL_TEXT:
        runs = printed.rich_text_runlist_map.get(place)
        text, code = join_pieces(list(_pieces(book, cell.value, runs))) if runs else (cell.value, "")
        return text, code, False
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return cells.text("e", error_text_from_code.get(cell.value, "#ERROR!"), cell.xf_index)
    raw = repr(cell.value) if isinstance(cell.value, float) else str(cell.value)
    return cells.text(_KINDS[cell.ctype], raw, cell.xf_index)


def _pieces(book: Any, text: str, runs: list[tuple[int, int]]) -> Iterator[Piece]:
    """Yield the pieces of a marked-up text: what stands before the first run has the font of the cell."""
    starts: list[tuple[int, int | None]] = [(0, None), *runs, (len(text), None)]
    for (start, font), (end, _) in itertools.pairwise(starts):
        if start < end:
            look = book.font_list[font] if font is not None and font < len(book.font_list) else None
            yield text[start:end], _mark(look)


def _mark(font: Any) -> str:
    if font is None:
        return PLAIN
    return STRUCK if font.struck_out else _RAISE.get(font.escapement, PLAIN)
