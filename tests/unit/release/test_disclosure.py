"""Internal reports pass; a report for outside passes only when three firms stand behind every cell."""

from __future__ import annotations

import pandas as pd
import pytest

from qbase.core import Column, DataError, Estimate, Indicator, Panel, Result, Table, Text, UsageError
from qbase.core.text import same
from qbase.release import protect

PASS = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")


def make_panel(firms: list[int] | None) -> Panel:
    index = pd.MultiIndex.from_arrays(
        [["A", "A", "B"], pd.PeriodIndex(["2024Q1", "2024Q2", "2024Q1"], freq="Q-DEC")], names=["entity", "period"]
    )
    data = pd.DataFrame(
        {"D1.batch": [90.0, 91.0, 92.0], "D1.batch__n": [10, 11, 12], "D1.batch__k": [9, 10, 11]}, index
    )
    if firms is not None:
        data["D1.batch__n_firms"] = firms
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
def test_three_firms_behind_every_cell_pass(profile: str, firms: list[int]) -> None:
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
    good = pd.DataFrame({"period": ["2024Q1"], "n_firms": [7]})
    bare = pd.DataFrame({"period": ["2024Q1"]})
    assert protect(make_result({"series": good}), profile="external").name == "level:D1.batch:wilson"
    for tables in ({}, {"series": bare}, {"series": good, "weights": bare}, {"series": good.assign(n_firms=[None])}):
        with pytest.raises(DataError) as caught:
            protect(make_result(tables), profile="external")
        assert caught.value.code == "QB750"
    table = Table(
        name="t", caption=same("t"), columns=(Column(label=same("a")),), rows=(("1",),), data={"n_firms": [2]}
    )
    with pytest.raises(DataError) as caught:
        protect(table, profile="external")
    assert caught.value.code == "QB751"


def test_the_catalogue_says_what_has_secondary_suppression() -> None:
    from qbase.core.errors import read_codes

    assert "secondary suppression" in read_codes()["QB750"]["meaning_en"]
    assert "次级抑制" in read_codes()["QB751"]["meaning_zh"]
