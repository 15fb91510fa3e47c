"""Kept cells grow by new files: what a delivery cannot have changed is not counted again.

Every inspection counts by itself, in the cell of its entity and period, so that files that came since touch the periods
of their own rows and no other. These are counted anew, over all files; sums by fate are added.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from qbase.compute import ShardQuery, open_files
from qbase.core.periods import period_at

if TYPE_CHECKING:
    from qbase.indicators.cells.window_sql import WindowSql

W = TypeVar("W", bound="WindowSql")

MOST_AGAIN = 0.5
"""Where more than this share of the cells would be counted again, all of them are."""

_SPAN = """
SELECT min(sample_date) AS first, max(sample_date) AS last FROM inspections
WHERE sample_date BETWEEN CAST($first_day AS DATE) AND CAST($last_day AS DATE)
"""


def grow_by_period(
    rows: W, kept: pd.DataFrame, fresh: ShardQuery, count: Callable[[W], pd.DataFrame], keys: Sequence[str]
) -> pd.DataFrame | None:
    """Return kept cells with the periods of new files counted anew.

    Parameters
    ----------
    rows : WindowSql
        The window, over all files.
    kept : pandas.DataFrame
        Its cells without the new files; column ``period`` is the first day.
    fresh : ShardQuery
        Of the new files alone.
    count : callable
        Counts the cells of a window.
    keys : sequence of str
        What cells are sorted by.

    Returns
    -------
    pandas.DataFrame or None
        As if all had been counted; None where that would not be slower.
    """
    with open_files(dataclasses.replace(fresh, prepared={})) as ask:
        span = ask(_SPAN).to_pylist()[0]
    if span["first"] is None:
        return kept
    begin = period_at(pd.Timestamp(span["first"]), rows.freq).start_time
    end = (period_at(pd.Timestamp(span["last"]), rows.freq) + 1).start_time - pd.Timedelta(days=1)
    again = kept["period"].between(begin, end)
    if again.mean() > MOST_AGAIN:
        return None
    found = count(
        dataclasses.replace(
            rows,
            first_day=max(rows.first_day, begin.date().isoformat()),
            last_day=min(rows.last_day, end.date().isoformat()),
        )
    )
    whole = pd.concat([part for part in (kept[~again], found) if len(part)], ignore_index=True)
    return whole.sort_values(list(keys), kind="stable", ignore_index=True)


def grow_by_sum(kept: pd.DataFrame, fresh: ShardQuery) -> pd.DataFrame:
    """Return kept sums of rows with those of new files added."""
    with open_files(fresh) as ask:
        found = ask(fresh.sql).to_pandas()
    keys = [name for name in kept.columns if name != "n"]
    both = pd.concat([kept, found], ignore_index=True)
    whole: pd.DataFrame = both.groupby(keys, as_index=False, dropna=False)["n"].sum()
    return whole
