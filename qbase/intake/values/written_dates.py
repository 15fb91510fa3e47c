"""Dates and quarters as people write them; what could mean two days is not read at all."""

from __future__ import annotations

import datetime
import re

from qbase.intake.values.cell_text import serial_date

DATE_FORMS = ("day_first", "glued", "month", "month_first", "serial_1900", "serial_1904", "short_year")

_FULL = (
    re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})\. ?(\d{1,2})\. ?(\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII),
    re.compile(r"(\d{4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?[日号]", re.ASCII),
)
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_NAMED = (
    re.compile(r"(?P<d>\d{1,2})[ -](?P<m>[a-z]{3,9})\.?,?[ -](?P<y>\d{4})", re.ASCII | re.IGNORECASE),
    re.compile(r"(?P<m>[a-z]{3,9})\.? (?P<d>\d{1,2}),? (?P<y>\d{4})", re.ASCII | re.IGNORECASE),
)
_NUMBERED = {
    "month_first": re.compile(r"(?P<m>\d{1,2})[/-](?P<d>\d{1,2})[/-](?P<y>\d{4})", re.ASCII),
    "day_first": re.compile(r"(?P<d>\d{1,2})[/.-](?P<m>\d{1,2})[/.-](?P<y>\d{4})", re.ASCII),
}
_CLOCK = re.compile(r"(?:T| +)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?: ?([AP]M))?", re.ASCII)
_WEEKDAY = re.compile(r" ?\(?(?:星期|周)[一二三四五六日天]\)?")
_HAN_DIGITS = str.maketrans("〇零○Ｏ一二三四五六七八九", "0000123456789")
_HAN_DAY = re.compile(
    r"([〇零○OＯ一二三四五六七八九]{4})年([一二三四五六七八九十]{1,2})月(?:([一二三四五六七八九十]{1,3})([日号]))?"
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
_WORDS |= {"Ⅰ": 1, "Ⅱ": 2, "Ⅲ": 3, "Ⅳ": 4, "I": 1, "II": 2, "III": 3, "IV": 4}
_QUARTER = re.compile(r"(\d{4}) ?年? ?[-/]? ?[Qq]([1-4])", re.ASCII)
_QUARTER_FIRST = re.compile(r"(?:[Qq]([1-4])|([1-4])[Qq])[ -/]?(\d{4})", re.ASCII)
_QUARTER_ZH = re.compile(r"(?:(\d{4}) ?年?度? ?)?第?([一二三四1-4ⅠⅡⅢⅣ]|I{1,3}|IV) ?季度?", re.ASCII)
_QUARTER_MONTHS = re.compile(r"(\d{4}) ?年 ?(\d{1,2}) ?月?份? ?[-—–－~～至到] ?(\d{1,2}) ?月份?", re.ASCII)
_SPAN = re.compile(r"(?:(\d{4}) ?年 ?)?(?:0?1|一) ?月?份? ?[-—–－~～至到] ?(\d{1,2}) ?月份?(?:累计)?", re.ASCII)
_SPAN_WORDS = re.compile(
    r"(?:(\d{4}) ?年?度? ?)?(?:(?P<half>上半年)|前(?P<many>[二三四两2-4])个?季度?|"
    r"(?:1|一) ?[-—–－~～至到] ?(?P<to>[二三四2-4]) ?季度?|"
    r"(?P<all>全年))(?:累计)?",
    re.ASCII,
)


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
        ISO date and a remark (``month_only``, ``serial``, ``short_year``, ``glued``, ``time_dropped``); both empty
        when it is no date, no day that exists, or could be two different days.

    Examples
    --------
    >>> read_day("2022年8月10日"), read_day("2022.8"), read_day("2022.8", frozenset({"month"}))
    (('2022-08-10', ''), ('', ''), ('2022-08-01', 'month_only'))
    >>> read_day("2017.10.174015171017", frozenset({"glued"})), read_day("2018年01月21801010", frozenset({"glued"}))
    (('2017-10-17', 'glued'), ('', ''))
    """
    text, remark = _without_clock(_in_digits(text))
    for pattern in _FULL:
        match = pattern.fullmatch(text)
        if match:
            return _with(_iso(*match.groups()), remark)
    found = _read_named(text) or _read_numbered(text, forms)
    if found:
        return found, remark
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


def _in_digits(text: str) -> str:
    """Return 二〇二二年八月十日 in digits; any other text as it is."""
    match = _HAN_DAY.fullmatch(text)
    if match is None:
        return text
    year = match[1].replace("O", "0").translate(_HAN_DIGITS)
    day = f"{_count(match[3])}{match[4]}" if match[3] else ""
    return f"{year}年{_count(match[2])}月{day}"


def _count(words: str) -> int:
    """Return a number below a hundred: 二十三 is 23; 0 where the words are none."""
    tens, ten, ones = words.rpartition("十")
    digits = {word: i for i, word in enumerate("一二三四五六七八九", 1)}
    if not ten:
        return digits.get(words, 0)
    return 10 * (digits.get(tens, 0) if tens else 1) + (digits.get(ones, 0) if ones else 0)


def _without_clock(text: str) -> tuple[str, str]:
    """Return a text without weekday and time of day, and ``time_dropped`` where the time was not midnight."""
    text = _WEEKDAY.sub("", text)
    match = _CLOCK.search(text)
    if match is None or match.end() != len(text) or not match.start() or int(match[1]) > 23:
        return text, ""
    is_midnight = (
        not any(int(part or 0) for part in match.groups()[:3]) or text[match.start() :].strip() == "12:00:00 AM"
    )
    return text[: match.start()], "" if is_midnight else "time_dropped"


def _read_named(text: str) -> str:
    """Return a day whose month is a word: 1 August 2022."""
    for pattern in _NAMED:
        match = pattern.fullmatch(text)
        if match:
            word = match["m"].lower()
            months = [i for i, name in enumerate(_MONTH_NAMES, 1) if name.startswith(word) or word == name[:3] + "t"]
            return _iso(match["y"], str(months[0]), match["d"]) if months else ""
    return ""


def _read_numbered(text: str, forms: frozenset[str]) -> str:
    """Return a day written with the year last, in the order the recipe says; none where it says both or neither."""
    said = [form for form in _NUMBERED if form in forms]
    match = _NUMBERED[said[0]].fullmatch(text) if len(said) == 1 else None
    return _iso(match["y"], match["m"], match["d"]) if match else ""


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
    han = re.match("[〇零○OＯ一二三四五六七八九]{4}(?=年)", text)
    text = han[0].replace("O", "0").translate(_HAN_DIGITS) + text[4:] if han else text
    match = _QUARTER.fullmatch(text)
    if match:
        return f"{match[1]}Q{match[2]}", ""
    match = _QUARTER_FIRST.fullmatch(text)
    if match:
        return f"{match[3]}Q{match[1] or match[2]}", ""
    match = _QUARTER_MONTHS.fullmatch(text)
    if match and int(match[2]) in (4, 7, 10) and int(match[3]) == int(match[2]) + 2:
        return f"{match[1]}Q{int(match[3]) // 3}", ""
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
    words = _SPAN_WORDS.fullmatch(text)
    if words is not None:
        last = words["many"] or words["to"] or ("2" if words["half"] else "4")
        named = words[1] or year
        return f"{named}Q{2 if last == '两' else _WORDS[last]}" if named else ""
    match = _SPAN.fullmatch(text)
    if match is None or not (match[1] or year):
        return ""
    month = int(match[2])
    return f"{match[1] or year}Q{month // 3}" if month in (3, 6, 9, 12) else ""


def is_own_quarter(text: str) -> bool:
    """Say whether a text names the three months of a quarter alone: ``7—9月`` is no count from January on."""
    return _QUARTER_MONTHS.fullmatch(text) is not None and not is_span(text)


def is_span(text: str) -> bool:
    """Say whether a text names months counted from January on: ``1—8月累计``."""
    return _SPAN.fullmatch(text) is not None or _SPAN_WORDS.fullmatch(text) is not None
