"""Contracts: what each table must look like, one TOML file per table, read and checked once."""

from __future__ import annotations

import datetime
import functools
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, NoReturn, cast

from qbase.core.errors import DataError, UsageError
from qbase.core.lazy import read_once
from qbase.core.text import Text
from qbase.core.values import EMPTY, freeze
from qbase.tables.contract_faults import find_fault
from qbase.tables.contract_model import TYPES, Bound, ColumnRule, ColumnType, Contract, Rule

__all__ = [
    "Bound",
    "ColumnRule",
    "Contract",
    "Rule",
    "list_contracts",
    "parse_contract",
    "read_contract",
    "table_title",
]

CHECKS = ("uscc",)
TODAY = "today"
BOOL_SPELLINGS = freeze({"true": ("是", "true", "yes", "y", "1"), "false": ("否", "false", "no", "n", "0")})

_QUARTER = re.compile(r"\d{4}Q[1-4]")
_TABLE_KEYS = {
    "name", "version", "zh", "en", "key", "period_column", "column", "rule", "numerator_only", "repeats",
    "by_recipe_only", "without_rhythm", "public_notice",
}  # fmt: skip
_COLUMN_KEYS = {
    "name", "zh", "en", "type", "unit", "required", "null", "values", "min", "max", "aliases", "pattern", "check",
    "counts", "instead", "unstated",
}  # fmt: skip
_RULE_KEYS = {"code", "sql", "zh", "en"}


@functools.cache
def _names() -> tuple[str, ...]:
    files = resources.files("qbase.tables.declared").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def list_contracts() -> list[str]:
    """Return the names of all contracts, sorted.

    Examples
    --------
    >>> from qbase.tables import list_contracts
    >>> list_contracts()[:3]
    ['brand_licences', 'brands', 'certifications']
    """
    return list(_names())


OF_THE_HOUSE = {
    "identity_links": Text("企业对应关系", "Links of printed names to firms"),
    "town_links": Text("乡镇代码对应关系", "Links of town codes made by rule to official ones"),
}
"""Tables that nobody delivers."""


def table_title(name: str) -> Text | None:
    """Return the name of a table for readers, or None where neither a contract nor the house names it."""
    return read_contract(name).name_text if name in list_contracts() else OF_THE_HOUSE.get(name)


@functools.cache
def read_contract(name: str) -> Contract:
    """Read the contract of a table.

    Parameters
    ----------
    name : str
        Name of the table, such as ``inspections``.

    Raises
    ------
    UsageError
        There is no such contract (QB150).
    DataError
        The file is not a sound contract (QB151).

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> read_contract("inspections").column("risk_class").values["A"]
    ('A级', 'A类')
    """
    known = list_contracts()
    if name not in known:
        raise UsageError(
            "QB150", table=name, found=name, expected=" | ".join(known), fix="name one of these tables: qbase list"
        )
    text = resources.files("qbase.tables.declared").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    contract = parse_contract(text, origin=f"{name}.toml")
    if contract.name != name:
        _refuse(f"{name}.toml", f"name = {contract.name!r}", f"name = {name!r}, as the file is called")
    return contract


@read_once
def _read_all() -> tuple[Contract, ...]:
    """Return every contract: a report names the tables it rests on, and parsing them anew would cost each run."""
    return tuple(map(read_contract, list_contracts()))


def parse_contract(text: str, *, origin: str = "contract") -> Contract:
    """Parse and check the TOML text of a contract.

    Parameters
    ----------
    text, origin : str
        Content of the file, and what errors call it.

    Raises
    ------
    DataError
        Not TOML, a key unknown or missing, an unknown type, a bad enum, no ``null``, headers of two columns (QB151).

    Examples
    --------
    >>> from qbase.tables import parse_contract
    >>> parse_contract('name = "kilns"', origin="kilns.toml")
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB151] the contract kilns.toml is not sound
      found     table kilns: no version, zh, en, column ...
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        _refuse(origin, str(error), "valid TOML")
    _check_keys(origin, "table", raw, _TABLE_KEYS, ("name", "version", "zh", "en", "column"))
    columns = tuple(_column(origin, c) for c in raw["column"])
    contract = Contract(
        name=raw["name"], version=raw["version"], name_text=Text(raw["zh"], raw["en"]), columns=columns,
        key=tuple(raw.get("key", ())), rules=tuple(_rule(origin, r) for r in raw.get("rule", ())),
        period_column=raw.get("period_column"), repeats=tuple(raw.get("repeats", ())),
        is_numerator_only=raw.get("numerator_only", False) is True,
        is_by_recipe_only=raw.get("by_recipe_only", False) is True,
        is_without_rhythm=raw.get("without_rhythm", False) is True,
        is_public_notice=raw.get("public_notice", False) is True,
    )  # fmt: skip
    fault = find_fault(contract)
    if fault is not None:
        _refuse(origin, *fault)
    return contract


def _refuse(origin: str, found: str, expected: str) -> NoReturn:
    raise DataError("QB151", origin=origin, found=found, expected=expected, fix=f"edit qbase/tables/declared/{origin}")


def _check_keys(origin: str, what: str, raw: Mapping[str, Any], known: set[str], needed: tuple[str, ...]) -> None:
    where = f"{what} {raw.get('name', raw.get('code', '?'))}"
    unknown = sorted(set(raw) - known)
    if unknown:
        _refuse(origin, f"{where}: key {', '.join(unknown)}", " | ".join(sorted(known)))
    missing = [k for k in needed if k not in raw]
    if missing:
        _refuse(origin, f"{where}: no {', '.join(missing)}", ", ".join(needed))


def _column(origin: str, raw: dict[str, Any]) -> ColumnRule:
    _check_keys(origin, "column", raw, _COLUMN_KEYS, ("name", "zh", "en", "type"))
    where = f"column {raw['name']}"
    if raw["type"] not in TYPES:
        _refuse(origin, f"{where}: type {raw['type']!r}", " | ".join(TYPES))
    required, null = raw.get("required", True), raw.get("null", "")
    if not isinstance(required, bool):
        _refuse(origin, f"{where}: required = {required!r}", "true | false")
    if required == bool(str(null).strip()):
        expected = "no null text on a required column" if required else 'null = "what an empty cell means"'
        _refuse(origin, f"{where}: required = {str(required).lower()}, null = {null!r}", expected)
    if raw.get("check", "") not in ("", *CHECKS):
        _refuse(origin, f"{where}: check {raw['check']!r}", " | ".join(CHECKS))
    is_observed = raw.get("max") == TODAY and raw["type"] in ("date", "quarter")
    return ColumnRule(
        name=raw["name"], text=Text(raw["zh"], raw["en"]), type=cast(ColumnType, raw["type"]), unit=raw.get("unit", ""),
        required=required, null=null, values=_values(origin, where, raw), min=_bound(origin, where, raw, "min"),
        max=None if is_observed else _bound(origin, where, raw, "max"), is_observed=is_observed,
        aliases=tuple(raw.get("aliases", ())), pattern=_pattern(origin, where, raw.get("pattern", "")),
        check=raw.get("check", ""), counts=tuple(raw.get("counts", ())), instead=tuple(raw.get("instead", ())),
        unstated=raw.get("unstated", ""),
    )  # fmt: skip


def _values(origin: str, where: str, raw: dict[str, Any]) -> Mapping[str, tuple[str, ...]]:
    given = raw.get("values")
    if raw["type"] == "bool" and given is None:
        return BOOL_SPELLINGS
    if raw["type"] not in ("enum", "bool"):
        if given is not None:
            _refuse(origin, f"{where}: values on type {raw['type']}", "values only on enum and bool")
        return EMPTY
    if not isinstance(given, dict) or not given:
        _refuse(origin, f"{where}: {raw['type']} without values", "[column.values] canonical = [spellings]")
    if raw["type"] == "bool" and set(given) != {"true", "false"}:
        _refuse(origin, f"{where}: values {', '.join(given)}", "true and false")
    seen: dict[str, str] = {}
    for value, spellings in given.items():
        if not isinstance(spellings, list) or not all(isinstance(s, str) and s.strip() for s in spellings):
            _refuse(origin, f"{where}: {value} = {spellings!r}", "a list of spellings")
        for spelling in {value.lower(), *(s.lower() for s in spellings)}:
            if seen.setdefault(spelling, value) != value:
                _refuse(origin, f"{where}: {spelling!r} means {seen[spelling]} and {value}", "one meaning each")
    return freeze({value: tuple(spellings) for value, spellings in given.items()})


def _bound(origin: str, where: str, raw: dict[str, Any], key: str) -> Bound | None:
    value = raw.get(key)
    if value is None:
        return None
    kind = raw["type"]
    if isinstance(value, datetime.date) and kind == "date":
        return value.isoformat()
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    sound = (
        (kind in ("int", "number") and is_number)
        or (kind == "date" and isinstance(value, str) and _is_iso_date(value))
        or (kind == "quarter" and isinstance(value, str) and _QUARTER.fullmatch(value) is not None)
    )
    if not sound:
        _refuse(origin, f"{where}: {key} = {value!r} on type {kind}", "a number, an ISO date or a quarter, as the type")
    return cast(Bound, value)


def _is_iso_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2022-08-10")


def _pattern(origin: str, where: str, pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        _refuse(origin, f"{where}: pattern {pattern!r}: {error}", "a regular expression")
    return pattern


def _rule(origin: str, raw: dict[str, Any]) -> Rule:
    _check_keys(origin, "rule", raw, _RULE_KEYS, ("code", "sql", "zh", "en"))
    return Rule(code=raw["code"], sql=raw["sql"], text=Text(raw["zh"], raw["en"]))
