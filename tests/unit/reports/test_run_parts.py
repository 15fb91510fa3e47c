"""The parts of a run that need no kernel: fingerprint, seed, environment, proof, publication, sources, batches."""

from __future__ import annotations

import json
import os
import pathlib
import types
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from qbase.core.errors import RunError, UsageError
from qbase.core.results.run_values import Limits
from qbase.lake import Workspace, list_runs
from qbase.reports import Job, run_many
from qbase.reports.executing.completeness import find_failure, place_of, read_results
from qbase.reports.executing.papermill_engine import allowed_environment
from qbase.reports.running.atomic_publish import publish_files
from qbase.reports.running.fingerprint import commit_of, fingerprint_of, seed_of, versions

LIMITS = Limits()
CELLS = [
    {"cell_type": "markdown", "metadata": {}, "source": "# 题"},
    {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "x: int = 1", "outputs": []},
]


def mark(root: pathlib.Path, **changed: Any) -> str:
    given: dict[str, Any] = {"cells": CELLS, "params": {"x": 1, "lang": "zh"}, "tables": {"inspections": 3}} | changed
    return fingerprint_of(given["cells"], given["params"], given["tables"], root)


def test_the_fingerprint_sees_what_matters_and_nothing_else(tmp_path: pathlib.Path) -> None:
    first = mark(tmp_path)
    shown = [{**CELLS[0]}, {**CELLS[1], "outputs": [1], "execution_count": 7, "source": ["x: int", " = 1"], "id": "a"}]
    assert mark(tmp_path, cells=shown) == first
    assert mark(tmp_path, params={"x": 1, "lang": "en"}) == first
    assert mark(tmp_path, params={"lang": "zh", "x": 1}) == first
    changed = [
        mark(tmp_path, params={"x": 2, "lang": "zh"}),
        mark(tmp_path, params={"x": 1.0, "lang": "zh"}),
        mark(tmp_path, params={"x": "1", "lang": "zh"}),
        mark(tmp_path, tables={"inspections": 4}),
        mark(tmp_path, cells=[CELLS[0], {**CELLS[1], "source": "x: int = 2"}]),
        mark(tmp_path, cells=[CELLS[0], {**CELLS[1], "metadata": {}}]),
        mark(tmp_path, cells=CELLS[::-1]),
    ]
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "run.lock").write_text("pandas==1")
    changed.append(mark(tmp_path))
    assert len({first, *changed}) == len(changed) + 1


def test_the_seed_follows_report_and_parameters_only() -> None:
    seed = seed_of(7, "trends", {"x": 1, "lang": "zh"})
    assert seed == seed_of(7, "trends", {"lang": "en", "x": 1})
    assert 0 <= seed < 2**32
    others = {seed_of(8, "trends", {"x": 1}), seed_of(7, "effects", {"x": 1}), seed_of(7, "trends", {"x": 2})}
    assert len(others | {seed}) == 4


def test_versions_and_commit(tmp_path: pathlib.Path) -> None:
    assert {"qbase", "python", "pandas", "statsmodels", "pyfixest", "duckdb", "deltalake", "papermill", "code"} == set(
        versions()
    )
    assert commit_of(tmp_path / "nowhere") == ""


def test_a_kernel_sees_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "t")
    monkeypatch.setenv("QBASE_DATABASE", "postgresql://u:p@h/db")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/a", "/b"]))
    seen = allowed_environment({"QBASE_RUN_ID": "r"})
    assert "SECRET_TOKEN" not in seen
    assert "QBASE_DATABASE" not in seen
    assert seen["LC_ALL"] == "zh_CN.UTF-8"
    assert seen["QBASE_RUN_ID"] == "r"
    assert seen["PYTHONPATH"].split(os.pathsep)[1:] == ["/a", "/b"]
    assert (pathlib.Path(seen["PYTHONPATH"].split(os.pathsep)[0]) / "qbase" / "reports").is_dir()


def ran(*numbers: int | None, exception: Exception | None = None, running: int | None = None) -> Any:
    cells = [new_code_cell(f"# why\nstep({i})", execution_count=n) for i, n in enumerate(numbers)]
    executed = new_notebook(cells=[new_markdown_cell("# 题"), *cells])
    return types.SimpleNamespace(
        executed=executed, started=True, exception=exception, running=running, exceeded=False, thread_errors=[]
    )


def failure(job: Any) -> tuple[str, str | None] | None:
    found = find_failure(job, "trends", LIMITS, "reports/runs/trends/r/log.txt")
    return found and (found[0].code, str(found[1]) if found[1] else None)


def test_cells_in_order_are_the_proof() -> None:
    assert failure(ran(1, 2, 3)) is None
    empty = ran(1, 2)
    empty.executed.cells.append(new_code_cell("   "))
    assert failure(empty) is None
    assert failure(ran(1, None, 3)) == ("QB814", "3: step(1)")
    assert failure(ran(1, 3, 2)) == ("QB814", "4: step(2)")
    assert failure(ran(None)) == ("QB814", "2: step(0)")


def test_an_error_output_fails_whatever_the_engine_says() -> None:
    job = ran(1, 2)
    job.executed.cells[1].outputs = [new_output("error", ename="E", evalue="\x1b[31mone\x1b[0m\ntwo", traceback=["t"])]
    found = find_failure(job, "trends", LIMITS, "log")
    assert found is not None
    assert found[0].code == "QB811"
    assert found[0].found == "E: one · step(0)"


def test_no_kernel_is_told_apart() -> None:
    job = ran(None, exception=RuntimeError("Kernel died before replying to kernel_info"))
    job.started = False
    assert failure(job) == ("QB820", None)


def test_the_injected_cell_does_not_count() -> None:
    cells = ran(1, 2, 3).executed.cells
    cells[2].metadata["tags"] = ["injected-parameters"]
    assert str(place_of(cells, 1)) == "2: step(0)"
    assert str(place_of(cells, 3)) == "3: step(2)"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"sentinel": "other"}', '{"results": []}', None])
def test_the_record_must_be_of_this_run(tmp_path: pathlib.Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(RunError) as caught:
        read_results(tmp_path, "r1", "trends")
    assert caught.value.code == "QB815"


def test_files_are_published_together(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = tmp_path / "a.html", tmp_path / "a.json"
    publish_files({a: b"1", b: b"2"})
    assert (a.read_bytes(), b.read_bytes()) == (b"1", b"2")
    assert a.stat().st_mode & 0o777 == 0o644
    real = os.fsync
    calls: list[int] = []

    def second_fails(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(OSError, match="No space"):
        publish_files({a: b"new", b: b"new"})
    assert (a.read_bytes(), b.read_bytes()) == (b"1", b"2")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.json"]


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def request_for(workspace: Workspace, **spec: Any) -> Any:
    from qbase.core.results.run_values import ReportSpec
    from qbase.core.text import same
    from qbase.reports.asking.run_request import Request

    made = ReportSpec(report_id="r", notebook="notebooks/r.ipynb", title=same("R"), **spec)
    return Request(spec=made, document={"cells": CELLS}, parameters=(), params={}, page_id=made.report_id)


def run_of(workspace: Workspace, **spec: Any) -> Any:
    from qbase.reports.running.run_steps import OneRun

    return OneRun(workspace, request_for(workspace, **spec), "zh", None, lambda *a: None)


def commit(workspace: Workspace, name: str, sha: str) -> None:
    import pyarrow as pa

    from qbase.lake import Delivery

    delivery = Delivery(
        sha256=sha * 64, file_name="f.csv", table=name, recipe="tidy", producer="p", licence="l", verdict="OK",
        rows_seen=1, listed=0, accepted=1, quarantined=0,
    )  # fmt: skip
    workspace.commit(delivery, {name: pa.table({"x": [1]})})


def test_a_report_may_rest_on_declared_tables_only(workspace: Workspace) -> None:
    commit(workspace, "firms", "a")
    commit(workspace, "towns", "b")
    run = run_of(workspace, tables=("firms",))
    run.pin()
    good = {"snapshot": "S0002", "sources": [{"path": "firms", "snapshot": "S0002"}, {"path": "x.csv", "snapshot": ""}]}
    run._check_sources(good)
    with pytest.raises(RunError) as caught:
        run._check_sources({"sources": [{"path": "towns", "snapshot": "S0002"}]})
    assert (caught.value.code, caught.value.found) == ("QB826", "towns")


def test_data_that_move_while_a_report_runs_are_noticed(workspace: Workspace) -> None:
    commit(workspace, "firms", "a")
    run = run_of(workspace, tables=("firms",))
    run.pin()
    commit(workspace, "towns", "b")
    run._check_sources({"snapshot": "S0002", "sources": []})
    commit(workspace, "firms", "c")
    with pytest.raises(RunError) as caught:
        run._check_sources({"snapshot": "S0003", "sources": []})
    assert caught.value.code == "QB825"


def write_letter(workspace: Workspace, name: str, source: str) -> None:
    codes = ["x: int = 1  # 数 | Number", f"{source}\nx"]
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {}, "source": code, "execution_count": None, "outputs": []} for code in codes
    ]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (workspace.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
    spec = f'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "题"\ntitle_en = "T"\n'
    (workspace.specs / f"{name}.toml").write_text(spec, encoding="utf-8")


@pytest.mark.slow
def test_one_bad_report_never_stops_the_rest(workspace: Workspace) -> None:
    write_letter(workspace, "good", "from qbase.core import record\nrecord()")
    write_letter(workspace, "bad", "1 / 0")
    jobs = [Job(report_id="bad"), Job(report_id="none"), Job(report_id="good"), Job(report_id="good", params={"y": 1})]
    done: list[str] = []
    outcomes = run_many(workspace, jobs, jobs_at_once=2, on_done=lambda outcome: done.append(outcome.job.report_id))
    assert [o.error.code if o.error else None for o in outcomes] == ["QB811", "QB801", None, "QB803"]
    assert [o.record.state if o.record else None for o in outcomes] == ["failed", None, "ok", None]
    assert sorted(done) == ["bad", "good", "good", "none"]
    assert sorted(r.state for r in list_runs(workspace)) == ["failed", "ok"]
    assert (workspace.site / "good.html").is_file()
    assert "good" in (workspace.site / "index.html").read_text(encoding="utf-8")


def test_a_usage_error_starts_and_records_nothing(workspace: Workspace) -> None:
    from qbase.reports import run_report

    write_letter(workspace, "good", "1")
    for params, code in (({"y": 1}, "QB803"), ({"x": "1"}, "QB805")):
        with pytest.raises(UsageError) as caught:
            run_report(workspace, "good", params)
        assert caught.value.code == code
    assert list_runs(workspace) == []
    assert not list(workspace.runs.iterdir())


def test_an_error_of_the_house_in_a_cell_keeps_its_own_advice() -> None:
    from qbase.core.errors import UsageError
    from qbase.reports.executing.completeness import _told

    error = UsageError("QB101", text="2022Q5", found="'2022Q5'", expected="a period such as 2022Q3", fix="write 2022Q3")
    assert _told(str(error)) == (
        'QB101] "2022Q5" is not a period',
        "'2022Q5'",
        "a period such as 2022Q3",
        "write 2022Q3",
    )
    assert _told("ZeroDivisionError: division by zero") is None


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("metadata", "tags"), ["parameters", "parameters"], "cell 1 · metadata.tags: "),
        (("outputs",), None, "cell 1 · outputs: "),
        (("note",), 1, "cell 1 · Additional properties"),
    ],
)
def test_a_notebook_that_breaks_the_format_is_told_by_its_cell(path: tuple[str, ...], value: Any, found: str) -> None:
    from qbase.reports.executing.papermill_engine import as_notebook

    cell: dict[str, Any] = {
        "cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "x = 1", "outputs": [],
        "execution_count": None,
    }  # fmt: skip
    place = cell
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    with pytest.raises(UsageError) as caught:
        as_notebook(document, shown="notebooks/r.ipynb")
    assert (caught.value.code, caught.value.exit_code) == ("QB832", 2)
    assert caught.value.found.startswith(found)


def test_cells_without_an_id_or_with_the_id_of_another_are_no_fault() -> None:
    from qbase.reports.executing.papermill_engine import as_notebook

    cell = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": None, "id": "a"}
    more = {k: v for k, v in cell.items() if k != "id"}
    made = as_notebook({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell, dict(cell), more]})
    assert len({c.id for c in made.cells}) == 3


@pytest.mark.parametrize("source", [5, None, [1]])
def test_a_source_that_is_no_text_makes_no_notebook(tmp_path: pathlib.Path, source: Any) -> None:
    from qbase.reports import read_parameters

    cells = [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source}]
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_parameters(path)
    assert caught.value.code == "QB809"
