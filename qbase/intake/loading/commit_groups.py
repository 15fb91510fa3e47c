"""Judged files that wait for each other: small ones are committed a few at a time, because a commit costs more.

Whoever judges a file against the lake has to see the files before it, so what asks the lake flushes first.
"""

from __future__ import annotations

import dataclasses
import datetime
import errno
import time
from collections.abc import Callable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from qbase.core.errors import DataError, QbaseError, SetupError, UsageError
from qbase.intake.accounting.load_report import LoadReport, report_of
from qbase.intake.accounting.loading_day import day_of_loading
from qbase.intake.linking.link_diary import number_links
from qbase.intake.loading.stored_contracts import StoredContracts
from qbase.intake.loading.stored_keys import StoredKeys
from qbase.lake import Delivery, Snapshot, Workspace
from qbase.lake.storage.locks import unwritable_error

if TYPE_CHECKING:
    from qbase.intake.recipes.recipe_model import Recipe
    from qbase.tables import Contract

MOST_FILES = 16
MOST_ROWS = 5000
MOST_SECONDS = 1.0

FAULTS = (DataError, UsageError, pa.ArrowException, duckdb.Error, MemoryError, UnicodeError)
"""What the rows of a file may do to a commit; anything else is wrong with the workspace and ends the load."""


def raise_if_of_workspace(fault: Exception) -> None:
    """Raise again what is wrong with the workspace and ends the load; return where it is one file that is at fault.

    Whatever goes wrong while a file is read and judged is a fault of that file, foreseen or not. The workspace is at
    fault where qbase says so, and where the system refuses to read or write: broken data have no number of the
    system, or that of a place before the beginning of a file.

    Parameters
    ----------
    fault : Exception
        Raised while a file was read or judged.

    Raises
    ------
    SetupError
        As it came.
    """
    if isinstance(fault, SetupError) or (isinstance(fault, OSError) and fault.errno not in (None, errno.EINVAL)):
        raise fault


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """A file with its verdict, not yet in the lake.

    Parameters
    ----------
    delivery : Delivery
        Its entry of the ledger.
    tables : mapping
        Table -> rows; nothing for a rejected file.
    contracts : tuple of Contract
        Of the tables whose keys must stay unique.
    judged_by : mapping
        Table -> contract its rows were judged by, for the record.
    seen : Snapshot
        The lake it was judged against.
    again : callable or None
        Judges the file again, against the lake as it is by then.
    error : QbaseError or None
        Why it is rejected.
    """

    delivery: Delivery
    tables: Mapping[str, pa.Table] = dataclasses.field(default_factory=dict)
    contracts: tuple[Contract, ...] = ()
    judged_by: Mapping[str, Contract] = dataclasses.field(default_factory=dict)
    seen: Snapshot = dataclasses.field(default_factory=Snapshot)
    again: Callable[[], Judged] | None = None
    error: QbaseError | None = None


def error_of(name: str, fault: Exception) -> QbaseError:
    """Return a fault as an error that a user can act on: its kind, where nobody foresaw it (QB341)."""
    if isinstance(fault, QbaseError):
        return fault
    found = ": ".join([type(fault).__name__, *str(fault).splitlines()[:1]])
    return DataError("QB341", file=name, found=found, expected=".csv / .xlsx", fix="CSV UTF-8")


def reject(name: str, sha256: str, recipe: Recipe, fault: Exception) -> Judged:
    """Return the verdict on a file that is not taken, with the error a user can act on."""
    error = error_of(name, fault)
    delivery = Delivery(
        sha256=sha256,
        file_name=name,
        table="",
        recipe=recipe.name,
        producer=recipe.producer,
        licence=recipe.licence,
        verdict="REJECTED",
        reasons={error.code: 1},
    )
    return Judged(delivery=delivery, error=error)


class Group:
    """Files that are committed together, in order.

    Parameters
    ----------
    workspace : Workspace
        Where to.
    recipe : Recipe
        They are read with; answers given by id become answers in full as their questions come up.
    today : datetime.date or None
        Day of loading.
    is_alone : bool
        One file is loaded, and an id that is none of its questions is a mistake.
    """

    def __init__(
        self, workspace: Workspace, recipe: Recipe, *, today: datetime.date | None = None, is_alone: bool = True
    ) -> None:
        self.today = today or day_of_loading()
        self.is_alone = is_alone
        self.keys = StoredKeys(workspace)
        self.stored = StoredContracts(workspace)
        self._workspace = workspace
        self.recipe = recipe
        self._waiting: list[tuple[int, Judged | LoadReport]] = []
        self._done: list[tuple[int, LoadReport]] = []
        self._since = 0.0

    def add(self, position: int, outcome: Judged | LoadReport) -> None:
        """Take in a judged file, or the report of one with nothing to commit; commit when there is enough.

        Raises
        ------
        SetupError
            As `flush`.
        """
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((position, outcome))
        if isinstance(outcome, Judged):
            for contract in outcome.contracts:
                self.keys.expect(contract, outcome.tables[contract.name])
        if self._is_due():
            self.flush()

    def holds(self, sha256: str) -> bool:
        """Return whether these bytes wait here."""
        return any(item.delivery.sha256 == sha256 for item in self._judged())

    def flush(self) -> None:
        """Commit what waits; its reports are found in `finished`.

        Raises
        ------
        SetupError
            The workspace cannot be written (QB204 to QB207, QB223); none of what waited is stored.
        """
        waiting, judged = self._waiting, self._judged()
        self._waiting = []
        made = iter(self._commit(judged) if judged else ())
        for position, outcome in waiting:
            self._done.append((position, outcome if isinstance(outcome, LoadReport) else next(made)))

    def finished(self) -> list[tuple[int, LoadReport]]:
        """Return position and report of the files committed since the last call."""
        done, self._done = self._done, []
        return done

    def _judged(self) -> list[Judged]:
        return [outcome for _, outcome in self._waiting if isinstance(outcome, Judged)]

    def _is_due(self) -> bool:
        judged = self._judged()
        rows = sum(table.num_rows for item in judged for table in item.tables.values())
        is_late = time.monotonic() - self._since > MOST_SECONDS
        return is_late or len(judged) >= MOST_FILES or rows > MOST_ROWS or any(i.delivery.replaces for i in judged)

    def _commit(self, judged: Sequence[Judged]) -> list[LoadReport]:
        """Commit together; where one of several is at fault, each for itself, so that it does not hold up the others.

        Raises
        ------
        SetupError
            Not even a rejection can be written (QB207).
        """
        pa.default_memory_pool().release_unused()  # the raw text is gone by now, and writing takes memory of its own
        try:
            brought = [(item.delivery, _filled(item)) for item in judged]
            with number_links(self._workspace, brought) as numbered:
                snapshots = self._workspace.commit_together(
                    numbered,
                    check=lambda at, new: self._still_fit(judged, at, new),
                    contracts={table: contract for item in judged for table, contract in item.judged_by.items()},
                )
        except FAULTS as fault:
            self.keys.settle(None)
            if len(judged) > 1:
                return self._commit_each(judged)
            delivery = judged[0].delivery
            if delivery.verdict == "REJECTED":
                raise unwritable_error(self._workspace.book.name, str(fault)) from fault
            return self._commit([reject(delivery.file_name, delivery.sha256, self.recipe, fault)])
        pa.default_memory_pool().release_unused()  # and linking, which follows, as well
        is_whole = bool(snapshots) and all(at.is_new for at in snapshots)
        self.keys.settle(snapshots[-1] if is_whole else None)
        if not snapshots:
            return self._commit_each(judged if len(judged) > 1 else [item.again() for item in judged if item.again])
        return [self._report(item, at) for item, at in zip(judged, snapshots, strict=True)]

    def _commit_each(self, judged: Sequence[Judged]) -> list[LoadReport]:
        return [report for item in judged for report in self._commit([item])]

    def _still_fit(self, judged: Sequence[Judged], at: Snapshot, new: Set[str]) -> bool:
        """Return whether no other process stored rows with keys of these since they were judged."""
        for item in judged:
            for contract in item.contracts if item.delivery.sha256 in new else ():
                name, before = contract.name, item.seen.versions
                if at.versions.get(name) != before.get(name) and self.keys.are_taken(
                    contract, item.tables[name], at, item.delivery.replaces
                ):
                    return False
        return True

    def _report(self, item: Judged, at: Snapshot) -> LoadReport:
        delivery = item.delivery
        if item.error is not None:
            return LoadReport(
                file=delivery.file_name,
                sha256=delivery.sha256,
                verdict="REJECTED",
                recipe=delivery.recipe,
                error=item.error.payload(),
                already=not at.is_new,
            )
        if at.is_new:
            return report_of(delivery, snapshot=at.id)
        # another process was faster with the same bytes
        known = find_known(self._workspace, delivery.sha256)
        return known or report_of(delivery, snapshot=at.id, already=True)


def _filled(item: Judged) -> dict[str, pa.Table]:
    return {table: rows for table, rows in item.tables.items() if rows.num_rows}


def find_known(workspace: Workspace, sha256: str) -> LoadReport | None:
    """Return the report of the first load of the same bytes; what was rejected may be tried again."""
    if not workspace.has_delivery(sha256):
        return None
    seen = workspace.deliveries(every=True, sha256=sha256)
    seen = seen[seen["verdict"] != "REJECTED"]
    if seen.empty:
        return None
    row = seen.iloc[-1]
    first = Delivery(**{field.name: _plain(row[field.name]) for field in dataclasses.fields(Delivery)})
    report = report_of(first, snapshot=str(row["snapshot"]), already=True)
    if row["replaced_by"]:
        return dataclasses.replace(report, warnings=(*report.warnings, "superseded"))
    return report


def _plain(value: Any) -> Any:
    if isinstance(value, np.integer):
        return int(value)
    return tuple(value) if isinstance(value, list) else value
