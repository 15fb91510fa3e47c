"""Control limits and rules: published charts, a series at a time as a second route, gaps, phases, order."""

from __future__ import annotations

import itertools
import json
import math
import pathlib

import numpy as np
import pandas as pd
import pytest

from qbase.stats import (
    cusum_paths,
    ewma_chart,
    find_signals,
    laney_chart,
    p_chart,
    xmr_chart,
)

# NIST/SEMATECH e-Handbook 6.3.2.4: target 50, s 2.0539, lambda .3
NIST = [52.0, 47, 53, 49.3, 50.1, 47, 51, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
NIST_EWMA = [
    50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33, 50.11, 49.36, 49.52, 50.05, 49.38, 49.92,
    50.73, 51.23, 51.94, 51.99,
]  # fmt: skip


def test_the_accident_departments_of_the_nhs(shared_data: pathlib.Path):
    """qicharts2 0.8.1 on Mohammed et al. (2013): 16 of 20 weeks outside a p chart, none outside Laney's."""
    data = pd.read_csv(shared_data / "fixtures" / "nhs_accidents.csv")
    wanted = json.loads((shared_data / "fixtures" / "reference_numbers.json").read_text("utf-8"))
    assert "10.64" in json.dumps(wanted)
    k, n = (data[c].to_numpy(dtype=float)[None, :] for c in ("r", "n"))
    plain, laney = p_chart(k, n), laney_chart(k, n)
    assert plain.centre[0, 0] == pytest.approx(0.952900, abs=5e-7)
    assert laney.sigma_z[0, 0] == pytest.approx(10.640422, abs=5e-7)
    assert int((np.abs(plain.z) > 3).sum()) == 16
    assert int((np.abs(laney.z) > 3).sum()) == 0


def test_the_ewma_of_the_handbook():
    chart = ewma_chart((np.array([NIST]) - 50) / 2.0539, weight=0.3)
    assert 50 + 2.0539 * chart.value[0] == pytest.approx(NIST_EWMA, abs=0.0051)
    assert 50 + 2.0539 * chart.high[0, -1] == pytest.approx(52.5884, abs=5e-4)


def draw(seed: int, series: int = 30, periods: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.poisson(9, (series, periods)).astype(float) * (rng.random((series, periods)) > 0.15)
    k = rng.binomial(n.astype(int), 0.9).astype(float)
    phases = np.repeat([0, 1, 2], [9, 3, periods - 12])
    return k, n, phases


def one_series(k: np.ndarray, n: np.ndarray, phases: np.ndarray) -> tuple[list[float], list[float]]:
    """Return z of a Laney chart and its factor, written out for one series."""
    z, factor = [math.nan] * len(k), [1.0] * len(k)
    for phase in dict.fromkeys(phases.tolist()):
        at = [t for t in range(len(k)) if phases[t] == phase and n[t] > 0]
        centre = sum(k[t] for t in at) / max(sum(n[t] for t in at), 1)
        scores = []
        for t in at:
            error = math.sqrt(centre * (1 - centre) / n[t])
            scores.append((k[t] / n[t] - centre) / error if error > 0 else 0.0)
        steps = [abs(a - b) for a, b in zip(scores[1:], scores, strict=False)]
        moved = sum(steps) / len(steps) / 1.128 if steps else 0.0
        for t, score in zip(at, scores, strict=True):
            factor[t] = moved if moved > 0 else 1.0
            z[t] = score / factor[t]
    return z, factor


@pytest.mark.parametrize("seed", range(4))
def test_many_series_at_once_are_each_series_alone(seed: int):
    k, n, phases = draw(seed)
    chart = laney_chart(k, n, phases=phases)
    for i in range(len(k)):
        z, factor = one_series(k[i], n[i], phases)
        assert chart.z[i] == pytest.approx(z, nan_ok=True)
        known = n[i] > 0
        assert chart.sigma_z[i][known] == pytest.approx(np.array(factor)[known])
    assert (chart.low[n > 0] >= 0).all()
    assert (chart.high[n > 0] <= 1).all()


def rules_alone(z: list[float], value: list[float], phases: list[int]) -> dict[str, set[int]]:
    """Return the points of each pattern, found by looking at every window of one series."""
    at = [t for t in range(len(z)) if not math.isnan(z[t])]
    found: dict[str, set[int]] = {r: set() for r in ("beyond", "two_of_three", "shift", "trend")}
    found["beyond"] = {t for t in at if abs(z[t]) > 3}
    for i in range(len(at)):
        for size, rule in ((8, "shift"), (6, "trend")):
            window = at[i : i + size]
            if len(window) < size or len({phases[t] for t in window}) > 1:
                continue
            steps = [value[b] - value[a] for a, b in itertools.pairwise(window)]
            side = [z[t] for t in window] if rule == "shift" else steps
            if all(s > 0 for s in side) or all(s < 0 for s in side):
                found[rule] |= set(window)
        for gap in (1, 2):
            pair = at[i : i + gap + 1 : gap]
            if len(pair) == 2 and phases[pair[0]] == phases[pair[1]]:
                a, b = z[pair[0]], z[pair[1]]
                if (a > 2 and b > 2) or (a < -2 and b < -2):
                    found["two_of_three"] |= set(pair)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_rules_find_what_looking_at_every_window_finds(seed: int):
    rng = np.random.default_rng(seed)
    z = np.cumsum(rng.normal(0, 0.9, (40, 30)), axis=1) * 0.5 + rng.normal(0, 0.4, (40, 30))
    z[rng.random(z.shape) < 0.1] = np.nan
    phases = np.repeat([0, 1], [17, 13])
    found = find_signals(z, z, phases=phases)
    for i in range(len(z)):
        alone = rules_alone(z[i].tolist(), z[i].tolist(), phases.tolist())
        for rule, points in alone.items():
            assert set(np.flatnonzero(found[rule][i]).tolist()) == points, (i, rule)


def test_the_order_of_series_changes_nothing_and_gaps_are_passed_over():
    k, n, phases = draw(9)
    order = np.random.default_rng(1).permutation(len(k))
    here, there = laney_chart(k, n, phases=phases), laney_chart(k[order], n[order], phases=phases)
    assert np.array_equal(here.z[order], there.z, equal_nan=True)
    gap = np.array([[0.5] * 4 + [math.nan] * 3 + [0.5] * 4])
    assert find_signals(gap, gap)["shift"].sum() == 8


def test_a_series_that_always_passed_has_no_limits_to_cross():
    n = np.full((1, 12), 6.0)
    chart = laney_chart(n, n)
    assert (chart.z == 0).all()
    assert (chart.low == 1).all()
    assert not any(found.any() for found in find_signals(chart.z, chart.value).values())


def test_quiet_charts_give_few_alarms_and_a_shift_is_seen():
    """Independent normals: 24 points beyond 3 in .065 of charts, a run of 8 in .055 to .07; a shift of 2 is found."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(20_000, 24))
    found = find_signals(z, z)
    assert 0.05 < found["beyond"].any(axis=1).mean() < 0.08
    assert 0.04 < found["shift"].any(axis=1).mean() < 0.08
    moved = z + np.where(np.arange(24) < 12, 0.0, 2.0)
    upper, _ = cusum_paths(moved)
    assert (upper[:, -1] > 4).mean() > 0.95
    assert (cusum_paths(z)[0].max(axis=1) > 4).mean() < 0.2


def test_single_values_take_their_own_moving_range():
    chart = xmr_chart(np.array([[10.0, math.nan, 12.0, 11.0, 13.0, 9.0]]))
    assert chart.centre[0, 0] == 11.0
    assert chart.high[0, 0] == pytest.approx(11 + 3 * (2 + 1 + 2 + 4) / 4 / 1.128)
    assert chart.n_points[0, 0] == 5
