"""What the counts behind a rate can carry, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.numbers import count, number, percent
from qbase.core.panel import Panel
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Indicator
from qbase.stats.rates.difference_intervals import newcombe_interval
from qbase.stats.rates.wilson import wilson_interval

SMALL_N = 30
"""Below this one batch moves the rate by more than 3 points; the interval is honest but wide."""

MIX_MOVED_PP = 10.0
"""A shift of the share of random draws by more than this, beyond chance, is a change of the yardstick."""

RANDOM_ONLY = frozenset({"random_draw"})
"""Treatments that directed draws do not enter."""

INDEPENDENT = Text(
    "区间把各批次视为互不相关；同一企业的批次相近时，实际不确定性更大。",
    "The interval treats batches as independent; where batches of one firm are alike, the true doubt is larger.",
)
POOLED = Text(
    "合并计算时，抽查批次多的对象权重大，结果受抽查量影响。",
    "Pooled over entities, those tested more often weigh more: the figure depends on who was tested how often.",
)
NAIVE = Text(
    "未按抽样方式加权：风险定向抽查使合格率偏低，抽样方式改变时数字也会跟着变。",
    "Draws are not weighted: sampling directed at risk lowers the rate, and a new way of sampling moves it.",
)


TARGETED = Text(
    "{outcome}未加权，随抽查的对象和方式而变：抽查更有针对性时升高，不等于质量变差。",
    "The {outcome} is not weighted and moves with who is inspected: better targeting raises it, whatever the quality.",
)
THE_RATE = Text("该比率", "rate")


def notes_of(
    panel: Panel, indicator: Indicator, entity: str | None, *, of_firms: Text | None = None
) -> tuple[Text, ...]:
    """Return the limits of a rate of this panel; ``of_firms`` says what its interval makes of batches of one firm."""
    notes = [of_firms or INDEPENDENT] if indicator.unit == "pct" else []
    if entity is None and len(panel.entities) > 1:
        notes.append(POOLED)
    if panel.sampling == "naive":
        notes.append(NAIVE if indicator.better == "up" else TARGETED.format(outcome=indicator.label))
    return (*notes, *panel.notes)


def check_small_n(
    tested: dict[pd.Period, tuple[int, int]], *, level: float = 0.95, is_pass: bool = True, name: Text = THE_RATE
) -> CheckResult:
    """Check whether a period rests on few batches, or on batches of which all passed (or failed).

    Parameters
    ----------
    tested : dict
        Period -> (n, k).
    level : float
        Confidence level of the limits quoted.
    is_pass : bool
        Whether what is counted is a pass; a rate of another kind gets words of its own.
    name : Text
        Of that other rate, so that a reader can tell two checks of one page apart.

    Returns
    -------
    CheckResult
        ``small_n``; False when a period has n < 30 or k = n or k = 0.
    """
    texts = [_thin(p, n, k, level, is_pass, name) for p, (n, k) in tested.items()]
    thin = [t for t in texts if t is not None]
    if thin:
        return CheckResult(name="small_n", passed=False, text=join(thin, zh="", en=" "))
    smallest = min(n for n, _ in tested.values())
    if not is_pass:
        words = Text(
            f"{name.zh}每期样本量不少于 {count(smallest)}。", f"Each period rests on at least {count(smallest)}."
        )
        return CheckResult(name="small_n", passed=True, text=words)
    text = Text(
        f"每期至少 {count(smallest)} 个样本，且并非全部合格。",
        f"At least {count(smallest)} tested in each period, and not all of them passed.",
    )
    return CheckResult(name="small_n", passed=True, text=text)


def _thin(period: pd.Period, n: int, k: int, level: float, is_pass: bool, name: Text) -> Text | None:
    when = periods.label(period)
    low, high = (float(100 * x[0]) for x in wilson_interval([k], [n], level=level))
    if k in (0, n):
        return _all_alike(when, n, k, percent(low if k else high), is_pass, name)
    if n < SMALL_N:
        step = number(100 / n, 1)
        if not is_pass:
            return Text(
                f"{when.zh}{name.zh}的样本量只有 {n}，一个样本之差就使其变动 {step} 个百分点。",
                f"Only {n} were inspected in {when.en}: one more case moves the {name.en} by {step} percentage points.",
            )
        return Text(
            f"{when.zh}只有 {n} 个样本，一个样本之差就使合格率变动 {step} 个百分点。",
            f"Only {n} were tested in {when.en}: one more failure moves the rate by {step} percentage points.",
        )
    return None


def _all_alike(when: Text, n: int, k: int, limit: str, is_pass: bool, name: Text) -> Text:
    """Say that 100 % and 0 % in a sample are not 100 % and 0 % in truth."""
    if not is_pass:
        zh, en = ("比率为 100%", "all") if k else ("比率为 0", "none")
        side = ("低", "low") if k else ("高", "high")
        return Text(
            f"{when.zh}{name.zh}的样本量为 {n}，{zh}；真实数值可能{side[0]}至 {limit}。",
            f"Of {n} inspected in {when.en} it was {en}; the true {name.en} may be as {side[1]} as {limit}.",
        )
    if k:
        if n == 1:
            return Text(
                f"{when.zh}只抽查了 1 个样本，结果合格；真实合格率可能低至 {limit}。",
                f"Only one was tested in {when.en}, and it passed; the true rate may be as low as {limit}.",
            )
        return Text(
            f"{when.zh}抽查的 {n} 个样本全部合格，这不等于没有不合格：真实合格率可能低至 {limit}。",
            f"All {n} tested in {when.en} passed; that is not the absence of failures: "
            f"the true rate may be as low as {limit}.",
        )
    if n == 1:
        return Text(
            f"{when.zh}只抽查了 1 个样本，结果不合格；真实合格率仍可能高达 {limit}。",
            f"Only one was tested in {when.en}, and it failed; the true rate may still be as high as {limit}.",
        )
    return Text(
        f"{when.zh}抽查的 {n} 个样本全部不合格，真实合格率仍可能高达 {limit}。",
        f"All {n} tested in {when.en} failed; the true rate may still be as high as {limit}.",
    )


def check_same_sampling(
    panel: Panel, entity: str | None, first: pd.Period, last: pd.Period, *, level: float = 0.95
) -> CheckResult:
    """Check whether two periods were drawn alike: share of random draws (双随机) among the batches.

    Parameters
    ----------
    panel : Panel
        Its ``cells`` hold batches by way of drawing; without cells nothing can be said.
    entity : str or None
        None sums over all entities.
    first, last : pandas.Period
        The two periods compared.
    level : float
        Confidence level of the difference of shares.

    Returns
    -------
    CheckResult
        ``same_sampling``; True of random draws alone, None when unknown, False when the share moved by more than 10
        points and beyond chance.
    """
    if panel.sampling in RANDOM_ONLY:
        text = Text(
            "只有双随机批次计入并加权，双随机占比的变化不影响结果。",
            "Only random draws count, weighted: their share among all batches does not move the figure.",
        )
        return CheckResult(name="same_sampling", passed=True, text=text)
    shares = None if panel.cells is None else _random_shares(panel.cells, entity, first, last)
    if shares is None:
        text = Text(
            "两期的抽样方式（双随机、风险定向）没有记录，变化中可能含有抽样方式的改变。",
            "How batches were drawn in the two periods is not on record; part of the change may come from that.",
        )
        return CheckResult(name="same_sampling", passed=None, text=text)
    (n0, k0), (n1, k1) = shares
    low, high = newcombe_interval((k1, k0), (n1, n0), level=level)
    moved_pp = 100 * (k1 / n1 - k0 / n0)
    passed = not (abs(moved_pp) > MIX_MOVED_PP and (low > 0 or high < 0))
    before, after = percent(100 * k0 / n0), percent(100 * k1 / n1)
    ends = Text(
        "抽样方式大体未变。" if passed else "变化中有一部分来自抽样方式，而不是质量。",
        "drawn much alike." if passed else "part of the change comes from the drawing, not from quality.",
    )
    text = Text(
        f"双随机批次占比 {before} → {after}，{ends.zh}",
        f"Random draws were {before}, then {after} of batches: {ends.en}",
    )
    return CheckResult(name="same_sampling", passed=passed, text=text)


def _random_shares(
    cells: pd.DataFrame, entity: str | None, first: pd.Period, last: pd.Period
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return (n, random) of both periods, or None when a period has no drawing on record."""
    known = cells[cells["sampling"].isin(["random", "directed"])]
    if entity is not None:
        known = known[known["entity"] == entity]
    found = []
    for period in (first, last):
        now = known[known["period"] == period]
        n = int(now["n"].sum())
        if n == 0:
            return None
        found.append((n, int(now.loc[np.asarray(now["sampling"] == "random"), "n"].sum())))
    return found[0], found[1]
