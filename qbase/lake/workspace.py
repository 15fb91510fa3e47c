"""A workspace: one folder with deliveries, lake, notebooks and reports.

Opening one, its paths, snapshots and runs need the standard library alone; the engines behind tables and deliveries
are imported by the method that asks them.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from qbase.core.errors import DataError, SetupError, UsageError
from qbase.core.values import Source
from qbase.lake.ledger.books import open_book
from qbase.lake.ledger.snapshot_rows import pick_snapshot
from qbase.lake.storage.raw_files import store_file
from qbase.lake.storage.snapshots import Delivery, Snapshot
from qbase.lake.storage.table_paths import check_path

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from qbase.lake.commit import Brought, Check, Contracts
    from qbase.lake.ledger.ledger_book import Book
    from qbase.lake.snapshot_query import Params
    from qbase.lake.storage.delta_tables import Rows

HOME = "QBASE_HOME"
MARK = pathlib.PurePath("reports", "specs")


@dataclasses.dataclass(frozen=True)
class Workspace:
    """One folder with everything a report rests on.

    Parameters
    ----------
    root : pathlib.Path
        Absolute path of the folder.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> open_workspace().query("SELECT cluster_name, town_code FROM clusters WHERE cluster_id = ?", params=["K003"])
      cluster_name  town_code
    0    望埭镇涤纶产业集群  990023101
    """

    root: pathlib.Path

    @classmethod
    def create(cls, root: str | pathlib.Path) -> Workspace:
        """Make the folders of a workspace; those that exist are left alone.

        Parameters
        ----------
        root : str or pathlib.Path
            Folder, made when missing.

        Raises
        ------
        SetupError
            A folder cannot be made (QB202), or its path cannot hold tables (QB212).
        """
        workspace = cls(check_path(pathlib.Path(root).expanduser().resolve()))
        try:
            for name in ("raw", "lake", "notebooks", "specs", "runs", "site"):
                getattr(workspace, name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(
                "QB202",
                found=f"{error.filename}: {error.strerror}",
                expected="a folder in which folders can be made",
                fix="choose another folder with --home DIR, or change its owner",
            ) from error
        return workspace

    @property
    def raw(self) -> pathlib.Path:
        """Deliveries as received."""
        return self.root / "data" / "raw"

    @property
    def lake(self) -> pathlib.Path:
        """Built tables."""
        return self.root / "data" / "lake"

    @property
    def ledger(self) -> pathlib.Path:
        """File of the ledger."""
        return self.root / "data" / "ledger.sqlite"

    @property
    def notebooks(self) -> pathlib.Path:
        """Letters."""
        return self.root / "notebooks"

    @property
    def specs(self) -> pathlib.Path:
        """Specs of the reports."""
        return self.root / "reports" / "specs"

    @property
    def runs(self) -> pathlib.Path:
        """Folders of the runs."""
        return self.root / "reports" / "runs"

    @property
    def site(self) -> pathlib.Path:
        """The gallery, the only folder that is published."""
        return self.root / "reports" / "site"

    @property
    def book(self) -> Book:
        """The ledger, opened where it is used: the file, or the server that the workspace or `QBASE_LEDGER` names."""
        return open_book(self.ledger, self.lake / ".lock")

    def relative(self, path: str | pathlib.Path) -> str:
        """Return a path below the workspace with forward slashes.

        Parameters
        ----------
        path : str or pathlib.Path
            Absolute, or relative to the workspace.

        Raises
        ------
        UsageError
            The path lies outside the workspace (QB203).
        """
        full = pathlib.Path(os.path.normpath(self.root / path))
        if not full.is_relative_to(self.root):
            full = full.resolve()
        if not full.is_relative_to(self.root):
            raise UsageError(
                "QB203",
                path=str(path),
                found=str(path),
                expected="a path below the workspace",
                fix="move the file into the workspace, or give its path from there",
            )
        return full.relative_to(self.root).as_posix()

    def snapshot(self, snapshot_id: str | Snapshot | None = None) -> Snapshot:
        """Return a snapshot of the lake.

        Parameters
        ----------
        snapshot_id : str, Snapshot or None
            ``S0003``; the latest when None.

        Returns
        -------
        Snapshot
            ``S0000`` without tables while nothing was loaded.

        Raises
        ------
        UsageError
            There is no such snapshot (QB209).
        SetupError
            The ledger cannot be read (QB204 to QB207).
        """
        return snapshot_id if isinstance(snapshot_id, Snapshot) else pick_snapshot(self.book, snapshot_id)

    def tables(self, snapshot: str | Snapshot | None = None) -> list[str]:
        """Return the names of the tables of a snapshot, sorted."""
        return sorted(self.snapshot(snapshot).versions)

    def has_table(self, name: str, snapshot: str | Snapshot | None = None) -> bool:
        """Return whether a snapshot has a table."""
        return name in self.snapshot(snapshot).versions

    def query(self, sql: str, *, params: Params = (), snapshot: str | Snapshot | None = None) -> pd.DataFrame:
        """Ask a snapshot a question in the SQL of DuckDB.

        Parameters
        ----------
        sql : str
            One SELECT; every table of the snapshot is a view by its name. Without ORDER BY the order is not fixed.
        params : sequence or mapping
            Values for ``?`` or ``$name``.
        snapshot : str, Snapshot or None
            The latest when None.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        UsageError
            Not one statement that only reads (QB231), or no such snapshot (QB209).
        DataError
            A table is not in the snapshot (QB232), or the query fails (QB230).
        SetupError
            Ledger or files cannot be read (QB204 to QB207, QB223).
        """
        from qbase.lake.snapshot_query import query_frame

        return query_frame(self.lake, self.snapshot(snapshot), sql, params)

    def arrow(self, sql: str, *, params: Params = (), snapshot: str | Snapshot | None = None) -> pa.Table:
        """Ask a snapshot a question; as `query`, but with an Arrow table as answer."""
        from qbase.lake.snapshot_query import query_arrow

        return query_arrow(self.lake, self.snapshot(snapshot), sql, params)

    def source(self, table: str, snapshot: str | Snapshot | None = None) -> Source:
        """Return what a number from a table rests on.

        Parameters
        ----------
        table : str
            Name of the table.
        snapshot : str, Snapshot or None
            The latest when None.

        Returns
        -------
        Source
            The table and its snapshot; hash, producer, date and licence of the latest delivery to it.

        Raises
        ------
        DataError
            The table is not in the snapshot (QB232).
        """
        from qbase.lake.ledger import ledger_entries
        from qbase.tables.contracts import table_title

        at = self.snapshot(snapshot)
        if table not in at.versions:
            raise DataError(
                "QB232",
                snapshot=at.id,
                found=table,
                expected=" | ".join(sorted(at.versions)) or "a table; the lake is empty",
                fix="qbase load FILE, or name one of these tables",
            )
        with self.book.reading() as connection:
            row = None if connection is None else ledger_entries.find_latest_delivery(connection, table, at.number)
        if row is None:
            return Source(path=table, snapshot=at.id, title=table_title(table))
        facts = {name: row[name] for name in ("sha256", "producer", "retrieved_on", "licence")}
        return Source(path=table, snapshot=at.id, title=table_title(table), **facts)

    def deliveries(
        self,
        tables: Iterable[str] | None = None,
        *,
        every: bool = False,
        sha256: str | None = None,
        snapshot: str | Snapshot | None = None,
    ) -> pd.DataFrame:
        """Return the deliveries, oldest first: facts, counts, reasons, warnings, rows by table, snapshot.

        ``table_zh`` and ``table_en`` name the table for readers.

        Parameters
        ----------
        tables : iterable of str or None
            Only those to these tables; one that brought rows to several is a row for each, with its own counts.
        every : bool
            Also those that a later one replaced (``replaced_by``), and rows worked out here from others.
        sha256 : str or None
            Only those of these bytes.
        snapshot : str, Snapshot or None
            As they were then; the latest when None.

        Raises
        ------
        UsageError
            There is no such snapshot (QB209).
        """
        from qbase.lake.ledger import ledger_entries

        until = None if snapshot is None else self.snapshot(snapshot).number
        with self.book.reading() as connection:
            found = ledger_entries.list_deliveries(connection, every=every, sha256=sha256, until=until)
        return ledger_entries.add_titles(found if tables is None else ledger_entries.pick_tables(found, tables))

    def has_delivery(self, sha256: str) -> bool:
        """Return whether these bytes were loaded before and not rejected."""
        from qbase.lake.ledger import ledger_entries

        with self.book.reading() as connection:
            return connection is not None and ledger_entries.is_loaded(connection, sha256)

    def store_raw(self, path: str | pathlib.Path) -> tuple[str, pathlib.Path]:
        """Store a file as received; the same bytes are stored once.

        Parameters
        ----------
        path : str or pathlib.Path
            The file.

        Returns
        -------
        tuple of (str, pathlib.Path)
            sha256, and ``data/raw/<first two>/<sha256>/<name>``, read-only.

        Raises
        ------
        UsageError
            There is no such file (QB208).
        SetupError
            The copy cannot be written (QB207).
        """
        return store_file(self.raw, pathlib.Path(path))

    def commit(self, delivery: Delivery, tables: Mapping[str, Rows]) -> Snapshot:
        """Append a delivery to its tables: all of it becomes visible at once, or none of it.

        Parameters
        ----------
        delivery : Delivery
            What was received. Bytes that were loaded before change nothing, unless it is a further attempt. The rows
            of the deliveries it replaces leave the tables with this snapshot; older snapshots keep them.
        tables : mapping
            Table -> `pyarrow.Table` (or RecordBatchReader), empty for a rejected delivery.

        Returns
        -------
        Snapshot
            The new one (``is_new``); for a delivery loaded before, the one it made then.

        Raises
        ------
        DataError
            A bad table name (QB220), a column that changed its type (QB221), refused features (QB222).
        UsageError
            It replaces a delivery that is not there (QB213).
        SetupError
            The lake or the ledger cannot be read or written (QB204 to QB207, QB223).
        """
        return self.commit_together([(delivery, tables)])[0]

    def commit_together(
        self, brought: Sequence[Brought], *, check: Check | None = None, contracts: Contracts | None = None
    ) -> list[Snapshot]:
        """Append several deliveries in one commit: all become visible at once, or none; one snapshot holds them.

        Many small deliveries cost little more than one this way. Each has its own entry in the ledger.

        Parameters
        ----------
        brought : sequence of (Delivery, mapping)
            As for `commit`; no bytes twice, and no delivery replaces another one of them.
        check : callable or None
            Asked under the lock, with the latest snapshot and the sha256 of the new ones, whether they still fit.
        contracts : mapping or None
            Table -> contract its rows were judged by, for the record.

        Returns
        -------
        list of Snapshot
            One per delivery, as `commit` would return it; errors as there. Empty when they do not fit any more.
        """
        from qbase.lake.commit import commit_deliveries

        return commit_deliveries(self.lake, self.book, brought, check=check, contracts=contracts)


def open_workspace(home: str | pathlib.Path | None = None) -> Workspace:
    """Open the workspace.

    Parameters
    ----------
    home : str, pathlib.Path or None
        Its folder; when None ``$QBASE_HOME``, else the nearest folder upward with ``reports/specs``.

    Raises
    ------
    SetupError
        There is no workspace (QB201), or its path cannot hold tables (QB212).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> open_workspace().tables()[:4]
    ['batch_links', 'brand_licences', 'brands', 'certifications']
    """
    named = home or os.environ.get(HOME)
    start = pathlib.Path(named).expanduser().resolve() if named else pathlib.Path.cwd()
    for folder in (start,) if named else (start, *start.parents):
        if (folder / MARK).is_dir():
            return Workspace(check_path(folder))
    raise SetupError(
        "QB201",
        found=f"{start}: no {MARK.as_posix()}" + ("" if named else " here or above"),
        expected=f"a folder with {MARK.as_posix()}",
        fix="change into a workspace, name it with --home DIR, or make one: qbase demo --home DIR",
    )
