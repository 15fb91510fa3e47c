"""Reports on Dask workers: the pages of this machine, each published exactly once, whoever dies on the way."""

from __future__ import annotations

import collections
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from qbase.cli.main import run
from qbase.core.errors import SetupError
from qbase.lake import Workspace, list_runs, move_ledger
from qbase.reports import Job, Outcome, reconcile_runs, resume_runs, run_many, run_on_cluster, run_report
from qbase.reports.batching import cluster_batch, worker_runs
from qbase.reports.batching.planned_batch import plan_batch
from qbase.reports.executing.run_environment import find_processes
from tests.faults.dask_machines import ROOT, Machines, descendants, end_within, open_machines, parents, write_letter

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")

ORPHANS_END_S = 2.0
FIRST = (
    "import os, pathlib, time\nroot = pathlib.Path(os.environ['QBASE_RUN_DIR']).parents[3]\n"
    "(root / f'begun-{number}').exists() or [(root / f'begun-{number}').touch(), "
    "[time.sleep(0.02) for _ in range(15000) if not (root / 'go').exists()]]\nnumber + 1"
)
"""The first run of a number waits, and any later one goes through."""
WORKER_OTHER = """
import importlib.metadata as metadata
real = metadata.version
metadata.version = lambda name: "0.0.1" if name == "pandas" else real(name)
"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with open_machines(tmp_path_factory.mktemp("dask")) as made:
        yield made


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    workspace = Workspace.create(tmp_path / "home")
    write_letter(workspace)
    write_letter(workspace, "first", (FIRST,))
    return workspace


def jobs(*numbers: int, name: str = "light", **how: Any) -> list[Job]:
    return [Job(report_id=name, params={"number": number}, **how) for number in numbers]


def states(outcomes: list[Outcome]) -> list[str]:
    return [o.error.code if o.error else o.record.state if o.record else "" for o in outcomes]


def pages(workspace: Workspace) -> dict[str, str]:
    """Return the pages without what differs between two runs: their ids and times."""
    found = {}
    for path in workspace.site.glob("light*.html"):
        text = path.read_text(encoding="utf-8")
        for run_of in list_runs(workspace):
            text = text.replace(run_of.run_id, "RUN")
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)?|\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "…", text)
        found[path.name] = re.sub(r"\d+(\.\d+)? (s|秒)\b", "…", text)
    return found


def hold_whole(workspace: Workspace, count: int, *, killed: int = 0) -> None:
    """Hold a workspace to what every batch is held to: one good run a report, one whole page, nothing left behind.

    Who is killed between writing and renaming leaves the staged files of one page, which no reader sees.
    """
    rows = list_runs(workspace, limit=1000)
    good = collections.Counter(str(dict(row.params)) for row in rows if row.state == "ok")
    assert (len(good), set(good.values())) == (count, {1})
    assert {row.state for row in rows} <= {"ok", "failed", "unchanged"}
    left = [one for one in reconcile_runs(workspace)[0] if not (one.kind == "extra" and "reports/runs/" in one.path)]
    assert left == []
    staged = [path for path in workspace.site.iterdir() if path.suffix == ".part"]
    assert len({path.name.split(".")[1] for path in staged}) <= killed
    assert all(path.name.startswith(".") for path in staged)
    assert not list((workspace.root / "data").glob(".cluster-*"))
    assert end_within(list(find_processes({row.run_id for row in rows})), ORPHANS_END_S) == []


def wait_for(path: pathlib.Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


def test_the_pages_are_those_of_this_machine(
    machines: Machines, home: Workspace, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local = Workspace.create(tmp_path / "local")
    write_letter(local)
    assert states(run_many(local, jobs(1, 2, 3, 4), jobs_at_once=2)) == ["ok"] * 4
    words = ["run", "light", "--home", str(home.root), "--cluster", machines.address, "--json", "--lang", "zh"]
    words += ["--grid", "number=1,2,3,4"]
    shards = [[*words, "--shard", f"{part}/2"] for part in (1, 2)]
    told = []
    for shard in shards:
        assert run(shard) == 0
        told += json.loads(capsys.readouterr().out)["runs"]
    assert sorted(one["params"]["number"] for one in told) == [1, 2, 3, 4]
    assert pages(home) == pages(local)
    assert len(pages(home)) == 4
    assert (home.site / "index.html").exists()
    hold_whole(home, 4)
    # asked for again nothing is run; a cell that fails fails its report alone, with its code
    assert run(words) == 0
    assert {one["state"] for one in json.loads(capsys.readouterr().out)["runs"]} == {"unchanged"}
    write_letter(home, "bad", ("1 / number",))
    outcomes = run_on_cluster(home, [*jobs(0, 1, name="bad"), Job(report_id="none")], machines.address, engine="kernel")
    assert states(outcomes) == ["QB811", "ok", "QB801"]
    assert [outcome.attempts for outcome in outcomes] == [1, 1, 1]


@pytest.mark.parametrize("ledger", ["file", "server"])
def test_workers_killed_at_random_moments_change_nothing(
    machines: Machines, home: Workspace, request: pytest.FixtureRequest, ledger: str
) -> None:
    if ledger == "server":
        move_ledger(home, request.getfixturevalue("new_database")())
    draws, done, killed = random.Random(len(ledger)), list[Outcome](), list[int]()
    again: list[Outcome] = []

    def kill_some() -> None:
        for wanted in (1, 5):
            while len(done) < wanted:
                time.sleep(0.01)
            time.sleep(draws.uniform(0, 0.5))
            victim = draws.choice(machines.pids())
            below.extend(descendants(victim))
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)

    below: list[int] = []
    killer = threading.Thread(target=kill_some)
    killer.start()
    outcomes = run_on_cluster(home, jobs(*range(9)), machines.address, on_done=done.append, on_retry=again.append)
    killer.join()
    assert len(killed) == 2
    assert states(outcomes) == ["ok"] * 9
    assert {outcome.error.code for outcome in again if outcome.error} <= {"QB818"}
    hold_whole(home, 9, killed=len(killed))
    # nothing that a killed worker had started goes on, its fork server least of all
    assert end_within(below, 10 * ORPHANS_END_S) == []
    machines.wait(2)


def test_a_worker_lost_in_mid_run_costs_one_attempt(machines: Machines, home: Workspace) -> None:
    again: list[tuple[str, int]] = []

    def kill() -> None:
        wait_for(home.root / "begun-7")
        victim = next(pid for pid in machines.pids() if cells_of(home) & set(descendants(pid)))
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    outcomes = run_on_cluster(
        home, jobs(7, name="first"), machines.address, on_retry=lambda o: again.append((o.error.code, o.attempts))  # type: ignore[union-attr]
    )  # fmt: skip
    killer.join()
    assert [(outcome.attempts, *states([outcome])) for outcome in outcomes] == [(2, "ok")]
    assert again == [("QB818", 1)]
    assert [row.state for row in list_runs(home)] == ["ok", "failed"]
    hold_whole(home, 1)
    machines.wait(2)


def cells_of(workspace: Workspace) -> set[int]:
    return set(find_processes({row.run_id for row in list_runs(workspace)}))


def test_a_zombie_that_comes_back_cannot_publish(machines: Machines, home: Workspace) -> None:
    """The worker and all it started stop; Dask forgets it, its lease runs out, another one publishes; then it wakes."""
    machines.wait(2)
    frozen: list[int] = []

    def freeze() -> None:
        wait_for(home.root / "begun-3")
        victim = next(pid for pid in machines.pids() if cells_of(home) & set(descendants(pid)))
        addresses = {pid: address for address, pid in machines.client.run(os.getpid).items()}
        frozen.extend([victim, *descendants(victim)])
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        machines.client.run_on_scheduler(forget, addresses[victim])
        time.sleep(2 * cluster_batch.SETTLE_SECONDS)
        assert not (home.site / "first.json").exists()
        # its lease of a minute is over
        with sqlite3.connect(home.ledger, timeout=30) as ledger:
            ledger.execute("UPDATE slots SET lease_until = 1 WHERE run_id <> ''")

    freezer = threading.Thread(target=freeze)
    freezer.start()
    try:
        outcomes = run_on_cluster(home, jobs(3, name="first"), machines.address)
        freezer.join()
        assert [(outcome.attempts, *states([outcome])) for outcome in outcomes] == [(2, "ok")]
        page = next(home.site.glob("first*.html")).read_bytes()
        (home.root / "go").touch()
    finally:
        for pid in reversed(frozen):
            os.kill(pid, signal.SIGCONT)
    assert end_within([pid for pid in frozen if pid in cells_of(home)], 60) == []
    deadline = time.monotonic() + 60
    while {row.state for row in list_runs(home)} != {"ok", "failed"} and time.monotonic() < deadline:
        cluster_batch.close_dead_runs(home)
        time.sleep(0.1)
    assert next(home.site.glob("first*.html")).read_bytes() == page
    hold_whole(home, 1)
    # a worker that finds itself forgotten closes, and its nanny does not start it anew
    machines.start_worker()
    machines.wait(2)


async def forget(address: str, dask_scheduler: Any) -> None:
    """Let the scheduler hold a worker for lost."""
    await dask_scheduler.remove_worker(address, stimulus_id="test", close=False)


def test_one_giving_runs_once_even_by_force(home: Workspace) -> None:
    """As Dask begins a task again whose worker was lost with the answer."""
    run_report(home, "light", {"number": 5}, slot="2026-10-01")
    row = list_runs(home)[0]
    key = cluster_batch.key_of(row)
    how: dict[str, Any] = {"root": str(home.root), "batch": "b", "engine": "fork", "key": key, "token": 1}
    given = worker_runs.Given(job=jobs(5, slot="2026-10-01", force=True)[0], **how)
    first, second = worker_runs.run_given(given), worker_runs.run_given(given)
    assert (first is not None and first.record is not None and first.record.state, second) == ("ok", None)
    assert [row.state for row in list_runs(home)] == ["ok", "ok"]


def test_workers_of_other_versions_are_refused_in_four_lines(
    machines: Machines, home: Workspace, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text(WORKER_OTHER)
    env = {"PYTHONPATH": f"{tmp_path / 'other'}{os.pathsep}{ROOT}"}
    other = machines.start_worker("--no-nanny", env=env)
    machines.wait(3)
    refused: list[Any] = []
    try:
        # on a busy machine four light runs may end before a worker has answered whether it may join
        for first in range(0, 40, 4):
            asked = jobs(*range(first, first + 4))
            outcomes = run_on_cluster(home, asked, machines.address, on_refused=refused.append)
            assert states(outcomes) == ["ok"] * 4
            if refused:
                break
        assert [(error.code, "pandas 0.0.1" in error.found, len(str(error).splitlines())) for error in refused] == [
            ("QB877", True, 4)
        ]
        # with an unreachable workspace every worker is refused, and nothing is begun
        real = cluster_batch.new_terms
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cluster_batch, "write_atomic", lambda *given: None)
            assert real is cluster_batch.new_terms
            with pytest.raises(SetupError) as caught:
                run_on_cluster(home, jobs(98, 99), machines.address)
        assert caught.value.code in {"QB877", "QB878"}
        assert len(list_runs(home)) == first + 4
    finally:
        other.kill()
        other.wait()


CALL = "import sys; from qbase.cli.main import run; sys.exit(run(sys.argv[1:]))"


def call(*words: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", CALL, *words, "--lang", "en"], env=env, **pipes)  # type: ignore[call-overload, no-any-return]


def begun(workspace: Workspace) -> set[int]:
    """Wait until a run waits in its cells, and return its processes."""
    deadline = time.monotonic() + 120
    while not list(workspace.root.glob("begun-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return cells_of(workspace)


def test_what_a_killed_caller_left_is_resumed_on_the_cluster(machines: Machines, home: Workspace) -> None:
    plan_batch(home, jobs(1, 2, 3))
    assert {row.state for row in list_runs(home)} == {"queued"}
    outcomes = resume_runs(home, cluster=machines.address)
    assert states(outcomes) == ["ok"] * 3
    hold_whole(home, 3)


def test_ctrl_c_ends_what_goes_on_and_takes_out_what_waits(machines: Machines, home: Workspace) -> None:
    where = ("--home", str(home.root), "--cluster", machines.address)
    batch = call("run", "first", "--grid", "number=1,2,3,4,5,6", *where)
    cells = begun(home)
    assert cells
    batch.send_signal(signal.SIGINT)
    batch.communicate(timeout=120)
    assert batch.returncode == 130
    assert end_within([pid for pid in cells if pid in parents()], ORPHANS_END_S) == []
    deadline = time.monotonic() + 30
    while {row.state for row in list_runs(home)} != {"failed"} and time.monotonic() < deadline:
        time.sleep(0.1)
    rows = list_runs(home)
    assert {(row.state, (row.error or {}).get("code")) for row in rows} == {("failed", "QB818")}
    assert len(rows) <= 2
    assert not list(home.site.glob("first*"))
    assert not list((home.root / "data").glob(".cluster-*"))


def test_a_scheduler_that_is_gone_is_told_and_the_rest_is_resumed(machines: Machines, home: Workspace) -> None:
    """The last test of this cluster: it ends it."""
    where = ("--home", str(home.root), "--cluster", machines.address)
    batch = call("run", "first", "--grid", "number=1,2,3,4,5", *where)
    begun(home)
    machines.scheduler.kill()
    _, said = batch.communicate(timeout=120)
    assert batch.returncode == 4
    assert "error[QB863]" in said
    assert "qbase runs resume" in said
    (home.root / "go").touch()
    # the workers give up as well, at most after half a minute
    left = end_within([process.pid for process in machines.processes[1:]], 60)
    assert left == []
    resumed = call("runs", "resume", "--home", str(home.root), "--jobs", "2")
    out = resumed.communicate(timeout=180)
    assert resumed.returncode == 0, out
    hold_whole(home, 5)
