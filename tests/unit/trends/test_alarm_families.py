"""Changes looked at together: q values, what cannot be compared, and how many false alarms there are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbase.core import Estimate, Indicator, Panel, Text, UsageError
from qbase.stats import false_discovery_q, newcombe_interval, newcombe_p
from qbase.trends import estimate_every_change, judge_family

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
COUNTS = {"K1": ((50, 48), (50, 20)), "K2": ((40, 36), (40, 35)), "K3": ((30, 28), (30, 29)), "K4": ((30, 27), (0, 0))}


def make_panel(counts: dict[str, tuple[tuple[int, int], tuple[int, int]]]) -> Panel:
    rows = [
        (entity, quarter, 100 * k / n if n else np.nan, n, k)
        for entity, both in counts.items()
        for quarter, (n, k) in zip(("2024Q4", "2025Q4"), both, strict=True)
    ]
    columns = ["cluster_id", "quarter", ID, f"{ID}__n", f"{ID}__k"]
    frame = pd.DataFrame(rows, columns=columns)
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


def test_q_values_follow_the_counts_and_a_silent_cluster_spoils_nothing() -> None:
    family = judge_family(estimate_every_change(make_panel(COUNTS), ID))
    assert set(family.table["entity"]) == set(COUNTS)
    assert family.table["entity"].iloc[0] == "K1"
    assert family.table["entity"].iloc[-1] == "K4"
    assert (family.n_tests, family.n_signals) == (3, 1)
    three = {k: v for k, v in COUNTS.items() if k != "K4"}
    alone = judge_family(estimate_every_change(make_panel(three), ID))
    pd.testing.assert_frame_equal(family.table.iloc[:3], alone.table, check_dtype=False)
    p = newcombe_p(([20, 35, 29], [48, 36, 28]), ([50, 40, 30], [50, 40, 30]))
    found = family.table.set_index("entity")
    np.testing.assert_allclose(found.loc[["K1", "K2", "K3"], "p_value"], p)
    np.testing.assert_allclose(found.loc[["K1", "K2", "K3"], "q_value"], false_discovery_q(p))


def test_the_words_name_the_signal_and_count_the_false_alarms() -> None:
    (said,) = judge_family(estimate_every_change(make_panel(COUNTS), ID), share=0.1).say().items
    assert "K1（−56.0 个百分点，q < 0.001）" in said.zh
    assert "预计有 0.2 个误报" in said.zh
    assert "stands out in 1: K1 (−56.0 percentage points, q < 0.001)" in said.en
    assert "1 could not be compared: no test" in said.en
    check = judge_family(estimate_every_change(make_panel(COUNTS), ID)).check()
    assert check.passed is None
    assert len(check.table) == 4


def test_other_p_values_are_taken_from_the_estimate_or_its_interval() -> None:
    given_p = Estimate(term="att", value=2.0, ci_low=-1.0, ci_high=5.0, p_value=0.031, key={"entity": "a"})
    at_the_edge = Estimate(term="att", value=2.0, ci_low=0.0, ci_high=5.0, key={"entity": "b"})
    counted = Estimate(term="att", value=2.0, uncertainty="none_full_count", key={"entity": "c"})
    table = judge_family([given_p, at_the_edge, counted]).table.set_index("entity")
    assert table.loc["a", "p_value"] == 0.031
    assert table.loc["b", "p_value"] == pytest.approx(0.05)
    assert np.isnan(table.loc["c", "p_value"]), "a full count has no p value"
    with pytest.raises(UsageError, match="QB595"):
        judge_family([])
    with pytest.raises(UsageError, match="QB595"):
        judge_family([given_p], share=10)


@given(k=st.tuples(st.integers(0, 30), st.integers(0, 40)), n=st.tuples(st.integers(30, 60), st.integers(40, 60)))
def test_the_p_value_is_newcombes_interval_turned_round(k: tuple[int, int], n: tuple[int, int]) -> None:
    p = float(newcombe_p(([k[0]], [k[1]]), ([n[0]], [n[1]]))[0])
    assert p == pytest.approx(float(newcombe_p(([k[1]], [k[0]]), ([n[1]], [n[0]]))[0]))
    for level in (0.8, 0.95, 0.999):
        low, high = newcombe_interval(k, n, level=level)
        if abs(p - (1 - level)) > 1e-9:
            assert (low > 0 or high < 0) == (p < 1 - level)


@settings(max_examples=15)
@given(seed=st.integers(0, 999))
def test_the_order_of_clusters_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        Estimate(term="change", value=float(v), ci_low=float(v) - 2, ci_high=float(v) + 2, key={"entity": f"K{i}"})
        for i, v in enumerate(rng.normal(0, 2, 12))
    ]
    shuffled = [rows[i] for i in rng.permutation(12)]
    pd.testing.assert_frame_equal(judge_family(rows).table, judge_family(shuffled).table)


def test_truth_false_alarms_stay_below_the_share_where_looking_one_by_one_does_not() -> None:
    """600 provinces of 36 clusters: without any change, and with six that really fell."""
    rng = np.random.default_rng(11)
    n = 4 + rng.poisson(13, (2, 600, 36))
    rate = np.full((2, 600, 36), 0.9)
    quiet = rng.binomial(n, rate)
    p = newcombe_p((quiet[1], quiet[0]), (n[1], n[0]))
    q = np.array([false_discovery_q(row) for row in p])
    assert (q <= 0.10).any(axis=1).mean() <= 0.10 + 2 * np.sqrt(0.09 / 600)
    assert (p < 0.05).any(axis=1).mean() > 0.4, "one by one most quiet provinces have an alarm"
    rate[1, :, :6] = 0.5
    n = n * 2
    moved = rng.binomial(n, rate)
    p = newcombe_p((moved[1], moved[0]), (n[1], n[0]))
    signal = np.array([false_discovery_q(row) for row in p]) <= 0.10
    false = signal[:, 6:].sum(axis=1) / np.maximum(signal.sum(axis=1), 1)
    assert false.mean() <= 0.10
    assert signal[:, :6].mean() > 0.7
