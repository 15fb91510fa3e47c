"""Instruments against a simulated truth: own effects recovered, doses that follow failures found out."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from qbase.core import CheckResult, Estimate, Indicator, Panel, Policy, Result, Spell, Text
from qbase.demo import build_province
from qbase.effects import estimate_instruments

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("合格率", "pass rate"), unit="pct", better="up", bounds=(-math.inf, math.inf))
QUARTERS = pd.period_range("2016Q1", periods=32, freq="Q")
EACH, UNTREATED = 7, 16
GAP = 6
"""Quarters between the first and the second instrument."""

ERRORS = 3.3
"""Monte-Carlo errors allowed: three such means fall outside by chance once in a thousand runs."""

Case = tuple[Panel, Policy, pd.DataFrame]


def simulate(rng: np.random.Generator, *, first: float = 0.0, other: float = 0.0, dip: float = 0.0) -> Case:
    """Return outcomes with autocorrelated noise; W1 came first in 7 clusters, W3 in 7, and the other 6 quarters later.

    W1 adds ``first``, W3 ``other``, and together they add 2 points less than their sum, so that effects do not add up.
    Quarters before the policy lie ``dip`` points lower.
    """
    names = [f"K{i:03d}" for i in range(2 * EACH + UNTREATED)]
    shape = (len(names), len(QUARTERS))
    noise = rng.normal(size=shape)
    for t in range(1, shape[1]):
        noise[:, t] += 0.3 * noise[:, t - 1]
    y = rng.normal(80, 4, (shape[0], 1)) + np.cumsum(rng.normal(0, 0.4, shape[1])) + noise
    spells, doses = [], []
    for i, name in enumerate(names[: 2 * EACH]):
        start, size = int(rng.integers(12, 20)), rng.uniform(0.6, 1.4)
        codes, effects = (("W1", "W3"), (first, other)) if i < EACH else (("W3", "W1"), (other, first))
        y[i, start:] += effects[0]
        y[i, start + GAP :] += effects[1] - 2.0 * (first != 0)
        y[i, start - 4 : start] -= dip
        spells.append(Spell(entity=name, start=QUARTERS[start]))
        for code, begins in zip(codes, (start, start + GAP), strict=True):
            doses += [(name, quarter, code, size * (t >= begins)) for t, quarter in enumerate(QUARTERS)]
    return _panel(names, y), _policy(spells), pd.DataFrame(doses, columns=["entity", "period", "instrument", "value"])


def _panel(names: list[str], y: np.ndarray) -> Panel:
    rows = {
        "entity": np.repeat(names, y.shape[1]), "period": np.tile(QUARTERS.astype(str), len(names)), ID: y.ravel(),
    }  # fmt: skip
    frame = pd.DataFrame(rows)
    return Panel.from_frame(frame, entity="entity", period="period", freq="Q", indicators={ID: RATE}, in_percent=True)


def _policy(spells: list[Spell]) -> Policy:
    return Policy(policy_id="pilot", title=Text("试点", "Pilot"), spells=tuple(spells))


def judge(case: Case) -> tuple[Result, ...]:
    panel, policy, doses = case
    return estimate_instruments(panel, policy, ID, doses, instruments=["W1", "W3"])


def dose_check(result: Result) -> CheckResult:
    return next(check for check in result.checks if check.name == "dose_unpredicted")


def covers(estimate: Estimate, truth: float) -> bool:
    assert estimate.ci_low is not None
    assert estimate.ci_high is not None
    return estimate.ci_low <= truth <= estimate.ci_high


def test_own_effects_are_recovered_where_both_together_are_not_their_sum() -> None:
    rng = np.random.default_rng(1)
    found = [judge(simulate(rng, first=3.0, other=-1.0)) for _ in range(15)]
    for at, truth in enumerate((3.0, -1.0)):
        values = np.array([results[at]["att"].value for results in found])
        error = values.std(ddof=1) / math.sqrt(len(values))
        assert abs(values.mean() - truth) < ERRORS * error
        assert error < 0.15, "so that the bias excluded is small beside the effects"
        assert np.mean([covers(results[at]["att"], truth) for results in found]) >= 0.7


def test_without_effect_few_are_found_and_few_checks_fail() -> None:
    rng = np.random.default_rng(2)
    results = [result for _ in range(20) for result in judge(simulate(rng))]
    n, most = len(results), 0.05 + ERRORS * math.sqrt(0.05 * 0.95 / 40)
    assert sum(not covers(result["att"], 0.0) for result in results) / n < most
    assert sum(dose_check(result).passed is False for result in results) / n < most


def test_a_dose_that_follows_failures_is_found_out_and_limits_the_evidence() -> None:
    rng = np.random.default_rng(3)
    results = [result for _ in range(6) for result in judge(simulate(rng, dip=2.0))]
    assert [dose_check(result).passed for result in results].count(False) >= 11
    fooled = next(result for result in results if dose_check(result).passed is False)
    assert set(fooled.say().grades) <= {"limited", None}
    assert "return to normal" in dose_check(fooled).text.en
    assert "the dose may have followed failures" in fooled.notes[-1].en


def test_in_the_demo_all_instruments_begin_with_the_policy_and_none_is_told_apart() -> None:
    tables = build_province().tables
    base = tables["spells"].query("policy_id == 'base'")
    spells = [
        Spell(entity=entity, start=start)
        for entity, start in zip(base["entity_id"], base["start_quarter"], strict=True)
    ]
    names = sorted(tables["clusters"]["cluster_id"].unique())
    wide = tables["instruments"]
    columns = {f"dose_w{i}": f"W{i}" for i in range(1, 8)}
    doses = wide.rename(columns=columns).melt(
        id_vars=["cluster_id", "quarter"], value_vars=list(columns.values()), var_name="instrument"
    )
    doses = doses.rename(columns={"cluster_id": "entity", "quarter": "period"})
    y = np.random.default_rng(4).normal(85, 3, (len(names), len(QUARTERS)))
    results = judge((_panel(names, y), _policy(spells), doses))
    assert [result.estimates for result in results] == [(), ()]
    assert [dict(result.settings["clusters_first"]) for result in results] == [{"W1": 0, "W3": 0}] * 2
    assert "only the effect of the whole policy" in results[0].say().items[0].en
