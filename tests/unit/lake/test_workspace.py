"""Workspaces: how they are found, and files as received."""

from __future__ import annotations

import hashlib
import os
import stat

import pytest

from qbase.core import SetupError, UsageError
from qbase.lake import Workspace, open_workspace


def test_create_makes_the_folders_and_is_idempotent(tmp_path):
    workspace = Workspace.create(tmp_path / "数据 目录" / "ws")
    assert Workspace.create(workspace.root) == workspace
    for folder in ("data/raw", "data/lake", "notebooks", "reports/specs", "reports/runs", "reports/site"):
        assert (workspace.root / folder).is_dir()
    assert not workspace.ledger.exists()


def test_the_nearest_workspace_upward_is_opened(tmp_path, monkeypatch):
    monkeypatch.delenv("QBASE_HOME", raising=False)
    outer, inner = Workspace.create(tmp_path), Workspace.create(tmp_path / "a" / "b")
    (inner.root / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(inner.root / "deep" / "er")
    assert open_workspace() == inner
    monkeypatch.chdir(tmp_path / "a")
    assert open_workspace() == outer
    monkeypatch.setenv("QBASE_HOME", str(inner.root))
    assert open_workspace() == inner
    assert open_workspace(outer.root) == outer


@pytest.mark.parametrize("named", [True, False])
def test_no_workspace_says_how_to_make_one(tmp_path, monkeypatch, named):
    monkeypatch.delenv("QBASE_HOME", raising=False)
    Workspace.create(tmp_path) if named else None
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path / "x")
    with pytest.raises(SetupError) as caught:
        open_workspace(tmp_path / "x" if named else None)
    assert caught.value.code == "QB201"
    assert "qbase demo --home" in caught.value.fix


@pytest.mark.parametrize("name", ["a%20b", "a[1]", "a*"])
def test_paths_the_lake_cannot_store_are_refused_before_anything_is_made(tmp_path, name):
    with pytest.raises(SetupError) as caught:
        Workspace.create(tmp_path / name)
    assert caught.value.code == "QB212"
    assert not (tmp_path / name).exists()


def test_a_file_in_the_way_is_an_error_of_the_setup(tmp_path):
    (tmp_path / "data").write_text("x")
    with pytest.raises(SetupError, match="QB202"):
        Workspace.create(tmp_path)


def test_relative_paths(tmp_path):
    workspace = Workspace.create(tmp_path)
    assert workspace.relative(workspace.runs / "r" / "报告.html") == "reports/runs/r/报告.html"
    assert workspace.relative("notebooks/20.ipynb") == "notebooks/20.ipynb"
    for outside in (tmp_path.parent / "x", "../x", "/etc/hostname"):
        with pytest.raises(UsageError, match="QB203"):
            workspace.relative(outside)


def test_raw_files_are_stored_once_and_read_only(tmp_path):
    workspace = Workspace.create(tmp_path / "ws")
    file = tmp_path / "2022年 抽查.csv"
    file.write_bytes(b"a,b\n" * 1000)
    sha256, stored = workspace.store_raw(file)
    assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert workspace.relative(stored) == f"data/raw/{sha256[:2]}/{sha256}/{file.name}"
    assert stored.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(stored.stat().st_mode) == 0o444
    twin = tmp_path / "copy.csv"
    twin.write_bytes(file.read_bytes())
    assert workspace.store_raw(file) == (sha256, stored)
    assert workspace.store_raw(str(twin)) == (sha256, stored)
    assert [p for p in workspace.raw.rglob("*") if p.is_file()] == [stored]


def test_raw_files_that_cannot_be_read(tmp_path):
    workspace = Workspace.create(tmp_path)
    for wrong in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(UsageError) as caught:
            workspace.store_raw(wrong)
        assert caught.value.code == "QB208"
        assert os.listdir(workspace.raw) == []
