"""What a watch list and the integrity page are made of: batches by firm, the register, the frame, the items."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.coverage import Coverage
from qbase.core.text import Text
from qbase.core.values import Source
from qbase.indicators.cells.inspection_window import open_rows
from qbase.indicators.cells.record_fates import count_fates
from qbase.lake.entity_names import read_names

if TYPE_CHECKING:
    from qbase.lake import Workspace

_MORE = (
    "m.sample_no, m.sample_date, m.product_name, m.lab_name, m.level, m.risk_class, m.size_class, "
    "m.inclusion_probability, m.matched_id AS firm_id,"
)
_FIRMS = """
SELECT firm_id, any_value(firm_name) AS firm_name, any_value(cluster_id) AS cluster_id,
       any_value(town_code) AS town_code, any_value(size_class) AS size_class,
       any_value(entry_quarter) AS entry_quarter, any_value(exit_quarter) AS exit_quarter
FROM firms GROUP BY firm_id ORDER BY firm_id
"""
_FRAME = """
SELECT cluster_id, quarter, risk_class, sum(n_firms) AS n_firms
FROM (SELECT DISTINCT cluster_id, quarter, risk_class, size_class, n_firms FROM frame)
GROUP BY ALL ORDER BY ALL
"""
_ITEMS = "SELECT DISTINCT sample_no, item_name, coalesce(is_ok, true) AS is_ok FROM items"
_NUMBERS = "SELECT DISTINCT sample_no FROM inspections ORDER BY sample_no"
FRAME_COLUMNS = ["cluster_id", "quarter", "risk_class", "n_firms"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WatchTables:
    """Batches by firm with what stands beside them.

    Parameters
    ----------
    draws : pandas.DataFrame
        One row per first batch of a registered firm (no re-check, complaint or follow-up): sample_no, firm_id,
        sample_date, sample_type, product_name, lab_name, level, risk_class, size_class, inclusion_probability, is_pass.
    firms : pandas.DataFrame
        firm_id, firm_name, cluster_id, town_code, size_class, entry_quarter, exit_quarter; nothing of ownership.
    frame : pandas.DataFrame
        cluster_id, quarter, risk_class, n_firms; empty where none is on record.
    items : pandas.DataFrame
        sample_no, item_name, is_ok; empty where none is on record.
    numbers : pandas.Series
        Every sample number on record, whatever became of the batch.
    names : mapping of str to Text
        Names of towns by code; empty where none is on record.
    sources : tuple of Source
        Where they come from.
    coverage : Coverage or None
        How many of the records on record the draws are.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import WatchTables, read_watch_tables
    >>> tables = read_watch_tables(open_workspace())
    >>> isinstance(tables, WatchTables), len(tables.firms), "ownership" in tables.firms
    (True, 1136, False)
    """

    draws: pd.DataFrame
    firms: pd.DataFrame
    frame: pd.DataFrame
    items: pd.DataFrame
    numbers: pd.Series[str]
    names: Mapping[str, Text] = dataclasses.field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    coverage: Coverage | None = None


def read_watch_tables(workspace: Workspace, *, snapshot: str | None = None) -> WatchTables:
    """Read what a watch list and the integrity page are made of.

    Parameters
    ----------
    workspace : Workspace
        Holds inspections and firms; frame and items where there are any.
    snapshot : str or None
        The latest when None.

    Returns
    -------
    WatchTables

    Raises
    ------
    DataError
        There are no inspections, or no firms (QB403).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import read_watch_tables
    >>> tables = read_watch_tables(open_workspace())
    >>> tables.draws["sample_type"].value_counts().sort_index().to_dict()
    {'random': 3376, 'risk': 4465, 'special': 122}
    """
    rows = open_rows(workspace, entity="firm_id", freq="Q", snapshot=snapshot, first=None, last=None)
    draws = rows.query("watch", parts={"{more}": _MORE})
    draws["sample_date"] = pd.to_datetime(draws["sample_date"])
    has = {t: workspace.has_table(t, rows.at) for t in ("frame", "items")}
    frame = workspace.query(_FRAME, snapshot=rows.at) if has["frame"] else pd.DataFrame(columns=FRAME_COLUMNS)
    items = workspace.query(_ITEMS, snapshot=rows.at) if has["items"] else pd.DataFrame(columns=["sample_no"])
    used = ["inspections", "firms", *(t for t in has if has[t])]
    return WatchTables(
        draws=draws,
        firms=workspace.query(_FIRMS, snapshot=rows.at),
        frame=frame,
        items=items,
        numbers=workspace.query(_NUMBERS, snapshot=rows.at)["sample_no"],
        names=read_names(workspace, "town_code", rows.at),
        sources=tuple(workspace.source(t, rows.at) for t in used),
        coverage=count_fates(rows, counted=len(draws)),
    )
