"""One draw of the province and what the usual estimators make of it: the unit of the truth tests and studies."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.demo.truth import cell_mean, drawn_rates, estimate
from qbase.demo.world.draws import MILLION
from qbase.demo.world.geography import Floats
from qbase.demo.world.quarters import TYPES, World, build_world
from qbase.demo.world.scenario import N_QUARTERS, N_YEARS, Scenario, Streams, read_dimensions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replication:
    """What one seed gave; percentages and percentage points.

    Parameters
    ----------
    level_pct : float
        Mean over cluster-quarters of the mean chance of the firms alive.
    naive_bias_pp, random_bias_pp, poststrat_bias_pp : float
        Observed rates minus true level in the same cells, weighted by batches: all first inspections pooled,
        random draws, and rates post-stratified by risk class and size within clusters and years.
    naive_bias_expected_pp : float
        The same for the naive rate without the noise of the draw.
    att_pp : float
        Effect on the treated, cluster-quarters alike.
    did_naive_pp, did_random_pp, did_weighted_pp : float
        Imputation estimate on all first inspections, on random draws, on random draws weighted by one over
        their fraction.
    pseudo_pp, pseudo_naive_pp : float
        What imputation yields without noise on the same cells: of firms, of all first inspections.
    """

    level_pct: float
    naive_bias_pp: float
    naive_bias_expected_pp: float
    random_bias_pp: float
    poststrat_bias_pp: float
    att_pp: float
    did_naive_pp: float
    did_random_pp: float
    did_weighted_pp: float
    pseudo_pp: float
    pseudo_naive_pp: float


def replicate(seed: int, scenario: Scenario, *, size: str = "province") -> Replication:
    """Draw the province once and estimate.

    Parameters
    ----------
    seed : int
        Of the province.
    scenario : Scenario
        Switches.
    size : str
        Size of the province.

    Returns
    -------
    Replication
        Truth and estimates side by side.
    """
    world = build_world(read_dimensions(size), scenario, Streams(seed=seed))
    cohort, treated = world.plan.cohort, world.plan.is_treated
    level = cell_mean(world, world.p1)
    followup = world.kind == TYPES.index("followup")
    naive, n = drawn_rates(world, ~followup)
    random, n_random = drawn_rates(world, world.kind == 0)
    expected = cell_mean(world, world.p1, world.pi[:, :, :4].astype(float).sum(2))
    gain = cell_mean(world, world.p1 - world.p0)
    return Replication(
        level_pct=100 * float(np.nanmean(level)),
        naive_bias_pp=_bias(naive, level, n),
        naive_bias_expected_pp=_bias(expected, level, n),
        random_bias_pp=_bias(random, level, n_random),
        poststrat_bias_pp=poststrat_bias(world),
        att_pp=100 * float(np.nanmean(gain[treated])),
        did_naive_pp=estimate("imputation", naive, cohort),
        did_random_pp=estimate("imputation", random, cohort),
        did_weighted_pp=estimate("imputation", weighted_rates(world), cohort),
        pseudo_pp=estimate("imputation", np.where(n_random > 0, level, np.nan), cohort),
        pseudo_naive_pp=estimate("imputation", np.where(n > 0, expected, np.nan), cohort),
    )


def _bias(rates: Floats, level: Floats, weights: Floats) -> float:
    used = weights > 0
    return 100 * float(np.average((rates - level)[used], weights=weights[used]))


def weighted_rates(world: World) -> Floats:
    """Return pass rates of random draws weighted by one over their inclusion probability, shape (C, T)."""
    used = world.kind == 0
    firm, t = world.firm[used], world.quarter[used]
    weight = MILLION / world.pi[firm, t, 0]
    cell = world.firms.cluster[firm] * N_QUARTERS + t
    shape = (world.geo.n_clusters, N_QUARTERS)
    total = np.bincount(cell, weight, minlength=shape[0] * shape[1])
    passed = np.bincount(cell, weight * world.passed[used], minlength=shape[0] * shape[1])
    rates: Floats = np.divide(passed, total, out=np.full(total.shape, np.nan), where=total > 0).reshape(shape)
    return rates


def poststrat_bias(world: World) -> float:
    """Return the bias of rates post-stratified by risk class and size within clusters and years, pp.

    Complaint and follow-up samples are left out: their draw depends on the outcome. A stratum without a sample
    takes the rate of its risk class in the cluster.
    """
    used = np.isin(world.kind, (0, 1, 3))
    strata = (world.geo.n_clusters, N_YEARS, 4, 3)
    size = world.firms.size
    counts, level, n, k = (np.zeros(strata) for _ in range(4))
    f, t = np.nonzero(world.is_alive)
    place = (world.firms.cluster[f], t // 4, world.risk[f, t], size[f])
    np.add.at(counts, place, 1)
    np.add.at(level, place, world.p1[f, t])
    f, t = world.firm[used], world.quarter[used]
    place = (world.firms.cluster[f], t // 4, world.risk[f, t], size[f])
    np.add.at(n, place, 1)
    np.add.at(k, place, world.passed[used])
    pooled = k.sum((1, 3)) / np.maximum(n.sum((1, 3)), 1)
    rate = np.where(n > 0, k / np.maximum(n, 1), pooled[:, None, :, None])
    total = counts.sum((2, 3))
    gap = ((rate * counts).sum((2, 3)) - level.sum((2, 3))) / total
    return 100 * float(np.average(gap, weights=n.sum((2, 3))))
