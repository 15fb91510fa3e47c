"""Periods: quarters, half-years and years, read and written the same way everywhere."""

from __future__ import annotations

import datetime
import re
import unicodedata
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core.errors import UsageError
from qbase.core.text import Text

Freq = Literal["Q", "H", "A"]

CODES: dict[Freq, str] = {"Q": "Q-DEC", "H": "2Q-DEC", "A": "Y-DEC"}
"""pandas has no half-year: it is a period of two quarters that goes by the first, and its ordinals step by two."""
PER_YEAR: dict[Freq, int] = {"Q": 4, "H": 2, "A": 1}
EXAMPLES: dict[Freq, str] = {"Q": "2022Q3", "H": "2022H2", "A": "2022"}

_FREQS = {name: freq for freq, name in CODES.items()}
_CHINESE = {"一": 1, "二": 2, "三": 3, "四": 4}
_QUARTER = re.compile(r"(?P<year>\d{4})-?年?(?:[Qq](?P<q>[1-4])|(?<=年)第?(?P<zh>[1-4一二三四])季度?)")
_HALF = re.compile(r"(?P<year>\d{4})-?年?(?:[Hh](?P<h>[12])|(?P<zh>[上下])半年)")
_YEAR = re.compile(r"(?P<year>\d{4})(?:年度?)?")
_LOOSE = re.compile(r"\s+(?=\D)|(?<=\D)\s+")


def parse_period(text: object, freq: Freq = "Q") -> pd.Period:
    """Read ``2022Q3`` (``2022年第三季度``), ``2022H2`` (``2022年下半年``) or ``2022``; a period of it is itself.

    Raises
    ------
    UsageError
        It is not a period of this frequency (QB101).
    """
    period = read_period(text)
    if period is None or period.freqstr != CODES[freq]:
        raise _no_period(text, EXAMPLES[freq])
    return period


def parse_any(text: object) -> pd.Period:
    """Read a period of whatever frequency is meant, such as what `code` wrote.

    Raises
    ------
    UsageError
        It is none (QB101).
    """
    period = read_period(text)
    if period is None:
        raise _no_period(text, " | ".join(EXAMPLES.values()))
    return period


def _no_period(text: object, example: str) -> UsageError:
    return UsageError(
        "QB101", text=text, found=repr(text), expected=f"a period such as {example}", fix=f"write {example}"
    )


def read_period(given: object) -> pd.Period | None:
    """Return the quarter, half-year or year that is clearly meant, else None: a day or a month is none of them."""
    if isinstance(given, pd.Period):
        is_whole = given.freqstr in _FREQS and given.ordinal % given.freq.n == 0
        return given if is_whole else None
    if isinstance(given, bool):
        return None
    if not isinstance(given, str):
        # a year often comes as a number, one of numpy's or 2021.0 from a frame with gaps
        whole = hasattr(given, "__index__") or (isinstance(given, float) and given.is_integer())
        given = str(int(given)) if whole else ""  # type: ignore[call-overload]
    text = _LOOSE.sub("", unicodedata.normalize("NFKC", given).strip())
    if match := _QUARTER.fullmatch(text):
        quarter = int(match["q"]) if match["q"] else _CHINESE.get(match["zh"]) or int(match["zh"])
        return pd.Period(year=int(match["year"]), quarter=quarter, freq=CODES["Q"])
    if match := _HALF.fullmatch(text):
        is_first = match["h"] == "1" or match["zh"] == "上"
        return pd.Period(year=int(match["year"]), quarter=1 if is_first else 3, freq=CODES["H"])
    if match := _YEAR.fullmatch(text):
        return pd.Period(year=int(match["year"]), freq=CODES["A"])
    return None


def to_periods(values: pd.Series | pd.Index, freq: Freq) -> pd.PeriodIndex:
    """Turn dates or periods into a `PeriodIndex` of the house's frequency."""
    if freq != "H":
        return pd.PeriodIndex(pd.Index(values), freq=CODES[freq])
    quarters = pd.PeriodIndex(pd.Index(values), freq=CODES["Q"])
    places = quarters.asi8
    halves: pd.PeriodIndex = pd.PeriodIndex.from_ordinals(  # type: ignore[attr-defined]
        places - places % 2, freq=CODES["H"], name=quarters.name
    )
    return halves


def period_at(moment: str | datetime.date, freq: Freq) -> pd.Period:
    """Return the period that holds a day."""
    found = pd.Period(moment, freq=CODES["A" if freq == "A" else "Q"])
    return from_ordinal(found.ordinal // 2, freq) if freq == "H" else found


def convert(period: pd.Period, freq: Freq) -> pd.Period:
    """Return the period of another frequency that holds the first day of this one."""
    return period if period.freqstr == CODES[freq] else period_at(period.start_time, freq)


def freq_of(periods: pd.Period | pd.PeriodIndex) -> Freq:
    """Return the house's word for a frequency of pandas."""
    return _FREQS[periods.freqstr]


def ordinal(period: pd.Period) -> int:
    """Return the place of a period among all of its frequency: the next one has the next number."""
    return int(period.ordinal // period.freq.n)


def ordinals(periods: pd.PeriodIndex) -> NDArray[np.int64]:
    """Return the places of periods, as `ordinal` does."""
    places: NDArray[np.int64] = periods.asi8 // (2 if freq_of(periods) == "H" else 1)
    return places


def from_ordinal(place: int, freq: Freq) -> pd.Period:
    """Return the period at a place (`ordinal`)."""
    name = CODES[freq]
    return pd.Period(ordinal=int(place) * (2 if freq == "H" else 1), freq=name)


def code(period: pd.Period) -> str:
    """Return the code used in files, keys and axes: ``2022Q3``, ``2022H2`` or ``2022``."""
    part = {"Q": f"Q{period.quarter}", "H": f"H{(period.quarter + 1) // 2}", "A": ""}[freq_of(period)]
    return f"{period.year}{part}"


def label(period: pd.Period, *, is_half: bool = False) -> Text:
    """Return the period as prose: 2022 年第 3 季度 / 2022 Q3; with ``is_half`` the half-year a quarter lies in."""
    year, freq = period.year, "H" if is_half else freq_of(period)
    if freq == "H":
        zh, en = ("上", "first") if period.quarter < 3 else ("下", "second")
        return Text(f"{year} 年{zh}半年", f"the {en} half of {year}")
    if freq == "Q":
        return Text(f"{year} 年第 {period.quarter} 季度", f"{year} Q{period.quarter}")
    return Text(f"{year} 年", f"{year}")


def event_time(period: pd.Period, start: pd.Period) -> int:
    """Return periods since the start: 0 in the period of adoption."""
    return ordinal(period) - ordinal(start)
