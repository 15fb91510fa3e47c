"""Intervals that know which batches are of one firm."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qbase.core.errors import DataError
from qbase.stats import compare_firm_rates, firm_rate_interval, fit_firm_likeness, shared_correlation
from qbase.trends import estimate_change, estimate_level, estimate_matched_change
from tests.unit.trends.firm_panels import ID, build, draw

YEARS = ["2023Q4", "2024Q1", "2024Q2", "2024Q3", "2024Q4"]
ALIKE = draw(3, periods=YEARS, firms=6, batches=10, icc=0.4, rate=0.7)


def width(result, term: str) -> float:
    e = result.estimates[result.spoken[0]] if term == "rate" else result[term]
    return e.ci_high - e.ci_low


def test_firms_of_one_batch_each_change_nothing() -> None:
    panel, firms = build(draw(1, periods=YEARS, firms=30, batches=1))
    for estimate, term in ((estimate_level, "rate"), (estimate_change, "change")):
        plain, known = estimate(panel, ID, entity="K1"), estimate(panel, ID, entity="K1", firms=firms)
        if term == "rate":
            ends = ["conf_low", "conf_high"]
            assert np.allclose(plain.tidy()[ends], known.tidy()[ends], atol=1e-4)
            assert (plain.method, known.method) == ("wilson", "firm_wilson")
        else:
            # the same thirty firms come twice: what they share can only narrow it
            assert width(known, term) <= width(plain, term) + 1e-4
            assert (plain.method, known.method) == ("newcombe", "firm_difference")


def test_level_and_change_are_those_of_the_statistics_room() -> None:
    panel, firms = build(ALIKE)
    data = firms.data
    n, k = data["n"].to_numpy(), data["k"].to_numpy()
    likeness = fit_firm_likeness(n, k, data.groupby(["entity", "period"]).ngroup().to_numpy())
    last = estimate_level(panel, ID, entity="K1", firms=firms).estimates[-1]
    now, before = (data[data["period"].astype(str) == p] for p in ("2024Q4", "2023Q4"))
    share = np.array([now["k"].sum() / now["n"].sum()])
    low, high = firm_rate_interval(share, np.array([60.0]), np.array([600.0]), likeness)
    assert (last.ci_low, last.ci_high) == (pytest.approx(100 * low[0]), pytest.approx(100 * high[0]))
    change = estimate_change(panel, ID, entity="K1", firms=firms)
    two = [(x["n"].to_numpy(), x["k"].to_numpy()) for x in (before, now)]
    expected = compare_firm_rates(two[0], two[1], likeness)
    assert change["change"].value == pytest.approx(100 * expected.value)
    assert change["change"].ci_low == pytest.approx(100 * expected.low)
    assert change.settings["firm_likeness"] == pytest.approx(likeness.mean, abs=1e-4)
    assert change.settings["firms"] == 6
    assert expected.correlation > 0


def test_batches_that_are_alike_widen_the_level() -> None:
    panel, firms = build(ALIKE)
    plain, known = (estimate_level(panel, ID, entity="K1", firms=f) for f in (None, firms))
    assert width(known, "rate") > 1.5 * width(plain, "rate")
    assert any("独立" in n.zh or "互不相关" in n.zh for n in plain.notes)
    assert any("相关系数" in n.zh for n in known.notes)
    assert not any("把各批次视为互不相关；" in n.zh for n in known.notes)


def test_neither_order_nor_names_of_firms_matter() -> None:
    panel, firms = build(ALIKE)
    mixed = firms.data.sample(frac=1, random_state=1)
    mixed = mixed.assign(firm=mixed["firm"].map({f: f"X{i}" for i, f in enumerate(sorted(set(mixed["firm"]))[::-1])}))
    other = dataclasses.replace(firms, data=mixed)
    for estimate in (estimate_level, estimate_change):
        ours, theirs = (estimate(panel, ID, entity="K1", firms=f).tidy() for f in (firms, other))
        columns = ["estimate", "conf_low", "conf_high"]
        assert np.allclose(ours[columns], theirs[columns], atol=1e-9)


def test_pooled_and_matched_know_them_too() -> None:
    rows = [*ALIKE, *[(f"K2{e[2:]}", p, f"2{f}", n, k) for e, p, f, n, k in ALIKE if p != "2023Q4"]]
    panel, firms = build(rows)
    new = dataclasses.replace(firms, data=firms.data.assign(firm=firms.data["firm"] + firms.data["period"].astype(str)))
    plain, known, apart = (estimate_change(panel, ID, firms=f) for f in (None, firms, new))
    assert known["matched_change"].value == plain["matched_change"].value
    for term in ("change", "matched_change"):
        assert width(apart, term) > 1.3 * width(plain, term)
        assert width(known, term) < width(apart, term), "the same firms come twice"
    alone = estimate_matched_change(panel, ID, first="2023Q4", last="2024Q4", firms=firms)
    assert alone.method == "firm_difference"


def test_other_firms_are_refused_with_four_lines() -> None:
    panel, firms = build(ALIKE)
    less = dataclasses.replace(firms, data=firms.data.iloc[1:])
    wrong = [less, dataclasses.replace(firms, outcome="D1.firm"), dataclasses.replace(firms, sampling="random_draw")]
    wrong.append(dataclasses.replace(firms, data=firms.data.drop(columns="firm")))
    for given in wrong:
        for estimate in (estimate_level, estimate_change):
            with pytest.raises(DataError) as caught:
                estimate(panel, ID, entity="K1", firms=given)
            assert caught.value.code == "QB525"
            assert len(str(caught.value).splitlines()) == 4
    with pytest.raises(DataError, match="first 2023Q4: firms n 50"):
        estimate_level(panel, ID, entity="K1", firms=less)


def test_a_weighted_panel_keeps_the_interval_of_its_design() -> None:
    panel, firms = build(ALIKE)
    data = panel.data.assign(**{f"{ID}__lo": panel.data[ID] - 9, f"{ID}__hi": np.minimum(100, panel.data[ID] + 6)})
    weighted = dataclasses.replace(panel, data=data, sampling="random_draw")
    given = dataclasses.replace(firms, sampling="random_draw")
    result = estimate_level(weighted, ID, entity="K1", firms=given)
    assert result.method == "design"
    assert result.estimates[-1].ci_low == data[f"{ID}__lo"].iloc[-1]
    assert any("抽样设计" in n.zh for n in result.notes)
    assert not any("互不相关" in n.zh for n in result.notes)


def test_firms_that_come_twice_are_paired_within_their_entity_when_entities_are_summed() -> None:
    """Two entities of the same firms in every period, and the same counts with other firms in each."""
    same = draw(5, periods=YEARS, firms=12, batches=5, icc=0.5, rate=0.8, entities=("K1", "K2", "K3"))
    others = [(e, p, f"{f}{p}", n, k) for e, p, f, n, k in same]
    (panel, again), (_, new) = build(same), build(others)
    paired, apart = (estimate_change(panel, ID, firms=f) for f in (again, new))
    assert paired["change"].value == pytest.approx(apart["change"].value)
    assert width(paired, "change") < 0.85 * width(apart, "change")


def test_what_entities_differ_by_makes_no_two_periods_alike() -> None:
    n = np.full(8, 6)
    good, bad = np.full(4, 6), np.full(4, 2)
    passed = np.r_[good, bad]
    likeness = fit_firm_likeness(np.tile(n, 2), np.tile(passed, 2), np.repeat([0, 1], 8))
    assert shared_correlation((n, passed), (n, passed), likeness) > 0.5
    assert shared_correlation((n, passed), (n, passed), likeness, cell=np.repeat([0, 1], 4)) == 0.0
