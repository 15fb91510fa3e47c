"""Allocation over strata: against linear programs, textbook numbers, and the plan carried out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, hstack, vstack

from qbase.core.errors import QbaseError
from qbase.planning import build_strata, plan_draws
from qbase.planning.allocating.convex_spending import (
    Spending,
    balance_prices,
    best_firms,
    cheapest_firms,
    least_cost_bound,
)
from qbase.planning.allocating.planned_draws import cheapest_per_firm
from qbase.stats import design_interval

SEED = 20261130


def make_spending(seed: int = 1, domains: int = 6, strata: int = 8, need: float = 40.0) -> Spending:
    rng = np.random.default_rng(seed)
    n = rng.integers(3, 60, (domains, strata))
    share = n / n.sum(1, keepdims=True)
    rows = np.repeat(np.arange(domains), strata)
    columns = np.arange(n.size)
    town = csr_matrix(((n / n.sum()).ravel() ** 2, (np.zeros(n.size, int), columns)), shape=(1, n.size))
    return Spending(
        cost=rng.choice([1.0, 1.5, 2.0], n.size),
        least=np.minimum(2, n).ravel(),
        most=n.ravel(),
        loss=((n / n.sum()) ** 2 * rng.uniform(0.02, 0.15, n.shape)).ravel(),
        demands=vstack([csr_matrix((share.ravel() ** 2, (rows, columns)), shape=(domains, n.size)), town]).tocsr(),
        limits=np.append(np.full(domains, 1 / need), 1 / (4.5 * need)),
    )


def make_strata(**changes: object):
    rng = np.random.default_rng(SEED)
    rows = [
        {
            "entity": f"K{e:03}",
            "stratum": f"{r}-{s}",
            "n_firms": int(rng.integers(4, 40)),
            "n_tested": n,
            "n_passed": n - f,
        }
        for e in range(1, 5)
        for r, s, n, f in [("A", "large", 12, 0), ("A", "small", 20, 1), ("C", "small", 30, 4), ("D", "small", 14, 3)]
    ]
    return build_strata(pd.DataFrame(rows), **{"likeness": 0.2, **changes})


def tangent_program(asked: Spending) -> float:
    """The least cost by a linear program over 400 tangents of 1 / m for each stratum: a bound from below."""
    h = len(asked.cost)
    points = np.geomspace(asked.least, asked.most, 400).T
    row, of = np.arange(points.size), np.repeat(np.arange(h), 400)
    values = np.concatenate([-1 / points.ravel(), -points.ravel()])
    cuts = csr_matrix((values, (np.tile(row, 2), np.concatenate([of, of + h]))), shape=(points.size, 2 * h))
    rows = vstack([hstack([csr_matrix((len(asked.limits), h)), asked.demands]), cuts]).tocsr()
    right = np.append(asked.limits, np.full(points.size, -2.0))
    bounds = [*zip(asked.least, asked.most, strict=True), *zip(1 / asked.most, 1 / asked.least, strict=True)]
    found = linprog(np.append(asked.cost, np.zeros(h)), A_ub=rows, b_ub=right, bounds=bounds, method="highs")
    return float(found.fun)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_least_cost_is_that_of_a_linear_program_and_is_proved_by_its_prices(seed):
    asked = make_spending(seed)
    optimum = balance_prices(asked, 0.0)
    cost = asked.cost @ optimum.firms
    assert cost == pytest.approx(tangent_program(asked), rel=1e-4)
    assert least_cost_bound(asked, optimum.prices) == pytest.approx(cost, rel=1e-5)
    whole = cheapest_firms(asked)
    assert (asked.demands @ (1 / whole) <= asked.limits * (1 + 1e-8)).all()
    assert cost <= asked.cost @ whole <= cost + asked.cost.sum() / 2


def test_a_budget_is_spent_where_it_lowers_the_loss_and_keeps_the_limits():
    asked = make_spending()
    least = cheapest_firms(asked)
    budget = 1.2 * float(asked.cost @ least)
    found = best_firms(asked, budget)
    assert asked.cost @ found <= budget
    assert (asked.demands @ (1 / found) <= asked.limits * (1 + 1e-8)).all()
    rng = np.random.default_rng(SEED)
    loss = (asked.loss / found).sum()
    for _ in range(2000):  # no exchange of one firm between two strata does better
        a, b = rng.integers(0, len(found), 2)
        moved = found.copy()
        moved[a], moved[b] = moved[a] + 1, moved[b] - 1
        allowed = (moved >= asked.least).all() and (moved <= asked.most).all() and asked.cost @ moved <= budget
        if allowed and (asked.demands @ (1 / moved) <= asked.limits).all():
            assert (asked.loss / moved).sum() >= loss * (1 - 0.002)
    assert best_firms(asked, 0.9 * float(asked.cost @ least)) is None


def test_neymans_textbook_cities():
    """Cochran (1977), section 5.9: 16 large and 48 small cities, variances 53,843 and 5,581, 24 drawn: 12 and 12."""
    n, variance = np.array([16, 48]), np.array([53843.0, 5581.0])
    asked = Spending(
        cost=np.ones(2), least=np.array([1, 1]), most=n, loss=(n / 64) ** 2 * variance, demands=csr_matrix((0, 2)),
        limits=np.zeros(0),
    )  # fmt: skip
    assert best_firms(asked, 24).tolist() == [12, 12]


def test_batches_of_a_firm_follow_the_two_stage_optimum():
    """Cochran (1977), section 10.6: b = √(c₁/c₂ · (1 − ρ)/ρ)."""
    assert cheapest_per_firm(9.0, 1.0, 0.5) == 3
    assert cheapest_per_firm(0.0, 1.0, 0.3) == 1
    assert cheapest_per_firm(1.0, 1.0, 0.2) == 2


def test_every_entity_keeps_its_target_with_the_promised_chance_when_the_plan_is_carried_out():
    strata = make_strata()
    plan = plan_draws(strata, within_pp=14)
    table, firms = plan.tables["precision"], plan.tables["allocation"]
    assert (table["chance"] >= 0.8).all()
    rng = np.random.default_rng(SEED + 1)
    b, rho, draws = plan.settings["batches_per_firm"], strata.likeness, 1500
    for entity, row in table.set_index("entity").iterrows():
        own = strata.data["entity"] == entity
        some, share = strata.data[own], (firms["n_firms"] / firms["n_firms"].sum())[own]
        share, drawn = (share / share.sum()).to_numpy(), firms["drawn"][own].to_numpy()
        kept = 0
        for _ in range(draws):
            rate = rng.beta(some["alpha"], some["beta"])
            shown = 0.0
            for p, w, m in zip(rate, share, drawn, strict=True):  # firm by firm, not in one draw
                q = rng.beta(p * (1 - rho) / rho, (1 - p) * (1 - rho) / rho, m)
                shown += w * rng.binomial(b, q).sum() / (b * m)
            low, high = design_interval(shown, row["n_eff"])
            kept += shown - low <= 0.14 and high - shown <= 0.14
        assert kept / draws == pytest.approx(row["chance"], abs=0.035), entity


def test_strata_in_which_nothing_failed_keep_draws():
    plan = plan_draws(make_strata(), budget=150, aim="province")
    safe = plan.tables["allocation"].query("stratum == 'A-large'")
    assert (safe["drawn"] >= 2).all()
    assert (make_strata().rates < 1).all()


def test_order_and_names_do_not_matter():
    strata = make_strata()
    rows = strata.data[["entity", "stratum", "n_firms", "n_tested", "n_passed"]]
    again = build_strata(rows.sample(frac=1, random_state=3), likeness=0.2)
    one, other = (plan_draws(s, within_pp=14).tables["allocation"] for s in (strata, again))
    pd.testing.assert_frame_equal(one, other)


def test_a_narrower_target_costs_more_and_the_price_says_how_much():
    price = plan_draws(make_strata(), within_pp=14).tables["price"]
    full = price[price["reachable"] == price["entities"]]
    assert full["cost"].is_monotonic_decreasing
    assert len(full) >= 3


def test_draws_are_repeatable_and_a_whole_plan_is_told():
    one, other = (plan_draws(make_strata(), within_pp=14, budget=400) for _ in range(2))
    pd.testing.assert_frame_equal(one.tables["precision"], other.tables["precision"])
    assert one["batches"].key["cost"] <= 400
    assert "kept apart" in one.notes[0].en


@pytest.mark.parametrize(
    ("call", "code", "named"),
    [
        (lambda: plan_draws(make_strata(), within_pp=2), "QB623", "the nearest"),
        (lambda: plan_draws(make_strata(), within_pp=14, budget=20), "QB624", "or more"),
        (lambda: plan_draws(make_strata()), "QB622", "a target, a budget"),
        (lambda: plan_draws(make_strata(), within_pp={"K999": 5.0}), "QB622", "K001"),
        (lambda: plan_draws(make_strata(), within_pp=14, assurance=2), "QB622", "0.99"),
        (lambda: plan_draws(make_strata(), within_pp=14, cost_per_firm=0, cost_per_batch=0), "QB622", "above 0"),
        (lambda: build_strata(make_strata().data.drop(columns="n_firms")), "QB620", "n_firms"),
        (lambda: build_strata(pd.concat([make_strata().data] * 2)), "QB620", "twice"),
        (lambda: build_strata(make_strata().data.assign(n_firms=0)), "QB621", "without firms"),
        (lambda: build_strata(make_strata().data.assign(n_passed=99)), "QB621", "n_passed <="),
    ],
)
def test_refusals_are_four_lines_and_name_the_nearest(call, code, named):
    with pytest.raises(QbaseError) as caught:
        call()
    assert caught.value.code == code
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 4


def test_the_nearest_that_is_named_can_be_planned():
    with pytest.raises(QbaseError) as caught:
        plan_draws(make_strata(), within_pp={"K001": 2.0})
    nearest = float(str(caught.value).split("within_pp=")[1].split(" ")[0])
    assert plan_draws(make_strata(), within_pp={"K001": nearest + 0.5}).estimates
