"""What kind of answer panel and policy can carry, by who is treated and who is not."""

from __future__ import annotations

from qbase.core.panel import Panel
from qbase.core.policy import Policy, match_policy
from qbase.core.text import Text
from qbase.core.values import CheckResult

LEAST_TREATED = 3
"""Below three treated a number has no interval."""


def check_estimable(panel: Panel, policy: Policy) -> CheckResult:
    """Check what an effect can rest on: several treated and others, one treated alone, or nobody.

    Parameters
    ----------
    panel : Panel
        What the effect would be estimated on.
    policy : Policy
        Who was treated from when, named as the panel names them.

    Returns
    -------
    CheckResult
        ``estimable``. True with three treated or more and somebody to compare with. None where the answer rests on
        less, with what it rests on in words: one or two treated are placed among placebos of those not treated, or
        compared with their own past. False where nobody treated is seen after the start: only paths can be described.
        Which design it is `qbase.effects.advise` says.

    Examples
    --------
    >>> from qbase.indicators import build_panel, build_policy, check_estimable
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> check = check_estimable(panel, build_policy(open_workspace(), "base"))
    >>> check.passed, check.text.en
    (True, '5 treated and 7 others are observed')
    """
    entities = set(panel.data.index.get_level_values("entity"))
    starts = match_policy(policy, panel.entities).first_treated
    treated, others = [e for e in starts if e in entities], entities - set(starts)
    last = panel.data.index.get_level_values("period").max()
    if not treated:
        absent = ", ".join(list(starts)[:3])
        text = Text(f"政策对象（{absent}）都不在数据中，只能描述走势", f"nobody treated is in the data: {absent}")
        return CheckResult(name="estimable", passed=False, text=text)
    if all(starts[e] > last for e in treated):
        text = Text("数据止于政策开始之前，还没有效果可估计", "the data end before the policy began")
        return CheckResult(name="estimable", passed=False, text=text)
    names = [panel.labels.get(e, Text(e, e)) for e in treated]
    who = Text("、".join(n.zh for n in names[:2]), " and ".join(n.en for n in names[:2]))
    if not others and len({starts[e] for e in treated}) == 1:
        text = Text(
            "所有对象同时采用政策，没有可比对象，只能与自己的过去比较",
            "all were treated at once: each can only be compared with its own past",
        )
    elif len(treated) < LEAST_TREATED and not others:
        text = Text(
            f"采用政策的只有{who.zh}，此外没有可比对象，只能与自己的过去比较",
            f"{who.en} alone: with nobody else in the data, only the own past can be compared with",
        )
    elif len(treated) < LEAST_TREATED:
        text = Text(
            f"采用政策的只有{who.zh}：其效果放在 {len(others)} 个未采用者的安慰剂中看名次，或与自己的过去比较，"
            "不给常规区间",
            f"{who.en} alone {'is' if len(treated) == 1 else 'are'} treated: the effect is placed among placebos of "
            f"{len(others)} not treated, or compared with the own past; there is no usual interval",
        )
    else:
        told = Text(
            f"采用政策 {len(treated)} 个，其他 {len(others)} 个",
            f"{len(treated)} treated and {len(others)} others are observed",
        )
        return CheckResult(name="estimable", passed=True, text=told)
    return CheckResult(name="estimable", passed=None, text=text)
