"""Old workbooks (.xls): formats, days, marks, errors and merged cells mean what they mean in .xlsx."""

from __future__ import annotations

import pathlib
import struct
from typing import Any

import pytest

from qbase.intake import LoadReport, load_files
from qbase.intake.reading.child_worker import read_book
from qbase.lake import Workspace
from tests.unit.intake.old_workbook import biff, compound, old_workbook
from tests.unit.intake.test_workbook_packages import HEAD, TOWN, batch, town


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def load(home: Workspace, content: bytes, name: str = "a.xls") -> LoadReport:
    path = home.root / name
    path.write_bytes(content)
    (report,) = load_files(home, [path])
    return report


def read(tmp_path: pathlib.Path, content: bytes) -> dict[str, Any]:
    path = tmp_path / "a.xls"
    path.write_bytes(content)
    return read_book(str(path), "xls")


def yearbook(code: str, value: float, home: Workspace) -> LoadReport:
    row = [*town(2022, 20)]
    row[2] = value
    return load(home, old_workbook([TOWN, row], formats=[code], styled={(1, 2): 0}))


@pytest.mark.parametrize(
    ("code", "value", "right"),
    [('0.00"亿元"', 1.25, [12500.0]), ('General"亿元"', 1.25, [12500.0]), ("0.00", 1.25, [1.25]),
     ("#,##0.00,", 1250.0, []),
     ('[>=10000]0!.0,"万";0', 12500.0, []), ('0.0"万元"', 539.5, [539.5])],
)  # fmt: skip
def test_words_of_formats(home: Workspace, code: str, value: float, right: list[float]) -> None:
    report = yearbook(code, value, home)
    assert report.accepted == len(right)
    if right:
        assert home.query("SELECT output_wan_cny AS g FROM town_year")["g"].tolist() == right
    else:
        assert report.reasons["output_wan_cny:altered_by_format"] == 1


def test_per_cent_and_what_a_format_of_a_day_says_elsewhere(tmp_path: pathlib.Path) -> None:
    rows = [["a", "b", "c"], [0.985, 20.0, 0.5]]
    styled = {(1, 0): 0, (1, 1): 1, (1, 2): 2}
    content = old_workbook(rows, formats=["0.0%", '0"批"', "General"], styled=styled)
    (sheet,) = read(tmp_path, content)["sheets"]
    assert sheet["rows"] == [["a", "b", "c"], ["98.5%", "20批", "0.5"]]


def test_a_code_with_leading_zeros_is_one_key_in_both_formats(home: Workspace) -> None:
    row = batch(1)
    content = old_workbook([HEAD, [7.0, *row[1:]]], formats=["0000000"], styled={(1, 0): 0})
    assert load(home, content).accepted == 1
    again = home.root / "b.csv"
    again.write_text("\n".join([",".join(HEAD), ",".join(["0000007", *row[1:]])]) + "\n", "utf-8")
    load_files(home, [again])
    assert home.query("SELECT sample_no FROM inspections")["sample_no"].tolist() == ["0000007"]


@pytest.mark.parametrize(("is_1904", "serial"), [(False, 44783.0), (True, 43321.0)])
@pytest.mark.parametrize("code", ["yyyy-mm-dd", 'yyyy"年"m"月"d"日";@', '[DBNum1][$-804]yyyy"年"m"月"d"日";@'])
def test_days(home: Workspace, code: str, is_1904: bool, serial: float) -> None:
    row: list[Any] = batch(1)
    row[2] = serial
    content = old_workbook([HEAD, row], formats=[code], styled={(1, 2): 0}, is_1904=is_1904)
    assert load(home, content).verdict == "OK"
    days = home.query("SELECT CAST(CAST(sample_date AS DATE) AS VARCHAR) AS day FROM inspections")["day"].tolist()
    assert days == ["2022-08-10"]


def test_marks_errors_struck_rows_merged_cells_and_hidden_sheets(tmp_path: pathlib.Path) -> None:
    rows = [
        ["a", "b", "c", "d"],
        [("261", [(2, 5)]), True, b"\x07", "x"],
        ["S", False, ("甲厂乙厂", [(2, 6)]), None],
        ["T", 1e17, None, None],
    ]
    content = compound(
        biff({"一": rows, "二": [["z"]]}, styled={(2, 0): -1}, merges=[(1, 2, 3, 3)], hidden=["二"]),
    )
    first, second = read(tmp_path, content)["sheets"]
    assert first["rows"][1] == ["26¹", "TRUE", "#DIV/0!", "x"]
    assert first["rows"][2] == ["S", "FALSE", "甲厂", ""]
    assert first["merges"] == [(1, 3, 2, 3)]
    assert {code for _, _, code, is_fatal in first["faults"] if is_fatal} == {"error_cell", "long_number"}
    assert first["notes"] == {"merged_cells": 1, "struck_rows": 1}
    assert (second["name"], second["notes"]) == ("二", {"hidden_sheet": 1, "merged_cells": 1})
    assert (first["filled"], second["filled"]) == (first["counted"], second["counted"])


def test_damaged_chains_and_other_containers_are_told(tmp_path: pathlib.Path) -> None:
    whole = old_workbook([HEAD, batch(1)])
    looped = bytearray(whole)
    looped[512 + 4 * 4 : 512 + 4 * 5] = struct.pack("<I", 2)  # the fourth sector leads back to the first
    for content in (bytes(looped), whole[:1500], whole[:512] + bytes(512) + whole[1024:]):
        assert read(tmp_path, content)["refused"]["why"] == "broken"
    assert read(tmp_path, compound(bytes(4096), "WordDocument"))["refused"]["why"] == "broken"
