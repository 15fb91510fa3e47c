"""Disclosure control before anything is shown.

A panel of the batch pass rate is protected by its pattern first (`qbase.release.protect_panel`). Whatever else an
external report shows rests on at least three firms in every cell, or the report does not come out: blanking small
cells alone gives 28 % of them back by subtraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result, Scorecard
from qbase.core.shown.display import Bundle, Figure, Table

PROFILES = ("internal", "external", "statutory_public")
FEWEST_FIRMS = 3
SUFFIX = "__n_firms"
COLUMN = "n_firms"


def protect(*values: Any, profile: str) -> Any:
    """Let values pass that a reader of this profile may see; stop the report otherwise.

    Parameters
    ----------
    *values : Panel, Result, Scorecard, Policy, Table, Figure
        Everything a letter is about to show.
    profile : {"internal", "external", "statutory_public"}
        Of the report's spec.

    Returns
    -------
    object or tuple
        The same values, unchanged: one value for one, a tuple for several.

    Raises
    ------
    UsageError
        The profile is unknown (QB752).
    DataError
        Outside the house, and the number of contributing firms is unknown (QB750) or below three (QB751).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.release import protect
    >>> protect(build_panel(open_workspace(), "D1.batch", first="2025Q4", last="2025Q4"), profile="external")
    <Panel D1.batch: 12 x 1 quarterly periods 2025Q4 to 2025Q4, 12 rows, naive>
    >>> firms = build_panel(open_workspace(), "D1.batch", entity="firm_id", first="2025Q4", last="2025Q4")
    >>> protect(firms, profile="external")
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB751] not for release as external: Panel has cells of fewer than three firms
      found     199 of 199 cells of D1.batch__n_firms with fewer than 3 firms
      expected  at least 3 firms behind every shown cell
      to fix    show a coarser grouping (year instead of quarter, county instead of town)
    """
    if profile not in PROFILES:
        raise UsageError(
            "QB752", profile=profile, found=repr(profile), expected=" | ".join(PROFILES), fix='profile = "internal"'
        )
    if profile != "internal":
        for value in values:
            _check_firms(value, profile)
    return values[0] if len(values) == 1 else values


def _check_firms(value: Any, profile: str) -> None:
    if isinstance(value, Policy):
        return
    counts = list(_firm_counts(value))
    if not counts or any(column.isna().any() for _, column in counts):
        raise DataError(
            "QB750",
            name=_name(value),
            profile=profile,
            found="no count of firms" if not counts else "empty counts of firms",
            expected=f"a column {COLUMN} or <indicator>{SUFFIX} for every shown cell",
            fix="build the panel from inspections with firm codes, or run it with profile internal",
        )
    for name, column in counts:
        small = column[column < FEWEST_FIRMS]
        if len(small):
            raise DataError(
                "QB751",
                name=_name(value),
                profile=profile,
                found=f"{len(small)} of {len(column)} cells of {name} with fewer than {FEWEST_FIRMS} firms",
                expected=f"at least {FEWEST_FIRMS} firms behind every shown cell",
                fix="show a coarser grouping (year instead of quarter, county instead of town)",
            )


def _firm_counts(value: Any) -> Iterator[tuple[str, pd.Series[Any]]]:
    """Yield the counts of firms behind every cell of a value; nothing when one part has none."""
    if isinstance(value, Panel):
        names = [f"{i}{SUFFIX}" for i in value.indicators]
        frames = [(name, value.data, name) for name in names]
        shown = [value.data[i].notna() for i in value.indicators]
    elif isinstance(value, Result):
        frames = [(name, frame, COLUMN) for name, frame in value.tables.items()]
        shown = [pd.Series(True, index=frame.index) for _, frame, _ in frames]
    elif isinstance(value, Table | Figure):
        table = value.table if isinstance(value, Figure) else value
        frame = pd.DataFrame(dict(table.data))
        frames, shown = [(table.name, frame, COLUMN)], [pd.Series(True, index=frame.index)]
    else:
        frames, shown = [], []
    if all(column in frame.columns and len(frame) for _, frame, column in frames):
        for (name, frame, column), mask in zip(frames, shown, strict=True):
            yield name, pd.to_numeric(frame.loc[mask, column])


def _name(value: Any) -> str:
    if isinstance(value, Result | Scorecard | Bundle):
        return value.name
    return type(value).__name__
