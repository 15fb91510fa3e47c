"""Secondary suppression: which further cells are withheld, so that nothing shown gives a withheld one back.

Three steps until nothing is left to do. Every sum has to keep at least two withheld members, which together rest on
enough firms and hold failures and passes (a sum of nothing but passes tells every part). Then all withheld cells are
audited by linear programming (`find_exposed`). For a cell that is still known too well the programme of Kelly, Golden
and Assad (1992, Networks 22: 397-417) finds the cheapest cells that have to move with it: minimise the sum of cost
times movement under the sums, where cells already withheld move for nothing. Cheap first, not proven optimal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from qbase.core.errors import DataError
from qbase.release.disclosing.cell_intervals import FAR, Layer, find_exposed

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

MOST_PASSES = 60
WINDOW = 6
"""Towns to either side, by their numbers, that partners are looked for in before the whole province."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Linked:
    """What secondary suppression needs to know of linked cells.

    Parameters
    ----------
    relations : scipy.sparse.csr_array, shape (relations, cells)
        1 for a sum, -1 for its parts.
    adds_firms : numpy.ndarray of bool, shape (relations,)
        Whether firms add up in a sum.
    n, k, firms : numpy.ndarray, shape (cells,)
        Batches, passes, firms.
    is_locked : numpy.ndarray of bool, shape (cells,)
        Known already: shown before, with the same content.
    is_apart : numpy.ndarray of bool, shape (cells,)
        Never shown in any case, and safe: nothing is asked of it and it costs nothing.
    near : numpy.ndarray of int, shape (cells,)
        Number of the neighbourhood (town) a partner is looked for in first; negative for none.
    is_between : numpy.ndarray of bool, shape (cells,)
        Towns, and what holds several: they link neighbourhoods.
    """

    relations: Any
    adds_firms: Bools
    n: Floats
    k: Floats
    firms: Floats
    is_locked: Bools
    is_apart: Bools
    near: Ints
    is_between: Bools

    def layers(self, is_primary: Bools, *, percent: float, least: int) -> tuple[Layer, ...]:
        """Return failures, passes and firms, with what is asked of each withheld cell."""
        failed = self.n - self.k
        asked = ~self.is_apart

        def need(value: Floats) -> Floats:
            wide = np.where(is_primary, np.ceil(percent * value / 100), 0)
            return np.where(asked, np.maximum(wide, least), 0.0)

        by_place = self.relations[np.flatnonzero(self.adds_firms)]
        return (
            Layer(name="failed", relations=self.relations, room=failed, need=need(failed)),
            Layer(name="passed", relations=self.relations, room=self.k, need=need(self.k)),
            Layer(name="firms", relations=by_place, room=self.firms - 1, need=np.where(asked, 1.0, 0.0)),
        )


def plan_partners(
    linked: Linked, is_primary: Bools, is_closed: Bools, *, fewest_firms: int, percent: float, least: int
) -> Bools:  # fmt: skip
    """Plan which cells are withheld.

    Parameters
    ----------
    linked : Linked
        Cells and sums.
    is_primary : numpy.ndarray of bool, shape (cells,)
        Cells withheld for themselves.
    is_closed : numpy.ndarray of bool, shape (cells,)
        Cells withheld before.
    fewest_firms : int
        Firms behind what a subtraction gives.
    percent, least : float, int
        Width asked of intervals (`DisclosurePreset`).

    Returns
    -------
    numpy.ndarray of bool, shape (cells,)
        Primary, closed and secondary cells, and those apart; the same for the same input.

    Raises
    ------
    DataError
        What was shown before gives a cell away, whatever else is withheld (QB757).
    """
    hidden = (is_primary | is_closed | linked.is_apart) & ~linked.is_locked
    layers = linked.layers(is_primary, percent=percent, least=least)
    exposed = hidden
    settled = [np.zeros_like(hidden) for _ in layers]
    for _ in range(MOST_PASSES):
        hidden = _close(linked, hidden, fewest_firms=fewest_firms, least=least)
        before = int(hidden.sum())
        exposed = np.zeros_like(hidden)
        for layer, safe in zip(layers, settled, strict=True):
            # what moved while less was withheld still moves
            asked = dataclasses.replace(layer, need=np.where(safe, 0.0, layer.need))
            bare = find_exposed(asked, hidden, is_between=linked.is_between)
            safe |= hidden & ~bare
            exposed |= bare
            for cell in np.flatnonzero(bare):
                if bare[cell]:
                    moved = _find_partners(linked, layer, hidden, int(cell))
                    hidden |= np.abs(moved) > FAR
                    # what moved far enough with it is settled by the same table
                    bare &= moved < np.maximum(layer.need, 1) - FAR
        if not exposed.any():
            return hidden
        if int(hidden.sum()) == before:
            break
    raise DataError(
        "QB757",
        found=f"{int(exposed.sum())} of {int(hidden.sum())} withheld cells follow from what is shown",
        expected="an interval around every withheld cell",
        fix="show fewer places or strata, or a longer period",
    )


def _close(linked: Linked, hidden: Bools, *, fewest_firms: int, least: int) -> Bools:
    """Withhold partners until every sum keeps what a subtraction would give."""
    hidden = hidden.copy()
    parts = (-linked.relations).maximum(0).tocsr()
    whole = linked.relations.maximum(0).tocsr().indices
    failed = linked.n - linked.k
    while True:
        asked = (hidden & ~linked.is_apart).astype(float)
        held = hidden.astype(float)
        firms = np.where(linked.adds_firms, parts @ (held * linked.firms), _largest(parts, held * linked.firms))
        few = (firms < fewest_firms) | (parts @ (held * failed) < least) | (parts @ (held * linked.k) < least)
        n_parts = parts @ held
        top = hidden[whole]
        is_asked = parts @ asked + asked[whole] > 0
        open_ = is_asked & np.where(top, n_parts == 0, few | (n_parts < 2))
        changed = False
        for row in np.flatnonzero(open_):
            changed |= _mend(linked, hidden, parts, int(row), int(whole[row]), fewest_firms=fewest_firms, least=least)
        if not changed:
            return hidden


def _largest(parts: Any, firms: Floats) -> Floats:
    """Return the largest number of firms among the parts: over times and groups the same firm may come again."""
    scaled = parts.multiply(firms[None, :]).tocsr()
    return np.asarray(scaled.max(axis=1).toarray(), dtype=float).ravel()


def _mend(
    linked: Linked, hidden: Bools, parts: Any, row: int, whole: int, *, fewest_firms: int, least: int
) -> bool:  # fmt: skip
    """Withhold one more member of a sum; whether there was one."""
    members = parts.indices[parts.indptr[row] : parts.indptr[row + 1]]
    inside = members[hidden[members]]
    failed = linked.n - linked.k
    if hidden[whole] and len(inside):
        return False  # another sum has seen to it
    lacks = [value for value in (failed, linked.k) if value[inside].sum() < least and not hidden[whole]]
    firms = linked.firms[inside].sum() if linked.adds_firms[row] else linked.firms[inside].max(initial=0)
    if not hidden[whole] and len(inside) > 1 and not lacks and firms >= fewest_firms:
        return False
    free = members[~hidden[members] & ~linked.is_locked[members]]
    if len(free):
        # what a sum lacks is worth more than a small cell
        short = sum(((value[free] == 0).astype(float) for value in lacks), start=np.zeros(len(free)))
        hidden[free[np.lexsort([free, linked.n[free], short])[0]]] = True
        return True
    if hidden[whole] or linked.is_locked[whole]:
        return False
    hidden[whole] = True
    return True


def _find_partners(linked: Linked, layer: Layer, hidden: Bools, cell: int) -> Floats:
    """Return the cheapest movement of one cell, looked for near it before anywhere; zeros where there is none."""
    for within in _neighbourhoods(linked.near, cell):
        for sign in (1.0, -1.0):
            by = sign * max(layer.need[cell], 1.0)
            if by > 0 or layer.room[cell] >= -by:
                moved = _move_cheaply(linked, layer, hidden, cell, by, within)
                if moved is not None:
                    return moved
    return np.zeros(len(hidden))


def _neighbourhoods(near: Ints, cell: int) -> Iterator[Bools]:
    if near[cell] >= 0:
        yield near == near[cell]
        around = (near - near[cell]) % (int(near.max()) + 1)
        if int(near.max()) > 3 * WINDOW:
            yield (near >= 0) & ((around <= WINDOW) | (around > int(near.max()) - WINDOW))
    yield np.ones(len(near), dtype=bool)


def _move_cheaply(
    linked: Linked, layer: Layer, hidden: Bools, cell: int, by: float, within: Bools
) -> Floats | None:  # fmt: skip
    """Return the cheapest movement of a cell under all sums; None where there is none."""
    columns = np.flatnonzero(within & (hidden | ~linked.is_locked))
    rows = layer.relations[:, columns]
    rows = rows[np.diff(rows.indptr) > 0]
    cost = np.where(hidden[columns], 1e-4, 1.0 + linked.n[columns])
    up = np.full(len(columns), np.inf)
    down = layer.room[columns].copy()
    place = int(np.searchsorted(columns, cell))
    fixed = np.array([max(by, 0.0), max(-by, 0.0)])
    bounds = np.column_stack([np.zeros(2 * len(columns)), np.concatenate([up, down])])
    bounds[place], bounds[len(columns) + place] = (fixed[0], fixed[0]), (fixed[1], fixed[1])
    both = sparse.hstack([rows, -rows]).tocsr()
    found = linprog(np.tile(cost, 2), A_eq=both, b_eq=np.zeros(rows.shape[0]), bounds=bounds, method="highs")
    if found.x is None or found.status != 0:
        return None
    moved = np.zeros(len(hidden))
    moved[columns] = found.x[: len(columns)] - found.x[len(columns) :]
    return moved
