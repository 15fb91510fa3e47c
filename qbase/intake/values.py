"""From raw text to one spelling per value; what cannot be read stays as it is and says why.

A reader takes one cell and returns ``(text, code)``: text None for a missing value; a code that starts with
``!`` sets the row aside, another one only counts towards a warning. Types are those of the contract, never guessed.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qbase.core.values import freeze
from qbase.tables import ColumnRule

Reading = tuple[str | None, str]
Reader = Callable[[str], Reading]

MISSING = frozenset({"", "/", "—"})
FATAL = "!"
PERCENT_UNITS = frozenset({"pct", "pp", "%"})

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D}
_WIDE_CHARS = re.compile("[\uff01-\uff5e\u3000\u2212]")
_SCIENTIFIC = re.compile(r"[+-]?\d+(\.\d+)?[eE][+-]?\d+", re.ASCII)
_DECIMAL_CODE = re.compile(r"\d+\.0+", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATES = (
    re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII),
    re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日", re.ASCII),
)
_QUARTER = re.compile(r"(\d{4})[ ]?[Qq]([1-4])", re.ASCII)


def build_reader(
    column: ColumnRule, *, missing: frozenset[str] = MISSING, values: Mapping[str, str] | None = None
) -> Reader:
    """Return the function that reads one cell of a column.

    Parameters
    ----------
    column : ColumnRule
        Type, accepted spellings and unit.
    missing : frozenset of str
        What stands for nothing. In a required column it is still nothing, and the contract refuses the row.
    values : mapping or None
        What a recipe says certain texts mean, before anything else is tried.

    Returns
    -------
    callable
        Raw cell -> one spelling of the value (None when missing) and a code; see the module.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> build_reader(read_contract("inspections").column("sample_date"))("２０２２年８月１０日")
    ('2022-08-10', 'fullwidth')
    """
    read = _READERS.get(column.type, _read_text)
    meanings = dict(values or {})
    spellings = _spellings(column)

    def reader(raw: str) -> Reading:
        if _CONTROL.search(raw):
            return raw, "!control_character"
        text = raw.strip()
        if text in meanings:
            return meanings[text], ""
        clean, code = _clean(text)
        if clean in missing:
            return None, ""
        if spellings:
            value = spellings.get(clean.casefold())
            return (value, code) if value is not None else (text, "")
        return read(text, clean, code, column)

    return reader


def narrow(text: str) -> str:
    """Return full-width letters, digits and signs in their narrow form, and the true minus as a hyphen."""
    return text.translate(_WIDE)


def _clean(text: str) -> tuple[str, str]:
    """Remove what cannot be seen and narrow what is wide; say which of the two was done."""
    if text.isascii():
        return text, ""
    code = ""
    if _INVISIBLE.search(text):
        text, code = _INVISIBLE.sub("", text), "invisible"
    if _WIDE_CHARS.search(text):
        text, code = narrow(text), code or "fullwidth"
    return text.strip(), code


def _read_text(text: str, _clean_text: str, _code: str, _: ColumnRule) -> Reading:
    seen = _INVISIBLE.sub("", text)
    return seen.strip(), "invisible" if seen != text else ""


def _read_code(_: str, clean: str, code: str, column: ColumnRule) -> Reading:
    if _SCIENTIFIC.fullmatch(clean):
        return clean, "!scientific"
    if _DECIMAL_CODE.fullmatch(clean):
        return clean, "!decimal_code"
    return clean, code


def _read_number(text: str, clean: str, code: str, column: ColumnRule) -> Reading:
    if column.unit in PERCENT_UNITS and clean.endswith("%"):
        clean = clean[:-1].rstrip()
    if _GROUPED.fullmatch(clean):
        clean = clean.replace(",", "")
    if not _NUMBER.fullmatch(clean):
        return text, ""
    plain = plain_number(clean)
    if plain is None:
        return text, "!too_large"
    if column.type == "number" and not _is_exact(plain):
        return clean, "!too_many_digits"
    return plain, code


def plain_number(text: str) -> str | None:
    """Return one spelling of a number: no exponent, no superfluous zero; None beyond what a number holds.

    >>> plain_number("+1.50"), plain_number("1e3"), plain_number("-0"), plain_number("1e400")
    ('1.5', '1000', '0', None)
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_zero() and not -30 <= value.adjusted() <= 30:
        return None
    shown = f"{value:f}"
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    shown = shown.removeprefix("+")
    return "0" if shown in ("-0", "") else shown


def _is_exact(plain: str) -> bool:
    """Say whether a stored number still says what the text said."""
    return Decimal(repr(float(plain))) == Decimal(plain)


def _read_date(text: str, clean: str, code: str, _: ColumnRule) -> Reading:
    for pattern in _DATES:
        match = pattern.fullmatch(clean.removesuffix(" 00:00:00"))
        if match:
            try:
                return datetime.date(*map(int, match.groups())).isoformat(), code
            except ValueError:
                return text, ""
    return text, ""


def _read_quarter(text: str, clean: str, code: str, _: ColumnRule) -> Reading:
    match = _QUARTER.fullmatch(clean)
    return (f"{match[1]}Q{match[2]}", code) if match else (text, "")


def _spellings(column: ColumnRule) -> dict[str, str]:
    """Return every accepted spelling of an enum or a yes/no column, narrow and without case, with its value."""
    return {
        narrow(spelling).casefold(): value
        for value, spellings in column.values.items()
        for spelling in (value, *spellings)
    }


_READERS: Mapping[str, Callable[[str, str, str, ColumnRule], Reading]] = freeze(
    {
        "text": _read_text,
        "code": _read_code,
        "int": _read_number,
        "number": _read_number,
        "date": _read_date,
        "quarter": _read_quarter,
    }
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ColumnReading:
    """A column after reading.

    Parameters
    ----------
    values : pyarrow.Array
        R texts, null where missing.
    codes : mapping
        Code -> positions of the rows it applies to.
    """

    values: pa.Array
    codes: Mapping[str, npt.NDArray[np.int64]]


def read_column(raw: pa.ChunkedArray, reader: Reader) -> ColumnReading:
    """Read a column: every different text once.

    Parameters
    ----------
    raw : pyarrow.ChunkedArray
        R texts as they stand.
    reader : callable
        From `build_reader`.

    Returns
    -------
    ColumnReading
        R values and the rows with a code.
    """
    encoded = raw.combine_chunks().dictionary_encode()
    readings = [reader(text) for text in encoded.dictionary.to_pylist()]
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    values = pa.array([text for text, _ in readings], pa.string()).take(encoded.indices)
    marks = {code for _, code in readings if code}
    names = np.array([code for _, code in readings], dtype=object)
    codes = {code: np.flatnonzero((names == code)[indices]) for code in sorted(marks)}
    return ColumnReading(values=values, codes=codes)
