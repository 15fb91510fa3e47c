"""Every check of credibility that grid, estimator and policy allow, once, in the order a reader needs them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from qbase.core.periods import ordinal, period_at
from qbase.core.policy import Policy
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.credibility.placebo_checks import (
    SHIFT,
    check_anticipation,
    check_placebo_in_time,
    check_placebo_outcome,
    check_spillover,
)
from qbase.effects.credibility.stability_checks import (
    check_attrition,
    check_leave_one_out,
    check_same_entities,
    check_same_yardstick,
)
from qbase.effects.credibility.timing_checks import check_regression_to_mean, check_rush, check_serial_correlation
from qbase.effects.fitting.path_fit import Estimator

LACKING = {
    "rush": Text(
        "验收前突击：政策没有验收日期，或在数据之外", "rush before acceptance: no date of acceptance within the data"
    ),
    "placebo_outcome": Text(
        "政策不应改变的指标：评价方案没有指定",
        "outcomes the policy cannot move: the plan names none that can be computed",
    ),
    "spillover": Text(
        "对邻近者的影响：没有与采用者相邻、产品相同的对象", "spillover: no neighbour of the same product is known"
    ),
    "same_yardstick": Text(
        "尺度一致：没有按同一限值重判的结果", "one yardstick: no outcome re-judged by constant limits"
    ),
}
"""Check -> why it was not made, where it was not."""
NO_PAIR = Text(
    "按同一限值重判的结果太少，无法比较。",
    "Too few outcomes re-judged by constant limits stand beside the others to compare.",
)


def check_credibility(
    grid: OutcomeGrid,
    estimator: Estimator,
    policy: Policy,
    *,
    placebos: Mapping[str, OutcomeGrid] | None = None,
    neighbours: Mapping[str, tuple[str, ...]] | None = None,
    constant: OutcomeGrid | None = None,
    as_judged: OutcomeGrid | None = None,
    vcov: str | None = None,
    shift: int = SHIFT,
) -> tuple[CheckResult, ...]:
    """Check an effect in every way its data allow.

    Parameters
    ----------
    grid, estimator
        The effect is ``estimator(grid)``.
    policy : Policy
        Announced before it took effect, it could be anticipated; the day of acceptance (验收) is where a rush would be.
    placebos : mapping or None
        Name -> grid of an outcome the policy cannot move.
    neighbours : mapping or None
        Spillover arm -> treated neighbours; its entities are in the grid for this check alone.
    constant : OutcomeGrid or None
        The outcome by one yardstick.
    as_judged : OutcomeGrid or None
        The outcome as judged at the time, of the same draws as ``constant``; None is the grid itself.
    vcov : str or None
        Kind of standard error of the effect.
    shift : int
        Of the placebo in time.

    Returns
    -------
    tuple of CheckResult
        The main checks are made without the spillover arm. The last, ``not_checked``, says which others could not be
        made and why.

    Examples
    --------
    >>> from qbase.effects import check_credibility
    >>> from qbase.effects.comparison.outcome_grid import build_grid
    >>> from qbase.effects.fitting.imputation import ImputationEstimator
    >>> from qbase.effects.fitting.imputed_terms import Window
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> estimator = ImputationEstimator(window=Window(leads=0, lags=0), terms=(("att", None),))
    >>> checks = check_credibility(build_grid(panel, policy, "D1.batch"), estimator, policy)
    >>> [check.name for check in checks if check.passed]
    ['placebo_in_time', 'anticipation', 'regression_to_mean', 'leave_one_out', 'attrition', 'same_entities_effect',
    'rush']
    >>> checks[-1].text.en.split(";")[0]
    'outcomes the policy cannot move: the plan names none that can be computed'
    """
    arm = dict(neighbours or {})
    main = grid.keep(~pd.Index(grid.entities).isin(list(arm))) if arm else grid
    checks = [
        check_placebo_in_time(main, estimator, shift=shift),
        check_anticipation(main, estimator, periods=periods_announced(policy, main)),
        check_regression_to_mean(main),
        check_leave_one_out(main, estimator),
        check_attrition(main, estimator),
        check_same_entities(main, estimator),
        check_serial_correlation(main, vcov=vcov),
    ]
    accepted = column_of(policy, "accepted", main)
    if accepted is not None:
        checks.append(check_rush(main, accepted))
    if placebos:
        checks.append(check_placebo_outcome(placebos, estimator))
    if arm:
        checks.append(check_spillover(grid, estimator, arm))
    if constant is not None:
        checks.append(check_yardstick(main if as_judged is None else as_judged, constant, estimator))
    made = {check.name for check in checks}
    lacking = [reason for name, reason in LACKING.items() if name not in made]
    return (*checks, say_not_checked(lacking)) if lacking else tuple(checks)


def say_not_checked(reasons: Sequence[Text]) -> CheckResult:
    """Return what could not be checked and why, said once (``not_checked``)."""
    what = join(list(reasons), zh="；", en="; ")
    return CheckResult(name="not_checked", passed=None, text=Text(f"{what.zh}。", f"{what.en}."))


def check_yardstick(grid: OutcomeGrid, constant: OutcomeGrid, estimator: Estimator) -> CheckResult:
    """Check whether the yardstick moved, on the cells that have the outcome by both (``same_yardstick``)."""
    entities = sorted(set(grid.entities) & set(constant.entities))
    ours, theirs = (g.keep(pd.Index(g.entities).isin(entities)) for g in (grid, constant))
    first, last = max(ours.first, theirs.first), min(ours.first + ours.n_periods, theirs.first + theirs.n_periods)
    pair = [g.between(first, last) for g in (ours, theirs)]
    both = np.isfinite(pair[0].y) & np.isfinite(pair[1].y)
    ours, theirs = (dataclasses.replace(g, y=np.where(both, g.y, np.nan)) for g in pair)
    if not both.any() or not ours.is_treated.any() or ours.is_treated.all():
        return CheckResult(name="same_yardstick", passed=None, text=NO_PAIR)
    return check_same_yardstick(ours, theirs, estimator)


def column_of(policy: Policy, name: str, grid: OutcomeGrid) -> int | None:
    """Return the column of a date of the policy; None where it has none, or it lies outside the data."""
    date = policy.dates.get(name)
    if date is None:
        return None
    column = ordinal(period_at(date.on, grid.freq)) - grid.first
    return column if 0 <= column < grid.n_periods else None


def periods_announced(policy: Policy, grid: OutcomeGrid) -> int:
    """Return the periods between announcement and effect in which somebody could react; at least one."""
    days = [policy.dates.get(name) for name in ("announced", "effective")]
    if days[0] is None or days[1] is None:
        return 1
    first, last = (ordinal(period_at(day.on, grid.freq)) for day in days if day is not None)
    return max(1, last - first)
