"""What counts by group can carry, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.core.numbers import count, percent
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.indicators.cells.strata import UNKNOWN
from qbase.indicators.group_counts import GroupCounts
from qbase.stats.decomposing.change_parts import ChangeParts

LEAST_COMMON = 0.90
"""A group seen in one period only is all composition: beyond a tenth of the batches a convention, no finding."""

FEW = 5
MOST_FEW = 0.20
"""Rates of groups of fewer than five batches are mostly noise; a fifth of the batches in such groups is too many."""

MOST_UNKNOWN = 0.05


def check_common_groups(parts: ChangeParts) -> CheckResult:
    """Check how many batches lie in groups seen in both periods.

    Parameters
    ----------
    parts : ChangeParts
        Of the change.

    Returns
    -------
    CheckResult
        ``common_groups``; False where more than a tenth of a period's batches have no counterpart.
    """
    least = min(parts.common)
    shown = percent(100 * least)
    if least >= LEAST_COMMON:
        text = Text(
            f"两期各有不少于 {shown} 的批次属于两期都出现的类别。",
            f"In both periods {shown} or more of the batches are of groups seen in both.",
        )
        return CheckResult(name="common_groups", passed=True, text=text)
    text = Text(
        f"有一期只有 {shown} 的批次属于两期都出现的类别；其余只在一期出现，按约定全部计入构成。分类可再粗一些。",
        f"In one period only {shown} of the batches are of groups seen in both; the others count as composition by "
        "convention. Use coarser groups.",
    )
    return CheckResult(name="common_groups", passed=False, text=text)


def check_group_sizes(parts: ChangeParts) -> CheckResult:
    """Check how many batches lie in groups of fewer than five.

    Parameters
    ----------
    parts : ChangeParts
        Of the change.

    Returns
    -------
    CheckResult
        ``group_sizes``; False where they are more than a fifth of a period's batches.
    """
    shares = [float(n[(n > 0) & (n < FEW)].sum() / n.sum()) for n in (parts.cells["n0"], parts.cells["n1"])]
    groups, shown = count(len(parts.cells)), percent(100 * max(shares))
    if max(shares) <= MOST_FEW:
        text = Text(
            f"交叉后共 {groups} 类，每期至多 {shown} 的批次在不足 {FEW} 批的类里。",
            f"{groups} crossed groups; at most {shown} of a period's batches are in groups of fewer than {FEW}.",
        )
        return CheckResult(name="group_sizes", passed=True, text=text)
    text = Text(
        f"交叉后共 {groups} 类，有一期 {shown} 的批次在不足 {FEW} 批的类里："
        "各类的合格率多为偶然，构成与类内之分不可靠。",
        f"{groups} crossed groups; in one period {shown} of the batches are in groups of fewer than {FEW}: their rates "
        "are mostly chance, and the parting of the change is unreliable.",
    )
    return CheckResult(name="group_sizes", passed=False, text=text)


def check_known_groups(counts: GroupCounts, rows: pd.DataFrame, by: tuple[str, ...]) -> CheckResult | None:
    """Check how many batches have no group on record.

    Parameters
    ----------
    counts : GroupCounts
        Names of the factors.
    rows : pandas.DataFrame
        Rows of both periods.
    by : tuple of str
        The factors.

    Returns
    -------
    CheckResult or None
        ``known_groups``, False where a factor is unknown for more than 5 % of the batches; None where all are known.
    """
    n = rows["n"].to_numpy(dtype=float)
    shares = {f: float(n[np.asarray(rows[f] == UNKNOWN)].sum() / n.sum()) for f in by}
    lacking = {f: s for f, s in shares.items() if s > 0}
    if not lacking:
        return None
    told = [counts.name(f) + Text(f" {percent(100 * s)}", f" {percent(100 * s)}") for f, s in lacking.items()]
    listed = join(told, zh="、", en=", ")
    text = Text(
        f"没有记录的批次自成一类：{listed.zh}。", f"Batches without a record are a group of their own: {listed.en}."
    )
    passed = None if max(lacking.values()) <= MOST_UNKNOWN else False
    return CheckResult(name="known_groups", passed=passed, text=text)
