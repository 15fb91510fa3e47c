"""A town whose made code an official one replaced is one town in every number, whichever file came first."""

from __future__ import annotations

import pathlib
import shutil

import pandas as pd
import pytest

from qbase.core.panel import Panel
from qbase.indicators import (
    add_policy,
    build_panel,
    build_policy,
    read_baseline_weights,
    read_history,
    read_policy_file,
    read_revisions,
)
from qbase.indicators.policies.policy_places import read_names
from qbase.intake import decide_town_links, load_files, undo_town_links
from qbase.intake.linking.place_names import Places, name_towns
from qbase.lake import Workspace

HEAD = "抽样编号,抽样日期,企业名称,产品名称,检验结果,乡镇\n"
CLUSTER = "集群编号,区划代码,行业代码,集群名称\n"
OFFICIAL = "330498101"
(MADE,) = (place.code for place in name_towns(["新镇"], "甲县", Places([])))
FILES = {
    "甲县一.csv": f"{HEAD}A1,2023-01-05,甲厂,丝,合格,新镇\nA2,2023-02-05,甲厂,丝,不合格,新镇\n"
    "A3,2023-02-06,乙厂,丝,合格,丹桥镇\n",
    "甲县二.csv": f"{HEAD}B1,2023-02-25,丙厂,丝,合格,新镇\nB2,2023-05-05,甲厂,丝,合格,新镇\n",
    "towns.csv": f"区划代码,乡镇名称,县名称\n{OFFICIAL},新镇,甲县\n330498102,丹桥镇,甲县\n",
}
POLICY = """[policy]
id = "p"
name = "新镇质量提升"
kind = "binary"
[dates]
effective = "2023-04-01"
source = "发〔2023〕5号"
confidence = "document"
[[spell]]
town = "{town}"
start = "2023Q2"
"""


def send(home: Workspace, *names: str, **more: str) -> None:
    for name, text in [*((name, FILES[name]) for name in names), *more.items()]:
        path = home.root / (name if "." in name else f"{name}.csv")
        path.write_text(text, "utf-8")
        (report,) = load_files(home, [path], accept=["towns:新镇+丹桥镇"])
        assert report.error is None, report.error


def by_town(home: Workspace) -> Panel:
    return build_panel(home, "D1.batch", entity="town_code")


@pytest.fixture(scope="module")
def words_first(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("replaced") / "home")
    send(made, *FILES)
    return made


@pytest.fixture
def home(words_first: Workspace, tmp_path: pathlib.Path) -> Workspace:
    """Words first, then the official codes; a copy to write into."""
    return Workspace(shutil.copytree(words_first.root, tmp_path / "home"))


def test_the_order_of_the_files_does_not_matter_to_the_digit(words_first: Workspace, tmp_path: pathlib.Path) -> None:
    first = by_town(words_first)
    assert first.data.loc[OFFICIAL, "D1.batch__n"].tolist() == [3, 1], "the sum of the batches"
    assert first.data.loc[OFFICIAL, "D1.batch__k"].tolist() == [2, 1]
    assert first.labels[OFFICIAL].zh == "新镇"
    for order in (("towns.csv", "甲县二.csv", "甲县一.csv"), ("甲县一.csv", "towns.csv", "甲县二.csv")):
        one = Workspace.create(tmp_path / order[0])
        send(one, *order)
        other = by_town(one)
        pd.testing.assert_frame_equal(first.data, other.data, check_exact=True)
        assert first.labels == other.labels


def test_taking_a_link_back_gives_two_towns_again_and_each_panel_is_built_anew(home: Workspace) -> None:
    linked = by_town(home)
    assert sorted(set(linked.entities)) == [OFFICIAL, "330498102"]
    assert "town_links" in linked.tables
    undo_town_links(home, OFFICIAL)
    assert MADE in by_town(home).entities
    assert build_panel(home, "D1.batch", entity="town_code", snapshot=linked.snapshot).labels == linked.labels
    decide_town_links(home, [f"town_links:{MADE}:{OFFICIAL}"], "accept")
    pd.testing.assert_frame_equal(by_town(home).data, linked.data, check_exact=True)
    changes = read_revisions(home, "D1.batch", entity="town_code")
    assert {MADE, OFFICIAL} <= set(changes["entity"]), "a link is a change that is told"


@pytest.mark.parametrize("word", [MADE, OFFICIAL, "新镇"])
def test_a_policy_of_the_town_by_either_code_or_by_name_selects_it(
    words_first: Workspace, tmp_path: pathlib.Path, word: str
) -> None:
    path = tmp_path / "p.toml"
    path.write_text(POLICY.format(town=word), "utf-8")
    assert [spell.entity for spell in read_policy_file(words_first, path).policy.spells] == [OFFICIAL]


def test_a_policy_that_was_stored_under_the_made_code_selects_the_town(tmp_path: pathlib.Path) -> None:
    home = Workspace.create(tmp_path / "home")
    send(home, "甲县一.csv", clusters=f"{CLUSTER}K1,{MADE},2822,新镇化纤\n")
    path = home.root / "p.toml"
    path.write_text(POLICY.format(town="新镇"), "utf-8")
    add_policy(home, path)
    stored = "SELECT entity_id FROM spells"
    send(home, "towns.csv")
    assert home.query(stored)["entity_id"].tolist() == [MADE]
    for entity, wanted in ((None, OFFICIAL), ("town_code", OFFICIAL), ("cluster_id", "K1")):
        policy = build_policy(home, "p", entity=entity)  # type: ignore[arg-type]
        assert [spell.entity for spell in policy.spells] == [wanted]
    assert read_names(home, "town", home.snapshot())[OFFICIAL] == "新镇"
    assert MADE not in read_names(home, "town", home.snapshot())


def test_yearly_totals_of_one_year_under_both_codes_count_once(home: Workspace) -> None:
    head = "区划代码,年份,抽查批次数,合格批次数\n"
    send(home, older=f"{head}{MADE},2020,10,8\n{MADE},2021,20,15\n")
    send(home, newer=f"{head}{OFFICIAL},2021,22,17\n{OFFICIAL},2022,30,27\n")
    totals = read_history(home, by_town(home)).of(OFFICIAL)
    assert totals.values.tolist() == [[2020, 10, 8], [2021, 22, 17], [2022, 30, 27]]


def test_figures_of_one_year_under_both_codes_count_once(home: Workspace) -> None:
    head = "town_code,year,output_wan_cny,value_added_wan_cny,tax_wan_cny,staff_count,park_output_wan_cny,park_area_mu,"
    head += "works_count,works_passed_count,good_air_days,good_water_share_pct,service_index"
    figures = [(MADE, 2020, 20), (MADE, 2021, 30), (OFFICIAL, 2021, 60)]
    rows = [f"{code},{year},100,30,5,50,{park},10,10,9,300,90,70" for code, year, park in figures]
    send(home, town_year="\n".join([head, *rows]), clusters=f"{CLUSTER}K1,{MADE},2822,新镇化纤\n")
    values = build_panel(home, "W1b.per_mu", entity="town_code", freq="A").data["W1b.per_mu"].dropna()
    assert {(e, str(p)): v for (e, p), v in values.items()} == {(OFFICIAL, "2020"): 2.0, (OFFICIAL, "2021"): 6.0}


def test_weights_of_before_go_by_the_official_code(home: Workspace) -> None:
    firms = "企业编号,企业名称,区划代码,行业代码,登记日期\n"
    rows = [
        f"F1,厂一,{MADE},2822,2015-01-01",
        f"F2,厂二,{OFFICIAL},2822,2015-01-01",
        "F3,厂三,330498102,2822,2015-01-01",
    ]
    send(home, firms=firms + "\n".join(rows) + "\n")
    path = home.root / "p.toml"
    path.write_text(POLICY.format(town=OFFICIAL), "utf-8")
    add_policy(home, path)
    shares = read_baseline_weights(home, build_policy(home, "p"), entity="town_code").shares
    assert dict(shares) == {OFFICIAL: 2.0, "330498102": 1.0}
