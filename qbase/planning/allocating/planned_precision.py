"""What an allocation promises: effective batches, and the chance that an entity's interval is as short as asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from qbase.core.errors import DataError
from qbase.planning.allocating.convex_spending import Spending, best_firms, cheapest_firms
from qbase.planning.allocating.sampling_strata import Strata
from qbase.planning.precision.assured_draws import (
    NODES,
    Arm,
    Rates,
    design_effect,
    fewest_batches,
    kept_rates,
    nearest_target,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Aim = Literal["entities", "province"]

ROUNDS = 8
MORE = 1.05
"""An entity whose promise falls short of the assurance is asked for a twentieth more effective batches, and so on."""

DRAWS, MOST_VALUES = 4000, 6_000_000
"""Draws of next year that tell the chance of keeping a target (error at most .008), fewer of many strata."""


NAMED = 20
"""Entities that fall shortest of a target, of which the nearest that can be reached is worked out."""

POINTS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Targets, in points beside the one asked for, at which the price is told."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a plan: the options of `plan_draws`, checked."""

    within: Mapping[str, float]
    budget: float | None
    aim: Aim
    arm: Arm
    assurance: float
    level: float
    per_firm: int
    cost: float
    least: int
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """Strata as arrays: whose they are, their share of the firms of their entity, and of all firms."""

    entity: Ints
    names: tuple[str, ...]
    share: Floats
    share_of_all: Floats
    rates: Floats
    expected: tuple[Rates, ...]

    @classmethod
    def of(cls, strata: Strata) -> Parts:
        """Return the arrays of some strata."""
        codes, names = pd.factorize(strata.data["entity"], sort=True)
        n = strata.data["n_firms"].to_numpy(dtype=float)
        share = n / np.bincount(codes, n)[codes]
        return cls(
            entity=codes.astype(np.int64), names=tuple(map(str, names)), share=share, share_of_all=n / n.sum(),
            rates=strata.rates, expected=_entity_rates(strata, codes, share),
        )  # fmt: skip

    def sums(self, values: Floats) -> Floats:
        """Return sums over the strata of every entity."""
        return np.asarray(np.bincount(self.entity, values, len(self.names)), dtype=float)


def _entity_rates(strata: Strata, entity: Ints, share: Floats) -> tuple[Rates, ...]:
    """Return what is not known of each entity's rate: evenly spaced draws from the posterior of its strata."""
    rng = np.random.default_rng(1)
    a, b = (strata.data[c].to_numpy(dtype=float) for c in ("alpha", "beta"))
    drawn = np.stack([np.bincount(entity, share * rng.beta(a, b)) for _ in range(400)])
    ordered = np.sort(drawn, axis=0)[np.linspace(10, 389, NODES).round().astype(int)]
    return tuple(Rates(values=values, weights=np.full(NODES, 1 / NODES)) for values in ordered.T)


def build_spending(strata: Strata, parts: Parts, asked: Asked, n_eff: Mapping[str, float]) -> Spending:
    """Return the convex problem: each entity's printed n_eff as a demand, the variance as the loss."""
    effect = design_effect(asked.per_firm, strata.likeness) / asked.per_firm
    wanted = [e for e in parts.names if e in n_eff]
    row = pd.Index(wanted).get_indexer(pd.Index(parts.names))[parts.entity]
    used = np.flatnonzero(row >= 0)
    demands = csr_matrix((parts.share[used] ** 2 * effect, (row[used], used)), shape=(len(wanted), len(row)))
    share = parts.share if asked.aim == "entities" else parts.share_of_all
    most = strata.data["n_firms"].to_numpy(dtype=np.int64)
    return Spending(
        cost=np.full(len(most), asked.cost), least=np.minimum(asked.least, most), most=most,
        loss=share**2 * parts.rates * (1 - parts.rates) * effect, demands=demands,
        limits=1 / np.array([n_eff[e] for e in wanted]) if wanted else np.zeros(0),
    )  # fmt: skip


def choose_firms(strata: Strata, parts: Parts, asked: Asked) -> Ints:
    """Return firms with which every entity keeps its target with the assured chance.

    Raises
    ------
    DataError
        Not even all firms keep a target (QB623), or the budget does not suffice (QB624).
    """
    n_eff = {e: float(n) for e, n in needed_batches(parts, asked, asked.within).items()}
    for _ in range(ROUNDS):
        spending = build_spending(strata, parts, asked, n_eff)
        _refuse_unmet(strata, parts, asked, spending, sorted(n_eff))
        firms = cheapest_firms(spending)
        chance = dict(zip(parts.names, promised_chances(strata, parts, asked, firms), strict=True))
        short = {e for e in n_eff if chance[e] < asked.assurance and not _all_drawn(strata, parts, firms, e)}
        if not short:
            break
        n_eff |= {e: n_eff[e] * MORE for e in short}
    if asked.budget is None:
        return firms
    found = best_firms(spending, asked.budget)
    if found is None:
        least = float(firms @ spending.cost)
        targets = f" and the targets of {len(n_eff)} entities" if n_eff else ""
        other = "a wider within_pp" if n_eff else "a smaller least_firms" if asked.least > 1 else "fewer strata"
        raise DataError(
            "QB624", found=f"budget {asked.budget:,.0f}",
            expected=f"{np.ceil(least):,.0f} or more for {asked.least} firms of each stratum{targets}",
            fix=f"budget={np.ceil(least):.0f}, or {other}",
        )  # fmt: skip
    return found


def needed_batches(parts: Parts, asked: Asked, within: Mapping[str, float]) -> dict[str, int]:
    """Return the effective batches with which an entity's arms keep their target, rates as uncertain as they are."""
    if not within:
        return {}
    at = [parts.names.index(e) for e in within]
    rates = Rates(values=np.array([parts.expected[i].values for i in at]), weights=parts.expected[0].weights)
    targets = np.array(list(within.values())) / 100
    how = {"assurance": asked.assurance, "arm": asked.arm, "level": asked.level}
    found = fewest_batches(rates, targets, **how, method="jeffreys")  # type: ignore[arg-type]
    return dict(zip(within, found.tolist(), strict=True))


def promised_chances(strata: Strata, parts: Parts, asked: Asked, firms: Ints) -> Floats:
    """Return the chance that each entity's arms keep its target, from draws of next year; 1 where nothing is asked."""
    target = np.array([asked.within.get(e, 1e3) for e in parts.names]) / 100
    n_eff = effective_batches(strata, parts, asked, firms)
    low, high = kept_rates(n_eff, target, arm=asked.arm, level=asked.level, method="jeffreys")
    rng = np.random.default_rng(asked.seed)
    a, b = (strata.data[c].to_numpy(dtype=float) for c in ("alpha", "beta"))
    size, spread = firms * asked.per_firm, _likeness_of_strata(firms, asked.per_firm, strata.likeness)
    kept, draws = np.zeros(len(parts.names)), min(DRAWS, max(300, MOST_VALUES // len(a)))
    for _ in range(draws):
        rate = _drawn_rates(rng, rng.beta(a, b), size, spread)
        shown = parts.sums(parts.share * rate)
        kept += (shown <= low) | (shown >= high)
    return kept / draws


def _likeness_of_strata(firms: Ints, per_firm: int, likeness: float) -> Floats:
    """Return the correlation of all batches of a stratum that gives its rate the variance its firms give it."""
    size = firms * per_firm
    return np.where(size > 1, (per_firm - 1) * likeness / np.maximum(size - 1, 1), 0.0)


def _drawn_rates(rng: np.random.Generator, rate: Floats, size: Ints, spread: Floats) -> Floats:
    """Return pass rates of strata as drawn: binomial around a rate that the firms drawn move."""
    moved = rate
    if (spread > 0).any():
        total = (1 - spread) / np.maximum(spread, 1e-12)
        a, b = (np.maximum(share * total, 1e-9) for share in (rate, 1 - rate))
        moved = np.where(spread > 0, rng.beta(a, b), rate)
    return np.asarray(rng.binomial(size, np.clip(moved, 0, 1)) / size, dtype=float)


def effective_batches(strata: Strata, parts: Parts, asked: Asked, firms: Ints) -> Floats:
    """Return each entity's effective batches as letters print them: ``1 / Σ W² (1 + (b − 1)ρ) / (b m)``."""
    effect = design_effect(asked.per_firm, strata.likeness) / asked.per_firm
    return np.asarray(1 / parts.sums(parts.share**2 * effect / firms), dtype=float)


def _all_drawn(strata: Strata, parts: Parts, firms: Ints, entity: str) -> bool:
    own = parts.entity == parts.names.index(entity)
    return bool((firms[own] == strata.data["n_firms"].to_numpy()[own]).all())


def _refuse_unmet(strata: Strata, parts: Parts, asked: Asked, spending: Spending, wanted: list[str]) -> None:
    if not len(unmet := spending.unmet()):
        return
    reachable = 1 / (spending.demands @ (1 / spending.most))
    # which of many fall shortest is told by what is missing; only of these few the nearest is worked out
    shortest = unmet[np.argsort(reachable[unmet] * spending.limits[unmet], kind="stable")[:NAMED]]
    nearest = {wanted[i]: _nearest_points(parts, asked, wanted[i], int(reachable[i])) for i in shortest}
    first = int(shortest[0])
    entity, points = wanted[first], nearest[wanted[first]]
    raise DataError(
        "QB623", entity=entity, found=f"{strata.firms_of(entity)} firms, worth {reachable[first]:.0f} batches when all "
        f"are drawn {asked.per_firm} times ({len(unmet)} entities fall short)",
        expected=f"{1 / spending.limits[first]:.0f} for ±{asked.within[entity]:g} points",
        fix=f"within_pp={points:.1f} for {entity}, the nearest, within_pp={max(nearest.values()):.1f} for all, or "
        f"batches_per_firm={asked.per_firm + 1}",
    )  # fmt: skip


def _nearest_points(parts: Parts, asked: Asked, entity: str, batches: int) -> float:
    """Return the shortest arms in tenths of a point that so many effective batches keep."""
    rates = parts.expected[parts.names.index(entity)]
    how = {"assurance": asked.assurance, "arm": asked.arm, "level": asked.level}
    return 100 * nearest_target(rates, batches, 1, **how, method="jeffreys")  # type: ignore[arg-type]


def build_precision(strata: Strata, parts: Parts, asked: Asked, firms: Ints) -> pd.DataFrame:
    """Return what a plan promises, a row an entity."""
    is_asked = np.array([e in asked.within for e in parts.names])
    chance = promised_chances(strata, parts, asked, firms)
    return pd.DataFrame(
        {
            "entity": parts.names,
            "name_zh": [strata.label(e).zh for e in parts.names],
            "name_en": [strata.label(e).en for e in parts.names],
            "n_firms": parts.sums(strata.data["n_firms"].to_numpy(dtype=float)).astype(int),
            "drawn": parts.sums(firms.astype(float)).astype(int),
            "batches": parts.sums(firms.astype(float) * asked.per_firm).astype(int),
            "n_eff": effective_batches(strata, parts, asked, firms).round(1),
            "rate_pct": (100 * parts.sums(parts.share * parts.rates)).round(1),
            "within_pp": [asked.within.get(e, np.nan) for e in parts.names],
            "chance": np.where(is_asked, chance, np.nan),
        }
    )


def build_prices(strata: Strata, parts: Parts, asked: Asked, planned: Ints) -> pd.DataFrame:
    """Return what other targets would cost, each entity as many points wider or narrower, beside the plan itself."""
    rows = []
    for points in POINTS:
        wanted = {e: w + points for e, w in asked.within.items() if w + points >= 1}
        if not wanted:
            continue
        needed = {e: float(n) for e, n in needed_batches(parts, asked, wanted).items()}
        full = build_spending(strata, parts, asked, needed)
        names = sorted(needed)
        beyond = {names[i] for i in full.unmet()}
        some = {e: n for e, n in needed.items() if e not in beyond}
        is_planned = not points and asked.budget is None
        firms = planned if is_planned else cheapest_firms(build_spending(strata, parts, asked, some))
        n = int(firms.sum())
        rows.append((points, len(some), len(wanted), n, n * asked.per_firm, n * asked.cost))
    return pd.DataFrame(rows, columns=["points", "reachable", "entities", "firms", "batches", "cost"])
