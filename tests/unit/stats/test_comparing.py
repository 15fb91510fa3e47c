"""Funnel limits, means and ranks against other routes to the same numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import betabinom, binom, fisher_exact
from statsmodels.stats.multitest import multipletests

from qbase.core import DataError, UsageError
from qbase.stats import (
    funnel_curve,
    funnel_limits,
    gaussian_rank_intervals,
    mean_interval,
    newcombe_interval,
    rank_intervals,
    square_and_add,
    wilson_interval,
)
from qbase.stats.comparing.funnel_limits import BROAD
from qbase.stats.comparing.rank_intervals import _tied_pairs

PASSED = [12, 30, 45, 8, 60, 22, 15, 90, 33, 41]
TESTED = [100, 220, 400, 90, 300, 260, 120, 640, 410, 250]
ROUNDING = 1e-9


def outside_by_scipy(k: int, n: int, distribution, tail: float) -> tuple[bool, bool]:
    return bool(distribution.cdf(k) < tail), bool(distribution.sf(k - 1) < tail)


@pytest.mark.parametrize("n", [1, 2, 7, 16, 60, 211])
@pytest.mark.parametrize("likeness", [0.0, 0.04])
def test_a_count_is_outside_exactly_where_its_tail_is_small(n, likeness):
    tau2, target = likeness / 4, 0.9
    funnel = funnel_limits(PASSED, TESTED, target=target, dispersion="none" if likeness == 0 else "additive")
    object.__setattr__(funnel, "tau2", tau2)
    low, high = funnel_curve(funnel, [n])
    total = (1 - likeness) / likeness if likeness else 0.0
    known = betabinom(n, target * total, (1 - target) * total) if likeness else binom(n, target)
    for i, level in enumerate(funnel.levels):
        for k in range(n + 1):
            is_low, is_high = outside_by_scipy(k, n, known, (1 - level) / 2)
            assert (k / n < low[i, 0] - ROUNDING, k / n > high[i, 0] + ROUNDING) == (is_low, is_high), (k, level)


def test_a_multiplicative_funnel_has_phi_times_the_binomial_variance():
    funnel = funnel_limits(PASSED, TESTED, dispersion="multiplicative", levels=(0.95,))
    assert funnel.phi > 2
    n = 640
    wide = funnel_curve(funnel, [n])[1][0, 0] - funnel_curve(funnel, [n])[0][0, 0]
    plain = funnel_limits(PASSED, TESTED, dispersion="none", levels=(0.95,))
    narrow = funnel_curve(plain, [n])[1][0, 0] - funnel_curve(plain, [n])[0][0, 0]
    assert wide / narrow == pytest.approx(np.sqrt(funnel.phi), rel=0.03)


@pytest.mark.parametrize("dispersion", ["additive", "multiplicative", "none"])
def test_limits_go_on_without_a_step_where_counts_become_continuous(dispersion):
    funnel = funnel_limits(PASSED, TESTED, dispersion=dispersion)
    low, high = funnel_curve(funnel, [BROAD, BROAD + 1])
    assert low[:, 0] == pytest.approx(low[:, 1], abs=2 / BROAD)
    assert high[:, 0] == pytest.approx(high[:, 1], abs=2 / BROAD)


def test_the_expected_number_outside_is_the_sum_of_the_tails():
    n = np.array([5, 12, 12, 40])
    funnel = funnel_limits([4, 11, 12, 37], n, target=0.9, dispersion="none")
    for i, level in enumerate(funnel.levels):
        tail, expected = (1 - level) / 2, 0.0
        for size in n:
            k = np.arange(size + 1)
            outside = (binom.cdf(k, size, 0.9) < tail) | (binom.sf(k - 1, size, 0.9) < tail)
            expected += binom.pmf(k, size, 0.9)[outside].sum()
        assert funnel.false_alarms[i] == pytest.approx(expected, abs=1e-9)


def test_a_few_outsiders_do_not_hide_themselves_by_widening_the_funnel():
    rng = np.random.default_rng(1)
    n = np.full(40, 200)
    k = rng.binomial(n, np.where(np.arange(40) < 3, 0.7, 0.93))
    robust, plain = funnel_limits(k, n), funnel_limits(k, n, winsorise=0.0)
    assert plain.tau2 > 3 * robust.tau2
    assert robust.is_low[1, :3].all()


def test_all_alike_and_one_alone_have_limits_too():
    for k, n in ([20, 30], [20, 30]), ([0, 0], [20, 30]), ([7], [9]), ([1], [1]):
        funnel = funnel_limits(k, n)
        assert np.isfinite(funnel.low).all()
        assert np.isfinite(funnel.high).all()
        assert not (funnel.is_low | funnel.is_high).any()
        assert 0 < funnel.target < 1


@pytest.mark.parametrize(
    ("passed", "tested"),
    [([], []), ([1, 2], [3]), ([4], [3]), ([-1], [3]), ([1], [0]), ([1], [2.5]), ([float("nan")], [3])],
)
def test_counts_that_cannot_be_are_refused(passed, tested):
    for function in (funnel_limits, rank_intervals):
        with pytest.raises(DataError) as error:
            function(passed, tested)
        assert error.value.code == "QB536"


def test_options_that_are_none_are_refused():
    for options, code in (({"levels": (95,)}, "QB503"), ({"dispersion": "some"}, "QB144")):
        with pytest.raises(UsageError) as error:
            funnel_limits([3], [4], **options)
        assert error.value.code == code
    for target in (0, 1, 1.5):
        with pytest.raises(DataError):
            funnel_limits([3], [4], target=target)
    with pytest.raises(DataError):
        gaussian_rank_intervals([1.0, 2.0], [1.0, 0.0])


def test_the_mean_of_one_is_its_own_and_of_two_that_of_newcombe():
    low, high = wilson_interval([18], [20])
    assert mean_interval([0.9], low, high) == pytest.approx((0.9, float(low[0]), float(high[0])))
    a, b = (57, 60), (46, 55)
    ends = [(k / n, *(float(x[0]) for x in wilson_interval([k], [n]))) for k, n in (a, b)]
    by_sum = square_and_add(ends[0], mean_interval(*([x] for x in ends[1])))
    assert [float(x) for x in by_sum[1:]] == pytest.approx(newcombe_interval((57, 46), (60, 55)), abs=1e-9)
    # half the sum of two is half of MOVER's sum: the difference of one and of the other turned round
    turned = (1 - ends[1][0], 1 - ends[1][2], 1 - ends[1][1])
    mean = mean_interval(*zip(*ends, strict=True))
    assert [2 * x - 1 for x in mean] == pytest.approx([float(x) for x in square_and_add(ends[0], turned)])


def partitions(m: int, most: int | None = None):
    if not m:
        yield ()
    for first in range(min(m, most or m), 0, -1):
        for rest in partitions(m - first, first):
            yield (first, *rest)


@pytest.mark.parametrize("m", range(1, 11))
def test_pairs_that_can_be_equal_are_those_of_all_partitions(m):
    assert _tied_pairs(m).tolist() == sorted({sum(g * (g - 1) // 2 for g in p) for p in partitions(m)})


def test_two_are_put_in_order_where_fisher_rejects_at_half_the_level():
    seen = set()
    for k in itertools.product(range(0, 13, 2), range(0, 17, 2)):
        p = fisher_exact([[k[0], 12 - k[0]], [k[1], 16 - k[1]]], alternative="greater").pvalue
        ranks = rank_intervals(k, [12, 16])
        assert bool(ranks.is_above[0, 1]) == (p <= 0.025)
        seen.add(bool(ranks.is_above[0, 1]))
    assert seen == {True, False}


def test_whoever_plain_holm_puts_in_order_is_put_in_order():
    rng = np.random.default_rng(5)
    more = 0
    for _ in range(8):
        n = rng.integers(30, 90, 6)
        k = rng.binomial(n, rng.uniform(0.3, 0.98, 6))
        ranks = rank_intervals(k, n)
        pairs = list(itertools.permutations(range(6), 2))
        p = [fisher_exact([[k[i], n[i] - k[i]], [k[j], n[j] - k[j]]], alternative="greater").pvalue for i, j in pairs]
        holm = multipletests(p, alpha=0.05, method="holm")[0]
        for (i, j), is_refuted in zip(pairs, holm, strict=True):
            assert ranks.is_above[i, j] or not is_refuted
        more += int(ranks.is_above.sum()) - int(holm.sum())
        # what is put in order is a fact of ranks, and no pair is put in both
        assert not (ranks.is_above & ranks.is_above.T).any()
        assert ((ranks.low <= ranks.rank) & (ranks.rank <= ranks.high)).all()
    assert more > 0


def test_ranks_of_passes_rounded_tell_less_than_those_of_the_whole():
    whole, cut = rank_intervals([59, 40, 20], [60, 60, 60]), rank_intervals([59.4, 40.4, 20.4], [60, 60, 60])
    assert whole.is_above.sum() == 3
    assert (cut.is_above <= whole.is_above).all()
