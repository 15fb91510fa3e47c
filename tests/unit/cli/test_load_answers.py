"""Questions of the intake on the command line: the error names the flag, the flag answers it."""

from __future__ import annotations

import json
import pathlib
import re

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


BAD = "区划代码,乡镇名称,县名称\n" + "".join(f"99{i:02},镇{i},云县\n" for i in range(60))
GOOD = "区划代码,乡镇名称,县名称\n990101001,织里镇,云县\n"


def test_a_delivery_without_an_accepted_row_ends_in_3_and_says_what_next(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (home.root / "bad.csv").write_text(BAD, encoding="utf-8")
    for _ in range(2):  # loaded before, and still not a row of it is there
        assert run(["load", "bad.csv", "--quiet"]) == 3
        told = capsys.readouterr()
        assert told.out.startswith("QUARANTINED")
        lines = told.err.splitlines()
        assert lines[0] == "error[QB227] no row of bad.csv was accepted"
        assert lines[1].split(maxsplit=1) == ["found", "61 rows seen, 60 set aside: town_code:pattern 60"]
        assert re.fullmatch(r"  to fix +qbase quarantine list [0-9a-f]{8}", lines[3])
    assert run(["load", "bad.csv", "--json"]) == 3
    (delivery,) = json.loads(capsys.readouterr().out)["deliveries"]
    assert (delivery["verdict"], delivery["accepted"], delivery["error"]["code"]) == ("QUARANTINED", 0, "QB227")
    assert run(["quarantine", "list", delivery["sha256"][:8]]) == 0
    assert "bad.csv" in capsys.readouterr().out
    assert run(["quarantine", "retry", delivery["sha256"]]) == 3


def test_one_file_without_an_accepted_row_decides_the_exit_of_all(home: Workspace) -> None:
    (home.root / "bad.csv").write_text(BAD, encoding="utf-8")
    (home.root / "good.csv").write_text(GOOD, encoding="utf-8")
    assert run(["load", "good.csv", "bad.csv", "--quiet"]) == 3
    assert home.query("SELECT town_name FROM towns")["town_name"].tolist() == ["织里镇"]


@pytest.mark.parametrize("text", ["区划代码,乡镇名称,县名称\n", "区划代码,乡镇名称,县名称\n\n合计,,\n"])
def test_a_file_with_a_header_alone_brings_nothing(home: Workspace, text: str) -> None:
    (home.root / "bare.csv").write_text(text, encoding="utf-8")
    assert run(["load", "bare.csv", "--quiet"]) == 3


def test_what_is_in_the_lake_already_is_no_failure(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (home.root / "good.csv").write_text(GOOD, encoding="utf-8")
    (home.root / "same.csv").write_text(GOOD + "\n", encoding="utf-8")
    assert run(["load", "good.csv", "--quiet"]) == 0
    assert run(["load", "good.csv", "--quiet"]) == 0
    capsys.readouterr()
    assert run(["load", "same.csv", "--json"]) == 0
    (delivery,) = json.loads(capsys.readouterr().out)["deliveries"]
    assert (delivery["accepted"], delivery["reasons"]["duplicate_row"], delivery["error"]) == (0, 1, None)
