"""The indicators of follow-up and of the plan that the lake can give, as one panel."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.panel import Panel
from qbase.core.periods import Freq
from qbase.indicators.availability import list_indicators
from qbase.indicators.cells.window_sql import Entity
from qbase.indicators.panel_building import build_panel

if TYPE_CHECKING:
    from qbase.lake import Workspace

FOLLOWUP = ("D1c.recheck", "D1c.late", "D1c.overdue", "D1c.repeat")
"""Indicators of follow-up, in the order they are read."""

TASKS = "S2.tasks"
"""How much of the plan was done."""

NO_VALUE = "QB421"


def read_followup(
    workspace: Workspace,
    *,
    entity: Entity = "cluster_id",
    freq: Freq = "Q",
    snapshot: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
) -> Panel:
    """Read what became of failures and of the tasks of the plan, as far as the lake holds it.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections and, for more than repeated failures, the register of follow-up.
    entity, freq, snapshot, first, last
        As for `build_panel`.

    Returns
    -------
    Panel
        ``D1.batch``, and of ``D1c.recheck D1c.late D1c.overdue D1c.repeat S2.tasks`` those with a value in the window.

    Raises
    ------
    UsageError, DataError
        As `build_panel` for ``D1.batch``.

    Examples
    --------
    >>> from qbase.indicators import read_followup
    >>> from qbase.lake import open_workspace
    >>> panel = read_followup(open_workspace(), first="2025Q1", last="2025Q2")
    >>> panel.counts("D1c.recheck").loc["K001"].to_dict("list")
    {'k': [6.0, 5.0], 'n': [8.0, 6.0]}
    """
    window = {"entity": entity, "freq": freq, "first": first, "last": last}
    base = build_panel(workspace, "D1.batch", snapshot=snapshot, **window)  # type: ignore[arg-type]
    listed = [a for clause in ("D1c", "S2") for a in list_indicators(workspace, clause=clause, snapshot=snapshot)]
    ready = {a.measured.indicator.id: a for a in listed}
    found = [base]
    for name in (*FOLLOWUP, TASKS):
        if ready[name].state != "ready" or entity not in ready[name].measured.entities:
            continue
        try:
            found.append(build_panel(workspace, name, snapshot=base.snapshot or snapshot, **window))  # type: ignore[arg-type]
        except DataError as error:
            if error.code != NO_VALUE:
                raise
    return dataclasses.replace(
        base,
        data=pd.concat([panel.data for panel in found], axis=1).sort_index(),
        indicators={i: x for panel in found for i, x in panel.indicators.items()},
        labels={e: x for panel in found for e, x in panel.labels.items()},
        sources=tuple({(s.path, s.sha256): s for panel in found for s in panel.sources}.values()),
    )
