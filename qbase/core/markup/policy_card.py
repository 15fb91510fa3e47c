"""A policy as it is looked at: its dated steps, who adopted when, how it is to be judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from qbase.core.markup.html_card import NONE, build_card
from qbase.core.periods import code
from qbase.core.text import Text

STEPS: Mapping[str, Text] = {
    "drafted": Text("起草", "Drafted"),
    "announced": Text("公布", "Announced"),
    "effective": Text("施行", "Effective"),
    "funded": Text("资金到位", "Funded"),
    "accepted": Text("验收", "Accepted"),
}
SURE: Mapping[str, Text] = {
    "document": Text("文件", "document"),
    "report": Text("报道", "report"),
    "assumed": Text("推定", "assumed"),
    "fictional": Text("虚构", "fictional"),
}
KINDS: Mapping[str, Text] = {
    "binary": Text("采用或未采用", "adopted or not"),
    "dose": Text("按强度", "by dose"),
    "bundle": Text("一揽子工具", "a bundle of instruments"),
}
MOST_NAMED = 12


class ShownPolicy(Protocol):
    """What a card reads of a policy."""

    @property
    def title(self) -> Text: ...
    @property
    def kind(self) -> str: ...
    @property
    def first_treated(self) -> Mapping[str, pd.Period]: ...
    @property
    def dates(self) -> Mapping[str, Any]: ...
    @property
    def plan(self) -> Any: ...
    @property
    def notes(self) -> Sequence[Text]: ...


def build_policy_card(policy: ShownPolicy) -> str | None:
    """Return the card of a policy: one row for every dated step, then one for every wave of adoption."""
    rows: list[list[str | Text]] = [
        [STEPS[name], step.on, step.source or NONE, SURE[step.confidence]] for name, step in policy.dates.items()
    ]
    waves: dict[pd.Period, list[str]] = {}
    for entity, start in policy.first_treated.items():
        waves.setdefault(start, []).append(entity)
    for start, adopters in sorted(waves.items()):
        named = ", ".join(sorted(adopters)[:MOST_NAMED]) + (" …" if len(adopters) > MOST_NAMED else "")
        n = len(adopters)
        rows.append([Text("采用", "Adopted"), code(start), named, Text(f"{n} 个", f"{n} adopters")])
    title, kind = policy.title, KINDS[policy.kind]
    caption = Text(f"政策：{title.zh}（{kind.zh}）", f"Policy: {title.en} ({kind.en})")
    columns = [
        Text("步骤", "Step"),
        Text("时间", "When"),
        Text("依据或主体", "Source or entities"),
        Text("可靠程度或数目", "How sure, or how many"),
    ]
    plan = (
        Text("评价方案在看数据之前已锁定。", "How it is judged was locked before looking.")
        if policy.plan is not None and not policy.plan.post_hoc
        else Text("评价方案系事后设定。", "How it is judged was set afterwards.")
    )
    return build_card(caption, columns, rows, sentences=[plan, *policy.notes])
