"""What is shown beside a series and enters no estimate: periods still preliminary, and yearly totals from before."""

from __future__ import annotations

import dataclasses
import weakref
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.indicators.maturity.maturity_table import Maturity
from qbase.indicators.maturity.maturity_words import say_preliminary
from qbase.indicators.maturity.quarter_maturity import BOUNDED, check_maturity, withhold_preliminary
from qbase.trends.counts.period_counts import Counts, find_entity

if TYPE_CHECKING:
    from qbase.indicators.yearly_totals import History

NOTHING = Text("", "")
COUNTED = "D1.batch"
"""Totals count batches and those that passed; they are history of no other rate."""

_RIPE: weakref.WeakKeyDictionary[Panel, weakref.WeakKeyDictionary[Maturity, dict[bool, Panel]]] = (
    weakref.WeakKeyDictionary()
)
_YOUNG: weakref.WeakKeyDictionary[
    Panel, weakref.WeakKeyDictionary[Maturity, dict[str | None, tuple[pd.DataFrame, bool]]]
] = weakref.WeakKeyDictionary()
_ROWS: weakref.WeakKeyDictionary[
    Panel, weakref.WeakKeyDictionary[Maturity, dict[tuple[str, str | None], pd.DataFrame]]
] = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Parted:
    """A panel without its preliminary periods, and these apart.

    Parameters
    ----------
    panel : Panel
        What may end in a verdict.
    young : pandas.DataFrame or None
        Preliminary periods of the subject: period (code), n, k, rate_pct of the final results, no interval, and
        ``pending_count``, ``low_pct``, ``high_pct``, ``is_preliminary``; None when nothing is known of maturity.
    checks : tuple of CheckResult
        The check of maturity.
    said : Text
        Why a period gets no verdict; empty when none is preliminary.
    """

    panel: Panel
    young: pd.DataFrame | None = None
    checks: tuple[CheckResult, ...] = ()
    said: Text = NOTHING

    def join(self, series: pd.DataFrame) -> pd.DataFrame:
        """Return a series of periods that are complete enough together with those that are not, in order."""
        if self.young is None:
            return series
        ripe = series.assign(pending_count=0, low_pct=np.nan, high_pct=np.nan, is_preliminary=False)
        if self.young.empty:
            return ripe
        return pd.concat([ripe, self.young[list(ripe.columns)]]).sort_values("period", ignore_index=True)

    def pending(self, period: pd.Period) -> int | None:
        """Return how many results of a preliminary period are to come; None where it is not preliminary."""
        if self.young is None:
            return None
        rows = self.young[self.young["period"] == periods.code(period)]
        return int(rows["pending_count"].iloc[0]) if len(rows) else None

    def refuse(self, period: pd.Period, outcome: str) -> None:
        """Refuse a period that is preliminary.

        Raises
        ------
        DataError
            It is (QB506).
        """
        pending = self.pending(period)
        if pending is not None:
            raise _refused(periods.code(period), outcome, pending, self.panel.periods[-1])


def part_preliminary(panel: Panel, outcome: str, *, entity: str | None, maturity: Maturity | None) -> Parted:
    """Part the preliminary periods of a subject from a panel.

    Parameters
    ----------
    panel : Panel
        Left as it is.
    outcome : str
        Id of a rate.
    entity : str or None
        The subject; None is all entities summed.
    maturity : Maturity or None
        From `qbase.indicators.read_maturity`, of the same window; None takes every period as complete.

    Returns
    -------
    Parted

    Raises
    ------
    DataError
        Every period of the subject is preliminary (QB506).
    """
    if maturity is None:
        return Parted(panel=panel)
    entity = None if entity is None else find_entity(panel, entity)
    young, is_all = young_periods(panel, entity, maturity)
    if is_all:
        raise _refused(periods.code(young.index[-1]), outcome, int(young["pending_count"].iloc[-1]), None)
    ripe = _ripe(panel, maturity, is_pooled=entity is None)
    is_bounded = outcome == BOUNDED and panel.sampling == "naive"
    return Parted(
        panel=ripe,
        young=_held_rows(panel, outcome, entity, maturity, young, is_bounded=is_bounded),
        checks=(check_maturity(ripe, maturity, entity=entity, is_pooled=entity is None),),
        said=say_preliminary(maturity, entity, has_bounds=outcome == BOUNDED, is_weighted=panel.sampling != "naive"),
    )


def _ripe(panel: Panel, maturity: Maturity, *, is_pooled: bool) -> Panel:
    """Return a panel without its preliminary rows; the estimates of a letter ask for the same one many times."""
    held = _RIPE.setdefault(panel, weakref.WeakKeyDictionary()).setdefault(maturity, {})
    if is_pooled not in held:
        held[is_pooled] = withhold_preliminary(panel, maturity, is_pooled=is_pooled)
    return held[is_pooled]


def young_periods(panel: Panel, entity: str | None, maturity: Maturity) -> tuple[pd.DataFrame, bool]:
    """Return the preliminary rows of maturity of one subject in the window of a panel, and whether it has no others.

    Every estimate of a subject asks twice, and a letter makes many: what was found is held with panel and maturity.
    """
    held = _YOUNG.setdefault(panel, weakref.WeakKeyDictionary()).setdefault(maturity, {})
    if entity not in held:
        rows: pd.DataFrame = maturity.of(entity)
        young = rows[rows["is_preliminary"] & (rows.index >= panel.periods[0])]
        held[entity] = young, _is_all_young(panel, entity, young)
    return held[entity]


def _is_all_young(panel: Panel, entity: str | None, young: pd.DataFrame) -> bool:
    held = panel.data.index
    mine = held if entity is None else held[held.get_level_values("entity") == entity]
    return bool(len(mine) and mine.get_level_values("period").isin(young.index).all())


def check_up_to_date(panel: Panel, counts: Counts, parted: Parted) -> CheckResult | None:
    """Say how long ago a subject was last inspected, where others of the panel were inspected since.

    Parameters
    ----------
    panel : Panel
        With all its entities: its last period is the one expected.
    counts : Counts
        Of the subject.
    parted : Parted
        Preliminary periods are not missing.

    Returns
    -------
    CheckResult or None
        ``up_to_date``, for information; None where the latest period of the panel is spoken of, or preliminary.
    """
    last, end = counts.index[-1], panel.periods[-1]
    missing = [p for p in pd.period_range(last + 1, end) if parted.pending(p) is None]
    missing = [p for p in missing if periods.code(p) not in counts.withheld]
    if not missing:
        return None
    a, b, n = periods.label(last), periods.label(end), len(missing)
    text = Text(
        f"{a.zh}之后没有该对象的抽查记录（数据截至 {b.zh}，缺 {n} 期），以上并非最新情况。",
        f"Nothing has been tested here since {a.en} (the data run to {b.en}, {n} {'period' if n == 1 else 'periods'} "
        "without tests): this is not the latest state.",
    )
    return CheckResult(name="up_to_date", passed=None, text=text)


def _held_rows(
    panel: Panel, outcome: str, entity: str | None, maturity: Maturity, young: pd.DataFrame, *, is_bounded: bool
) -> pd.DataFrame:
    held = _ROWS.setdefault(panel, weakref.WeakKeyDictionary()).setdefault(maturity, {})
    if (outcome, entity) not in held:
        held[outcome, entity] = _rows(panel, outcome, entity, young, is_bounded=is_bounded)
    return held[outcome, entity]


def _rows(panel: Panel, outcome: str, entity: str | None, young: pd.DataFrame, *, is_bounded: bool) -> pd.DataFrame:
    """Return the preliminary rows; where pending batches give no bounds, with the value known so far alone."""
    columns = {"n": young["n_final"], "k": young["k_final"], "rate_pct": young["rate_pct"]}
    if not is_bounded:
        own = panel.data if entity is None else panel.data[panel.data.index.get_level_values("entity") == entity]
        sums = own[[f"{outcome}__n", f"{outcome}__k"]].groupby(level="period").sum().reindex(young.index).fillna(0)
        n, k = (sums[f"{outcome}__{c}"].astype("int64") for c in ("n", "k"))
        columns = {"n": n, "k": k, "rate_pct": 100 * k / n.where(n > 0)}
        if panel.sampling != "naive":
            columns["rate_pct"] = own[outcome].groupby(level="period").mean().reindex(young.index)
    frame = pd.DataFrame(columns)
    return frame.assign(
        period=[periods.code(p) for p in young.index],
        ci_low=np.nan,
        ci_high=np.nan,
        pending_count=young["pending_count"].astype("int64"),
        low_pct=young["low_pct"] if is_bounded else np.nan,
        high_pct=young["high_pct"] if is_bounded else np.nan,
        is_preliminary=True,
    ).reset_index(drop=True)


def _refused(period: str, outcome: str, pending: int, last: pd.Period | None) -> DataError:
    return DataError(
        "QB506",
        period=period,
        outcome=outcome,
        found=f"{pending} results of {period} pending" if pending else f"{period} is not over",
        expected="at least one period with its results final",
        fix=f'period="{periods.code(last)}"' if last is not None else "qbase load FILE… (the results still to come)",
    )


def read_totals(history: History | None, outcome: str, entity: str | None, first: pd.Period) -> pd.DataFrame:
    """Return year, n, k and rate of the totals that lie before a series.

    Parameters
    ----------
    history : History or None
        Totals, if any were read.
    outcome : str
        Id of the rate; totals of batches belong to that of batches alone.
    entity : str or None
        None adds all entities up.
    first : pandas.Period
        First period of the series.

    Returns
    -------
    pandas.DataFrame
        Empty where there is none.
    """
    if history is None or outcome != COUNTED:
        return pd.DataFrame(columns=["year", "n", "k", "rate_pct"])
    rows = history.of(entity)
    rows = rows[(rows["year"] < first.year) & (rows["n"] > 0)].reset_index(drop=True)
    return rows.assign(rate_pct=100 * rows["k"] / rows["n"])


def check_history(totals: pd.DataFrame) -> list[CheckResult]:
    """Return what a reader must know of totals, for information; nothing where there are none."""
    if totals.empty:
        return []
    years = f"{int(totals['year'].min())}–{int(totals['year'].max())}"
    text = Text(
        f"{years} 年只有年度合计（含复查与否、抽样方式均未注明），图中另作标记，不计入逐季估计。",
        f"For {years} only yearly totals are on record; whether re-checks are among them, and how batches were drawn, "
        "is not stated. They are marked in the figure and enter no estimate.",
    )
    return [CheckResult(name="history", passed=None, text=text)]
