"""Results beside each other: every number stands where its label and its column say."""

from __future__ import annotations

import pathlib

import openpyxl
import pytest

from qbase.core import CheckResult, DataError, Estimate, Indicator, Result, Text
from qbase.export import write_table
from qbase.figures import tabulate_side_by_side

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
CHECK = CheckResult(name="small_n", passed=False, text=Text("样本少。", "Few were tested."))


def make(value: float, *, term: str = "att", n: int = 40, **more: object) -> Result:
    found = (
        Estimate(term=term, value=value, std_error=1.0, ci_low=value - 2, ci_high=value + 2, n_obs=n, ci_level=0.9),
    )
    given = {"estimates": found, "method": "twfe", "subject": Text("集群", "clusters"), "checks": (CHECK,)} | more
    return Result(estimand="effect", outcome=RATE, unit="pp", **given)  # type: ignore[arg-type]


def test_each_result_has_its_column_with_interval_n_and_checks() -> None:
    table = tabulate_side_by_side(make(3.0), make(-4.0, n=1200, method="imputation"), lang="en")
    assert list(table) == ["Item", "(1) pass rate", "(2) pass rate"]
    rows = {row[0]: row[1:] for row in table.values.tolist() if row[0]}
    assert rows["Average effect"] == ["+3.0", "−4.0"]
    assert table.iloc[1].tolist() == ["", "(1.0–5.0)", "(−6.0 to −2.0)"]
    assert rows["n"] == ["40", "1,200"]
    assert rows["Confidence level"] == ["90%", "90%"]
    assert rows["Unit"] == ["pp", "pp"]
    assert rows["Checks (failed / all)"] == ["1 / 1", "1 / 1"]
    assert rows["Method"] == ["Two-way fixed effects", "Imputation"]


def test_what_a_result_lacks_is_empty_and_what_is_withheld_is_not() -> None:
    gone = make(
        1.0, estimates=(), unanswered=Text("不公开。", "Withheld."), settings={"withheld": "cn_default-1"}, checks=()
    )
    none = make(1.0, estimates=(), unanswered=Text("没有数据。", "No data."), checks=())
    table = tabulate_side_by_side(make(3.0), gone, none, lang="zh")
    assert table.iloc[0].tolist() == ["平均效果", "+3.0", "…", ""]
    assert table.iloc[1].tolist()[2:] == ["", ""]


def test_the_table_is_written_as_workbook_and_latex(tmp_path: pathlib.Path) -> None:
    table = tabulate_side_by_side(make(3.0), make(-4.0), lang="en")
    sheet = openpyxl.load_workbook(write_table(table, tmp_path / "a.xlsx"))["table"]
    assert [list(row) for row in sheet.values][1] == ["Average effect", "+3.0", "−4.0"]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    text = write_table(table, tmp_path / "a.tex").read_text(encoding="utf-8")
    assert r"Average effect & +3.0 & $-$4.0 \\" in text


def test_nothing_to_set_beside_each_other_is_told() -> None:
    with pytest.raises(DataError, match="QB707"):
        tabulate_side_by_side()
