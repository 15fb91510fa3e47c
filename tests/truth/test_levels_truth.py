"""Levels against the province's truth on few seeds; the long version is study_levels.py (docs/studies/levels.md)."""

from __future__ import annotations

import functools
import importlib.util
import pathlib
import sys
from types import ModuleType

import pandas as pd
import pytest

SEEDS = 3
MC_ERRORS = 3.5


def load_study() -> ModuleType:
    path = pathlib.Path(__file__).with_name("study_levels.py")
    spec = importlib.util.spec_from_file_location("study_levels", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("study_levels", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


study = load_study()


@functools.cache
def drawn(scenario: str, n: int = SEEDS) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return study.run(scenario, n, first=100, n_cell_seeds=n if scenario == "default" else 0)


def bias(scenario: str, treatment: str, n: int = SEEDS) -> pd.Series:
    level = drawn(scenario, n)[0]
    level = level[level["treatment"] == treatment]
    return (level["rate"] - level["truth"]).groupby(level["seed"].to_numpy()).mean()


@pytest.mark.parametrize("treatment", ["random, weighted", "post-stratified", "prediction-powered"])
def test_weighted_levels_are_right_where_the_naive_one_is_not(treatment):
    assert bias("default", "naive").mean() < -1.0
    found = bias("default", treatment)
    assert abs(found.mean()) < 0.5 + MC_ERRORS * found.sem()


def test_a_risk_the_frame_does_not_show_biases_post_stratification_and_is_found_out():
    assert bias("hidden risk", "post-stratified", 2).max() < -1.0
    assert abs(bias("hidden risk", "random, weighted", 2).mean()) < 1.0
    assert abs(bias("hidden risk", "prediction-powered", 2).mean()) < 1.0
    fired = drawn("hidden risk", 2)[2]
    assert fired["random against directed"].all()
    assert not fired["class fractions"].any()
    assert not drawn("default")[2]["random against directed"].all()


def test_class_fractions_bias_unweighted_random_draws_and_are_found_out():
    assert bias("class fractions", "random, unweighted", 2).max() < -0.5
    assert abs(bias("class fractions", "random, weighted", 2).mean()) < 1.0
    assert drawn("class fractions", 2)[2]["class fractions"].all()
    assert not drawn("default")[2]["class fractions"].any()


def test_the_mix_moves_with_the_policy_and_only_then():
    assert drawn("default")[2]["sampling mix"].all()
    world = study.draw_world(100, study.SCENARIOS["no shift"][1])
    assert not study.mix_moved(world)


def test_intervals_of_cluster_quarters_show_no_evidence_of_covering_less_than_93_percent():
    table = study.coverage_table(drawn("default")[1], least=300)
    offered = table[table["interval"].isin(["jeffreys", "shrunk"])]
    assert {"n 4–7", "n 12–20", "all passed"} <= set(offered["cells"])
    assert (offered.loc[offered["cells"] == "all", "draws"] > 300).all()
    assert not offered["rejected"].any()
    assert (offered["zero_width"] == 0).all()
    wald = table[(table["interval"] == "Wald") & (table["cells"] == "all")]
    assert (wald["coverage"] < 0.9).all(), "the interval that must not be used"
