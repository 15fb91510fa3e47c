"""What a trend rests on, and whether a line says it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core.numbers import count, number, p_value
from qbase.core.panel import Panel
from qbase.core.periods import PER_YEAR, ordinal, ordinals
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Estimate
from qbase.trends.counts.count_checks import check_same_sampling
from qbase.trends.counts.matched_entities import DRAWN
from qbase.trends.counts.period_counts import Counts
from qbase.trends.rates.trend_fit import SLOPE, Floats, curvature_p, fit_binomial

RARE = 20
"""Below so many failures (or passes) in all, a slope hangs on a few of them."""

LEAST_FIRMS = 10
"""Six firms of ten batches, the same every year and very alike, cover 91 % where the nominal level is 95 %."""

MOST_GAPS = 0.25
SPREAD_P = 0.01
BENT_P = 0.05
MOST_ENTITIES = 100
"""More entities than this are not given an intercept each."""


def check_total(counts: Counts) -> CheckResult:
    """Check whether failures and passes are enough for a slope: ``small_n``, False below 20 of either."""
    n, k = int(counts.series["n"].sum()), int(counts.series["k"].sum())
    rare = min(k, n - k)
    is_pass = counts.indicator.better == "up"
    which = ("不合格" if n - k <= k else "合格") if is_pass else ("未出现" if n - k <= k else "出现")
    said = Text(
        f"{len(counts.index)} 期共 {count(n)} 个样本，其中{which} {count(rare)} 个",
        f"{count(n)} tested in {len(counts.index)} periods, the rarer result {count(rare)} times",
    )
    end = Text("。", ".") if rare >= RARE else Text("，斜率取决于少数几个样本。", ": a slope hangs on a few of them.")
    return CheckResult(name="small_n", passed=rare >= RARE, text=said + end)


def check_firms(firms: int) -> CheckResult:
    """Check whether firms are enough for errors clustered by them: ``trend_firms``, False below 10."""
    text = Text(f"标准误按 {count(firms)} 家企业聚类。", f"Standard errors are clustered by {count(firms)} firms.")
    if firms >= LEAST_FIRMS:
        return CheckResult(name="trend_firms", passed=True, text=text)
    few = Text("企业过少，区间可能偏窄。", "So few may leave the interval too narrow.")
    return CheckResult(name="trend_firms", passed=False, text=join([text, few], zh="", en=" "))


def check_gaps(index: pd.PeriodIndex, *, step: int = 1) -> CheckResult:
    """Check whether periods are missing, one every ``step``: ``trend_gaps``, False above a quarter of them."""
    whole = (ordinal(index[-1]) - ordinal(index[0])) // step + 1
    missing = whole - len(index)
    if missing == 0:
        return CheckResult(name="trend_gaps", passed=True, text=Text("各期都有抽查。", "Every period has tests."))
    text = Text(
        f"{count(whole)} 期中有 {count(missing)} 期没有抽查。", f"{count(missing)} of {count(whole)} periods have none."
    )
    return CheckResult(name="trend_gaps", passed=False if missing > MOST_GAPS * whole else None, text=text)


def check_spread(dispersion: float, chance: float, *, knows_firms: bool) -> CheckResult:
    """Check whether periods vary around the trend by more than chance: ``trend_spread``.

    Parameters
    ----------
    dispersion : float
        Pearson's statistic over its degrees of freedom.
    chance : float
        Its p value.
    knows_firms : bool
        Whether likeness of batches of one firm is already taken out.
    """
    value = number(dispersion, 2)
    beyond = (
        Text("抽样误差和企业内相近", "chance and likeness inside firms") if knows_firms else Text("抽样误差", "chance")
    )
    if chance >= SPREAD_P:
        text = Text(
            f"各期围绕趋势的离散（{value} 倍）不超出{beyond.zh}。",
            f"Periods vary around the trend ({value} times) no more than by {beyond.en}.",
        )
        return CheckResult(name="trend_spread", passed=True, text=text)
    text = Text(
        f"各期围绕趋势的离散是{beyond.zh}所能解释的 {value} 倍，区间已放宽；另有因素在影响各期。",
        f"Periods vary around the trend {value} times as much as {beyond.en} explains; the interval is widened, and "
        "something else moves them.",
    )
    return CheckResult(name="trend_spread", passed=False, text=text)


def check_shape(counts: Counts, design: Floats) -> CheckResult | None:
    """Check whether a line says it: ``trend_shape``, False where a bend is found at 5 %; None where it has no fit."""
    n, k = (counts.series[c].to_numpy(dtype=float) for c in ("n", "k"))
    p = curvature_p(n, k, design)
    if p is None:
        return None
    shown = p_value(p)
    shown = shown if shown[0] in "<>" else f"= {shown}"
    if p >= BENT_P:
        text = Text(f"没有发现明显的弯曲（p {shown}）。", f"No bend is found (p {shown}).")
        return CheckResult(name="trend_shape", passed=True, text=text)
    text = Text(
        f"走势有弯曲（p {shown}）：每年的平均变化掩盖了快慢或转向。",
        f"The path bends (p {shown}): an average a year hides that it sped up, slowed down or turned.",
    )
    return CheckResult(name="trend_shape", passed=False, text=text)


def check_drawing(panel: Panel, entity: str | None, index: pd.PeriodIndex) -> CheckResult:
    """Check whether the two halves of a window were drawn alike, as `check_same_sampling` does two periods."""
    first, last = index[0], index[-1]
    if panel.cells is None:
        return check_same_sampling(panel, entity, first, last)
    cells = panel.cells[panel.cells["period"].isin(index)]
    is_early = np.asarray(pd.PeriodIndex(cells["period"]) <= index[(len(index) - 1) // 2])
    ordinals = np.where(is_early, first.ordinal, last.ordinal)
    parted: pd.PeriodIndex = pd.PeriodIndex.from_ordinals(ordinals, freq=index.freqstr)  # type: ignore[attr-defined]
    halves = cells.assign(period=parted)
    found = check_same_sampling(dataclasses.replace(panel, cells=halves), entity, first, last)
    return dataclasses.replace(found, text=Text("前后两半时期：", "Earlier and later half: ") + found.text)


def check_within(panel: Panel, outcome: str, counts: Counts, pooled: Estimate) -> CheckResult | None:
    """Check a pooled trend against that inside the entities: ``within_entities``, False where the signs differ.

    Parameters
    ----------
    panel : Panel
        Of several entities; None is returned where single firms are drawn, or there are very many entities.
    outcome : str
        Id of a rate.
    counts : Counts
        Summed over entities.
    pooled : Estimate
        The pooled trend.
    """
    cells = panel.counts(outcome).reset_index()
    cells = cells[(cells["n"] > 0) & cells["period"].isin(counts.index)]
    sums = cells.groupby("entity")[["n", "k"]].transform("sum")
    # an entity that passed throughout has no log-odds of its own, and no slope
    cells = cells[(sums["k"] > 0) & (sums["k"] < sums["n"])]
    if panel.entity == DRAWN or not 2 <= cells["entity"].nunique() <= MOST_ENTITIES:
        return None
    index = pd.PeriodIndex(cells["period"])
    years = ordinals(index) / PER_YEAR[panel.freq]
    years -= years.mean()
    intercepts = pd.get_dummies(cells["entity"]).to_numpy(dtype=float)
    x = np.column_stack([intercepts[:, :1], years, intercepts[:, 1:]])
    x[:, 0] = 1.0
    n, k = (cells[c].to_numpy(dtype=float) for c in ("n", "k"))
    found = fit_binomial(n, k, x)
    if found is None:
        return None
    beta, rate, _ = found
    inside = 100 * float(beta[SLOPE] * (n * rate * (1 - rate)).sum() / n.sum())
    is_against = inside * pooled.value < 0 and not pooled.covers_zero
    value, whole = number(inside, 2, sign=True), number(pooled.value, 2, sign=True)
    end = (
        Text("方向一致。", "the same direction.")
        if inside * pooled.value >= 0
        else Text("方向不同，", "directions differ, ")
    )
    if inside * pooled.value < 0:
        why = Text("合并的趋势来自抽查在对象间的分布改变。", "the pooled one comes from who was tested more often.")
        end = end + (why if is_against else Text("但合并的趋势本就不明确。", "but the pooled one is not clear anyway."))
    text = Text(
        f"各对象内部的趋势为每年 {value} 个百分点，合并为 {whole}：{end.zh}",
        f"Inside the entities the trend is {value} points a year, pooled {whole}: {end.en}",
    )
    return CheckResult(name="within_entities", passed=not is_against, text=text)
