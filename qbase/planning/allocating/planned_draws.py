"""Next year's random draws: how many firms of each stratum, what that promises, and what one more point costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from qbase.core.errors import DataError, UsageError
from qbase.core.given import check_word, read_number, read_whole
from qbase.core.numbers import count, number, percent
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate
from qbase.indicators import find_indicator
from qbase.planning.allocating.convex_spending import Spending, best_firms, cheapest_firms
from qbase.planning.allocating.sampling_strata import Strata
from qbase.planning.precision.assured_draws import (
    Arm,
    Rates,
    design_effect,
    fewest_firms,
    keeps_target,
    nearest_target,
)
from qbase.stats.rates.difference_intervals import check_level

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Aim = Literal["entities", "province"]

ROUNDS = 8
MORE = 1.05
"""An entity whose promise falls short of the assurance is asked for a twentieth more effective batches, and so on."""

DRAWS, MOST_VALUES = 4000, 6_000_000
"""Draws of next year that tell the chance of keeping a target (Monte Carlo error at most .008), fewer of many strata."""

POINTS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Targets, in points beside the one asked for, at which the price is told."""

MOST_PER_FIRM = 6
APART = Text(
    "这些随机抽取只用于测量，与发现问题的定向抽查分开；两者不得互相顶替。",
    "These random draws measure, and are kept apart from draws directed at finding problems; neither may stand in for "
    "the other.",
)


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

    @classmethod
    def of(cls, strata: Strata) -> Parts:
        """Return the arrays of some strata."""
        codes, names = pd.factorize(strata.data["entity"], sort=True)
        n = strata.data["n_firms"].to_numpy(dtype=float)
        return cls(
            entity=codes.astype(np.int64), names=tuple(map(str, names)), share=n / np.bincount(codes, n)[codes],
            share_of_all=n / n.sum(), rates=strata.rates,
        )  # fmt: skip

    def sums(self, values: Floats) -> Floats:
        """Return sums over the strata of every entity."""
        return np.bincount(self.entity, values, len(self.names))


def plan_draws(
    strata: Strata,
    *,
    within_pp: float | Mapping[str, float] | None = None,
    budget: float | None = None,
    aim: Aim = "entities",
    arm: Arm = "both",
    assurance: float = 0.8,
    level: float = 0.95,
    cost_per_firm: float = 1.0,
    cost_per_batch: float = 1.0,
    batches_per_firm: int | None = None,
    least_firms: int = 2,
    seed: int = 20260101,
) -> Result:
    """Return how many firms of each stratum to draw at random next year, and how precisely rates will then be known.

    Without a budget the cheapest draws that know every entity within its target; with one, what is left of it goes to
    where it lowers the variance most (Neyman: firms times the spread of their rate over the root of the cost). Targets
    are met with an assured chance, not on average: that chance is told from draws of next year, over what is not known
    of the rates.

    Parameters
    ----------
    strata : Strata
        Of `read_strata` or `build_strata`.
    within_pp : float, mapping of str to float, or None
        Longest arm of an entity's interval, in points: one for all, or one each for some. None asks for none.
    budget : float or None
        In the unit of the costs. Needed where nothing is asked of entities.
    aim : {"entities", "province"}
        Whose variance the rest of the budget lowers: the mean over entities, each the same, or that of all firms.
    arm, assurance, level
        See `qbase.planning.plan_batches`.
    cost_per_firm, cost_per_batch : float
        Of visiting a firm, and of each batch tested there.
    batches_per_firm : int or None
        None takes the cheapest number by the likeness of batches of one firm (two-stage optimum, at most 6).
    least_firms : int
        Firms to draw in every stratum that has them.
    seed : int
        Of the draws that tell the chance.

    Returns
    -------
    Result
        Estimand ``need`` in batches. Tables ``allocation`` (entity, stratum, n_firms, drawn, batches, probability),
        ``precision`` (a row an entity: drawn, batches, n_eff, rate, target, chance) and ``price`` (cost of other
        targets, and for how many entities they can be reached).

    Raises
    ------
    UsageError
        An option out of range or nothing asked (QB622), an entity that is none (QB622).
    DataError
        A target that not even all firms could keep (QB623, with the nearest); a budget below what the targets cost
        (QB624, with the least that would do).

    References
    ----------
    Cochran, W. G. (1977). Sampling Techniques, 3rd edition, sections 5.5 and 10.6. Bethel, J. (1989). Sample allocation
    in multivariate surveys. Survey Methodology 15, 47-57.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import plan_draws, read_strata
    >>> plan = plan_draws(read_strata(open_workspace()), within_pp=10)
    >>> plan.tables["precision"][["entity", "drawn", "batches", "chance"]].head(2).values.tolist()
    """
    asked = _asked(strata, within_pp, budget, aim, arm, assurance, level, batches_per_firm, least_firms, seed,
                   cost_per_firm, cost_per_batch)  # fmt: skip
    parts = Parts.of(strata)
    firms = _promised(strata, parts, asked)
    precision = _precision(strata, parts, asked, firms)
    price = _price(strata, parts, asked)
    return _result(strata, parts, asked, firms, precision, price)


def cheapest_per_firm(cost_per_firm: float, cost_per_batch: float, likeness: float) -> int:
    """Return the batches a firm that cost least for the same precision: the whole number at Cochran's optimum.

    Of the variance ``(ρ + (1 − ρ)/b) / m`` and the cost ``m (c₁ + c₂ b)`` the product is least.
    """
    b = np.arange(1, MOST_PER_FIRM + 1)
    product = (likeness + (1 - likeness) / b) * (cost_per_firm + cost_per_batch * b)
    return int(b[int(np.argmin(np.round(product, 12)))])


def _asked(
    strata: Strata, within: float | Mapping[str, float] | None, budget: float | None, aim: Aim, arm: Arm,
    assurance: float, level: float, per_firm: int | None, least: int, seed: int, by_firm: float, by_batch: float,
) -> Asked:  # fmt: skip
    check_word("aim", aim, ("entities", "province"))
    check_word("arm", arm, ("both", "lower", "upper"))
    check_level(level)
    numbers = {"cost_per_firm": (by_firm, 0, 1e12, 1), "cost_per_batch": (by_batch, 0, 1e12, 1),
               "assurance": (assurance, 0.5, 0.99, 0.8), "budget": (budget, 0, 1e15, 1000)}  # fmt: skip
    for option, (value, low, high, usual) in numbers.items():
        if value is not None and (read_number(value) is None or not low <= value <= high):
            raise _refused(option, value, f"{low:g} to {high:g}", f"{option}={usual}")
    if by_firm + by_batch <= 0:
        raise _refused("cost_per_firm + cost_per_batch", 0, "above 0", "cost_per_batch=1")
    for option, whole, most in (
        ("batches_per_firm", per_firm, 50),
        ("least_firms", least, 1000),
        ("seed", seed, 2**32),
    ):
        if whole is not None and ((n := read_whole(whole)) is None or not 1 <= n <= most):
            raise _refused(option, whole, f"1 to {most}", f"{option}=2")
    if within is None and budget is None:
        raise _refused("within_pp", None, "a target, a budget, or both", "plan_draws(strata, within_pp=5)")
    each = _targets(strata, within)
    b = cheapest_per_firm(by_firm, by_batch, strata.likeness) if per_firm is None else per_firm
    return Asked(
        within=each, budget=budget, aim=aim, arm=arm, assurance=assurance, level=level, per_firm=b,
        cost=by_firm + by_batch * b, least=least, seed=seed,
    )  # fmt: skip


def _targets(strata: Strata, within: float | Mapping[str, float] | None) -> dict[str, float]:
    if within is None:
        return {}
    each = dict(within) if isinstance(within, Mapping) else dict.fromkeys(strata.entities, within)
    for entity, value in each.items():
        if entity not in strata.entities:
            raise _refused("within_pp", entity, "one of " + ", ".join(strata.entities[:6]) + " …", "within_pp=5")
        if read_number(value) is None or not 0.1 <= value <= 50:
            raise _refused("within_pp", value, "0.1 to 50", "within_pp=5")
    return each


def _spending(strata: Strata, parts: Parts, asked: Asked, n_eff: Mapping[str, float]) -> Spending:
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


def _promised(strata: Strata, parts: Parts, asked: Asked) -> Ints:
    """Return firms with which every entity keeps its target with the assured chance."""
    n_eff = {e: float(n) for e, n in _needed(strata, parts, asked, asked.within).items()}
    for _ in range(ROUNDS):
        spending = _spending(strata, parts, asked, n_eff)
        _refuse_unmet(strata, parts, asked, spending, sorted(n_eff))
        firms = cheapest_firms(spending)
        chance = dict(zip(parts.names, _chances(strata, parts, asked, firms), strict=True))
        short = {e for e in n_eff if chance[e] < asked.assurance and not _all_drawn(strata, parts, firms, e)}
        if not short:
            break
        n_eff |= {e: n_eff[e] * MORE for e in short}
    if asked.budget is None:
        return firms
    found = best_firms(spending, asked.budget)
    if found is None:
        raise DataError(
            "QB624", found=f"budget {asked.budget:,.0f}",
            expected=f"{firms @ spending.cost:,.0f} or more for what is asked of {len(n_eff)} entities",
            fix=f"plan_draws(strata, …, budget={np.ceil(firms @ spending.cost):.0f}), or a wider within_pp",
        )  # fmt: skip
    return found


def _needed(strata: Strata, parts: Parts, asked: Asked, within: Mapping[str, float]) -> dict[str, int]:
    """Return the effective batches with which an entity's arms keep their target, rates as uncertain as they are."""
    rates = _entity_rates(strata, parts)
    found = {}
    for entity, target in within.items():
        n = fewest_firms(
            rates[parts.names.index(entity)], 1, target=target / 100, assurance=asked.assurance, arm=asked.arm,
            level=asked.level, method="jeffreys",
        )  # fmt: skip
        found[entity] = n if n is not None else 10**9
    return found


def _entity_rates(strata: Strata, parts: Parts) -> list[Rates]:
    """Return each entity's rate as the middles of its posterior draws."""
    drawn = parts_of_draws(strata, parts, 400, 1)
    ordered = np.sort(drawn, axis=0)[np.linspace(10, 389, 15).round().astype(int)]
    return [Rates(values=ordered[:, i], weights=np.full(15, 1 / 15)) for i in range(len(parts.names))]


def parts_of_draws(strata: Strata, parts: Parts, draws: int, seed: int) -> Floats:
    """Return draws of the entities' rates from the posterior of their strata, shape (draws, entities)."""
    rng = np.random.default_rng(seed)
    a, b = (strata.data[c].to_numpy(dtype=float) for c in ("alpha", "beta"))
    return np.stack([parts.sums(parts.share * rng.beta(a, b)) for _ in range(draws)])


def _chances(strata: Strata, parts: Parts, asked: Asked, firms: Ints) -> Floats:
    """Return the chance that each entity's arms keep its target, from draws of next year; 1 where nothing is asked."""
    target = np.array([asked.within.get(e, 1e3) for e in parts.names]) / 100
    rng = np.random.default_rng(asked.seed)
    a, b = (strata.data[c].to_numpy(dtype=float) for c in ("alpha", "beta"))
    size = firms * asked.per_firm
    n_eff = _n_eff(strata, parts, asked, firms)
    kept = np.zeros(len(parts.names))
    draws = min(DRAWS, max(300, MOST_VALUES // len(a)))
    for _ in range(draws):
        rate = _drawn_rates(rng, rng.beta(a, b), size, firms, strata.likeness)
        shown = np.clip(parts.sums(parts.share * rate), 0, 1)
        kept += keeps_target(shown, n_eff, target=target, arm=asked.arm, level=asked.level, method="jeffreys")
    return kept / draws


def _drawn_rates(rng: np.random.Generator, rate: Floats, size: Ints, firms: Ints, likeness: float) -> Floats:
    """Return pass rates of strata as drawn: binomial around a rate that the firms drawn move (same variance)."""
    extra = np.where(size > 1, (size / firms - 1) * likeness / np.maximum(size - 1, 1), 0.0)
    moved = rate
    if (extra > 0).any():
        total = (1 - extra) / np.maximum(extra, 1e-12)
        moved = np.where(
            extra > 0, rng.beta(np.maximum(rate * total, 1e-9), np.maximum((1 - rate) * total, 1e-9)), rate
        )
    return np.asarray(rng.binomial(size, np.clip(moved, 0, 1)) / size, dtype=float)


def _n_eff(strata: Strata, parts: Parts, asked: Asked, firms: Ints) -> Floats:
    effect = design_effect(asked.per_firm, strata.likeness) / asked.per_firm
    return np.asarray(1 / parts.sums(parts.share**2 * effect / firms), dtype=float)


def _all_drawn(strata: Strata, parts: Parts, firms: Ints, entity: str) -> bool:
    own = parts.entity == parts.names.index(entity)
    return bool((firms[own] == strata.data["n_firms"].to_numpy()[own]).all())


def _refuse_unmet(strata: Strata, parts: Parts, asked: Asked, spending: Spending, wanted: list[str]) -> None:
    if not len(unmet := spending.unmet()):
        return
    entity = wanted[unmet[0]]
    reachable = 1 / float((spending.demands @ (1 / spending.most))[unmet[0]])
    rates = _entity_rates(strata, parts)[parts.names.index(entity)]
    nearest = nearest_target(
        rates, int(reachable), 1, assurance=asked.assurance, arm=asked.arm, level=asked.level, method="jeffreys"
    )
    raise DataError(
        "QB623", entity=entity, found=f"{strata.firms_of(entity)} firms, worth {reachable:.0f} batches when all are drawn"
        f" {asked.per_firm} times ({len(unmet)} entities fall short)",
        expected=f"{1 / spending.limits[unmet[0]]:.0f} for ±{asked.within[entity]:g} points",
        fix=f"within_pp={100 * nearest:.1f} for {entity}, the nearest, or batches_per_firm={asked.per_firm + 1}",
    )  # fmt: skip


def _precision(strata: Strata, parts: Parts, asked: Asked, firms: Ints) -> pd.DataFrame:
    is_asked = np.array([e in asked.within for e in parts.names])
    chance = _chances(strata, parts, asked, firms)
    return pd.DataFrame(
        {
            "entity": parts.names,
            "n_firms": parts.sums(strata.data["n_firms"].to_numpy(dtype=float)).astype(int),
            "drawn": parts.sums(firms.astype(float)).astype(int),
            "batches": parts.sums(firms * float(asked.per_firm)).astype(int),
            "n_eff": _n_eff(strata, parts, asked, firms).round(1),
            "rate_pct": (100 * parts.sums(parts.share * parts.rates)).round(1),
            "within_pp": [asked.within.get(e, np.nan) for e in parts.names],
            "chance": np.where(is_asked, chance, np.nan),
        }
    )


def _price(strata: Strata, parts: Parts, asked: Asked) -> pd.DataFrame:
    """Return what other targets would cost, each entity as many points wider or narrower."""
    rows = []
    for points in POINTS:
        wanted = {e: w + points for e, w in asked.within.items() if w + points >= 1}
        if not wanted:
            continue
        needed = {e: float(n) for e, n in _needed(strata, parts, asked, wanted).items()}
        full = _spending(strata, parts, asked, needed)
        names = sorted(needed)
        beyond = {names[i] for i in full.unmet()}
        some = {e: n for e, n in needed.items() if e not in beyond}
        firms = cheapest_firms(_spending(strata, parts, asked, some))
        rows.append({"points": points, "reachable": len(some), "entities": len(wanted), "firms": int(firms.sum()),
                     "batches": int(firms.sum()) * asked.per_firm, "cost": float(firms.sum()) * asked.cost})  # fmt: skip
    return pd.DataFrame(rows, columns=["points", "reachable", "entities", "firms", "batches", "cost"])


def _result(
    strata: Strata, parts: Parts, asked: Asked, firms: Ints, precision: pd.DataFrame, price: pd.DataFrame
) -> Result:
    indicator = find_indicator(strata.outcome).indicator
    batches = int(firms.sum()) * asked.per_firm
    allocation = strata.data[["entity", "stratum", "n_firms"]].assign(
        drawn=firms, batches=firms * asked.per_firm, probability=firms / strata.data["n_firms"].to_numpy()
    )
    key = {"firms": int(firms.sum()), "batches_per_firm": asked.per_firm, "cost": float(firms.sum()) * asked.cost}
    return Result(
        estimand="need",
        outcome=indicator,
        unit="batch",
        method="assured_allocation",
        estimates=(Estimate(term="batches", key=key, value=float(batches), uncertainty="none_full_count"),),
        subject=_subject(indicator.label, parts, asked),
        tables={"allocation": allocation, "precision": precision, "price": price},
        notes=(APART,),
        settings={
            "within_pp": asked.within, "budget": asked.budget, "aim": asked.aim, "arm": asked.arm,
            "assurance": asked.assurance, "level": asked.level, "likeness": round(strata.likeness, 4),
            "batches_per_firm": asked.per_firm, "cost_of_firm": asked.cost, "least_firms": asked.least,
            "seed": asked.seed, "outcome": strata.outcome,
        },
        sources=strata.sources,
        labels={"batches": _label(firms, asked)},
    )  # fmt: skip


def _subject(label: Text, parts: Parts, asked: Asked) -> Text:
    chance = percent(100 * asked.assurance, 0)
    if not asked.within:
        what = f"{count(len(parts.names))}"
        return Text(
            f"在预算之内把 {what} 个集群的{label.zh}测得尽量准",
            f"To know the {label.en} of {what} entities as well as the budget allows",
        )
    few, most = (number(f(asked.within.values()), 1) for f in (min, max))
    shown = few if few == most else f"{few}～{most}"
    n = count(len(asked.within))
    return Text(
        f"要把 {n} 个集群的{label.zh}各自测准到 ±{shown} 个百分点（把握 {chance}）",
        f"To know the {label.en} of each of {n} entities within ±{shown.replace('～', ' to ')} percentage points (with "
        f"a chance of {chance})",
    )


def _label(firms: Ints, asked: Asked) -> Text:
    n, b = count(int(firms.sum())), asked.per_firm
    return Text(f"随机抽 {n} 家企业，每家 {b} 批", f"{n} firms drawn at random, {b} of each")


def _refused(option: str, value: object, expected: str, fix: str) -> UsageError:
    return UsageError("QB622", option=option, value=value, found=f"{option}={value!r}", expected=expected, fix=fix)
