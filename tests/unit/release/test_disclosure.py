"""Internal reports pass; a report for outside passes only when three firms stand behind every cell."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import Column, DataError, Estimate, Indicator, Panel, Result, Source, Table, Text, UsageError
from qbase.core.text import same
from qbase.release import protect
from qbase.release.disclosing.primary_rules import RULES
from qbase.release.disclosing.shown_statistics import find_class

PASS = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")


def make_panel(firms: list[int] | None) -> Panel:
    index = pd.MultiIndex.from_arrays(
        [["A", "A", "B"], pd.PeriodIndex(["2024Q1", "2024Q2", "2024Q1"], freq="Q-DEC")], names=["entity", "period"]
    )
    data = pd.DataFrame(
        {"D1.batch": [90.0, 91.0, 92.0], "D1.batch__n": [10, 11, 12], "D1.batch__k": [9, 10, 11]}, index
    )
    if firms is not None:
        data["D1.batch__n_firms"], data["D1.batch__top1"], data["D1.batch__top2"] = firms, 4, 3
    return Panel(data=data, entity="cluster_id", freq="Q", sampling="naive", indicators={PASS.id: PASS})


def make_result(tables: dict[str, pd.DataFrame]) -> Result:
    estimate = Estimate(term="rate", value=90.0, ci_low=88.0, ci_high=92.0)
    return Result(
        estimand="level",
        outcome=PASS,
        unit="pct",
        method="wilson",
        estimates=(estimate,),
        subject=same("A"),
        tables=tables,
    )


def test_internal_values_come_back_unchanged() -> None:
    panel, result = make_panel(None), make_result({})
    assert protect(panel, profile="internal") is panel
    assert protect(panel, result, profile="internal") == (panel, result)


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        protect(make_panel(None), profile="public")
    assert caught.value.code == "QB752"


@pytest.mark.parametrize("profile", ["external", "statutory_public"])
@pytest.mark.parametrize("firms", [[3, 4, 5], [3, 3, 3]])
def test_cells_that_keep_every_rule_of_rates_pass(profile: str, firms: list[int]) -> None:
    panel = make_panel(firms)
    assert protect(panel, profile=profile) is panel


@pytest.mark.parametrize("profile", ["external", "statutory_public"])
@pytest.mark.parametrize(("firms", "code"), [(None, "QB750"), ([3, 2, 5], "QB751"), ([3, 0, 5], "QB751")])
def test_unknown_or_few_firms_stop_the_report(profile: str, firms: list[int] | None, code: str) -> None:
    with pytest.raises(DataError) as caught:
        protect(make_panel(firms), profile=profile)
    assert caught.value.code == code
    assert caught.value.exit_code == 3


def test_results_and_tables_need_counts_in_every_part() -> None:
    good = pd.DataFrame({"period": ["2024Q1"], "n_firms": [7], "n": [30], "k": [27], "top1": [9], "top2": [6]})
    bare = pd.DataFrame({"period": ["2024Q1"]})
    assert protect(make_result({"series": good}), profile="external").name == "level:D1.batch:wilson"
    for tables in ({}, {"series": bare}, {"series": good, "weights": bare}, {"series": good.assign(n_firms=[None])}):
        with pytest.raises(DataError) as caught:
            protect(make_result(tables), profile="external")
        assert caught.value.code == "QB750"
    table = Table(
        name="t", caption=same("t"), columns=(Column(label=same("a")),), rows=(("1",),),
        data={"n_firms": [2], "n": [9], "top1": [4], "top2": [3]},
    )  # fmt: skip
    with pytest.raises(DataError) as caught:
        protect(table, profile="external")
    assert caught.value.code == "QB751"


def test_the_catalogue_says_what_has_secondary_suppression() -> None:
    from qbase.core.errors import read_codes

    assert "secondary suppression" in read_codes()["QB750"]["meaning_en"]
    assert "次级抑制" in read_codes()["QB751"]["meaning_zh"]


@pytest.mark.parametrize(
    ("kind", "facts", "rule"),
    [
        ("rate", {"n": 40, "k": 40, "n_firms": 9, "top1": 6, "top2": 5}, "whole"),
        ("rate", {"n": 40, "k": 0, "n_firms": 9, "top1": 6, "top2": 5}, "whole"),
        ("rate", {"n": 40, "k": 40, "n_firms": 10, "top1": 6, "top2": 5}, None),
        ("count", {"n": 40, "k": 31, "n_firms": 9, "top1": 31, "top2": 5}, "dominance"),
        ("mean", {"n": 40, "n_firms": 9, "top1": 6, "top2": 5}, None),
        ("mean", {"n": 40, "n_firms": 9, "top1": 29, "top2": 9}, "p_percent"),
        ("ratio", {"n": 40, "n_firms": 2, "top1": 20, "top2": 20}, "firms"),
        ("concentration", {"n": 100, "n_firms": 8, "top1": 80, "top2": 5}, "dominance"),
        ("quantile", {"n_firms": 30, "tail_firms": 2}, "tail"),
        ("quantile", {"n_firms": 30, "tail_firms": 3}, None),
        ("coefficient", {"n_firms": 30, "freedom": 3}, "freedom"),
        ("histogram", {"n": 30, "k": 2, "n_firms": 2}, "firms"),
        ("extreme", {"n_firms": 4000}, "single"),
    ],
)
def test_each_class_of_statistic_has_its_own_rules(kind: str, facts: dict[str, int], rule: str | None) -> None:
    data = {"statistic": [kind], **{name: [value] for name, value in facts.items()}}
    table = Table(name="t", caption=same("t"), columns=(Column(label=same("a")),), rows=(("1",),), data=data)
    preset = "sacro" if kind == "coefficient" else "cn_default"
    if rule is None:
        assert protect(table, profile="external", preset=preset) is table
        return
    with pytest.raises(DataError) as caught:
        protect(table, profile="external", preset=preset)
    assert caught.value.code == "QB751"
    assert RULES[rule].en in caught.value.found
    for fact in facts:
        less = {name: values for name, values in data.items() if name != fact}
        if kind != "extreme":
            with pytest.raises(DataError) as unknown:
                protect(dataclasses.replace(table, data=less), profile="external", preset=preset)
            assert unknown.value.code == "QB750"


def test_what_is_computed_from_a_protected_panel_passes_unless_other_counts_are_in_it() -> None:
    of_pattern = dataclasses.replace(make_result({}), sources=(Source(path="pattern cn_default-1"),))
    assert protect(of_pattern, profile="external") is of_pattern
    pending = {"series": pd.DataFrame({"period": ["2024Q1"], "pending_count": [2]})}
    for change in (
        {"tables": pending}, {"tables": {"history": pd.DataFrame({"year": [2014]})}}, {"settings": {"firms": 12}},
        {"sources": (Source(path="pattern cn_default-1"), Source(path="pattern sacro-1"))},
    ):  # fmt: skip
        with pytest.raises(DataError) as caught:
            protect(dataclasses.replace(of_pattern, **change), profile="external")
        assert caught.value.code == "QB750"


@pytest.mark.parametrize(
    ("code", "unit", "estimand", "kind"),
    [
        ("D1.batch", "pct", "level", "rate"), ("D1.batch", "pp", "effect", "coefficient"),
        ("D4.hhi", "index", "level", "concentration"), ("D6.rank", "rank", "level", "extreme"),
        ("D3b.energy", "tce_per_t", "level", "ratio"), ("D6.output", "yi_cny", "level", "mean"),
        ("x", "count", "level", "count"),
    ],
)  # fmt: skip
def test_an_indicator_has_one_class(code: str, unit: str, estimand: str, kind: str) -> None:
    indicator = Indicator(id=code, name=same("x"), unit=unit, better="up")
    assert find_class(indicator, estimand) == kind
