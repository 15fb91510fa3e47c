"""Two headers of one column: one is taken where their cells agree, else a person says which."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from qbase.intake import LoadReport, explain_reason
from qbase.lake import Workspace

from .written_rows import load

HEAD = ["抽样编号", "抽样日期", "企业名称", "产品名称", "检验结果"]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def send(home: Workspace, header: list[str], *added: list[str], **how: Any) -> LoadReport:
    rows = [[f"A{i}", f"2023-01-0{i}", "甲厂", "丝", "合格", *cells] for i, cells in enumerate(added, 1)]
    return load(home, [[*HEAD, *header], *rows], **how)


def column(home: Workspace, name: str) -> list[str]:
    rows = home.query("SELECT * FROM inspections ORDER BY sample_no")
    return rows[name].astype(str).tolist()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["双随机", "随机"], ["风险", "风险监测"]], "检查方式:repeats_column"),
        ([["双随机", ""], ["风险", "/"]], "检查方式:silent_column"),
        ([["", "双随机"], ["风险", "风险"]], "抽查类型:silent_column"),
        ([["监督抽查", "双随机"], ["监督抽查", "风险"]], "抽查类型:silent_column"),
    ],
)
def test_the_column_that_says_all_the_other_says_is_taken(home: Workspace, rows: list[list[str]], told: str) -> None:
    report = send(home, ["抽查类型", "检查方式"], *rows)
    assert (report.accepted, report.quarantined) == (2, 0)
    assert told in report.warnings
    assert explain_reason(told, "inspections").zh != told
    assert column(home, "sample_type") == ["random", "risk"]


def test_a_column_that_only_marks_rechecks_is_read_as_that(home: Workspace) -> None:
    report = send(home, ["检验类别", "检查方式"], ["监督抽查", "双随机"], ["复检", "双随机"])
    assert "检验类别:column_is_recheck" in report.warnings
    assert column(home, "is_recheck") == ["False", "True"]
    assert column(home, "sample_type") == ["random", "random"]


def test_columns_that_differ_are_asked_about_and_either_answer_holds(home: Workspace) -> None:
    asked = send(home, ["受检单位"], ["甲厂"], ["乙店"])
    assert asked.error is not None
    assert asked.error["code"] == "QB360"
    answers = {question["answer"]: question["id"] for question in asked.error["questions"]}
    assert set(answers) == {"column:企业名称=firm_name", "column:受检单位=firm_name"}
    report = send(home, ["受检单位"], ["甲厂"], ["乙店"], accept=[answers["column:受检单位=firm_name"]])
    assert "企业名称:column_not_chosen" in report.warnings
    assert column(home, "firm_name") == ["甲厂", "乙店"]


def test_refusing_one_of_two_columns_takes_the_other(home: Workspace) -> None:
    send(home, ["受检单位"], ["甲厂"], ["乙店"], reject=["column:受检单位=firm_name"])
    assert column(home, "firm_name") == ["甲厂", "甲厂"]


def test_columns_that_fill_each_other_are_not_joined_in_silence(home: Workspace) -> None:
    report = send(home, ["生产地址", "企业住所"], ["甲县甲镇", ""], ["", "甲县乙镇"])
    assert report.error is not None
    assert report.error["code"] == "QB360"


def test_the_same_days_in_two_spellings_are_the_same(home: Workspace) -> None:
    report = send(home, ["采样日期"], ["2023.1.1"], ["2023年1月2日"])
    assert "采样日期:repeats_column" in report.warnings
    assert report.accepted == 2


def test_one_header_twice_with_different_cells_cannot_be_asked_about(home: Workspace) -> None:
    report = send(home, ["产品名称"], ["丝"], ["绳"])
    assert report.error is not None
    assert report.error["code"] == "QB322"
