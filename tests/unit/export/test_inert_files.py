from __future__ import annotations

import csv
import datetime
import io
import random
import zipfile
from typing import Any

import openpyxl
import pandas as pd
import pytest

from qbase.core.errors import DataError
from qbase.export import write_csv, write_xlsx
from qbase.export.inert_csv import write_columns

DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\0x", "＝1+1", '=cmd|" /C calc"!A0']


def read_back(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_text_that_looks_like_a_formula_is_prefixed_and_numbers_are_not() -> None:
    frame = pd.DataFrame({"=name": DANGEROUS, "change_pp": [-1.5] * len(DANGEROUS)})
    rows = read_back(write_csv(frame))
    assert rows[0] == ["'=name", "change_pp"]
    assert [row[0] for row in rows[1:]] == ["'" + text for text in DANGEROUS]
    assert {row[1] for row in rows[1:]} == {"-1.5"}


def test_mixed_column_keeps_numbers_and_missing() -> None:
    rows = read_back(write_csv(pd.DataFrame({"a": ["-x", -2, None, "合格"]})))
    assert [row[0] if row else "" for row in rows[1:]] == ["'-x", "-2", "", "合格"]


def test_categories_dates_and_duplicate_names_survive() -> None:
    frame = pd.DataFrame({"a": pd.Categorical(["=x", "y"]), "b": pd.to_datetime(["2022-08-10", None])})
    frame.columns = pd.Index(["a", "a"])
    assert read_back(write_csv(frame)) == [["a", "a"], ["'=x", "2022-08-10"], ["y", ""]]


def test_columns_of_plain_values_give_the_bytes_of_their_frame() -> None:
    """Numbers with gaps, truth values, formulas, quotes and mixtures, in every combination that comes up."""
    draws = random.Random(0)
    numbers = (None, 1, -3, 2.5, float("nan"), float("inf"), 1e-7, 1e16, True, False, 0, -0.0, 2**60, 2**70)
    values = (*numbers, "a", "=x", "-1", "", 'a,"b', "一\n二", "nan")
    for _ in range(400):
        some, rows = draws.sample(values, k=draws.randint(1, 5)), draws.randint(0, 4)
        columns = [draws.choices(some, k=rows) for _ in range(draws.randint(1, 4))]
        labels = draws.choices(("甲", "乙", "=c", "甲 / a"), k=len(columns))
        frame = pd.DataFrame(dict(enumerate(columns))).set_axis(labels, axis=1)
        assert write_columns(labels, columns) == write_csv(frame), columns


def test_bom_is_optional_and_the_file_holds_what_is_returned(tmp_path: Any) -> None:
    frame = pd.DataFrame({"企业": ["甲"]})
    data = write_csv(frame, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == data
    assert data.startswith(b"\xef\xbb\xbf")
    assert not write_csv(frame, bom=False).startswith(b"\xef\xbb\xbf")


def test_workbook_holds_no_formula_and_no_error() -> None:
    texts = [*DANGEROUS, "#REF!", "007", "2022-08-10"]
    book = openpyxl.load_workbook(io.BytesIO(write_xlsx({"数据": pd.DataFrame({"=h": texts})})))
    cells = [row[0] for row in book["数据"].iter_rows()]
    assert {cell.data_type for cell in cells} == {"s"}
    assert cells[1].value == "=1+1"
    assert cells[1].quotePrefix
    assert cells[-2].value == "007"


def test_workbook_keeps_numbers_dates_and_long_ids() -> None:
    frame = pd.DataFrame(
        {
            "n": [-1.5, float("nan"), float("inf")],
            "id": [123456789012345678, 7, 8],
            "day": [datetime.date(2022, 8, 10), None, None],
            "t": pd.to_datetime(["2022-08-10T01:02:03", None, None]),
            "is_x": [True, False, True],
        }
    )
    book = openpyxl.load_workbook(io.BytesIO(write_xlsx({"a": frame})))
    rows = list(book["a"].iter_rows(min_row=2, values_only=True))
    assert rows[0][0] == -1.5
    assert rows[0][1] == "123456789012345678"
    assert rows[0][2] == datetime.datetime(2022, 8, 10)
    assert rows[0][4] is True
    assert rows[1][0] is None
    assert rows[2][0] == "inf"


def test_same_frames_give_the_same_bytes_with_fixed_times(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"a": ["甲", "乙"]})
    first = write_xlsx({"a": frame})

    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.datetime(2031, 1, 1, tzinfo=tz)

    monkeypatch.setattr("openpyxl.writer.excel.datetime.datetime", Later)
    assert write_xlsx({"a": frame}) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert b"1980-01-01T00:00:00Z" in archive.read("docProps/core.xml")


@pytest.mark.parametrize("name", ["", "a/b", "x" * 32, "'a"])
def test_bad_sheet_names_are_refused(name: str, tmp_path: Any) -> None:
    with pytest.raises(DataError, match="QB191"):
        write_xlsx({name: pd.DataFrame({"a": [1]})}, tmp_path / "a.xlsx")
    assert not list(tmp_path.iterdir())


def test_text_is_refused_rather_than_cut() -> None:
    with pytest.raises(DataError, match="QB190"):
        write_xlsx({"a": pd.DataFrame({"a": ["x" * 40_000]})})


def test_characters_a_workbook_cannot_hold_are_replaced() -> None:
    book = openpyxl.load_workbook(io.BytesIO(write_xlsx({"a": pd.DataFrame({"a": ["x\0y"]})})))
    assert book["a"]["A2"].value == "x\ufffdy"
