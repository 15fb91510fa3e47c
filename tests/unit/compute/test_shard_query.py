"""One SQL over shards: equal shards, absent columns, addresses of other stores."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qbase.compute import Files, ShardQuery, open_files, query_files, query_frames
from qbase.compute.added_shards import add_rows
from qbase.core.errors import SetupError

COLUMNS = (("name", "VARCHAR"), ("n", "BIGINT"), ("later", "DATE"))


def files(tmp_path, *tables: pa.Table) -> Files:
    paths = []
    for i, table in enumerate(tables):
        paths.append(str(tmp_path / f"part {i}'.parquet"))
        pq.write_table(table, paths[-1])
    return Files(urls=tuple(paths), columns=COLUMNS)


def test_shards_are_whole_files_nearly_equal_and_always_the_same():
    every = Files(urls=tuple("abcdefg"), columns=COLUMNS, sizes=(70, 10, 10, 10, 20, 40, 40))
    shards = every.split(3)
    assert shards == every.split(3)
    assert sorted(u for s in shards for u in s.urls) == list("abcdefg")
    assert [sum(s.sizes) for s in shards] == [70, 70, 60]
    assert len(every.split(50)) == 7
    assert len(Files(urls=(), columns=COLUMNS).split(4)) == 1


def test_a_column_that_no_file_of_a_shard_has_is_null(tmp_path):
    shard = files(tmp_path, pa.table({"name": ["a"], "n": [1]}), pa.table({"name": ["b"], "n": [2]}))
    found = query_files(ShardQuery(sql="SELECT * FROM t ORDER BY n", tables={"t": shard}))
    assert found.to_pylist() == [{"name": "a", "n": 1, "later": None}, {"name": "b", "n": 2, "later": None}]


def test_a_table_without_files_is_empty():
    found = query_files(ShardQuery(sql="SELECT count(*) AS n FROM t", tables={"t": Files(urls=(), columns=COLUMNS)}))
    assert found.to_pylist() == [{"n": 0}]


def test_what_every_shard_needs_is_prepared_once_a_process(tmp_path):
    register = files(tmp_path, pa.table({"name": ["a", "b"], "n": [1, 2]}))
    query = ShardQuery(
        sql="SELECT sum(n) AS n FROM kept WHERE n >= $least",
        tables={"register": register},
        params={"least": 2},
        prepared={"kept": "SELECT * FROM register"},
        threads=1,
    )
    assert query_files(query).to_pylist() == [{"n": 2}]
    pq.write_table(pa.table({"name": ["c"], "n": [50]}), register.urls[0])
    assert query_files(query).to_pylist() == [{"n": 2}], "the register was not read again"


def test_several_statements_see_the_same_prepared_table(tmp_path):
    register = files(tmp_path, pa.table({"name": ["a", "b"], "n": [1, 2]}))
    query = ShardQuery(
        sql="SELECT count(*) AS n FROM numbered WHERE n >= $least",
        tables={"register": register},
        params={"least": 2},
        prepared={"numbered": "SELECT *, row_number() OVER () AS no FROM register"},
    )
    with open_files(query) as ask:
        assert ask(query.sql).to_pylist() == [{"n": 1}]
        assert ask("SELECT no, name FROM numbered ORDER BY no").num_rows == 2
    with open_files(query) as ask, pytest.raises(SetupError) as caught:
        ask("SELECT absent FROM numbered")
    assert caught.value.code == "QB184"


def test_files_are_read_through_fsspec():
    fsspec = pytest.importorskip("fsspec")
    with fsspec.filesystem("memory").open("/lake/a.parquet", "wb") as file:
        pq.write_table(pa.table({"name": ["a"], "n": [7]}), file)
    there = Files(urls=("memory://lake/a.parquet",), columns=COLUMNS)
    assert query_files(ShardQuery(sql="SELECT n FROM t", tables={"t": there})).to_pylist() == [{"n": 7}]


def test_a_file_out_of_reach_is_named():
    query = ShardQuery(sql="SELECT * FROM t", tables={"t": Files(urls=("/nowhere/a.parquet",), columns=COLUMNS)})
    with pytest.raises(SetupError) as caught:
        query_files(query)
    assert caught.value.code == "QB184"
    assert "/nowhere/a.parquet" in caught.value.expected


def test_a_count_that_does_not_fit_is_told_as_one(tmp_path):
    pq.write_table(
        pa.table({"name": [f"name {n}" for n in range(300_000)], "n": range(300_000)}), tmp_path / "a.parquet"
    )
    there = Files(urls=(str(tmp_path / "a.parquet"),), columns=COLUMNS)
    query = ShardQuery(sql="SELECT list(name ORDER BY n) AS all FROM t", tables={"t": there}, threads=1, memory_mb=12)
    with pytest.raises(SetupError) as caught:
        query_files(query)
    assert caught.value.code == "QB187"
    assert "12 MB" in caught.value.expected


def test_whole_numbers_of_equal_keys_are_added():
    cells = pa.table({"entity": ["K", "L", "K"], "firm": ["F", "F", "F"], "n": [1, 2, 3]})
    assert sorted(add_rows(cells).to_pylist(), key=str) == [
        {"entity": "K", "firm": "F", "n": 4},
        {"entity": "L", "firm": "F", "n": 2},
    ]
    assert query_frames("SELECT sum(n) AS n FROM cells", {"cells": cells}).to_pylist() == [{"n": 6}]
