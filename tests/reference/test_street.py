"""The whole street on real input: delivery, table, panel, result, report; published numbers in the page."""

from __future__ import annotations

import html
import json
import pathlib
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from qbase.demo import write_deliveries
from qbase.intake import load_case, load_files
from qbase.lake import Workspace
from qbase.release import verify_report
from qbase.reports import run_report

ROOT = pathlib.Path(__file__).resolve().parents[2]


def make_home(folder: pathlib.Path) -> Workspace:
    workspace = Workspace.create(folder)
    for name in ("notebooks", "reports/specs"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    return workspace


def read_page(workspace: Workspace, report_id: str) -> tuple[str, dict[str, object]]:
    """Run a report and return the words of its page and its record; the page must verify against it."""
    run = run_report(workspace, report_id)
    assert run.state == "ok"
    page = workspace.site / f"{report_id}.html"
    record = json.loads((workspace.runs / report_id / run.run_id / "results.json").read_text(encoding="utf-8"))
    outcome = verify_report(page, record=record)
    assert outcome.passed, [check.text.en for check in outcome.checks if check.passed is False]
    assert all(check.passed is True for check in outcome.checks)
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(text)), record


@pytest.mark.slow
def test_the_scrap_report_prints_the_published_numbers_and_its_own_verdict_beside_them(tmp_path: pathlib.Path) -> None:
    # Wooldridge, Introductory Econometrics, Example 14.1: grant -0.252 (0.151), grant_1 -0.422 (0.210), n = 162
    workspace = make_home(tmp_path)
    report = load_case(workspace, "us_scrap_grants")
    assert (report.verdict, report.accepted) == ("OK", 471)
    words, record = read_page(workspace, "us_scrap_grants")
    for printed in ("−0.252", "0.151", "−0.422", "0.210", "162", "0.143", "0.281"):
        assert printed in words, printed
    assert "与已发表结果逐位一致" in words
    assert "Agrees with the published result to every printed digit" in words
    # one year after the grant: independent errors give a direction, errors clustered by firm do not
    assert "获补助次年，与其他时期和未采用者相比，获得补助的企业的废品率对数可能降低" in words
    assert "获补助次年，与其他时期和未采用者相比，获得补助的企业的废品率对数如何变化尚无法判断" in words
    first = record["results"][0]["estimates"]  # type: ignore[index]
    assert {e["n_obs"] for e in first} == {162}
    again = run_report(workspace, "us_scrap_grants")
    assert again.state == "unchanged"


@pytest.mark.slow
def test_the_demo_reports_are_published_verified_and_marked_as_fictional(tmp_path: pathlib.Path) -> None:
    workspace = make_home(tmp_path / "home")
    files = write_deliveries(tmp_path / "sent")
    loaded = load_files(workspace, files, producer="云泽省（虚构）/ Yunze (fictional)")
    # a second sample of a firm soon after a failure may be an unmarked re-check: told, never decided
    assert {report.verdict for report in loaded} <= {"OK", "WARN"}
    warnings = {warning.split()[0] for report in loaded for warning in report.warnings}
    assert warnings <= {"likely_recheck"}
    assert sum(report.quarantined for report in loaded) == 0
    for name in ("quality_trends", "policy_effects"):
        words, record = read_page(workspace, name)
        assert "虚构省份，模拟数据" in words
        assert "Fictional province, simulated data" in words
        assert record["snapshot"] == workspace.snapshot().id
    gallery = (workspace.site / "index.html").read_text(encoding="utf-8")
    assert "quality_trends.html" in gallery
    assert "policy_effects.html" in gallery


def count_by_hand(files: list[pathlib.Path]) -> pd.DataFrame:
    """Count passes by cluster and quarter straight from the files sent, sharing no code with the house."""
    sent = [read_text(file) for file in files if file.name.startswith("监督抽查")]
    firms = next(read_text(file) for file in files if file.name == "企业.csv")
    rows = pd.concat(sent).merge(firms[["统一社会信用代码", "集群编号"]], on="统一社会信用代码", validate="m:1")
    first = rows["是否复查"].eq("否") & rows["原抽样编号"].eq("") & rows["企业角色"].eq("标称生产")
    rows = rows[first & rows["抽样类型"].ne("投诉")]
    good = rows["检验结果"].eq("合格") | rows["复检结论"].eq("改判")
    quarter = pd.to_datetime(rows["抽样日期"]).dt.to_period("Q")
    counts = pd.DataFrame({"entity": rows["集群编号"], "quarter": quarter, "k": good, "n": 1})
    return counts.groupby(["entity", "quarter"], as_index=False)[["k", "n"]].sum()


def read_text(file: pathlib.Path) -> pd.DataFrame:
    if file.suffix == ".csv":
        return pd.read_csv(file, dtype=str, keep_default_na=False)
    return pd.read_excel(file, dtype=str, keep_default_na=False, engine="openpyxl")


@pytest.mark.slow
def test_the_numbers_of_the_demo_reports_follow_from_the_files_sent(tmp_path: pathlib.Path) -> None:
    workspace = make_home(tmp_path / "home")
    files = write_deliveries(tmp_path / "sent")
    load_files(workspace, files)
    cells = count_by_hand(files).assign(rate=lambda c: 100 * c["k"] / c["n"])

    _, record = read_page(workspace, "quality_trends")
    level = next(r for r in record["results"] if r["estimand"] == "level")  # type: ignore[union-attr,index]
    ours = cells[cells["entity"] == "K001"]
    assert [e["n_obs"] for e in level["estimates"]] == ours["n"].tolist()
    assert [e["value"] for e in level["estimates"]] == pytest.approx(ours["rate"].tolist())

    _, record = read_page(workspace, "policy_effects")
    effect = next(r for r in record["results"] if r["method"] == "twfe")  # type: ignore[union-attr,index]
    spells = next(read_text(file) for file in files if file.name == "政策时段.csv")
    base = spells[spells["政策编号"] == "base"].set_index("主体编号")["开始季度"]
    start = cells["entity"].map(base).fillna("9999Q4")
    treated = (cells["quarter"].astype(str) >= start).astype(float)
    dummies = pd.get_dummies(cells[["entity", "quarter"]].astype(str), drop_first=True, dtype=float)
    design = np.column_stack([treated, np.ones(len(cells)), dummies])
    by_hand = np.linalg.lstsq(design, cells["rate"].to_numpy(), rcond=None)[0][0]
    assert effect["estimates"][0]["value"] == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.shared
@pytest.mark.slow
def test_chicago_loads_by_recipe_and_makes_a_trend_report(shared_data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    workspace = make_home(tmp_path)
    path = shared_data / "us_chicago_food_inspections" / "chicago_canvass_2011_2014.csv.gz"
    (report,) = load_files(workspace, path, recipe="chicago_inspections")
    assert (report.accepted, report.quarantined) == (27_600, 0)
    words, record = read_page(workspace, "chicago_inspections")
    assert "未设目标" in words
    (level,) = [r for r in record["results"] if r["estimand"] == "level"]  # type: ignore[union-attr,index]
    raw = pd.read_csv(path, dtype=str)
    ours = raw[raw["Zip"] == "60647"]
    assert sum(e["n_obs"] for e in level["estimates"]) == len(ours)
    last = ours[ours["inspection_date"].str[:7].isin(["2014-10", "2014-11", "2014-12"])]
    passed = last["Results"].ne("Fail").mean() * 100
    assert level["estimates"][-1]["value"] == pytest.approx(passed, abs=1e-9)
