"""How ripe a quarter is: states, completeness by age, bounds, and what later deliveries changed."""

from __future__ import annotations

import datetime
import hashlib

import pandas as pd
import pyarrow as pa
import pytest

from qbase.core.errors import UsageError
from qbase.core.periods import parse_period
from qbase.indicators import (
    build_panel,
    check_maturity,
    read_completeness,
    read_maturity,
    read_revisions,
    withhold_preliminary,
)
from qbase.lake import Workspace
from qbase.lake.storage.snapshots import Delivery

COLUMNS = {
    "sample_no": pa.string(), "sample_date": pa.date32(), "sample_type": pa.string(), "uscc": pa.string(),
    "firm_code": pa.string(), "firm_name": pa.string(), "town_code": pa.string(), "result": pa.string(),
    "is_recheck": pa.bool_(), "appeal_result": pa.string(), "notice_no": pa.string(), "role": pa.string(),
    "parent_no": pa.string(),
}  # fmt: skip


def put(workspace: Workspace, name: str, rows: list[dict[str, object]], table: str = "inspections") -> None:
    schema = pa.schema(list(COLUMNS.items())) if table == "inspections" else None
    data = pa.Table.from_pylist(rows, schema=schema)
    sha = hashlib.sha256(name.encode()).hexdigest()
    size = len(rows)
    delivery = Delivery(sha256=sha, file_name=name, table=table, verdict="OK", rows_seen=size, accepted=size)
    workspace.commit(delivery, {table: data})


def batches(quarter: str, passed: int, failed: int, *, tag: str = "", **more: object) -> list[dict[str, object]]:
    year, number = int(quarter[:4]), int(quarter[-1])
    day = datetime.date(year, 3 * number - 1, 10)
    head = {
        "sample_date": day, "sample_type": "random", "firm_name": "甲厂", "town_code": "T1", "is_recheck": False,
        "notice_no": f"N{quarter}",
    }  # fmt: skip
    results = ["pass"] * passed + ["fail"] * failed
    return [{**head, "sample_no": f"{quarter}{tag}{i}", "result": r, **more} for i, r in enumerate(results)]


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.create(tmp_path)


def test_a_result_is_sampled_tested_in_objection_or_final(workspace):
    rows = [
        *batches("2024Q1", 18, 2),
        *batches("2024Q2", 5, 1),
        *batches("2024Q2", 1, 0, tag="a", notice_no=None),
        *batches("2024Q2", 0, 2, tag="b", appeal_result="pending"),
        *batches("2024Q2", 1, 0, tag="c", result=None),
        *batches("2024Q2", 2, 0, tag="d", notice_no="LATE"),
    ]
    put(workspace, "all", rows)
    notices = [
        {"notice_no": n, "publish_date": datetime.date(2024, m, 1)}
        for n, m in [("N2024Q1", 4), ("N2024Q2", 6), ("LATE", 9)]
    ]
    put(workspace, "notices", notices, "notices")
    table = read_maturity(workspace, entity="town_code", as_of="2024-06-30").table
    young = table.loc[("T1", parse_period("2024Q2"))]
    assert [young[f"n_{s}"] for s in ("sampled", "tested", "objection", "final")] == [1, 3, 2, 6]
    assert (young["pending_count"], young["complete_share"], young["is_preliminary"]) == (6, 0.5, True)
    assert young["rate_pct"] == pytest.approx(100 * 5 / 6)
    assert (young["low_pct"], young["high_pct"]) == (pytest.approx(100 * 5 / 12), pytest.approx(100 * 11 / 12))
    ripe = table.loc[("T1", parse_period("2024Q1"))]
    assert (ripe["complete_share"], ripe["is_preliminary"]) == (1.0, False)
    assert ripe["low_pct"] == ripe["high_pct"] == ripe["rate_pct"] == 90.0
    later = read_maturity(workspace, entity="town_code", as_of="2024-10-01").table
    assert later.loc[("T1", parse_period("2024Q2")), "n_final"] == 8


QUARTERS = [f"{year}Q{q}" for year in (2022, 2023) for q in (1, 2, 3, 4)]


def grow(workspace: Workspace) -> dict[str, str]:
    """Load eight quarters as they come: 60 of 100 batches at the end of the quarter, 40 in the next one."""
    known = {}
    for number, quarter in enumerate(QUARTERS, start=1):
        before = batches(QUARTERS[number - 2], 30, 10, tag="late") if number > 1 else []
        put(workspace, quarter, [*batches(quarter, 58, 2), *before])
        known[f"S{number:04d}"] = str(pd.Period(quarter, freq="Q").end_time.date())
    return known


def test_completeness_by_age_is_learnt_from_table_versions(workspace):
    known = grow(workspace)
    learnt = read_completeness(workspace, known_on=known).set_index("age")
    assert learnt["complete_share"].to_dict() == {0: 0.6, 1: 1.0, 2: 1.0, 3: 1.0}
    assert learnt.loc[0, "n_pairs"] == 4, "only quarters that are ripe now teach"


def test_a_young_quarter_is_bounded_by_what_is_still_to_come(workspace):
    known = grow(workspace)
    found = read_maturity(workspace, entity="town_code", known_on=known)
    young = found.table.loc[("T1", parse_period("2023Q4"))]
    assert (young["n_final"], young["unseen_count"], young["is_preliminary"]) == (60, 40, True)
    assert young["rate_pct"] == pytest.approx(100 * 58 / 60)
    assert (young["low_pct"], young["high_pct"]) == (58.0, 98.0)
    truth = 100 * (58 + 30) / 100
    assert young["low_pct"] <= truth <= young["high_pct"], "late failures are inside the bounds"
    assert not found.table.loc[("T1", parse_period("2023Q3")), "is_preliminary"]
    assert (
        not read_maturity(workspace, entity="town_code", known_on=known, least_share=0.6).table["is_preliminary"].any()
    )


def test_a_backlog_loaded_file_by_file_teaches_nothing(workspace):
    grow(workspace)
    assert read_completeness(workspace).empty
    assert not read_maturity(workspace, entity="town_code").table["is_preliminary"].any()


def test_a_preliminary_quarter_gets_no_verdict(workspace):
    known = grow(workspace)
    panel = build_panel(workspace, "D1.batch", entity="town_code")
    found = read_maturity(workspace, entity="town_code", known_on=known)
    check = check_maturity(panel, found)
    assert check.passed is False
    assert "初步" in check.text.zh
    assert "1 value of 2023Q4 preliminary: fewer than 95% of the results are final, 40 batches are" in check.text.en
    ripe = withhold_preliminary(panel, found)
    assert [str(p) for p in ripe.periods] == QUARTERS[:-1]
    assert ripe.cells is not None
    assert ripe.cells["n"].sum() == ripe.data["D1.batch__n"].sum()
    assert check_maturity(ripe, found).passed is None, "left out, so no verdict rests on it, and said so"
    one = check_maturity(panel, found, entity="T1")
    assert one.passed is False
    assert "2023 年第 4 季度尚有 40 批结果待定（预计尚未报送 40 批；截至 2023-11-10）" in one.text.zh
    assert "58.0% if all of these fail, 98.0% if all pass" in one.text.en


def test_entities_summed_are_judged_together(workspace):
    rows = [*batches("2024Q1", 99, 1), *batches("2024Q1", 1, 0, tag="b", town_code="T2", appeal_result="pending")]
    put(workspace, "two towns", [*rows, *batches("2023Q4", 5, 5), *batches("2023Q4", 5, 5, tag="b", town_code="T2")])
    panel = build_panel(workspace, "D1.batch", entity="town_code")
    found = read_maturity(workspace, entity="town_code")
    assert found.table.loc[("T2", parse_period("2024Q1")), "is_preliminary"]
    assert not found.of(None)["is_preliminary"].any(), "one batch of 101 does not hold up the sum"
    assert len(withhold_preliminary(panel, found).data) == 3
    whole = withhold_preliminary(panel, found, is_pooled=True)
    assert len(whole.data) == 4
    assert check_maturity(whole, found, is_pooled=True).passed is True


def test_the_last_publication_on_record_is_the_day_and_no_notices_mean_no_waiting(workspace):
    put(workspace, "all", [*batches("2024Q1", 9, 1), *batches("2024Q1", 8, 2, tag="b", town_code="T2", notice_no=None)])
    put(workspace, "notices", [{"notice_no": "N2024Q1", "publish_date": datetime.date(2024, 4, 20)}], "notices")
    found = read_maturity(workspace, entity="town_code")
    assert found.as_of == "2024-04-20"
    assert not found.table["is_preliminary"].any()
    before = read_maturity(workspace, entity="town_code", as_of="2024-03-31").table
    assert before["is_preliminary"].tolist() == [True, False], "T2 records no publication at all"


def test_revisions_name_what_each_delivery_changed(workspace):
    grow(workspace)
    found = read_revisions(workspace, "D1.batch", entity="town_code").set_index(["snapshot", "period"])
    assert len(found) == 14, "one new quarter and one revised one with every delivery after the first"
    revised = found.loc[("S0003", parse_period("2022Q2"))]
    assert (revised["n_before"], revised["n"]) == (60, 100)
    assert revised["change"] == pytest.approx(88 - 100 * 58 / 60)
    assert pd.isna(found.loc[("S0003", parse_period("2022Q3")), "value_before"])
    two = read_revisions(workspace, "D1.batch", entity="town_code", snapshots=["S0007", "S0008"])
    assert set(two["snapshot"]) == {"S0008"}
    assert read_revisions(workspace, "D1.batch", entity="town_code", snapshots=["S0008"]).empty


@pytest.mark.parametrize("least", [0, -0.1, 1.5])
def test_a_threshold_is_a_share(workspace, least):
    put(workspace, "x", batches("2024Q1", 1, 0))
    with pytest.raises(UsageError) as caught:
        read_maturity(workspace, entity="town_code", least_share=least)
    assert caught.value.code == "QB440"
    assert len(str(caught.value).splitlines()) == 4


def monthly(quarter: str, months: int) -> list[dict[str, object]]:
    """Twenty batches that all passed, spread over the first months of a quarter."""
    year, number = int(quarter[:4]), int(quarter[-1])
    return [
        {**row, "sample_date": datetime.date(year, 3 * number - 2 + i % months, 10)}
        for i, row in enumerate(batches(quarter, 20, 0))
    ]


@pytest.mark.parametrize(("months", "is_young"), [(1, True), (2, True), (3, False)])
def test_a_quarter_that_is_not_over_is_preliminary_however_final_its_results(workspace, months, is_young):
    put(workspace, "all", [*monthly("2024Q2", 3), *monthly("2024Q3", months)])
    found = read_maturity(workspace, entity="town_code").of("T1")
    assert found["complete_share"].tolist() == [1.0, 1.0]
    assert found["is_preliminary"].tolist() == [False, is_young]
    assert found["low_pct"].isna().tolist() == [False, is_young], "what is not drawn yet has no bounds"
    assert read_maturity(workspace, entity="town_code").of()["is_preliminary"].tolist() == [False, is_young]
    later = read_maturity(workspace, entity="town_code", as_of="2024-10-05")
    assert not later.table["is_preliminary"].any(), "the quarter is over"
    panel = build_panel(workspace, "D1.batch", entity="town_code")
    (text,) = {check_maturity(panel, read_maturity(workspace, entity="town_code"), entity="T1").text.en}
    assert ("2024 Q3 is not over" in text) is is_young


def test_dates_that_stand_for_whole_quarters_do_not_make_the_last_one_unfinished(workspace):
    put(workspace, "all", [*monthly("2024Q2", 1), *monthly("2024Q3", 1)])
    assert not read_maturity(workspace, entity="town_code").table["is_preliminary"].any()


def test_an_earlier_day_gives_the_maturity_of_that_day(workspace):
    put(workspace, "all", [*monthly("2024Q2", 3), *monthly("2024Q3", 3), *monthly("2024Q4", 3)])
    now = read_maturity(workspace, entity="town_code").of("T1")
    then = read_maturity(workspace, entity="town_code", as_of="2024-08-31").of("T1")
    assert now["is_preliminary"].tolist() == [False, False, False]
    assert then["is_preliminary"].tolist() == [False, True, True]
    assert then["n_sampled"].tolist() == [0, 6, 20], "what was drawn later was not known then"
    with pytest.raises(UsageError) as caught:
        read_maturity(workspace, entity="town_code", as_of="31.8.2024")
    assert (caught.value.code, len(str(caught.value).splitlines())) == ("QB441", 4)
