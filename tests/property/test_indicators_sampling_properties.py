"""What holds for every sample: rates inside their strata, weights indifferent to order and scale, honest intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qbase.core.periods import parse_period
from qbase.indicators import clopper_pearson_interval, design_interval, jeffreys_interval, shrink_rates
from qbase.indicators.cells.stratum_weights import stratum_weights, weighted_rates
from qbase.stats.design.design_weights import (
    LEAST_FIRMS,
    firm_correlation,
    merge_strata,
    own_factor,
    rake_weights,
    relative_rates,
)

RISKS, SIZES = ("A", "B", "C"), ("large", "small")
KEYS = ["cluster_id", "period", "risk_class", "size_class"]
counts = arrays(np.int64, (4, 6), elements=st.integers(0, 12))


@st.composite
def samples(draw):
    """Two clusters in two quarters, six strata: firms, batches (one per firm), passes, random ones among them."""
    firms = draw(arrays(np.int64, (4, 6), elements=st.integers(1, 40)))
    n = np.minimum(draw(counts), firms)
    n[:, 0] = np.maximum(n[:, 0], 1)
    k = np.minimum(draw(counts), n)
    random = np.minimum(draw(counts), n)
    risk = np.minimum(draw(counts), n - random)
    rows = [(c, parse_period(q)) for c in ("K1", "K2") for q in ("2024Q1", "2024Q2")]
    keys = [(*row, r, s) for row in rows for r in RISKS for s in SIZES]
    strata = pd.DataFrame(keys, columns=KEYS)
    strata["firms"] = firms.ravel()
    for name, value in {"n": n, "k": k, "random_n": random, "risk_n": risk}.items():
        strata[name] = value.ravel().astype(float)
    return strata.assign(n_firms=strata["n"], n_clean=strata["k"], sum_nn=strata["n"], sum_kk=strata["k"])


def rates_of(strata: pd.DataFrame) -> pd.DataFrame:
    drawn = strata[strata["n"] > 0]
    weights = stratum_weights(drawn, strata[[*KEYS, "firms"]], sampling="post_stratified")
    return weighted_rates(drawn.merge(weights, on=KEYS), KEYS[:2])


@given(samples())
@settings(max_examples=25)
def test_a_weighted_rate_lies_between_the_rates_of_its_strata(strata):
    found = rates_of(strata)
    drawn = strata[strata["n"] > 0].assign(rate=lambda d: d["k"] / d["n"])
    ends = drawn.groupby(KEYS[:2])["rate"].agg(["min", "max"]).loc[found.index]
    assert (found["rate"] >= ends["min"] - 1e-9).all()
    assert (found["rate"] <= ends["max"] + 1e-9).all()
    assert (found["n_eff"] > 0).all()
    assert (found["n_eff"] <= found["n"] + 1e-9).all()


@given(samples(), st.randoms(use_true_random=False))
@settings(max_examples=15)
def test_order_and_scale_of_the_frame_do_not_matter(strata, random):
    found = rates_of(strata)
    order = list(range(len(strata)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(rates_of(strata.iloc[order]), found, rtol=1e-6)
    pd.testing.assert_frame_equal(rates_of(strata.assign(firms=7 * strata["firms"])), found, rtol=1e-6)


@given(samples())
@settings(max_examples=25)
def test_a_sample_in_proportion_to_the_frame_is_left_as_it_is(strata):
    half = strata.assign(n=strata["firms"] / 2.0, k=strata["firms"] / 4.0, random_n=strata["firms"] / 2.0, risk_n=0.0)
    half = half.assign(n_firms=half["n"], sum_nn=half["n"], sum_kk=half["k"], n_clean=half["k"])
    found = rates_of(half)
    assert np.allclose(found["rate"], 0.5)
    assert np.allclose(found["n_eff"], found["n"], rtol=1e-3)


@given(counts.map(lambda n: n.astype(float)), st.permutations(range(6)))
def test_every_group_of_merged_strata_holds_two_firms_or_there_is_one_group(n_firms, order):
    group = merge_strata(n_firms, np.array(order))
    for row, label in zip(n_firms, group, strict=True):
        held = np.bincount(label, row, minlength=6)[: label.max() + 1]
        assert (held >= LEAST_FIRMS).all() or label.max() == 0


@given(counts, arrays(np.int64, (4, 6), elements=st.integers(1, 40)))
def test_relative_rates_are_positive_and_one_on_average(drawn, frame):
    rates = relative_rates(drawn.astype(float), frame.astype(float))
    used = drawn.sum(1) > 0
    assert (rates > 0).all()
    if used.any():
        weight = frame[used].sum(0)
        assert np.isclose((rates * weight).sum() / weight.sum(), 1)
    factor = own_factor(drawn.astype(float), frame * 0.3, np.zeros((4, 6), dtype=np.int64), own_draws=float("inf"))
    assert (factor == 1).all()


@given(
    arrays(float, 6, elements=st.floats(0.5, 50)),
    arrays(float, 3, elements=st.floats(1, 100)),
    arrays(float, 2, elements=st.floats(1, 100)),
)
@settings(max_examples=50)
def test_raking_reaches_both_margins(weighted, rows, columns):
    row, column = np.repeat(np.arange(3), 2), np.tile(np.arange(2), 3)
    columns = columns * rows.sum() / columns.sum()
    fitted = weighted * rake_weights(weighted, row, column, rows, columns, sweeps=2000)
    assert np.allclose(np.bincount(row, fitted), rows, rtol=1e-5)
    assert np.allclose(np.bincount(column, fitted), columns, rtol=1e-5)


@given(arrays(np.int64, 8, elements=st.integers(1, 60)), st.data())
def test_intervals_hold_the_rate_and_never_shrink_to_a_point(n, data):
    k = np.array([data.draw(st.integers(0, int(m))) for m in n])
    for method in ("jeffreys", "wilson", "korn_graubard"):
        low, high = design_interval(k / n, n, method=method)
        assert (low <= k / n).all()
        assert (high >= k / n).all()
        assert (high - low > 0.01).all()
    wide, narrow = clopper_pearson_interval(k, n), jeffreys_interval(k, n)
    assert (wide[0] <= narrow[0] + 1e-9).all()
    assert (wide[1] >= narrow[1] - 1e-9).all()


@given(arrays(np.int64, 6, elements=st.integers(1, 30)), st.data())
@settings(max_examples=25)
def test_shrunk_rates_lie_inside_their_intervals_and_keep_the_order_of_equal_samples(n, data):
    k = np.array([data.draw(st.integers(0, int(m))) for m in n])
    shrunk = shrink_rates(k, n)
    assert (shrunk["low"] <= shrunk["value"]).all()
    assert (shrunk["value"] <= shrunk["high"]).all()
    assert (shrunk["low"] < shrunk["high"]).all()
    same = shrink_rates(k, np.full(6, 30))["value"].to_numpy()
    assert (np.diff(same[np.argsort(k, kind="stable")]) >= -1e-9).all()


@given(st.integers(30, 60), st.floats(0.05, 0.95))
def test_firms_that_always_or_never_pass_are_one_draw_each(firms, share):
    """Two batches a firm, always alike: correlation 1; firms that pass one of two: as low as it goes."""
    good = round(firms * share)
    n = np.array([2.0 * firms])
    args = (n, np.array([float(firms)]), np.array([4.0 * firms]))
    alike = firm_correlation(*args, np.array([2.0 * good]), np.array([2.0 * good]))
    mixed = firm_correlation(*args, np.array([0.5 * firms]), np.array([float(firms)]))
    assert alike == 1.0
    assert mixed == 0.0
