"""Repeated looks: published boundaries, and forty looks that together raise a false alarm in at most 5 %."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qbase.stats import decision_bounds, decision_levels, spent_alpha

# two-sided .05, O'Brien-Fleming-type spending, equal steps (Reboussin, DeMets, Kim and Lan 2000, and gsDesign's sfLDOF)
PUBLISHED = {
    2: [2.9626, 1.9686],
    3: [3.7103, 2.5114, 1.9930],
    4: [4.3326, 2.9631, 2.3590, 2.0141],
    5: [4.8769, 3.3569, 2.6803, 2.2898, 2.0310],
}


@pytest.mark.parametrize(("looks", "bounds"), PUBLISHED.items())
def test_the_published_boundaries_are_reproduced(looks: int, bounds: list[float]) -> None:
    assert decision_bounds(np.arange(1, looks + 1) / looks) == pytest.approx(bounds, abs=2e-4)


def test_one_look_is_the_ordinary_test() -> None:
    assert decision_bounds([1.0]) == pytest.approx([1.959964], abs=1e-6)
    assert decision_levels(1) == pytest.approx([0.95])


def test_all_of_the_level_is_spent_at_the_end_and_never_more() -> None:
    spent = [spent_alpha(t) for t in np.linspace(0.05, 1, 20)]
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx(0.05)


def test_forty_looks_raise_a_false_alarm_in_at_most_five_percent_at_the_declared_dates() -> None:
    looks, every = 40, 4
    steps = np.random.default_rng(20220810).normal(size=(40_000, looks))
    z = steps.cumsum(axis=1) / np.sqrt(np.arange(1, looks + 1))
    declared = z[:, every - 1 :: every]
    bounds = decision_bounds(np.arange(1, 11) / 10)
    alarms = (np.abs(declared) > bounds).any(axis=1).mean()
    error = np.sqrt(0.05 * 0.95 / len(z))
    assert alarms <= 0.05 + 3 * error
    assert alarms >= 0.05 - 3 * error
    # what every look as a decision would do
    assert (np.abs(z) > 1.96).any(axis=1).mean() == pytest.approx(0.30, abs=0.01)


def test_levels_are_those_of_the_bounds() -> None:
    bounds = decision_bounds(np.arange(1, 5) / 4)
    assert decision_levels(4) == pytest.approx(1 - 2 * stats.norm.sf(bounds))


def test_uneven_dates_spend_by_information() -> None:
    bounds = decision_bounds([0.5, 0.9, 1.0])
    steps = np.random.default_rng(4).normal(size=(60_000, 3)) * np.sqrt(np.diff([0, 0.5, 0.9, 1.0]))
    z = steps.cumsum(axis=1) / np.sqrt([0.5, 0.9, 1.0])
    assert (np.abs(z) > bounds).any(axis=1).mean() == pytest.approx(0.05, abs=0.003)
