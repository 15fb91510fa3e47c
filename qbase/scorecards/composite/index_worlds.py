"""Ranks of an index in many worlds: its data as they might have come out, its method as others might have chosen it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from qbase.core.frames import BOUNDS, NO_BOUNDS
from qbase.scorecards.composite.data_steps import competition_ranks, impute, normalise, treat
from qbase.scorecards.composite.index_alternatives import Alternatives
from qbase.scorecards.composite.index_building import UNTREATED, CompositeIndex, declared_ranges
from qbase.scorecards.composite.index_design import Aggregation, Imputation, Normalisation, Weighting
from qbase.scorecards.composite.index_values import Floats, IndexValues
from qbase.scorecards.composite.index_weights import draw_weights
from qbase.scorecards.composite.pillar_means import aggregate

Ints = NDArray[np.int64]
Factor = Literal["data", "normalisation", "weighting", "weights", "aggregation", "imputation", "outliers", "left_out"]
Z95 = 1.959963984540054
AT_ONCE = 500_000
"""Values worked on at a time: what fits a cache costs less than what does not."""
BANK = 256
"""Draws that one uniform number chooses among, where a draw has to be a function of it."""
LOWEST_SHARE = 0.01
"""Of the scale: where the worst score of a geometric mean is put when the design has 0."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Setup:
    """Everything that stays the same over the worlds of an index.

    Parameters
    ----------
    index : CompositeIndex
        The baseline.
    alternatives : Alternatives
        What may be chosen.
    options : mapping
        Choice of method -> its words, the one of the design first; one word where nothing depends on it.
    weights : list of numpy.ndarray, shape (schemes, parts)
        By pillar and scheme of weights.
    factors : tuple of str
        What differs between worlds.
    scale : tuple of float
        Above 0 where a geometric mean may be taken.
    """

    index: CompositeIndex
    alternatives: Alternatives
    options: dict[str, tuple[str, ...]]
    weights: list[Floats]
    factors: tuple[Factor, ...]
    scale: tuple[float, float]


Draw = Callable[[Ints], Floats]
Perturb = Callable[[Ints, Ints], list[Floats]]


def set_up(index: CompositeIndex, alternatives: Alternatives) -> Setup:
    """Find which choices matter for an index; those that change nothing are no factor."""
    values, design = index.kept.values, index.design
    options = alternatives.options(design)
    if not np.isnan(values).any():
        options["imputation"] = (design.imputation,)
    if not any(t.changes for t in index.treatments):
        options["outliers"] = (design.outliers,)
    schemes = [index.weigh(cast(Weighting, s)) for s in options["weighting"]]
    if all(np.allclose(a, b) for scheme in schemes[1:] for a, b in zip(schemes[0], scheme, strict=True)):
        options["weighting"], schemes = options["weighting"][:1], schemes[:1]
    weights = [np.stack([scheme[at] for scheme in schemes]) for at in range(len(index.nodes))]
    m = values.shape[1]
    present = {
        "data": bool(index.kept.doubted.any()),
        "weights": alternatives.weight_spread > 0 and any(w.shape[1] > 1 for w in weights),
        "left_out": alternatives.leaves_out and m > 1,
    } | {name: len(words) > 1 for name, words in options.items()}
    low, high = design.scale
    if "geometric" in options["aggregation"] and low <= 0:
        low = LOWEST_SHARE * high if high > 0 else low
    factors = cast("tuple[Factor, ...]", tuple(name for name in FACTORS if present[name]))
    return Setup(
        index=index, alternatives=alternatives, options=options, weights=weights, factors=factors, scale=(low, high)
    )


FACTORS: tuple[Factor, ...] = (
    "data", "imputation", "outliers", "normalisation", "weighting", "weights", "aggregation", "left_out",
)  # fmt: skip


def choose(setup: Setup, uniform: Floats) -> dict[str, Ints]:
    """Return the choice of every world by factor, from uniform numbers.

    Parameters
    ----------
    setup : Setup
        Factors and their options.
    uniform : numpy.ndarray, shape (W, factors)
        Between 0 and 1.

    Returns
    -------
    dict of str to numpy.ndarray, shape (W,)
        Place of the word; for ``data`` and ``weights`` a place in the bank; for ``left_out`` the indicator left out, or
        -1 in half of the worlds.
    """
    chosen: dict[str, Ints] = {name: np.zeros(len(uniform), dtype=np.int64) for name in FACTORS}
    chosen["left_out"] -= 1
    m = setup.index.kept.values.shape[1]
    for at, name in enumerate(setup.factors):
        u = uniform[:, at]
        if name == "left_out":
            chosen[name] = np.where(u < 0.5, -1, np.minimum((2 * u - 1) * m, m - 1)).astype(np.int64)
        else:
            size = BANK if name in {"data", "weights"} else len(setup.options[name])
            chosen[name] = np.minimum(u * size, size - 1).astype(np.int64)
    return chosen


def rank_worlds(setup: Setup, chosen: dict[str, Ints], *, seed: int, is_bank: bool = False) -> Ints:
    """Return the ranks of all entities in some worlds, shape (W, n); 1 is best.

    Parameters
    ----------
    setup : Setup
        From `set_up`.
    chosen : dict
        From `choose`.
    seed : int
        Decides the draws.
    is_bank : bool
        Whether data and weights are those at a place of a bank of draws, so that a world is a function of its choices;
        else every world has draws of its own.
    """
    index = setup.index
    n, m = index.kept.values.shape
    ranks = np.zeros((len(chosen["data"]), n), dtype=np.int64)
    size = max(1, AT_ONCE // (n * m))
    bank = _open_bank(setup, seed) if is_bank else None
    for block, rows in enumerate(_blocks(setup, chosen)):
        for part, start in enumerate(range(0, len(rows), size)):
            at = rows[start : start + size]
            rng = np.random.default_rng([seed, block, part])
            if bank is not None:
                values, weights = bank[0][chosen["data"][at]], bank[1](chosen["weights"][at], chosen["weighting"][at])
            else:
                values = draw_values(rng, index.kept, len(at) if "data" in setup.factors else 1)
                scheme = [own[chosen["weighting"][at]] for own in setup.weights]
                weights = draw_weights(rng, scheme, setup.alternatives.weight_spread)
            ranks[at] = _rank(
                setup, {name: c[at[0]] for name, c in chosen.items()}, chosen["left_out"][at], values, weights
            )
    return ranks


def _blocks(setup: Setup, chosen: dict[str, Ints]) -> Iterator[Ints]:
    """Yield the worlds that agree in every choice that concerns whole matrices."""
    alike = ("imputation", "outliers", "normalisation", "aggregation")
    code = np.zeros(len(chosen["data"]), dtype=np.int64)
    for name in alike:
        code = code * len(setup.options[name]) + chosen[name]
    for one in np.unique(code):
        yield np.flatnonzero(code == one)


def _open_bank(setup: Setup, seed: int) -> tuple[Floats, Perturb]:
    """Draw data and weights once, to be chosen from; every scheme of weights is drawn with the same chance."""
    values = draw_values(np.random.default_rng([seed, 1]), setup.index.kept, BANK if "data" in setup.factors else 1)
    drawn = [
        draw_weights(
            np.random.default_rng([seed, 2]),
            [np.tile(own[s], (BANK, 1)) for own in setup.weights],
            setup.alternatives.weight_spread,
        )
        for s in range(len(setup.options["weighting"]))
    ]
    stacked = [np.stack([scheme[at] for scheme in drawn]) for at in range(len(setup.weights))]
    return values, lambda place, scheme: [own[scheme, place] for own in stacked]


def draw_values(rng: np.random.Generator, kept: IndexValues, worlds: int) -> Floats:
    """Draw the values of an index as they might have come out.

    A rate with counts is drawn from its posterior under Jeffreys' prior, weighted ones with their effective number; a
    value with an interval alone from a normal distribution on either side of it, inside what its unit can hold; a
    value without either stays.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    kept : IndexValues
        Values with their counts and intervals.
    worlds : int
        W.

    Returns
    -------
    numpy.ndarray, shape (W, m, n)
    """
    drawn = np.repeat(np.ascontiguousarray(kept.values.T)[None], worlds, axis=0)
    doubts = kept.doubted
    for j, indicator in enumerate(kept.indicators):
        doubted = doubts[:, j]
        counted = doubted & (kept.n_eff[:, j] > 0) if indicator.unit == "pct" else np.zeros_like(doubted)
        if counted.any():
            share, tested = kept.values[counted, j] / 100, kept.n_eff[counted, j]
            passed = np.clip(share * tested, 0.0, tested)
            drawn[:, j, counted] = 100 * rng.beta(passed + 0.5, tested - passed + 0.5, size=(worlds, counted.sum()))
        spread = doubted & ~counted
        if spread.any():
            value, z = kept.values[spread, j], rng.standard_normal((worlds, spread.sum()))
            below, above = (value - kept.low[spread, j]) / Z95, (kept.high[spread, j] - value) / Z95
            low, high = indicator.bounds or BOUNDS.get(indicator.unit, NO_BOUNDS)
            drawn[:, j, spread] = np.clip(value + z * np.where(z < 0, below, above), low, high)
    return drawn


def _rank(setup: Setup, one: dict[str, np.int64], left_out: Ints, values: Floats, weights: list[Floats]) -> Ints:
    """Return ranks in worlds that share their choices of method."""
    index = setup.index
    design, word = index.design, {name: words[one[name]] for name, words in setup.options.items()}
    groups = [design.groups.get(e, "") for e in index.kept.entities]
    filled = impute(values, cast(Imputation, word["imputation"]), groups)
    treatments = index.treatments if word["outliers"] == "winsorise" else (UNTREATED,) * len(index.treatments)
    for j, treatment in enumerate(treatments):
        if treatment.changes:
            filled[:, j] = treat(filled[:, j], treatment)
    ranges = declared_ranges(index.kept, design, treatments)
    scores = normalise(filled, cast(Normalisation, word["normalisation"]), index.kept.ups, setup.scale, ranges)
    for at, node in enumerate(index.nodes):
        for place, leaf in enumerate(node.parts):
            weights[at][left_out == leaf, place] = 0.0
    scores = np.broadcast_to(scores, (len(left_out), *scores.shape[1:]))
    found = aggregate(scores, index.nodes, weights, cast(Aggregation, word["aggregation"]))[-1]
    # whoever has nothing left in a world comes last in it
    return competition_ranks(np.where(np.isnan(found), -np.inf, found))
