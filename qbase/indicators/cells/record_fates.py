"""What became of every record that could have counted: each gets one fate, and their sum is what is on record.

One pass over a few columns tells what is left out by definition. Firms are asked for only where the counts show that
some of the rest are missing, so that an account of a complete table costs next to nothing; asked again, it is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from qbase.compute import ShardQuery, open_files
from qbase.core.coverage import COUNTED, Coverage
from qbase.core.values import EMPTY
from qbase.indicators.catalogue.indicator_rows import read_sql
from qbase.indicators.cells.grown_cells import grow_by_sum
from qbase.indicators.cells.snapshot_files import MEMORY_MB, table_files
from qbase.indicators.cells.window_sql import ALWAYS
from qbase.indicators.kept.kept_counts import Grow, count_once

if TYPE_CHECKING:
    from qbase.core.panel import Sampling
    from qbase.indicators.cells.inspection_window import Rows

TABLE = "inspections"
DUE = "due"
PLAIN = ("no_date", "outside", "other_role", "recheck", "complaint", "followup", "other_sampling", DUE)
"""What ``statements/fates.sql`` counts, by place."""

_OTHER_SAMPLING = dict.fromkeys(("random_draw", "prediction_powered"), "coalesce(sample_type, '') <> 'random'")
_OUTSIDE = """
SELECT delivery_sha256 AS sha256 FROM inspections GROUP BY delivery_sha256
HAVING count(*) FILTER (sample_date BETWEEN CAST($first_day AS DATE) AND CAST($last_day AS DATE)) = 0
"""

WORTH_SECONDS = 0.1
"""A handful of rows is read back in a few milliseconds."""


def count_fates(
    rows: Rows, *, counted: int, measured: Mapping[str, int] = EMPTY, sampling: Sampling = "naive"
) -> Coverage:
    """Count what became of every inspection on record.

    Parameters
    ----------
    rows : Rows
        The window; what lies outside of it is left out by definition.
    counted : int
        Records that were counted, by whatever counted them.
    measured : mapping
        Indicator -> records its values were made of.
    sampling : {"naive", "random_draw", "post_stratified", "prediction_powered"}
        With random draws all others are left out by definition.

    Returns
    -------
    Coverage
        Its sum is the rows of the table at the snapshot and those set aside.
    """
    parts = {"{other_sampling}": _OTHER_SAMPLING.get(sampling, "false")}
    found = _count(rows, _plain(rows, rows.fill(read_sql("fates"), parts)))
    fates = {PLAIN[int(fate)]: int(n) for fate, n in zip(found["fate"], found["n"], strict=True)}

    def ask() -> dict[str, int]:
        here = dataclasses.replace(rows, cluster=None)
        lost = _count(rows, here.shard_query(read_sql("lost"), parts=parts))
        return {str(fate): int(n) for fate, n in zip(lost["fate"], lost["n"], strict=True)}

    whole = Coverage(fates=settle_fates(fates, counted=counted, lost=ask), measured=measured)
    return whole + Coverage(fates=count_set_aside(rows), refused=count_refused(rows))


def settle_fates(fates: Mapping[str, int], *, counted: int, lost: Callable[[], Mapping[str, int]]) -> dict[str, int]:
    """Return the fate of every record of a table.

    Parameters
    ----------
    fates : mapping
        Fate by the plain columns -> records; `DUE` are those that should count.
    counted : int
        Of those, the ones that were counted.
    lost : callable
        Tells why others were not, where there are any: fate -> records.
    """
    rest = dict(fates)
    missing = rest.pop(DUE, 0) - counted
    if missing > 0:
        why = lost()
        # what belongs to an entity and was not counted all the same lacks what the count needs, such as a class
        rest |= {**why, "unmeasured": missing - sum(why.values())}
    return {COUNTED: counted, **rest}


def count_fates_by_period(rows: Rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count for every period what `count_fates` counts for a window, so that any window is a sum.

    Parameters
    ----------
    rows : Rows
        All that is on record; as drawn.

    Returns
    -------
    tuple of pandas.DataFrame
        Columns delivery, period (nothing without a date), fate (place in `PLAIN`), n; and columns period, fate (a
        word), n of the records that belong to no entity.
    """
    parts = {"{other_sampling}": "false"}
    plain = _count(rows, _plain(rows, rows.fill(read_sql("fates_by_period"), parts)))
    lost = _count(rows, rows.shard_query(read_sql("lost_by_period"), parts=parts))
    return plain, lost


def _plain(rows: Rows, sql: str) -> ShardQuery:
    """Return a statement over the inspections alone, which asks for no firm."""
    return ShardQuery(
        sql=sql,
        tables={TABLE: table_files(rows.workspace, TABLE, rows.at)},
        params={"first_day": rows.first_day, "last_day": rows.last_day},
        memory_mb=MEMORY_MB,
    )


def _count(rows: Rows, query: ShardQuery, *, grow: Grow | None = grow_by_sum) -> pd.DataFrame:
    def count() -> pd.DataFrame:
        with open_files(query) as ask:
            found: pd.DataFrame = ask(query.sql).to_pandas()
        return found

    return count_once(rows.workspace.lake, query, ("fates",), count, worth=WORTH_SECONDS, grow=grow)


def count_set_aside(rows: Rows) -> dict[str, int]:
    """Return the rows of standing deliveries that are set aside, by fate.

    They have no day that can be trusted: those of a delivery of which nothing lies in the window lie outside as well.
    """
    return place_set_aside(find_set_aside(rows), lambda: _outside(rows))


def find_set_aside(rows: Rows) -> pd.DataFrame:
    """Return the standing deliveries that have rows set aside: sha256 and quarantined."""
    sent = rows.workspace.deliveries([TABLE], snapshot=rows.at)
    return sent.loc[(sent["verdict"] != "REJECTED") & (sent["quarantined"] > 0), ["sha256", "quarantined"]]


def place_set_aside(sent: pd.DataFrame, outside: Callable[[], list[str]]) -> dict[str, int]:
    """Return rows set aside by fate.

    Parameters
    ----------
    sent : pandas.DataFrame
        From `find_set_aside`.
    outside : callable
        Names the deliveries of which nothing lies in the window; asked only where rows are set aside.
    """
    if sent.empty:
        return {}
    is_outside = sent["sha256"].isin(outside())
    return {
        "outside": int(sent.loc[is_outside, "quarantined"].sum()),
        "quarantined": int(sent.loc[~is_outside, "quarantined"].sum()),
    }


def count_refused(rows: Rows) -> int:
    """Return the files received that were refused or wait for an answer, and came to nothing since.

    What they are about is not known before they are read, so a file for another table counts as well. A file is
    settled when it, or one of its name, is taken later.
    """
    sent = rows.workspace.deliveries(every=True, snapshot=rows.at)
    waiting: set[tuple[str, str]] = set()
    for verdict, sha256, name in zip(sent["verdict"], sent["sha256"], sent["file_name"], strict=True):
        if verdict == "REJECTED":
            waiting.add((sha256, name))
        else:
            waiting = {(other, called) for other, called in waiting if sha256 != other and name != called}
    return len({sha256 for sha256, _ in waiting})


def _outside(rows: Rows) -> list[str]:
    if (rows.first_day, rows.last_day) == ALWAYS:
        return []
    return list(map(str, _count(rows, _plain(rows, _OUTSIDE), grow=None)["sha256"]))
