"""Columns of items, one each, become rows of the table of items; batches stay what they were."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from qbase.intake.finding.wide_items import _read_item
from qbase.lake import Workspace

from .written_rows import load

HEAD = ["抽样编号", "抽样日期", "企业名称", "产品名称"]
SAID = ["2023-01-05", "甲厂", "丝"]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def items(home: Workspace) -> list[list[Any]]:
    rows = home.query("SELECT sample_no, item_no, item_name, value, is_ok FROM items ORDER BY 1, 2")
    return rows.astype(str).values.tolist()


RIGHT = [
    ["A1", "1", "断裂强度", "3.9", "True"], ["A1", "2", "含油率", "2.5", "True"],
    ["A2", "1", "断裂强度", "3.1", "False"],
]  # fmt: skip
BATCHES = [["A1", *SAID, "3.9", "2.5", "合格"], ["A2", *SAID, "3.1", "/", "不合格"]]


@pytest.mark.parametrize(
    "above",
    [
        [[*HEAD, "断裂强度（cN/dtex，≥3.3）", "含油率≤3.0", "检验结论"]],
        [[*HEAD, "断裂强度", "含油率", "检验结论"], ["标准值", "", "", "", "≥3.3", "≤3.0", ""]],
        [[*HEAD, "断裂强度", "含油率", "检验结论"], ["", "", "", "", "不小于3.3", "不大于3.0", ""]],
        [
            ["某县抽查明细"], [*HEAD, "检验项目", "", "检验结论"], ["", "", "", "", "断裂强度", "含油率", ""],
            ["单位", "", "", "", "cN/dtex", "%", ""], ["标准要求", "", "", "", "≥3.3", "≤3.0", ""],
        ],
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_limits_stand_in_the_header_or_below_it(home: Workspace, above: list[list[str]], name: str) -> None:
    report = load(home, [*above, *BATCHES], name)
    assert (report.table, report.quarantined) == ("inspections", 0)
    assert report.tables["inspections"]["accepted"] == 2
    assert report.tables["items"]["accepted"] == 3
    assert items(home) == RIGHT
    results = home.query("SELECT result FROM inspections ORDER BY sample_no")["result"]
    assert results.tolist() == ["pass", "fail"]


def test_a_value_that_is_no_number_is_set_aside_and_its_batch_stays(home: Workspace) -> None:
    rows = [["A1", *SAID, "3.9", "2.5*", "合格"], ["A2", *SAID, "3.1", "2.0", "不合格"]]
    report = load(home, [[*HEAD, "断裂强度（≥3.3）", "含油率（≤3.0）", "检验结论"], *rows])
    assert report.reasons["value:number"] == 1
    assert report.tables["inspections"]["accepted"] == 2
    assert dict(report.tables["items"]) | {"reasons": {}, "sheets": []} == {
        "rows_seen": 4, "listed": 0, "accepted": 3, "quarantined": 1, "reasons": {}, "sheets": [],
    }  # fmt: skip


def test_a_sheet_of_items_alone_accounts_for_all_of_its_rows(home: Workspace) -> None:
    rows = [["A1", "3.9", "3.2"], ["A2", "3.1", "4"], ["A3", "/", ""], ["合计", "", ""]]
    report = load(home, [["抽样编号", "断裂强度（≥3.3）", "线密度 3.0~3.6"], *rows])
    assert (report.table, report.accepted, report.quarantined) == ("items", 4, 0)
    assert report.reasons["empty_record"] == 1
    assert [row[-1] for row in items(home)] == ["True", "True", "False", "False"]


def test_two_grades_with_two_limits_leave_the_columns_unused(home: Workspace) -> None:
    rows = [["标准值", "", "", "", "≥3.3", ""], ["标准值", "", "", "", "≥3.0", ""], ["A1", *SAID, "3.1", "合格"]]
    report = load(home, [[*HEAD, "断裂强度", "检验结论"], *rows])
    assert "断裂强度:unknown_column" in report.warnings
    assert not home.has_table("items")


def test_a_column_without_a_limit_or_without_numbers_is_no_item(home: Workspace) -> None:
    report = load(home, [[*HEAD, "件数", "外观（不得检出）", "检验结论"], ["A1", *SAID, "3", "符合", "合格"]])
    assert not home.has_table("items")
    assert {"件数:unknown_column", "外观（不得检出）:unknown_column"} <= set(report.warnings)


@pytest.mark.parametrize(
    ("header", "item"),
    [
        ("断裂强度（≥3.3）", ("断裂强度", "", "≥3.3")), ("含油率(%)≤3.0", ("含油率", "%", "≤3.0")),
        ("检验项目_断裂强度（标准值：≥3.3，cN/dtex）", ("断裂强度", "cN/dtex", "≥3.3")),
        ("pH值（4.0~8.5）", ("pH值", "", "4.0~8.5")), ("强力\n不小于 20 N", ("强力", "", "不小于 20 N")),
        ("断裂强度（经向）≥3.3", ("断裂强度(经向)", "", "≥3.3")), ("断裂强度", None), ("≥3.3", None),
    ],
)  # fmt: skip
def test_name_unit_and_limit_are_told_apart(header: str, item: tuple[str, str, str] | None) -> None:
    found = _read_item(0, header, "", "")
    assert (found and (found.name, found.unit, found.requirement)) == item
