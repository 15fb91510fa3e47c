"""Which table names what is followed, and by which columns: clusters, towns and firms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

OWN_PREFIX = "970000"
"""Codes made by rule start like those of no province (GB/T 2260), so that they are never taken for real ones."""


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
