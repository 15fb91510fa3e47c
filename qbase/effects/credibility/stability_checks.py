"""Whether an effect hangs on one cluster, on who stays in the data, or on the yardstick."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core.numbers import interval, number
from qbase.core.text import Text, join, spaced
from qbase.core.values import CheckResult
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.credibility.grid_tests import Tested, measure_att, with_outcome
from qbase.effects.fitting.path_fit import Estimator, clustered_vcov

MATTERS_PP = 1.0
"""Points by which two readings of one outcome have to differ before it matters."""
EXACT = 1e-9
"""A standard error of points below this is rounding."""
SHARE_PP = 5.0
"""Points by which the share of periods with an outcome has to move before composition is in doubt."""


def check_leave_one_out(grid: OutcomeGrid, estimator: Estimator) -> CheckResult:
    """Check that no single cluster carries the effect.

    Parameters
    ----------
    grid : OutcomeGrid
        Clusters as it says.
    estimator : Estimator
        Called once for every cluster.

    Returns
    -------
    CheckResult
        ``leave_one_out``; False where leaving one cluster out turns the sign, None with fewer than two treated
        clusters. Its table holds the effect without each of them.
    """
    full = float(estimator(grid).beta[0])
    rows, named = [], {}
    for label in np.unique(grid.cluster):
        kept = grid.keep(grid.cluster != label)
        if kept.is_treated.any():
            out = [e for e, c in zip(grid.entities, grid.cluster, strict=True) if c == label]
            named[", ".join(out)] = join([grid.label(e) for e in out], zh="、", en=", ")
            rows.append((", ".join(out), float(estimator(kept).beta[0])))
    table = pd.DataFrame(rows, columns=["left_out", "value"]).dropna()
    if len(set(grid.cluster[grid.is_treated])) < 2 or table.empty or not np.isfinite(full):
        text = Text("采用者只有一个，无法逐个剔除。", "One treated cluster alone cannot be left out.")
        return CheckResult(name="leave_one_out", passed=None, text=text, table=table)
    low, high = float(table["value"].min()), float(table["value"].max())
    span = interval(low, high)
    turned = table.loc[np.sign(table["value"]) != np.sign(full), "left_out"].tolist()
    facts = Text(f"逐个剔除后，效果在 {span.zh} 之间", f"Without one cluster at a time the effect lies at {span.en}")
    if turned:
        who = _some_of([named[e] for e in turned])
        text = spaced(Text(f"{facts.zh}；剔除{who.zh}时变号。", f"{facts.en}; without {who.en} its sign turns."))
        return CheckResult(name="leave_one_out", passed=False, text=text, table=table)
    return CheckResult(
        name="leave_one_out", passed=True, text=Text(f"{facts.zh}，不变号。", f"{facts.en}, of one sign."), table=table
    )


def _some_of(names: list[Text]) -> Text:
    """Return up to three names, and how many there are where there are more."""
    listed = join(names[:3], zh="、", en=" or ")
    if len(names) <= 3:
        return listed
    return Text(f"{listed.zh}等 {len(names)} 个之一", f"{listed.en} (or one of {len(names) - 3} more)")


def check_attrition(grid: OutcomeGrid, estimator: Estimator) -> CheckResult:
    """Check that being in the data did not move with the policy.

    Parameters
    ----------
    grid : OutcomeGrid
        Cells without an outcome are the question.
    estimator : Estimator
        Any.

    Returns
    -------
    CheckResult
        ``attrition``; False where the share of cells with an outcome moved by more than 5 points and beyond chance.
    """
    seen = 100.0 * np.isfinite(grid.y)
    if np.ptp(seen) == 0:
        text = Text("每个主体每期都有结果。", "Every entity has an outcome in every period.")
        return CheckResult(name="attrition", passed=True, text=text)
    found = measure_att(with_outcome(grid, seen), estimator)
    moved = found.rejects and abs(found.value) > SHARE_PP
    shown = found.say()
    tail = (
        Text("在数据中的主体随政策改变", "who is in the data changed with it")
        if moved
        else Text("未见随政策改变", "no change with it is seen")
    )
    text = Text(
        f"有结果的期数占比随政策变化 {shown.zh}个百分点：{tail.zh}。",
        f"The share of periods with an outcome moved by {shown.en} points with the policy: {tail.en}.",
    )
    return CheckResult(name="attrition", passed=None if not found.is_known else not moved, text=text)


def check_same_entities(grid: OutcomeGrid, estimator: Estimator) -> CheckResult:
    """Check that entities with an outcome in every period tell the same as all of them.

    Parameters
    ----------
    grid, estimator
        As in `check_attrition`.

    Returns
    -------
    CheckResult
        ``same_entities_effect``; False where the two effects differ by more than the standard error of the first and
        one point; None where too few are seen throughout.
    """
    whole = np.asarray(np.isfinite(grid.y).all(axis=1), dtype=bool)
    full = measure_att(grid, estimator)
    if whole.all():
        text = Text("各期主体相同。", "The same entities stand in every period.")
        return CheckResult(name="same_entities_effect", passed=True, text=text)
    kept = grid.keep(whole)
    if not kept.is_treated.any() or kept.is_treated.all() or not full.is_known:
        text = Text("各期都有结果的主体太少，无法比较。", "Too few entities have an outcome throughout to compare.")
        return CheckResult(name="same_entities_effect", passed=None, text=text)
    matched = float(estimator(kept).beta[0])
    passed = not abs(matched - full.value) > max(full.std_error, MATTERS_PP)
    a, b = number(full.value, 1, sign=True), number(matched, 1, sign=True)
    tail = (
        Text("相差不超过一个标准误", "apart by no more than a standard error")
        if passed
        else Text("不同，效果中有构成变化", "apart: part of the effect is composition")
    )
    text = Text(
        f"全部主体 {a}，各期都有结果的主体 {b}：{tail.zh}。", f"All entities {a}, those seen throughout {b}: {tail.en}."
    )
    return CheckResult(name="same_entities_effect", passed=passed, text=text)


def check_same_yardstick(grid: OutcomeGrid, constant: OutcomeGrid, estimator: Estimator) -> CheckResult:
    """Check that limits and items did not move with the policy.

    Parameters
    ----------
    grid : OutcomeGrid
        The outcome as judged at the time.
    constant : OutcomeGrid
        The same entities and periods by one yardstick, such as ``D1.rejudged``.
    estimator : Estimator
        Any.

    Returns
    -------
    CheckResult
        ``same_yardstick``; False where the effect on the gap between the two is beyond chance and more than a point:
        the constant yardstick should lead then, and the evidence of the other is limited.
    """
    first, second = estimator(grid), estimator(constant)
    gap = dataclasses.replace(first, beta=first.beta - second.beta, influence=first.influence - second.influence)
    error = float(np.sqrt(clustered_vcov(gap, grid.cluster)[0, 0]))
    groups = int(grid.cluster.max())
    found = Tested(
        value=float(gap.beta[0]), std_error=error, df=float(max(1, groups)), n_treated=int(grid.is_treated.sum())
    )
    # a shift by the same number in every treated entity has no error at all
    moved = abs(found.value) > MATTERS_PP and (found.rejects or error < EXACT)
    shown = (
        found.say() if found.is_known else Text(number(found.value, 1, sign=True), number(found.value, 1, sign=True))
    )
    tail = (
        Text("判定标准随政策改变", "the yardstick moved with the policy")
        if moved
        else Text("未见标准改变", "no move of the yardstick is seen")
    )
    text = Text(
        f"按当时标准与按同一标准的效果相差 {shown.zh}个百分点：{tail.zh}。",
        f"By the yardstick of the time and by a constant one the effects differ by {shown.en} points: {tail.en}.",
    )
    return CheckResult(name="same_yardstick", passed=not moved, text=spaced(text))
