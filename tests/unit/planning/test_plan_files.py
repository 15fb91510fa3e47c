"""The list is for the office alone and inert; the signed plan tells any change."""

from __future__ import annotations

import datetime
import io
import json
import pathlib

import openpyxl
import pandas as pd
import pytest

from qbase.core.errors import DataError, PanelError, UsageError
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.planning import (
    build_commitment,
    build_strata,
    draw_firms,
    plan_draws,
    verify_plan,
    write_plan,
    write_sampling_list,
)

DAY = datetime.date(2025, 11, 3)
SECRET = "5d" * 32


@pytest.fixture(scope="module")
def plan() -> Result:
    rows = [("K1", "A", 30, 60, 54), ("K1", "B", 30, 60, 50)]
    strata = build_strata(pd.DataFrame(rows, columns=["entity", "stratum", "n_firms", "n_tested", "n_passed"]))
    return plan_draws(strata, budget=60)


@pytest.fixture(scope="module")
def drawn(plan: Result) -> pd.DataFrame:
    firms = [f"=F{i}" for i in range(60)]
    frame = pd.DataFrame({"firm_id": firms, "entity": "K1", "stratum": ["A"] * 30 + ["B"] * 30})
    return draw_firms(frame, plan.tables["allocation"], seed=SECRET, year=2026)


def test_every_drawn_firm_is_a_row_and_no_cell_is_a_formula(drawn: pd.DataFrame, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "list.xlsx"
    data = write_sampling_list(drawn, path, names={"K1": Text("甲镇", "Jia")})
    assert path.read_bytes() == data == write_sampling_list(drawn, names={"K1": Text("甲镇", "Jia")})
    book = openpyxl.load_workbook(io.BytesIO(data))
    about, listed = (list(book[name].values) for name in book.sheetnames)
    assert any("不得外传" in str(row[0]) for row in about)
    head, *rows = listed
    firms = [row[list(head).index("企业 Firm")] for row in rows]
    assert sorted(firms) == sorted(drawn["firm_id"])
    assert {row[list(head).index("集群名称 Name of cluster")] for row in rows} == {"甲镇"}
    assert {cell.data_type for row in book[book.sheetnames[1]].iter_rows() for cell in row} <= {"s", "n"}


def test_a_list_for_others_or_of_something_else_is_refused(drawn: pd.DataFrame, tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="QB630"):
        write_sampling_list(drawn, tmp_path / "list.xlsx", profile="external")
    with pytest.raises(PanelError, match="QB627"):
        write_sampling_list(drawn.drop(columns="probability"), tmp_path / "list.xlsx")
    assert not list(tmp_path.iterdir())


def test_the_signed_plan_is_read_back_and_any_change_tells(plan: Result, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "plan.json"
    how = {"commitment": build_commitment(SECRET, DAY), "signed_on": DAY}
    digest = write_plan(plan, path, **how)
    held = verify_plan(path)
    assert (held["sha256"], held["seed"], held["commitment"]["day"]) == (digest, None, "2025-11-03")
    allocation = pd.DataFrame(held["allocation"]["data"], columns=held["allocation"]["columns"])
    assert allocation["drawn"].tolist() == plan.tables["allocation"]["drawn"].tolist()
    assert write_plan(plan, path, **how) == digest
    assert write_plan(plan, path, **how, seed="ab" * 32) != digest
    changed = json.loads(path.read_text(encoding="utf-8"))
    changed["allocation"]["data"][0][3] += 1
    path.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(DataError, match="QB632"):
        verify_plan(path)


@pytest.mark.parametrize("text", ["", "[1]", '{"form": "other"}'])
def test_another_document_is_no_plan(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="QB632"):
        verify_plan(path)


def test_only_a_plan_of_draws_is_signed(plan: Result, tmp_path: pathlib.Path) -> None:
    bare = Result(
        estimand=plan.estimand, outcome=plan.outcome, unit=plan.unit, method=plan.method, estimates=plan.estimates,
        subject=plan.subject,
    )  # fmt: skip
    with pytest.raises(UsageError, match="QB631"):
        write_plan(bare, tmp_path / "p.json", commitment=build_commitment(SECRET, DAY), signed_on=DAY)
