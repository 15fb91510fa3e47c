"""An attacker who sees every number of a site and of its history, and knows how places and times add up.

Independent of what it attacks: unknowns are the batches failed and passed of each piece (cluster or what lies outside
one, town, stratum, quarter), a shown cell is an equation, and each withheld cell is bounded by two linear programmes
for each count. A piece that a later snapshot did not change is one unknown, and the attacker is told which did not.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog

ATOM = ["cluster", "town", "group", "period"]
Key = tuple[str, str, str, str]


@dataclasses.dataclass(frozen=True)
class Site:
    """Pages of one snapshot: pieces with what they truly hold, and the numbers shown, by cell (n, k)."""

    atoms: pd.DataFrame
    shown: Mapping[Key, tuple[float, float]]
    withheld: Sequence[Key]


@dataclasses.dataclass(frozen=True)
class Found:
    """What the attacker knows of a withheld cell: ranges of failed and passed batches, and the truth."""

    site: int
    key: Key
    failed: tuple[float, float]
    passed: tuple[float, float]
    n: int
    k: int

    @property
    def is_pinned(self) -> bool:
        return any(math.floor(high + 1e-6) <= math.ceil(low - 1e-6) for low, high in (self.failed, self.passed))


def atoms_of(counts: pd.DataFrame) -> pd.DataFrame:
    return counts.groupby(ATOM, as_index=False)[["n", "k"]].sum()


def inside(atoms: pd.DataFrame, key: Key) -> np.ndarray:
    """Return which pieces a cell is the sum of."""
    kind, place, group, period = key
    first, _, last = period.partition("-")
    quarters = atoms["period"].between(first, f"{first[:4]}{last}" if last else first)
    held = quarters & ((atoms["group"] == group) | (group == "*"))
    if kind == "town":
        held &= atoms["town"] == place
    elif kind == "cluster":
        held &= atoms["cluster"] == place
    elif kind == "piece":
        held &= atoms["town"] + "|" + atoms["cluster"] == place
    return held.to_numpy()


def attack(sites: Sequence[Site]) -> list[Found]:
    """Bound every withheld cell of every site by all that all sites show."""
    columns: dict[tuple[object, ...], int] = {}
    of_site = []
    for site in sites:
        keys = [tuple(row) for row in site.atoms[[*ATOM, "n", "k"]].itertuples(index=False)]
        of_site.append(np.array([columns.setdefault(key, len(columns)) for key in keys]))
    rows, sums = [], []
    for site, at in zip(sites, of_site, strict=True):
        for key, value in site.shown.items():
            row = np.zeros(len(columns))
            row[at[inside(site.atoms, key)]] = 1
            rows.append(row)
            sums.append(value)
    equal = sparse.csr_array(np.unique(np.column_stack([rows, sums]), axis=0))
    known, left = equal[:, :-2], equal[:, -2:].toarray()
    found = []
    seen = set()
    for i, (site, at) in enumerate(zip(sites, of_site, strict=True)):
        for key in site.withheld:
            mask = inside(site.atoms, key)
            goal = np.zeros(len(columns))
            goal[at[mask]] = 1
            n, k = (int(site.atoms.loc[mask, c].sum()) for c in ("n", "k"))
            if goal.tobytes() in seen:
                continue  # the same pieces, withheld again
            seen.add(goal.tobytes())
            failed, passed = bound(known, left[:, 0] - left[:, 1], goal), bound(known, left[:, 1], goal)
            assert failed[0] - 1e-6 <= n - k <= failed[1] + 1e-6, "the attacker holds a false number"
            assert passed[0] - 1e-6 <= k <= passed[1] + 1e-6, "the attacker holds a false number"
            found.append(Found(i, key, failed, passed, n, k))
    return found


def bound(known: sparse.csr_array, sums: np.ndarray, goal: np.ndarray) -> tuple[float, float]:
    ends = []
    for sign in (1, -1):
        solved = linprog(sign * goal, A_eq=known, b_eq=sums, bounds=(0, None), method="highs")
        if solved.status == 3:  # without a bound
            ends.append(math.inf)
            continue
        assert solved.status == 0, solved.message
        ends.append(sign * solved.fun)
    return ends[0], ends[1]
