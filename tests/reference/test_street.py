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
from scipy import optimize, stats

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


def read_page(workspace: Workspace, report_id: str, **params: object) -> tuple[str, dict[str, object]]:
    """Run a report and return the words of its page and its record; the page must verify against it."""
    run = run_report(workspace, report_id, params)
    assert run.state == "ok"
    page = workspace.root / run.outputs[0]
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
    for printed in ("−0.252", "0.151", "−0.422", "0.210", "162"):
        assert printed in words, printed
    assert "与已发表结果逐位一致" in words
    assert "Agrees with the published result to every printed digit" in words
    assert "获补助次年，与其他时期和未采用者相比，获得补助的企业的废品率对数" in words
    [printed_one] = [r for r in record["results"] if r["name"].endswith(":twfe")]  # type: ignore[attr-defined]
    assert {e["n_obs"] for e in printed_one["estimates"]} == {162}
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
    for name in ("quarterly_brief", "quality_trends", "policy_effects"):
        words, record = read_page(workspace, name)
        assert "虚构省份，模拟数据" in words
        assert "Fictional province, simulated data" in words
        assert record["snapshot"] == workspace.snapshot().id
    gallery = (workspace.site / "index.html").read_text(encoding="utf-8")
    assert "quality_trends.html" in gallery
    assert "policy_effects.html" in gallery


def sent_by_hand(files: list[pathlib.Path]) -> pd.DataFrame:
    """Read the inspections sent, each with the cluster of its firm."""
    sent = [read_text(file) for file in files if file.name.startswith("监督抽查")]
    firms = next(read_text(file) for file in files if file.name == "企业.csv")
    return pd.concat(sent).merge(firms[["统一社会信用代码", "集群编号"]], on="统一社会信用代码", validate="m:1")


def first_by_hand(files: list[pathlib.Path]) -> pd.DataFrame:
    """Read the first inspections of producers straight from the files sent, sharing no code with the house."""
    rows = sent_by_hand(files)
    first = rows["是否复查"].eq("否") & rows["原抽样编号"].eq("") & rows["企业角色"].eq("标称生产")
    rows = rows[first & rows["抽样类型"].ne("投诉")]
    good = rows["检验结果"].eq("合格") | rows["复检结论"].eq("改判")
    quarter = pd.to_datetime(rows["抽样日期"]).dt.to_period("Q")
    return rows.assign(entity=rows["集群编号"], quarter=quarter, k=good.astype(int), n=1)


def found_by_hand(files: list[pathlib.Path]) -> pd.DataFrame:
    """Count by cluster and quarter the firms inspected, complaints included, and those in which a batch failed."""
    rows = sent_by_hand(files)
    rows = rows[rows["是否复查"].eq("否") & rows["原抽样编号"].eq("")]
    failed = ~(rows["检验结果"].eq("合格") | rows["复检结论"].eq("改判"))
    rows = rows.assign(
        entity=rows["集群编号"], quarter=pd.to_datetime(rows["抽样日期"]).dt.to_period("Q"), failed=failed
    )
    visits = rows.groupby(["entity", "quarter", "统一社会信用代码"])["failed"].any()
    return visits.groupby(["entity", "quarter"]).agg(n="size", k="sum").reset_index()


def account_by_hand(files: list[pathlib.Path]) -> dict[str, int]:
    """Count what becomes of every inspection sent: counted, or left out by the first definition that applies.

    Whose goods they are is asked first, then whether it is a first inspection, then why it was drawn.
    """
    rows = sent_by_hand(files)
    others = rows["企业角色"].ne("标称生产")
    rechecks = ~others & (rows["是否复查"].eq("是") | rows["原抽样编号"].ne(""))
    complaints = ~others & ~rechecks & rows["抽样类型"].eq("投诉")
    parts = {"rechecks": rechecks, "complaints": complaints, "others": others}
    return {"seen": len(rows), "counted": len(first_by_hand(files)), **{k: int(v.sum()) for k, v in parts.items()}}


def count_by_hand(files: list[pathlib.Path]) -> pd.DataFrame:
    """Count passes by cluster and quarter."""
    return first_by_hand(files).groupby(["entity", "quarter"], as_index=False)[["k", "n"]].sum()


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

    words, record = read_page(workspace, "quality_trends")
    account = account_by_hand(files)
    assert account["seen"] == sum(account.values()) - account["seen"] > 10_000
    assert "Stands on {counted:,} of {seen:,} batches on record".format(**account) in words
    assert "{rechecks:,} re-checks".format(**account) in words
    assert all(f"{account[reason]:,} " in words for reason in ("complaints", "others"))
    level = next(r for r in record["results"] if r["estimand"] == "level")  # type: ignore[union-attr,index]
    ours = cells[cells["entity"] == "K001"]
    assert [e["n_obs"] for e in level["estimates"]] == ours["n"].tolist()
    assert [e["value"] for e in level["estimates"]] == pytest.approx(ours["rate"].tolist())
    finding = next(r for r in record["results"] if r["outcome"] == "D1.finding" and r["estimand"] == "level")  # type: ignore[union-attr,index]
    visits = found_by_hand(files).query("entity == 'K001'")
    assert [e["n_obs"] for e in finding["estimates"]] == visits["n"].tolist()
    assert [e["value"] for e in finding["estimates"]] == pytest.approx((100 * visits["k"] / visits["n"]).tolist())

    _, record = read_page(workspace, "policy_effects")
    paths = [r for r in record["results"] if r["method"] == "imputation"]  # type: ignore[union-attr,index]
    assert [r["settings"]["sampling"] for r in paths] == ["random_draw", "naive"]
    effect = paths[1]  # of all batches, which the files give by hand
    spells = next(read_text(file) for file in files if file.name == "政策时段.csv")
    base = spells[spells["政策编号"] == "base"].set_index("主体编号")["开始季度"]
    start = cells["entity"].map(base).fillna("9999Q4")
    treated = (cells["quarter"].astype(str) >= start).to_numpy()
    dummies = pd.get_dummies(cells[["entity", "quarter"]].astype(str), drop_first=True, dtype=float)
    design = np.column_stack([np.ones(len(cells)), dummies])
    rate = cells["rate"].to_numpy()
    beta = np.linalg.lstsq(design[~treated], rate[~treated], rcond=None)[0]
    # the first cluster to start is a cohort of its own, which no weight moves
    own = treated & (start == base.min()).to_numpy()
    [cohort] = [e for e in effect["estimates"] if e["key"].get("adopted") == base.min()]
    assert cohort["value"] == pytest.approx((rate - design @ beta)[own].mean(), abs=1e-6)


WEIGHTED_PP = 1e-6
"""Tolerance of weighted rates and their limits, in points: the house iterates to a step of 1e-8, this file solves."""
KINDS = {"双随机": "random", "风险定向": "risk"}
SIZES = ["大型", "中型", "小型"]


def relative_by_hand(drawn: np.ndarray, firms: np.ndarray) -> np.ndarray:
    """Solve for the rates r_h at which classes were drawn: given T_i draws, they fall on classes as r_h N_ih.

    The score equations, with one draw spread alike over all classes as a prior and a mean rate of 1 over the firms.
    """
    total, wanted, size = drawn.sum(1), drawn.sum(0) + 1, firms.sum(0)

    def score(x: np.ndarray) -> np.ndarray:
        rate = np.exp(x[:-1])
        expected = (total / (firms @ rate)) @ firms + 1
        return np.append(np.log(rate * expected / wanted) - x[-1], np.log(rate @ size / size.sum()))

    used = (total > 0) & (firms.sum(1) > 0)
    total, firms, wanted = total[used], firms[used], drawn[used].sum(0) + 1
    size = firms.sum(0)
    found = optimize.root(score, np.zeros(drawn.shape[1] + 1), tol=1e-13)
    assert np.abs(found.fun).max() < 1e-10
    return np.exp(found.x[:-1])


def due_by_hand(drawn: pd.DataFrame, firms: pd.DataFrame, *, by_risk: bool) -> pd.DataFrame:
    """Return draws to be expected per firm of each stratum, relative rates shared by a year."""
    due = pd.DataFrame(0.0, index=firms.index, columns=firms.columns)
    for _, rows in firms.groupby(firms.index.get_level_values("quarter").year):
        n, size = drawn.loc[rows.index], rows
        if by_risk:
            n, size = (t.T.groupby(level="风险等级").sum().T for t in (n, size))
        rate = pd.Series(relative_by_hand(n.to_numpy(), size.to_numpy()), index=n.columns)
        per_unit = n.sum(axis=1) / (size * rate).sum(axis=1)
        each = rate.reindex(firms.columns.get_level_values("风险等级")).to_numpy() if by_risk else rate.to_numpy()
        due.loc[rows.index] = np.outer(per_unit, each)
    return due


def merge_by_hand(n_firms: pd.Series) -> list[int]:
    """Put strata into groups of at least two firms drawn, walking sizes to and fro through the risk classes."""
    classes = sorted({risk for risk, _ in n_firms.index})
    walk = [(c, s) for i, c in enumerate(classes) for s in (SIZES if i % 2 == 0 else SIZES[::-1])]
    group, held, of = 0, 0.0, {}
    for stratum in walk:
        of[stratum] = group
        held += n_firms[stratum]
        if held >= 2:
            group, held = group + 1, 0.0
    return [min(of[stratum], max(group - 1, 0)) for stratum in n_firms.index]


def weigh_by_hand(files: list[pathlib.Path], sampling: str) -> pd.DataFrame:
    """Weigh the draws of the files sent as the documentation of the house says, and return rates with limits."""
    rows = first_by_hand(files).assign(kind=lambda d: d["抽样类型"].map(KINDS).fillna("other"))
    keys = ["entity", "quarter", "风险等级", "企业规模"]
    frame = next(read_text(file) for file in files if file.name == "抽样框.csv")
    frame = frame.assign(entity=frame["集群编号"], quarter=pd.PeriodIndex(frame["季度"], freq="Q"))
    firms = frame.assign(n=frame["企业数"].astype(float)).pivot_table(
        index=keys[:2], columns=keys[2:], values="n", aggfunc="sum", fill_value=0.0
    )
    firms = firms[[(c, s) for c in sorted(frame["风险等级"].unique()) for s in SIZES]]

    def cube(part: pd.DataFrame, value: str = "n", how: str = "sum") -> pd.DataFrame:
        wide = part.pivot_table(index=keys[:2], columns=keys[2:], values=value, aggfunc=how)
        return wide.reindex(index=firms.index, columns=firms.columns).fillna(0.0)

    due = due_by_hand(cube(rows[rows["kind"] == "random"]), firms, by_risk=True)
    factor = 1.0
    if sampling == "random_draw":
        rows = rows[rows["kind"] == "random"]
    else:
        due += due_by_hand(cube(rows[rows["kind"] == "risk"]), firms, by_risk=False)
        due += due_by_hand(cube(rows[rows["kind"] == "other"]), firms, by_risk=True)
        took, expected = cube(rows), due * firms
        drawn_firms = cube(rows, "统一社会信用代码", "nunique")
        factor = due.copy()
        for at in due.index:
            group = merge_by_hand(drawn_firms.loc[at])
            sums = pd.DataFrame({"took": took.loc[at], "due": expected.loc[at]}).groupby(group).transform("sum")
            factor.loc[at] = ((sums["due"] + 20) / (sums["took"] + 20)).to_numpy()
    weight = (factor / due).stack(keys[2:]).rename("w").reset_index()
    each = rows.groupby([*keys, "统一社会信用代码"], as_index=False)[["n", "k"]].sum()
    each = each.assign(nn=each["n"] ** 2, kk=each["k"] ** 2 / each["n"], firms=1)
    strata = each.groupby(keys, as_index=False)[["n", "k", "nn", "kk", "firms"]].sum().merge(weight, on=keys)
    return limits_by_hand(strata, families_by_hand(files) * shares_by_hand(rows))


def pairs_by_hand(one: pd.DataFrame, two: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for every pair of batches the product of their scores, and whether product and firm are the same."""
    same = [one[c].to_numpy()[:, None] == two[c].to_numpy()[None, :] for c in ("产品名称", "统一社会信用代码")]
    return np.outer(one["score"], two["score"]), *same


def families_by_hand(files: list[pathlib.Path]) -> float:
    """Return how much more alike two batches of one product of a quarter are, pair by pair.

    Batches of different firms; less what two products have in common, and less the same between neighbouring quarters.
    """
    rows = first_by_hand(files)
    p = rows.groupby("entity")["k"].transform("mean")
    rows = rows.assign(score=rows["k"] - p)
    cells = dict(iter(rows.groupby(["entity", "quarter"])))
    now, before, counted = [], [], 0
    for (entity, quarter), part in cells.items():
        score, same, firm = pairs_by_hand(part, part)
        now.append((score[same & ~firm], score[~same]))
        counted += len(now[-1][0])
        if (entity, quarter - 1) in cells:
            score, same, _ = pairs_by_hand(part, cells[entity, quarter - 1])
            before.append((score[same], score[~same]))
    assert counted >= 400, "enough pairs to estimate it at all"
    gap_now, gap_before = (gap_by_hand(pairs) for pairs in (now, before))
    return float(np.clip((gap_now - gap_before) / (p * (1 - p)).mean(), 0, 1))


def gap_by_hand(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the mean of the first minus the mean of the second, cells weighted by how well both are known."""
    both = [(one, other, 1 / (1 / len(one) + 1 / len(other))) for one, other in pairs if len(one) and len(other)]
    return float(np.average([one.mean() - other.mean() for one, other, _ in both], weights=[w for *_, w in both]))


def shares_by_hand(rows: pd.DataFrame) -> pd.Series:
    """Return by cluster and quarter the share of pairs of batches of different firms that are of one product."""
    shares = {}
    for at, part in rows.assign(score=0.0).groupby(["entity", "quarter"]):
        _, same, firm = pairs_by_hand(part, part)
        # a firm's batches of two products are told apart like those of two firms
        shares[at] = (same & ~firm).sum() / max((~(same & firm)).sum(), 1)
    return pd.Series(shares).rename_axis(["entity", "quarter"])


def limits_by_hand(strata: pd.DataFrame, alike_products: pd.Series) -> pd.DataFrame:
    """Return weighted rates with Jeffreys' limits on the effective sample size; the firm is the primary unit.

    With fewer than thirty second draws of the same firm their correlation is taken to be 1. Pairs of one product
    (share of pairs times correlation) make samples smaller still.
    """
    n, k, m = strata["n"], strata["k"], strata["firms"]
    alike = 1.0
    if (n - m).sum() >= 30:
        between = (strata["kk"] - k**2 / n).sum() / (m - 1).sum()
        within = (k - strata["kk"]).sum() / (n - m).sum()
        size = (n - strata["nn"] / n).sum() / (m - 1).sum()
        alike = float(np.clip((between - within) / (between + (size - 1) * within), 0, 1))
    sums = (
        strata.assign(wn=strata["w"] * n, wk=strata["w"] * k, part=strata["w"] ** 2 * (n + alike * (strata["nn"] - n)))
        .groupby(["entity", "quarter"])[["n", "wn", "wk", "part"]]
        .sum()
    )
    rate = sums["wk"] / sums["wn"]
    n_eff = np.minimum(sums["wn"] ** 2 / sums["part"], sums["n"])
    n_eff = 1 / (1 / n_eff + alike_products.reindex(sums.index) * (1 - 1 / n_eff).clip(lower=0))
    passed = rate * n_eff
    low = stats.beta.ppf(0.025, passed + 0.5, n_eff - passed + 0.5)
    high = stats.beta.ppf(0.975, passed + 0.5, n_eff - passed + 0.5)
    low, high = np.where(passed < 1e-9, 0, low), np.where(n_eff - passed < 1e-9, 1, high)
    return pd.DataFrame(
        {"value": 100 * rate, "ci_low": 100 * np.minimum(low, rate), "ci_high": 100 * np.maximum(high, rate)}
    )


@pytest.mark.slow
def test_weighted_rates_of_a_page_follow_from_the_files_sent(tmp_path: pathlib.Path) -> None:
    workspace = make_home(tmp_path / "home")
    files = write_deliveries(tmp_path / "sent")
    load_files(workspace, files)
    naive = count_by_hand(files).set_index(["entity", "quarter"]).loc["K001"]
    for sampling in ("random_draw", "post_stratified"):
        words, record = read_page(workspace, "quality_trends", sampling=sampling)
        level = next(r for r in record["results"] if r["estimand"] == "level" and r["method"] == "design")  # type: ignore[union-attr,index]
        shown = pd.DataFrame(level["estimates"])
        ours = weigh_by_hand(files, sampling).loc["K001"]
        assert [str(q) for q in ours.index] == [key["period"] for key in shown["key"]]
        for column in ours:
            assert shown[column].tolist() == pytest.approx(ours[column].tolist(), abs=WEIGHTED_PP), (sampling, column)
        last = ours.iloc[-1]
        assert f"{last['value']:.1f}%（95% CI {last['ci_low']:.1f}～{last['ci_high']:.1f}" in words
        plain = 100 * naive["k"] / naive["n"]
        assert (plain.reindex(ours.index) - ours["value"]).abs().max() > 1, "weighting moves the rate at all"


@pytest.mark.shared
@pytest.mark.slow
def test_chicago_loads_by_recipe_and_makes_a_trend_report(shared_data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    workspace = make_home(tmp_path)
    path = shared_data / "us_chicago_food_inspections" / "chicago_canvass_2011_2014.csv.gz"
    (report,) = load_files(workspace, path, recipe="chicago_inspections")
    assert (report.accepted, report.quarantined) == (27_600, 0)
    words, record = read_page(workspace, "chicago_inspections")
    assert "未设目标" in words
    levels = [r for r in record["results"] if r["estimand"] == "level"]  # type: ignore[union-attr,index]
    level = next(r for r in levels if r["outcome"] == "D1.batch")
    assert any(r["outcome"] == "D1.finding" for r in levels), "the rate of problems found stands beside the pass rate"
    raw = pd.read_csv(path, dtype=str)
    ours = raw[raw["Zip"] == "60647"]
    assert sum(e["n_obs"] for e in level["estimates"]) == len(ours)
    last = ours[ours["inspection_date"].str[:7].isin(["2014-10", "2014-11", "2014-12"])]
    passed = last["Results"].ne("Fail").mean() * 100
    assert level["estimates"][-1]["value"] == pytest.approx(passed, abs=1e-9)
