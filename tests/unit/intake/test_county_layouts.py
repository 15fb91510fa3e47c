"""Layouts of a county: totals once a year, towns with their county, primes for re-checks, days without a year."""

from __future__ import annotations

import pathlib

import pytest

from qbase.intake.linking.recheck_numbers import split_number
from qbase.intake.recipes.year_of_name import year_of_titles
from qbase.lake import Workspace

from .written_rows import load

HEAD = ["抽样编号", "抽样日期", "企业名称", "产品名称", "检验结果"]
TOWNS = ["towns:乙镇+甲镇"]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def totals(printed: int, label: str, *, year_first: bool) -> list[list[str]]:
    rows = [["甲镇", "2019", "10", "9"], ["乙镇", "2019", "20", "18"], [label, "2019", "30", str(printed)],
            ["甲镇", "2020", "11", "10"], ["乙镇", "2020", "20", "18"], [label, "2020", "31", "28"]]  # fmt: skip
    table = [["乡镇", "年份", "抽查批次", "合格批次"], *rows]
    return [[row[1], row[0], *row[2:]] for row in table] if year_first else table


@pytest.mark.parametrize("label", ["全县合计", "合计", "全县"])
@pytest.mark.parametrize("year_first", [False, True])
def test_a_total_of_every_year_is_that_of_its_own_towns(home: Workspace, label: str, year_first: bool) -> None:
    report = load(home, totals(27, label, year_first=year_first), accept=TOWNS)
    assert (report.accepted, report.listed) == (4, 3)
    assert not [warning for warning in report.warnings if "mismatch" in warning]
    assert report.reasons["total_row"] == 2


@pytest.mark.parametrize("label", ["全县合计", "全县"])
@pytest.mark.parametrize("year_first", [False, True])
def test_a_wrong_total_of_one_year_is_told(home: Workspace, label: str, year_first: bool) -> None:
    report = load(home, totals(26, label, year_first=year_first), accept=TOWNS)
    (told,) = [warning for warning in report.warnings if "mismatch" in warning]
    assert told.endswith((" 合格批次:total_mismatch 26/27", " 合格批次数:total_mismatch 26/27"))
    assert report.reasons["total_row_wrong"] == 1
    assert report.accepted == 4


def test_a_total_of_each_of_two_counties_is_that_of_the_rows_above_it(home: Workspace) -> None:
    rows = [["甲镇", "10", "9"], ["东县合计", "10", "9"], ["乙镇", "20", "18"], ["西县合计", "20", "17"]]
    table = [["年份", "乡镇", "抽查批次", "合格批次"], *(["2019", *cells] for cells in rows)]
    report = load(home, table, accept=TOWNS)
    assert report.accepted == 2
    assert [w for w in report.warnings if "mismatch" in w] == ["西县合计 合格批次数:total_mismatch 17/18"]


@pytest.mark.parametrize("mark", ["′", "’", "'", "-FJ", "（复）", "复检"])
def test_a_prime_marks_a_recheck_beside_its_first_sample(home: Workspace, mark: str) -> None:
    load(home, [HEAD, ["A1", "2023-01-05", "甲厂", "丝", "不合格"], [f"A1{mark}", "2023-03-05", "甲厂", "丝", "合格"]])
    found = home.query("SELECT parent_no FROM inspections WHERE is_recheck")["parent_no"]
    assert found.tolist() == ["A1"]


def test_a_prime_without_its_first_sample_is_no_recheck(home: Workspace) -> None:
    load(home, [HEAD, ["B7′", "2023-03-05", "甲厂", "丝", "合格"]])
    assert home.query("SELECT * FROM inspections WHERE is_recheck").empty
    assert split_number("B7′") == ("B7", False)


def test_a_town_with_its_county_is_the_town_of_the_next_file(home: Workspace) -> None:
    said = ["2022.3.5", "甲厂", "丝", "合格"]
    towns = ["towns:河田镇+石门镇", "towns:石门镇+河田镇"]
    rows = [["A1", *said, "汀州县石门镇"], ["A2", *said, "汀州县河田镇"], ["A3", *said, "河田"]]
    load(home, [[*HEAD, "所在乡镇"], *rows], accept=towns)
    load(home, [[*HEAD, "镇街"], ["A4", *said, "石门镇"]], "b.csv")
    assert home.query("SELECT town_name FROM towns ORDER BY 1")["town_name"].tolist() == ["河田镇", "石门镇"]
    used = home.query("SELECT count(*) AS n FROM inspections GROUP BY town_code ORDER BY 1")["n"]
    assert used.tolist() == [2, 2]


def test_days_without_a_year_take_that_of_the_title(home: Workspace) -> None:
    days = ["2022.3.5", "2022年3月5日", "20220305", "3月5日"]
    rows = [[f"A{i}", day, "甲厂", "丝", "合格"] for i, day in enumerate(days)]
    report = load(home, [["某县2022年监督抽查明细"], HEAD, *rows])
    assert "sample_date:year_from_name 1" in report.warnings
    assert home.query("SELECT DISTINCT sample_date::VARCHAR AS day FROM inspections")["day"].tolist() == ["2022-03-05"]


@pytest.mark.parametrize("titles", [[], ["某县抽查"], ["2022年明细", "2023年1月印发"]])
def test_a_day_without_a_year_is_set_aside_where_no_title_has_one(home: Workspace, titles: list[str]) -> None:
    report = load(home, [*([title] for title in titles), HEAD, ["A1", "3月5日", "甲厂", "丝", "合格"]])
    assert (report.accepted, report.reasons["sample_date:date"]) == (0, 1)
    assert year_of_titles(titles) == ""


def test_a_title_gives_no_year_beside_days_of_another(home: Workspace) -> None:
    rows = [["A1", "2023-01-05", "甲厂", "丝", "合格"], ["A2", "3月5日", "甲厂", "丝", "合格"]]
    report = load(home, [["某县2022年监督抽查明细"], HEAD, *rows])
    assert (report.accepted, report.reasons["sample_date:date"]) == (1, 1)
