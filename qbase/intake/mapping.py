"""Which column of a sheet is which column of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NoReturn

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS
from qbase.intake.recipe import Recipe
from qbase.tables import (
    Contract,
    HeaderMatch,
    find_contract,
    list_contracts,
    match_headers,
    normalise_header,
    read_contract,
)

LIKELY = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnMap:
    """How a sheet becomes rows of a table.

    Parameters
    ----------
    contract : Contract
        Of the table.
    positions : mapping
        Canonical column -> position in the sheet.
    warnings : tuple of str
        Headers that are not used, columns that are not there.
    """

    contract: Contract
    positions: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def map_columns(headers: Sequence[str], recipe: Recipe) -> ColumnMap:
    """Map headers to columns, by the recipe or by the names the contract knows.

    Parameters
    ----------
    headers : sequence of str
        As they stand.
    recipe : Recipe
        Names the table, or leaves it to the headers.

    Returns
    -------
    ColumnMap

    Raises
    ------
    DataError
        No table has these headers (QB320), a required column is missing (QB321), two headers mean one column
        (QB322), or a header states another unit than the contract (QB328).
    """
    if recipe.columns:
        return _map_by_recipe(headers, recipe)
    table = recipe.table or find_contract(headers)
    if not table:
        _refuse_unknown(headers)
    contract = read_contract(table)
    match = match_headers(headers, contract)
    _check_match(contract, match, headers)
    positions = {match.mapping[header]: i for i, header in enumerate(headers) if header in match.mapping}
    unknown = tuple(f"{_short(header)}:unknown_column" for header in match.unknown)
    return ColumnMap(contract=contract, positions=positions, warnings=unknown)


def score_headers(headers: Sequence[str], recipe: Recipe) -> float:
    """Return how many of the headers are understood."""
    if recipe.columns:
        known = {normalise_header(header) for header in recipe.columns}
        return sum(normalise_header(header) in known for header in headers)
    tables = [recipe.table] if recipe.table else list_contracts()
    return max((len(match_headers(headers, read_contract(table)).mapping) for table in tables), default=0)


def _map_by_recipe(headers: Sequence[str], recipe: Recipe) -> ColumnMap:
    contract = read_contract(recipe.table)
    wanted = {normalise_header(header): column for header, column in recipe.columns.items()}
    positions: dict[str, int] = {}
    for i, header in enumerate(headers):
        column = wanted.get(normalise_header(header))
        if column in positions:
            _refuse_doubled(contract, column, [headers[positions[column]], header])
        if column is not None:
            positions[column] = i
    source = {column: header for header, column in recipe.columns.items()}
    missing = [c.name for c in contract.columns if c.required and c.name not in {*positions, *recipe.constants}]
    if missing:
        _refuse_missing(contract, [source.get(name, name) for name in missing], headers)
    absent = [column for column in recipe.columns.values() if column not in positions]
    return ColumnMap(
        contract=contract, positions=positions, warnings=tuple(f"{column}:column_absent" for column in absent)
    )


def _check_match(contract: Contract, match: HeaderMatch, headers: Sequence[str]) -> None:
    if match.missing:
        _refuse_missing(contract, [_both(contract, name) for name in match.missing], headers)
    for column in match.doubled:
        _refuse_doubled(contract, column, [h for h in headers if match.mapping.get(h) == column])
    for header, unit in match.units.items():
        rule = contract.column(match.mapping[header])
        known = {normalise_header(text) for text in _unit_names(rule.unit)}
        if normalise_header(unit) not in known:
            raise DataError(
                "QB328",
                table=contract.name,
                header=_short(header),
                found=unit,
                expected=rule.unit or "-",
                fix=f"{rule.text.zh} / {rule.text.en}: {rule.unit or '-'}",
            )


def _unit_names(unit: str) -> tuple[str, ...]:
    text = UNITS.get(unit)
    return (unit,) if text is None else (unit, text.zh, text.en)


def _refuse_unknown(headers: Sequence[str]) -> NoReturn:
    matches = [match_headers(headers, read_contract(table)) for table in list_contracts()]
    best = max(matches, key=lambda match: (match.score, match.coverage))
    if best.score >= LIKELY:
        contract = read_contract(best.table)
        _refuse_missing(contract, [_both(contract, name) for name in best.missing], headers)
    raise DataError(
        "QB320",
        found=_list(headers),
        expected=", ".join(list_contracts()),
        fix="--recipe NAME",
    )


def _refuse_missing(contract: Contract, missing: Sequence[str], headers: Sequence[str]) -> NoReturn:
    raise DataError(
        "QB321",
        table=contract.name,
        columns=", ".join(missing),
        found=_list(headers),
        expected=", ".join(missing),
        fix=f"+ {', '.join(missing)}",
    )


def _refuse_doubled(contract: Contract, column: str, headers: Sequence[str]) -> NoReturn:
    raise DataError(
        "QB322",
        table=contract.name,
        column=column,
        found=_list(headers),
        expected=f"1 x {column}",
        fix=_both(contract, column),
    )


def _both(contract: Contract, column: str) -> str:
    text = contract.column(column).text
    return f"{text.zh} / {text.en}"


def _short(header: str) -> str:
    plain = " ".join(header.split())
    return plain if len(plain) <= 40 else plain[:39] + "…"


def _list(headers: Sequence[str]) -> str:
    shown = [_short(header) for header in headers if header.strip()]
    return ", ".join(shown[:12]) + (f" … ({len(shown)})" if len(shown) > 12 else "") or "-"
