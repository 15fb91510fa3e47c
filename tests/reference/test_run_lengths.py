"""Charts with a memory against what is printed: run lengths of false alarms and of shifts, and worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from qbase.stats import cusum_paths, cusum_run_length, ewma_chart, ewma_run_length

# R package spc 0.6.7, two-sided: xcusum.arl(sided="two"), xewma.arl(sided="two"); oracles of the project
SPC_DIGITS = 6e-6

SHEWHART = {"cusum_pos": 1.7, "cusum_neg": 0.55, "ewma": 50.479732337610585, "ucl": 50.49988113420777}
"""Last upper sum, largest lower sum, last EWMA and its limit, in the unit of the values; of a run of shewhart 0.1.1."""

SHIFTS = (0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4)
# Hawkins (1993), as Montgomery (2013), Introduction to Statistical Quality Control, table 9.4: slack 1/2
CUSUM = {
    4.0: (168, 74.2, 26.6, 13.3, 8.38, 4.75, 3.34, 2.62, 2.19, 1.71),
    5.0: (465, 139, 38.0, 17.0, 10.4, 5.75, 4.01, 3.11, 2.57, 2.01),
}
# Lucas and Saccucci (1990), as Montgomery (2013), table 9.11: weight and limit of about 500 periods to a false alarm
EWMA = {
    (0.40, 3.054): (500, 224, 71.2, 28.4, 14.3, 5.9, 3.5, 2.5, 2.0, 1.4),
    (0.25, 2.998): (500, 170, 48.2, 20.1, 11.1, 5.5, 3.6, 2.7, 2.3, 1.7),
    (0.20, 2.962): (500, 150, 41.8, 18.2, 10.5, 5.5, 3.7, 2.9, 2.4, 1.9),
    (0.10, 2.814): (500, 106, 31.3, 15.9, 10.3, 6.1, 4.4, 3.4, 2.9, 2.2),
    (0.05, 2.615): (500, 84.1, 28.8, 16.4, 11.4, 7.1, 5.2, 4.2, 3.5, 2.7),
}
ROUNDED = 0.004
"""Three printed digits, some cut and not rounded; the tables of 1990 are of a Markov chain and differ in the last."""
LAST_DIGIT = 0.11


def test_run_lengths_of_false_alarms_are_those_of_r_spc() -> None:
    assert cusum_run_length(0.5, 4.0) == pytest.approx(167.68379, abs=SPC_DIGITS)
    assert ewma_run_length(0.1, 2.703) == pytest.approx(371.88775, abs=SPC_DIGITS)
    assert ewma_run_length(0.2, 3.0) == pytest.approx(559.87408, abs=1e-5)


@pytest.mark.parametrize("limit", CUSUM)
def test_run_lengths_of_a_cusum_are_those_of_the_table(limit: float) -> None:
    found = [cusum_run_length(0.5, limit, shift=d) for d in SHIFTS]
    assert found == pytest.approx(CUSUM[limit], rel=ROUNDED)


@pytest.mark.parametrize("chart", EWMA)
def test_run_lengths_of_an_ewma_are_those_of_the_table(chart: tuple[float, float]) -> None:
    found = [ewma_run_length(*chart, shift=d) for d in SHIFTS]
    assert found == pytest.approx(EWMA[chart], rel=ROUNDED, abs=LAST_DIGIT)


def test_run_lengths_are_what_a_simulation_counts() -> None:
    """4,000 runs of independent normals with a shift of one standard error, all found within 200 periods."""
    z = np.random.default_rng(4).standard_normal((4000, 200)) + 1.0
    upper, lower = cusum_paths(z)
    first = (np.maximum(upper, lower) > 4.0).argmax(axis=1) + 1
    assert first.mean() == pytest.approx(cusum_run_length(0.5, 4.0, shift=1.0), abs=4 * first.std() / np.sqrt(4000))


def test_the_cusum_of_the_textbook() -> None:
    """Montgomery (2013), example 9.1: target 10, slack 1/2; the upper sum of period 29 is 5.28, beyond 5."""
    x = [
        9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34, 9.03, 11.47, 10.51, 9.40, 10.08, 9.37, 10.62,
        10.31, 8.52, 10.84, 10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52,
    ]  # fmt: skip
    upper, _ = cusum_paths(np.array([x]) - 10)
    assert upper[0, 28] == pytest.approx(5.28, abs=1e-9)
    assert np.flatnonzero(upper[0] > 5).tolist() == [28, 29]
    assert int(np.flatnonzero(upper[0] == 0)[-1]) == 21, "the sum sets out after period 22: seven periods to the alarm"


def test_both_charts_are_those_of_an_independent_package() -> None:
    """shewhart 0.1.1: cusum and ewma with center=50.2, sigma=0.3, other options left alone."""
    x = [50.1, 49.8, 50.0, 50.2, 49.9, 50.1, 49.9, 50.0, 50.2, 49.8, 50.6, 50.5, 50.7, 50.6, 50.8, 50.6]
    z = (np.array([x]) - 50.2) / 0.3
    upper, lower = cusum_paths(z)
    assert 0.3 * upper[0, -1] == pytest.approx(SHEWHART["cusum_pos"], abs=1e-9)
    assert 0.3 * lower[0].max() == pytest.approx(SHEWHART["cusum_neg"], abs=1e-9)
    chart = ewma_chart(z)
    assert 50.2 + 0.3 * chart.value[0, -1] == pytest.approx(SHEWHART["ewma"], abs=1e-9)
    assert 50.2 + 0.3 * chart.high[0, -1] == pytest.approx(SHEWHART["ucl"], abs=1e-9)
