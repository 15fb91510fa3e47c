"""The outcome model: log odds of a pass, with and without the policy."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.demo.world.adoption import Plan, alliance_start, size_factor
from qbase.demo.world.firm_population import Firms
from qbase.demo.world.geography import Bools, Floats, Geography, Ints, read_industries
from qbase.demo.world.scenario import (
    ALLIANCE_LOGIT,
    KAPPA,
    N_QUARTERS,
    SEASON_LOGIT,
    STANDARD_LOGIT,
    STANDARD_QUARTER,
    TREND_MEAN,
    TREND_SD,
    Scenario,
    Streams,
)

WEAK_PRODUCT_LOGIT = -0.4
ITEMS_AT_START, ITEMS_PER_YEAR = 4, 0.4


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Chances:
    """Log odds of a pass of each firm in one quarter, laboratory apart; shape (F,)."""

    eta_none: Floats
    eta0: Floats
    eta1: Floats


def base_logit(geo: Geography, plan: Plan, scenario: Scenario, streams: Streams) -> Floats:
    """Return level, common trend, season and drift by cluster and quarter, shape (C, T)."""
    t = np.arange(N_QUARTERS)
    trend = np.cumsum(streams.rng("trend").normal(TREND_MEAN, TREND_SD, N_QUARTERS))
    season = SEASON_LOGIT * np.sin(2 * np.pi * t / 4)
    return np.round(geo.alpha[:, None] + (trend + season)[None, :] + plan.drift, 6)


def is_changed(geo: Geography, firms: Firms) -> Bools:
    """Return which firms make a product whose standard was tightened in 2021Q1, shape (F,)."""
    changed = np.array([bool(i["is_changed"]) for i in read_industries()])
    made: Bools = changed[geo.industry_of[firms.cluster]] & (firms.product == 0)
    return made


def chances_of(
    geo: Geography, firms: Firms, plan: Plan, scenario: Scenario, level: Floats, last_fail: Ints, t: int
) -> Chances:
    """Return the log odds of one quarter.

    Parameters
    ----------
    geo, firms, plan, scenario
        The province.
    level : numpy.ndarray, shape (C,)
        Column of `base_logit`.
    last_fail : numpy.ndarray, shape (F,)
        Quarter of the last failure.
    t : int
        Quarter.

    Returns
    -------
    Chances
        Without any policy, without the cluster's own, as it is.
    """
    cluster = firms.cluster
    eta = level[cluster] + firms.beta + firms.quality + KAPPA * (t - last_fail <= 4)
    if scenario.has_standard_change and t >= STANDARD_QUARTER:
        eta = eta + STANDARD_LOGIT * is_changed(geo, firms)
    if scenario.has_level_split:
        eta = eta + WEAK_PRODUCT_LOGIT * (firms.product == 1)
    eta0 = eta + plan.spill[cluster, t]
    tau = plan.strength[cluster, t] * size_factor(firms, scenario) * firms.is_enrolled
    if scenario.has_alliance_standard:
        tau = tau + ALLIANCE_LOGIT * (t >= alliance_start(plan)[cluster])
    return Chances(eta_none=eta, eta0=eta0, eta1=eta0 + tau)


def item_growth(p: Floats, t: int, scenario: Scenario) -> Floats:
    """Return the chance of passing all items when more items are tested every year."""
    if not scenario.has_item_growth:
        return p
    return np.round(p ** (1 + ITEMS_PER_YEAR * (t // 4) / ITEMS_AT_START), 6)


def lowest_labs(geo: Geography) -> Ints:
    """Return the most lenient of each cluster's laboratories, shape (C,)."""
    best = np.argmax(geo.lab_logit[geo.labs], axis=1)
    labs: Ints = geo.labs[np.arange(geo.n_clusters), best]
    return labs
