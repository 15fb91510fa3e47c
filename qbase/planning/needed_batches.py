"""How many batches a precise enough pass rate takes."""

from __future__ import annotations

import bisect
import math

import pandas as pd
from scipy import stats

from qbase.core.errors import UsageError
from qbase.core.given import read_number
from qbase.core.numbers import count, declared_digits, level_text, number, percent
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Indicator
from qbase.indicators import find_indicator
from qbase.stats.rates.difference_intervals import check_level

DEFAULT_OUTCOME = "D1.batch"
WIDEST_PP = 25.0
NARROWEST_PP = 0.1
CURVE_PP = (1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0)

ARITHMETIC = Text(
    "这是按给定合格率做的算术，不是估计；各批次须随机抽取、互不相关，同一企业多抽几批不能抵数。",
    "Arithmetic at the given rate, not an estimate. Batches must be drawn at random and independently; "
    "several from one firm count for less.",
)


def wilson_half_width(rate: float, n: int, *, level: float = 0.95) -> float:
    """Return half the width of Wilson's interval for a share observed in n draws.

    ``z / (1 + z²/n) · √(p(1 − p)/n + z²/(4n²))``; it falls strictly with n.

    Parameters
    ----------
    rate : float
        Share between 0 and 1.
    n : int
        Draws, above 0.
    level : float
        Confidence level.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.
    """
    z = float(stats.norm.ppf(0.5 + level / 2))
    return z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))


def smallest_n(rate: float, half_width: float, *, level: float = 0.95) -> int:
    """Return the smallest n whose Wilson half width is at most the target (all shares, not percent)."""
    z = float(stats.norm.ppf(0.5 + level / 2))
    # at rate 1/2, the widest case, the half width is z / (2 √(n + z²))
    enough = max(1, math.ceil((z / (2 * half_width)) ** 2))
    return 1 + bisect.bisect_left(
        range(1, enough + 1), -half_width, key=lambda n: -wilson_half_width(rate, n, level=level)
    )


def plan_batches(
    rate_pct: float | Result,
    *,
    half_width_pp: float,
    level: float = 0.95,
    outcome: str = DEFAULT_OUTCOME,
    in_percent: bool = False,
) -> Result:
    """Return how many batches bring the interval of a pass rate within a half width.

    Parameters
    ----------
    rate_pct : float or Result
        The rate to expect, in percent; or the result of `qbase.trends.estimate_level`, whose spoken rate is taken
        and whose interval is carried on to the number of batches.
    half_width_pp : float
        Target, in percentage points, 0.1 to 25.
    level : float
        Confidence level of the interval planned.
    outcome : str
        Indicator planned for, when a bare rate is given.
    in_percent : bool
        Says that a bare rate of 1 or below is percent as well, and not a share such as 0.93.

    Returns
    -------
    Result
        Estimand ``need`` in batches, term ``batches``; a full-count arithmetic unless a result was given.
        Table ``curve``: batches for other half widths.

    Raises
    ------
    UsageError
        Rate, half width or level out of range (QB540, QB503), unknown indicator (QB401), a result that is no level of a
        percentage (QB541).

    Examples
    --------
    >>> from qbase.planning import plan_batches
    >>> need = plan_batches(92.0, half_width_pp=2.0)
    >>> print(need.say().items[0].en)
    To know the batch pass rate within ±2.0 percentage points (95% interval), 713 batches are needed (at a rate of
    92.0%).
    """
    if read_number(half_width_pp) is None or not NARROWEST_PP <= half_width_pp <= WIDEST_PP:
        raise _out_of_range("half_width_pp", half_width_pp, f"{NARROWEST_PP:g} to {WIDEST_PP:g}", "half_width_pp=3")
    check_level(level)
    given = rate_pct if isinstance(rate_pct, Result) else None
    rate, low, high, indicator = _expected(rate_pct, outcome, in_percent)
    need = smallest_n(rate / 100, half_width_pp / 100, level=level)
    span = None if low is None or high is None else _span(low / 100, high / 100, half_width_pp / 100, level)
    estimate = Estimate(
        term="batches",
        key={"half_width_pp": half_width_pp, "rate_pct": rate},
        value=float(need),
        ci_low=None if span is None else float(min(span[0], need)),
        ci_high=None if span is None else float(max(span[1], need)),
        ci_level=level,
        uncertainty="none_full_count" if span is None else "model",
    )
    return Result(
        estimand="need",
        outcome=indicator,
        unit="batch",
        method="wilson_half_width",
        estimates=(estimate,),
        subject=_subject(indicator, given, half_width_pp, level),
        tables={"curve": _curve(rate, half_width_pp, level)},
        notes=(ARITHMETIC,),
        settings={"rate_pct": rate, "half_width_pp": half_width_pp, "level": level, "outcome": indicator.id},
        sources=() if given is None else given.sources,
        coverage=None if given is None else given.coverage,
        labels={"batches": _label(rate, low, high, span)},
    )


def _expected(
    given: float | Result, outcome: str, in_percent: bool
) -> tuple[float, float | None, float | None, Indicator]:
    if not isinstance(given, Result):
        if read_number(given) is None or not 0 <= given <= 100:
            raise _out_of_range("rate_pct", given, "0 to 100", "rate_pct=93")
        if 0 < given <= 1 and not in_percent:
            meant = f"rate_pct={100 * given:g}, or in_percent=True where {given:g} % is meant"
            raise _out_of_range("rate_pct", given, "percent; 1 or below reads like a share", meant)
        return float(given), None, None, find_indicator(outcome).indicator
    if given.estimand != "level" or given.unit != "pct":
        raise UsageError(
            "QB541",
            estimand=given.estimand,
            found=f"{given.name} in {given.unit}",
            expected="a level in pct",
            fix="plan_batches(estimate_level(panel, outcome), half_width_pp=3)",
        )
    spoken = given.estimates[given.spoken[0]]
    return spoken.value, spoken.ci_low, spoken.ci_high, given.outcome


def _span(low: float, high: float, half_width: float, level: float) -> tuple[int, int]:
    """Return the least and the most batches over all rates of an interval; the need peaks at one half."""
    ends = [smallest_n(p, half_width, level=level) for p in (low, high)]
    peak = smallest_n(min(max(0.5, low), high), half_width, level=level)
    return min(ends), max(*ends, peak)


def _curve(rate: float, half_width_pp: float, level: float) -> pd.DataFrame:
    widths = sorted({*CURVE_PP, half_width_pp})
    need = [smallest_n(rate / 100, w / 100, level=level) for w in widths]
    return pd.DataFrame({"half_width_pp": widths, "n_count": need})


def _subject(indicator: Indicator, given: Result | None, half_width_pp: float, level: float) -> Text:
    whose = Text("", "") if given is None else Text(given.subject.zh + "的", f" of {given.subject.en}")
    target = number(half_width_pp, declared_digits(half_width_pp, "pp"))
    return Text(
        f"要把{whose.zh}{indicator.label.zh}的 {level_text(level)} 区间控制在 ±{target} 个百分点以内",
        f"To know the {indicator.label.en}{whose.en} within ±{target} percentage points ({level_text(level)} interval)",
    )


def _label(rate: float, low: float | None, high: float | None, span: tuple[int, int] | None) -> Text:
    # a rate that was declared keeps its decimals; one that was estimated has an interval of its own
    shown = percent(rate, 1 if span else declared_digits(rate, "pct"))
    if span is None or low is None or high is None:
        return Text(f"按合格率 {shown} 计", f"at a rate of {shown}")
    a, b = percent(low), percent(high)
    return Text(
        f"按合格率 {shown} 计；真实合格率若在 {a}～{b} 之间，则为 {count(span[0])}～{count(span[1])} 批",
        f"at a rate of {shown}; between {count(span[0])} and {count(span[1])} if the true rate lies in {a}–{b}",
    )


def _out_of_range(option: str, value: object, expected: str, fix: str) -> UsageError:
    return UsageError("QB540", option=option, value=value, found=f"{option}={value!r}", expected=expected, fix=fix)
