"""Counts on dated lists of firms: how many have to be verified, were, and failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd

from qbase.core.panel import Panel
from qbase.core.periods import parse_period
from qbase.intake import read_towns
from qbase.scorecards.presets.preset_values import Listed

if TYPE_CHECKING:
    from qbase.lake import Workspace

COLUMNS = ["listed", "verified", "failed"]

_LIVING = """
SELECT firm_id, {entity} AS entity FROM firms
WHERE {entity} IS NOT NULL AND coalesce(entry_quarter, '') <= $quarter
    AND (exit_quarter IS NULL OR exit_quarter > $quarter) {above}
"""


def read_listed(
    workspace: Workspace,
    *,
    listed: Listed,
    quarter: str,
    entity: Literal["cluster_id", "town_code"] = "cluster_id",
    snapshot: str | None = None,
) -> pd.Series:
    """Read which living firms stand on a list at the end of a quarter.

    Parameters
    ----------
    workspace : Workspace
        Its table ``firms``.
    listed : {"firms", "above_scale"}
        All, or those above scale.
    quarter : str
        ``2025Q4``: the firms that entered by then and had not left.
    entity : {"cluster_id", "town_code"}
        Where they are listed; a town goes by the code it has today.
    snapshot : str or None
        Snapshot of the lake.

    Returns
    -------
    pandas.Series
        Firm -> cluster or town.
    """
    above, at = "AND is_above_scale" if listed == "above_scale" else "", workspace.snapshot(snapshot)
    # the column is one of two names of ours
    found = workspace.query(_LIVING.format(above=above, entity=entity), params={"quarter": quarter}, snapshot=at)
    where = found.astype(str).drop_duplicates("firm_id").set_index("firm_id")["entity"].sort_index()
    return where.replace(read_towns(workspace, at).renumbered()) if entity == "town_code" else where


def count_register(panel: Panel, indicator: str, year: str) -> pd.DataFrame:
    """Count a list that the register itself is: its rows are all firms, and each of them is known.

    Returns
    -------
    pandas.DataFrame
        Index entity; listed, verified, failed.
    """
    counts = panel.counts(indicator)
    own = counts[counts.index.get_level_values("period") == parse_period(year, panel.freq)].droplevel("period").dropna()
    n, k = own["n"].astype(int), own["k"].astype(int)
    return pd.DataFrame({"listed": n, "verified": n, "failed": n - k})[n > 0]


def count_verified(
    listed: pd.Series, by_firm: Panel, indicators: Sequence[str], year: str
) -> Mapping[str, pd.DataFrame]:
    """Count what was verified of the firms on a list.

    A firm that was verified and has left the list counts no more; one on the list without a finding of the year is
    unverified.

    Parameters
    ----------
    listed : pandas.Series
        Firm -> entity.
    by_firm : Panel
        Annual, of firms.
    indicators : sequence of str
        Rates of 0 or 1 per firm.
    year : str
        Whose findings count.

    Returns
    -------
    mapping
        Indicator -> frame with index entity and columns listed, verified, failed.
    """
    on_list = listed.groupby(listed).size()
    found = {}
    for indicator in indicators:
        counts = by_firm.counts(indicator)
        own = counts[counts.index.get_level_values("period") == parse_period(year, by_firm.freq)].droplevel("period")
        known = own.reindex(listed.index).fillna(0.0)
        seen = known["n"] > 0
        failed = seen & (known["k"] < known["n"])
        found[indicator] = pd.DataFrame(
            {
                "listed": on_list,
                "verified": seen.groupby(listed).sum().astype(int),
                "failed": failed.groupby(listed).sum().astype(int),
            }
        )
    return found
