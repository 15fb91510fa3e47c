"""Batches of every firm by cluster, town, stratum and quarter: what disclosure control judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.periods import code, to_periods
from qbase.indicators.cells.inspection_window import open_rows
from qbase.indicators.cells.sampling_design import Design
from qbase.indicators.cells.strata import by_firm_parts

if TYPE_CHECKING:
    from qbase.lake import Workspace


def read_contributors(
    workspace: Workspace,
    *,
    snapshot: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
) -> pd.DataFrame:
    """Read first inspections by firm, as ``D1.batch`` counts them, with both places a firm may be told by.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections and the register of firms.
    snapshot, first, last
        As for `build_panel`; quarters.

    Returns
    -------
    pandas.DataFrame
        ``cluster`` and ``town`` (empty where there is none), ``group`` (risk class and size, ``high|small``),
        ``period`` (``2025Q4``), ``firm`` (a maker without code and name is one unknown firm), batches ``n``,
        passes ``k``. Never for outside the house.

    Raises
    ------
    UsageError
        A period that is none (QB101), or a window that ends before it starts (QB408).
    DataError
        A table is missing (QB403).

    Examples
    --------
    >>> from qbase.indicators import build_panel, read_contributors
    >>> from qbase.lake import open_workspace
    >>> rows = read_contributors(open_workspace(), first="2025Q4", last="2025Q4")
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q4", last="2025Q4")
    >>> int(rows.loc[rows["cluster"] != "", "n"].sum()) == int(panel.data["D1.batch__n"].sum())
    True
    """
    rows = open_rows(workspace, entity="town_code", freq="Q", snapshot=snapshot, first=first, last=last)
    found = rows.query("contributors", parts=by_firm_parts(rows, Design()))
    return found.assign(period=[code(period) for period in to_periods(found["period"], "Q")])
