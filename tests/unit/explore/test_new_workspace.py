"""A new workspace works: its first reports run on a county's first files, with titles that name the place."""

from __future__ import annotations

import json
import pathlib

import pytest

from qbase.cli.main import run
from qbase.core.errors import UsageError
from qbase.core.shown.english_names import name_in_english
from qbase.explore import new_workspace
from qbase.intake import load_files
from qbase.lake import Workspace
from qbase.reports import read_spec, run_report

TOWNS = "区划代码,乡镇名称,县名称\n" + "".join(f"99002310{i},{name},澜溪县\n" for i, name in enumerate("甲乙丙丁", 1))
CLUSTERS = "集群编号,区划代码,行业代码,集群名称\n" + "".join(
    f"LX0{i},99002310{i},2822,{name}镇化纤产业集群\n" for i, name in enumerate("甲乙丙丁", 1)
)
FIRMS = "企业编号,企业名称,集群编号,区划代码,行业代码\n" + "".join(
    f"F{i}{j},{name}{'一二三四五'[j]}化纤厂,LX0{i},99002310{i},2822\n"
    for i, name in enumerate("甲乙丙丁", 1)
    for j in range(5)
)
HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果\n"
POLICY = """
[policy]
id = "my-policy"
name = "质量提升行动"
[dates]
effective = "2023Q2"
source = "澜政发〔2023〕4号"
confidence = "文件"
[[spell]]
{who}
start = "2023年二季度"
"""


def batches() -> str:
    """Twelve quarters, five firms in each of four towns, one batch a firm: the fourth fails in every third quarter."""
    rows = [HEAD]
    for q in range(12):
        for i, name in enumerate("甲乙丙丁", 1):
            for j in range(5):
                firm = f"{name}{'一二三四五'[j]}化纤厂"
                result = "不合格" if j == 3 and (q + i) % 3 == 0 else "合格"
                day = f"{2022 + q // 4}-{3 * (q % 4) + 2:02d}-{10 + j}"
                rows.append(f"S{q:02d}{i}{j},县级,{day},生产领域,随机,{firm},涤纶丝,{result}\n")
    return "".join(rows)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("new") / "mycounty"
    new_workspace(folder, place="澜溪县")
    workspace = Workspace(folder)
    for name, text in (("towns", TOWNS), ("clusters", CLUSTERS), ("firms", FIRMS), ("batches", batches())):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        (report,) = load_files(workspace, folder / f"{name}.csv")
        assert report.quarantined == 0, report.reasons
    return workspace


def results_of(home: Workspace, report: str, **params: object) -> tuple[str, str]:
    """Run a report; return its state and the conclusion's results as text."""
    record = run_report(home, report, params=params)
    assert record.state in ("ok", "unchanged"), record.error
    folder = home.runs / report / record.run_id
    return record.state, (folder / "results.json").read_text(encoding="utf-8")


def test_what_is_made(home: Workspace) -> None:
    assert {path.name for path in home.specs.iterdir()} == {"effects.toml", "trends.toml"}
    assert read_spec(home, "trends").title.zh == "澜溪县产业集群：批次合格率的变化"
    assert read_spec(home, "effects").title.en == "澜溪县: the effect of the policy"
    assert read_spec(home, "effects").params == {"policy_id": "my-policy"}
    assert 'name = ""' in (home.root / "data/policies/my-policy.toml").read_text(encoding="utf-8")
    readme = (home.root / "README.md").read_text(encoding="utf-8")
    assert "qbase policy check data/policies/my-policy.toml" in readme


@pytest.mark.parametrize("place", ["a\nb", "x" * 41, "tab\there"])
def test_a_place_is_a_line_of_a_title(tmp_path: pathlib.Path, place: str) -> None:
    with pytest.raises(UsageError, match="QB912"):
        new_workspace(tmp_path / "w", place=place)
    assert not (tmp_path / "w").exists()


def test_a_place_with_quotes_keeps_its_specification_readable(tmp_path: pathlib.Path) -> None:
    new_workspace(tmp_path / "w", place='棹湾镇"化纤"{x}\\')
    assert read_spec(Workspace(tmp_path / "w"), "effects").title.zh == '棹湾镇"化纤"{x}\\：政策效果'


def test_the_first_report_runs_and_counts_right(home: Workspace) -> None:
    _, text = results_of(home, "trends", subject="LX01")
    series = [r for r in json.loads(text)["results"] if r["estimand"] == "level"]
    # one of five fails in every third quarter of the first town
    values = [e["value"] for r in series for e in r["estimates"]]
    assert values == [80.0 if (q + 1) % 3 == 0 else 100.0 for q in range(12)]


def test_one_treated_town_is_an_answer_and_says_what_it_rests_on(home: Workspace) -> None:
    path = home.root / "data/policies/my-policy.toml"
    path.write_text(POLICY.format(who='town = "甲镇"'.replace("甲镇", "甲")), encoding="utf-8")
    assert run(["policy", "add", str(path), "--home", str(home.root), "--quiet"]) == 0
    _, text = results_of(home, "effects")
    found = json.loads(text)["results"]
    assert {r["estimand"] for r in found} == {"change"}
    assert f"{name_in_english('甲镇化纤产业集群')} alone" in text
    _, by_town = results_of(home, "effects", entity="town_code")
    assert {r["estimand"] for r in json.loads(by_town)["results"]} == {"change"}
