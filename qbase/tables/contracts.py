"""Contracts: what each table must look like, one TOML file per table, read and checked once."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal, NoReturn, cast

from qbase.core.errors import DataError, UsageError
from qbase.core.text import Text
from qbase.core.values import EMPTY, freeze
from qbase.tables.header_normal import normalise_header

ColumnType = Literal["text", "code", "int", "number", "date", "quarter", "bool", "enum"]
Bound = int | float | str

TYPES = ("text", "code", "int", "number", "date", "quarter", "bool", "enum")
CHECKS = ("uscc",)
TODAY = "today"
BOOL_SPELLINGS = freeze({"true": ("是", "true", "yes", "y", "1"), "false": ("否", "false", "no", "n", "0")})

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_QUARTER = re.compile(r"\d{4}Q[1-4]")
_TABLE_KEYS = {"name", "version", "zh", "en", "key", "period_column", "column", "rule", "numerator_only", "repeats"}
_COLUMN_KEYS = {
    "name", "zh", "en", "type", "unit", "required", "null", "values", "min", "max", "aliases", "pattern", "check",
    "counts",
}  # fmt: skip
_RULE_KEYS = {"code", "sql", "zh", "en"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnRule:
    """One column of a contract.

    Parameters
    ----------
    name, type : str
        Canonical name; one of `TYPES`.
    text : Text
        Header in both languages.
    unit, null : str
        Unit of measurement, empty when it has none; what an empty cell means, which every optional column states.
    required, is_observed : bool
        The header must be there and no cell may be empty; a date or quarter of something that happened
        (``max = "today"``): one after the day of loading is told.
    values : mapping
        Canonical value -> accepted spellings, for ``enum`` and ``bool``.
    min, max : int, float, str or None
        Inclusive bounds; ISO text for dates, ``2022Q3`` for quarters.
    aliases, counts : tuple of str
        Other headers that mean this column; the two columns a rate is made of, part and whole, or none.
    pattern, check : str
        Regular expression the whole text must match; ``uscc`` for the check digits of 统一社会信用代码. Or empty.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> read_contract("inspections").column("sample_date").headers[:3]
    ('sample_date', '抽样日期', 'Sample date')
    """

    name: str
    text: Text
    type: ColumnType
    unit: str = ""
    required: bool = True
    null: str = ""
    values: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    min: Bound | None = None
    max: Bound | None = None
    is_observed: bool = False
    aliases: tuple[str, ...] = ()
    pattern: str = ""
    check: str = ""
    counts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", freeze(self.values))

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header that means this column: canonical, Chinese, English, aliases."""
        return (self.name, self.text.zh, self.text.en, *self.aliases)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule across columns: DuckDB SQL, true = good, null = good.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> print(read_contract("inspections").rules[0].sql)
    inclusion_probability > 0
    """

    code: str
    sql: str
    text: Text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contract:
    """What a table must look like.

    Parameters
    ----------
    name, name_text : str, Text
        Name of the table, and its name in both languages.
    version : int
        Raised with every change of the contract.
    columns : tuple of ColumnRule
        In the order they are stored.
    key, repeats : tuple of str
        Columns that together name a row; columns in which rows of one key may differ and say the same all the same: a
        batch is printed in two notices.
    rules : tuple of Rule
        Rules across columns.
    period_column : str or None
        Date or quarter by which freshness and periods are judged.
    is_numerator_only : bool
        The table lists failures without the tests behind them: no rate can be made of it.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> read_contract("firms").key, read_contract("firms").column_names[:4]
    (('firm_id',), ('firm_id', 'uscc', 'firm_name', 'cluster_id'))
    """

    name: str
    version: int
    name_text: Text
    columns: tuple[ColumnRule, ...]
    key: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    period_column: str | None = None
    repeats: tuple[str, ...] = ()
    is_numerator_only: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        """Canonical names in order."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> ColumnRule:
        """Return a column by its canonical name.

        Raises
        ------
        UsageError
            The contract has no such column (QB152).
        """
        for rule in self.columns:
            if rule.name == name:
                return rule
        raise UsageError(
            "QB152", table=self.name, column=name, found=name,
            expected=" | ".join(self.column_names), fix="name one of these columns",
        )  # fmt: skip


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


def table_title(name: str) -> Text | None:
    """Return the name of a table for readers, or None where no contract names it."""
    return read_contract(name).name_text if name in list_contracts() else None


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
    >>> read_contract("inspections").column("result").values
    {'pass': ('合格', '符合', 'passed'), 'fail': ('不合格', '不符合', 'failed')}
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
    )  # fmt: skip
    _check_contract(origin, contract)
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
        check=raw.get("check", ""), counts=tuple(raw.get("counts", ())),
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


def _check_contract(origin: str, contract: Contract) -> None:
    if isinstance(contract.version, bool) or not isinstance(contract.version, int) or contract.version < 1:
        _refuse(origin, f"version = {contract.version!r}", "a whole number from 1")
    names = [contract.name, *contract.column_names, *(r.code for r in contract.rules)]
    wrong = [n for n in names if not _NAME.fullmatch(str(n))]
    if wrong:
        _refuse(origin, f"name {wrong[0]!r}", "lower-case letters, digits and underscores")
    doubled = sorted({n for n in contract.column_names if contract.column_names.count(n) > 1})
    if doubled:
        _refuse(origin, f"two columns {doubled[0]}", "one column per name")
    _check_key(origin, contract)
    _check_header_clash(origin, contract)
    for column in contract.columns:
        if column.counts and (len(column.counts) != 2 or not set(column.counts) <= set(contract.column_names)):
            _refuse(origin, f"column {column.name}: counts {', '.join(column.counts)}", "two columns: part, whole")
        if column.min is not None and column.max is not None and column.min > column.max:  # type: ignore[operator]
            _refuse(origin, f"column {column.name}: min {column.min} above max {column.max}", "min <= max")


def _check_key(origin: str, contract: Contract) -> None:
    required = [c.name for c in contract.columns if c.required]
    wrong = [k for k in contract.key if k not in required]
    if wrong:
        _refuse(origin, f"key {', '.join(wrong)}", f"required columns: {', '.join(required)}")
    odd = [c for c in contract.repeats if c in contract.key or c not in contract.column_names]
    if odd:
        _refuse(origin, f"repeats {', '.join(odd)}", "columns outside the key")
    period = contract.period_column
    dated = [c.name for c in contract.columns if c.type in ("date", "quarter")]
    if period is not None and period not in dated:
        _refuse(origin, f"period_column = {period!r}", " | ".join(dated) or "a date or quarter column")


def _check_header_clash(origin: str, contract: Contract) -> None:
    owner: dict[str, str] = {}
    for column in contract.columns:
        for header in {normalise_header(h) for h in column.headers}:
            if owner.setdefault(header, column.name) != column.name:
                _refuse(origin, f"header {header!r} means {owner[header]} and {column.name}", "one column per header")
