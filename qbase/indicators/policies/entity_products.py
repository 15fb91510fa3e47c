"""What each entity makes and who is next to whom: by these the controls of a policy are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.given import check_word
from qbase.core.policy import Policy, match_policy
from qbase.indicators.cells.window_sql import Entity
from qbase.intake import read_towns

if TYPE_CHECKING:
    from qbase.lake import Workspace

_SQL = {
    "cluster_id": "SELECT cluster_id AS entity, industry_code AS product FROM clusters",
    "town_code": "SELECT town_code AS entity, industry_code AS product FROM clusters",
    "firm_id": "SELECT f.firm_id AS entity, c.industry_code AS product FROM firms AS f JOIN clusters AS c "
    "ON c.cluster_id = f.cluster_id",
}


def read_products(
    workspace: Workspace, policy: Policy, *, entity: Entity = "cluster_id", snapshot: str | None = None
) -> pd.DataFrame:
    """Read the product of every entity: the four-digit industry of its cluster; of a town those of all its clusters.

    Parameters
    ----------
    workspace : Workspace
        Its tables ``clusters`` and, for firms, ``firms``; without them nobody has a product.
    policy : Policy
        Its treated are in the list even where no product is known of them.
    entity : {"cluster_id", "town_code", "firm_id"}
        What the panel follows; towns under their codes of today, as in a panel.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    pandas.DataFrame
        Columns entity and product, as `qbase.effects.choose_controls` takes them.

    Raises
    ------
    UsageError
        An entity that is none (QB144).

    Examples
    --------
    >>> from qbase.indicators import build_policy, read_products
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> products = read_products(workspace, build_policy(workspace, "base"))
    >>> products.head(2).values.tolist()
    [['K001', '2822'], ['K002', '2822']]
    """
    check_word("entity", entity, tuple(_SQL))
    at = workspace.snapshot(snapshot)
    needed = ("clusters", "firms") if entity == "firm_id" else ("clusters",)
    found = pd.DataFrame(columns=["entity", "product"])
    if all(workspace.has_table(table, at) for table in needed):
        found = workspace.query(_SQL[entity], snapshot=at).dropna().astype(str)
    if entity == "town_code":
        now = read_towns(workspace, at).renumbered()
        found["entity"] = [now.get(code, code) for code in found["entity"]]
    joined = found.drop_duplicates().sort_values("product").groupby("entity")["product"].agg("+".join)
    lost = [e for e in match_policy(policy, list(joined.index)).first_treated if e not in joined.index]
    # a treated entity of unknown product has no control of the same product
    known = pd.concat([joined, pd.Series("?", index=pd.Index(lost, dtype=object), dtype=object)]).sort_index()
    return pd.DataFrame({"entity": [str(e) for e in known.index], "product": [str(p) for p in known]})


_PLACES = {
    "cluster_id": "SELECT cluster_id AS entity, town_code FROM clusters",
    "town_code": "SELECT DISTINCT town_code AS entity, town_code FROM clusters",
}


def read_neighbours(
    workspace: Workspace, *, entity: Entity = "cluster_id", snapshot: str | None = None
) -> pd.DataFrame | None:
    """Read who is next to whom: clusters of one town or of towns that touch, towns that touch.

    Parameters
    ----------
    workspace : Workspace
        Its tables ``clusters`` and ``town_borders``, which names a pair once or twice.
    entity : {"cluster_id", "town_code", "firm_id"}
        What the panel follows; towns under their codes of today, as in a panel.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    pandas.DataFrame or None
        Columns entity and neighbour, each pair in both orders, as `qbase.effects.choose_controls` takes them;
        None where no borders are on record, and of firms.

    Raises
    ------
    UsageError
        An entity that is none (QB144).

    Examples
    --------
    >>> from qbase.indicators import read_neighbours
    >>> from qbase.lake import open_workspace
    >>> read_neighbours(open_workspace()) is None  # the demo tells nothing of borders
    True
    """
    check_word("entity", entity, tuple(_SQL))
    at = workspace.snapshot(snapshot)
    if entity == "firm_id" or not all(workspace.has_table(table, at) for table in ("clusters", "town_borders")):
        return None
    now = read_towns(workspace, at).renumbered()
    border = workspace.query("SELECT town_code, neighbour_code FROM town_borders", snapshot=at).astype(str)
    pairs = {(now.get(a, a), now.get(b, b)) for a, b in border.itertuples(index=False)}
    places = workspace.query(_PLACES[entity], snapshot=at).dropna().astype(str)
    places["town_code"] = [now.get(code, code) for code in places["town_code"]]
    if entity == "town_code":
        places["entity"] = places["town_code"]
    places = places.drop_duplicates()
    touching = {*pairs, *((b, a) for a, b in pairs), *((town, town) for town in places["town_code"])}
    borders = pd.DataFrame(sorted(touching), columns=["town_code", "neighbour_town"])
    others = places.rename(columns={"entity": "neighbour", "town_code": "neighbour_town"})
    found = places.merge(borders, on="town_code").merge(others, on="neighbour_town")
    found = found[found["entity"] != found["neighbour"]][["entity", "neighbour"]].drop_duplicates()
    return found.sort_values(["entity", "neighbour"], ignore_index=True)
