"""Yearly totals before a series: told and drawn as totals, never part of an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.text import Text
from qbase.core.values import CheckResult

if TYPE_CHECKING:
    from qbase.indicators.yearly_totals import History

COUNTED = "D1.batch"
"""Totals count batches and those that passed; they are history of no other rate."""


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
