"""Joint draws of the true rates of all entities in all quarters, and what they say of a level and of a lead."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qbase.scorecards.gates.quarter_rates import YEAR, QuarterRates

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
PRIOR = 0.5 / YEAR
"""Jeffreys' half pass and half failure belong to a window of four quarters: each of them carries a quarter of it."""
CHUNK = 250
LEAST_SHARE = 0.75
"""Quarters of a lead's window in which both sides must have been tested; a declared choice (2026-11-30)."""


def draw_rates(quarters: QuarterRates, *, draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Draw true rates by entity and quarter, in chunks of draws.

    Each is Beta(x + 1/8, n - x + 1/8) with x = rate * n and n the effective number, thinned by firms drawn in several
    of the quarters, so that four quarters together have
    Jeffreys' posterior: the sums of gamma variates behind independent betas of alike n make one beta.

    Parameters
    ----------
    quarters : QuarterRates
        What is known.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of the draws.

    Yields
    ------
    numpy.ndarray, shape (chunk, entities, quarters)
        Shares.
    """
    n_eff = quarters.n_eff / quarters.design_effect(len(quarters.quarters))[:, None]
    passed = quarters.rate * n_eff
    failed = np.maximum(n_eff - passed, 0.0)
    for start in range(0, draws, CHUNK):
        shape = (min(CHUNK, draws - start), *passed.shape)
        yield rng.beta(passed + PRIOR, failed + PRIOR, size=shape)


def level_of(drawn: Floats, n: Floats, window: int) -> Floats:
    """Return drawn rates of the last quarters together, weighted by draws as the estimate is."""
    return _mean(drawn[..., -window:], n[:, -window:])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Leads:
    """Drawn leads over the rest of the same product.

    Parameters
    ----------
    lead : numpy.ndarray, shape (draws, entities)
        Over the whole window, as a share.
    windows : numpy.ndarray, shape (windows, draws, entities)
        Of every window of four quarters in it; minus infinity where nobody else was tested in any of them.
    """

    lead: Floats
    windows: Floats

    @property
    def worst(self) -> Floats:
        """The smallest lead of any window of four quarters; shape (draws, entities)."""
        smallest: Floats = self.windows.min(axis=0)
        return smallest


def groups_of(entities: Sequence[str], products: Mapping[str, str]) -> list[NDArray[np.int64]]:
    """Return the places of the entities of each product; an entity of unknown product has no peers."""
    found: dict[str, list[int]] = {}
    for place, entity in enumerate(entities):
        found.setdefault(products.get(entity, f"?{entity}"), []).append(place)
    return [np.asarray(places, dtype=np.int64) for places in found.values()]


def compared_quarters(total: Floats, groups: Sequence[NDArray[np.int64]]) -> Bools:
    """Return in which quarters an entity and somebody else of its product were tested; shape (entities, quarters)."""
    has = np.zeros(total.shape, dtype=bool)
    for group in groups:
        tested = total[group] > 0
        has[group] = tested & (tested.sum(axis=0) - tested > 0)
    return has


def lead_of(drawn: Floats, n: Floats, total: Floats, groups: Sequence[NDArray[np.int64]]) -> Leads:
    """Return drawn leads: own rate minus the rest of the product, quarter by quarter, weighted by the own draws.

    The clusters of the rest are weighted by what their draws stand for. A quarter in which nobody else of the product
    was tested counts neither way: it is no lead.

    Parameters
    ----------
    drawn : numpy.ndarray, shape (draws, entities, quarters)
        Rates.
    n, total : numpy.ndarray, shape (entities, quarters)
        Draws, and the sums of their weights; 0 where nothing was drawn.
    groups : sequence of numpy.ndarray
        Places of the entities of each product.
    """
    gap = np.zeros_like(drawn)
    for group in groups:
        if len(group) < 2:
            continue
        weight = total[group]
        others = weight.sum(axis=0) - weight
        sums = drawn[:, group] * weight
        rest = np.divide(sums.sum(axis=1, keepdims=True) - sums, others, out=np.zeros_like(sums), where=others > 0)
        gap[:, group] = drawn[:, group] - rest
    weight = np.where(compared_quarters(total, groups), n, 0.0)
    lead = _mean(gap, weight)
    starts = range(max(total.shape[1] - YEAR, 0) + 1)
    windows = [_mean(gap[..., s : s + YEAR], weight[:, s : s + YEAR]) for s in starts]
    return Leads(lead=lead, windows=np.stack([np.where(np.isnan(w), -np.inf, w) for w in windows]))


def _mean(gap: Floats, weight: Floats) -> Floats:
    whole = weight.sum(axis=1)
    sums = np.einsum("deq,eq->de", gap, weight)
    mean: Floats = np.divide(sums, whole, out=np.full(sums.shape, np.nan), where=whole > 0)
    return mean
