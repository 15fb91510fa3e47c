"""Parts of a change and differences of laboratories: identities, gradients and refusals."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.stats import compare_laboratories, decompose_change, decompose_leads, shrink_effects
from qbase.stats.decomposing import part_gradients as pg

EXACT = 1e-12


def rows(seed: int, *, factors: int = 2, groups: int = 3, m: int = 60) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 30, m).astype(float)
    k = rng.binomial(n.astype(int), rng.uniform(0.6, 1, m)).astype(float)
    return n, k, np.arange(m) % 2, rng.integers(0, groups, (m, factors))


def composition(n, k, period, groups) -> float:
    """Kitagawa's composition by a plain table; no group is missing in these data."""
    frame = pd.DataFrame({"n": n, "k": k, "t": period, "g": [tuple(g) for g in groups]})
    sums = frame.groupby(["g", "t"])[["n", "k"]].sum().unstack()
    share = sums["n"] / sums["n"].sum()
    rate = sums["k"] / sums["n"]
    return float(((share[1] - share[0]) * (rate[0] + rate[1]) / 2).sum())


def test_parts_add_up_and_factors_get_their_mean_over_all_orders() -> None:
    n, k, period, groups = rows(1, factors=3, groups=2)
    found = decompose_change(n, k, period, groups)
    value = found.parts["value"]
    rate = [k[period == p].sum() / n[period == p].sum() for p in (0, 1)]
    assert value["change"] == pytest.approx(rate[1] - rate[0], abs=EXACT)
    assert value["composition"] + value["within"] == pytest.approx(value["change"], abs=EXACT)
    assert value["composition"] == pytest.approx(composition(n, k, period, groups), abs=EXACT)
    gained = np.zeros(3)
    for order in permutations(range(3)):
        before = 0.0
        for i, f in enumerate(order):
            now = composition(n, k, period, groups[:, sorted(order[: i + 1])])
            gained[f] += (now - before) / 6
            before = now
    assert [value[f"composition[{j}]"] for j in range(3)] == pytest.approx(gained, abs=EXACT)
    for table, j in zip(found.groups, range(3), strict=True):
        assert table["composition"].sum() == pytest.approx(composition(n, k, period, groups[:, [j]]), abs=EXACT)
        assert table[["composition", "within"]].to_numpy().sum() == pytest.approx(value["change"], abs=EXACT)


@pytest.mark.parametrize("missing", [False, True])
def test_gradients_are_those_of_the_values(missing: bool) -> None:
    rng = np.random.default_rng(5)
    share, of_cell = rng.dirichlet(np.ones(5), 2), np.array([0, 1, 0, 2, 1])
    if missing:
        share[1, 3] = 0.0
    passes = share * rng.uniform(0.5, 1, (2, 5))

    def values(s: np.ndarray, m: np.ndarray) -> list[pg.Part]:
        g = pg.group_cells(s, m, of_cell)
        whole = [pg.composition_part(g), *pg.composition_of_groups(g), *pg.within_of_groups(g)]
        return [*whole, *(pg.adjusted_part(g, w) for w in ((1.0, 0.0), (0.0, 1.0), (0.3, 0.7)))]

    step, found = 1e-6, values(share, passes)
    for t in (0, 1):
        for c in np.flatnonzero(share[t]):
            for name, at in (("by_share", 0), ("by_passes", 1)):
                moved = [[share.copy(), passes.copy()] for _ in (0, 1)]
                moved[0][at][t, c] -= step
                moved[1][at][t, c] += step
                low, high = (values(*pair) for pair in moved)
                for part, a, b in zip(found, low, high, strict=True):
                    assert getattr(part, name)[t, c] == pytest.approx((b.value - a.value) / 2 / step, abs=1e-6)


def test_a_group_of_one_period_is_all_composition() -> None:
    found = decompose_change([50, 50, 100], [45, 40, 90], [0, 0, 1], [["a"], ["old"], ["a"]])
    assert found.parts.loc["within", "value"] == pytest.approx(0, abs=EXACT)
    assert found.parts.loc["composition", "value"] == pytest.approx(0.05, abs=EXACT)
    assert found.common == (0.5, 1.0)


def test_alike_batches_of_firms_widen_the_doubt_and_all_passing_leaves_some() -> None:
    n, k, period, groups = rows(2, m=40)
    k = np.where(np.arange(40) % 4 < 2, n, 0)
    single = decompose_change(n, k, period, groups)
    by_firm = decompose_change(n, k, period, groups, firms=np.arange(40) // 2)
    assert by_firm.n_firms == 20
    assert (by_firm.parts["std_error"] >= single.parts["std_error"]).all()
    assert by_firm.parts.loc["change", "std_error"] > 1.5 * single.parts.loc["change", "std_error"]
    alike = decompose_change([20, 10, 20, 30], [20, 10, 20, 30], [0, 0, 1, 1], list("abab"))
    assert alike.parts.loc["change", "value"] == 0
    assert alike.parts.loc["within", "low"] < -0.02


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"n": [1, 2], "k": [1], "period": [0, 1], "groups": ["a", "a"]}, "QB589"),
        ({"n": [1, 2], "k": [2, 1], "period": [0, 1], "groups": ["a", "a"]}, "QB589"),
        ({"n": [1, 2], "k": [1, 1], "period": [0, 0], "groups": ["a", "a"]}, "QB589"),
        ({"n": [1, 2], "k": [1, 1], "period": [0, 1], "groups": [["a"] * 7] * 2}, "QB589"),
        ({"n": [1, np.nan], "k": [1, 1], "period": [0, 1], "groups": ["a", "a"]}, "QB589"),
        ({"n": [1, 2], "k": [1, 1], "period": [0, 1], "groups": ["a", "b"]}, "QB588"),
    ],
)
def test_what_cannot_be_decomposed_is_refused(words: dict[str, object], code: str) -> None:
    with pytest.raises((UsageError, DataError), match=code):
        decompose_change(**words)


def test_laboratories_that_share_nothing_are_refused_and_one_alone_is_left_out() -> None:
    with pytest.raises(DataError, match="QB591"):
        compare_laboratories([9, 9, 9], [8, 7, 6], list("abc"), [1, 2, 3])
    with pytest.raises(DataError, match="QB591"):
        compare_laboratories([9, 9, 9], [9, 9, 9], list("abc"), [1, 1, 1])
    with pytest.raises(UsageError, match="QB589"):
        compare_laboratories([9, 9], [8, 10], list("ab"), [1, 1])
    found = compare_laboratories([30, 30, 30, 30], [25, 28, 24, 30], list("abcd"), [1, 1, 1, 2])
    alone = found.table.set_index("laboratory").loc["d"]
    assert np.isnan([alone["raw"], alone["value"]]).all()
    assert found.linked.tolist() == [True, True, True, False]
    leads = decompose_leads([30] * 4, [25, 28, 24, 30], list("abcd"), [1, 1, 1, 2], [0] * 4, found).set_index("entity")
    assert leads.loc["2", "lead"] == pytest.approx(1 - 77 / 90)
    assert np.isnan(leads.loc["2", "explained"])
    with pytest.raises(UsageError, match="QB589"):
        decompose_leads([1], [1], ["z"], [1], [0], found)


def test_pooling_keeps_each_set_at_its_own_mean_and_pulls_the_doubtful_more() -> None:
    covariance = np.diag([0.01, 0.01, 4.0, 0.01, 0.01])
    found = shrink_effects(np.array([1.0, -1.0, 3.0, 5.0, 6.0]), covariance, np.array([0, 0, 0, 1, 1]))
    assert found.effect[:3].sum() == pytest.approx(0, abs=1e-9)
    assert found.effect[3:].sum() == pytest.approx(0, abs=1e-9)
    assert found.effect[0] - found.effect[1] == pytest.approx(2, abs=0.1)
    assert 0.2 < found.effect[2] - found.effect[:2].mean() < 2.5
    assert found.spread[1] < found.spread[0] < found.spread[2]
