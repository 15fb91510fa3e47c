"""Cells: what sorting adds on one machine is what the SQL of the workers adds."""

from __future__ import annotations

import datetime
import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from qbase.compute import open_files, query_files
from qbase.indicators import Design, build_panel
from qbase.indicators.catalogue.indicator_rows import read_sql
from qbase.indicators.cells.batch_counts import row_parts
from qbase.indicators.cells.inspection_window import open_rows
from qbase.indicators.cells.sorted_runs import sum_batches
from qbase.indicators.cells.strata import by_firm_parts, read_strata
from qbase.lake import Delivery, Workspace

FIRMS = {
    "firm_id": [f"F{i}" for i in range(40)],
    "uscc": [f"U{i}" for i in range(40)],
    "firm_name": [f"厂{i % 38}" for i in range(40)],
    "cluster_id": [f"K{i % 6}" for i in range(40)],
    "town_code": [f"T{i % 4}" for i in range(40)],
}


def commit(workspace: Workspace, name: str, tables: dict[str, pa.Table]) -> None:
    rows = sum(t.num_rows for t in tables.values())
    sha = hashlib.sha256(name.encode()).hexdigest()
    delivery = Delivery(sha256=sha, file_name=name, table="inspections", verdict="OK", rows_seen=rows, accepted=rows)
    workspace.commit(delivery, tables)


def inspections(seed: int, rows: int) -> pa.Table:
    """Every fate and way, repeated firms, strangers, missing codes, towns printed and not."""
    rng = np.random.default_rng(seed)
    firm = rng.integers(0, 60, rows)  # a third is in no register
    start = datetime.date(2023, 1, 1)
    return pa.table(
        {
            "sample_no": [f"S{seed}-{i}" for i in range(rows)],
            "sample_date": [start + datetime.timedelta(days=int(d)) for d in rng.integers(0, 700, rows)],
            "sample_type": pa.array(
                rng.choice(np.array(["random", "risk", "special", "complaint", "followup", None], dtype=object), rows)
            ),
            "uscc": pa.array(np.where(rng.random(rows) < 0.3, None, [f"U{i}" for i in firm]), pa.string()),
            "firm_code": pa.array(np.where(rng.random(rows) < 0.1, [f"F{i}" for i in firm], None), pa.string()),
            "firm_name": [f"厂{i}" for i in firm],
            "town_code": pa.array(np.where(rng.random(rows) < 0.5, [f"T{i % 9}" for i in firm], None), pa.string()),
            "result": rng.choice(["pass", "pass", "fail"], rows),
            "is_recheck": rng.random(rows) < 0.1,
            "appeal_result": pa.array(np.where(rng.random(rows) < 0.05, "overturned", None), pa.string()),
        }
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("cells"))
    commit(made, "firms", {"firms": pa.table(FIRMS)})
    for seed in range(3):
        commit(made, f"part {seed}", {"inspections": inspections(seed, 1500)})
    return made


@pytest.fixture(scope="module")
def classed(tmp_path_factory) -> Workspace:
    """Classes printed and not, sizes of the register where none is printed, some chances on record."""
    made = Workspace.create(tmp_path_factory.mktemp("classed"))
    sizes = [("large", "medium", None)[i % 3] for i in range(40)]
    commit(made, "firms", {"firms": pa.table({**FIRMS, "size_class": sizes})})
    rows = inspections(7, 3000)
    rng = np.random.default_rng(7)
    draw = {
        "risk_class": np.where(rng.random(3000) < 0.1, None, rng.choice(["A", "B"], 3000)),
        "size_class": np.where(rng.random(3000) < 0.5, None, "small"),
        "inclusion_probability": np.where(rng.random(3000) < 0.5, None, rng.choice([0.1, 0.25], 3000)),
    }
    for name, values in draw.items():
        rows = rows.append_column(name, pa.array(values, pa.float64() if "prob" in name else pa.string()))
    commit(made, "part", {"inspections": rows})
    return made


@pytest.mark.parametrize("entity", ["cluster_id", "firm_id", "town_code"])
@pytest.mark.parametrize("freq", ["Q", "A"])
def test_sorting_and_sql_add_the_same_cells(workspace, monkeypatch, entity, freq):
    sorted_ones = build_panel(workspace, ["D1.batch", "D1.firm"], entity=entity, freq=freq)
    monkeypatch.setattr("qbase.indicators.cells.batch_counts.sum_batches", lambda rows, columns: None)
    grouped = build_panel(workspace, ["D1.batch", "D1.firm"], entity=entity, freq=freq)
    pd.testing.assert_frame_equal(sorted_ones.data, grouped.data, check_exact=True)
    pd.testing.assert_frame_equal(sorted_ones.cells, grouped.cells, check_exact=True)
    assert sorted_ones.cells["n"].sum() == sorted_ones.data["D1.batch__n"].sum()
    assert set(sorted_ones.cells["stratum"]) == {"random", "risk", "special", "other"}


@pytest.mark.parametrize("entity", ["cluster_id", "firm_id", "town_code"])
@pytest.mark.parametrize("freq", ["Q", "A"])
def test_strata_sorted_and_grouped_are_the_same(classed, monkeypatch, entity, freq):
    sorted_ones = build_panel(classed, ["D1.batch", "D1.firm"], entity=entity, freq=freq, sampling="random_draw")
    monkeypatch.setattr("qbase.indicators.cells.strata.add_rows", lambda *given: None)
    grouped = build_panel(classed, ["D1.batch", "D1.firm"], entity=entity, freq=freq, sampling="random_draw")
    pd.testing.assert_frame_equal(sorted_ones.data, grouped.data, check_exact=True)
    pd.testing.assert_frame_equal(sorted_ones.cells, grouped.cells, check_exact=True)
    assert {"A-large", "B-small", "unknown"} <= set(sorted_ones.cells["stratum"])


def test_sums_of_squares_are_those_counted_by_hand(classed):
    window = {"snapshot": None, "first": None, "last": None}
    rows = open_rows(classed, entity="cluster_id", freq="A", **window)
    parts = by_firm_parts(rows, Design())
    firms = query_files(rows.shard_query(read_sql("by_firm"), "SELECT * FROM by_firm", parts=parts)).to_pandas()
    found = read_strata(rows, Design())
    assert found["n"].sum() == firms["n"].sum()
    assert found["sum_nn"].sum() == (firms["n"] ** 2).sum()
    assert found["sum_kk"].sum() == pytest.approx((firms["k"] ** 2 / firms["n"]).sum(), rel=1e-13)
    assert found["random_sum_kk"].sum() == pytest.approx((firms["k_random"] ** 2 / firms["n_random"]).sum(), rel=1e-13)


def test_cells_are_those_counted_by_hand(workspace):
    window = {"snapshot": None, "first": None, "last": None}
    rows = open_rows(workspace, entity="cluster_id", freq="A", **window)
    batches = rows.workspace.query(
        rows.base_sql() + "SELECT entity, period, firm, sample_type, is_pass FROM counted",  # noqa: S608
        params=(rows.first_day, rows.last_day),
    )
    mine = batches[(batches["entity"] == "K3") & (batches["period"] == "2023-01-01")]
    risk = mine[mine["sample_type"] == "risk"]
    by_firm = sorted(risk.groupby("firm").size(), reverse=True)
    found = rows.tally.sums.set_index(["entity", "period"]).loc[("K3", pd.Timestamp("2023-01-01"))]
    assert (found["n"], found["k"], found["n_firms"]) == (len(mine), mine["is_pass"].sum(), mine["firm"].nunique())
    assert found["n_clean"] == mine.groupby("firm")["is_pass"].all().sum()
    assert (found["risk_n"], found["risk_k"]) == (len(risk), risk["is_pass"].sum())
    assert [found["risk_n_firms"], found["risk_top1"], found["risk_top2"]] == [len(by_firm), *by_firm[:2]]


def test_wide_numbers_and_no_rows_at_all():
    rows = {
        "entity": ["K", "L"], "period": pa.array([0, 90], pa.date32()), "firm_no": pa.array([1, 2**31 - 1], pa.int32()),
        "stranger": pa.nulls(2, pa.string()), "way": pa.array([0, 1], pa.uint8()), "is_pass": [True, False],
    }  # fmt: skip
    table = pa.table(rows)
    assert sum_batches(table) is not None
    many = pa.concat_tables([table.set_column(0, "entity", pa.array([f"a{i}", f"b{i}"])) for i in range(40)])
    days = pa.array(np.arange(80, dtype=np.int32) * 90, pa.int32()).cast(pa.date32())
    assert len(sum_batches(many.set_column(1, "period", days))) == 80
    assert sum_batches(table.slice(0, 0)).empty


def test_a_column_that_no_delivery_had_is_empty_and_no_error(tmp_path):
    made = Workspace.create(tmp_path)
    commit(made, "firms", {"firms": pa.table(FIRMS)})
    commit(made, "part", {"inspections": inspections(1, 50).drop_columns(["firm_code", "appeal_result"])})
    assert len(build_panel(made, "D1.batch").data) > 0


def test_no_join_of_the_count_builds_on_the_inspections(demo_lake):
    # a RIGHT join holds its left side: a nation's eleven million rows did not fit into the memory a count may take
    rows = open_rows(demo_lake, entity="cluster_id", freq="Q", snapshot=None, first=None, last=None)
    query = rows.shard_query(read_sql("firm_rows"), parts=row_parts(rows.entity))
    with open_files(query) as ask:
        plan = "".join(row["explain_value"] for row in ask("EXPLAIN " + query.sql).to_pylist())
    assert "LEFT" in plan
    assert "RIGHT" not in plan
