"""Nothing lost: rows and sums must add up, or nothing is taken."""

from __future__ import annotations

import decimal
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from qbase.core.errors import DataError
from qbase.intake.values.cell_values import Reader, plain_number
from qbase.tables import Contract

NUMERIC = ("int", "number")
EXACT = decimal.Context(prec=200)


def check_count(file: str, seen: int, counted: int) -> None:
    """Raise unless two engines count the same rows.

    Raises
    ------
    DataError
        They differ (QB330).
    """
    if seen != counted:
        raise DataError("QB330", file=file, found=f"{seen:,} / {counted:,}", expected="equal", fix='"…"')


def check_rows(file: str, seen: int, parts: Mapping[str, int]) -> None:
    """Raise unless every row has exactly one verdict.

    Raises
    ------
    DataError
        Rows are lost or counted twice (QB331).
    """
    if seen != sum(parts.values()):
        found = " + ".join(f"{count:,} {name}" for name, count in parts.items())
        raise DataError("QB331", file=file, found=found, expected=f"{seen:,}", fix="qbase explain QB331")


def numeric_columns(contract: Contract, names: Iterable[str]) -> list[str]:
    """Return those of the columns that hold numbers."""
    given = set(names)
    return [column.name for column in contract.columns if column.type in NUMERIC and column.name in given]


def sum_text(values: pa.ChunkedArray | pa.Array) -> Decimal:
    """Return the exact sum of a column of text; what is no number counts nothing."""
    total = Decimal(0)
    for item in pc.value_counts(values):
        total = EXACT.add(total, EXACT.multiply(_decimal(item["values"].as_py()), Decimal(item["counts"].as_py())))
    return total


def sum_typed(values: pa.ChunkedArray) -> Decimal:
    """Return the exact sum of a column as it will be stored."""
    total = Decimal(0)
    for item in pc.value_counts(values):
        value = item["values"].as_py()
        if value is not None:
            total = EXACT.add(total, EXACT.multiply(Decimal(repr(value)), Decimal(item["counts"].as_py())))
    return total


def sum_raw(rows: Sequence[str], position: int, reader: Reader) -> Decimal:
    """Return the exact sum of a column over rows set aside, from their verbatim text."""
    total = Decimal(0)
    for row in rows:
        cells = json.loads(row)
        text = reader(cells[position])[0] if position < len(cells) else None
        total = EXACT.add(total, _decimal(text))
    return total


def sum_changes(cells: Iterable[tuple[str, str]]) -> Decimal:
    """Return by how much changed cells were larger as printed than they are as stored."""
    total = Decimal(0)
    for printed, stored in cells:
        total = EXACT.add(total, EXACT.subtract(_decimal(printed), _decimal(stored)))
    return total


def _decimal(text: str | None) -> Decimal:
    plain = plain_number(text) if text else None
    return Decimal(plain) if plain is not None else Decimal(0)


def check_sum(file: str, column: str, raw: Decimal, accepted: Decimal, set_aside: Decimal) -> None:
    """Raise unless the sum of a column is the sum of its parts.

    Raises
    ------
    DataError
        The sums differ (QB332).
    """
    if raw != EXACT.add(accepted, set_aside):
        found = f"{raw} <> {accepted} + {set_aside}"
        raise DataError("QB332", file=file, column=column, found=found, expected="=", fix="qbase explain QB332")
