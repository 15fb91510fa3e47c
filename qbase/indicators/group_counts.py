"""Counts of a rate by what was inspected: risk class, size, product, laboratory, way of drawing and their kin."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.given import read_entity_id
from qbase.core.panel import Panel
from qbase.core.periods import CODES, Freq, code, parse_period, to_periods
from qbase.core.text import Text, same
from qbase.core.values import EMPTY, Indicator, freeze
from qbase.indicators.cells.group_factors import (
    BY_ITEMS,
    ENTITY,
    ENTITY_NAMES,
    FACTORS,
    OUTCOMES,
    check_factors,
    group_parts,
)
from qbase.indicators.cells.inspection_window import Rows, open_rows
from qbase.indicators.cells.strata import UNKNOWN
from qbase.indicators.cells.window_sql import Entity
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.panel_building import build_panel

if TYPE_CHECKING:
    from qbase.lake import Workspace

COUNTS = ["n", "k"]
FIRM = "firm"
NOTHING = Text("", "")
NOT_BATCHES = Text("只有按批次计的比率才能按组区分", "only rates of batches are counted by group")
WEIGHTED = Text(
    "按抽样设计加权的比率不按组区分，权重已考虑抽样构成",
    "a rate weighted by its sampling design is not counted by group, and its weights know who was drawn",
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GroupCounts:
    """Batches and passes by entity, period, group and firm; their sums are the counts of a panel.

    Parameters
    ----------
    panel : Panel
        Holds the one indicator they are counts of.
    cells : pandas.DataFrame
        Columns entity, period, one per factor, firm (where it is known), n and k.
    by : tuple of str
        The factors.
    names : mapping
        Factor -> what it is called in a sentence; one without a name goes by its own.
    missing : Text
        Why there are none, where a panel has none (`find_group_counts`); empty where there are.

    Raises
    ------
    DataError
        They do not add up to the counts of the panel (QB593).

    Examples
    --------
    >>> from qbase.indicators import read_group_counts
    >>> from qbase.lake import open_workspace
    >>> counts = read_group_counts(open_workspace(), "D1.batch", by=("size_class",), first="2024Q4", last="2025Q4")
    >>> counts
    <GroupCounts D1.batch by size_class: 1,052 batches in 959 rows>
    """

    panel: Panel
    cells: pd.DataFrame
    by: tuple[str, ...]
    names: Mapping[str, Text] = dataclasses.field(default_factory=dict)
    missing: Text = NOTHING

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", freeze(self.names))
        if self.missing.zh:
            return
        counted = self.panel.counts(self.outcome)
        counted = counted[counted["n"] > 0].astype("int64")
        summed = self.cells.groupby([ENTITY, "period"])[COUNTS].sum().astype("int64").sort_index()
        summed = summed[summed["n"] > 0]
        if not summed.equals(counted[COUNTS]):
            raise _unequal(self.outcome, summed, counted[COUNTS])

    @property
    def outcome(self) -> str:
        """Id of the indicator."""
        return next(iter(self.panel.indicators))

    @property
    def indicator(self) -> Indicator:
        """The indicator."""
        return self.panel.indicator(self.outcome)

    @property
    def has_firms(self) -> bool:
        """Whether it is known whose batches they are."""
        return FIRM in self.cells

    def name(self, factor: str) -> Text:
        """Return what a factor is called in a sentence."""
        if factor == ENTITY:
            return ENTITY_NAMES.get(self.panel.entity, same(self.panel.entity))
        return self.names.get(factor, same(factor))

    def __repr__(self) -> str:
        by = ", ".join(self.by)
        return f"<GroupCounts {self.outcome} by {by}: {self.cells['n'].sum():,} batches in {len(self.cells):,} rows>"


def read_group_counts(
    workspace: Workspace,
    outcome: str,
    *,
    by: str | Sequence[str],
    entity: Entity = "cluster_id",
    freq: Freq = "Q",
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    snapshot: str | None = None,
) -> GroupCounts:
    """Read the counts of a rate by group and firm; they add up to those of `build_panel`, batch by batch.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections, and items where these are asked for.
    outcome : str
        A rate of batches: ``D1.batch``, ``D1.severe`` or ``D1.label_only``.
    by : str or sequence of str
        What batches are grouped by: ``risk_class size_class product laboratory inspector sample_type standard level
        domain items_band`` (items tested per batch: 1-4, 5-9, 10+). What is not on record is the group ``unknown``.
    entity, freq, first, last, snapshot
        As for `build_panel`.

    Returns
    -------
    GroupCounts

    Raises
    ------
    UsageError
        No such factor, or a rate that is not one of batches (QB402); as `build_panel`.
    DataError
        As `build_panel`; items were not loaded (QB403).

    Examples
    --------
    >>> from qbase.indicators import read_group_counts
    >>> from qbase.lake import open_workspace
    >>> counts = read_group_counts(open_workspace(), "D1.batch", by=("size_class",), first="2025Q4", last="2025Q4")
    >>> counts.cells.groupby("size_class")[["n", "k"]].sum().loc["small"].tolist()
    [192, 146]
    """
    factors = check_factors(by)
    if outcome not in OUTCOMES:
        raise UsageError(
            "QB402",
            option="outcome",
            value=outcome,
            found=f"outcome={outcome!r}",
            expected=" | ".join(OUTCOMES),
            fix='read_group_counts(workspace, "D1.batch", by="size_class")',
        )
    panel = build_panel(workspace, outcome, entity=entity, freq=freq, snapshot=snapshot, first=first, last=last)
    return _read(workspace, panel, outcome, factors, first=first, last=last, snapshot=snapshot)


def find_group_counts(
    workspace: Workspace,
    panel: Panel,
    outcome: str,
    *,
    by: str | Sequence[str],
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
) -> GroupCounts:
    """Find the counts by group behind a rate of a panel; where it has none, they say why.

    Parameters
    ----------
    workspace : Workspace
        The panel was built from it.
    panel : Panel
        Holds ``outcome``.
    outcome : str
        Id of a rate.
    by : str or sequence of str
        As for `read_group_counts`.
    first, last : str, pandas.Period or None
        Window the panel was built with.

    Returns
    -------
    GroupCounts
        Without rows, and with ``missing``, for a rate that is not one of batches or is weighted by its sampling design.

    Raises
    ------
    UsageError
        No such factor (QB402).
    DataError
        Items were not loaded (QB403).

    Examples
    --------
    >>> from qbase.indicators import build_panel, find_group_counts
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> panel = build_panel(workspace, "D1.firm", first="2025Q4", last="2025Q4")
    >>> found = find_group_counts(workspace, panel, "D1.firm", by="size_class", first="2025Q4", last="2025Q4")
    >>> len(found.cells), found.missing.en
    (0, 'only rates of batches are counted by group')
    """
    factors = check_factors(by)
    missing = NOT_BATCHES if outcome not in OUTCOMES else WEIGHTED if panel.sampling != "naive" else NOTHING
    if not missing.zh:
        return _read(workspace, panel, outcome, factors, first=first, last=last, snapshot=None)
    columns = [ENTITY, "period", *factors, *COUNTS]
    held = dataclasses.replace(panel, indicators={outcome: panel.indicator(outcome)})
    nothing = pd.DataFrame(columns=columns)
    return GroupCounts(panel=held, cells=nothing, by=factors, names=_names(factors), missing=missing)


def _read(
    workspace: Workspace, panel: Panel, outcome: str, factors: tuple[str, ...], *, first: str | pd.Period | None,
    last: str | pd.Period | None, snapshot: str | None,
) -> GroupCounts:  # fmt: skip
    entity, freq = cast("Entity", panel.entity), panel.freq
    rows = open_rows(workspace, entity=entity, freq=freq, snapshot=panel.snapshot or snapshot, first=first, last=last)
    asked = (entity, freq, rows.first_day, rows.last_day, outcome, factors)
    cells = keep_value(workspace, "group_counts", asked, rows.at, lambda: _count(rows, outcome, factors))
    return GroupCounts(panel=panel, cells=cells, by=factors, names=_names(factors))


def _count(rows: Rows, outcome: str, factors: tuple[str, ...]) -> pd.DataFrame:
    parts = group_parts(rows, outcome, factors)
    before: tuple[str, ...] = ()
    if outcome in BY_ITEMS:
        before = ("items",)
        # severity keeps the verdict of its day: no yardstick decides it
        parts |= {"{limits_of}": "sample_date > newest_date - INTERVAL 1 YEAR", "{core_of}": "true"}
    found = rows.query(*before, "group_counts", parts=parts)
    return found.assign(entity=found[ENTITY].astype(str), period=to_periods(found["period"], rows.freq))


def _names(factors: Sequence[str]) -> dict[str, Text]:
    return {f: FACTORS[f].name for f in factors}


def build_group_counts(
    frame: pd.DataFrame,
    *,
    indicator: Indicator,
    by: Sequence[str],
    entity: str = ENTITY,
    period: str = "period",
    freq: Freq = "Q",
    names: Mapping[str, Text] = EMPTY,
) -> GroupCounts:
    """Build counts by group from a researcher's own frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of entity, period and factors, ``n`` and ``k``, and ``firm`` where it is known; one row per batch or
        per any group of them.
    indicator : Indicator
        What ``k`` over ``n`` is.
    by : sequence of str
        Columns that are factors.
    entity, period : str
        Columns of the entity and the period.
    freq : {"Q", "H", "A"}
        Frequency of the period.
    names : mapping
        Factor -> what it is called in a sentence.

    Returns
    -------
    GroupCounts

    Raises
    ------
    UsageError
        The frame lacks a column (QB592).
    PanelError
        As `Panel.from_frame`.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Indicator, Text
    >>> from qbase.indicators import build_group_counts
    >>> rate = Indicator(id="pass", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> rows = {"entity": "A", "period": [2017, 2017, 2021, 2021], "size": ["large", "small"] * 2}
    >>> own = pd.DataFrame({**rows, "n": [60, 40, 20, 80], "k": [57, 32, 19, 64]})
    >>> build_group_counts(own, indicator=rate, by=("size",), freq="A")
    <GroupCounts pass by size: 200 batches in 4 rows>
    """
    check_columns(frame, [entity, period, *by, *COUNTS])
    cells = frame[[*by, *([FIRM] if FIRM in frame else []), *COUNTS]].copy()
    for name in by:
        cells[name] = cells[name].astype(object).where(cells[name].notna(), UNKNOWN).astype(str)
    cells.insert(0, ENTITY, [read_entity_id(e) or str(e) for e in frame[entity]])
    when = {p: parse_period(p, freq) for p in frame[period].unique()}
    cells.insert(1, "period", pd.PeriodIndex(frame[period].map(when), dtype=f"period[{CODES[freq]}]"))
    sums = cells.groupby([ENTITY, "period"], as_index=False)[COUNTS].sum()
    sums = sums[sums["n"] > 0]
    i = indicator.id
    rates = {i: 100 * sums["k"] / sums["n"], f"{i}__n": sums["n"], f"{i}__k": sums["k"]}
    rate = pd.DataFrame({ENTITY: sums[ENTITY], "period": sums["period"].map(code), **rates})
    panel = Panel.from_frame(rate, entity=ENTITY, period="period", freq=freq, indicators={i: indicator})
    return GroupCounts(panel=panel, cells=cells, by=tuple(by), names=names)


def check_columns(frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    """Raise when a frame lacks a column.

    Raises
    ------
    UsageError
        It does (QB592).
    """
    lacking = [name for name in wanted if name not in frame]
    if lacking:
        raise UsageError(
            "QB592",
            column=", ".join(lacking),
            found=", ".join(map(str, frame.columns)),
            expected=", ".join(wanted),
            fix='read_group_counts(workspace, "D1.batch", by=("risk_class", "size_class"))',
        )


def _unequal(outcome: str, summed: pd.DataFrame, counted: pd.DataFrame) -> DataError:
    gap = summed.sub(counted, fill_value=0)
    wrong = gap[(gap != 0).any(axis=1)]
    where = "periods" if wrong.empty else f"{len(wrong)} cells, first {wrong.index[0][0]} {wrong.index[0][1]}"
    return DataError(
        "QB593",
        outcome=outcome,
        found=f"{int(summed['n'].sum())} batches in groups, {int(counted['n'].sum())} in the panel; unequal in {where}",
        expected="the same batches, grouped",
        fix="read_group_counts, or build_group_counts from one frame",
    )
