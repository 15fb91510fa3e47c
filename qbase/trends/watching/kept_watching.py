"""Results that are those of the whole lake, whatever page asks: made once for a snapshot and kept beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.results.result import Result
from qbase.indicators.kept.kept_values import keep_value
from qbase.trends.watching.integrity_page import check_integrity
from qbase.trends.watching.visit_list import estimate_watchlist
from qbase.trends.watching.watch_tables import read_watch_tables

if TYPE_CHECKING:
    from qbase.lake import Workspace

ROOMS = ("trends",)


def read_watchlist(
    workspace: Workspace,
    *,
    snapshot: str | None = None,
    as_of: str | None = None,
    share: float = 0.2,
    level: float = 0.95,
) -> Result:
    """Read the visit list of a lake as it was made before for the same data, or make and keep it.

    Parameters
    ----------
    workspace : Workspace
        Holds inspections and firms.
    snapshot : str or None
        The latest when None.
    as_of, share, level
        As `qbase.trends.estimate_watchlist` takes them.

    Returns
    -------
    Result
        What `qbase.trends.estimate_watchlist` gives for the tables of the lake.

    Raises
    ------
    UsageError
        The share or the day is none (QB599, QB148), or the level (QB503).
    DataError
        There are no inspections, or no firms (QB403).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import read_watchlist
    >>> read_watchlist(open_workspace())
    <Result level:watch.gain:ridge_logit: the visit list>
      gain period=2024Q1–2025Q4: 9.2 pp (3.4), 95% CI 2.5–15.9, n = 849
    """
    at = workspace.snapshot(snapshot)

    def build() -> Result:
        tables = read_watch_tables(workspace, snapshot=at.id)
        return estimate_watchlist(tables, as_of=as_of, share=share, level=level)

    return keep_value(workspace, "watchlist", (as_of, share, level), at, build, rooms=ROOMS)


def read_integrity(workspace: Workspace, *, snapshot: str | None = None, target: float | None = None) -> Result:
    """Read the integrity signals of a lake as they were found before for the same data, or look for and keep them.

    Parameters
    ----------
    workspace : Workspace
        Holds inspections and firms.
    snapshot : str or None
        The latest when None.
    target : float or None
        As `qbase.trends.check_integrity` takes it.

    Returns
    -------
    Result
        What `qbase.trends.check_integrity` gives for the tables of the lake.

    Raises
    ------
    UsageError
        The target is no percentage (QB598).
    DataError
        There are no inspections, or no firms (QB403).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import read_integrity
    >>> [check.name for check in read_integrity(open_workspace()).checks if not check.passed]
    ['missing_numbers']
    """
    at = workspace.snapshot(snapshot)

    def build() -> Result:
        return check_integrity(read_watch_tables(workspace, snapshot=at.id), target=target)

    return keep_value(workspace, "integrity", (target,), at, build, rooms=ROOMS)
