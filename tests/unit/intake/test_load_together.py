"""Answers, reshaped sheets, superseding, remembered keys and second attempts in one load."""

from __future__ import annotations

import pathlib
from typing import Any

import openpyxl
import pytest

from qbase.intake import LoadReport, load_files, read_recipe, retry_quarantine
from qbase.lake import Workspace

ZH = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]
ODD = ["抽样编码号", *ZH[1:]]
ITEMS = [*ZH, "不合格项目", "标准要求", "实测值"]
ANSWER = "column:抽样编码号=sample_no"


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def row(number: int, result: str = "合格") -> list[str]:
    return [f"S{number}", "省级", "2022-08-10", "生产", "双随机", "甲厂", "涤纶长丝", result]


def book(home: Workspace, name: str, *rows: list[str]) -> pathlib.Path:
    path = home.root / name
    made = openpyxl.Workbook()
    for cells in rows:
        made.active.append(cells)
    made.save(path)
    return path


def send(home: Workspace, name: str, *rows: list[str], **options: Any) -> LoadReport:
    (report,) = load_files(home, [book(home, name, *rows)], **options)
    return report


def items(home: Workspace) -> list[list[str]]:
    return home.query("SELECT record_no, item_name FROM failed_items ORDER BY 1, 2").to_numpy().tolist()


def test_answers_are_kept_as_soon_as_one_of_several_workbooks_is_taken(home: Workspace) -> None:
    files = [book(home, "a.xlsx", ["甲", "乙"], ["1", "2"])]
    files += [book(home, f"b{number}.xlsx", ODD, row(number)) for number in range(3)]
    kept: list[bool] = []
    reports = load_files(
        home, files, accept=iter([ANSWER]), on_progress=lambda *_: kept.append((home.root / "data/recipes").is_dir())
    )
    assert [report.verdict for report in reports] == ["REJECTED", "OK", "OK", "OK"]
    assert len(kept) == 4
    assert kept == [verdict != "REJECTED" for verdict in (report.verdict for report in reports)]
    assert read_recipe(None, home.root).accept == {ANSWER}


def test_a_second_attempt_knows_the_answers_given_before(home: Workspace) -> None:
    first = send(home, "a.xlsx", ODD, row(1), row(2, "不明"), accept=[ANSWER])
    assert (first.accepted, first.quarantined) == (1, 1)
    again = retry_quarantine(home, first.sha256)
    assert again.error is None
    assert (again.accepted, again.quarantined) == (1, 1)


def test_failed_items_leave_with_the_batch_a_corrected_file_replaces(home: Workspace) -> None:
    bad = row(1, "不合格")
    sheet = [ITEMS, [*bad, "断裂强度", "≥3.5", "3.1"], [*bad, "含油率", "≤1", "1.2"], [*row(2), "/", "/", "/"]]
    old = send(home, "a.xlsx", *sheet, recipe="inspections_items")
    assert items(home) == [["S1", "含油率"], ["S1", "断裂强度"]]
    new = send(home, "b.xlsx", *sheet[:2], recipe="inspections_items", supersedes=old.sha256)
    assert (new.accepted, new.quarantined, "supersedes 1" in new.warnings) == (1, 0, True)
    assert items(home) == [["S1", "断裂强度"]]
    assert home.query("SELECT sample_no FROM inspections")["sample_no"].tolist() == ["S1"]


def test_batches_of_several_items_are_known_again_within_one_load(home: Workspace) -> None:
    bad = row(1, "不合格")
    first = book(home, "a.xlsx", ITEMS, [*bad, "断裂强度", "≥3.5", "3.1"], [*bad, "含油率", "≤1", "1.2"])
    same = book(home, "b.xlsx", ITEMS, [*bad, "断裂强度", "≥3.5", "3.1"], [*row(2), "/", "/", "/"])
    other = book(home, "c.xlsx", ITEMS, [*row(1), "/", "/", "/"], [*row(3), "/", "/", "/"])
    reports = load_files(home, [first, same, other], recipe="inspections_items")
    assert [report.accepted for report in reports] == [1, 1, 1]
    assert reports[1].reasons["duplicate_row"] == 1
    assert reports[2].reasons["key_conflict"] == 1
    assert items(home) == [["S1", "含油率"], ["S1", "断裂强度"]]
