"""What one cell of a workbook says, as text; only the standard library (see `qbase.intake.xlsx`)."""

from __future__ import annotations

import dataclasses
import datetime
import re
from decimal import Decimal

EXACT = 10**15  # a spreadsheet keeps 15 digits of a number
MAX_SERIAL = 2_958_466  # 10000-01-01
DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
PERCENT_FORMATS = frozenset({9, 10})

_PLAIN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]')
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Style:
    """What a number format does to a number: ``date``, ``percent``, ``zeros`` (with their width) or nothing."""

    kind: str = ""
    width: int = 0


def unescape(text: str) -> str:
    """Resolve ``_x000D_``, the way a workbook writes characters that XML cannot hold."""
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text) if "_x" in text else text


def find_style(number: int, code: str) -> Style:
    """Say what a number format does: its number decides unless the file gives it a code."""
    if not code:
        if number in DATE_FORMATS:
            return Style(kind="date")
        return Style(kind="percent") if number in PERCENT_FORMATS else Style()
    plain = _PLAIN.sub("", code.split(";")[0]).strip()
    if plain.lower() == "general":
        return Style()
    if re.fullmatch("0{2,}", plain) and plain == code.split(";")[0].strip():
        return Style(kind="zeros", width=len(plain))
    if plain.endswith("%"):
        return Style(kind="percent")
    return Style(kind="date") if re.search("[ymdhs]|[上下]午", plain, re.IGNORECASE) else Style()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cells:
    """Turns a cell as stored into text."""

    strings: list[str]
    styles: list[Style]
    is_1904: bool

    def text(self, kind: str, raw: str, style: int) -> tuple[str, str, bool]:
        """Return text, code of what is wrong or remarkable, and whether that is fatal."""
        if kind == "s":
            try:
                return self.strings[int(raw)], "", False
            except (ValueError, IndexError):
                return raw, "broken_cell", True
        if kind in ("str", "inlineStr"):
            return unescape(raw) if kind == "str" else raw, "", False
        if kind == "e":
            return raw, "error_cell", True
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(raw, raw), "", False
        if kind == "d":
            return raw.removesuffix("T00:00:00"), "", False
        return self.number(raw, self.styles[style] if style < len(self.styles) else Style())

    def number(self, raw: str, style: Style) -> tuple[str, str, bool]:
        """Return a number as text, as its format shows it where the format changes its meaning."""
        try:
            value = float(raw)
        except ValueError:
            return raw, "broken_cell", True
        if style.kind == "date":
            shown = serial_date(value, is_1904=self.is_1904)
            return (shown, "", False) if shown else (raw, "impossible_date", True)
        if abs(value) >= EXACT or value != value:
            return raw, "long_number", True
        if style.kind == "percent":
            return f"{(Decimal(repr(value)) * 100).normalize():f}%", "", False
        if value.is_integer():
            whole = str(int(value))
            if style.kind == "zeros" and value >= 0:
                return whole.zfill(style.width), "zeros_by_format", False
            return whole, "number", False
        return repr(value), "number", False


def serial_date(value: float, *, is_1904: bool = False) -> str:
    """Return a serial number as ISO date (with time where there is one); empty when no such day exists.

    >>> serial_date(44783.0), serial_date(60.0), serial_date(0.5)
    ('2022-08-10', '', '')
    """
    if not (0 if is_1904 else 1) <= value < MAX_SERIAL:
        return ""
    day = int(value)
    if day == 60 and not is_1904:  # 29 February 1900, which only the 1900 system knows
        return ""
    epoch = datetime.datetime(1904, 1, 1) if is_1904 else datetime.datetime(1899, 12, 31 if day < 60 else 30)
    moment = epoch + datetime.timedelta(days=day, seconds=round((value - day) * 86400))
    text = moment.isoformat()
    return text.removesuffix("T00:00:00")
