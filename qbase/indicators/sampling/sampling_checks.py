"""Checks of the sampling design: did the mix move, were classes drawn alike, do random and directed draws agree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm, t
from statsmodels.stats.proportion import confint_proportions_2indep

from qbase.core import periods
from qbase.core.numbers import interval, level_text, number, p_value
from qbase.core.panel import Panel
from qbase.core.policy import Policy, match_policy
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.indicators.cells.inspection_window import open_rows
from qbase.indicators.cells.sampling_design import Design
from qbase.indicators.cells.strata import read_frame, read_strata
from qbase.stats.design.design_tests import (
    FEW_ENTITIES,
    UNTESTABLE,
    ClassFractions,
    Difference,
    compare_draws,
    compare_fractions,
)

if TYPE_CHECKING:
    from qbase.lake import Workspace

MIX_MOVED_PP = 10.0
"""A shift of the share of random draws by more than this, beyond chance, is a change of the yardstick."""

MATTERS_PP = 2.0
"""A difference between random and directed draws of one stratum that should not go unseen."""


def check_sampling_mix(panel: Panel, policy: Policy | None = None, *, level: float = 0.95) -> CheckResult:
    """Check whether the share of random draws (双随机) stayed what it was, and whether it moved with a policy.

    Parameters
    ----------
    panel : Panel
        Its ``cells`` hold batches by way of drawing.
    policy : Policy or None
        With one: change of the share in the treated entities minus that in the others over the same periods.
        Without: the last year against the first.
    level : float
        Confidence level.

    Returns
    -------
    CheckResult
        ``sampling_mix``; False when the share moved by more than 10 points and beyond chance, None when unknown.
        The table holds the share by period.

    Examples
    --------
    >>> from qbase.indicators import build_panel, check_sampling_mix
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q1", last="2025Q4")
    >>> print(check_sampling_mix(panel).text.en)
    The share of random draws moved by −2.1 points in the last year against the first (95% CI −6.8 to 2.7): no clear
    change of the mix.
    """
    cells = _known(panel)
    if cells is None:
        text = Text("抽样方式没有记录，无法核对抽样结构。", "How batches were drawn is not on record.")
        return CheckResult(name="sampling_mix", passed=None, text=text)
    table = _shares(cells, ["period"]).reset_index()
    moved = _moved_in_time(cells, level) if policy is None else _moved_with(cells, policy, level)
    if moved is None:
        text = Text("两段时期中有一段没有抽查，无法比较抽样结构。", "One of the two spans holds no draws to compare.")
        return CheckResult(name="sampling_mix", passed=None, text=text, table=table)
    value, low, high = moved
    passed = not (abs(value) > MIX_MOVED_PP and (low > 0 or high < 0))
    return CheckResult(name="sampling_mix", passed=passed, text=_mix_text(moved, policy, passed, level), table=table)


def _known(panel: Panel) -> pd.DataFrame | None:
    if panel.cells is None:
        return None
    cells = panel.cells[panel.cells["sampling"].isin(["random", "directed"])]
    return None if cells.empty else cells


def _shares(cells: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    sums = cells.assign(random=cells["n"].where(cells["sampling"] == "random", 0)).groupby(by)[["n", "random"]].sum()
    return sums.assign(random_pct=100 * sums["random"] / sums["n"])


def _moved_in_time(cells: pd.DataFrame, level: float) -> tuple[float, float, float] | None:
    years = _shares(cells.assign(year=cells["period"].map(lambda p: p.year)), ["year"])
    if len(years) < 2:
        return None
    a, b = years.iloc[0], years.iloc[-1]
    low, high = confint_proportions_2indep(
        b["random"], b["n"], a["random"], a["n"], method="newcomb", compare="diff", alpha=1 - level
    )
    return float(b["random_pct"] - a["random_pct"]), 100 * float(low), 100 * float(high)


def _moved_with(cells: pd.DataFrame, policy: Policy, level: float) -> tuple[float, float, float] | None:
    """Return the mean over treated entities of their change minus the others', with an interval between entities."""
    starts = match_policy(policy, list(cells["entity"].unique())).first_treated
    others = cells[~cells["entity"].isin(list(starts))]
    changes, noise = [], []
    for entity, start in starts.items():
        own = _before_after(cells[cells["entity"] == entity], start)
        base = _before_after(others, start)
        if own is not None and base is not None:
            changes.append(own[0] - base[0])
            noise.append(own[1])
    if not changes:
        return None
    count = len(changes)
    error = math.sqrt(sum(noise)) / count
    if count >= FEW_ENTITIES:
        error = max(error, float(np.std(changes, ddof=1)) / math.sqrt(count))
    half = float(t.ppf(0.5 + level / 2, max(count - 1, 1)) if count >= FEW_ENTITIES else norm.ppf(0.5 + level / 2))
    value = float(np.mean(changes))
    return value, value - half * error, value + half * error


def _before_after(cells: pd.DataFrame, start: pd.Period) -> tuple[float, float] | None:
    """Return the change of the share at a date, in points, and its binomial variance."""
    after = cells["period"] >= start
    if after.all() or not after.any():
        return None
    sums = _shares(cells.assign(after=after), ["after"])
    p, n = sums["random_pct"].to_numpy() / 100, sums["n"].to_numpy()
    return 100 * float(p[1] - p[0]), 1e4 * float((np.maximum(p * (1 - p), 1 / (4 * n)) / n).sum())


def _mix_text(moved: tuple[float, float, float], policy: Policy | None, passed: bool, level: float) -> Text:
    shown, span = number(moved[0], 1, sign=True), interval(moved[1], moved[2])
    since = Text("最后一年比第一年", "in the last year against the first")
    if policy is not None:
        since = Text("政策实施后与其他对象相比", "with the policy, against the others")
    end = Text("未见抽样结构明显改变。", "no clear change of the mix.")
    if not passed:
        end = Text(
            "抽样结构变了，未加权的合格率随之变动，请以加权的双随机样本为准。",
            "the mix changed and moves unweighted rates; take the weighted random draws.",
        )
    return Text(
        f"双随机批次占比{since.zh}变动 {shown} 个百分点（{level_text(level)} CI {span.zh}），{end.zh}",
        f"The share of random draws moved by {shown} points {since.en} ({level_text(level)} CI {span.en}): {end.en}",
    )


def check_random_against_directed(panel: Panel, *, level: float = 0.95) -> CheckResult:
    """Check whether directed draws of a stratum pass as often as random ones: what post-stratification assumes.

    Parameters
    ----------
    panel : Panel
        Weighted: its ``cells`` hold batches by stratum of the frame and way of drawing.
    level : float
        Confidence level.

    Returns
    -------
    CheckResult
        ``random_against_directed``; False when they differ: post-stratified numbers then rest on an assumption the
        data cannot test (依赖不可检验假设) and the weighted random draws lead. None when unknown, or when a
        difference of 2 points would probably go unseen.

    Examples
    --------
    >>> from qbase.indicators import build_panel, check_random_against_directed
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q3", last="2025Q4", sampling="post_stratified")
    >>> print(check_random_against_directed(panel).text.en)
    Within risk class and size, random draws pass +3.4 points against directed ones (95% CI −7.0 to 13.8): no
    difference, but only one of 14.4 or more would show; what post-stratification assumes is hardly tested.
    """
    cells = _known(panel)
    if cells is None or panel.sampling == "naive":
        text = Text(
            "面板没有按风险等级和规模分层，无法比较双随机与定向抽查。",
            "The panel holds no strata of risk class and size, so random and directed draws cannot be compared.",
        )
        return CheckResult(name="random_against_directed", passed=None, text=text)
    found = compare_draws(cells[cells["stratum"] != "unknown"], level=level)
    if found is None:
        text = Text("没有同时含双随机和定向批次的层。", "No stratum holds both random and directed draws.")
        return CheckResult(name="random_against_directed", passed=None, text=text)
    passed = False if found.differs else (True if found.detectable_pp <= MATTERS_PP else None)
    return CheckResult(name="random_against_directed", passed=passed, text=_difference_text(found, passed, level))


def _difference_text(found: Difference, passed: bool | None, level: float) -> Text:
    half = found.critical * found.std_error
    shown, span = number(found.value, 1, sign=True), interval(found.value - half, found.value + half)
    seen = number(found.detectable_pp, 1)
    if passed is False:
        end = Text(
            f"未登记的风险影响了定向抽查：事后分层的数字{UNTESTABLE.zh}，以加权的双随机样本为准。",
            f"directed draws follow a risk that is not on record, so a post-stratified figure {UNTESTABLE.en} "
            "and the weighted random draws lead.",
        )
    elif passed:
        end = Text(
            f"未见差别，{seen} 个百分点的差别有八成把握能发现。", f"no difference; one of {seen} would show in 4 of 5."
        )
    else:
        end = Text(
            f"未见差别，但样本只够发现 {seen} 个百分点以上的差别，事后分层的前提未得到充分检验。",
            f"no difference, but only one of {seen} or more would show; what post-stratification assumes is hardly "
            "tested.",
        )
    return Text(
        f"同一风险等级和规模内，双随机合格率与定向抽查相差 {shown} 个百分点"
        f"（{level_text(level)} CI {span.zh}）：{end.zh}",
        f"Within risk class and size, random draws pass {shown} points against directed ones "
        f"({level_text(level)} CI {span.en}): {end.en}",
    )


def check_class_fractions(panel: Panel, workspace: Workspace, *, level: float = 0.99) -> CheckResult:
    """Check whether random draws (双随机) took the same fraction of every risk class, and whether weights allow for it.

    Parameters
    ----------
    panel : Panel
        From `qbase.indicators.build_panel`.
    workspace : Workspace
        The one it was built from.
    level : float
        Confidence level of the test of equal fractions.

    Returns
    -------
    CheckResult
        ``class_fractions``; False when fractions differ and the panel does not weigh them, None when they are not
        on record.

    Examples
    --------
    >>> from qbase.indicators import build_panel, check_class_fractions
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q3", last="2025Q4", sampling="post_stratified")
    >>> print(check_class_fractions(panel, open_workspace()).text.en)
    Classes were drawn at much the same fraction (A/B/C/D = 1.0 : 1.1 : 1.0 : 0.9, p 0.66).
    """
    found = _read_fractions(panel, workspace)
    if found is None:
        text = Text(
            "各风险等级的企业数或抽取比例没有记录，双随机批次按未加权计算；如果各等级抽取比例不同，数字会有偏差。",
            "Firms or fractions by risk class are not on record: random draws are unweighted, and biased if classes "
            "were drawn at different fractions.",
        )
        return CheckResult(name="class_fractions", passed=None, text=text)
    classes, fractions = found
    ratio = " : ".join(number(r / fractions.rates[0], 1) for r in fractions.rates)
    named = f"{'/'.join(classes)} = {ratio}, p {p_value(fractions.p_value)}"
    if fractions.p_value >= 1 - level:
        text = Text(
            f"各风险等级抽取比例大体相同（{named}）。", f"Classes were drawn at much the same fraction ({named})."
        )
        return CheckResult(name="class_fractions", passed=True, text=text)
    is_weighted = panel.sampling != "naive"
    end = (
        Text("已按比例加权。", "weights allow for it.")
        if is_weighted
        else Text("未加权的合格率有偏差。", "an unweighted rate is biased.")
    )
    text = Text(
        f"各风险等级抽取比例不同（{named}），{end.zh}", f"Classes were drawn at different fractions ({named}): {end.en}"
    )
    return CheckResult(name="class_fractions", passed=is_weighted, text=text)


def _read_fractions(panel: Panel, workspace: Workspace) -> tuple[list[str], ClassFractions] | None:
    at = workspace.snapshot(panel.snapshot or None)
    if not (workspace.has_table("frame", at) and workspace.has_table("firms", at)):
        return None
    first, last = (
        periods.to_periods(pd.Index([d]), "Q")[0] for d in (panel.periods[0].start_time, panel.periods[-1].end_time)
    )
    rows = open_rows(workspace, entity="cluster_id", freq="Q", snapshot=panel.snapshot or None, first=first, last=last)
    found = read_strata(rows, Design())
    frame = read_frame(rows, Design(), found, is_needed=False)
    if frame is None or frame.empty:
        return None
    by = ["cluster_id", "period"]
    firms = frame.pivot_table(index=by, columns="risk_class", values="firms", aggfunc="sum", fill_value=0)
    drawn = found.pivot_table(index=by, columns="risk_class", values="random_n", aggfunc="sum", fill_value=0)
    drawn = drawn.reindex(index=firms.index, columns=firms.columns, fill_value=0)
    if drawn.to_numpy().sum() == 0:
        return None
    return [str(c) for c in firms.columns], compare_fractions(drawn.to_numpy(dtype=float), firms.to_numpy(dtype=float))
