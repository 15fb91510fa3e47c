"""The firms to visit: drawn by a number of their own, so that anybody can repeat it and no order of a list matters."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import DataError, PanelError

Floats = NDArray[np.float64]

LIST = ("firm_id", "entity", "stratum")
SPACING_MONTHS = 6
MEASURE = "measure"


def draw_firms(
    frame: pd.DataFrame,
    allocation: Mapping[str, pd.DataFrame] | pd.DataFrame,
    *,
    seed: str,
    year: int,
    visited: pd.DataFrame | None = None,
    spacing_months: int = SPACING_MONTHS,
) -> pd.DataFrame:
    """Return the firms to visit next year, with the chance each had and the earliest quarter it may be visited.

    Each firm has a permanent number, the hash of the seed and its id; in every stratum the lowest numbers are drawn
    (Ohlsson's sequential sampling, equal chances). Levels (国 省 市 县) take turns along these numbers, so no firm is
    drawn by two of them. Firms visited lately stay in the draw, which would be biased without them, and come later in
    the year.

    Parameters
    ----------
    frame : pandas.DataFrame
        The closed list: columns firm_id, entity, stratum; one row a firm.
    allocation : pandas.DataFrame or mapping of str to pandas.DataFrame
        Columns entity, stratum, drawn, as in table ``allocation`` of `plan_draws`; or one for each level, in the order
        in which they choose.
    seed : str
        Of `build_seed`.
    year : int
        Of the visits.
    visited : pandas.DataFrame or None
        Columns firm_id, day: the newest visit of firms; None knows of none.
    spacing_months : int
        Months between two visits of a firm, 0 to 12.

    Returns
    -------
    pandas.DataFrame
        Columns level, entity, stratum, firm_id, number (0 to 1), probability, quarter; one row a firm drawn, sorted.
        Quarters spread the visits of a stratum evenly, as far as the spacing allows.

    Raises
    ------
    PanelError
        A column is missing, a firm is on the list twice (QB627), or a plan asks for more firms than there are, all
        levels together (QB628).
    DataError
        Spacing out of range (QB627).

    References
    ----------
    Ohlsson, E. (1995). Coordination of samples using permanent random numbers. In Business Survey Methods, Wiley,
    153-169.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.planning import draw_firms
    >>> frame = pd.DataFrame({"firm_id": [f"F{i}" for i in range(9)], "entity": "K001", "stratum": "B-small"})
    >>> plan = pd.DataFrame({"entity": ["K001"], "stratum": ["B-small"], "drawn": [3]})
    >>> drawn = draw_firms(frame, plan, seed="5d" * 32, year=2026)
    >>> drawn[["firm_id", "probability", "quarter"]].round(3).values.tolist()
    [['F6', 0.333, '2026Q1'], ['F3', 0.333, '2026Q2'], ['F1', 0.333, '2026Q4']]
    """
    if not isinstance(spacing_months, int) or not 0 <= spacing_months <= 12:
        raise DataError("QB627", found=f"spacing_months={spacing_months!r}", expected="0 to 12", fix="spacing_months=6")
    plans = dict(allocation) if isinstance(allocation, Mapping) else {MEASURE: allocation}
    _check_list(frame)
    listed = frame[list(LIST)].astype(str)
    numbers = _numbers(listed["firm_id"], seed)
    listed = listed.assign(number=numbers).sort_values(["entity", "stratum", "number"]).reset_index(drop=True)
    place = listed.groupby(["entity", "stratum"]).cumcount()
    size = listed.groupby(["entity", "stratum"])["firm_id"].transform("size")
    before = pd.Series(0, index=listed.index)
    drawn = []
    for level, plan in plans.items():
        wanted = _wanted(listed, plan)
        if ((before + wanted) > size).any():
            raise _too_many(listed, before + wanted, size, level)
        chosen = (place >= before) & (place < before + wanted)
        drawn.append(listed[chosen].assign(level=level, probability=(wanted / size)[chosen]))
        before += wanted
    found = pd.concat(drawn, ignore_index=True)
    earliest = _earliest(found["firm_id"], visited, year, spacing_months)
    found = found.assign(quarter=_spread(found, earliest, year))
    columns = ["level", "entity", "stratum", "firm_id", "number", "probability", "quarter"]
    return found[columns].sort_values(["level", "entity", "stratum", "number"], ignore_index=True)


def _numbers(firms: pd.Series, seed: str) -> Floats:
    """Return each firm's permanent number, from 0 up to 1: the first 52 bits of a hash."""
    found = [int(hashlib.sha256(f"{seed}|{firm}".encode()).hexdigest()[:13], 16) / 16**13 for firm in firms]
    return np.array(found, dtype=float)


def _check_list(frame: pd.DataFrame) -> None:
    if missing := [c for c in LIST if c not in frame.columns]:
        raise PanelError(
            "QB627", found=f"no column {', '.join(missing)}", expected=", ".join(LIST), fix="draw_firms(frame, …)"
        )
    if (twice := frame["firm_id"].astype(str).duplicated()).any():
        firm = frame.loc[twice, "firm_id"].iloc[0]
        raise PanelError(
            "QB627", found=f"{firm} twice", expected="one row a firm", fix='frame.drop_duplicates("firm_id")'
        )


def _wanted(listed: pd.DataFrame, plan: pd.DataFrame) -> pd.Series:
    asked = plan.groupby(["entity", "stratum"])["drawn"].sum()
    keys = pd.MultiIndex.from_frame(listed[["entity", "stratum"]])
    if len(absent := asked[asked > 0].index.difference(keys)):
        entity, stratum = absent[0]
        raise PanelError(
            "QB628", stratum=f"{entity} {stratum}", found="no firm on the list", expected=f"{asked[absent[0]]} to draw",
            fix="plan from the list that is drawn from",
        )  # fmt: skip
    return pd.Series(asked.reindex(keys, fill_value=0).to_numpy(dtype=np.int64), index=listed.index)


def _too_many(listed: pd.DataFrame, asked: pd.Series, size: pd.Series, level: str) -> PanelError:
    row = listed[asked > size].iloc[0]
    n, m = int(size[asked > size].iloc[0]), int(asked[asked > size].iloc[0])
    return PanelError(
        "QB628", stratum=f"{row['entity']} {row['stratum']}", found=f"{n} firms on the list",
        expected=f"{m} for all levels up to {level}", fix="fewer firms for one of the levels",
    )  # fmt: skip


def _earliest(firms: pd.Series, visited: pd.DataFrame | None, year: int, spacing: int) -> NDArray[np.int64]:
    """Return the first quarter (1 to 4) that begins the spacing after a firm's newest visit."""
    if visited is None or not len(visited) or not spacing:
        return np.ones(len(firms), dtype=np.int64)
    newest = pd.to_datetime(visited["day"]).groupby(visited["firm_id"].astype(str)).max()
    free = (newest + pd.DateOffset(months=spacing)).reindex(firms.to_numpy())
    starts = [pd.Timestamp(datetime.date(year, 3 * q - 2, 1)) for q in range(1, 5)]
    first = np.full(len(firms), 4, dtype=np.int64)
    for quarter in (3, 2, 1):
        first = np.where((free <= starts[quarter - 1]) | free.isna(), quarter, first)
    return first


def _spread(found: pd.DataFrame, earliest: NDArray[np.int64], year: int) -> list[str]:
    """Return the quarter of each visit: of a stratum as many in each, those that may only come late put late."""
    quarter = np.zeros(len(found), dtype=np.int64)
    for rows in found.groupby(["level", "entity"], sort=True).indices.values():
        order = np.asarray(rows)[np.lexsort((found["number"].to_numpy()[rows], earliest[rows]))]
        slots = _slots(len(order))
        quarter[order] = np.maximum(slots, earliest[order])
    return [periods.code(pd.Period(year=year, quarter=int(q), freq="Q-DEC")) for q in quarter]


def _slots(n: int) -> NDArray[np.int64]:
    """Return quarters 1 to 4 for n visits in turn, as evenly as whole visits allow."""
    ends = [round(n * q / 4) for q in range(5)]
    return np.repeat(np.arange(1, 5), [b - a for a, b in pairwise(ends)]).astype(np.int64)
