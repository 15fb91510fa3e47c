"""The panel on a Dask cluster is the panel of this machine, to the last digit, whoever dies on the way."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from qbase.compute import Cluster, Files, ShardQuery, add_up, open_client
from qbase.core.errors import RunError, SetupError, UsageError
from qbase.indicators import Design, build_panel
from qbase.lake import Delivery, Workspace

pytest.importorskip("distributed")

ROOT = pathlib.Path(__file__).resolve().parents[2]
INDICATORS = ["D1.batch", "D1.firm"]


def commit(workspace: Workspace, name: str, tables: dict[str, pa.Table]) -> None:
    rows = sum(t.num_rows for t in tables.values())
    sha = hashlib.sha256(name.encode()).hexdigest()
    delivery = Delivery(sha256=sha, file_name=name, table="inspections", verdict="OK", rows_seen=rows, accepted=rows)
    workspace.commit(delivery, tables)


def monthly(month: int, rows: int) -> pa.Table:
    """Inspections of one month: a quarter lies in three files, so every group is split over shards."""
    rng = np.random.default_rng(month)
    firm = rng.integers(0, 60, rows)
    codes = np.array([f"U{i}" for i in firm], dtype=object)
    codes[rng.random(rows) < 0.1] = None
    return pa.table(
        {
            "sample_no": [f"S{month}-{i}" for i in range(rows)],
            "sample_date": [
                datetime.date(2023 + month // 12, month % 12 + 1, int(d)) for d in rng.integers(1, 28, rows)
            ],
            "sample_type": rng.choice(["random", "risk", "special", "complaint"], rows),
            "uscc": pa.array(codes, pa.string()),
            "firm_code": pa.nulls(rows, pa.string()),
            "firm_name": [f"厂{i}" for i in firm],
            "town_code": pa.nulls(rows, pa.string()),
            "result": rng.choice(["pass", "pass", "pass", "fail"], rows),
            "is_recheck": rng.random(rows) < 0.1,
            "appeal_result": pa.array(np.where(rng.random(rows) < 0.05, "overturned", None), pa.string()),
            "risk_class": pa.array(np.where(rng.random(rows) < 0.05, None, rng.choice(["A", "B"], rows)), pa.string()),
            "size_class": pa.array(np.where(rng.random(rows) < 0.3, None, "small"), pa.string()),
        }
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("shared"))
    firms = {
        "firm_id": [f"F{i}" for i in range(60)],
        "uscc": [f"U{i}" for i in range(60)],
        "firm_name": [f"厂{i}" for i in range(60)],
        "cluster_id": [f"K{i % 7}" for i in range(60)],
        "town_code": [f"T{i % 5}" for i in range(60)],
        "size_class": [("large", "medium", None)[i % 3] for i in range(60)],
    }
    quarters = [f"{year}Q{q}" for year in (2023, 2024) for q in (1, 2, 3, 4)]
    listed = [
        (f"K{i}", quarter, risk, size, 3 + i)
        for i in range(7) for quarter in quarters for risk in "AB" for size in ("large", "medium", "small")
    ]  # fmt: skip
    names = ("cluster_id", "quarter", "risk_class", "size_class", "n_firms")
    commit(made, "frame", {"frame": pa.table(dict(zip(names, map(list, zip(*listed, strict=True)), strict=True)))})
    commit(made, "firms", {"firms": pa.table(firms)})
    for month in range(24):
        commit(made, f"month {month}", {"inspections": monthly(month, 400)})
    return made


class Machines:
    """A scheduler and two workers as processes of their own, as on two machines."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.processes = folder, []
        note = folder / "scheduler.json"
        self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(note), "--no-dashboard")
        for _ in range(2):
            self.start_worker()
        end = time.monotonic() + 30
        while not note.exists() or not note.read_text():
            assert time.monotonic() < end, "no scheduler"
            time.sleep(0.02)
        self.address = json.loads(note.read_text())["address"]
        with open_client(self.address) as client:
            client.wait_for_workers(2, timeout=30)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        code = f"from distributed.cli import dask_{words[0]} as m; m.main()"
        log = (self.folder / f"{words[0]}-{len(self.processes)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *words[1:]], env=env, stdout=log, stderr=log, cwd=self.folder
            )
        self.processes.append(process)
        return process

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start(
            "worker", "--scheduler-file", str(self.folder / "scheduler.json"), "--nthreads", "1", "--no-nanny",
            "--no-dashboard", "--local-directory", str(self.folder), "--death-timeout", "60",
        )  # fmt: skip

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    made = None
    try:
        made = Machines(tmp_path_factory.mktemp("dask"))
        yield made
    finally:
        if made is not None:
            made.stop()


def same(a, b) -> None:
    pd.testing.assert_frame_equal(a.data, b.data, check_exact=True)
    pd.testing.assert_frame_equal(a.cells, b.cells, check_exact=True)
    assert dict(a.labels) == dict(b.labels)


@pytest.mark.parametrize("entity", ["cluster_id", "firm_id"])
@pytest.mark.parametrize("freq", ["Q", "A"])
def test_both_panels_are_equal_to_the_last_digit(workspace, machines, entity, freq):
    here = build_panel(workspace, INDICATORS, entity=entity, freq=freq)
    there = build_panel(workspace, INDICATORS, entity=entity, freq=freq, cluster=Cluster(address=machines.address))
    same(here, there)


@pytest.mark.parametrize("entity", ["cluster_id", "town_code"])
@pytest.mark.parametrize("freq", ["Q", "A"])
@pytest.mark.parametrize("sampling", ["random_draw", "post_stratified"])
def test_weighted_panels_are_equal_to_the_last_digit(workspace, machines, entity, freq, sampling):
    window = {"entity": entity, "freq": freq, "sampling": sampling}
    here = build_panel(workspace, INDICATORS, **window)
    there = build_panel(workspace, INDICATORS, **window, cluster=Cluster(address=machines.address))
    same(here, there)
    assert here.cells["stratum"].nunique() > 4


def test_what_does_not_add_up_is_not_counted_here_in_silence(workspace, machines):
    cluster = Cluster(address=machines.address)
    with pytest.raises(UsageError) as caught:
        build_panel(workspace, ["D1.batch", "D1c.recheck"], cluster=cluster)
    assert caught.value.code == "QB186"
    assert "D1c.recheck" in caught.value.found
    assert "D1.batch" not in caught.value.found
    fixed = Design(classes="fixed", frame="fixed", base_year=2023)
    with pytest.raises(UsageError) as caught:
        build_panel(workspace, "D1.batch", sampling="post_stratified", design=fixed, cluster=cluster)
    assert caught.value.code == "QB186"


def test_workers_read_the_lake_by_any_address(workspace, machines):
    cluster = Cluster(address=machines.address, storage=workspace.lake.as_uri())
    same(build_panel(workspace, INDICATORS), build_panel(workspace, INDICATORS, cluster=cluster))


def test_files_out_of_reach_end_in_four_lines(workspace, machines):
    with pytest.raises(SetupError) as caught:
        build_panel(workspace, INDICATORS, cluster=Cluster(address=machines.address, storage="/nowhere/lake"))
    assert caught.value.code == "QB184"
    assert "/nowhere/lake/" in caught.value.expected
    assert len(str(caught.value).splitlines()) == 4


def test_a_worker_killed_in_mid_run_changes_nothing(workspace, machines):
    here = build_panel(workspace, INDICATORS)
    victim = machines.processes[1]
    killed = threading.Event()

    def kill_at_work() -> None:
        with open_client(machines.address) as client:
            end = time.monotonic() + 20
            while time.monotonic() < end and not any(client.processing().values()):
                time.sleep(0.001)
            if any(client.processing().values()):
                victim.send_signal(signal.SIGKILL)
                killed.set()

    thread = threading.Thread(target=kill_at_work)
    thread.start()
    there = build_panel(workspace, INDICATORS, cluster=Cluster(address=machines.address))
    thread.join()
    assert killed.is_set(), "the worker was killed while tasks were under way"
    assert victim.wait(timeout=10) == -signal.SIGKILL
    same(here, there)


def test_no_scheduler_ends_in_four_lines(workspace, monkeypatch):
    monkeypatch.setattr("qbase.compute.dask_client.TIMEOUT", "0.5s")
    with pytest.raises(SetupError) as caught:
        build_panel(workspace, "D1.batch", cluster=Cluster(address="tcp://127.0.0.1:1"))
    assert caught.value.code == "QB182"
    assert len(str(caught.value).splitlines()) == 4


def test_a_task_that_fails_again_and_again_is_told(machines):
    empty = Files(urls=(), columns=(("a", "INTEGER"),))
    query = ShardQuery(sql="SELECT 'K' AS entity, 1 AS n", tables={"inspections": empty})
    with pytest.raises(RunError) as caught:
        add_up(
            Cluster(address=machines.address), query, table="inspections", by=("entity",), summary="SELECT x FROM cells"
        )
    assert caught.value.code == "QB185"
    assert "dask worker" in caught.value.fix
