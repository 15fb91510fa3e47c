"""What a file's name decides about its rows belongs to the identity of the delivery; other names change nothing."""

from __future__ import annotations

import pathlib

import pytest

from qbase.intake import LoadReport, load_files, retry_quarantine
from qbase.intake.loading.named_bytes import list_said
from qbase.intake.recipes.recipe_toml import parse_recipe
from qbase.lake import Workspace
from tests.unit.intake.test_workbook_packages import HEAD, TOWN, batch, town

QUARTERS = "季度,化纤出厂价格指数,原油价格指数,精对苯二甲酸价格指数,出口指数\n一季度,101,1,1,1\n二季度,102,1,1,1\n"
BATCHES = "\n".join(",".join(row) for row in (HEAD, batch(1), batch(2, "不合格"))) + "\n"
YEARBOOK = "\n".join(",".join(map(str, row)) for row in (TOWN, town(2022, 20))) + "\n"


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def load(home: Workspace, name: str, text: str = QUARTERS, **options: object) -> LoadReport:
    path = home.root / name
    path.write_text(text, "utf-8")
    (report,) = load_files(home, [path], **options)  # type: ignore[arg-type]
    return report


def quarters(home: Workspace) -> list[str]:
    return home.query("SELECT quarter FROM macro ORDER BY 1")["quarter"].tolist()


def test_the_same_bytes_under_another_years_name_are_another_delivery(home: Workspace) -> None:
    first, second = load(home, "2022年宏观.csv"), load(home, "2023年宏观.csv")
    assert (second.already, second.accepted) == (False, 2)
    assert first.sha256 != second.sha256
    assert quarters(home) == ["2022Q1", "2022Q2", "2023Q1", "2023Q2"]
    again = [load(home, name) for name in ("2022年宏观.csv", "2023年宏观.csv", "2023年宏观 (1).csv", "宏观2022年.csv")]
    assert [report.already for report in again] == [True] * 4
    assert [report.sha256 for report in again] == [first.sha256, second.sha256, second.sha256, first.sha256]
    assert len(home.deliveries(every=True)) == 2


def test_both_come_back_from_the_deliveries_as_received(home: Workspace, tmp_path: pathlib.Path) -> None:
    load(home, "2022年宏观.csv")
    load(home, "2023年宏观.csv")
    anew = Workspace.create(tmp_path / "anew")
    assert [report.accepted for report in load_files(anew, home.raw)] == [2, 2]
    assert quarters(anew) == quarters(home)
    assert [report.already for report in load_files(home, home.raw)] == [True, True]


def test_both_in_one_call(home: Workspace) -> None:
    paths = [home.root / name for name in ("2022年宏观.csv", "2023年宏观.csv", "2023年宏观(副本).csv")]
    for path in paths:
        path.write_text(QUARTERS, "utf-8")
    assert [report.already for report in load_files(home, paths)] == [False, False, True]
    assert len(quarters(home)) == 4


@pytest.mark.parametrize("text", [BATCHES, QUARTERS.replace("一季", "2021年一季").replace("二季", "2021年二季")])
def test_a_year_that_decides_nothing_makes_no_other_delivery(home: Workspace, text: str) -> None:
    assert not load(home, "抽查2022年.csv", text).already
    assert load(home, "抽查2023年.csv", text).already
    assert load(home, "抽查.csv", text).already


def test_a_name_with_a_year_after_one_without(home: Workspace) -> None:
    assert load(home, "宏观.csv").accepted == 0
    assert load(home, "2022年宏观.csv").accepted == 2
    assert quarters(home) == ["2022Q1", "2022Q2"]


def test_another_units_name_is_no_repetition_in_silence(home: Workspace) -> None:
    text = YEARBOOK.replace("539913", "53.9913")
    assert load(home, "年报_亿元.csv", text).accepted == 1
    other = load(home, "年报_万元.csv", text)
    assert (other.already, other.accepted, other.quarantined) == (False, 0, 1)
    assert home.query("SELECT output_wan_cny AS g FROM town_year")["g"].astype(float).tolist() == [539913.0]


def test_one_may_take_the_place_of_the_other_and_be_read_again(home: Workspace) -> None:
    wrong = load(home, "2022年宏观.csv")
    right = load(home, "2023年宏观.csv", supersedes=wrong.sha256)
    assert right.accepted == 2
    assert quarters(home) == ["2023Q1", "2023Q2"]
    load(home, "2024年宏观.csv", QUARTERS + "五季度,1,1,1,1\n")
    second = load(home, "2025年宏观.csv", QUARTERS + "五季度,1,1,1,1\n")
    retry_quarantine(home, second.sha256)
    assert quarters(home) == ["2023Q1", "2023Q2", "2024Q1", "2024Q2", "2025Q1", "2025Q2"]


def test_what_a_name_says() -> None:
    plan = parse_recipe(b'name = "r"\ntable = "macro"\n[from_file]\nquarter = "_([0-9])q"\n', origin="r")
    assert list_said("2022年_3q_亿元.csv", plan) == ("2022", "亿元", "3")
    assert list_said("x.csv", plan) == ("",)
