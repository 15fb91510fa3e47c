"""合计 and 小计: no data, but a statement about the data that must be true."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from qbase.intake.finding.column_meaning import ColumnMap
from qbase.intake.finding.data_rows import Layout
from qbase.intake.finding.number_columns import find_column_style
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.values.cell_values import narrow
from qbase.intake.values.number_style import in_style
from qbase.intake.values.units import measures
from qbase.intake.values.written_numbers import EXACT, read_numeral
from qbase.tables import ColumnRule

_COUNTED = re.compile(r"(不合格|合格)? ?(\d[\d,]*) ?(?:批次?|行|家|户|个|条|项|件)")
_NO_SUM = re.compile(r"率|占比|比重|平均|均值|%|指数|年份|序号|编号|代码|日期|经度|纬度", re.IGNORECASE)
_NO_AMOUNT = re.compile("_(?:days|index|hours)$")
_SUB = re.compile(r"小计|subtotal", re.IGNORECASE)
_SO_FAR = re.compile(r"累计")
_SPACE = re.compile(r"\s+")


def check_totals(sheets: Sequence[tuple[Grid, Layout, ColumnMap]]) -> tuple[list[str], dict[tuple[str, int], str]]:
    """Compare every total with the rows it stands for.

    Parameters
    ----------
    sheets : sequence of (Grid, Layout, ColumnMap)
        Sheets of a file in order: 累计 counts all of them so far.

    Returns
    -------
    tuple of (list of str, dict)
        Warnings with the printed and the true number; (sheet, position) of the rows that are wrong -> reason.
    """
    warnings: list[str] = []
    wrong: dict[tuple[str, int], str] = {}
    for i, (grid, layout, columns) in enumerate(sheets):
        totals = layout.of_reason("total_row")
        rows = {position: [narrow(cell).strip() for cell in grid.row(position)] for position in totals}
        labels = {position: _SPACE.sub("", next(cell for cell in cells if cell)) for position, cells in rows.items()}
        for position, cells in rows.items():
            label = labels[position]
            scopes = _scopes(labels, layout, position, len(grid))
            found = _check_sums(grid, layout, columns, cells, scopes)
            so_far = sheets[: i + 1] if _SO_FAR.search(label) else sheets[i : i + 1]
            found += _check_counts(so_far, cells, scopes)
            place = f"{grid.sheet}!{grid.row_no(position)} {label}".lstrip("!")
            warnings += [f"{place} {what}:total_mismatch {printed}/{true}" for what, printed, true in found]
            if found:
                wrong[grid.sheet, position] = "total_row_wrong"
    return warnings, wrong


def _scopes(labels: Mapping[int, str], layout: Layout, position: int, end: int) -> list[list[int]]:
    """Return the rows a total may stand for: a subtotal those above or below it, a total all of them.

    A total that is printed several times, 全县合计 of every year, stands for those since the last one of its name.
    """
    data = [int(row) for row in layout.data]
    label = labels[position]
    is_repeated = sum(label == other for other in labels.values()) > 1
    if not (_SUB.search(label) or is_repeated):
        return [data]
    edges = [row for row, other in labels.items() if _SUB.search(label) or other == label]
    before = max((row for row in edges if row < position), default=-1)
    after = min((row for row in edges if row > position), default=end)
    near = [[row for row in data if before < row < position], [row for row in data if position < row < after]]
    return [*near, data] if is_repeated and not _SUB.search(label) else near


def _check_sums(
    grid: Grid, layout: Layout, columns: ColumnMap, cells: Sequence[str], scopes: Sequence[list[int]]
) -> list[tuple[str, str, str]]:
    names = {position: name for name, position in columns.positions.items()}
    found = []
    for j, cell in enumerate(cells):
        style = find_column_style(grid, layout, j) if cell and j < grid.width else ""
        printed = read_numeral(in_style(cell, style) or "", "")[0] if cell else None
        if printed is None or j >= grid.width or not _adds_up(j, names, layout, columns):
            continue
        sums = [_sum(grid, j, rows, style) for rows in scopes]
        true = [total for total in sums if total is not None]
        if true and Decimal(printed) not in true:
            header = layout.headers[j].strip() if j < len(layout.headers) else ""
            found.append((header or f"#{j + 1}", printed, f"{true[0].normalize():f}"))
    return found


def adds_up(rule: ColumnRule) -> bool:
    """Say whether the cells of a column make a sum: amounts and counts do, rates, years and days of good air do not."""
    return (
        rule.type in ("int", "number") and measures(rule.unit) not in ("rate", "") and not _NO_AMOUNT.search(rule.name)
    )


def _adds_up(j: int, names: dict[int, str], layout: Layout, columns: ColumnMap) -> bool:
    """Say whether a column is one whose cells make a sum: amounts and counts, not rates or years."""
    header = layout.headers[j] if j < len(layout.headers) else ""
    if j in names:
        rule = columns.contract.column(names[j])
        return adds_up(rule)
    return bool(header.strip()) and not _NO_SUM.search(header)


def _sum(grid: Grid, column: int, rows: Sequence[int], style: str) -> Decimal | None:
    """Return the exact sum of a column over rows; None where it holds something that is no number, or nothing."""
    total, count = Decimal(0), 0
    for text in grid.cells_of(column, rows).to_pylist():
        clean = narrow(text).strip()
        if clean in ("", "/", "—", "-"):
            continue
        plain = read_numeral(in_style(clean, style) or "", "")[0]
        if plain is None:
            return None
        total, count = EXACT.add(total, Decimal(plain)), count + 1
    return total if count else None


def _check_counts(
    sheets: Sequence[tuple[Grid, Layout, ColumnMap]], cells: Sequence[str], scopes: Sequence[list[int]]
) -> list[tuple[str, str, str]]:
    """Check cells such as 207批次 and 不合格20批次 against the number of rows."""
    found = []
    for cell in cells:
        match = _COUNTED.fullmatch(cell)
        if match is None:
            continue
        printed = int(match[2].replace(",", ""))
        word = match[1] or ""
        if len(sheets) == 1:
            counts = [_count(sheets[0], rows, word) for rows in scopes]
        else:
            counts = [sum(_count(sheet, [int(row) for row in sheet[1].data], word) for sheet in sheets)]
        if printed not in counts and -1 not in counts:
            found.append((word, str(printed), str(counts[0])))
    return found


def _count(sheet: tuple[Grid, Layout, ColumnMap], rows: Sequence[int], word: str) -> int:
    """Return how many rows there are, or how many with that result; -1 where the sheet has no results."""
    if not word:
        return len(rows)
    grid, _, columns = sheet
    position = columns.positions.get("result")
    if position is None:
        return -1
    wanted = {"合格": "pass", "不合格": "fail"}[word]
    spellings = {wanted, *columns.contract.column("result").values.get(wanted, ())}
    texts = grid.cells_of(position, rows).to_pylist()
    return sum(text.strip() in spellings for text in texts)
