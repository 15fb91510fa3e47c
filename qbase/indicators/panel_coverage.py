"""How many records of a window count, and why the others do not, without building a panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.coverage import COUNTED, Coverage
from qbase.core.periods import Freq
from qbase.indicators.cells.inspection_window import open_rows
from qbase.indicators.cells.record_fates import count_fates
from qbase.indicators.cells.window_sql import Entity

if TYPE_CHECKING:
    from qbase.lake import Workspace


def read_coverage(
    workspace: Workspace,
    *,
    entity: Entity = "cluster_id",
    freq: Freq = "Q",
    snapshot: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
) -> Coverage:
    """Count what became of every inspection on record, and how those that count were matched.

    Parameters
    ----------
    workspace, entity, freq, snapshot, first, last
        As for `qbase.indicators.build_panel`.

    Returns
    -------
    Coverage
        The account a panel of pass rates carries, and in addition how many were matched by name, wait for a person
        or were overturned on appeal.

    Raises
    ------
    UsageError
        Kind of entity or frequency (QB402), period (QB101).
    DataError
        A table is missing (QB403).

    Examples
    --------
    >>> from qbase.indicators import read_coverage
    >>> from qbase.lake import open_workspace
    >>> coverage = read_coverage(open_workspace(), first="2025Q1", last="2025Q4")
    >>> coverage.seen, coverage.counted, coverage.lost
    (10128, 825, 0)
    >>> print(coverage.say().en)
    Stands on 825 of 1,062 batches on record in the window. Not counted by definition: 127 re-checks, 50 complaints,
    60 of firms that did not make the goods, 9,066 outside the window. Nothing that should count is lost.
    """
    rows = open_rows(workspace, entity=entity, freq=freq, snapshot=snapshot, first=first, last=last)
    fates = rows.query("coverage")
    sums = fates[fates["fate"] == COUNTED][["n", "overturned", "by_name"]].sum()
    n, overturned, by_name = (int(x) for x in sums.to_numpy())
    remarks = Coverage(fates={}, overturned=overturned, by_name=by_name, doubtful=int(fates["doubtful"].sum()))
    return count_fates(rows, counted=n) + remarks
