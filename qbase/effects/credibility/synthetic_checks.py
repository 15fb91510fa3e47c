"""Whether a synthetic comparison can be trusted, in words: rank among placebos, fit before, donors behind it."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.core.numbers import count, interval, level_text, number, p_value
from qbase.core.results.sentences import say_p
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.effects.donors.donor_placebos import Placebos, half_width, rank_among
from qbase.effects.donors.donor_pool import DonorPool

WORST_FIT = 2.0
"""A gap before the start of more than twice the placebos' median is no comparison (Abadie et al. 2010 drop such)."""
MOST_WEIGHT = 0.5
SMALL_STEP = 0.01
"""Of the placebos' spread: what the published steps may lack to the optimum."""

ASSUMES = Text(
    "前提：若没有这项政策，采用者会像合成对照那样变化；政策前贴合只是佐证，不能证明。",
    "Assumes that without the policy the treated would have moved as its synthetic comparison did; a close fit before "
    "the start supports this and cannot prove it.",
)
BY_RANK = Text(
    "判断依据是名次：把每个未采用者依次当作采用者重新估计，看真实效果在其中排第几；对象不足三个时不给区间，也不据区间下结论。",
    "Judged by rank: each of those not treated takes the place of the treated in turn, and the effect is placed among "
    "these. With fewer than three treated no interval is given and no verdict rests on one.",
)
GAPS_BEFORE = Text(
    "政策前的差距是拟合出来的残差，不是对政策前趋势的检验。",
    "Gaps before the start are residuals of the fit, not a test of what moved before the policy.",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rank:
    """Place of one estimate among its placebos; ``low`` and ``high`` are what rank does not exclude, if it can."""

    rank: int
    n: int
    p: float
    low: float | None
    high: float | None


def rank_of(placebos: Placebos, value: float, others: np.ndarray, level: float) -> Rank:
    """Return the place of an effect, or of the gap of one period, among the placebos'."""
    rank, p = rank_among(value, others)
    half = half_width(others, level)
    return Rank(
        rank=rank,
        n=len(placebos.sets) + 1,
        p=p,
        low=None if half is None else value - half,
        high=None if half is None else value + half,
    )


def check_placebo_rank(placebos: Placebos, found: Rank, *, level: float, digits: int) -> CheckResult:
    """Say where the effect stands among its placebos (``placebo_rank``), and how small its p value can be."""
    said = Text(
        f"在采用者与 {count(found.n - 1)} 个安慰剂中，效果的大小排第 {count(found.rank)} 位（共 {count(found.n)} 位）："
        f"{say_p(found.p).zh}，可得的最小 p 为 {p_value(placebos.floor)}。",
        f"Among the treated and {count(found.n - 1)} placebos the effect ranks {count(found.rank)} of "
        f"{count(found.n)} by size: {say_p(found.p).en}; the smallest p there can be is {p_value(placebos.floor)}.",
    )
    if found.low is None or found.high is None:
        more = Text(
            f"按 {level_text(level)} 水平无法检验。", f"This cannot be tested at the {level_text(level)} level."
        )
    else:
        ends = interval(found.low, found.high, digits)
        more = Text(
            f"名次未能排除的效果（{level_text(level)}）：{ends.zh}。",
            f"Effects that the rank does not exclude ({level_text(level)}): {ends.en}.",
        )
    drawn = [] if placebos.is_enumerated else [Text("安慰剂组合为随机抽取。", "Sets of placebos were drawn at random.")]
    return CheckResult(name="placebo_rank", passed=None, text=join([said, more, *drawn], zh="", en=" "))


def check_rmspe_ratio(placebos: Placebos) -> CheckResult:
    """Say how the gap after compares with that before, among the placebos (``rmspe_ratio``)."""
    ratios = placebos.fits.ratios
    rank, p = rank_among(float(ratios[0]), ratios[1:])
    text = Text(
        f"政策后与政策前差距（均方根）之比为 {number(float(ratios[0]), 1)}，在 {count(len(ratios))} 个中排第 "
        f"{count(rank)} 位（{say_p(p).zh}）。",
        f"The gap after is {number(float(ratios[0]), 1)} times that before (root mean squares), which ranks "
        f"{count(rank)} of {count(len(ratios))} ({say_p(p).en}).",
    )
    return CheckResult(name="rmspe_ratio", passed=None, text=text)


def check_fit_before(placebos: Placebos, digits: int) -> CheckResult:
    """Check that the comparison fits before the start as well as those of the placebos do (``fit_before``)."""
    own, usual = float(placebos.fits.before[0]), float(np.median(placebos.fits.before[1:]))
    passed = own <= WORST_FIT * usual
    shown, usual_shown = number(own, digits + 1), number(usual, digits + 1)
    ends = Text(
        "对照可用。" if passed else "超过两倍，对照不像采用者。",
        "the comparison serves." if passed else "more than twice as much, so it is unlike the treated.",
    )
    text = Text(
        f"政策前差距（均方根）{shown}，安慰剂的中位数 {usual_shown}：{ends.zh}",
        f"Gap before the start (root mean square) {shown}, median of the placebos {usual_shown}: {ends.en}",
    )
    return CheckResult(name="fit_before", passed=passed, text=text)


def check_donor_weights(pool: DonorPool, placebos: Placebos) -> CheckResult:
    """Check that no donor alone carries the comparison (``donor_weights``)."""
    weights = placebos.fits.weights[0]
    largest, effective = int(np.abs(weights).argmax()), 1.0 / float((weights**2).sum())
    passed = bool(abs(weights[largest]) <= MOST_WEIGHT)
    share = number(100 * float(weights[largest]), 0) + "%"
    name = pool.donors[largest]
    text = Text(
        f"有效对照 {number(effective, 1)} 个（共 {count(len(weights))} 个），最大权重 {share}（{name}）"
        + ("。" if passed else "，一个对照过半。"),
        f"Effectively {number(effective, 1)} donors of {count(len(weights))}; largest weight {share} ({name})"
        + ("." if passed else ": one donor is more than half of it."),
    )
    return CheckResult(name="donor_weights", passed=passed, text=text)


def check_each_donor(pool: DonorPool, placebos: Placebos, digits: int) -> CheckResult | None:
    """Check that the effect keeps its sign without each donor (``leave_one_donor_out``); None with two donors."""
    if not placebos.left_out:
        return None
    low, high = float(placebos.effects_without.min()), float(placebos.effects_without.max())
    passed = low > 0 or high < 0
    ends = interval(low, high, digits)
    text = Text(
        f"依次去掉每个对照，效果在 {ends.zh} 之间" + ("，方向不变。" if passed else "，方向会变。"),
        f"Without each donor in turn the effect lies within {ends.en}"
        + ("; its sign stays." if passed else "; its sign changes."),
    )
    return CheckResult(name="leave_one_donor_out", passed=passed, text=text)


def check_cells_used(pool: DonorPool) -> CheckResult:
    """Say which donors and periods were left out for want of cells (``rows_used``)."""
    base = Text(
        f"对照 {count(len(pool.donors))} 个，{count(len(pool.columns))} 期（政策前 {count(pool.n_before)} 期）",
        f"{count(len(pool.donors))} donors over {count(len(pool.columns))} periods, {count(pool.n_before)} of them "
        "before the start",
    )
    lost = []
    if pool.without_cells:
        names = ", ".join(pool.without_cells[:3]) + (" …" if len(pool.without_cells) > 3 else "")
        lost.append(
            Text(
                f"有缺格的对照 {count(len(pool.without_cells))} 个（{names}）",
                f"{count(len(pool.without_cells))} donors with missing cells ({names})",
            )
        )
    if pool.without_periods:
        names = ", ".join(pool.without_periods[:3]) + (" …" if len(pool.without_periods) > 3 else "")
        lost.append(
            Text(
                f"有缺格的 {count(len(pool.without_periods))} 期（{names}）",
                f"{count(len(pool.without_periods))} periods with missing cells ({names})",
            )
        )
    if not lost:
        text = Text(f"{base.zh}，没有舍去。", f"{base.en}; none left out.")
        return CheckResult(name="rows_used", passed=True, text=text)
    listed = join(lost, zh="；", en="; ")
    text = Text(
        f"{base.zh}；舍去{listed.zh}，不作插补。", f"{base.en}; left out: {listed.en}. Nothing is interpolated."
    )
    return CheckResult(name="rows_used", passed=None, text=text)


def check_optimum(placebos: Placebos, optimum: float, digits: int) -> CheckResult:
    """Check that the published steps end near the optimum of what they minimise (``near_optimum``)."""
    effect = float(placebos.fits.effects[0])
    passed = abs(effect - optimum) <= SMALL_STEP * placebos.spread
    ends = Text(
        "可以忽略。" if passed else '较大，应改用 solver="exact"。',
        "of no consequence." if passed else 'that counts; take solver="exact".',
    )
    shown, exact = number(effect, digits + 2), number(optimum, digits + 2)
    text = Text(
        f"按已发表程序的步骤得 {shown}，按最优解得 {exact}：差别{ends.zh}",
        f"The published steps give {shown}, the optimum {exact}: a difference {ends.en}",
    )
    return CheckResult(name="near_optimum", passed=passed, text=text)
