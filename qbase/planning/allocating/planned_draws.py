"""Next year's random draws: how many firms of each stratum, what that promises, and what one more point costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.given import check_word, read_number, read_whole
from qbase.core.numbers import count, number, percent
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate
from qbase.indicators import find_indicator
from qbase.planning.allocating.planned_precision import (
    Aim,
    Asked,
    Ints,
    Parts,
    build_precision,
    build_prices,
    choose_firms,
)
from qbase.planning.allocating.sampling_strata import Strata
from qbase.planning.precision.assured_draws import Arm
from qbase.stats.rates.difference_intervals import check_level

MOST_PER_FIRM = 6
APART = Text(
    "这些随机抽取只用于测量，与发现问题的定向抽查分开；两者不得互相顶替。",
    "These random draws measure, and are kept apart from draws directed at finding problems; neither may stand in for "
    "the other.",
)


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
    >>> plan.tables["precision"][["entity", "drawn", "batches", "chance"]].round(2).head(2).values.tolist()
    [['K001', 32, 96, 0.86], ['K002', 28, 84, 0.87]]
    """
    asked = _asked(strata, within_pp, budget, aim, arm, assurance, level, batches_per_firm, least_firms, seed,
                   cost_per_firm, cost_per_batch)  # fmt: skip
    parts = Parts.of(strata)
    firms = choose_firms(strata, parts, asked)
    precision = build_precision(strata, parts, asked, firms)
    price = build_prices(strata, parts, asked, firms)
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
    if budget is None and (within is None or within == {}):
        raise _refused("within_pp", within, "a target, a budget, or both", "plan_draws(strata, within_pp=5)")
    each = _targets(strata, within)
    b = cheapest_per_firm(by_firm, by_batch, strata.likeness) if per_firm is None else per_firm
    return Asked(
        within=each, budget=budget, aim=aim, arm=arm, assurance=assurance, level=level, per_firm=b,
        cost=by_firm + by_batch * b, least=least, seed=seed,
    )  # fmt: skip


def _targets(strata: Strata, within: float | Mapping[str, float] | None) -> dict[str, float]:
    if within is None:
        return {}
    known = strata.entities
    each = dict(within) if isinstance(within, Mapping) else dict.fromkeys(known, within)
    if unknown := sorted(each.keys() - set(known)):
        raise _refused("within_pp", unknown[0], "one of " + ", ".join(known[:6]) + " …", "within_pp=5")
    for value in each.values():
        if read_number(value) is None or not 0.1 <= value <= 50:
            raise _refused("within_pp", value, "0.1 to 50", "within_pp=5")
    return each


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
