"""Dates and quarters as people write them; what could mean two days is not read at all."""

from __future__ import annotations

import datetime
import re

from qbase.intake.cells import serial_date

DATE_FORMS = ("glued", "month", "serial_1900", "serial_1904", "short_year")

_FULL = (
    re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII),
    re.compile(r"(\d{4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?日", re.ASCII),
)
_SHORT = re.compile(r"(\d{2}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?日", re.ASCII)
_MONTHS = (
    re.compile(r"(\d{4})[-/.](\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})(0[1-9]|1[0-2])", re.ASCII),
    re.compile(r"(\d{4}) ?年 ?(\d{1,2}) ?月份?", re.ASCII),
)
_SHORT_MONTH = re.compile(r"(\d{2}) ?年 ?(\d{1,2}) ?月份?", re.ASCII)
_SERIAL = re.compile(r"\d{1,7}(?:\.0+)?", re.ASCII)
_GLUED = (
    re.compile(r"(?P<y>\d{2}|\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})(?P<rest>日.+)", re.ASCII),
    re.compile(r"(?P<y>\d{2}|\d{4})年(?P<m>\d{1,2})月(?P<d>\d)(?P<rest>[^日].*)", re.ASCII),
    re.compile(r"(?P<y>\d{2}|\d{4})年(?P<m>\d{1,2})月(?P<d>\d{2})(?P<rest>[^日].*)", re.ASCII),
    re.compile(r"(?P<y>\d{4})(?P<s>[-./])(?P<m>\d{1,2})(?P=s)(?P<d>\d)(?P<rest>.+)", re.ASCII),
    re.compile(r"(?P<y>\d{4})(?P<s>[-./])(?P<m>\d{1,2})(?P=s)(?P<d>\d{2})(?P<rest>.+)", re.ASCII),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?P<rest>.+)", re.ASCII),
)
_WORDS = {"一": 1, "二": 2, "三": 3, "四": 4, "1": 1, "2": 2, "3": 3, "4": 4}
_QUARTER = re.compile(r"(\d{4}) ?年? ?[-/]? ?[Qq]([1-4])", re.ASCII)
_QUARTER_ZH = re.compile(r"(?:(\d{4}) ?年?度? ?)?第?([一二三四1-4]) ?季度?", re.ASCII)
_SPAN = re.compile(r"(?:(\d{4}) ?年 ?)?(?:0?1|一) ?月?份? ?[-—–－~～至到] ?(\d{1,2}) ?月份?(?:累计)?", re.ASCII)


def read_day(text: str, forms: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Read a date.

    Parameters
    ----------
    text : str
        Narrow and trimmed.
    forms : frozenset of str
        What a recipe allows beside full dates, some of `DATE_FORMS`.

    Returns
    -------
    tuple of str
        ISO date and a remark (``month_only``, ``serial``, ``short_year``, ``glued``); both empty when it is no date,
        no day that exists, or could be two different days.

    Examples
    --------
    >>> read_day("2022年8月10日"), read_day("2022.8"), read_day("2022.8", frozenset({"month"}))
    (('2022-08-10', ''), ('', ''), ('2022-08-01', 'month_only'))
    >>> read_day("2017.10.174015171017", frozenset({"glued"})), read_day("2018年01月21801010", frozenset({"glued"}))
    (('2017-10-17', 'glued'), ('', ''))
    """
    text = text.removesuffix(" 00:00:00").removesuffix("T00:00:00")
    for pattern in _FULL:
        match = pattern.fullmatch(text)
        if match:
            return _iso(*match.groups()), ""
    if "short_year" in forms and (match := _SHORT.fullmatch(text)):
        return _with(_iso("20" + match[1], match[2], match[3]), "short_year")
    if "month" in forms:
        found = _read_month(text, forms)
        if found:
            return found, "month_only"
    for form, is_1904 in (("serial_1900", False), ("serial_1904", True)):
        if form in forms and _SERIAL.fullmatch(text):
            return _with(serial_date(float(text), is_1904=is_1904), "serial")
    return _with(_read_glued(text, forms), "glued") if "glued" in forms else ("", "")


def _read_month(text: str, forms: frozenset[str]) -> str:
    for pattern in _MONTHS:
        match = pattern.fullmatch(text)
        if match:
            return _iso(match[1], match[2], "1")
    match = _SHORT_MONTH.fullmatch(text) if "short_year" in forms else None
    return _iso("20" + match[1], match[2], "1") if match else ""


def _read_glued(text: str, forms: frozenset[str]) -> str:
    """Return the day with which the text begins, when what follows proves where the day ends.

    A sign that is no digit does, and so does a batch number that repeats the day. 2018年01月21801010 may be the 21st,
    the 2nd, or no day at all: it is not read.
    """
    proved = set()
    for pattern in _GLUED:
        match = pattern.fullmatch(text)
        if match is None or (len(match["y"]) == 2 and "short_year" not in forms):
            continue
        day = _iso(match["y"] if len(match["y"]) == 4 else f"20{match['y']}", match["m"], match["d"])
        rest = match["rest"]
        if day and (not rest[0].isdigit() or day.replace("-", "")[2:] in rest):
            proved.add(day)
    return proved.pop() if len(proved) == 1 else ""


def _iso(year: str, month: str, day: str) -> str:
    try:
        return datetime.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return ""


def _with(day: str, remark: str) -> tuple[str, str]:
    return (day, remark) if day else ("", "")


def read_quarter_text(text: str, year: str = "") -> tuple[str, str]:
    """Read a quarter.

    Parameters
    ----------
    text : str
        Narrow and trimmed.
    year : str
        Year that holds where the text names none; empty when there is none.

    Returns
    -------
    tuple of str
        ``2022Q3`` and a remark; empty when it is no quarter.

    Examples
    --------
    >>> read_quarter_text("2022年第三季度"), read_quarter_text("三季度"), read_quarter_text("三季度", "2022")
    (('2022Q3', ''), ('', ''), ('2022Q3', 'year_from_name'))
    """
    match = _QUARTER.fullmatch(text)
    if match:
        return f"{match[1]}Q{match[2]}", ""
    match = _QUARTER_ZH.fullmatch(text)
    if match is None or not (match[1] or year):
        return "", ""
    return f"{match[1] or year}Q{_WORDS[match[2]]}", "" if match[1] else "year_from_name"


def read_span(text: str, year: str = "") -> str:
    """Return the quarter with which a span counted from January ends; empty when it ends within a quarter.

    Examples
    --------
    >>> read_span("2022年1—9月"), read_span("1-8月累计", "2022"), read_span("2022年8月")
    ('2022Q3', '', '')
    """
    match = _SPAN.fullmatch(text)
    if match is None or not (match[1] or year):
        return ""
    month = int(match[2])
    return f"{match[1] or year}Q{month // 3}" if month in (3, 6, 9, 12) else ""


def is_span(text: str) -> bool:
    """Say whether a text names months counted from January on: ``1—8月累计``."""
    return _SPAN.fullmatch(text) is not None
