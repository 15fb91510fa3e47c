"""The inspections of a window, matched to firms: the SQL every measure starts from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import pandas as pd

from qbase.compute import ShardQuery
from qbase.core.errors import DataError, UsageError
from qbase.core.periods import Freq, parse_period
from qbase.core.values import EMPTY
from qbase.indicators.catalogue import read_sql
from qbase.indicators.cells import MEMORY_MB, READ, REGISTER, TALLIES, Tally, count_cells, table_files
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
STEPS = {"Q": "quarter", "A": "year"}

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
class Rows:
    """Inspections of a window, by entity and period; `query` counts them.

    Parameters
    ----------
    workspace : Workspace
        Where they lie.
    entity : {"cluster_id", "firm_id", "town_code"}
        What is followed.
    freq : {"Q", "A"}
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

    @functools.cached_property
    def tally(self) -> Tally:
        """Batches of the window, counted once for all rates made of them."""
        return count_cells(self)

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
            sql="\n".join([self.base_sql(named=True, parts=filled), *(self._fill(s, filled) for s in sqls)]),
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
        base = self._fill(read_sql("inspections"), parts)
        return base.replace("?", "$first_day", 1).replace("?", "$last_day", 1) if named else base

    def query(self, *measures: str, parts: Mapping[str, str] = EMPTY) -> pd.DataFrame:
        """Run a measure over the rows; ``parts`` fills in further braces, from closed lists only."""
        if len(measures) == 1 and measures[0] in TALLIES:
            return self.tally.take(measures[0])
        sql = "\n".join([self.base_sql(parts=parts), *(self._fill(read_sql(m), parts) for m in measures)])
        return self.workspace.query(sql, params=(self.first_day, self.last_day), snapshot=self.at)

    def _fill(self, sql: str, parts: Mapping[str, str]) -> str:
        filled = {
            "{more}": "",
            "{firms}": _NUMBERED.format(firms=self._firms),
            "{matching}": read_sql("matching"),
            "{links}": _LINKS if self.workspace.has_table("identity_links", self.at) else _NO_LINKS,
            "{entity}": self._entity_sql,
            "{step}": STEPS[self.freq],
            **parts,
        }
        for name in (*parts, *filled):
            sql = sql.replace(name, filled[name])
        return sql


def open_rows(
    workspace: Workspace,
    *,
    entity: Entity,
    freq: Freq,
    snapshot: str | None,
    first: str | pd.Period | None,
    last: str | pd.Period | None,
    is_inspected: bool = True,
    cluster: Cluster | None = None,
) -> Rows:
    """Check the words of the call and the tables it needs, before anything is counted.

    Parameters
    ----------
    workspace, entity, freq, snapshot, first, last
        As for `qbase.indicators.build_panel`.
    is_inspected : bool
        Whether inspections are read; other measures name their own tables.
    cluster : Cluster or None
        Dask workers that count batches.

    Raises
    ------
    UsageError
        Unknown kind of entity or frequency (QB402), a period that is none (QB101).
    DataError
        A table is missing (QB403).
    """
    for option, value, known in (("entity", entity, ENTITIES), ("freq", freq, STEPS)):
        if value not in known:
            raise UsageError(
                "QB402",
                option=option,
                value=value,
                found=f"{option}={value!r}",
                expected=" | ".join(known),
                fix=f'{option}="{next(iter(known))}"        (or --{option} {next(iter(known))})',
            )
    at = workspace.snapshot(snapshot)
    if is_inspected:
        require_table(workspace, "inspections", at)
        if entity != "town_code":
            require_table(workspace, "firms", at)
    start, end = (_period(p, freq) for p in (first, last))
    return Rows(
        workspace=workspace,
        entity=entity,
        freq=freq,
        first_day="0001-01-01" if start is None else start.start_time.date().isoformat(),
        last_day="9999-12-31" if end is None else end.end_time.date().isoformat(),
        at=at,
        cluster=cluster,
    )


def _period(given: str | pd.Period | None, freq: Freq) -> pd.Period | None:
    # a year may come as a number; a day, or a period of the other length, would cut the first or the last one in two
    return None if given is None else parse_period(str(given), freq)


def require_table(workspace: Workspace, table: str, at: Snapshot, *, fix: str = "") -> None:
    """Raise when a snapshot has no such table.

    Raises
    ------
    DataError
        Nothing was loaded into it (QB403).
    """
    if not workspace.has_table(table, at):
        raise DataError(
            "QB403",
            table=table,
            found=", ".join(workspace.tables(at)) or "no table at all",
            expected=table,
            fix=fix or "qbase load FILE…        (or, for a first look: qbase demo)",
        )
