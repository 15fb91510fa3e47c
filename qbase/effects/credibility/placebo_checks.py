"""Effects where there can be none: before the policy, on outcomes it cannot move, on neighbours it did not treat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.credibility.grid_tests import LEVEL, Tested, measure_att, with_outcome
from qbase.effects.fitting.path_fit import Estimator

SHIFT = 4


def check_placebo_in_time(grid: OutcomeGrid, estimator: Estimator, *, shift: int = SHIFT) -> CheckResult:
    """Check that the estimator finds nothing when the policy is said to have come earlier.

    Parameters
    ----------
    grid : OutcomeGrid
        Cells under the policy are taken out, so that no effect of it can be found.
    estimator : Estimator
        Any.
    shift : int
        Periods by which every start is moved forward; entities without a period before that are left out.

    Returns
    -------
    CheckResult
        ``placebo_in_time``; False where the placebo effect is off 0, None where it cannot be estimated.
    """
    found = early_effect(grid, estimator, shift)
    what = Text(f"把政策开始提前 {shift} 期", f"With the policy said to have come {shift} periods early")
    return _judged("placebo_in_time", found, what)


def check_anticipation(grid: OutcomeGrid, estimator: Estimator, *, periods: int = 1) -> CheckResult:
    """Check that the last periods before the start show no early effect.

    Parameters
    ----------
    grid, estimator
        As in `check_placebo_in_time`.
    periods : int
        How many before the start could react, such as from the announcement on.

    Returns
    -------
    CheckResult
        ``anticipation``; False where they already moved. Leave them out as a donut then, or allow for them.
    """
    found = early_effect(grid, estimator, periods)
    return _judged("anticipation", found, Text(f"政策开始前 {periods} 期", f"In the last {periods} before the start"))


def check_placebo_outcome(grids: Mapping[str, OutcomeGrid], estimator: Estimator) -> CheckResult:
    """Check that outcomes the policy cannot move did not move.

    Parameters
    ----------
    grids : mapping
        Name of the outcome -> its grid, under the same policy.
    estimator : Estimator
        Any.

    Returns
    -------
    CheckResult
        ``placebo_outcome``; False where one of them moved, at 5 % for all together (Holm). Its table holds each.
    """
    found = {name: measure_att(grid, estimator) for name, grid in grids.items()}
    known = {name: t for name, t in found.items() if t.is_known}
    table = pd.DataFrame(
        [(name, t.value, t.std_error, t.p_value) for name, t in found.items()],
        columns=["outcome", "value", "std_error", "p_value"],
    )
    if not known:
        text = Text("安慰剂指标无法估计。", "No placebo outcome can be estimated.")
        return CheckResult(name="placebo_outcome", passed=None, text=text, table=table)
    # Holm rejects any of them exactly where it rejects the smallest p
    worst = min(known, key=lambda name: known[name].p_value)
    passed = known[worst].p_value * len(known) >= LEVEL
    said = join([Text(f"{name} {t.say().zh}", f"{name} {t.say().en}") for name, t in known.items()], zh="；", en="; ")
    verdict = (
        Text("政策不应改变的指标未见改变", "Outcomes the policy cannot move did not move")
        if passed
        else Text(f"政策不应改变的 {worst} 也变了", f"{worst}, which the policy cannot move, moved")
    )
    text = Text(f"{verdict.zh}：{said.zh}。", f"{verdict.en}: {said.en}.")
    return CheckResult(name="placebo_outcome", passed=passed, text=text, table=table)


def check_spillover(grid: OutcomeGrid, estimator: Estimator, neighbours: Mapping[str, tuple[str, ...]]) -> CheckResult:
    """Check that the neighbours of the treated did not move with them.

    Parameters
    ----------
    grid : OutcomeGrid
        Treated, controls and the spillover arm.
    estimator : Estimator
        Any.
    neighbours : mapping
        Entity of the spillover arm -> its treated neighbours, as `Controls.spillover` has it.

    Returns
    -------
    CheckResult
        ``spillover``; False where the arm moved from the start of its first treated neighbour on, compared with the
        controls and without the treated. None without an arm.
    """
    place = {entity: i for i, entity in enumerate(grid.entities)}
    start = np.where(grid.is_treated, np.nan, grid.start)
    for entity, near in neighbours.items():
        starts = [grid.start[place[t]] for t in near if t in place]
        if entity in place and starts:
            start[place[entity]] = min(starts)
    arm = grid.with_start(start).keep(~grid.is_treated)
    found = measure_att(arm, estimator)
    return _judged("spillover", found, Text("相邻而未采用者", "Neighbours that were not treated"))


def early_effect(grid: OutcomeGrid, estimator: Estimator, shift: int) -> Tested:
    """Return the effect found in the ``shift`` periods before the start, with those from it on taken out."""
    treated = grid.is_treated
    y = np.where(grid.event_time >= 0, np.nan, grid.y)
    moved = np.where(treated, grid.start - shift, grid.start)
    firsts = np.nan_to_num(moved).astype(int)
    seen_before = np.array([np.isfinite(row[: max(0, s)]).any() for row, s in zip(y, firsts, strict=True)])
    last = int(grid.start[treated].max()) if treated.any() else grid.n_periods
    placebo = with_outcome(grid, y[:, :last]).with_start(np.where(moved >= last, np.nan, moved))
    return measure_att(placebo.keep(~treated | seen_before), estimator)


def _judged(name: str, found: Tested, what: Text) -> CheckResult:
    table = pd.DataFrame([{"value": found.value, "std_error": found.std_error, "n_treated": found.n_treated}])
    shown = found.say()
    if not found.is_known:
        text = Text(f"{what.zh}：{shown.zh}。", f"{what.en}: {shown.en}.")
        return CheckResult(name=name, passed=None, text=text, table=table)
    if found.rejects:
        text = Text(f"{what.zh}：已有“效果” {shown.zh}。", f"{what.en}: there is an “effect” of {shown.en}.")
        return CheckResult(name=name, passed=False, text=text, table=table)
    text = Text(f"{what.zh}：未见变化，{shown.zh}。", f"{what.en}: nothing is seen to move, {shown.en}.")
    return CheckResult(name=name, passed=True, text=text, table=table)
