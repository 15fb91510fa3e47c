"""The second engine: which worksheets a workbook has, and how many of their rows hold something."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence

import python_calamine

from qbase.intake.reading.sheet_cells import Refused, Sheet

DENSE = (
    2_000_000  # calamine makes room for every cell of a sheet's rectangle: beyond this for a sheet that is full only
)
MIN_FILL = 0.1
UNSEEN = frozenset({"error_cell", "formula_without_value"})  # other programs give these as empty cells
Counted = list[tuple[str, int]]


def count_rows(path: str, sheets: Sequence[Sheet], *, is_old: bool = False) -> list[int]:
    """Return the rows of each worksheet that hold something, as another program counts them.

    The first program that finds the same sheets and as many rows decides; where none does, its count is returned.

    Parameters
    ----------
    path : str
        A workbook.
    sheets : sequence of Sheet
        As read here: the other program must name the same, in order.
    is_old : bool
        It is an .xls, which only one other program reads.

    Returns
    -------
    list of int

    Raises
    ------
    Refused
        No other program reads the workbook, or it finds other sheets.
    """
    names, rows = [sheet.name for sheet in sheets], [sheet.count_filled(UNSEEN) for sheet in sheets]
    is_sparse = any(_area(sheet) > DENSE and sheet.count < MIN_FILL * _area(sheet) for sheet in sheets)
    engines = ENGINES[:1] if is_old else ENGINES[1:] if is_sparse else ENGINES
    seen = []
    for count in engines:
        counted = count(path)
        if counted == list(zip(names, rows, strict=True)):
            return rows
        seen += [counted] if counted is not None else []
    alike = [counted for counted in seen if [name for name, _ in counted] == names]
    if not alike:
        found = " / ".join(", ".join(name for name, _ in counted) for counted in seen)
        raise Refused("sheets", f"{', '.join(names)} / {found}")
    return [count for _, count in alike[0]]


def _area(sheet: Sheet) -> int:
    return sheet.last_row * sheet.last_column


def _count_calamine(path: str) -> Counted | None:
    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        return [
            (meta.name, _filled(book.get_sheet_by_index(i).to_python(skip_empty_area=True)))
            for i, meta in enumerate(book.sheets_metadata)
            if meta.typ == python_calamine.SheetTypeEnum.WorkSheet
        ]
    except (python_calamine.CalamineError, python_calamine.XmlError, python_calamine.ZipError):
        return None


def _count_openpyxl(path: str) -> Counted | None:
    """Count with openpyxl, which follows relations as well and takes a row at a time."""
    import openpyxl  # few workbooks need it, and loading it takes longer than reading one
    from openpyxl.cell.cell import ERROR_CODES

    found = []
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a sheet says of its size is not to be trusted
            # calamine shows no error values, and both are to count alike
            rows = ([value for value in row if value not in ERROR_CODES] for row in sheet.iter_rows(values_only=True))
            found.append((sheet.title, _filled(rows)))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError, AttributeError):
        return None
    return found


ENGINES = (_count_calamine, _count_openpyxl)  # the second reads odd packages and sparse sheets


def _filled(rows: Iterable[Iterable[object]]) -> int:
    """Count the rows that hold something."""
    return sum(
        any(value is not None and (not isinstance(value, str) or value.strip()) for value in row) for row in rows
    )
