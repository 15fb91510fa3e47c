"""Items that stand beside one another, one column each, with their limits in the header or in a row below it."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from qbase.intake.finding.data_rows import Layout
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.values.cell_values import narrow
from qbase.intake.values.units import is_unit
from qbase.intake.values.written_limits import NONE, read_limits
from qbase.intake.values.written_numbers import read_numeral
from qbase.tables import normalise_header, read_contract, split_unit

TABLE, BATCHES = "items", "inspections"
LOOK = 4
"""Rows below the header in which names, units and limits of items may stand."""
PASSED_OVER = ("blank_row", "unit_row")
SAMPLE = 200
ENOUGH = 0.5
"""Share of the cells of an item that have to be numbers."""

_NOT_TESTED = frozenset(
    {"", "/", "—", "——", "-", "--", "*", "…", "……", "未检", "不检", "未检验", "未检测", "未做", "不适用"}
)
_GROUP = re.compile(
    r"(?:各?(?:检验|检测|测试|分项|质量|理化)?(?:项目|指标|数据|结果|项目及结果)|实测值|分项)"
    r"(?:\(.*\))?"
)
_LABEL = re.compile(r"(?:国家)?(?:标准|技术|指标|合格|限)(?:规定|要求|指标)?(?:值|要求|指标|规定|限值|范围)?|限量|要求")
_UNIT_LABEL = re.compile(r"(?:计量)?单位")
_BRACKETS = re.compile(r"[(\[【]([^()\[\]【】]*)[)\]】]")
_SAID = re.compile(r"^(?:标准|技术|指标)?(?:值|规定|要求|指标|限值|限量|单位)\s*[:：]?\s*")
_LIMIT = re.compile(r"[≥≤≧≦⩾⩽<>±]|不小于|不低于|不少于|不大于|不高于|不超过|不得|不应|至少|至多")
_UNIT = re.compile(r"[\dA-Za-z%‰μΩ°℃·/²³^-]*[A-Za-z%‰μΩ°℃][\dA-Za-z%‰μΩ°℃·/²³^-]*|级|倍|次|分")
_EDGE = " :：,，/_-、"


@dataclasses.dataclass(frozen=True, kw_only=True)
class WideItem:
    """A column that holds measured values of one item."""

    position: int
    name: str
    unit: str
    requirement: str


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WideSheet:
    """A sheet with columns of items.

    Parameters
    ----------
    layout : Layout
        Its parts; rows that name items or their limits are part of the header, headers of items are blank.
    items : tuple of WideItem
        In order of the columns.
    numbers : int
        Position of the column of sample numbers.
    is_alone : bool
        The sheet has no day of sampling: its rows are no batches.
    """

    layout: Layout
    items: tuple[WideItem, ...]
    numbers: int
    is_alone: bool


@dataclasses.dataclass(kw_only=True)
class _Below:
    """What the rows below a header add to it: column -> name, unit, requirement."""

    names: dict[int, str] = dataclasses.field(default_factory=dict)
    units: dict[int, str] = dataclasses.field(default_factory=dict)
    limits: dict[int, str] = dataclasses.field(default_factory=dict)
    rows: list[int] = dataclasses.field(default_factory=list)


def find_wide(grid: Grid, layout: Layout, recipe: Recipe) -> WideSheet | None:
    """Find the columns of a sheet that hold one item each.

    A column is one only where a limit is stated for it that can be read, and where its cells are numbers.

    Parameters
    ----------
    grid, layout : Grid, Layout
        The sheet and its parts.
    recipe : Recipe
        One that reads items in another way, or another table, has none here.

    Returns
    -------
    WideSheet or None
    """
    if recipe.items is not None or recipe.only_named or recipe.table not in ("", BATCHES, TABLE):
        return None
    numbers = [i for i, header in enumerate(layout.headers) if normalise_header(header) in _names_of("sample_no")]
    used = _known_names() | {normalise_header(name) for name in (*recipe.columns, *recipe.ignored)}
    free = [i for i in range(len(layout.headers)) if _is_free(layout.headers, i, used)]
    if not free or len(numbers) != 1 or not len(layout.data):
        return None
    below = _read_below(grid, layout, frozenset(free))
    data = np.setdiff1d(layout.data, below.rows)
    named = {i: below.names.get(i, layout.headers[i]) for i in free}
    read = [_read_item(i, name, below.units.get(i, ""), below.limits.get(i, "")) for i, name in named.items()]
    items = tuple(item for item in read if item is not None and _holds_numbers(grid, data, item.position))
    if not items:
        return None
    taken = {item.position for item in items}
    found = dataclasses.replace(
        layout,
        headers=tuple("" if i in taken else header for i, header in enumerate(layout.headers)),
        listed=layout.listed | dict.fromkeys(below.rows, "header"),
        data=data,
    )
    has_day = any(normalise_header(header) in _names_of("sample_date") for header in layout.headers)
    is_alone = recipe.table == TABLE or (not recipe.table and not has_day)
    return WideSheet(layout=found, items=items, numbers=numbers[0], is_alone=is_alone)


@functools.cache
def _known_names() -> frozenset[str]:
    columns = (column for table in (BATCHES, TABLE) for column in read_contract(table).columns)
    return frozenset(normalise_header(name) for column in columns for name in column.headers)


@functools.cache
def _names_of(column: str) -> frozenset[str]:
    return frozenset(map(normalise_header, read_contract(BATCHES).column(column).headers))


def _is_free(headers: Sequence[str], position: int, used: Collection[str]) -> bool:
    """Say whether a header may be that of an item: it means nothing else, or stands over several columns."""
    header = headers[position]
    if _GROUP.fullmatch(normalise_header(header)):
        return position + 1 < len(headers) and not headers[position + 1].strip()
    return not {normalise_header(header), normalise_header(split_unit(header)[0])} - {""} & set(used)


def _read_below(grid: Grid, layout: Layout, free: frozenset[int]) -> _Below:
    """Read what stands below a header, or in the one line above it, before the first batch."""
    found = _Below()
    above = layout.header - 1
    near = [above] if layout.listed.get(above) == "title_row" else []
    below = (row for row in range(layout.header + 1, len(grid)) if layout.listed.get(row) not in PASSED_OVER)
    for row in [*near, *itertools.islice(below, LOOK)]:
        cells = {i: " ".join(narrow(cell).split()) for i, cell in enumerate(grid.row(row)) if cell.strip()}
        is_read = _add_row(found, cells, free, layout.headers)
        if is_read:
            found.rows.append(row)
        elif row != above:
            break
    return found


def _add_row(found: _Below, cells: Mapping[int, str], free: frozenset[int], headers: Sequence[str]) -> bool:
    """Add one row to what is known of the columns; say whether it was none of a batch."""
    said = {i: cell for i, cell in cells.items() if not (_LABEL.fullmatch(cell) or _UNIT_LABEL.fullmatch(cell))}
    if not said or not set(said) <= free:
        return False
    limits = {i: cell for i, cell in said.items() if read_limits(cell) != NONE}
    if limits and all(i in limits or _LIMIT.search(cell) or not _is_number(cell) for i, cell in said.items()):
        for i, cell in limits.items():
            # two grades have two limits: which of them holds is not said
            found.limits[i] = cell if found.limits.get(i, cell) == cell else ""
        return True
    if all(_UNIT.fullmatch(cell) or is_unit(cell) or cell in _NOT_TESTED for cell in said.values()):
        found.units |= said
        return True
    is_names = all(not headers[i].strip() or _GROUP.fullmatch(normalise_header(headers[i])) for i in said)
    if is_names and len(said) > 1 and not any(map(_is_number, said.values())):
        found.names |= said
        return True
    return False


def _is_number(cell: str) -> bool:
    return read_numeral(cell, "")[0] is not None


def _read_item(position: int, header: str, unit: str, below: str) -> WideItem | None:
    """Read name, unit and limits out of a header: 断裂强度（cN/dtex）≥3.3; None where no limit is stated for it."""
    text = " ".join(narrow(header).split())
    group, joint, rest = text.partition("_")
    text = rest if joint and _GROUP.fullmatch(group) else text
    stated: list[str] = []
    for inside in _BRACKETS.findall(text):
        piece = _SAID.sub("", inside.strip())
        parts = [piece] if read_limits(piece) != NONE else [part.strip() for part in re.split("[,;，；、]", piece)]
        if all(_is_limit(part) or _is_unit(part) for part in parts):
            stated += [part for part in parts if _is_limit(part)]
            unit = next((part for part in parts if _is_unit(part)), unit)
            text = re.sub(rf"[(\[【]{re.escape(inside)}[)\]】]", " ", text)
    name, limit = _split_limit(" ".join(text.split()))
    known = {read_limits(said): said for said in (*stated, limit, below) if read_limits(said) != NONE}
    name = name.strip(_EDGE)
    if len(known) != 1 or not name:
        return None
    return WideItem(position=position, name=name, unit=unit, requirement=next(iter(known.values())))


def _split_limit(text: str) -> tuple[str, str]:
    """Split a limit off the end of a name: 断裂强度≥3.3, 线密度 3.0~3.6."""
    sign = _LIMIT.search(text)
    if sign and _is_limit(text[sign.start() :]):
        return text[: sign.start()], text[sign.start() :]
    name, _, last = text.rpartition(" ")
    return (name, last) if name and _is_limit(last) else (text, "")


def _is_limit(text: str) -> bool:
    return read_limits(text) != NONE


def _is_unit(text: str) -> bool:
    return not _is_limit(text) and (_UNIT.fullmatch(text) is not None or is_unit(text))


def _holds_numbers(grid: Grid, data: npt.NDArray[np.int64], position: int) -> bool:
    cells = grid.cells_of(position, data[:SAMPLE]).to_pylist()
    stated = [text for text in (narrow(cell).strip() for cell in cells) if text not in _NOT_TESTED]
    return bool(stated) and sum(map(_is_number, stated)) >= ENOUGH * len(stated)


def is_tested(cell: str) -> bool:
    """Say whether a cell of an item holds anything: / and 未检 say that it was not tested."""
    return narrow(cell).strip() not in _NOT_TESTED
