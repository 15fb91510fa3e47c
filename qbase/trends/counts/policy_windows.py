"""The periods before a policy and those since: what is summed on either side, and what is left out between."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import DataError, UsageError
from qbase.core.numbers import count
from qbase.core.policy import Policy
from qbase.core.text import Text
from qbase.core.values import CheckResult

SINCE = "since_policy"
CHOSEN_FROM = ("drafted", "announced")
"""From the first of these dates to the first start entities were chosen: those periods are neither before nor since."""

SEASONS = Text(
    "前后两段各季度所占的份额可能不同，季节没有扣除。",
    "The two sides may hold the seasons in unequal shares; the season is not taken out.",
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """Two runs of periods around the start of a policy.

    Parameters
    ----------
    policy : Policy
        Whose start parts them.
    before, since : tuple of (pandas.Period, pandas.Period)
        First and last period of either side; sums stand under the last one.
    left_out : int
        Periods in which entities were chosen, in neither.
    is_own : bool
        Whether the start is that of the subject itself; else it is the first of anybody.
    """

    policy: Policy
    before: tuple[pd.Period, pd.Period]
    since: tuple[pd.Period, pd.Period]
    left_out: int
    is_own: bool

    def targets(self, found: pd.PeriodIndex) -> list[tuple[NDArray[np.bool_], pd.PeriodIndex]]:
        """Return for either side which rows are in it and the period they are summed under."""
        sides = []
        for first, last in (self.before, self.since):
            inside = np.asarray((found >= first) & (found <= last))
            sides.append((inside, pd.PeriodIndex([last] * int(inside.sum()), dtype=found.dtype)))
        return sides

    def span(self, end: pd.Period) -> tuple[pd.Period, pd.Period]:
        """Return the side that is summed under a period."""
        return self.before if end == self.before[1] else self.since

    def code(self, end: pd.Period) -> str:
        """Return the code of a side: ``2020Q3–2025Q4``."""
        first, last = (periods.code(p) for p in self.span(end))
        return first if first == last else f"{first}–{last}"

    def label(self, end: pd.Period) -> Text:
        """Return a side in words."""
        first, last = (periods.label(p) for p in self.span(end))
        side = Text("开始前", "before the policy") if end == self.before[1] else Text("开始后", "since")
        return Text(f"{first.zh}至 {last.zh}（政策{side.zh}）", f"{first.en} to {last.en} ({side.en})")

    def check(self) -> CheckResult:
        """Say that before against after has no comparison group, and which periods are in neither."""
        left, who, title = Text("", ""), Text("", ""), self.policy.title
        if self.left_out:
            n, some = count(self.left_out), "1 period" if self.left_out == 1 else f"{count(self.left_out)} periods"
            left = Text(
                f"开始前的 {n} 期（起草或公布后的选择期）不计入任何一侧。",
                f" {some} before the start, after draft or announcement, when entities were chosen, on neither side.",
            )
        if not self.is_own:
            who = Text(
                "该对象没有自己的开始时间，按最早采用者的时间划分。",
                " The subject has no start of its own: that of the first to adopt parts them.",
            )
        text = Text(
            f"只是{title.zh}前后之比，没有比较对象：同期的其他变化都算在内，不能说是政策带来的。{left.zh}{who.zh}",
            f"Before {title.en} against after, with no comparison group: whatever else changed meanwhile is in it, and "
            f"it is not put down to the policy.{left.en}{who.en}",
        )
        return CheckResult(name="no_comparison", passed=None, text=text)


def find_sides(policy: Policy | None, held: pd.PeriodIndex, entity: str | None) -> Sides:
    """Return what lies before and since a policy among the periods of a panel.

    Parameters
    ----------
    policy : Policy or None
        Its spells give the start, its dates the periods of selection.
    held : pandas.PeriodIndex
        Periods on record, in order.
    entity : str or None
        The subject; its own start counts where it has one, else that of the first to adopt.

    Raises
    ------
    UsageError
        No policy was given (QB532).
    DataError
        No period on one side (QB533).
    """
    if policy is None:
        raise UsageError(
            "QB532",
            found="policy=None",
            expected="the policy whose start parts before from since",
            fix='policy=build_policy(workspace, "…")',
        )
    own = policy.first_treated
    is_own = entity is not None and entity in own
    start = own[entity] if is_own and entity is not None else min(own.values())
    freq = periods.freq_of(held)
    start = periods.convert(start, freq)
    days = [policy.dates[name].on for name in CHOSEN_FROM if name in policy.dates]
    # who adopts later was chosen later: as long before its own start as the first were before theirs
    earliest = min(periods.convert(p, freq) for p in own.values())
    lead = max([periods.event_time(earliest, periods.period_at(day, freq)) for day in days] + [0])
    chosen = start - lead
    before, since = held[held < chosen], held[held >= start]
    if not len(before) or not len(since):
        raise DataError(
            "QB533",
            policy=policy.policy_id,
            found=f"{len(before)} periods before {periods.code(chosen)}, {len(since)} from {periods.code(start)} on",
            expected="at least one on either side",
            fix="a longer window of the panel (first, last)",
        )
    left_out = int(((held >= chosen) & (held < start)).sum())
    return Sides(
        policy=policy, before=(before[0], before[-1]), since=(since[0], since[-1]), left_out=left_out, is_own=is_own
    )
