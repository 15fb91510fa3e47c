"""What an examination of the intake with a thousand files found: wrong numbers, crashes, and plain files refused."""

from __future__ import annotations

import csv
import datetime
import io
import pathlib
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest

from qbase.core.errors import DataError
from qbase.intake import LoadReport, explain_reason, load_files
from qbase.intake.reading.encoding import decode_text
from qbase.intake.values.cell_text import Cells, find_style, unescape
from qbase.intake.values.units import is_unit_row, read_unit_line
from qbase.intake.values.written_dates import is_own_quarter, is_span, read_day, read_quarter_text, read_span
from qbase.lake import Workspace
from qbase.tables import normalise_header

CHAIN = ["集群编号", "年份", "产业链环节数", "本地覆盖环节数", "中间投入", "本地中间投入"]
HEAD = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]
DAY = datetime.date(2022, 8, 10)


def chain(k: str, money: float | str = 3, local: float | str = 1) -> list[Any]:
    return [k, 2021, 14, 3, money, local]


def batch(k: str, day: Any = "2022-08-10") -> list[Any]:
    return [k, "省级", day, "生产", "双随机", "甲厂", "涤纶长丝", "合格"]


def text(rows: list[list[Any]], encoding: str = "utf-8") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode(encoding)


def book(rows: list[list[Any]], touch: Callable[[Any, Any], None] | None = None) -> bytes:
    made = openpyxl.Workbook()
    for cells in rows:
        made.active.append(cells)
    if touch is not None:
        touch(made, made.active)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def formatted(column: int, code: str) -> Callable[[Any, Any], None]:
    def touch(_: Any, sheet: Any) -> None:
        sheet.cell(2, column).number_format = code

    return touch


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def load(home: Workspace, content: bytes, name: str = "a.csv", recipe: str | None = None) -> LoadReport:
    path = home.root / name
    path.write_bytes(content)
    (report,) = load_files(home, [path], recipe=recipe)
    assert report.rows_seen == report.listed + report.accepted + report.quarantined
    for code in (*report.warnings, *report.reasons):
        assert explain_reason(code, report.table).zh != code, code
    return report


def error_of(report: LoadReport) -> str:
    return "" if report.error is None else str(report.error["code"])


def money_of(home: Workspace) -> list[float]:
    return home.query("SELECT input_wan_cny FROM supply_chain ORDER BY cluster_id")["input_wan_cny"].tolist()


TITLES = [
    "单 位：亿元", "（单位 : 亿元）", "单位 亿元", "2021年产业链情况，单位亿元", "以亿元计", "2021年产业链情况 亿元",
    "【亿元】", "金额单位：人民币亿元", "单位：亿元（人民币）", "Unit: 100 million yuan", "单位：人民币 亿元",
]  # fmt: skip


@pytest.mark.parametrize("title", TITLES[:-1])
def test_a_title_states_the_unit_in_many_words(title: str) -> None:
    known, strange = read_unit_line([title]) or ((), ())
    assert len(known) == 1
    assert strange == ()


@pytest.mark.parametrize(
    "title", ["填报单位：某局", "单位负责人：张三", "单 位 名 称：甲厂", "2021年亿元以上企业", "人"]
)
def test_other_titles_state_none(title: str) -> None:
    assert read_unit_line([title]) is None


@pytest.mark.parametrize("title", ["单位：万美元", "Unit: USD million", "2021年（亿美元）"])
def test_foreign_money_in_a_title_is_strange(title: str) -> None:
    known, strange = read_unit_line([title]) or ((), ())
    assert (known, len(strange)) == ((), 1)


def test_units_in_titles_rows_and_headers_reach_the_numbers(home: Workspace) -> None:
    wide = [[title, *[""] * 5] for title in TITLES[:3]]
    files = [[title, CHAIN, chain(f"A{i}", 3.5)] for i, title in enumerate(wide)]
    files += [[CHAIN, ["计量单位", "年", "个", "个", "亿元", "亿元"], chain("B0", 3.5)]]
    files += [[[*CHAIN[:4], "中间投入【亿元】", "本地中间投入[亿元]"], chain("B1", 3.5)]]
    for i, rows in enumerate(files):
        assert load(home, text(rows), f"{i}.csv").accepted == 1
    assert money_of(home) == [35_000.0] * 5


def test_a_row_of_units_may_name_foreign_money(home: Workspace) -> None:
    assert is_unit_row(["计量单位", "年", "个", "万美元"])
    report = load(home, text([CHAIN, ["", "", "个", "个", "万美元", "万美元"], chain("A")]))
    assert (report.verdict, error_of(report)) == ("REJECTED", "QB328")


def test_ten_thousands_of_one_count_are_not_taken_for_all(home: Workspace) -> None:
    report = load(home, text([["单位：万元、万人"], CHAIN, chain("A")]))
    assert (report.verdict, error_of(report)) == ("REJECTED", "QB328")


def test_a_canonical_name_states_its_own_unit(home: Workspace) -> None:
    names = ["cluster_id", "year", "link_count", "local_link_count", "input_wan_cny", "local_input_wan_cny"]
    assert load(home, text([names, chain("A")])).verdict == "OK"
    assert load(home, text([["单位：亿元"], names, chain("B")]), "b.csv").accepted == 1
    assert money_of(home) == [3.0, 3.0]


def test_a_unit_line_between_the_data_is_asked_about(home: Workspace) -> None:
    two = [CHAIN, chain("A"), ["单位：亿元"], CHAIN, chain("B")]
    assert error_of(load(home, text(two))) == "QB360"
    assert error_of(load(home, text([["单位：万元"], *two]), "b.csv")) == "QB328"
    same = [["单位：万元"], CHAIN, chain("A"), ["单位：万元"], CHAIN, chain("B")]
    assert load(home, text(same), "c.csv").accepted == 2


@pytest.mark.parametrize(
    "header",
    [
        "*抽样编号",
        "抽样编号：",
        "抽样编号①",
        "抽样编号（1）",
        "抽样编号[注1]",
        "抽样编号（必填）",
        "抽样-编号",
        "抽样编号*¹",
    ],
)
def test_marks_of_a_form_are_no_part_of_a_header(header: str) -> None:
    assert normalise_header(header) == "抽样编号"


def test_headers_in_two_languages_and_with_numbers(home: Workspace) -> None:
    english = ["Cluster id", "Year", "Links", "Links held locally", "Intermediate inputs", "of which local"]
    both = [f"{zh}/{en}" for zh, en in zip(CHAIN[:2], english[:2], strict=True)]
    rows = [[*both, "3.产业链环节数", "4、本地覆盖环节数", "*中间投入", "本地中间投入："], chain("A")]
    report = load(home, text(rows))
    assert (report.verdict, report.accepted) == ("OK", 1)
    bracketed = ["集群编号（cluster_id）", "年份（Year）", *CHAIN[2:]]
    assert load(home, text([bracketed, chain("B")]), "b.csv").verdict == "OK"
    assert error_of(load(home, text([[*CHAIN[:4], "中间投入 USD", CHAIN[5]], chain("C")]), "c.csv")) != ""


def test_empty_fields_at_the_end_of_a_line(home: Workspace) -> None:
    assert load(home, text([CHAIN, [*chain("A"), ""]])).verdict == "OK"
    assert load(home, text([[*CHAIN, ""], chain("B")]), "b.csv").verdict == "OK"
    assert load(home, text([CHAIN, [*chain("C"), "多"]]), "c.csv").reasons["too_many_fields"] == 1
    assert load(home, text([CHAIN, chain("D")[:-1]]), "d.csv").reasons["too_few_fields"] == 1


@pytest.mark.parametrize("label", ["合计", "合　计", "全市合计"])
def test_a_total_that_leaves_nothing_empty_is_no_data(home: Workspace, label: str) -> None:
    report = load(home, text([CHAIN, chain("A"), chain("B"), [label, 2021, 28, 6, 6, 2]]))
    assert (report.verdict, report.accepted, report.reasons["total_row"]) == ("OK", 2, 1)


@pytest.mark.parametrize("label", ["平均", "均值", "全省", "上年同期", "同比增长", "Average", "其中：规上"])
def test_a_row_that_sums_up_has_no_code(home: Workspace, label: str) -> None:
    report = load(home, text([CHAIN, chain("A"), [label, 2021, 28, 6, 6, 2]]))
    assert (report.accepted, report.quarantined) == (1, 1)
    assert report.reasons["cluster_id:summary_row"] == 1


def test_remarks_and_repeated_titles_are_listed(home: Workspace) -> None:
    rows = [
        ["产业链情况表"],
        CHAIN,
        chain("A"),
        ["产业链情况表"],
        CHAIN,
        chain("B"),
        ["以上数据截至年底"],
        ["1. 不含外资企业。"],
    ]
    report = load(home, text(rows))
    assert (report.verdict, report.accepted) == ("OK", 2)
    assert (report.reasons["title_row"], report.reasons["note_row"]) == (2, 2)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2022/8/1 0:00", "2022-08-01"), ("2022-08-01T00:00:00.000", "2022-08-01"), ("2022. 8. 1", "2022-08-01"),
        ("2022年8月1号", "2022-08-01"), ("2022年8月1日（星期一）".replace("（", "(").replace("）", ")"), "2022-08-01"),
        ("二〇二二年八月二十三日", "2022-08-23"), ("1-Aug-2022", "2022-08-01"), ("August 1, 2022", "2022-08-01"),
        ("Sept 1, 2022", "2022-09-01"), ("8/1/2022", ""), ("Fog 1, 2022", ""), ("二〇二二年十三月一日", ""),
        ("2022-08-01 24:00", ""), ("2022-08-01T16:30:00Z", ""),
    ],
)  # fmt: skip
def test_days_as_people_write_them(written: str, day: str) -> None:
    assert read_day(written) == (day, "")


def test_the_order_of_day_and_month_is_for_a_recipe_to_say() -> None:
    month, day = frozenset({"month_first"}), frozenset({"day_first"})
    assert read_day("08/01/2022 12:00:00 AM", month) == ("2022-08-01", "")
    assert read_day("08/01/2022", day) == ("2022-01-08", "")
    assert read_day("08/13/2022", day) == read_day("08/01/2022", month | day) == ("", "")
    assert read_day("2022-08-01 14:30") == ("2022-08-01", "time_dropped")


@pytest.mark.parametrize(
    "written",
    ["Q3 2022", "3Q2022", "2022年7-9月", "2022年7月—9月", "2022年Ⅲ季度", "二〇二二年三季度", "2022年第III季度"],
)
def test_quarters_as_people_write_them(written: str) -> None:
    assert read_quarter_text(written) == ("2022Q3", "")


def test_spans_from_january_in_words() -> None:
    assert [read_span(f"2022年{span}") for span in ("上半年", "前三季度", "全年", "1-3季度")] == [
        "2022Q2", "2022Q3", "2022Q4", "2022Q3",
    ]  # fmt: skip
    assert (read_quarter_text("2022年前三季度"), is_span("2022年三季度")) == (("", ""), False)
    assert (is_own_quarter("2022年7-9月"), is_own_quarter("2022年1-3月")) == (True, False)


def test_months_of_a_quarter_are_no_count_from_january_on(home: Workspace) -> None:
    head = ["时期", "累计抽查批次数（批次）", "累计合格批次数（批次）"]
    rows = [head, ["2021年1-3月", 10, 9], ["2021年4-6月", 20, 18]]
    report = load(home, text(rows), recipe="period_counts_ytd")
    assert (report.accepted, report.reasons["quarter:not_cumulative"]) == (1, 1)


@pytest.mark.parametrize(
    ("code", "value", "shown", "remark", "is_fatal"),
    [
        ('0.0"亿元"', 3.5, "3.5亿元", "words_by_format", False), ('"AB"0000', 73.0, "AB0073", "words_by_format", False),
        ('0.00"%"', 97.5, "97.5%", "words_by_format", False), ("[$$-409]#,##0", 5.0, "$5", "words_by_format", False),
        ("0!.0,", 35000.0, "35000.0", "altered_by_format", True), ("#,##0,", 5e4, "50000.0", "altered_by_format", True),
        ("000-0000", 1234567.0, "1234567.0", "altered_by_format", True), (";;;", 5.0, "5", "hidden_by_format", False),
        ('[>=10000]0!.0,"万";0', 5.0, "5.0", "altered_by_format", True), ("aaaa", 44783.0, "2022-08-10", "", False),
        ('"¥"#,##0.00', 5.0, "5", "number", False), ("#,##0.00_);(#,##0.00)", -3.0, "-3", "number", False),
        ('_ * #,##0.00_ ;_ * "-"??_ ', 5.0, "5", "number", False), ("0.00E+00", 5.0, "5", "number", False),
    ],
)  # fmt: skip
def test_a_number_is_read_as_its_format_shows_it(
    code: str, value: float, shown: str, remark: str, is_fatal: bool
) -> None:
    cells = Cells(strings=[], styles=[find_style(200, code)], is_1904=False)
    assert cells.text("n", repr(value), 0) == (shown, remark, is_fatal)


def test_units_in_number_formats_reach_the_numbers(home: Workspace) -> None:
    assert load(home, book([CHAIN, chain("A", 3.5)], formatted(5, '0.0"亿元"')), "a.xlsx").accepted == 1
    assert load(home, book([CHAIN, chain("B")], formatted(2, '0"年"')), "b.xlsx").accepted == 1
    scaled = load(home, book([CHAIN, chain("C", 35_000)], formatted(5, "0!.0,")), "c.xlsx")
    assert scaled.reasons["input_wan_cny:altered_by_format"] == 1
    assert money_of(home) == [35_000.0, 3.0]


def test_times_hidden_cells_and_codes_that_became_dates(home: Workspace) -> None:
    def touch(_: Any, sheet: Any) -> None:
        sheet["F2"].number_format = ";;;"

    timed = load(home, book([HEAD, batch("A", datetime.datetime(2022, 8, 10, 14, 30))], touch), "a.xlsx")
    assert {"sample_date:time_dropped 1", "firm_name:hidden_by_format 1"} <= set(timed.warnings)
    taken = home.query("SELECT sample_date FROM inspections")["sample_date"][0]
    assert (taken.date() if isinstance(taken, datetime.datetime) else taken) == DAY
    dated = load(home, book([HEAD, [DAY, *batch("")[1:]]]), "b.xlsx")
    assert dated.reasons["sample_no:formatted_code"] == 1


def rewritten(content: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            new.writestr(entry.filename, change(data) if entry.filename == part else data)
    return out.getvalue()


def test_a_shared_string_is_not_counted_from_the_end() -> None:
    cells = Cells(strings=["甲", "乙"], styles=[], is_1904=False)
    assert cells.text("s", "1", 0) == ("乙", "", False)
    assert [cells.text("s", raw, 0)[1:] for raw in ("-1", "2", "1_0", "x")] == [("broken_cell", True)] * 4


def test_half_a_pair_of_characters_stops_no_load(home: Workspace) -> None:
    assert unescape("甲_xD800_厂") == "甲\ufffd厂"
    rows = [HEAD, batch("A"), batch("B")]
    rows[1][5] = "甲_xD800_厂"
    report = load(home, book(rows), "a.xlsx")
    assert report.verdict in ("OK", "QUARANTINED")
    assert report.accepted >= 1


def test_a_formula_nobody_calculated_is_no_zero(home: Workspace) -> None:
    def with_formula(sheet: bytes) -> bytes:
        return sheet.replace(b'<c r="F2" t="n"><v>1</v>', b'<c r="F2" t="n"><f>E2/2</f><v>0</v>')

    made = rewritten(book([CHAIN, chain("A")]), "xl/worksheets/sheet1.xml", with_formula)
    assert b"<f>" in zipfile.ZipFile(io.BytesIO(made)).read("xl/worksheets/sheet1.xml")
    report = load(home, made, "a.xlsx")
    assert report.reasons["local_input_wan_cny:formula_not_calculated"] == 1


def test_utf16_without_mark_is_found_by_its_zeros() -> None:
    said = "抽样编号,级别\r\nK1,上一\r\n"
    for encoding in ("utf-16-le", "utf-16-be"):
        assert decode_text(said.encode(encoding)) == (said.encode(), encoding)
    assert decode_text(b"a,b\n1,\x00\n")[1] == "utf-8"


def test_bytes_that_read_in_two_encodings_are_refused() -> None:
    assert decode_text("Café,Müller,Москва\n".encode())[1] == "utf-8"
    with pytest.raises(DataError) as refused:
        decode_text("sample_no,firm\nK1,一业\n".encode("gbk"))
    assert refused.value.code == "QB327"
    assert decode_text("sample_no,firm\nK1,一业\n".encode("gbk"), "gb18030")[1] == "gb18030"


UK = [
    "Country", "LAType", "LAName", "Totalestablishments(includingnotyetrated&outside)",
    *(name + letter for letter in "ABCDE" for name in ("Premisesrated", "Total%ofBroadlyCompliantpremises-")),
]  # fmt: skip


@pytest.mark.parametrize(
    "dress", ["{} [note 1]", "{}¹", "{} (note 3)", "{} 2019/20", "2019-20 {}", "{} (2019-20)", "{} as at 31 March 2020"]
)
def test_a_fourth_year_of_the_fsa(home: Workspace, dress: str) -> None:
    cells = ["England", "District Council", "Adur [2]", "1,200", *["10", "…"] * 5]
    report = load(home, text([[dress.format(h) for h in UK], cells]), "2019-20.csv", "uk_fsa_laems")
    assert (report.accepted, report.quarantined) == (1, 0)
    row = home.query("SELECT authority_name, total_count, a_compliant_pct FROM uk_fsa_laems").iloc[0]
    assert (row["authority_name"], row["total_count"]) == ("Adur", 1200)
    assert row["a_compliant_pct"] != row["a_compliant_pct"]


def test_other_sheets_beside_the_one_a_recipe_reads(home: Workspace) -> None:
    def touch(made: Any, _: Any) -> None:
        made.create_sheet("Notes", 0).append(["Contents"])
        made.create_sheet("Sampling").append(["Country", "LAType", "LAName", "Samples"])

    rows = [UK, ["England", "District Council", "Adur", 12, *[10, 50] * 5]]
    report = load(home, book(rows, touch), "2019-20.xlsx", "uk_fsa_laems")
    assert (report.verdict, report.accepted) == ("WARN", 1)
    assert "Notes:sheet_unused" in report.warnings


def test_a_further_year_of_chicago(home: Workspace) -> None:
    head = [
        "Inspection ID",
        "DBA Name",
        "License #",
        "Facility Type",
        "Risk",
        "Zip",
        "Inspection Date",
        "Inspection Type",
    ]
    rows = [
        [*head, "Results", "Location"],
        [
            "1",
            "A",
            "007",
            "Restaurant",
            "RISK 1 (HIGH)",
            "60601",
            "08/13/2015",
            "Canvass",
            "PASS w/ conditions",
            "(1, 2)",
        ],
        ["2", "B", "008", "Restaurant", "Risk 2 (Medium)", "60601", "08/01/2015", "Complaint", "Fail", ""],
        ["3", "C", "009", "Restaurant", "Risk 2 (Medium)", "60601", "08/01/2015", "Canvass Re-Inspection", "Pass", ""],
    ]
    report = load(home, text(rows), recipe="chicago_inspections")
    assert (report.accepted, report.reasons["sample_type:enum"]) == (2, 1)
    got = home.query("SELECT firm_code, result, risk_class, sample_type FROM inspections ORDER BY sample_no")
    assert got.values.tolist() == [["007", "pass", "C", "risk"], ["008", "fail", "B", "complaint"]]


def test_a_list_of_notices_with_a_header_or_a_column_short(home: Workspace) -> None:
    names = [
        "id", "title", "publish_time", "info_source", "company_name", "company_address", "sampled_unit",
        "sampled_address", "sample_name", "spec", "trademark", "production_date", "factory_num", "approval_num",
        "unqualified_item", "test_value", "standard", "sampling_unit", "inspection_org", "source_url",
    ]  # fmt: skip
    row = [
        "1",
        "1批次食品",
        "2019-08-15 20:26:58",
        "总局",
        "甲厂",
        *[""] * 3,
        "食醋",
        *[""] * 5,
        "铅",
        "2",
        "1",
        *[""] * 3,
    ]
    upper = [name.upper() for name in names]
    report = load(home, text([upper, row]), recipe="cn_quality_notices")
    assert (report.accepted, report.quarantined) == (1, 0)
    short = load(home, text([["2", *row[1:-1]]]), "b.csv", "cn_quality_notices")
    assert (short.verdict, error_of(short)) == ("REJECTED", "QB321")


def test_ods_is_read_with_a_warning(home: Workspace) -> None:
    def cell(value: Any) -> str:
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'

    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in (HEAD, batch("A")))
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "META-INF/manifest.xml", '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content{names}><office:body><office:spreadsheet>"
            f'<table:table table:name="表">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    report = load(home, out.getvalue(), "a.ods")
    assert (report.verdict, report.accepted) == ("WARN", 1)
    assert "sheet:ods_limited 1" in report.warnings
