"""The scan for a lasting change: every date by hand, its level over the whole series, what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qbase.stats import dispersion_test, scan_changes
from qbase.stats.control.change_scan import DRAWS, SEED, permutations


def draw(seed: int, series: int = 12, periods: int = 26) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.integers(4, 31, (series, periods)).astype(float)
    k = rng.binomial(n.astype(int), np.where(np.arange(periods) < 14, 0.9, 0.72)).astype(float)
    return k, n


def by_hand(y: np.ndarray, w: np.ndarray, least: int) -> tuple[float, int]:
    """Return the largest weighted sum of squares of a step over the variance, by fitting both means at every date."""
    whole = float((w * (y - np.average(y, weights=w)) ** 2).sum())
    best, place = -1.0, -1
    for tau in range(least, len(y) - least + 1):
        parts = ((y[:tau], w[:tau]), (y[tau:], w[tau:]))
        rest = sum(float((b * (a - np.average(a, weights=b)) ** 2).sum()) for a, b in parts)
        if whole - rest > best:
            best, place = whole - rest, tau - 1
    return best / (whole / (len(y) - 1)), place


@pytest.mark.parametrize("seed", range(4))
def test_the_statistic_is_that_of_both_means_fitted_at_every_date(seed: int) -> None:
    k, n = draw(seed)
    found = scan_changes(k / n, n, draws=99)
    for i in range(len(k)):
        statistic, place = by_hand(k[i] / n[i], n[i], 3)
        assert found.statistic[i] == pytest.approx(statistic)
        assert found.last[i] == place
        assert found.before[i] == pytest.approx(k[i, : place + 1].sum() / n[i, : place + 1].sum())
        assert found.after[i] == pytest.approx(k[i, place + 1 :].sum() / n[i, place + 1 :].sum())


def test_the_p_value_counts_orders_one_by_one() -> None:
    k, n = draw(5, 1, 14)
    y, w = (k / n)[0], n[0]
    bar = by_hand(y, w, 3)[0] * (1 - 1e-9)
    orders = permutations(14, 199, SEED)
    reached = sum(by_hand(y[o], w[o], 3)[0] >= bar for o in orders)
    assert scan_changes(y[None, :], w[None, :], draws=199).p_value[0] == pytest.approx((1 + reached) / 200)


def test_nothing_depends_on_order_of_series_unit_or_which_outcome_is_counted() -> None:
    k, n = draw(2)
    here = scan_changes(k / n, n, draws=199)
    order = np.random.default_rng(1).permutation(len(k))
    assert np.array_equal(scan_changes((k / n)[order], n[order], draws=199).p_value, here.p_value[order])
    assert np.array_equal(scan_changes(7 - 100 * k / n, 3 * n, draws=199).p_value, here.p_value)
    failures = scan_changes((n - k) / n, n, draws=199)
    assert np.array_equal(failures.p_value, here.p_value)
    assert failures.before == pytest.approx(1 - here.before)


def test_gaps_are_passed_over_and_alike_or_short_series_have_no_change() -> None:
    k, n = draw(3, 1)
    gaps = np.full((1, 40), np.nan)
    at = np.sort(np.random.default_rng(2).choice(40, 26, replace=False))
    gaps[0, at] = (k / n)[0]
    weight = np.zeros((1, 40))
    weight[0, at] = n[0]
    found, whole = scan_changes(gaps, weight, draws=199), scan_changes(k / n, n, draws=199)
    assert found.p_value == pytest.approx(whole.p_value)
    assert found.last[0] == at[whole.last[0]]
    alike = scan_changes(np.ones((1, 20)), np.full((1, 20), 9.0))
    assert (alike.p_value[0], alike.last[0], alike.statistic[0]) == (1.0, -1, 0.0)
    assert scan_changes(np.arange(5.0)[None, :]).p_value[0] == 1.0


def test_normal_values_have_the_level_of_andrews() -> None:
    """Sup-F over the middle 70 %: its 5 % point is 8.68 (Andrews 1993 as corrected in 2003, one parameter)."""
    y = np.random.default_rng(8).normal(size=(1000, 100))
    found = scan_changes(y, least=15, draws=DRAWS // 4)
    share = found.statistic / 99
    f = share / ((1 - share) / 98)
    assert abs((f > 8.68).mean() - 0.05) < 0.02
    agree = (f > 8.68) == (found.p_value <= 0.05)
    assert agree.mean() > 0.97


def test_dispersion_is_pearsons_and_its_p_value_that_of_handing_passes_out_anew() -> None:
    rng = np.random.default_rng(6)
    n = rng.integers(20, 40, 12).astype(float)
    k = rng.binomial(n.astype(int), 0.8).astype(float)
    ratio, p = dispersion_test(k, n)
    table = np.array([k, n - k])
    plain = stats.chi2_contingency(table, correction=False)
    assert ratio == pytest.approx(plain.statistic / 11)
    assert p == pytest.approx(plain.pvalue, abs=0.06)
    spread = rng.beta(8, 2, 30)
    wide = np.full(30, 60.0)
    assert dispersion_test(rng.binomial(60, spread).astype(float), wide)[1] < 0.01
    assert dispersion_test(wide, wide) == (1.0, 1.0)


def test_a_change_between_phases_is_no_dispersion() -> None:
    rng = np.random.default_rng(7)
    n = np.full(30, 50.0)
    k = rng.binomial(50, np.where(np.arange(30) < 15, 0.9, 0.6)).astype(float)
    assert dispersion_test(k, n)[1] < 0.01
    assert dispersion_test(k, n, phases=np.repeat([0, 1], 15))[1] > 0.05
