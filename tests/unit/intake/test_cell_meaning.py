"""What cells and rows mean: words for nothing, errors, groups, dressed codes, ditto marks, levels."""

from __future__ import annotations

import pathlib

import pandas as pd
import pytest

from qbase.indicators import build_panel
from qbase.intake.finding.data_rows import find_layout
from qbase.intake.reading.raw_grid import build_grid
from qbase.intake.values.cell_text import serial_date
from qbase.intake.values.cell_values import build_reader
from qbase.lake import Workspace
from qbase.tables import read_contract

from .written_rows import ZH, load, row

YEAR = [
    "区划代码", "年份", "工业总产值", "增加值", "税收", "从业人数", "园区产值", "园区面积", "验收工程数",
    "一次验收合格工程数", "空气优良天数", "水质达标断面占比", "服务满意度",
]  # fmt: skip
NOTHING = ["NULL", "null", r"\N", "None", "nan", "NaN", "(null)", "<NA>", "NaT", "0", "--", "-", "/", "无", "空", "n/a",
           "N.A.", "\u3000", "\u00a0", "……"]  # fmt: skip


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def town(code: str, output: str = "12.5", **changes: str) -> list[str]:
    cells = [code, "2020", output, "5", "1", "100", "3", "200", "10", "9", "300", "95", "88"]
    return list((dict(zip(YEAR, cells, strict=True)) | changes).values())


def inspections(home: Workspace) -> pd.DataFrame:
    return home.query("SELECT * FROM inspections ORDER BY sample_no")


# --- words for nothing, and errors


@pytest.mark.parametrize("column", ["parent_no", "notice_no", "town_code", "lab_name", "inclusion_probability"])
def test_words_for_nothing_are_nothing_wherever_a_cell_may_be_empty(column: str) -> None:
    reader = build_reader(read_contract("inspections").column(column))
    words = [word for word in NOTHING if word != "0" or column.endswith(("_no", "_code"))]
    assert {word: reader(word) for word in words} == dict.fromkeys(words, (None, ""))


@pytest.mark.parametrize("word", ["NULL", r"\N", "0", "无", "N/A"])
def test_a_word_for_nothing_leaves_no_batch_out_of_the_rate(home: Workspace, word: str) -> None:
    results = ["合格", "不合格", "合格", "合格", "合格", "合格", "不合格", "合格", "合格", "合格"]
    rows = [[*row(i, 检验结果=result), word, word] for i, result in enumerate(results)]
    report = load(home, [[*ZH, "原抽样编号", "公告号"], *rows], recipe="inspections_office")
    assert (report.accepted, report.quarantined) == (10, 0)
    found = inspections(home)
    assert found["parent_no"].isna().all()
    assert not found["is_recheck"].eq(True).any()
    assert (found["result"] == "pass").sum() == 8


def test_a_firm_may_be_called_like_nothing_and_is_told(home: Workspace) -> None:
    report = load(
        home, [ZH, row(1, 企业名称="NA"), row(2, 企业名称="无"), row(3, 企业名称="--"), row(4, 企业名称=r"\N")]
    )
    assert report.warnings == ("firm_name:nothing_word 2",)
    assert report.reasons == {"header": 1, "firm_name:missing": 2}
    assert inspections(home)["firm_name"].tolist() == ["NA", "无"]


@pytest.mark.parametrize(
    "text", ["#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#SPILL!", "＃Ｎ／Ａ", "#####"]
)
@pytest.mark.parametrize("column", ["企业名称", "检验结果", "抽样日期", "抽样编号"])
def test_an_error_written_as_text_is_an_error(text: str, column: str) -> None:
    (name,) = (c.name for c in read_contract("inspections").columns if c.text.zh == column)
    assert build_reader(read_contract("inspections").column(name))(text)[1] == "!error_cell"


def test_a_parent_that_is_no_sample_is_asked_about(home: Workspace) -> None:
    rows = [[*ZH, "原抽样编号"], *([*row(i), "首检"] for i in range(6)), [*row(9), "S1"]]
    asked = load(home, rows)
    assert asked.error is not None
    assert "nothing:parent_no=首检" in asked.error["found"]
    assert load(home, rows, accept=["nothing:parent_no=首检"]).accepted == 7
    assert inspections(home)["parent_no"].dropna().tolist() == ["S1"]


# --- numbers


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["1.234", "12,5", "1.234,5"], [1234.0, 12.5, 1234.5]),
        (["1,234", "12,5", "7"], [1.234, 12.5, 7.0]),
        (["0,125", "1,250", "3"], [0.125, 1.25, 3.0]),
        (["1,234", "12.5", "1,234,567"], [1234.0, 12.5, 1234567.0]),
        (["1,234", "1.234", "5"], [1234.0, 1.234, 5.0]),
    ],
)
def test_one_cell_proves_the_decimal_sign_of_its_column(home: Workspace, cells: list[str], right: list[float]) -> None:
    assert load(home, [YEAR, *(town(f"33930100{i}", cell) for i, cell in enumerate(cells, 1))]).accepted == len(cells)
    assert home.query("SELECT output_wan_cny AS x FROM town_year ORDER BY town_code")["x"].tolist() == right


@pytest.mark.parametrize("cell", ["012,500", "00,500", "1,23,456", "1,2345", "12.345,6,7"])
def test_a_group_that_is_no_thousand_is_set_aside(home: Workspace, cell: str) -> None:
    report = load(home, [YEAR, town("339301001", cell), town("339301002")])
    assert (report.accepted, report.quarantined) == (1, 1)


def test_where_cells_contradict_each_other_what_may_be_either_is_set_aside(home: Workspace) -> None:
    report = load(home, [YEAR, *(town(f"33930100{i}", x) for i, x in enumerate(["12,5", "12.5", "1,234"], 1))])
    assert report.reasons["output_wan_cny:number_style"] == 2
    assert home.query("SELECT output_wan_cny AS x FROM town_year")["x"].tolist() == [12.5]


# --- codes


@pytest.mark.parametrize(
    "dress",
    ["'S1-01", '="S1-01"', '"S1-01"', "\tS1-01", "Ｓ１-01", "S1 -01", "S1\u200b-01", "S1‐01", "’S1-01"],
)
def test_one_number_has_one_spelling(home: Workspace, dress: str) -> None:
    load(home, [ZH, row(1, 抽样编号="S1-01")], "a.csv")
    report = load(home, [ZH, row(1, 抽样编号=dress)], "b.csv")
    assert report.reasons == {"header": 1, "duplicate_row": 1}
    assert inspections(home)["sample_no"].tolist() == ["S1-01"]


def test_codes_that_look_like_powers_of_ten_are_codes(home: Workspace) -> None:
    numbers = ["2022E00123", "73928e03", "9.11E+17"]
    report = load(home, [ZH, *(row(i, 抽样编号=number) for i, number in enumerate(numbers))])
    assert report.reasons == {"header": 1, "sample_no:scientific": 1}
    assert inspections(home)["sample_no"].tolist() == numbers[:2]


def test_a_word_is_no_town_and_no_part_of_a_total(home: Workspace) -> None:
    words = ["#规上", "—规下", "甲县", "市直", "增速(%)", "位次", "去年", "其中：规上"]
    rows = [YEAR, town("336103001"), town("336103002"), *map(town, words)]
    total = town("合计", "25", 增加值="10", 税收="2", 从业人数="200", 园区产值="6", 园区面积="400", 验收工程数="20")
    total[9] = "18"
    report = load(home, [*rows, total])
    assert (report.accepted, report.quarantined, report.reasons["total_row"]) == (2, len(words), 1)
    assert not [warning for warning in report.warnings if "mismatch" in warning]


def test_a_county_beside_its_towns_is_a_total(home: Workspace) -> None:
    sums = {"增加值": "10", "税收": "2", "从业人数": "200", "园区产值": "6", "园区面积": "400", "验收工程数": "20"}
    county = town("339501000", "25", **sums, 一次验收合格工程数="18")
    report = load(home, [YEAR, county, town("339501001"), town("339501002")])
    assert (report.verdict, report.accepted, report.reasons) == ("OK", 2, {"header": 1, "level_row": 1})
    wrong = load(home, [YEAR, [*county[:2], "26", *county[3:]], town("339501003"), town("339501004")], "b.csv")
    assert (wrong.accepted, wrong.warnings) == (2, ("339501000 工业总产值:total_mismatch 26/25",))
    alone = load(home, [YEAR, town("339601000"), town("339502001")], "c.csv")
    assert alone.reasons == {"header": 1, "town_code:higher_level": 1}


# --- rows


def test_ditto_marks_take_the_value_above_within_a_table(home: Workspace) -> None:
    marks = ["同上", "〃", "-〃-", "″", "do.", "同前", "“"]
    rows = [ZH, row(0, 企业名称="乙厂"), *(row(i, 企业名称=mark) for i, mark in enumerate(marks, 1))]
    rows += [ZH, row(8, 企业名称="同上"), row(9, 抽样编号="同上")]
    report = load(home, rows)
    assert report.reasons == {
        "header": 1, "repeated_header": 1, "firm_name:ditto_unclear": 1, "sample_no:ditto_unclear": 2,
    }  # fmt: skip
    assert report.warnings == (f"firm_name:ditto {len(marks)}",)
    assert inspections(home)["firm_name"].tolist() == ["乙厂"] * (len(marks) + 1)


def test_a_second_table_has_columns_of_its_own(home: Workspace) -> None:
    other = [*ZH[:5], "产品名称", "企业名称", "检验结果"]
    rows = [
        ["一、合格产品"], ZH, row(1, 企业名称="甲厂"), [], ["二、不合格产品"], other,
        [*row(2)[:5], "涤纶短纤", "乙厂", "不合格"], ["附件"], [*ZH[:6], "检验结果"], [*row(3)[:6], "不合格"],
    ]  # fmt: skip
    report = load(home, rows)
    assert (report.rows_seen, report.accepted, report.quarantined) == (10, 2, 1)
    assert report.reasons["product_name:missing"] == 1
    found = inspections(home)
    assert found["firm_name"].tolist() == ["甲厂", "乙厂"]
    assert found["product_name"].tolist() == ["涤纶长丝", "涤纶短纤"]


def test_a_header_behind_a_byte_order_mark_repeats_the_first(home: Workspace) -> None:
    report = load(home, [ZH, row(1), ["\ufeff" + ZH[0], *ZH[1:]], row(2)])
    assert (report.verdict, report.accepted, report.reasons["repeated_header"]) == ("OK", 2, 1)


def test_a_row_that_goes_on_with_the_one_above_takes_it_along(home: Workspace) -> None:
    report = load(home, [ZH, row(1), [""] * 7 + ["不合格"], row(2), ["", "省级", *[""] * 6], row(3)])
    assert report.reasons["continuation"] == 4
    assert inspections(home)["sample_no"].tolist() == ["S3"]


@pytest.mark.parametrize(
    "line",
    [
        "第 1 页 共 2 页",
        "第1页/共2页",
        "第一页",
        "续表",
        "（续上表）",
        "表1（续）",
        "Page 1 of 2",
        "1/2页",
        "— 3 —",
        "接下页",
    ],
)
def test_page_lines_are_listed(line: str) -> None:
    layout = find_layout(build_grid([ZH, row(1), [line], row(2)]))
    assert layout is not None
    assert layout.listed == {0: "header", 2: "page_line"}


def test_the_conclusion_on_the_batch_goes_before_the_result_of_an_item(home: Workspace) -> None:
    rows = [[*ZH, "检验结论"], [*row(1), "合格"], [*row(2), "不合格"]]
    assert load(home, rows).warnings == ("检验结果:unknown_column",)
    assert inspections(home)["result"].tolist() == ["pass", "fail"]


@pytest.mark.parametrize(
    ("serial", "text"),
    [
        (44834 + 86399.9 / 86400, "2022-09-30T23:59:59"),
        (44834 + 86399.9999 / 86400, "2022-09-30T23:59:59"),
        (44834.5, "2022-09-30T12:00:00"),
        (44834.0, "2022-09-30"),
    ],
)
def test_an_instant_stays_on_its_day(serial: float, text: str) -> None:
    assert serial_date(serial) == text


def test_the_rate_of_ten_batches_with_a_word_for_no_parent(home: Workspace) -> None:
    head = [*ZH[:5], "统一社会信用代码", *ZH[5:], "原抽样编号"]
    rows = []
    for i in range(10):
        cells = row(i, 检验结果="不合格" if i in (3, 8) else "合格", 企业名称="桐屿森航化纤厂")
        rows.append([*cells[:5], "91990023MA102BLE8G", *cells[5:], "NULL"])
    firms = ["企业编号", "统一社会信用代码", "企业名称", "集群编号", "区划代码", "行业代码"]
    assert load(
        home, [firms, ["E1", "91990023MA102BLE8G", "桐屿森航化纤厂", "", "990023101", "2822"]], "f.csv"
    ).accepted
    assert load(home, [head, *rows]).accepted == 10
    panel = build_panel(home, "D1.batch", entity="firm_id")
    assert (panel.data["D1.batch__n"].sum(), panel.data["D1.batch__k"].sum()) == (10, 8)


# --- neighbours of the above


@pytest.mark.parametrize("word", ["首检", "不涉及", "否", "本批", "-1"])
def test_one_row_with_a_word_for_no_parent_is_asked_about(home: Workspace, word: str) -> None:
    rows = [[*ZH, "原抽样编号"], [*row(1), word], [*row(2), ""], [*row(3), "S2"]]
    report = load(home, rows)
    assert report.error is not None
    assert report.error["code"] == "QB360"
    assert load(home, rows, accept=[f"nothing:parent_no={word}"]).accepted == 3
    assert inspections(home)["parent_no"].fillna("").tolist() == ["", "", "S2"]


@pytest.mark.parametrize("mark", ["同左", "同右", "同第1行", "同S1", "以上同", "见上", "同上（乙车间）"])
def test_what_points_elsewhere_becomes_no_firm(home: Workspace, mark: str) -> None:
    report = load(home, [ZH, row(1), row(2, 企业名称=mark), row(3, 企业名称="同上"), row(4, 企业名称="同仁堂")])
    assert (report.accepted, report.reasons["firm_name:ditto_unclear"]) == (2, 2)
    assert inspections(home)["firm_name"].tolist() == ["甲厂", "同仁堂"]


def test_a_number_that_only_repeats_the_one_above_takes_its_row_along(home: Workspace) -> None:
    report = load(home, [ZH, row(1), row(2, 抽样编号="同上", 检验结果="不合格"), row(3)])
    assert (report.accepted, report.reasons["sample_no:ditto_unclear"]) == (1, 2)


def test_a_row_goes_on_beyond_blank_rows(home: Workspace) -> None:
    blank = [""] * len(ZH)
    report = load(home, [ZH, row(1), blank, [*blank[:-1], "不合格"], row(3)])
    assert (report.accepted, report.reasons["continuation"]) == (1, 2)


def test_rows_below_a_header_in_other_words_are_set_aside(home: Workspace) -> None:
    other = ["编码", "等级", "时间", "场所", "方式", "品名", "厂家", "判别"]
    swapped = row(2, 企业名称="涤纶长丝", 产品名称="乙厂")
    report = load(home, [ZH, row(1), other, swapped, row(3)])
    assert (report.accepted, report.reasons["other_header"]) == (1, 3)
    assert inspections(home)["firm_name"].tolist() == ["甲厂"]


def test_few_columns_are_enough_where_cells_are_called_like_columns(home: Workspace) -> None:
    rows = [["抽样编号", "抽样日期", "企业名称", "产品名称", "检验结果"]]
    rows += [["S1", "2022-08-10", "甲厂", "涤纶长丝", "合格"], ["编码", "时间", "品名", "厂家", "判别"]]
    report = load(home, [*rows, ["S2", "2022-08-10", "涤纶长丝", "乙厂", "合格"]])
    assert (report.accepted, report.reasons["other_header"]) == (1, 2)


def test_a_dirty_row_is_no_header(home: Workspace) -> None:
    dirty = row("x", 抽样编号="待补", 抽样日期="不详", 抽查级别="其他", 检验结果="待检")
    report = load(home, [ZH, row(1), dirty, row(3)])
    assert (report.accepted, report.quarantined) == (2, 1)
    assert "other_header" not in report.reasons


def test_a_code_of_another_length_is_no_town(home: Workspace) -> None:
    codes = ["339101001", "339101002", "339101003", "339101004", "33910100", "3391010010", "0"]
    report = load(home, [YEAR, *map(town, codes)])
    assert (report.accepted, report.reasons["town_code:no_division"]) == (4, 3)


@pytest.mark.parametrize("dress", ["‘S1’", "“S1”", " ‘S1’ "])
def test_a_pair_of_quotes_is_no_part_of_a_number(home: Workspace, dress: str) -> None:
    assert load(home, [ZH, row(1), row(1, 抽样编号=dress)]).accepted == 1
