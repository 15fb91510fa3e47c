"""Figures of towns go by the division codes of today, as inspections do: a merger breaks no series."""

from __future__ import annotations

import csv
import io
import pathlib
import shutil

import pandas as pd
import pytest

from qbase.core import Policy, Spell, Text
from qbase.effects import choose_controls
from qbase.indicators import build_panel, read_neighbours, read_products
from qbase.intake import load_files
from qbase.lake import Workspace, open_workspace

TOWNS = """town_code,town_name,county_name,valid_from_date,valid_to_date,successor_code
990101001,甲镇,乙县,,2020-12-31,990101009
990101002,丙镇,乙县,,2020-12-31,990101009
990101009,甲丙镇,乙县,2021-01-01,,
990101005,丁镇,乙县,,,
"""
HEAD = [
    "town_code", "year", "output_wan_cny", "value_added_wan_cny", "tax_wan_cny", "staff_count", "park_output_wan_cny",
    "park_area_mu", "works_count", "works_passed_count", "good_air_days", "good_water_share_pct", "service_index",
]  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two towns of 2020 that are one since 2021, with output in parks of 20, 30 and 60 in 100 each."""
    home = Workspace.create(tmp_path_factory.mktemp("renumbered") / "home")
    figures = [
        ("990101001", 2020, 20, 10), ("990101002", 2020, 30, 10), ("990101009", 2021, 60, 20),
        ("990101005", 2020, 40, 5), ("990101005", 2021, 50, 5),
    ]  # fmt: skip
    out = io.StringIO()
    rows = [[code, year, 100, 30, 5, 50, park, area, 10, 9, 300, 90, 70] for code, year, park, area in figures]
    csv.writer(out).writerows([HEAD, *rows])
    clusters = "cluster_id,town_code,industry_code,cluster_name,cluster_name_en\nK1,990101001,2822,涤纶,polyester\n"
    clusters += "K2,990101002,1711,棉纺,cotton\nK3,990101009,2822,化纤,fibre\nK4,990101005,2822,锦纶,nylon\n"
    files = {"towns": TOWNS, "town_year": out.getvalue(), "clusters": clusters}
    for name, text in files.items():
        (home.root / f"{name}.csv").write_text(text, encoding="utf-8")
    reports = load_files(home, [home.root / f"{name}.csv" for name in files])
    assert {report.verdict for report in reports} <= {"OK", "WARN"}, reports
    return home


def series(home: Workspace, entity: str) -> dict[tuple[str, str], float]:
    data = build_panel(home, "W1b.per_mu", entity=entity, freq="A").data  # type: ignore[arg-type]
    values = data["W1b.per_mu"].dropna()
    return {(str(one), str(period)): float(value) for (one, period), value in values.items()}


def test_towns_that_were_merged_have_one_series(lake: Workspace) -> None:
    assert series(lake, "town_code") == pytest.approx(
        {
            ("990101009", "2020"): 50 / 20,
            ("990101009", "2021"): 60 / 20,
            ("990101005", "2020"): 8.0,
            ("990101005", "2021"): 10.0,
        }
    )


def test_a_cluster_registered_under_an_old_code_lies_in_the_town_of_today(lake: Workspace) -> None:
    old = {year: value for (entity, year), value in series(lake, "cluster_id").items() if entity == "K1"}
    assert old == pytest.approx({"2020": 2.5, "2021": 3.0})


def test_the_products_of_a_town_are_those_of_all_it_was_made_of(lake: Workspace) -> None:
    treated = Spell(entity="990101009", start="2021")
    policy = Policy(policy_id="pilot", title=Text("试点", "Pilot"), spells=(treated,))
    products = read_products(lake, policy, entity="town_code")
    assert products.to_numpy().tolist() == [["990101005", "2822"], ["990101009", "1711+2822"]]
    assert set(products["entity"]) == set(build_panel(lake, "W1b.per_mu", entity="town_code", freq="A").entities)


def test_neighbours_are_those_of_towns_that_touch_under_their_codes_of_today(lake: Workspace, tmp_path) -> None:
    assert read_neighbours(lake) is None
    home = shutil.copytree(lake.root, tmp_path / "bordered")
    (home / "borders.csv").write_text("town_code,neighbour_code\n990101005,990101002\n", encoding="utf-8")
    bordered = open_workspace(home)
    assert load_files(bordered, [home / "borders.csv"])[0].verdict == "OK"
    towns, clusters = read_neighbours(bordered, entity="town_code"), read_neighbours(bordered)
    assert towns.to_numpy().tolist() == [["990101005", "990101009"], ["990101009", "990101005"]]
    pairs = {tuple(pair) for pair in clusters.to_numpy()}
    assert pairs == {(a, b) for a in ("K1", "K2", "K3", "K4") for b in ("K1", "K2", "K3", "K4") if a != b}
    assert read_neighbours(bordered, entity="firm_id") is None
    products = pd.DataFrame({"entity": ["K1", "K2", "K3", "K4"], "product": ["2822", "1711", "2822", "2822"]})
    chosen = choose_controls(products, ["K4"], adjacent=clusters)
    assert (chosen.controls, dict(chosen.spillover)) == ((), {"K1": ("K4",), "K3": ("K4",)})


def test_a_lake_without_mergers_asks_nothing_else(tmp_path: pathlib.Path) -> None:
    from qbase.indicators.catalogue.sql_parts import assemble_sql

    plain = assemble_sql("SELECT * FROM @town_figures", entity="town_code", freq="A", base="")
    moved = assemble_sql("SELECT * FROM @town_figures", entity="town_code", freq="A", base="", towns={"1": "2"})
    assert "REPLACE" not in plain
    assert moved.count("REPLACE") == 3, "towns, clusters and the figures"
