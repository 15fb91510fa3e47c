"""Which table names what is followed, and by which columns: clusters, towns and firms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from qbase.core.shown.english_names import name_text
from qbase.core.text import Text

if TYPE_CHECKING:
    from qbase.lake.storage.snapshots import Snapshot
    from qbase.lake.workspace import Workspace

OWN_PREFIX = "970000"
"""Codes made by rule start like those of no province (GB/T 2260), so that they are never taken for real ones."""

TOWN_LINKS = "town_links"
"""The diary of codes made by rule that an official one replaced (`qbase.intake.linking.town_links`)."""

# of each pair the latest row holds; of several official codes the one said last
REPLACED_SQL = f"""
SELECT made_code, official_code, town_name FROM (
    SELECT * FROM {TOWN_LINKS}
    QUALIFY row_number() OVER (PARTITION BY made_code, official_code ORDER BY decision_no DESC) = 1
) WHERE decision = 'accept'
QUALIFY row_number() OVER (PARTITION BY made_code ORDER BY decision_no DESC) = 1
"""  # noqa: S608  (a name of ours)
# one name for one town: a replaced code has none, and an official code known from divisions alone has that of the diary
_TOWNS = f"""
WITH replaced AS ({REPLACED_SQL})
SELECT DISTINCT town_code AS code, town_name AS zh, NULL::VARCHAR AS en FROM towns
WHERE town_code NOT IN (SELECT made_code FROM replaced)
UNION
SELECT official_code, town_name, NULL FROM replaced WHERE official_code NOT IN (SELECT town_code FROM towns)
"""  # noqa: S608  (names of ours)


class NameColumns(NamedTuple):
    """Where the names of one kind of entity stand.

    Parameters
    ----------
    table, key, name, name_en : str
        Table; its columns of the code, the name and the English name; the last is empty where there is none.
    """

    table: str
    key: str
    name: str
    name_en: str = ""

    @property
    def sql(self) -> str:
        """Statement whose rows are ``code``, ``zh`` and ``en`` (null where there is no English name), each once."""
        english = self.name_en or "NULL::VARCHAR"
        # names of tables and columns are those below, never what somebody typed
        return f"SELECT DISTINCT {self.key} AS code, {self.name} AS zh, {english} AS en FROM {self.table}"  # noqa: S608


NAMED: Mapping[str, NameColumns] = {
    "cluster_id": NameColumns("clusters", "cluster_id", "cluster_name", "cluster_name_en"),
    "town_code": NameColumns("towns", "town_code", "town_name"),
    "firm_id": NameColumns("firms", "firm_id", "firm_name"),
}
"""Kind of entity -> where its names stand."""


def names_sql(workspace: Workspace, entity: str, snapshot: Snapshot) -> str:
    """Return the statement whose rows are ``code``, ``zh`` and ``en`` of all entities of a kind, in braces.

    Parameters
    ----------
    workspace : Workspace
        Whose tables are read.
    entity : str
        A key of `NAMED`; its table is in the snapshot.
    snapshot : Snapshot
        A town whose code was replaced in it stands under its official code alone.

    Returns
    -------
    str
        To be put behind ``SELECT … FROM``.
    """
    is_replaced = entity == "town_code" and workspace.has_table(TOWN_LINKS, snapshot)
    return f"({_TOWNS if is_replaced else NAMED[entity].sql})"


def read_names(
    workspace: Workspace, entity: str, snapshot: Snapshot, *, among: set[str] | None = None
) -> dict[str, Text]:
    """Return the names of all entities of a kind by code; none of those without a name, and none without their table.

    Parameters
    ----------
    workspace, entity, snapshot
        As for `names_sql`; the table may be missing.
    among : set of str or None
        The codes wanted; None for all. An English name that is not on record is made (`name_in_english`).
    """
    if not workspace.has_table(NAMED[entity].table, snapshot):
        return {}
    source = names_sql(workspace, entity, snapshot)
    found = workspace.query(f"SELECT * FROM {source} WHERE zh IS NOT NULL", snapshot=snapshot)  # noqa: S608  (ours)
    if among is not None:
        found = found[found["code"].isin(among)]
    english = found["en"].astype(object).where(found["en"].notna(), None)
    return {str(code): name_text(str(zh), en) for code, zh, en in zip(found["code"], found["zh"], english, strict=True)}


def read_replaced(workspace: Workspace, snapshot: Snapshot | None = None) -> dict[str, str]:
    """Return the official code of every town code made by rule that it replaced; none without the diary of links.

    Parameters
    ----------
    workspace : Workspace
        Where the diary lies.
    snapshot : Snapshot or None
        The latest when None.

    Returns
    -------
    dict of str to str
    """
    at = workspace.snapshot(snapshot)
    if not workspace.has_table(TOWN_LINKS, at):
        return {}
    rows = workspace.arrow(f"{REPLACED_SQL} ORDER BY made_code", snapshot=at).to_pylist()
    return {row["made_code"]: row["official_code"] for row in rows}
