"""A county's own files, as its offices write them: they load as they are, and the panel is counted by hand."""

from __future__ import annotations

import csv
import itertools
import pathlib
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from qbase.indicators import build_panel, read_coverage, read_history
from qbase.intake import LoadReport, load_files
from qbase.lake import Workspace
from tests.reference.county_files import MAKERS, TOWNS, total_of, truth

NEW_TOWNS = "towns:" + "+".join(sorted(TOWNS))


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
    from qbase.trends import estimate_level

    panel = build_panel(county, "D1.batch", entity="cluster_id")
    history = read_history(county, panel)
    assert history.of(None).values.tolist() == [[2020, 60, 45], [2021, 120, 105]]
    for place in panel.entities:
        town = panel.label(place).zh.removesuffix("化纤产业集群")
        own = [[year, total_of(n)[town], total_of(n)[town] - 5] for year, n in ((2020, 20), (2021, 40))]
        assert history.of(place).values.tolist() == own
        drawn = estimate_level(panel, "D1.batch", entity=place, history=history).tables["history"]
        assert drawn[["year", "n", "k"]].values.tolist() == own
        assert drawn["rate_pct"].tolist() == [100 * k / n for _, n, k in own]
    with_totals, without = (estimate_level(panel, "D1.batch", history=h) for h in (history, None))
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
