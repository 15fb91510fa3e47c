"""A workspace in which nothing can be written answers every question as before; what would write is refused."""

from __future__ import annotations

import ctypes
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from qbase.cli.main import run
from qbase.lake import Workspace

HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,区划代码,产品名称,检验结果"
ROWS = [
    f"S{q}{i},省级,2024-{q:02}-10,生产,双随机,甲{i}厂,990101001,涤纶,{'合格' if i else '不合格'}"
    for q in (2, 5)
    for i in range(12)
]
LETTER = {
    "nbformat": 4,
    "nbformat_minor": 4,
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "cells": [
        {
            "cell_type": "code",
            "metadata": {"tags": ["parameters"]},
            "source": "year: int = 2024  # 年份 | Year | 2016..2025",
            "execution_count": None,
            "outputs": [],
        },
        {
            "cell_type": "code",
            "metadata": {},
            "source": "from qbase.core import record\nyear\nrecord()",
            "execution_count": None,
            "outputs": [],
        },
    ],
}
READING = [
    ["list"],
    ["inspect", "tiny"],
    ["runs"],
    ["check", "inspections", "--as-of", "2024-08-01"],
    ["panel", "D1.batch", "--entity", "town_code", "--out", "panel.csv"],
    ["indicators"],
    ["indicators", "--missing"],
    ["links", "list"],
    ["quarantine", "list"],
    ["verify", "tiny"],
    ["explain", "QB207"],
    ["places", "--json"],
]
WRITING = [["load", "more.csv"], ["run", "tiny"], ["demo", "--no-run"]]
# every call in one process: words in, exit code and what was printed out
CALLS = """
import contextlib, io, json, sys
from qbase.cli.main import run
told = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([*words, "--home", sys.argv[2], "--lang", "en"])
    told.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(told))
"""
FILES = """
import sys
from qbase.lake import open_workspace
print(open_workspace(sys.argv[1]).deliveries()["file_name"].tolist())
"""
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def obey_permissions() -> None:
    """Let permissions bind the process that is started next, even where it runs as root."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def start(words: list[str], cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("QBASE")}
    return subprocess.run(
        [sys.executable, "-c", *words], cwd=cwd, env=env, capture_output=True, text=True, preexec_fn=obey_permissions
    )


def ask(calls: list[list[str]], home: pathlib.Path) -> list[tuple[int, str, str]]:
    done = start([CALLS, json.dumps(calls), str(home)], home.parent)
    assert done.returncode == 0, done.stderr
    return [tuple(one) for one in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("read_only")
    workspace = Workspace.create(folder / "home")
    (folder / "towns.csv").write_text("区划代码,乡镇名称,县名称\n990101001,织里镇,云县\n", encoding="utf-8")
    (folder / "a.csv").write_text("\n".join([HEAD, *ROWS, "S9,省级,?,生产,双随机,丙厂,,涤纶,合格"]), encoding="utf-8")
    words = f"{HEAD.replace('区划代码', '乡镇')}\nW1,省级,2024-05-10,生产,双随机,丁厂,织里镇,涤纶,合格"
    (folder / "云县.csv").write_text(words, encoding="utf-8")
    (folder / "more.csv").write_text("区划代码,乡镇名称,县名称\n990101002,太湖镇,云县\n", encoding="utf-8")
    at = ["--home", str(workspace.root), "--quiet"]
    assert run(["load", str(folder / "云县.csv"), "--accept", "towns:织里镇", *at]) == 0
    assert run(["load", str(folder / "towns.csv"), str(folder / "a.csv"), *at]) == 0
    (workspace.notebooks / "tiny.ipynb").write_text(json.dumps(LETTER), encoding="utf-8")
    spec = 'notebook = "notebooks/tiny.ipynb"\ntitle_zh = "质量"\ntitle_en = "Quality"\n'
    (workspace.specs / "tiny.toml").write_text(spec, encoding="utf-8")
    assert run(["run", "tiny", *at]) == 0
    return workspace.root


@pytest.fixture
def closed(home: pathlib.Path) -> Iterator[pathlib.Path]:
    """The workspace with every permission to write taken away."""
    paths = [home, *home.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(modes[path] & ~0o222)
    try:
        probe = start(["open('home/probe', 'w')"], home.parent)
        assert "PermissionError" in probe.stderr, "permissions do not bind here"
        yield home
    finally:
        for path in filter(pathlib.Path.exists, paths):
            path.chmod(modes[path])


def test_every_question_is_answered_as_in_a_workspace_that_can_be_written(
    home: pathlib.Path, request: pytest.FixtureRequest
) -> None:
    before = ask(READING, home)
    assert [code for code, _, _ in before] == [0] * 3 + [3] + [0] * (len(READING) - 4)
    assert '"decision": "accept"' in before[-1][1], "a made code and the official one are one town"
    files = {path for path in home.rglob("*") if not path.name.endswith(("-wal", "-shm"))}
    for path in home.rglob("ledger.sqlite-*"):
        path.unlink()
    closed = request.getfixturevalue("closed")
    for words, old, new in zip(READING, before, ask(READING, closed), strict=True):
        assert new == old, words
    assert {path for path in home.rglob("*") if not path.name.endswith(("-wal", "-shm"))} == files


def test_the_doctor_says_that_it_can_only_be_read_and_finds_nothing_ill(closed: pathlib.Path) -> None:
    ((_, out, _),) = ask([["doctor", "--json"]], closed)
    found = {one["name"]["en"]: one for one in json.loads(out)["checks"]}["workspace"]
    assert found["state"] == "free"
    assert "can only be read" in found["text"]["en"]


def test_what_would_write_is_refused_in_four_lines_and_changes_nothing(closed: pathlib.Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in closed.rglob("*")}
    for words, (code, _, err) in zip(WRITING, ask(WRITING, closed), strict=True):
        lines = [line for line in err.splitlines() if line.startswith(("error[", "  found", "  expected", "  to fix"))]
        assert (code, len(lines)) == (4, 4), (words, err)
    assert {path: path.stat().st_mtime_ns for path in closed.rglob("*")} == before


def test_what_stands_in_the_log_alone_is_read_too(home: pathlib.Path, request: pytest.FixtureRequest) -> None:
    """A writer that was killed leaves its last rows in the log beside the ledger."""
    import sqlite3

    ledger = home / "data" / "ledger.sqlite"
    writer = sqlite3.connect(ledger)
    try:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE deliveries SET file_name = 'renamed.csv' WHERE file_name = 'a.csv'")
        writer.commit()
        assert (home / "data" / "ledger.sqlite-wal").stat().st_size > 0
        closed = request.getfixturevalue("closed")
        told = start([FILES, str(closed)], closed.parent)
        assert told.stdout.strip() == "['云县.csv', 'towns.csv', 'renamed.csv']", told.stderr
    finally:
        for path in (ledger, ledger.with_name("ledger.sqlite-wal"), ledger.with_name("ledger.sqlite-shm")):
            path.chmod(0o644)
        writer.close()


def test_a_ledger_that_changes_while_it_is_copied_is_copied_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qbase.lake.ledger import readable_copy

    ledger = tmp_path / "ledger.sqlite"
    ledger.write_bytes(b"old")
    monkeypatch.setattr(readable_copy, "is_writable", lambda path: False)
    copied: list[Any] = []
    true_copy = readable_copy.shutil.copyfile

    def copy(source: pathlib.Path, target: pathlib.Path) -> None:
        true_copy(source, target)
        copied.append(source)
        if len(copied) == 1:
            ledger.write_bytes(b"newer")

    monkeypatch.setattr(readable_copy.shutil, "copyfile", copy)
    assert readable_copy.readable_path(ledger).read_bytes() == b"newer"
    assert len(copied) == 2
