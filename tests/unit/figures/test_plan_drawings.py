"""Drawings of plans, by the rules of every drawing."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest

from qbase.core import DataError, Estimate, Figure, Indicator, Result, Text
from qbase.figures import plot_evaluation, plot_frontier
from tests.unit.figures import test_drawings as every
from tests.unit.figures.drawing_rules import RULES

SOURCE, TITLE, RATE = (getattr(every, name) for name in ("SOURCE", "TITLE", "RATE"))
NAMES = {"did": Text("双重差分（同时开始）", "difference-in-differences (one start)"),
         "phase_in": Text("抽签分期（两年之内）", "phase-in by lot (within two years)")}  # fmt: skip


def evaluation(*, found: bool = True) -> Result:
    rows = [
        {"design": d, "treated": 4, "comparison": 8, "batches": b, "years": y, "n_started": 4,
         "detectable": 14.0 / y - b / 10 if found and (d, y) != ("phase_in", 1) else math.inf,
         "detectable_low": 12.0 / y - b / 10, "detectable_high": 16.0 / y if found and y > 1 else math.inf,
         "largest": 15.0, "size_pct": 5.0, "size_low_pct": 1.0, "size_high_pct": 12.0, "unanswered_pct": 0.0}
        for d in NAMES for b in (8, 32) for y in (1, 2, 3)
    ]  # fmt: skip
    smallest = Indicator(
        id="D1.batch.detectable", name=Text("最小可发现效果", "smallest effect found"), unit="pp", better="down"
    )
    one = Estimate(term="detectable", value=5.0, ci_low=4.0, ci_high=6.0, uncertainty="randomisation")
    return Result(
        estimand="level", outcome=smallest, unit="pp", method="simulated_evaluation", estimates=(one,), subject=TITLE,
        tables={"evaluation": pd.DataFrame(rows)}, settings={"draws": 40, "power": 0.8}, sources=(SOURCE,),
        labels={"outcome": RATE.label, **{f"design[{d}]": name for d, name in NAMES.items()}},
    )  # fmt: skip


def frontier(*, gains: bool = True) -> Result:
    found = (90.0, 96.0, 99.0, 86.0) if gains else (80.0, 75.0, 70.0, 60.0)
    rows = [
        {"share_pct": 100 * s, "visits": 600 * s, "draws": 600 * (1 - s), "found": f, "found_low": f - 17,
         "found_high": f + 17, "half_width_pp": 9.8 / (1 - s) ** 0.5, "worst_pp": 11 / (1 - s) ** 0.5}
        for s, f in zip((0.0, 0.05, 0.2, 0.4, 0.8), (84.0, *found), strict=True)
    ]  # fmt: skip
    count = Indicator(id="plan.found", name=Text("查出批次", "failures found"), unit="batch", better="up")
    one = Estimate(term="found", value=84.0, ci_low=67.0, ci_high=101.0, uncertainty="model")
    return Result(
        estimand="level", outcome=count, unit="batch", method="frontier", estimates=(one,), subject=TITLE,
        tables={"frontier": pd.DataFrame(rows)}, settings={"budget": 600}, sources=(SOURCE,),
    )  # fmt: skip


CASES: dict[str, Callable[[], Figure]] = {
    "evaluation": lambda: plot_evaluation(evaluation()),
    "nothing found": lambda: plot_evaluation(evaluation(found=False)),
    "frontier": lambda: plot_frontier(frontier()),
    "no gain": lambda: plot_frontier(frontier(gains=False)),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return {name: make() for name, make in CASES.items()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("test_"))
@pytest.mark.parametrize("name", CASES)
def test_every_drawing_keeps_the_rules(drawn: dict[str, Figure], name: str, rule: Callable[..., None]) -> None:
    rule(drawn, name)


def test_titles_are_findings(drawn: dict[str, Figure]) -> None:
    assert drawn["frontier"].title.en == "Visits of 40% find 15 more failures, rates blur by 2.9 points"
    assert drawn["no gain"].title.en == "More directed visits find no more failures"
    assert "after 3 years" in drawn["evaluation"].title.en
    assert drawn["nothing found"].title.en == "None of these plans finds an effect reliably"


def test_other_results_are_refused() -> None:
    with pytest.raises(DataError, match="QB707"):
        plot_evaluation(frontier())
    with pytest.raises(DataError, match="QB707"):
        plot_frontier(evaluation())
