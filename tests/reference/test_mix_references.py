"""Published changes and laboratories, and second routes to the same numbers."""

from __future__ import annotations

import pathlib

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.oaxaca import OaxacaBlinder

from qbase.core import Indicator, Text
from qbase.indicators import build_group_counts
from qbase.stats import compare_laboratories, decompose_change, fit_two_way_logit
from qbase.trends import decompose_mix, estimate_laboratories

SIZES = ("large", "medium", "small")


def rate(name: str) -> Indicator:
    return Indicator(id=name, name=Text(name, name), unit="pct", better="up")


@pytest.mark.shared
def test_fifty_eight_percent_of_the_rise_of_failures_in_china_is_the_mix_of_sizes(shared_data: pathlib.Path) -> None:
    """Notices of the national spot checks of 2017 and 2021: 8.5 and 12.2 %; README of the data: 10.15 % at one mix."""
    table = pd.read_csv(shared_data / "cn_national_spot_checks" / "cn_national_spot_checks.csv", dtype={"period": str})
    table = table.set_index("period")
    n, k = [], []
    for year in ("2017", "2021"):
        for size in SIZES:
            drawn = float(table.loc[year, "batches"]) * float(table.loc[year, f"firm_share_{size}_pct"]) / 100
            n.append(drawn)
            k.append(drawn * float(table.loc[year, f"fail_{size}_pct"]) / 100)
    found = decompose_change(n, k, [0] * 3 + [1] * 3, [[s] for s in SIZES * 2])
    rise = found.parts.loc["change", "value"]
    kept = found.adjusted.loc["first", "value"]
    before = sum(k[:3]) / sum(n[:3])
    assert 100 * before == pytest.approx(8.5, abs=0.15)  # shares are printed to one decimal and add up to 99.9
    assert 100 * (before + rise) == pytest.approx(12.2, abs=0.15)
    assert 100 * (before + kept) == pytest.approx(10.15, abs=0.01)
    assert 1 - kept / rise == pytest.approx(0.58, abs=0.005)
    # at the mean of both years it is less: which mix is kept matters, and the result says so
    assert found.parts.loc["composition", "value"] / rise == pytest.approx(0.43, abs=0.005)


@pytest.mark.parametrize("swapped", [False, True])
def test_composition_is_the_explained_part_of_oaxaca_with_the_mean_coefficients(swapped: bool) -> None:
    """Kitagawa on dummies of groups is the two-fold of Reimers (weight one half); the sign of statsmodels is guarded.

    statsmodels 0.15.0 turns the groups round so that its gap is never negative (``swap=True``, the default); with
    ``swap=False`` it is the first label minus the second, here earlier minus later. Both are guarded below.
    """
    rng = np.random.default_rng(4)
    group, late = rng.integers(0, 3, 900), rng.integers(0, 2, 900)
    group = np.where(late & (rng.random(900) < 0.3), 2, group)
    y = (rng.random(900) < np.array([0.95, 0.9, 0.75])[group] + 0.02 * late).astype(float)
    y = 1 - y if swapped else y
    ours = decompose_change(np.ones(900), y, late, group[:, None]).parts["value"]
    design = np.column_stack([late, group == 1, group == 2]).astype(float)
    fit = OaxacaBlinder(y, design, 0, hasconst=False, swap=False)
    assert fit.gap == pytest.approx(-ours["change"], abs=1e-12)
    halves = fit.two_fold(two_fold_type="self_submitted", submitted_weight=0.5).params
    assert halves[1] == pytest.approx(-ours["composition"], abs=1e-10)
    assert halves[0] == pytest.approx(-ours["within"], abs=1e-10)
    assert OaxacaBlinder(y, design, 0, hasconst=False).gap == pytest.approx(abs(ours["change"]), abs=1e-12)


def test_the_test_of_laboratories_is_that_of_cochran_mantel_and_haenszel() -> None:
    """Two pairs that share nothing: the statistic is the sum of two stratified 2 x 2 tests of statsmodels."""
    rng = np.random.default_rng(3)
    lab, stratum, n, k, statistic = [], [], [], [], 0.0
    for pair in (0, 1):
        tables = []
        for s in range(6):
            m = rng.integers(5, 20, 2)
            passed = rng.binomial(m, [0.9, 0.75])
            tables.append(np.array([[passed[0], m[0] - passed[0]], [passed[1], m[1] - passed[1]]]))
            lab += [f"{pair}a", f"{pair}b"]
            stratum += [f"{pair}{s}"] * 2
            n, k = [*n, *m], [*k, *passed]
        statistic += StratifiedTable(tables).test_null_odds(correction=False).statistic
    found = compare_laboratories(n, k, lab, stratum)
    assert found.df == 2
    assert found.statistic == pytest.approx(statistic, rel=1e-10)


def test_the_spread_of_twelve_laboratories_is_that_of_other_software() -> None:
    """lme4 1.1 Laplace: SD .624251 on the log-odds at 1.145162; mgcv REML .680150: 11.4 and 12.5 points."""
    passes = [16, 14, 18, 13, 9, 16, 19, 17, 15, 12, 18, 11]
    found = compare_laboratories([20] * 12, passes, range(12), [0] * 12)
    at = 1 / (1 + np.exp(-1.145162))
    slope = at * (1 - at)
    assert 0.9 * 0.624251 * slope < found.spread[0] < 1.1 * 0.680150 * slope
    # pooled rates lie where lme4's conditional modes do: about half way to the mean
    value = found.table.set_index("laboratory")["value"].astype(float)
    raw = found.table.set_index("laboratory")["raw"].astype(float)
    assert (value / raw).between(0.4, 0.7).all()


def test_differences_go_with_the_log_odds_of_a_two_way_fit() -> None:
    """A second route: entity-period and laboratory effects by Firth's logit."""
    rng = np.random.default_rng(8)
    effect = np.array([-1.0, -0.4, 0.0, 0.3, 1.1])
    n = rng.integers(4, 9, (60, 5)).astype(float)
    p = 1 / (1 + np.exp(-(1.2 + 0.5 * rng.standard_normal((60, 1)) + effect)))
    k = rng.binomial(n.astype(int), p).astype(float)
    strata, labs = np.indices(n.shape)
    ours = compare_laboratories(n.ravel(), k.ravel(), labs.ravel(), strata.ravel())
    theirs = fit_two_way_logit(k, n).period
    slope = (p * (1 - p)).mean()
    assert np.corrcoef(ours.pooled.effect, theirs)[0, 1] > 0.98
    assert ours.pooled.effect == pytest.approx(slope * theirs, abs=0.04)


@pytest.mark.shared
def test_inspectors_of_chicago_find_critical_violations_in_2_to_38_percent(shared_data: pathlib.Path) -> None:
    """README of the data: from 2.3 % (brown) to 38.2 % (purple); on the same places and quarters too."""
    path = shared_data / "us_chicago_food_inspections" / "chicago_canvass_2011_2014.csv.gz"
    rows = pd.read_csv(path, dtype={"Zip": str}).dropna(subset=["Zip"])
    quarter = pd.PeriodIndex(pd.to_datetime(rows["inspection_date"]), freq="Q").astype(str)
    frame = pd.DataFrame({
        "zip": rows["Zip"], "period": quarter, "inspector": rows["inspector_cluster"], "risk": rows["Risk"],
        "firm": rows["License"], "n": 1, "k": (rows["criticalCount"] > 0).astype(int),
    })  # fmt: skip
    counts = build_group_counts(frame, indicator=rate("critical"), by=("inspector", "risk"), entity="zip")
    result = estimate_laboratories(counts, by="inspector", within=("risk",), draws=199)
    table = result.tables["laboratories"].set_index("laboratory")
    assert table.loc["brown", "rate_pct"] == pytest.approx(2.3, abs=0.05)
    assert table.loc["purple", "rate_pct"] == pytest.approx(38.2, abs=0.05)
    assert result["spread"].p_value == pytest.approx(1 / 200)
    assert table.loc["purple", "ci_low"] > 15
    assert table.loc["brown", "ci_high"] < -5
    assert {c.name: c.passed for c in result.checks}["laboratories_alike"] is False
    change = decompose_mix(counts, first="2012Q4", last="2014Q4", by=("inspector", "entity"))
    assert change["composition"].value + change["within"].value == pytest.approx(change["change"].value, abs=1e-12)
