"""Secondary outcomes: one table where the plan names them, and no more false alarms together than one test has."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Plan, Policy, Spell, Text
from qbase.effects import estimate_before_after, estimate_imputation, estimate_secondary
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.estimators.secondary import adjust_together
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window

IDS = ("A1", "A2", "A3")
QUARTERS = pd.period_range("2020Q1", periods=12, freq="Q")
NAMES = [f"K{i:02d}" for i in range(12)]
WORDS = dict.fromkeys(["population", "weight", "window", "comparator", "inference"], "")
ESTIMATOR = ImputationEstimator(window=Window(leads=0, lags=0), terms=(("att", None),))


def indicator(i: str) -> Indicator:
    return Indicator(id=i, name=Text(f"指标{i}", f"outcome {i}"), unit="pct", better="up")


def outcomes(rng: np.random.Generator, effects: tuple[float, ...] = (0, 0, 0), *, treated: int = 5) -> np.ndarray:
    """Return outcomes that move together, shape (3, N, T)."""
    common = rng.normal(size=(1, 12, 12))
    y = 70 + rng.normal(size=(3, 12, 1)) * 3 + 1.5 * common + 1.5 * rng.normal(size=(3, 12, 12))
    y[:, :treated, 7:] += np.array(effects)[:, None, None]
    return y


def grids(y: np.ndarray, *, treated: int = 5) -> list[OutcomeGrid]:
    start = np.where(np.arange(12) < treated, 7.0, np.nan)
    shared = {
        "freq": "Q", "entities": tuple(NAMES), "first": QUARTERS[0].ordinal, "n": None, "k": None, "start": start,
        "weight": np.ones(12), "cluster": np.arange(12),
    }  # fmt: skip
    return [OutcomeGrid(indicator=indicator(i), y=values, **shared) for i, values in zip(IDS, y, strict=True)]


def test_false_alarms_together_keep_the_level_and_effects_are_found() -> None:
    rng = np.random.default_rng(20261129)
    tries = 200
    alarms = sum(adjust_together(grids(outcomes(rng)), ESTIMATOR, draws=99)[0].min() <= 0.05 for _ in range(tries))
    # 5 % and two and a half Monte-Carlo errors
    assert alarms / tries <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / tries)
    found = [adjust_together(grids(outcomes(rng, (6, 0, 0))), ESTIMATOR, draws=99)[0] for _ in range(30)]
    assert np.mean([p[0] <= 0.05 for p in found]) > 0.8
    # the null outcomes beside a true effect raise no more alarms than they may
    assert np.mean([min(p[1:]) <= 0.05 for p in found]) < 0.2


def test_adjusted_values_are_no_smaller_than_those_alone_and_repeat() -> None:
    y = outcomes(np.random.default_rng(2), (3, 2, 0))
    together, n = adjust_together(grids(y), ESTIMATOR, draws=99)
    again, _ = adjust_together(grids(y), ESTIMATOR, draws=99)
    alone = [adjust_together([g], ESTIMATOR, draws=99)[0][0] for g in grids(y)]
    assert n == 99
    assert (together == again).all()
    assert (together >= np.array(alone) - 1e-12).all()


@pytest.fixture(scope="module")
def panel() -> Panel:
    y = outcomes(np.random.default_rng(4), (6, 0, 0))
    index = pd.MultiIndex.from_product([NAMES, QUARTERS], names=["entity", "period"])
    data = pd.DataFrame({i: values.ravel() for i, values in zip(IDS, y, strict=True)}, index=index)
    return Panel(data=data, entity="cluster_id", freq="Q", indicators={i: indicator(i) for i in IDS})


def policy_with(*secondary: str) -> Policy:
    spells = tuple(Spell(entity=e, start=QUARTERS[7]) for e in NAMES[:5])
    plan = Plan(outcome="A1", secondary=secondary, **WORDS)
    return Policy(policy_id="base", title=Text("基地", "Bases"), spells=spells, plan=plan)


def test_one_table_marked_as_secondary_in_the_order_of_the_plan(panel: Panel) -> None:
    policy = policy_with("A2", "A1", "Z9")
    effect = estimate_imputation(panel, policy, "A1", leads=2, lags=2)
    found = estimate_secondary(panel, policy, effect)
    (table,) = found.tables()
    assert "次要结果" in table.caption.zh
    assert "Romano" in table.note.en
    assert table.data["outcome"] == ["A2", "A1", "Z9"]
    assert found.lost == ("Z9",)
    assert table.data["p_adjusted"][2] is None
    assert all(p >= r.find("att").p_value for p, r in zip(found.adjusted, found.results, strict=True))


def test_nothing_is_shown_where_the_plan_names_none(panel: Panel) -> None:
    policy = policy_with()
    effect = estimate_imputation(panel, policy, "A1", leads=2, lags=2)
    assert estimate_secondary(panel, policy, effect).tables() == ()
    assert estimate_secondary(panel, dataclasses.replace(policy, plan=None), effect).tables() == ()


def test_a_design_without_permutations_lists_them_without_a_number(panel: Panel) -> None:
    policy = policy_with("A2")
    found = estimate_secondary(panel, policy, estimate_before_after(panel, policy, "A1"))
    assert found.results == ()
    assert found.tables()[0].data["outcome"] == ["A2"]
