"""Which files are deliveries: locks and leftovers of programs are left aside, pipes and devices never waited for."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from qbase.cli.main import run
from qbase.core.whole_files import open_ordinary
from qbase.intake import load_files
from qbase.intake.loading.folder_files import find_files
from qbase.lake import Workspace

TOWNS = "区划代码,乡镇名称,县名称\n990101001,织里镇,云县\n"
LEFTOVERS = (
    "~$乡镇.xlsx", ".~lock.乡镇.xlsx#", ".~乡镇.xlsx", "~WRL0001.tmp", "._乡镇.csv", ".DS_Store", "Thumbs.db",
    "THUMBS.DB", "ehthumbs_vista.db", "desktop.ini", "Desktop.ini", "乡镇 - 快捷方式.lnk", "乡镇.csv.crdownload",
    "乡镇.xlsx.part", "a.lock",
)  # fmt: skip
SECONDS = 60


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "收到"
    (made / "县").mkdir(parents=True)
    (made / "乡镇.csv").write_text(TOWNS, encoding="utf-8")
    (made / "县" / "乡镇2.csv").write_text(TOWNS.replace("001", "002"), encoding="utf-8")
    for name in LEFTOVERS:
        (made / "县" / name).write_bytes(b"\0\5\26\7")
    (made / "县" / "busy").write_bytes(b"")
    (made / "__MACOSX").mkdir()
    (made / "__MACOSX" / "乡镇.csv").write_text(TOWNS, encoding="utf-8")
    return made


def test_what_programs_leave_in_a_folder_is_left_aside_and_told(
    home: Workspace, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["load", str(folder), "--home", str(home.root), "--lang", "en"]) == 0
    told = capsys.readouterr()
    assert [line.split()[1] for line in told.out.splitlines() if "->" in line] == ["乡镇.csv", "乡镇2.csv"]
    (line,) = [line for line in told.err.splitlines() if "left aside" in line]
    assert f"left aside, no deliveries: {len(set(LEFTOVERS)) + 1} (" in line
    assert len(line) < 200
    assert "error" not in told.err


def test_named_one_by_one_they_are_left_aside_too(home: Workspace, folder: pathlib.Path) -> None:
    every = [path for path in (*folder.iterdir(), *(folder / "县").iterdir()) if path.is_file()]
    left: list[pathlib.Path] = []
    reports = load_files(home, every, on_left=left.extend)
    assert {report.file for report in reports} == {"乡镇.csv", "乡镇2.csv"}
    assert {path.name for path in left} == {*LEFTOVERS, "busy"}


def test_an_empty_delivery_is_an_error_and_no_leftover(home: Workspace, folder: pathlib.Path) -> None:
    (folder / "空.csv").write_bytes(b"")
    files, _ = find_files([folder], home.raw)
    assert folder / "空.csv" in files
    assert run(["load", str(folder / "空.csv"), "--home", str(home.root), "--quiet"]) == 3


def test_where_nothing_is_a_delivery_the_call_is_at_fault(
    home: Workspace, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["load", str(folder / "县" / "~$乡镇.xlsx"), "--home", str(home.root), "--lang", "en"]) == 2
    assert "error[QB228] there is no file to load here" in capsys.readouterr().err


def loaded_in_time(home: Workspace, *paths: pathlib.Path) -> tuple[int, list[dict[str, object]]]:
    """Load in a process of its own, which is ended where it waits for ever."""
    words = [sys.executable, "-m", "qbase", "load", *map(str, paths), "--home", str(home.root), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, json.loads(done.stdout)["deliveries"]


def test_a_pipe_a_socket_and_a_device_are_refused_at_once(home: Workspace, folder: pathlib.Path) -> None:
    pipe, link, place = folder / "pipe.csv", folder / "link.csv", folder / "socket.csv"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    before = pathlib.Path.cwd()
    os.chdir(folder)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(place.name)
            code, found = loaded_in_time(home, pipe, link, place, pathlib.Path("/dev/zero"), folder / "乡镇.csv")
    finally:
        os.chdir(before)
    assert code == 3
    assert [one["verdict"] for one in found] == ["REJECTED"] * 4 + ["OK"]
    errors = [one["error"] for one in found[:4]]
    assert [error["code"] for error in errors] == ["QB208"] * 4  # type: ignore[index]
    assert "a pipe, not a file" in errors[0]["found"]  # type: ignore[index]
    assert "a pipe, not a file" in errors[1]["found"]  # type: ignore[index]
    assert "a device, not a file" in errors[3]["found"]  # type: ignore[index]


def test_a_pipe_in_a_folder_is_left_aside(home: Workspace, folder: pathlib.Path) -> None:
    os.mkfifo(folder / "pipe.csv")
    code, found = loaded_in_time(home, folder)
    assert (code, len(found)) == (0, 2)


def test_a_file_is_opened_as_ever(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with open_ordinary(tmp_path / "a") as file:
        assert file.read() == b"abc"
    with pytest.raises(IsADirectoryError if os.name == "nt" else OSError, match="a folder, not a file"):
        open_ordinary(tmp_path)
