"""Few treated clusters on few draws; the long version is study_few_clusters.py (docs/studies/few_clusters.md)."""

from __future__ import annotations

import functools
import importlib.util
import pathlib
import sys

import numpy as np
import pytest


def load(name: str):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


load("average_base")
study = load("study_few_clusters")

DEMO = [16, 18, 21, 24, 26]
DRAWS = 200
CELL = 80


@functools.cache
def demo() -> dict[str, float]:
    found = [study.analyse(study.draw_grid(np.random.default_rng([5, i]), DEMO, 12), seed=i) for i in range(DRAWS)]
    return {name: float(np.mean([f[name] <= 0.05 for f in found])) for name in found[0]}


def test_leads_of_the_demo_design_keep_their_size_where_the_nominal_f_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "ESTIMATOR", study.AverageBase(leads=6, lags=8))
    sizes = demo()
    assert 0.02 <= sizes["lead_f"] <= 0.09
    assert sizes["nominal_f"] > 0.35


def rejected(treated: int, ratio: float, name: str) -> float:
    cell = study.Cell(treated=treated, clusters=12, ratio=ratio, noise="binomial")
    return float(np.mean([found[name] <= 0.05 for found in study.draw_cell(cell, 0, CELL)]))


@pytest.mark.parametrize("ratio", [0.2, 5.0])
def test_two_treated_of_unequal_batches_are_not_called_changed(ratio: float) -> None:
    # 80 draws at 5 %: above 14 % in one of a thousand
    assert rejected(2, ratio, "perm_att") <= 0.14


def test_clustered_errors_of_two_treated_are_far_too_small() -> None:
    assert rejected(2, 0.2, "crv1_att") > 0.15
