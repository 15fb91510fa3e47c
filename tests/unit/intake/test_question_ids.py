"""Questions have ids: the same in every run, in text and in JSON, and what cannot be is no answer."""

from __future__ import annotations

import json
import pathlib

import pytest

from qbase.cli.main import run
from qbase.core.errors import UsageError
from qbase.intake import LoadReport, load_files, read_recipe, retry_quarantine
from qbase.intake.recipes.question_ids import question_id
from qbase.lake import Workspace

TOWNS = "区划编码,乡镇名称,县名称\n990101001,织里镇,云县\n"
ID = "column:town_code:396aa2"


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def send(home: Workspace, text: str, name: str = "a.csv", **answers: list[str]) -> LoadReport:
    path = home.root / name
    path.write_text(text, encoding="utf-8")
    return load_files(home, path, **answers)[0]


def code_of(report: LoadReport) -> str:
    return "" if report.error is None else report.error["code"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("column:区划编码=town_code", ID),
        ("share:fee_cut_pct", "share:fee_cut_pct"),
        ("contract:inspections=3", "contract:inspections:3"),
        ("numerator_only", "numerator_only"),
        ("column:a=b=firm_name", "column:firm_name:42144f"),
    ],
)
def test_an_id_is_made_of_the_question_alone(key: str, expected: str) -> None:
    assert question_id(key) == expected


def test_the_id_of_a_question_answers_it_in_every_workspace(home: Workspace, tmp_path: pathlib.Path) -> None:
    asked = send(home, TOWNS)
    assert asked.error is not None
    (question,) = asked.payload()["error"]["questions"]
    assert (question["id"], question["answer"]) == (ID, "column:区划编码=town_code")
    assert f"{ID}: column:区划编码=town_code" in asked.error["found"]
    for place in (home, Workspace.create(tmp_path / "never_asked")):
        assert send(place, TOWNS, accept=[ID]).verdict == "OK"
        assert read_recipe(None, place.root).accept == {"column:区划编码=town_code"}  # kept as words
    assert send(home, TOWNS.replace("001,", "002,"), "b.csv", accept=[ID]).verdict == "OK"  # said again, no harm


def test_rejecting_by_id(home: Workspace) -> None:
    assert code_of(send(home, TOWNS, reject=[ID])) == "QB321"


def test_an_id_no_question_has_is_refused_with_those_asked(home: Workspace) -> None:
    refused = send(home, TOWNS, accept=["column:town_code:000000"])
    assert refused.error is not None
    assert (refused.error["code"], refused.error["expected"]) == ("QB390", ID)
    assert refused.error["fix"] == f"qbase load FILE --accept {ID}"
    assert not home.has_table("towns")
    whole = TOWNS.replace("区划编码", "区划代码")
    assert code_of(send(home, whole, accept=["column:town_code:000000"])) == "QB390"
    with pytest.raises(UsageError, match="QB391") as wrong:
        send(home, TOWNS, accept=["column:区划编码=towncode"])
    assert wrong.value.fix == '--accept "column:区划编码=town_code"'


@pytest.mark.parametrize("words", ["织里镇", "东林街道办事处"])
def test_names_are_no_codes(home: Workspace, words: str) -> None:
    rows = f"区划编码,乡镇名称,县名称\n{words},{words},云县\n"
    assert code_of(send(home, rows)) == "QB321"  # not even asked
    refused = send(home, rows, accept=["column:区划编码=town_code"])
    assert refused.error is not None
    assert (refused.error["code"], refused.error["found"]) == ("QB392", words)
    assert refused.error["fix"] == 'qbase load FILE --reject "column:区划编码=town_code"'
    assert read_recipe(None, home.root).accept == frozenset()


def test_words_are_no_days(home: Workspace) -> None:
    rows = "区划代码,乡镇名称,县名称,启用日子\n990101001,织里镇,云县,很早以前\n"
    refused = send(home, rows, accept=["column:启用日子=valid_from_date"])
    assert refused.error is not None
    assert (refused.error["code"], refused.error["expected"]) == ("QB392", "2022-08-10")
    taken = send(home, rows.replace("很早以前", "2010年1月1日"), accept=["column:启用日子=valid_from_date"])
    assert taken.verdict == "OK"


def test_reading_again_takes_ids(home: Workspace) -> None:
    first = send(home, TOWNS, accept=[ID])
    (home.root / "data/recipes/tidy.toml").unlink()
    asked = retry_quarantine(home, first.sha256)
    assert asked.error is not None
    assert asked.error["questions"][0]["id"] == ID
    assert retry_quarantine(home, first.sha256, accept=[ID]).verdict == "OK"
    assert read_recipe(None, home.root).accept == {"column:区划编码=town_code"}


def test_the_command_says_ids_and_how_to_read_again(
    home: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.root)
    (home.root / "towns.csv").write_text(TOWNS, encoding="utf-8")
    assert run(["load", "towns.csv", "--json"]) == 3
    (delivery,) = json.loads(capsys.readouterr().out)["deliveries"]
    (question,) = delivery["error"]["questions"]
    assert run(["load", "towns.csv", "--accept", question["id"], "--quiet"]) == 0
    capsys.readouterr()
    assert run(["load", "towns.csv", "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert f"qbase quarantine retry {delivery['sha256'][:8]}" in told
