"""A researcher's own frame, read before it becomes a panel: nothing is guessed, nothing converted in silence."""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from collections.abc import Mapping

import numpy as np
import pandas as pd

from qbase.core.errors import PanelError
from qbase.core.given import read_ids, settle_spellings, tell_wider
from qbase.core.numbers import SIGNED_UNITS, UNITS
from qbase.core.periods import CODES, EXAMPLES, Freq, code, period_at, read_period, to_periods
from qbase.core.text import Text
from qbase.core.values import Indicator

ROUNDED_PP = 0.51
"""A rate may be rounded to whole percent and still agree with its counts."""
NO_BOUNDS = (-math.inf, math.inf)
BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(set(UNITS) - SIGNED_UNITS, (0.0, math.inf)),
    "pct": (0.0, 100.0),
    "share": (0.0, 1.0),
    "flag": (0.0, 1.0),
    "rank": (1.0, math.inf),
    **dict.fromkeys(SIGNED_UNITS, NO_BOUNDS),
}
"""What a unit can hold, unless the indicator says otherwise."""
COUNTED = ("n", "n_firms", "n_eff")
MISSING_CODES = (-98.0, -99.0, *(s * (10.0**d - last) for d in range(3, 9) for s in (1, -1) for last in (1, 2)))
MANY_TIMES = 10
SCALE_BELOW = 30
"""So many times larger is the median of the others where a part is shares among percent."""

_DAY = re.compile(r"(\d{4})[-/年](\d{1,2})[-/月](\d{1,2})日?(?:[ T]00:00(?::00(?:\.0+)?)?)?")
_ZONED = re.compile(r"\d{4}-\d\d?-\d\d?[ T]\d\d:\d\d.*(?:Z|[+-]\d\d:?\d\d)")
_EXPECTED = {
    "Q": "2022Q3, a date, or quarters of the calendar year",
    "H": "2022H2, a date, or half-years of the calendar year",
    "A": "2022, a date, or calendar years",
}


def check_call(
    frame: pd.DataFrame, *, entity: str, period: str, freq: str, indicators: Mapping[str, Indicator]
) -> None:
    """Refuse a call that names columns or definitions in a way that cannot be meant.

    Raises
    ------
    PanelError
        The definitions are none (QB137), the frequency is none of Q, H and A (QB102), a column is missing (QB120), or
        one column is named, or stands in the frame, twice (QB136).
    """
    if not isinstance(indicators, Mapping) or not all(isinstance(i, Indicator) for i in indicators.values() or [0]):
        raise PanelError(
            "QB137",
            found=f"indicators={indicators!r}"[:120],
            expected='{"D1.batch": Indicator(…)}',
            fix='indicators={"D1.batch": qbase.indicators.find_indicator("D1.batch").indicator}',
        )
    if freq not in CODES:
        raise PanelError("QB102", found=f"freq={freq!r}", expected=" | ".join(CODES), fix='freq="Q"')
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


def read_index(
    frame: pd.DataFrame, entity: str, period: str, freq: Freq
) -> tuple[pd.MultiIndex, dict[str, str], tuple[Text, ...]]:
    """Return entity and period of every row, the spelling each id goes by, and what was settled on the way.

    Raises
    ------
    PanelError
        A row has no entity or period (QB121), an id cannot be told from others (QB139), a period is none of this
        frequency (QB102) or lies in another time zone (QB145).
    """
    ids = read_ids(frame[entity])
    _refuse_unplaced(int((ids == "").sum()), "entity")
    periods = read_periods(frame[period], freq)
    spelling, notes = settle_spellings(ids, periods)
    index = pd.MultiIndex.from_arrays([ids.map(spelling).astype(str), periods], names=["entity", "period"])
    return index, spelling, (*tell_wider(frame[entity]), *notes)


def read_periods(values: pd.Series, freq: Freq) -> pd.PeriodIndex:
    """Return periods of one frequency.

    Parameters
    ----------
    values : pandas.Series
        Dates, periods of the calendar year, or their codes; for years whole numbers too.
    freq : {"Q", "H", "A"}
        What they must be: a year is not its first quarter, and a quarter or a month is not its year.

    Raises
    ------
    PanelError
        A row has none (QB121), or one that is no period of this frequency (QB102).
    """
    _refuse_unplaced(int(values.isna().sum()), "period")
    if isinstance(values.dtype, pd.PeriodDtype):
        if values.dtype != pd.PeriodDtype(CODES[freq]) or any(read_period(p) is None for p in values.unique()):
            raise _unreadable(values.iloc[0], str(values.dtype), freq)
        return to_periods(values, freq)
    places, distinct = pd.factorize(values.astype(object))
    read = [_one_period(v, freq) for v in distinct]
    _refuse_shifted([v for v in distinct if isinstance(v, datetime.datetime)], freq)
    return pd.PeriodIndex(read, dtype=f"period[{CODES[freq]}]").take(places)


def _refuse_shifted(moments: list[datetime.datetime], freq: Freq) -> None:
    """Refuse midnights of another time zone: all at one time of day, the next day lying in another period."""
    clocks = {m.time() for m in moments}
    if len(clocks) != 1:
        return
    clock = next(iter(clocks))
    if clock == datetime.time() or clock.second or clock.microsecond or clock.minute % 15:
        return
    moved = [m for m in moments if period_at(m, freq) != period_at(m + datetime.timedelta(days=1), freq)]
    if moved:
        raise _zoned(f"{len(moved)} of {len(moments)} moments at {clock:%H:%M} on the last day of a period, {moved[0]}")


def _zoned(found: str) -> PanelError:
    return PanelError(
        "QB145",
        found=found,
        expected="days as the calendar of the place counts them, without a zone",
        fix='frame[…] = frame[…].dt.tz_convert("Asia/Shanghai").dt.tz_localize(None).dt.normalize()'
        '   (without a zone: dt.tz_localize("UTC") first)',
    )


def _one_period(value: object, freq: Freq) -> pd.Period:
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        raise _zoned(f"{value!s}, in the time zone {value.tzinfo}")
    if isinstance(value, datetime.date):
        return period_at(value, freq)
    period = read_period(value)
    if period is not None and period.freqstr == CODES[freq]:
        return period
    text = unicodedata.normalize("NFKC", value).strip() if isinstance(value, str) else ""
    if match := _DAY.fullmatch(text):
        try:
            return period_at(datetime.date(*(int(part) for part in match.groups())), freq)
        except ValueError:
            pass
    if _ZONED.fullmatch(text):
        raise _zoned(repr(value))
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


def check_values(
    data: pd.DataFrame, indicators: Mapping[str, Indicator], *, is_naive: bool, in_percent: bool | None
) -> pd.DataFrame:
    """Return the values, in percent where that is their unit, or refuse what their unit cannot hold.

    Parameters
    ----------
    data : pandas.DataFrame
        Numbers, by entity and period.
    indicators : mapping
        Their definitions.
    is_naive : bool
        Whether a rate is plainly k of n.
    in_percent : bool or None
        True: what the unit calls percent is percent, also where it is small; False: it is shares, to be multiplied
        by 100; None: shares are refused.

    Raises
    ------
    PanelError
        A rate is not k of n (QB133), lies outside its interval (QB135), reads like a share (QB134), or a value is
        one that the unit cannot hold (QB138).
    """
    if in_percent is False:
        data = _percent_of_shares(data, indicators)
    for i, indicator in indicators.items():
        value = data[i].to_numpy(dtype=float)
        names = set(data.columns)
        proven = indicator.unit == "pct" and {f"{i}__n", f"{i}__k"} <= names and is_naive and f"{i}__n_eff" not in names
        if proven:
            _check_counted(data, i, value)
        elif indicator.unit == "pct" and indicator.bounds is None and in_percent is None:
            _refuse_shares(data, i, value)
        _check_bounds(data, i, indicator)
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
    return data


def _percent_of_shares(data: pd.DataFrame, indicators: Mapping[str, Indicator]) -> pd.DataFrame:
    data = data.copy()
    for i in (i for i, indicator in indicators.items() if indicator.unit == "pct"):
        for name in (n for n in (i, f"{i}__lo", f"{i}__hi") if n in data.columns):
            wrong = ~(data[name].isna() | data[name].between(0, 1)).to_numpy()
            if wrong.any() and indicators[i].bounds is None:
                raise _impossible(
                    data, name, wrong, "shares between 0 and 1, as in_percent=False says", "in_percent=True"
                )
            data[name] = 100 * data[name]
    return data


def _check_bounds(data: pd.DataFrame, i: str, indicator: Indicator) -> None:
    value = data[i].to_numpy(dtype=float)
    low, high = indicator.bounds or BOUNDS.get(indicator.unit, NO_BOUNDS)
    slack = 1e-9 * max(1.0, abs(high) if np.isfinite(high) else 1.0)
    wrong = np.isinf(value) | (value < low - slack) | (value > high + slack)
    fix = "leave cells without a value empty"
    if indicator.unit == "pct" and indicator.bounds is None:
        fix += "; a rate of change, or one that may exceed 100: Indicator(…, bounds=(-100, math.inf))"
    if wrong.any():
        raise _impossible(data, i, wrong, f"{low:g} to {high:g} ({indicator.unit})", fix)
    codes = _missing_codes(value)
    if codes.any():
        raise _impossible(data, i, codes, "no code for a missing value among the values", fix)
    for companion in COUNTED:
        column = data.get(f"{i}__{companion}")
        if column is not None and (column < 0).any():
            raise _impossible(data, f"{i}__{companion}", (column < 0).to_numpy(), "0 or more", fix)


def _missing_codes(value: np.ndarray) -> np.ndarray:
    """Return which values are codes such as −99 or 9999: all nines, and far from everything else in the column."""
    codes = np.isin(value, MISSING_CODES)
    rest = np.abs(value[~codes & np.isfinite(value)])
    far = np.abs(value) > MANY_TIMES * rest.max(initial=0.0)
    return codes & far if len(rest) else np.zeros(len(value), dtype=bool)


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
    # rates far below 1 % lie within the rounding of a percent, as shares too
    passed = (k > 0) & (n > 0)
    if passed.any() and np.allclose(value[passed], rate[passed] / 100, rtol=0.01, atol=0):
        raise _shares(data, i, passed, "percent: 100 x k / n")


def _refuse_shares(data: pd.DataFrame, i: str, value: np.ndarray) -> None:
    """Refuse percent values that read like shares: all of them, or a part that lies a scale below the others."""
    small = (value > 0) & (value <= 1)
    large = value > 1
    if not small.any():
        return
    if not large.any():
        raise _shares(data, i, small, "percent: 97.5, not 0.975")
    if MANY_TIMES * value[small].max() <= value[large].min():
        raise _shares(data, i, small, f"one scale: the other values begin at {value[large].min():g}")
    middle, lowest, highest = (float(f(value[large])) for f in (np.median, np.min, np.max))
    present = data.loc[value > 0, i].astype(float)
    for level in ("entity", "period"):
        parts = present.groupby(level=level).agg(["min", "median", "max", "size"])
        fits = (100 * parts["min"] >= lowest) & (100 * parts["max"] <= highest)
        below = parts[(parts["size"] > 1) & (parts["max"] <= 1) & (middle >= SCALE_BELOW * parts["median"]) & fits]
        if len(below):
            rows = np.asarray(data.index.get_level_values(level) == below.index[0]) & (value > 0)
            raise _shares(data, i, rows, f"one scale: the median of the other values is {middle:g}")


def _shares(data: pd.DataFrame, i: str, wrong: np.ndarray, expected: str) -> PanelError:
    first = float(data[i].to_numpy(dtype=float)[int(np.argmax(wrong))])
    return PanelError(
        "QB134",
        outcome=i,
        found=f"{_first(data, wrong)}: {first:g}",
        expected=expected,
        fix="Panel.from_frame(…, in_percent=False) where all are shares, in_percent=True where all are percent; "
        "else multiply these rows by 100",
    )


def _impossible(data: pd.DataFrame, name: str, wrong: np.ndarray, expected: str, fix: str) -> PanelError:
    first = float(data[name].to_numpy(dtype=float)[int(np.argmax(wrong))])
    return PanelError("QB138", column=name, found=f"{_first(data, wrong)}: {first:g}", expected=expected, fix=fix)


def _first(data: pd.DataFrame, wrong: np.ndarray) -> str:
    entity, period = data.index[int(np.argmax(wrong))]
    return f"{int(wrong.sum())} of {len(data)} rows, first {entity} {code(period)}"


def _refuse_unplaced(rows: int, what: str) -> None:
    if rows:
        raise PanelError(
            "QB121",
            found=f"{rows} rows without {what}",
            expected="every row with both",
            fix="drop or complete these rows; they cannot be placed",
        )


def _unreadable(value: object, found: str, freq: Freq) -> PanelError:
    fix = f"write {EXAMPLES[freq]}, or choose another freq"
    return PanelError("QB102", value=str(value), found=found, expected=_EXPECTED[freq], fix=fix)


def _no_number(name: str, found: str) -> PanelError:
    return PanelError(
        "QB129", column=name, found=found, expected="numbers", fix=f'frame["{name}"] = pandas.to_numeric(…)'
    )
