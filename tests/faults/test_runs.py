"""Runs that come to no good end: the old report stays, the record names the cell, nothing is left behind."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from qbase.core.errors import DataError, RunError
from qbase.core.results.run_values import RunRecord
from qbase.lake import Workspace, list_runs
from qbase.reports import close_dead_runs, reconcile_runs, run_report

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PARAMETERS = "year: int = 2024  # 年份 | Year | 2016..2025\nplace: str = '云泽'  # 地区 | Place"
RECORD = "from qbase.core import record\nyear, place\nrecord()"
SPEC = 'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "试验"\ntitle_en = "Trial"\n'

Letter = Callable[..., str]


def cell(source: str, *tags: str, kind: str = "code") -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "metadata": {"tags": list(tags)}, "source": source}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


@pytest.fixture
def letter(workspace: Workspace) -> Letter:
    """Write a notebook and its specification; an old report of that name is published already."""

    def write(name: str, *sources: str, limits: str = "", record: str = RECORD) -> str:
        titles = [cell("# 试验", "zh", kind="markdown"), cell("# Trial", "en", kind="markdown")]
        codes = [cell(PARAMETERS, "parameters"), *map(cell, (*sources, record))]
        document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [*titles, *codes]}
        (workspace.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
        (workspace.specs / f"{name}.toml").write_text(SPEC.format(name=name) + limits, encoding="utf-8")
        for end in ("html", "json"):
            (workspace.site / f"{name}.{end}").write_text('{"old": "旧"}', encoding="utf-8")
        return name

    return write


def published(workspace: Workspace) -> dict[str, str]:
    files = [path for path in sorted(workspace.site.iterdir()) if path.name not in {"index.html", "feed.json", "by"}]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def fail(workspace: Workspace, name: str) -> tuple[RunError, RunRecord]:
    """Run a report that must fail; hold it to what every failure promises."""
    before = published(workspace)
    with pytest.raises(RunError) as caught:
        run_report(workspace, name)
    record = list_runs(workspace, name)[0]
    folder = workspace.runs / name / record.run_id
    assert published(workspace) == before
    # the card says so at once, and still links the report before
    gallery = (workspace.site / "index.html").read_text(encoding="utf-8")
    assert f"最近一次运行失败（{record.run_id}）" in gallery
    assert f'href="{name}.html"' in gallery
    assert caught.value.exit_code == 1
    assert record.state == "failed"
    assert record.error is not None
    assert record.error["code"] == caught.value.code
    assert json.loads((folder / "run.json").read_text(encoding="utf-8")) == record.payload()
    assert not [p.name for p in folder.iterdir() if p.suffix in {".part", ".lock"}]
    assert str(workspace.root) not in str(record.error)
    assert "\n" not in record.error["text"]
    assert list((workspace.runs / name).iterdir()) == [folder]
    return caught.value, record


def orphans(mark: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if mark in line and "ps -eo" not in line]


def lives(pid: int) -> bool:
    """Return whether a process runs; one that waits to be reaped is dead."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return "State:\tZ" not in status


def test_a_good_run_is_published_and_a_second_one_changes_nothing(
    workspace: Workspace, letter: Letter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUREAU_DB_PASSWORD", "hunter2")
    probe = (
        "import json, os, pathlib, random\nimport numpy as np\n"
        "seen = {'env': dict(os.environ), 'cwd': os.getcwd(), 'year': year, 'place': place}\n"
        "seen |= {'random': random.random(), 'numpy': float(np.random.random())}\n"
        "_ = pathlib.Path(os.environ['QBASE_RUN_DIR'], 'seen.json').write_text(json.dumps(seen))"
    )
    name = letter("good", probe)
    steps: list[str] = []
    place = "'); print('x'); ('\"\\\n中文"
    record = run_report(
        workspace, name, {"place": place}, lang="en", on_progress=lambda step, done, total: steps.append(step)
    )
    folder = workspace.runs / name / record.run_id
    seen = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    assert record.state == "ok"
    assert (seen["place"], seen["year"]) == (place, 2024)
    assert dict(record.params) == {"year": 2024, "place": place}
    assert seen["cwd"] == str(workspace.root)
    assert "BUREAU_DB_PASSWORD" not in seen["env"]
    assert seen["env"]["QBASE_HOME"] == str(workspace.root)
    assert seen["env"]["QBASE_RUN_ID"] == record.run_id
    assert seen["env"]["QBASE_LANG"] == "en"
    assert seen["env"]["PYTHONHASHSEED"] == "0"
    assert list(dict.fromkeys(steps)) == ["cells", "render", "verify", "publish"]
    page = workspace.root / record.outputs[0]
    # a choice of the caller's has a page of its own and says so in its title
    assert re.fullmatch(r"good~[0-9a-f]{6}\.html", page.name)
    assert "(Place: " in page.read_text(encoding="utf-8").partition("</title>")[0]
    assert (workspace.site / "index.html").is_file()
    meta = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert meta["run_id"] == record.run_id
    assert meta["html_sha256"] == published(workspace)[page.name]

    before = published(workspace)
    again = run_report(workspace, name, {"place": place}, lang="zh")
    assert again.state == "unchanged"
    assert again.fingerprint == record.fingerprint
    assert published(workspace) == before
    assert [r.state for r in list_runs(workspace, name)] == ["unchanged", "ok"]


@pytest.mark.parametrize(
    ("source", "limits", "code", "found"),
    [
        ("total = 1 / 0", "", "QB811", "ZeroDivisionError: division by zero"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "", "QB812", "os.kill"),
        ("import os; os._exit(0)", "", "QB812", "os._exit(0)"),
        ("import sys; sys.exit(0)", "", "QB814", "SystemExit"),
        ("while True: pass", "[limits]\nseconds = 2\n", "QB813", "while True: pass"),
    ],
    ids=["broken", "killed", "exit", "sys-exit", "endless"],
)
def test_a_bad_cell_leaves_the_old_report(
    workspace: Workspace, letter: Letter, source: str, limits: str, code: str, found: str
) -> None:
    name = letter("bad", f"# the reason\n{source}", limits=limits)
    error, record = fail(workspace, name)
    folder = workspace.runs / name / record.run_id
    assert error.code == code
    assert found in error.found
    assert record.error is not None
    assert record.error["cell"] == f"4: {source}"
    executed = json.loads((folder / "run.ipynb").read_text(encoding="utf-8"))
    assert executed["cells"][2]["execution_count"] == 1
    assert executed["cells"][-1]["execution_count"] is None
    assert not orphans(record.run_id)
    if code == "QB811":
        assert "Traceback" in (folder / "log.txt").read_text(encoding="utf-8")
        assert "Traceback" not in str(error)


RUNNER = """
import sys
from qbase.lake import open_workspace
from qbase.reports import run_report
run_report(open_workspace(sys.argv[1]), "stuck")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel asks Linux to be killed with its runner")
def test_a_killed_runner_takes_its_kernel_along_and_its_row_is_closed(workspace: Workspace, letter: Letter) -> None:
    # a regular expression that never ends holds the interpreter lock: no thread of the kernel can look at its parent
    tell = "import os, re\nwith open(os.environ['QBASE_RUN_DIR'] + '/pid', 'w') as file: file.write(str(os.getpid()))"
    letter("stuck", f"{tell}\nre.match(r'(a+)+$', 'a' * 60 + 'b')")
    before = published(workspace)
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(workspace.root)], env={**os.environ, "PYTHONPATH": str(PROJECT)}
    )
    deadline = time.monotonic() + 60
    while not (pids := list(workspace.runs.glob("stuck/*/pid"))) or not pids[0].read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kernel = int(pids[0].read_text())
    assert [r.state for r in list_runs(workspace, "stuck")] == ["running"]
    assert close_dead_runs(workspace) == []
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    gone = time.monotonic() + 1
    while lives(kernel) and time.monotonic() < gone:
        time.sleep(0.02)
    assert not lives(kernel)
    closed = close_dead_runs(workspace)
    assert [(r.state, (r.error or {})["code"]) for r in closed] == [("failed", "QB818")]
    assert [r.state for r in list_runs(workspace, "stuck")] == ["failed"]
    assert published(workspace) == before


class Instead:
    """Stands for the kernel: "executes" every cell and may write the record, in no time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from qbase.reports.executing import papermill_engine as engine

        self.sentinel: str | None = None
        self.sources: list[dict[str, str]] = []
        self.outputs: list[dict[str, Any]] = []
        self.raises: BaseException | None = None
        monkeypatch.setattr(engine, "execute", self)

    def __call__(self, job: Any) -> None:
        if self.raises is not None:
            raise self.raises
        job.executed, job.started = job.notebook, True
        codes = [c for c in job.executed.cells if c.cell_type == "code"]
        for number, code in enumerate(codes, 1):
            code.execution_count = number
        codes[-1].outputs = self.outputs
        sentinel = job.environment["QBASE_RUN_ID"] if self.sentinel is None else self.sentinel
        results = {"schema": 1, "sentinel": sentinel, "snapshot": "", "sources": self.sources}
        results |= {"results": [], "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
        if sentinel:
            (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Instead:
    return Instead(monkeypatch)


@pytest.mark.parametrize("sentinel", ["", "another-run"])
def test_a_letter_without_its_sentinel_is_not_published(
    workspace: Workspace, letter: Letter, instead: Instead, sentinel: str
) -> None:
    instead.sentinel = sentinel
    error, _ = fail(workspace, letter("plain"))
    assert error.code == "QB815"


def test_too_much_output_is_not_published(workspace: Workspace, letter: Letter, instead: Instead) -> None:
    from nbformat.v4 import new_output

    instead.outputs = [new_output("stream", name="stdout", text="集" * 400_000)]
    error, _ = fail(workspace, letter("plain", limits="[limits]\noutput_mb = 1\n"))
    assert error.code == "QB819"


def test_a_page_that_fails_verification_stays_in_its_folder(
    workspace: Workspace, letter: Letter, instead: Instead, monkeypatch: pytest.MonkeyPatch
) -> None:
    import qbase.reports.rendering.page_rendering

    monkeypatch.setattr(
        qbase.reports.rendering.page_rendering,
        "render_report",
        lambda *a, **k: "<html><script src='https://example.org'></script></html>",
    )
    error, record = fail(workspace, letter("plain"))
    assert error.code == "QB816"
    assert (workspace.runs / "plain" / record.run_id / "report.html").is_file()


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (RunError("QB815", report="x", found="f", expected="e", fix="x"), "QB815"),
        (DataError("QB127", found="f", expected="e", fix="x"), "QB821"),
        (KeyError("slot"), "QB999"),
    ],
    ids=["run", "data", "internal"],
)
def test_a_page_that_cannot_be_made(
    workspace: Workspace,
    letter: Letter,
    instead: Instead,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    code: str,
) -> None:
    import qbase.reports.rendering.page_rendering

    def cannot(*args: Any, **kwargs: Any) -> str:
        raise raised

    monkeypatch.setattr(qbase.reports.rendering.page_rendering, "render_report", cannot)
    error, record = fail(workspace, letter("plain"))
    assert error.code == code
    if error.code == "QB999":
        assert "Traceback" in (workspace.runs / "plain" / record.run_id / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("call", "when"), [("fsync", 2), ("replace", 1), ("replace", 2), ("link", 1)])
def test_a_full_disk_while_publishing(
    workspace: Workspace, letter: Letter, instead: Instead, monkeypatch: pytest.MonkeyPatch, call: str, when: int
) -> None:
    import qbase.reports.running.atomic_publish

    real = getattr(os, call)
    made: list[int] = []

    def full(*args: Any) -> Any:
        made.append(1)
        if len(made) == when:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args)

    class Os:
        def __getattr__(self, name: str) -> Any:
            return full if name == call else getattr(os, name)

    monkeypatch.setattr(qbase.reports.running.atomic_publish, "os", Os())
    if call == "link":
        # a disk without links: what stood there is copied
        assert run_report(workspace, letter("plain")).state == "ok"
        return
    error, _ = fail(workspace, letter("plain"))
    assert error.code == "QB817"
    assert made
    assert not [p for p in workspace.site.iterdir() if p.name.endswith(".part")]


LIMITED = """
import resource, sys
from qbase.lake import open_workspace
from qbase.core.errors import QbaseError
import qbase.reports.executing.papermill_engine as engine, qbase.reports.rendering.page_rendering as render, json
from qbase.reports import run_report
def execute(job):
    job.executed, job.started = job.notebook, True
    for n, c in enumerate([c for c in job.executed.cells if c.cell_type == "code"], 1):
        c.execution_count = n
    (job.folder / "results.json").write_text(json.dumps({"sentinel": job.environment["QBASE_RUN_ID"]}))
engine.execute = execute
render.render_report = lambda *a, **k: "x" * 3_000_000
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    run_report(open_workspace(sys.argv[1]), "plain")
except QbaseError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_a_file_size_limit(workspace: Workspace, letter: Letter) -> None:
    letter("plain")
    before = published(workspace)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(workspace.root)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("error[QB817]")
    assert published(workspace) == before
    assert [r.state for r in list_runs(workspace, "plain")] == ["failed"]
    assert not list(workspace.root.rglob("*.part"))


def test_ctrl_c_is_recorded_and_goes_on_up(workspace: Workspace, letter: Letter, instead: Instead) -> None:
    instead.raises = KeyboardInterrupt()
    before = published(workspace)
    with pytest.raises(KeyboardInterrupt):
        run_report(workspace, letter("plain"))
    record = list_runs(workspace, "plain")[0]
    assert (record.state, (record.error or {})["code"]) == ("failed", "QB818")
    assert before.items() <= published(workspace).items()


def test_a_table_that_is_not_loaded_starts_no_kernel(workspace: Workspace, letter: Letter, instead: Instead) -> None:
    name = letter("plain", limits='tables = ["inspections"]\n')
    instead.raises = AssertionError("a kernel was started")
    with pytest.raises(DataError) as caught:
        run_report(workspace, name)
    assert (caught.value.code, caught.value.exit_code) == ("QB810", 3)
    assert list_runs(workspace, name)[0].state == "failed"


def test_a_changed_letter_or_a_lost_page_runs_again(workspace: Workspace, letter: Letter, instead: Instead) -> None:
    name = letter("plain")
    assert run_report(workspace, name).state == "ok"
    assert run_report(workspace, name).state == "unchanged"
    before = published(workspace)
    assert run_report(workspace, name, {"year": 2023}).state == "ok"
    assert before.items() <= published(workspace).items()
    assert run_report(workspace, name).state == "unchanged"
    assert run_report(workspace, name, {"year": 2023}).state == "unchanged"
    (workspace.site / f"{name}.html").unlink()
    assert run_report(workspace, name).state == "ok"
    assert run_report(workspace, name, force=True).state == "ok"
    assert run_report(workspace, name, slot="2026-01-31").state == "ok"
    assert run_report(workspace, name, slot="2026-01-31").state == "unchanged"
    page = workspace.site / "plain.html"
    page.write_bytes(page.read_bytes() + b" ")
    assert run_report(workspace, name).state == "ok"
    page.unlink()
    assert run_report(workspace, name).state == "ok"
    path = workspace.notebooks / "plain.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("record()", "record(  )"), encoding="utf-8")
    assert run_report(workspace, name).state == "ok"


def test_a_runner_killed_after_publishing_left_a_good_report(
    workspace: Workspace, letter: Letter, instead: Instead
) -> None:
    import dataclasses

    from qbase.lake import update_run

    record = run_report(workspace, letter("plain"))
    update_run(workspace, dataclasses.replace(record, state="running"))
    assert [r.state for r in close_dead_runs(workspace, "plain")] == ["ok"]


@pytest.mark.parametrize("state", ["ok", "failed"])
def test_a_runner_killed_before_the_copy_of_its_last_row_leaves_none_that_is_stale(
    workspace: Workspace, letter: Letter, instead: Instead, state: str
) -> None:
    instead.sentinel = None if state == "ok" else "another"
    with contextlib.suppress(RunError):
        run_report(workspace, letter("plain"))
    row = list_runs(workspace, "plain")[0]
    folder = workspace.runs / "plain" / row.run_id
    stale = {**row.payload(), "state": "running"}
    (folder / "run.json").write_text(json.dumps(stale), encoding="utf-8")
    (folder / "running.lock").touch()
    copy = (folder / "run.json").relative_to(workspace.root).as_posix()
    assert copy in {found.path for found in reconcile_runs(workspace)[0]}
    assert (row.state, close_dead_runs(workspace)) == (state, [])
    assert copy not in {found.path for found in reconcile_runs(workspace)[0]}
    assert not (folder / "running.lock").exists()


def test_a_ledger_that_fails_when_the_page_is_out_is_told_of_it_afterwards(
    workspace: Workspace, letter: Letter, instead: Instead, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qbase.core.errors import SetupError
    from qbase.lake import run_changes

    real, made = run_changes.free_slot, []

    def full(*args: Any) -> None:
        made.append(1)
        if len(made) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(*args)

    monkeypatch.setattr(run_changes, "free_slot", full)
    with pytest.raises(SetupError, match="QB207"):
        run_report(workspace, letter("plain"))
    (record,) = list_runs(workspace)
    assert record.state == "ok"
    meta = json.loads((workspace.site / "plain.json").read_text(encoding="utf-8"))
    assert meta["run_id"] == record.run_id
    assert run_report(workspace, "plain").state == "unchanged"
