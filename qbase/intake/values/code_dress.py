"""One spelling for a code, whatever a spreadsheet, a database or a keyboard dressed it in."""

from __future__ import annotations

import re

from qbase.tables import ColumnRule, section_of
from qbase.tables.credit_code import LENGTH as USCC_LENGTH

# numbers of batches are typed with and without spaces; standards and notices have theirs
NUMBERS = frozenset({"sample_no", "parent_no", "record_no", "firm_code", "certificate_no"})
"""Columns of numbers of batches, records and firms."""
_QUOTED = re.compile(r'=?\s*"\s*([^"]*?)\s*"')
_PAIR = re.compile("[‘“]([^‘’“”]+)[’”]")
_MARK = re.compile(r"^[='‘’`´](?=[\w\"'‘’])")
_BLANKS = re.compile(r"\s+")
_GROUPS = re.compile(r"[\s\-\u2010-\u2015]")
_DASHES = re.compile("[\u2010-\u2015\u2043\ufe58\ufe63]")
_INDUSTRY = re.compile(r"([A-Ta-t]) ?(\d{4})", re.ASCII)
# as programs write a number that is too long for its cell: one digit before the point, or a signed exponent
_SCIENTIFIC = re.compile(r"[+-]?(?:\d(?:\.\d+)?[eE]\d{1,2}|\d+\.\d+[eE]\d{1,3}|\d+(?:\.\d+)?[eE][+-]\d+)", re.ASCII)
CHINESE_DIVISION = re.compile(r"\d{6}(?:\d{3}){0,2}", re.ASCII)
"""Code of a county or of what lies above it, of a town, or of a village."""
_DIVISION = re.compile(r"[A-Z]{0,3}\d[0-9A-Z.-]*", re.ASCII | re.IGNORECASE)


def undress_text(text: str) -> str:
    """Return a cell without the formula that keeps a spreadsheet from reading it as a number.

    Examples
    --------
    >>> undress_text('="0012"'), undress_text('"甲"厂')
    ('0012', '"甲"厂')
    """
    match = _QUOTED.fullmatch(text) if text.startswith("=") else None
    return match[1] if match else text


def undress_code(text: str, column: ColumnRule) -> str:
    """Return a code without its dress, where that leaves no doubt; else as it is.

    The mark of a text (``'X``, ``="X"``, ``"X"``), tabs and doubled spaces go everywhere; a batch number has no
    spaces at all.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> sample, standard = (read_contract("inspections").column(name) for name in ("sample_no", "std_no"))
    >>> undress_code("'S 1-01", sample), undress_code('="GB/T  8960-2015"', standard)
    ('S1-01', 'GB/T 8960-2015')
    """
    match = _QUOTED.fullmatch(text)
    match = match or _PAIR.fullmatch(text.strip())
    bare = match[1] if match and match[1] else text
    bare = _BLANKS.sub(" ", _MARK.sub("", bare)).strip()
    if column.check == "uscc":
        code = _GROUPS.sub("", bare).upper()
        return code if len(code) == USCC_LENGTH else bare
    if column.name == "industry_code":
        industry = _INDUSTRY.fullmatch(bare)
        return industry[2] if industry and section_of(industry[2]) == industry[1].upper() else bare
    if column.name in NUMBERS:
        return _BLANKS.sub("", _DASHES.sub("-", bare))
    if is_division(column) and _GROUPS.sub("", bare).isdecimal():
        return _GROUPS.sub("", bare)
    return bare


def is_scientific(text: str) -> bool:
    """Say whether a code is what a spreadsheet made of a long number; 2022E00123 is a code of its own.

    Examples
    --------
    >>> [is_scientific(text) for text in ("9.11E+17", "1E5", "2022E00123", "73928e03")]
    [True, True, False, False]
    """
    return _SCIENTIFIC.fullmatch(text) is not None


def is_division(column: ColumnRule) -> bool:
    """Say whether a column holds codes of towns, counties or cities."""
    return column.name.endswith("town_code") or column.name == "successor_code"


def is_division_code(text: str) -> bool:
    """Say whether a text can be a code of a division, here or abroad: a word is none.

    Examples
    --------
    >>> [is_division_code(text) for text in ("330621101", "60601", "#规上", "甲县", "5.2%")]
    [True, True, False, False, False]
    """
    return _DIVISION.fullmatch(text) is not None
