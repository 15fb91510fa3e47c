"""Small areas and shrinkage: what is refused, what happens at the edges, whether intervals keep their word."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import DataError
from qbase.indicators import estimate_small_areas, fit_beta_binomial, shrink_rates
from qbase.stats.rates.shrinkage import stein_factor

AREAS = 30


def make_areas(rng: np.random.Generator, sd: float) -> tuple[np.ndarray, pd.Series, np.ndarray, pd.DataFrame]:
    x = pd.DataFrame({"intercept": 1.0, "training_share": rng.random(AREAS)})
    error = rng.uniform(0.5, 2.0, AREAS)
    truth = 85 + 8 * x["training_share"].to_numpy() + rng.normal(0, sd, AREAS)
    return truth, pd.Series(truth + rng.normal(0, error)), error, x


def test_small_areas_cover_and_are_nearer_than_direct_estimates():
    rng = np.random.default_rng(20220810)
    covered, gain = [], []
    for _ in range(150):
        truth, direct, error, x = make_areas(rng, 1.0)
        found = estimate_small_areas(direct, error, x).areas
        covered.append(((found["low"] <= truth) & (truth <= found["high"])).mean())
        gain.append(((found["value"] - truth) ** 2).mean() / ((direct - truth) ** 2).mean())
    assert np.mean(covered) > 0.93
    assert np.mean(gain) < 0.75


def test_areas_that_differ_by_covariates_alone_take_the_synthetic_value():
    x = pd.DataFrame({"intercept": 1.0, "share": np.linspace(0, 1, 12)})
    direct = 90 + 5 * x["share"]
    found = estimate_small_areas(direct, np.full(12, 2.0), x)
    assert found.variance == 0
    assert found.areas["weight"].eq(0).all()
    assert found.areas["std_error"].gt(0).all()
    assert found.areas["value"].to_numpy() == pytest.approx(direct.to_numpy())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"std_error": 0.0}, "standard error of 0"),
        ({"direct": np.nan}, "missing values"),
        ({"copy": True}, "collinear"),
    ],
)
def test_unusable_small_areas_are_refused(change, words):
    _, direct, error, x = make_areas(np.random.default_rng(1), 1.0)
    if "std_error" in change:
        error[3] = 0.0
    if "direct" in change:
        direct.iloc[3] = np.nan
    if "copy" in change:
        x = x.assign(again=2 * x["training_share"])
    with pytest.raises(DataError, match="QB434") as caught:
        estimate_small_areas(direct, error, x)
    assert words in caught.value.what_en


@pytest.mark.parametrize(
    ("passed", "tested"), [([1, 2, 3], [5, 5, 5]), ([6, 1, 1, 1], [5, 5, 5, 5]), ([0] * 4, [0] * 4)]
)
def test_unusable_counts_are_refused(passed, tested):
    with pytest.raises(DataError, match="QB435"):
        shrink_rates(passed, tested)
    with pytest.raises(DataError, match="QB435"):
        fit_beta_binomial(passed, tested)


def test_steins_rule_needs_values_that_vary():
    assert stein_factor([1.0, 1.0, 1.0, 1.0], 1.0) == 1.0
    with pytest.raises(DataError, match="QB435"):
        stein_factor([1.0, 2.0, 3.0], 1.0)


def test_an_entity_without_tests_takes_the_common_mean_with_the_widest_interval():
    shrunk = shrink_rates([9, 8, 10, 7, 9, 0], [10, 10, 10, 10, 10, 0])
    assert shrunk["weight"].iloc[-1] == 0
    assert shrunk["value"].iloc[-1] == pytest.approx(0.85, abs=0.05)
    assert (shrunk["high"] - shrunk["low"]).idxmax() == 5


def test_intervals_across_clusters_cover_when_few_and_when_everything_passes():
    rng = np.random.default_rng(5)
    inside, perfect = [], []
    for _ in range(60):
        truth = rng.beta(12, 1.2, 8)
        k = rng.binomial(8, truth)
        found = shrink_rates(k, np.full(8, 8))
        hit = (found["low"].to_numpy() <= truth) & (truth <= found["high"].to_numpy())
        inside.append(hit)
        perfect.append(hit[k == 8])
    assert np.mean(inside) > 0.93
    assert np.concatenate(perfect).mean() > 0.93
