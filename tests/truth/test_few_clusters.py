"""Few treated clusters on few draws; the long version is study_few_clusters.py (docs/studies/few_clusters.md)."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import pathlib
import sys

import numpy as np
import pytest

from qbase.effects.doubt.conley_taber import infer_conley_taber
from qbase.effects.doubt.path_calibration import calibrate_path, invert_placebos, known_error
from qbase.effects.doubt.placebo_paths import find_exchange, ready_replay


def load(name: str):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


load("average_base")
load("linear_placebos")
study = load("study_few_clusters")

DEMO = [16, 18, 21, 24, 26]
DRAWS = 200
CELL = 200
# 200 draws at 5 %: more than 10 % in one of a thousand
TOO_OFTEN = 0.1


@functools.cache
def rejected(treated: int, clusters: int, ratio: float, noise: str, change: float = 0.0) -> dict[str, float]:
    cell = study.Cell(treated=treated, clusters=clusters, ratio=ratio, noise=noise, change=change)
    found = list(study.draw_cell(cell, 0, CELL))
    return {name: float(np.mean([f[name] <= 0.05 for f in found])) for name in found[0]}


def test_leads_of_the_demo_design_keep_their_size_where_the_nominal_f_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "ESTIMATOR", study.AverageBase(leads=6, lags=8))
    grids = [study.draw_grid(np.random.default_rng([5, i]), DEMO, 12) for i in range(DRAWS)]
    dealt = study.deal(grids[0], seed=0)
    found = [study.analyse(grid, *dealt, seed=i) for i, grid in enumerate(grids)]
    sizes = {name: float(np.mean([f[name] <= 0.05 for f in found])) for name in ("lead_f", "nominal_f")}
    assert 0.02 <= sizes["lead_f"] <= 0.09
    assert sizes["nominal_f"] > 0.35


@pytest.mark.parametrize(
    ("treated", "ratio", "noise"), [(2, 0.2, "binomial"), (2, 5.0, "AR(.8) shocks"), (8, 0.2, "binomial")]
)
def test_treated_of_unequal_batches_are_not_called_changed(treated: int, ratio: float, noise: str) -> None:
    sizes = rejected(treated, 12, ratio, noise)
    assert sizes["perm_att"] <= TOO_OFTEN
    assert max(sizes["lead_f"], sizes["lead_t"]) <= TOO_OFTEN


def test_permutation_finds_what_the_jackknife_of_four_noisy_treated_does_not() -> None:
    found = rejected(4, 12, 0.2, "binomial", -10.0)
    assert found["perm_att"] > 0.6
    assert found["crv3df_att"] < found["perm_att"] - 0.1
    assert found["missed"] <= TOO_OFTEN


@pytest.mark.parametrize(
    ("treated", "ratio", "noise", "change"),
    [(8, 0.2, "binomial", -5.0), (3, 1.0, "over-dispersed .1", -5.0), (4, 5.0, "over-dispersed .1", -5.0)],
)
def test_a_verdict_is_given_where_four_of_five_known_rejections_are_found(
    treated: int, ratio: float, noise: str, change: float
) -> None:
    cell = study.Cell(treated=treated, clusters=12, ratio=ratio, noise=noise, change=change)
    found = list(study.draw_cell(cell, 0, CELL))
    spread = null_spread(dataclasses.replace(cell, change=0.0))
    rejects, undecided = (np.array([f[name] for f in found]) for name in ("perm_att", "undecided"))
    known = np.array([abs(f["estimate"]) for f in found]) > 1.96 * spread
    is_found = rejects <= study.ALPHA
    assert known.sum() > 50
    # of all that a known variance finds the method finds less than four in five, of those with a verdict more
    assert is_found[known].mean() < 0.8
    assert is_found[known & (undecided == 0)].mean() >= 0.85
    assert not (undecided[is_found]).any()
    # most of what neither finds keeps its verdict
    assert undecided[~known].mean() < 0.4


@pytest.mark.parametrize("ratio", [1.0, 5.0])
def test_without_an_effect_few_answers_are_withheld(ratio: float) -> None:
    cell = study.Cell(treated=4, clusters=12, ratio=ratio, noise="binomial")
    assert np.mean([f["undecided"] for f in study.draw_cell(cell, 0, CELL)]) < 0.15


def null_spread(cell: study.Cell) -> float:
    """Return how far estimates vary where nothing changed: the variance a test would know."""
    starts = study.STARTS[cell.treated]
    rng = np.random.default_rng([7, cell.treated])
    grids = (study.draw_grid(rng, starts, cell.clusters, ratio=cell.ratio, noise=cell.noise) for _ in range(600))
    return float(np.std([study.ESTIMATOR(grid).beta[0] for grid in grids]))


def test_clustered_errors_of_two_treated_are_far_too_small() -> None:
    assert rejected(2, 12, 0.2, "binomial")["crv1_att"] > 0.15


def test_placebos_of_the_study_are_those_of_the_product() -> None:
    for treated, clusters in ((2, 12), (3, 36), (8, 12)):
        grid = study.draw_grid(
            np.random.default_rng(treated),
            study.STARTS[treated],
            clusters,
            ratio=0.2,
            noise="AR(.8) shocks",
            change=-5.0,
        )
        fit = study.ESTIMATOR(grid)
        places, controls = study.deal(grid, seed=3)
        found = find_exchange(grid, study.ESTIMATOR, fit, draws=study.PERMUTATIONS, seed=3)
        exchange = dataclasses.replace(found, places=places)
        replay = ready_replay(grid, study.ESTIMATOR, fit)
        seen = study.analyse(grid, places, controls, seed=3)
        told = invert_placebos(grid, replay, fit, exchange, level=0.95)
        around = calibrate_path(grid, replay, fit, exchange, level=0.95)
        error = study.free_error(grid, fit, replay.noise, places, seed=3)
        assert error == pytest.approx(known_error(grid, replay, fit, exchange))
        event = fit.terms.index(("event", study.EVENT))
        assert (seen["perm_att"], seen["perm_event"]) == pytest.approx((told.p[0], told.p[event]))
        assert seen["lead_f"] == pytest.approx(around.lead_f.p_value)
        assert seen["lead_t"] == pytest.approx(around.lead_t.p_value)
        assert "band" not in seen or seen["band"] == pytest.approx(around.joint_p)
        if controls is not None:
            taken = infer_conley_taber(grid, replay, fit, level=0.95, draws=study.PERMUTATIONS, seed=3)
            assert seen["ct_att"] == pytest.approx(taken.p_value[0])
