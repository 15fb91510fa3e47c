"""Who adopts the policy, when, how strongly, and what spills over."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.demo.world.firm_population import NEVER, Firms
from qbase.demo.world.geography import Bools, Floats, Geography, Ints
from qbase.demo.world.scenario import (
    ALLIANCE_DELAY,
    COHORT_LOGIT,
    DOSE_SLOPES,
    LARGE_FACTOR,
    LATE_COHORT,
    N_QUARTERS,
    PLACEBO_QUARTER,
    RAMP_QUARTERS,
    SEED_COHORT,
    SME_FACTOR,
    Dimensions,
    Scenario,
    Streams,
)

N_INSTRUMENTS = 7
SELECTION_NOISE = 0.45


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The policy of one province; C clusters, T quarters.

    Parameters
    ----------
    cohort : numpy.ndarray, shape (C,)
        Quarter of adoption, or ``NEVER``.
    placebo : numpy.ndarray, shape (C,)
        Quarter of the document without content, or ``NEVER``.
    doses : numpy.ndarray, shape (C, T, 7)
        Instruments W1 to W7; 1 is the usual strength, 0 before adoption.
    strength : numpy.ndarray, shape (C, T)
        Effect on an enrolled small firm before the size factor, logit.
    spill : numpy.ndarray, shape (C, T)
        What other clusters' adoption does here, logit.
    drift : numpy.ndarray, shape (C, T)
        Selection and differential pre-trend, logit; no effect of the policy.
    """

    cohort: Ints
    placebo: Ints
    doses: Floats
    strength: Floats
    spill: Floats
    drift: Floats

    @property
    def is_treated(self) -> Bools:
        """Shape (C, T): adopted by this quarter."""
        return np.arange(N_QUARTERS)[None, :] >= self.cohort[:, None]


def build_plan(geo: Geography, dims: Dimensions, scenario: Scenario, streams: Streams) -> Plan:
    """Choose who adopts and compute the effects in logit points.

    Selection is on the level of quality ("有优势、有潜力") and on passing good fortune, so that
    regression to the mean is in the data.

    Parameters
    ----------
    geo : Geography
        Clusters.
    dims : Dimensions
        Size of the cohorts.
    scenario : Scenario
        Shape of the effect, spillovers, pre-trend.
    streams : Streams
        Random streams.

    Returns
    -------
    Plan
        Adoption, doses and effects.
    """
    cohort, placebo = _choose(geo, dims, scenario, streams)
    event = np.arange(N_QUARTERS)[None, :] - cohort[:, None]
    doses = _doses(event, streams)
    ever = cohort[:, None] < NEVER
    drift = np.where(ever & (event >= -4) & (event <= -2), scenario.selection_logit, 0.0)
    drift = drift + np.where(ever, scenario.pretrend_logit * (np.arange(N_QUARTERS) - N_QUARTERS / 2), 0.0)
    return Plan(
        cohort=cohort,
        placebo=placebo,
        doses=doses,
        strength=_strength(cohort, event, doses, scenario),
        spill=_spill(geo, event >= 0, scenario),
        drift=np.round(drift, 6),
    )


def _choose(geo: Geography, dims: Dimensions, scenario: Scenario, streams: Streams) -> tuple[Ints, Ints]:
    rng = streams.rng("selection")
    score = geo.alpha + rng.normal(0, SELECTION_NOISE, geo.n_clusters)
    ranked = 3 + np.argsort(-score[3:], kind="stable")
    slots = np.concatenate([np.full(n, q) for q, n in dims.cohorts])
    slots = np.delete(slots, np.flatnonzero(slots == SEED_COHORT)[0])
    cohort = np.full(geo.n_clusters, NEVER, dtype=np.int64)
    cohort[0] = SEED_COHORT
    cohort[ranked[: len(slots)]] = rng.permutation(slots)
    placebo = np.full(geo.n_clusters, NEVER, dtype=np.int64)
    idle = np.flatnonzero(cohort == NEVER)[2:]
    placebo[rng.choice(idle, dims.n_placebo, replace=False)] = PLACEBO_QUARTER
    if scenario.n_treated is not None:
        cohort[ranked[max(0, scenario.n_treated - 1) :]] = NEVER
    if scenario.is_all_treated:
        cohort[cohort == NEVER] = LATE_COHORT
    return cohort, placebo


def _doses(event: Ints, streams: Streams) -> Floats:
    """Return doses rising over six quarters to a strength of the cluster's own."""
    rng = streams.rng("doses")
    level = rng.uniform(0.6, 1.4, (len(event), 1, N_INSTRUMENTS))
    wobble = rng.uniform(-0.1, 0.1, (*event.shape, N_INSTRUMENTS))
    ramp = np.clip((event + 1) / RAMP_QUARTERS, 0, 1)[:, :, None]
    return np.round(np.clip(ramp * (level + wobble), 0, None), 2)


def _strength(cohort: Ints, event: Ints, doses: Floats, scenario: Scenario) -> Floats:
    treated = event >= 0
    if scenario.effect == "none":
        return np.zeros(event.shape)
    if scenario.effect == "homogeneous":
        return np.where(treated, scenario.effect_logit, 0.0)
    full = np.array([COHORT_LOGIT.get(int(g), 0.0) for g in cohort])[:, None]
    ramp = np.clip((event + 1) / RAMP_QUARTERS, 0, 1)
    relative = np.divide(doses, ramp[:, :, None], out=np.ones_like(doses), where=ramp[:, :, None] > 0)
    boost = 1 + sum(slope * (relative[:, :, w - 1] - 1) for w, slope in DOSE_SLOPES.items())
    early = np.where(event == -1, scenario.anticipation_logit, 0.0)
    return np.round(np.where(treated, full * ramp * boost, early), 6)


def _spill(geo: Geography, treated: Bools, scenario: Scenario) -> Floats:
    """Return what reaches a cluster: learning within its industry, bad firms from the town beside."""
    twin = (geo.industry_of[:, None] == geo.industry_of[None, :]) & ~np.eye(geo.n_clusters, dtype=bool)
    share = (twin @ treated.astype(float)) / np.maximum(twin.sum(1), 1)[:, None]
    beside = (geo.is_neighbour @ treated.astype(float)) > 0
    pushed = np.where(beside & ~treated, scenario.displacement_logit, 0.0)
    spill: Floats = np.round(scenario.spillover_logit * share + pushed, 6)
    return spill


def size_factor(firms: Firms, scenario: Scenario) -> Floats:
    """Return the factor on the effect: small and medium 1.2, large 0.5; 1 when homogeneous."""
    if scenario.effect == "homogeneous":
        return np.ones(len(firms))
    return np.where(firms.size < 2, SME_FACTOR, LARGE_FACTOR)


def alliance_start(plan: Plan) -> Ints:
    """Return the quarter from which a treated cluster's own tighter standard holds."""
    return np.where(plan.cohort < NEVER, plan.cohort + ALLIANCE_DELAY, NEVER)
