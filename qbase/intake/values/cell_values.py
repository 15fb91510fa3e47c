"""From raw text to one spelling per value; what cannot be read stays as it is and says why.

A reader takes one cell and returns ``(text, code)``: text None for a missing value; a code that starts with
``!`` sets the row aside, another one only counts towards a warning. Types are those of the contract, never guessed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qbase.core.values import freeze
from qbase.intake.values.code_dress import (
    is_division,
    is_division_code,
    is_scientific,
    undress_code,
    undress_text,
)
from qbase.intake.values.marked_text import without_marks
from qbase.intake.values.nothing_words import is_error_text, may_say_nothing, says_nothing
from qbase.intake.values.number_style import in_style
from qbase.intake.values.plain_cells import Distinct, find_distinct, plain_pattern
from qbase.intake.values.written_dates import (
    DATE_FORMS,
    is_own_quarter,
    is_span,
    read_day,
    read_quarter_text,
    read_span,
)
from qbase.intake.values.written_numbers import is_exact, plain_number, read_numeral
from qbase.tables import ColumnRule

__all__ = [
    "DATE_FORMS", "FATAL", "MISSING", "ColumnReading", "Context", "Reader", "build_reader", "narrow", "plain_number",
    "read_column",
]  # fmt: skip

Reading = tuple[str | None, str]

MISSING = frozenset({"", "/", "—"})
FATAL = "!"

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_NO_YEAR = re.compile(r"\d{1,2} ?月 ?\d{1,2} ?日")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D}
_WIDE_CHARS = re.compile("[\uff01-\uff5e\u3000\u2212]")
_YEAR = re.compile(r"(?<=^\d{4}) ?年度?$", re.ASCII)
_DECIMAL_CODE = re.compile(r"\d+\.0+", re.ASCII)
# a day, a time or a rate in a column of codes is what a spreadsheet made of 3-1, 8:30 or 12
_FORMATTED_CODE = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ][\d:]+)?|\d{1,2}月\d{1,2}日|\d{1,2}-[A-Z][a-z]{2}|[\d.]+%", re.ASCII
)
# a row that sums up others has one of these where they have their code
_SUMMARY = re.compile(
    r".{0,8}(?:合 *计|小 *计|总 *计|共计|累计|平均值?|均值|中位数|同期|同比.*|占比|比重)|全[国省市县区]|其中:?.*|注:?|"
    r"(?:sub|grand )?total|average|mean|median",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """What decides how a cell of a column is read.

    Parameters
    ----------
    column : ColumnRule
        Type, accepted spellings and unit.
    factor : Decimal or None
        What a bare number is multiplied by to be in the unit of the contract.
    dates : frozenset of str
        Further forms of dates, see `qbase.intake.values.written_dates.DATE_FORMS`.
    year : str
        Year of a quarter that names none.
    is_cumulative : bool
        A quarter may be written as the span from January on that ends with it.
    style : str
        Which sign parts whole from fraction, see `qbase.intake.values.number_style.find_style`.
    """

    column: ColumnRule
    factor: Decimal | None = None
    dates: frozenset[str] = frozenset()
    year: str = ""
    is_cumulative: bool = False
    style: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reader:
    """What reads the cells of a column.

    Parameters
    ----------
    read : callable
        Raw cell -> one spelling of the value (None when missing) and a code; see the module.
    plain : str
        Pattern of texts that are read as they are, see `qbase.intake.values.plain_cells`; empty where none is known.
    """

    read: Callable[[str], Reading]
    plain: str = ""

    def __call__(self, raw: str) -> Reading:
        """Read one cell."""
        return self.read(raw)


def build_reader(
    column: ColumnRule,
    *,
    missing: frozenset[str] = MISSING,
    values: Mapping[str, str] | None = None,
    clean: Sequence[tuple[re.Pattern[str], str]] = (),
    context: Context | None = None,
) -> Reader:
    """Return what reads one cell of a column.

    Parameters
    ----------
    column : ColumnRule
        Type, accepted spellings and unit.
    missing : frozenset of str
        What stands for nothing. In a required column it is still nothing, and the contract refuses the row.
    values : mapping or None
        What a recipe says certain texts mean, before anything else is tried.
    clean : sequence of (pattern, str)
        Marks to remove, and what takes their place.
    context : Context or None
        Factor, forms of dates and so on; None for a column as the contract has it.

    Returns
    -------
    Reader
        Called with a raw cell it returns one spelling of the value (None when missing) and a code; see the module.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> build_reader(read_contract("inspections").column("sample_date"))("２０２２年８月１０日")
    ('2022-08-10', 'fullwidth')
    """
    read = _READERS.get(column.type, _read_text)
    meanings = {_plain_word(word): value for word, value in (values or {}).items()}
    spellings = _spellings(column)
    context = context or Context(column=column)
    # a required number or choice that is none is told as what it is, not as a gap
    can_be_missing = not column.required or column.type in ("code", "text")

    def reader(raw: str) -> Reading:
        if _CONTROL.search(raw):
            return raw, "!control_character"
        text = undress_text(raw.strip())
        if meanings and (word := _plain_word(text)) in meanings:
            return meanings[word], ""
        shown, mark = _without(text, clean)
        plain, code = _clean(shown)
        plain, small = without_marks(plain, column.type)
        if small:
            shown, mark = plain, mark or small
        if plain in missing:
            return None, ""
        if is_error_text(plain):
            return plain, "!error_cell"
        if spellings and (spelt := spellings.get(plain.casefold())) is not None:
            return spelt, code
        if can_be_missing and says_nothing(plain, column):
            return None, ""
        if spellings:
            return text, ""
        value, code = read(shown, plain, code, context)
        return value, code or mark

    return Reader(read=reader, plain="" if meanings or clean else plain_pattern(column, missing))


def _plain_word(text: str) -> str:
    """Return a word of a source without case, doubled spaces, full-width letters and what cannot be seen."""
    return " ".join(narrow(_INVISIBLE.sub("", text)).casefold().split())


def _without(text: str, clean: Sequence[tuple[re.Pattern[str], str]]) -> tuple[str, str]:
    shown = text
    for pattern, replacement in clean:
        shown = pattern.sub(replacement, shown)
    return (shown.strip(), "mark_removed") if shown != text else (text, "")


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


def _read_text(text: str, clean: str, _code: str, context: Context) -> Reading:
    seen = _INVISIBLE.sub("", text).strip()
    if context.column.required and may_say_nothing(clean):
        return seen, "nothing_word"
    return seen, "invisible" if _INVISIBLE.search(text) else ""


def _read_code(_: str, clean: str, code: str, context: Context) -> Reading:
    column = context.column
    plain = undress_code(clean, column)
    for code_of, is_so in _DAMAGED:
        if is_so(plain):
            return plain, code_of
    if says_nothing(plain, column):
        return None, ""
    if is_division(column) and not column.pattern and not is_division_code(plain):
        return plain, "!no_division"
    return plain, "normalised" if plain != clean else code


_DAMAGED: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("!scientific", is_scientific),
    ("!decimal_code", _DECIMAL_CODE.fullmatch),
    ("!formatted_code", _FORMATTED_CODE.fullmatch),
    ("!summary_row", _SUMMARY.fullmatch),
    ("!error_cell", is_error_text),
)


def _read_number(text: str, clean: str, code: str, context: Context) -> Reading:
    if context.column.name == "year":
        clean = _YEAR.sub("", clean)
    pointed = in_style(clean, context.style)
    if pointed is None:
        return text, "!number_style"
    clean = pointed
    plain, remark = read_numeral(clean, context.column.unit, context.factor)
    if plain is None:
        return text, ""
    if remark.startswith(FATAL):
        return text, remark
    if context.column.type == "number" and not is_exact(plain):
        return clean, "!too_many_digits"
    return plain, remark or code


def _read_date(text: str, clean: str, code: str, context: Context) -> Reading:
    day, remark = read_day(clean, context.dates)
    if not day and context.year and context.column.name == "sample_date" and _NO_YEAR.fullmatch(clean):
        day, remark = read_day(f"{context.year}年{clean}")[0], "year_from_name"
        code = ""
    return (day, code or remark) if day else (text, "")


def _read_quarter(text: str, clean: str, code: str, context: Context) -> Reading:
    if context.is_cumulative and is_own_quarter(clean):
        return text, "!not_cumulative"
    quarter, remark = read_quarter_text(clean, context.year)
    if not quarter and is_span(clean):
        if not context.is_cumulative:
            return text, "!cumulative"
        quarter = read_span(clean, context.year)
    return (quarter, code or remark) if quarter else (text, "")


def _spellings(column: ColumnRule) -> dict[str, str]:
    """Return every accepted spelling of an enum or a yes/no column, narrow and without case, with its value."""
    return {
        narrow(spelling).casefold(): value
        for value, spellings in column.values.items()
        for spelling in (value, *spellings)
    }


_READERS: Mapping[str, Callable[[str, str, str, Context], Reading]] = freeze(
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
    values : pyarrow.Array or pyarrow.ChunkedArray
        R texts, null where missing.
    codes : mapping
        Code -> positions of the rows it applies to.
    is_changed : bool
        Some value is not the text that stands there.
    """

    values: pa.Array | pa.ChunkedArray
    codes: Mapping[str, npt.NDArray[np.int64]]
    is_changed: bool = True


def read_column(raw: pa.ChunkedArray, reader: Reader, distinct: Distinct | None = None) -> ColumnReading:
    """Read a column: every different text once, and none that is plainly its own value.

    Parameters
    ----------
    raw : pyarrow.ChunkedArray
        R texts as they stand.
    reader : Reader
        From `build_reader`.
    distinct : Distinct or None
        The different texts, where they are known already.

    Returns
    -------
    ColumnReading
        R values and the rows with a code.
    """
    found = distinct or find_distinct(raw, reader.plain)
    readings = [reader.read(text) for text in found.texts]
    texts = [text for text, _ in readings]
    names = np.array([code for _, code in readings], dtype=object)
    codes = {code: found.rows_of(names == code) for code in sorted({code for _, code in readings if code})}
    if texts == found.texts:
        return ColumnReading(values=raw, codes=codes, is_changed=False)
    values = pa.array(texts, pa.string()).take(pa.array(found.places))
    if found.rows is not None:
        is_read = np.zeros(len(raw), np.bool_)
        is_read[found.rows] = True
        values = pc.replace_with_mask(raw.combine_chunks(), pa.array(is_read), values)
    return ColumnReading(values=values, codes=codes)
