"""One comparison: what is compared with what, its words and settings, and why there may be no answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from qbase.core import periods
from qbase.core.coverage import HIDDEN
from qbase.core.errors import UsageError
from qbase.core.numbers import count, difference_unit
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.counts.firm_intervals import DESIGN_KNOWS, Firms, settings_of
from qbase.trends.counts.period_counts import Counts
from qbase.trends.counts.period_windows import Compared
from qbase.trends.counts.policy_windows import SEASONS
from qbase.trends.counts.preliminary_periods import Parted

SEASON = Text(
    "环比没有扣除季节影响，升降可能只是季节。",
    "Against the period before, the season is not taken out: a change may be no more than that.",
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A comparison of two periods of one subject.

    Parameters
    ----------
    panel : Panel
        As given.
    parted : Parted
        Without its preliminary periods.
    seen : Panel
        What is compared: the periods, or their sums over longer windows.
    counts : Counts
        Of the subject, in ``seen``.
    compared : Compared
        What two periods stand for.
    entity : str or None
        The subject; None pools.
    start, end : pandas.Period
        The two periods.
    level : float
        Confidence level.
    declared : mapping
        The margin, as settings.
    firms : Firms or None
        Behind the counts.
    has_firms : bool
        Whether any were given; a design's interval knows them without.
    """

    panel: Panel
    parted: Parted
    seen: Panel
    counts: Counts
    compared: Compared
    entity: str | None
    start: pd.Period
    end: pd.Period
    level: float
    declared: Mapping[str, Any]
    firms: Firms | None = None
    has_firms: bool = False

    @property
    def method(self) -> str:
        """Name of the method."""
        if self.counts.is_weighted:
            return "design_difference"
        return "newcombe" if self.firms is None else "firm_difference"

    @property
    def series(self) -> pd.DataFrame:
        """The series of the subject; of single periods with those that are preliminary."""
        return self.parted.join(self.counts.series) if self.compared.window is None else self.counts.series

    @property
    def alone(self) -> tuple[CheckResult, ...]:
        """What says that before against after a policy has no comparison group."""
        return () if self.compared.sides is None else (self.compared.sides.check(),)

    def refuse(self, period: pd.Period, outcome: str) -> None:
        """Refuse a period that is preliminary, in part or as a whole, or was not tested.

        Raises
        ------
        DataError
            It is preliminary (QB506), or nothing was tested in it (QB502).
        """
        for part in self.compared.parts(period):
            self.parted.refuse(part, outcome)
        self.counts.at(period)

    def label(self) -> Text:
        """Return what is compared with what, in words."""
        a, b = self.compared.label(self.start), self.compared.label(self.end)
        return Text(f"与 {a.zh}相比，{b.zh}", f"Between {a.en} and {b.en} ")

    def notes(self) -> tuple[Text, ...]:
        """Return the limits of the comparison."""
        known = DESIGN_KNOWS if self.counts.is_weighted and self.has_firms else None
        told = known if self.firms is None else self.firms.note()
        apart = (SEASONS,) if self.compared.sides is not None and self.panel.freq != "A" else ()
        season = (SEASON,) if self.compared.against == "previous" and self.panel.freq != "A" else ()
        return (*apart, *season, *notes_of(self.panel, self.counts.indicator, self.entity, of_firms=told))

    def settings(self) -> dict[str, Any]:
        """Return everything needed to repeat it."""
        return {
            "outcome": self.counts.indicator.id,
            "entity_kind": self.panel.entity,
            "entity": self.entity,
            "first": self.compared.code(self.start),
            "last": self.compared.code(self.end),
            "against": self.compared.against,
            **({} if self.compared.sides is None else {"policy": self.compared.sides.policy.policy_id}),
            "level": self.level,
            "freq": self.panel.freq,
            "sampling": self.panel.sampling,
            **settings_of(self.firms),
            **self.declared,
            **({"withheld": list(self.hidden)} if self.hidden else {}),
        }

    @property
    def hidden(self) -> tuple[str, ...]:
        """Which of both periods are withheld."""
        return tuple(p for p in (periods.code(self.start), periods.code(self.end)) if p in self.counts.withheld)


def check_order(start: pd.Period, end: pd.Period) -> None:
    """Raise when a change does not run from an earlier period to a later one.

    Raises
    ------
    UsageError
        It does not (QB504).
    """
    if start >= end:
        raise UsageError(
            "QB504",
            first=periods.code(start),
            last=periods.code(end),
            found=f"first={periods.code(start)}, last={periods.code(end)}",
            expected="first before last",
            fix=f'first="{periods.code(end - 1)}", last="{periods.code(end)}"',
        )


def find_obstacle(case: Case) -> tuple[Text, Text] | None:
    """Return why the earlier period cannot be compared with, as a sentence and in a few words; None where it can."""
    a, b = case.compared.label(case.start), case.compared.label(case.end)
    ago, brief = case.compared.ago
    waits = [p for p in (case.parted.pending(q) for q in case.compared.parts(case.start)) if p is not None]
    if waits:
        pending = sum(waits)
        waiting = Text(
            f"尚有 {count(pending)} 批结果待定", f"{count(pending)} {'result' if pending == 1 else 'results'} pending"
        )
        waiting = waiting if pending else Text("该期尚未结束", "it is not over")
        why = Text(f"{a.zh}仍为初步（{waiting.zh}）", f"{a.en} is still preliminary ({waiting.en})")
        short = Text(f"{brief.zh}仍为初步，不作比较", f"Not compared: {brief.en} is still preliminary")
    elif case.hidden:
        name, gone = ago, a
        if periods.code(case.end) in case.hidden:
            name, gone, brief = Text("其他时期", "other periods"), b, Text("本期", "now")
        why = Text(f"{gone.zh}的计数不公开（{HIDDEN}）", f"counts of {gone.en} are withheld ({HIDDEN})")
        short = Text(f"{brief.zh}的计数不公开，不作比较", f"Not compared: counts {brief.en} are withheld")
        ago = name
    elif case.start in case.counts.index:
        return None
    elif case.counts.is_weighted:
        why = Text(f"{a.zh}没有同口径的数字", f"there is no figure of this kind for {a.en}")
        short = Text(f"{brief.zh}没有同口径的数字，不作比较", f"Not compared: no figure of this kind {brief.en}")
    else:
        why = Text(f"{a.zh}没有抽查记录", f"nothing was tested in {a.en}")
        short = Text(f"{brief.zh}没有抽查记录，不作比较", f"Not compared: nothing was tested {brief.en}")
    head = Text(
        f"{b.zh}{{subject}}的{{outcome}}不与{ago.zh}比较：",
        f"The {{outcome}} of {{subject}} in {b.en} is not compared ",
    )
    return Text(f"{head.zh}{why.zh}。", f"{head.en}with {ago.en}: {why.en}."), short


def leave_unanswered(case: Case, why: tuple[Text, Text]) -> Result:
    """Return a change without an estimate that says why there is none."""
    return Result(
        estimand="change",
        outcome=case.counts.indicator,
        unit=difference_unit(case.counts.indicator.unit),
        method=case.method,
        estimates=(),
        subject=case.counts.subject,
        tables={"series": case.series},
        checks=case.parted.checks,
        notes=case.notes(),
        settings=case.settings(),
        sources=case.panel.sources,
        coverage=case.panel.coverage_of(case.counts.indicator.id),
        labels={"unanswered": why[1]},
        unanswered=why[0],
    )
