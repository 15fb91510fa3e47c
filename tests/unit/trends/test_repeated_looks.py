"""A rate read again every quarter: an interval that holds at every look, and what it says of a reference."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core import DataError, Indicator, Panel, Text, UsageError
from qbase.core.periods import parse_period
from qbase.stats import anytime_interval, wilson_interval
from qbase.trends import estimate_looks

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")


def make_panel(n: np.ndarray, k: np.ndarray) -> Panel:
    """One entity per row, one quarter per column."""
    entities, quarters = n.shape
    frame = pd.DataFrame(
        {
            "cluster_id": np.repeat([f"K{i:03d}" for i in range(entities)], quarters),
            "quarter": [str(parse_period("2016Q1") + t) for t in range(quarters)] * entities,
            ID: 100 * (k / n).ravel(),
            f"{ID}__n": n.ravel(),
            f"{ID}__k": k.ravel(),
        }
    )
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


def test_counts_are_cumulated_from_the_start_and_both_intervals_stand_side_by_side() -> None:
    n, k = np.array([[20, 10, 30, 40]]), np.array([[20, 8, 27, 38]])
    looks = estimate_looks(make_panel(n, k), ID, entity="K000", start="2016Q2").tables["looks"]
    assert looks[["n", "k"]].to_numpy().tolist() == [[10, 8], [40, 35], [80, 73]]
    low, high = anytime_interval(np.array([8.0, 35, 73]), np.array([10.0, 40, 80]))
    np.testing.assert_allclose(looks[["anytime_low", "anytime_high"]], 100 * np.c_[low, high])
    np.testing.assert_allclose(looks["ci_low"], 100 * wilson_interval([8, 35, 73], [10, 40, 80])[0])
    assert ((looks["anytime_high"] - looks["anytime_low"]) > (looks["ci_high"] - looks["ci_low"])).all()


def test_the_words_give_the_interval_for_every_look_first() -> None:
    rng = np.random.default_rng(2)
    n = np.full((1, 12), 20)
    result = estimate_looks(make_panel(n, rng.binomial(n, 0.9)), ID, entity="K000", reference=94.0)
    assert [e.term for e in result.estimates] == ["rate_anytime", "rate"]
    (said,) = result.say().items
    anytime, fixed = result.estimates
    assert f"{anytime.ci_low:.1f}～{anytime.ci_high:.1f}" in said.zh.split("。")[0]
    assert "12 次查看中同时成立" in said.zh
    assert f"the one for a single look is {fixed.ci_low:.1f}–{fixed.ci_high:.1f}" in said.en
    assert {c.name for c in result.checks} >= {"looks", "small_n"}


def test_two_levels_are_not_one_rate() -> None:
    n = np.full((1, 20), 40)
    k = np.where(np.arange(20) < 10, 38, 20)[None, :]
    result = estimate_looks(make_panel(n, k), ID, entity="K000")
    (check,) = [c for c in result.checks if c.name == "constant_rate"]
    assert check.passed is False
    assert [e.term for e in result.estimates] == ["rate"]
    assert "does not agree with one and the same rate" in result.say().items[0].en


def test_what_cannot_be_asked_is_refused() -> None:
    n = np.full((1, 4), 20)
    panel = make_panel(n, n - 2)
    for bad in (0, 100, "a", 1.2e3):
        with pytest.raises(UsageError, match="QB598"):
            estimate_looks(panel, ID, reference=bad)
    with pytest.raises(DataError, match="QB502"):
        estimate_looks(panel, ID, entity="K000", start="2030Q1")
    with pytest.raises(DataError, match="QB597"):
        estimate_looks(dataclasses.replace(panel, sampling="post_stratified"), ID, entity="K000")


def test_truth_forty_looks_raise_a_false_alarm_in_at_most_five_percent_of_clusters() -> None:
    """200 clusters at the watched rate all along; 5 % and two Monte-Carlo errors are 8 %."""
    rng = np.random.default_rng(7)
    n = 4 + rng.poisson(13, (200, 40))
    panel = make_panel(n, rng.binomial(n, 0.94))
    found = [
        estimate_looks(panel, ID, entity=e, reference=94.0).tables["looks"][["is_out", "is_out_fixed"]].any()
        for e in panel.entities
    ]
    alarms = pd.DataFrame(found).mean()
    assert alarms["is_out"] <= 0.08
    assert alarms["is_out_fixed"] > 0.2, "the interval for one look cries wolf"
    fallen = make_panel(n[:40], rng.binomial(n[:40], 0.84))
    power = np.mean(
        [estimate_looks(fallen, ID, entity=e, reference=94.0).tables["looks"]["is_out"].any() for e in fallen.entities]
    )
    assert power > 0.9
