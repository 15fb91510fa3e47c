"""Commits, snapshots, sources."""

from __future__ import annotations

import datetime
import hashlib

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from qbase.core import DataError, SetupError, Source, UsageError
from qbase.lake import Delivery, Snapshot

BOTH = pytest.mark.parametrize("workspace", ["file", "server"], indirect=True)
"""A test that the ledger passes whichever keeps it."""


def delivery(name="a", **facts):
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return Delivery(**{"sha256": sha256, "file_name": f"{name}.csv", "table": "t", "verdict": "OK", **facts})


def rows(*values, **columns):
    return pa.table({"v": pa.array(values, pa.int64()), **columns})


def values(workspace, table="t", snapshot=None):
    return workspace.query(f"SELECT v FROM {table} ORDER BY v", snapshot=snapshot)["v"].tolist()  # noqa: S608


@BOTH
def test_an_empty_workspace_reads_as_empty_and_stays_empty(workspace):
    assert workspace.snapshot() == Snapshot() == workspace.snapshot("S0000")
    assert workspace.tables() == []
    assert not workspace.has_table("t")
    assert len(workspace.deliveries()) == 0
    assert "reasons" in workspace.deliveries().columns
    assert workspace.query("SELECT 1 AS one")["one"].tolist() == [1]
    assert not workspace.ledger.exists()


@BOTH
def test_every_commit_is_a_snapshot_and_old_ones_stay_readable(workspace):
    first = workspace.commit(delivery("a"), {"t": rows(1, 2), "set_aside": rows()})
    second = workspace.commit(delivery("b"), {"t": rows(3)})
    assert (first.id, second.id) == ("S0001", "S0002")
    assert second == workspace.snapshot() == workspace.snapshot("S0002")
    assert second.delivery == delivery("b").sha256
    assert second.versions["set_aside"] == first.versions["set_aside"]
    assert datetime.datetime.fromisoformat(second.created_at).tzinfo is not None
    assert values(workspace) == [1, 2, 3]
    assert values(workspace, snapshot="S0001") == values(workspace, snapshot=first) == [1, 2]
    assert values(workspace, "set_aside") == []
    assert workspace.tables() == ["set_aside", "t"]
    assert workspace.tables("S0000") == []
    assert workspace.has_table("t", "S0001")


@BOTH
def test_the_same_delivery_twice_changes_nothing(workspace):
    first = workspace.commit(delivery("a"), {"t": rows(1)})
    workspace.commit(delivery("b"), {"t": rows(2)})
    assert workspace.commit(delivery("a", recipe="other"), {"t": rows(1), "u": rows(9)}) == first
    assert values(workspace) == [1, 2]
    assert workspace.tables() == ["t"]
    assert len(workspace.deliveries()) == 2


@BOTH
def test_a_rejected_delivery_is_recorded_and_may_come_again(workspace):
    rejected = delivery("a", verdict="REJECTED", table="", warnings=("no header",))
    assert workspace.commit(rejected, {}) == Snapshot()
    assert workspace.snapshot() == Snapshot()
    assert workspace.deliveries()["verdict"].tolist() == ["REJECTED"]
    assert workspace.commit(delivery("a"), {"t": rows(1)}).id == "S0001"
    assert values(workspace) == [1]
    listed = workspace.deliveries()
    assert listed["snapshot"].tolist() == ["S0000", "S0001"]
    assert listed["warnings"].tolist() == [["no header"], []]


@BOTH
def test_deliveries_carry_their_accounting(workspace):
    counts = {"rows_seen": 6, "listed": 1, "accepted": 3, "quarantined": 2}
    workspace.commit(
        delivery("a", recipe="r", **counts, reasons={"合计行": 1, "uscc:check": 2}),
        {"t": rows(1, 2, 3), "s": rows(4, 5)},
    )
    row = workspace.deliveries().iloc[0]
    assert {k: row[k] for k in counts} == counts
    assert row["reasons"] == {"合计行": 1, "uscc:check": 2}
    assert row["tables"] == {"s": 2, "t": 3}


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"rows_seen": 3, "accepted": 2}, "QB225"),
        ({"rows_seen": 0, "accepted": 1, "quarantined": -1}, "QB225"),
        ({"sha256": "abc"}, "QB226"),
        ({"verdict": "FINE"}, "QB226"),
    ],
)
def test_a_delivery_that_does_not_add_up_is_refused(facts, code):
    with pytest.raises(DataError) as caught:
        delivery("a", **facts)
    assert caught.value.code == code


@BOTH
def test_the_source_of_a_table_is_its_latest_delivery(workspace):
    workspace.commit(delivery("a", producer="甲局", licence="L", retrieved_on="2022-08-10"), {"t": rows(1)})
    workspace.commit(delivery("b", producer="乙局"), {"u": rows(1), "t": rows()})
    assert workspace.source("t") == Source(
        path="t",
        sha256=delivery("a").sha256,
        producer="甲局",
        licence="L",
        retrieved_on="2022-08-10",
        snapshot="S0002",
    )
    assert workspace.source("t", "S0001").snapshot == "S0001"
    with pytest.raises(DataError, match="QB232"):
        workspace.source("u", "S0001")


def test_optional_columns_may_be_added_and_left_out(workspace):
    workspace.commit(delivery("a"), {"t": rows(1)})
    workspace.commit(delivery("b"), {"t": rows(2, w=["x"])})
    workspace.commit(delivery("c"), {"t": pa.table({"w": ["y"]})})
    frame = workspace.query("SELECT v, w FROM t ORDER BY v NULLS LAST")
    assert frame["v"].fillna(-1).tolist() == [1, 2, -1]
    assert frame["w"].fillna("").tolist() == ["", "x", "y"]
    assert workspace.query("SELECT * FROM t", snapshot="S0001").columns.tolist() == ["v"]
    assert workspace.query("SELECT * FROM t", snapshot="S0002").columns.tolist() == ["v", "w"]


def test_a_table_born_empty_can_be_filled_and_evolve(workspace):
    workspace.commit(delivery("a"), {"t": rows(w=pa.array([], pa.string()))})
    workspace.commit(delivery("b"), {"t": rows(1)})
    assert workspace.query("SELECT v, w FROM t").fillna("").to_numpy().tolist() == [[1, ""]]


def test_a_column_keeps_its_type(workspace):
    workspace.commit(delivery("a"), {"t": rows(1)})
    with pytest.raises(DataError) as caught:
        workspace.commit(delivery("b"), {"s": rows(5), "t": pa.table({"v": ["x"]})})
    assert (caught.value.code, caught.value.found, caught.value.expected) == ("QB221", "v: string", "v: int64")
    assert workspace.snapshot().id == "S0001"
    assert workspace.tables() == ["t"]
    workspace.commit(delivery("c"), {"s": rows(6), "t": pa.table({"v": pa.nulls(1)})})
    assert values(workspace, "s") == [6]


def test_types_of_any_width_come_in(workspace):
    given = {
        "i": pa.array([1], pa.int8()),
        "f": pa.array([1.5], pa.float32()),
        "s": pa.array(["x"], pa.large_string()),
        "d": pa.array(["x"]).dictionary_encode(),
        "n": pa.nulls(1),
        "day": pa.array([datetime.date(2022, 8, 10)]),
        "moment": pa.array([datetime.datetime(2022, 8, 10, tzinfo=datetime.UTC)], pa.timestamp("ns", "UTC")),
        "b": [True],
    }
    workspace.commit(delivery("a"), {"t": pa.table(given)})
    workspace.commit(delivery("b"), {"t": pa.RecordBatchReader.from_batches(*_stream(given))})
    table = workspace.arrow("SELECT * FROM t")
    assert table.num_rows == 2
    assert [str(f.type) for f in table.schema] == [
        "int64", "double", "string", "string", "string", "date32[day]", "timestamp[us, tz=UTC]", "bool",
    ]  # fmt: skip
    assert workspace.deliveries()["tables"].tolist() == [{"t": 1}, {"t": 1}]
    assert str(workspace.query("SELECT moment FROM t")["moment"].dt.tz) in ("UTC", "Etc/UTC")


def _stream(given):
    table = pa.table(given)
    return table.schema, table.to_batches()


@pytest.mark.parametrize("name", ["", "../x", "T", "a-b", "a b", "1a", "_x", "a" * 64])
def test_table_names_are_plain(workspace, name):
    with pytest.raises(DataError, match="QB220"):
        workspace.commit(delivery("a"), {name: rows(1)})


@BOTH
def test_unknown_snapshots_say_which_there_are(workspace):
    workspace.commit(delivery("a"), {"t": rows(1)})
    for wrong in ("S0002", "S1", "0001", "", "S", "latest", "S٣"):
        with pytest.raises(UsageError) as caught:
            workspace.snapshot(wrong)
        assert (caught.value.code, caught.value.expected) == ("QB209", "S0000 to S0001")


def test_delta_commits_carry_the_delivery(workspace):
    workspace.commit(delivery("a"), {"t": rows(1)})
    table = DeltaTable(workspace.lake / "t")
    assert table.transaction_version(delivery("a").sha256) == 1
    assert table.history(1)[0]["qbase_delivery"] == delivery("a").sha256


def test_a_commit_from_outside_is_not_seen_and_does_not_come_back(workspace):
    workspace.commit(delivery("a"), {"t": rows(1)})
    write_deltalake(workspace.lake / "t", rows(666), mode="append")
    write_deltalake(workspace.lake / "u", pa.table({"other": ["x"]}), mode="append")
    assert values(workspace) == [1]
    assert workspace.tables() == ["t"]
    workspace.commit(delivery("b"), {"t": rows(2), "u": rows(7)})
    assert values(workspace) == [1, 2]
    assert values(workspace, "u") == [7]


@pytest.mark.parametrize(
    ("configuration", "feature"),
    [
        ({"delta.enableDeletionVectors": "true"}, "deletionVectors"),
        ({"delta.columnMapping.mode": "name"}, "columnMapping"),
        (None, "partitions"),
    ],
)
def test_tables_that_would_be_misread_are_refused(workspace, configuration, feature):
    snapshot = workspace.commit(delivery("a"), {"t": rows(1)})
    folder = workspace.lake / "t"
    _forge(folder, configuration)
    with pytest.raises(DataError) as caught:
        workspace.query("SELECT * FROM t", snapshot=snapshot)
    assert caught.value.code == "QB222"
    assert feature in caught.value.found


def _forge(folder, configuration):
    """Rewrite the first log entry as another program could have written it."""
    import json

    log = folder / "_delta_log" / "00000000000000000000.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "metaData" in line and configuration:
            line["metaData"]["configuration"] = configuration
        elif "metaData" in line:
            line["metaData"]["partitionColumns"] = ["v"]
        if "add" in line and not configuration:
            line["add"]["partitionValues"] = {"v": "1"}
    log.write_text("\n".join(json.dumps(line) for line in lines))


@BOTH
def test_a_lake_older_than_its_ledger_is_an_error_of_the_setup(workspace):
    workspace.commit(delivery("a"), {"t": rows(1)})
    workspace.commit(delivery("b"), {"t": rows(2)})
    (workspace.lake / "t" / "_delta_log" / "00000000000000000001.json").unlink()
    for act in (lambda: values(workspace), lambda: workspace.commit(delivery("c"), {"t": rows(3)})):
        with pytest.raises(SetupError) as caught:
            act()
        assert caught.value.code == "QB223"
    assert values(workspace, snapshot="S0001") == [1]


def test_a_missing_file_is_an_error_of_the_setup(workspace):
    workspace.commit(delivery("a"), {"t": rows(1)})
    next((workspace.lake / "t").glob("*.parquet")).unlink()
    with pytest.raises(SetupError) as caught:
        values(workspace)
    assert caught.value.code == "QB223"


def test_a_lake_on_another_disk_behind_a_link(workspace, tmp_path_factory):
    other = tmp_path_factory.mktemp("disk")
    workspace.lake.rmdir()
    workspace.lake.symlink_to(other, target_is_directory=True)
    workspace.commit(delivery("a"), {"t": rows(1)})
    assert values(workspace) == [1]
    assert (other / "t").is_dir()


@BOTH
def test_deliveries_committed_together_share_a_snapshot_and_keep_their_entries(workspace):
    workspace.commit(delivery("old"), {"t": rows(0)})
    refused = delivery("x", verdict="REJECTED", table="", reasons={"QB320": 1})
    brought = [
        (delivery("a"), {"t": rows(1, 2), "u": rows(7)}),
        (refused, {}),
        (delivery("old"), {"t": rows(0)}),
        (delivery("b"), {"t": rows(3, w=["x"]), "s": rows()}),
    ]
    made = workspace.commit_together(brought)
    assert [(at.id, at.is_new) for at in made] == [
        ("S0002", True), ("S0002", True), ("S0001", False), ("S0002", True),
    ]  # fmt: skip
    assert made[0] == workspace.snapshot()
    assert made[0].delivery == delivery("b").sha256
    assert values(workspace) == [0, 1, 2, 3]
    assert values(workspace, snapshot="S0001") == [0]
    listed = workspace.deliveries()
    assert listed["file_name"].tolist() == ["old.csv", "a.csv", "x.csv", "b.csv"]
    assert listed["snapshot"].tolist() == ["S0001", "S0002", "S0002", "S0002"]
    assert listed["tables"].tolist() == [{"t": 1}, {"t": 2, "u": 1}, {}, {"s": 0, "t": 1}]
    assert [workspace.source(table).sha256 for table in "tu"] == [delivery("b").sha256, delivery("a").sha256]
    table = DeltaTable(workspace.lake / "t")
    assert [table.transaction_version(delivery(name).sha256) for name in ("old", "a", "b")] == [1, 2, 2]
    assert table.version() == 1
    assert [at.is_new for at in workspace.commit_together(brought)] == [False] * 4
    assert len(workspace.deliveries()) == 4


@BOTH
def test_one_bad_delivery_keeps_all_of_its_commit_out(workspace):
    workspace.commit(delivery("old"), {"t": rows(0)})
    with pytest.raises(DataError, match="QB221"):
        workspace.commit_together([(delivery("a"), {"t": rows(1)}), (delivery("b"), {"t": pa.table({"v": ["x"]})})])
    with pytest.raises(DataError, match="QB221"):
        workspace.commit_together([(delivery("a"), {"u": rows(1)}), (delivery("b"), {"u": pa.table({"v": ["x"]})})])
    lost = delivery("b", replaces=(delivery("c").sha256,))
    with pytest.raises(UsageError, match="QB213"):
        workspace.commit_together([(delivery("a"), {"t": rows(1)}), (lost, {"t": rows(2)})])
    assert (values(workspace), workspace.tables(), len(workspace.deliveries())) == ([0], ["t"], 1)


def test_a_column_without_a_type_takes_that_of_a_later_part(workspace):
    parts = [
        (delivery(name), {"t": pa.table({"v": cells, "w": ["x"]})}) for name, cells in (("a", pa.nulls(1)), ("b", [1]))
    ]
    workspace.commit_together(parts)
    frame = workspace.query("SELECT * FROM t ORDER BY v NULLS LAST")
    assert (frame.columns.tolist(), frame["v"].fillna(-1).tolist()) == (["v", "w"], [1, -1])


@BOTH
def test_a_commit_asks_under_the_lock_whether_the_deliveries_still_fit(workspace):
    workspace.commit(delivery("old"), {"t": rows(0)})
    asked = []

    def check(at, new):
        asked.append((at.id, sorted(new)))
        return len(asked) > 1

    brought = [(delivery("old"), {"t": rows(0)}), (delivery("a"), {"t": rows(1)})]
    assert workspace.commit_together(brought, check=check) == []
    assert (values(workspace), workspace.snapshot().id) == ([0], "S0001")
    assert [at.id for at in workspace.commit_together(brought, check=check)] == ["S0001", "S0002"]
    assert [at.id for at in workspace.commit_together(brought, check=check)] == ["S0001", "S0002"]
    assert asked == [("S0001", [delivery("a").sha256])] * 2


@BOTH
def test_deliveries_committed_together_may_replace_others(workspace):
    for name, number in (("a", 1), ("b", 2), ("z", 9)):
        workspace.commit(delivery(name), {"t": origin(name, number), "u": origin(name, number)})
    new = [delivery(name.upper(), replaces=(delivery(name).sha256,)) for name in "ab"]
    workspace.commit_together([(d, {"t": origin(d.file_name[0], 10)}) for d in new])
    assert (values(workspace), values(workspace, "u")) == ([9, 10, 10], [9])
    assert values(workspace, snapshot="S0003") == values(workspace, "u", "S0003") == [1, 2, 9]
    assert workspace.deliveries()["tables"].tolist() == [{"t": 1, "u": 1}, {"t": 1, "u": 0}, {"t": 1, "u": 0}]


def origin(name, *numbers):
    return rows(*numbers, delivery_sha256=[delivery(name).sha256] * len(numbers))


def test_checkpoints_bound_the_log_and_old_snapshots_stay_readable(workspace, monkeypatch):
    monkeypatch.setattr("qbase.lake.storage.delta_tables.CHECKPOINT_EVERY", 3)
    for number in range(8):
        if number == 5:  # what a killed load left is undone first: its commits count as well
            write_deltalake(workspace.lake / "t", rows(666), mode="append")
        workspace.commit(delivery(str(number)), {"t": rows(number)})
    log = workspace.lake / "t" / "_delta_log"
    assert sorted(int(path.name[:20]) for path in log.glob("*.checkpoint.parquet")) == [3, 7, 9]
    assert len(list(log.glob("*.json"))) == 10
    assert values(workspace) == list(range(8))
    for number in range(8):
        assert values(workspace, snapshot=f"S{number + 1:04d}") == list(range(number + 1))
    table = DeltaTable(workspace.lake / "t")
    assert [table.transaction_version(delivery(str(n)).sha256) for n in range(8)] == list(range(1, 9))
