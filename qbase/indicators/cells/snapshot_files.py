"""The Parquet files that are counted, as this machine or the workers of a Dask cluster name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from qbase.compute import Files
from qbase.lake.storage.delta_tables import read_version
from qbase.tables import list_contracts, read_contract
from qbase.tables.contract_rules import sql_type

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

READ = ("inspections", "firms", "identity_links")
REGISTER = "register_of_firms"
MEMORY_MB = 1300
"""DuckDB goes to disk beyond; the nation's panel then stays below 2 GB."""

_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


def table_files(workspace: Workspace, table: str, at: Snapshot, *, storage: str = "") -> Files:
    """Return the Parquet files of a table, as this machine or the workers of a cluster name them.

    Parameters
    ----------
    workspace : Workspace
        Where it lies.
    table : str
        A table of the snapshot.
    at : Snapshot
        Which version.
    storage : str
        Address of ``data/lake`` elsewhere; empty for the path here.

    Returns
    -------
    qbase.compute.Files

    Raises
    ------
    SetupError
        The version is not there (QB223).
    """
    paths, schema = read_version(workspace.lake, table, at.versions[table])
    home = storage.rstrip("/")
    urls = (f"{home}/{p.relative_to(workspace.lake).as_posix()}" if home else str(p) for p in paths)
    columns = {f.name: _TYPES.get(f.type, "VARCHAR") for f in schema}
    if table in list_contracts():
        # a delivery from before a column was thought of has none of it
        columns = {c.name: sql_type(c) for c in read_contract(table).columns} | columns
    return Files(
        urls=tuple(urls),
        columns=tuple(columns.items()),
        sizes=tuple(p.stat().st_size for p in paths),
    )
