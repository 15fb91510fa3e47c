"""The pattern of one snapshot, preset and period: which cells are withheld, and what that rests on.

It is made once, before anything is shown, and handed to the next one. An attacker keeps old pages: cells of earlier
patterns enter the audit beside the new ones, a cell of the same content being one unknown in both. What was shown with
this content is known and stays shown; what was withheld stays withheld, whatever a revision made of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from qbase.core.text import Text
from qbase.core.values import freeze
from qbase.release.disclosing.disclosure_presets import DisclosurePreset
from qbase.release.disclosing.linked_cells import APART, KEY, LinkedCells, link_cells
from qbase.release.disclosing.partner_cells import Linked, plan_partners
from qbase.release.disclosing.primary_rules import judge_cells

Bools = NDArray[np.bool_]

SHOWN, PRIMARY, SECONDARY, CARRIED, INNER = "shown", "primary", "secondary", "carried", "inner"
STATES = freeze(
    {
        SHOWN: Text("显示", "shown"),
        PRIMARY: Text("因自身被隐去", "withheld for itself"),
        SECONDARY: Text("为保护别的格子而隐去", "withheld for another cell"),
        CARRIED: Text("上次已隐去", "withheld before"),
        INNER: Text("不单独显示", "never shown alone"),
    }
)
"""State of a cell -> in words."""

CONTENT = ["n", "k"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DisclosurePattern:
    """What may be shown of the counts of one year.

    Parameters
    ----------
    outcome : str
        Id of the rate whose counts they are.
    period : str
        Last quarter: ``2025Q4``; earlier quarters of its year and the year to date belong to it.
    snapshot : str
        Of the lake.
    preset : str
        Edition of the rules: ``cn_default-1``.
    cells : pandas.DataFrame
        As `LinkedCells` has them, with ``state`` (`STATES`) and ``rule`` (`qbase.release.RULES`, of primary cells).
        It holds what is withheld: it never leaves the house.
    previous : str
        Hash of the pattern it was handed, empty for the first.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.release import DisclosurePattern
    >>> cells = pd.DataFrame({"kind": "province", "place": "*", "group": "*", "period": ["2025Q1"], "state": "shown"})
    >>> known = {"outcome": "D1.batch", "period": "2025Q1", "snapshot": "S0001", "preset": "cn_default-1"}
    >>> pattern = DisclosurePattern(cells=cells, **known)
    >>> pattern
    <DisclosurePattern D1.batch 2025Q1 cn_default-1: 1 shown>
    >>> bool(pattern.is_hidden.any()), len(pattern.content)
    (False, 64)
    """

    outcome: str
    period: str
    snapshot: str
    preset: str
    cells: pd.DataFrame
    previous: str = ""

    @property
    def is_hidden(self) -> Bools:
        """Which cells are withheld."""
        return ~self.cells["state"].isin([SHOWN]).to_numpy()

    @property
    def content(self) -> str:
        """Hash of what is shown, what is withheld, and what came before."""
        told = [self.outcome, self.period, self.snapshot, self.preset, self.previous]
        text = self.cells[sorted(self.cells.columns)].to_csv(index=False)
        return hashlib.sha256("\n".join([*told, text]).encode()).hexdigest()

    def counts(self) -> dict[str, int]:
        """Return how many cells are in each state."""
        found = self.cells["state"].value_counts()
        return {state: int(found.get(state, 0)) for state in STATES}

    def __repr__(self) -> str:
        told = ", ".join(f"{n:,} {STATES[state].en}" for state, n in self.counts().items() if n)
        return f"<DisclosurePattern {self.outcome} {self.period} {self.preset}: {told}>"


def plan_pattern(
    linked: LinkedCells,
    rules: DisclosurePreset,
    *,
    outcome: str = "D1.batch",
    snapshot: str = "",
    earlier: Sequence[DisclosurePattern] = (),
) -> DisclosurePattern:
    """Plan what is withheld, so that nothing shown now or before gives a withheld cell back.

    Parameters
    ----------
    linked : LinkedCells
        All counts of the year so far.
    rules : DisclosurePreset
        What is asked of a cell.
    outcome, snapshot : str
        Told in the pattern.
    earlier : sequence of DisclosurePattern
        What was shown of this year before, oldest first, under these or other rules.

    Returns
    -------
    DisclosurePattern
        The same for the same input.

    Raises
    ------
    DataError
        What was shown before gives a cell away, whatever else is withheld (QB757).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.release import build_linked_cells, plan_pattern, read_disclosure_preset
    >>> rows = pd.DataFrame({"cluster": list("AABBBBCCCC"), "town": "T", "group": "small", "period": "2025Q1",
    ...     "firm": list("abcdefghij"), "n": 4, "k": [4, 3, 4, 4, 4, 2, 4, 4, 4, 1]})
    >>> pattern = plan_pattern(build_linked_cells(rows), read_disclosure_preset("cn_default"))
    >>> pattern
    <DisclosurePattern D1.batch 2025Q1 cn_default-1: 6 shown, 2 withheld for itself, 2 withheld for another cell>
    >>> pattern.cells.query("group == '*'")[["place", "state", "rule"]].values.tolist()
    [['*', 'shown', ''], ['T', 'shown', ''], ['A', 'primary', 'firms'], ['B', 'secondary', ''], ['C', 'shown', '']]
    """
    cells = linked.cells.copy()
    cells["rule"] = judge_cells(cells, rules)
    union, place = _join_history(linked, earlier)
    rule = judge_cells(union.cells, rules).to_numpy()
    known, closed = union.known, union.closed
    primary = (rule != "") & ~known
    inner = (union.cells["kind"] == "piece").to_numpy() & ~primary & ~closed
    task = _task(union, is_known=known, is_apart=inner)
    hidden = plan_partners(
        task,
        primary,
        closed,
        fewest_firms=rules.fewest_firms,
        percent=rules.protection_percent,
        least=rules.protection_least,
    )
    state = np.select([known, primary, closed, inner, hidden], [SHOWN, PRIMARY, CARRIED, INNER, SECONDARY], SHOWN)
    cells["state"] = state[place]
    cells.loc[cells["state"] != PRIMARY, "rule"] = ""
    last = max(period for period in linked.periods if "-" not in period)
    previous = earlier[-1].content if earlier else ""
    return DisclosurePattern(
        outcome=outcome, period=last, snapshot=snapshot, preset=rules.edition, cells=cells, previous=previous
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Union:
    """Cells of now and before, one for each content, with all sums that hold among them."""

    cells: pd.DataFrame
    relations: sparse.csr_array
    adds_firms: Bools
    known: Bools
    closed: Bools


def _join_history(linked: LinkedCells, earlier: Sequence[DisclosurePattern]) -> tuple[_Union, NDArray[np.int64]]:
    """Return all cells an attacker has seen or misses, and where the new ones stand among them."""
    parts = [linked, *(link_cells(pattern.cells) for pattern in earlier)]
    stacked = pd.concat([part.cells.assign(edition=i) for i, part in enumerate(parts)], ignore_index=True)
    number: NDArray[np.int64] = np.asarray(stacked.groupby([*KEY, *CONTENT], sort=False).ngroup(), dtype=np.int64)
    first = stacked.drop_duplicates([*KEY, *CONTENT])
    size = len(first)
    offset = np.cumsum([0, *(len(part.cells) for part in parts)])
    of = [number[offset[i] : offset[i + 1]] for i in range(len(parts))]
    relations = sparse.vstack([_spread(part.relations, of[i], size) for i, part in enumerate(parts)]).tocsr()
    adds_firms = np.concatenate([part.adds_firms for part in parts])
    known, closed = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    withheld: set[tuple[str, ...]] = set()
    for i, part in enumerate(parts[1:], start=1):
        state = part.cells["state"]
        known[of[i][(state == SHOWN).to_numpy()]] = True
        gone = state.isin([PRIMARY, SECONDARY, CARRIED]).to_numpy()
        closed[of[i][gone]] = True
        withheld |= set(part.cells.loc[gone, KEY].itertuples(index=False, name=None))
    # a revision does not open what was closed
    again = [key in withheld for key in linked.cells[KEY].itertuples(index=False, name=None)]
    closed[of[0][np.array(again, dtype=bool)]] = True
    rows = _once(relations, adds_firms)
    cells = first.drop(columns=["edition", "state", "rule"], errors="ignore").reset_index(drop=True)
    return _Union(
        cells=cells, relations=relations[rows], adds_firms=adds_firms[rows], known=known, closed=closed & ~known
    ), of[0]


def _spread(relations: sparse.csr_array, columns: NDArray[np.int64], size: int) -> sparse.csr_array:
    pieces = relations.tocoo()
    return sparse.csr_array((pieces.data, (pieces.row, columns[pieces.col])), shape=(relations.shape[0], size))


def _once(relations: sparse.csr_array, adds_firms: Bools) -> NDArray[np.int64]:
    """Return the rows that say something new: of equal rows the first."""
    relations.sort_indices()
    seen: dict[bytes, int] = {}
    for row in range(relations.shape[0]):
        cut = slice(relations.indptr[row], relations.indptr[row + 1])
        key = relations.indices[cut].tobytes() + relations.data[cut].tobytes() + bytes([bool(adds_firms[row])])
        seen.setdefault(key, row)
    return np.fromiter(seen.values(), dtype=np.int64)


def _task(union: _Union, *, is_known: Bools, is_apart: Bools) -> Linked:
    cells = union.cells
    is_town, is_across = (cells["kind"] == "town").to_numpy(), (cells["inside"] == APART).to_numpy()
    near, _ = pd.factorize(np.where(is_town, cells["place"], cells["inside"]))
    is_near = is_town | (~is_across & (cells["inside"] != "").to_numpy())
    of_several = ((cells["kind"] == "piece") & (cells["piece_of"] != "")).to_numpy()
    return Linked(
        relations=union.relations,
        adds_firms=union.adds_firms,
        n=cells["n"].to_numpy(dtype=float),
        k=cells["k"].to_numpy(dtype=float),
        firms=cells["n_firms"].to_numpy(dtype=float),
        is_locked=is_known,
        is_apart=is_apart,
        near=np.where(is_near, near, -1),
        is_between=is_across | of_several,
    )
