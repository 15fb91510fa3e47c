"""Numbers counted from January on: a quarter is the difference of two of them."""

from __future__ import annotations

from decimal import Decimal

from qbase.core.errors import DataError
from qbase.intake.recipes.recipe_model import YearToDate
from qbase.intake.shaping.recipe_steps import Work
from qbase.intake.values.written_numbers import EXACT, plain_number

Series = tuple[str | None, ...]


def take_differences(work: Work, rule: YearToDate, file: str) -> None:
    """Replace counts from January on by counts of the quarter; the work is changed in place.

    A quarter whose predecessor is missing cannot be told (``year_to_date_gap``); a count that falls contradicts
    itself (``year_to_date_falls``). Both are set aside, and so is the quarter that would be taken from one that fell.

    Parameters
    ----------
    work : Work
        Rows as read.
    rule : YearToDate
        Which columns.
    file : str
        What errors call it.

    Raises
    ------
    DataError
        Quarters do not add up to the last count of their year (QB332).
    """
    places = _places(work, rule)
    for column in rule.columns:
        values = [_decimal(cell) for cell in work.cells(column)]
        quarters: dict[int, str | None] = {}
        for quarters_of_year in places.values():
            _difference(work, column, values, quarters_of_year, quarters)
        _check_telescope(file, column, values, places, quarters)
        work.change(column, "year_to_date", quarters)
    count = sum(map(len, places.values()))
    if count:
        work.warnings.append(f"{rule.period}:year_to_date {count}")


def _places(work: Work, rule: YearToDate) -> dict[tuple[Series, str], dict[int, int]]:
    """Return series and year -> quarter -> row; a quarter named twice is in conflict and left to the key."""
    places: dict[tuple[Series, str], dict[int, int]] = {}
    periods = work.cells(rule.period)
    for row, series in enumerate(work.rows(rule.by)):
        period = periods[row]
        if row in work.listed or period is None or "Q" not in period:
            continue
        places.setdefault((series, period[:4]), {}).setdefault(int(period[-1]), row)
    return places


def _difference(
    work: Work, column: str, values: list[Decimal | None], rows: dict[int, int], quarters: dict[int, str | None]
) -> None:
    fallen = False
    for quarter in sorted(rows):
        row = rows[quarter]
        value = values[row]
        before = Decimal(0) if quarter == 1 else values[rows[quarter - 1]] if quarter - 1 in rows else None
        if value is None:
            continue
        if before is None or fallen:
            work.set_aside(f"{column}:year_to_date_gap", [row])
            fallen = False
        elif value < before:
            work.set_aside(f"{column}:year_to_date_falls", [row])
            fallen = True
        elif quarter > 1:
            quarters[row] = plain_number(str(EXACT.subtract(value, before)))


def _check_telescope(
    file: str,
    column: str,
    values: list[Decimal | None],
    places: dict[tuple[Series, str], dict[int, int]],
    quarters: dict[int, str | None],
) -> None:
    for rows in places.values():
        chain = [rows[quarter] for quarter in sorted(rows)]
        if sorted(rows) != list(range(1, len(rows) + 1)) or any(row not in quarters for row in chain[1:]):
            continue
        total = sum((Decimal(quarters[row] or 0) for row in chain[1:]), values[chain[0]] or Decimal(0))
        if total != values[chain[-1]]:
            found = f"{total} <> {values[chain[-1]]}"
            raise DataError("QB332", file=file, column=column, found=found, expected="=", fix="qbase explain QB332")


def _decimal(cell: str | None) -> Decimal | None:
    plain = plain_number(cell) if cell else None
    return Decimal(plain) if plain is not None else None
