"""Published numbers for intervals, shrinkage and small areas.

Newcombe, R. G. (1998). Two-sided confidence intervals for the single proportion. Statistics in Medicine 17, 857-872.
Brown, Cai and DasGupta (2001), Statistical Science 16, 101-133 (Jeffreys).
Gelman et al. (2014). Bayesian Data Analysis, 3rd ed., section 5.3: rat tumours (Tarone 1982). The maximum of the
likelihood agrees with R package VGAM 1.1-7, ``betabinomialff`` (2.341513, 14.114281).
Efron, B. and Morris, C. (1975). JASA 70, 311-319: batting averages of eighteen players, 1970.
Molina, I. and Marhuenda, Y. (2015). sae: an R package for small area estimation. The R Journal 7(1), 81-98: milk
expenditure of 43 areas (You and Chapman 2006), REML.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.indicators import clopper_pearson_interval, estimate_small_areas, fit_beta_binomial, jeffreys_interval
from qbase.stats.rates.shrinkage import Prior, shrink_rates, stein_factor

FOUR_DECIMALS = 0.00005

HITS = (18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7)
SEASON = (
    0.346, 0.298, 0.276, 0.222, 0.273, 0.270, 0.263, 0.210, 0.269, 0.230, 0.264, 0.256, 0.303, 0.264, 0.226, 0.286,
    0.316, 0.200,
)  # fmt: skip
AT_BATS = 45

MILK = (
    (1, 1.099, 0.163), (1, 1.075, 0.080), (1, 1.105, 0.083), (1, 0.628, 0.109), (1, 0.753, 0.119), (1, 0.981, 0.141),
    (1, 1.257, 0.202), (2, 1.095, 0.127), (2, 1.405, 0.168), (2, 1.356, 0.178), (2, 0.615, 0.100), (2, 1.460, 0.201),
    (2, 1.338, 0.148), (2, 0.854, 0.143), (3, 1.176, 0.149), (3, 1.111, 0.145), (3, 1.257, 0.135), (3, 1.430, 0.172),
    (3, 1.278, 0.137), (3, 1.292, 0.163), (3, 1.002, 0.125), (3, 1.183, 0.247), (3, 1.044, 0.140), (3, 1.267, 0.171),
    (3, 1.193, 0.106), (4, 0.791, 0.121), (4, 0.795, 0.121), (4, 0.759, 0.259), (4, 0.796, 0.106), (4, 0.565, 0.089),
    (4, 0.886, 0.225), (4, 0.952, 0.205), (4, 0.807, 0.119), (4, 0.582, 0.067), (4, 0.684, 0.106), (4, 0.787, 0.126),
    (4, 0.440, 0.092), (4, 0.759, 0.132), (4, 0.770, 0.100), (4, 0.800, 0.113), (4, 0.756, 0.083), (4, 0.865, 0.121),
    (4, 0.640, 0.129),
)  # fmt: skip
MILK_VARIANCE = 0.01855022
MILK_COEFFICIENTS = (
    (0.9681890, 0.06936208),
    (0.1327801, 0.10300072),
    (0.2269462, 0.09232981),
    (-0.2413011, 0.08161707),
)


def test_jeffreys_and_clopper_pearson_print_what_is_published():
    low, high = jeffreys_interval([81], [263])
    assert (low[0], high[0]) == pytest.approx((0.2545, 0.3656), abs=FOUR_DECIMALS)
    low, high = clopper_pearson_interval([81, 0], [263, 20])
    assert (low[0], high[0]) == pytest.approx((0.2527, 0.3676), abs=FOUR_DECIMALS)
    assert (low[1], high[1]) == pytest.approx((0.0, 0.1684), abs=FOUR_DECIMALS)


@pytest.fixture
def rats(shared_data):
    return pd.read_csv(shared_data / "fixtures" / "rat_tumor.csv")


@pytest.mark.shared
def test_rat_tumours_fit_as_published(rats):
    fit = fit_beta_binomial(rats["y"], rats["n"])
    assert fit.alpha == pytest.approx(2.3416, abs=FOUR_DECIMALS)
    assert fit.beta == pytest.approx(14.1148, abs=FOUR_DECIMALS)
    assert fit.shrink([4, 0, 16], [14, 20, 52]) == pytest.approx([0.208219, 0.064231, 0.267931], abs=2e-6)


@pytest.mark.shared
def test_the_posterior_mode_on_the_log_scale_is_the_books(rats):
    fit = fit_beta_binomial(rats["y"], rats["n"], prior="bda")
    assert np.log(fit.alpha / fit.beta) == pytest.approx(-1.786, abs=5e-4)
    assert np.log(fit.alpha + fit.beta) == pytest.approx(2.742, abs=5e-4)


@pytest.mark.shared
def test_intervals_that_know_their_doubt_are_wider_than_those_that_do_not(rats):
    from scipy.stats import beta

    fit = fit_beta_binomial(rats["y"], rats["n"])
    plug_in = beta.ppf(0.975, fit.alpha + rats["y"], fit.beta + rats["n"] - rats["y"]) - beta.ppf(
        0.025, fit.alpha + rats["y"], fit.beta + rats["n"] - rats["y"]
    )
    shrunk = shrink_rates(rats["y"], rats["n"])
    # Gelman et al., figure 5.4: medians and intervals of the 71 rates lie between about 0.02 and 0.4
    assert (shrunk["high"] - shrunk["low"]).mean() > plug_in.mean()
    assert shrunk["value"].between(0.04, 0.30).all()


def test_batting_averages_shrink_as_published():
    rate, season = np.array(HITS) / AT_BATS, np.array(SEASON)
    x = np.sqrt(AT_BATS) * np.arcsin(2 * rate - 1)
    factor = stein_factor(x, 1.0)
    assert factor == pytest.approx(0.791, abs=5e-4)
    shrunk = (np.sin((x.mean() + (1 - factor) * (x - x.mean())) / np.sqrt(AT_BATS)) + 1) / 2
    assert ((rate - season) ** 2).sum() == pytest.approx(0.0755, abs=FOUR_DECIMALS)
    assert ((shrunk - season) ** 2).sum() == pytest.approx(0.0216, abs=FOUR_DECIMALS)
    # the raw scale, as in domain.md: B .79, 0.0753 falls to 0.0214
    raw = stein_factor(rate, rate.mean() * (1 - rate.mean()) / AT_BATS)
    assert raw == pytest.approx(0.788, abs=5e-4)
    assert ((rate.mean() + (1 - raw) * (rate - rate.mean()) - season) ** 2).sum() == pytest.approx(0.0214, abs=1e-4)


def test_milk_expenditure_of_small_areas_is_as_published():
    milk = pd.DataFrame(MILK, columns=["area", "direct", "se"])
    x = pd.DataFrame({"intercept": 1.0, **{f"area{a}": (milk["area"] == a).astype(float) for a in (2, 3, 4)}})
    found = estimate_small_areas(milk["direct"], milk["se"], x)
    assert found.variance == pytest.approx(MILK_VARIANCE, abs=2e-7)
    published = np.array(MILK_COEFFICIENTS)
    assert found.coefficients["value"].to_numpy() == pytest.approx(published[:, 0], abs=2e-6)
    assert found.coefficients["std_error"].to_numpy() == pytest.approx(published[:, 1], abs=2e-6)
    assert found.areas["value"].iloc[:2].to_numpy() == pytest.approx([1.0219703, 1.0476018], abs=2e-6)
    assert (found.areas["std_error"] < milk["se"]).all()


@pytest.mark.parametrize("prior", ["none", "bda", "shrinkage"])
def test_rates_that_vary_no_more_than_chance_shrink_wholly(prior: Prior):
    fit = fit_beta_binomial([15, 15, 15, 15, 15, 15], [16] * 6, prior=prior)
    assert fit.mean == pytest.approx(15 / 16, abs=0.05)
    assert np.ptp(fit.shrink([15, 14], [16, 16])) < 1 / 16
