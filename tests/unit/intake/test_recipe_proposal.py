"""``qbase load FILE --propose``: what was understood and why, blanks for the rest, and the filled recipe loads."""

from __future__ import annotations

import json
import pathlib
import tomllib

import openpyxl
import pytest

from qbase.cli.main import run
from qbase.core.errors import DataError, UsageError
from qbase.demo import write_deliveries
from qbase.intake import build_proposal, load_files, write_proposal
from qbase.lake import Workspace

TOWNS = "区划编号,乡镇,县名称,联系电话\n990023101,望埭镇,桐屿县,13812345678\n990023102,枫浦镇,桐屿县,13912345678\n"


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = Workspace.create(tmp_path / "home")
    monkeypatch.chdir(workspace.root)
    return workspace


def put(text: str, name: str = "乡镇.csv") -> pathlib.Path:
    path = pathlib.Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(home: Workspace, table: str) -> list[tuple[object, ...]]:
    found = home.query(f"SELECT * EXCLUDE (delivery_sha256) FROM {table}")  # noqa: S608
    return sorted((tuple(map(str, row)) for row in found.itertuples(index=False)), key=str)


def test_every_header_is_listed_and_the_filled_recipe_loads(
    home: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    put(TOWNS)
    assert run(["load", "乡镇.csv", "--propose", "--output", "R.toml", "--lang", "en"]) == 0
    told = capsys.readouterr()
    assert "3 blanks. Next    qbase load 乡镇.csv --recipe R.toml" in told.err
    assert not home.has_table("towns")
    text = pathlib.Path("R.toml").read_text("utf-8")
    raw = tomllib.loads(text)
    assert raw["columns"] == {"乡镇": "town_name", "县名称": "county_name", "区划编号": "", "联系电话": ""}
    assert raw["constants"] == {"town_code": ""}
    line = {name: next(row for row in text.splitlines() if row.startswith(f'"{name}"')) for name in raw["columns"]}
    assert "another name of “Town”" in line["乡镇"]
    assert "望埭镇, 枫浦镇" in line["乡镇"]
    assert "perhaps town_code" in line["区划编号"]
    assert "1381234" not in text
    assert "may be about persons" in line["联系电话"]
    assert run(["load", "乡镇.csv", "--recipe", "R.toml", "--quiet"]) == 3  # still blank: the code is missing
    capsys.readouterr()
    pathlib.Path("R.toml").write_text(text.replace('"区划编号" = ""', '"区划编号" = "town_code"'), "utf-8")
    assert run(["load", "乡镇.csv", "--recipe", "R.toml", "--json"]) == 0
    (delivery,) = json.loads(capsys.readouterr().out)["deliveries"]
    assert (delivery["accepted"], delivery["quarantined"]) == (2, 0)
    assert set(home.query("SELECT town_code FROM towns")["town_code"]) == {"990023101", "990023102"}


def test_words_no_table_knows_are_blanks_and_count(home: Workspace) -> None:
    head = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果\n"
    rows = [f"S{i},县级,2024-03-0{i},生产领域,{'局里安排' if i > 2 else '随机'},甲厂,布,合格\n" for i in range(1, 6)]
    path = put(head + "".join(rows), "抽查.csv")
    proposal = build_proposal(path)
    assert tomllib.loads(proposal.text)["values"] == {"sample_type": {"局里安排": ""}}
    assert '"局里安排" = ""  # 3 行 | rows' in proposal.text
    pathlib.Path("R.toml").write_text(proposal.text.replace('"局里安排" = ""', '"局里安排" = "special"'), "utf-8")
    (report,) = load_files(home, path, recipe="R.toml")
    assert (report.accepted, report.quarantined) == (5, 0)


@pytest.mark.parametrize("wanted", ["乡镇", "产业集群", "企业.", "2021"])
def test_a_file_that_is_understood_loads_the_same_with_its_proposal(tmp_path: pathlib.Path, wanted: str) -> None:
    files = write_deliveries(tmp_path / "demo", size="small")
    path = next(file for file in files if wanted in file.name and file.suffix in (".csv", ".xlsx"))
    plain, proposed = Workspace.create(tmp_path / "plain"), Workspace.create(tmp_path / "proposed")
    (before,) = load_files(plain, path)
    proposal = build_proposal(path)
    assert (proposal.missing, proposal.table) == ((), before.table)
    recipe = tmp_path / "R.toml"
    write_proposal(proposal, recipe)
    (after,) = load_files(proposed, path, recipe=str(recipe))
    counts = ("rows_seen", "listed", "accepted", "quarantined")
    assert [getattr(before, n) for n in counts] == [getattr(after, n) for n in counts]
    assert rows_of(plain, before.table) == rows_of(proposed, before.table)


def test_titles_units_and_odd_headers_survive_the_round_trip(tmp_path: pathlib.Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["2024年企业名录"])
    sheet.append(["企业编号", "企业\n名称", "区划代码", "行业代码", '备注"说明"\\'])
    sheet.append(["F1", "甲厂", "990023101", "2822", "x"])
    sheet.append(["合计", None, None, None, None])
    book.save(tmp_path / "名录.xlsx")
    plain, proposed = Workspace.create(tmp_path / "a"), Workspace.create(tmp_path / "b")
    load_files(plain, tmp_path / "名录.xlsx")
    proposal = build_proposal(tmp_path / "名录.xlsx")
    assert proposal.blank == ('备注"说明"\\',)
    write_proposal(proposal, tmp_path / "R.toml")
    (report,) = load_files(proposed, tmp_path / "名录.xlsx", recipe=str(tmp_path / "R.toml"))
    assert report.accepted == 1
    assert rows_of(plain, "firms") == rows_of(proposed, "firms")


def test_what_cannot_be_drafted_says_so(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    junk = put("a,b\n1,2\n", "junk.csv")
    with pytest.raises(DataError, match="QB394"):
        build_proposal(junk)
    named = build_proposal(junk, recipe="towns")
    assert named.missing == ("town_code", "town_name", "county_name")
    write_proposal(named, pathlib.Path("R.toml"))
    with pytest.raises(UsageError, match="QB393"):
        write_proposal(named, pathlib.Path("R.toml"))
    for words in (["load", "junk.csv", "junk.csv", "--propose"], ["load", "junk.csv", "--output", "x.toml"]):
        assert run(words) == 2
        assert "QB931" in capsys.readouterr().err
