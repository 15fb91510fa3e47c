"""``qbase table``: what columns take can be read without the source, and an empty workbook comes back filled in."""

from __future__ import annotations

import json
import pathlib

import openpyxl
import pytest

from qbase.cli.main import run
from qbase.explore import add_letter
from qbase.intake import load_files
from qbase.lake import Workspace
from qbase.tables import list_contracts, read_contract

Captured = pytest.CaptureFixture[str]
SOUND = {"code": "990023101", "text": "望埭镇", "date": "2022-08-10", "quarter": "2022Q3", "int": 1, "number": 1.5}


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = Workspace.create(tmp_path / "home")
    add_letter(workspace, "trends")
    monkeypatch.chdir(workspace.root)
    return workspace


def test_all_tables_are_listed_and_each_is_described(home: Workspace, capsys: Captured) -> None:
    assert run(["table", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["tables"]
    assert [row["table"] for row in listed] == list_contracts()
    assert not any(row["loaded"] for row in listed)
    for name in list_contracts():
        assert run(["table", name, "--quiet", "--lang", "zh"]) == 0
        told = capsys.readouterr().out
        assert all(header in told for rule in read_contract(name).columns for header in rule.headers)


def test_a_table_by_its_chinese_name_with_words_units_and_reports(home: Workspace, capsys: Captured) -> None:
    assert run(["table", "监督抽查", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    result = next(column for column in told["columns"] if column["name"] == "result")
    assert (result["required"], result["values"]["pass"][:3]) == (True, ["合格", "符合", "passed"])
    assert told["needed_by"] == ["trends"]
    assert "D1.batch" in told["indicators"]
    assert run(["table", "firm_year", "--lang", "en"]) == 0
    told_text = capsys.readouterr().out
    assert "trends" in told_text.partition("use it where it is loaded")[2]
    assert "产值" in told_text


def test_without_a_workspace_and_with_a_slip(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["table", "towns", "--quiet"]) == 0
    assert run(["table", "tawns"]) == 2
    assert "QB150" in capsys.readouterr().err
    assert run(["table", "--xlsx", "x.xlsx"]) == 2
    assert "QB930" in capsys.readouterr().err
    assert run(["table", "towns", "--xlsx", "x.csv"]) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["towns", "clusters", "firms", "inspections", "period_counts"])
def test_the_empty_workbook_filled_in_loads(home: Workspace, name: str, capsys: Captured) -> None:
    path = home.root / f"{name}.xlsx"
    assert run(["table", name, "--xlsx", str(path), "--quiet"]) == 0
    assert run(["table", name, "--xlsx", str(path)]) == 2  # never overwritten
    assert "QB930" in capsys.readouterr().err
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    contract = read_contract(name)
    lists = {
        str(v.sqref).split(":")[0]: v.formula1.strip('"').split(",") for v in sheet.data_validations.dataValidation
    }
    for number, rule in enumerate(contract.columns, 1):
        cell = sheet.cell(row=2, column=number)
        words = lists.get(cell.coordinate, [])
        assert len(words) == len(rule.values)
        if rule.required and words:
            cell.value = words[0]
        elif rule.required:
            cell.value = "2822" if rule.name == "industry_code" else SOUND[rule.type]
    book.save(path)
    (report,) = load_files(home, path)
    assert (report.table, report.accepted, report.quarantined) == (name, 1, 0), (report.reasons, report.error)
