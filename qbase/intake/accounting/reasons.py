"""Reason codes in words."""

from __future__ import annotations

import functools
import re
import tomllib
from importlib import resources

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.tables import list_contracts, read_contract

# a header may hold spaces itself, so only a number at the end is a count
_COUNTED = re.compile(r"(.*?)(?: (\d+))?", re.DOTALL)
_OF_TABLE = re.compile(r"([a-z][a-z0-9_]*)/(.+)", re.DOTALL)
_COMPARED = re.compile(r"(.*):(\w+_mismatch) (\S+)/(\S+)", re.DOTALL)


@functools.cache
def read_reasons() -> dict[str, dict[str, list[str]]]:
    """Read the catalogue of reasons and warnings: kind -> code -> Chinese, English."""
    file = resources.files("qbase.intake.accounting") / "reasons.toml"
    catalogue: dict[str, dict[str, list[str]]] = tomllib.loads(file.read_text(encoding="utf-8"))
    return catalogue


def explain_reason(code: str, table: str = "") -> Text:
    """Say a reason code or a warning of a `LoadReport` in words.

    Parameters
    ----------
    code : str
        ``total_row``, ``result:enum``, ``rule:recheck_has_parent``, or a warning such as ``uscc:fullwidth 12``;
        ``firms/uscc:fullwidth 12`` where a file brought several tables.
    table : str
        Contract the columns and rules belong to; empty leaves columns as codes.

    Returns
    -------
    Text
        In both languages; an unknown code stands for itself.

    Examples
    --------
    >>> explain_reason("result:enum", "inspections").en
    'Result: not one of the allowed values'
    """
    of_table = _OF_TABLE.fullmatch(code)
    if of_table and of_table[1] in list_contracts():
        title, told = read_contract(of_table[1]).name_text, explain_reason(of_table[2], of_table[1])
        return Text(f"{title.zh}：{told.zh}", f"{title.en}: {told.en}")
    compared = _COMPARED.fullmatch(code)
    if compared:
        words = read_reasons()["warnings"][compared[2]]
        zh, en = (text.format(a=compared[3], b=compared[4]) for text in words)
        return Text(f"{compared[1]}：{zh}", f"{compared[1]}: {en}")
    match = _COUNTED.fullmatch(code)
    name, count = match.groups(default="") if match else (code, "")
    owner, _, short = name.rpartition(":")
    if owner == "rule":
        return _rule(short, table)
    words = _words(short)
    about = _column(owner, table) if owner not in ("", "sheet") else None
    number = f"{count} " if count else ""
    if about is None:
        return Text(number + words[0], number + words[1])
    return Text(f"{about.zh}：{number}{words[0]}", f"{about.en}: {number}{words[1]}")


def _words(code: str) -> list[str]:
    """Return Chinese and English of a code; a cell that was blanked is told by what was wrong with it."""
    known = {key: words for kind in read_reasons().values() for key, words in kind.items()}
    if code in known:
        return known[code]
    fault = known.get(code.removesuffix("_blanked")) if code.endswith("_blanked") else None
    if fault is None:
        return [code, code]
    return [f"个单元格按缺失处理：{fault[0]}", f"cells count as missing: {fault[1]}"]


def _column(name: str, table: str) -> Text:
    if table in list_contracts():
        try:
            return read_contract(table).column(name).text
        except UsageError:
            return Text(name, name)
    return Text(name, name)


def _rule(code: str, table: str) -> Text:
    rules = read_contract(table).rules if table in list_contracts() else ()
    return next((rule.text for rule in rules if rule.code == code), Text(code, code))
