"""Who might have adopted when: assignments of dates among exchangeable entities, and p values from them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LIMIT = 20_000
"""Up to so many assignments all are listed; at a millisecond each that is twenty seconds."""

TIE = 1e-9
"""Statistics that differ by less than this share are one number computed in two orders."""

HITS = 10
"""Besag and Clifford's h: after ten draws at least as extreme a p value is known well enough to be no small one."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Assignments:
    """Assignments other than the observed one.

    Parameters
    ----------
    rows : numpy.ndarray of int, shape (A, N)
        The label of each entity, one assignment a row, no two alike.
    n_possible : int
        Distinct assignments there are, the observed one included.
    is_complete : bool
        Whether every one of them is listed.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import Assignments
    >>> Assignments(rows=np.array([[0, 1, 0], [0, 0, 1]]), n_possible=3, is_complete=True).smallest_p
    0.3333333333333333
    """

    rows: Ints
    n_possible: int
    is_complete: bool

    @property
    def smallest_p(self) -> float:
        """The smallest p value these assignments can give: the observed one alone is the most extreme."""
        return 1 / (1 + len(self.rows))


def list_assignments(labels: ArrayLike, *, draws: int = 999, limit: int = LIMIT, seed: int = 0) -> Assignments:
    """List the ways in which labels, such as dates of adoption, could have been dealt out.

    Parameters
    ----------
    labels : array-like of int, shape (N,)
        The observed label of each entity; equal labels cannot be told apart.
    draws : int
        How many to draw where there are too many to list. The draws are distinct and leave out the observed one.
    limit : int
        Up to so many distinct assignments all are listed.
    seed : int
        Of the draws.

    Returns
    -------
    Assignments

    References
    ----------
    Phipson, B. and Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in Genetics
    and Molecular Biology 9.

    Examples
    --------
    >>> from qbase.stats import list_assignments
    >>> found = list_assignments([1, 0, 0, 2])  # one adopts in period 1, one in period 2, two never
    >>> len(found.rows), found.n_possible, round(found.smallest_p, 4)
    (11, 12, 0.0833)
    """
    observed = np.asarray(labels, dtype=np.int64)
    _, sizes = np.unique(observed, return_counts=True)
    n_possible = math.factorial(len(observed)) // math.prod(math.factorial(int(s)) for s in sizes)
    if n_possible <= limit:
        every = _every(observed)
        return Assignments(rows=every[(every != observed).any(axis=1)], n_possible=n_possible, is_complete=True)
    rows = _drawn(observed, min(draws, n_possible - 1), np.random.default_rng(seed))
    return Assignments(rows=rows, n_possible=n_possible, is_complete=False)


def _every(observed: Ints) -> Ints:
    """Return all distinct orders of the labels: places for each label in turn among those left."""
    values, sizes = np.unique(observed, return_counts=True)
    n = len(observed)
    # the most frequent label takes what the others leave
    order = np.argsort(-sizes, kind="stable")
    rows = np.full((1, n), values[order[0]], dtype=np.int64)
    free = np.arange(n)[None, :]
    for at in order[1:]:
        left, size = free.shape[1], int(sizes[at])
        chosen = np.array(list(itertools.combinations(range(left), size)), dtype=np.int64)
        others = np.array([np.setdiff1d(np.arange(left), c, assume_unique=True) for c in chosen], dtype=np.int64)
        taken = free[:, chosen].reshape(-1, size)
        rows = np.repeat(rows, len(chosen), axis=0)
        np.put_along_axis(rows, taken, values[at], axis=1)
        free = free[:, others].reshape(len(rows), left - size)
    return rows


def _drawn(observed: Ints, draws: int, rng: np.random.Generator) -> Ints:
    seen = {observed.tobytes()}
    rows: list[Ints] = []
    while len(rows) < draws:
        row = rng.permutation(observed)
        if row.tobytes() not in seen:
            seen.add(row.tobytes())
            rows.append(row)
    return np.array(rows, dtype=np.int64).reshape(draws, len(observed))


def exchanged_places(observed: ArrayLike, rows: ArrayLike) -> Ints:
    """Return whose history each entity takes on so that an assignment comes about, with as few moves as possible.

    Parameters
    ----------
    observed : array-like of int, shape (N,)
        Labels as they are.
    rows : array-like of int, shape (A, N)
        Assignments, each with the same labels as often.

    Returns
    -------
    numpy.ndarray of int, shape (A, N)
        ``places[a, i]`` is an entity that has in assignment ``a`` the label ``i`` has now. Who keeps the label keeps
        the history.

    Examples
    --------
    >>> from qbase.stats import exchanged_places
    >>> exchanged_places([7, 0, 0, 0], [[0, 0, 7, 0]])
    array([[2, 1, 0, 3]])
    """
    now = np.broadcast_to(np.asarray(observed, dtype=np.int64), np.shape(rows))
    then = np.asarray(rows, dtype=np.int64)
    moved = (now != then).astype(np.int64)
    mine = np.argsort(2 * now + moved, axis=1, kind="stable")
    theirs = np.argsort(2 * then + moved, axis=1, kind="stable")
    places = np.empty_like(then)
    np.put_along_axis(places, mine, theirs, axis=1)
    return places


def permutation_p(observed: float, drawn: ArrayLike) -> float:
    """Return the share of assignments, the observed one included, with a statistic at least as large.

    With all assignments listed this is the exact p value; with draws it is (1 + hits) / (1 + draws). Ties count as
    hits.

    Parameters
    ----------
    observed : float
        Statistic of the observed assignment.
    drawn : array-like, shape (A,)
        Statistics of the others; NaN, where there is none, counts as a hit.

    References
    ----------
    Phipson, B. and Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in Genetics
    and Molecular Biology 9.

    Examples
    --------
    >>> from qbase.stats import permutation_p
    >>> permutation_p(3.0, [1.0, 3.0, 2.0])
    0.5
    """
    others = np.asarray(drawn, dtype=float)
    hits = int((~(others < observed - TIE * abs(observed))).sum())
    return (1 + hits) / (1 + len(others))


def attainable_p(observed: float, drawn: ArrayLike) -> float:
    """Return the smallest p value these statistics could have given: that of the most extreme assignment of all.

    With one date of adoption for half of the entities an assignment and its mirror image always tie, so the floor is
    twice that of a single assignment.

    Parameters
    ----------
    observed : float
        Statistic of the observed assignment.
    drawn : array-like, shape (A,)
        Statistics of the others.

    Examples
    --------
    >>> from qbase.stats import attainable_p
    >>> attainable_p(1.0, [3.0, 3.0, 2.0])
    0.5
    """
    every = np.append(np.asarray(drawn, dtype=float), observed)
    largest = float(np.nanmax(every))
    return int((~(every < largest - TIE * abs(largest))).sum()) / len(every)


def sequential_p(exceeds: Iterable[bool], *, hits: int = HITS, draws: int = 199) -> float:
    """Return a p value from as few draws as needed: stop after ``hits`` draws at least as extreme.

    Parameters
    ----------
    exceeds : iterable of bool
        Draw by draw, whether the statistic was at least as large as the observed one; read no further than needed.
    hits : int
        Stop after so many.
    draws : int
        Stop after so many draws anyway.

    References
    ----------
    Besag, J. and Clifford, P. (1991). Sequential Monte Carlo p-values. Biometrika 78.

    Examples
    --------
    >>> from qbase.stats import sequential_p
    >>> sequential_p([True, False] * 100, hits=10), sequential_p([False] * 199)
    (0.5263157894736842, 0.005)
    """
    found = 0
    made = 0
    for exceed in itertools.islice(exceeds, draws):
        made += 1
        found += bool(exceed)
        if found == hits:
            return hits / made
    return (1 + found) / (1 + made)


def inverted_limits(shift: ArrayLike, lever: ArrayLike, *, level: float) -> tuple[float, float]:
    """Return how far a hypothesis may lie from an estimate before draws of that hypothesis reject it.

    At a hypothesis x below the estimate a draw has the statistic ``|shift + lever · x|`` against ``|x|`` of the
    estimate itself. Where the lever lies between −1 and 1 the draw is at least as extreme exactly between two values
    of x, one on each side of 0; with a lever of ±1, on one side of one value. So the p value falls away from 0 and
    needs no search.

    Parameters
    ----------
    shift, lever : array-like, shape (A,)
        Of each draw other than the observed one. A lever beyond ±1 counts as at least as extreme everywhere.
    level : float
        Confidence level.

    Returns
    -------
    low, high : float
        Smallest and largest x not rejected; infinite where the draws are too few to reject anything.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import inverted_limits
    >>> inverted_limits(np.arange(1.0, 40.0), np.zeros(39), level=0.95)
    (-38.0, 38.0)
    """
    a, b = np.asarray(shift, dtype=float), np.asarray(lever, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        right = np.where(b < 1 - TIE, a / (1 - b), np.where(a < 0, -np.inf, np.inf))
        left = np.where(b > TIE - 1, -a / (1 + b), np.where(a < 0, np.inf, -np.inf))
    size = np.abs(b)
    # all signs turned round give the estimate again: shift 0 up to rounding
    is_same = (size >= 1 - TIE) & (np.abs(a) <= TIE * np.abs(a).max(initial=0.0))
    ends = np.where((size > 1 + TIE) | is_same, np.array([[np.inf], [-np.inf]]), np.stack([right, left]))
    highs, lows = np.sort(ends.max(axis=0))[::-1], np.sort(ends.min(axis=0))
    # x is kept while (1 + hits) / (1 + draws) > 1 − level: the hits still needed beside the observed draw
    needed = math.floor((1 - level) * (1 + len(a)) + TIE)
    if needed < 1:
        return -math.inf, math.inf
    return float(lows[needed - 1]), float(highs[needed - 1])
