"""Numbers as people write them, exactly: every step is Decimal."""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation

from qbase.intake.values.units import MULTIPLES, find_factor, measures

EXACT = Context(prec=100)
LEAST, MOST = -30, 30

# words for a unit that has no other sizes
_SAME = {"day": ("天", "日", "day", "days"), "h": ("小时", "时", "h", "hour", "hours"), "index": ("分", "点")}
# 0,125 and 012,500 are no thousands
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NEGATIVE = re.compile(r"\((\d[\d,]*(?:\.\d+)?)\)", re.ASCII)
_WITH_UNIT = re.compile(r"([+-]?\d[\d,]*(?:\.\d+)?) ?([十百千万亿]{1,2})?([^\d\s十百千万亿.,()+-][^\d\s]*)?", re.ASCII)


def read_numeral(clean: str, unit: str, factor: Decimal | None = None) -> tuple[str | None, str]:
    """Read a number.

    Parameters
    ----------
    clean : str
        Narrow and trimmed.
    unit : str
        Unit of the contract.
    factor : Decimal or None
        What a bare number is multiplied by; None leaves it alone.

    Returns
    -------
    tuple of (str or None, str)
        One spelling of the number and a remark: ``parentheses`` (a negative in brackets), ``unit_word`` (1.2万),
        ``!too_large``. None when it is no number, or its unit is not that of the column.

    Examples
    --------
    >>> read_numeral("1.2亿元", "wan_cny"), read_numeral("97.5%", "share"), read_numeral("(100)", "")
    (('12000', 'unit_word'), ('0.975', ''), ('-100', 'parentheses'))
    """
    if clean.endswith("%"):
        return _read_percent(clean[:-1].rstrip(), unit)
    code = ""
    match = _NEGATIVE.fullmatch(clean)
    if match:
        clean, code = f"-{match[1]}", "parentheses"
    if _GROUPED.fullmatch(clean):
        clean = clean.replace(",", "")
    if not _NUMBER.fullmatch(clean):
        return _read_unit_word(clean, unit) if not code else (None, "")
    return _scaled(clean, factor, code)


def _read_percent(clean: str, unit: str) -> tuple[str | None, str]:
    if _GROUPED.fullmatch(clean):
        clean = clean.replace(",", "")
    if (measures(unit) != "rate" and unit != "pp") or not _NUMBER.fullmatch(clean):
        return None, ""
    return _scaled(clean, find_factor("%", unit) if unit != "pp" else None, "")


def _read_unit_word(clean: str, unit: str) -> tuple[str | None, str]:
    match = _WITH_UNIT.fullmatch(clean)
    if match is None:
        return None, ""
    digits, multiple, word = match[1], match[2] or "", match[3] or ""
    if "," in digits and not _GROUPED.fullmatch(digits):
        return None, ""
    digits = digits.replace(",", "")
    if word and not multiple and word in _SAME.get(unit, ()):
        return _scaled(digits, None, "unit_word")
    if word:
        factor = find_factor(multiple + word, unit)
        return _scaled(digits, factor, "unit_word") if factor is not None else (None, "")
    # 1.2万 is 12,000 of what is counted; of 万元 it would be said twice or not at all
    if multiple in MULTIPLES and unit in ("", "count", "batch", "cny"):
        return _scaled(digits, Decimal(MULTIPLES[multiple]), "unit_word")
    return None, ""


def _scaled(clean: str, factor: Decimal | None, code: str) -> tuple[str | None, str]:
    plain = plain_number(clean)
    if plain is not None and factor is not None:
        plain = plain_number(str(EXACT.multiply(Decimal(plain), factor)))
    return (plain, code) if plain is not None else (clean, "!too_large")


def plain_number(text: str) -> str | None:
    """Return one spelling of a number: no exponent, no superfluous zero; None for what is none or too large.

    What Decimal takes beyond that is no number of a sender's: ``nan``, ``inf``, ``1_000``, digits of other scripts.

    >>> plain_number("+1.50"), plain_number("1e3"), plain_number("-0"), plain_number("1e400"), plain_number("nan")
    ('1.5', '1000', '0', None, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_zero() and not LEAST <= value.adjusted() <= MOST:
        return None
    shown = f"{value:f}"
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    shown = shown.removeprefix("+")
    return "0" if shown in ("-0", "") else shown


def is_exact(plain: str) -> bool:
    """Say whether a stored number still says what the text said."""
    return Decimal(repr(float(plain))) == Decimal(plain)
