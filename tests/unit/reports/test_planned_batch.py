"""A batch asks the ledger once: what is published is recorded and not run, the rest waits in the queue."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from qbase.core import UsageError
from qbase.lake import Workspace, list_runs, read_steps
from qbase.reports import Job, prune_runs, run_many
from qbase.reports.batching import run_batch


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    from qbase.reports.executing import papermill_engine as engine

    def execute(job: Any) -> None:
        if job.params.get("year") == 2020:
            raise KeyboardInterrupt
        job.executed, job.started = job.notebook, True
        for number, cell in enumerate(job.executed.cells, 1):
            cell.execution_count = number
        results = {"sentinel": job.environment["QBASE_RUN_ID"], "snapshot": "", "sources": [], "results": []}
        results |= {"schema": 1, "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
        (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")

    monkeypatch.setattr(engine, "execute", execute)
    workspace = Workspace.create(tmp_path / "home")
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "execution_count": None, "outputs": []}
        for source, tags in (("year: int = 2024  # 年份 | Year | 2016..2025", ["parameters"]), ("year", []))
    ]
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (workspace.notebooks / "trends.ipynb").write_text(json.dumps(document), encoding="utf-8")
    spec = 'notebook = "notebooks/trends.ipynb"\ntitle_zh = "题"\ntitle_en = "T"\n'
    (workspace.specs / "trends.toml").write_text(spec, encoding="utf-8")
    return workspace


def jobs(*years: int, **how: Any) -> list[Job]:
    return [Job(report_id="trends", params={"year": year}, **how) for year in years]


def run(home: Workspace, asked: list[Job]) -> list[str]:
    """Run a batch in this process and return the state or the code of each."""
    outcomes = run_many(home, asked, jobs_at_once=1, engine="kernel")
    assert [outcome.job for outcome in outcomes] == asked
    return [o.error.code if o.error else o.record.state if o.record else "" for o in outcomes]


def test_what_is_published_is_recorded_and_neither_run_nor_shown_anew(
    home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(home, jobs(2021, 2022, 2023)) == ["ok"] * 3
    gallery = (home.site / "index.html").stat().st_mtime_ns
    folders = sorted(home.runs.glob("*/*"))
    with monkeypatch.context() as patch:
        patch.setattr(run_batch, "run_here", None)
        assert run(home, jobs(2023, 2022, 2021)) == ["unchanged"] * 3
    assert (home.site / "index.html").stat().st_mtime_ns == gallery
    assert sorted(home.runs.glob("*/*")) == folders
    records = list_runs(home, state="unchanged")
    assert sorted(dict(record.params)["year"] for record in records) == [2021, 2022, 2023]
    assert {record.fingerprint for record in records} == {r.fingerprint for r in list_runs(home, state="ok")}
    assert [step.state for step in read_steps(home, records[0].run_id)] == ["unchanged"]
    assert all((home.root / record.outputs[0]).is_file() for record in records)


def test_what_changed_is_run_and_the_order_is_that_of_the_batch(home: Workspace) -> None:
    assert run(home, jobs(2021, 2022, 2023)) == ["ok"] * 3
    page = next(home.root / run.outputs[0] for run in list_runs(home) if run.params["year"] == 2022)
    page.write_bytes(page.read_bytes() + b" ")
    assert run(home, jobs(2021, 2022, 2024, 2023)) == ["unchanged", "ok", "ok", "unchanged"]
    assert run(home, jobs(2021, 2022, force=True)) == ["ok", "ok"]
    # a logical date is a slot of its own, however it is spelled
    assert run(home, jobs(2021, 2022, slot="2026-01-31")) == ["ok", "ok"]
    assert run(home, jobs(2021, 2022, slot="20260131")) == ["unchanged", "unchanged"]
    letter = home.notebooks / "trends.ipynb"
    letter.write_text(letter.read_text(encoding="utf-8").replace('"year"', '"year, 1"'), encoding="utf-8")
    assert run(home, jobs(2021, 2022)) == ["ok", "ok"]


def test_what_cannot_be_understood_is_told_in_its_turn_and_nothing_of_it_is_recorded(home: Workspace) -> None:
    asked = [*jobs(2021, 1999), Job(report_id="none"), *jobs(2022, slot="Q3"), *jobs(2023)]
    assert run(home, asked) == ["ok", "QB806", "QB801", "QB214", "ok"]
    assert sorted(record.state for record in list_runs(home)) == ["ok", "ok"]


def test_a_batch_that_is_called_off_leaves_nothing_in_the_queue(home: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(home, jobs(2021, 2020, 2022))
    assert sorted((dict(r.params)["year"], r.state) for r in list_runs(home)) == [(2020, "failed"), (2021, "ok")]


def test_at_least_one_run_is_kept(home: Workspace) -> None:
    with pytest.raises(UsageError, match="QB837"):
        prune_runs(home, keep=0)
