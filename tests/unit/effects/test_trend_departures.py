"""Departures from parallel trends as a check, and what a test of the leads can see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core import Estimate, Indicator, Result, Text
from qbase.effects import breakdown_value, check_trend_departures
from qbase.effects.doubt.lead_power import normal_slope, placebo_slope
from qbase.effects.doubt.path_statistics import quadratic_f
from qbase.stats.testing.adoption_permutations import permutation_p

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
BETA = np.array([0.3, -0.2, 4.0, 5.2])
VCOV = 0.25 * (np.eye(4) + 1)


def result_of(beta: np.ndarray, vcov: np.ndarray, times: list[int], base: dict[str, object], *, n: int = 8) -> Result:
    estimates = [Estimate(term="att", value=5.0, std_error=1.0, ci_low=3.0, ci_high=7.0, n_treated=n)]
    for t, value in zip(times, beta, strict=True):
        low, high = float(value) - 1, float(value) + 1
        estimates.append(
            Estimate(term="event", key={"event_time": t}, value=float(value), ci_low=low, ci_high=high, n_treated=n)
        )
    names = [f"event[{t}]" for t in times]
    return Result(
        estimand="effect", outcome=RATE, unit="pp", method="imputation", estimates=tuple(estimates),
        subject=Text("集群", "clusters"), vcov=pd.DataFrame(vcov, index=names, columns=names), settings=base,
    )  # fmt: skip


UNIVERSAL = {"base": -1, "base_kind": "universal"}


def test_the_breakdown_value_is_that_of_the_coefficients() -> None:
    check = check_trend_departures(result_of(BETA, VCOV, [-3, -2, 0, 1], UNIVERSAL))
    right = breakdown_value(BETA, VCOV, n_pre=2, weights=[0.5, 0.5])
    assert check.table["breakdown"][0] == pytest.approx(right)
    assert check.passed is (True if right >= 1 else None)
    assert f"{right:.2f} times" in check.text.en
    assert f"{right:.2f} 倍" in check.text.zh


def test_an_average_base_tells_the_same_as_the_last_period_before() -> None:
    # five coefficients with the base at 0, then all of them relative to the average of the three before
    full = np.insert(BETA, 2, 0.0)
    spread = np.insert(np.insert(VCOV, 2, 0.0, axis=0), 2, 0.0, axis=1)
    shift = np.eye(5) - np.outer(np.ones(5), [1 / 3, 1 / 3, 1 / 3, 0, 0])
    averaged = result_of(shift @ full, shift @ spread @ shift.T, [-3, -2, -1, 0, 1], {"base": "average before"})
    one = check_trend_departures(averaged)
    two = check_trend_departures(result_of(BETA, VCOV, [-3, -2, 0, 1], UNIVERSAL))
    assert one.table["breakdown"][0] == pytest.approx(two.table["breakdown"][0], rel=1e-6)


def test_an_interval_over_zero_has_no_sign_to_lose() -> None:
    check = check_trend_departures(result_of(BETA * 0.1, VCOV, [-3, -2, 0, 1], UNIVERSAL))
    assert check.passed is None
    assert check.table["breakdown"][0] == 0
    assert check.text.en.startswith("No sign to lose")


@pytest.mark.parametrize(
    ("times", "base", "n", "why"),
    [
        ([-3, -2, 0, 1], UNIVERSAL, 3, "unreliable"),
        ([-3, -2, 0, 1], {"base": -1, "base_kind": "varying"}, 8, "no base in common"),
        ([-4, -2, 0, 1], UNIVERSAL, 8, "unbroken"),
        ([-3, -2, 0, 2], UNIVERSAL, 8, "unbroken"),
    ],
)
def test_where_it_cannot_be_made_it_says_why(times: list[int], base: dict[str, object], n: int, why: str) -> None:
    check = check_trend_departures(result_of(BETA, VCOV, times, base, n=n))
    assert check.passed is None
    assert why in check.text.en


def test_the_drift_that_is_said_to_be_found_is_found_so_often() -> None:
    rng = np.random.default_rng(20261129)
    root = np.linalg.cholesky(0.5 * np.eye(4) + 0.5)
    line = np.array([-4.0, -3.0, -2.0, -1.0])
    drawn = rng.standard_normal((499, 4)) @ root.T
    slope = placebo_slope(drawn, line)
    assert slope is not None
    hits = 0
    for noise in rng.standard_normal((300, 4)) @ root.T:
        found = quadratic_f(np.vstack([noise + slope * line, drawn]))
        hits += permutation_p(float(found[0]), found[1:]) <= 0.05
    assert 0.72 < hits / 300 < 0.88
    asymptotic = normal_slope(root @ root.T, line, df=2000)
    assert asymptotic == pytest.approx(slope, rel=0.1)


def test_leads_that_no_drift_moves_have_no_power() -> None:
    drawn = np.random.default_rng(1).standard_normal((99, 2))
    assert placebo_slope(drawn, np.zeros(2)) is None
    assert placebo_slope(drawn[:5], np.ones(2)) is None, "five placebos reject nothing"
    assert normal_slope(np.eye(2), np.zeros(2), df=50) is None
