"""Whether the way of drawing changed with the policy: then a rate moves without quality."""

from __future__ import annotations

import dataclasses

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import interval, level_text, number
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.effects.comparison.treated_and_controls import Design
from qbase.effects.fitting.two_way_fit import fit_two_way
from qbase.effects.judging.result_parts import ATT

MIX_MOVED_PP = 10.0
"""A shift of the share of random draws by more than this, beyond chance, is a change of the yardstick."""

UNKNOWN = Text(
    "无法检验抽样方式是否随政策改变。", "Whether the way of drawing changed with the policy cannot be tested."
)

IN_STEP = Text(
    "双随机批次占比与政策完全同步改变，合格率的变化无法与抽样方式分开。",
    "The share of random draws changed exactly in step with the policy: its effect cannot be told from the drawing.",
)


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
        text = Text("抽样方式始终相同。", "Batches were drawn alike throughout.")
        return CheckResult(
            name="same_sampling", passed=True if len(rows) else None, text=text if len(rows) else UNKNOWN
        )
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
    moved, half = float(fit.beta[0]), float(fit.half_width(level)[0])
    passed = not (abs(moved) > MIX_MOVED_PP and abs(moved) > half)
    return CheckResult(name="same_sampling", passed=passed, text=_text(moved, half, passed, level))


def _with_shares(cells: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Return the rows of a design with the share of random draws, in percent, as outcome; unknown ones left out."""
    known = cells[cells["sampling"].isin(["random", "directed"])]
    random = known["n"].where(known["sampling"] == "random", 0)
    keys = [known["entity"].astype(str), known["period"].map(lambda p: p.ordinal)]
    sums = pd.DataFrame({"n": known["n"], "random": random}).groupby(keys).sum()
    share = (100 * sums["random"] / sums["n"]).rename("y").rename_axis(["entity", "period"]).reset_index()
    return design.rows.drop(columns="y").merge(share, on=["entity", "period"], how="inner")


def _text(moved: float, half: float, passed: bool, level: float) -> Text:
    shown, span = number(moved, 1, sign=True), interval(moved - half, moved + half)
    if passed:
        return Text(
            f"双随机批次占比随政策变化 {shown} 个百分点（{level_text(level)} CI {span.zh}），未见抽样方式明显改变。",
            f"The share of random draws moved by {shown} points with the policy ({level_text(level)} CI {span.en}): "
            "no clear change in the way of drawing.",
        )
    return Text(
        f"双随机批次占比随政策变化 {shown} 个百分点（{level_text(level)} CI {span.zh}），"
        "估计中有一部分来自抽样方式，而不是质量。",
        f"The share of random draws moved by {shown} points with the policy ({level_text(level)} CI {span.en}): "
        "part of the estimate comes from the way of drawing, not from quality.",
    )
