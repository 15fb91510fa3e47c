"""The inspections of a window, matched to firms, and the counts every rate is made of."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.periods import CODES, Freq, code, parse_period
from qbase.core.values import EMPTY
from qbase.indicators.catalogue.indicator_rows import read_sql
from qbase.indicators.cells.batch_counts import TALLIES, Tally, count_cells
from qbase.indicators.cells.window_sql import ALWAYS, ENTITIES, Entity, WindowSql

if TYPE_CHECKING:
    from qbase.compute import Cluster
    from qbase.lake import Snapshot, Workspace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows(WindowSql):
    """Inspections of a window, by entity and period; `query` counts them."""

    @functools.cached_property
    def tally(self) -> Tally:
        """Batches of the window, counted once for all rates made of them."""
        return count_cells(self)

    def query(self, *measures: str, parts: Mapping[str, str] = EMPTY) -> pd.DataFrame:
        """Run a measure over the rows; ``parts`` fills in further braces, from closed lists only."""
        if len(measures) == 1 and measures[0] in TALLIES:
            return self.tally.take(measures[0])
        sql = "\n".join([self.base_sql(parts=parts), *(self.fill(read_sql(m), parts) for m in measures)])
        return self.workspace.query(sql, params=(self.first_day, self.last_day), snapshot=self.at)


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
        Unknown kind of entity or frequency (QB402), a period that is none (QB101), a window that ends before it starts
        (QB408).
    DataError
        A table is missing (QB403).
    """
    for option, value, known in (("entity", entity, ENTITIES), ("freq", freq, CODES)):
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
    if start is not None and end is not None and end < start:
        raise UsageError(
            "QB408",
            first=code(start),
            last=code(end),
            found=f"first={code(start)}, last={code(end)}",
            expected="first not after last",
            fix=f'first="{code(end)}", last="{code(start)}"        (or --first {code(end)} --last {code(start)})',
        )
    return Rows(
        workspace=workspace,
        entity=entity,
        freq=freq,
        first_day=ALWAYS[0] if start is None else start.start_time.date().isoformat(),
        last_day=ALWAYS[1] if end is None else end.end_time.date().isoformat(),
        at=at,
        cluster=cluster,
    )


def _period(given: str | pd.Period | None, freq: Freq) -> pd.Period | None:
    # a year may come as a number; a day, or a period of the other length, would cut the first or the last one in two
    return None if given is None else parse_period(given, freq)


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
