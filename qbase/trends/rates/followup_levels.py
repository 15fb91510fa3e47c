"""What became of failures and of the plan, over the year up to a quarter: re-checks, orders overdue, repeats, tasks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Indicator, Key
from qbase.indicators import find_indicator
from qbase.indicators.followup_panel import FOLLOWUP, TASKS
from qbase.stats.rates.wilson import wilson_interval
from qbase.trends.counts.period_counts import EVERYBODY, find_entity

STANDING = frozenset({"D1c.repeat"})
"""What looks back by itself: its periods overlap and are never added up."""

DONE = Text("计划任务完成率", "share of planned tasks done")
NO_DATA = Text("没有数据", "no data")
PROCESS = Text(
    "后处理为登记在案的全部责令改正；区间把它们看作同一工作水平下可能出现的一次结果，各件视为相互独立。",
    "Follow-up counts every order on record; the intervals take them as one outcome of the same way of working, orders "
    "being independent.",
)


def estimate_followup(
    panel: Panel, *, entity: str | None = None, last: str | pd.Period | None = None, level: float = 0.95
) -> tuple[Result, ...]:
    """Estimate what became of failures, and of the tasks of the plan, in the year up to a period.

    Orders are added up over the year, for a quarter has few of them; the repeat-failure rate looks back over eight
    quarters by itself and is taken as it stands at the last period. Tasks are counted in full.

    Parameters
    ----------
    panel : Panel
        Of `qbase.indicators.read_followup`.
    entity : str or None
        One entity; None adds all up.
    last : str, pandas.Period or None
        Last period of the year; None is the last one of the panel.
    level : float
        Confidence level.

    Returns
    -------
    tuple of Result
        Re-check pass rate, orders without a re-check at 60 and at 75 days, repeat-failure rate, tasks done of those
        planned, in this order: estimand ``level`` in percent, term ``rate``, table ``counts`` (period, n, k) of what
        was added up. One without an answer where nothing is on record.

    Raises
    ------
    UsageError
        A period that is none (QB101), a level that is none (QB503).

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.

    Examples
    --------
    >>> from qbase.indicators import read_followup
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_followup
    >>> for found in estimate_followup(read_followup(open_workspace()), entity="K001"):
    ...     print(found.say().items[0].en)
    The re-check pass rate of the Qingzhao polyester fibre cluster in 2025Q1–2025Q4 is estimated at 76.5% (95% CI
    52.7–90.4; n = 17 batches).
    The share of orders without a re-check at 60 days of the Qingzhao polyester fibre cluster in 2025Q1–2025Q4 is
    estimated at 70.6% (95% CI 46.9–86.7; n = 17 batches).
    The share of orders overdue of the Qingzhao polyester fibre cluster in 2025Q1–2025Q4 is estimated at 17.6% (95% CI
    6.2–41.0; n = 17 batches).
    The repeat-failure rate of the Qingzhao polyester fibre cluster in 2025 Q4 is estimated at 50.0% (95% CI 26.8–73.2;
    n = 14 firms).
    The share of planned tasks done of the Qingzhao polyester fibre cluster in 2025Q1–2025Q4 is 81.0% (full count, no
    sampling error; n = 21 items).
    """
    entity = None if entity is None else find_entity(panel, entity)
    end = panel.periods[-1] if last is None else periods.parse_period(last, panel.freq)
    return tuple(_level(panel, outcome, entity, end, level) for outcome in (*FOLLOWUP, TASKS))


def _level(panel: Panel, outcome: str, entity: str | None, end: pd.Period, level: float) -> Result:
    start = end if outcome in STANDING else end - (periods.PER_YEAR[panel.freq] - 1)
    start = max(start, panel.periods[0])
    rows = _rows(panel, outcome, entity, start, end)
    n, k = int(rows["n"].sum()), int(rows["k"].sum())
    code = periods.code(end) if start == end else f"{periods.code(start)}–{periods.code(end)}"
    subject = EVERYBODY.get(panel.entity, Text("全部对象", "all entities")) if entity is None else panel.label(entity)
    key: dict[str, Key] = {"period": code} if entity is None else {"period": code, "entity": entity}
    estimates: tuple[Estimate, ...] = ()
    if n and outcome == TASKS:
        estimates = (Estimate(term="rate", key=key, value=100 * k / n, n_obs=n, uncertainty="none_full_count"),)
    elif n:
        low, high = (100 * float(x[0]) for x in wilson_interval(np.array([k]), np.array([n]), level=level))
        estimates = (
            Estimate(
                term="rate", key=key, value=100 * k / n, ci_low=low, ci_high=high, ci_level=level, n_obs=n,
            ),
        )  # fmt: skip
    silent = Text(
        f"{code} {{subject}}的{{outcome}}没有数据。", f"There is no {{outcome}} of {{subject}} on record for {code}."
    )
    return Result(
        estimand="level",
        outcome=_indicator(outcome),
        unit="pct",
        method="count" if outcome == TASKS else "wilson",
        estimates=estimates,
        subject=subject,
        tables={"counts": rows},
        notes=() if outcome == TASKS else (PROCESS,),
        settings={"entity_kind": panel.entity, "entity": entity, "period": code, "level": level, "freq": panel.freq},
        sources=panel.sources,
        labels={} if n else {"unanswered": NO_DATA},
        unanswered=Text("", "") if n else silent,
        coverage=panel.coverage,
    )


def _indicator(outcome: str) -> Indicator:
    found = find_indicator(outcome).indicator
    return dataclasses.replace(found, short=DONE, counted="item") if outcome == TASKS else found


def _rows(panel: Panel, outcome: str, entity: str | None, start: pd.Period, end: pd.Period) -> pd.DataFrame:
    if outcome not in panel.indicators:
        return pd.DataFrame({"period": [], "n": [], "k": []})
    parts = {f"{outcome}__num": "k", f"{outcome}__den": "n"}
    is_ratio = set(parts) <= set(panel.data.columns)
    counts = (panel.data[list(parts)].rename(columns=parts) if is_ratio else panel.counts(outcome)).reset_index()
    kept = counts[(counts["period"] >= start) & (counts["period"] <= end)]
    kept = kept if entity is None else kept[kept["entity"] == entity]
    summed = kept.groupby("period", as_index=False)[["n", "k"]].sum()
    return summed.assign(period=[periods.code(p) for p in summed["period"]])
