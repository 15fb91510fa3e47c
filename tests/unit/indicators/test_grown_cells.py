"""A delivery costs what it brings: kept cells grow by its files, and are those of a count from the beginning."""

from __future__ import annotations

import datetime
import pathlib
import shutil
from typing import Any

import pandas as pd
import pytest

from qbase.compute import ShardQuery
from qbase.core.panel import Panel
from qbase.indicators import Design, build_panel
from qbase.indicators.cells import grown_cells, record_fates
from qbase.indicators.cells.snapshot_files import table_files
from qbase.indicators.kept import kept_counts, kept_values
from qbase.lake import Workspace
from tests.unit.indicators.sampled_lake import directed_sample, draw, firms, frame, put

CLUSTERS = ("K1", "K2", "K3")
WINDOWS: tuple[dict[str, Any], ...] = (
    {},
    {"freq": "H", "entity": "town_code"},
    {"entity": "firm_id", "first": "2024Q2"},
    {"sampling": "random_draw"},
    {"sampling": "post_stratified", "freq": "A"},
)
QUARTERS = tuple(f"{year}Q{q}" for year in (2022, 2023, 2024, 2025) for q in (1, 2, 3, 4))


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(kept_counts, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(record_fates, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(kept_values, "_read", lambda folder, key: None)
    monkeypatch.setattr(kept_values, "_write", lambda folder, key, value: None)
    made = Workspace.create(tmp_path / "home")
    put(made, "firms", firms(*CLUSTERS))
    put(made, "frame", frame(*CLUSTERS, quarters=QUARTERS))
    put(made, "inspections", [row for c in CLUSTERS for year in (2022, 2023, 2024) for row in in_year(c, year)])
    return made


def in_year(cluster: str, year: int) -> list[dict[str, object]]:
    rows = directed_sample(cluster)
    return [{**row, "sample_date": row["sample_date"].replace(year=year)} for row in rows]  # type: ignore[attr-defined]


def late(month: int, *clusters: str) -> list[dict[str, object]]:
    """What a late delivery brings: draws of one quarter, a firm nobody knows, a re-check, and one of long ago."""
    rows = [draw(c, i, month, passed=i % 3 > 0, kind="random" if i % 2 else "risk") for c in clusters for i in range(9)]
    rows.append(draw("K9", 1, month, passed=True, kind="risk"))
    return [*rows, draw("K1", 1, month, passed=True, kind="risk", is_recheck=True)]


def anew(home: Workspace, window: dict[str, Any]) -> Panel:
    shutil.rmtree(home.lake / kept_counts.FOLDER)
    return build_panel(home, ["D1.batch", "D1.firm"], **window)


def same(found: Panel, wanted: Panel) -> None:
    pd.testing.assert_frame_equal(found.data, wanted.data, check_exact=True)
    pd.testing.assert_frame_equal(found.cells, wanted.cells, check_exact=True)
    assert found.coverage == wanted.coverage


@pytest.mark.parametrize("window", WINDOWS, ids=lambda w: "-".join(map(str, w.values())) or "plain")
def test_cells_grown_are_cells_counted(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, window: dict[str, Any]
) -> None:
    build_panel(home, ["D1.batch", "D1.firm"], **window)
    again: list[float] = []
    real = grown_cells.grow_by_period

    def watched(rows: Any, kept: pd.DataFrame, fresh: ShardQuery, *more: Any) -> pd.DataFrame | None:
        grown = real(rows, kept, fresh, *more)
        again.append(len(fresh.tables["inspections"].urls) if grown is not None else 0)
        return grown

    for name in ("batch_counts", "strata"):
        monkeypatch.setattr(f"qbase.indicators.cells.{name}.grow_by_period", watched)
    for part, rows in {"one": late(8, "K2"), "two": [*late(12, "K1"), *in_year("K1", 2025)[:9]]}.items():
        put(home, "inspections", rows, part=part)
        grown = build_panel(home, ["D1.batch", "D1.firm"], **window)
        kept = sorted((home.lake / kept_counts.FOLDER).glob("*"))
        same(grown, anew(home, window))
        # what was counted anew lies where what was grown lay, byte for byte
        assert {path.name for path in kept} >= {path.name for path in (home.lake / kept_counts.FOLDER).glob("*")}
    assert set(again) == {1}


def test_what_would_touch_most_cells_is_counted_from_the_beginning(home: Workspace) -> None:
    build_panel(home, "D1.batch")
    put(home, "inspections", [*in_year("K2", 2022)[:1], *in_year("K2", 2024)[-1:]], part="wide")
    same(build_panel(home, ["D1.batch", "D1.firm"]), anew(home, {}))


def test_a_new_register_or_a_file_taken_back_is_no_growth(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    build_panel(home, "D1.batch")
    monkeypatch.setattr("qbase.indicators.cells.batch_counts.grow_by_period", None)
    put(home, "firms", [{**row, "cluster_id": "K7"} for row in firms("K8")], part="more")
    put(home, "inspections", late(9, "K8"), part="one")
    same(build_panel(home, ["D1.batch", "D1.firm"]), anew(home, {}))
    build_panel(home, "D1.batch", snapshot="S0003")


def test_classes_of_a_base_year_never_grow(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = {"sampling": "post_stratified", "design": Design(classes="fixed", frame="fixed", base_year=2022)}
    build_panel(home, ["D1.batch", "D1.firm"], **fixed)
    monkeypatch.setattr("qbase.indicators.cells.strata.grow_by_period", None)
    changed = {"risk_class": "D", "sample_date": datetime.date(2022, 12, 30)}
    put(home, "inspections", [{**draw("K1", 1, 3, passed=True, kind="risk"), **changed}], part="one")
    same(build_panel(home, ["D1.batch", "D1.firm"], **fixed), anew(home, fixed))


def test_sums_without_a_date_are_added_like_any_other(home: Workspace) -> None:
    files = table_files(home, "inspections", home.snapshot())
    query = ShardQuery(
        sql="SELECT sample_type AS fate, count(*) AS n FROM inspections GROUP BY 1",
        tables={"inspections": files},
    )
    kept = pd.DataFrame({"fate": [None, "risk"], "n": [3, 1]})
    found = grown_cells.grow_by_sum(kept, query).set_index("fate")["n"]
    counted = home.query("SELECT count(*) AS n FROM inspections WHERE sample_type = 'risk'")["n"].iloc[0]
    assert found["risk"] == 1 + counted
    assert found[found.index.isna()].tolist() == [3]
