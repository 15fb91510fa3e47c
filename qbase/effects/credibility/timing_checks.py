"""What the calendar of a policy can fake: selection in a bad year, a rush before acceptance, errors that linger."""

from __future__ import annotations

import numpy as np

from qbase.core.numbers import number
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.credibility.grid_tests import measure_difference, measure_mean, row_means

SELECTION = 4
AROUND = 2


def check_regression_to_mean(grid: OutcomeGrid, *, periods: int = SELECTION) -> CheckResult:
    """Check that the treated were not chosen in a bad spell that would have passed by itself.

    Parameters
    ----------
    grid : OutcomeGrid
        Outcomes before the start are compared.
    periods : int
        Last periods before the start in which the choice was made.

    Returns
    -------
    CheckResult
        ``regression_to_mean``; False where the treated were worse in those periods than before, beyond chance and
        beyond what happened to those untreated; leave them out as a donut then. None where the history is too short.
    """
    dips, others = [], []
    for i in np.flatnonzero(grid.is_treated):
        start = int(grid.start[i])
        if start > periods:
            dip = _dip(grid.y[[i]], start, periods)[0]
            same = _dip(grid.y[~grid.is_treated], start, periods)
            dips.append(dip - float(np.nanmean(same)) if np.isfinite(same).any() else np.nan)
            others.append(same - np.nanmean(same) if np.isfinite(same).any() else same)
    if not dips or not np.isfinite(dips).any():
        text = Text(
            "政策前历史太短，无法看选择时的低谷。", "The history before is too short to see a dip at selection."
        )
        return CheckResult(name="regression_to_mean", passed=None, text=text)
    apart = np.array(others)
    seen = np.isfinite(apart)
    summed = np.where(seen, apart, 0.0).sum(axis=0)
    spread = np.where(seen.any(axis=0), summed / np.maximum(seen.sum(axis=0), 1), np.nan)
    found = measure_difference(np.array(dips), spread)
    sign = {"up": -1.0, "down": 1.0}.get(grid.indicator.better, 0.0)
    failed = found.rejects and found.value * sign > 0
    shown = found.say()
    tail = (
        Text("选择时正处低谷，随后的回升有一部分不是效果", "chosen in a dip: part of the later rise is no effect")
        if failed
        else Text("未见选择时的低谷", "no dip at selection is seen")
    )
    text = Text(
        f"政策前最后 {periods} 期，采用者比此前（与未采用者相比）变化 {shown.zh}：{tail.zh}。",
        f"In the last {periods} periods before, the treated differed from their past, net of others, by {shown.en}: "
        f"{tail.en}.",
    )
    return CheckResult(name="regression_to_mean", passed=None if not found.is_known else not failed, text=text)


def check_rush(grid: OutcomeGrid, accepted: int, *, around: int = AROUND) -> CheckResult:
    """Check for a rush (突击) before acceptance (验收) that is gone after it.

    Parameters
    ----------
    grid : OutcomeGrid
        Treated entities are compared with those untreated in the same period.
    accepted : int
        Column of the period of acceptance, of ``policy.dates["accepted"]``.
    around : int
        Periods up to acceptance, and as many after it.

    Returns
    -------
    CheckResult
        ``rush``; False where the treated were better up to acceptance than after it, beyond chance. None with fewer
        than three treated, or without data after.
    """
    gap = grid.y - _untreated_mean(grid)
    early = gap[:, max(0, accepted - around + 1) : accepted + 1]
    late = gap[:, accepted + 1 : accepted + 1 + around]
    reached = grid.start <= accepted
    change = (row_means(early) - row_means(late))[reached]
    found = measure_mean(change)
    sign = {"up": 1.0, "down": -1.0}.get(grid.indicator.better, 0.0)
    failed = found.rejects and found.value * sign > 0
    shown = found.say()
    tail = (
        Text("有突击验收的迹象", "a rush before acceptance")
        if failed
        else Text("未见突击", "no rush is seen")
        if found.is_known
        else Text("不作判断", "no verdict")
    )
    text = Text(
        f"验收前 {around} 期与验收后 {around} 期相差 {shown.zh}：{tail.zh}。",
        f"The {around} periods up to acceptance differ from the {around} after it by {shown.en}: {tail.en}.",
    )
    return CheckResult(name="rush", passed=None if not found.is_known else not failed, text=text)


def check_serial_correlation(grid: OutcomeGrid, *, vcov: str | None = None) -> CheckResult:
    """Check whether errors linger, and whether the standard errors allow for it.

    Parameters
    ----------
    grid : OutcomeGrid
        Untreated cells, net of entity and period, are looked at.
    vcov : str or None
        Kind of standard error of the result; ``iid`` does not allow for it.

    Returns
    -------
    CheckResult
        ``serial_correlation``; False only where they linger and the standard errors are iid, else None: clustering by
        entity allows for it.

    References
    ----------
    Bertrand, M., Duflo, E. and Mullainathan, S. (2004). How much should we trust differences-in-differences estimates?
    Quarterly Journal of Economics 119, 249-275.
    """
    rest = _untreated_rest(grid)
    first, second = rest[:, :-1].ravel(), rest[:, 1:].ravel()
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < 10 or np.ptp(first[both]) == 0:
        text = Text("未采用的观测太少，看不出前后相关。", "Too few untreated cells to see whether errors linger.")
        return CheckResult(name="serial_correlation", passed=None, text=text)
    raw = float(np.corrcoef(first[both], second[both])[0, 1])
    # taking out entity means makes independent errors look negatively correlated by about 1 / T
    rho = raw + 1 / grid.n_periods
    lingers = rho > 2 / np.sqrt(both.sum())
    facts = Text(
        f"相邻两期误差的相关约 {number(rho, 2)}", f"Errors of neighbouring periods correlate by about {number(rho, 2)}"
    )
    if lingers and vcov == "iid":
        text = Text(
            f"{facts.zh}，而标准误假定其为 0，区间过窄。",
            f"{facts.en}, which the standard errors take for 0: too narrow.",
        )
        return CheckResult(name="serial_correlation", passed=False, text=text)
    text = Text(f"{facts.zh}；按主体聚类的标准误已允许。", f"{facts.en}; errors clustered by entity allow for it.")
    return CheckResult(name="serial_correlation", passed=None, text=text)


def _dip(y: Floats, start: int, periods: int) -> Floats:
    return row_means(y[:, start - periods : start]) - row_means(y[:, : start - periods])


def _untreated_mean(grid: OutcomeGrid) -> Floats:
    """Return the mean of the untreated by period, shape (T,); NaN where nobody is."""
    return row_means(np.where(grid.event_time >= 0, np.nan, grid.y).T)


def _untreated_rest(grid: OutcomeGrid) -> Floats:
    y = np.where(grid.event_time >= 0, np.nan, grid.y)
    for _ in range(50):
        y = y - row_means(y)[:, None]
        y = y - row_means(y.T)[None, :]
    return np.asarray(y, dtype=float)
