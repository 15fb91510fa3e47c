"""Product families: a correlation across firms is found, told from what lasts, and widens intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.indicators.cells.product_families import family_correlation, same_family_share, widen

QUARTERS = pd.period_range("2020Q1", periods=20, freq="Q")


def families(rows: pd.DataFrame) -> pd.DataFrame:
    firm = rows.groupby(["entity", "quarter", "product", "firm"])["passed"].agg(["size", "sum"]).reset_index()
    firm = firm.assign(n=firm["size"], k=firm["sum"])
    firm = firm.assign(nn=firm["n"] ** 2, nk=firm["n"] * firm["k"], kk=firm["k"] ** 2)
    return firm.groupby(["entity", "quarter", "product"])[["n", "k", "nn", "nk", "kk"]].sum().reset_index()


def province(seed: int, *, rho: float = 0.0, lasting: float = 0.0, moving: float = 0.0) -> pd.DataFrame:
    """Thirty entities with two products; ``lasting`` sets products apart, ``moving`` whole quarters of an entity."""
    rng = np.random.default_rng(seed)
    shape = (30, len(QUARTERS), 2, 6)
    p = (
        0.85
        + lasting * np.array([-1, 1])[None, None, :, None]
        + moving * rng.choice([-1, 1], (30, len(QUARTERS), 1, 1))
    )
    follows = rng.random(shape) < np.sqrt(rho)
    chance = np.where(follows, rng.random((*shape[:3], 1)), rng.random(shape))
    at = np.indices(shape).reshape(4, -1)
    return pd.DataFrame(
        {
            "entity": at[0], "quarter": QUARTERS[at[1]], "product": at[2], "firm": np.arange(at.shape[1]),
            "passed": (chance < p).ravel().astype(int),
        }
    )  # fmt: skip


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.3])
def test_the_correlation_within_families_is_found(rho):
    found = [family_correlation(families(province(seed, rho=rho))) for seed in range(4)]
    assert np.mean(found) == pytest.approx(rho, abs=0.03)


def test_what_a_product_or_a_quarter_has_in_common_is_no_family():
    for seed in range(3):
        assert family_correlation(families(province(seed, lasting=0.1))) < 0.03
        assert family_correlation(families(province(seed, moving=0.1))) < 0.03


def test_batches_of_one_firm_are_no_evidence_across_firms():
    rows = province(1)
    twice = families(pd.concat([rows, rows]))
    assert (twice["nn"] == 2 * twice["n"]).all()
    assert family_correlation(twice) == pytest.approx(family_correlation(families(rows)), abs=0.01)


def test_too_few_pairs_or_a_single_product_tell_nothing():
    rows = province(2, rho=0.3)
    assert family_correlation(families(rows[(rows["entity"] == 0) & (rows["quarter"] < QUARTERS[5])])) is None
    assert family_correlation(families(rows[rows["product"] == 0])) is None
    assert family_correlation(families(rows.assign(passed=1))) is None


def test_shares_of_pairs_and_effective_sizes_by_hand():
    rows = pd.DataFrame(
        {
            "entity": "K", "quarter": QUARTERS[0], "product": [0, 0, 0, 1], "firm": [1, 1, 2, 3],
            "passed": 1,
        }
    )  # fmt: skip
    share = same_family_share(families(rows), ["entity"])
    assert share["K"] == pytest.approx((9 + 1 - 6) / (16 - 6)), "4 of 10 ordered pairs of different firms"
    n_eff = widen(np.array([10.0, 1.0]), np.array([0.4, 0.4]), 0.5)
    assert n_eff == pytest.approx([1 / (0.1 + 0.5 * 0.4 * 0.9), 1.0])
    assert widen(np.array([10.0]), np.array([0.4]), 0.0) == pytest.approx([10.0])
