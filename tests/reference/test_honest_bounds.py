"""Published intervals of the Medicaid expansion (R's HonestDiD) and the published power of a lead test (R's pretrends).

Rambachan and Roth's package prints relative-magnitude intervals on a grid of 1,000 points, with a critical value
simulated from 1,000 draws. Both leave freedom of a grid step: its README printed other digits on an earlier grid than
it does now. Ours are exact, so what is compared is the first and the last point of *their* grid inside *our* interval.
"""

from __future__ import annotations

import gzip
import importlib.util
import pathlib
import pickle
import time

import numpy as np
import pandas as pd
import pytest

from qbase.effects import breakdown_value, relative_magnitude_bounds, roth_power, smoothness_bounds
from qbase.effects.sensitivity.pretest_power import likelihood_ratio, passing_probability

# Share insured on state and year effects, event times of the 2014 cohort against states that did not expand by 2015,
# clustered by state (43 states, 2008-2015, base 2013): the regression of HonestDiD's README, by pyfixest 0.60.0 on the
# data as shipped by moderndid 0.2.0. Coefficients 2008-2012, 2014, 2015.
BETA_TEXT = """
    -0.00528535453272 -0.0112973246482 -0.00267599181179 -0.00141931225211 0.000339663518972
    0.0464468541599 0.069206175479
"""
BETA = np.array(BETA_TEXT.split(), dtype=float)
VCOV_1E5 = """
    7.4884836359 6.0398740956 4.4446198185 3.3857647061 4.3280112547 4.7658804788 2.4251286998
    6.0398740956 7.2665006170 3.7893302213 2.8665780251 4.5433206284 4.4288501193 2.8246550430
    4.4446198185 3.7893302213 5.0520519402 2.6736794325 2.7781935677 3.0606441089 0.9637533883
    3.3857647061 2.8665780251 2.6736794325 4.0032220263 2.4128599757 2.3808682091 0.2923878143
    4.3280112547 4.5433206284 2.7781935677 2.4128599757 5.4626622071 3.6825310517 0.9722947502
    4.7658804788 4.4288501193 3.0606441089 2.3808682091 3.6825310517 8.3756688247 6.3213979625
    2.4251286998 2.8246550430 0.9637533883 0.2923878143 0.9722947502 6.3213979625 10.7123523030
"""
VCOV = np.array(VCOV_1E5.split(), dtype=float).reshape(7, 7) * 1e-5
FIRST = {"beta": BETA, "vcov": VCOV, "n_pre": 5, "weights": [1, 0]}
AVERAGE = FIRST | {"weights": [0.5, 0.5]}

SMOOTH = {
    0.00: (0.0259, 0.0607),
    0.01: (0.0132, 0.0787),
    0.02: (0.00286, 0.0907),
    0.03: (-0.00714, 0.101),
    0.04: (-0.0171, 0.111),
    0.05: (-0.0271, 0.121),
}
"""M -> interval, README of HonestDiD."""
SIMULATED_QUANTILE = 5e-5
"""R takes the quantile of the folded normal from draws; this, beside the printed rounding, is what it moves."""
SMOOTH_SECOND = [(0.02597, 0.06072), (0.01317, 0.07868), (0.00283, 0.09074), (-0.00716, 0.10074)]
SMOOTH_SECOND += [(-0.01716, 0.11074), (-0.02716, 0.12074)]
"""The same by moderndid 0.2.0 and diff-diff 3.13.0, which compute the quantile."""

RELATIVE_EARLIER = {0.5: (0.0240, 0.0672), 1.0: (0.0170, 0.0720), 1.5: (0.00824, 0.0797), 2.0: (-0.000916, 0.0881)}
"""Mbar -> interval, README of HonestDiD at commit 02b541b, grid of 1,000 points over ± 20 standard errors around 0."""
RELATIVE_NOW = {0.5: (0.0241, 0.0673), 1.0: (0.0171, 0.0720), 1.5: (0.00859, 0.0796), 2.0: (-0.00107, 0.0883)}
"""The same in April 2026; grid as in moderndid: about the estimate, 20 errors and Mbar times the largest step."""
RELATIVE_SECOND = {
    0.5: (0.0241301222377944, 0.06688823045838638),
    1.0: (0.01709372096304429, 0.07196297648143468),
    1.5: (0.00858690780210189, 0.07959882791370493),
    2.0: (-0.0006660648839463823, 0.0879463190198842),
}
RELATIVE_SECOND_AVERAGE = {
    0.5: (0.03251134767917077, 0.07981560160559484),
    1.0: (0.019766826733590787, 0.09014856148539263),
    1.5: (0.005824264875491619, 0.10350149480831317),
    2.0: (-0.008538374094930246, 0.11724861535515885),
}
"""moderndid 0.2.0 on that grid, with its own draws: the ends of what it kept."""
SIMULATED_CRITICAL = 1e-4
"""How far a point may lie beyond our end, or short of it, for 1,000 draws of the critical value to decide otherwise."""
NAIVE = {0.5: 0.0242, 1.0: 0.0199, 1.5: 0.0156, 2.0: 0.0113}
"""Lower ends of diff-diff 3.13.0: a plug-in of the largest step, anti-conservative; not what is returned here."""


def digits(value: float) -> float:
    """Three significant digits, as R prints a tibble."""
    return float(f"{value:.3g}")


def earlier_grid() -> np.ndarray:
    error = np.sqrt(VCOV[5, 5])
    return np.linspace(-20 * error, 20 * error, 1000)


def grid_now(limit: float, weights: tuple[float, float] = (1, 0)) -> np.ndarray:
    l_vec = np.array(weights)
    largest = np.abs(np.diff(np.r_[BETA[:5], 0.0])).max()
    half = limit * (l_vec @ [1, 2]) * largest + 20 * np.sqrt(l_vec @ VCOV[5:, 5:] @ l_vec)
    middle = l_vec @ BETA[5:]
    return np.linspace(middle - half, middle + half, 1000)


def test_smoothness_as_published():
    for (limit, published), second in zip(SMOOTH.items(), SMOOTH_SECOND, strict=True):
        found = smoothness_bounds(**FIRST, limit_m=limit)
        for ours, theirs in zip((found.low, found.high), published, strict=True):
            assert abs(ours - theirs) <= SIMULATED_QUANTILE + 0.5 * 10.0 ** (np.floor(np.log10(abs(theirs))) - 2)
        assert (round(found.low, 5), round(found.high, 5)) == second


@pytest.mark.parametrize("limit", RELATIVE_EARLIER)
def test_relative_magnitudes_as_published_earlier_to_every_digit(limit):
    found = relative_magnitude_bounds(**FIRST, limit_mbar=limit)
    inside = [x for x in earlier_grid() if found.low <= x <= found.high]
    assert (digits(inside[0]), digits(inside[-1])) == RELATIVE_EARLIER[limit]


def same_but_for_draws(end: float, theirs: float, grid: np.ndarray, outward: int) -> bool:
    """Whether their end is the outermost point of the grid inside ours, or one that draws may decide otherwise."""
    at = int(np.abs(grid - theirs).argmin())
    assert digits(grid[at]) == digits(theirs)
    kept_beyond = outward * (grid[at] - end)  # > 0: they keep a point that we reject
    lost_before = outward * (end - grid[at + outward])  # > 0: they reject a point that we keep
    return bool(max(kept_beyond, lost_before) <= SIMULATED_CRITICAL)


@pytest.mark.parametrize("limit", RELATIVE_NOW)
def test_relative_magnitudes_as_published_now(limit):
    found, grid = relative_magnitude_bounds(**FIRST, limit_mbar=limit), grid_now(limit)
    assert same_but_for_draws(found.low, RELATIVE_NOW[limit][0], grid, -1)
    assert same_but_for_draws(found.high, RELATIVE_NOW[limit][1], grid, 1)


def test_all_but_two_ends_published_now_to_every_digit():
    """The two: their simulated test decides otherwise on a grid point within 0.00007 of our end."""
    same = []
    for limit, published in RELATIVE_NOW.items():
        found = relative_magnitude_bounds(**FIRST, limit_mbar=limit)
        inside = [x for x in grid_now(limit) if found.low <= x <= found.high]
        same += [digits(inside[0]) == published[0], digits(inside[-1]) == published[1]]
    assert same == [True, True, True, True, False, True, False, True]


@pytest.mark.parametrize(("asked", "theirs"), [(FIRST, RELATIVE_SECOND), (AVERAGE, RELATIVE_SECOND_AVERAGE)])
def test_relative_magnitudes_of_a_second_implementation(asked, theirs):
    for limit, (low, high) in theirs.items():
        grid = grid_now(limit, tuple(asked["weights"]))
        step = grid[1] - grid[0]
        found = relative_magnitude_bounds(**asked, limit_mbar=limit)
        assert -SIMULATED_CRITICAL <= low - found.low <= step + SIMULATED_CRITICAL
        assert -SIMULATED_CRITICAL <= found.high - high <= step + SIMULATED_CRITICAL


def test_they_are_not_the_naive_ones():
    for limit, naive in NAIVE.items():
        assert relative_magnitude_bounds(**FIRST, limit_mbar=limit).low < naive - 3e-4
    assert relative_magnitude_bounds(**FIRST, limit_mbar=2).covers_zero
    assert NAIVE[2.0] > 0  # the opposite conclusion


def test_breakdown_values_lie_where_the_published_intervals_reach_zero():
    """Published: significant at Mbar = 1.5 and not at 2; at M = 0.02 and not at 0.03."""
    assert breakdown_value(**FIRST) == pytest.approx(1.9457, abs=1e-4)
    assert breakdown_value(**FIRST, kind="smoothness") == pytest.approx(0.022835, abs=1e-6)


def test_the_headline_takes_less_than_two_seconds():
    begun = time.process_time()
    for limit in RELATIVE_NOW:
        relative_magnitude_bounds(**FIRST, limit_mbar=limit)
    assert time.process_time() - begun < 2


@pytest.fixture(scope="module")
def medicaid_panel() -> pd.DataFrame:
    package = importlib.util.find_spec("moderndid")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the Medicaid data ship with moderndid 0.2.0, which is not installed")
    folder = pathlib.Path(package.submodule_search_locations[0])
    with gzip.open(folder / "core" / "datasets" / "ehec_data.pkl.gz") as file:
        return pickle.load(file)


def test_the_numbers_typed_above_are_those_of_the_regression(medicaid_panel):
    """By hand: a balanced panel, both means taken out, CRV1 with the states nested in the clusters not counted."""
    rows = medicaid_panel.query("year < 2016 and yexp2 != 2015").sort_values(["stfips", "year"])
    y = rows.pivot(index="stfips", columns="year", values="dins")
    treated = (rows.groupby("stfips")["yexp2"].first() == 2014).to_numpy(dtype=float)
    assert y.shape == (43, 8)
    assert not y.isna().any(axis=None)
    years = [2008, 2009, 2010, 2011, 2012, 2014, 2015]
    x = np.array([np.outer(treated, y.columns == year) for year in years])

    def within(cells: np.ndarray) -> np.ndarray:
        by_state, by_year = cells.mean(axis=-1, keepdims=True), cells.mean(axis=-2, keepdims=True)
        return cells - by_state - by_year + cells.mean(axis=(-2, -1), keepdims=True)

    x, y_within = within(x), within(y.to_numpy())
    bread = np.linalg.inv(np.einsum("ist,jst->ij", x, x))
    beta = bread @ np.einsum("ist,st->i", x, y_within)
    scores = np.einsum("ist,st->si", x, y_within - np.einsum("i,ist->st", beta, x))
    n, clusters, counted = y.size, 43, 7 + 8
    factor = (n - 1) / (n - counted) * clusters / (clusters - 1)
    assert beta == pytest.approx(BETA, rel=1e-10)
    assert factor * bread @ scores.T @ scores @ bread == pytest.approx(VCOV, rel=1e-9)


# He and Wang (2017), figure 2C: leads -4, -3, -2 with base -1, as R's and Stata's pretrends ship them.
LEADS = np.array([0.0667031482, -0.0077017923, -0.0307690538])
LEADS_VCOV = np.array(
    [
        [0.0089065712, 0.0044883136, 0.0014587025],
        [0.0044883136, 0.0059369169, 0.0027500791],
        [0.0014587025, 0.0027500791, 0.0030386248],
    ]
)
TIMES = np.array([-3, -2, -1])
ROOT = 1e-5
"""R's uniroot stops within 1e-4, and its multivariate normal within 1e-3."""


def test_the_power_of_he_and_wangs_leads_as_published():
    found = roth_power(TIMES, LEADS_VCOV, power=0.5)
    assert found.slope == pytest.approx(0.05205871, abs=ROOT)
    published = roth_power(TIMES, LEADS_VCOV, slope=0.05205871, beta=LEADS)
    assert published.power == pytest.approx(0.4999776, abs=1e-4)
    assert published.bayes_factor == pytest.approx(0.56901, abs=2e-4)
    assert published.likelihood_ratio == pytest.approx(0.1057627, abs=5e-8)


def test_the_power_against_their_quadratic_departure_as_published():
    departure = 0.024 * TIMES**2
    passing = passing_probability(departure, LEADS_VCOV, 1.96)
    parallel = passing_probability(np.zeros(3), LEADS_VCOV, 1.96)
    assert 1 - passing == pytest.approx(0.6624282, abs=ROOT)
    assert passing / parallel == pytest.approx(0.3841516, abs=ROOT)
    assert likelihood_ratio(LEADS, departure, LEADS_VCOV) == pytest.approx(0.4332635, abs=5e-8)
