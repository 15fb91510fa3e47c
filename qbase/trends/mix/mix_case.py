"""What a mix is told apart between: two periods of counts by group, and why there may be nothing to tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.indicators.group_counts import GroupCounts
from qbase.trends.counts.period_counts import find_entity, read_counts
from qbase.trends.counts.period_windows import Against, merge_group_cells, merge_periods, read_against
from qbase.trends.counts.policy_windows import SINCE, find_sides
from qbase.trends.counts.preliminary_periods import part_preliminary
from qbase.trends.rates.change_case import Case, check_order, find_obstacle, leave_unanswered

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

NO_GROUP = Text("没有一个组在两期都被抽查", "no group was inspected in both periods")


def arrange_case(
    counts: GroupCounts, *, entity: str | None, first: str | pd.Period | None, last: str | pd.Period | None,
    against: Against, level: float, maturity: Maturity | None, policy: Policy | None = None,
) -> tuple[Case, GroupCounts]:  # fmt: skip
    """Return the comparison, and the counts by group of its periods; those of a sum of periods are summed.

    Raises
    ------
    UsageError
        Unknown entity (QB501), a period that is none (QB101), a level that is none (QB503), periods in the wrong order
        (QB504), an unknown comparison (QB527), no policy to part by (QB532).
    DataError
        No period on one side of a policy (QB533), nothing was tested in a period asked for (QB502), or it is
        preliminary (QB506).
    """
    compared = read_against(against, counts.panel.freq)
    parted = part_preliminary(counts.panel, counts.outcome, entity=entity, maturity=maturity)
    entity = None if entity is None else find_entity(counts.panel, entity)
    seen = parted.panel
    if against == SINCE:
        compared = dataclasses.replace(compared, sides=find_sides(policy, seen.periods, entity))
    if compared.window is not None and not counts.missing.zh:
        kept = pd.MultiIndex.from_frame(counts.cells[["entity", "period"]]).isin(seen.data.index)
        cells = merge_group_cells(counts.cells[kept], compared.window, seen.periods[-1])
        seen = merge_periods(seen, compared.window)
        counts = dataclasses.replace(counts, panel=seen, cells=cells)
    held = read_counts(seen, counts.outcome, entity=entity, level=level)
    end = held.period(last)
    start = compared.before(end) if first is None else held.period(first)
    check_order(start, end)
    case = Case(
        panel=counts.panel, parted=parted, seen=seen, counts=held, compared=compared, entity=entity, start=start,
        end=end, level=level, declared={}, has_firms=counts.has_firms,
    )  # fmt: skip
    case.refuse(end, counts.outcome)
    if first is not None:
        case.refuse(start, counts.outcome)
    return case, counts


def find_reason(case: Case, counts: GroupCounts, first: object) -> Text | None:
    """Return why there is nothing to tell apart, as half a sentence; None where there is."""
    if counts.missing.zh:
        return counts.missing
    obstacle = find_obstacle(case) if first is None else None
    return None if obstacle is None else obstacle[1]


def has_shared_group(rows: pd.DataFrame, is_late: np.ndarray, factors: Sequence[str]) -> bool:
    """Return whether any group of all factors crossed was inspected in both periods."""
    seen = rows[rows["n"] > 0].assign(late=is_late[rows["n"] > 0])
    return bool((seen.groupby(list(factors))["late"].nunique() > 1).any())


def leave_mix(case: Case, why: Text) -> Result:
    """Return a decomposition without an estimate that says why there is none."""
    said = Text(
        f"{{subject}}的{{outcome}}变化中有多少来自抽查对象的构成，这里没有区分：{why.zh}。",
        f"How much of the change of the {{outcome}} of {{subject}} comes from who was inspected is not told apart: "
        f"{why.en[:1].lower()}{why.en[1:]}.",
    )
    short = Text("未区分构成", "The mix is not told apart")
    return dataclasses.replace(leave_unanswered(case, (said, short)), method="kitagawa")
