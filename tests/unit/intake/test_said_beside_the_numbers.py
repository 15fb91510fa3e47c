"""What stands beside the numbers: units, words of formats, times of day, the year of a name, and odd containers."""

from __future__ import annotations

import pathlib
from decimal import Decimal

import openpyxl
import pytest

from qbase.intake import LoadReport, load_files
from qbase.intake.reading.file_safety import find_kind
from qbase.intake.reading.html_tables import read_html
from qbase.intake.reading.sheet_cells import Refused
from qbase.intake.reading.xml_2003 import read_xml_2003
from qbase.intake.recipes.year_of_name import years_in
from qbase.intake.values.cell_text import Cells, find_style, serial_date
from qbase.intake.values.units import find_factor, is_unit_row, read_unit_line, units_in_name
from qbase.lake import Workspace
from tests.unit.intake.test_workbook_packages import HEAD, TOWN, batch, town


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def load(home: Workspace, content: str | bytes, name: str = "a.csv", **answers: list[str]) -> LoadReport:
    path = home.root / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (report,) = load_files(home, [path], **answers)
    return report


def asked(report: LoadReport) -> str:
    assert report.error is not None
    assert report.error["code"] == "QB360"
    return str(report.error["found"]).split(" ")[0]


@pytest.mark.parametrize(
    ("line", "factor"),
    [("单位：1000元", "0.1"), ("（单位：RMB'000）", "0.1"), ("In RMB million", "100"), ("In millions of RMB", "100"),
     ("单位：十亿元", "100000"), ("单位：10⁴元", "1"), ("Unit: RMB mn", "100"), ("年报 RMB million", "100")],
)  # fmt: skip
def test_a_stated_unit_is_converted(line: str, factor: str) -> None:
    known, strange = read_unit_line([line]) or ((), ())
    assert [find_factor(unit, "wan_cny") for unit in known] == [Decimal(factor)]
    assert not strange


@pytest.mark.parametrize("line", ["单位：亿", "（亿）", "计量单位: 百万", "单位：万", "(in millions)", "单位：分"])
def test_a_multiple_of_nothing_named_is_asked_about(line: str) -> None:
    known, strange = read_unit_line([line]) or ((), ())
    assert (known, len(strange)) == ((), 1)


@pytest.mark.parametrize(
    "line", ["单位：某某公司", "填报单位：某局", "附表（十）", "单位：见表", "In 2021 we counted", "表一"]
)
def test_offices_and_numbers_of_tables_are_no_units(line: str) -> None:
    assert read_unit_line([line]) is None


def lines(*rows: list[object]) -> str:
    return "\n".join(",".join(map(str, row)) for row in rows)


@pytest.mark.parametrize(
    ("above", "name", "output"),
    [(["In RMB million"], "a.csv", 53991300.0), (["（亿元）"], "a.csv", 5399130000.0),
     ([], "乡镇年报_亿元.csv", 5399130000.0)],
)  # fmt: skip
def test_a_unit_above_the_table_or_in_the_name_reaches_the_numbers(
    home: Workspace, above: list[str], name: str, output: float
) -> None:
    report = load(home, lines(*([above] if above else []), TOWN, town(2020, 20)), name)
    assert report.accepted == 1
    assert home.query("SELECT output_wan_cny FROM town_year")["output_wan_cny"].tolist() == [output]


def test_a_row_of_units_may_name_days_and_points(home: Workspace) -> None:
    units = ["", "", "亿元", "亿元", "亿元", "人", "亿元", "亩", "个", "个", "天", "%", "分"]
    assert is_unit_row(units)
    assert not is_unit_row(["甲厂", "天"])
    report = load(home, lines(TOWN, units, town(2020, 20)))
    assert (report.accepted, report.reasons) == (1, {"header": 1, "unit_row": 1})
    assert home.query("SELECT tax_wan_cny FROM town_year")["tax_wan_cny"].tolist() == [180_700_000.0]


def test_two_words_of_a_name_that_are_one_unit_are_read_once() -> None:
    assert units_in_name("town_RMB_million.xlsx") == ("RMB million",)
    assert units_in_name("亿元企业名单.csv") == ()


@pytest.mark.parametrize(
    ("code", "shown", "told"),
    [('General"亿元"', "1.25亿元", "words_by_format"), ('G/通用格式"万"', "1.25万", "words_by_format"),
     ("General\\千\\元", "1.25千元", "words_by_format"), ('[Red]General"亿元"', "1.25亿元", "words_by_format"),
     ('@"亿元"', "1.25", "altered_by_format"), ('[>1]General"亿";General', "1.25", "altered_by_format"),
     ('General"元"', "1.25", "yuan_by_format"), ("G/通用格式;-G/通用格式;", "1.25", "number"),
     ('"S-"0.00', "S-1.25", "words_by_format"), ("0.0‰", "1.25‰", "words_by_format"),
     ("[DBNum1][$-804]General", "1.25", "number"), ("@", "1.25", "number")],
)  # fmt: skip
def test_words_of_a_number_format_are_never_lost(code: str, shown: str, told: str) -> None:
    found = Cells(strings=[], styles=[], is_1904=False).number("1.25", find_style(170, code))
    assert found[:2] == (shown, told)


def test_yuan_behind_a_number_of_ten_thousands_is_set_aside(home: Workspace) -> None:
    book = openpyxl.Workbook()
    book.active.append(TOWN)
    book.active.append(town(2020, 20))
    book.active["C2"].number_format = 'General"元"'
    book.active["M2"].number_format = 'General"元"'
    book.save(home.root / "a.xlsx")
    report = load(home, (home.root / "a.xlsx").read_bytes(), "a.xlsx")
    assert report.reasons == {"header": 1, "output_wan_cny:yuan_by_format": 1}
    assert "service_index:yuan_by_format 1" in report.warnings


def test_the_last_instant_of_a_day_stays_on_it() -> None:
    assert serial_date(44834.9999999) == "2022-09-30T23:59:59"


def at(clock: str, *days: str) -> str:
    rows: list[list[object]] = [HEAD]
    for number, day in enumerate(days):
        cells: list[object] = [*batch(number)]
        cells[2] = f"{day} {clock}"
        rows.append(cells)
    return lines(*rows)


def test_midnights_of_another_zone_are_asked_about(home: Workspace) -> None:
    text = at("16:00:00", "2020-12-31", "2021-03-31")
    assert asked(load(home, text)) == "midnight:sample_date"
    assert load(home, text, accept=["midnight:sample_date"]).accepted == 2
    days = home.query("SELECT CAST(sample_date AS VARCHAR) AS day FROM inspections ORDER BY 1")["day"].tolist()
    assert days == ["2021-01-01", "2021-04-01"]


def test_days_as_they_stand_are_an_answer_too_and_other_times_are_no_question(home: Workspace) -> None:
    assert load(home, at("16:00", "2020-12-31", "2021-03-31"), reject=["midnight:sample_date"]).accepted == 2
    days = home.query("SELECT CAST(sample_date AS VARCHAR) AS day FROM inspections ORDER BY 1")["day"].tolist()
    assert days == ["2020-12-31", "2021-03-31"]
    mixed = at("16:00", "2020-12-31") + "\n" + at("09:17", "2021-03-31").partition("\n")[2].replace("S0", "S1")
    other = Workspace.create(home.root / "other")
    assert load(other, mixed).accepted == 2


@pytest.mark.parametrize(
    ("name", "years"),
    [("20230115_2022年宏观.csv", ("2022",)), ("云发〔2024〕12号_2023年宏观.csv", ("2023",)),
     ("macro_2021.csv", ("2021",)), ("2025年报送2014年.csv", ("2025", "2014")),
     ("2021-2023年.csv", ("2021", "2023")),
     ("20230115.csv", ())],
)  # fmt: skip
def test_the_year_of_a_name(name: str, years: tuple[str, ...]) -> None:
    assert years_in(name) == years


def test_a_name_with_two_years_is_asked_about_where_rows_lean_on_it(home: Workspace) -> None:
    text = "季度,化纤出厂价格指数,原油价格指数,精对苯二甲酸价格指数,出口指数\n一季度,101,1,1,1\n"
    name = "2025年报送2014年.csv"
    assert f"year:{name}=2014" in str(load(home, text, name).error)
    assert load(home, text, name, accept=[f"year:{name}=2014"]).accepted == 1
    assert home.query("SELECT quarter FROM macro")["quarter"].tolist() == ["2014Q1"]


ROWS = [HEAD, batch(1), batch(2, "不合格")]
HTML = "<table>" + "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in ROWS) + "</table>"
XML = (
    '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
    'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
    '<Worksheet ss:Name="S"><Table>{}</Table></Worksheet></Workbook>'
)
CELLS = "".join(
    "<Row>" + "".join(f'<Cell><Data ss:Type="String">{c}</Data></Cell>' for c in row) + "</Row>" for row in ROWS
)
TABS = "\r\n".join("\t".join(row) for row in ROWS)
MHT = "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n"


@pytest.mark.parametrize(
    "content",
    [
        f"<html><meta charset=utf-8>{HTML}</html>".encode(), f"<html>{HTML}</html>".encode("gb18030"),
        f"<!DOCTYPE html><head><meta http-equiv=Content-Type content='text/html; charset=gb2312'>{HTML}".encode("gbk"),
        f"<html>{HTML}</html>".encode("utf-16"), XML.format(CELLS).encode(),
        XML.format(CELLS).replace('"1.0"', '"1.0" encoding="gb2312"').encode("gbk"), TABS.encode("gbk"),
        TABS.encode("utf-16"), f"{MHT}<html><meta charset=utf-8>{HTML}</html>\r\n--x--\r\n".encode(),
    ],
)  # fmt: skip
def test_what_office_systems_name_xls_is_read(home: Workspace, content: bytes) -> None:
    report = load(home, content, "a.xls")
    assert (report.accepted, report.quarantined) == (2, 0)
    assert home.query("SELECT result FROM inspections ORDER BY sample_no")["result"].tolist() == ["pass", "fail"]


def test_cells_of_web_pages() -> None:
    page = b"""<table><tr><th rowspan=2>a<th colspan=2>b<tr style="display:none"><td>c<td>26<sup>1</sup>
    <tr><td>x &amp;<br>y</td><td><table><tr><td>inner</td></tr></table></td><td><s>25</s>26</td></table>"""
    outer, inner = read_html(page)
    assert outer.rows == {0: {0: "a", 1: "b"}, 1: {1: "c", 2: "26¹"}, 2: {0: "x & y", 2: "26"}}
    assert inner.rows == {0: {0: "inner"}}
    assert outer.notes == {"merged_cells": 2, "hidden_rows": 1, "counted_once": 1}
    assert (outer.merges[0], outer.faults) == ((0, 0, 1, 0), [(2, 2, "struck_text", False)])


def test_a_page_without_a_table_says_so(home: Workspace) -> None:
    report = load(home, "<html><frameset><frame src='a.files/sheet001.htm'></frameset></html>", "a.xls")
    assert report.error is not None
    assert report.error["code"] == "QB336"


def test_cells_of_an_xml_spreadsheet() -> None:
    styles = '<Styles><Style ss:ID="p"><NumberFormat ss:Format="Percent"/></Style></Styles>'
    rows = (
        '<Row ss:Index="3"><Cell ss:Index="2" ss:StyleID="p"><Data ss:Type="Number">0.975</Data></Cell>'
        '<Cell><Data ss:Type="DateTime">2022-08-10T00:00:00.000</Data></Cell></Row>'
        '<Row ss:Hidden="1"><Cell><Data ss:Type="Error">#REF!</Data></Cell><Cell ss:Formula="=1+1"/></Row>'
    )
    (sheet,) = read_xml_2003(XML.format(rows).replace("<Worksheet", f"{styles}<Worksheet").encode())
    assert sheet.rows == {2: {1: "97.5%", 2: "2022-08-10"}, 3: {0: "#REF!", 1: ""}}
    assert [fault[2] for fault in sheet.faults] == ["error_cell", "formula_without_value"]
    assert sheet.notes == {"counted_once": 1, "hidden_rows": 1}


@pytest.mark.parametrize(
    ("document", "why"),
    [("<!DOCTYPE x [<!ENTITY e 'x'>]><Workbook/>", "doctype"), ("<Book/>", "kind"), ("<Workbook>", "broken")],
)
def test_other_xml_is_refused(document: str, why: str) -> None:
    with pytest.raises(Refused) as caught:
        read_xml_2003(document.encode())
    assert caught.value.why == why


def test_what_a_name_claims_still_holds_for_other_kinds() -> None:
    assert [find_kind("a.xls", head) for head in (b"<html>", b"a\tb", b"From: x\r\nMIME-Version: 1.0")] == [
        "html", "csv", "mht"
    ]  # fmt: skip


def test_quarters_without_a_year_beside_those_of_another_year_ask(tmp_path: pathlib.Path) -> None:
    home = Workspace.create(tmp_path / "ws")
    file = tmp_path / "2011年_宏观.csv"
    head = "季度,化纤出厂价格指数,原油价格指数,精对苯二甲酸价格指数,出口指数\n"
    file.write_text(f"{head}一季度,101,1,1,1\n2012年一季度,103,1,1,1\n三季度,104,1,1,1\n", encoding="utf-8")
    (asked,) = load_files(home, file)
    assert asked.error is not None
    assert asked.error["code"] == "QB360"
    (read,) = load_files(home, file, accept=["year:2011年_宏观.csv=2011"])
    assert read.accepted == 3
    quarters = home.query("SELECT quarter FROM macro ORDER BY 1")["quarter"]
    assert [str(quarter) for quarter in quarters] == ["2011Q1", "2011Q3", "2012Q1"]
