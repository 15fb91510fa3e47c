from __future__ import annotations

import numpy as np
import pytest

from qbase.effects.donors.donor_placebos import half_width, rank_among
from qbase.effects.donors.donor_weights import fit_augmented
from qbase.effects.donors.predictor_weights import fit_predictors
from qbase.effects.donors.simplex_weights import SimplexBatch, fit_simplex, fit_simplex_by_steps

TIGHT = 1e-8


def objective(features: np.ndarray, target: np.ndarray, ridge: float, weights: np.ndarray) -> float:
    return float(((features @ weights - target) ** 2).sum() + ridge * (weights**2).sum())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_exact_weights_meet_the_conditions_of_an_optimum(seed: int, ridge: float) -> None:
    rng = np.random.default_rng(seed)
    features, target = rng.normal(size=(9, 14)), 3 * rng.normal(size=9)
    weights = fit_simplex(features, target, ridge=ridge)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    slope = features.T @ (features @ weights - target) + ridge * weights
    # no vertex lies downhill, and all those used lie level
    assert slope.min() >= slope @ weights - TIGHT
    assert np.ptp(slope[weights > TIGHT]) < TIGHT


def test_exact_weights_of_a_known_average() -> None:
    features = np.array([[0.0, 10.0, 4.0], [0.0, 0.0, 9.0], [5.0, 1.0, 2.0]])
    true = np.array([0.25, 0.75, 0.0])
    assert fit_simplex(features, features @ true) == pytest.approx(true, abs=TIGHT)
    assert fit_simplex(1e6 * features, 1e6 * features @ true) == pytest.approx(true, abs=TIGHT)


def test_a_point_outside_takes_the_nearest_vertex() -> None:
    assert fit_simplex(np.array([[1.0, 2.0, 3.0]]), np.array([9.0])).tolist() == [0, 0, 1]


def batch(features: np.ndarray, targets: np.ndarray, ridge: float, allowed: np.ndarray, shared: bool) -> SimplexBatch:
    gram = features.T @ features
    return SimplexBatch(
        gram=gram if shared else np.repeat(gram[None], len(targets), axis=0),
        cross=targets @ features,
        ridge=np.full(len(targets), ridge),
        rows=np.full(len(targets), float(len(features))),
        allowed=allowed,
        tolerance=np.full(len(targets), 1e-9),
    )


@pytest.mark.parametrize("shared", [True, False])
def test_steps_come_near_the_optimum_and_keep_to_what_is_allowed(shared: bool) -> None:
    rng = np.random.default_rng(3)
    features, targets = rng.normal(size=(8, 6)), rng.normal(size=(5, 8))
    allowed = np.ones((5, 6), dtype=bool)
    allowed[0, 2] = allowed[1, :3] = False
    found = fit_simplex_by_steps(batch(features, targets, 4.0, allowed, shared))
    assert (found[~allowed] == 0).all()
    for weights, target, may in zip(found, targets, allowed, strict=True):
        best = fit_simplex(features[:, may], target, ridge=4.0)
        assert objective(features, target, 4.0, weights) == pytest.approx(
            objective(features[:, may], target, 4.0, best), rel=1e-4
        )


def test_steps_of_a_batch_are_those_of_each_problem_alone() -> None:
    rng = np.random.default_rng(4)
    features, targets = rng.normal(size=(7, 9)), rng.normal(size=(6, 7))
    allowed = np.ones((6, 9), dtype=bool)
    together = fit_simplex_by_steps(batch(features, targets, 1.0, allowed, True))
    for i in range(6):
        alone = fit_simplex_by_steps(batch(features, targets[i : i + 1], 1.0, allowed[:1], True))
        assert together[i] == pytest.approx(alone[0], abs=TIGHT)


def test_augmented_weights_by_the_formula() -> None:
    rng = np.random.default_rng(5)
    donors, aim = rng.normal(size=(7, 5)), 2 + rng.normal(size=5)
    weights, ridge = fit_augmented(donors, aim, ridge=1.5)
    centred, gap = donors - donors.mean(axis=0), aim - donors.mean(axis=0)
    base = fit_simplex(centred.T, gap)
    left = gap - base @ centred
    by_hand = base + left @ np.linalg.inv(centred.T @ centred + 1.5 * np.eye(5)) @ centred.T
    assert ridge == 1.5
    assert weights == pytest.approx(by_hand, abs=TIGHT)
    assert weights.sum() == pytest.approx(1)


def test_a_large_ridge_leaves_the_synthetic_control_and_a_small_one_fits_the_path() -> None:
    rng = np.random.default_rng(6)
    donors, aim = rng.normal(size=(9, 4)), 3 + rng.normal(size=4)
    plain = fit_simplex(donors.T, aim)
    assert fit_augmented(donors, aim, ridge=1e12)[0] == pytest.approx(plain, abs=1e-6)
    assert fit_augmented(donors, aim, ridge=1e-9)[0] @ donors == pytest.approx(aim, abs=1e-6)


def test_the_ridge_is_chosen_among_those_of_the_data_whatever_the_unit() -> None:
    rng = np.random.default_rng(7)
    donors = rng.normal(size=(9, 6)).cumsum(axis=1)
    aim = donors[:3].mean(axis=0) + 1 + 0.1 * rng.normal(size=6)
    weights, ridge = fit_augmented(donors, aim, ridge=None)
    scaled, scaled_ridge = fit_augmented(1000 * donors, 1000 * aim, ridge=None)
    assert scaled_ridge == pytest.approx(1e6 * ridge)
    assert scaled == pytest.approx(weights, abs=1e-6)


def test_predictors_are_matched_and_ties_go_to_the_path_that_fits() -> None:
    rng = np.random.default_rng(8)
    paths = rng.normal(size=(12, 10)).cumsum(axis=1)
    predictors = rng.normal(size=(12, 2))
    true = np.zeros(12)
    true[[1, 4, 7]] = 0.5, 0.3, 0.2
    found = fit_predictors(predictors, true @ predictors, paths, true @ paths, starts=3, seed=1)
    # many weights match two predictors; only one of them matches the path as well
    assert found.weights == pytest.approx(true, abs=1e-4)
    assert found.losses.min() < 1e-6
    assert found.importance.sum() == pytest.approx(1)
    assert len(found.losses) == 3


def test_the_best_of_several_starts_is_never_worse_than_the_first() -> None:
    rng = np.random.default_rng(9)
    paths, predictors = rng.normal(size=(8, 12)), rng.normal(size=(8, 3))
    aim, path = 2 + rng.normal(size=3), rng.normal(size=12)
    one, many = (fit_predictors(predictors, aim, paths, path, starts=s, seed=1) for s in (1, 6))
    assert many.losses.min() <= one.losses.min() + TIGHT
    assert ((path - many.weights @ paths) ** 2).mean() == pytest.approx(many.losses.min())


def test_rank_counts_equal_placebos_before_the_effect() -> None:
    assert rank_among(-3.0, np.array([1.0, 3.0, -5.0, 2.0])) == (3, 0.6)
    assert rank_among(9.0, np.array([1.0, 3.0, -5.0, 2.0])) == (1, 0.2)


@pytest.mark.parametrize(("n", "level"), [(19, 0.95), (38, 0.95), (39, 0.95), (59, 0.9), (9, 0.9)])
def test_inverting_the_rank_gives_exactly_the_values_not_rejected(n: int, level: float) -> None:
    placebos = np.random.default_rng(n).normal(size=n)
    half = half_width(placebos, level)
    assert half is not None
    alpha = 1 - level
    for size, kept in ((half * (1 - 1e-6), True), (half * (1 + 1e-6), False)):
        p = rank_among(size, placebos)[1]
        assert (p > alpha + 1e-12) is kept


@pytest.mark.parametrize(("n", "level"), [(18, 0.95), (8, 0.9), (11, 0.95)])
def test_too_few_placebos_exclude_nothing(n: int, level: float) -> None:
    assert half_width(np.arange(1.0, n + 1), level) is None
