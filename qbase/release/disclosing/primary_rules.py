"""Primary rules: which shown value tells too much of single firms, by the class of statistic it is.

The rules are those of the Handbook on Statistical Disclosure Control (2nd edition, chapters 4 and 5): fewest
contributors, (n, k) dominance, p %, residual degrees of freedom; and one for rates of 0 % and 100 %, which tell about
every member of a group at once. A fact that a rule needs and nobody knows fails it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core.errors import UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.text import Text
from qbase.core.values import freeze
from qbase.release.disclosing.disclosure_presets import DisclosurePreset

Bools = NDArray[np.bool_]

RULES: Mapping[str, Text] = freeze(
    {
        "firms": Text("企业太少", "too few firms"),
        "counted": Text("计数太小", "too small a count"),
        "dominance": Text("少数企业占比过大", "too much of it is of its largest firms"),
        "p_percent": Text("第二大企业可估出最大企业", "the second largest firm can estimate the largest"),
        "whole": Text("0% 或 100% 说出了每一家", "0 % or 100 % tells of each of its firms"),
        "freedom": Text("自由度太少", "too few degrees of freedom"),
        "tail": Text("分位点之外的企业太少", "too few firms beyond the quantile"),
        "single": Text("最大最小值就是某一家", "an extreme is the value of one firm"),
    }
)
"""Rule -> what is wrong where it fails."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StatisticClass:
    """A class of statistic: what can be learnt of single firms from it, what is checked, what helps.

    Parameters
    ----------
    name : Text
        What it is called.
    risk : Text
        How it tells of single firms.
    checks : tuple of str
        Rules it has to keep (`RULES`).
    mitigation : Text
        What to do where it does not.
    """

    name: Text
    risk: Text
    checks: tuple[str, ...]
    mitigation: Text


_COUNTS = ("firms", "counted", "dominance", "p_percent", "whole")
_WITHHOLD = Text("先隐去计数，再由余下的计数重算", "withhold the counts, then compute anew from what is left")
_COARSER = Text("改用更粗的分组", "use a coarser grouping")
CLASSES: Mapping[str, StatisticClass] = freeze(
    {
        "count": StatisticClass(
            name=Text("计数", "count"),
            risk=Text("格子小，或由合计相减可得", "a small cell, or one that totals give back"),
            checks=_COUNTS,
            mitigation=_WITHHOLD,
        ),
        "rate": StatisticClass(
            name=Text("比率", "rate"),
            risk=Text(
                "n 在 1000 以下时，一位小数的比率就能还原分子", "below n = 1,000 one decimal gives the numerator back"
            ),
            checks=_COUNTS,
            mitigation=_WITHHOLD,
        ),
        "mean": StatisticClass(
            name=Text("均值", "mean"),
            risk=Text("乘以 n 就是合计，可能被一家主导", "times n it is a total, which one firm may dominate"),
            checks=("firms", "dominance", "p_percent"),
            mitigation=_COARSER,
        ),
        "quantile": StatisticClass(
            name=Text("分位数", "quantile"),
            risk=Text("就是某一家的数值，尤其在两端", "it is the value of a firm, in the tails above all"),
            checks=("firms", "tail"),
            mitigation=Text("取整，或改用更靠中间的分位数", "round it, or take a quantile nearer the middle"),
        ),
        "ratio": StatisticClass(
            name=Text("比值", "ratio"),
            risk=Text("分子或分母可能只来自一两家", "its numerator or denominator may be of one or two firms"),
            checks=("firms", "dominance", "p_percent"),
            mitigation=_COARSER,
        ),
        "coefficient": StatisticClass(
            name=Text("系数", "coefficient"),
            risk=Text("几乎饱和的模型等于一张表", "a nearly saturated model is a table"),
            checks=("firms", "freedom"),
            mitigation=Text("减少变量，或合并类别", "fewer variables, or merged classes"),
        ),
        "concentration": StatisticClass(
            name=Text("集中度", "concentration"),
            risk=Text("由一两家决定，可反推其份额", "one or two firms decide it, and their shares follow from it"),
            checks=("firms", "dominance", "p_percent"),
            mitigation=_COARSER,
        ),
        "extreme": StatisticClass(
            name=Text("极值", "extreme"),
            risk=Text("最大值、最小值就是某一家的数值", "a maximum or minimum is the value of one firm"),
            checks=("single",),
            mitigation=Text("改用分位数", "take a quantile instead"),
        ),
        "histogram": StatisticClass(
            name=Text("直方图", "histogram"),
            risk=Text("每一条就是一个计数，两端往往很小", "each bar is a count, and those at the ends are small"),
            checks=("firms", "counted"),
            mitigation=Text("合并两端的组距", "merge the bins at the ends"),
        ),
    }
)
"""Class of statistic -> its risk, checks and mitigation, after the classes of ACRO (SACRO)."""

FACTS = ("n_firms", "n", "k", "top1", "top2", "freedom", "tail_firms")


def judge_cells(cells: pd.DataFrame, rules: DisclosurePreset, *, checks: Sequence[str] = _COUNTS) -> pd.Series[str]:
    """Return which rule each cell breaks first.

    Parameters
    ----------
    cells : pandas.DataFrame
        One row per cell. ``n_firms`` counts its firms, ``n`` its batches, ``k`` those that passed, ``top1`` and
        ``top2`` batches of its largest firms; for other classes ``freedom`` and ``tail_firms``.
    rules : DisclosurePreset
        What is asked.
    checks : sequence of str
        Rules in the order they are told; those of counts by default.

    Returns
    -------
    pandas.Series of str
        A key of `RULES`, empty where the cell is safe; index as in ``cells``. A cell of nothing (n = 0) is safe.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.release import judge_cells, read_disclosure_preset
    >>> cells = {"n_firms": [2, 5, 9, 9, 12], "n": [9, 20, 30, 30, 40], "k": [8, 15, 29, 30, 40],
    ...          "top1": [5, 16, 5, 5, 5], "top2": [4, 2, 4, 4, 4]}
    >>> judge_cells(pd.DataFrame(cells), read_disclosure_preset("cn_default")).tolist()
    ['firms', 'dominance', '', 'whole', '']
    """
    broken = pd.Series("", index=cells.index, dtype=object)
    held = {name: _numbers(cells, name) for name in FACTS}
    for check in reversed(checks):
        broken = broken.mask(_is_broken(check, held, rules), check)
    return broken.mask(held["n"] == 0, "") if "n" in cells else broken


def judge_statistic(kind: str, rules: DisclosurePreset, **facts: float | None) -> tuple[str, ...]:
    """Return the rules that one shown value of a class of statistic breaks.

    Parameters
    ----------
    kind : str
        Class of statistic (`CLASSES`): ``rate``, ``count``, ``mean``, ``quantile``, ``ratio``, ``coefficient``,
        ``concentration``, ``extreme`` or ``histogram``.
    rules : DisclosurePreset
        What is asked.
    **facts : float or None
        ``n_firms``, ``n``, ``k``, ``top1``, ``top2`` (in the unit of ``n``), ``freedom`` (residual degrees),
        ``tail_firms`` (firms beyond a quantile, on its shorter side). What a rule needs and is not given fails it.

    Returns
    -------
    tuple of str
        Keys of `RULES`; empty where the value is safe.

    Raises
    ------
    UsageError
        No such class, or no such fact (QB755).

    Examples
    --------
    >>> from qbase.release import judge_statistic, read_disclosure_preset
    >>> rules = read_disclosure_preset("sacro")
    >>> judge_statistic("coefficient", rules, n_firms=40, freedom=3)
    ('freedom',)
    >>> judge_statistic("quantile", rules, n_firms=40)
    ('tail',)
    >>> judge_statistic("extreme", rules, n_firms=4000)
    ('single',)
    """
    for word, known in ((kind, CLASSES), *((fact, FACTS) for fact in facts)):
        if word not in known:
            raise UsageError(
                "QB755",
                word=word,
                found=repr(word),
                expected=suggest_names(word, known, shown=9),
                fix='judge_statistic("rate", rules, n_firms=9, n=30, k=29, top1=5, top2=4)',
            )
    held = {name: np.array([np.nan if facts.get(name) is None else facts[name]], dtype=float) for name in FACTS}
    return tuple(check for check in CLASSES[kind].checks if bool(_is_broken(check, held, rules)[0]))


def _numbers(cells: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in cells:
        return np.full(len(cells), np.nan)
    return np.asarray(pd.to_numeric(cells[name]), dtype=float)


def _is_broken(check: str, held: Mapping[str, NDArray[np.float64]], rules: DisclosurePreset) -> Bools:
    """Whether a rule is broken; comparisons are turned so that what is unknown breaks it."""
    n, k, firms = held["n"], held["k"], held["n_firms"]
    if check == "firms":
        return ~(firms >= rules.fewest_firms)
    if check == "counted":
        least = np.minimum(np.minimum(n, k), n - k)
        return ~(least >= rules.fewest_counted) if rules.fewest_counted else np.zeros(len(n), dtype=bool)
    if check == "dominance":
        top = held["top1"] + (held["top2"] if rules.largest > 1 else 0)
        return ~(100 * top <= rules.largest_percent * n) if rules.largest else np.zeros(len(n), dtype=bool)
    if check == "p_percent":
        rest = 100 * (n - held["top1"] - held["top2"])
        return ~(rest >= rules.p_percent * held["top1"]) if rules.p_percent else np.zeros(len(n), dtype=bool)
    if check == "whole":
        mixed, most = (k > 0) & (k < n), rules.whole_from_firms
        return ~(mixed | ((firms >= most) & (k >= 0) & (k <= n))) if most is not None else ~mixed
    if check == "freedom":
        return ~(held["freedom"] >= rules.fewest_freedom)
    if check == "tail":
        return ~(held["tail_firms"] >= rules.fewest_firms)
    return np.ones(len(n), dtype=bool)
