"""How long the present trend takes to a target: told only where there is a trend."""

from __future__ import annotations

import datetime

from qbase.core.errors import DataError
from qbase.core.numbers import number, percent
from qbase.core.results.result import Criterion, Result
from qbase.core.shown.display import Prose
from qbase.core.text import Text

UNKNOWN = Text("按现趋势无法推算何时达到目标", "The present trend does not tell when the target will be met")


def say_time_to_target(trend: Result, criterion: Criterion, *, due_on: str = "") -> Prose:
    """Say when a target would be met if the present trend went on.

    Told only where the interval of the slope leaves out zero and points to the target; the range is that of the slope
    alone and takes the level as known.

    Parameters
    ----------
    trend : Result
        From `qbase.trends.estimate_trend` of the same rate and cluster, points a year.
    criterion : Criterion
        From `score_gates`.
    due_on : str
        ISO date the goal is due, a declared parameter; empty says nothing of a date.

    Returns
    -------
    Prose
        One sentence.

    Raises
    ------
    DataError
        The result is no trend (QB614).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_gates, say_time_to_target, score_gates
    >>> from qbase.trends import estimate_trend
    >>> workspace = open_workspace()
    >>> card = score_gates(read_gates(workspace, "outline_2025"), "outline_2025", clusters=["K001"])[0]
    >>> panel = build_panel(workspace, "D1.batch", sampling="random_draw")
    >>> print(say_time_to_target(estimate_trend(panel, "D1.batch", entity="K001"), card.criteria[0]).items[0].en)
    The present trend does not tell when the target will be met (slope −2.4 to 0.1 points a year).
    """
    if trend.estimand != "trend":
        raise DataError(
            "QB614",
            estimand=trend.estimand,
            found=trend.name,
            expected="trend:…",
            fix="estimate_trend(panel, outcome, …)",
        )
    name = f"time:{criterion.estimate.key.get('entity')}:{criterion.gate}:{criterion.target}"
    return Prose(name=name, items=(_say(trend, criterion, due_on),))


def _say(trend: Result, criterion: Criterion, due_on: str) -> Text:
    value, target = criterion.estimate.value, criterion.target
    sign = -1.0 if criterion.indicator.better == "down" else 1.0
    gap = sign * (target - value)
    if gap <= 0:
        return Text(
            f"现值 {percent(value)} 已在目标一侧。", f"The level of {percent(value)} is on the good side already."
        )
    slope = trend.estimates[0] if trend.estimates else None
    if slope is None or slope.ci_low is None or slope.ci_high is None:
        return UNKNOWN + Text("。", ".")
    low, high = sorted((sign * slope.ci_low, sign * slope.ci_high))
    if low <= 0:
        ends = f"{number(slope.ci_low, 1)}", f"{number(slope.ci_high, 1)}"
        return UNKNOWN + Text(
            f"（斜率 {ends[0]} 至 {ends[1]} 个百分点/年）。", f" (slope {ends[0]} to {ends[1]} points a year)."
        )
    years = gap / (sign * slope.value)
    said = Text(
        f"按现趋势约需 {number(years, 1)} 年（{number(gap / high, 1)} 至 {number(gap / low, 1)} 年）达到目标",
        f"At the present trend the target is about {number(years, 1)} years away ({number(gap / high, 1)} to "
        f"{number(gap / low, 1)})",
    )
    return said + _due(gap / low, gap / high, due_on, str(slope.key.get("until", "")))


def _due(slow: float, fast: float, due_on: str, until: str) -> Text:
    """Compare with the declared date, counted from the end of the last quarter."""
    if not due_on or len(until) < 6:
        return Text("。", ".")
    end = datetime.date(int(until[:4]), 3 * int(until[5]), 28)
    left = (datetime.date.fromisoformat(due_on) - end).days / 365.25
    if slow <= left:
        return Text(f"，早于声明的期限 {due_on}。", f", before the declared date {due_on}.")
    if fast > left:
        return Text(f"，晚于声明的期限 {due_on}。", f", after the declared date {due_on}.")
    return Text(f"，能否赶上声明的期限 {due_on} 尚难判断。", f"; whether by the declared date {due_on} cannot be told.")
