"""What a budget finds and measures is what its parts find and measure, reckoned by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.figures import tabulate_frontier
from qbase.planning import Strata, build_strata, plan_draws, plan_frontier
from qbase.planning.frontier.finding_frontier import FOUND
from qbase.stats import design_interval

RISKS = np.linspace(60.0, 1.0, 80)


def strata() -> Strata:
    rows = [(e, s, 20, 40, k) for e, k in (("K1", 36), ("K2", 30)) for s in ("A", "B")]
    return build_strata(pd.DataFrame(rows, columns=["entity", "stratum", "n_firms", "n_tested", "n_passed"]))


def watchlist(risks: np.ndarray = RISKS) -> Result:
    return Result(
        estimand="level", outcome=FOUND, unit="batch", method="ridge_logit", estimates=(), subject=Text("名单", "list"),
        tables={"watchlist": pd.DataFrame({"risk_pct": risks})}, unanswered=Text("无", "none"),
    )  # fmt: skip


def test_a_row_is_what_its_parts_find_and_measure() -> None:
    held = strata()
    (row,) = plan_frontier(held, watchlist(), budget=60, shares=[0.5]).tables["frontier"].to_dict("records")
    plan = plan_draws(held, budget=30, cost_per_firm=0.0, batches_per_firm=1, least_firms=1)
    drawn = plan.tables["allocation"]["batches"].to_numpy()
    alpha, beta = (held.data[c].to_numpy() for c in ("alpha", "beta"))
    fails = beta / (alpha + beta)
    riskiest = sorted(RISKS / 100, reverse=True)[:30]
    assert (row["visits"], row["draws"]) == (30, 30)
    assert row["found"] == pytest.approx(sum(riskiest) + sum(n * p for n, p in zip(drawn, fails, strict=True)))
    variance = sum(p * (1 - p) for p in riskiest) + sum(n * p * (1 - p) for n, p in zip(drawn, fails, strict=True))
    assert row["found_high"] - row["found"] == pytest.approx(1.959964 * variance**0.5, rel=1e-6)
    halves = []
    for entity in plan.tables["precision"].to_dict("records"):
        low, high = design_interval(entity["rate_pct"] / 100, entity["n_eff"], method="jeffreys")
        halves.append(50 * float(high - low))
    assert row["half_width_pp"] == pytest.approx(np.mean(halves))
    assert row["worst_pp"] == pytest.approx(max(halves))


def test_more_visits_find_more_and_measure_worse() -> None:
    table = plan_frontier(strata(), watchlist(), budget=60, shares=[0.8, 0, 0.2, 0.4, 0.6]).tables["frontier"]
    assert list(table["share_pct"]) == [0, 20, 40, 60, 80]
    assert table["found"].is_monotonic_increasing
    assert table["half_width_pp"].is_monotonic_increasing


def test_the_order_of_the_list_changes_nothing() -> None:
    one, other = (plan_frontier(strata(), watchlist(r), budget=60).tables["frontier"] for r in (RISKS, RISKS[::-1]))
    pd.testing.assert_frame_equal(one, other)


def test_shares_that_cannot_be_are_told_and_left_out() -> None:
    result = plan_frontier(strata(), watchlist(RISKS[:10]), budget=60, shares=[0.1, 0.5])
    assert list(result.tables["frontier"]["share_pct"]) == [10]
    assert "50% for visits is left out" in result.checks[-1].text.en
    assert [row[0] for row in tabulate_frontier(result).rows] == ["10%"]


def test_more_batches_than_firms_are_several_of_each() -> None:
    (row,) = plan_frontier(strata(), watchlist(), budget=150, shares=[0]).tables["frontier"].to_dict("records")
    assert 140 <= row["draws"] <= 150


@pytest.mark.parametrize("how", [{"budget": 0}, {"budget": 60, "shares": [1.0]}, {"budget": 60, "shares": []}])
def test_a_budget_that_is_none_is_refused(how: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="QB629"):
        plan_frontier(strata(), watchlist(), **how)  # type: ignore[arg-type]


def test_a_budget_too_small_for_the_strata_is_told_with_the_smallest() -> None:
    with pytest.raises(DataError, match="QB624"):
        plan_frontier(strata(), watchlist(), budget=2)
