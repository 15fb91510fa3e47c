"""What the effect of a policy leaves to decide, what holds meanwhile, and when to judge again."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from qbase.core import periods
from qbase.core.panel import Panel
from qbase.core.policy import Plan
from qbase.core.results.decision import DecisionVerdict
from qbase.core.text import Text

NOT_YET = Text(
    "推广还是停止这项政策，凭现有证据定不了；之前照现行安排执行，不扩大也不撤销。",
    "Whether to extend or end the policy cannot be settled on this evidence; until it can, carry on as it stands, "
    "neither extending nor ending it.",
)
STEPS: Mapping[DecisionVerdict, Text] = {
    "improved": Text(
        "要不要推广到条件相近的地方；定下之前照现行安排执行。",
        "Whether to extend the policy to places like those treated; until then carry on as it stands.",
    ),
    "worsened": Text(
        "要不要修改或停止这项政策；定下之前不再扩大。",
        "Whether to change or end the policy; until then extend it no further.",
    ),
    "no_effect": Text(
        "按现有成本值不值得继续；定下之前不再扩大。",
        "Whether it is worth its cost; until then extend it no further.",
    ),
    "monitoring": Text(
        "约定的日期之前不作决定，照现行安排执行。", "Nothing before the declared date; carry on as it stands."
    ),
}
AGAIN = Text("{when}再判断。", " Judge again {when}.")
PLANNED = Text("按方案约定，{day} ", "on {day}, as the plan says")
AGREE = Text(
    "{when}的数据入库后再判断，作结论的日期要先约定。",
    " Judge again once {when} is on record, and agree on the date of the verdict beforehand.",
)
UNDECIDED = frozenset({"cannot_tell", "hint", "data_cannot_decide", "monitoring"})


def say_effect_step(verdict: DecisionVerdict, panel: Panel | None, plan: Plan | None) -> Text | None:
    """Return what an effect leaves to decide.

    Parameters
    ----------
    verdict : str
        Of `decide`.
    panel : Panel or None
        Its last period says what comes next; without it nothing is said.
    plan : Plan or None
        Its dates of decision, where it has any.
    """
    if panel is None or panel.periods.empty:
        return None
    step = STEPS.get(verdict, NOT_YET)
    if verdict not in UNDECIDED:
        return step
    last = panel.periods.max()
    later = [day for day in (plan.decision_dates if plan else ()) if pd.Timestamp(day) > last.end_time]
    if later:
        return step + AGAIN.format(when=PLANNED.format(day=later[0]))
    return step + AGREE.format(when=periods.label(last + 1))
