"""Questions of the intake on the command line: the error names the flag, the flag answers it."""

from __future__ import annotations

import json
import pathlib

import pytest

from qbase.cli.data.demo_and_load import next_step
from qbase.cli.main import run
from qbase.lake import Workspace

TOWNS = "区划编码,乡镇名称,县名称\n990101001,织里镇,云县\n"


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = Workspace.create(tmp_path / "home")
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("QBASE_HOME", str(workspace.root))
    (workspace.root / "towns.csv").write_text(TOWNS, encoding="utf-8")
    return workspace


def test_a_question_ends_in_four_lines_with_the_flag_that_answers_it(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["load", "towns.csv", "--lang", "zh", "--quiet"]) == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 4
    assert lines[0].startswith("错误[QB360]")
    assert "“区划编码”就是“区划代码”" in lines[1]
    assert lines[3].endswith('qbase load FILE --accept "column:区划编码=town_code"')
    assert run(["load", "towns.csv", "--accept", "column:区划编码=town_code", "--json"]) == 0
    (delivery,) = json.loads(capsys.readouterr().out)["deliveries"]
    assert (delivery["verdict"], delivery["accepted"]) == ("OK", 1)
    assert (home.root / "data/recipes/tidy.toml").is_file()


def test_a_rejected_question_is_not_asked_again(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["load", "towns.csv", "--reject", "column:区划编码=town_code", "--json"]) == 3
    (delivery,) = json.loads(capsys.readouterr().out)["deliveries"]
    assert delivery["error"]["code"] == "QB321"
    assert (delivery["rows_seen"], delivery["accepted"]) == (0, 0)


def test_an_answer_to_nothing_is_a_fault_of_the_call(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["load", "towns.csv", "--accept", "yes"]) == 2
    assert "QB361" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("aside", "warnings", "step"),
    [
        (2, ["firm_doubtful 1"], "qbase quarantine list"),
        (0, ["firm_doubtful 1"], "qbase links list"),
        (0, ["inspections/firm_doubtful 1"], "qbase links list"),
        (0, ["repeated_rows 1"], "qbase list"),
    ],
)
def test_after_loading_the_next_step_is_what_waits_for_a_person(aside: int, warnings: list[str], step: str) -> None:
    assert next_step([{"quarantined": 0, "warnings": []}, {"quarantined": aside, "warnings": warnings}]) == step
