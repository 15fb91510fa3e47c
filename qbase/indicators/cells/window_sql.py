"""The SQL every measure of inspections starts from: a window of a snapshot, matched to firms."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from qbase.compute import ShardQuery
from qbase.core.periods import Freq
from qbase.core.values import EMPTY
from qbase.indicators.catalogue.indicator_rows import read_sql
from qbase.indicators.catalogue.sql_parts import fill_begin
from qbase.indicators.cells.snapshot_files import MEMORY_MB, READ, REGISTER, table_files
from qbase.intake import read_towns

if TYPE_CHECKING:
    from qbase.compute import Cluster
    from qbase.lake import Snapshot, Workspace

Entity = Literal["cluster_id", "firm_id", "town_code"]

ENTITIES = {
    "cluster_id": "f.cluster_id",
    "firm_id": "f.firm_id",
    "town_code": "coalesce(m.town_code, f.town_code)",
}
ALWAYS = ("0001-01-01", "9999-12-31")
"""First and last day of a window nobody narrowed."""

# a register delivered twice is one register; a firm described in two ways belongs nowhere until that is settled
_FIRMS = """
WITH again AS (SELECT firm_id FROM firms GROUP BY firm_id HAVING count(*) > 1)
SELECT firm_id, uscc, firm_name, cluster_id, town_code
FROM firms AS f ANTI JOIN again AS a ON a.firm_id IS NOT DISTINCT FROM f.firm_id
UNION ALL
SELECT firm_id, any_value(uscc), any_value(firm_name), any_value(cluster_id), any_value(town_code)
FROM (
    SELECT DISTINCT firm_id, uscc, firm_name, cluster_id, town_code
    FROM firms AS f SEMI JOIN again AS a ON a.firm_id IS NOT DISTINCT FROM f.firm_id
)
GROUP BY firm_id HAVING count(*) = 1
"""
_NO_FIRMS = (
    "SELECT NULL::VARCHAR AS firm_id, NULL::VARCHAR AS uscc, NULL::VARCHAR AS firm_name, "
    "NULL::VARCHAR AS cluster_id, NULL::VARCHAR AS town_code WHERE false"
)
_NUMBERED = "SELECT *, CAST(row_number() OVER () - 1 AS INTEGER) AS firm_no FROM ({firms})"

# the latest decision on a printed firm counts, unless a correction printed another code since
_LINKS = """
SELECT sample_no, name_printed, arg_max(uscc_printed, decision_no) AS uscc_printed,
       arg_max(firm_id, decision_no) AS firm_id, arg_max(decision, decision_no) AS decision
FROM identity_links GROUP BY sample_no, name_printed
"""
_NO_LINKS = "SELECT NULL::VARCHAR AS sample_no, NULL::VARCHAR AS name_printed, NULL::VARCHAR AS uscc_printed, "
_NO_LINKS += "NULL::VARCHAR AS firm_id, NULL::VARCHAR AS decision WHERE false"


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowSql:
    """What is asked of a window, as SQL over the files of one snapshot.

    Parameters
    ----------
    workspace : Workspace
        Where they lie.
    entity : {"cluster_id", "firm_id", "town_code"}
        What is followed.
    freq : {"Q", "H", "A"}
        Period.
    first_day, last_day : str
        ISO dates, both inside.
    at : Snapshot
        One snapshot for every query, whatever is loaded meanwhile.
    cluster : Cluster or None
        Dask workers that count batches; None counts them here.
    """

    workspace: Workspace
    entity: Entity
    freq: Freq
    first_day: str
    last_day: str
    at: Snapshot
    cluster: Cluster | None = None

    def shard_query(
        self, *sqls: str, parts: Mapping[str, str] = EMPTY, prepared: Mapping[str, str] = EMPTY
    ) -> ShardQuery:
        """Return a measure as a statement over the files of the snapshot, the register of firms prepared.

        Parameters
        ----------
        sqls : str
            What stands after the table expressions of `base_sql`.
        parts : mapping
            What stands in further braces, from closed lists only.
        prepared : mapping
            Further tables to prepare, after the register (`REGISTER`).
        """
        filled = {"{firms}": f"SELECT * FROM {REGISTER}", **parts}  # noqa: S608  (a name of ours)
        storage = self.cluster.storage if self.cluster is not None else ""
        return ShardQuery(
            sql="\n".join([self.base_sql(named=True, parts=filled), *(self.fill(s, filled) for s in sqls)]),
            tables={t: table_files(self.workspace, t, self.at, storage=storage) for t in READ if t in self.at.versions},
            params={"first_day": self.first_day, "last_day": self.last_day},
            prepared={REGISTER: _NUMBERED.format(firms=self._firms), **prepared},
            memory_mb=MEMORY_MB,
        )

    @property
    def _firms(self) -> str:
        return _FIRMS if self.workspace.has_table("firms", self.at) else _NO_FIRMS

    @functools.cached_property
    def _entity_sql(self) -> str:
        """SQL of the entity; a town goes by the code it has today, so that a merger does not break its series."""
        sql = ENTITIES[self.entity]
        now = read_towns(self.workspace, self.at).renumbered() if self.entity == "town_code" else {}
        cases = " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in now.items() if (old + new).isalnum())
        return f"(CASE {sql} {cases} ELSE {sql} END)" if cases else sql

    def base_sql(self, *, named: bool = False, parts: Mapping[str, str] = EMPTY) -> str:
        """Return the table expressions every measure of inspections starts from.

        Parameters
        ----------
        named : bool
            Parameters ``$first_day`` and ``$last_day`` instead of two question marks.
        parts : mapping
            What stands in further braces, from closed lists only.
        """
        base = self.fill(read_sql("inspections"), parts)
        return base.replace("?", "$first_day", 1).replace("?", "$last_day", 1) if named else base

    def fill(self, sql: str, parts: Mapping[str, str]) -> str:
        """Return a statement with its braces filled."""
        filled = {
            "{more}": "",
            "{firms}": _NUMBERED.format(firms=self._firms),
            "{matching}": read_sql("matching"),
            "{links}": _LINKS if self.workspace.has_table("identity_links", self.at) else _NO_LINKS,
            "{entity}": self._entity_sql,
            **parts,
        }
        for name in (*parts, *filled):
            sql = sql.replace(name, filled[name])
        return fill_begin(sql, self.freq)
