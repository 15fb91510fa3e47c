"""A whole load killed, and a disk that fills up, at every place: no row lost, none doubled, the old state intact."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import sys
from typing import Any

import pytest

from qbase.core.errors import QbaseError
from qbase.intake import load_files, retry_quarantine
from qbase.lake import FAULT_POINTS, Workspace
from qbase.lake.storage import fault_points as faults

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a fork server")

HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果"


def write(folder: pathlib.Path, name: str, *rows: tuple[str, str]) -> pathlib.Path:
    path = folder / name
    lines = [f"{number},省级,2022-08-10,生产,双随机,甲厂,涤纶,{result}" for number, result in rows]
    path.write_text("\n".join([HEAD, *lines]) + "\n", "utf-8")
    return path


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    home = Workspace.create(tmp_path / "home")
    load_files(home, [write(tmp_path, "a.csv", ("S1", "合格"), ("S2", "?"))])
    return home


def state(home: Workspace) -> tuple[Any, ...]:
    """Everything a reader sees: rows, rows set aside, deliveries, snapshot."""
    rows = home.query("SELECT sample_no, result FROM inspections ORDER BY ALL")
    aside = home.query("SELECT raw FROM set_aside WHERE verdict = 'quarantined' ORDER BY ALL")
    sent = home.deliveries()[["file_name", "rows_seen", "listed", "accepted", "quarantined"]]
    return rows.values.tolist(), aside["raw"].tolist(), sent.values.tolist(), home.snapshot().id


def child_load(root: str, paths: list[str], fault: str, supersedes: str | None, limit: int) -> None:
    """In a process of its own: load, and leave with the exit code of the error."""
    os.environ["QBASE_FAULT"] = fault
    if limit >= 0:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        load_files(Workspace(pathlib.Path(root)), paths, supersedes=supersedes)
    except QbaseError as error:
        sys.exit(error.exit_code)
    except OSError:
        sys.exit(4)


@pytest.fixture(scope="module")
def context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["qbase.intake.loading.file_loading", "qbase.lake.workspace", "pyarrow", "duckdb"])
    return context


def in_child(
    context: Any,
    home: Workspace,
    *paths: pathlib.Path,
    fault: str = "",
    supersedes: str | None = None,
    limit: int = -1,
) -> int:
    child = context.Process(target=child_load, args=(str(home.root), [*map(str, paths)], fault, supersedes, limit))
    child.start()
    child.join(60)
    assert child.exitcode is not None
    return int(child.exitcode)


def expected(home: Workspace, path: pathlib.Path, tmp_path: pathlib.Path, *, is_correction: bool) -> tuple[Any, ...]:
    """What an undisturbed load of the same files gives, in a workspace of its own."""
    twin = Workspace.create(tmp_path / "twin")
    (first,) = load_files(twin, [tmp_path / "a.csv"])
    load_files(twin, [path], supersedes=first.sha256 if is_correction else None)
    return state(twin)


@pytest.mark.parametrize("is_correction", [False, True])
def test_a_load_killed_anywhere_is_whole_or_not_there(
    context: Any, home: Workspace, tmp_path: pathlib.Path, is_correction: bool
) -> None:
    path = write(tmp_path, "b.csv", ("S3", "合格"), ("S4", "不合格"), ("S5", "?"))
    sha256 = str(home.deliveries()["sha256"].iloc[0]) if is_correction else None
    before, after = state(home), expected(home, path, tmp_path, is_correction=is_correction)
    points = [p for p in FAULT_POINTS if p != "orphans_undone" and (is_correction or p != "rows_removed")]
    for point in points:
        assert in_child(context, home, path, fault=point, supersedes=sha256) == faults.EXIT, point
        assert state(home) == (after if point == "ledger_committed" else before), point
    load_files(home, [path])
    assert state(home) == after


@pytest.fixture
def folder(home: Workspace, tmp_path: pathlib.Path) -> pathlib.Path:
    """Four files that are committed together, two of them with bad rows, one refused."""
    folder = tmp_path / "in"
    folder.mkdir()
    for i, result in enumerate(("合格", "?", "不合格"), start=3):
        write(folder, f"{i}.csv", (f"S{i}", "合格"), (f"T{i}", result))
    (folder / "4x.csv").write_text("x\n", "utf-8")
    return folder


def test_files_committed_together_are_all_there_or_none(
    context: Any, home: Workspace, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    before, after = state(home), expected(home, folder, tmp_path, is_correction=False)
    assert after[-1] == "S0002"
    for point in (p for p in FAULT_POINTS if p not in ("orphans_undone", "rows_removed")):
        assert in_child(context, home, folder, fault=point) == faults.EXIT, point
        assert state(home) == (after if point == "ledger_committed" else before), point
    reports = load_files(home, [folder])
    assert state(home) == after
    assert [report.already for report in reports] == [True] * 4


def test_a_disk_full_while_files_are_committed_together(
    context: Any, home: Workspace, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    before, after = state(home), expected(home, folder, tmp_path, is_correction=False)
    for n in range(1, 40):
        code = in_child(context, home, folder, fault=f"full:{n}")
        if code == 0 or state(home) == after:
            break
        assert code == 4, n
        assert state(home) == before, n
    assert n > 12
    load_files(home, [folder])
    assert state(home) == after


def test_a_disk_full_at_the_nth_write_loses_and_doubles_nothing(
    context: Any, home: Workspace, tmp_path: pathlib.Path
) -> None:
    """The n-th place passed raises ENOSPC, and so do all after it; n grows until the load gets through."""
    path = write(tmp_path, "b.csv", ("S3", "合格"), ("S4", "不合格"), ("S5", "?"))
    sha256 = str(home.deliveries()["sha256"].iloc[0])
    before, after = state(home), expected(home, path, tmp_path, is_correction=True)
    for n in range(1, 30):
        code = in_child(context, home, path, fault=f"full:{n}", supersedes=sha256)
        if code == 0 or state(home) == after:
            break
        assert code == 4, n
        assert state(home) == before, n
    assert n > 8
    load_files(home, [path])
    assert state(home) == after


@pytest.mark.parametrize("limit", [0, 300, 1000, 2500, 5000, 12_000])
def test_a_limit_on_file_size_stands_for_a_full_disk(
    context: Any, home: Workspace, tmp_path: pathlib.Path, limit: int
) -> None:
    path = write(tmp_path, "b.csv", *((f"T{i}", "合格") for i in range(40)))
    before, after = state(home), expected(home, path, tmp_path, is_correction=False)
    code = in_child(context, home, path, limit=limit)
    assert code in (0, 4)
    assert state(home) == (after if code == 0 else before)
    load_files(home, [path])
    assert state(home) == after


def test_a_retry_that_is_killed_leaves_the_old_reading(
    context: Any, home: Workspace, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(home)
    sha256 = str(home.deliveries()["sha256"].iloc[0])
    for point in ("rows_removed", "tables_written", "ledger_filled"):
        child = context.Process(target=child_retry, args=(str(home.root), sha256, point))
        child.start()
        child.join(60)
        assert child.exitcode == faults.EXIT
        assert state(home) == before
    report = retry_quarantine(home, sha256)
    assert (report.accepted, report.quarantined) == (1, 1)
    assert state(home)[:3] == before[:3]


def child_retry(root: str, sha256: str, fault: str) -> None:
    os.environ["QBASE_FAULT"] = fault
    retry_quarantine(Workspace(pathlib.Path(root)), sha256)
