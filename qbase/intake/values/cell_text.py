"""What one cell of a workbook says, as text; only the standard library (see `qbase.intake.reading.xlsx_stream`)."""

from __future__ import annotations

import dataclasses
import datetime
import re
from decimal import Decimal

EXACT = 10**15  # a spreadsheet keeps 15 digits of a number
MAX_SERIAL = 2_958_466  # 10000-01-01
DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
PERCENT_FORMATS = frozenset({9, 10})

_PLAIN = re.compile(r'"[^"]*"|[\\!].|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]')
_MIDNIGHT = re.compile(r"T00:00(?::00(?:\.0+)?)?Z?$")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SECTION = re.compile(r'(?:"[^"]*"|\\.|[^;"\\])*')
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|[\\!](?P<escaped>.)|\[\$(?P<currency>[^\]-]*)[^\]]*\]|\[[^\]]*\]|_.|\*.|'
    r"(?P<general>(?i:G/通用格式|通用格式|General))|(?P<digits>[0#?.,]+)|(?P<other>.)"
)
_SCALE = re.compile("[十百千万亿]|%|‰|thousand|million|billion", re.IGNORECASE)
_SAYING = ("-", "‰")  # without quotes, too
_SILENT = frozenset(" ()+-¥￥")  # what a number may be dressed in without another meaning


@dataclasses.dataclass(frozen=True, kw_only=True)
class Style:
    """What a number format does to a number.

    Parameters
    ----------
    kind : str
        ``date``, ``percent``, ``zeros`` (fills up), ``words`` (puts text before or after it), ``yuan`` (puts 元
        after whatever it is), ``altered`` (shows other digits than are stored), ``hidden`` (shows nothing), or empty.
    width : int
        Digits it is filled up to.
    before, after : str
        Text it puts around the number.
    is_struck : bool
        Its font strikes the cell through.
    """

    kind: str = ""
    width: int = 0
    before: str = ""
    after: str = ""
    is_struck: bool = False


def unescape(text: str) -> str:
    """Resolve ``_x000D_``, the way a workbook writes characters that XML cannot hold."""
    return _ESCAPE.sub(lambda m: _character(int(m[1], 16)), text) if "_x" in text else text


def _character(code: int) -> str:
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)  # half a pair is no character


def find_style(number: int, code: str) -> Style:
    """Say what a number format does: its number decides unless the file gives it a code."""
    if not code:
        if number in DATE_FORMATS:
            return Style(kind="date")
        return Style(kind="percent") if number in PERCENT_FORMATS else Style()
    if not code.strip("; "):
        return Style(kind="hidden") if ";" in code else Style()
    sections = [match[0] for match in _SECTION.finditer(code) if match[0]]
    first = sections[0] if sections else ""
    plain = _PLAIN.sub("", first).strip()
    if re.fullmatch("0{2,}", plain) and plain == first.strip():
        return Style(kind="zeros", width=len(plain))
    if plain.endswith("%"):
        return Style(kind="percent")
    if re.search("[ymdhs]|aaa|[上下]午", plain, re.IGNORECASE):
        return Style(kind="date")
    styles = [_dressed(section) for section in sections[:3]]
    # which section holds depends on the number; where it matters, none is taken for granted
    is_split = any("[" in section and re.search(r"\[[<>=]", section) for section in sections)
    return Style(kind="altered") if is_split and any(style.kind for style in styles) else styles[0]


def _dressed(section: str) -> Style:
    """Say what one section of a number format that is no date adds to the digits."""
    before, inside, after, digits, is_general = "", "", "", "", False
    for match in _TOKEN.finditer(re.sub("E[+-]", "", section)):
        if match["digits"] or match["general"]:
            inside, after, digits = inside + after, "", digits + (match["digits"] or "#")
            is_general |= match["general"] is not None
            continue
        word = (
            match["quoted"]
            or match["escaped"]
            or match["currency"]
            or (match["other"] if match["other"] in _SAYING else "")
            or ""
        )
        if not digits or word.strip("-"):
            # the dash of "S-" is part of a number's name; that of a negative number is not
            silent = _SILENT - {"-"} if word.strip("".join(_SILENT)) else _SILENT
            word = "".join(char for char in word if char not in silent)
        before, after = (before, after + word) if digits else (before + word, after)
    if digits.endswith(",") or inside:
        return Style(kind="altered")
    if not digits or not (before.strip() or after.strip()):
        # "@" is of texts: whether a number below it is shown with the words differs from program to program
        return Style(kind="altered") if _SCALE.search(before) and "@" in section else Style()
    if is_general and after.strip() == "元" and not before.strip():
        return Style(kind="yuan")
    width = len(digits) if set(digits) == {"0"} else 0
    return Style(kind="words", width=width, before=before.strip(), after=after.strip())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cells:
    """Turns a cell as stored into text."""

    strings: list[str]
    styles: list[Style]
    is_1904: bool

    def text(self, kind: str, raw: str, style: int) -> tuple[str, str, bool]:
        """Return text, code of what is wrong or remarkable, and whether that is fatal."""
        shown, code, is_fatal = self._text(kind, raw, style)
        if code in ("", "number") and style < len(self.styles) and self.styles[style].kind == "hidden":
            return shown, "hidden_by_format", False
        return shown, code, is_fatal

    def _text(self, kind: str, raw: str, style: int) -> tuple[str, str, bool]:
        if kind == "s":
            # a negative number would count from the end
            index = int(raw) if raw.isascii() and raw.isdigit() else len(self.strings)
            return (self.strings[index], "", False) if index < len(self.strings) else (raw, "broken_cell", True)
        if kind in ("str", "inlineStr"):
            return unescape(raw) if kind == "str" else raw, "", False
        if kind == "e":
            return raw, "error_cell", True
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(raw, raw), "", False
        if kind == "d":
            return _MIDNIGHT.sub("", raw), "", False
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
        if style.kind == "altered":
            return raw, "altered_by_format", True
        if style.kind == "words":
            shown = str(int(abs(value))).zfill(style.width) if value.is_integer() else repr(abs(value))
            return f"{'-' if value < 0 else ''}{style.before}{shown}{style.after}", "words_by_format", False
        if style.kind == "yuan":
            return (str(int(value)) if value.is_integer() else repr(value)), "yuan_by_format", False
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

    >>> serial_date(44783.0), serial_date(60.0), serial_date(0.5), serial_date(44783.999999)
    ('2022-08-10', '', '', '2022-08-10T23:59:59')
    """
    if not (0 if is_1904 else 1) <= value < MAX_SERIAL:
        return ""
    day = int(value)
    if day == 60 and not is_1904:  # 29 February 1900, which only the 1900 system knows
        return ""
    epoch = datetime.datetime(1904, 1, 1) if is_1904 else datetime.datetime(1899, 12, 31 if day < 60 else 30)
    # a fraction of a second is dropped, never rounded into the next day; a thousandth is what a double cannot tell
    seconds = min(int(round((value - day) * 86400, 3)), 86399)
    text = (epoch + datetime.timedelta(days=day, seconds=seconds)).isoformat()
    return text.removesuffix("T00:00:00")
