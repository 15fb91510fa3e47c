"""Periods: quarters and years, read and written the same way everywhere."""

from __future__ import annotations

import re
from typing import Literal

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.text import Text

Freq = Literal["Q", "A"]

_PANDAS = {"Q": "Q-DEC", "A": "Y-DEC"}
_QUARTER = re.compile(r"^(\d{4})\s?[Qq]([1-4])$")
_YEAR = re.compile(r"^(\d{4})$")


def parse_period(text: str, freq: Freq = "Q") -> pd.Period:
    """Read ``2022Q3`` (or ``2022 Q3``) or ``2022``.

    Raises
    ------
    UsageError
        The text is not a period of this frequency (QB101).
    """
    pattern = _QUARTER if freq == "Q" else _YEAR
    match = pattern.match(str(text).strip())
    if match is None:
        example = "2022Q3" if freq == "Q" else "2022"
        raise UsageError(
            "QB101", text=text, found=repr(text), expected=f"a period such as {example}", fix=f"write {example}"
        )
    if freq == "A":
        return pd.Period(year=int(match[1]), freq=_PANDAS["A"])
    return pd.Period(year=int(match[1]), quarter=int(match[2]), freq=_PANDAS["Q"])


def to_periods(values: pd.Series | pd.Index, freq: Freq) -> pd.PeriodIndex:
    """Turn dates or periods into a `PeriodIndex` of the house's frequency."""
    return pd.PeriodIndex(pd.Index(values), freq=_PANDAS[freq])


def code(period: pd.Period) -> str:
    """Return the code used in files, keys and axes: ``2022Q3`` or ``2022``."""
    return f"{period.year}Q{period.quarter}" if period.freqstr.startswith("Q") else str(period.year)


def label(period: pd.Period) -> Text:
    """Return the period as prose: 2022 年第 3 季度 / 2022 Q3."""
    if period.freqstr.startswith("Q"):
        return Text(f"{period.year} 年第 {period.quarter} 季度", f"{period.year} Q{period.quarter}")
    return Text(f"{period.year} 年", f"{period.year}")


def event_time(period: pd.Period, start: pd.Period) -> int:
    """Return periods since the start: 0 in the period of adoption."""
    return int(period.ordinal - start.ordinal)
