"""What can be learnt of withheld cells from all that is shown: intervals by linear programming.

Between a withheld cell and an attacker stand the sums that hold among cells and that no count is negative. The
interval of a cell is the range of its value over all tables that agree with what is shown (Fischetti and Salazar,
2001, Management Science 47: 1008-1027, section 2). Batches failed and batches passed are audited apart: n is their sum,
so the tables that agree are the products of both. One programme moves many cells at once, and each cell that was seen
to move far enough is settled; what is left is asked for one by one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog
from scipy.sparse import csgraph

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

FAR = 1e-6
"""Slack of the solver (HiGHS: 1e-7) against which a movement is told from none."""
TRIES = 3
"""So many draws that settle nothing end the common part."""
BLOCK = 1_500
"""Cells of small blocks that share a programme: a call of the solver costs more than a small one."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One count of every cell, and what is asked of what is known of it.

    Parameters
    ----------
    name : str
        ``failed``, ``passed`` or ``firms``.
    relations : scipy.sparse.csr_array, shape (relations, cells)
        Each row times the values is zero.
    room : numpy.ndarray, shape (cells,)
        How far each value lies above the least it can be.
    need : numpy.ndarray, shape (cells,)
        How wide the interval of a withheld cell is to be at least; 0 asks for nothing.
    """

    name: str
    relations: Any
    room: Floats
    need: Floats


def find_exposed(layer: Layer, is_hidden: Bools, *, is_between: Bools | None = None) -> Bools:
    """Find withheld cells that are known too well.

    Parameters
    ----------
    layer : Layer
        Sums, values and what is asked.
    is_hidden : numpy.ndarray of bool, shape (cells,)
        Cells that are not known.
    is_between : numpy.ndarray of bool, shape (cells,), optional
        Cells that link neighbourhoods (towns, the province). They are held first, so that a neighbourhood is a small
        programme; only what does not move inside one is asked of the whole.

    Returns
    -------
    numpy.ndarray of bool, shape (cells,)
        Hidden cells whose interval is narrower than ``need``, or holds one whole number alone.
    """
    asked = is_hidden & (layer.need > 0)
    span = _Span.start(asked, layer.need)
    for free in (is_hidden & ~is_between, is_hidden) if is_between is not None else (is_hidden,):
        free = _drop_pinned(layer, free)
        for columns in _blocks(layer.relations, free):
            if span.is_open[columns].any():
                rows = layer.relations[:, columns]
                _widen(span, columns, rows[np.diff(rows.indptr) > 0], layer.room[columns])
    return span.is_open


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Span:
    """How far cells were seen to move; filled in place while one layer is audited."""

    low: Floats
    high: Floats
    need: Floats
    is_open: Bools

    @classmethod
    def start(cls, asked: Bools, need: Floats) -> _Span:
        return cls(low=np.zeros(len(need)), high=np.zeros(len(need)), need=need, is_open=asked.copy())

    def see(self, columns: Ints, moved: Floats) -> int:
        """Note a movement; how many cells it settled."""
        self.low[columns] = low = np.minimum(self.low[columns], moved)
        self.high[columns] = high = np.maximum(self.high[columns], moved)
        # a movement by one to either side shows that there are two whole numbers
        is_wide = (high - low >= self.need[columns] - FAR) & ((high >= 1 - FAR) | (low <= -1 + FAR))
        settled = int((self.is_open[columns] & is_wide).sum())
        self.is_open[columns] &= ~is_wide
        return settled


def _drop_pinned(layer: Layer, is_hidden: Bools) -> Bools:
    """Return the cells that one sum alone does not give away."""
    free = is_hidden.copy()
    plus, minus = layer.relations.maximum(0).tocsr(), (-layer.relations).maximum(0).tocsr()
    while True:
        alive, room = free.astype(float), np.where(free, layer.room, 0.0)
        n_plus, n_minus = plus @ alive, minus @ alive
        at_least = ((n_minus == 0) & (plus @ room == 0)) | ((n_plus == 0) & (minus @ room == 0))
        telling = (n_plus + n_minus > 0) & (at_least | (n_plus + n_minus == 1))
        pinned = free & ((plus + minus).T @ telling.astype(float) > 0)
        if not pinned.any():
            return free
        free &= ~pinned


def _blocks(relations: Any, free: Bools) -> list[Ints]:
    """Return the free cells in blocks that no sum connects; small ones share a programme."""
    columns = np.flatnonzero(free)
    if not len(columns):
        return []
    part = abs(relations[:, columns])
    graph = sparse.block_array([[None, part.T], [part, None]]).tocsr()
    _, label = csgraph.connected_components(graph, directed=False)
    label = label[: len(columns)]
    order = np.argsort(label, kind="stable")
    pieces = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    blocks: list[list[Ints]] = []
    size = BLOCK
    for piece in pieces:
        if size + len(piece) > BLOCK:
            blocks.append([])
            size = 0
        blocks[-1].append(columns[piece])
        size += len(piece)
    return [np.sort(np.concatenate(block)) for block in blocks]


def _widen(span: _Span, columns: Ints, rows: Any, room: Floats) -> None:
    """Move the cells of one block until each has moved far enough or cannot.

    Cells at the least they can be only rise: all of them are raised together, and the others give. Of those that can
    fall as well a half is raised, drawn anew each time (the same draws for the same block).
    """
    need = span.need[columns]
    rng = np.random.default_rng(len(columns))
    at_least = room < 1
    is_partly = False
    while (up := span.is_open[columns] & at_least).any() and not is_partly:
        moved = _raise_many(rows, room, np.where(up, need, 0.0))
        if not (moved[up] > FAR).any():
            break  # the largest rise of all together is none: each is pinned
        is_partly = not span.see(columns, moved)
    lately = TRIES
    while lately and (others := span.is_open[columns] & ~at_least).any():
        up = others & (rng.random(len(columns)) < 0.5)
        lately = TRIES if span.see(columns, _raise_many(rows, room, np.where(up, need, 0.0))) else lately - 1
    if is_partly:
        at_least = np.zeros_like(at_least)
    for cell in np.flatnonzero(span.is_open[columns] & ~at_least):
        for sign in (1.0, -1.0):
            if span.is_open[columns[cell]]:
                span.see(columns, _move_one(rows, room, int(cell), sign * need[cell]))


def _raise_many(rows: Any, room: Floats, need: Floats) -> Floats:
    """Return a movement of a block that raises as many cells as far as is asked of them; the others may fall."""
    told = np.flatnonzero(need > 0)
    cells, few = len(room), len(told)
    if not few:
        return np.zeros(cells)
    # a raised cell is what counts towards the goal and what is beyond it
    first = room.copy()
    first[told] = 0.0
    bounds = np.vstack(
        [np.column_stack([-first, np.full(cells, np.inf)]), np.column_stack([np.zeros(few), np.full(few, np.inf)])]
    )
    bounds[told, 1] = need[told]
    cost = np.zeros(cells + few)
    cost[told] = -1.0 / need[told]
    found = _solve(cost, sparse.hstack([rows, rows[:, told]]).tocsr(), bounds)
    found[told] += found[cells:]
    return found[:cells]


def _move_one(rows: Any, room: Floats, cell: int, by: float) -> Floats:
    cost = np.zeros(len(room))
    cost[cell] = -np.sign(by)
    bounds = np.column_stack([-room, np.full(len(room), np.inf)])
    # as far as asked is far enough, and keeps the programme bounded
    bounds[cell] = (max(by, -room[cell]), np.inf) if by < 0 else (-room[cell], by)
    return _solve(cost, rows, bounds)


def _solve(cost: Floats, rows: Any, bounds: Floats) -> Floats:
    """Return the best movement; none (zeros) where the solver finds no solution, which settles nothing."""
    found = linprog(cost, A_eq=rows, b_eq=np.zeros(rows.shape[0]), bounds=bounds, method="highs")
    if found.x is None or found.status != 0:
        return np.zeros(len(cost))
    moved: Floats = found.x
    return moved
