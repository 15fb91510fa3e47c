"""Whether an effect can be estimated at all, or only the path of the treated be described."""

from __future__ import annotations

from qbase.core.panel import Panel
from qbase.core.policy import Policy, match_policy
from qbase.core.text import Text
from qbase.core.values import CheckResult

LEAST_TREATED = 2


def check_estimable(panel: Panel, policy: Policy) -> CheckResult:
    """Check whether a panel holds enough treated entities, and others, for an effect with a standard error.

    Parameters
    ----------
    panel : Panel
        What the effect would be estimated on.
    policy : Policy
        Who was treated from when, named as the panel names them.

    Returns
    -------
    CheckResult
        ``estimable``; False with the reason in words: nobody of the policy is in the panel, one treated entity alone,
        or nobody to compare with.

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
    names = [panel.labels.get(e, Text(e, e)) for e in treated]
    last = panel.data.index.get_level_values("period").max()
    is_staggered = len({starts[e] for e in treated}) > 1
    if not treated:
        absent = ", ".join(list(starts)[:3])
        text = Text(f"政策对象（{absent}）都不在数据中，无法估计效果", f"nobody treated is in the data: {absent}")
    elif all(starts[e] > last for e in treated):
        text = Text("数据止于政策开始之前，无法估计效果", "the data end before the policy began")
    elif len(treated) < LEAST_TREATED:
        text = Text(
            f"只有 {names[0].zh} 一个对象采用政策，区间无从计算，因此只描述走势，不给出效果估计",
            f"{names[0].en} alone is treated: no interval can be had, so its path is described and no effect estimated",
        )
    elif not others and not is_staggered:
        text = Text(
            "所有对象同时采用政策，没有可比对象", "all were treated at once, and there is nobody to compare with"
        )
    else:
        told = Text(
            f"采用政策 {len(treated)} 个，其他 {len(others)} 个",
            f"{len(treated)} treated and {len(others)} others are observed",
        )
        return CheckResult(name="estimable", passed=True, text=told)
    return CheckResult(name="estimable", passed=False, text=text)
