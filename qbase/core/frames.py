"""A researcher's own frame, read before it becomes a panel: nothing is guessed, nothing converted in silence."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from qbase.core.errors import PanelError
from qbase.core.periods import Freq, to_periods
from qbase.core.values import Indicator

ROUNDED_PP = 0.51
"""A rate may be rounded to whole percent and still agree with its counts."""

_TEXT = {
    "Q": re.compile(r"(?P<year>\d{4})[ -]?[Qq](?P<quarter>[1-4])|\d{4}-\d{1,2}-\d{1,2}"),
    "A": re.compile(r"(?P<year>\d{4})|\d{4}-\d{1,2}-\d{1,2}"),
}
_EXPECTED = {"Q": "2022Q3, a date, or quarters of the calendar year", "A": "2022, a date, or calendar years"}
_CODES = {"Q": "Q-DEC", "A": "Y-DEC"}


def check_call(
    frame: pd.DataFrame, *, entity: str, period: str, freq: str, indicators: Mapping[str, Indicator]
) -> None:
    """Refuse a call that names columns or definitions in a way that cannot be meant.

    Raises
    ------
    PanelError
        The definitions are none (QB137), the frequency is neither Q nor A (QB102), a column is missing (QB120), or
        one column is named, or stands in the frame, twice (QB136).
    """
    if not isinstance(indicators, Mapping) or not indicators:
        raise PanelError(
            "QB137",
            found=f"indicators={indicators!r}"[:120],
            expected='{"D1.batch": Indicator(…)}',
            fix='indicators={"D1.batch": qbase.indicators.find_indicator("D1.batch").indicator}',
        )
    if freq not in _CODES:
        raise PanelError("QB102", found=f"freq={freq!r}", expected="Q | A", fix='freq="Q"')
    wanted = [entity, period, *indicators]
    if not isinstance(frame, pd.DataFrame):
        raise PanelError(
            "QB120",
            columns=", ".join(wanted),
            found=type(frame).__name__,
            expected="pandas.DataFrame",
            fix="pandas.DataFrame(…)",
        )
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise PanelError(
            "QB120",
            columns=", ".join(missing),
            found=", ".join(map(str, frame.columns)),
            expected=", ".join(wanted),
            fix="rename the columns of the frame before Panel.from_frame; reset_index() where they are its index",
        )
    doubled = [*frame.columns[frame.columns.duplicated()], *(n for n in wanted if wanted.count(n) > 1)]
    if doubled:
        raise PanelError(
            "QB136",
            column=doubled[0],
            found=", ".join(map(str, frame.columns)) if doubled[0] not in wanted[:2] else ", ".join(wanted),
            expected="each name once",
            fix="drop or rename one of them",
        )


def read_entities(values: pd.Series) -> pd.Series:
    """Return entities as text without surrounding blanks.

    Raises
    ------
    PanelError
        A row has none (QB121).
    """
    text = values.astype(object).map(lambda v: "" if pd.isna(v) else str(v).strip())
    _refuse_unplaced(int((text == "").sum()), "entity")
    return text.astype(str)


def read_periods(values: pd.Series, freq: Freq) -> pd.PeriodIndex:
    """Return periods of one frequency.

    Parameters
    ----------
    values : pandas.Series
        Dates, periods of the calendar year, or their codes; for years whole numbers too.
    freq : {"Q", "A"}
        What they must be: a year is not its first quarter, and a quarter or a month is not its year.

    Raises
    ------
    PanelError
        A row has none (QB121), or one that is no period of this frequency (QB102).
    """
    _refuse_unplaced(int(values.isna().sum()), "period")
    if isinstance(values.dtype, pd.PeriodDtype):
        if values.dtype != pd.PeriodDtype(_CODES[freq]):
            raise _unreadable(values.iloc[0], str(values.dtype), freq)
        return to_periods(values, freq)
    if pd.api.types.is_datetime64_any_dtype(values):
        return to_periods(values, freq)
    return pd.PeriodIndex([_one_period(v, freq) for v in values], dtype=f"period[{_CODES[freq]}]")


def _one_period(value: object, freq: Freq) -> pd.Period:
    if isinstance(value, pd.Period) and value.freqstr == _CODES[freq]:
        return value
    if isinstance(value, datetime.date):
        return pd.Period(pd.Timestamp(value), freq=_CODES[freq])
    if isinstance(value, int | float | np.number) and not isinstance(value, bool) and value == int(value):
        value = str(int(value))
    text = str(value).strip() if isinstance(value, str) else ""
    match = _TEXT[freq].fullmatch(text)
    try:
        if match and match["year"] and freq == "Q":
            return pd.Period(year=int(match["year"]), quarter=int(match["quarter"]), freq=_CODES[freq])
        if match:
            return pd.Period(pd.Timestamp(text), freq=_CODES[freq])
    except ValueError:
        pass
    raise _unreadable(value, repr(value), freq)


def read_numbers(data: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of values and companions as numbers.

    Raises
    ------
    PanelError
        A column holds text, or yes and no (QB129).
    """
    numbers = {}
    for name in data.columns:
        column = data[name]
        is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        if not is_number or pd.api.types.is_complex_dtype(column):
            raise _no_number(name, f"{column.iloc[0]!r}" if len(column) else str(column.dtype))
        numbers[name] = column if isinstance(column.dtype, np.dtype) else column.astype(float)
    return pd.DataFrame(numbers, index=data.index)


def check_rates(data: pd.DataFrame, indicators: Mapping[str, Indicator], *, is_naive: bool) -> None:
    """Refuse rates that contradict their own counts or intervals, and shares where percent is meant.

    Raises
    ------
    PanelError
        A rate is not k of n (QB133), lies outside its interval (QB135), or reads like a share (QB134).
    """
    for i, indicator in indicators.items():
        value = data[i].to_numpy(dtype=float)
        names = set(data.columns)
        if indicator.unit == "pct" and f"{i}__n" in names and f"{i}__k" in names:
            if is_naive and f"{i}__n_eff" not in names:
                _check_counted(data, i, value)
        elif indicator.unit == "pct" and indicator.better == "up":
            _check_percent(data, i, value)
        if {f"{i}__lo", f"{i}__hi"} <= names:
            low, high = (data[f"{i}__{side}"].to_numpy(dtype=float) for side in ("lo", "hi"))
            outside = (low > value) | (value > high) | (low > high)
            if outside.any():
                raise PanelError(
                    "QB135",
                    outcome=i,
                    found=_first(data, outside),
                    expected="lo <= value <= hi",
                    fix=f"check {i}, {i}__lo and {i}__hi",
                )


def _check_counted(data: pd.DataFrame, i: str, value: np.ndarray) -> None:
    n, k = (data[f"{i}__{c}"].to_numpy(dtype=float) for c in ("n", "k"))
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = 100 * k / n
    # counts that cannot be are refused by the panel itself; a rate of nothing is no rate
    wrong = (k >= 0) & (k <= n) & np.where(n > 0, ~(np.abs(rate - value) <= ROUNDED_PP), ~np.isnan(value))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise PanelError(
            "QB133",
            outcome=i,
            found=f"{_first(data, wrong)}: {value[at]:g}, k {k[at]:g} of n {n[at]:g}",
            expected="100 x k / n, in percent",
            fix=f"check {i}, {i}__n and {i}__k against the source",
        )


def _check_percent(data: pd.DataFrame, i: str, value: np.ndarray) -> None:
    known = value[~np.isnan(value)]
    # percent values of a good thing that all lie between 0 and 1, most of them above 0.5, are shares
    if len(known) and known.min() >= 0 and known.max() <= 1 and np.median(known) > 0.5:
        raise PanelError(
            "QB134",
            outcome=i,
            found=f"{_first(data, ~np.isnan(value))}: {known[0]:g}",
            expected="percent: 97.5, not 0.975",
            fix=f'frame["{i}"] *= 100, or add {i}__n and {i}__k',
        )


def _first(data: pd.DataFrame, wrong: np.ndarray) -> str:
    entity, period = data.index[int(np.argmax(wrong))]
    return f"{int(wrong.sum())} of {len(data)} rows, first {entity} {period}"


def _refuse_unplaced(rows: int, what: str) -> None:
    if rows:
        raise PanelError(
            "QB121",
            found=f"{rows} rows without {what}",
            expected="every row with both",
            fix="drop or complete these rows; they cannot be placed",
        )


def _unreadable(value: object, found: str, freq: Freq) -> PanelError:
    example = "2022Q3" if freq == "Q" else "2022"
    return PanelError(
        "QB102", value=str(value), found=found, expected=_EXPECTED[freq], fix=f"write {example}, or choose another freq"
    )


def _no_number(name: str, found: str) -> PanelError:
    return PanelError(
        "QB129", column=name, found=found, expected="numbers", fix=f'frame["{name}"] = pandas.to_numeric(…)'
    )
