"""``qbase policy new``: a file to fill in, dates as people write them, all slips at once, spells for any panel."""

from __future__ import annotations

import datetime
import json
import pathlib
from typing import Any

import pytest

from qbase.cli.main import run
from qbase.core.errors import PolicyError
from qbase.indicators import build_policy
from qbase.indicators.policies.policy_words import as_day, as_quarter
from qbase.intake import load_files
from qbase.lake import Workspace

TOWNS = "区划代码,乡镇名称,县名称\n990023101,棹湾镇,澜溪县\n990023102,望埭镇,澜溪县\n"
CLUSTERS = (
    "集群编号,区划代码,行业代码,集群名称\n"
    "LX01,990023101,2822,棹湾镇化纤产业集群\n"
    "LX02,990023102,2822,望埭镇化纤产业集群\n"
)
FIRMS = (
    "企业编号,企业名称,集群编号,区划代码,行业代码\nF1,甲化纤厂,LX01,990023101,2822\nF2,乙化纤厂,LX01,990023101,2822\n"
)
FILLED = {
    'name = ""         #': 'name = "质量提升行动"  #',
    'effective = ""': 'effective = "2023年二季度"',
    'source = ""': 'source = "澜政发〔2023〕4号"',
    'confidence = ""': 'confidence = "文件"',
    'town = ""': 'town = "棹湾镇"',
    'start = ""': 'start = "2023-04-01"',
}


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = Workspace.create(tmp_path / "home")
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    for name, text in (("towns.csv", TOWNS), ("clusters.csv", CLUSTERS), ("firms.csv", FIRMS)):
        (workspace.root / name).write_text(text, encoding="utf-8")
        (report,) = load_files(workspace, workspace.root / name)
        assert report.accepted == text.count("\n") - 1, report
    return workspace


def fill(path: pathlib.Path, given: dict[str, str] = FILLED) -> None:
    text = path.read_text(encoding="utf-8")
    for blank, said in given.items():
        assert text.count(blank) >= 1
        text = text.replace(blank, said, 1)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("written", "quarter", "day"),
    [
        ("2023Q2", "2023Q2", "2023-04-01"),
        ("2023年二季度", "2023Q2", "2023-04-01"),
        ("2023 年第2季度", "2023Q2", "2023-04-01"),
        ("２０２３年二季度", "2023Q2", "2023-04-01"),
        ("2023-05-09", "2023Q2", "2023-05-09"),
        ("2023年5月9日", "2023Q2", "2023-05-09"),
        ("二〇二三年五月九日", "2023Q2", "2023-05-09"),
        ("2023年5月", "2023Q2", "2023-05-01"),
        ("2023-5", "2023Q2", "2023-05-01"),
        (datetime.date(2023, 12, 31), "2023Q4", "2023-12-31"),
        (datetime.datetime(2023, 12, 31, 23, 59), "2023Q4", "2023-12-31"),
        ("2023Q5", "", ""),
        ("2023", "", ""),
        (2023, "", ""),
        ("2023-13-01", "", ""),
        ("明年", "", ""),
        (True, "", ""),
    ],
)
def test_days_and_quarters_as_people_write_them(written: Any, quarter: str, day: str) -> None:
    assert (as_quarter(written), as_day(written)) == (quarter, day)


def test_the_template_names_what_there_is_and_loads_once_filled_in(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "new", "zhaowan-2023"]) == 0
    path = home.root / "data/policies/zhaowan-2023.toml"
    assert "990023101 棹湾镇" in path.read_text(encoding="utf-8")
    assert "data/policies/zhaowan-2023.toml" in capsys.readouterr().out
    assert run(["policy", "new", "zhaowan-2023"]) == 2
    assert capsys.readouterr().err.startswith("error[QB452]")
    fill(path)
    assert run(["policy", "add", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["policy"]
    assert told["dates"]["effective"]["on"] == "2023-04-01"
    assert told["warnings"][0]["en"] == "[dates] effective says 2023年二季度, which is taken as 2023-04-01"
    assert told["spells"] == [{"cluster": "990023101", "name": "棹湾镇", "start": "2023Q2", "end": None}]
    carried = {e: build_policy(home, "zhaowan-2023", entity=e).spells for e in ("town_code", "cluster_id", "firm_id")}
    assert {e: [s.entity for s in spells] for e, spells in carried.items()} == {
        "town_code": ["990023101"],
        "cluster_id": ["LX01"],
        "firm_id": ["F1", "F2"],
    }


def test_an_empty_template_says_all_that_is_missing_at_once(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["policy", "new", "p1"])
    capsys.readouterr()
    assert run(["policy", "check", "data/policies/p1.toml"]) == 3
    told = capsys.readouterr().err
    for place in ("[policy] name", "[dates] effective", "[dates] source", "[dates] confidence", "[[spell]] town"):
        assert place in told
    assert len(told.splitlines()) == 4


def test_six_slips_are_one_error(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run(["policy", "new", "p2"])
    path = home.root / "data/policies/p2.toml"
    slips = {
        'effective = ""': 'effective = "next year"',
        'town = ""': 'town = "卓湾镇"',
        'start = ""': 'start = "soon"',
        'outcome = ""': 'outcome = "D1.bacth"',
        'issuer = ""': 'isuer = "县"',
        'source = ""': 'source = ""',
    }
    fill(path, slips)
    capsys.readouterr()
    assert run(["policy", "check", str(path)]) in (2, 3)
    told = capsys.readouterr().err
    assert "(and 5 more)" in told
    assert all(word in told for word in ("isuer", "[dates] source", "next year", "卓湾镇", "soon", "D1.bacth"))
    assert len(told.splitlines()) == 4


def test_a_spell_that_cannot_be_carried_says_what_to_write(home: Workspace) -> None:
    (home.root / "more.csv").write_text(
        CLUSTERS.splitlines()[0] + "\nLX03,990023102,1751,望埭镇纺织产业集群\n", "utf-8"
    )
    load_files(home, home.root / "more.csv")
    for policy_id, who in (("by_firm", 'firm = "甲化纤厂"'), ("by_cluster", 'cluster = "LX02"')):
        assert run(["policy", "new", policy_id, "--quiet"]) == 0
        path = home.root / f"data/policies/{policy_id}.toml"
        fill(path, {k: v for k, v in FILLED.items() if "town" not in k} | {f'{who.split()[0]} = ""': who})
        assert run(["policy", "add", str(path), "--quiet"]) == 0
    with pytest.raises(PolicyError, match="QB451") as firm:
        build_policy(home, "by_firm", entity="cluster_id")
    assert '[[spell]] cluster = "…"' in firm.value.fix
    with pytest.raises(PolicyError, match="QB451") as part:
        build_policy(home, "by_cluster", entity="town_code")
    assert "LX03 is not treated" in part.value.found
    with pytest.raises(PolicyError, match="QB451"):
        build_policy(home, "by_cluster", entity="firm_id")  # no firm of it is known
    assert [s.entity for s in build_policy(home, "by_cluster", entity="cluster_id").spells] == ["LX02"]
