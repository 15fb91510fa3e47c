"""Questions to a snapshot: what they can read, and what they cannot."""

from __future__ import annotations

import hashlib
import pathlib

import pandas as pd
import pyarrow as pa
import pytest

from qbase.core import DataError, QbaseError, UsageError
from qbase.lake import Delivery, Workspace
from qbase.tables import read_contract


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    workspace = Workspace.create(tmp_path_factory.mktemp("数据 'q' 100%"))
    delivery = Delivery(sha256=hashlib.sha256(b"").hexdigest(), file_name="f", table="firms", verdict="OK")
    firms = pa.table({"firm_id": ["F1", "F2"], "n": [1, None], "名称": ["甲", "乙"]})
    workspace.commit(delivery, {"firms": firms, "towns": pa.table({"town_code": ["990101"]})})
    return workspace


def test_parameters_are_bound(workspace):
    nasty = "x' OR '1'='1"
    assert workspace.query("SELECT * FROM firms WHERE firm_id = ?", params=[nasty]).empty
    assert workspace.query("SELECT n FROM firms WHERE firm_id = $f", params={"f": "F1"})["n"].tolist() == [1]


def test_tables_are_views_by_name(workspace):
    sql = 'SELECT firm_id, "名称" FROM "firms" JOIN Towns ON true ORDER BY 1'
    assert workspace.query(sql).to_numpy().tolist() == [["F1", "甲"], ["F2", "乙"]]
    assert workspace.query("SHOW TABLES")["name"].tolist() == ["firms", "towns"]
    assert workspace.query("FROM firms").columns[:3].tolist() == ["firm_id", "n", "名称"]
    assert workspace.query(
        "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < 3) FROM t"
    ).shape == (3, 1)
    assert workspace.arrow("SELECT n FROM firms ORDER BY firm_id")["n"].to_pylist() == [1, None]


def test_a_column_of_the_contract_that_no_delivery_brought_is_a_typed_null(workspace):
    contract = read_contract("firms")
    given = workspace.arrow("SELECT * FROM firms").schema
    assert set(contract.column_names) | {"n", "名称"} == set(given.names)
    assert given.field("longitude").type == pa.float64()
    assert workspace.arrow("SELECT count(*) AS n FROM firms WHERE cluster_id IS NULL")["n"].to_pylist() == [2]
    # a name that is in no contract is still a mistake
    with pytest.raises(DataError, match="QB230"):
        workspace.query("SELECT cluster FROM firms")


def test_a_table_whose_rows_all_left_keeps_its_columns(tmp_path):
    workspace = Workspace.create(tmp_path)
    first, second = (hashlib.sha256(name).hexdigest() for name in (b"a", b"b"))
    rows = pa.table({"firm_id": ["F1"], "delivery_sha256": [first]})
    workspace.commit(Delivery(sha256=first, file_name="f", table="firms", verdict="OK"), {"firms": rows})
    gone = Delivery(sha256=second, file_name="g", table="firms", verdict="OK", replaces=(first,))
    workspace.commit(gone, {})
    found = workspace.arrow("SELECT firm_id, longitude FROM firms")
    assert (found.num_rows, found.schema.field("longitude").type) == (0, pa.float64())
    assert workspace.query("SHOW TABLES")["name"].tolist() == ["firms"]


def test_a_missing_table_says_what_there_is(workspace):
    with pytest.raises(DataError) as caught:
        workspace.query("SELECT * FROM inspections")
    assert (caught.value.code, caught.value.expected) == ("QB232", "firms | towns")
    assert "qbase load" in caught.value.fix


@pytest.mark.parametrize(
    "sql", ["SELEC 1", "SELECT nope FROM firms", "SELECT ? + 1", "SELECT 'a'::INT", "", "(", "\x00", "SELECT '\ud800'"]
)
def test_a_query_that_fails_is_one_error(workspace, sql):
    with pytest.raises(QbaseError) as caught:
        workspace.query(sql)
    assert caught.value.code in ("QB230", "QB231")
    assert "\n" not in caught.value.found


OUTSIDE = [
    "SELECT * FROM read_csv('/etc/hostname')",
    "SELECT * FROM '/etc/hostname'",
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM read_blob('{lake}/../../../../../../../../etc/hostname')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/hostname')",
    "SELECT * FROM read_text('{ledger}')",
    "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    "SELECT * FROM sqlite_scan('{ledger}', 'runs')",
    "SELECT getenv('HOME')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/hostname'')')",
    "SELECT * FROM frame_of_the_test",
]
CHANGING = [
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "ATTACH '{lake}/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "COPY (SELECT 1) TO '{lake}/x.csv'",
    "COPY firms TO '{lake}/x.parquet'",
    "EXPORT DATABASE '{lake}/x'",
    "CREATE TABLE x AS SELECT 1",
    "DROP VIEW firms",
    "INSERT INTO firms VALUES ('F3', 3, '丙')",
    "CALL pragma_version()",
    "SELECT 1; DROP VIEW firms",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/x.csv'",
    "WITH x AS (COPY (SELECT 1) TO '{lake}/x.csv') SELECT 1",
    "WITH y AS (SELECT 1), x AS (COPY (SELECT 1) TO '{lake}/x.csv') SELECT * FROM y",
    "SELECT * FROM (WITH x AS (COPY (SELECT 1) TO '{lake}/x.csv') SELECT 1)",
    "WITH x AS (INSERT INTO firms VALUES ('F3', 3, '丙') RETURNING *) SELECT * FROM x",
    "SELECT * FROM query('WITH x AS (COPY (SELECT 1) TO ''{lake}/x.csv'') SELECT 1')",
]


@pytest.mark.parametrize("sql", OUTSIDE)
def test_nothing_outside_the_lake_can_be_read(workspace, sql):
    frame_of_the_test = pd.DataFrame({"secret": [1]})
    assert len(frame_of_the_test) == 1
    _refused(workspace, sql, DataError)


@pytest.mark.parametrize("sql", CHANGING)
def test_nothing_can_be_changed(workspace, sql):
    before = sorted(p for p in workspace.root.rglob("*"))
    _refused(workspace, sql, (UsageError, DataError))
    assert sorted(p for p in workspace.root.rglob("*")) == before
    assert workspace.query("SELECT count(*) AS n FROM firms")["n"].tolist() == [2]


def _refused(workspace, sql, kind):
    quoted = {"lake": str(workspace.lake).replace("'", "''"), "ledger": str(workspace.ledger).replace("'", "''")}
    with pytest.raises(kind) as caught:
        workspace.query(sql.format(**quoted))
    assert pathlib.Path("/etc/hostname").read_text().strip() not in str(caught.value)


def test_the_settings_are_locked(workspace):
    names = (
        "enable_external_access",
        "lock_configuration",
        "autoinstall_known_extensions",
        "python_enable_replacements",
    )
    frame = workspace.query("SELECT name, value FROM duckdb_settings()").set_index("name")["value"]
    assert [frame[n] for n in names] == ["false", "true", "false", "false"]
    allowed = workspace.query("SELECT unnest(current_setting('allowed_directories')) AS d")["d"].tolist()
    assert str(workspace.lake) in [d.rstrip("/") for d in allowed]
    assert all(d.rstrip("/") == str(workspace.lake) or "qbase-" in d for d in allowed)


def test_a_text_that_looks_like_a_statement_is_a_text(workspace):
    text = '{"type":"COPY_QUERY_NODE"}'
    assert workspace.query(f"SELECT '{text}' AS t, 'COPY x TO y' AS u")["t"].tolist() == [text]


def test_long_queries_are_read(workspace):
    sql = " UNION ALL ".join(f"SELECT {i} AS i" for i in range(400))
    assert len(workspace.query(sql)) == 400
