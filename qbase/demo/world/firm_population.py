"""Firms of 云泽省: who exists, from when, how large and how good."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.demo.world.geography import Bools, Floats, Geography, Ints
from qbase.demo.world.scenario import (
    ENTRY_HAZARD,
    FIRM_SD,
    MERGE_HAZARD,
    N_QUARTERS,
    N_YEARS,
    SIZE_LOGIT,
    SIZE_SHARE,
    Dimensions,
    Scenario,
    Streams,
)

NEVER = 10_000
RISK_CUTS = (-1.2, -0.2, 0.6)
RISK_NOISE = 1.35


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Firms:
    """All firms ever founded, one position each; shape (F,) unless said otherwise.

    Parameters
    ----------
    cluster : numpy.ndarray
        Position of the cluster; firms are sorted by it.
    entry : numpy.ndarray
        Quarter of entry; 0 for those already there.
    predecessor : numpy.ndarray
        For a firm born of a merger: position of the firm it continues; else -1.
    size : numpy.ndarray
        0 small, 1 medium, 2 large.
    product : numpy.ndarray
        0 or 1: which of the industry's two products it makes.
    beta, quality : numpy.ndarray
        Logit of size and of the firm itself.
    is_enrolled : numpy.ndarray
        Whether it would take part in the programme.
    risk : numpy.ndarray, shape (F, 10)
        Risk class by year, 0 = A (safest) to 3 = D: a noisy reading of the firm's record.
    """

    cluster: Ints
    entry: Ints
    predecessor: Ints
    size: Ints
    product: Ints
    beta: Floats
    quality: Floats
    is_enrolled: Bools
    risk: Ints

    def __len__(self) -> int:
        return len(self.cluster)


def build_firms(geo: Geography, dims: Dimensions, scenario: Scenario, streams: Streams) -> Firms:
    """Found the firms: those of 2016, entrants of every quarter, successors of mergers.

    Parameters
    ----------
    geo : Geography
        Clusters.
    dims : Dimensions
        Mean number of firms per cluster.
    scenario : Scenario
        ``has_churn`` and ``take_up_share`` matter here.
    streams : Streams
        Random streams.

    Returns
    -------
    Firms
        Sorted by cluster, then entry.
    """
    rng = streams.rng("firms")
    n_start = rng.integers(int(dims.n_start_firms * 0.75), int(dims.n_start_firms * 1.25) + 1, geo.n_clusters)
    cluster = np.repeat(np.arange(geo.n_clusters), n_start)
    entry = np.zeros(len(cluster), dtype=np.int64)
    merges = np.full(len(cluster), NEVER)
    if scenario.has_churn:
        cluster, entry = _add_entrants(cluster, entry, n_start, streams)
        merges = entry + streams.rng("mergers").geometric(MERGE_HAZARD, len(cluster))
    n = len(cluster)
    size = np.digitize(rng.random(n), np.cumsum(SIZE_SHARE)[:2]).astype(np.int64)
    product = (rng.random(n) < 0.45).astype(np.int64)
    quality = np.round(rng.normal(0, FIRM_SD, n), 6)
    is_enrolled = rng.random(n) < scenario.take_up_share
    score_noise = rng.normal(0, 1, n)
    old = np.flatnonzero(merges < N_QUARTERS)
    origin = np.concatenate([np.arange(n), old])
    entry = np.concatenate([entry, merges[old]])
    predecessor = np.concatenate([np.full(n, -1), old])
    order = np.lexsort((np.arange(len(origin)), entry, cluster[origin]))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    origin, entry, predecessor = origin[order], entry[order], predecessor[order]
    beta = np.asarray(SIZE_LOGIT)[size]
    return Firms(
        cluster=cluster[origin],
        entry=entry,
        predecessor=np.where(predecessor >= 0, place[predecessor], -1),
        size=size[origin],
        product=product[origin],
        beta=beta[origin],
        quality=quality[origin],
        is_enrolled=is_enrolled[origin],
        risk=_risk_classes(quality + beta, score_noise, streams)[origin],
    )


def _add_entrants(cluster: Ints, entry: Ints, n_start: Ints, streams: Streams) -> tuple[Ints, Ints]:
    rng = streams.rng("entry")
    born = rng.poisson(ENTRY_HAZARD * n_start[:, None], (len(n_start), N_QUARTERS))
    born[:, 0] = 0
    places = np.argwhere(born > 0)
    times = born[places[:, 0], places[:, 1]]
    return (
        np.concatenate([cluster, np.repeat(places[:, 0], times)]),
        np.concatenate([entry, np.repeat(places[:, 1], times)]),
    )


def _risk_classes(strength: Floats, fixed: Floats, streams: Streams) -> Ints:
    """Read the record of each firm once a year: the lasting part of the noise is seven tenths."""
    rng = streams.rng("risk")
    yearly = rng.normal(0, 1, (len(strength), N_YEARS))
    noise = RISK_NOISE * (np.sqrt(0.7) * fixed[:, None] + np.sqrt(0.3) * yearly)
    score = np.round(noise - strength[:, None], 6)
    classes: Ints = np.digitize(score, RISK_CUTS)
    return classes
