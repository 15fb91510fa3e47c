"""A real run of one cell through each engine, in a workspace that is gone afterwards: from the request to the page."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import tempfile
import time
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError

if TYPE_CHECKING:
    from qbase.reports.executing.execution_job import EngineName

CELLS: tuple[tuple[str, list[str]], ...] = (
    ("year: int = 2024  # 年份 | Year", ["parameters"]),
    ("from qbase.core import record\nyear\nrecord()", []),
)
SPEC = 'notebook = "notebooks/trial.ipynb"\ntitle_zh = "试运行"\ntitle_en = "Trial run"\n'
FELL_BACK = "engine kernel instead of fork: "


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """How a trial run went.

    Parameters
    ----------
    engine : {"kernel", "fork"}
        Asked for.
    seconds : float
        From the request to the published page.
    error : str
        Code and finding; empty where the page was published.
    instead : str
        Why a kernel took the place of a fork; empty where it did not.
    """

    engine: str
    seconds: float
    error: str = ""
    instead: str = ""


def run_trial(engine: EngineName) -> Trial:
    """Run a letter of one cell and publish it into a folder of its own.

    Parameters
    ----------
    engine : {"kernel", "fork"}
        As `run_report` takes it.
    """
    from qbase.lake import Workspace
    from qbase.reports.running.whole_run import run_report

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="qb-trial-", ignore_cleanup_errors=True) as folder:
        workspace = Workspace.create(pathlib.Path(folder) / "home")
        cells: list[dict[str, Any]] = [
            {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "execution_count": None, "outputs": []}
            for source, tags in CELLS
        ]
        document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
        (workspace.notebooks / "trial.ipynb").write_text(json.dumps(document), encoding="utf-8")
        (workspace.specs / "trial.toml").write_text(SPEC, encoding="utf-8")
        try:
            record = run_report(workspace, "trial", engine=engine)
        except (QbaseError, OSError) as error:
            found = f"{error.code}: {error.found}" if isinstance(error, QbaseError) else str(error)
            return Trial(engine=engine, seconds=time.monotonic() - began, error=found)
        log = workspace.runs / "trial" / record.run_id / "log.txt"
        lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    instead = next((line.removeprefix(FELL_BACK) for line in lines if line.startswith(FELL_BACK)), "")
    return Trial(engine=engine, seconds=time.monotonic() - began, instead=instead)
