"""Recipes as TOML: every key typed, an unknown one refused with the nearest that exists."""

from __future__ import annotations

import difflib
import functools
import json
import pathlib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from typing import Any, NoReturn

from qbase.core.errors import DataError
from qbase.core.text import Text
from qbase.core.values import freeze
from qbase.core.whole_files import write_atomic
from qbase.intake.recipes.recipe_model import (
    FOLDER,
    TIDY,
    Clean,
    Headline,
    Items,
    Ratio,
    Recipe,
    Reconcile,
    YearToDate,
)
from qbase.intake.values.cell_values import DATE_FORMS, MISSING
from qbase.intake.values.units import is_unit
from qbase.tables import Contract, list_contracts, read_contract

_SEPARATORS = ("", ",", ";", "\t", "|")
Kind = str
_TOP: Mapping[str, Kind] = {
    "name": "text", "zh": "text", "en": "text", "table": "text", "extends": "text", "producer": "text",
    "licence": "text", "encoding": "text", "compression": "text", "separator": "text", "headers": "texts",
    "columns": "map", "only_named": "flag", "ignored": "texts",
    "patterns": "map", "required_headers": "texts", "values": "maps", "constants": "map", "from_file": "map",
    "from_sheet": "map", "missing": "texts", "missing_in": "lists", "dates": "texts", "units": "map",
    "clean": "tables", "blank_faults": "texts", "expected": "texts", "derive": "map", "repeats": "texts",
    "needs_any": "texts", "items": "table", "year_to_date": "table", "ratio": "table", "headline": "table",
    "reconcile": "table", "supersede_by": "texts", "accept": "texts", "reject": "texts",
}  # fmt: skip
_PARTS: Mapping[str, tuple[Mapping[str, Kind], tuple[str, ...]]] = {
    "clean": ({"columns": "texts", "pattern": "regex", "replacement": "text"}, ("columns", "pattern")),
    "items": ({"table": "text", "key": "texts", "columns": "map"}, ("table", "key", "columns")),
    "year_to_date": ({"period": "text", "columns": "texts", "by": "texts"}, ("period", "columns")),
    "ratio": (
        {"column": "text", "part": "text", "whole": "text", "tolerance": "number"},
        ("column", "part", "whole", "tolerance"),
    ),
    "headline": ({"column": "text", "pattern": "regex", "distinct": "texts"}, ("pattern", "distinct")),
    "reconcile": ({"column": "text", "table": "text", "by": "text", "where": "map"}, ("column", "table", "by")),
}
_EXPECTED = {
    "text": '"…"', "texts": '["…", "…"]', "map": '"…" = "…"', "maps": '[….column] "…" = "…"', "lists": '"…" = ["…"]',
    "table": "[…]", "tables": "[[…]]", "number": "0.1", "flag": "true | false", "regex": "a regular expression",
}  # fmt: skip


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
        Not TOML, an unknown key, a wrong type, a column or a value the contract does not have (QB303).
    """
    return parse_tree(_without_blanks(load_tree(content, origin=origin)), origin=origin)


def _without_blanks(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a proposed recipe has left blank: a header, a value or a constant that says nothing."""
    kept = dict(raw)
    for key in ("columns", "constants", "units"):
        if isinstance(kept.get(key), dict):
            kept[key] = {name: said for name, said in kept[key].items() if said != ""}
    if isinstance(kept.get("values"), dict):
        parts = kept["values"].items()
        kept["values"] = {
            column: {word: said for word, said in words.items() if said != ""} if isinstance(words, dict) else words
            for column, words in parts
        }
    return kept


def load_tree(content: bytes, *, origin: str) -> dict[str, Any]:
    """Parse TOML and lay it over the recipe it extends, if any; keys of its own win.

    Raises
    ------
    DataError
        Not TOML, or there is no such base (QB303).
    """
    try:
        raw = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        _refuse(origin, str(error), 'TOML: "企业名称" = "firm_name"')
    base = raw.get("extends")
    if base is None:
        return raw
    below = read_tree(base) if isinstance(base, str) else {}
    if not below:
        _refuse(origin, f"extends = {base!r}", 'extends = "…"')
    return _merge(below, {key: value for key, value in raw.items() if key != "extends"})


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def parse_tree(raw: Mapping[str, Any], *, origin: str) -> Recipe:
    """Check a recipe read from TOML, base included, and return it.

    Raises
    ------
    DataError
        As in `parse_recipe`.
    """
    for key in ("name", "table"):
        if not isinstance(raw.get(key), str):
            _refuse(origin, f"{key} = {raw.get(key)!r}", f'{key} = "…"')
    checked = _check_keys(origin, "", raw, _TOP)
    fields: dict[str, Any] = {
        "title": Text(raw.get("zh", raw["name"]), raw.get("en", raw["name"])),
        "missing": frozenset(raw["missing"]) | {""} if "missing" in raw else MISSING,
        "clean": tuple(Clean(**_part(origin, "clean", part)) for part in raw.get("clean", ())),
        **{key: checked[key] for key in _TOP if key in checked and key not in _BUILT},
        **{key: build(**_part(origin, key, raw[key])) for key, build in _BUILDERS.items() if key in raw},
        **{key: frozenset(checked[key]) for key in ("dates", "accept", "reject") if key in checked},
    }
    recipe = Recipe(**fields)
    _check(origin, recipe)
    return recipe


_BUILDERS: Mapping[str, Callable[..., Any]] = {
    "items": Items,
    "year_to_date": YearToDate,
    "ratio": Ratio,
    "headline": Headline,
    "reconcile": Reconcile,
}
_BUILT = {*_BUILDERS, "clean", "missing", "zh", "en", "extends", "dates", "accept", "reject"}


def _part(origin: str, key: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    kinds, needed = _PARTS[key]
    checked = _check_keys(origin, key, raw, kinds)
    absent = [name for name in needed if name not in raw]
    if absent:
        _refuse(origin, f"[{key}]: {', '.join(raw) or '-'}", ", ".join(needed))
    return checked | {"column": raw.get("column", "")} if key == "headline" else checked


def _check_keys(origin: str, where: str, raw: Mapping[str, Any], kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """Return the values frozen; refuse an unknown key with the nearest one, and a wrong type."""
    prefix = f"{where}." if where else ""
    for key in sorted(set(raw) - set(kinds)):
        near = difflib.get_close_matches(key, kinds, n=1, cutoff=0.5)
        _refuse(origin, f"{prefix}{key}", f"{prefix}{near[0]} ?" if near else ", ".join(sorted(kinds)))
    for key, value in raw.items():
        if not _is_kind(value, kinds[key]):
            _refuse(origin, f"{prefix}{key} = {value!r}", f"{prefix}{key}: {_EXPECTED[kinds[key]]}")
    return {key: _frozen(value) for key, value in raw.items()}


def _is_kind(value: Any, kind: Kind) -> bool:
    if kind == "regex":
        return _is_regex(value)
    if kind == "text":
        return isinstance(value, str)
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind in ("texts", "tables"):
        return isinstance(value, list) and all(isinstance(v, str if kind == "texts" else dict) for v in value)
    inner = {"map": "text", "maps": "map", "lists": "texts"}.get(kind)
    return isinstance(value, dict) and (inner is None or all(_is_kind(v, inner) for v in value.values()))


def _is_regex(value: Any) -> bool:
    try:
        re.compile(value)
    except (re.error, TypeError):
        return False
    return True


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(v) for v in value)
    return freeze({k: _frozen(v) for k, v in value.items()}) if isinstance(value, dict) else value


def _check(origin: str, recipe: Recipe) -> None:
    for key, value, allowed in (
        ("compression", recipe.compression, ("", "gzip")),
        ("encoding", recipe.encoding, ("", "big5", "gb18030", "utf-8")),
        ("separator", recipe.separator, _SEPARATORS),
        *(("dates", form, DATE_FORMS) for form in recipe.dates),
    ):
        if value not in allowed:
            _refuse(origin, f"{key} = {value!r}", " | ".join(repr(a) for a in allowed))
    by = set(recipe.supersede_by)
    if by and not {"table", "period"} <= by <= {"producer", "table", "period"}:
        _refuse(origin, f"supersede_by = {list(recipe.supersede_by)}", '["producer", "table", "period"]')
    for pattern in (*recipe.patterns.values(), *recipe.from_file.values(), *recipe.from_sheet.values()):
        if not _is_regex(pattern):
            _refuse(origin, repr(pattern), _EXPECTED["regex"])
    for column, unit in recipe.units.items():
        if not is_unit(unit):
            _refuse(origin, f"units.{column} = {unit!r}", "万元 | 亿元 | 吨 | % …")
    if recipe.table:
        _check_columns(origin, recipe, read_contract(recipe.table))


def _check_columns(origin: str, recipe: Recipe, contract: Contract) -> None:
    strange = sorted(set(_named(recipe)) - set(contract.column_names))
    if strange:
        near = difflib.get_close_matches(strange[0], contract.column_names, n=1)
        _refuse(origin, ", ".join(strange), f"{near[0]} ?" if near else ", ".join(contract.column_names))
    given = [*recipe.columns.values(), *recipe.constants, *recipe.from_file, *recipe.from_sheet]
    doubled = sorted({column for column in given if given.count(column) > 1})
    if doubled:
        _refuse(origin, f"2 x {', '.join(doubled)}", f"1 x {', '.join(doubled)}")
    for column, meanings in recipe.values.items():
        allowed = contract.column(column).values
        wrong = sorted(set(meanings.values()) - set(allowed)) if allowed else []
        if wrong:
            _refuse(origin, f"[values.{column}] {', '.join(wrong)}", ", ".join(allowed))
    needed = [column for column in recipe.blank_faults if contract.column(column).required]
    if needed:
        _refuse(origin, f"blank_faults: {', '.join(needed)}", "required = false")
    keyed = sorted(set(recipe.repeats) & set(contract.key))
    if keyed:
        _refuse(origin, f"repeats: {', '.join(keyed)}", f"- {', '.join(contract.key)}")
    if recipe.items is not None:
        other = read_contract(recipe.items.table)
        odd = sorted(set(recipe.items.columns.values()) - set(other.column_names))
        if odd:
            _refuse(origin, f"[items.columns] {', '.join(odd)}", ", ".join(other.column_names))


def _named(recipe: Recipe) -> Iterable[str]:
    """Yield every column of the main table the recipe speaks of."""
    yield from recipe.columns.values()
    for names in (
        recipe.patterns, recipe.required_headers, recipe.values, recipe.constants, recipe.from_file, recipe.from_sheet,
        recipe.missing_in, recipe.units, recipe.blank_faults, recipe.expected, recipe.derive, recipe.derive.values(),
        recipe.repeats, recipe.needs_any, *(clean.columns for clean in recipe.clean),
    ):  # fmt: skip
        yield from names
    if recipe.items is not None:
        yield from recipe.items.key
    if recipe.year_to_date is not None:
        yield from (recipe.year_to_date.period, *recipe.year_to_date.columns, *recipe.year_to_date.by)
    if recipe.ratio is not None:
        yield from (recipe.ratio.column, recipe.ratio.part, recipe.ratio.whole)
    if recipe.headline is not None:
        yield from (name for name in (recipe.headline.column, *recipe.headline.distinct) if name)
    if recipe.reconcile is not None:
        yield from (recipe.reconcile.column, recipe.reconcile.by)


def save_answers(root: pathlib.Path, recipe: Recipe, given: str | None = None) -> pathlib.Path:
    """Write the answers of a recipe into the workspace, where the next load of the source finds them.

    Parameters
    ----------
    root : Path
        Workspace.
    recipe : Recipe
        With its answers. A recipe file of the workspace itself keeps everything else it says.
    given : str or None
        What was asked for; a recipe file from elsewhere is copied, so that its answers have something to rest on.

    Returns
    -------
    Path
        ``data/recipes/NAME.toml``.
    """
    path = root / FOLDER / f"{recipe.name}.toml"
    answers = {"accept": sorted(recipe.accept), "reject": sorted(recipe.reject)}
    lines = [f"{key} = {json.dumps(given, ensure_ascii=False)}" for key, given in answers.items()]
    elsewhere = pathlib.Path(given or "")
    is_known = path.is_file() or bool(read_tree(recipe.name)) or not elsewhere.is_file()
    source = path if is_known else elsewhere
    old = source.read_text("utf-8") if source.is_file() else ""
    if old:
        kept = re.sub(r"(?ms)^(accept|reject)\s*=\s*\[.*?\]\s*?\n", "", old)
        write_atomic(path, "\n".join([*lines, kept.lstrip("\n")]))
        return path
    head = [f"{key} = {json.dumps(recipe.name, ensure_ascii=False)}" for key in ("name", "extends")]
    write_atomic(path, "\n".join([*head, *lines, ""]))
    return path


def _refuse(origin: str, found: str, expected: str) -> NoReturn:
    raise DataError("QB303", origin=origin, found=found, expected=expected, fix=origin)


def read_tree(name: str) -> dict[str, Any]:
    """Return the raw content of a shipped recipe or of the recipe a contract is; empty when there is none."""
    if name == TIDY.name:
        return {"name": name, "zh": TIDY.title.zh, "en": TIDY.title.en, "table": ""}
    if name in list_shipped():
        file = resources.files("qbase.intake.recipes") / f"{name}.toml"
        return load_tree(file.read_bytes(), origin=file.name)
    if name in list_contracts():
        text = read_contract(name).name_text
        return {"name": name, "zh": text.zh, "en": text.en, "table": name}
    return {}


@functools.cache
def list_shipped() -> tuple[str, ...]:
    """Return the names of the recipes of sources that ship with qbase."""
    files = resources.files("qbase.intake.recipes").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))
