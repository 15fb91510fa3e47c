"""Weights of an index: equal, declared by experts, or by entropy (pymcdm), and weights drawn around them."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.scorecards.composite.index_design import IndexDesign, Weighting
from qbase.scorecards.composite.index_values import Bools, Floats

NEARLY_NOTHING = 1e-12
"""Of a column's sum: what pymcdm takes for a 0, whose share times its logarithm tends to 0."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Node:
    """A pillar by places: its parts are columns of the indicators first, then of the pillars below it.

    Parameters
    ----------
    id : str
        Of the pillar.
    parts : tuple of int
        Places: below m an indicator, from m on a pillar in the order of `list_nodes`.
    leaves : tuple of tuple of int
        Indicators below each part.
    expert : tuple of float
        Declared weights, adding up to 1.
    """

    id: str
    parts: tuple[int, ...]
    leaves: tuple[tuple[int, ...], ...]
    expert: tuple[float, ...]


def list_nodes(design: IndexDesign, kept: tuple[str, ...]) -> tuple[Node, ...]:
    """Return the pillars from the lowest up to the index, without indicators that were screened out."""
    by_id, place = {p.id: p for p in design.pillars}, {i: at for at, i in enumerate(kept)}
    leaves: dict[str, tuple[int, ...]] = {i: (at,) for i, at in place.items()}
    nodes: list[Node] = []

    def visit(pillar_id: str) -> None:
        shares = by_id[pillar_id].shares()
        for part in shares:
            if part in by_id:
                visit(part)
        held = [part for part in shares if part in place]
        if not held:
            return
        total = sum(shares[part] for part in held)
        nodes.append(
            Node(
                id=pillar_id,
                parts=tuple(place[part] for part in held),
                leaves=tuple(leaves[part] for part in held),
                expert=tuple(shares[part] / total for part in held),
            )
        )
        place[pillar_id] = len(kept) + len(nodes) - 1
        leaves[pillar_id] = tuple(leaf for part in held for leaf in leaves[part])

    visit(design.root.id)
    return tuple(nodes)


def weigh(nodes: tuple[Node, ...], scheme: Weighting, entropy: Floats) -> list[Floats]:
    """Return the weights of the parts of every pillar, each adding up to 1.

    Parameters
    ----------
    nodes : tuple of Node
        From `list_nodes`.
    scheme : {"equal", "expert", "entropy"}
        By entropy a pillar weighs what its indicators weigh together.
    entropy : numpy.ndarray, shape (m,)
        From `entropy_weights`.
    """
    weights = []
    for node in nodes:
        if scheme == "equal":
            own = np.ones(len(node.parts))
        elif scheme == "expert":
            own = np.array(node.expert)
        else:
            own = np.array([entropy[list(leaves)].sum() for leaves in node.leaves])
            # where no part differs between entities entropy has nothing to weigh by
            own = own if own.sum() > 0 else np.ones(len(node.parts))
        weights.append(own / own.sum())
    return weights


def entropy_weights(values: Floats, ups: Bools) -> Floats:
    """Return Shannon entropy weights of indicators, through pymcdm.

    An indicator gets more weight the less evenly it is spread over the entities: a rate near 95 % everywhere gets next
    to none, whatever it means. Guarded: pymcdm takes no direction into account (costs are mirrored within their
    range), refuses zeros and what lies below, divides by 0 where nothing differs, and gives a nan for one entity.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, m)
        In their units; what is missing counts as the mean.
    ups : numpy.ndarray, shape (m,)
        Whether more is better.

    Returns
    -------
    numpy.ndarray, shape (m,)
        Adding up to 1; 0 for an indicator that does not differ; equal where none does.
    """
    from pymcdm.weights import entropy_weights as weights_of  # imports matplotlib

    n, m = values.shape
    centre = np.nan_to_num(np.nanmean(np.where(np.isnan(values).all(axis=0), 0.0, values), axis=0))
    full = np.where(np.isnan(values), centre, values)
    mirrored = np.where(ups, full, full.max(axis=0) + full.min(axis=0) - full)
    raised = mirrored - np.minimum(mirrored.min(axis=0), 0.0)
    differs = np.ptp(raised, axis=0) > 1e-12 * np.abs(raised).max(axis=0)
    weights = np.zeros(m)
    if n < 2 or not differs.any():
        return np.full(m, 1 / m)
    columns = np.maximum(raised[:, differs], NEARLY_NOTHING * raised[:, differs].sum(axis=0))
    weights[differs] = weights_of(columns)
    return weights


def draw_weights(rng: np.random.Generator, weights: list[Floats], spread: float) -> list[Floats]:
    """Draw weights around given ones from Dirichlet distributions that have them as means.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    weights : list of numpy.ndarray, shape (W, parts)
        Of the parts of every pillar in every world; rows add up to 1.
    spread : float
        Coefficient of variation that a weight has where all of its pillar are equal; 0 draws nothing.

    Returns
    -------
    list of numpy.ndarray, shape (W, parts)
        Rows add up to 1; a weight of 0 stays 0.
    """
    drawn = []
    for own in weights:
        concentration = (own.shape[1] - 1) / spread**2 - 1 if spread > 0 else 0.0
        if concentration <= 0:
            drawn.append(own.copy())
            continue
        gammas = rng.standard_gamma(concentration * own)
        drawn.append(gammas / gammas.sum(axis=1, keepdims=True))
    return drawn
