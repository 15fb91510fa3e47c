"""Yearly totals of towns, as offices print them for the years whose batches are lost: history, never an estimate."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.panel import Panel
from qbase.core.values import Source
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.kept.value_bytes import learn
from qbase.intake import TownCodes, read_towns

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

TABLE = "town_rates"
COLUMNS = ["entity", "year", "n", "k"]

_CLUSTERS = "SELECT town_code, cluster_id AS entity FROM clusters ORDER BY cluster_id"
_TOTALS = "SELECT town_code, year, batch_count AS n, passed_count AS k FROM town_rates ORDER BY town_code, year"


@learn
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """Totals of the years before a panel.

    Parameters
    ----------
    totals : pandas.DataFrame
        Columns entity, year, n, k; a cluster has the totals of its town. Only whole years before the first period.
    sources : tuple of Source
        Where they come from; none where there are no totals.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.indicators import History
    >>> rows = pd.DataFrame({"entity": ["K001", "K002"], "year": 2019, "n": [31, 29], "k": [28, 25]})
    >>> History(totals=rows).of(None)
       year   n   k
    0  2019  60  53
    """

    totals: pd.DataFrame
    sources: tuple[Source, ...] = ()

    def of(self, entity: str | None) -> pd.DataFrame:
        """Return year, n and k of one entity, or of all together."""
        own = self.totals if entity is None else self.totals[self.totals["entity"] == entity]
        sums: pd.DataFrame = own.groupby("year", as_index=False)[["n", "k"]].sum()
        return sums


def read_history(workspace: Workspace, panel: Panel) -> History:
    """Read the yearly totals that lie before a panel; none for firms, or where none were loaded.

    Parameters
    ----------
    workspace : Workspace
        Its lake may hold ``town_rates``.
    panel : Panel
        Its entities, first period and snapshot decide what is read.

    Returns
    -------
    History

    Examples
    --------
    >>> from qbase.indicators import build_panel, read_history
    >>> from qbase.lake import open_workspace
    >>> home = open_workspace()
    >>> panel = build_panel(home, "D1.batch", entity="town_code", first="2024Q4")
    >>> read_history(home, panel).of(None).columns.tolist()
    ['year', 'n', 'k']
    """
    at = workspace.snapshot(panel.snapshot or None)
    if panel.entity == "firm_id" or not workspace.has_table(TABLE, at):
        return History(totals=pd.DataFrame(columns=COLUMNS))
    asked = (panel.entity, panel.periods[0].year, panel.entities)
    return keep_value(workspace, "history", asked, at, lambda: _read(workspace, panel, at))


def _read(workspace: Workspace, panel: Panel, at: Snapshot) -> History:
    totals = workspace.query(_TOTALS, snapshot=at)
    towns = read_towns(workspace, at)
    totals = _once(totals.assign(town_code=totals["town_code"].astype(str)), towns)
    totals["town_code"] = [towns.resolve(code) or code for code in totals["town_code"]]
    if panel.entity == "cluster_id":
        places = workspace.query(_CLUSTERS, snapshot=at)
        places["town_code"] = [towns.resolve(code) or code for code in places["town_code"].astype(str)]
        # of a town with several clusters nobody knows which batches were whose
        totals = totals.merge(places.drop_duplicates("town_code", keep=False), on="town_code")
    else:
        totals["entity"] = totals["town_code"]
    is_before = totals["year"] < panel.periods[0].year
    is_known = totals["entity"].isin(set(map(str, panel.entities)))
    rows = totals.loc[is_before & is_known, COLUMNS].reset_index(drop=True)
    return History(totals=rows, sources=(workspace.source(TABLE, at),) if len(rows) else ())


def _once(totals: pd.DataFrame, towns: TownCodes) -> pd.DataFrame:
    """Return each year of a town once: one stated under a made code as well as the official one is the same year."""
    replaced = [towns.replaced.get(code, "") for code in totals["town_code"]]
    totals = totals.assign(made=[bool(code) for code in replaced])
    totals["official"] = [new or code for new, code in zip(replaced, totals["town_code"], strict=True)]
    ordered = totals.sort_values(["made", "town_code"], kind="stable")
    kept: pd.DataFrame = ordered.drop_duplicates(["official", "year"]).sort_index()
    return kept.drop(columns=["made", "official"])
