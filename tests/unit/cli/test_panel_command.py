"""``qbase panel`` and ``qbase policy``: files whose text is inert, a policy checked word by word."""

from __future__ import annotations

import hashlib
import json
import pathlib

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

from qbase.cli.main import run
from qbase.demo import build_province
from qbase.demo.sending.stable_files import to_arrow
from qbase.indicators import build_panel, build_policy
from qbase.lake import Delivery, Workspace

TABLES = ("inspections", "firms", "clusters", "frame", "policies", "spells", "instruments")
EVIL = "=cmd|'/c calc'!A1"


def commit(workspace: Workspace, tables: dict[str, pa.Table], name: str = "demo") -> None:
    rows = sum(t.num_rows for t in tables.values())
    sha = hashlib.sha256(name.encode()).hexdigest()
    delivery = Delivery(sha256=sha, file_name=name, table="inspections", verdict="OK", rows_seen=rows, accepted=rows)
    workspace.commit(delivery, tables)


def fill(home: pathlib.Path, *, without: str = "") -> Workspace:
    province = build_province("small", seed=7)
    tables = {name: to_arrow(province.tables[name]) for name in TABLES if name != without}
    rows = tables["inspections"]
    tables["inspections"] = rows.append_column("firm_code", pa.nulls(len(rows), pa.string()))
    names = tables["clusters"]["cluster_name"].to_pylist()
    column = tables["clusters"].schema.get_field_index("cluster_name")
    tables["clusters"] = tables["clusters"].set_column(column, "cluster_name", pa.array([EVIL, *names[1:]]))
    workspace = Workspace.create(home)
    commit(workspace, tables)
    (home / "reports" / "specs").mkdir(parents=True, exist_ok=True)
    return workspace


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> pathlib.Path:
    """A lake that tests only read."""
    folder = tmp_path_factory.mktemp("home")
    fill(folder)
    return folder


@pytest.fixture(autouse=True)
def english(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.chdir(tmp_path)


def call(capsys, *words: object) -> dict:
    assert run([*map(str, words), "--json", "--quiet"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return json.loads(told.out)


def test_every_form_holds_the_same_panel(home, tmp_path, capsys):
    tables = {}
    for suffix in ("csv", "parquet", "xlsx"):
        out = tmp_path / f"p.{suffix}"
        summary = call(capsys, "panel", "D1.batch", "D1.firm", "--freq", "A", "--out", out, "--home", home)["panel"]
        assert (summary["rows"], summary["entities"], summary["bytes"]) == (120, 12, out.stat().st_size)
        assert [i["id"] for i in summary["indicators"]] == ["D1.batch", "D1.firm"]
        tables[suffix] = {
            "csv": lambda f: pd.read_csv(f, dtype={"period": str}),
            "parquet": pd.read_parquet,
            "xlsx": lambda f: pd.read_excel(f, engine="openpyxl", dtype={"period": str}),
        }[suffix](out)
    expected = build_panel(Workspace(home), ["D1.batch", "D1.firm"], freq="A").data
    for table in tables.values():
        assert list(table["period"][:2]) == ["2016", "2017"]
        values = table[expected.columns].to_numpy(dtype=float)
        assert values == pytest.approx(expected.to_numpy(dtype=float), nan_ok=True)


def test_text_of_a_panel_is_inert(home, tmp_path, capsys):
    for suffix in ("csv", "xlsx"):
        call(capsys, "panel", "D1.batch", "--out", tmp_path / f"p.{suffix}", "--home", home)
    assert "," + "'" + EVIL in (tmp_path / "p.csv").read_text(encoding="utf-8-sig")
    sheet = openpyxl.load_workbook(tmp_path / "p.xlsx")["panel"]
    cell = next(c for c in sheet["B"] if c.value == EVIL)
    assert cell.data_type == "s"
    assert cell.quotePrefix


def test_window_entity_and_sampling_are_passed_on(home, tmp_path, capsys):
    words = ["--entity", "firm_id", "--first", "2024Q1", "--last", "2024Q4", "--home", home]
    summary = call(capsys, "panel", "D1.batch", *words, "--out", tmp_path / "f.csv")["panel"]
    assert (summary["entity"], summary["first"], summary["last"]) == ("firm_id", "2024Q1", "2024Q4")
    words = ["--sampling", "post_stratified", "--freq", "A", "--home", home]
    summary = call(capsys, "panel", "D1.batch", *words, "--out", tmp_path / "w.csv")["panel"]
    assert summary["sampling"] == "post_stratified"


@pytest.mark.parametrize(
    ("words", "exit_code", "code", "said"),
    [
        (["D1.bach", "--out", "p.csv"], 2, "QB401", "D1.batch"),
        (["D1.batch", "--out", "p.doc"], 2, "QB920", "--out p.csv"),
        (["D1.batch", "--out", "p.csv", "--first", "2024-1"], 2, "QB101", "2022Q3"),
        (["D1.batch", "--out", "p.csv", "--first", "2031Q1"], 3, "QB404", "widen"),
        (["D1.rejudged", "--out", "p.csv"], 3, "QB403", "items"),
        (["D1.batch", "--out", "p.csv", "--weight", "output"], 2, "QB436", "D1.output"),
        (["D1.batch", "--out", "p.csv", "--base-year", "2022"], 2, "QB426", "D1.rejudged"),
        (["D1.batch", "--out", "p.csv", "--snapshot", "S0099"], 2, "QB209", "S0001"),
        (["D1.batch"], 2, "QB902", "--out"),
    ],
)
def test_wrong_words_end_in_four_lines_and_no_file(home, tmp_path, capsys, words, exit_code, code, said):
    assert run(["panel", *words, "--home", str(home)]) == exit_code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error[{code}]")
    assert said in told.err
    assert len(told.err.splitlines()) == 4
    assert not list(tmp_path.glob("p.*"))


def test_a_missing_frame_ends_in_four_lines(tmp_path, capsys):
    fill(tmp_path / "bare", without="frame")
    words = ["panel", "D1.batch", "--sampling", "post_stratified", "--out", "p.csv", "--home", str(tmp_path / "bare")]
    assert run(words) == 3
    told = capsys.readouterr()
    assert told.err.startswith("error[QB403]")
    assert "frame" in told.err
    assert len(told.err.splitlines()) == 4


GOOD = """
[policy]
id = "mine"
name = "关于创建优质产品生产基地的实施意见"
issuer = "某镇人民政府"

[dates]
announced = 2022-08-10
effective = 2022-09-01
source = "镇政府文件"
confidence = "document"

[plan]
outcome = "D1.batch"
population = "全部批次"
locked = 2022-08-20

[[spell]]
cluster = "K002"
start = "2022Q4"

[[spell]]
cluster = "K003"
start = "2022Q4"
end = "2024Q1"

[[spell]]
cluster = "K003"
start = "2024Q3"

[[target]]
horizon = "near"
indicator = "D1.batch"
population = "化纤企业"
words = "较高水平"

[[dose]]
cluster = "K002"
quarter = "2026Q1"
w2 = 0.5
s1 = true
"""


def write(tmp_path, text: str = GOOD) -> pathlib.Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sound_policy_is_checked_and_nothing_loaded(home, tmp_path, capsys):
    found = call(capsys, "policy", "check", write(tmp_path), "--home", home)["policy"]
    assert found["rows"] == {"policies": 1, "spells": 3, "targets": 1, "instruments": 1}
    assert found["dates"]["effective"] == {"on": "2022-09-01", "source": "镇政府文件", "confidence": "document"}
    assert found["snapshot"] == ""
    assert Workspace(home).snapshot().id == "S0001"


def test_a_retroactive_policy_is_told_and_loaded(tmp_path, capsys):
    workspace = fill(tmp_path / "late")
    path = write(tmp_path, GOOD.replace("announced = 2022-08-10", "announced = 2022-09-20"))
    assert run(["policy", "check", str(path), "--home", str(workspace.root), "--lang", "zh"]) == 0
    told = capsys.readouterr()
    assert "施行日期 2022-09-01 早于公布日期 2022-09-20" in told.out + told.err
    found = call(capsys, "policy", "add", path, "--home", workspace.root)["policy"]
    assert "镇政府文件" in found["warnings"][0]["en"]
    assert workspace.deliveries().iloc[-1]["recipe"] == "policy_file"


def test_an_added_policy_is_a_delivery_like_any_other(tmp_path, capsys):
    workspace = fill(tmp_path / "own")
    words = ("policy", "add", write(tmp_path), "--home", workspace.root)
    assert call(capsys, *words)["policy"]["snapshot"] == "S0002"
    policy = build_policy(workspace, "mine")
    assert [(s.entity, str(s.start), s.end and str(s.end)) for s in policy.spells] == [
        ("K002", "2022Q4", None), ("K003", "2022Q4", "2024Q1"), ("K003", "2024Q3", None),
    ]  # fmt: skip
    assert policy.plan is not None
    assert policy.plan.post_hoc is True, "the inspections of its time were there before it, whatever day it names"
    assert build_policy(workspace, "base").policy_id == "base"
    delivery = workspace.deliveries().iloc[-1]
    assert (delivery["recipe"], delivery["accepted"], delivery["producer"]) == ("policy_file", 6, "某镇人民政府")
    again = call(capsys, *words)["policy"]
    assert (again["snapshot"], again["already"]) == ("S0002", True), "the same file twice changes nothing"
    count = workspace.query("SELECT count(*) AS n FROM spells WHERE policy_id = 'mine'")["n"].iloc[0]
    assert count == 3


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("issuer =", "isuer =", "QB446", "issuer?"),
        ("[dates]", "[date]", "QB446", "dates?"),
        ('id = "mine"\n', "", "QB447", "[policy] id"),
        ('source = "镇政府文件"\n', "", "QB447", "[dates] source"),
        ('"document"', '"documnet"', "QB448", "document?"),
        ("effective = 2022-09-01", 'effective = "2022-13-1"', "QB448", "2022-08-10"),
        ("announced = 2022-08-10", "drafted = 2023-08-10", "QB448", "drafted before it takes effect"),
        ('start = "2024Q3"', 'start = "2024-Q5"', "QB448", "2022Q3"),
        ('start = "2024Q3"', 'start = "2023Q3"', "QB131", "2022Q4 to 2024Q1, then 2023Q3"),
        ('cluster = "K002"\nstart', 'cluster = "K02"\nstart', "QB449", "K002"),
        ('indicator = "D1.batch"', 'indicator = "D1.bacth"', "QB401", "D1.batch"),
        ('outcome = "D1.batch"', 'outcome = "D1.bacth"', "QB401", "D1.batch"),
        ('outcome = "D1.batch"', 'instruments = ["W8"]', "QB456", "at most 2 of W1"),
        ('horizon = "near"', 'horizon = "nera"', "QB448", "near?"),
        ("w2 = 0.5", "w2 = -1.0", "QB448", "[[dose]] w2"),
        ("w2 = 0.5", 'w2 = "a lot"', "QB448", "[[dose]] w2"),
        ('quarter = "2026Q1"', 'quarter = "2022Q4"', "QB450", "doses of K002 in 2022Q4"),
        ('id = "mine"', 'id = "base"', "QB450", 'id = "base-2"'),
        ('name = "关于', "name = 关于", "QB445", "line 4"),
    ],
)
def test_a_slip_is_told_in_four_lines_and_nothing_is_loaded(home, tmp_path, capsys, old, new, code, said):
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    for action in ("check", "add"):
        assert run(["policy", action, str(path), "--home", str(home)]) in (2, 3)
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith(f"error[{code}]"), told.err
        assert said in told.err
        assert len(told.err.splitlines()) == 4
    assert Workspace(home).snapshot().id == "S0001"


def test_a_policy_without_treated_and_a_missing_file(home, tmp_path, capsys):
    head = GOOD[: GOOD.index("[[spell]]")]
    assert run(["policy", "check", str(write(tmp_path, head)), "--home", str(home)]) == 3
    assert capsys.readouterr().err.startswith("error[QB130]")
    assert run(["policy", "check", "nowhere.toml", "--home", str(home)]) == 2
    assert capsys.readouterr().err.startswith("error[QB445]")
