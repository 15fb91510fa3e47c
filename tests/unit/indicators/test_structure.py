"""Structure, steadiness and peers on examples one can do by hand, each with its source."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import betabinom

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS
from qbase.indicators import estimate_structure
from qbase.indicators.measures.agglomeration import (
    STRUCTURE,
    concentration,
    effective_number,
    growth,
    herfindahl,
    krugman,
    location_quotient,
    market_share,
    overlap,
    pillar_share,
    shannon,
)
from qbase.indicators.measures.derived_measures import nearest_index
from qbase.indicators.measures.peer_rates import gaps_to_peers, lead_over_whole, probability_above
from qbase.indicators.measures.steadiness import inside_laney, sigma_z, spread


def test_herfindahl_of_the_merger_guidelines() -> None:
    """U.S. Department of Justice: four firms with 30, 30, 20 and 20 percent give 2,600."""
    assert herfindahl([30, 30, 20, 20]) == pytest.approx(2600)
    assert herfindahl([7.5]) == pytest.approx(10_000)
    assert herfindahl(np.ones(100)) == pytest.approx(100)


def test_concentration_takes_the_four_largest() -> None:
    assert concentration([5, 30, 10, 25, 15, 15]) == pytest.approx(85)
    assert concentration([2, 1]) == pytest.approx(100)
    assert concentration([5, 30, 10, 25, 15, 15], top=1) == pytest.approx(30)


def test_location_quotient_by_hand() -> None:
    """5 % of jobs at home against 1 % in the nation."""
    assert location_quotient(1_000, 20_000, 1_500_000, 150_000_000) == pytest.approx(5)
    assert location_quotient(0, 20_000, 1, 10) == 0


def test_krugman_runs_from_0_to_2() -> None:
    """Krugman (1991), p. 76: 0 for two regions alike, 2 for two with nothing in common."""
    assert krugman([2, 3, 5], [20, 30, 50]) == pytest.approx(0)
    assert krugman([1, 0], [0, 4]) == pytest.approx(2)
    assert krugman([60, 40, 0], [30, 30, 40]) == pytest.approx(0.8)


def test_shannon_of_cover_and_thomas() -> None:
    """Cover and Thomas, Elements of Information Theory, chapter 2: (1/2, 1/4, 1/8, 1/8) has 7/4 bits."""
    assert shannon([4, 2, 1, 1]) == pytest.approx(1.75 * math.log(2))
    assert shannon([4, 2, 1, 1, 0]) == pytest.approx(1.75 * math.log(2))
    assert effective_number([1, 1, 1, 1]) == pytest.approx(4)
    assert effective_number([4, 2, 1, 1]) == pytest.approx(2**1.75)


def test_shares_and_growth_by_hand() -> None:
    assert market_share(12, 48) == pytest.approx(25)
    assert pillar_share(3, 40) == pytest.approx(7.5)
    assert growth(121, 110) == pytest.approx(10)
    assert growth(0, 4) == pytest.approx(-100)


def test_overlap_is_the_mean_cosine_of_pairs() -> None:
    assert overlap([[1, 0], [3, 0], [0, 2]]) == pytest.approx(1 / 3)
    assert overlap([[1, 1], [1, 0]]) == pytest.approx(math.sqrt(0.5))
    assert math.isnan(overlap([[1, 2]]))


@pytest.mark.parametrize(
    ("name", "amounts"),
    [
        ("herfindahl", ([1, -1, 3],)),
        ("herfindahl", ([],)),
        ("shannon", ([0, 0],)),
        ("krugman", ([1, 2], [1, 2, 3])),
        ("concentration", ([1, float("nan")],)),
        ("location_quotient", (1, 2, 0, 4)),
        ("market_share", (5, 4)),
        ("growth", (5, 0)),
        ("overlap", ([[1, 0], [0, 0]],)),
        ("gini", ([1, 2],)),
    ],
)
def test_bad_amounts_end_in_four_lines(name: str, amounts: tuple[object, ...]) -> None:
    with pytest.raises(DataError) as caught:
        estimate_structure(name, *amounts)
    assert caught.value.code == "QB424"
    assert name in str(caught.value)


def test_every_structural_measure_is_a_full_count_with_a_unit() -> None:
    amounts = {
        "location_quotient": (1, 2, 3, 4),
        "krugman": ([1, 2], [2, 1]),
        "market_share": (1, 2),
        "pillar_share": (1, 2),
        "growth": (1, 2),
        "overlap": ([[1, 2], [2, 1]],),
    }
    for name, measure in STRUCTURE.items():
        estimate = estimate_structure(name, *amounts.get(name, ([3, 2, 1],)))
        assert estimate.uncertainty == "none_full_count"
        assert estimate.ci_low is None
        assert estimate.key["unit"] == measure.unit
        assert measure.unit in UNITS


def test_nearest_neighbours_of_a_lattice() -> None:
    """Clark and Evans (1954): a square lattice has 2; the hull of m x m points makes it 2 m / (m - 1)."""
    m = 12
    lon, lat = np.meshgrid(np.arange(m) * 1e-3, (np.arange(m) - (m - 1) / 2) * 1e-3)
    group = pd.DataFrame({"own": lon.ravel(), "ref": lat.ravel()})
    assert nearest_index(group) == pytest.approx(2 * m / (m - 1), rel=1e-6)
    pairs = pd.concat([group, group + 1e-5])
    assert nearest_index(pairs) < 0.1
    assert math.isnan(nearest_index(group.iloc[:4]))
    assert math.isnan(nearest_index(group.iloc[:m].assign(ref=0.0))), "firms on one line span no area"


def test_laney_by_hand() -> None:
    """Four quarters of 100 batches with 92, 96, 92, 96 passes: z = -/+ 0.842, moving range 1.684 each."""
    k, n = np.array([92.0, 96, 92, 96]), np.full(4, 100.0)
    z = 0.02 / math.sqrt(0.94 * 0.06 / 100)
    assert sigma_z(k, n) == pytest.approx(2 * z / 1.128)
    assert inside_laney(k, n).all()
    k = np.array([95.0, 94, 95, 96, 95, 94, 95, 96, 95, 94, 40, 95])
    assert inside_laney(k, np.full(12, 100.0)).sum() == 11
    assert math.isnan(sigma_z(np.full(4, 9.0), np.full(4, 9.0)))
    assert inside_laney(np.full(4, 9.0), np.full(4, 9.0)).all()


def test_spread_is_the_likelihood_of_the_beta_binomial() -> None:
    rng = np.random.default_rng(3)
    n = rng.integers(30, 80, 12).astype(float)
    rate = rng.beta(0.9 * 20, 0.1 * 20, 12)
    k = rng.binomial(n.astype(int), rate).astype(float)

    def loss(x: np.ndarray) -> float:
        mean, size = 1 / (1 + math.exp(-x[0])), math.exp(x[1])
        return -float(betabinom.logpmf(k, n, mean * size, (1 - mean) * size).sum())

    best = minimize(loss, [2.0, 3.0], method="Nelder-Mead").x
    mean, size = 1 / (1 + math.exp(-best[0])), math.exp(best[1])
    value, low, high = spread(k, n)
    assert value == pytest.approx(math.sqrt(mean * (1 - mean) / (size + 1)), rel=0.03)
    assert 0 < low < value < high


def test_spread_of_a_constant_rate_reaches_down_to_0() -> None:
    value, low, high = spread(np.full(12, 18.0), np.full(12, 20.0))
    assert value == 0
    assert low == 0
    assert 0.01 < high < 0.2
    value, low, high = spread(np.full(12, 8.0), np.full(12, 8.0))
    assert low == 0
    assert high > 0, "a hundred per cent passes leave doubt about the spread"


def test_a_lead_within_one_industry_is_newcombes() -> None:
    """Newcombe (1998), Statistics in Medicine 17, 873-890, table II: 56/70 - 48/80 = 0.2000 (0.0524 to 0.3339)."""
    found = lead_over_whole(np.array([56.0]), np.array([70.0]), np.array([48.0]), np.array([80.0]))
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_a_mix_of_industries_is_no_lead() -> None:
    """Own rates equal the province's, 99 % and 80 %; pooled, a town of the easy industry would seem to lead by 9 pp."""
    k, n = np.array([89.1, 8.0]), np.array([90.0, 10.0])
    k_all, n_all = np.array([990.0, 800.0]), np.array([1000.0, 1000.0])
    value, low, high = lead_over_whole(k, n, k_all, n_all)
    assert k.sum() / n.sum() - k_all.sum() / n_all.sum() > 0.07
    assert value == pytest.approx(0, abs=1e-12)
    # by hand: Wilson of 97.1/100, 990/1000 and 800/1000, the latter two weighted 0.9 and 0.1
    below = math.hypot(0.971 - 0.916898, math.hypot(0.9 * (0.994559 - 0.99), 0.1 * (0.823624 - 0.8)))
    assert low == pytest.approx(-below, abs=1e-5)
    assert low < 0 < high


def test_probability_above_against_draws() -> None:
    assert probability_above([9], [10], [9], [10])[0] == pytest.approx(0.5, abs=1e-9)
    rng = np.random.default_rng(1)
    a, b = rng.beta(19.5, 1.5, 400_000), rng.beta(170.5, 30.5, 400_000)
    assert probability_above([19], [20], [170], [200])[0] == pytest.approx((a > b).mean(), abs=0.003)


def test_the_gap_to_peers_is_the_textbook_one() -> None:
    k, n = np.array([18.0, 90.0, 40.0, 17.0]), np.array([20.0, 100.0, 50.0, 20.0])
    value, low, high = gaps_to_peers(k, n) or ((), (), ())
    peers = [(0.9, 0.825634, 0.944771), (0.8, 0.669634, 0.887561), (0.85, 0.639577, 0.947626)]
    assert value[0] == pytest.approx(0.9 - np.mean([p for p, _, _ in peers]))
    below = math.hypot(0.9 - 0.698966, math.hypot(*(h - p for p, _, h in peers)) / 3)
    above = math.hypot(0.972134 - 0.9, math.hypot(*(p - lo for p, lo, _ in peers)) / 3)
    assert (low[0], high[0]) == pytest.approx((value[0] - below, value[0] + above), abs=1e-5)
    assert gaps_to_peers(k[:3], n[:3]) is None


@pytest.mark.parametrize(("entities", "batches", "mean"), [(36, 8, 3.0), (8, 16, 2.2), (12, 200, 2.2)])
def test_the_gap_to_peers_covers_the_true_gap(entities: int, batches: int, mean: float) -> None:
    """Peers' noise is in the interval; with rates near 100 % and few batches the mean stays unbiased."""
    rng = np.random.default_rng(entities)
    inside, off = [], []
    for _ in range(150):
        p = 1 / (1 + np.exp(-rng.normal(mean, 0.5, entities)))
        n = np.maximum(rng.poisson(batches, entities), 4).astype(float)
        value, low, high = gaps_to_peers(rng.binomial(n.astype(int), p).astype(float), n) or ((), (), ())
        truth = p - (p.sum() - p) / (entities - 1)
        inside.append((low <= truth) & (truth <= high))
        off.append(value - truth)
    assert np.mean(inside) > 0.94
    assert abs(np.mean(off)) < 0.005
    assert np.mean(inside) < 0.985, "not so wide that it says nothing"


def test_a_trend_is_spread_and_no_movement_from_quarter_to_quarter() -> None:
    """What tells D1b.sd and D1b.sigma_z apart."""
    n = np.full(12, 400.0)
    trend, zigzag = np.round(n * np.linspace(0.80, 0.96, 12)), np.round(n * np.tile([0.83, 0.93], 6))
    assert spread(trend, n)[0] == pytest.approx(spread(zigzag, n)[0], rel=0.15)
    assert sigma_z(trend, n) < 1 < 4 < sigma_z(zigzag, n)
    assert sigma_z(zigzag / 10, n / 10) < sigma_z(zigzag, n) / 2, "the same movement with fewer batches"
