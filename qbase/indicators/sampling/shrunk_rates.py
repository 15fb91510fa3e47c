"""A panel whose rates are shrunk across entities."""

from __future__ import annotations

import dataclasses

import pandas as pd

from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.stats.rates.shrinkage import LEAST_ENTITIES, refuse_counts, shrink_rates


def add_shrinkage(panel: Panel, outcome: str, *, level: float = 0.95) -> Panel:
    """Return a panel whose rates of one indicator are shrunk across entities, period by period.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts; weighted panels enter with their effective sample sizes.
    outcome : str
        Id of a rate.
    level : float
        Probability of the interval.

    Returns
    -------
    Panel
        Values and limits replaced, ``outcome`` named in ``shrunk``: estimators refuse it. Periods with fewer than
        four entities are left out.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk already (QB125).
    DataError
        No period has four entities (QB435).

    Examples
    --------
    >>> from qbase.indicators import add_shrinkage, build_panel
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q4", last="2025Q4")
    >>> shrunk = add_shrinkage(panel, "D1.batch")
    >>> shrunk.shrunk, [round(float(p.data["D1.batch"].loc["K001"].iloc[0]), 1) for p in (panel, shrunk)]
    (('D1.batch',), [75.0, 76.3])
    """
    counts = panel.counts(outcome)
    n = panel.data.get(f"{outcome}__n_eff", counts["n"]).astype(float)
    rate = panel.data[outcome].astype(float) / 100
    parts = []
    for _, rows in n.groupby(level="period"):
        if len(rows) >= LEAST_ENTITIES:
            part = shrink_rates(rate[rows.index] * rows, rows, level=level)
            parts.append(part.set_index(rows.index))
    if not parts:
        raise refuse_counts(f"{len(panel.entities)} entities", Text("对象太少", "too few entities"))
    shrunk = 100 * pd.concat(parts).sort_index()
    data = panel.data.loc[shrunk.index].copy()
    for name, column in (("", "value"), ("__lo", "low"), ("__hi", "high")):
        data[outcome + name] = shrunk[column]
    return dataclasses.replace(panel, data=data, shrunk=(*panel.shrunk, outcome))
