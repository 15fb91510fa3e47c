"""Forked runs that come to no good end, and what one run leaves for the next: nothing."""

# ruff: noqa: E501  (cells are one line each)
from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pytest

from qbase.core.errors import RunError
from qbase.lake import Workspace, list_runs
from qbase.reports import Job, close_dead_runs, run_many, run_report
from qbase.reports.executing import fork_door

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks need Linux")

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PARAMETERS = "year: int = 2024  # 年份 | Year | 2016..2025"
RECORD = "from qbase.core import record\nyear\nrecord()"
SPEC = 'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'
BOTH = pytest.mark.parametrize("engine", ["kernel", "fork"])

Letter = Callable[..., str]


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


@pytest.fixture
def letter(workspace: Workspace) -> Letter:
    """Write a notebook and its specification; an old report of that name is published already."""

    def write(name: str, *sources: str, limits: str = "") -> str:
        cells: list[dict[str, Any]] = [
            {"cell_type": "code", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
            for source in (PARAMETERS, *sources, RECORD)
        ]
        cells[0]["metadata"] = {"tags": ["parameters"]}
        document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
        (workspace.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
        (workspace.specs / f"{name}.toml").write_text(SPEC.format(name=name) + limits, encoding="utf-8")
        (workspace.site / f"{name}.html").write_text("old", encoding="utf-8")
        return name

    return write


def seen(workspace: Workspace, name: str, engine: Any = "fork") -> dict[str, Any]:
    """Run a report that must succeed and return what it wrote into ``seen.json`` of its folder."""
    record = run_report(workspace, name, engine=engine, force=True)
    found: dict[str, Any] = json.loads((workspace.runs / name / record.run_id / "seen.json").read_text("utf-8"))
    return found


def fail(workspace: Workspace, name: str, engine: Any = "fork") -> tuple[RunError, str]:
    with pytest.raises(RunError) as caught:
        run_report(workspace, name, engine=engine)
    record = list_runs(workspace, name)[0]
    assert (record.state, (record.error or {})["code"]) == ("failed", caught.value.code)
    assert (workspace.site / f"{name}.html").read_text(encoding="utf-8") == "old"
    return caught.value, record.run_id


def lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("source", "limits", "code", "found"),
    [
        ("total = 1 / 0", "", "QB811", "ZeroDivisionError: division by zero"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "", "QB812", "os.kill"),
        ("import ctypes; ctypes.string_at(0)", "", "QB812", "ctypes"),
        ("import os; os._exit(0)", "", "QB812", "os._exit(0)"),
        ("import os, time; os.kill(os.getppid(), 9); time.sleep(9)", "", "QB812", "getppid"),
        ("import sys; sys.exit(0)", "", "QB814", "SystemExit"),
        ("while True: pass", "[limits]\nseconds = 2\n", "QB813", "while True: pass"),
        ("import re; re.match(r'(a+)+$', 'a' * 60 + 'b')", "[limits]\nseconds = 2\n", "QB813", "re.match"),
        ("kept = bytearray(2 * 10**9)", "[limits]\nmemory_mb = 800\n", "QB811", "MemoryError"),
    ],
    ids=["broken", "killed", "fault", "exit", "server-killed", "sys-exit", "endless", "holds-the-lock", "memory"],
)
def test_a_bad_cell_leaves_the_old_report_and_the_next_run_is_well(
    workspace: Workspace, letter: Letter, source: str, limits: str, code: str, found: str
) -> None:
    tell = "import os; print(os.getpid(), file=open(os.environ['QBASE_RUN_DIR'] + '/pid', 'w'), flush=True)"
    error, run_id = fail(workspace, letter("bad", tell, source, limits=limits))
    folder = workspace.runs / "bad" / run_id
    assert (error.code, found in error.found) == (code, True), error
    executed = json.loads((folder / "run.ipynb").read_text(encoding="utf-8"))
    assert [cell["execution_count"] for cell in executed["cells"]][:2] == [1, 2]
    assert executed["cells"][-1]["execution_count"] is None
    assert not lives(int((folder / "pid").read_text()))
    assert run_report(workspace, letter("good"), engine="fork").state == "ok"
    assert "instead of fork" not in "".join(p.read_text("utf-8") for p in workspace.runs.glob("*/*/log.txt"))


@BOTH
def test_the_exception_of_a_thread_is_an_error(workspace: Workspace, letter: Letter, engine: str) -> None:
    source = "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='counter')\nt.start(); t.join()"
    error, run_id = fail(workspace, letter("threads", source), engine)
    assert error.code == "QB834"
    assert error.found == "ZeroDivisionError: division by zero · counter"
    assert "Exception in thread counter" in (workspace.runs / "threads" / run_id / "run.ipynb").read_text("utf-8")
    handled = (
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(1).submit(lambda: 1 / 0).exception()"
    )
    assert run_report(workspace, letter("handled", handled), engine=engine).state == "ok"  # type: ignore[arg-type]


@BOTH
def test_nothing_of_a_run_is_left_in_the_temporary_folder(
    workspace: Workspace, letter: Letter, engine: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    look = "import os, json; from IPython.paths import get_ipython_dir; where = get_ipython_dir()"
    tell = "json.dump({'where': where}, open(os.environ['QBASE_RUN_DIR'] + '/seen.json', 'w'))"
    where = pathlib.Path(seen(workspace, letter("neat", look, tell), engine)["where"])
    assert where.parent == scratch
    fail(workspace, letter("dead", "import os; os._exit(0)"), engine)
    assert list(scratch.glob("qb-*")) == []


@BOTH
def test_a_flood_of_output_is_stopped_long_before_the_time_limit(
    workspace: Workspace, letter: Letter, engine: str
) -> None:
    flood = "while True:\n    print('x' * 10_000)"
    error, _ = fail(workspace, letter("flood", flood, limits="[limits]\noutput_mb = 1\nseconds = 300\n"), engine)
    # at its time limit it would be QB813
    assert error.code == "QB819"


@BOTH
def test_a_program_that_left_its_group_ends_with_its_run(workspace: Workspace, letter: Letter, engine: str) -> None:
    source = (
        "import json, os, subprocess\n"
        "left = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "json.dump({'pid': left.pid}, open(os.environ['QBASE_RUN_DIR'] + '/seen.json', 'w'))"
    )
    pid = seen(workspace, letter("leaves", source), engine)["pid"]
    gone = time.monotonic() + 30
    while lives(pid) and time.monotonic() < gone:
        time.sleep(0.02)
    assert not lives(pid)


SPOIL = """
import builtins, os, random, sys, warnings
import numpy as np, pandas as pd, matplotlib, matplotlib.pyplot as plt, qbase.core
os.chdir(os.sep); os.umask(0o077); os.environ['SPOILT'] = '1'; sys.path.insert(0, 'spoilt')
pd.set_option('display.max_rows', 3); matplotlib.rcParams['font.size'] = 99.0; plt.figure(); plt.figure()
pd.DataFrame.mean = None; sys.modules['spoilt'] = sys; qbase.core.spoilt = True; builtins.spoilt = 1
random.seed(1); np.random.seed(1); warnings.simplefilter('ignore'); kept = open(os.devnull)
warnings.warn('once'); np.seterr(all='raise'); import decimal; decimal.getcontext().prec = 3
"""
PROBE = """
import builtins, json, os, random, sys, warnings, decimal
import numpy as np, pandas as pd, matplotlib, matplotlib.pyplot as plt, qbase.core
mask = os.umask(0); os.umask(mask)
seen = {
    'cwd': os.getcwd(), 'umask': mask, 'env': sorted(k for k in os.environ if k in ('SPOILT', 'SECRET')), 'path': sys.path,
    'spoilt path': 'spoilt' in sys.path, 'rows': pd.get_option('display.max_rows'), 'font': matplotlib.rcParams['font.size'],
    'backend': matplotlib.get_backend(), 'figures': plt.get_fignums(), 'mean': pd.DataFrame({'x': [1., 2.]}).mean().tolist(),
    'modules': 'spoilt' in sys.modules, 'attribute': hasattr(qbase.core, 'spoilt'), 'builtin': hasattr(builtins, 'spoilt'),
    'random': [random.random(), float(np.random.random())], 'filters': len([f for f in warnings.filters if f[0] == 'ignore' and f[1] is None and f[2] is Warning]),
    'files': sum(os.path.realpath(os.sep.join(['', 'proc', 'self', 'fd', str(n)])) == os.devnull for n in range(20, 60)), 'err': np.geterr(), 'prec': decimal.getcontext().prec,
    'names': sorted(n for n in dir() if n in ('kept', 'left')), 'hash': hash('a'), 'blas': os.environ.get('OPENBLAS_NUM_THREADS'),
}
json.dump(seen, open(os.environ['QBASE_RUN_DIR'] + '/seen.json', 'w'))
"""


def test_a_run_finds_what_a_fresh_kernel_finds_whatever_ran_before(
    workspace: Workspace, letter: Letter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifteen probes: folder, umask, environment, paths, options, settings, figures, methods, modules, generators …"""
    monkeypatch.setenv("SECRET", "hunter2")
    letter("spoil", SPOIL)
    letter("probe", PROBE)
    first = seen(workspace, "probe")
    assert run_report(workspace, "spoil", engine="fork").state == "ok"
    assert seen(workspace, "probe") == first
    assert first == seen(workspace, "probe", "kernel")
    assert first["backend"].endswith("inline")
    assert first["env"] == []
    # not one page of the environment the server was started with holds what the host keeps to itself
    letter("environ", "import json, os\nsecret = 'hun' + 'ter2'; text = open(os.sep.join(['', 'proc', 'self', 'environ'])).read()\n"
           "json.dump({'s': secret in text}, open(os.environ['QBASE_RUN_DIR'] + '/seen.json', 'w'))")  # fmt: skip
    assert seen(workspace, "environ") == {"s": False}


def test_other_reports_draw_other_numbers_and_the_same_one_the_same(workspace: Workspace, letter: Letter) -> None:
    draw = (
        "import json, os, random\nimport numpy as np\nseen = {'random': random.random(), 'numpy': float(np.random.random())}\n"
        "json.dump(seen, open(os.environ['QBASE_RUN_DIR'] + '/seen.json', 'w'))"
    )
    a, b = letter("a", draw), letter("b", draw)
    first = seen(workspace, a)
    assert seen(workspace, a) == first
    other = seen(workspace, b)
    assert first["random"] != other["random"]
    assert first["numpy"] != other["numpy"]


def test_the_server_has_one_thread_and_no_figure_can_be_lost() -> None:
    from qbase.reports.executing.fork_engine import CELLS
    from qbase.reports.executing.fork_template import NEVER

    pipe, pid = fork_door.open_door().start(CELLS)
    hello = json.loads(pipe.recv_bytes())
    server = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert len(list(pathlib.Path(f"/proc/{server}/task").iterdir())) == 1
    assert (hello["threads"], hello["server_threads"], hello["never"], hello["missing"]) == (1, 1, [], [])
    assert "matplotlib_inline.backend_inline" in NEVER
    pipe.close()
    gone = time.monotonic() + 30
    while lives(pid) and time.monotonic() < gone:
        time.sleep(0.02)
    assert not lives(pid)


@pytest.mark.parametrize("said", [{"server_threads": 2}, {"threads": 3}, {"never": ["backend_inline"]}], ids=str)
def test_a_server_that_is_not_safe_is_not_used(
    workspace: Workspace, letter: Letter, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]
) -> None:
    from qbase.reports.executing import fork_engine

    class Told(fork_engine.Fork):
        def check(self) -> None:
            hello = json.loads(self.pipe.recv_bytes()) | said

            class Pipe:
                def __getattr__(self, name: str) -> Any:
                    return getattr(real, name)

                def recv_bytes(self) -> bytes:
                    return json.dumps(hello).encode()

                def poll(self, seconds: float) -> bool:
                    return True

            real, self.pipe = self.pipe, Pipe()  # type: ignore[assignment]
            super().check()

    monkeypatch.setattr(fork_engine, "Fork", Told)
    record = run_report(workspace, letter("careful"), engine="fork")
    assert record.state == "ok"
    log = (workspace.runs / "careful" / record.run_id / "log.txt").read_text(encoding="utf-8")
    assert log.startswith("engine kernel instead of fork: ")


@pytest.mark.parametrize("obstacle", ["polars", "matplotlibrc"])
def test_what_cannot_be_forked_gets_a_kernel(workspace: Workspace, letter: Letter, obstacle: str) -> None:
    name = letter("other", f"# {obstacle}\n1")
    if obstacle == "matplotlibrc":
        (workspace.root / obstacle).write_text("font.size: 9\n")
    record = run_report(workspace, name, engine="fork")
    assert record.state == "ok"
    assert obstacle in (workspace.runs / name / record.run_id / "log.txt").read_text(encoding="utf-8")


def test_a_changed_package_or_environment_gets_a_new_server(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module.py").write_text("x = 1\n")
    monkeypatch.setattr(fork_door, "PACKAGE", tmp_path)
    first = fork_door.open_door()
    assert fork_door.open_door() is first
    (tmp_path / "module.py").write_text("x = 22\n")
    second = fork_door.open_door()
    assert second is not first
    assert first.server is not None
    assert first.server.poll() is not None
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    third = fork_door.open_door()
    assert third is not second
    assert third.server is not None
    os.kill(third.server.pid, signal.SIGKILL)
    third.server.wait()
    assert fork_door.open_door() is not third
    fork_door.close_door()


def test_threads_may_start_runs_at_once(workspace: Workspace, letter: Letter) -> None:
    names = [letter(f"t{i}", f"{i}") for i in range(6)]

    def run(name: str) -> Any:
        try:
            return run_report(workspace, name, engine="fork")
        finally:
            # jupyter leaves the loop it makes in a thread open
            asyncio.get_event_loop_policy().get_event_loop().close()
            asyncio.set_event_loop(None)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        records = [future.result() for future in [pool.submit(run, name) for name in names]]
    assert [record.state for record in records] == ["ok"] * 6
    assert [record.report_id for record in records] == names


def test_a_batch_goes_on_after_a_runner_was_killed(workspace: Workspace, letter: Letter) -> None:
    """The runner of a report is the other fork of its server; a cell finds it and kills it."""
    kill = (
        "import os, pathlib, signal\nown = os.getpid()\n"
        "for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):\n"
        "    try:\n        fields = stat.read_text().rpartition(')')[2].split()\n"
        "        text = (stat.parent / 'comm').read_text()\n    except OSError:\n        continue\n"
        "    if int(fields[1]) == os.getppid() and int(stat.parent.name) != own:\n"
        "        os.kill(int(stat.parent.name), signal.SIGKILL)"
    )
    good, bad = letter("good"), letter("bad", kill)
    told: list[str] = []
    outcomes = run_many(
        workspace,
        [Job(report_id=bad), Job(report_id=good), Job(report_id=good, params={"year": 2020}), Job(report_id="none")],
        jobs_at_once=1,
        engine="fork",
        on_done=lambda outcome: told.append(outcome.job.report_id),
    )
    assert [o.error.code if o.error else None for o in outcomes][1:] == [None, None, "QB801"]
    assert told == ["bad", "good", "good", "none"]
    from qbase.reports.batching.run_batch import Found, fan_out

    again: list[tuple[str, int]] = []
    jobs = [Job(report_id=bad, force=True), Job(report_id=good, force=True)]
    found = Found(workspace, jobs, on_retry=lambda outcome: again.append((outcome.job.report_id, outcome.attempts)))
    assert fan_out(workspace, found, 1)
    outcomes = [found.done[place] for place in range(2)]
    assert [(o.error.code if o.error else None, o.attempts) for o in outcomes] == [("QB818", 3), (None, 1)]
    assert again == [("bad", 1), ("bad", 2)]
    assert outcomes[1].record is not None
    assert [r.state for r in list_runs(workspace, bad)][:3] == ["failed"] * 3
    assert close_dead_runs(workspace) == []


RUNNER = """
import sys
from qbase.lake import open_workspace
from qbase.reports import Job, run_many
run_many(open_workspace(sys.argv[1]), [Job(report_id="stuck"), Job(report_id="stuck", params={"year": 2020})], jobs_at_once=2)
"""


def test_a_killed_batch_takes_its_forks_along(workspace: Workspace, letter: Letter) -> None:
    tell = "import os, re\nwith open(os.environ['QBASE_RUN_DIR'] + '/pid', 'w') as file: file.write(str(os.getpid()))"
    letter("stuck", f"{tell}\nre.match(r'(a+)+$', 'a' * 60 + 'b')")
    before = hashlib.sha256((workspace.site / "stuck.html").read_bytes()).hexdigest()
    batch = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(workspace.root)], env={**os.environ, "PYTHONPATH": str(PROJECT)}
    )
    deadline = time.monotonic() + 120
    while len(pids := [p for p in workspace.runs.glob("stuck/*/pid") if p.read_text()]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cells = [int(path.read_text()) for path in pids]
    parents = {int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in cells}
    os.kill(batch.pid, signal.SIGKILL)
    batch.wait()
    gone = time.monotonic() + 30
    while any(map(lives, [*cells, *parents])) and time.monotonic() < gone:
        time.sleep(0.02)
    assert not [pid for pid in [*cells, *parents] if lives(pid)]
    assert [(r.state, (r.error or {})["code"]) for r in close_dead_runs(workspace)] == [("failed", "QB818")] * 2
    assert hashlib.sha256((workspace.site / "stuck.html").read_bytes()).hexdigest() == before


@pytest.mark.slow
def test_the_page_of_the_trends_letter_is_the_same_byte_for_byte(tmp_path: pathlib.Path) -> None:
    """Up to run id, time and duration, which differ between two runs of one engine too."""
    home = Workspace.create(tmp_path / "home")
    for folder, name in (
        (home.notebooks, "notebooks/20_quality_trends.ipynb"),
        (home.specs, "reports/specs/quality_trends.toml"),
    ):
        shutil.copy(PROJECT / name, folder / pathlib.Path(name).name)
    subprocess.run(
        [sys.executable, "-m", "qbase", "demo", "--no-run", "--home", str(home.root)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=True, capture_output=True,
    )  # fmt: skip
    pages, engines = [], ("kernel", "fork")
    for engine in engines:
        record = run_report(home, "quality_trends", force=True, engine=engine)  # type: ignore[arg-type]
        page = (home.runs / "quality_trends" / record.run_id / "report.html").read_text(encoding="utf-8")
        assert page.count(record.run_id) >= 2
        page = re.sub(
            r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)?|\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?",
            "…",
            page.replace(record.run_id, "RUN"),
        )
        pages.append(re.sub(r"\d+(\.\d+)? (s|秒)\b", "…", page))
        log = home.runs / "quality_trends" / record.run_id / "log.txt"
        assert not log.is_file() or "instead of fork" not in log.read_text(encoding="utf-8")
    assert len(pages[0]) > 100_000
    assert pages[0] == pages[1]
