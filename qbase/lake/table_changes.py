"""Since which snapshot tables have stood as they stand now."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from qbase.lake.storage.snapshots import Snapshot

if TYPE_CHECKING:
    from qbase.lake.workspace import Workspace


def find_change(workspace: Workspace, tables: Collection[str]) -> Snapshot | None:
    """Return the snapshot that brought the latest rows to some tables; later ones left them alone.

    Parameters
    ----------
    workspace : Workspace
        Whose lake.
    tables : collection of str
        Names of tables; one that was never loaded is passed over.

    Returns
    -------
    Snapshot or None
        None while none of them was loaded.

    Examples
    --------
    >>> import pyarrow as pa, tempfile
    >>> from qbase.lake import Delivery, Workspace, find_change
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> for name in ("firms", "orders", "orders"):
    ...     sha256 = f"{home.snapshot().number:064d}"
    ...     delivery = Delivery(sha256=sha256, file_name=name, table=name, verdict="OK")
    ...     _ = home.commit(delivery, {name: pa.table({"v": [1]})})
    >>> find_change(home, ["firms"]).id, find_change(home, ["firms", "orders"]).id, find_change(home, ["visits"])
    ('S0001', 'S0003', None)
    """
    versions = workspace.snapshot().versions
    query = "SELECT MIN(number) FROM snapshot_tables WHERE table_name = :table AND version = :version"
    with workspace.book.glancing() as connection:
        if connection is None:
            return None
        found = [
            connection.execute(query, {"table": table, "version": versions[table]}).fetchone()[0]
            for table in tables
            if table in versions
        ]
    return workspace.snapshot(f"S{max(found):04d}") if found else None
