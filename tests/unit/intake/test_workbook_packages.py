"""A workbook is read as its relations say, agrees with a second engine, and costs what it holds."""

from __future__ import annotations

import io
import pathlib
import re
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import openpyxl.chart
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.styles import Font

from qbase.core.errors import DataError
from qbase.intake import LoadReport, load_files
from qbase.intake.reading import second_count
from qbase.intake.reading.child_worker import read_book
from qbase.intake.reading.csv_text import read_csv
from qbase.intake.reading.workbook_child import read_workbook
from qbase.lake import Workspace

HEAD = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]
TOWN = ["区划代码", "年份", "工业总产值", "增加值", "税收", "从业人数", "园区产值", "园区面积", "验收工程数",
        "一次验收合格工程数", "空气优良天数", "水质达标断面占比", "服务满意度"]  # fmt: skip
Parts = dict[str, bytes]


def town(year: int, works: Any) -> list[Any]:
    return ["990021101", year, 539913, 122064, 18070, 15457, 47906, 888, works, 13, 328, 96.8, 82.7]


def batch(number: int, result: str = "合格", firm: str = "甲厂") -> list[str]:
    return [f"S{number}", "省级", "2022-08-10", "生产", "双随机", firm, "涤纶长丝", result]


def save(path: pathlib.Path, sheets: dict[str, list[list[Any]]], touch: Callable[[Any], None] | None = None) -> Parts:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    if touch is not None:
        touch(book)
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: pathlib.Path, parts: Parts) -> pathlib.Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


def two_sheets(path: pathlib.Path) -> Parts:
    passed = [HEAD, *(batch(i) for i in range(8))]
    failed = [HEAD, batch(8, "不合格"), batch(9, "不合格")]
    return shared(save(path, {"合格": passed, "不合格": failed}))


def shared(parts: Parts) -> Parts:
    """Move the texts of the sheets to a part of shared strings, as Excel does."""
    texts: list[bytes] = []

    def move(match: re.Match[bytes]) -> bytes:
        texts.append(match[2])
        return b'<c %s t="s"><v>%d</v></c>' % (match[1], len(texts) - 1)

    out = {
        name: re.sub(rb'<c ([^>]*?) ?t="inlineStr"><is>(.*?)</is></c>', move, data) if "/sheet" in name else data
        for name, data in parts.items()
    }
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    out["xl/sharedStrings.xml"] = b"<sst %s>%s</sst>" % (space, b"".join(b"<si>%s</si>" % text for text in texts))
    kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    entry = b'<Relationship Id="rIdS" Type="%s" Target="sharedStrings.xml"/></Relationships>' % kind
    book = "xl/_rels/workbook.xml.rels"
    content = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s"/></Types>' % content
    types = "[Content_Types].xml"
    return out | {
        book: out[book].replace(b"</Relationships>", entry),
        types: out[types].replace(b"</Types>", override),
    }


def renamed(parts: Parts, changes: dict[str, str], words: dict[str, str]) -> Parts:
    """Move parts, and say so in every relation and declared type."""
    out = {}
    for name, data in parts.items():
        said = data
        for old, new in words.items():
            said = said.replace(old.encode(), new.encode()) if name.endswith((".rels", ".xml")) else said
        out[changes.get(name, name)] = said
    return out


LAYOUTS: dict[str, Callable[[Parts], Parts]] = {
    "sheet in another folder": lambda p: renamed(
        p, {"xl/worksheets/sheet2.xml": "xl/sheets/b.xml"}, {"worksheets/sheet2.xml": "sheets/b.xml"}
    ),
    "strings in another case": lambda p: renamed(p, {"xl/sharedStrings.xml": "xl/SharedStrings.xml"}, {}),
    "strings under another name": lambda p: renamed(
        p, {"xl/sharedStrings.xml": "xl/words.xml"}, {"sharedStrings.xml": "words.xml"}
    ),
    "styles under another name": lambda p: renamed(
        p, {"xl/styles.xml": "xl/s.xml"}, {'"styles.xml"': '"s.xml"', "/xl/styles.xml": "/xl/s.xml"}
    ),
    "workbook under another name": lambda p: renamed(
        p,
        {"xl/workbook.xml": "xl/book.xml", "xl/_rels/workbook.xml.rels": "xl/_rels/book.xml.rels"},
        {"xl/workbook.xml": "xl/book.xml"},
    ),
    "everything at the root": lambda p: {
        name.removeprefix("xl/"): data.replace(b'"/xl/', b'"/').replace(b'"xl/', b'"') for name, data in p.items()
    },
    "backslashes": lambda p: {name.replace("/", "\\"): data for name, data in p.items()},
    "empty attributes of style": lambda p: p
    | {n: re.sub(rb'(<c r="\w+")', rb'\1 s=""', d) for n, d in p.items() if "/sheet" in n},
    "strict": lambda p: {
        n: d.replace(b"http://schemas.openxmlformats.org/officeDocument/2006/", b"http://purl.oclc.org/ooxml/officeDocument/")
        if n.endswith(".rels")
        else d
        for n, d in p.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_batches_of_a_workbook_are_found_wherever_its_parts_lie(tmp_path: pathlib.Path, layout: str) -> None:
    path = tmp_path / "a.xlsx"
    pack(path, LAYOUTS[layout](two_sheets(path)))
    first, second = read_workbook(path, "xlsx", "a.xlsx")
    assert (first.sheet, len(first), second.sheet, len(second)) == ("合格", 9, "不合格", 3)
    assert [row[-1] for row in second.rows([1, 2])] == ["不合格", "不合格"]


def test_a_sheet_elsewhere_counts_in_the_rate(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.xlsx"
    pack(path, LAYOUTS["sheet in another folder"](two_sheets(path)))
    report, home = load(tmp_path, path)
    counts = home.query("SELECT count(*) FILTER (result = 'pass') AS passed, count(*) AS batches FROM inspections")
    assert (report.accepted, *counts.iloc[0].tolist()) == (10, 8, 10)


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("xl/_rels/workbook.xml.rels", b"worksheets/sheet2.xml", b"worksheets/sheet7.xml"),  # no such part
        ("xl/_rels/workbook.xml.rels", rb'/worksheet"( Target="/xl/worksheets/sheet2)', rb'/x"\1'),
        ("xl/_rels/workbook.xml.rels", b'Id="rId2"', b'Id="rId77"'),  # no such relation
    ],
)  # fmt: skip
def test_a_sheet_without_a_part_is_refused_not_dropped(
    tmp_path: pathlib.Path, part: str, old: bytes, new: bytes
) -> None:
    path = tmp_path / "a.xlsx"
    parts = two_sheets(path)
    changed = re.sub(old, new, parts[part])
    assert changed != parts[part]
    pack(path, parts | {part: changed})
    with pytest.raises(DataError, match=r"QB316|QB335"):
        read_workbook(path, "xlsx", "a.xlsx")


def test_a_list_of_sheets_that_no_other_program_confirms_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.xlsx"
    two_sheets(path)
    monkeypatch.setattr(second_count, "ENGINES", (lambda _: [("合格", 9)], lambda _: None))
    assert read_book(str(path), "xlsx")["refused"] == {"why": "sheets", "found": "合格, 不合格 / 合格"}
    monkeypatch.setattr(second_count, "ENGINES", (lambda _: [("合格", 9), ("不合格", 2)], lambda _: None))
    first, second = read_book(str(path), "xlsx")["sheets"]
    assert (first["filled"], first["counted"], second["filled"], second["counted"]) == (9, 9, 3, 2)
    monkeypatch.setattr(second_count, "ENGINES", (lambda _: None,))
    assert read_book(str(path), "xlsx")["refused"]["why"] == "sheets"


def test_a_second_workbook_under_the_usual_name_is_not_the_one_related(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.xlsx"
    parts = two_sheets(path)
    other = parts["xl/workbook.xml"].replace("不合格".encode(), "旧表".encode())
    parts = LAYOUTS["workbook under another name"](parts) | {"xl/workbook.xml": other}
    grids = read_workbook(pack(path, parts), "xlsx", "a.xlsx")
    assert [grid.sheet for grid in grids] == ["合格", "不合格"]


def test_a_part_that_lies_twice_in_the_archive_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.xlsx"
    parts = two_sheets(path)
    parts = {n.replace("sharedStrings", "sharedstrings"): d for n, d in parts.items()}
    pack(path, parts | {"xl/SHAREDSTRINGS.xml": parts["xl/sharedstrings.xml"]})
    with pytest.raises(DataError, match="QB316"):
        read_workbook(path, "xlsx", "a.xlsx")


def test_a_sheet_of_a_chart_is_no_table_and_hinders_none(tmp_path: pathlib.Path) -> None:
    def chart(book: Any) -> None:
        drawn = openpyxl.chart.BarChart()
        drawn.add_data(openpyxl.chart.Reference(book["a"], min_col=1, min_row=1, max_row=2))
        book.create_chartsheet("图", 0).add_chart(drawn)

    path = tmp_path / "a.xlsx"
    save(path, {"a": [["x"], [1]]}, chart)
    (grid,) = read_workbook(path, "xlsx", "a.xlsx")
    assert (grid.sheet, grid.row(1)) == ("a", ("1",))


def test_another_document_in_a_zip_is_not_called_broken(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.xlsx"
    parts = two_sheets(path)
    parts["xl/workbook.xml"] = b"<document/>"
    with pytest.raises(DataError, match="QB311"):
        read_workbook(pack(path, parts), "xlsx", "a.xlsx")


def raised(base: str, mark: str, align: str = "superscript") -> CellRichText:
    return CellRichText(base, TextBlock(InlineFont(vertAlign=align), mark))


def load(tmp_path: pathlib.Path, path: pathlib.Path) -> tuple[LoadReport, Workspace]:
    home = Workspace.create(tmp_path / "home")
    (report,) = load_files(home, [path])
    return report, home


@pytest.mark.parametrize(
    ("mark", "align", "told"),
    [("1", "superscript", "mark_removed"), ("1", "subscript", "mark_removed"), ("*", "superscript", "mark_dropped"),
     ("(2)", "superscript", "mark_removed"), ("注1", "superscript", "mark_dropped")],
)  # fmt: skip
def test_a_raised_mark_is_never_a_digit_of_the_number(tmp_path: pathlib.Path, mark: str, align: str, told: str) -> None:
    path = tmp_path / "a.xlsx"
    rows = [TOWN, town(2016, raised("26", mark, align)), town(2017, 13)]
    save(path, {"s": rows})
    report, home = load(tmp_path, path)
    assert home.query("SELECT works_count FROM town_year ORDER BY year")["works_count"].tolist() == [26, 13]
    assert f"works_count:{told} 1" in report.warnings


def test_ten_with_a_raised_digit_may_be_a_power_and_is_set_aside(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.xlsx"
    save(path, {"s": [TOWN, town(2016, raised("10", "4"))]})
    report, _ = load(tmp_path, path)
    assert report.reasons == {"header": 1, "works_count:int": 1}


def test_codes_names_and_headers_lose_their_marks_and_words_keep_their_letters(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.xlsx"
    head: list[Any] = [*HEAD]
    head[5] = raised("企业名称", "1")
    struck = CellRichText(TextBlock(InlineFont(strike=True), "乙"), "丙厂")
    rows = [head, batch(1), batch(2), batch(3)]
    rows[1][0], rows[1][5] = raised("S1", "2"), raised("甲厂", "1")
    rows[2][6], rows[3][5] = raised("PM", "2.5", "subscript"), struck
    save(path, {"s": rows})
    report, home = load(tmp_path, path)
    found = home.query("SELECT sample_no, firm_name, product_name FROM inspections ORDER BY sample_no")
    assert found["sample_no"].tolist() == ["S1", "S2", "S3"]
    assert found["firm_name"].tolist() == ["甲厂", "甲厂", "丙厂"]
    assert found["product_name"].tolist()[1] == "PM2.5"
    assert {"sample_no:mark_removed 1", "firm_name:mark_removed 1", "firm_name:struck_text 1"} <= set(report.warnings)


def test_rows_that_are_struck_through_are_told(tmp_path: pathlib.Path) -> None:
    def strike(book: Any) -> None:
        for cell in book["s"][3]:
            cell.font = Font(strike=True)

    path = tmp_path / "a.xlsx"
    save(path, {"s": [HEAD, batch(1), batch(2), batch(3)]}, strike)
    report, _ = load(tmp_path, path)
    assert (report.accepted, report.verdict) == (3, "WARN")
    assert "sheet:struck_rows 1" in report.warnings


STRAYS = [(1_048_576, 8, " ", 2, 0), (300_000, 8, "x", 2, 1), (2_000, 16_384, "x", 2, 1), (5_000, 1, "\u3000", 2, 0)]


@pytest.mark.parametrize(("row", "column", "stray", "accepted", "aside"), STRAYS)
def test_a_stray_cell_costs_nothing_and_every_row_keeps_its_number(
    tmp_path: pathlib.Path, row: int, column: int, stray: str, accepted: int, aside: int
) -> None:
    path = tmp_path / "a.xlsx"
    save(path, {"s": [HEAD, batch(1), batch(2)]}, lambda book: book["s"].cell(row, column, stray))
    (sheet,) = read_book(str(path), "xlsx")["sheets"]
    assert sum(map(len, sheet["rows"])) < 20_000
    report, home = load(tmp_path, path)
    assert (report.accepted, report.quarantined, report.rows_seen) == (accepted, aside, accepted + aside + 1)
    found = home.query("SELECT row_no FROM set_aside WHERE verdict = 'quarantined'")["row_no"].tolist()
    assert found == [row] * aside


def test_merged_cells_and_faults_keep_their_rows_where_blank_ones_are_skipped(tmp_path: pathlib.Path) -> None:
    def fill(book: Any) -> None:
        sheet = book["s"]
        for column, value in enumerate(batch(7), 1):
            sheet.cell(3000, column, value)
        sheet.cell(3001, 1, "S8")
        for column in range(2, 9):
            sheet.merge_cells(start_row=3000, end_row=3001, start_column=column, end_column=column)
        sheet.cell(3002, 1, "=1+1")

    path = tmp_path / "a.xlsx"
    save(path, {"s": [HEAD, batch(1)]}, fill)
    (grid,) = read_workbook(path, "xlsx", "a.xlsx")
    assert [grid.row_no(i) for i in range(len(grid))] == [1, 2, 3000, 3001, 3002]
    assert [(fault.row, fault.code) for fault in grid.faults] == [(4, "formula_without_value")]
    assert {(first, last) for first, _, last, _ in grid.merges} == {(2, 3)}


def test_very_many_lines_of_commas_are_counted_and_not_listed(tmp_path: pathlib.Path) -> None:
    lines = [",".join(HEAD), ",".join(batch(1)), *[",,,,,,,"] * 1500, ",".join(batch(2)), *["," * 9] * 10, "", ",,,x"]
    grid = read_csv("\n".join(lines).encode(), ",", "a.csv")
    assert [grid.row_no(i) for i in range(len(grid))] == [1, 2, 1503, 1515]
    assert grid.notes == ("sheet:blank_rows_skipped 1511",)
    assert grid.row(2) == tuple(batch(2))
    few = read_csv("\n".join(lines[:900]).encode(), ",", "a.csv")
    assert (len(few), few.notes) == (900, ())


def test_the_size_a_sheet_claims_is_not_believed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.xlsx"
    parts = save(path, {"s": [HEAD, batch(1)]})
    sheet = "xl/worksheets/sheet1.xml"
    pack(path, parts | {sheet: parts[sheet].replace(b'ref="A1:H2"', b'ref="A1:XFD1048576"')})
    (grid,) = read_workbook(path, "xlsx", "a.xlsx")
    assert (len(grid), grid.width) == (2, 8)
    assert io.BytesIO(path.read_bytes()).getbuffer().nbytes < 20_000
