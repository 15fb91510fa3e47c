"""A subject of which nothing but preliminary periods is known: what every estimate of it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.numbers import count, difference_unit
from qbase.core.panel import Panel
from qbase.core.results.result import Estimand, Result
from qbase.core.text import Text
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.counts.period_counts import EVERYBODY, find_entity
from qbase.trends.counts.preliminary_periods import young_periods

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

SHORT = Text("只有初步数据，不作判断", "Preliminary data alone: no verdict")


def leave_preliminary(
    panel: Panel, outcome: str, entity: str | None, maturity: Maturity | None, *, estimand: Estimand, method: str
) -> Result | None:
    """Return a result without an estimate where every period of a subject is preliminary, and None where one is not.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    outcome : str
        Id of a rate.
    entity : str or None
        The subject; None is all entities summed.
    maturity : Maturity or None
        None takes every period as complete.
    estimand, method : str
        Of the estimate that cannot be made.

    Returns
    -------
    Result or None
        Says how many results are pending; table ``series`` has the counts so far, without an interval.

    Raises
    ------
    PanelError
        No such indicator (QB123).
    """
    if maturity is None:
        return None
    entity = None if entity is None else find_entity(panel, entity)
    young, is_all = young_periods(panel, entity, maturity)
    if not is_all:
        return None
    indicator = panel.indicator(outcome)
    subject = EVERYBODY.get(panel.entity, Text("全部对象", "all entities")) if entity is None else panel.label(entity)
    is_difference = estimand in {"change", "trend"}
    return Result(
        estimand=estimand,
        outcome=indicator,
        unit=difference_unit(indicator.unit) if is_difference else indicator.unit,
        method=method,
        estimates=(),
        subject=subject,
        tables={"series": _series(young)},
        notes=notes_of(panel, indicator, entity),
        settings={
            "outcome": outcome, "entity_kind": panel.entity, "entity": entity, "freq": panel.freq,
            "sampling": panel.sampling,
        },
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
        labels={"unanswered": SHORT},
        unanswered=_say(young),
    )  # fmt: skip


def _series(young: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "period": [periods.code(p) for p in young.index],
            "n": young["n_final"].astype("int64"),
            "k": young["k_final"].astype("int64"),
            "ci_low": np.nan,
            "ci_high": np.nan,
            "pending_count": young["pending_count"].astype("int64"),
            "is_preliminary": True,
        }
    ).reset_index(drop=True)


def _say(young: pd.DataFrame) -> Text:
    last, pending = periods.label(young.index[-1]), int(young["pending_count"].iloc[-1])
    some = "1 result is" if pending == 1 else f"{count(pending)} results are"
    open_yet = Text(f"尚有 {count(pending)} 批结果待定", f"{some} pending")
    open_yet = open_yet if pending else Text("尚未结束", "it is not over")
    return Text(
        f"{{subject}}的{{outcome}}只有初步数据（{last.zh}{open_yet.zh}），暂不作判断。",
        f"The {{outcome}} of {{subject}} is preliminary in every period ({last.en}: {open_yet.en}): no verdict yet.",
    )
