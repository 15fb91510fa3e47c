"""EWMA and CUSUM over a whole series: one limit, unequal n, gaps, and the family with the test of a lasting change."""

from __future__ import annotations

import numpy as np
import pytest

from qbase.stats import (
    cusum_paths,
    ewma_chart,
    judge_together,
    memory_chance,
    memory_chart,
    memory_limit,
    scan_changes,
    scan_power,
)

KINDS = ("ewma", "cusum")
T = 40


def quiet(seed: int, size: int, p: float = 0.9, rho: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.integers(4, 31, (size, T)).astype(float)
    share = rng.beta(p * (1 - rho) / rho, (1 - p) * (1 - rho) / rho, n.shape) if rho else np.full(n.shape, p)
    return rng.binomial(n.astype(int), share) / n, n


def test_paths_are_those_of_the_usual_charts_of_standardised_values() -> None:
    value, n = quiet(1, 5)
    mean = (n * value).sum(axis=1, keepdims=True) / n.sum(axis=1, keepdims=True)
    spread = np.sqrt((n * (value - mean) ** 2).sum(axis=1, keepdims=True) / (T - 1))
    z = np.sqrt(n) * (value - mean) / spread
    plain = ewma_chart(z, weight=0.2)
    assert memory_chart(value, n).upper == pytest.approx(plain.z, abs=1e-9)
    upper, lower = cusum_paths(z, slack=0.5)
    sums = memory_chart(value, n, kind="cusum")
    assert sums.upper == pytest.approx(upper)
    assert sums.lower == pytest.approx(-lower)


@pytest.mark.parametrize("kind", KINDS)
def test_a_quiet_normal_series_crosses_its_limit_in_one_of_twenty_and_the_usual_one_far_more_often(kind: str) -> None:
    value = np.random.default_rng(2).normal(50, 3, (4000, T))
    chart = memory_chart(value, kind=kind)
    # four standard errors of 5 % in 4,000
    assert chart.fired.any(axis=1).mean() == pytest.approx(0.05, abs=0.014)
    assert memory_limit(T, kind=kind, alpha=0.01) > memory_limit(T, kind=kind) > memory_limit(12, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_the_chance_of_a_path_is_right_for_small_n_and_over_dispersion(kind: str, rho: float) -> None:
    value, n = quiet(3, 300, 0.95, rho)
    p = memory_chance(value, n, kind=kind, draws=199)
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.1)


def test_gaps_leave_a_path_where_it_was_and_series_that_do_not_vary_never_fire() -> None:
    value = np.array([[9.0, 8, np.nan, 9, 5, np.nan, 5, 6, 5, 9], [7.0] * 10])
    for kind in KINDS:
        chart = memory_chart(value, kind=kind)
        assert chart.upper[0, 2] == chart.upper[0, 1]
        assert not chart.fired[0, [2, 5]].any()
        assert not chart.fired[1].any()
        assert memory_chance(value, kind=kind)[1] == 1.0
    short = memory_chart(np.array([[1.0, 2, 9]]))
    assert np.isinf(short.limit[0])


@pytest.mark.parametrize("kind", KINDS)
def test_together_with_the_test_the_chance_of_a_false_alarm_stays_what_it_is(kind: str) -> None:
    value, n = quiet(5, 300)
    found = [judge_together(v, w, kind=kind, draws=199) for v, w in zip(value, n, strict=True)]
    family, alone = np.mean([f.p_value <= 0.05 for f in found]), np.mean([f.scan_p <= 0.05 for f in found])
    either = np.mean([min(f.scan_p, f.memory_p) <= 0.05 for f in found])
    assert family <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert either > max(family, alone), "two looks at 5 % each are more than 5 %"
    for f in found:
        assert f.p_value >= min(f.scan_p, f.memory_p) - 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_and_the_verdict_of_the_family_agree(kind: str) -> None:
    rng = np.random.default_rng(6)
    n = np.full(T, 20.0)
    for late in (35, 37, 38, 39):
        value = rng.binomial(20, np.where(np.arange(T) < late, 0.95, 0.5)) / 20
        found = judge_together(value, n, kind=kind)
        chart = memory_chart(value[None, :], n[None, :], kind=kind)
        height = np.maximum(np.abs(chart.upper), np.abs(chart.lower)).max()
        if height > found.limit:
            assert found.p_value <= 0.05
        assert found.scan_p == pytest.approx(scan_changes(value[None, :], n[None, :]).p_value[0], abs=0.002)


def test_values_all_alike_are_no_verdict() -> None:
    found = judge_together(np.full(12, 0.9), np.full(12, 10.0))
    assert (found.p_value, found.limit) == (1.0, float("inf"))


@pytest.mark.parametrize("step", [0.05, 0.1])
def test_the_power_told_is_about_what_a_simulation_finds(step: float) -> None:
    rng = np.random.default_rng(8)
    n = np.full((300, T), 17.0)
    value = rng.binomial(17, np.where(np.arange(T) < 20, 0.9, 0.9 - step), n.shape) / n
    found = float((scan_changes(value, n, draws=499).p_value <= 0.05).mean())
    still = rng.binomial(17, 0.9 - step / 2, (40, T)) / 17
    told = float(np.mean([scan_power(v, w, [step])[0] for v, w in zip(still, n, strict=False)]))
    assert told == pytest.approx(found, abs=0.12)
    assert scan_power(np.full(12, 0.9), np.full(12, 10.0), [0.1]) == [1.0]
