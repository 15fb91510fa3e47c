"""Counted cells are kept beside the lake: the same panel with and without, and nothing foreign is trusted."""

from __future__ import annotations

import ast
import hashlib
import importlib.resources
import pathlib

import pandas as pd
import pyarrow as pa
import pytest

from qbase.indicators import build_panel
from qbase.indicators.cells import record_fates
from qbase.indicators.kept import kept_counts as kept
from qbase.indicators.kept import kept_values
from qbase.lake import Delivery, Workspace
from tests.unit.indicators.test_cells import FIRMS, commit, inspections


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    monkeypatch.setattr(kept, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(record_fates, "WORTH_SECONDS", 60.0)
    # panels are kept as well, and one that is would not be counted again
    monkeypatch.setattr(kept_values, "_read", lambda folder, key: None)
    monkeypatch.setattr(kept_values, "_write", lambda folder, key, value: None)
    made = Workspace.create(tmp_path)
    commit(made, "firms", {"firms": pa.table(FIRMS)})
    commit(made, "part 0", {"inspections": inspections(0, 400)})
    return made


def files(workspace: Workspace) -> list[pathlib.Path]:
    return sorted((workspace.lake / kept.FOLDER).glob("*"))


def same(a, b) -> None:
    pd.testing.assert_frame_equal(a.data, b.data, check_exact=True)
    pd.testing.assert_frame_equal(a.cells, b.cells, check_exact=True)


@pytest.mark.parametrize("sampling", ["naive", "random_draw"])
@pytest.mark.parametrize("entity", ["cluster_id", "firm_id", "town_code"])
def test_the_panel_is_the_same_counted_and_kept(workspace, monkeypatch, sampling, entity):
    window = {"sampling": sampling, "entity": entity}
    counted = build_panel(workspace, ["D1.batch", "D1.firm"], **window)
    assert len(files(workspace)) == (1 if sampling == "naive" else 2), "weighted: strata, and product families"
    for counting in ("batch_counts", "strata"):
        monkeypatch.delattr(f"qbase.indicators.cells.{counting}.open_files")
    same(counted, build_panel(workspace, ["D1.batch", "D1.firm"], **window))


@pytest.mark.parametrize("sampling", ["naive", "random_draw"])
def test_the_account_is_the_same_counted_and_kept(workspace, monkeypatch, sampling):
    """A window, and firms that are missing: what is outside, what is lost and what is set aside are all kept."""
    monkeypatch.setattr(record_fates, "WORTH_SECONDS", 0.0)
    sha = hashlib.sha256(b"set aside").hexdigest()
    aside = Delivery(
        sha256=sha, file_name="b.csv", table="inspections", verdict="WARN", rows_seen=407, accepted=400, quarantined=7
    )
    rows = inspections(1, 400)
    workspace.commit(aside, {"inspections": rows.append_column("delivery_sha256", pa.array([sha] * 400))})
    window = {"first": "2023Q3", "sampling": sampling}
    counted = build_panel(workspace, "D1.batch", **window).coverage
    assert counted is not None
    assert {"counted", "outside", "no_firm", "quarantined"} <= set(counted.fates)
    monkeypatch.delattr("qbase.indicators.cells.record_fates.open_files")
    assert build_panel(workspace, "D1.batch", **window).coverage == counted
    with pytest.raises(NameError):
        build_panel(workspace, "D1.batch", **window | {"first": "2023Q4"})


def test_what_changes_the_count_has_a_file_of_its_own(workspace):
    build_panel(workspace, "D1.batch")
    before = files(workspace)
    windows = [{"first": "2023Q3"}, {"freq": "A"}, {"entity": "firm_id"}, {"sampling": "random_draw"}]
    for window, count in zip(windows, (2, 3, 4, 6), strict=True):
        build_panel(workspace, "D1.batch", **window)
        assert len(files(workspace)) == count
    build_panel(workspace, "D1.batch")
    assert len(files(workspace)) == 6
    commit(workspace, "part 1", {"inspections": inspections(1, 400)})
    later = build_panel(workspace, "D1.batch")
    assert len(files(workspace)) == 7
    assert (
        later.data["D1.batch__n"].sum() > build_panel(workspace, "D1.batch", snapshot="S0002").data["D1.batch__n"].sum()
    )
    assert len(files(workspace)) == 7
    assert before[0] in files(workspace)


def test_a_new_decision_on_a_firm_is_counted(workspace):
    first = build_panel(workspace, "D1.batch", entity="firm_id")
    rows = workspace.query("SELECT sample_no, uscc, firm_name FROM inspections ORDER BY sample_no LIMIT 50")
    links = {
        "sample_no": rows["sample_no"].tolist(), "uscc_printed": pa.array(rows["uscc"], from_pandas=True),
        "name_printed": rows["firm_name"].tolist(), "firm_id": ["F1"] * 50, "decision_no": list(range(50)),
        "decision": ["accept"] * 50,
    }  # fmt: skip
    commit(workspace, "links", {"identity_links": pa.table(links)})
    second = build_panel(workspace, "D1.batch", entity="firm_id")
    assert len(files(workspace)) == 2
    n = [p.data["D1.batch__n"].groupby("entity").sum()["F1"] for p in (first, second)]
    assert n[1] > n[0]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"", lambda data: data[:900] + b"?" + data[901:]]
)
def test_a_damaged_file_is_counted_anew_and_replaced(workspace, damage):
    counted = build_panel(workspace, "D1.batch")
    (path,) = files(workspace)
    data = path.read_bytes()
    path.write_bytes(damage(data))
    same(counted, build_panel(workspace, "D1.batch"))
    assert [p.read_bytes() for p in files(workspace)] == [data]


def test_a_file_of_other_cells_is_not_trusted(workspace):
    counted = build_panel(workspace, "D1.batch")
    (path,) = files(workspace)
    build_panel(workspace, "D1.batch", freq="A")
    (other,) = set(files(workspace)) - {path}
    path.write_bytes(other.read_bytes())
    same(counted, build_panel(workspace, "D1.batch"))


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_answer(workspace):
    (workspace.lake / kept.FOLDER).write_text("not a folder")
    assert len(build_panel(workspace, "D1.batch").data) > 0


def test_what_was_not_used_for_longest_makes_room(workspace, monkeypatch):
    monkeypatch.setattr(kept, "MOST_FILES", 2)
    build_panel(workspace, "D1.batch")
    (oldest,) = files(workspace)
    build_panel(workspace, "D1.batch", freq="A")
    (newer,) = set(files(workspace)) - {oldest}
    build_panel(workspace, "D1.batch")
    build_panel(workspace, "D1.batch", entity="firm_id")
    assert oldest in files(workspace)
    assert newer not in files(workspace)
    monkeypatch.setattr(kept, "MOST_BYTES", 1)
    build_panel(workspace, "D1.batch", entity="town_code")
    assert len(files(workspace)) == 1


def test_the_lake_does_not_take_the_folder_for_a_table(workspace):
    build_panel(workspace, "D1.batch")
    commit(workspace, "part 2", {"inspections": inspections(2, 10)})
    assert workspace.tables() == ["firms", "inspections"]
    assert len(files(workspace)) == 1


def test_what_is_counted_fast_is_not_kept(workspace, monkeypatch):
    monkeypatch.setattr(kept, "WORTH_SECONDS", 60.0)
    build_panel(workspace, "D1.batch")
    assert files(workspace) == []


def test_all_code_that_counts_is_part_of_the_key():
    """A module of the cells that counts, or that those call to count, is on the list; what is listed exists."""
    folder = pathlib.Path(kept.__file__).parents[1] / "cells"
    counting = {"open_files", "query_files", "query_frames", "add_up", "Files"}
    modules = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in folder.glob("*.py")}
    imported = {
        name: {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        for name, tree in modules.items()
    }
    counters = {name for name, names in imported.items() if names & (counting | {"sum_batches", "count_strata"})}
    assert counters | {"sorted_runs.py"} == set(kept.CODE["qbase.indicators.cells"])
    for package, names in kept.CODE.items():
        for name in names:
            assert (importlib.resources.files(package) / name).is_file()


def test_a_correction_in_the_code_that_counts_gives_other_keys(monkeypatch, tmp_path):
    before = kept._code.__wrapped__()
    for package, names in kept.CODE.items():
        for name in names:
            (tmp_path / package).mkdir(exist_ok=True)
            (tmp_path / package / name).write_bytes((importlib.resources.files(package) / name).read_bytes())
    monkeypatch.setattr(kept.resources, "files", lambda package: tmp_path / package)
    assert kept._code.__wrapped__() == before
    (tmp_path / "qbase.indicators.cells" / "strata.py").write_text("corrected")
    assert kept._code.__wrapped__() != before
