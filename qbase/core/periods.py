"""Periods: quarters and years, read and written the same way everywhere."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.text import Text

Freq = Literal["Q", "A"]

_PANDAS = {"Q": "Q-DEC", "A": "Y-DEC"}
_CHINESE = {"一": 1, "二": 2, "三": 3, "四": 4}
_QUARTER = re.compile(r"(?P<year>\d{4})-?年?(?:[Qq](?P<q>[1-4])|(?<=年)第?(?P<zh>[1-4一二三四])季度?)")
_YEAR = re.compile(r"(?P<year>\d{4})(?:年度?)?")
_LOOSE = re.compile(r"\s+(?=\D)|(?<=\D)\s+")


def parse_period(text: object, freq: Freq = "Q") -> pd.Period:
    """Read ``2022Q3`` (``2022 Q3``, ``2022年第三季度``) or ``2022`` (``2022年``); a period of this frequency is itself.

    Raises
    ------
    UsageError
        It is not a period of this frequency (QB101).
    """
    period = read_period(text)
    if period is None or period.freqstr != _PANDAS[freq]:
        example = "2022Q3" if freq == "Q" else "2022"
        raise UsageError(
            "QB101", text=text, found=repr(text), expected=f"a period such as {example}", fix=f"write {example}"
        )
    return period


def read_period(given: object) -> pd.Period | None:
    """Return the quarter or year that is clearly meant, else None: a day or a month is neither."""
    if isinstance(given, pd.Period):
        return given if given.freqstr in _PANDAS.values() else None
    if isinstance(given, bool):
        return None
    if not isinstance(given, str):
        # a year often comes as a number, one of numpy's or 2021.0 from a frame with gaps
        whole = hasattr(given, "__index__") or (isinstance(given, float) and given.is_integer())
        given = str(int(given)) if whole else ""  # type: ignore[call-overload]
    text = _LOOSE.sub("", unicodedata.normalize("NFKC", given).strip())
    if match := _QUARTER.fullmatch(text):
        quarter = int(match["q"]) if match["q"] else _CHINESE.get(match["zh"]) or int(match["zh"])
        return pd.Period(year=int(match["year"]), quarter=quarter, freq=_PANDAS["Q"])
    if match := _YEAR.fullmatch(text):
        return pd.Period(year=int(match["year"]), freq=_PANDAS["A"])
    return None


def to_periods(values: pd.Series | pd.Index, freq: Freq) -> pd.PeriodIndex:
    """Turn dates or periods into a `PeriodIndex` of the house's frequency."""
    return pd.PeriodIndex(pd.Index(values), freq=_PANDAS[freq])


def code(period: pd.Period) -> str:
    """Return the code used in files, keys and axes: ``2022Q3`` or ``2022``."""
    return f"{period.year}Q{period.quarter}" if period.freqstr.startswith("Q") else str(period.year)


HALVES = {2: Text("上半年", "first half"), 4: Text("下半年", "second half")}


def label(period: pd.Period, *, is_half: bool = False) -> Text:
    """Return the period as prose: 2022 年第 3 季度 / 2022 Q3; with ``is_half`` the half-year that ends in it."""
    if is_half:
        half = HALVES[period.quarter]
        return Text(f"{period.year} 年{half.zh}", f"the {half.en} of {period.year}")
    if period.freqstr.startswith("Q"):
        return Text(f"{period.year} 年第 {period.quarter} 季度", f"{period.year} Q{period.quarter}")
    return Text(f"{period.year} 年", f"{period.year}")


def event_time(period: pd.Period, start: pd.Period) -> int:
    """Return periods since the start: 0 in the period of adoption."""
    return int(period.ordinal - start.ordinal)
