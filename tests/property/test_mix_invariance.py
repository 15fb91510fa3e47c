"""What must not move the parts of a change, and what must turn them round."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qbase.stats import compare_laboratories, decompose_change

EXACT = 1e-11
NUMBERS = ["value", "std_error", "low", "high"]


def draw(seed: int, factors: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    m = int(rng.integers(8, 60))
    n = rng.integers(1, 12, m)
    k = rng.binomial(n, rng.uniform(0.3, 1, m))
    groups = rng.integers(0, 3, (m, factors))
    groups[:2] = 0
    period = rng.integers(0, 2, m)
    period[:2] = 0, 1
    return n, k, period, groups, rng.integers(0, 9, m)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), factors=st.integers(1, 3))
def test_order_labels_and_the_cut_of_rows_do_not_matter(seed: int, factors: int) -> None:
    n, k, period, groups, firms = draw(seed, factors)
    rng = np.random.default_rng(seed + 1)
    kept = decompose_change(n, k, period, groups, firms=firms)
    assert np.isclose(
        kept.parts.loc[["composition", "within"], "value"].sum(), kept.parts.loc["change", "value"], atol=EXACT
    )
    order = rng.permutation(len(n))
    names = np.array(["x", "a", "m"])
    # each row in two, in another order, under other names
    half = rng.integers(0, n + 1)
    passed = np.minimum(half, k)
    twice = [np.concatenate([a, b])[np.r_[order, order + len(n)]] for a, b in ((half, n - half), (passed, k - passed))]
    index = np.r_[order, order]
    moved = decompose_change(*twice, period[index], names[groups[index]], firms=firms[index])
    assert np.allclose(moved.parts[NUMBERS], kept.parts[NUMBERS], atol=EXACT)
    assert np.allclose(moved.adjusted[NUMBERS], kept.adjusted[NUMBERS], atol=EXACT)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), factors=st.integers(1, 3))
def test_looking_back_turns_every_sign(seed: int, factors: int) -> None:
    n, k, period, groups, firms = draw(seed, factors)
    there = decompose_change(n, k, period, groups, firms=firms)
    back = decompose_change(n, k, 1 - period, groups, firms=firms)
    assert np.allclose(there.parts["value"], -back.parts["value"], atol=EXACT)
    assert np.allclose(there.parts["std_error"], back.parts["std_error"], atol=EXACT)
    failed = decompose_change(n, n - k, period, groups, firms=firms)
    assert np.allclose(there.parts["value"], -failed.parts["value"], atol=EXACT)
    for a, b in zip(there.groups, failed.groups, strict=True):
        assert np.allclose(a[["composition", "within"]], -b[["composition", "within"]], atol=EXACT)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_a_group_cut_without_a_change_and_idle_factors_change_nothing(seed: int) -> None:
    n, k, period, groups, _firms = draw(seed, 1)
    whole = decompose_change(n, k, period, groups).parts["value"]
    # a group in two of the same rate and the same growth
    cut = decompose_change(
        np.r_[n, n], np.r_[k, k], np.r_[period, period], np.r_[groups, groups + 3 * (groups == 0)]
    ).parts["value"]
    assert np.allclose(whole, cut, atol=EXACT)
    copies = decompose_change(n, k, period, np.c_[groups, groups, 0 * groups]).parts["value"]
    assert np.isclose(copies["composition"], whole["composition"], atol=EXACT)
    assert np.allclose(copies[["composition[0]", "composition[1]"]], whole["composition"] / 2, atol=EXACT)
    assert np.isclose(copies["composition[2]"], 0, atol=EXACT)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), firm=st.booleans())
def test_laboratories_do_not_depend_on_order_or_names_and_turn_with_the_outcome(seed: int, firm: bool) -> None:
    rng = np.random.default_rng(seed)
    m = 60
    n = rng.integers(1, 8, m)
    k = rng.binomial(n, 0.8)
    lab, stratum = rng.integers(0, 4, m), rng.integers(0, 6, m)
    firms = rng.integers(0, 25, m) if firm else None
    kept = compare_laboratories(n, k, lab, stratum, draws=20)
    order = rng.permutation(m)
    names = np.array(["d", "c", "b", "a"])
    moved = compare_laboratories(n[order], k[order], names[lab[order]], stratum[order], draws=20)
    columns = ["raw", "raw_error", "value", "low", "high"]
    again = moved.table.set_index("laboratory").loc[names, columns]
    assert np.allclose(again, kept.table[columns], atol=1e-8)
    assert np.isclose(moved.p_value, kept.p_value)
    here = compare_laboratories(n, k, lab, stratum, firms=firms, draws=20)
    failed = compare_laboratories(n, n - k, lab, stratum, firms=firms, draws=20)
    assert np.allclose(here.table[["raw", "value"]], -failed.table[["raw", "value"]], atol=1e-8)
    assert np.isclose(here.p_value, failed.p_value)
