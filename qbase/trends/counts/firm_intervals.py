"""Intervals of rates that know which batches are of one firm."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.core.numbers import number
from qbase.core.text import Text
from qbase.stats.rates.firm_differences import compare_firm_rates, shared_correlation
from qbase.stats.rates.firm_likeness import FirmLikeness, firm_rate_interval, fit_firm_likeness
from qbase.stats.rates.wilson import square_and_add
from qbase.trends.counts.period_counts import Counts

if TYPE_CHECKING:
    from qbase.core.panel import Panel
    from qbase.indicators.firm_counts import FirmCounts

Ints = NDArray[np.int64]
NEEDED = {"entity", "period", "firm", "n", "k"}
DESIGN_KNOWS = Text(
    "区间来自抽样设计，已计入同一企业批次的相近；两期都被抽到的企业使变化的实际不确定性更小，未予扣除。",
    "The interval comes from the sampling design, which counts batches of one firm as alike; firms drawn in both "
    "periods make a change less doubtful than shown.",
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Firms:
    """Firms behind the counts of one subject, and how alike their batches are.

    Parameters
    ----------
    rows : pandas.DataFrame
        Columns entity, period, firm, n, k; one row per firm of an entity and period.
    likeness : FirmLikeness
        Learnt from all periods of the subject, each entity and period with a rate of its own.
    is_pooled : bool
        Whether several entities are summed.
    """

    rows: pd.DataFrame
    likeness: FirmLikeness
    is_pooled: bool

    def note(self) -> Text:
        """Say what batches of one firm were taken for."""
        if not self.likeness.is_informed:
            return Text(
                "没有企业在同一期被抽查两次以上，区间与把各批次视为互不相关时相同。",
                "No firm was drawn twice in a period: the interval is that of independent batches.",
            )
        shown = number(self.likeness.mean, 2)
        return Text(
            f"同一企业同期的批次彼此相近（相关系数估计为 {shown}，由历史数据得出），区间已计入。",
            f"Batches of one firm and period are alike (correlation {shown}, learnt from the history); the interval "
            "counts that.",
        )

    def drawn(self, first: pd.Period, last: pd.Period, entity: str | None = None) -> tuple[Ints, Ints, Ints, Ints]:
        """Return batches and passes of every firm in both periods: n and k of the first, n and k of the last."""
        rows = self.rows if entity is None else self.rows[self.rows["entity"] == entity]
        two = [rows[rows["period"] == p].groupby("owner")[["n", "k"]].sum() for p in (first, last)]
        owners = two[0].index.union(two[1].index)
        filled = [found.reindex(owners, fill_value=0) for found in two]
        n0, k0, n1, k1 = (f[c].to_numpy(dtype=np.int64) for f in filled for c in ("n", "k"))
        return n0, k0, n1, k1

    def compare(
        self, first: pd.Period, last: pd.Period, *, level: float, entity: str | None = None
    ) -> tuple[float, float, float]:
        """Return the change between two periods with its interval, in percentage points.

        Firms drawn in both periods are paired; of a sum over entities within their entity, each with its own rates.
        """
        n0, k0, n1, k1 = self.drawn(first, last, entity)
        if self.is_pooled and entity is None:
            n = np.array([n0.sum(), n1.sum()], dtype=float)
            rate = np.array([k0.sum(), k1.sum()]) / n
            sum_nn = np.array([(x.astype(float) ** 2).sum() for x in (n0, n1)])
            low, high = firm_rate_interval(rate, n, sum_nn, self.likeness, level=level)
            before, after = ((rate[i], low[i], high[i]) for i in (0, 1))
            joined = square_and_add(after, before, correlation=self._shared(first, last))
            value, lower, upper = (100 * float(x) for x in joined)
            return value, max(-100.0, lower), min(100.0, upper)
        found = compare_firm_rates((n0, k0), (n1, k1), self.likeness, level=level)
        return 100 * found.value, 100 * found.low, 100 * found.high

    def _shared(self, first: pd.Period, last: pd.Period) -> float:
        """Return how far the two rates of a sum move together through firms of one entity drawn in both periods."""
        keys = ["entity", "owner"]
        two = [self.rows[self.rows["period"] == p].groupby(keys)[["n", "k"]].sum() for p in (first, last)]
        units = two[0].index.union(two[1].index)
        before, after = (
            (f["n"].to_numpy(dtype=np.int64), f["k"].to_numpy(dtype=np.int64))
            for f in (found.reindex(units, fill_value=0) for found in two)
        )
        cell = np.asarray(units.get_level_values("entity").factorize()[0], dtype=np.int64)
        return shared_correlation(before, after, self.likeness, cell=cell)

    def only(self, entities: list[str]) -> Firms:
        """Return the same for some entities; likeness stays what all of them taught."""
        return dataclasses.replace(self, rows=self.rows[self.rows["entity"].isin(entities)])


def match_firms(
    panel: Panel,
    outcome: str,
    counts: Counts,
    firms: FirmCounts | None,
    *,
    entity: str | None,
    quarter: int | None = None,
) -> Firms | None:
    """Return the firms behind the counts of a subject; None where none are given, or the design's interval is taken.

    Likeness is learnt from all periods, or from those of one quarter: years to date overlap within a year.

    Raises
    ------
    DataError
        They are not the firms of these counts: another indicator or treatment, or sums that differ (QB525).
    """
    if firms is None:
        return None
    if missing := NEEDED - set(firms.data.columns):
        raise _refused(outcome, f"columns without {', '.join(sorted(missing))}")
    if firms.outcome != outcome or firms.sampling != panel.sampling:
        raise _refused(
            outcome, f"{firms.outcome}, sampling={firms.sampling!r}", f"{outcome}, sampling={panel.sampling!r}"
        )
    rows = firms.of(entity)
    rows = rows[rows["period"].isin(counts.index) & (rows["n"] > 0)]
    # periods withheld from one entity of several are not in the panel
    held = panel.counts(outcome).index if entity is None else None
    if held is not None:
        rows = rows[pd.MultiIndex.from_frame(rows[["entity", "period"]]).isin(held)]
    _check_sums(outcome, counts, rows)
    if counts.is_weighted:
        return None
    # a maker without a name is a stranger of its own place
    rows = rows.assign(owner=rows["firm"].where(rows["firm"] != "", "? " + rows["entity"].astype(str)))
    cell = np.asarray(rows.groupby(["entity", "period"]).ngroup(), dtype=np.int64)
    n, k = (rows[c].to_numpy(dtype=np.int64) for c in ("n", "k"))
    told = slice(None) if quarter is None else (pd.PeriodIndex(rows["period"]).quarter == quarter)
    likeness = fit_firm_likeness(n[told], k[told], cell[told])
    return Firms(rows=rows, likeness=likeness, is_pooled=rows["entity"].nunique() > 1)


def widen_counts(counts: Counts, firms: Firms | None, *, level: float) -> Counts:
    """Return the counts of a subject with intervals that know its firms; as they are where none are given."""
    if firms is None:
        return counts
    by_firm = firms.rows.groupby(["period", "owner"])["n"].sum()
    sum_nn = np.asarray((by_firm.astype(float) ** 2).groupby(level="period").sum().reindex(counts.index), dtype=float)
    n, k = (counts.series[c].to_numpy(dtype=float) for c in ("n", "k"))
    low, high = firm_rate_interval(k / n, n, sum_nn, firms.likeness, level=level)
    return dataclasses.replace(counts, series=counts.series.assign(ci_low=100 * low, ci_high=100 * high))


def settings_of(firms: Firms | None) -> dict[str, object]:
    """Return what a result says of its firms in its settings."""
    if firms is None:
        return {}
    return {"firms": int(firms.rows["owner"].nunique()), "firm_likeness": round(firms.likeness.mean, 4)}


def _check_sums(outcome: str, counts: Counts, rows: pd.DataFrame) -> None:
    sums = rows.groupby("period")[["n", "k"]].sum().reindex(counts.index).fillna(0).astype("int64")
    wrong = np.flatnonzero((sums.to_numpy() != counts.series[["n", "k"]].to_numpy()).any(axis=1))
    if len(wrong):
        at = wrong[0]
        (n, k), own = sums.iloc[at], counts.series.iloc[at]
        raise _refused(
            outcome,
            f"{len(wrong)} periods, first {periods.code(counts.index[at])}: firms n {n}, k {k}",
            f"n {own['n']}, k {own['k']} as in the panel",
        )


def _refused(
    outcome: str, found: str, expected: str = "entity, period, firm, n, k of the panel's own inspections"
) -> DataError:
    return DataError(
        "QB525",
        outcome=outcome,
        found=found,
        expected=expected,
        fix="read_firm_counts(workspace, outcome, …) with entity, freq, window, snapshot and sampling of the panel",
    )
