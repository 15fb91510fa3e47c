"""Columns of items made into rows of the table of items: number of the sample, item, limit, value, verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from qbase.intake.finding.data_rows import Layout
from qbase.intake.finding.wide_items import WideItem, WideSheet, is_tested
from qbase.intake.reading.raw_grid import Fault, Grid, build_grid
from qbase.intake.values.cell_values import narrow
from qbase.intake.values.number_style import find_style, in_style
from qbase.intake.values.written_limits import read_limits
from qbase.intake.values.written_numbers import read_numeral

HEADERS = ("抽样编号", "项目序号", "项目名称", "计量单位", "标准要求", "实测值", "单项判定")
VALUE = HEADERS.index("实测值")


def unpivot(grid: Grid, wide: WideSheet) -> tuple[Grid, Layout]:
    """Make one row of every cell of an item; each keeps the number of the row it stands in.

    Parameters
    ----------
    grid : Grid
        The sheet.
    wide : WideSheet
        Its columns of items. Where it holds items alone, its other rows are listed here, so that none is lost; else
        the table of batches lists them.

    Returns
    -------
    tuple of (Grid, Layout)
        A sheet of items and its parts, without a header row.
    """
    columns = {item.position: grid.cells.column(item.position).to_pylist() for item in wide.items}
    numbers = grid.cells.column(wide.numbers).to_pylist()
    style = find_style(narrow(column[row]).strip() for column in columns.values() for row in wide.layout.data)
    rows: list[tuple[str, ...]] = []
    places: list[int] = []
    at: dict[tuple[int, int], int] = {}
    listed: dict[int, str] = {}
    data = set(wide.layout.data.tolist())
    for row in range(wide.layout.begin, wide.layout.begin + wide.layout.rows):
        values = [(k, item, columns[item.position][row]) for k, item in enumerate(wide.items, 1) if row in data]
        tested = [one for one in values if is_tested(one[2])]
        for k, item, value in tested:
            at[row, item.position] = len(rows)
            verdict = _judge(item, value, style)
            rows.append((numbers[row], str(k), item.name, item.unit, item.requirement, value, verdict))
            places.append(row)
        if wide.is_alone and not tested:
            listed[len(rows)] = wide.layout.listed.get(row, "empty_record")
            rows.append(grid.row(row))
            places.append(row)
    made = build_grid(rows, sheet=grid.sheet, row_numbers=(grid.row_nos(places) - 1).tolist(), width=len(HEADERS))
    told = (f"sheet:items_from_columns {len(at)}",)
    made = dataclasses.replace(made, faults=tuple(_moved(grid.faults, at)), notes=told)
    is_data = np.setdiff1d(np.arange(len(rows)), list(listed))
    layout = Layout(header=-1, headers=HEADERS, data=is_data, listed=listed, begin=0, rows=len(rows))
    return made, layout


def _moved(faults: Iterable[Fault], at: dict[tuple[int, int], int]) -> Iterable[Fault]:
    for fault in faults:
        if (fault.row, fault.column) in at:
            yield dataclasses.replace(fault, row=at[fault.row, fault.column], column=VALUE)


def _judge(item: WideItem, cell: str, style: str) -> str:
    """Say whether a value keeps its limits; nothing where it is no number."""
    pointed = in_style(narrow(cell).strip(), style)
    value = read_numeral(pointed, "")[0] if pointed else None
    if value is None:
        return ""
    low, high = read_limits(item.requirement)
    is_ok = (low is None or Decimal(value) >= Decimal(low)) and (high is None or Decimal(value) <= Decimal(high))
    return "合格" if is_ok else "不合格"
