"""Published intervals of proportions.

Newcombe, R. G. (1998a). Two-sided confidence intervals for the single proportion: comparison of seven methods.
Statistics in Medicine 17, 857-872, table I, method 3 (score without continuity correction).
Newcombe, R. G. (1998b). Interval estimation for the difference between independent proportions: comparison of eleven
methods. Statistics in Medicine 17, 873-890, table II, method 10 (score without continuity correction).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.stats import wilson_interval
from qbase.trends import estimate_change, estimate_level

PRINTED = 0.00005
"""Both papers print four decimals."""

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("合格率", "pass rate"), unit="pct", better="up")

WILSON = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
]


def make_panel(*tested: tuple[str, int, int]) -> Panel:
    frame = pd.DataFrame([("K1", q, n, k, 100 * k / n) for q, k, n in tested])
    frame.columns = pd.Index(["cluster_id", "quarter", f"{ID}__n", f"{ID}__k", ID])
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


@pytest.mark.parametrize(("k", "n", "low", "high"), WILSON)
def test_wilson_prints_what_newcombe_prints(k, n, low, high):
    rate = estimate_level(make_panel(("2024Q4", k, n)), ID)["rate"]
    assert rate.ci_low / 100 == pytest.approx(low, abs=PRINTED)
    assert rate.ci_high / 100 == pytest.approx(high, abs=PRINTED)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_that_of_statsmodels_to_the_last_bit(level):
    tested = np.repeat(np.arange(1.0, 200.0), 25)
    passed = np.floor(np.random.default_rng(7).random(len(tested)) * (tested + 1))
    low, high = wilson_interval(passed, tested, level=level)
    theirs = proportion_confint(passed, tested, alpha=1 - level, method="wilson")
    assert np.array_equal(low, np.where(passed == 0, 0.0, theirs[0]))
    assert np.array_equal(high, np.where(passed == tested, 1.0, theirs[1]))


@pytest.mark.parametrize(("k1", "n1", "k2", "n2", "low", "high"), NEWCOMBE)
def test_the_change_prints_what_newcombe_prints(k1, n1, k2, n2, low, high):
    change = estimate_change(make_panel(("2023Q4", k2, n2), ("2024Q4", k1, n1)), ID)["change"]
    assert change.value == pytest.approx(100 * (k1 / n1 - k2 / n2))
    assert change.ci_low / 100 == pytest.approx(low, abs=PRINTED)
    assert change.ci_high / 100 == pytest.approx(high, abs=PRINTED)
