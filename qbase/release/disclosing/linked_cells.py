"""Every count a site may show, and how they add up: clusters, towns, province by stratum, quarter and year to date.

A cell is a place, a group and a time. Places: the province is the sum of its towns; a town is the sum of its clusters
and of what lies outside them; a cluster in several towns is the sum of its pieces. ``*`` is the sum over groups, and
a year to date is the one before plus a quarter. Pieces are never shown, but follow by subtraction.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from qbase.core.errors import DataError
from qbase.core.periods import code, parse_period

Ints = NDArray[np.int64]

ALL = "*"
APART = "-"
KEY = ["kind", "place", "group", "period"]
KINDS = ("province", "town", "cluster", "piece")
COUNTED = ("cluster", "town", "group", "period", "firm", "n", "k")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LinkedCells:
    """Cells and the sums that link them.

    Parameters
    ----------
    cells : pandas.DataFrame
        ``kind`` (province, town, cluster, piece), ``place``, ``group``, ``period`` (``2025Q3``, ``2025Q1-Q3``) tell a
        cell; ``inside`` is the town a cluster or piece lies in, empty for none on record, ``-`` for what is no part
        of a town; ``piece_of`` the cluster in several towns that a piece is of. ``n``, ``k``, ``n_firms``, ``top1``
        and ``top2`` (batches of its two largest firms) are whole numbers. Cells of nothing are left out.
    relations : scipy.sparse.csr_array, shape (relations, cells)
        1 for a sum and -1 for its parts; each row gives zero.
    adds_firms : numpy.ndarray of bool, shape (relations,)
        Whether firms add up too: over places, not over times and groups.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.release import build_linked_cells
    >>> rows = {"cluster": ["A", "B", "B"], "town": "T", "group": "small", "period": "2025Q1",
    ...         "firm": ["f1", "f2", "f3"], "n": [3, 2, 4], "k": [3, 1, 4]}
    >>> linked = build_linked_cells(pd.DataFrame(rows))
    >>> linked
    <LinkedCells 2025Q1: 8 cells, 8 sums>
    >>> linked.cells.query("group == '*'")[["place", "n", "k", "n_firms", "top1"]].values.tolist()
    [['*', 9, 8, 3, 4], ['T', 9, 8, 3, 4], ['A', 3, 3, 1, 3], ['B', 6, 5, 2, 4]]
    """

    cells: pd.DataFrame
    relations: Any
    adds_firms: NDArray[np.bool_]

    @property
    def periods(self) -> list[str]:
        """Quarters and years to date."""
        return sorted(self.cells["period"].unique())

    def __repr__(self) -> str:
        told = f"{len(self.cells):,} cells, {self.relations.shape[0]:,} sums"
        return f"<LinkedCells {', '.join(self.periods)}: {told}>"


def build_linked_cells(counts: pd.DataFrame) -> LinkedCells:
    """Build every cell of a year from the batches of single firms.

    Parameters
    ----------
    counts : pandas.DataFrame
        One row per cluster (empty outside clusters), town (empty where none is on record), group, period (a quarter)
        and firm: batches ``n`` and passes ``k``. All periods are quarters of one year.

    Returns
    -------
    LinkedCells

    Raises
    ------
    DataError
        A column is missing, firms are unknown, or the quarters are of several years (QB756).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.release import build_linked_cells
    >>> rows = {"cluster": "A", "town": "T", "group": "small", "period": ["2025Q1", "2025Q2"], "firm": "f1",
    ...         "n": [3, 2], "k": [3, 1]}
    >>> linked = build_linked_cells(pd.DataFrame(rows))
    >>> linked.cells.query("kind == 'cluster' and group == '*'")[["period", "n", "n_firms"]].values.tolist()
    [['2025Q1', 3, 1], ['2025Q1-Q2', 5, 1], ['2025Q2', 2, 1]]
    """
    rows = _check_rows(counts)
    places, of_row = _list_places(rows)
    quarters = sorted(rows["period"].unique())
    times, of_quarter = _list_times(quarters)
    groups = [ALL, *sorted(set(rows["group"]) - {ALL})]
    group = rows["group"].map({name: i for i, name in enumerate(groups)}).to_numpy()
    quarter = rows["period"].map({name: i for i, name in enumerate(quarters)}).to_numpy()
    firm, firms = pd.factorize(rows["firm"])
    at: list[Ints] = []
    of: list[Ints] = []
    row = np.arange(len(rows))
    for nodes in of_row:
        for g in (group, np.zeros_like(group)):
            for time in range(len(times)):
                kept = (nodes >= 0) & of_quarter[quarter, time]
                at.append(((nodes * len(groups) + g) * len(times) + time)[kept])
                of.append(row[kept])
    cell, source = np.concatenate(at), np.concatenate(of)
    sums = _sum_firms(cell, firm[source], rows["n"].to_numpy()[source], rows["k"].to_numpy()[source], len(firms))
    node, rest = np.divmod(sums.pop("cell"), len(groups) * len(times))
    of_group, of_time = np.divmod(rest, len(times))
    frame = places.iloc[node].reset_index(drop=True)
    frame.insert(2, "group", np.array(groups, dtype=object)[of_group])
    frame.insert(3, "period", np.array(times, dtype=object)[of_time])
    return link_cells(frame.assign(**sums))


def link_cells(cells: pd.DataFrame) -> LinkedCells:
    """Link cells by the sums that hold between them.

    Parameters
    ----------
    cells : pandas.DataFrame
        As `LinkedCells` has them, in any order.

    Returns
    -------
    LinkedCells
        The cells sorted by kind, place, group and period.
    """
    rank = cells["kind"].map({kind: i for i, kind in enumerate(KINDS)})
    order = np.lexsort([cells[c].to_numpy() for c in ("period", "group", "place")] + [rank.to_numpy()])
    cells = cells.iloc[order].reset_index(drop=True)
    cells["id"] = np.arange(len(cells))
    by_place = [_parts_of_places(cells)]
    others = [_parts_of_groups(cells), *_parts_of_times(cells)]
    cells = cells.drop(columns="id")
    rows: list[Ints] = []
    parts: list[Ints] = []
    wholes: list[Ints] = []
    place_rows, total = 0, 0
    for pairs in (*by_place, *others):
        whole, row = np.unique(pairs["whole"].to_numpy(), return_inverse=True)
        rows.append(row + total)
        parts.append(pairs["part"].to_numpy())
        wholes.append(whole)
        total += len(whole)
        place_rows = place_rows or total
    row, part, whole = np.concatenate(rows), np.concatenate(parts), np.concatenate(wholes)
    value = np.concatenate([np.full(len(part), -1.0), np.ones(len(whole))])
    where = (np.concatenate([row, np.arange(total)]), np.concatenate([part, whole]))
    relations = sparse.csr_array((value, where), shape=(total, len(cells)))
    return LinkedCells(cells=cells, relations=relations, adds_firms=np.arange(total) < place_rows)


def _check_rows(counts: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in COUNTED if name not in counts]
    found = f"no column {', '.join(missing)}" if missing else ""
    if not missing and counts["firm"].isna().any():
        found = f"{int(counts['firm'].isna().sum())} of {len(counts)} rows without a firm"
    if not missing and not found and not len(counts):
        found = "0 rows"
    rows = counts
    if not found:
        rows = counts[list(COUNTED)].copy()
        when = {given: parse_period(given, "Q") for given in rows["period"].unique()}
        years = sorted({period.year for period in when.values()})
        rows["period"] = rows["period"].map({given: code(period) for given, period in when.items()})
        found = f"quarters of {', '.join(map(str, years))}" if len(years) > 1 else ""
    if found:
        raise DataError(
            "QB756",
            found=found,
            expected=f"columns {', '.join(COUNTED)}; a firm in every row; quarters of one year",
            fix='read_contributors(workspace, first="2025Q1", last="2025Q4")',
        )
    rows[["cluster", "town"]] = rows[["cluster", "town"]].fillna("").astype(str)
    rows = rows.groupby(list(COUNTED[:5]), as_index=False)[["n", "k"]].sum()
    return rows[rows["n"] > 0].astype({"n": "int64", "k": "int64"}).reset_index(drop=True)


def _list_places(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Ints]]:
    """Return the places, and for each row the place it counts for at every level (-1 for none)."""
    pairs = rows[["cluster", "town"]].drop_duplicates()
    towns_of = pairs[pairs["cluster"] != ""].groupby("cluster")["town"].nunique()
    is_whole = rows["cluster"].map(towns_of).eq(1).to_numpy()
    has_town, in_cluster = (rows["town"] != "").to_numpy(), (rows["cluster"] != "").to_numpy()
    piece = (rows["town"] + "|" + rows["cluster"]).where(~is_whole)
    part = rows["cluster"].where(is_whole, piece)
    kind = np.where(is_whole, "cluster", "piece")
    named = {
        "province": pd.DataFrame({"kind": "province", "place": ALL, "inside": APART, "piece_of": ""}, index=rows.index),
        "town": pd.DataFrame({"kind": "town", "place": rows["town"], "inside": APART, "piece_of": ""}),
        "whole": pd.DataFrame({"kind": "cluster", "place": rows["cluster"], "inside": APART, "piece_of": ""}),
        "part": pd.DataFrame(
            {"kind": kind, "place": part, "inside": rows["town"], "piece_of": rows["cluster"].where(~is_whole, "")}
        ),
    }
    holds = {"town": has_town, "whole": in_cluster & ~is_whole}
    places: list[pd.DataFrame] = []
    of_row: list[Ints] = []
    total = 0
    for level, frame in named.items():
        held = holds.get(level, np.ones(len(rows), dtype=bool))
        node = np.full(len(rows), -1, dtype=np.int64)
        codes, _ = pd.factorize(frame.loc[held, "place"])
        node[held] = codes + total
        first = frame[held].drop_duplicates("place")
        places.append(first)
        total += len(first)
        of_row.append(node)
    return pd.concat(places, ignore_index=True), of_row


def _list_times(quarters: list[str]) -> tuple[list[str], NDArray[np.bool_]]:
    """Return quarters, then years to date from the second quarter on, and which quarters each holds."""
    to_date = [f"{quarters[0]}-{last[-2:]}" for last in quarters[1:]]
    held = [np.eye(len(quarters), dtype=bool)] + [
        np.arange(len(quarters))[:, None] <= i for i in range(1, len(quarters))
    ]
    return [*quarters, *to_date], np.hstack(held)


def _sum_firms(cell: Ints, firm: Ints, n: Ints, k: Ints, firms: int) -> dict[str, Ints]:
    key = cell * firms + firm
    order = np.argsort(key, kind="stable")
    key, n, k = key[order], n[order], k[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    n, k, cell = np.add.reduceat(n, starts), np.add.reduceat(k, starts), key[starts] // firms
    order = np.lexsort([-n, cell])
    n, k, cell = n[order], k[order], cell[order]
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    n_firms = np.diff(starts, append=len(cell))
    second = np.where(n_firms > 1, n[np.minimum(starts + 1, len(n) - 1)], 0)
    return {
        "cell": cell[starts], "n": np.add.reduceat(n, starts), "k": np.add.reduceat(k, starts),
        "n_firms": n_firms, "top1": n[starts], "top2": second,
    }  # fmt: skip


def _parts_of_places(cells: pd.DataFrame) -> pd.DataFrame:
    rest = ["group", "period"]
    wholes = cells[["kind", "place", *rest, "id"]].rename(columns={"id": "whole"})
    towns = cells[cells["kind"] == "town"].assign(up="province", of=ALL)
    parts = cells[cells["inside"] != APART]
    inner = parts.assign(up=np.where(parts["inside"] == "", "province", "town"), of=parts["inside"].replace("", ALL))
    pieces = cells[(cells["kind"] == "piece") & (cells["piece_of"] != "")]
    pieces = pieces.assign(up="cluster", of=pieces["piece_of"])
    lower = pd.concat([towns, inner, pieces])[["up", "of", *rest, "id"]].rename(columns={"id": "part"})
    return lower.merge(wholes, left_on=["up", "of", *rest], right_on=["kind", "place", *rest])[["whole", "part"]]


def _parts_of_groups(cells: pd.DataFrame) -> pd.DataFrame:
    rest = ["kind", "place", "period"]
    wholes = cells.loc[cells["group"] == ALL, [*rest, "id"]].rename(columns={"id": "whole"})
    parts = cells.loc[cells["group"] != ALL, [*rest, "id"]].rename(columns={"id": "part"})
    return parts.merge(wholes, on=rest)[["whole", "part"]]


def _parts_of_times(cells: pd.DataFrame) -> list[pd.DataFrame]:
    """Return one table per year to date: the one before it, and the quarter that was added."""
    rest = ["kind", "place", "group"]
    dated = sorted(period for period in cells["period"].unique() if "-" in period)
    found = []
    for i, until in enumerate(dated):
        first, _, last = until.partition("-")
        before = dated[i - 1] if i else first
        wholes = cells.loc[cells["period"] == until, [*rest, "id"]].rename(columns={"id": "whole"})
        inside = cells["period"].isin([before, f"{first[:4]}{last}"])
        parts = cells.loc[inside, [*rest, "id"]].rename(columns={"id": "part"})
        found.append(parts.merge(wholes, on=rest)[["whole", "part"]])
    return found
