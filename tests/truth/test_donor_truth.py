"""Rank among placebos on draws without an effect: as rare as it says, and the effect is found where there is one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from qbase.core import Indicator, Panel, Policy, Result, Spell, Text
from qbase.effects import estimate_synthetic

DRAWS = 120
DONORS = 9
RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="index", better="up")
SURE = 0.001
"""Chance that a right method fails the test; the draws are fixed by seed."""


def estimate(rng: np.random.Generator, method: str, effect: float) -> Result:
    """Two common factors, levels and noise for ten clusters; the first is treated from the thirteenth period on."""
    load, level = rng.uniform(size=(DONORS + 1, 2)), 80 + rng.normal(0, 3, size=(DONORS + 1, 1))
    y = level + load @ rng.normal(size=(2, 18)).cumsum(axis=1) + rng.normal(0, 1, size=(DONORS + 1, 18))
    y[0, 12:] += effect
    index = pd.MultiIndex.from_product(
        [[f"K{i}" for i in range(DONORS + 1)], pd.period_range("2000", periods=18, freq="Y")],
        names=["entity", "period"],
    )
    panel = Panel(
        data=pd.DataFrame({"rate": y.ravel()}, index=index), entity="cluster_id", freq="A", indicators={"rate": RATE}
    )
    policy = Policy(policy_id="p", title=Text("试点", "Pilot"), spells=(Spell(entity="K0", start="2012"),))
    return estimate_synthetic(panel, policy, "rate", method=method)


@pytest.mark.parametrize("method", ["sdid", "sc"])
def test_the_smallest_p_is_as_rare_as_it_says_and_common_with_an_effect(method: str) -> None:
    rng = np.random.default_rng(11)
    none = [estimate(rng, method, 0.0)["att"] for _ in range(DRAWS)]
    first = sum(e.p_value == e.p_floor for e in none)
    low, high = stats.binom.ppf([SURE / 2, 1 - SURE / 2], DRAWS, 1 / (DONORS + 1))
    assert low <= first <= high
    middle = np.mean([e.p_value for e in none])
    assert middle == pytest.approx(0.55, abs=4 * 0.29 / np.sqrt(DRAWS))
    error = np.std([e.value for e in none]) / np.sqrt(DRAWS)
    assert np.mean([e.value for e in none]) == pytest.approx(0.0, abs=4 * error)
    some = [estimate(rng, method, 6.0)["att"] for _ in range(30)]
    assert np.mean([e.value for e in some]) == pytest.approx(6.0, abs=4 * np.std([e.value for e in some]) / np.sqrt(30))
    assert sum(e.p_value == e.p_floor for e in some) >= 24
