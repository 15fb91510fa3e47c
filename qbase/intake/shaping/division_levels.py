"""County, city and province beside their towns: a row of sums, checked like one and never taken for a town."""

from __future__ import annotations

import collections
import re
from decimal import Decimal

from qbase.intake.finding.total_rows import adds_up
from qbase.intake.shaping.recipe_steps import Work
from qbase.intake.values.code_dress import CHINESE_DIVISION
from qbase.intake.values.written_numbers import EXACT, plain_number

TOWN = "town_code"
NAME = "town_name"
COUNTY_DIGITS = 6

_NO_SUM = re.compile("平均$|^其中")
_TOTAL = re.compile(r"(?:合计|小计|总计|共计|累计|平均)$|^(?:全|各)(?:省|市|县|区|镇)$|^其中")


def list_levels(work: Work) -> None:
    """List the rows of higher levels whose towns stand in the same table; the work is changed in place.

    A code of nine digits and more that ends in zeros is no town even without its towns: such a row is set aside. One
    of six digits may be a zone that counts as a town, and stays when no town of it is there. Among codes of divisions,
    a code of another length is none.

    Parameters
    ----------
    work : Work
        Rows as read; tables that do not follow towns are left alone.
    """
    key = work.contract.key
    if TOWN not in key or TOWN not in work.data.column_names:
        return
    work.set_aside(f"{TOWN}:no_division", _odd_codes(work))
    others = work.rows([name for name in key if name != TOWN])
    prefixes = [_significant(code or "") for code in work.cells(TOWN)]
    towns: dict[tuple[tuple[str | None, ...], str], list[int]] = collections.defaultdict(list)
    for row, (prefix, rest) in enumerate(zip(prefixes, others, strict=True)):
        if len(prefix) > COUNTY_DIGITS and row not in work.listed:
            for length in (2, 4, COUNTY_DIGITS):
                towns[rest, prefix[:length]].append(row)
    alone = []
    for row, (prefix, rest) in enumerate(zip(prefixes, others, strict=True)):
        if not prefix or len(prefix) > COUNTY_DIGITS or row in work.listed:
            continue
        below = towns.get((rest, prefix), [])
        if below:
            wrong = _differing(work, row, below, work.cells(TOWN)[row] or "")
            work.listed[row] = "level_row_wrong" if wrong else "level_row"
            work.warnings += wrong
        elif len(work.cells(TOWN)[row] or "") > COUNTY_DIGITS:
            alone.append(row)
    work.set_aside(f"{TOWN}:higher_level", alone)


def _odd_codes(work: Work) -> list[int]:
    """Return rows whose code has a length that no division has, where most have one."""
    codes = work.cells(TOWN)
    odd = [
        row
        for row, code in enumerate(codes)
        if code and row not in work.listed and not CHINESE_DIVISION.fullmatch(code)
    ]
    return odd if 2 * len(odd) < sum(map(bool, codes)) else []


def list_named_totals(work: Work) -> None:
    """List the rows whose town is a word for several: 全县合计; sums of a yearly table are compared with their towns.

    Parameters
    ----------
    work : Work
        Rows as read; the work is changed in place.
    """
    if NAME not in work.data.column_names and NAME not in work.changed:
        return
    labels = {row: "".join(name.split()) for row, name in enumerate(work.cells(NAME)) if name}
    totals = [row for row, label in labels.items() if _TOTAL.search(label) and row not in work.listed]
    if not totals or TOWN not in work.contract.column_names:
        return
    others = work.rows([name for name in work.contract.key if name != TOWN])
    towns = [row for row in range(len(work)) if row not in work.listed and row not in set(totals)]
    for row in totals:
        same = [town for town in towns if others[town] == others[row]]
        before = max((total for total in totals if total < row and others[total] == others[row]), default=-1)
        scopes = [[town for town in same if before < town < row], same]  # one of several counties sums up its own
        is_sum = TOWN in work.contract.key and same and not _NO_SUM.search(labels[row])
        found = [_differing(work, row, scope, labels[row]) for scope in scopes if scope] if is_sum else [[]]
        wrong = [] if [] in found else found[0]
        work.listed[row] = "total_row_wrong" if wrong else "total_row"
        work.warnings += wrong


def _significant(code: str) -> str:
    """Return the digits of a code up to its level: two name a province, four a city, six a county, nine a town."""
    if not CHINESE_DIVISION.fullmatch(code):
        return ""
    for length, zeros in ((12, "000"), (9, "000"), (6, "00"), (4, "00")):
        if len(code) == length and code.endswith(zeros):
            code = code.removesuffix(zeros)
    return code


def _differing(work: Work, row: int, below: list[int], label: str) -> list[str]:
    """Return a warning for every amount of a higher level that is not the sum of its towns."""
    found = []
    for column in work.contract.columns:
        if not adds_up(column) or column.name not in work.data.column_names:
            continue
        cells = work.cells(column.name)
        printed, parts = _number(cells[row]), [_number(cells[town]) for town in below]
        if printed is None or None in parts:
            continue
        total = Decimal(0)
        for part in parts:
            total = EXACT.add(total, part or Decimal(0))
        if total != printed:
            found.append(f"{label} {column.text.zh}:total_mismatch {printed:f}/{plain_number(str(total))}")
    return found


def _number(cell: str | None) -> Decimal | None:
    plain = plain_number(cell) if cell else None
    return Decimal(plain) if plain is not None else None
