"""Whether the way of drawing changed with the policy: then a rate moves without quality."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from scipy import stats

from qbase.core.errors import DataError
from qbase.core.numbers import interval, level_text, number
from qbase.core.panel import Panel
from qbase.core.periods import ordinals
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.comparison.treated_and_controls import Design
from qbase.effects.credibility.grid_tests import measure_att, with_outcome
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window
from qbase.effects.fitting.two_way_fit import fit_two_way
from qbase.effects.judging.result_parts import ATT

MIX_MOVED_PP = 10.0
"""A shift of the share of random draws by more than this, beyond chance, is a change of the yardstick."""

EXACT = 1e-9
"""A standard error of a share in percent below this is rounding."""

UNKNOWN = Text(
    "无法检验抽样方式是否随政策改变。", "Whether the way of drawing changed with the policy cannot be tested."
)

ALIKE = Text("抽样方式始终相同。", "Batches were drawn alike throughout.")

IN_STEP = Text(
    "双随机批次占比与政策完全同步改变，合格率的变化无法与抽样方式分开。",
    "The share of random draws changed exactly in step with the policy: its effect cannot be told from the drawing.",
)

RANDOM_ONLY = Text(
    "只用双随机批次：抽样方式随政策如何改变，都不进入估计。",
    "Random draws only: however the way of drawing changed with the policy, it is not in the estimate.",
)


def check_drawing(panel: Panel, grid: OutcomeGrid, *, level: float) -> CheckResult | None:
    """Check whether the share of random draws moved with the policy, by imputation as an effect on it.

    Parameters
    ----------
    panel : Panel
        Its ``cells`` hold batches by way of drawing.
    grid : OutcomeGrid
        The comparison of the outcome, at whatever dates its entities adopted.
    level : float
        Confidence level.

    Returns
    -------
    CheckResult or None
        ``same_sampling`` as `check_same_sampling` gives it, and True where the outcome rests on random draws alone.
        None where the outcome does not come from inspections.
    """
    if panel.cells is None:
        return None
    if panel.sampling == "random_draw":
        return CheckResult(name="same_sampling", passed=True, text=RANDOM_ONLY)
    share = _share_grid(panel.cells, grid)
    seen = share[np.isfinite(share)]
    if len(seen) and np.ptp(seen) == 0:
        return CheckResult(name="same_sampling", passed=True, text=ALIKE)
    estimator = ImputationEstimator(window=Window(leads=0, lags=0), terms=((ATT, None),))
    found = measure_att(with_outcome(grid, share), estimator)
    if not np.isfinite(found.value):
        return CheckResult(name="same_sampling", passed=None, text=UNKNOWN)
    if abs(found.value) > MIX_MOVED_PP and found.std_error < EXACT:
        return CheckResult(name="same_sampling", passed=False, text=IN_STEP)
    if not found.is_known:
        return CheckResult(name="same_sampling", passed=None, text=UNKNOWN)
    return _verdict(found.value, found.std_error * float(stats.t.ppf(0.5 + level / 2, found.df)), level)


def check_same_sampling(panel: Panel, design: Design, *, level: float) -> CheckResult | None:
    """Check whether the share of random draws (双随机) moved with the policy.

    The same two-way comparison as for the outcome, with the share of random draws in its place, always with
    errors clustered by entity: the answer is about the panel and does not change with the outcome's errors.

    Parameters
    ----------
    panel : Panel
        Its ``cells`` hold batches by way of drawing; without them the outcome does not come from inspections.
    design : Design
        The rows of the outcome.
    level : float
        Confidence level.

    Returns
    -------
    CheckResult or None
        ``same_sampling``; False when the share moved by more than 10 points and beyond chance. None without cells.
    """
    if panel.cells is None:
        return None
    rows = _with_shares(panel.cells, design)
    if rows["y"].nunique() < 2:
        passed, text = (True, ALIKE) if len(rows) else (None, UNKNOWN)
        return CheckResult(name="same_sampling", passed=passed, text=text)
    mix = dataclasses.replace(design, rows=rows)
    dummy = {ATT: rows["is_treated"].to_numpy(dtype=float)}
    try:
        fit = fit_two_way(mix, dummy)
    except DataError as problem:
        if problem.code == "QB518":
            return CheckResult(name="same_sampling", passed=False, text=IN_STEP)
        # the shares vary too little to carry the comparison; the outcome may still do
        reason = Text(f"（{problem.what_zh}）", f" ({problem.what_en})")
        text = Text(UNKNOWN.zh[:-1] + reason.zh + "。", UNKNOWN.en[:-1] + reason.en + ".")
        return CheckResult(name="same_sampling", passed=None, text=text)
    return _verdict(float(fit.beta[0]), float(fit.half_width(level)[0]), level)


def _share_grid(cells: pd.DataFrame, grid: OutcomeGrid) -> Floats:
    """Return the share of random draws, in percent, of each cell that has an outcome, shape (N, T); NaN unknown."""
    share = _shares(cells)
    row = pd.Index(grid.entities).get_indexer(pd.Index(share["entity"]))
    column = share["period"].to_numpy() - grid.first
    inside = (row >= 0) & (column >= 0) & (column < grid.n_periods)
    placed = np.full(grid.y.shape, np.nan)
    placed[row[inside], column[inside]] = share["y"].to_numpy(dtype=float)[inside]
    return np.where(np.isfinite(grid.y), placed, np.nan)


def _with_shares(cells: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Return the rows of a design with the share of random draws, in percent, as outcome; unknown ones left out."""
    return design.rows.drop(columns="y").merge(_shares(cells), on=["entity", "period"], how="inner")


def _shares(cells: pd.DataFrame) -> pd.DataFrame:
    known = cells[cells["sampling"].isin(["random", "directed"])]
    random = known["n"].where(known["sampling"] == "random", 0)
    places = ordinals(pd.PeriodIndex(known["period"]))
    keys = known.assign(entity=known["entity"].astype(str), period=places, random=random)
    sums = keys.groupby(["entity", "period"])[["n", "random"]].sum()
    return (100 * sums["random"] / sums["n"]).rename("y").rename_axis(["entity", "period"]).reset_index()


def _verdict(moved: float, half: float, level: float) -> CheckResult:
    """Return whether the share of random draws moved, by so many points with half a width of interval."""
    passed = not (abs(moved) > MIX_MOVED_PP and abs(moved) > half)
    shown, span, at = number(moved, 1, sign=True), interval(moved - half, moved + half), level_text(level)
    tail = (
        Text("未见抽样方式明显改变", "no clear change in the way of drawing")
        if passed
        else Text(
            "估计中有一部分来自抽样方式，而不是质量",
            "part of the estimate comes from the way of drawing, not from quality",
        )
    )
    text = Text(
        f"双随机批次占比随政策变化 {shown} 个百分点（{at} CI {span.zh}），{tail.zh}。",
        f"The share of random draws moved by {shown} points with the policy ({at} CI {span.en}): {tail.en}.",
    )
    return CheckResult(name="same_sampling", passed=passed, text=text)
