"""Which rows of a sheet are data, and why the others are not: each of them is listed with a reason."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.intake.finding.header_place import LOOK, find_header
from qbase.intake.reading.raw_grid import Grid, first_filled
from qbase.intake.recipes.recipe_model import TIDY, Recipe
from qbase.intake.values.cell_values import narrow
from qbase.intake.values.units import is_unit_row, looks_like_unit, read_unit_line
from qbase.tables import normalise_header

SUMS = ("合计", "小计", "总计", "共计")  # nobody is called so
TOTALS = ("合计", "小计", "总计", "共计", "总数", "累计", "total", "subtotal", "grandtotal")
_NOTE = re.compile(
    r"(注|备注|附注|说明|数据来源|资料来源|来源|填报单位|填表单位|制表单位|填报人|填表人|制表人|制表|审核人|审核|复核|单位负责人|"
    r"负责人|联系人|联系电话|填报日期|统计口径|note|notes|source)\s*[0-9一二三四五六七八九十]?\s*[:：]",
    re.IGNORECASE,
)
_SUSPECT = (
    r"^(?i)(合|小|总|共|累|注|备|附|说|数|资|来|填|制|审|复|单|负|联|统|"
    r"[(（【\[]?续|第|共|接|承|过|转|上接|下|表|附|page|p\.?\s*\d|[-—–·]|\d{1,4}\s*[/页]|to be|continued|"
    r"\S{1,8}(合计|小计|总计|累计)|total|sub|grand|note|source|unit|"
    r"scale|magnitude|multipl|量级|倍|乘|换|以下|[(（]?[x×✕]|\S{0,4}单 ?位|\S?单位|[*※①-⑳]|"
    r"[(\[（【]?\d{1,2}[)\]）】.、．]|以上|本表|表中|上述)"
)
# how a remark begins that does not say that it is one
_REMARK = re.compile(r"[*※①-⑳]\s*\S|[(\[（【]?\d{1,2}(?:[)\]）】]|[.、．])\s*\D|以上|本表|表中|上述")
_SENTENCE = re.compile(r"[\u4e00-\u9fff]{4}|\w+ \w+ \w+")
_TOTAL_OF = re.compile(r".{0,8}(合计|小计|总计|累计)|(小计|合计|总计|累计)\(.{1,8}\)")
_AMOUNT = re.compile(r"(不合格|合格)? ?-?[\d,]+(\.\d+)?%? ?\w{0,3}|/|—|-")
# 第 1 页 共 2 页, 续表, Page 1 of 2, - 3 -
_NO = "[0-9一二三四五六七八九十]+"
_PAGE = re.compile(
    rf"第?{_NO}页?[,，/]?[共/]{_NO}页?|第{_NO}页|共{_NO}页|{_NO}/{_NO}页|[-—–·]+[0-9]+[-—–·]+|"
    r"(?:page|p\.?)[0-9]+(?:(?:of|/)[0-9]+)?|"
    rf"(?:附?表[0-9一二三四五六七八九十.-]*)?续(?:上)?(?:表|页)(?:{_NO})?|表[0-9一二三四五六七八九十.-]+续|续(?:{_NO})?|"
    r"接(?:上|下)(?:页|表)|(?:上接|下接|下转|转下|承前|过次)(?:第[0-9]+)?(?:页|表)?|(?:tobe)?continued(?:on(?:the)?nextpage)?",
    re.IGNORECASE,
)
_PAGE_EDGE = re.compile(r"[\s()（）\[\]【】:：.。]+")
_SPACE = re.compile(r"[\s\u3000:：]+")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The parts of a sheet.

    Parameters
    ----------
    header : int
        Position of the (last) header row; -1 for a file without header.
    headers : tuple of str
        As they stand; those of two rows joined.
    data : ndarray of int
        Positions of the data rows, ascending.
    listed : mapping
        Position -> why it is no data row: ``header``, ``blank_row``, ``repeated_header``, ``total_row``, ``note_row``,
        ``title_row``, ``unit_row``, ``page_line``.
    units : tuple of str
        Units stated above the header.
    strange_units : tuple of str
        What looks like a unit there and is none that is known.
    begin, rows : int
        Position of its first row, and how many there are: a sheet may hold several tables.
    """

    header: int
    headers: tuple[str, ...]
    data: npt.NDArray[np.int64]
    listed: dict[int, str]
    units: tuple[str, ...] = ()
    strange_units: tuple[str, ...] = ()
    begin: int = 0
    rows: int = 0

    def of_reason(self, reason: str) -> list[int]:
        """Return the rows listed for one reason, in order."""
        return sorted(position for position, why in self.listed.items() if why == reason)


def find_layout(grid: Grid, recipe: Recipe = TIDY) -> Layout | None:
    """Find header and data rows.

    Parameters
    ----------
    grid : Grid
        A sheet as read.
    recipe : Recipe
        What headers mean.

    Returns
    -------
    Layout or None
        None when every row is blank.
    """
    first = first_filled(grid)
    filled = np.flatnonzero(np.asarray(first.is_valid()))
    if not len(filled):
        return None
    found = find_header(grid, [int(i) for i in filled[:LOOK]], recipe)
    header = max(found.rows, default=-1)
    listed = {int(i): "blank_row" for i in np.flatnonzero(np.asarray(first.is_null()))}
    above = [int(i) for i in filled if i < header and i not in found.rows]
    _list_titles(grid, above, listed)
    listed.update(dict.fromkeys(found.rows, "header"))
    names = _with_units(grid, header, found.names, listed)
    titles = {first[i].as_py(): listed[i] for i in above}
    for position in _suspects(first, found.names, list(titles)):
        row = grid.row(position)
        reason = _reason(row, found.names) or (_is_alone(row) and titles.get(first[position].as_py(), ""))
        if position > header and reason:
            listed[position] = reason
    _drop_inner_notes(listed, len(grid))
    units, strange = _stated_units(grid, found.rows[:-1], listed, header)
    is_data = np.ones(len(grid), np.bool_)
    is_data[list(listed)] = False
    return Layout(
        header=header,
        headers=names,
        data=np.flatnonzero(is_data),
        listed=listed,
        units=units,
        strange_units=strange,
        rows=len(grid),
    )


def _list_titles(grid: Grid, above: list[int], listed: dict[int, str]) -> None:
    for position in above:
        listed[position] = "unit_row" if read_unit_line(grid.row(position)) else "title_row"


def _with_units(grid: Grid, header: int, names: tuple[str, ...], listed: dict[int, str]) -> tuple[str, ...]:
    """Return the headers with the units that a row below them gives; that row is listed.

    Between the two may stand a blank row, or the headers in another language.
    """
    near = [place for place in (header + 1, header + 2) if 0 < place < len(grid)] if header >= 0 else []
    place = next((place for place in near if is_unit_row(grid.row(place))), None)
    if place is None:
        return names
    listed[place] = "unit_row"
    below = grid.row(place)
    units = [cell.strip().strip("()（）") for cell in below] + [""] * (len(names) - len(below))
    return tuple(f"{name}({unit})" if looks_like_unit(unit) else name for name, unit in zip(names, units, strict=False))


def _stated_units(
    grid: Grid, groups: Sequence[int], listed: dict[int, str], header: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the units stated outside the data, known and strange: in titles, lines, notes and the sheet's name.

    A line between the data holds for what follows it; where nothing above the header says the same it is strange.
    """
    said = [position for position, why in listed.items() if why in ("title_row", "unit_row", "note_row")]
    rows = [
        [grid.sheet],
        *(
            grid.row(position)
            for position in sorted([*said, *groups])
            # a row of units inside or below the header was read column by column
            if not is_unit_row(grid.row(position)) or (position < header and position not in groups)
        ),
    ]
    found = [stated for stated in map(read_unit_line, rows) if stated is not None]
    known = dict.fromkeys(unit for units, _ in found for unit in units)
    strange = dict.fromkeys(unit for _, units in found for unit in units)
    last = next((i for i in range(len(grid) - 1, -1, -1) if i not in listed), -1)
    inner = [read_unit_line(grid.row(i)) for i in said if header + 1 < i < last and listed[i] == "unit_row"]
    top = {u for i in said if i <= header + 1 for u in (read_unit_line(grid.row(i)) or ((), ()))[0]}
    strange |= dict.fromkeys(unit for units in inner if units is not None and not top for unit in units[0])
    return tuple(known), tuple(strange)


def _suspects(first: pa.Array, headers: Sequence[str], titles: Sequence[str]) -> list[int]:
    """Return rows whose first text could be a total, a note or the header again; only these are looked at closely."""
    label = next((header.strip() for header in headers if header.strip()), "")
    same = pc.is_in(first, pa.array([label, *titles], pa.string()))
    wanted = pc.or_(pc.match_substring_regex(first, _SUSPECT), same).fill_null(False)
    return [int(i) for i in np.flatnonzero(np.asarray(wanted))]


def _is_total(filled: Sequence[str]) -> bool:
    """Say whether a row is a total: by its first word alone, or, with a word before it, when numbers follow."""
    plain = _SPACE.sub("", filled[0]).casefold()
    if plain in TOTALS:
        return True
    return bool(_TOTAL_OF.fullmatch(plain)) and all(_AMOUNT.fullmatch(narrow(cell)) for cell in filled[1:])


def _reason(row: Sequence[str], headers: Sequence[str]) -> str:
    filled = [cell.strip() for cell in row if cell.strip()]
    if [normalise_header(cell) for cell in row] == [normalise_header(cell) for cell in headers]:
        return "repeated_header"
    # a firm may be called Total, but then the rest of its row is filled as well
    is_short = len(filled) < sum(bool(header.strip()) for header in headers)
    if filled and (is_short or _is_sum(filled)) and _is_total(filled):
        return "total_row"
    if is_short and filled and all(_is_page_line(cell) for cell in filled):
        return "page_line"
    if len(filled) == 1 and is_short and read_unit_line(filled):
        return "unit_row"
    if len(filled) == 1 and is_short and len(headers) > 2 and _REMARK.match(filled[0]) and _SENTENCE.search(filled[0]):
        return "note_row"
    return "note_row" if filled and all(_NOTE.match(cell) for cell in filled) else ""


def _is_page_line(cell: str) -> bool:
    return _PAGE.fullmatch(_PAGE_EDGE.sub("", narrow(cell))) is not None


def _is_sum(filled: Sequence[str]) -> bool:
    """Say whether a row that leaves nothing empty is a total all the same: 合计 and nothing but numbers."""
    plain = _SPACE.sub("", filled[0])
    return plain.endswith(SUMS) and all(_AMOUNT.fullmatch(narrow(cell)) for cell in filled[1:])


def _is_alone(row: Sequence[str]) -> bool:
    return sum(bool(cell.strip()) for cell in row) == 1


def _drop_inner_notes(listed: dict[int, str], rows: int) -> None:
    """Keep notes below the data only: further up such a row is broken and must be looked at."""
    last = next((position for position in range(rows - 1, -1, -1) if position not in listed), -1)
    for position in [p for p, reason in listed.items() if reason == "note_row" and p < last]:
        del listed[position]
