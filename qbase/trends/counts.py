"""Counts of one entity, or of all together, by period."""

from __future__ import annotations

import dataclasses

import pandas as pd

from qbase.core import periods
from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.indicators.suggest import suggest_names
from qbase.indicators.wilson import wilson_interval
from qbase.trends.intervals import check_level

EVERYBODY = {
    "cluster_id": Text("全部产业集群", "all clusters"),
    "firm_id": Text("全部企业", "all firms"),
    "town_code": Text("全部乡镇", "all towns"),
}


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
    """

    indicator: Indicator
    subject: Text
    series: pd.DataFrame
    index: pd.PeriodIndex

    def at(self, period: pd.Period) -> tuple[int, int]:
        """Return n and k of one period.

        Raises
        ------
        DataError
            Nothing was tested in this period (QB502).
        """
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
        if isinstance(given, pd.Period):
            return given
        return periods.parse_period(str(given), "Q" if self.index.freqstr.startswith("Q") else "A")


def read_counts(panel: Panel, outcome: str, *, entity: str | None, level: float) -> Counts:
    """Return the counts of one entity or, with None, summed over all entities.

    Raises
    ------
    UsageError
        The panel has no such entity (QB501), or the level is not a probability (QB503).
    DataError
        Nothing was tested at all (QB502).
    """
    check_level(level)
    counts = panel.counts(outcome)
    indicator = panel.indicator(outcome)
    subject = EVERYBODY.get(panel.entity, Text("全部对象", "all entities"))
    if entity is not None:
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
    return Counts(indicator=indicator, subject=subject, series=series, index=index)
