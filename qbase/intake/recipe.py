"""How a source writes a table: which header is which column, what its words mean."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import pathlib
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, NoReturn

from qbase.core.errors import DataError, UsageError
from qbase.core.text import Text
from qbase.core.values import freeze
from qbase.intake.values import MISSING
from qbase.tables import list_contracts, read_contract

_KEYS = {
    "name", "zh", "en", "table", "producer", "licence", "compression", "separator", "missing",
    "columns", "values", "constants", "supersede_by",
}  # fmt: skip
_SEPARATORS = ("", ",", ";", "\t", "|")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to read the files of one source.

    Parameters
    ----------
    name : str
        Handle on the command line.
    title : Text
        For readers.
    table : str
        Contract the rows must keep; empty finds it by the headers.
    producer, licence : str
        Who made the data, and the terms; empty when unknown.
    columns : mapping
        Header of the source -> canonical column; empty takes the headers the contract knows.
    values : mapping
        Column -> text of the source -> canonical value.
    constants : mapping
        Column -> value that holds for every row of the source.
    missing : frozenset of str
        What stands for nothing.
    compression : str
        ``gzip`` or empty.
    separator : str
        Of CSV; empty decides it by the header line.
    supersede_by : tuple of str
        A new file takes the place of earlier ones that agree in these: ``producer``, ``table``, ``period``; empty
        replaces nothing.
    """

    name: str
    title: Text
    table: str = ""
    producer: str = ""
    licence: str = ""
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    constants: Mapping[str, str] = dataclasses.field(default_factory=dict)
    missing: frozenset[str] = MISSING
    compression: str = ""
    separator: str = ""
    supersede_by: tuple[str, ...] = ()


TIDY = Recipe(name="tidy", title=Text("规范表", "tidy table"))


def list_recipes() -> list[str]:
    """Return the names `load_files` takes as recipe: those of sources, then one per table for tidy files."""
    return [*_shipped(), *list_contracts()]


def read_recipe(name: str | None) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    name : str or None
        One of `list_recipes`, the path of a recipe file (``*.toml``), or None for a tidy file of any table.

    Returns
    -------
    Recipe
        Checked against the contract of its table.

    Raises
    ------
    UsageError
        There is no such recipe (QB302).
    DataError
        The file is no sound recipe (QB303).
    """
    if name is None:
        return TIDY
    if name in _shipped():
        return _read_shipped(name)
    if name in list_contracts():
        return Recipe(name=name, title=read_contract(name).name_text, table=name)
    path = pathlib.Path(name)
    if path.suffix == ".toml" and path.is_file():
        return parse_recipe(path.read_bytes(), origin=path.name)
    near = difflib.get_close_matches(name, list_recipes(), n=1, cutoff=0.4)
    raise UsageError(
        "QB302",
        name=name,
        found=name,
        expected=", ".join(list_recipes()),
        fix=f"--recipe {near[0] if near else list_recipes()[0]}",
    )


@functools.cache
def _shipped() -> tuple[str, ...]:
    files = resources.files("qbase.intake.recipes").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


@functools.cache
def _read_shipped(name: str) -> Recipe:
    file = resources.files("qbase.intake.recipes") / f"{name}.toml"
    return parse_recipe(file.read_bytes(), origin=file.name)


def parse_recipe(content: bytes, *, origin: str) -> Recipe:
    """Parse and check the TOML of a recipe.

    Parameters
    ----------
    content : bytes
        Of the file.
    origin : str
        What errors call it.

    Returns
    -------
    Recipe

    Raises
    ------
    DataError
        Not TOML, an unknown key, a column or a value the contract does not have (QB303).
    """
    try:
        raw = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        _refuse(origin, str(error), 'TOML: "企业名称" = "firm_name"')
    for key in ("name", "table"):
        if not isinstance(raw.get(key), str):
            _refuse(origin, f"{key} = {raw.get(key)!r}", f'{key} = "…"')
    unknown = sorted(set(raw) - _KEYS)
    if unknown:
        _refuse(origin, ", ".join(unknown), ", ".join(sorted(_KEYS)))
    recipe = Recipe(
        name=raw["name"],
        title=Text(raw.get("zh", raw["name"]), raw.get("en", raw["name"])),
        table=raw["table"],
        producer=raw.get("producer", ""),
        licence=raw.get("licence", ""),
        columns=freeze(_texts(origin, raw, "columns")),
        values=freeze({column: freeze(_texts(origin, raw["values"], column)) for column in raw.get("values", {})}),
        constants=freeze(_texts(origin, raw, "constants")),
        missing=frozenset(raw["missing"]) | {""} if "missing" in raw else MISSING,
        compression=raw.get("compression", ""),
        separator=raw.get("separator", ""),
        supersede_by=tuple(raw.get("supersede_by", ())),
    )
    _check(origin, recipe)
    return recipe


def _texts(origin: str, raw: dict[str, Any], key: str) -> dict[str, str]:
    given = raw.get(key, {})
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        _refuse(origin, f"[{key}] {given!r}", f'[{key}] "…" = "…"')
    return given


def _check(origin: str, recipe: Recipe) -> None:
    contract = read_contract(recipe.table)
    if recipe.compression not in ("", "gzip"):
        _refuse(origin, f"compression = {recipe.compression!r}", '"gzip"')
    if recipe.separator not in _SEPARATORS:
        _refuse(origin, f"separator = {recipe.separator!r}", ", ; \\t |")
    if recipe.supersede_by and (not {"table", "period"} <= set(recipe.supersede_by) <= {"producer", "table", "period"}):
        _refuse(origin, f"supersede_by = {list(recipe.supersede_by)}", '["producer", "table", "period"]')
    named = [*recipe.columns.values(), *recipe.values, *recipe.constants]
    strange = sorted(set(named) - set(contract.column_names))
    if strange:
        _refuse(origin, ", ".join(strange), ", ".join(contract.column_names))
    given = [*recipe.columns.values(), *recipe.constants]
    doubled = sorted({column for column in given if given.count(column) > 1})
    if doubled:
        _refuse(origin, f"2 x {', '.join(doubled)}", f"1 x {', '.join(doubled)}")
    for column, meanings in recipe.values.items():
        allowed = contract.column(column).values
        wrong = sorted(set(meanings.values()) - set(allowed)) if allowed else []
        if wrong:
            _refuse(origin, f"[values.{column}] {', '.join(wrong)}", ", ".join(allowed))


def _refuse(origin: str, found: str, expected: str) -> NoReturn:
    raise DataError("QB303", origin=origin, found=found, expected=expected, fix=origin)
