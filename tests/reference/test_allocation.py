"""Neyman's allocation against textbooks and an independent library; refusals name the least that would do."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from qbase.core.errors import QbaseError
from qbase.planning import Strata, build_strata, plan_draws
from qbase.planning.allocating.convex_spending import Spending, best_firms

SIZES = {"A-large": 38, "A-small": 412, "B-small": 266, "C-small": 97, "D-small": 31}
RATES = {"A-large": 0.985, "A-small": 0.95, "B-small": 0.90, "C-small": 0.82, "D-small": 0.70}
SAMPLICS = {"A-large": 3, "A-small": 48, "B-small": 43, "C-small": 20, "D-small": 8}
"""samplics 0.6.1, own run 2026-11-30: allocate("optimum_mean", …, rate=120 / Σ N S, stddev=√(p(1 − p))).
It rounds every stratum up, so 120 become 122."""

SVY = {"A-large": 2, "A-small": 48, "B-small": 42, "C-small": 20, "D-small": 8}
"""svy 0.35.0, own run 2026-11-30: SampleSize().allocate(120, method="neyman", sigma=√(p(1 − p))).
It rounds by largest remainders."""


def neyman(
    n: np.ndarray, variance: np.ndarray, drawn: int, cost: np.ndarray | None = None, least: int = 1
) -> list[int]:
    asked = Spending(
        cost=np.ones(len(n)) if cost is None else cost, least=np.full(len(n), least), most=n,
        loss=(n / n.sum()) ** 2 * variance, demands=csr_matrix((0, len(n))), limits=np.zeros(0),
    )  # fmt: skip
    found = best_firms(asked, drawn)
    assert found is not None
    return found.tolist()


def test_an_independent_library_agrees_but_for_its_rounding():
    n, p = (np.array(list(x.values())) for x in (SIZES, RATES))
    ours, theirs = np.array(neyman(n, p * (1 - p), 120)), np.array(list(SAMPLICS.values()))
    assert ours.sum() == 120
    assert (theirs >= ours).all()
    assert (theirs - ours <= 1).all()


def test_a_library_that_keeps_the_number_agrees_in_every_stratum():
    n, p = (np.array(list(x.values())) for x in (SIZES, RATES))
    assert neyman(n, p * (1 - p), 120) == list(SVY.values())


def test_a_floor_that_fits_is_kept_where_a_library_drops_it():
    """svy 0.35.0 gives 90, 9, 1 here and says that the floors exceed the number (findings/svy_allocation_floor.sh)."""
    drawn = neyman(np.array([900, 90, 10]), np.full(3, 0.09), 100, least=3)
    assert drawn[2] == 3
    assert sum(drawn) == 100


def test_neyman_with_costs_follows_the_root_of_the_cost():
    """Cochran (1977), section 5.5: n_h in proportion to N_h S_h / √c_h."""
    n, variance, cost = np.array([4000, 6000]), np.array([100.0, 400.0]), np.array([4.0, 9.0])
    a, b = neyman(n, variance, 4000, cost)
    assert a / b == pytest.approx((4000 * 10 / 2) / (6000 * 20 / 3), rel=0.01)


def strata(**changes: object) -> Strata:
    rows = [
        {"entity": e, "stratum": s, "n_firms": n, "n_tested": 30, "n_passed": k}
        for e in ("K1", "K2")
        for s, n, k in (("A", 30, 29), ("B", 25, 27), ("C", 20, 24), ("D", 3, 20))
    ]
    return build_strata(pd.DataFrame(rows), likeness=0.1)


@pytest.mark.parametrize(
    "asked",
    [
        {"within_pp": 12.0},
        {"within_pp": {"K1": 10.0}},
        {"least_firms": 8},
        {"within_pp": 12.0, "least_firms": 12, "arm": "lower"},
        {"least_firms": 2, "cost_per_firm": 3.0, "cost_per_batch": 0.5},
    ],
)
def test_a_budget_too_small_names_the_least_that_would_do(asked):
    """Floors that contradict the budget, and targets that do: the named budget serves, a tenth less does not."""
    with pytest.raises(QbaseError) as caught:
        plan_draws(strata(), budget=1, **asked)
    assert caught.value.code == "QB624"
    least = float(re.search(r"budget=(\d+)", str(caught.value)).group(1))
    served = plan_draws(strata(), budget=least, **asked)
    assert served["batches"].key["cost"] <= least
    with pytest.raises(QbaseError, match="QB624"):
        plan_draws(strata(), budget=0.9 * least, **asked)


def test_what_no_budget_serves_names_the_nearest_for_all():
    with pytest.raises(QbaseError, match="QB623") as caught:
        plan_draws(strata(), within_pp=3.0, budget=100)
    nearest = float(re.search(r"within_pp=([\d.]+) for all", str(caught.value)).group(1))
    assert len(plan_draws(strata(), within_pp=nearest).tables["allocation"]) == 8
    with pytest.raises(QbaseError, match="QB623"):
        plan_draws(strata(), within_pp=nearest - 0.3)


def test_neither_a_target_nor_a_budget_is_no_plan():
    with pytest.raises(QbaseError, match="QB622"):
        plan_draws(strata(), within_pp={})


def test_a_floor_above_the_firms_there_are_takes_all_of_them():
    plan = plan_draws(strata(), budget=600, least_firms=5).tables["allocation"]
    assert (plan.loc[plan["stratum"] == "D", "drawn"] == 3).all()


def test_a_stratum_without_firms_is_refused_and_one_never_tested_is_not():
    rows = strata().data[["entity", "stratum", "n_firms", "n_tested", "n_passed"]]
    empty = rows.assign(n_firms=[0, *rows["n_firms"][1:]])
    with pytest.raises(QbaseError, match=r"QB621[\s\S]*without firms"):
        build_strata(empty)
    with pytest.raises(QbaseError, match="QB620"):
        build_strata(rows[:0])
    untested = rows.assign(n_tested=[0, *rows["n_tested"][1:]], n_passed=[0, *rows["n_passed"][1:]])
    drawn = plan_draws(build_strata(untested), budget=200).tables["allocation"]
    assert (drawn["drawn"] >= 2).all()
