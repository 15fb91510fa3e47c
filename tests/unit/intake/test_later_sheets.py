"""Sheets that go on without a header, or under other headers: read, asked about or set aside, never left out."""

from __future__ import annotations

import pathlib
from typing import Any

import openpyxl
import pytest

from qbase.core.errors import UsageError
from qbase.intake import LoadReport, explain_reason, list_quarantine, load_files
from qbase.lake import Workspace
from qbase.tables import read_contract

from .written_rows import ZH, row

OTHER = ["样品编码", "抽查级别", "时间", "抽样领域", "抽样类型", "企业全称", "货品", "检测判定"]
TOWNS = ["乡镇代码", "年份", "抽查批次数", "合格批次数"]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def send(home: Workspace, sheets: dict[str, list[list[Any]]], name: str = "a.xlsx", **options: Any) -> LoadReport:
    book = openpyxl.Workbook()
    book.properties.title = name  # the same bytes within a second would be the same file
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for cells in rows:
            sheet.append(cells)
    book.save(home.root / name)
    (report,) = load_files(home, [home.root / name], **options)
    assert report.rows_seen == report.listed + report.accepted + report.quarantined
    return report


def error_of(report: LoadReport) -> str:
    return report.error["code"] if report.error else ""


def results(home: Workspace) -> list[tuple[str, str, int, str]]:
    found = home.query("SELECT sample_no, sheet, row_no, result FROM inspections ORDER BY sample_no")
    return list(found.itertuples(index=False, name=None))


def test_sheets_without_header_go_on_with_the_one_before_and_say_so(home: Workspace) -> None:
    more = [["监督抽查结果（续）"], row(3), row(4, 检验结果="不合格"), ["合计", "2"], row(5)[:-1], row(6), row(8)]
    report = send(home, {"一": [ZH, row(1), row(2)], "续表": more, "续表2": [row(7)]})
    assert (report.accepted, report.quarantined, report.reasons["result:missing"]) == (7, 1, 1)
    assert [w for w in report.warnings if "continued" in w] == ["续表:sheet_continued 5", "续表2:sheet_continued 1"]
    assert results(home)[2:4] == [("S3", "续表", 2, "pass"), ("S4", "续表", 3, "fail")]
    assert results(home)[-2] == ("S7", "续表2", 1, "pass")
    told = explain_reason("续表:sheet_continued 4")
    assert "续表" in told.zh
    assert "4" in told.en


def test_a_unit_above_the_first_sheet_holds_for_those_that_go_on(home: Workspace) -> None:
    head = ["集群编号", "年份", "产业链环节数", "本地覆盖环节数", "中间投入", "本地中间投入"]
    first = [["单位：亿元"], head, ["K001", "2022", "10", "5", "2", "1"]]
    report = send(home, {"一": first, "二": [["K002", "2022", "10", "5", "3", "1.5"]]})
    assert (report.accepted, report.quarantined) == (2, 0)
    rows = home.query("SELECT cluster_id, input_wan_cny FROM supply_chain ORDER BY 1")
    assert rows.to_numpy().tolist() == [["K001", 20000], ["K002", 30000]]


def test_where_cells_say_too_little_a_person_decides(home: Workspace) -> None:
    table = [column.text.zh for column in read_contract("macro").columns]
    sheets = {"一": [table, ["2022Q1", 1, 2, 3, 4]], "二": [["2022Q2", 5, 6, 7, 8]]}
    asked = send(home, sheets)
    assert error_of(asked) == "QB360"
    (question,) = asked.error["questions"]
    assert question["answer"] == "continues:二"
    refused = send(home, sheets, "b.xlsx", reject=["continues:二"])
    assert (refused.accepted, refused.warnings) == (1, ("二:sheet_unused",))
    taken = send(home, {**sheets, "三": [["2022Q3", 5, 6, 7, 8]]}, accept=[question["id"], "continues:三"])
    assert (taken.accepted, taken.quarantined) == (2, 0)


def test_one_column_too_many_is_asked_about_and_set_aside_when_accepted(home: Workspace) -> None:
    sheets = {"一": [ZH, row(1)], "二": [[*row(2), "x"], [*row(3)]]}
    assert error_of(send(home, sheets)) == "QB360"
    report = send(home, sheets, accept=["continues:二"])
    assert (report.accepted, report.reasons["too_many_fields"]) == (2, 1)


def test_a_first_sheet_without_header_is_asked_about(home: Workspace) -> None:
    sheets = {"一": [row(1)], "二": [ZH, row(2)]}
    assert error_of(send(home, sheets)) == "QB360"
    assert send(home, sheets, accept=["continues:一"]).accepted == 2


@pytest.mark.parametrize("order", [range(8), (7, 2, 0, 1, 5, 3, 4, 6)])
def test_rows_under_other_headers_are_set_aside_wherever_their_columns_stand(
    home: Workspace, order: tuple[int, ...]
) -> None:
    rows = [OTHER, row(3), row(4, 检验结果="不合格")]
    report = send(home, {"甲镇": [ZH, row(1), row(2)], "乙镇": [[cells[i] for i in order] for cells in rows]})
    assert (report.verdict, report.accepted, report.quarantined) == ("QUARANTINED", 2, 2)
    assert report.reasons["other_header"] == 2
    aside = list_quarantine(home)
    assert aside["table"].tolist() == ["inspections"] * 2
    assert aside["sheet"].tolist() == ["乙镇"] * 2
    assert aside["row_no"].tolist() == [2, 3]
    # a person who says what the headers are gets them read
    names = dict(
        zip(OTHER, ("sample_no", "", "sample_date", "", "", "firm_name", "product_name", "result"), strict=True)
    )
    answers = [f"column:{header}={column}" for header, column in names.items() if column]
    sheets = {"甲镇": [ZH, row(1), row(2)], "乙镇": [[cells[i] for i in order] for cells in rows]}
    again = send(home, sheets, "b.xlsx", accept=answers)
    assert (again.reasons.get("other_header", 0), again.quarantined) == (0, 0)


def test_rows_of_numbers_under_other_headers_are_set_aside(home: Workspace) -> None:
    other = [["甲", "乙", "丙", "丁"], ["339901101", "2023", "20", "19"], ["339901102", "2023", "30", "29"]]
    report = send(home, {"一": [TOWNS, ["339901101", "2022", "20", "19"]], "二": other})
    assert (report.table, report.accepted, report.reasons["other_header"]) == ("town_rates", 1, 2)


def test_remarks_and_other_tables_stay_what_they_were(home: Workspace) -> None:
    sheets = {
        "一": [ZH, row(1)],
        "说明": [["本表由市局填报"], ["口径", "见附件"]],
        "联系": [["科室", "姓名", "电话"], ["质量科", "张三", "0575-1"], ["监督科", "李四", "0575-2"]],
    }
    report = send(home, sheets)
    assert (report.accepted, report.quarantined) == (1, 0)
    assert set(report.warnings) == {"说明:sheet_unused", "联系:sheet_unused"}


def test_an_answer_of_no_kind_names_the_kinds(home: Workspace) -> None:
    with pytest.raises(UsageError, match="continues:SHEET"):
        send(home, {"一": [ZH, row(1)]}, accept=["goes_on:二"])
