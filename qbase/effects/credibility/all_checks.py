"""Every check of credibility that grid, estimator and policy allow, once, in the order a reader needs them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from qbase.core.policy import Policy
from qbase.core.values import CheckResult
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.comparison.treated_and_controls import FREQ
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


def check_credibility(
    grid: OutcomeGrid,
    estimator: Estimator,
    policy: Policy,
    *,
    placebos: Mapping[str, OutcomeGrid] | None = None,
    neighbours: Mapping[str, tuple[str, ...]] | None = None,
    constant: OutcomeGrid | None = None,
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
    vcov : str or None
        Kind of standard error of the effect.
    shift : int
        Of the placebo in time.

    Returns
    -------
    tuple of CheckResult
        The main checks are made without the spillover arm.
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
        checks.append(
            check_same_yardstick(main, constant.keep(pd.Index(constant.entities).isin(main.entities)), estimator)
        )
    return tuple(checks)


def column_of(policy: Policy, name: str, grid: OutcomeGrid) -> int | None:
    """Return the column of a date of the policy; None where it has none, or it lies outside the data."""
    date = policy.dates.get(name)
    if date is None:
        return None
    column = pd.Period(date.on, freq=FREQ[grid.freq]).ordinal - grid.first
    return column if 0 <= column < grid.n_periods else None


def periods_announced(policy: Policy, grid: OutcomeGrid) -> int:
    """Return the periods between announcement and effect in which somebody could react; at least one."""
    days = [policy.dates.get(name) for name in ("announced", "effective")]
    if days[0] is None or days[1] is None:
        return 1
    first, last = (pd.Period(day.on, freq=FREQ[grid.freq]).ordinal for day in days if day is not None)
    return max(1, last - first)
