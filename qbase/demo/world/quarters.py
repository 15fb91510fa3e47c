"""Forty quarters of 云泽省: firms live, inspectors draw, batches pass or fail."""

from __future__ import annotations

import dataclasses

import numpy as np

from qbase.demo.world.adoption import Plan, build_plan
from qbase.demo.world.draws import draw, expit, family_draw, inclusion
from qbase.demo.world.firm_population import NEVER, Firms, build_firms
from qbase.demo.world.geography import LAB_SHARES, Bools, Floats, Geography, Ints, build_geography
from qbase.demo.world.outcome_model import Chances, base_logit, chances_of, is_changed, item_growth, lowest_labs
from qbase.demo.world.scenario import (
    ACCEPTANCE_DELAY,
    COMPLAINT_SHARE,
    EXIT_HAZARD,
    LOST_COUNTY,
    LOST_QUARTER,
    LOW_PASS,
    MOVE_HAZARD,
    N_QUARTERS,
    NO_SAMPLE_SHARE,
    RANDOM_SHARE,
    RANDOM_SHARE_AFTER,
    RISK_SLOPE,
    SPECIAL_SHARE,
    Dimensions,
    Scenario,
    Streams,
)

TYPES = ("random", "risk", "complaint", "special", "followup")
CLASS_FRACTIONS = (0.5, 1.0, 1.5, 2.0)
FOLLOWUPS_PER_CELL = 3
GAMING_SLOPE = 0.8


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """Everything that happened, latent values included; F firms, T quarters, N first inspections.

    Parameters
    ----------
    dims, geo, firms, plan, scenario, streams
        What it was made from.
    is_alive : numpy.ndarray, shape (F, T)
        In business at the start of the quarter.
    exit, exit_reason : numpy.ndarray, shape (F,)
        First quarter without the firm (``NEVER``); 0 none, 1 closed, 2 merged, 3 moved.
    p_none, p0, p1 : numpy.ndarray, shape (F, T)
        Probability of a pass without any policy; without the cluster's own; as it is.
    pi : numpy.ndarray, shape (F, T, 5)
        Inclusion probabilities by sample type, millionths.
    risk : numpy.ndarray, shape (F, T)
        Risk class in force.
    firm, quarter, kind, lab, chance, passed : numpy.ndarray, shape (N,)
        First inspections in order of quarter, type, firm.
    is_lost : numpy.ndarray, shape (N,)
        In the county file that was lost.
    """

    dims: Dimensions
    geo: Geography
    firms: Firms
    plan: Plan
    scenario: Scenario
    streams: Streams
    is_alive: Bools
    exit: Ints
    exit_reason: Ints
    p_none: Floats
    p0: Floats
    p1: Floats
    pi: Ints
    risk: Ints
    firm: Ints
    quarter: Ints
    kind: Ints
    lab: Ints
    chance: Floats
    passed: Bools
    is_lost: Bools


def build_world(dims: Dimensions, scenario: Scenario, streams: Streams, *, keeps_hazard: bool = True) -> World:
    """Build one province and let it run from 2016Q1 to 2025Q4.

    Parameters
    ----------
    dims : Dimensions
        Size.
    scenario : Scenario
        Switches.
    streams : Streams
        Random streams.
    keeps_hazard : bool
        False for the province without policy, where adoption drives no weak firm out.

    Returns
    -------
    World
        The whole history.
    """
    geo = build_geography(dims, streams)
    firms = build_firms(geo, dims, scenario, streams)
    plan = build_plan(geo, dims, scenario, streams)
    state = _State(geo, firms, plan, scenario, streams, dims)
    state.drives_out = keeps_hazard
    for t in range(N_QUARTERS):
        state.live(t)
    drawn = {name: np.concatenate(parts) for name, parts in state.drawn.items()}
    lost = (geo.county_of[firms.cluster[drawn["firm"]]] == LOST_COUNTY % dims.n_counties) & (
        drawn["quarter"] == LOST_QUARTER
    )
    return World(
        dims=dims, geo=geo, firms=firms, plan=plan, scenario=scenario, streams=streams, is_alive=state.is_alive,
        exit=state.exit, exit_reason=state.exit_reason, p_none=state.p_none, p0=state.p0, p1=state.p1,
        pi=state.pi, risk=state.risk, is_lost=lost, **drawn,
    )  # fmt: skip


class _State:
    """The province while it runs; one call of `live` per quarter."""

    def __init__(
        self, geo: Geography, firms: Firms, plan: Plan, scenario: Scenario, streams: Streams, dims: Dimensions
    ) -> None:
        shape = (len(firms), N_QUARTERS)
        self.geo, self.firms, self.plan, self.scenario, self.streams = geo, firms, plan, scenario, streams
        self.is_alive = np.zeros(shape, dtype=bool)
        self.exit = np.full(len(firms), NEVER, dtype=np.int64)
        self.exit_reason = np.zeros(len(firms), dtype=np.int64)
        self.p_none, self.p0, self.p1 = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.pi = np.zeros((*shape, len(TYPES)), dtype=np.int32)
        self.risk = np.zeros(shape, dtype=np.int8)
        self.last_fail = np.full(len(firms), -NEVER, dtype=np.int64)
        self.trend = base_logit(geo, plan, scenario, streams)
        self.lab_logit = geo.lab_logit[geo.labs][firms.cluster]
        self.batches = _batches(geo, dims, streams)
        self.drives_out = True
        self.drawn: dict[str, list[Ints]] = {
            name: [] for name in ("firm", "quarter", "kind", "lab", "chance", "passed")
        }
        self.year_passes = np.zeros(len(firms), dtype=np.int64)
        self.year_fails = np.zeros(len(firms), dtype=np.int64)

    def live(self, t: int) -> None:
        """Run one quarter: mergers, risk classes, probabilities, draws, results, exits."""
        self._succeed(t)
        alive = (self.firms.entry <= t) & (self.exit > t) & self._is_born(t)
        self.is_alive[:, t] = alive
        self.risk[:, t] = self._risk(t)
        chances = chances_of(self.geo, self.firms, self.plan, self.scenario, self.trend[:, t], self.last_fail, t)
        for target, eta in ((self.p_none, chances.eta_none), (self.p0, chances.eta0), (self.p1, chances.eta1)):
            mean = (expit(eta[:, None] + self.lab_logit) * np.asarray(LAB_SHARES)).sum(1)
            target[:, t] = np.where(alive, np.round(item_growth(mean, t, self.scenario), 6), np.nan)
        self._inspect(t, alive, chances)
        if self.scenario.has_churn:
            self._leave(t, alive)

    def _is_born(self, t: int) -> Bools:
        """Tell which firms may exist: a successor only if its predecessor lived until the merger."""
        heir = self.firms.predecessor
        born: Bools = (heir < 0) | (self.exit_reason[np.maximum(heir, 0)] == 2)
        return born

    def _succeed(self, t: int) -> None:
        heirs = np.flatnonzero((self.firms.predecessor >= 0) & (self.firms.entry == t))
        old = self.firms.predecessor[heirs]
        ready = (self.exit[old] > t) & (self.firms.entry[old] < t)
        self.exit[old[ready]] = t
        self.exit_reason[old[ready]] = 2
        self.last_fail[heirs[ready]] = self.last_fail[old[ready]]

    def _risk(self, t: int) -> Ints:
        if not self.scenario.has_endogenous_risk or t == 0:
            return self.firms.risk[:, t // 4]
        if t % 4:
            return self.risk[:, t - 1].astype(np.int64)
        step = np.where(self.year_fails > 0, 1, np.where(self.year_passes > 0, -1, 0))
        self.year_fails[:], self.year_passes[:] = 0, 0
        return np.clip(self.risk[:, t - 1] + step, 0, 3)

    def _inspect(self, t: int, alive: Bools, chances: Chances) -> None:
        rng = self.streams.rng("draws", t)
        for kind, (weights, sizes) in enumerate(self._schemes(t, alive, rng)):
            pi = inclusion(np.where(alive, weights, 0.0), self.firms.cluster, sizes)
            self.pi[:, t, kind] = pi
            key, start = rng.random(len(self.firms)), rng.integers(0, 1_000_000, self.geo.n_clusters)
            chosen = draw(pi, self.firms.cluster, key, start)
            self._judge(t, kind, chosen, chances)

    def _schemes(self, t: int, alive: Bools, rng: np.random.Generator) -> list[tuple[Floats, Ints]]:
        """Return weights and sizes of the five kinds of draws."""
        scenario, firms = self.scenario, self.firms
        share = np.full(self.geo.n_clusters, RANDOM_SHARE)
        if scenario.has_sampling_shift:
            share[self.plan.is_treated[:, t]] = RANDOM_SHARE_AFTER
        total = self.batches[:, t]
        n_random = rng.binomial(total, share)
        n_complaint = rng.binomial(total - n_random, COMPLAINT_SHARE / (1 - share))
        n_special = rng.binomial(total - n_random - n_complaint, SPECIAL_SHARE)
        n_risk = total - n_random - n_complaint - n_special
        equal = np.ones(len(firms))
        fractions = np.asarray(CLASS_FRACTIONS)[self.risk[:, t]] if scenario.has_class_fractions else equal
        if scenario.has_gaming:
            before = self._before_acceptance(t)[firms.cluster]
            easy = np.exp(GAMING_SLOPE * firms.quality) * np.where(is_changed(self.geo, firms), 0.5, 1.0)
            fractions = np.where(before, fractions * easy, fractions)
        seen = -(firms.quality + firms.beta) if scenario.has_hidden_risk else self.risk[:, t].astype(float)
        failed = (t - self.last_fail <= 4).astype(float)
        n_follow = np.full(self.geo.n_clusters, FOLLOWUPS_PER_CELL if scenario.has_followup_samples else 0)
        return [
            (fractions, n_random),
            (np.round(np.exp(RISK_SLOPE * seen), 6), n_risk),
            (np.round(1.001 - np.nan_to_num(self.p1[:, t], nan=1.0), 6), n_complaint),
            (equal, n_special),
            (failed, np.where(total > 0, n_follow, 0)),
        ]

    def _before_acceptance(self, t: int) -> Bools:
        return (t >= self.plan.cohort + ACCEPTANCE_DELAY - 3) & (t < self.plan.cohort + ACCEPTANCE_DELAY)

    def _judge(self, t: int, kind: int, chosen: Ints, chances: Chances) -> None:
        rng = self.streams.rng(f"results.{TYPES[kind]}", t)
        cluster = self.firms.cluster[chosen]
        slot = np.digitize(rng.random(len(chosen)), np.cumsum(LAB_SHARES)[:2])
        lab = self.geo.labs[cluster, slot]
        if self.scenario.has_gaming:
            lab = np.where(self._before_acceptance(t)[cluster], lowest_labs(self.geo)[cluster], lab)
        p = item_growth(expit(chances.eta1[chosen] + self.geo.lab_logit[lab]), t, self.scenario)
        family = cluster * 2 + self.firms.product[chosen]
        common = self.streams.rng("families", t).random(2 * self.geo.n_clusters)[family]
        passed = family_draw(p, common, self.scenario.rho, rng)
        self.last_fail[chosen[~passed]] = t
        np.add.at(self.year_fails, chosen[~passed], 1)
        np.add.at(self.year_passes, chosen[passed], 1)
        n = len(chosen)
        values = (chosen, np.full(n, t), np.full(n, kind), lab, p, passed)
        for name, value in zip(self.drawn, values, strict=True):
            self.drawn[name].append(value)

    def _leave(self, t: int, alive: Bools) -> None:
        """Close or move firms: weak ones more often, and more often under the policy."""
        rng = self.streams.rng("exit", t)
        weak = np.nan_to_num(self.p1[:, t], nan=1.0) < LOW_PASS
        treated = self.plan.is_treated[self.firms.cluster, t] & self.drives_out
        hazard = EXIT_HAZARD * np.where(weak, 2, 1) * np.where(treated, 1.5, 1)
        moving = MOVE_HAZARD * np.where(weak & treated, 2, 1)
        number = rng.random(len(self.firms))
        gone = alive & (self.exit > t + 1) & (number < hazard + moving)
        self.exit[gone] = t + 1
        self.exit_reason[gone] = np.where(number[gone] < hazard[gone], 1, 3)


def _batches(geo: Geography, dims: Dimensions, streams: Streams) -> Ints:
    """Return batches per cluster and quarter: 4 + Poisson, and none in one cell of twelve."""
    rng = streams.rng("batches")
    shape = (geo.n_clusters, N_QUARTERS)
    number = 4 + rng.poisson(dims.mean_extra * geo.volume[:, None], shape)
    return np.where(rng.random(shape) < NO_SAMPLE_SHARE, 0, number)
