"""Where the header is, which units hold, what totals and counts from January on say."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import openpyxl
import pytest

from qbase.intake import explain_reason, load_files
from qbase.lake import Workspace
from tests.unit.intake.written_rows import CHAIN, ZH, load, recipe, row


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


# --- where the header is


def test_titles_and_units_above_the_header_are_listed(home: Workspace) -> None:
    rows = [["云泽省产业链"], ["单位：亿元"], [], CHAIN, ["K1", "2021", "14", "3", "1.2", "0.35"], ["填报单位：某局"]]
    report = load(home, rows)
    assert report.reasons == {"title_row": 1, "unit_row": 1, "blank_row": 1, "header": 1, "note_row": 1}
    assert report.warnings == ("亿元:unit_converted 2",)
    found = home.query("SELECT * FROM supply_chain").iloc[0]
    assert [found[c] for c in found.index if c.endswith("_wan_cny")] == [12000.0, 3500.0]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_title_hides_no_separator(home: Workspace, separator: str) -> None:
    path = home.root / "a.txt"
    lines = ["云泽省产业链，初步数", separator.join(CHAIN), separator.join(["K1", "2021", "14", "3", "2", "1"])]
    path.write_text("\n".join(lines), "utf-8")
    (report,) = load_files(home, [path])
    assert (report.verdict, report.accepted) == ("OK", 1)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_a_header_of_two_rows_is_joined(home: Workspace, name: str) -> None:
    body = 'table = "town_rates"\n[columns]\n"区划代码" = "town_code"\n"年份" = "year"\n'
    body += '"生产_批次数" = "batch_count"\n"生产_合格数" = "passed_count"'
    rows = [
        ["各乡镇抽查情况", "", "", "", "", ""], ["区划代码", "年份", "生产", "", "流通", ""],
        ["", "", "批次数", "合格数", "批次数", "合格数"], ["990101", "2022", "10", "9", "20", "11"],
    ]  # fmt: skip
    if name.endswith("xlsx"):
        book = openpyxl.Workbook()
        for cells in rows:
            book.active.append([cell or None for cell in cells])
        for span in ("A1:F1", "A2:A3", "B2:B3", "C2:D2", "E2:F2"):
            book.active.merge_cells(span)
        book.save(home.root / name)
        (report,) = load_files(home, [home.root / name], recipe=recipe(home, body))
    else:
        report = load(home, rows, name, recipe=recipe(home, body))
    assert (report.accepted, report.reasons) == (1, {"title_row": 1, "header": 2})
    assert home.query("SELECT batch_count, passed_count FROM town_rates").to_numpy().tolist() == [[10, 9]]


def test_a_merged_name_stands_for_each_of_its_rows_and_a_merged_number_does_not(home: Workspace) -> None:
    book = openpyxl.Workbook()
    for cells in (CHAIN, ["K1", 2021, 14, 3, 2, 1], [None, 2022, 15, 4, None, 1]):
        book.active.append(cells)
    book.active.merge_cells("A2:A3")
    book.active.merge_cells("E2:E3")
    book.save(home.root / "a.xlsx")
    (report,) = load_files(home, [home.root / "a.xlsx"])
    assert (report.accepted, report.quarantined) == (1, 1)
    assert "cluster_id:merged_filled 1" in report.warnings
    (aside,) = home.query("SELECT raw FROM set_aside WHERE verdict = 'quarantined'")["raw"]
    assert json.loads(aside)[0] == ""  # kept as it stood


def test_a_recipe_that_names_its_columns_tells_a_new_one_and_passes_over_those_it_leaves_out(home: Workspace) -> None:
    body = 'table = "towns"\nignored = ["序号"]\n[columns]\n"码" = "town_code"\n"名" = "town_name"\n'
    body += '[constants]\ncounty_name = "甲县"'
    own = recipe(home, body)
    assert load(home, [["码", "名", "序号", ""], ["990101001", "甲镇", "1", ""]], recipe=own).warnings == ()
    report = load(home, [["码", "名", "面积"], ["990101002", "乙镇", "3"]], "b.csv", recipe=own)
    assert (report.verdict, report.warnings) == ("WARN", ("面积:unknown_column",))
    other = load(home, [["码", "镇名", "面积"], ["990101003", "丙镇", "3"]], "c.csv", recipe=own)
    assert (other.error and other.error["code"]) == "QB321"


def test_a_file_without_header_has_its_columns_from_the_recipe(home: Workspace) -> None:
    body = 'table = "towns"\nheaders = ["码", "名"]\n[columns]\n"码" = "town_code"\n"名" = "town_name"\n'
    body += '[constants]\ncounty_name = "甲县"'
    report = load(home, [["990101001", "甲镇"], ["990101002", "乙镇"]], recipe=recipe(home, body))
    assert (report.verdict, report.rows_seen, report.accepted, report.reasons) == ("OK", 2, 2, {})


# --- units


def test_a_unit_in_the_header_goes_before_that_of_the_line(home: Workspace) -> None:
    header = [*CHAIN[:4], "中间投入（元）", CHAIN[5]]
    report = load(home, [["单位：亿元"], header, ["K1", "2021", "14", "3", "25000", "0.0001"]])
    assert sorted(report.warnings) == ["亿元:unit_converted 1", "元:unit_converted 1"]
    found = home.query("SELECT * FROM supply_chain").iloc[0]
    assert sorted(found[c] for c in found.index if c.endswith("_wan_cny")) == [1.0, 2.5]


CELLS = ["K1", "2021", "14", "3", "1.2", "0.35"]


@pytest.mark.parametrize(
    "rows",
    [
        [["2021年产业链（亿元）"], CHAIN, CELLS],
        [["2021年产业链 金额单位：亿元"], CHAIN, CELLS],
        [CHAIN, CELLS, ["注：表中金额单位均为亿元。"]],
        [CHAIN, ["", "", "个", "个", "亿元", "（亿元）"], CELLS],
        [[*CHAIN[:4], "中间投入/亿元", "本地中间投入,亿元"], CELLS],
    ],
)
def test_a_unit_is_seen_wherever_an_office_puts_it(home: Workspace, rows: list[list[Any]]) -> None:
    report = load(home, rows)
    assert (report.accepted, report.warnings) == (1, ("亿元:unit_converted 2",))
    found = home.query("SELECT * FROM supply_chain").iloc[0]
    assert sorted(found[c] for c in found.index if c.endswith("_wan_cny")) == [3500.0, 12000.0]


def test_the_unit_of_a_header_survives_the_answer_that_names_its_column(home: Workspace) -> None:
    rows = [[*CHAIN[:4], "中间投入额亿元", CHAIN[5]], CELLS]
    report = load(home, rows)
    assert report.error is not None
    assert report.error["fix"].endswith('--accept "column:中间投入额亿元=input_wan_cny"')
    assert load(home, rows, accept=["column:中间投入额亿元=input_wan_cny"]).accepted == 1
    assert home.query("SELECT input_wan_cny, local_input_wan_cny FROM supply_chain").to_numpy().tolist() == [
        [12000, 0.35]
    ]


def test_two_units_of_money_in_one_line_are_refused(home: Workspace) -> None:
    report = load(home, [["单位：亿元、万元"], CHAIN, ["K1", "2021", "14", "3", "2", "1"]])
    assert report.error is not None
    assert report.error["code"] == "QB328"


def test_a_unit_nobody_can_convert_is_asked_about(home: Workspace) -> None:
    rows = [["单位：美元"], CHAIN, ["K1", "2021", "14", "3", "2", "1"]]
    report = load(home, rows)
    assert report.error is not None
    assert (report.error["code"], report.error["fix"]) == ("QB360", 'qbase load FILE --accept "unit_line:美元"')
    again = load(home, rows, accept=["unit_line:美元"])
    assert (again.verdict, again.warnings) == ("WARN", ("美元:unit_ignored",))


def test_a_unit_said_of_one_column_is_not_spread_over_all(home: Workspace) -> None:
    rows = [CHAIN, CELLS, ["注：中间投入单位为亿元。"]]
    report = load(home, rows)
    assert report.error is not None
    assert report.error["fix"] == 'qbase load FILE --accept "unit_line:亿元"'
    refused = load(home, rows, reject=["unit_line:亿元"])
    assert refused.error is not None
    assert refused.error["code"] == "QB328"


def test_an_office_is_no_unit(home: Workspace) -> None:
    report = load(home, [["填报单位：某市元江局"], ["单位：某某公司"], CHAIN, ["K1", "2021", "14", "3", "2", "1"]])
    assert (report.verdict, report.reasons) == ("OK", {"title_row": 2, "header": 1})


# --- totals


def test_totals_are_checked_against_their_rows(home: Workspace) -> None:
    rows = [
        ["单位：万元"], CHAIN, ["K1", "2021", "1", "1", "10.5", "1"], ["K2", "2021", "2", "1", "20", "2"],
        ["小计", "", "3", "2", "30.5", "3"], ["K3", "2021", "4", "1", "5", "4"], ["小计", "", "4", "1", "6", "4"],
        ["全省合计", "", "7", "3", "35.5", "8"],
    ]  # fmt: skip
    report = load(home, rows)
    assert (report.verdict, report.accepted) == ("WARN", 3)
    assert report.reasons == {"unit_row": 1, "header": 1, "total_row": 1, "total_row_wrong": 2}
    assert report.warnings == ("7 小计 中间投入:total_mismatch 6/5", "8 全省合计 本地中间投入:total_mismatch 8/7")
    assert explain_reason(report.warnings[0]).zh == "7 小计 中间投入：合计写 6，各行之和为 5"


def test_rates_and_years_are_not_summed(home: Workspace) -> None:
    header = ["区划代码", "年份", "抽查批次数", "合格批次数", "合格率"]
    rows = [
        header,
        ["1", "2022", "10", "9", "90"],
        ["2", "2022", "10", "10", "100"],
        ["合计", "2022", "20", "19", "95"],
    ]
    assert load(home, rows).verdict == "OK"


def test_sheets_of_quarters_count_from_january_on(home: Workspace) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for quarter, day, said in (("一", "2022-02-01", "2批次"), ("二", "2022-05-01", "5批次")):
        sheet = book.create_sheet(f"2022年{quarter}季度")
        for cells in (
            ZH,
            row(f"{quarter}1", 抽样日期=day),
            row(f"{quarter}2", 抽样日期="2022-02-03", 检验结果="不合格"),
        ):
            sheet.append(cells)
        sheet.append([f"1—{3 if quarter == '一' else 6}月累计", said, "不合格1批次"])
    book.save(home.root / "a.xlsx")
    (report,) = load_files(home, [home.root / "a.xlsx"])
    assert (report.accepted, report.reasons) == (4, {"header": 2, "total_row": 1, "total_row_wrong": 1})
    assert "2022年二季度!4 1—6月累计 :total_mismatch 5/4" in report.warnings
    assert "2022年二季度!4 1—6月累计 不合格:total_mismatch 1/2" in report.warnings
    assert "sample_date:outside_sheet 1" in report.warnings


# --- counts from January on


def test_a_count_that_falls_is_set_aside_and_so_is_what_would_rest_on_it(home: Workspace) -> None:
    rows = [["时期", "累计抽查批次数", "累计合格批次数"]]
    rows += [
        [f"2022年1—{m}月", n, k]
        for m, n, k in (("3", "10", "9"), ("6", "8", "9"), ("9", "30", "20"), ("12", "40", "28"))
    ]
    rows += [["2023年1—6月", "9", "9"], ["2023年1—8月", "9", "9"]]
    report = load(home, rows, recipe="period_counts_ytd")
    assert report.reasons == {
        "header": 1, "batch_count:year_to_date_falls": 1, "batch_count:year_to_date_gap": 2,
        "passed_count:year_to_date_gap": 1, "quarter:quarter": 1,
    }  # fmt: skip
    found = home.query("SELECT quarter, batch_count, passed_count FROM period_counts ORDER BY 1")
    assert found.to_numpy().tolist() == [["2022Q1", 10, 9], ["2022Q4", 10, 8]]


def test_a_span_from_january_on_is_no_quarter_without_a_recipe(home: Workspace) -> None:
    report = load(
        home, [["时期", "当季抽查批次数", "当季合格批次数"], ["2022年1—9月", "3", "2"], ["2022年三季度", "3", "2"]]
    )
    assert (report.accepted, report.reasons["quarter:cumulative"]) == (1, 1)


def test_sheets_named_after_quarters_with_counts_from_january_on(home: Workspace) -> None:
    header = ["平台编号", "服务企业数", "缺检验能力企业数", "服务合同数", "进厂委托检验批次", "进厂检验合格批次"]
    header += ["出厂委托检验批次", "出厂检验合格批次", "咨询计量服务次数", "费用降幅"]
    book = openpyxl.Workbook()
    book.remove(book.active)
    for word, first, second in (("一", 3, 1), ("二", 8, 2), ("三", 9, 1)):
        sheet = book.create_sheet(f"2022年{word}季度")
        for cells in (header, ["P1", first, 9, *[0] * 6, 25], ["P2", second, 9, *[0] * 6, 25]):
            sheet.append(cells)
    book.save(home.root / "a.xlsx")
    body = 'table = "platform_services"\n[from_sheet]\nquarter = "(.+)"\n'
    body += '[year_to_date]\nperiod = "quarter"\ncolumns = ["firm_served_count"]\nby = ["platform_id"]'
    (report,) = load_files(home, [home.root / "a.xlsx"], recipe=recipe(home, body))
    assert (report.accepted, report.reasons["firm_served_count:year_to_date_falls"]) == (5, 1)
    found = home.query("SELECT platform_id, quarter, firm_served_count AS n FROM platform_services ORDER BY 1, 2")
    assert found.to_numpy().tolist() == [
        ["P1", "2022Q1", 3], ["P1", "2022Q2", 5], ["P1", "2022Q3", 1], ["P2", "2022Q1", 1], ["P2", "2022Q2", 1],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "factor"),
    [
        (["数量级：亿元"], 10_000), (["数量级：", "", "万元"], 1), (["计量单位", "千元"], 0.1),
        (["（单位：万元）"], 1), (["单位为千元"], 0.1), (["数量单位：百万元"], 100),
        (["金额单位|亿元"], 10_000),         (["Unit: 10k yuan"], 1), (["Units: RMB 10k"], 1),
        (["unit: 100m yuan"], 10_000), (["RMB'0000"], 1),

        (["表内数据均为亿元"], 10_000), (["x10^4元"], 1), (["单位︰亿元"], 10_000),
    ],
)  # fmt: skip
def test_a_size_that_is_understood_multiplies(home: Workspace, line: list[str], factor: float) -> None:
    report = load(home, [line, CHAIN, ["K001", "2022", "10", "5", "2", "1"]])
    assert (report.error, report.accepted) == (None, 1)
    found = home.query("SELECT input_wan_cny AS a, local_input_wan_cny AS b FROM supply_chain")
    assert (found["a"][0], found["b"][0]) == (2 * factor, factor)


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (["数量级：亿"], "亿"), (["数量级", "万"], "万"), (["量级为千"], "千"), (["数量级：10的8次方"], "10的8次方"),
        (["单位：亿"], "亿"), (["数量单位：百万"], "百万"), (["Scale: 10^4"], "10^4"), (["magnitude = 1e8"], "1e8"),
        (["倍率：10000"], "10000"), (["（×1000）"], "1000"), (["以下金额乘以10000"], "10000"),
        (["本表金额均以亿计算"], "亿"), (["换算系数：10,000"], "10000"), (["Unit: ten kilo yuan"], "ten kilo yuan"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_below", [False, True])
def test_a_size_that_is_not_understood_is_asked_about(
    home: Workspace, line: list[str], size: str, *, is_below: bool
) -> None:
    table = [CHAIN, ["K001", "2022", "10", "5", "2", "1"]]
    report = load(home, [*table, line] if is_below and len(line) == 1 else [line, *table])
    assert report.error is not None
    assert (report.error["code"], report.error["fix"]) == ("QB360", f'qbase load FILE --accept "unit_line:{size}"')


@pytest.mark.parametrize("line", ["填报单位：某局", "数量级：一等", "规模：亿元企业", "产值过亿元企业名单", "换算说明"])
def test_offices_and_titles_are_no_sizes(home: Workspace, line: str) -> None:
    assert load(home, [[line], CHAIN, ["K001", "2022", "10", "5", "2", "1"]]).accepted == 1
