"""Who becomes a base first: an order by lot among clusters the shortlist cannot tell apart, under a committed seed.

Dates that were drawn need no assumption of parallel trends, and those who wait are the comparison.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import DataError, UsageError
from qbase.core.given import read_whole
from qbase.core.results.result import Result
from qbase.planning.drawing.committed_seed import Commitment, build_seed

CRITERIA = ("conformity", "market", "brand", "quality", "agglomeration")
Ints = NDArray[np.int64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PhaseIn:
    """An order by lot.

    Parameters
    ----------
    order : pandas.DataFrame
        One row a candidate, in the order of the lot: entity, name_zh, name_en, criteria_met, fewest and most (criteria
        met when any other cluster is left out of the medians), tier (1 for those tied with the best), number (0 to 1,
        of the seed), start (``2027Q1``; empty for those who wait and are compared).
    secret, seed : str
        Revealed, and the seed it gives with the list of candidates.
    commitment : Commitment
        Published before the list of candidates was closed.
    closed : datetime.date
        On which it was.

    Examples
    --------
    >>> import datetime
    >>> import pandas as pd
    >>> from qbase.planning import Commitment, PhaseIn
    >>> order = pd.DataFrame({"entity": ["K1", "K2"], "start": ["2027Q1", ""]})
    >>> day = datetime.date(2026, 11, 3)
    >>> PhaseIn(order=order, secret="", seed="", commitment=Commitment(digest="a0", day=day), closed=day).starts
    {'K1': '2027Q1'}
    """

    order: pd.DataFrame
    secret: str
    seed: str
    commitment: Commitment
    closed: datetime.date

    @property
    def starts(self) -> dict[str, str]:
        """Quarter in which each starts, of those who do."""
        rows = self.order[self.order["start"] != ""]
        return dict(zip(rows["entity"], rows["start"], strict=True))


def draw_phase_in(
    shortlist: Result,
    *,
    n: int,
    first: str,
    secret: str,
    commitment: Commitment,
    closed: datetime.date,
    step: int = 1,
    each: int = 1,
) -> PhaseIn:
    """Draw in which order the next bases start, among clusters the shortlist cannot tell apart.

    The shortlist goes by the number of criteria met, and a criterion is met or not by the median of clusters. Two
    clusters are near-tied where their numbers overlap when any one other cluster is left out of the medians. Those tied
    with the best form the first tier, those tied with the best of the rest the second, and so on; within a tier the
    order is by lot.

    Parameters
    ----------
    shortlist : Result
        Of `qbase.scorecards.build_shortlist`.
    n : int
        Clusters that start; the others of their tier wait, chosen by the same lot.
    first : str
        Quarter of the first start, ``2027Q1``.
    secret : str
        As `new_secret` gave it, revealed after the list was closed.
    commitment : Commitment
        As it was published.
    closed : datetime.date
        On which the list of candidates was closed.
    step, each : int
        Quarters between two starts, and clusters that start together.

    Returns
    -------
    PhaseIn

    Raises
    ------
    DataError
        No shortlist, or fewer candidates than are to start (QB636); see `build_seed` (QB626).
    UsageError
        Options that are none (QB637); see `build_seed` (QB625).

    References
    ----------
    Roth, J. and Sant'Anna, P. H. C. (2023). Efficient estimation for staggered rollout designs. J. Political Economy:
    Microeconomics 1.

    Examples
    --------
    >>> import datetime
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import build_commitment, draw_phase_in
    >>> from qbase.scorecards import build_shortlist, read_gates
    >>> workspace = open_workspace()
    >>> shortlist = build_shortlist(workspace, read_gates(workspace, "outline_2025"))
    >>> published = build_commitment("5d" * 32, datetime.date(2026, 11, 3))
    >>> lot = draw_phase_in(
    ...     shortlist, n=2, first="2027Q1", secret="5d" * 32, commitment=published, closed=datetime.date(2026, 12, 1)
    ... )
    >>> sorted(lot.starts.values())
    ['2027Q1', '2027Q2']
    """
    number, gap, together = (_whole(name, v) for name, v in (("n", n), ("step", step), ("each", each)))
    start = _quarter(first)
    candidates = list_candidates(shortlist)
    if len(candidates) < number:
        raise DataError(
            "QB636", found=f"{len(candidates)} clusters on the shortlist", expected=f"{number} or more",
            fix=f"n={len(candidates)}" if len(candidates) else "build_shortlist(workspace, data)",
        )  # fmt: skip
    seed = build_seed(secret, commitment, closed_list(candidates["entity"], candidates["tier"]), closed)
    order = candidates.assign(number=lot_numbers(candidates["entity"], seed))
    order = order.sort_values(["tier", "number"], ignore_index=True)
    waves = [periods.code(start + gap * (i // together)) if i < number else "" for i in range(len(order))]
    return PhaseIn(order=order.assign(start=waves), secret=secret, seed=seed, commitment=commitment, closed=closed)


def list_candidates(shortlist: Result) -> pd.DataFrame:
    """Return the clusters on a shortlist with the tier each is in, by criteria met whoever is left out.

    Raises
    ------
    DataError
        The result is no shortlist (QB636).
    """
    table = shortlist.tables.get("shortlist")
    if table is None:
        found = ", ".join(shortlist.tables) or "no table"
        raise DataError("QB636", found=found, expected="table shortlist", fix="build_shortlist(workspace, data)")
    fewest, most = criteria_ranges(table)
    listed = table.assign(fewest=fewest, most=most)[table["is_listed"].to_numpy(dtype=bool)]
    listed = listed.sort_values(["criteria_met", "entity"], ascending=[False, True], ignore_index=True)
    names = ["entity", "name_zh", "name_en", "criteria_met", "fewest", "most"]
    return listed[names].assign(tier=tiers_of(listed["fewest"].to_numpy(), listed["most"].to_numpy()))


def criteria_ranges(table: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return the fewest and the most criteria each cluster meets when any one other is left out of the medians."""
    values = table[list(CRITERIA)].to_numpy(dtype=float)
    counts = [_met(values, np.ones(len(values), dtype=bool))]
    for left in range(len(values)):
        kept = np.arange(len(values)) != left
        count = _met(values, kept)
        count[left] = counts[0][left]
        counts.append(count)
    return np.min(counts, axis=0), np.max(counts, axis=0)


def _met(values: NDArray[np.float64], kept: NDArray[np.bool_]) -> Ints:
    median = pd.DataFrame(values[kept]).median().to_numpy()
    return np.asarray((values >= median).sum(axis=1), dtype=np.int64)


def tiers_of(fewest: Ints, most: Ints) -> list[int]:
    """Return tiers from 1: in order, a cluster is in the tier of the one before whose fewest it can reach."""
    tiers: list[int] = []
    floor, tier = np.inf, 0
    for low, high in zip(fewest, most, strict=True):
        if not tiers or high < floor:
            tier, floor = tier + 1, low
        tiers.append(tier)
    return tiers


def lot_numbers(entities: Iterable[str], seed: str) -> list[float]:
    """Return each entity's number from 0 up to 1: the first 52 bits of a hash, as for firms."""
    return [int(hashlib.sha256(f"{seed}|{e}".encode()).hexdigest()[:13], 16) / 16**13 for e in entities]


def closed_list(entities: Iterable[str], tiers: Iterable[int]) -> pd.DataFrame:
    """Return candidates as the list a seed is made of."""
    return pd.DataFrame({"firm_id": list(entities), "entity": "candidates", "stratum": [f"tier {t}" for t in tiers]})


def _whole(option: str, given: object) -> int:
    whole = read_whole(given)
    if whole is None or not 1 <= whole <= 1000:
        raise UsageError("QB637", found=f"{option}={given!r}", expected="a whole number, 1 or more", fix=f"{option}=1")
    return whole


def _quarter(first: object) -> pd.Period:
    try:
        return periods.parse_period(str(first), "Q")
    except (ValueError, DataError, UsageError) as error:
        raise UsageError(
            "QB637", found=f"first={first!r}", expected="a quarter such as 2027Q1", fix='first="2027Q1"'
        ) from error
