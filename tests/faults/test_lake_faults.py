"""Killed at every step of a commit, many at once, and a full disk: no row lost, none doubled.

Children come from a fork server that has imported the lake once; `exec` is their function, because a builtin
travels to any process by name.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
import textwrap

import pyarrow as pa
import pytest

from qbase.lake import FAULT_POINTS, Delivery
from qbase.lake.storage.fault_points import EXIT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a fork server")

BOTH = pytest.mark.parametrize("workspace", ["file", "server"], indirect=True)
COMMIT_POINTS = [p for p in FAULT_POINTS if not p.startswith("raw_") and p != "rows_removed"]
PRELUDE = """
import hashlib, json, os, pathlib, sys
import pyarrow as pa
from qbase.core import QbaseError
from qbase.lake import Delivery, Workspace
def delivery(name):
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return Delivery(sha256=sha256, file_name=name, table="t", verdict="OK")
def load(name, *values):
    rows = pa.table({"v": pa.array(values, pa.int64())})
    return workspace.commit(delivery(name), {"t": rows, "u": rows})
"""


@pytest.fixture(scope="module")
def context():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["qbase.lake.workspace", "pyarrow"])
    return context


@pytest.fixture
def start(context, workspace):
    children = []

    def begin(code, *, fault=""):
        head = f"import os\nos.environ['QBASE_FAULT'] = {fault!r}\n{PRELUDE}"
        head += f"\nworkspace = Workspace(pathlib.Path({str(workspace.root)!r}))\n"
        child = context.Process(target=exec, args=(head + textwrap.dedent(code), {}))
        child.start()
        children.append(child)
        return child

    yield begin
    for child in children:
        if child.is_alive():
            child.kill()
        child.join(30)


def load(workspace, name, *values):
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    rows = pa.table({"v": pa.array(values, pa.int64())})
    delivery = Delivery(sha256=sha256, file_name=name, table="t", verdict="OK")
    return workspace.commit(delivery, {"t": rows, "u": rows})


def values(workspace, table, snapshot=None):
    return workspace.query(f"SELECT v FROM {table} ORDER BY v", snapshot=snapshot)["v"].tolist()  # noqa: S608


def end(child):
    child.join(240)
    return child.exitcode


def correct(workspace, name, *values):
    """Load a delivery that takes the place of ``a``."""
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    delivery = Delivery(
        sha256=sha256, file_name=name, table="t", verdict="OK", replaces=(hashlib.sha256(b"a").hexdigest(),)
    )
    return workspace.commit(delivery, {"t": table(values, sha256)})


def table(values, sha256):
    return pa.table({"v": pa.array(values, pa.int64()), "delivery_sha256": [sha256] * len(values)})


REPLACING = [p for p in FAULT_POINTS if not p.startswith("raw_")]


@BOTH
@pytest.mark.parametrize("point", REPLACING)
def test_killed_while_a_delivery_is_replaced(workspace, start, point):
    for name, numbers in (("a", (1, 2)), ("z", (9,))):
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        rows = table(numbers, sha256)
        delivery = Delivery(sha256=sha256, file_name=name, table="t", verdict="OK")
        workspace.commit(delivery, {"t": rows, "u": rows})
    before = workspace.snapshot()
    code = f"""
        replaced = "{hashlib.sha256(b"a").hexdigest()}"
        sha256 = hashlib.sha256(b"b").hexdigest()
        rows = pa.table(dict(v=pa.array([1, 3], pa.int64()), delivery_sha256=[sha256] * 2))
        new = Delivery(sha256=sha256, file_name="b", table="t", verdict="OK", replaces=(replaced,))
        workspace.commit(new, dict(t=rows))
    """
    if point == "orphans_undone":
        assert end(start(code, fault="tables_written")) == EXIT
    assert end(start(code, fault=point)) == EXIT
    if point != "ledger_committed":
        assert workspace.snapshot() == before
        assert values(workspace, "t") == values(workspace, "u") == [1, 2, 9]
        assert workspace.deliveries()["file_name"].tolist() == ["a", "z"]
    after = correct(workspace, "b", 1, 3)
    assert (after.number, after.is_new) == (before.number + 1, point != "ledger_committed")
    assert (values(workspace, "t"), values(workspace, "u")) == ([1, 3, 9], [9])
    assert values(workspace, "t", before) == values(workspace, "u", before) == [1, 2, 9]
    assert workspace.deliveries()["file_name"].tolist() == ["z", "b"]
    assert workspace.deliveries(every=True)["replaced_by"].tolist() == [hashlib.sha256(b"b").hexdigest(), "", ""]


@BOTH
@pytest.mark.parametrize("first_load", [True, False])
@pytest.mark.parametrize("point", COMMIT_POINTS)
def test_killed_at_any_step_nothing_is_lost_or_doubled(workspace, start, point, first_load):
    old = [] if first_load else [1]
    if not first_load:
        load(workspace, "a", 1)
    before = workspace.snapshot()
    if point == "orphans_undone":
        assert end(start("load('b', 2, 3)", fault="tables_written")) == EXIT
    assert end(start("load('b', 2, 3)", fault=point)) == EXIT
    if point == "ledger_committed":
        assert values(workspace, "t") == [*old, 2, 3]
    else:
        assert workspace.snapshot() == before
        assert workspace.deliveries()["file_name"].tolist() == before_names(first_load)
        if not first_load:
            assert values(workspace, "t") == values(workspace, "u") == old
    after = load(workspace, "b", 2, 3)
    assert after.number == before.number + 1
    assert load(workspace, "b", 2, 3) == after
    assert values(workspace, "t") == values(workspace, "u") == [*old, 2, 3]
    load(workspace, "c", 4)
    assert values(workspace, "t") == values(workspace, "u") == [*old, 2, 3, 4]
    if not first_load:
        assert values(workspace, "t", before) == old


def before_names(first_load):
    return [] if first_load else ["a"]


@BOTH
@pytest.mark.parametrize("point", COMMIT_POINTS)
def test_deliveries_committed_together_are_all_there_or_none(workspace, start, point):
    load(workspace, "a", 1)
    before = workspace.snapshot()
    code = "workspace.commit_together([(delivery(n), dict(t=pa.table(dict(v=[v])))) for n, v in (('b', 2), ('c', 3))])"
    if point == "orphans_undone":
        assert end(start(code, fault="tables_written")) == EXIT
    assert end(start(code, fault=point)) == EXIT
    if point == "ledger_committed":
        assert (values(workspace, "t"), len(workspace.deliveries())) == ([1, 2, 3], 3)
    else:
        assert workspace.snapshot() == before
        assert (values(workspace, "t"), len(workspace.deliveries())) == ([1], 1)
    assert load(workspace, "c", 3).is_new is (point != "ledger_committed")
    assert end(start(code)) == 0
    assert values(workspace, "t") == [1, 2, 3]
    assert sorted(workspace.deliveries()["file_name"]) == ["a", "b", "c"]
    assert values(workspace, "t", before) == [1]


@BOTH
def test_another_delivery_after_a_kill_does_not_bring_the_lost_one_back(workspace, start):
    load(workspace, "a", 1)
    for _ in range(2):
        assert end(start("load('b', 2)", fault="tables_written")) == EXIT
    assert load(workspace, "c", 3).id == "S0002"
    assert values(workspace, "t") == values(workspace, "u") == [1, 3]
    assert load(workspace, "b", 2).id == "S0003"
    assert values(workspace, "t") == values(workspace, "u") == [1, 2, 3]


@pytest.mark.parametrize("point", [p for p in FAULT_POINTS if p.startswith("raw_")])
def test_killed_while_a_file_is_stored(workspace, start, tmp_path, point):
    file = tmp_path / "抽查.csv"
    file.write_bytes(b"x" * 3_000_000)
    assert end(start(f"workspace.store_raw({str(file)!r})", fault=point)) == EXIT
    sha256, stored = workspace.store_raw(file)
    assert stored.read_bytes() == file.read_bytes()
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == sha256
    assert [p.name for p in workspace.raw.rglob("*.csv")] == [file.name]


@BOTH
def test_eight_processes_with_the_same_bytes_store_them_once(workspace, start, tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"a\n1\n")
    code = """
        sha256, stored = workspace.store_raw({file!r})
        snapshot = load("a", 1, 2)
        pathlib.Path({out!r}).write_text(json.dumps([snapshot.id, sha256, str(stored)]))
    """
    outs = [tmp_path / f"{i}.json" for i in range(8)]
    children = [start(code.format(file=str(file), out=str(out))) for out in outs]
    assert [end(child) for child in children] == [0] * 8
    answers = {tuple(json.loads(out.read_text())) for out in outs}
    assert len(answers) == 1
    assert answers.pop()[0] == "S0001"
    assert values(workspace, "t") == values(workspace, "u") == [1, 2]
    assert len(workspace.deliveries()) == 1
    assert len([p for p in workspace.raw.rglob("*") if p.is_file()]) == 1


@BOTH
def test_different_deliveries_at_once_all_arrive_and_readers_see_whole_ones(workspace, start):
    load(workspace, "first", 0)
    code = "for i in range(4): load(f'{base}-{{i}}', {base} + i, {base} + i + 100)"
    children = [start(code.format(base=base)) for base in (10, 20, 30)]
    seen = 0
    while any(child.is_alive() for child in children):
        snapshot = workspace.snapshot()
        counts = [len(values(workspace, table, snapshot)) for table in "tu"]
        assert counts[0] == counts[1] == 2 * snapshot.number - 1
        seen += 1
    assert seen
    assert [end(child) for child in children] == [0] * 3
    expected = sorted([0, *(b + i + c for b in (10, 20, 30) for i in range(4) for c in (0, 100))])
    assert values(workspace, "t") == values(workspace, "u") == expected
    assert workspace.snapshot().number == len(workspace.deliveries()) == 13


@pytest.mark.parametrize("limit", [0, 500, 1200, 3000, 9000, 20000, 100_000])
def test_a_disk_that_is_full_at_some_write(workspace, start, limit):
    """A limit on the size of files stands for the full disk: writes fail at another place for each limit."""
    load(workspace, "a", 1)
    code = f"""
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            load("b", *range(2, 2000))
        except QbaseError as error:
            sys.exit(error.exit_code)
    """
    code_of_exit = end(start(code))
    assert code_of_exit == (0 if limit >= 100_000 else 4)
    if code_of_exit:
        assert workspace.snapshot().id == "S0001"
        assert values(workspace, "t") == values(workspace, "u") == [1]
    assert load(workspace, "b", *range(2, 2000)).id == "S0002"
    assert values(workspace, "t") == values(workspace, "u") == list(range(1, 2000))


def test_faults_do_nothing_unless_named(workspace, monkeypatch):
    monkeypatch.setenv("QBASE_FAULT", "elsewhere")
    assert load(workspace, "a", 1).id == "S0001"
    assert os.environ["QBASE_FAULT"] == "elsewhere"
