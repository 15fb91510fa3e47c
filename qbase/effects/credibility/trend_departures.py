"""How far trends may depart from parallel before the sign of an effect is lost: Rambachan and Roth's bounds."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import interval, number
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.sensitivity.breakdown import breakdown_value
from qbase.effects.sensitivity.event_path import rebase_to_last
from qbase.effects.sensitivity.relative_magnitude import relative_magnitude_bounds
from qbase.effects.sensitivity.smoothness import smoothness_bounds

NAME = "trend_departures"
LEAST_TREATED = 4
"""Up to three treated, covariances of the leads are next to nothing and every bound would be too narrow."""
LARGEST = 1.0
"""The bounds printed: a step after the start as large as the largest before it."""
PERCENT = 100.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Path:
    """Coefficients relative to the last period before the start, and the average after it that is asked for."""

    beta: Floats
    vcov: Floats
    n_pre: int
    weights: Floats


def check_trend_departures(result: Result) -> CheckResult:
    """Check how large a departure from parallel trends the sign of an effect survives (``trend_departures``).

    The departure is measured against the largest change from one period to the next that the treated, net of the
    others, made before the policy: one after the start may be so many times as large. What is judged is the plain
    average of the event times shown from the start on, relative to the last period before it, which is a noisier base
    than the average before. Nothing is taken from the evidence grade.

    Parameters
    ----------
    result : Result
        Of `qbase.effects.estimate_imputation` or `qbase.effects.estimate_staggered` with one base for all periods.

    Returns
    -------
    CheckResult
        ``trend_departures``; True where the sign survives departures as large as the largest before, else None. Its
        table holds the breakdown values and the bounds. Where it cannot be made it says why.

    References
    ----------
    Rambachan, A. and Roth, J. (2023). A more credible approach to parallel trends. Review of Economic Studies 90.

    Examples
    --------
    >>> from qbase.effects import check_trend_departures, estimate_imputation
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> check = check_trend_departures(estimate_imputation(panel, policy, "D1.batch", leads=4, lags=3))
    >>> check.passed, check.text.en.split(":")[0]
    (None, 'No sign to lose')
    """
    events = [e for e in result.estimates if e.term == "event" and e.ci_low is not None]
    times = [int(str(e.key["event_time"])) for e in events]
    reason = _why_not(result, times)
    if reason is None:
        path = _read_path(result, events, times)
        try:
            return _judged(result, path, level=events[0].ci_level)
        except DataError as problem:
            reason = Text(problem.what_zh, problem.what_en)
    text = Text(
        f"未作对平行趋势偏离的敏感性分析：{reason.zh}。",
        f"No analysis of departures from parallel trends: {reason.en}.",
    )
    return CheckResult(name=NAME, passed=None, text=text)


def _why_not(result: Result, times: list[int]) -> Text | None:
    treated = result.find("att").n_treated or 0
    if treated < LEAST_TREATED:
        return Text(
            f"采用者只有 {treated} 个，提前期的协方差不可靠",
            f"with {treated} treated the covariance of leads is unreliable",
        )
    stated = (result.settings.get("base"), result.settings.get("base_kind", "universal"))
    if stated not in (("average before", "universal"), (-1, "universal")):
        return Text("各期的基期不同", "the periods have no base in common")
    before = sorted(t for t in times if t < (0 if _is_average(result) else -1))
    after = sorted(t for t in times if t >= 0)
    last = -1 if _is_average(result) else -2
    whole = before == list(range(last - len(before) + 1, last + 1)) and after == list(range(len(after)))
    if len(before) < 1 + _is_average(result) or not after or not whole:
        return Text("政策前后没有连续的、有区间的时点", "no unbroken event times with an interval lie on both sides")
    return None


def _is_average(result: Result) -> bool:
    return result.settings.get("base") == "average before"


def _read_path(result: Result, events: list[Estimate], times: list[int]) -> _Path:
    order = np.argsort(times)
    names = [f"event[{times[i]}]" for i in order]
    beta = np.array([events[i].value for i in order])
    vcov = np.zeros((0, 0)) if result.vcov is None else result.vcov.loc[names, names].to_numpy(dtype=float)
    n_pre = sum(t < 0 for t in times)
    if _is_average(result):
        beta, vcov = rebase_to_last(beta, vcov, n_pre=n_pre)
        n_pre -= 1
    n_post = len(beta) - n_pre
    return _Path(beta=beta, vcov=vcov, n_pre=n_pre, weights=np.full(n_post, 1 / n_post))


def _judged(result: Result, path: _Path, *, level: float) -> CheckResult:
    asked: dict[str, Any] = {"n_pre": path.n_pre, "weights": path.weights, "level": level}
    none, whole = (
        relative_magnitude_bounds(path.beta, path.vcov, limit_mbar=limit, **asked) for limit in (0.0, LARGEST)
    )
    value = 0.0 if none.covers_zero else breakdown_value(path.beta, path.vcov, **asked)
    straight = smoothness_bounds(path.beta, path.vcov, limit_m=0.0, **asked)
    table = pd.DataFrame(
        [
            ("parallel", none.low, none.high, value),
            ("as large as before", whole.low, whole.high, value),
            ("straight drift", straight.low, straight.high, np.nan),
        ],
        columns=["departure", "low", "high", "breakdown"],
    )
    n = len(path.weights)
    facts = Text(
        f"政策后 {n} 期的平均（以政策前一期为基期）",
        f"the average of the {n} period{'s' if n > 1 else ''} from the start on, from the last one before",
    )
    straight_span = interval(straight.low, straight.high)
    drift = Text(
        f"若原有走势照直延续，效果在 {straight_span.zh} 之间",
        f"with the drift from before going straight on the effect lies at {straight_span.en}",
    )
    text = _say(result, value, (none.low, none.high), (whole.low, whole.high), facts, drift)
    return CheckResult(name=NAME, passed=True if value >= LARGEST else None, text=text, table=table)


def _say(
    result: Result,
    value: float,
    parallel: tuple[float, float],
    bounds: tuple[float, float],
    facts: Text,
    drift: Text,
) -> Text:
    span = interval(*parallel)
    if value == 0:
        return Text(
            f"没有可守住的方向：{facts.zh}在平行趋势下即为 {span.zh}，包含 0；{drift.zh}。",
            f"No sign to lose: {facts.en}, lies at {span.en} under parallel trends and covers 0; {drift.en}.",
        )
    if math.isinf(value):
        return Text(
            f"{facts.zh}：政策前没有偏离可作参照；{drift.zh}。",
            f"For {facts.en}: no step before to hold it against; {drift.en}.",
        )
    times, held = number(value, 2), _bounded(result, bounds)
    return Text(
        f"{facts.zh}：政策后逐期偏离不超过政策前最大一次的 {times} 倍时，方向不变；与最大一次同样大时，{held.zh}；"
        f"{drift.zh}。",
        f"For {facts.en}: the sign survives departures of up to {times} times the largest step before the policy; with "
        f"steps as large as that {held.en}; {drift.en}.",
    )


def _bounded(result: Result, bounds: tuple[float, float]) -> Text:
    if result.unit == "pp" and (bounds[0] <= -PERCENT or bounds[1] >= PERCENT):
        return Text("任何大小的效果都不能排除", "no effect of any size can be excluded")
    span = interval(*bounds)
    return Text(f"效果在 {span.zh} 之间", f"the effect lies at {span.en}")
