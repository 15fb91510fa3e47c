"""Malformed files as offices send them: each gets the verdict and the reason it deserves, and no wrong number as OK.

The table below is the specification: name -> bytes, verdict, reason. What is accepted is compared cell by cell, so a
row that is taken with another value than the sender meant fails whatever the verdict says. ``{k}`` in a text is the
number of the case, so that no two files share a key.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import pathlib
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from qbase.intake import LoadReport, explain_reason, load_files
from qbase.lake import Workspace

HEAD = ["抽样编号", "抽查级别", "抽样日期", "抽样领域", "抽样类型", "企业名称", "产品名称", "检验结果"]
MACRO = ["季度", "化纤出厂价格指数", "原油价格指数", "精对苯二甲酸价格指数", "出口指数"]
SHEET = "xl/worksheets/sheet1.xml"
DAY = datetime.date(2022, 8, 10)
ASIDE, TAKEN = "QUARANTINED", frozenset({"OK", "WARN"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One malformed file; ``values`` are compared with every accepted row, by canonical column."""

    make: Callable[[int], bytes]
    verdict: str | frozenset[str]
    reason: str = ""
    accepted: int | None = None
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    file: str = "{name}.csv"


def row(k: int, i: int = 1, **changes: str) -> list[Any]:
    cells = [f"C{k}-{i}", "省级", "2022-08-10", "生产", "双随机", "甲厂", "涤纶长丝", "合格"]
    return list((dict(zip(HEAD, cells, strict=True)) | changes).values())


def text(rows: list[list[Any]], separator: str = ",", end: str = "\n") -> str:
    return "".join(separator.join(map(str, cells)) + end for cells in rows)


def lines(*rows: Callable[[int], list[Any]], **options: str) -> Callable[[int], bytes]:
    return lambda k: text([HEAD, *(make(k) for make in rows)], **options).encode()


def changed(**changes: str) -> Callable[[int], bytes]:
    """A good row, then one with these cells."""
    return lines(lambda k: row(k, 1), lambda k: row(k, 2, **{n: v.format(k=k) for n, v in changes.items()}))


def raw(content: str, encoding: str = "utf-8") -> Callable[[int], bytes]:
    return lambda k: content.replace("{k}", str(k)).replace("{head}", ",".join(HEAD)).encode(encoding)


def recoded(encoding: str) -> Callable[[int], bytes]:
    return lambda k: text([HEAD, row(k)]).encode(encoding)


def quarter(k: int) -> str:
    return f"{1990 + k // 4}Q{1 + k % 4}"


def number(cell: str) -> Callable[[int], bytes]:
    quoted = f'"{cell}"' if "," in cell else cell
    return lambda k: text([MACRO, [quarter(k), quoted, 100, 100, 100]]).encode()


def book(*rows: Callable[[int], list[Any]], touch: Callable[[Any, Any], None] | None = None) -> Callable[[int], bytes]:
    """A workbook with header and rows; ``touch`` may change book and sheet."""

    def make(k: int) -> bytes:
        made = openpyxl.Workbook()
        sheet = made.active
        for cells in (HEAD, *(each(k) for each in rows)):
            sheet.append(cells)
        if touch is not None:
            touch(made, sheet)
        out = io.BytesIO()
        made.save(out)
        return out.getvalue()

    return make


def rewritten(make: Callable[[int], bytes], change: Callable[[str], str], part: str = SHEET) -> Callable[[int], bytes]:
    """The same workbook with one part changed."""

    def remake(k: int) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(make(k))) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            for entry in old.infolist():
                data = old.read(entry)
                new.writestr(entry.filename, change(data.decode()).encode() if entry.filename == part else data)
        return out.getvalue()

    return remake


def cell(reference: str, value: Any, fmt: str = "") -> Callable[[Any, Any], None]:
    def touch(_: Any, sheet: Any) -> None:
        sheet[reference] = value
        if fmt:
            sheet[reference].number_format = fmt

    return touch


def hide(kind: str) -> Callable[[Any, Any], None]:
    def touch(made: Any, sheet: Any) -> None:
        if kind == "row":
            sheet.row_dimensions[2].hidden = True
        elif kind == "column":
            sheet.column_dimensions["F"].hidden = True
        else:
            made.create_sheet("封面")["A1"] = "目录"
            made.move_sheet("封面", -1)
            made.active = 0
            sheet.sheet_state = "hidden"

    return touch


def bomb(_: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(XLSX(0))) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
        new.writestr("xl/media/zeros.bin", bytes(60_000_000))
    return out.getvalue()


def damaged(k: int) -> bytes:
    data = bytearray(XLSX(k))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.getinfo(SHEET).header_offset + 60
    data[start : start + 100] = bytes(255 - byte for byte in data[start : start + 100])
    return bytes(data)


def far(text_of_sheet: str) -> str:
    return text_of_sheet.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')


def with_doctype(text_of_sheet: str) -> str:
    body = re.sub(r"^<\?xml[^>]*\?>", "", text_of_sheet)
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>{body}'


def calendar_1904(made: Any, sheet: Any) -> None:
    made.epoch = CALENDAR_MAC_1904
    sheet["C2"] = DAY


GOOD = {"sample_date": DAY, "level": "province", "firm_name": "甲厂", "result": "pass"}
XLSX = book(lambda k: row(k))


def xlsx(touch: Callable[[Any, Any], None], verdict: Any, reason: str, **more: Any) -> Case:
    return Case(make=book(lambda k: row(k), touch=touch), verdict=verdict, reason=reason, file="{name}.xlsx", **more)


def n(written: str, *, means: float | None, reason: str = "number") -> Case:
    """A number cell: taken with exactly this meaning, or set aside; None must be set aside."""
    verdicts = frozenset({ASIDE}) if means is None else TAKEN | {ASIDE}
    values = {} if means is None else {"ppi_28_index": means}
    return Case(make=number(written), verdict=verdicts, reason=reason, values=values)


CASES: dict[str, Case] = {
    # cells of a workbook
    "text_with_zeros": xlsx(cell("A2", "007"), TAKEN, "", values={"sample_no": "007"}),
    "number_formatted_with_zeros": xlsx(cell("A2", 8, "000"), "WARN", "zeros_by_format", values={"sample_no": "008"}),
    "id_of_18_digits_as_number": xlsx(cell("A2", 912345678901234567), ASIDE, "long_number", accepted=0),
    "formula_without_value": xlsx(cell("H2", "=A1"), ASIDE, "formula_without_value", accepted=0),
    "formula_with_command": xlsx(cell("F2", "=cmd|'/c calc'!A0"), ASIDE, "formula_without_value", accepted=0),
    "error_value": xlsx(cell("H2", "#REF!"), ASIDE, "", accepted=0),
    "error_division": Case(
        make=rewritten(XLSX, lambda t: re.sub(r'<c r="H2"[^>]*>.*?</c>', '<c r="H2" t="e"><v>#DIV/0!</v></c>', t)),
        verdict=ASIDE, reason="error_cell", accepted=0, file="{name}.xlsx",
    ),
    "serial_date": xlsx(cell("C2", 44783, "yyyy-mm-dd"), TAKEN, "", values={"sample_date": DAY}),
    "real_date_cell": xlsx(cell("C2", DAY), TAKEN, "", values={"sample_date": DAY}),
    "calendar_of_1904": xlsx(calendar_1904, TAKEN, "", values={"sample_date": DAY}),
    "serial_60_is_no_day": xlsx(cell("C2", 60, "yyyy-mm-dd"), ASIDE, "date", accepted=0),
    "hidden_row": xlsx(hide("row"), "WARN", "hidden_rows", values=GOOD),
    "hidden_column": xlsx(hide("column"), "WARN", "hidden_columns", values=GOOD),
    "hidden_sheet": xlsx(hide("sheet"), "WARN", "hidden_sheet", values=GOOD),
    "merged_cells": xlsx(lambda _, s: s.merge_cells("F2:F3"), "WARN", "merged_cells", values=GOOD),
    "second_sheet_of_remarks": xlsx(lambda b, _: b.create_sheet("说明").append(["随便写写"]), "WARN", "sheet_unused"),
    "wrong_dimension": Case(
        make=rewritten(
            book(lambda k: row(k, 1), lambda k: row(k, 2)),
            lambda t: re.sub(r"<dimension[^>]*/>", '<dimension ref="A1"/>', t),
        ),
        verdict=TAKEN, accepted=2, values=GOOD, file="{name}.xlsx",
    ),
    "script_in_a_name": Case(
        make=book(lambda k: row(k, 企业名称="<script>alert(1)</script>")), verdict=TAKEN,
        values={"firm_name": "<script>alert(1)</script>"}, file="{name}.xlsx",
    ),
    "text_that_looks_like_a_formula": Case(
        make=changed(企业名称="@SUM(A1)"), verdict=TAKEN, accepted=2,
    ),
    # containers
    "truncated_workbook": Case(make=lambda k: XLSX(k)[:-400], verdict="REJECTED", reason="QB316", file="{name}.xlsx"),
    "damaged_workbook": Case(
        make=damaged, verdict="REJECTED", reason="QB3", file="{name}.xlsx"
    ),
    "empty_file": Case(make=lambda _: b"", verdict="REJECTED", reason="QB323"),
    "csv_named_xlsx": Case(make=changed(), verdict="REJECTED", reason="QB311", file="{name}.xlsx"),
    "html_named_xls": Case(
        make=raw("<html><table><tr><td>{k}</td></tr></table></html>"), verdict="REJECTED", reason="QB320",
        file="{name}.xls",  # read as a page; its one cell is no known table
    ),
    "workbook_named_csv": Case(make=XLSX, verdict="REJECTED", reason="QB311"),
    "encrypted_workbook": Case(
        make=lambda k: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000) + str(k).encode(), verdict="REJECTED",
        reason="QB311", file="{name}.xlsx",
    ),
    "zip_bomb": Case(make=bomb, verdict="REJECTED", reason="QB317", file="{name}.xlsx"),
    "far_cell": Case(make=rewritten(XLSX, far), verdict="QUARANTINED", reason="too_many_fields", accepted=1,
                     file="{name}.xlsx"),
    "document_type": Case(make=rewritten(XLSX, with_doctype), verdict="REJECTED", reason="QB326", file="{name}.xlsx"),
    "not_a_workbook_inside": Case(
        make=rewritten(XLSX, lambda t: "not xml", "xl/workbook.xml"), verdict="REJECTED", reason="QB316",
        file="{name}.xlsx"
    ),
    "pickle_named_csv": Case(make=lambda _: b"\x80\x04\x95\x10.", verdict="REJECTED", reason="QB311"),
    "yaml_with_object": Case(
        make=raw("!!python/object/apply:os.system ['echo {k}']\n"), verdict="REJECTED", reason="QB3"
    ),
    "pdf": Case(make=raw("%PDF-1.7 {k}"), verdict="REJECTED", reason="QB311"),
    "unknown_ending": Case(make=changed(), verdict="REJECTED", reason="QB310", file="{name}.docx"),
    "gzip_without_recipe": Case(make=changed(), verdict="REJECTED", reason="QB310", file="{name}.csv.gz"),
    # encodings
    "gb18030": Case(make=recoded("gb18030"), verdict=TAKEN, values=GOOD),
    "utf8_with_mark": Case(make=recoded("utf-8-sig"), verdict=TAKEN, values=GOOD),
    "utf16_with_mark": Case(make=recoded("utf-16"), verdict=TAKEN, values=GOOD),
    "big5": Case(
        make=lambda k: text([["樣品編號", "企業名稱"], [f"C{k}", "甲廠"]]).encode("big5"), verdict="REJECTED",
        reason="QB3"
    ),
    "two_encodings": Case(
        make=lambda k: text([HEAD, row(k, 1)]).encode() + text([row(k, 2, 企业名称="浙江绍兴化纤")]).encode("gbk"),
        verdict="REJECTED", reason="QB31",
    ),
    "a_nul_character": Case(
        make=changed(企业名称="甲\x00厂"), verdict=frozenset({ASIDE, "REJECTED"}), reason="", values=GOOD
    ),
    "replacement_character": Case(
        make=changed(企业名称="甲\ufffd厂"), verdict=frozenset({ASIDE, "REJECTED"}), reason="", values=GOOD
    ),
    "private_character": Case(make=changed(企业名称="甲\ue000厂"), verdict="REJECTED", reason="QB314"),
    # lines and fields
    "too_many_fields": Case(
        make=lines(lambda k: row(k, 1), lambda k: [*row(k, 2), "多"]), verdict=ASIDE, reason="too_many_fields",
        accepted=1
    ),
    "too_few_fields": Case(
        make=lines(lambda k: row(k, 1), lambda k: row(k, 2)[:-2]), verdict=ASIDE, reason="too_few_fields", accepted=1
    ),
    "open_quote": Case(make=raw('{head}\nC{k}-1,"省级,2022-08-10\n'), verdict="REJECTED", reason="QB315"),
    "quote_inside": Case(make=changed(企业名称='"甲""一""厂"'), verdict=TAKEN, accepted=2),
    "semicolons": Case(make=lines(lambda k: row(k), separator=";"), verdict=TAKEN, values=GOOD),
    "tabs": Case(make=lines(lambda k: row(k), separator="\t"), verdict=TAKEN, values=GOOD),
    "lines_ended_by_cr": Case(
        make=lines(lambda k: row(k, 1), lambda k: row(k, 2), end="\r"), verdict=TAKEN | {"REJECTED"}, values=GOOD
    ),
    "header_only": Case(make=raw("{head}\n#{k}\n"), verdict=frozenset({"REJECTED", ASIDE}), accepted=0),
    "blank_lines": Case(
        make=raw("\n\n{head}\n\nC{k}-1,省级,2022-08-10,生产,双随机,甲厂,涤纶长丝,合格\n\n"), verdict=TAKEN,
        reason="blank_row", accepted=1, values=GOOD,
    ),
    "whitespace_only": Case(make=raw("  \n \n{k}".replace("{k}", "")), verdict="REJECTED", reason="QB323"),
    # headers
    "doubled_header": Case(
        make=lambda k: text([[*HEAD, "检验结果"], [*row(k), "不合格"]]).encode(), verdict="REJECTED", reason="QB322"
    ),
    "header_with_newline": Case(
        make=lambda k: text([['"抽样\n编号"', *HEAD[1:]], row(k)]).encode(), verdict=TAKEN, values=GOOD
    ),
    "header_full_width_and_spaced": Case(
        make=lambda k: text([["　抽样 编号", *HEAD[1:]], row(k)]).encode(), verdict=TAKEN, values=GOOD
    ),
    "missing_column": Case(
        make=lambda k: text([HEAD[:-1], row(k)[:-1]]).encode(), verdict="REJECTED", reason="QB321"
    ),
    "unknown_table": Case(make=raw("甲,乙\n{k},2\n"), verdict="REJECTED", reason="QB320"),
    "repeated_header": Case(
        make=lambda k: text([HEAD, row(k, 1), HEAD, row(k, 2)]).encode(), verdict=TAKEN, reason="repeated_header",
        accepted=2, values=GOOD,
    ),
    "unit_of_another_size": Case(
        make=lambda k: text([["季度", "化纤出厂价格指数（亿元）", *MACRO[2:]], [quarter(k), 1, 1, 1, 1]]).encode(),
        verdict="REJECTED", reason="QB328",
    ),
    # rows
    "total_row": Case(
        make=lines(lambda k: row(k, 1), lambda k: ["合计", "1", "", "", "", "", "", ""]), verdict=TAKEN,
        reason="total_row", accepted=1, values=GOOD,
    ),
    "firm_called_total": Case(make=changed(企业名称="合计"), verdict=TAKEN, accepted=2),
    "note_below": Case(
        make=lines(lambda k: row(k, 1), lambda k: ["注：不含复查", "", "", "", "", "", "", ""]), verdict=TAKEN,
        reason="note_row", accepted=1, values=GOOD,
    ),
    "same_row_twice": Case(
        make=lines(lambda k: row(k, 1), lambda k: row(k, 1)), verdict="WARN", reason="duplicate_row", accepted=1,
        values=GOOD
    ),
    "one_key_two_results": Case(
        make=lines(lambda k: row(k, 1), lambda k: row(k, 1, 检验结果="不合格")), verdict=ASIDE, reason="key_conflict",
        accepted=0,
    ),
    "recheck_without_parent": Case(
        make=lambda k: text([[*HEAD, "是否复查"], [*row(k), "是"]]).encode(), verdict="WARN",
        reason="parent_not_stated", accepted=1,
    ),
    # keys and codes
    "invisible_character_in_a_key": Case(
        make=changed(抽样编号="C{k}\u200b-9"), verdict=frozenset({"WARN", ASIDE}), accepted=None
    ),
    "full_width_key": Case(make=changed(抽样编号="Ｃ{k}－9"), verdict="WARN", reason="fullwidth", accepted=2),
    "key_in_scientific_notation": Case(
        make=changed(抽样编号="9.11E+17"), verdict=ASIDE, reason="scientific", accepted=1
    ),
    "key_with_decimals": Case(make=changed(抽样编号="1234.0"), verdict=ASIDE, reason="decimal_code", accepted=1),
    "wrong_check_digit": Case(
        make=lambda k: text([[*HEAD, "统一社会信用代码"], [*row(k), "91110000600037341M"]]).encode(), verdict=ASIDE,
        reason="uscc:check", accepted=0,
    ),
    "names_that_look_missing": Case(make=changed(企业名称="NA"), verdict=TAKEN | {ASIDE}),
    "name_not_given": Case(make=changed(企业名称=""), verdict=ASIDE, reason="firm_name:missing", accepted=1),
    "result_nobody_knows": Case(make=changed(检验结果="待定"), verdict=ASIDE, reason="result:enum", accepted=1),
    # dates
    "day_first": Case(make=changed(抽样日期="31/01/2024"), verdict=ASIDE, reason="sample_date:date", accepted=1),
    "thirtieth_of_february": Case(
        make=changed(抽样日期="2024-02-30"), verdict=ASIDE, reason="sample_date:date", accepted=1
    ),
    "chinese_date": Case(make=lines(lambda k: row(k, 抽样日期="2022年8月10日")), verdict=TAKEN, values=GOOD),
    "dotted_date": Case(make=lines(lambda k: row(k, 抽样日期="2022.8.10")), verdict=TAKEN, values=GOOD),
    "date_before_the_law": Case(
        make=changed(抽样日期="1900-01-01"), verdict=ASIDE, reason="sample_date:range", accepted=1
    ),
    # numbers
    "thousands": n("1,234.5", means=1234.5),
    "full_width_digits": n("１２３", means=123.0),
    "full_width_minus": n("－5", means=None, reason="range"),
    "brackets": n("(100)", means=None, reason=""),
    "percent_where_none_belongs": n("12%", means=None),
    "ten_thousands": n("1.2万", means=12000.0),
    "no_number": n("约120", means=None),
    "space_inside": n("1 234", means=1234.0),
    "beyond_all_numbers": n("1e400", means=None, reason="ppi_28_index"),
    "more_digits_than_fit": n("0.12345678901234567891", means=None, reason="too_many_digits"),
    "two_points": n("1.2.3", means=None),
    "infinite": n("inf", means=None),
    "not_a_number": n("nan", means=None),
}  # fmt: skip
NAMES = {"dots": "..a", "markup": "<img src=x onerror=alert(1)>", "right_to_left": "a\u202etxt", "long": "长" * 70}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, LoadReport]]:
    folder = tmp_path_factory.mktemp("corpus")
    home = Workspace.create(folder / "home")
    files = []
    for k, (name, case) in enumerate(CASES.items()):
        path = folder / case.file.format(name=name)
        path.write_bytes(case.make(k))
        files.append(path)
    reports = load_files(home, files)
    return home, dict(zip(CASES, reports, strict=True))


def codes(report: LoadReport) -> str:
    error = "" if report.error is None else report.error["code"]
    return " ".join([*report.reasons, *report.warnings, error])


def test_the_corpus_is_large() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_every_malformed_file_gets_its_verdict(loaded: tuple[Workspace, dict[str, LoadReport]], name: str) -> None:
    home, reports = loaded
    case, report = CASES[name], reports[name]
    allowed = {case.verdict} if isinstance(case.verdict, str) else case.verdict
    assert report.verdict in allowed, codes(report)
    assert report.rows_seen == report.listed + report.accepted + report.quarantined
    if report.verdict not in TAKEN or case.verdict == "WARN" or case.accepted is not None:
        assert case.reason in codes(report)
    if report.verdict == "REJECTED":
        assert report.error is not None
        assert report.accepted == 0
        return
    if case.accepted is not None:
        assert report.accepted == case.accepted
    taken = home.query(f"SELECT * FROM {report.table} WHERE delivery_sha256 = ?", params=[report.sha256])  # noqa: S608
    assert len(taken) == report.accepted
    for record in taken.to_dict("records"):
        for column, expected in case.values.items():
            found = record[column]
            assert (found.date() if isinstance(found, datetime.datetime) else found) == expected, column
    aside = home.query(
        "SELECT raw, reasons FROM set_aside WHERE delivery_sha256 = ? AND verdict = 'quarantined'",
        params=[report.sha256],
    )
    assert len(aside) == report.quarantined
    for record in aside.to_dict("records"):
        assert record["reasons"]
        assert isinstance(json.loads(record["raw"]), list)


def test_every_reason_has_words(loaded: tuple[Workspace, dict[str, LoadReport]]) -> None:
    for report in loaded[1].values():
        for code in (*report.reasons, *report.warnings):
            said = explain_reason(code, report.table)
            assert said.zh != code, code
            assert re.search(r"[\u4e00-\u9fff]", said.zh), code


@pytest.mark.parametrize("name", NAMES)
def test_odd_file_names_change_nothing(tmp_path: pathlib.Path, name: str) -> None:
    path = tmp_path / f"{NAMES[name].replace('/', '')}.csv"
    path.write_bytes(changed()(0))
    home = Workspace.create(tmp_path / "home")
    (report,) = load_files(home, [path])
    assert (report.verdict, report.accepted, report.file) == ("OK", 2, path.name)
    assert [p.is_relative_to(home.raw) for p in home.raw.rglob("*") if p.is_file()] == [True]
