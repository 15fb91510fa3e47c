"""What offices say in words: limits, re-checks, towns, lists of public notices, and headers a recipe adds."""

from __future__ import annotations

import pathlib
from typing import Any

import openpyxl
import pytest

from qbase.intake import LoadReport, Place, Places, load_files
from qbase.intake.linking.place_names import find_county, name_towns, split_address
from qbase.intake.linking.recheck_numbers import split_number
from qbase.intake.recipes.notice_lists import is_notice, result_of_title
from qbase.intake.values.written_limits import read_limits
from qbase.lake import Workspace


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def send(home: Workspace, name: str, text: str, **how: Any) -> LoadReport:
    path = home.root / name
    path.write_text(text, "utf-8")
    (report,) = load_files(home, [path], **how)
    return report


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("≥3.3", ("3.3", None)), ("≤0.5", (None, "0.5")), ("3.0~3.6", ("3", "3.6")), ("3.0—3.6 %", ("3", "3.6")),
        ("不得检出", (None, "0")), ("10±0.5", ("9.5", "10.5")), ("±2.5", ("-2.5", "2.5")), ("不低于95%", ("95", None)),
        ("≥3.0，≤3.6", ("3.0", "3.6")), ("＜0.05mg/kg", (None, "0.05")), ("4级及以上", ("4", None)),
        ("-5~40", ("-5", "40")),
        ("≥3.3cN/dtex", ("3.3", None)), ("符合标准", (None, None)), ("", (None, None)), ("≥3.3 或协议", (None, None)),
    ],
)  # fmt: skip
def test_a_requirement_is_read_whole_or_not_at_all(text: str, limits: tuple[str | None, str | None]) -> None:
    assert read_limits(text) == limits


@pytest.mark.parametrize(
    ("number", "first", "is_plain"),
    [
        ("LX001-复", "LX001", True), ("LX001(复检)", "LX001", True), ("LX001复2", "LX001", True),
        ("LX001-F", "LX001", False), ("LX001F1", "LX001", False), ("复-LX001", "LX001", True),
        ("LX001复", "LX001", True), ("LX001-重检", "LX001", True), ("LX001(第二次)", "LX001", True),
        ("再检LX001", "LX001", True), ("LX001-2", "", False), ("LX001(2)", "", False),
        ("LX001", "", False), ("YZ2024Q4G0012", "", False), ("FJ-2023-001", "", False),
    ],
)  # fmt: skip
def test_the_number_of_a_recheck_names_the_first_sample(number: str, first: str, is_plain: bool) -> None:
    assert split_number(number) == (first, is_plain)


HEAD = "抽样编号,抽样日期,企业名称,产品名称,检验结果"


def test_a_letter_after_a_number_is_a_mark_only_beside_its_first_sample(home: Workspace) -> None:
    text = f"{HEAD}\nA1,2023-01-05,甲厂,丝,不合格\nA1F,2023-03-05,甲厂,丝,合格\nB7F,2023-03-05,乙厂,丝,合格\n"
    assert send(home, "a.csv", text).verdict == "WARN"
    send(home, "b.csv", f"{HEAD}\nA1-F2,2023-04-05,甲厂,丝,合格\n")
    found = home.query("SELECT sample_no, parent_no FROM inspections WHERE is_recheck ORDER BY 1").values.tolist()
    assert found == [["A1-F2", "A1"], ["A1F", "A1"]]


@pytest.mark.parametrize(
    ("number", "form"),
    [("A9-2", "-"), ("A9(2)", "()"), ("A9（2）", "()"), ("A9/02", "/"), ("A9_2", "_"), ("A9#2", "#")],
)
def test_a_further_number_is_asked_about_only_behind_a_sample_that_failed_earlier(
    home: Workspace, number: str, form: str
) -> None:
    first, again = "A9,2023-01-05,甲厂,丝,不合格", f"{number},2023-03-05,甲厂,丝,合格"
    asked = send(home, "a.csv", f"{HEAD}\n{first}\n{again}\n")
    assert asked.error is not None
    (question,) = asked.error["questions"]
    assert question["answer"] == f"recheck:{form}"
    assert "A9" in question["text_en"]
    taken = send(home, "a.csv", f"{HEAD}\n{first}\n{again}\n", accept=[question["id"]])
    assert (taken.accepted, taken.quarantined) == (2, 0)
    assert home.query("SELECT parent_no FROM inspections WHERE is_recheck")["parent_no"].tolist() == ["A9"]
    # the answer is given; a number behind one that passed, of the same day, or behind none is a number
    plain = "B1,2023-01-05,甲厂,丝,合格\nB1-2,2023-03-05,甲厂,丝,合格\nB2,2023-03-05,甲厂,丝,不合格\n"
    plain += "B2-2,2023-03-05,甲厂,丝,合格\nB3-2,2023-03-05,甲厂,丝,合格\n"
    assert send(home, "b.csv", f"{HEAD}\n{plain}").accepted == 5
    assert len(home.query("SELECT * FROM inspections WHERE is_recheck")) == 1


def test_a_further_number_that_was_refused_stays_one_and_the_lake_is_asked_too(home: Workspace) -> None:
    assert send(home, "a.csv", f"{HEAD}\nA9,2023-01-05,甲厂,丝,不合格\n").accepted == 1
    later = f"{HEAD}\nA9-2,2023-03-05,甲厂,丝,合格\nA9-3,2023-04-05,甲厂,丝,合格\n"
    asked = send(home, "b.csv", later)
    assert asked.error is not None
    assert [question["answer"] for question in asked.error["questions"]] == ["recheck:-"]
    assert send(home, "b.csv", later, reject=["recheck:-"]).accepted == 2
    assert home.query("SELECT * FROM inspections WHERE is_recheck").empty
    marked = f"{HEAD},是否复检\nA9-4,2023-05-05,甲厂,丝,合格,是\n"
    assert send(home, "c.csv", marked).accepted == 1
    assert home.query("SELECT parent_no FROM inspections WHERE is_recheck")["parent_no"].tolist() == ["A9"]


def test_a_column_alone_marks_a_recheck_and_its_first_sample_is_found_or_unknown(home: Workspace) -> None:
    rows = "A1,2023-01-05,甲厂,丝,不合格,首检\nA2,2023-02-05,甲厂,丝,合格,复检\nA3,2023-02-05,乙厂,丝,合格,复检\n"
    report = send(home, "a.csv", f"{HEAD},检验类别\n{rows}")
    assert (report.accepted, report.quarantined) == (3, 0)
    found = home.query("SELECT sample_no, is_recheck, parent_no FROM inspections WHERE is_recheck ORDER BY 1")
    assert found.values.tolist() == [["A2", True, "A1"], ["A3", True, "unknown"]]


PLACES = Places(
    [
        Place(code="330400101", name="桥镇", county="甲县"), Place(code="330400102", name="石桥镇", county="甲县"),
        Place(code="330500101", name="城关镇", county="甲县"), Place(code="330600101", name="城关镇", county="乙县"),
        Place(code="330400104", name="河口街道", county="甲县"),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("printed", "county", "code"),
    [
        ("石桥镇", "", "330400102"), ("石桥", "", "330400102"), ("甲县石桥镇", "", "330400102"),
        (" 河口 街道", "", "330400104"),
        ("某省某市甲县河口街道", "", "330400104"), ("城关镇", "", ""), ("城关镇", "乙县", "330600101"),
        ("石桥镇", "丙县", ""),
        ("330400102", "", "330400102"), ("新镇", "", ""),
    ],
)  # fmt: skip
def test_a_town_is_found_by_its_name_or_not_at_all(printed: str, county: str, code: str) -> None:
    assert PLACES.find(printed, county) == code


def test_the_longest_name_in_an_address_wins() -> None:
    assert PLACES.find_in("甲县石桥镇工业园区 8 号") == "330400102"
    assert PLACES.find_in("乙县城关镇人民路") == "330600101"
    assert PLACES.find_in("甲县开发区") == ""
    assert split_address("甲县丹桥镇工业园") == ("甲县", "丹桥镇")


def test_codes_of_new_towns_do_not_depend_on_the_order() -> None:
    one, other = (name_towns(names, "甲县", Places([])) for names in (["丁镇", "戊镇"], ["戊镇", "丁镇"]))
    assert one == other
    (later,) = name_towns(["戊镇"], "甲县", Places(one[:1]))
    assert later in one
    assert all(place.code.startswith("970000") and len(place.code) == 12 for place in one)


def test_the_county_is_read_out_of_titles() -> None:
    assert find_county(["澜溪县市场监督管理局2022年监督抽查结果"]) == "澜溪县"
    assert find_county(["2022年桐庐县抽查.xlsx"]) == "桐庐县"
    assert find_county(["化纤抽查23-24.csv", "全县汇总"]) == ""


NOTICE = "序号,产品名称,标称生产企业,规格型号,生产日期/批号,主要不合格项目"


def test_a_list_of_failures_is_found_by_itself_and_makes_no_rate(home: Workspace) -> None:
    report = send(
        home, "不合格名单.csv", f"{NOTICE}\n1,电线,甲厂,A1,2023-04-05/20230405A,电阻\n2,电线,乙厂,A1,A7批,电阻\n"
    )
    assert (report.table, report.recipe, report.accepted) == ("notice_batches", "inspections_notice", 2)
    assert "failures_only" in report.warnings
    found = home.query("SELECT production_date::VARCHAR AS day, result FROM notice_batches ORDER BY record_no")
    assert found.astype(object).where(found.notna(), None).values.tolist() == [["2023-04-05", "fail"], [None, "fail"]]
    assert not home.has_table("inspections")
    again = send(
        home, "不合格名单.txt", f"{NOTICE}\n1,电线,甲厂,A1,2023-04-05/20230405A,电阻\n2,电线,乙厂,A1,A7批,电阻\n\n"
    )
    assert again.accepted == 0


@pytest.mark.parametrize(
    ("title", "result"),
    [
        ("附件1 不合格产品信息", "fail"),
        ("附件2 合格食品名单", "pass"),
        ("抽查结果汇总", None),
        ("合格与不合格名单", None),
    ],
)
def test_a_title_says_what_all_rows_are(title: str, result: str | None) -> None:
    assert result_of_title(title) == result


def test_inspections_with_a_day_or_a_number_are_no_notice() -> None:
    assert is_notice(NOTICE.split(","))
    assert not is_notice([*NOTICE.split(","), "抽样日期"])
    assert not is_notice(["抽样编号", *NOTICE.split(",")])
    assert is_notice(["抽样编号", "公告号", *NOTICE.split(",")])


def test_what_a_recipe_names_is_added_to_what_is_known(home: Workspace) -> None:
    recipe = home.root / "ours.toml"
    recipe.write_text('name = "ours"\ntable = "inspections"\n[columns]\n"厂家大名" = "firm_name"\n', "utf-8")
    text = "抽样编号,抽样日期,厂家大名,产品名称,检验结果\nA1,2023-01-05,甲厂,丝,合格\n"
    assert send(home, "a.csv", text, recipe=str(recipe)).accepted == 1
    recipe.write_text("only_named = true\n" + recipe.read_text("utf-8").replace("ours", "only"), "utf-8")
    refused = send(home, "b.csv", text.replace("A1", "A2"), recipe=str(recipe))
    assert refused.error is not None
    assert refused.error["code"] in ("QB320", "QB321")


def test_several_sheets_one_a_year_are_one_table(home: Workspace) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)  # type: ignore[arg-type]
    for year in (2021, 2022, 2023):
        sheet = book.create_sheet(f"{year}年")
        sheet.append([f"某县{year}年抽查明细"])
        sheet.append(["（监督抽查）"])
        sheet.append([*HEAD.split(","), "备注"])
        sheet.append(
            [f"S{year}", (f"{year}.3.5", f"{year}年3月5日", f"{year}-03-05")[year % 3], "甲厂", "丝", "合格", None]
        )
        sheet.append(["合计", None, None, None, "1批次合格", None])
    path = home.root / "三年.xlsx"
    book.save(path)
    (report,) = load_files(home, [path])
    assert (report.accepted, report.quarantined) == (3, 0)
    days = home.query("SELECT sample_date::VARCHAR AS day FROM inspections ORDER BY 1")["day"].tolist()
    assert days == ["2021-03-05", "2022-03-05", "2023-03-05"]


def test_towns_are_looked_up_in_imported_divisions(home: Workspace) -> None:
    send(home, "区划.csv", "代码,名称\n330498,甲县\n330498101,丹桥镇\n330498101201,丹桥村\n", recipe="divisions")
    report = send(home, "a.csv", f"{HEAD},乡镇\nA1,2023-01-05,甲厂,丝,合格,丹桥\n")
    assert report.error is None
    assert home.query("SELECT town_code FROM inspections")["town_code"].tolist() == ["330498101"]
    assert home.query("SELECT town_name, county_name FROM towns").values.tolist() == [["丹桥镇", "甲县"]]
