"""Rules that tell a signal from routine variation, on z scores of many series at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qbase.stats.control.control_limits import Floats, Ints, read_phases

Bools = NDArray[np.bool_]

RULES = ("beyond", "two_of_three", "shift", "trend")
"""One point beyond 3 standard errors; two of three beyond 2 on one side; a run on one side; a run in one direction."""

SHIFT_POINTS, TREND_POINTS = 8, 6
"""Points of a run: with 24 points a shift of 7 fires in 1 of 9 quiet charts, one of 8 in 1 of 18."""


def find_signals(
    z: Floats,
    value: Floats,
    *,
    phases: Ints | None = None,
    shift: int = SHIFT_POINTS,
    trend: int = TREND_POINTS,
) -> dict[str, Bools]:
    """Return the points at which each rule fires; runs end at a new phase and pass over periods without a value.

    Parameters
    ----------
    z : numpy.ndarray, shape (S, T)
        Distance from the centre in standard errors; NaN where nothing was measured.
    value : numpy.ndarray, shape (S, T)
        What is drawn: of it a trend is read.
    phases : numpy.ndarray of int or None
        See `qbase.stats.control.control_limits.read_phases`.
    shift, trend : int
        Length of a run on one side, and of one in one direction (points, the first included).

    Returns
    -------
    dict
        Rule -> array of bool, shape (S, T): True at every point of a pattern.

    References
    ----------
    Nelson, L. S. (1984). The Shewhart control chart - tests for special causes. Journal of Quality Technology 16.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import find_signals
    >>> z = np.array([[0.1, -0.4, 3.2, 0.2, -0.3]])
    >>> {rule: np.flatnonzero(found[0]).tolist() for rule, found in find_signals(z, z).items() if found.any()}
    {'beyond': [2]}
    """
    part = read_phases(phases, z.shape)
    known = np.isfinite(z)
    packed, place, counts = _pack(known)
    zs, values, parts = (np.take_along_axis(a, packed, axis=1) for a in (np.where(known, z, 0), value, part))
    inside = np.arange(z.shape[1])[None, :] < counts[:, None]
    up, down = (zs > 0) & inside, (zs < 0) & inside
    same = np.zeros_like(inside)
    same[:, 1:] = (parts[:, 1:] == parts[:, :-1]) & inside[:, 1:]
    rises, falls = np.zeros_like(inside), np.zeros_like(inside)
    rises[:, 1:] = (values[:, 1:] > values[:, :-1]) & same[:, 1:]
    falls[:, 1:] = (values[:, 1:] < values[:, :-1]) & same[:, 1:]
    found = {
        "beyond": (np.abs(zs) > 3) & inside,
        "two_of_three": _two_of_three(zs > 2, parts, inside) | _two_of_three(zs < -2, parts, inside),
        "shift": _runs(up, same, shift) | _runs(down, same, shift),
        "trend": _steps(rises, trend - 1) | _steps(falls, trend - 1),
    }
    return {rule: _unpack(hits, place, known) for rule, hits in found.items()}


def _pack(known: Bools) -> tuple[Ints, Ints, Ints]:
    """Return the order that puts measured periods first, where each then lies, and how many there are."""
    packed = np.argsort(~known, axis=1, kind="stable")
    return packed, np.argsort(packed, axis=1, kind="stable"), known.sum(axis=1)


def _unpack(hits: Bools, place: Ints, known: Bools) -> Bools:
    return np.take_along_axis(hits, place, axis=1) & known


def _runs(side: Bools, same: Bools, length: int) -> Bools:
    """Return the points of every run of at least ``length`` on one side within a phase."""
    run = np.zeros(side.shape[0], dtype=np.int64)
    lengths = np.empty(side.shape, dtype=np.int64)
    for t in range(side.shape[1]):
        run = np.where(side[:, t], np.where(same[:, t], run, 0) + 1, 0)
        lengths[:, t] = run
    return _spread_back(lengths, length)


def _steps(steps: Bools, length: int) -> Bools:
    """Return the points of every run of at least ``length`` steps, its first point included."""
    hits = _runs(steps, np.ones_like(steps), length)
    hits[:, :-1] |= hits[:, 1:] & steps[:, 1:]
    return hits


def _spread_back(lengths: Ints, length: int) -> Bools:
    hits = lengths >= length
    for t in range(lengths.shape[1] - 2, -1, -1):
        hits[:, t] |= hits[:, t + 1] & (lengths[:, t + 1] > 1) & (lengths[:, t] > 0)
    return hits


def _two_of_three(far: Bools, parts: Ints, inside: Bools) -> Bools:
    far = far & inside
    hits = np.zeros_like(far)
    for gap in (1, 2):
        if far.shape[1] > gap:
            both = far[:, gap:] & far[:, :-gap] & (parts[:, gap:] == parts[:, :-gap])
            hits[:, gap:] |= both
            hits[:, :-gap] |= both
    return hits
