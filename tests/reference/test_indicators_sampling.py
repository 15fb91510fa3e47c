"""Published and known numbers for sampling treatments.

UK Food Standards Agency, LAEMS 2016-17 to 2018-19 (Open Government Licence 3.0): England, share of broadly compliant
establishments by risk class A (worst) to E; the inspection frequencies 2, 1, 2/3, 1/2 and 1/3 a year are those of the
Food Law Code of Practice. Naive: weighted by inspections. The truth is known: every establishment is rated.
Lohr, S. L. (2010). Sampling: Design and Analysis, 2nd ed., section 4.4: post-stratified means.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from qbase.indicators.cells.stratum_weights import stratum_weights, weighted_rates
from qbase.stats.design.design_weights import poststratified_mean, rake_weights

PER_YEAR = {"A": 2.0, "B": 1.0, "C": 2 / 3, "D": 1 / 2, "E": 1 / 3}


def read_england(folder, year: str) -> pd.DataFrame:
    frame = pd.read_csv(folder / f"{year}-enforcement-data-food-hygiene.csv", encoding="utf-8-sig")
    frame.columns = [re.sub(r"\s", "", c).lower() for c in frame.columns]
    frame = frame[frame["country"] == "England"]
    rows = []
    for risk in PER_YEAR:
        n, rate = (
            pd.to_numeric(frame[c].astype(str).str.replace(",", ""), errors="coerce")
            for c in (
                f"{risk.lower()}ratedestablishments",
                f"total%ofbroadlycompliantestablishments-{risk.lower()}",
            )
        )
        known = n.notna() & rate.notna()
        rows.append((risk, n[known].sum(), (n * rate / 100)[known].sum()))
    return pd.DataFrame(rows, columns=["risk_class", "firms", "compliant"])


@pytest.mark.shared
@pytest.mark.parametrize(
    ("year", "directed", "truth"), [("2018-19", 91.84, 95.15), ("2017-18", 91.37, 94.89), ("2016-17", 90.87, 94.52)]
)
def test_post_stratification_returns_the_truth_that_directed_inspection_hides(shared_data, year, directed, truth):
    england = read_england(shared_data / "uk_fsa_laems", year)
    assert 100 * england["compliant"].sum() / england["firms"].sum() == pytest.approx(truth, abs=0.005)
    keys = {"cluster_id": "England", "period": pd.Period("2018", "Y"), "size_class": "all"}
    frame = england.assign(**keys)
    visits = england["risk_class"].map(PER_YEAR) * england["firms"]
    share = england["compliant"] / england["firms"]
    strata = frame.assign(
        n=visits, k=visits * share, n_firms=visits, n_clean=visits * share, sum_nn=visits, sum_kk=visits * share,
        random_n=0.0, risk_n=visits,
    )  # fmt: skip
    naive = weighted_rates(strata.assign(weight=1.0, firm_weight=1.0), ["cluster_id"])
    assert 100 * naive["rate"].iloc[0] == pytest.approx(directed, abs=0.005)
    weights = stratum_weights(strata, frame, sampling="post_stratified")
    weighted = weighted_rates(
        strata.merge(weights, on=["cluster_id", "period", "risk_class", "size_class"]), ["cluster_id"]
    )
    assert 100 * weighted["rate"].iloc[0] == pytest.approx(truth, abs=0.005)


def test_a_post_stratified_mean_and_its_error_agree_with_the_textbook_formula():
    """Simple random sample, n large: variance of the mean is the stratified one, up to (n-1)/n and 1/n² terms."""
    rng = np.random.default_rng(4)
    group = rng.integers(0, 3, 900)
    y = rng.normal(group * 2.0, 1.0 + group)
    member = (group[:, None] == np.arange(3)).astype(float)
    totals = np.array([2000.0, 3000.0, 4000.0])
    found = poststratified_mean(member * y[:, None], member, 10.0, totals)
    share = totals / totals.sum()
    means = np.array([y[group == g].mean() for g in range(3)])
    variance = np.array([y[group == g].var(ddof=1) / (group == g).sum() for g in range(3)])
    assert found.value == pytest.approx(float(share @ means))
    assert found.std_error == pytest.approx(float(np.sqrt(share**2 @ variance)), rel=0.01)
    half = poststratified_mean(member * y[:, None], member, 10.0, totals, sampled_share=0.75)
    assert half.std_error == pytest.approx(found.std_error / 2)


def test_raking_reproduces_the_deming_stephan_margins():
    """Two margins with known totals: the fitted table keeps the cross-product ratio of the sample."""
    sample = np.array([30.0, 10.0, 20.0, 40.0])
    row, column = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    fitted = sample * rake_weights(sample, row, column, np.array([60.0, 40.0]), np.array([55.0, 45.0]))
    assert np.bincount(row, fitted) == pytest.approx([60, 40])
    assert np.bincount(column, fitted) == pytest.approx([55, 45])
    assert fitted[0] * fitted[3] / (fitted[1] * fitted[2]) == pytest.approx(6.0)
