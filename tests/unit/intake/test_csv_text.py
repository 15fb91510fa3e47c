from __future__ import annotations

from collections.abc import Sequence

import pytest

from qbase.core.errors import DataError
from qbase.intake.reading.csv_text import count_records, find_separator, read_csv, scan_widths

REGULAR = "a,b\n1,2\n3,4\n"
RAGGED = 'a,b\n1,2\n\n1,2,3\n"x\ny",4\n5\n'


def cells(text: str, separator: str = ",") -> list[tuple[str, ...]]:
    grid = read_csv(text.encode(), separator, "f.csv")
    return grid.rows(range(len(grid)))


def no_score(_: Sequence[str]) -> float:
    return 0


def test_regular_and_ragged_files_are_read_verbatim() -> None:
    assert cells(REGULAR) == [("a", "b"), ("1", "2"), ("3", "4")]
    assert cells(RAGGED) == [("a", "b"), ("1", "2"), (), ("1", "2", "3"), ("x\ny", "4"), ("5",)]


@pytest.mark.parametrize(
    "text", [" 007 ,NA\nnull,1e5\n", 'a,"b ""c"" d"\n=1+1,\t\n', "５,　\n\u200b,—\n", 'x,""\n,y\n']
)
def test_no_text_is_interpreted(text: str) -> None:
    import csv
    import io

    assert cells(text) == [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("has_last", [True, False])
def test_line_ends_of_all_systems(end: str, has_last: bool) -> None:
    text = end.join(["a,b", "1,2", "3,4"]) + (end if has_last else "")
    assert cells(text) == [("a", "b"), ("1", "2"), ("3", "4")]


@pytest.mark.parametrize(
    "text", [REGULAR, RAGGED, "a\n\n1\n", "a,b\r\n\r\n1,2\r\n", "\n\na,b\n", "", "a", 'a,"b\r\nc"\r\n1,2\r\n']
)
def test_scan_and_second_counter_agree_with_the_records(text: str) -> None:
    grid = read_csv(text.encode(), ",", "f.csv")
    assert scan_widths(text.encode(), ",").tolist() == grid.widths.tolist()
    assert count_records(text.encode(), ",", max(grid.width, 1)) == len(grid)


@pytest.mark.parametrize(
    ("text", "line"),
    [('a,b\n1,2\n"x,3\n4,5\n', 3), ('a,b\n1,"x"y\n', 2), ('a,b\n"x\ny"z,1\n', 2), ('a,b\n1,"', 2)],
)
def test_open_quotes_are_refused_and_name_the_line(text: str, line: int) -> None:
    with pytest.raises(DataError, match="QB315") as caught:
        read_csv(text.encode(), ",", "f.csv")
    assert f"from line {line} on" in caught.value.what_en


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_separator_is_found_on_the_first_line_that_is_not_blank(sign: str) -> None:
    assert find_separator(f"\n\na{sign}b{sign}c\n1,5{sign}2{sign}3\n".encode(), no_score) == sign


def test_headers_that_are_understood_decide_between_separators() -> None:
    def score(headers: Sequence[str]) -> float:
        return sum(header in ("名称", "结果") for header in headers)

    assert find_separator("名称;结果;a,b,c,d,e\n".encode(), score) == ";"


def test_a_different_count_of_the_second_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qbase.intake.reading.csv_text.count_records", lambda *_: 99)
    with pytest.raises(DataError, match="QB330"):
        read_csv(RAGGED.encode(), ",", "f.csv")
