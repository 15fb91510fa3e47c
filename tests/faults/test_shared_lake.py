"""Several processes with one ledger on a server, as on several machines: one winner a claim, nothing torn."""

from __future__ import annotations

import collections
import json
import multiprocessing
import pathlib
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qbase.core.errors import RunError
from qbase.lake import Workspace, list_runs, move_ledger
from qbase.reports import run_report

PROCESSES = 8
PRELUDE = """
import hashlib, json, pathlib
import pyarrow as pa
from qbase.core import RunRecord, UsageError
from qbase.lake import Delivery, Workspace, add_run, list_runs, update_run
def load(name, *values):
    delivery = Delivery(sha256=hashlib.sha256(name.encode()).hexdigest(), file_name=name, table="t", verdict="OK")
    rows = pa.table({"v": pa.array(values, pa.int64())})
    return workspace.commit(delivery, {"t": rows, "u": rows})
"""
PARAMETERS = "year: int = 2024  # 年份 | Year | 2016..2025"
SPEC = 'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'

Start = Callable[[str], Any]


@pytest.fixture
def shared(tmp_path: pathlib.Path, new_database: Callable[..., str]) -> Workspace:
    home = Workspace.create(tmp_path / "home")
    move_ledger(home, new_database())
    return home


@pytest.fixture
def start(shared: Workspace) -> Iterator[Start]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["qbase.lake.workspace", "pyarrow", "sqlalchemy"])
    children: list[Any] = []

    def begin(code: str) -> Any:
        head = f"{PRELUDE}\nworkspace = Workspace(pathlib.Path({str(shared.root)!r}))\n"
        child = context.Process(target=exec, args=(head + textwrap.dedent(code), {}))
        child.start()
        children.append(child)
        return child

    yield begin
    for child in children:
        if child.is_alive():
            child.kill()
        child.join(60)


def end_all(children: list[Any]) -> None:
    for child in children:
        child.join(240)
    assert [child.exitcode for child in children] == [0] * len(children)


def test_of_eight_processes_that_claim_the_same_runs_one_wins_each(
    shared: Workspace, start: Start, tmp_path: pathlib.Path
) -> None:
    code = """
        won = []
        for number in range(12):
            known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot", "slot"), "")
            facts = dict(report_id="r", params={{"by": {me}}}, versions={{}}, started_at=f"{{number:04d}}", **known)
            record = RunRecord(run_id=f"R{{number}}", state="running", **facts)
            try:
                add_run(workspace, record)
            except UsageError:
                continue
            won.append(record.run_id)
        pathlib.Path({out!r}).write_text(json.dumps(won))
    """
    outs = [tmp_path / f"{me}.json" for me in range(PROCESSES)]
    end_all([start(code.format(me=me, out=str(out))) for me, out in enumerate(outs)])
    won = {run: me for me, out in enumerate(outs) for run in json.loads(out.read_text())}
    claims = collections.Counter(run for out in outs for run in json.loads(out.read_text()))
    assert claims == dict.fromkeys((f"R{n}" for n in range(12)), 1)
    # what the table says is what the winners believe
    assert {record.run_id: record.params["by"] for record in list_runs(shared)} == won


def test_eight_processes_that_load_make_one_row_of_snapshots(shared: Workspace, start: Start) -> None:
    code = "for n in range(3): load(f'{me}-{{n}}', {me} * 10 + n); list_runs(workspace)"
    children = [start(code.format(me=me)) for me in range(PROCESSES)]
    while any(child.is_alive() for child in children):
        at = shared.snapshot()
        counts = [len(shared.arrow(f"SELECT v FROM {t}", snapshot=at)) if at.versions else 0 for t in "tu"]  # noqa: S608
        assert counts == [at.number] * 2
    end_all(children)
    assert shared.snapshot().number == 3 * PROCESSES
    every = sorted(me * 10 + n for me in range(PROCESSES) for n in range(3))
    assert shared.query("SELECT v FROM t ORDER BY v")["v"].tolist() == every
    listed = shared.deliveries()
    assert listed["snapshot"].tolist() == [f"S{n + 1:04d}" for n in range(3 * PROCESSES)]
    for number in (1, PROCESSES, 2 * PROCESSES):
        assert len(shared.arrow("SELECT v FROM u", snapshot=f"S{number:04d}")) == number


@pytest.fixture
def letter(shared: Workspace) -> Callable[[str, str], str]:
    def write(name: str, source: str) -> str:
        sources = (PARAMETERS, source, "from qbase.core import record\nyear\nrecord()")
        cells: list[dict[str, Any]] = [
            {"cell_type": "code", "metadata": {}, "source": s, "execution_count": None, "outputs": []} for s in sources
        ]
        cells[0]["metadata"] = {"tags": ["parameters"]}
        document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
        (shared.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
        (shared.specs / f"{name}.toml").write_text(SPEC.format(name=name), encoding="utf-8")
        return name

    return write


@pytest.mark.parametrize("engine", ["kernel", "fork"])
def test_a_letter_reads_the_lake_by_the_ledger_of_the_server_and_shows_no_password(
    shared: Workspace, start: Start, letter: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch, engine: Any
) -> None:
    end_all([start("load('a', 41)")])
    # the server of this test asks for none, and a letter may find the way by the variable or by the workspace
    monkeypatch.setenv("QBASE_LEDGER", shared.book.name.replace("postgres@", "postgres:hunter-42@"))
    ask = "from qbase.lake import open_workspace\nopen_workspace().query('SELECT v + 1 AS answer FROM t')"
    record = run_report(shared, letter("asks", ask), engine=engine)
    assert record.state == "ok"
    assert [(run.run_id, run.state) for run in list_runs(shared)] == [(record.run_id, "ok")]
    folder = shared.runs / "asks" / record.run_id
    assert "42" in (shared.root / record.outputs[0]).read_text(encoding="utf-8")
    for path in (path for place in (folder, shared.site, shared.lake) for path in place.rglob("*") if path.is_file()):
        assert b"hunter-42" not in path.read_bytes(), path
    assert not shared.ledger.exists()

    tell = "import os\nprint(os.environ['QBASE_LEDGER'].partition('postgres:')[2].partition('@')[0])"
    with pytest.raises(RunError):
        run_report(shared, letter("tells", tell), engine=engine)
    assert not (shared.site / "tells.html").exists()
    told = list_runs(shared, "tells")[0]
    assert (told.state, "hunter-42" in json.dumps(told.payload())) == ("failed", False)
