"""Counts of one entity, or of all together, by period."""

from __future__ import annotations

import dataclasses

import pandas as pd

from qbase.core import periods
from qbase.core.errors import DataError, UsageError
from qbase.core.given import match_spellings, read_entity_id
from qbase.core.nearest_name import suggest_names
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.stats.rates.difference_intervals import check_level
from qbase.stats.rates.wilson import wilson_interval

PANEL_LEVEL = 0.95
"""Level of the intervals a panel carries."""

TOST_LEVEL = 0.9
"""Level of the interval that two one-sided tests at 5 % compare with a margin."""

EVERYBODY = {
    "cluster_id": Text("全部产业集群", "all clusters"),
    "firm_id": Text("全部企业", "all firms"),
    "town_code": Text("全部乡镇", "all towns"),
}
OF_SHOWN = {
    "cluster_id": Text("数字可公开的产业集群", "clusters whose counts may be shown"),
    "town_code": Text("数字可公开的乡镇", "towns whose counts may be shown"),
}
"""What all together are called where some are withheld."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """Passes and tests of one subject by period.

    Parameters
    ----------
    indicator : Indicator
        What was measured.
    subject : Text
        The entity's name, or that it is all of them.
    series : pandas.DataFrame
        Columns period (code), n, k, rate_pct, ci_low, ci_high; one row per period with tests, in order.
    index : pandas.PeriodIndex
        The periods of the rows.
    is_weighted : bool
        Whether rates and intervals come from the design of the sample instead of from k and n.
    withheld : tuple of str
        Codes of the subject's periods that are withheld; in ``series`` they are missing.
    """

    indicator: Indicator
    subject: Text
    series: pd.DataFrame
    index: pd.PeriodIndex
    is_weighted: bool = False
    withheld: tuple[str, ...] = ()

    @property
    def told(self) -> dict[str, list[str]]:
        """What settings of a result say of it."""
        return {"withheld": list(self.withheld)} if self.withheld else {}

    def row(self, period: pd.Period) -> pd.Series:
        """Return the row of one period; `at` says first whether it is there."""
        self.at(period)
        return self.series[self.index == period].iloc[0]

    def at(self, period: pd.Period) -> tuple[int, int]:
        """Return n and k of one period.

        Raises
        ------
        DataError
            Nothing was tested in this period (QB502), or its counts are withheld (QB715).
        """
        if periods.code(period) in self.withheld or self.index.empty:
            shown = self.series["period"].tolist()
            fix = f'period "{shown[-1]}" is the last one shown' if shown else "a single period"
            raise _withheld(self.subject, periods.code(period), fix)
        found = self.series[self.index == period]
        if found.empty:
            held = list(self.series["period"])
            raise DataError(
                "QB502",
                subject_zh=self.subject.zh,
                subject_en=self.subject.en,
                period=periods.code(period),
                found=f"0 tested in {periods.code(period)}",
                expected=f"one of {len(held)} periods, {held[0]} to {held[-1]}",
                fix=f'period "{held[-1]}" is the last one with tests',
            )
        return int(found["n"].iloc[0]), int(found["k"].iloc[0])

    def period(self, given: str | pd.Period | None) -> pd.Period:
        """Return the period meant: the last one when none is given."""
        if given is None:
            return self.index[-1]
        return periods.parse_period(given, periods.freq_of(self.index))


def find_entity(panel: Panel, entity: str) -> str:
    """Return an id as the panel writes it: width, case, blanks and dashes set aside; as it is where there is none."""
    given = read_entity_id(entity) or str(entity)
    return match_spellings([given], panel.entities).get(given, given)


def name_all(panel: Panel) -> Text:
    """Return what all entities of a panel together are called; where some are withheld, that they are not all."""
    words = OF_SHOWN if panel.withheld is not None and panel.withheld.cells else EVERYBODY
    return words.get(panel.entity, Text("全部对象", "all entities"))


def read_counts(panel: Panel, outcome: str, *, entity: str | None, level: float) -> Counts:
    """Return the counts of one entity or, with None, summed over all entities.

    A panel weighted by its sampling design keeps its own rates and intervals: k over n would undo the weights.

    Raises
    ------
    UsageError
        The panel has no such entity (QB501), or the level is not a probability (QB503).
    DataError
        Nothing was tested at all (QB502), all is withheld (QB715), or a weighted panel is to be pooled or read at
        another level (QB505).
    """
    check_level(level)
    is_weighted = panel.sampling != "naive"
    if is_weighted:
        _refuse_pooling(panel, outcome, entity, level)
    counts = panel.counts(outcome)
    indicator = panel.indicator(outcome)
    subject = name_all(panel)
    if entity is not None:
        entity = find_entity(panel, entity)
        if entity not in panel.entities and panel.withheld is not None and (gone := panel.withheld.of(entity)):
            raise _withheld(panel.label(entity), f"{gone[0]}–{gone[-1]}", "a coarser subject: entity = town_code")
        if entity not in panel.entities:
            raise UsageError(
                "QB501",
                entity=entity,
                found=f"entity={entity!r}",
                expected=f"one of the {len(panel.entities)} values of {panel.entity}",
                fix=suggest_names(entity, panel.entities),
            )
        counts = counts.loc[[entity]]
        subject = panel.label(entity)
    summed = counts.fillna(0).groupby(level="period").sum().astype("int64").sort_index()
    summed = summed[summed["n"] > 0]
    if summed.empty:
        raise DataError(
            "QB502",
            subject_zh=subject.zh,
            subject_en=subject.en,
            period=f"{periods.code(panel.periods[0])}–{periods.code(panel.periods[-1])}",
            found="0 tested in every period",
            expected="at least one period with tests",
            fix="choose another entity, or a wider window",
        )
    index = pd.PeriodIndex(summed.index)
    low, high = wilson_interval(summed["k"], summed["n"], level=level)
    series = pd.DataFrame(
        {
            "period": [periods.code(p) for p in index],
            "n": summed["n"].to_numpy(),
            "k": summed["k"].to_numpy(),
            "rate_pct": 100 * summed["k"].to_numpy() / summed["n"].to_numpy(),
            "ci_low": 100 * low,
            "ci_high": 100 * high,
        }
    )
    if is_weighted:
        series, index = _weighted(panel, outcome, entity or panel.entities[0], series, index)
    gone = () if panel.withheld is None else panel.withheld.of(entity)
    return Counts(
        indicator=indicator, subject=subject, series=series, index=index, is_weighted=is_weighted, withheld=gone
    )


def _withheld(subject: Text, period: str, fix: str) -> DataError:
    return DataError(
        "QB715",
        subject_zh=subject.zh,
        subject_en=subject.en,
        period=period,
        found=f"{period} is withheld to protect firms",
        expected="counts that may be shown outside",
        fix=f"{fix}; or profile internal",
    )


def _refuse_pooling(panel: Panel, outcome: str, entity: str | None, level: float) -> None:
    pooled = entity is None and len(panel.entities) > 1
    if pooled or abs(level - PANEL_LEVEL) > 1e-12:
        raise DataError(
            "QB505",
            outcome=outcome,
            sampling=panel.sampling,
            found=f"{len(panel.entities)} entities at once" if pooled else f"level={level}",
            expected=f"one entity, level={PANEL_LEVEL}",
            fix=f'entity="{panel.entities[0]}"' if pooled else f"level={PANEL_LEVEL}",
        )


def _weighted(
    panel: Panel, outcome: str, entity: str, series: pd.DataFrame, index: pd.PeriodIndex
) -> tuple[pd.DataFrame, pd.PeriodIndex]:
    """Put the panel's own rates and intervals beside the counts; periods without a weighted rate are left out."""
    own = panel.data.loc[[entity]].droplevel("entity").reindex(index)
    columns = {"rate_pct": outcome, "ci_low": f"{outcome}__lo", "ci_high": f"{outcome}__hi"}
    held = own[list(columns.values())].notna().all(axis=1).to_numpy()
    changed = series.assign(**{name: own[column].to_numpy(dtype=float) for name, column in columns.items()})
    return changed[held].reset_index(drop=True), index[held]
