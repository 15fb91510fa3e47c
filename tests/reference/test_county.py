"""A county's own files, as its offices write them: they load as they are, and the panel is counted by hand."""

from __future__ import annotations

import csv
import itertools
import pathlib
from collections.abc import Sequence
from typing import Any

import openpyxl
import pandas as pd
import pytest

from qbase.indicators import build_panel, read_coverage, read_history
from qbase.intake import LoadReport, load_files
from qbase.lake import Workspace
from qbase.tables import build_uscc

TOWNS = ("丹桥镇", "沙浦街道", "槐里乡")
FIRMS = [
    (f"白沙{name}化纤有限公司", build_uscc("91330499", f"MA{i:06d}"), TOWNS[i % 3])
    for i, name in enumerate("甲乙丙丁戊己庚辛壬癸子丑寅卯辰")
]
NEW_TOWNS = "towns:" + "+".join(sorted(TOWNS))
NEW_CLUSTERS = "clusters:" + "+".join(f"{town} 28" for town in ("沙浦街道", "槐里乡", "丹桥镇"))
Row = Sequence[Any]


def write_book(path: pathlib.Path, sheets: dict[str, list[Row]]) -> pathlib.Path:
    book = openpyxl.Workbook()
    book.remove(book.active)  # type: ignore[arg-type]
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def write_csv(path: pathlib.Path, rows: list[Row], encoding: str = "gb18030") -> pathlib.Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def batches(year: int) -> list[tuple[str, int, str, bool]]:
    """Return number, firm, day and pass of 24 first inspections of a year, six a quarter."""
    found = []
    for i in range(24):
        day = f"{year}-{1 + i // 2:02d}-{5 + i % 3 * 7:02d}"
        found.append((f"BS{year}{i:04d}", (i * 7 + year) % len(FIRMS), day, i % 5 != 2))
    return found


def truth() -> dict[tuple[str, str], tuple[int, int, int]]:
    """Return n, k and firms by town and quarter, counted from the list and not from the files."""
    rows = [
        (FIRMS[firm][2], f"{day[:4]}Q{(int(day[5:7]) + 2) // 3}", ok, firm)
        for year in (2022, 2023)
        for _, firm, day, ok in batches(year)
    ]
    keys = {(town, quarter) for town, quarter, _, _ in rows}
    return {
        key: (
            sum((r[0], r[1]) == key for r in rows),
            sum((r[0], r[1]) == key and r[2] for r in rows),
            len({r[3] for r in rows if (r[0], r[1]) == key}),
        )
        for key in keys
    }


def year_in_book(folder: pathlib.Path) -> pathlib.Path:
    head = ["序号", "抽样单编号", "标称生产企业名称", "统一社会信用代码", "企业所在地", "产品名称", "规格型号",
            "生产日期/批号", "抽样日期", "抽样环节", "检验类别", "检验结论", "备注"]  # fmt: skip
    rows: list[Row] = [["白沙县2022年化纤产品监督抽查结果明细表"], ["填报单位：质量科"], head]
    forms = (
        lambda d: d.replace("-", "."),
        lambda d: pd.Timestamp(d).to_pydatetime(),
        lambda d: f"{d[:4]}年{int(d[5:7])}月{int(d[8:])}日",
    )
    for i, (number, firm, day, ok) in enumerate(batches(2022)):
        name, code, town = FIRMS[firm]
        place = f"白沙县{town}工业园区{i}号"
        made = f"{day.replace('-', '')}批"
        rows.append([i + 1, number, name, "/" if i % 9 == 4 else code, place, "涤纶低弹丝", "DTY", made,
                     forms[i % 3](day), "生产", "监督抽查", "合格" if ok else "不合格", None])  # fmt: skip
    for i, (number, firm, _, _) in enumerate(b for b in batches(2022) if not b[3]):
        name, code, town = FIRMS[firm]
        mark = ("-复", "F1", "（复检）", "-F", "复")[i % 5]
        rows.append(
            [
                25 + i,
                number + mark,
                name,
                code,
                f"白沙县{town}",
                "涤纶低弹丝",
                "DTY",
                "/",
                "2022.12.30",
                "生产",
                "复检",
                "合格",
                None,
            ]
        )
    rows += [["合计", *[None] * 10, f"{len(rows) - 3}批次"], ["注：复检批次不计入合格率。"]]
    return write_book(folder / "2022年监督抽查明细.xlsx", {"明细": rows})


def year_in_csv(folder: pathlib.Path) -> pathlib.Path:
    head = [
        "抽样编号",
        "受检单位",
        "信用代码",
        "乡镇",
        "样品名称",
        "抽样时间",
        "抽样场所",
        "检查方式",
        "抽查性质",
        "综合判定",
    ]
    rows: list[Row] = [head]
    for i, (number, firm, day, ok) in enumerate(batches(2023)):
        name, code, town = FIRMS[firm]
        way = ("双随机", "风险监测后定向")[i % 2]
        rows.append(
            [number, name, code, town, "涤纶低弹丝", day, "生产企业成品库", way, "首次", "合格" if ok else "不合格"]
        )
    for number, firm, _, _ in (b for b in batches(2023) if not b[3]):
        name, code, town = FIRMS[firm]
        rows.append(
            [f"{number}-F", name, code, town, "涤纶低弹丝", "2023/12/29", "销售门店", "后处理复查", "复查", "合格"]
        )
    return write_csv(folder / "抽查23.csv", rows)


def register(folder: pathlib.Path) -> pathlib.Path:
    rows: list[Row] = [["企业名称", "统一社会信用代码", "所在乡镇（街道）", "国民经济行业代码", "行业名称"]]
    rows += [[name, code, town, "2822", "涤纶纤维制造"] for name, code, town in FIRMS]
    return write_book(folder / "白沙县企业名录.xlsx", {"名录": rows})


def totals(folder: pathlib.Path) -> pathlib.Path:
    rows: list[Row] = [
        ["白沙县监督抽查年度汇总（2020—2021年）"],
        ["年份", "乡镇", "抽查批次数", "合格批次数", "合格率（%）"],
    ]
    for year, n in ((2020, 20), (2021, 40)):
        rows += [[f"{year}年", town, n, n - 5, 100 * (n - 5) / n] for town in TOWNS]
        rows.append([f"{year}年", "全县合计", 3 * n, 3 * n - 15, 100 * (n - 5) / n])
    return write_book(folder / "2020-2021年汇总.xlsx", {"汇总": rows})


def items(folder: pathlib.Path) -> pathlib.Path:
    rows: list[Row] = [["抽样编号", "检验项目", "计量单位", "标准要求", "实测值", "单项判定"]]
    for number, _, _, ok in batches(2023):
        rows += [[number, "断裂强度", "cN/dtex", "≥3.3", 3.5 if ok else 3.1, "合格" if ok else "不合格"],
                 [number, "含油率", "%", "1.5±0.5", 1.8, "合格"]]  # fmt: skip
    return write_csv(folder / "2023分项结果.csv", rows, "utf-8-sig")


MAKERS = (totals, year_in_book, register, items, year_in_csv)


def counted(home: Workspace, entity: Any) -> dict[tuple[str, str], tuple[int, int, int]]:
    panel = build_panel(home, "D1.batch", entity=entity)
    columns = ["D1.batch__n", "D1.batch__k", "D1.batch__n_firms"]
    rows = panel.data[columns].astype(int).itertuples()
    return {(panel.label(row[0][0]).zh.removesuffix("化纤产业集群"), str(row[0][1])): tuple(row[1:]) for row in rows}  # type: ignore[misc]


def load(home: Workspace, files: Sequence[pathlib.Path], **how: Any) -> list[LoadReport]:
    return load_files(home, files, **how)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[pathlib.Path]:
    folder = tmp_path_factory.mktemp("county")
    return [make(folder) for make in MAKERS]


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory, files: list[pathlib.Path]) -> Workspace:
    home = Workspace.create(tmp_path_factory.mktemp("home") / "ws")
    asked = load(home, files)
    assert [r.verdict for r in asked] == ["REJECTED", "REJECTED", "REJECTED", "OK", "REJECTED"]
    # only what a person alone can know is asked: that these words are towns, and which firms are a cluster
    questions = {flag for r in asked if r.error for flag in r.error["fix"].split('"')[1::2]}
    assert {q.partition(":")[0] for q in questions} == {"towns", "clusters"}
    reports = load(home, files, accept=questions)
    assert [(r.verdict, r.quarantined) for r in reports if not r.already] == [("WARN", 0)] * 4
    return home


def test_the_panel_of_a_county_is_right_to_the_last_batch(county: Workspace) -> None:
    assert counted(county, "town_code") == truth()
    assert counted(county, "cluster_id") == truth()
    found = read_coverage(county)
    assert (found.seen, found.counted, found.lost) == (58, 48, 0)


def test_the_order_of_loading_does_not_matter(tmp_path: pathlib.Path, files: list[pathlib.Path]) -> None:
    answers = [NEW_TOWNS, *(f"clusters:{town} 28" for town in TOWNS)]
    found = []
    for n, order in enumerate([files, files[::-1], [*files[2:], *files[:2]]]):
        home = Workspace.create(tmp_path / f"ws{n}")
        for file in order:
            (report,) = load(home, [file], accept=answers)
            assert report.verdict in ("OK", "WARN"), report.error
        found.append(build_panel(home, "D1.batch", entity="cluster_id").data)
    for one, other in itertools.pairwise(found):
        pd.testing.assert_frame_equal(one, other)


def test_the_credit_code_is_the_id_and_what_is_not_stated_says_so(county: Workspace) -> None:
    firms = county.query("SELECT firm_id, uscc FROM firms")
    assert (firms["firm_id"] == firms["uscc"]).all()
    ways = county.query("SELECT level, sample_type, count(*)::INT AS n FROM inspections GROUP BY ALL ORDER BY ALL")
    assert ways.values.tolist() == [["unknown", "random", 12], ["unknown", "risk", 12], ["unknown", "unknown", 34]]
    towns = county.query("SELECT county_name FROM towns")["county_name"].tolist()
    assert towns == ["白沙县"] * 3


def test_limits_are_read_as_printed(county: Workspace) -> None:
    found = county.query("SELECT DISTINCT item_name, item_no, lower_limit, upper_limit FROM items ORDER BY item_no")
    assert found.astype(object).where(found.notna(), None).values.tolist() == [
        ["断裂强度", 1, 3.3, None], ["含油率", 2, 1.0, 2.0],
    ]  # fmt: skip


def test_yearly_totals_are_history_and_enter_no_estimate(county: Workspace) -> None:
    from qbase.figures import plot_trend
    from qbase.trends import estimate_rate

    panel = build_panel(county, "D1.batch", entity="cluster_id")
    history = read_history(county, panel)
    assert history.of(None).values.tolist() == [[2020, 60, 45], [2021, 120, 105]]
    with_totals, without = (estimate_rate(panel, "D1.batch", history=h) for h in (history, None))
    assert [e.value for e in with_totals.estimates] == [e.value for e in without.estimates]
    assert [c.name for c in with_totals.checks if c.name == "history"] == ["history"]
    figure = plot_trend(with_totals)
    assert "75.0% in 2020; 87.5% in 2021" in figure.alt.en
    assert figure.table.rows[0][1:4] == ("60", "45", "75.0")
    assert "2020" not in plot_trend(without).alt.en


def test_names_nobody_accepted_are_not_invented(tmp_path: pathlib.Path, files: list[pathlib.Path]) -> None:
    home = Workspace.create(tmp_path / "ws")
    (asked,) = load(home, [files[4]])
    assert asked.error is not None
    assert (asked.error["code"], asked.error["fix"]) == ("QB360", f'qbase load FILE --accept "{NEW_TOWNS}"')
    (refused,) = load(home, [files[4]], reject=[NEW_TOWNS])
    assert (refused.verdict, refused.accepted) == ("WARN", 29)
    assert "town_code:town_not_known 29" in refused.warnings
    assert not home.has_table("towns")


@pytest.mark.shared
def test_the_five_files_of_the_county_give_its_right_panel(tmp_path: pathlib.Path, shared_data: pathlib.Path) -> None:
    folder = shared_data / "cases" / "county"
    if not folder.is_dir():
        pytest.skip("../shared/data has no cases/county")
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".xlsx", ".csv") and path.name != "right.csv"]
    home = Workspace.create(tmp_path / "ws")
    asked = load(home, files)
    questions = {flag for r in asked if r.error for flag in r.error["fix"].split('"')[1::2]}
    assert questions == {
        "towns:梧村街道+棹湾镇+河口镇+石桥镇", "clusters:河口镇 28+梧村街道 28+石桥镇 28+棹湾镇 28",
    }  # fmt: skip
    reports = load(home, files, accept=questions)
    assert {(r.verdict, r.quarantined) for r in reports} <= {("OK", 0), ("WARN", 0)}
    with (folder / "right.csv").open(encoding="utf-8") as file:
        right = {(r["town"], r["q"]): (int(r["n"]), int(r["k"]), int(r["firms"])) for r in csv.DictReader(file)}
    assert counted(home, "town_code") == counted(home, "cluster_id") == right
