"""What ``qbase doctor --deep`` looks at beside the machine: ledger, disk, what dead runs left, and a real run."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qbase.cli.help.machine_checks import Finding
from qbase.core.errors import QbaseError
from qbase.core.text import Text, same

if TYPE_CHECKING:
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName

LEAST_GB = 1.0
LEAST_FILES = 10_000
SHOWN = 3
ENGINES: tuple[EngineName, ...] = ("kernel", "fork")


def examine_deeply(home: pathlib.Path | None) -> list[Finding]:
    """Look at the workspace from within, and run a letter of one cell through both engines."""
    from qbase.lake import open_workspace

    try:
        workspace = open_workspace(home)
    except QbaseError:
        # said already, and no reason not to try a run
        return [look_at_disk(pathlib.Path.cwd()), *map(look_at_engine, ENGINES)]
    found = [look_at_ledger(workspace), look_at_disk(workspace.root)]
    if found[0].state != "bad":
        found += look_at_leftovers(workspace)
    return found + [look_at_engine(engine) for engine in ENGINES]


def look_at_ledger(workspace: Workspace) -> Finding:
    """Check every page of the ledger."""
    from qbase.lake import Ledger
    from qbase.lake.ledger.ledger_check import find_faults

    name, file = Text("账本的页", "ledger pages"), workspace.ledger
    if not isinstance(workspace.book, Ledger):
        return Finding(name=name, text=Text("在服务器上，由服务器自己检查", "on a server, which checks its own"))
    faults = find_faults(file)
    if faults:
        fix = f"put back a copy of {file.relative_to(workspace.root).as_posix()}: qbase explain QB204"
        return Finding(name=name, text=same(_some(faults)), state="bad", fix=fix)
    size = file.stat().st_size / 2**20 if file.is_file() else 0.0
    text = Text(f"逐页检查无误，{size:.1f} MB", f"every page is sound, {size:.1f} MB")
    return Finding(name=name, text=text)


def look_at_disk(root: pathlib.Path) -> Finding:
    """See that there is room, for bytes and for files, where runs write: the workspace and temporary files."""
    name, low, told = Text("磁盘", "disk"), [], []
    for place in dict.fromkeys((root, pathlib.Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(place).free / 2**30
        files = _free_files(place)
        told.append(f"{place}: {free:.1f} GB" + ("" if files is None else f" · {files:,} inodes"))
        if free < LEAST_GB or (files is not None and files < LEAST_FILES):
            low.append(str(place))
    fix = f"free space: {' · '.join(low)}" if low else ""
    return Finding(name=name, text=same("; ".join(told)), state="bad" if low else "good", fix=fix)


def _free_files(place: pathlib.Path) -> int | None:
    """Return how many files may still be made; None where the file system knows no such limit."""
    if not hasattr(os, "statvfs"):
        return None
    known = os.statvfs(place)
    return known.f_favail if known.f_files else None


def look_at_leftovers(workspace: Workspace) -> list[Finding]:
    """Look for what dead runs left: rows, processes, locks, folders, unfinished files."""
    from qbase.reports.upkeep.left_behind import find_left_behind

    left = find_left_behind(workspace)
    processes = [f"{pid} ({run_id})" for pid, run_id in sorted(left.processes.items())]
    looked: tuple[tuple[Text, Sequence[str], str], ...] = (
        (Text("无主的运行", "runs without a runner"), left.runs, "qbase runs"),
        (Text("无主的进程", "processes without a runner"), processes, f"kill -9 {' '.join(map(str, left.processes))}"),
        (Text("无主的锁", "locks held by nobody"), left.locks, "qbase runs, then remove the files"),
        (Text("账外的运行文件夹", "run folders without a row"), left.folders, "remove the folders"),
        (Text("未完成的文件", "unfinished files"), left.files, "remove the files"),
        (Text("分叉的旧文件夹", "old folders of forks"), left.scratch, "remove the folders"),
    )
    found = []
    for name, things, fix in looked:
        text = same(_some(things)) if things else Text("无", "none")
        found.append(Finding(name=name, text=text, state="bad" if things else "good", fix=fix if things else ""))
    return found


def look_at_engine(engine: EngineName) -> Finding:
    """Run a letter of one cell, from the request to the verified page, and tell how long it took."""
    from qbase.reports.upkeep.trial_run import run_trial

    trial = run_trial(engine)
    name = Text(f"试运行 {engine}", f"trial run, {engine}")
    if trial.error:
        return Finding(name=name, text=same(trial.error), state="bad", fix=f"qbase explain {trial.error[:5]}")
    if trial.instead:
        text = Text(
            f"{trial.seconds:.1f} s，由内核代替：{trial.instead}",
            f"{trial.seconds:.1f} s, by a kernel: {trial.instead}",
        )
        return Finding(name=name, text=text, state="free")
    return Finding(
        name=name, text=Text(f"{trial.seconds:.1f} s 发布一页", f"a page published in {trial.seconds:.1f} s")
    )


def _some(things: Sequence[str]) -> str:
    more = f" · +{len(things) - SHOWN}" if len(things) > SHOWN else ""
    return " · ".join(things[:SHOWN]) + more
