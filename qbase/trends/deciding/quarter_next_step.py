"""What a quarter leaves to decide, what holds meanwhile, and when to look again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from qbase.core import periods
from qbase.core.numbers import count
from qbase.core.results.result import Result
from qbase.core.text import Text

QuarterVerdict = Literal["improved", "worsened", "no_effect", "cannot_tell"]

SOON = 2.0
"""From so many years of inspections on, drawing more is no way to an answer."""

NOTHING_TO_COMPARE = Text(
    "现在没有可定的：这一期还比不了。目标和措施照旧，上年同期的记录补齐后再看。",
    "Nothing yet: this period cannot be compared. Targets and measures stand until a year ago is on record.",
)
STEPS: Mapping[QuarterVerdict, Text] = {
    "improved": Text(
        "现在不必新定：一期向好还不是趋势，目标不提高，抽查不减少。",
        "Nothing new: one good period is no trend, so no target is raised and no inspection dropped.",
    ),
    "worsened": Text(
        "要不要现在查原因（哪些企业、哪类产品不合格）；查清之前目标和措施不改。",
        "Whether to look into the cause now (which firms and products failed); until then targets and measures stand.",
    ),
    "no_effect": Text("不必新定：目标和措施照旧。", "Nothing new: targets and measures stand."),
    "cannot_tell": Text(
        "现在不必定：凭这一期不改目标和措施。", "Nothing now: one period like this changes no target and no measure."
    ),
}
DRAW_MORE = Text(
    "要不要加抽：两期各随机抽 {wanted} 批（现有 {now} 批）才看得清；定下之前目标和措施照旧。",
    "Whether to draw more: it takes {wanted} random batches in each of two periods (now {now}); until then targets and "
    "measures stand.",
)
POOL = Text(
    "要不要改看多年趋势，或与同类集群合并来看（一期里加抽不够）；定下之前目标和措施照旧。",
    "Whether to judge by the trend over years or by pooling like clusters instead (drawing more in one period is not "
    "enough); until then targets and measures stand.",
)
AGAIN = Text("{when}的抽查入库后再看。", " Look again once inspections of {when} are on record.")


def say_next_step(verdict: QuarterVerdict, change: Result, level: Result, need: Result | None) -> Text:
    """Return what a quarter leaves to decide.

    Parameters
    ----------
    verdict : str
        Of `decide_quarter`.
    change, level : Result
        What it rests on.
    need : Result or None
        Of `qbase.planning.plan_batches` at that level.
    """
    if not change.estimates or not level.estimates:
        return NOTHING_TO_COMPARE
    step = STEPS[verdict]
    if verdict == "cannot_tell" and need is not None:
        now = level.estimates[level.spoken[0]].n_obs or 0
        step = (
            POOL if is_far(need, now) else DRAW_MORE.format(wanted=count(int(need.estimates[0].value)), now=count(now))
        )
    last = periods.read_period(level.settings.get("period"))
    if last is None:
        return step
    return step + AGAIN.format(when=periods.label(last + 1))


def is_far(need: Result, now: int) -> bool:
    """Whether no number of batches would do, or years of them."""
    return not need.estimates or need.estimates[0].value >= 4 * SOON * max(now, 1)
