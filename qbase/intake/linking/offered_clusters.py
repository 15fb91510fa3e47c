"""Firms of one town and one industry, which a register without clusters may mean as one."""

from __future__ import annotations

import collections
import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING

from qbase.intake.linking.town_codes import TownCodes, read_towns
from qbase.lake.entity_names import OWN_PREFIX

if TYPE_CHECKING:
    from qbase.intake.shaping.recipe_steps import Work
    from qbase.lake import Workspace

LEAST_FIRMS = 5
"""Fewer firms of one industry in a town are nothing to call a cluster, and are not asked about."""

# of several clusters of one town and industry the last one is meant: ids made of a made code come first
_KNOWN = """
SELECT DISTINCT town_code, industry_code, cluster_id FROM clusters
ORDER BY starts_with(cluster_id, ?) DESC, cluster_id, town_code
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Firms that may be one cluster.

    Parameters
    ----------
    cluster_id, town_code, town_name, industry_code : str
        The id made by rule, or that of a cluster known for this town and industry; the class most of them are in.
    rows : tuple of int
        Rows of the register.
    is_known : bool
        Whether the lake has this cluster.
    """

    cluster_id: str
    town_code: str
    town_name: str
    industry_code: str
    rows: tuple[int, ...]
    is_known: bool

    @property
    def label(self) -> str:
        """What an answer calls it: town and division of GB/T 4754."""
        return f"{self.town_name} {self.industry_code[:2]}"


def find_clusters(workspace: Workspace, work: Work, names: Mapping[str, str]) -> list[Group]:
    """Return the groups of firms in one town and division of GB/T 4754 that are large enough, in order of town.

    Parameters
    ----------
    workspace : Workspace
        Its lake knows clusters.
    work : Work
        Firms with their towns.
    names : mapping
        Code -> name of a town.

    Returns
    -------
    list of Group
    """
    members: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
    towns = read_towns(workspace)
    for row, (town, industry) in enumerate(work.rows(("town_code", "industry_code"))):
        if town and industry and row not in work.listed:
            members[towns.replaced.get(town, town), industry[:2]].append(row)
    known = _read_known(workspace, towns)
    industries = work.cells("industry_code")
    groups = []
    for (town, division), rows in sorted(members.items()):
        if len(rows) < LEAST_FIRMS:
            continue
        counts = collections.Counter(industries[row] or "" for row in rows)
        industry = min(counts, key=lambda code: (-counts[code], code))
        own = known.get((towns.resolve(town) or town, division), "")
        groups.append(
            Group(
                cluster_id=own or f"C{town}.{division}",
                town_code=town,
                town_name=names.get(town, town),
                industry_code=industry,
                rows=tuple(rows),
                is_known=bool(own),
            )
        )
    return groups


def name_cluster(group: Group) -> str:
    """Return the name of a cluster: its town and its industry."""
    division = group.industry_code[:2]
    return f"{group.town_name}{_read_divisions().get(division, f'{division}类行业')}产业集群"


def _read_known(workspace: Workspace, towns: TownCodes) -> dict[tuple[str, str], str]:
    at = workspace.snapshot()
    if "clusters" not in at.versions:
        return {}
    rows = workspace.arrow(_KNOWN, params=(f"C{OWN_PREFIX}",), snapshot=at).to_pylist()
    return {
        (towns.resolve(row["town_code"]) or row["town_code"], row["industry_code"][:2]): row["cluster_id"]
        for row in rows
    }


@functools.cache
def _read_divisions() -> dict[str, str]:
    file = resources.files("qbase.tables.codes") / "industry_divisions.toml"
    found: dict[str, str] = tomllib.loads(file.read_text(encoding="utf-8"))
    return found
