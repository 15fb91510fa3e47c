from __future__ import annotations

import datetime
import gzip
import io
import os
import pathlib
import re
import subprocess
import sys
import time
import zipfile
from typing import Any

import openpyxl
import pytest

from qbase.core.errors import DataError
from qbase.intake.loading.prefetch import prepare_ahead
from qbase.intake.reading import sheet_cells
from qbase.intake.reading import workbook_child as parsers
from qbase.intake.reading import workbook_child as workbook
from qbase.intake.reading.child_worker import read_book
from qbase.intake.reading.file_safety import check_archive, find_kind, unpack_gzip
from qbase.intake.reading.workbook_child import read_workbook
from qbase.intake.values.cell_text import find_style, serial_date, unescape

SHEET = "xl/worksheets/sheet1.xml"


def save(path: pathlib.Path, rows: list[list[Any]], formats: dict[str, str] | None = None) -> pathlib.Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for place, code in (formats or {}).items():
        book.active[place].number_format = code
    book.save(path)
    return path


def rewrite(path: pathlib.Path, part: str, old: bytes, new: bytes) -> pathlib.Path:
    out = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in archive.namelist():
            data = archive.read(name)
            assert name != part or re.search(old, data)
            copy.writestr(name, re.sub(old, new, data) if name == part else data)
    path.write_bytes(out.getvalue())
    return path


def read(path: pathlib.Path) -> Any:
    (grid,) = read_workbook(path, "xlsx", path.name)
    return grid


def test_cells_are_text_as_the_sheet_shows_them(tmp_path: pathlib.Path) -> None:
    rows = [
        ["a", "b", "c", "d"],
        ["007", 7, 0.975, datetime.date(2022, 8, 10)],
        ["NA", 0.1, True, datetime.datetime(2022, 8, 10, 3, 4, 5)],
        [None, -5, "=cmd|' /C calc'!A0", 20220810],
    ]
    grid = read(save(tmp_path / "a.xlsx", rows, {"B2": "000", "C2": "0.0%"}))
    assert grid.rows(range(4)) == [
        ("a", "b", "c", "d"),
        ("007", "007", "97.5%", "2022-08-10"),
        ("NA", "0.1", "TRUE", "2022-08-10T03:04:05"),
        ("", "-5", "", "20220810"),
    ]
    assert {(f.row, f.column, f.code, f.is_fatal) for f in grid.faults} == {
        (1, 1, "zeros_by_format", False),
        (3, 2, "formula_without_value", True),
    }


def test_errors_and_long_numbers_are_named(tmp_path: pathlib.Path) -> None:
    grid = read(save(tmp_path / "a.xlsx", [["a", "b"], ["#REF!", 911000006000373412], ["x", 123456789012345]]))
    assert [(f.row, f.column, f.code) for f in grid.faults] == [(1, 0, "error_cell"), (1, 1, "long_number")]
    assert grid.row(2) == ("x", "123456789012345")


def test_a_formula_with_its_value_is_the_value(tmp_path: pathlib.Path) -> None:
    path = save(tmp_path / "a.xlsx", [["a"], ["=1+1"]])
    rewrite(path, SHEET, rb"<f>1\+1</f><v( ?/>|></v>)", b"<f>1+1</f><v>2</v>")
    assert read(path).row(1) == ("2",)


def test_gaps_hidden_parts_and_merged_cells_are_noted(tmp_path: pathlib.Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"], sheet["A4"], sheet["B4"] = "a", "x", "y"
    sheet.row_dimensions[2].hidden = True
    sheet.column_dimensions["B"].hidden = True
    sheet.merge_cells("A5:B5")
    book.create_sheet("隐藏").append(["z"])
    book["隐藏"].sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    first, second = read_workbook(tmp_path / "a.xlsx", "xlsx", "a.xlsx")
    assert len(first) == 4
    assert first.row(1) == ("", "")
    assert set(first.notes) == {"sheet:hidden_rows 1", "sheet:hidden_columns 1", "sheet:merged_cells 1"}
    assert second.notes == ("sheet:hidden_sheet 1",)


def test_1904_dates(tmp_path: pathlib.Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.active.append(["d"])
    book.active.append([datetime.date(2022, 8, 10)])
    book.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx").row(1) == ("2022-08-10",)


@pytest.mark.parametrize(
    ("serial", "text"),
    [
        (44783.0, "2022-08-10"),
        (59.0, "1900-02-28"),
        (61.0, "1900-03-01"),
        (60.0, ""),
        (0.5, ""),
        (-1.0, ""),
        (3e6, ""),
        (float("nan"), ""),
    ],
)
def test_serial_dates(serial: float, text: str) -> None:
    assert serial_date(serial) == text


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", ""), ("0.00", ""), ("#,##0;[Red]-#,##0", ""), ('yyyy"年"m"月"d"日"', "date"),
        ("[$-804]yyyy/m/d", "date"),
        ("0.0%", "percent"), ("000000", "zeros"), ('0.00"days"', "words"), ("[h]:mm", "date"),
        ('"第"0"号"', "words"),
    ],
)  # fmt: skip
def test_number_formats(code: str, kind: str) -> None:
    assert find_style(200, code).kind == kind


def test_escaped_characters() -> None:
    assert unescape("a_x000D_b") == "a\rb"


def test_a_document_type_is_refused(tmp_path: pathlib.Path) -> None:
    path = save(tmp_path / "a.xlsx", [["a"], ["b"]])
    rewrite(path, SHEET, b"<worksheet", b'<!DOCTYPE x [<!ENTITY e "x">]><worksheet')
    with pytest.raises(DataError, match="QB326"):
        read(path)


def test_a_far_cell_makes_no_rows_and_columns_but_is_kept(tmp_path: pathlib.Path) -> None:
    path = save(tmp_path / "a.xlsx", [["a", "b"]])
    rewrite(path, SHEET, b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')
    grid = read(path)
    assert (len(grid), grid.width) == (2, 2)
    assert [grid.row_no(0), grid.row_no(1)] == [1, 1_048_576]
    assert (grid.row(0), grid.row(1)[-1], len(grid.row(1))) == (("a", "b"), "1", 16_384)
    assert grid.notes == ("sheet:blank_rows_skipped 1048574",)


def test_too_many_cells_are_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_cells, "MAX_CELLS", 3)
    answer = read_book(str(save(tmp_path / "a.xlsx", [["a", "b"], ["c", "d"]])), "xlsx")
    assert answer["refused"]["why"] == "large"


def test_broken_xml_is_refused(tmp_path: pathlib.Path) -> None:
    path = save(tmp_path / "a.xlsx", [["a"]])
    rewrite(path, SHEET, b"</sheetData>", b"")
    with pytest.raises(DataError, match="QB316"):
        read(path)


@pytest.mark.parametrize("place", [b'r="A0"', b'r="ZZZ1"', b'r="A9999999"'])
def test_cells_outside_any_sheet_are_refused_and_not_dropped(tmp_path: pathlib.Path, place: bytes) -> None:
    path = save(tmp_path / "a.xlsx", [["a"], ["b"]])
    rewrite(path, SHEET, b'r="A2"', place)
    with pytest.raises(DataError, match="QB316"):
        read(path)


def test_two_values_for_one_cell_are_refused(tmp_path: pathlib.Path) -> None:
    path = save(tmp_path / "a.xlsx", [["a"], ["b"]])
    rewrite(path, SHEET, b'r="A2"', b'r="A1"')
    with pytest.raises(DataError, match="QB316"):
        read(path)


def test_damaged_compressed_data_are_refused(tmp_path: pathlib.Path) -> None:
    path = save(tmp_path / "a.xlsx", [["a", "b"]] * 200)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(SHEET)
        start = info.header_offset + 30 + len(SHEET)
    data = bytearray(path.read_bytes())
    data[start : start + info.compress_size] = bytes(255 - byte for byte in data[start : start + info.compress_size])
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="QB316"):
        read(path)


ODD_CHILD = """
import os, sys, time
from qbase.intake.reading import child_worker as worker
def read(path, kind):
    if path.endswith("dies.xlsx"): os._exit(9)
    if path.endswith("hangs.xlsx"): time.sleep(60)
    return original(path, kind)
original, worker.read_book = worker.read_book, read
worker.main()
"""


def test_a_child_that_dies_or_hangs_rejects_only_its_file(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsers, "COMMAND", (sys.executable, "-c", ODD_CHILD))
    with parsers.Parsers(seconds=3) as children:
        for name, is_read in [("a", True), ("dies", False), ("hangs", False), ("b", True)]:
            path = save(tmp_path / f"{name}.xlsx", [["a"]])
            if is_read:
                assert workbook.read_workbook(path, "xlsx", path.name, parsers=children)[0].row(0) == ("a",)
                continue
            with pytest.raises(DataError, match="QB319") as caught:
                workbook.read_workbook(path, "xlsx", path.name, parsers=children)
            assert caught.value.found == ("exit 9" if name == "dies" else "> 3 s")


def test_a_slow_file_does_not_delay_the_others() -> None:
    order = [
        i for i, _ in prepare_ahead(range(5), lambda i: time.sleep(0.4 if i == 0 else 0.01), workers=2, patience=0.05)
    ]
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert order[-1] == 0
    assert [i for i, _ in prepare_ahead(range(5), str, workers=2)] == [0, 1, 2, 3, 4]
    with pytest.raises(ZeroDivisionError):
        list(prepare_ahead([1, 0], lambda i: 1 / i, workers=2))


def test_different_counts_of_the_two_engines_are_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = {"name": "s", "rows": [["a"], ["b"]], "faults": [], "notes": {}, "numbers": {}, "filled": 2, "counted": 1}
    monkeypatch.setattr(workbook, "_ask", lambda *_: {"sheets": [sheet]})
    with pytest.raises(DataError, match="QB330"):
        read_workbook(tmp_path / "a.xlsx", "xlsx", "a.xlsx")


@pytest.mark.parametrize(
    ("name", "head", "code"),
    [
        ("a.xlsx", b"a,b\n1,2\n", "QB311"), ("a.xlsx", b"<html><table>", "QB311"),
        ("a.xls", b"\x09\x04\x06\x00\x00", "QB311"), ("a.csv", b"PK\x03\x04", "QB311"),
        ("a.xls", b"PK\x03\x04", "QB311"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "QB311"), ("a.csv", b"\x80\x04\x95", "QB311"),
        ("a.csv", b"\xef\xbb\xbf <!DOCTYPE html>", "QB311"), ("a.csv.gz", b"\x1f\x8b", "QB310"),
        ("a.pkl", b"x", "QB310"), ("a", b"x", "QB310"), ("a.csv", b"", "QB323"),
    ],
)  # fmt: skip
def test_names_and_bytes_must_agree(name: str, head: bytes, code: str) -> None:
    with pytest.raises(DataError, match=code):
        find_kind(name, head)


def test_kinds() -> None:
    assert find_kind("统计.CSV", b"a") == "csv"
    assert find_kind("a.csv.gz", b"\x1f\x8b", compression="gzip") == "gzip"
    assert find_kind("a.xlsm", b"PK\x03\x04") == "xlsx"


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 20_000_000)
    with pytest.raises(DataError, match="QB317"):
        check_archive(path, "a.xlsx")
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(2001):
            archive.writestr(str(i), b"")
    with pytest.raises(DataError, match="QB317"):
        check_archive(path, "a.xlsx")
    with pytest.raises(DataError, match="QB317"):
        unpack_gzip(gzip.compress(b"0" * 20_000_000), "a.csv.gz")


def test_truncated_archives_are_refused(tmp_path: pathlib.Path) -> None:
    path = save(tmp_path / "a.xlsx", [["a"]])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="QB316"):
        check_archive(path, "a.xlsx")
    with pytest.raises(DataError, match="QB316"):
        unpack_gzip(gzip.compress(b"a,b\n" * 1000)[:-9], "a.csv.gz")


def test_open_documents_are_read_through_calamine_with_what_it_cannot_see_noted(tmp_path: pathlib.Path) -> None:
    rows = [["a", "b", "c"], ["007", 7, datetime.date(2022, 8, 10)], [True, 0.5, 911000006000373412], [None] * 3]
    (sheet,) = read_book(str(save(tmp_path / "a.xlsx", rows)), "ods")["sheets"]
    assert sheet["rows"][:2] == [["a", "b", "c"], ["007", "7", "2022-08-10"]]
    assert sheet["rows"][2][:2] == ["TRUE", "0.5"]
    assert len(sheet["rows"]) == 3
    assert sheet["faults"] == [(2, 2, "long_number", True)]
    assert sheet["notes"] == {"ods_limited": 1}
    assert sheet["numbers"] == {1: 2}


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are a matter of POSIX")
def test_the_child_process_is_bounded() -> None:
    words = "from qbase.intake.reading import child_worker; child_worker.set_limits(); bytearray(3 * 10**9)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True)
    assert done.returncode == 1
    assert "MemoryError" in done.stderr
