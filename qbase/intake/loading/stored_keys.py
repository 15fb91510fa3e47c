"""Keys already stored, remembered between the files of one load: asking the lake costs more than a small file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from qbase.intake.loading.replaced_files import without
from qbase.lake import Snapshot

if TYPE_CHECKING:
    from qbase.intake.shaping.canonical_table import Sheets
    from qbase.lake import Workspace
    from qbase.tables import Contract

MOST_REMEMBERED = 200_000

Key = tuple[str, ...]


class StoredKeys:
    """The keys of each table as of one snapshot; another snapshot than the last own one makes them void.

    Keys of rows that are judged but not stored yet are expected, and count from when they are stored.

    Parameters
    ----------
    workspace : Workspace
        Where they lie.

    Attributes
    ----------
    seen : Snapshot
        The lake as it was asked last.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.seen = Snapshot()
        self._workspace = workspace
        self._known: dict[str, set[Key]] = {}
        self._at = ""
        self._fresh: list[tuple[str, Key, pa.Table]] = []
        self._expected: dict[str, set[Key]] = {}

    def colliding_rows(self, sheets: Sheets, replaces: tuple[str, ...]) -> pa.Table | None:
        """Return the rows of the lake when one of their keys is in these sheets as well; None when none is.

        Parameters
        ----------
        sheets : Sheets
            Rows to come.
        replaces : tuple of str
            Deliveries whose rows do not count, for they are about to leave.

        Returns
        -------
        pyarrow.Table or None
        """
        contract, data = sheets.contract, sheets.data
        self.seen = at = self._workspace.snapshot()
        if not contract.key or contract.name not in at.versions or not set(contract.key) <= set(data.column_names):
            return None
        if at.id != self._at:
            self._known, self._at = {}, at.id
        if not self._overlap(sheets, at):
            return None
        rows = without(self._workspace.arrow(f"SELECT * FROM {contract.name}", snapshot=at), replaces)  # noqa: S608
        return rows if rows.num_rows else None

    def expect(self, contract: Contract, accepted: pa.Table) -> None:
        """Take note of rows that this load is about to store."""
        self._fresh.append((contract.name, contract.key, accepted.select(list(contract.key))))

    def expects(self, sheets: Sheets) -> bool:
        """Return whether a key of these sheets is among those about to be stored."""
        for name, key, rows in self._fresh:
            self._expected.setdefault(name, set()).update(_keys(rows, key))
        self._fresh = []
        expected, key = self._expected.get(sheets.contract.name), sheets.contract.key
        if not expected or not set(key) <= set(sheets.data.column_names):
            return False
        return not expected.isdisjoint(_keys(sheets.data, key))

    def settle(self, snapshot: Snapshot | None) -> None:
        """Remember what was expected as stored, when this snapshot follows the one the keys are of; else forget all."""
        fresh, expected = self._fresh, self._expected
        self._fresh, self._expected = [], {}
        if not fresh and not expected:
            return
        if snapshot is None or not self._at or snapshot.number != int(self._at[1:]) + 1:
            self._known, self._at = {}, ""
            return
        self._at = snapshot.id
        for name, known in self._known.items():
            known |= expected.get(name, set())
            for table, key, rows in fresh:
                if table == name:
                    known |= _keys(rows, key)

    def are_taken(self, contract: Contract, accepted: pa.Table, at: Snapshot, replaces: tuple[str, ...]) -> bool:
        """Return whether rows with a key of these, which were free when they were judged, are in a snapshot now."""
        key = contract.key
        if not key or not len(accepted):
            return False
        stored = self._workspace.arrow(f"SELECT * FROM {contract.name}", snapshot=at)  # noqa: S608
        old, new = (_as_text(rows, key) for rows in (without(stored, replaces), accepted))
        return _semi_join(old, new, key)

    def _overlap(self, sheets: Sheets, at: Snapshot) -> bool:
        contract, data = sheets.contract, sheets.data
        known = self._known.get(contract.name)
        if known is None:
            text = ", ".join(f"{column}::VARCHAR AS {column}" for column in contract.key)
            old = self._workspace.arrow(f"SELECT {text} FROM {contract.name}", snapshot=at)  # noqa: S608
            if len(old) > MOST_REMEMBERED or len(data) > MOST_REMEMBERED:
                return _semi_join(old, data, contract.key)
            known = self._known[contract.name] = _keys(old, contract.key)
        return not known.isdisjoint(_keys(data, contract.key))


def _keys(table: pa.Table, key: Key) -> set[Key]:
    return set(zip(*(column.to_pylist() for column in _as_text(table, key).columns), strict=True))


def _as_text(table: pa.Table, key: Key) -> pa.Table:
    return pa.table({column: table[column].cast(pa.string()) for column in key})


def _semi_join(old: pa.Table, new: pa.Table, key: Key) -> bool:
    names = ", ".join(key)
    with duckdb.connect(config={"enable_external_access": "false"}) as db:
        db.register("old", old)
        db.register("new", new.select(list(key)))
        shared = db.execute(f"SELECT count(*) FROM old SEMI JOIN new USING ({names})").fetchone()  # noqa: S608
    return bool(shared and shared[0])
