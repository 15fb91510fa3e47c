"""Effects against a simulated truth: what two-way fixed effects recover, and where they are known to fail."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from qbase.core.panel import Panel
from qbase.core.periods import parse_period
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.effects import estimate_event_study, estimate_twfe

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("合格率", "pass rate"), unit="pct", better="up", bounds=(-math.inf, math.inf))
FIRST = parse_period("2018Q1")

NEARLY_NOISE_FREE = 1e-3
"""Noise so small that the estimate is its own pseudo-true value; without any the method rightly refuses."""

CLOSE = 5e-3
"""Five times that noise: no estimate here averages fewer than four cells."""

PERIODS = 20
ENTITIES = 30


def simulate(starts: dict[int, int], effect, *, noise: float, seed: int = 3) -> tuple[Panel, Policy, np.ndarray]:
    """Two-way effects, plus ``effect(event_time)`` on treated cells; also returns the true effects."""
    rng = np.random.default_rng(seed)
    values = np.add.outer(rng.normal(85, 4, ENTITIES), np.cumsum(rng.normal(0, 0.5, PERIODS)))
    true = np.zeros_like(values)
    for i, start in starts.items():
        for t in range(start, PERIODS):
            true[i, t] = effect(t - start)
    values = values + true + noise * rng.normal(size=values.shape)
    frame = pd.DataFrame(
        {
            "cluster_id": np.repeat([f"K{i:02d}" for i in range(ENTITIES)], PERIODS),
            "quarter": np.tile([str(FIRST + t) for t in range(PERIODS)], ENTITIES),
            ID: values.ravel(),
        }
    )
    panel = Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})
    spells = tuple(Spell(entity=f"K{i:02d}", start=FIRST + t) for i, t in starts.items())
    return panel, Policy(policy_id="base", title=Text("政策", "policy"), spells=spells), true


def constant(event_time: int) -> float:
    return 3.0


def growing(event_time: int) -> float:
    return 0.5 * (event_time + 1)


STAGGERED = {i: 5 + 3 * (i % 4) for i in range(14)}
EARLY_AND_MANY = {i: 3 if i < 14 else 12 for i in range(26)}


def test_a_homogeneous_effect_is_recovered_though_adoption_is_staggered():
    panel, policy, _ = simulate(STAGGERED, constant, noise=NEARLY_NOISE_FREE)
    assert estimate_twfe(panel, policy, ID)["att"].value == pytest.approx(3.0, abs=CLOSE)
    study = estimate_event_study(panel, policy, ID, leads=3, lags=5)
    for e in study.estimates:
        wanted = 0.0 if e.key.get("event_time", 0) < 0 else 3.0
        assert e.value == pytest.approx(wanted, abs=CLOSE)


def test_intervals_cover_a_homogeneous_effect_about_as_often_as_they_say():
    """40 draws: fewer than 33 covering has probability below 1 % when coverage is 93 %."""
    covered = 0
    for seed in range(40):
        panel, policy, _ = simulate(STAGGERED, constant, noise=2.0, seed=seed)
        att = estimate_twfe(panel, policy, ID)["att"]
        covered += att.ci_low <= 3.0 <= att.ci_high
    assert covered >= 33


def test_a_growing_effect_is_followed_when_all_adopt_together():
    together = dict.fromkeys(range(14), 10)
    panel, policy, _ = simulate(together, growing, noise=NEARLY_NOISE_FREE)
    study = estimate_event_study(panel, policy, ID, leads=3, lags=8)
    for t in range(8):
        assert study.find("event", event_time=t).value == pytest.approx(growing(t), abs=CLOSE)
    binned = np.mean([growing(t) for t in range(8, 10)])
    assert study.find("event", event_time=8).value == pytest.approx(binned, abs=CLOSE)
    twfe = estimate_twfe(panel, policy, ID)["att"].value
    assert twfe == pytest.approx(np.mean([growing(t) for t in range(10)]), abs=CLOSE)


def test_a_growing_effect_with_staggered_adoption_is_missed_and_the_result_says_so():
    panel, policy, true = simulate(EARLY_AND_MANY, growing, noise=NEARLY_NOISE_FREE)
    result = estimate_twfe(panel, policy, ID)
    att_true = true[true > 0].mean()
    assert result["att"].value < 0.75 * att_true, "the known bias of Goodman-Bacon (2021)"
    check = next(c for c in result.checks if c.name == "staggered_timing")
    assert check.passed is False
    assert "负权重" in check.text.zh
    assert result.grade == "moderate"
    assert any("Goodman-Bacon 2021" in n.zh for n in result.notes)
    assert set(result.say().grades) <= {"moderate", "limited"}
    assert "可能" in result.say().items[0].zh


def test_the_weights_shown_are_the_weights_used():
    panel, policy, _ = simulate(EARLY_AND_MANY, growing, noise=NEARLY_NOISE_FREE)
    result = estimate_twfe(panel, policy, ID)
    weights = result.tables["weights"]
    pairs = zip(weights["adopted"], weights["period"], strict=True)
    elapsed = [parse_period(p).ordinal - parse_period(a).ordinal for a, p in pairs]
    told = sum(w * growing(t) for w, t in zip(weights["weight"], elapsed, strict=True))
    assert told == pytest.approx(result["att"].value, abs=CLOSE)
    assert weights["is_negative"].any()
    assert weights["weight"].sum() == pytest.approx(1)
