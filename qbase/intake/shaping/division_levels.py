"""County, city and province beside their towns: a row of sums, checked like one and never taken for a town."""

from __future__ import annotations

import collections
import re
from decimal import Decimal

from qbase.intake.finding.total_rows import adds_up
from qbase.intake.shaping.recipe_steps import Work
from qbase.intake.values.written_numbers import EXACT, plain_number

TOWN = "town_code"
COUNTY_DIGITS = 6

_CODE = re.compile(r"\d{6}(?:\d{3}){0,2}", re.ASCII)


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
            wrong = _differing(work, row, below)
            work.listed[row] = "level_row_wrong" if wrong else "level_row"
            work.warnings += wrong
        elif len(work.cells(TOWN)[row] or "") > COUNTY_DIGITS:
            alone.append(row)
    work.set_aside(f"{TOWN}:higher_level", alone)


def _odd_codes(work: Work) -> list[int]:
    """Return rows whose code has a length that no division has, where most have one."""
    codes = work.cells(TOWN)
    odd = [row for row, code in enumerate(codes) if code and row not in work.listed and not _CODE.fullmatch(code)]
    return odd if 2 * len(odd) < sum(map(bool, codes)) else []


def _significant(code: str) -> str:
    """Return the digits of a code up to its level: two name a province, four a city, six a county, nine a town."""
    if not _CODE.fullmatch(code):
        return ""
    for length, zeros in ((12, "000"), (9, "000"), (6, "00"), (4, "00")):
        if len(code) == length and code.endswith(zeros):
            code = code.removesuffix(zeros)
    return code


def _differing(work: Work, row: int, below: list[int]) -> list[str]:
    """Return a warning for every amount of a higher level that is not the sum of its towns."""
    found = []
    label = work.cells(TOWN)[row]
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
