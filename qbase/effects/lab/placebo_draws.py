"""Placebo policies: who would have adopted when, and what outcomes would have been with a known effect."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np

from qbase.core.values import Indicator
from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.lab.untreated_history import BEFORE, History
from qbase.stats.testing.adoption_permutations import list_assignments

Shape = Literal["constant", "growing"]
PERCENT = (0.0, 100.0)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Placebos:
    """A placebo policies on one history.

    Parameters
    ----------
    start : numpy.ndarray, shape (A, N)
        Column of adoption; NaN for those left untreated.
    spread : int
        Periods from the first start to the last.
    is_complete : bool
        Whether these are all placebo policies there are.
    """

    start: Floats
    spread: int
    is_complete: bool


def draw_placebos(history: History, *, n_treated: int, spread: int | None, draws: int, seed: int) -> Placebos:
    """Draw placebo policies: as many treated, their dates as far apart, among all entities and periods.

    The dates lie to each other as those of the policy do, drawn closer together where the history is short; which
    entity has which date, and when the first starts, is drawn. Where all of that gives no more policies than are asked
    for, each is taken once.

    Parameters
    ----------
    history : History
    n_treated : int
        At most two less than there are entities.
    spread : int or None
        Periods from the first start to the last; None takes the policy's, or as many as the history has room for.
    draws, seed : int
    """
    n_entities = len(history.grid.entities)
    wanted = history.offsets[-1] if spread is None else spread
    reach = min(wanted, history.room) if n_treated > 1 else 0
    offsets = _offsets(history.offsets, n_treated, reach)
    labels = np.concatenate([offsets, np.full(n_entities - n_treated, -1)])
    shifts = history.room - reach + 1
    _, sizes = np.unique(labels, return_counts=True)
    n_possible = shifts * math.factorial(n_entities) // math.prod(math.factorial(int(s)) for s in sizes)
    if n_possible <= draws:
        every = np.vstack([labels, list_assignments(labels, limit=n_possible).rows])
        rows, shift = np.repeat(every, shifts, axis=0), np.tile(np.arange(shifts), len(every))
    else:
        rng = np.random.default_rng(seed)
        rows = rng.permuted(np.broadcast_to(labels, (draws, n_entities)), axis=1)
        shift = rng.integers(shifts, size=draws)
    start = np.where(rows >= 0, BEFORE + rows + shift[:, None], np.nan)
    return Placebos(start=start, spread=reach, is_complete=n_possible <= draws)


def _offsets(own: tuple[int, ...], n_treated: int, reach: int) -> np.ndarray:
    """Return dates of so many treated that lie to each other as the policy's do, from 0 to ``reach``."""
    if n_treated == 1 or not reach:
        return np.zeros(n_treated, dtype=np.int64)
    shares = np.array(own, dtype=float) / own[-1] if own[-1] else np.linspace(0.0, 1.0, len(own))
    if len(shares) == 1:
        shares = np.array([0.0, 1.0])
    at = np.interp(np.linspace(0, 1, n_treated), np.linspace(0, 1, len(shares)), shares)
    return np.rint(at * reach).astype(np.int64)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Played:
    """Outcomes of A placebo policies with M known effects.

    Parameters
    ----------
    y : numpy.ndarray, shape (A, M, N, T)
    truth : numpy.ndarray, shape (A, M)
        Average effect there really is in the treated cells: what was added, less what the bound took.
    capped : numpy.ndarray, shape (A, M)
        Share of treated cells in which the bound of the outcome took something.
    """

    y: Floats
    truth: Floats
    capped: Floats


def play_effects(history: History, start: Floats, y: Floats, effects: Floats, shape: Shape) -> Played:
    """Add known effects to the treated cells, in the direction that is better, no further than the outcome can go.

    Parameters
    ----------
    history : History
    start : numpy.ndarray, shape (A, N)
    y : numpy.ndarray, shape (A, N, T) or (N, T)
        Untreated outcomes.
    effects : numpy.ndarray, shape (M,)
        Average effects to add, in the unit of a difference.
    shape : {"constant", "growing"}
        The same in all treated cells, or growing by the same step each period from the start on.
    """
    grid = history.grid
    since = np.arange(grid.n_periods) - start[:, :, None]
    seen = np.isfinite(y) & (since >= 0)
    weight = np.where(seen, grid.weight[:, None], 0.0)
    mass = weight.sum(axis=(1, 2), keepdims=True)
    mass = np.where(mass > 0, mass, np.nan)
    profile = np.where(seen, since + 1.0 if shape == "growing" else 1.0, 0.0)
    profile = profile / ((profile * weight).sum(axis=(1, 2), keepdims=True) / mass)
    low, high = bounds_of(grid.indicator)
    bare = np.broadcast_to(y, profile.shape)[:, None]
    asked = bare + better_sign(grid.indicator) * effects[:, None, None] * profile[:, None]
    made = np.clip(asked, min(low, np.nanmin(bare)), max(high, np.nanmax(bare)))
    added = np.where(seen[:, None], made - bare, 0.0)
    took = np.where(seen[:, None], np.abs(asked - made) > 1e-9, False)
    return Played(
        y=np.where(seen[:, None], made, bare),
        truth=(added * weight[:, None]).sum(axis=(2, 3)) / mass[:, 0],
        capped=took.sum(axis=(2, 3)) / np.maximum(seen.sum(axis=(1, 2)), 1)[:, None],
    )


def join_played(parts: list[Played]) -> Played:
    """Return outcomes of several shapes side by side; the first of each is without an effect."""
    names = [field.name for field in dataclasses.fields(Played)]
    return Played(**{name: np.concatenate([getattr(part, name) for part in parts], axis=1) for name in names})


def bounds_of(indicator: Indicator) -> tuple[float, float]:
    """Return the lowest and the highest value an outcome can have."""
    return indicator.bounds or (PERCENT if indicator.unit == "pct" else (-math.inf, math.inf))


def better_sign(indicator: Indicator) -> float:
    """Return the sign of an improvement; up where the outcome does not say."""
    return -1.0 if indicator.better == "down" else 1.0
