"""How numbers are written: true minus, no "−0.0", no "p = 0.000", digits that follow the doubt."""

from __future__ import annotations

import math
from collections.abc import Iterable

from qbase.core.text import Text

MINUS = "\u2212"
PERCENT_UNITS = frozenset({"pct", "pp", "pp_per_year"})

UNITS = {
    "pct": Text("%", "%"),
    "pp": Text("个百分点", "percentage points"),
    "pp_per_year": Text("个百分点/年", "percentage points a year"),
    "log_points": Text("对数点", "log points"),
    "count": Text("个", ""),
    "batch": Text("批", "batches"),
    "per_100": Text("件/百件", "per 100 items"),
    "share": Text("", ""),
    "index": Text("", ""),
    "cny": Text("元", "CNY"),
    "wan_cny": Text("万元", "10,000 CNY"),
    "yi_cny": Text("亿元", "100 million CNY"),
    "firm": Text("家", "firms"),
    "item": Text("个", "items"),
    "case": Text("件", "cases"),
    "time": Text("次", "times"),
    "event": Text("场", "events"),
    "rank": Text("位", ""),
    "score": Text("分", "points"),
    "ratio": Text("", ""),
    "flag": Text("", ""),
    "quarter": Text("个季度", "quarters"),
    "day": Text("天", "days"),
    "hour": Text("小时", "hours"),
    "mu": Text("亩", "mu"),
    "tce": Text("吨标准煤", "tce"),
    "wan_t": Text("万吨", "10,000 t"),
    "tce_per_t": Text("吨标准煤/吨", "tce/t"),
    "tce_per_wan": Text("吨标准煤/万元", "tce per 10,000 CNY"),
    "m3_per_wan": Text("立方米/万元", "m³ per 10,000 CNY"),
    "wan_per_mu": Text("万元/亩", "10,000 CNY per mu"),
    "per_yi": Text("件/亿元", "per 100 million CNY"),
    "per_100_firms": Text("件/百家", "per 100 firms"),
    "per_10k_firms": Text("个/万家", "per 10,000 firms"),
    "none": Text("", ""),
}
SIGNED_UNITS = frozenset(
    {"pp", "pp_per_year", "log_points", "index", "cny", "wan_cny", "yi_cny", "score", "ratio", "none"}
)
"""Units of what may lie below 0: differences, logarithms, profits, indices."""
WHOLE_UNITS = frozenset(
    {"count", "batch", "cny", "firm", "item", "case", "time", "event", "rank", "flag", "quarter", "day"}
)
UNITS_SHORT = {**UNITS, "pp": Text("个百分点", "pp"), "pp_per_year": Text("个百分点/年", "pp a year")}
DIFFERENCE = {"pct": "pp"}


def difference_unit(unit: str) -> str:
    """Return the unit of a difference: two percentages differ by percentage points."""
    return DIFFERENCE.get(unit, unit)


MOST_DIGITS = 6
"""More decimals than this are not written for the sake of a narrow interval."""
_LAST_RESORT = 12


def digits_for(
    unit: str,
    std_error: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    marks: Iterable[float] = (),
    value: float | None = None,
) -> int:
    """Return the decimals a number is written with: they follow its doubt.

    Percentages and points have one, whole units none, others three significant digits of the standard error. More
    are written until the width of the interval shows two significant digits, and until no end that lies beside a
    mark is written as if it lay on it.

    Parameters
    ----------
    unit : str
        A key of `UNITS`.
    std_error : float or None
        Of the number.
    low, high : float or None
        Ends of its interval; None for a full count.
    marks : iterable of float
        What the ends are judged against: 0 for a difference, a margin, a target.
    value : float or None
        Of a full count, judged in place of the ends.
    """
    if unit == "rank":  # between two ranks there is none
        return 0
    has_interval = low is not None and high is not None
    width = high - low if low is not None and high is not None else 0.0
    digits = 1 if unit in PERCENT_UNITS else 0 if unit in WHOLE_UNITS else _significant(std_error, width)
    if has_interval and math.isfinite(width) and width > 0:
        digits = max(digits, min(MOST_DIGITS, 1 - math.floor(math.log10(width))))
    ends = [x for x in (low, high) if x is not None] if has_interval else [] if value is None else [value]
    for end in ends:
        for mark in marks:
            digits = max(digits, _telling(end, mark, digits))
    return digits


def _significant(std_error: float | None, width: float) -> int:
    size = std_error if std_error is not None else width / 4
    if not math.isfinite(size) or size <= 0:
        return 3
    return max(0, 2 - math.floor(math.log10(size)))


def _telling(end: float, mark: float, digits: int) -> int:
    """Return the decimals by which an end is seen not to be the mark; what differs by rounding errors is the mark."""
    if not math.isfinite(end) or math.isclose(end, mark, rel_tol=1e-12, abs_tol=1e-12):
        return digits
    return next((d for d in range(digits, _LAST_RESORT) if number(end, d) != number(mark, d)), _LAST_RESORT)


def declared_digits(declared: float, unit: str) -> int:
    """Return the decimals of a declared number, such as a margin or a target: as it was declared, four at most."""
    least = 1 if unit in PERCENT_UNITS else 0
    return next((d for d in range(least, 4) if round(declared, d) == declared), 4)


def level_text(level: float) -> str:
    """Write a confidence level as it was asked for: ``95%``, ``99.8%``, never rounded to certainty."""
    beyond = 100 * (1 - level)
    if not 0 < beyond < 100:
        return f"{100 * level:g}%"
    digits = max(0, 3 - math.floor(math.log10(beyond)))
    return f"{100 - round(beyond, digits):.{digits}f}".rstrip("0").rstrip(".") + "%"


def number(value: float, digits: int = 1, *, sign: bool = False) -> str:
    """Write a number with a true minus and thousands separators; zero carries no sign."""
    if not math.isfinite(value):
        return "–"
    text = f"{abs(value):,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return text
    if value < 0:
        return MINUS + text
    return "+" + text if sign else text


def percent(value: float, digits: int = 1) -> str:
    """Write a percentage: ``93.3%``."""
    return number(value, digits) + "%"


def interval(low: float, high: float, digits: int = 1) -> Text:
    """Write a range: 0.8～3.9 / 0.8–3.9; with a negative end −0.5 至 0.7 / −0.5 to 0.7."""
    a, b = number(low, digits), number(high, digits)
    if a.startswith(MINUS) or b.startswith(MINUS):
        return Text(f"{a} 至 {b}", f"{a} to {b}")
    return Text(f"{a}～{b}", f"{a}–{b}")


def p_value(p: float) -> str:
    """Write a p-value: ``< 0.001``, three decimals below 0.1, else two."""
    if p < 0.001:
        return "< 0.001"
    if p < 0.0995:
        return f"{p:.3f}"
    # a rounded 1.00 would claim certainty that no sample gives
    return "> 0.99" if p >= 0.995 else f"{p:.2f}"


def count(n: int) -> str:
    """Write a count with thousands separators."""
    return f"{n:,}"
