"""From scores of indicators to pillars and the index, and from the index back to its parts."""

from __future__ import annotations

import numpy as np

from qbase.scorecards.composite.index_design import Aggregation
from qbase.scorecards.composite.index_values import Floats
from qbase.scorecards.composite.index_weights import Node


def aggregate(scores: Floats, nodes: tuple[Node, ...], weights: list[Floats], how: Aggregation) -> list[Floats]:
    """Aggregate scores over the pillars of an index, from the lowest up.

    Parameters
    ----------
    scores : numpy.ndarray, shape (W, m, n)
        Of indicators; NaN where missing, which leaves the weight to what its pillar has.
    nodes : tuple of Node
        From `qbase.scorecards.composite.index_weights.list_nodes`.
    weights : list of numpy.ndarray, shape (W, parts) or (1, parts)
        Of the parts of every pillar.
    how : {"arithmetic", "geometric"}
        Mean.

    Returns
    -------
    list of numpy.ndarray, shape (W, n)
        One for every pillar, the index last; NaN where all of its parts are missing.
    """
    m = scores.shape[1]
    found: list[Floats] = []
    for node, own in zip(nodes, weights, strict=True):
        parts = np.stack([scores[:, at] if at < m else found[at - m] for at in node.parts], axis=1)
        gaps = np.isnan(parts)
        if how == "geometric":
            parts = np.log(np.where(gaps, 1.0, parts))
        held = own[:, :, None] * ~gaps
        total = held.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(total > 0, (np.where(gaps, 0.0, parts) * held).sum(axis=1) / total, np.nan)
        found.append(np.exp(mean) if how == "geometric" else mean)
    return found


def effective_weights(scores: Floats, nodes: tuple[Node, ...], weights: list[Floats]) -> Floats:
    """Return what each indicator weighs in the index of each entity: down the pillars, over what the entity has.

    Parameters
    ----------
    scores : numpy.ndarray, shape (n, m)
        NaN where missing.
    nodes, weights
        As in `aggregate`, weights of shape (parts,).

    Returns
    -------
    numpy.ndarray, shape (n, m)
        Each row adds up to 1; NaN where an entity has nothing.
    """
    n, m = scores.shape
    present = np.concatenate([~np.isnan(scores), np.zeros((n, len(nodes)), dtype=bool)], axis=1)
    for at, node in enumerate(nodes):
        present[:, m + at] = present[:, list(node.parts)].any(axis=1)
    carried = np.zeros((n, m + len(nodes)))
    carried[:, -1] = np.where(present[:, -1], 1.0, np.nan)
    for at, (node, own) in reversed(list(enumerate(zip(nodes, weights, strict=True)))):
        parts = list(node.parts)
        shares = own * present[:, parts]
        total = shares.sum(axis=1, keepdims=True)
        carried[:, parts] = carried[:, [m + at]] * np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
    return carried[:, :m]


def split_score(scores: Floats, index: Floats, shares: Floats, how: Aggregation, base: float) -> Floats:
    """Split the score of every entity into what each indicator adds to the base.

    The arithmetic mean is a sum already (base 0). The geometric mean above the worst score is split by the logarithmic
    mean, which leaves no rest.

    Parameters
    ----------
    scores, shares : numpy.ndarray, shape (n, m)
        Scores, and `effective_weights`.
    index : numpy.ndarray, shape (n,)
        The index.
    how : {"arithmetic", "geometric"}
        Mean.
    base : float
        Worst score; used for the geometric mean.

    Returns
    -------
    numpy.ndarray, shape (n, m)
        Rows add up to the index, less the base where the mean is geometric.

    References
    ----------
    Ang, B. W. (2005). The LMDI approach to decomposition analysis. Energy Policy 33, 867-871.
    """
    held = np.nan_to_num(shares)
    if how == "arithmetic":
        return held * np.nan_to_num(scores)
    logs = np.log(np.where(np.isnan(scores), base, scores) / base)
    gap = np.log(index / base)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(np.abs(gap) > 1e-12, (index - base) / gap, base)
    return np.asarray(mean[:, None] * held * logs)
