"""Counts by group are those of the panel, cut along what was inspected."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.demo import build_province
from qbase.demo.sending.tidy_files import write_tidy
from qbase.indicators import build_panel, find_group_counts, list_standard_changes, read_group_counts
from qbase.indicators.cells.group_factors import FACTORS
from qbase.intake import load_files
from qbase.lake import Workspace

WINDOW = {"first": "2023Q1", "last": "2024Q4"}


@pytest.fixture(scope="module")
def tables() -> Mapping[str, pd.DataFrame]:
    return build_province("small").tables


@pytest.fixture(scope="module")
def lake(tables: Mapping[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("groups")
    workspace = Workspace.create(home / "home")
    drawn = tables["inspections"]
    drawn = drawn[drawn["sample_date"].astype(str).str[:4].isin(["2023", "2024"])]
    items = tables["items"]
    kept = {"firms": tables["firms"], "clusters": tables["clusters"], "inspections": drawn}
    kept["items"] = items[items["sample_no"].isin(drawn["sample_no"])]
    load_files(workspace, write_tidy(home / "deliveries", kept))
    return workspace


@pytest.mark.parametrize(
    ("outcome", "entity"),
    [("D1.batch", "cluster_id"), ("D1.batch", "firm_id"), ("D1.severe", "cluster_id"), ("D1.label_only", "town_code")],
)
def test_every_factor_cuts_the_same_batches(lake: Workspace, outcome: str, entity: str) -> None:
    counts = read_group_counts(lake, outcome, by=tuple(FACTORS), entity=entity, **WINDOW)
    panel = build_panel(lake, outcome, entity=entity, **WINDOW)
    summed = counts.cells.groupby(["entity", "period"])[["n", "k"]].sum()
    pd.testing.assert_frame_equal(summed, panel.counts(outcome)[["n", "k"]], check_dtype=False)
    assert counts.cells[list(FACTORS)].notna().all(axis=None)


def test_ways_of_drawing_are_those_of_the_panel_and_sizes_those_of_the_strata(lake: Workspace) -> None:
    counts = read_group_counts(lake, "D1.batch", by=("sample_type", "size_class", "items_band"), **WINDOW)
    cells = counts.panel.cells
    directed = cells[cells["sampling"] == "directed"]["n"].sum()
    by_way = counts.cells.groupby("sample_type")["n"].sum()
    assert by_way["random"] == cells[cells["sampling"] == "random"]["n"].sum()
    assert by_way.drop("random").sum() >= directed
    assert set(counts.cells["size_class"]) <= {"large", "medium", "small", "micro"}
    asked = lake.query("SELECT count(*) AS n FROM items GROUP BY sample_no")["n"]
    bands = pd.cut(asked, [0, 4, 9, 1000], labels=["1-4", "5-9", "10+"])
    assert set(counts.cells["items_band"]) == set(bands.dropna())


def test_what_is_not_on_record_is_a_group_and_items_must_be_loaded(tables, tmp_path) -> None:
    workspace = Workspace.create(tmp_path / "home")
    kept = {"firms": tables["firms"], "inspections": tables["inspections"].head(300).drop(columns=["lab_name"])}
    load_files(workspace, write_tidy(tmp_path / "deliveries", kept))
    counts = read_group_counts(workspace, "D1.batch", by="laboratory", entity="firm_id")
    assert set(counts.cells["laboratory"]) == {"unknown"}
    with pytest.raises(DataError, match="QB403"):
        read_group_counts(workspace, "D1.batch", by="items_band", entity="firm_id")


def test_other_words_are_refused(lake: Workspace) -> None:
    with pytest.raises(UsageError, match="QB402"):
        read_group_counts(lake, "D1.batch", by=("colour",))
    with pytest.raises(UsageError, match="QB402"):
        read_group_counts(lake, "D1.firm", by="product")


def test_counts_are_found_behind_a_panel_or_it_is_said_why_not(lake: Workspace) -> None:
    panel = build_panel(lake, "D1.batch", **WINDOW)
    found = find_group_counts(lake, panel, "D1.batch", by=("size_class",), **WINDOW)
    read = read_group_counts(lake, "D1.batch", by=("size_class",), **WINDOW)
    pd.testing.assert_frame_equal(found.cells, read.cells)
    assert not found.missing.zh
    firms = find_group_counts(lake, build_panel(lake, "D1.firm", **WINDOW), "D1.firm", by="size_class", **WINDOW)
    assert firms.cells.empty
    assert "only rates of batches" in firms.missing.en
    weighted = build_panel(lake, "D1.batch", sampling="random_draw", **WINDOW)
    assert "weighted" in find_group_counts(lake, weighted, "D1.batch", by="size_class", **WINDOW).missing.en
    with pytest.raises(UsageError, match="QB402"):
        find_group_counts(lake, panel, "D1.batch", by="colour", **WINDOW)


def test_a_change_of_standard_names_whom_the_panel_follows(lake: Workspace) -> None:
    for entity in ("cluster_id", "town_code"):
        named = {e for event in list_standard_changes(lake, entity=entity) for e in event.entities}
        assert named <= set(build_panel(lake, "D1.batch", entity=entity).entities)
    with pytest.raises(UsageError, match="QB144"):
        list_standard_changes(lake, entity="town")
