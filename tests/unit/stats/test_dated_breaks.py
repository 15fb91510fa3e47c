"""Breaks of a weighted series: the Nile, false alarms, dates and steps that hold the truth, documented dates."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from qbase.core.errors import UsageError
from qbase.stats import date_breaks, find_breaks
from qbase.stats.control.dated_breaks import step_at

NILE = sm.datasets.nile.load_pandas().data["volume"].to_numpy(dtype=float)
FIRST = 1871


def test_the_nile_as_strucchange_has_it_and_documented_or_not() -> None:
    """strucchange 1.5.3: one break, 1898, 95 % interval 1895 to 1902."""
    (found,), p = date_breaks(NILE)
    assert (FIRST + found.last, FIRST + found.low, FIRST + found.high) == (1898, 1895, 1902)
    assert p == 1 / 2000
    assert found.step == pytest.approx(NILE[28:].mean() - NILE[:28].mean())
    assert found.step_high < 0
    (dam,), _ = date_breaks(NILE, documented=(1899 - FIRST,))
    assert (dam.last, dam.is_documented, dam.searched) == (1899 - FIRST, True, found.last)
    (far,), _ = date_breaks(NILE, documented=(1920 - FIRST,))
    assert (far.last, far.is_documented) == (found.last, False)


def test_several_breaks_are_those_of_the_whole_partition() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(size=60) + np.repeat([0.0, 3.0, -1.0], [18, 22, 20])
    found, _ = date_breaks(y, draws=499)
    assert tuple(b.last for b in found) == find_breaks(y, n_breaks=2).last == (17, 39)
    assert [np.sign(b.step) for b in found] == [1, -1]


def test_a_weight_is_so_many_periods_of_the_clock() -> None:
    """All weights alike are no weights; values nobody tested much move nothing."""
    y = np.r_[np.random.default_rng(1).normal(size=20), 1.5 + np.random.default_rng(2).normal(size=17)]
    (plain,), _ = date_breaks(y)
    (alike,), _ = date_breaks(y, np.full(37, 7.0))
    assert (alike.last, alike.low, alike.high, alike.p_value) == (plain.last, plain.low, plain.high, plain.p_value)
    assert (alike.step_low, alike.step_high) == pytest.approx((plain.step_low, plain.step_high))
    light = np.ones(37)
    light[5:8] = 1e-6
    wild = y.copy()
    wild[5:8] = 40.0
    (same,), _ = date_breaks(wild, light)
    assert abs(same.last - plain.last) <= 1
    assert same.step == pytest.approx(y[20:].mean() - np.delete(y[:20], [5, 6, 7]).mean(), abs=0.3)


def test_scale_and_shift_change_no_date_and_failures_mirror_passes() -> None:
    y = np.r_[np.random.default_rng(1).normal(size=20), 2 + np.random.default_rng(2).normal(size=17)]
    (here,), p = date_breaks(y)
    (there,), q = date_breaks(1000 - 7 * y)
    assert (there.last, there.low, there.high, q) == (here.last, here.low, here.high, p)
    assert there.step == pytest.approx(-7 * here.step)
    assert (there.step_low, there.step_high) == pytest.approx((-7 * here.step_high, -7 * here.step_low))


@pytest.mark.parametrize("documented", [(), (24,)])
def test_a_series_without_a_break_gets_one_as_often_as_said(documented: tuple[int, ...]) -> None:
    rng = np.random.default_rng(11)
    hits, size = 0, 800
    for _ in range(size):
        n = rng.integers(4, 31, 40)
        found, p = date_breaks(rng.binomial(n, 0.9) / n, n.astype(float), documented=documented, draws=399, most=1)
        hits += bool(found)
        assert bool(found) == (p <= 0.05)
    # 800 tries at 5 %: more than 58 happen once in 200 times
    assert 20 <= hits <= 58


def test_dates_and_steps_hold_the_truth() -> None:
    """Steps of one and one and a half s.d. after 20 of 40: Bai's interval alone holds the date in nine of ten."""
    rng = np.random.default_rng(5)
    dates, steps = [], []
    for i in range(240):
        step = (1.0, 1.5)[i % 2]
        w = rng.integers(4, 31, 40).astype(float)
        y = rng.normal(size=40) / np.sqrt(w / w.mean()) + np.where(np.arange(40) < 20, 0.0, step)
        found, _ = date_breaks(y, w, draws=299, most=1)
        dates += [b.low <= 19 <= b.high for b in found]
        steps += [b.step_low <= step <= b.step_high for b in found]
    assert len(dates) > 150
    assert np.mean(dates) > 0.93
    assert np.mean(steps) > 0.93


def test_a_side_without_variance_is_not_certain() -> None:
    n = np.full(24, 10.0)
    k = np.r_[np.array([8, 9, 7, 10, 8, 7, 9, 8, 7, 8, 9, 8.0]), np.full(12, 10.0)]
    (found,), _ = date_breaks(k / n, n)
    assert found.low < found.last or found.high > found.last
    step, low, high = step_at(k / n, n, 12, 0.95)
    assert low < step < high


def test_too_short() -> None:
    with pytest.raises(UsageError) as caught:
        date_breaks(np.arange(3.0))
    assert caught.value.code == "QB519"
