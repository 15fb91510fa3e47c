"""Whether an instrument went where failures had just been: then what follows is recovery, and no effect."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from qbase.core.numbers import count, p_value
from qbase.core.results.sentences import quantity
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.effects.comparison.dose_starts import LEAST_APART, TITLES, DoseStarts
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid

NAME = "dose_unpredicted"
LAGGED = 4
"""Quarters before the start whose failures are asked whether they predict it."""
LEVEL, POWER = 0.05, 0.8
LEAST = 5
"""Fewer clusters of an instrument are no sample of when it begins."""

Bools = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DoseTest:
    """What lagged failures tell of a dose.

    Parameters
    ----------
    gap : float
        Mean of recent failures, less those of earlier times, where the instrument began, less the same in all clusters
        where it could have begun in that quarter.
    p_onset, p_size : float
        Two-sided, by exchange; NaN where it could not be tested.
    p_value : float
        Of both together (Bonferroni).
    detectable : float
        Gap that would have been found with 80 % power.
    n_starts : int
        Clusters behind it.
    """

    gap: float
    p_onset: float
    p_size: float
    p_value: float
    detectable: float
    n_starts: int


def compare_doses(grid: OutcomeGrid, starts: DoseStarts, code: str, *, seed: int, draws: int = 999) -> DoseTest:
    """Test whether failures of the four quarters before predict when an instrument began, and how large its dose was.

    For each quarter in which it began somewhere, those clusters are drawn anew from all that no instrument and no
    policy had reached until then: who came next, given who was left. Recent failures are taken less those of the same
    cluster earlier on, for clusters that are always worse bias no effect. Sizes change places among those that began.

    Parameters
    ----------
    grid : OutcomeGrid
        All entities, with the policy's own starts.
    starts : DoseStarts
    code : str
        The instrument.
    seed, draws : int
    """
    begun = starts.quarters_alone(code, grid.n_periods) >= LEAST_APART
    own = starts.own(code)
    reached = np.minimum(np.where(np.isfinite(starts.package), starts.package, np.inf), starts.start.min(axis=1))
    rng = np.random.default_rng(seed)
    gaps, sizes, drawn, n_starts = [], [], np.zeros(draws), 0
    for at in np.unique(own[begun]).astype(int):
        recent = recent_failures(grid, at)
        starters = begun & (own == at) & np.isfinite(recent)
        pool = np.flatnonzero((starters | (reached >= at)) & np.isfinite(recent))
        values = recent[pool] - recent[pool].mean()
        n = int(starters.sum())
        if not 0 < n < len(pool):
            continue
        gaps += list(values[starters[pool]])
        sizes += list(starts.size[starters, _index(code)])
        # the first n of a shuffled pool are a draw without replacement
        drawn += rng.permuted(np.broadcast_to(values, (draws, len(values))), axis=1)[:, :n].sum(axis=1)
        n_starts += n
    if n_starts < LEAST:
        return DoseTest(gap=np.nan, p_onset=np.nan, p_size=np.nan, p_value=np.nan, detectable=np.nan, n_starts=n_starts)
    gap, placebo = float(np.mean(gaps)), drawn / n_starts
    p_onset = _share_beyond(abs(gap), np.abs(placebo))
    p_size = _size_p(np.array(gaps), np.array(sizes), rng, draws)
    known = [p for p in (p_onset, p_size) if np.isfinite(p)]
    needed = stats.norm.ppf(1 - LEVEL / 2 / len(known)) + stats.norm.ppf(POWER)
    return DoseTest(
        gap=gap,
        p_onset=p_onset,
        p_size=p_size,
        p_value=min(1.0, len(known) * min(known)),
        detectable=float(needed * placebo.std()),
        n_starts=n_starts,
    )


def recent_failures(grid: OutcomeGrid, at: int) -> Floats:
    """Return failures of the four quarters before a column less those of all quarters before them, shape (N,).

    Rates are pooled over batches where batches are counted; else it is the mean of the outcome, turned so that more is
    worse. NaN where either time holds nothing.
    """
    last, early = slice(max(at - LAGGED, 0), at), slice(0, max(at - LAGGED, 0))
    return _failures(grid, last) - _failures(grid, early)


def check_doses(test: DoseTest, code: str, *, effect: float, unit: str = "pp") -> CheckResult:
    """Say what lagged failures tell of a dose (``dose_unpredicted``).

    Parameters
    ----------
    test : DoseTest
    code : str
        The instrument.
    effect : float
        Estimated; a test that would not see a gap as large shows little.
    unit : str
        Of both.

    Returns
    -------
    CheckResult
        False where p < .05, and where it cannot be tested; None where nothing was found by a test that would not see a
        gap as large as the effect; else True.
    """
    title, n = TITLES[code], count(test.n_starts)
    if not np.isfinite(test.p_value):
        text = Text(
            f"{title.zh}开始前的不合格率能否预测其力度，无法检验：有此前记录、可供比较的先行集群只有 {n} 个，至少要"
            f" {LEAST} 个；按未通过处理。",
            f"Whether failures before it predict the dose of {title.en} cannot be tested: {n} clusters in which it "
            f"came first have a record before and others to compare with, {LEAST} are needed. Taken as not passed.",
        )
        return CheckResult(name=NAME, passed=False, text=text)
    facts = Text(
        f"置换检验 p = {p_value(test.p_value)}，先行集群 {n} 个",
        f"permutation p = {p_value(test.p_value)}, {n} clusters",
    )
    if test.p_value < LEVEL:
        text = Text(
            f"此前 {LAGGED} 个季度的不合格率能预测{title.zh}何时开始或力度多大（{facts.zh}）：之后的变化可能只是"
            "回归常态，不能算作效果。",
            f"Failures of the {LAGGED} quarters before predict when {title.en} began or how large its dose was "
            f"({facts.en}): what followed may be a return to normal and not its effect.",
        )
        return CheckResult(name=NAME, passed=False, text=text)
    power = quantity(test.detectable, unit, 1)
    is_weak = test.detectable > abs(effect)
    text = Text(
        f"未见此前 {LAGGED} 个季度的不合格率能预测{title.zh}何时开始或力度多大（{facts.zh}）；相差 {power.zh}才有 80% "
        f"的把握发现{'，比估计的效果还大，不能据此认定没有关系' if is_weak else ''}。",
        f"Failures of the {LAGGED} quarters before were not seen to predict when {title.en} began or how large its "
        f"dose was ({facts.en}); a gap of {power.en} would have been found with 80% power"
        f"{', more than the effect estimated, so it proves nothing' if is_weak else ''}.",
    )
    return CheckResult(name=NAME, passed=None if is_weak else True, text=text)


def _index(code: str) -> int:
    return list(TITLES).index(code)


def _failures(grid: OutcomeGrid, when: slice) -> Floats:
    y = grid.y[:, when]
    seen = np.isfinite(y)
    if grid.n is not None and grid.k is not None and grid.indicator.unit == "pct":
        n = np.where(seen, grid.n[:, when], 0.0).sum(axis=1)
        k = np.where(seen, grid.k[:, when], 0.0).sum(axis=1)
        return np.where(n > 0, 100 * (n - k) / np.where(n > 0, n, 1.0), np.nan)
    number_seen = seen.sum(axis=1)
    mean = np.where(seen, y, 0.0).sum(axis=1) / np.maximum(number_seen, 1)
    worse = -1.0 if grid.indicator.better == "up" else 1.0
    return np.where(number_seen > 0, worse * mean, np.nan)


def _size_p(gaps: Floats, sizes: Floats, rng: np.random.Generator, draws: int) -> float:
    """Return the p value of no correlation; NaN where all got the same."""
    if np.ptp(sizes) <= 1e-9 * np.abs(sizes).max() or np.ptp(gaps) == 0:
        return np.nan
    gap, size = gaps - gaps.mean(), sizes - sizes.mean()
    moved = rng.permuted(np.broadcast_to(size, (draws, len(size))), axis=1)
    return _share_beyond(abs(float(gap @ size)), np.abs(moved @ gap))


def _share_beyond(found: float, placebos: Floats) -> float:
    # a placebo that is the same draw again differs by rounding alone
    return float((1 + (placebos >= found * (1 - 1e-9)).sum()) / (1 + len(placebos)))
