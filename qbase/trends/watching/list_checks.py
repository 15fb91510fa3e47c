"""What has to be said with a visit list: whether it finds more, is fair to groups, and what it may be used for."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from qbase.core.numbers import count, percent
from qbase.core.text import Text, same
from qbase.core.values import CheckResult, Estimate

OFF_Q = 0.05
MOST_KNOWN = 0.9
"""Share of the draws of the test that need a risk class for the plan in force to be what the list is held against."""

USE = Text(
    "名单只用于内部安排走访和帮扶，不作为处罚、评级或公开的依据。",
    "The list is for arranging visits inside the office; it is no ground for penalties, grades or publication.",
)
VALUE_WORDS = {
    "size": {"small": Text("小型企业", "small firms"), "medium": Text("中型企业", "medium-sized firms"),
             "large": Text("大型企业", "large firms")},
    "age": {"new": Text("新企业", "new firms"), "old": Text("老企业", "firms known for longer")},
}  # fmt: skip
GROUP_WORDS = {"size": Text("规模 ", "size "), "town": Text("乡镇 ", "town ")}


def check_gain(gain: Estimate) -> CheckResult:
    """Check whether the list finds more failures than the risk classes in force, beyond chance."""
    passed = gain.ci_low is not None and gain.ci_low > 0
    if passed:
        text = Text(
            "验证期内，名单比现行风险等级发现更多不合格。",
            "In the quarters of the test the list finds more failures than the risk classes in force.",
        )
    else:
        text = Text(
            "验证期内，还不能说名单比现行风险等级发现更多不合格：不宜据此改变现行安排。",
            "The test does not show that the list finds more failures than the risk classes in force: no reason yet to "
            "change the plan.",
        )
    return CheckResult(name="gain", passed=passed, text=text)


def check_plan(known_share: float) -> CheckResult:
    """Check whether the plan in force is on record: without risk classes the list is held against chance."""
    if known_share >= MOST_KNOWN:
        text = Text(
            "现行安排以登记的风险等级为准。", "The plan in force is that of the risk classes on record with the draws."
        )
        return CheckResult(name="plan", passed=True, text=text)
    missing = percent(100 * (1 - known_share))
    text = Text(
        f"验证期内 {missing} 的批次没有登记风险等级，按最低等级计：增益主要是与随机走访相比，不是与现行安排相比。",
        f"For {missing} of the batches of the test no risk class is on record, and they count as the lowest: the gain "
        "is over chance rather than over the plan in force.",
    )
    return CheckResult(name="plan", passed=False, text=text)


def check_calibration(table: pd.DataFrame, names: Mapping[str, Text]) -> CheckResult:
    """Check by size, age and town whether the risks are right: a group off by more than chance is named.

    ``names`` are those of towns by code.
    """
    off = table[table["q_value"] <= OFF_Q]
    if off.empty:
        text = Text(
            f"按规模、新老企业和乡镇分 {count(len(table))} 组，各组预计与实际的不合格率没有超出偶然的差别。",
            f"In {count(len(table))} groups by size, age and town, expected and observed failures differ by no more "
            "than chance.",
        )
        return CheckResult(name="calibration", passed=True, text=text, table=table)
    off = off.sort_values("q_value", kind="stable")
    rates = (list(map(percent, off[name])) for name in ("expected_pct", "observed_pct"))
    groups = [_name_group(group, value, names) for group, value in zip(off["group"], off["value"], strict=True)]
    named = [
        Text(f"{who.zh}（预计 {expected}，实际 {observed}）", f"{who.en} (expected {expected}, observed {observed})")
        for who, expected, observed in zip(groups, *rates, strict=True)
    ]
    text = Text(
        f"名单对这些组偏高或偏低：{'、'.join(t.zh for t in named)}；安排走访时应分组使用。",
        f"The list is off for {', '.join(t.en for t in named)}: use it within these groups, not across them.",
    )
    return CheckResult(name="calibration", passed=False, text=text, table=table)


def _name_group(group: str, value: str, names: Mapping[str, Text]) -> Text:
    known = VALUE_WORDS.get(group, names).get(value)
    return GROUP_WORDS.get(group, same("")) + same(value) if known is None else known


def check_weights(is_weighted: bool) -> CheckResult:
    """Check whether the random draws carry the weights of their design."""
    if is_weighted:
        text = Text(
            "只用双随机批次，并按抽样设计加权。", "Made from random draws only, weighted by the design of the sample."
        )
    else:
        text = Text(
            "只用双随机批次，但抽样框没有记录，未加权：命中率是抽到的企业的，不是全部企业的。",
            "Made from random draws only, unweighted for want of a frame: the hit rates are of the firms drawn, not of "
            "all firms.",
        )
    return CheckResult(name="weights", passed=is_weighted, text=text)


def check_features(products: tuple[str, ...]) -> CheckResult:
    """Say what the list knows of a firm, and what it never does."""
    n = count(len(products))
    text = Text(
        f"所用特征：抽查记录、近一年不合格、不合格项目、距上次抽查时间、新企业、规模、{n} 种产品；"
        "所有制和所在地从不使用，只在一个乡镇生产的产品也不用。",
        "Features: record, failures of the last year, failed items, time since the last draw, new firm, size, "
        f"{n} products. Owner and place are never used, nor is a product of a single town.",
    )
    return CheckResult(name="features", passed=None, text=text)
