"""Assignments of dates are complete, distinct and without the observed one; p values count ties and the observed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qbase.stats import (
    attainable_p,
    exchanged_places,
    inverted_limits,
    list_assignments,
    permutation_p,
    romano_wolf_p,
    sequential_p,
)


@pytest.mark.parametrize("labels", [[1, 0, 0, 2], [1, 1, 1, 0, 0, 0, 0], [3, 2, 3, 1, 0, 0], [5, 5, 5]])
def test_enumeration_is_every_distinct_order_but_the_observed(labels: list[int]) -> None:
    found = list_assignments(labels)
    every = set(itertools.permutations(labels))
    assert {tuple(row) for row in found.rows} == every - {tuple(labels)}
    assert len(found.rows) == len(every) - 1 == found.n_possible - 1
    assert found.is_complete
    assert found.smallest_p == 1 / len(every)


def test_draws_are_distinct_seeded_and_never_the_observed() -> None:
    labels = np.repeat([0, 1, 2], [9, 2, 3])
    found = list_assignments(labels, draws=500, limit=1_000, seed=3)
    assert found.n_possible == 20_020
    assert not found.is_complete
    assert len({row.tobytes() for row in found.rows} | {labels.tobytes()}) == 501
    assert (np.sort(found.rows, axis=1) == np.sort(labels)).all()
    assert np.array_equal(found.rows, list_assignments(labels, draws=500, limit=1_000, seed=3).rows)


def test_places_bring_the_assignment_about_and_move_nobody_needlessly() -> None:
    labels = np.array([4, 0, 7, 0, 4, 0])
    rows = list_assignments(labels).rows
    places = exchanged_places(labels, rows)
    assert (np.sort(places, axis=1) == np.arange(6)).all()
    assert (np.take_along_axis(rows, places, axis=1) == labels).all()
    assert ((places == np.arange(6)) == (rows == labels)).all()


def test_p_counts_ties_and_missing_statistics_against_the_observed() -> None:
    assert permutation_p(2.0, [1.0, 2.0, 2.0 * (1 - 1e-12), np.nan]) == 4 / 5
    assert permutation_p(2.0, np.zeros(199)) == 1 / 200


def test_the_floor_of_mirrored_assignments_is_that_of_two() -> None:
    values = np.array([3.0, -1, 2, -2.5])
    rows = list_assignments([1, 1, 0, 0]).rows
    statistics = [abs(values[r == 1].mean() - values[r == 0].mean()) for r in rows]
    assert attainable_p(abs(values[:2].mean() - values[2:].mean()), statistics) == 2 / 6


def test_sequential_p_stops_after_ten_hits() -> None:
    draws = iter([True] * 10 + [False] * 500)
    assert sequential_p(draws) == 1.0
    assert next(draws) is False  # the eleventh draw was not made


def test_sequential_p_is_uniform_enough() -> None:
    rng = np.random.default_rng(5)
    p = np.array([sequential_p(iter(rng.random(199) < u)) for u in rng.random(4_000)])
    # a p value of u draws exceeding with chance u is uniform: 2.5 Monte-Carlo errors of 4,000 draws
    for level in (0.05, 0.1, 0.5):
        assert abs((p <= level).mean() - level) < 2.5 * np.sqrt(level * (1 - level) / 4_000)


@pytest.mark.parametrize("kind", ["between", "at one"])
def test_limits_without_search_are_those_of_a_search(kind: str) -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=99)
    b = (
        rng.uniform(-1, 1, 99)
        if kind == "between"
        else rng.choice([-1, -0.5, 0, 0.3, 1.0], 99, p=[0.02, 0.3, 0.3, 0.36, 0.02])
    )
    low, high = inverted_limits(a, b, level=0.8)
    x = np.linspace(-20, 20, 40_001) + 1e-7
    kept = x[(1 + (np.abs(a[:, None] + b[:, None] * x) >= np.abs(x)).sum(axis=0)) / 100 > 0.2 + 1e-9]
    assert (low, high) == (pytest.approx(kept.min(), abs=2e-3), pytest.approx(kept.max(), abs=2e-3))


def test_too_few_draws_have_no_limits() -> None:
    assert inverted_limits(np.arange(11.0), np.zeros(11), level=0.95) == (-np.inf, np.inf)


def test_step_down_of_one_statistic_is_its_own_p_value() -> None:
    drawn = np.abs(np.random.default_rng(0).standard_normal((199, 1)))
    assert romano_wolf_p([1.5], drawn)[0] == permutation_p(1.5, drawn[:, 0])
