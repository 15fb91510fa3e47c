"""Which column of a sheet is which column of a table, and in which unit its numbers are."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NoReturn

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS
from qbase.intake.finding.header_spelling import squeeze_header, without_year
from qbase.intake.finding.refused_headers import (
    list_headers,
    name_both,
    refuse_doubled,
    refuse_missing,
    refuse_other,
    refuse_unit,
    shorten,
)
from qbase.intake.recipes.questions import ask, find_table, near_headers
from qbase.intake.recipes.recipe_model import Items, Recipe
from qbase.intake.values.units import bracket_unit, find_factor, header_unit, is_unit, measures
from qbase.tables import (
    ColumnRule,
    Contract,
    HeaderMatch,
    list_contracts,
    match_headers,
    normalise_header,
    read_contract,
    split_unit,
)

LIKELY = 0.5
NEAR = 0.4
_NO_ITEMS = Items(table="", key=(), columns={})
_NUMBERED = re.compile(r"^\s*(?:\d{1,2}\s*[.．、]|[(（]\d{1,2}[)）])\s*(?=\D)")
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9 _.,:&'#()\-]*")
_HAN = re.compile(r"[\u3400-\u9fff]")


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
        Headers that are not used, columns that are not there, units that are converted.
    factors : mapping
        Canonical column -> what its numbers are multiplied by.
    """

    contract: Contract
    positions: Mapping[str, int]
    warnings: tuple[str, ...] = ()
    factors: Mapping[str, Decimal] = dataclasses.field(default_factory=dict)


def map_columns(headers: Sequence[str], recipe: Recipe, units: Sequence[str] = (), sheet: str = "") -> ColumnMap:
    """Map headers to columns, by the recipe or by the names the contract knows.

    Parameters
    ----------
    headers : sequence of str
        As they stand.
    recipe : Recipe
        Names the table, or leaves it to the headers.
    units : sequence of str
        Units stated in a line above the table.
    sheet : str
        Name of the sheet, by which a person may say what it is.

    Returns
    -------
    ColumnMap

    Raises
    ------
    DataError
        No table has these headers (QB320), a required column is missing (QB321), two headers mean one column
        (QB322), a unit is stated that cannot be converted to that of the contract (QB328), a header is near
        a missing column or a sheet fits several tables (QB360, a question).
    """
    printed = _spelt(headers, recipe)
    headers = _answered(printed, recipe)
    if recipe.columns or recipe.patterns:
        contract, positions, warnings = _map_by_recipe(headers, recipe)
        stated: dict[str, str] = {}
    else:
        contract, positions, warnings, stated = _map_by_contract(headers, recipe, sheet)
    absent = [column for column in recipe.required_headers if column not in positions]
    if absent:
        refuse_missing(contract, [name_both(contract, column) for column in absent], headers)
    for column, i in positions.items():  # an answered header still says its unit
        rule = contract.column(column)
        if _is_own_name(printed[i], rule):
            is_named = normalise_header(printed[i]) == normalise_header(column) and column.endswith(f"_{rule.unit}")
            stated[column] = rule.unit if is_named else stated.get(column, "")
            continue
        stated[column] = stated.get(column) or header_unit(printed[i], is_loose=printed[i] != headers[i])
    stated = {column: unit for column, unit in stated.items() if unit}
    factors, converted = _find_factors(contract, positions, {**recipe.units, **stated}, units)
    return ColumnMap(contract=contract, positions=positions, warnings=(*warnings, *converted), factors=factors)


def _is_own_name(header: str, rule: ColumnRule) -> bool:
    """Say whether a header is a name of the contract: ``revenue_wan_cny`` is in 万元, and ``cny`` is no unit of it."""
    return normalise_header(header) in {normalise_header(name) for name in rule.headers}


def understand(headers: Sequence[str], recipe: Recipe) -> tuple[bool, int]:
    """Say whether a row could be the header: are all required columns there, and how many are understood."""
    headers = _answered(_spelt(headers, recipe), recipe)
    if recipe.columns or recipe.patterns:
        found = {column for header in headers for column in _meant(header, recipe)}
        tables = [recipe.table]
    else:
        found = set()
        tables = [recipe.table] if recipe.table else list(_findable())
    best = (False, 0)
    names = {normalise_header(header) for header in headers} - {""}
    bare = {normalise_header(split_unit(header)[0]) for header in headers} - {""} if not found else set()
    for table in tables:
        meanings = _meanings(table)
        columns = found or {meanings[name] for name in names | bare if name in meanings}
        given = {*columns, *recipe.constants, *recipe.from_file, *recipe.from_sheet}
        best = max(best, (not read_contract(table).missing_from(given), len(columns)))
    return best


def score_headers(headers: Sequence[str], recipe: Recipe) -> float:
    """Return how many of the headers are understood."""
    return understand(headers, recipe)[1]


@functools.cache
def _findable() -> tuple[str, ...]:
    """Return the tables that headers alone may name: a list of failures is one only when a recipe says so."""
    return tuple(name for name in list_contracts() if read_contract(name).is_findable)


@functools.cache
def _meanings(table: str) -> dict[str, str]:
    columns = read_contract(table).columns
    return {normalise_header(header): column.name for column in columns for header in column.headers}


def is_known(header: str, recipe: Recipe) -> bool:
    """Say whether a header means something for this recipe."""
    if recipe.columns or recipe.patterns:
        return bool(_meant(header, recipe))
    return normalise_header(header) in _names(recipe.table)


@functools.cache
def _names(table: str) -> frozenset[str]:
    tables = [table] if table else _findable()
    return frozenset(name for known in tables for name in _meanings(known))


def _spelt(headers: Sequence[str], recipe: Recipe) -> list[str]:
    """Return headers in a form that is known, where there is one: 产值/亿元, 1.产值, 抽样编号 sample_no."""
    return [
        old
        if is_known(old, recipe)
        else next((new for new in _variants(old, recipe) if is_known(split_unit(new)[0], recipe)), old)
        for old in headers
    ]


def _variants(header: str, recipe: Recipe) -> list[str]:
    """Return other forms of a header, as long as they say no less."""
    plain = _NUMBERED.sub("", header)
    found = [bracket_unit(plain)]
    latin = _LATIN.search(plain)
    if latin is None or not _HAN.search(plain):
        return found
    # the same name in two languages; what else might stand beside a number (USD, last year) is not passed over
    chinese = (plain[: latin.start()] + plain[latin.end() :]).strip(" \t\r\n/|｜\\()（）")
    english = latin[0].strip()
    is_same = is_known(english, recipe) and _columns(english, recipe) & _columns(chinese, recipe)
    if is_same or (_columns(chinese, recipe) and not _columns(chinese, recipe) & _numeric(recipe.table)):
        found.append(chinese)
    return found


def _columns(header: str, recipe: Recipe) -> frozenset[tuple[str, str]]:
    """Return the columns (of all tables that may be meant) that a header means."""
    if recipe.columns or recipe.patterns:
        return frozenset((recipe.table, column) for column in _meant(header, recipe))
    tables = [recipe.table] if recipe.table else _findable()
    name = normalise_header(header)
    return frozenset((table, _meanings(table)[name]) for table in tables if name in _meanings(table))


@functools.cache
def _numeric(table: str) -> frozenset[tuple[str, str]]:
    return frozenset(
        (name, column.name)
        for name in ([table] if table else _findable())
        for column in read_contract(name).columns
        if column.type in ("int", "number")
    )


def _answered(headers: Sequence[str], recipe: Recipe) -> list[str]:
    """Return the headers with those replaced about which a question was answered."""
    given = (answer.removeprefix("column:").rpartition("=") for answer in recipe.accept if answer.startswith("column:"))
    known = {normalise_header(header): column for header, _, column in given}
    return [known.get(normalise_header(header), header) for header in headers]


def _map_by_contract(
    headers: Sequence[str], recipe: Recipe, sheet: str
) -> tuple[Contract, dict[str, int], tuple[str, ...], dict[str, str]]:
    table = recipe.table or find_table(headers, recipe, sheet)
    if not table:
        _refuse_unknown(headers, recipe)
    contract = read_contract(table)
    match = match_headers(headers, contract)
    _check_match(contract, match, headers, recipe)
    positions = {match.mapping[header]: i for i, header in enumerate(headers) if header in match.mapping}
    used = {normalise_header(header) for header in recipe.items.columns} if recipe.items else set()
    unknown = tuple(f"{shorten(h)}:unknown_column" for h in match.unknown if normalise_header(h) not in used)
    stated = {match.mapping[header]: unit for header, unit in match.units.items()}
    return contract, positions, unknown, stated


def _meant(header: str, recipe: Recipe) -> list[str]:
    """Return the columns a recipe takes a header for; several only when the recipe is ambiguous."""
    name = normalise_header(header)
    exact = [column for known, column in recipe.columns.items() if _is_among(header, [known])]
    if exact or not name:
        return exact
    if name in recipe.patterns:  # the answer to a question names the column itself
        return [name]
    # a year in a header is told from the other columns only where the recipe asks for it
    for squeezed in (squeeze_header(header), squeeze_header(without_year(header))):
        found = [column for column, pattern in recipe.patterns.items() if re.fullmatch(pattern, squeezed)]
        if found:
            return found
    named = [column for column in recipe.patterns if normalise_header(column) == name]
    return named or ([] if recipe.only_named else _known(header, recipe.table))


def _known(header: str, table: str) -> list[str]:
    """Return the column the contract knows a header for, with or without its unit."""
    known = _meanings(table)
    found = (known.get(normalise_header(text)) for text in (header, split_unit(header)[0]))
    return [column for column in found if column][:1]


def _map_by_recipe(headers: Sequence[str], recipe: Recipe) -> tuple[Contract, dict[str, int], tuple[str, ...]]:
    contract = read_contract(recipe.table)
    positions: dict[str, int] = {}
    left = {normalise_header(h) for h in (*recipe.ignored, *recipe.headers, *(recipe.items or _NO_ITEMS).columns)}
    unknown = []
    # a name the recipe spells out goes before one that a pattern catches
    named = {recipe.columns[known] for known in recipe.columns if _is_among(known, headers)}
    for i, header in enumerate(headers):
        meant = _meant(header, recipe)
        if named and not _is_among(header, recipe.columns):
            meant = [column for column in meant if column not in named]
        if not meant and normalise_header(header) not in {"", *left}:
            unknown.append(header)
        for column in meant:
            if column in positions:
                refuse_doubled(contract, column, headers, [positions[column], i])
            positions[column] = i
    source = {column: header for header, column in recipe.columns.items()}
    given = {*positions, *recipe.constants, *recipe.from_file, *recipe.from_sheet}
    missing = list(contract.missing_from(given))
    missing += [column for column in recipe.required_headers if column not in given and column not in missing]
    if missing:
        if len(missing) > len(positions) and not recipe.headers:
            refuse_other(contract, missing, headers)
        # only patterns can take an answer: where headers are named, a new one is for the recipe to say
        can_answer = bool(recipe.patterns) and not recipe.columns
        ask(near_headers(unknown if can_answer else (), missing, contract, recipe), contract.name)
        refuse_missing(contract, [source.get(name, name_both(contract, name)) for name in missing], headers)
    absent = [column for column in (*recipe.columns.values(), *recipe.patterns) if column not in positions]
    warnings = [f"{column}:column_absent" for column in absent]
    warnings += [f"{shorten(header)}:unknown_column" for header in unknown]
    return contract, positions, tuple(warnings)


def _is_among(header: str, names: Iterable[str]) -> bool:
    """Say whether a header is one of some names, but for its unit, brackets and signs."""
    name, unit = split_unit(header)
    said = {normalise_header(header), normalise_header(name if is_unit(unit) else header)}
    return any(normalise_header(known) in said or squeeze_header(known) == squeeze_header(header) for known in names)


def _check_match(contract: Contract, match: HeaderMatch, headers: Sequence[str], recipe: Recipe) -> None:
    given = {*recipe.constants, *recipe.from_file, *recipe.from_sheet}
    missing = contract.missing_from({*match.mapping.values(), *given})
    if missing:
        ask(near_headers(match.unknown, missing, contract, recipe), contract.name)
        refuse_missing(contract, [name_both(contract, name) for name in missing], headers)
    for column in match.doubled:
        refuse_doubled(contract, column, headers, [i for i, h in enumerate(headers) if match.mapping.get(h) == column])


def _find_factors(
    contract: Contract, positions: Mapping[str, int], stated: Mapping[str, str], line: Sequence[str]
) -> tuple[dict[str, Decimal], list[str]]:
    """Return what numbers are multiplied by: the unit of a header first, then that of the recipe, then of the line."""
    kinds = [measures(unit) for unit in line]
    factors: dict[str, Decimal] = {}
    counts: dict[str, int] = {}
    for column in positions:
        rule = contract.column(column)
        if rule.type not in ("int", "number"):
            continue
        same = [unit for unit, kind in zip(line, kinds, strict=True) if rule.unit and kind == measures(rule.unit)]
        unit = stated.get(column) or (same[0] if len(set(same)) == 1 else "")
        if column not in stated and unit and _is_of_some(contract, positions, rule, unit):
            refuse_unit(contract, rule, unit)
        if len(set(same)) > 1 and column not in stated:
            refuse_unit(contract, rule, "; ".join(same))
        if not unit or normalise_header(unit) in {normalise_header(text) for text in _unit_names(rule.unit)}:
            continue
        factor = find_factor(unit, rule.unit)
        if factor is None:
            refuse_unit(contract, rule, unit)
        if factor != 1:
            factors[column] = factor
            counts[unit] = counts.get(unit, 0) + 1
    return factors, [f"{unit}:unit_converted {count}" for unit, count in counts.items()]


def _is_of_some(contract: Contract, positions: Iterable[str], rule: ColumnRule, unit: str) -> bool:
    """Say whether a line such as 单位：万人 leaves open which of several counts are in ten thousands."""
    if measures(rule.unit) != "count" or find_factor(unit, rule.unit) == 1:
        return False
    return sum(measures(contract.column(column).unit) == "count" for column in positions) > 1


def _unit_names(unit: str) -> tuple[str, ...]:
    text = UNITS.get(unit)
    return (unit,) if text is None else (unit, text.zh, text.en)


def _refuse_unknown(headers: Sequence[str], recipe: Recipe) -> NoReturn:
    matches = [match_headers(headers, read_contract(table)) for table in _findable()]
    best = max(matches, key=lambda match: (match.score, match.coverage))
    if best.score >= LIKELY and best.missing:
        contract = read_contract(best.table)
        ask(near_headers(best.unknown, best.missing, contract, recipe), contract.name)
        refuse_missing(contract, [name_both(contract, name) for name in best.missing], headers)
    likely = best.table if best.score >= NEAR else "NAME"
    raise DataError("QB320", found=list_headers(headers), expected=", ".join(_findable()), fix=f"--recipe {likely}")
