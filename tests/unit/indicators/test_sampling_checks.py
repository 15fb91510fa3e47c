"""Checks of the sampling: the mix over time, random against directed draws, fractions of classes."""

from __future__ import annotations

import pathlib

import numpy as np
import pandas as pd
import pytest

from qbase.core.periods import parse_period
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.indicators import (
    build_panel,
    check_class_fractions,
    check_random_against_directed,
    check_sampling_mix,
)
from qbase.lake import Workspace
from tests.unit.indicators.sampled_lake import ID, QUARTERS, draw, fill, firms, frame, put


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return fill(Workspace.create(tmp_path_factory.mktemp("lake")), "K1", "K2", "K3", "K4")


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path)


def test_the_mix_is_compared_over_time_and_with_a_policy(lake):
    panel = build_panel(lake, ID)
    assert check_sampling_mix(panel).passed is None, "one year has nothing to be compared with"
    spell = Spell(entity="K1", start=parse_period("2024Q3"))
    policy = Policy(policy_id="P", title=Text("政策", "policy"), spells=(spell,))
    check = check_sampling_mix(panel, policy)
    assert check.passed is True
    assert list(check.table["random_pct"]) == pytest.approx([100 / 3] * 4)
    cells = panel.cells.copy()
    late = (cells["entity"] == "K1") & (cells["period"] >= parse_period("2024Q3")) & (cells["sampling"] == "random")
    cells.loc[late, "n"] = 40
    moved = type(panel)(
        data=panel.data, entity=panel.entity, freq="Q", indicators=panel.indicators, cells=cells
    )  # fmt: skip
    found = check_sampling_mix(moved, policy)
    assert found.passed is False
    assert "抽样结构变了" in found.text.zh


def make_cells(random_rate: float, directed_rate: float, n: int, entities: int) -> pd.DataFrame:
    rows = []
    for e in range(entities):
        for q in QUARTERS:
            for kind, rate in (("random", random_rate), ("directed", directed_rate)):
                k = round(n * rate) + (e % 3 - 1 if n > 10 else 0)
                rows.append((f"K{e}", parse_period(q), "A-small", kind, n, min(max(k, 0), n)))
    return pd.DataFrame(rows, columns=["entity", "period", "stratum", "sampling", "n", "k"])


@pytest.mark.parametrize(
    ("random_rate", "directed_rate", "n", "entities", "passed", "words"),
    [
        (0.9, 0.8, 100, 12, False, "依赖不可检验假设"),
        (0.9, 0.8, 100, 3, False, "依赖不可检验假设"),
        (0.9, 0.9, 2000, 12, True, "八成把握"),
        (0.9, 0.9, 10, 3, None, "未得到充分检验"),
    ],
)
def test_directed_draws_that_differ_from_random_ones_demote_post_stratification(
    lake, random_rate, directed_rate, n, entities, passed, words
):
    panel = build_panel(lake, ID, sampling="post_stratified")
    cells = make_cells(random_rate, directed_rate, n, entities)
    given = type(panel)(
        data=panel.data, entity="cluster_id", freq="Q", sampling="post_stratified", indicators=panel.indicators,
        cells=cells,
    )  # fmt: skip
    check = check_random_against_directed(given)
    assert check.passed is passed
    assert words in check.text.zh
    assert np.isin(["random", "directed"], cells["sampling"]).all()


def test_the_name_is_marked_when_random_and_directed_draws_differ(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    rows = []
    for month in (1, 4, 7, 10):
        rows += [draw("K1", i, month, passed=True, kind="random") for i in range(4)]
        rows += [draw("K1", i, month, passed=False, kind="risk") for i in range(4, 10)]
    put(workspace, "inspections", rows)
    panel = build_panel(workspace, ID, sampling="post_stratified")
    assert "依赖不可检验假设" in panel.indicators[ID].name.zh
    assert panel.indicators[ID].label.zh.endswith("（事后分层，依赖不可检验假设）"), "the mark stays in the short name"
    assert "依赖不可检验假设" not in build_panel(workspace, ID, sampling="random_draw").indicators[ID].name.zh


def test_a_naive_panel_cannot_compare_draws_within_strata(lake):
    assert check_random_against_directed(build_panel(lake, ID)).passed is None


def test_unequal_fractions_fail_an_unweighted_panel_and_pass_a_weighted_one(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    rows = []
    for month in (1, 4, 7, 10):
        rows += [draw("K1", 0, month, passed=True, kind="random")]
        rows += [draw("K1", 10 + i, month, passed=False, kind="random") for i in range(6)]
    put(workspace, "inspections", rows)
    naive = build_panel(workspace, ID)
    assert check_class_fractions(naive, workspace).passed is False
    weighted = build_panel(workspace, ID, sampling="random_draw")
    check = check_class_fractions(weighted, workspace)
    assert check.passed is True
    assert "A/D = 1.0 : 5.0" in check.text.en
    assert weighted.data[ID].mean() > 40 > naive.data[ID].mean()


def test_equal_fractions_are_said_to_be_equal(lake):
    check = check_class_fractions(build_panel(lake, ID), lake)
    assert check.passed is True
    assert "much the same fraction" in check.text.en
