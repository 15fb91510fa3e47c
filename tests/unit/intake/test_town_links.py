"""A later official code replaces one made by rule: by rule where one town is meant, else as a question, reversibly."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from qbase.cli.main import run
from qbase.core.errors import UsageError
from qbase.intake import (
    LoadReport,
    Place,
    Places,
    decide_town_links,
    link_towns,
    list_town_links,
    load_files,
    read_places,
    read_towns,
    resolve_town,
    undo_town_links,
)
from qbase.intake.linking.place_names import name_towns
from qbase.intake.linking.town_codes import TownCodes
from qbase.lake import Workspace

Captured = pytest.CaptureFixture[str]
HEAD = "抽样编号,抽样日期,企业名称,产品名称,检验结果,乡镇"
TOWNS = "区划代码,乡镇名称,县名称\n330498101,新镇,甲县\n330498102,石桥镇,甲县\n"
(MADE,) = (place.code for place in name_towns(["新镇"], "甲县", Places([])))
DIARY = (
    "SELECT decision, decided_by, made_code, official_code, town_name, county_name FROM town_links ORDER BY decision_no"
)
BY_RULE = ["accept", "qbase", MADE, "330498101", "新镇", "甲县"]


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("LC_ALL", "LC_MESSAGES", "QBASE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    made = Workspace.create(tmp_path / "home")
    monkeypatch.chdir(made.root)
    return made


def send(home: Workspace, name: str, text: str, **how: Any) -> LoadReport:
    path = home.root / name
    path.write_text(text, "utf-8")
    (report,) = load_files(home, [path], **how)
    return report


def send_words(home: Workspace, name: str = "甲县.csv", town: str = "新镇") -> LoadReport:
    report = send(home, name, f"{HEAD}\n{name},2023-01-05,甲厂,丝,合格,{town}\n", accept=[f"towns:{town}"])
    assert report.error is None
    return report


def diary(home: Workspace) -> list[list[Any]]:
    return home.query(DIARY).values.tolist() if home.has_table("town_links") else []


def test_one_official_code_of_the_same_name_and_county_is_taken_by_rule_once(home: Workspace) -> None:
    send_words(home)
    assert read_towns(home).renumbered() == {}
    report = send(home, "towns.csv", TOWNS)
    assert (report.verdict, report.warnings) == ("OK", ())
    assert diary(home) == [BY_RULE]
    send(home, "towns.csv", TOWNS)
    send(home, "towns2.csv", TOWNS + "330498103,丹桥镇,甲县\n")
    assert link_towns(home) == []
    assert diary(home) == [BY_RULE], "nothing new is written"
    assert resolve_town(home, MADE) == resolve_town(home, MADE, "2001-01-01") == "330498101"
    assert home.query("SELECT town_code FROM inspections")["town_code"].tolist() == [MADE], "rows are never rewritten"
    send_words(home, "甲县二.csv")
    assert home.query("SELECT town_code FROM inspections ORDER BY 1")["town_code"].tolist() == ["330498101", MADE]


def test_divisions_bring_official_codes_as_well(home: Workspace) -> None:
    send_words(home)
    send(home, "区划.csv", "代码,名称\n330498,甲县\n330498101,新镇\n", recipe="divisions")
    assert diary(home) == [BY_RULE]
    assert read_places(home).find("新镇", "甲县") == resolve_town(home, MADE) == "330498101"


def test_a_replaced_code_follows_the_mergers_of_the_official_one(home: Workspace) -> None:
    send_words(home)
    rows = "330498101,新镇,甲县,2024-06-30,330498109\n330498109,新丹镇,甲县,,\n"
    send(home, "towns.csv", f"区划代码,乡镇名称,县名称,停用日期,变更后代码\n{rows}")
    assert (resolve_town(home, MADE, "2024-01-01"), resolve_town(home, MADE)) == ("330498101", "330498109")


@pytest.mark.parametrize(
    ("file", "towns", "asked"),
    [
        ("抽查.csv", "330498101,新镇,甲县\n", ["330498101"]),
        ("抽查.csv", "330498101,新镇,甲县\n330598101,新镇,乙县\n", ["330498101", "330598101"]),
        ("甲县.csv", "330498101,新镇,甲县\n330498102,新镇,甲县\n", ["330498101", "330498102"]),
        ("甲县.csv", "330498101,新镇,未注明\n", ["330498101"]),
        ("甲县.csv", "330598101,新镇,乙县\n", []),
        ("甲县.csv", "330498101,新乡,甲县\n", []),
    ],
)
def test_what_may_be_another_town_is_asked_and_never_settled_in_silence(
    home: Workspace, file: str, towns: str, asked: list[str]
) -> None:
    send_words(home, file)
    report = send(home, "towns.csv", f"区划代码,乡镇名称,县名称\n{towns}")
    assert [link.official_code for link in link_towns(home)] == asked
    told = [warning for warning in report.warnings if "town_link_open" in warning]
    assert told == [f"town_code:town_link_open {len(asked)}"] * bool(asked)
    assert [link.id for link in list_town_links(home)] == [f"town_links:{MADE}:{code}" for code in asked]
    assert diary(home) == []
    assert read_towns(home).renumbered() == {}


def test_a_name_without_its_ending_is_asked_about(home: Workspace) -> None:
    send_words(home, town="石桥")
    send(home, "towns.csv", TOWNS)
    (link,) = list_town_links(home)
    assert (link.made_name, link.town_name, link.decision) == ("石桥", "石桥镇", "open")


def test_the_rule_takes_back_what_a_second_candidate_makes_doubtful(home: Workspace) -> None:
    send_words(home)
    send(home, "towns.csv", TOWNS)
    second = send(home, "more.csv", "区划代码,乡镇名称,县名称\n330498109,新镇,甲县\n")
    assert "town_code:town_link_open 2" in second.warnings
    assert [row[:2] for row in diary(home)] == [["accept", "qbase"], ["undone", "qbase"]]
    assert read_towns(home).renumbered() == {}


def test_a_question_is_answered_by_its_id_at_a_load_and_by_command(home: Workspace, capsys: Captured) -> None:
    send_words(home, "抽查.csv")
    (home.root / "towns.csv").write_text(TOWNS, "utf-8")
    assert run(["load", "towns.csv", "--home", str(home.root), "--json"]) == 0
    (asked,) = json.loads(capsys.readouterr().out)["questions"]
    assert asked["id"] == f"town_links:{MADE}:330498101"
    assert "330498101" in asked["text_en"]
    assert run(["load", "towns.csv", "--accept", asked["id"], "--home", str(home.root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "questions" not in told
    assert told["deliveries"][0]["warnings"] == []
    assert diary(home) == [["accept", "user", *BY_RULE[2:]]]
    saved = [path.read_text("utf-8") for path in (home.root / "data").rglob("*.toml")]
    assert not any("town_links" in text for text in saved), "an answer about towns is kept in the diary alone"


def test_places_lists_accepts_refuses_and_takes_back(home: Workspace, capsys: Captured) -> None:
    send_words(home, "抽查.csv")
    send(home, "towns.csv", TOWNS)
    wanted = f"town_links:{MADE}:330498101"

    def places(*words: str) -> dict[str, Any]:
        assert run(["places", *words, "--home", str(home.root), "--json"]) == 0
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    assert [q["id"] for q in places()["questions"]] == [wanted]
    linked = places("--accept", wanted, "--by", "Li")
    assert [(link["decision"], link["decided_by"]) for link in linked["links"]] == [("accept", "Li")]
    assert {p["code"]: p["official"] for p in linked["places"]}[MADE] == "330498101"
    assert linked["questions"] == []
    for code in (MADE, "330498101"):
        assert places("--accept", f"town_links:{MADE}=330498101")["questions"] == []
        assert read_towns(home).renumbered() == {MADE: "330498101"}
        undone = places("--undo", code)
        assert ([link["decision"] for link in undone["links"]], undone["questions"]) == (["undone"], [])
        assert read_towns(home).renumbered() == {}
    assert len(diary(home)) == 4
    assert run(["places", "--home", str(home.root)]) == 0
    assert "two towns" in capsys.readouterr().out


def test_what_a_person_took_back_no_rule_makes_again(home: Workspace) -> None:
    send_words(home)
    send(home, "towns.csv", TOWNS)
    assert undo_town_links(home, MADE, decided_by="Li").samples == 1
    send(home, "more.csv", "区划代码,乡镇名称,县名称\n330498103,丹桥镇,甲县\n")
    assert [row[:2] for row in diary(home)] == [["accept", "qbase"], ["undone", "Li"]]
    assert link_towns(home) == []
    with pytest.raises(UsageError, match="QB397"):
        undo_town_links(home, MADE)


def test_a_made_code_stands_for_one_official_code(home: Workspace) -> None:
    send_words(home, "抽查.csv")
    send(home, "towns.csv", "区划代码,乡镇名称,县名称\n330498101,新镇,甲县\n330598101,新镇,乙县\n")
    one, other = (link.id for link in list_town_links(home))
    with pytest.raises(UsageError, match="QB396"):
        decide_town_links(home, [one, other], "accept")
    assert diary(home) == [], "nothing of a call that fails is written"
    decide_town_links(home, [one], "accept")
    with pytest.raises(UsageError, match="QB396"):
        decide_town_links(home, [other], "accept")
    assert decide_town_links(home, [one], "accept").samples == 0
    assert decide_town_links(home, [other], "reject").samples == 1
    assert read_towns(home).replaced == {MADE: "330498101"}
    with pytest.raises(UsageError, match="QB395"):
        decide_town_links(home, ["town_links:1:2"], "accept")


def test_who_said_that_it_is_another_town_keeps_its_code(home: Workspace) -> None:
    send_words(home, "抽查.csv")
    send(home, "towns.csv", TOWNS)
    assert read_places(home).find("新镇") == "330498101", "as if the official code had been known first"
    decide_town_links(home, [f"town_links:{MADE}:330498101"], "reject")
    assert read_places(home).find("新镇") == "", "two towns may be meant"
    send_words(home, "抽查二.csv")
    assert home.query("SELECT DISTINCT town_code FROM inspections")["town_code"].tolist() == [MADE]
    assert home.query("SELECT count(*) AS n FROM towns WHERE town_code = ?", params=(MADE,))["n"][0] == 1


def test_official_codes_come_first_when_a_name_is_looked_up() -> None:
    made = Place(code="970000000001", name="新镇", county="甲县")
    official = Place(code="330498101", name="新镇", county="甲县")
    other = Place(code="330598101", name="新镇", county="乙县")
    vague = Place(code="970000000001", name="新镇")
    linked = Place(code="970000000001", name="新镇", official="330498101")
    assert Places([official, made]).find("新镇") == Places([made, official]).find("新镇") == "330498101"
    assert Places([made, other]).find("新镇") == "", "two counties"
    assert Places([made, other]).find("新镇", "甲县") == made.code
    assert Places([official, vague]).find("新镇") == Places([official, linked]).find("新镇") == "330498101"
    assert Places([official, other, linked]).find("新镇") == ""
    assert Places([linked]).find("新镇") == "330498101"


def test_codes_that_replaced_others_need_no_row_of_their_own() -> None:
    towns = TownCodes(spans={"2": ("", "9999-12-31", "")}, replaced={"1": "2"})
    assert (towns.resolve("1"), towns.resolve("1", "1999-01-01"), towns.renumbered()) == ("2", "2", {"1": "2"})


def test_a_workspace_that_can_only_be_read_is_read(home: Workspace, capsys: Captured) -> None:
    send_words(home)
    send_words(home, "抽查.csv", "石桥镇")
    send(home, "towns.csv", TOWNS)
    for path in (home.lake / ".diary", home.lake / ".lock"):
        path.unlink(missing_ok=True)
        path.mkdir()  # whoever wants to lock fails, whatever the user may do
    files = {path: path.stat().st_mtime_ns for path in home.lake.rglob("*")}
    assert run(["places", "--home", str(home.root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert ([link["made_code"] for link in told["links"]], len(told["questions"])) == ([MADE], 1)
    assert read_towns(home).renumbered() == {MADE: "330498101"}
    assert {path: path.stat().st_mtime_ns for path in home.lake.rglob("*")} == files


FIRMS = "企业编号,企业名称,统一社会信用代码,行业代码,乡镇\n"


def test_a_cluster_offered_under_a_made_code_is_known_under_the_official_one(home: Workspace) -> None:
    def register(first: int) -> str:
        return FIRMS + "".join(f"F{i},厂{i},,2822,新镇\n" for i in range(first, first + 5))

    answers = ["towns:新镇", "clusters:新镇 28"]
    assert send(home, "甲县名录.csv", register(1), accept=answers).error is None
    send(home, "towns.csv", TOWNS)
    assert send(home, "甲县名录二.csv", register(6), accept=answers).error is None
    assert home.query("SELECT cluster_id FROM clusters")["cluster_id"].tolist() == [f"C{MADE}.28"]
    assert home.query("SELECT DISTINCT cluster_id FROM firms")["cluster_id"].tolist() == [f"C{MADE}.28"]
