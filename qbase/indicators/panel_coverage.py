"""How many records stand behind a panel, and why the others do not."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, percent
from qbase.core.panel import Panel
from qbase.core.periods import Freq
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.indicators.cells.inspection_window import open_rows
from qbase.indicators.cells.window_sql import Entity

if TYPE_CHECKING:
    from qbase.lake import Workspace

MATCHED_SHARE = 0.95
"""With more than one record in twenty unplaced, who is missing may matter more than the sampling error."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coverage:
    """What became of every inspection of a window: ``seen`` is the sum of the six counts after it.

    Parameters
    ----------
    seen : int
        Inspections in the window.
    counted : int
        First inspections that match an entity; these make the rate.
    rechecks, complaints, followups : int
        Left out by definition.
    other_roles : int
        Left out because the firm named is not the producer but ordered or sold the goods.
    unmatched : int
        First inspections that match no entity.
    overturned : int
        Counted failures that an appeal overturned; they count as passes.
    by_name : int
        Counted ones matched by the registered name alone, for want of a valid code.
    doubtful : int
        Of all seen, those whose firm a person has to confirm; they count only where a sound code names a firm.

    Examples
    --------
    >>> from qbase.indicators import read_coverage
    >>> from qbase.lake import open_workspace
    >>> found = read_coverage(open_workspace(), first="2025Q1", last="2025Q4")
    >>> f"{found.counted} of {found.seen} inspections make the rate; {found.rechecks} re-checks do not"
    '825 of 1062 inspections make the rate; 127 re-checks do not'
    """

    seen: int
    counted: int
    rechecks: int
    complaints: int
    followups: int
    other_roles: int
    unmatched: int
    overturned: int
    by_name: int
    doubtful: int = 0

    @property
    def matched_share(self) -> float:
        """Share of the first inspections that match an entity; 1 when there are none."""
        first = self.counted + self.unmatched
        return self.counted / first if first else 1.0


def read_coverage(
    workspace: Workspace,
    *,
    entity: Entity = "cluster_id",
    freq: Freq = "Q",
    snapshot: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
) -> Coverage:
    """Count what became of every inspection of a window.

    Parameters
    ----------
    workspace, entity, freq, snapshot, first, last
        As for `qbase.indicators.build_panel`.

    Returns
    -------
    Coverage

    Raises
    ------
    UsageError
        Kind of entity or frequency (QB402), period (QB101).
    DataError
        A table is missing (QB403).

    Examples
    --------
    >>> from qbase.indicators import read_coverage
    >>> from qbase.lake import open_workspace
    >>> read_coverage(open_workspace(), first="2025Q1", last="2025Q4")
    Coverage(seen=1062, counted=825, rechecks=127, complaints=50, followups=0, other_roles=60, unmatched=0,
    overturned=0, by_name=0, doubtful=0)
    """
    rows = open_rows(workspace, entity=entity, freq=freq, snapshot=snapshot, first=first, last=last)
    fates = rows.query("coverage").set_index("fate")
    n = {str(fate): int(value) for fate, value in fates["n"].items()}
    extra = fates.reindex(["counted"], fill_value=0)
    return Coverage(
        seen=sum(n.values()),
        counted=n.get("counted", 0),
        rechecks=n.get("recheck", 0),
        complaints=n.get("complaint", 0),
        followups=n.get("followup", 0),
        other_roles=n.get("other_role", 0),
        unmatched=n.get("unmatched", 0),
        overturned=int(extra["overturned"].iloc[0]),
        by_name=int(extra["by_name"].iloc[0]),
        doubtful=int(fates["doubtful"].sum()),
    )


def check_coverage(panel: Panel, workspace: Workspace) -> CheckResult:
    """Check how many records of a panel's window could be placed.

    Parameters
    ----------
    panel : Panel
        From `qbase.indicators.build_panel`.
    workspace : Workspace
        The one it was built from.

    Returns
    -------
    CheckResult
        ``coverage``; False when more than 5 % of the first inspections match no entity. The text accounts for
        every inspection of the window.

    Raises
    ------
    DataError
        The panel does not come from inspections of this workspace (QB403).

    Examples
    --------
    >>> from qbase.indicators import build_panel, check_coverage
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q1", last="2025Q4")
    >>> print(check_coverage(panel, open_workspace()).text.en)
    1,062 inspections in the window: 825 counted; left out by definition 127 re-checks, 50 complaints and 0
    follow-ups, and 60 of firms that did not make the goods; 0 more (0.0% of first inspections) match no single
    entity and are not counted.
    """
    tables = [s.path for s in panel.sources]
    if "inspections" not in tables:
        raise DataError(
            "QB403",
            table="inspections",
            found=", ".join(tables) or "a panel without sources",
            expected="a panel made by build_panel",
            fix="check_coverage(build_panel(workspace, …), workspace)",
        )
    coverage = read_coverage(
        workspace,
        entity=_entity(panel),
        freq=panel.freq,
        snapshot=panel.snapshot or None,
        first=panel.periods[0],
        last=panel.periods[-1],
    )
    passed = coverage.matched_share >= MATCHED_SHARE
    return CheckResult(name="coverage", passed=passed, text=coverage_text(coverage))


def _entity(panel: Panel) -> Entity:
    kinds: tuple[Entity, ...] = ("cluster_id", "firm_id", "town_code")
    return next(k for k in kinds if k == panel.entity)


def coverage_text(c: Coverage) -> Text:
    """Return the account of a coverage in one sentence."""
    lost = 100 * (1 - c.matched_share)
    ordered = Text("", "")
    if c.other_roles:
        ordered = Text(
            f"、委托等非生产企业 {count(c.other_roles)} 条",
            f", and {count(c.other_roles)} of firms that did not make the goods",
        )
    zh = (
        f"所选时期共 {count(c.seen)} 条检验记录：计入 {count(c.counted)} 条；按定义不计入复查 {count(c.rechecks)} 条、"
        f"投诉 {count(c.complaints)} 条、跟踪 {count(c.followups)} 条{ordered.zh}；另有 {count(c.unmatched)} 条"
        f"（首次抽查的 {percent(lost)}）无法唯一对应到主体，未计入。"
    )
    en = (
        f"{count(c.seen)} inspections in the window: {count(c.counted)} counted; left out by definition "
        f"{count(c.rechecks)} re-checks, {count(c.complaints)} complaints and {count(c.followups)} follow-ups"
        f"{ordered.en}; {count(c.unmatched)} more ({percent(lost)} of first inspections) match no single "
        "entity and are not counted."
    )
    if c.by_name:
        zh += f"其中 {count(c.by_name)} 条因代码缺失或有误，按登记名称对应。"
        en += f" {count(c.by_name)} counted ones were matched by registered name, their code being absent or wrong."
    if c.doubtful:
        zh += f"全部记录中 {count(c.doubtful)} 条的企业身份待人工确认（qbase links list）。"
        en += f" Of all seen, the firm of {count(c.doubtful)} has to be confirmed by a person (qbase links list)."
    if c.overturned:
        zh += f"复检改判合格的 {count(c.overturned)} 条按合格计。"
        en += f" {count(c.overturned)} failures overturned on appeal count as passes."
    return Text(zh, en)
