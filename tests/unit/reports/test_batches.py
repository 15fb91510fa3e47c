"""Reports fanned out by a specification or a grid: every run checked before the first, parts that agree everywhere."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import pty
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest

from qbase.cli.main import run
from qbase.core.errors import QbaseError, RunError, UsageError
from qbase.lake import Delivery, Workspace, list_runs
from qbase.reports import Job, Outcome, plan_jobs, run_many
from qbase.reports.batching import run_batch
from qbase.reports.batching.run_planning import key_of_run

Captured = pytest.CaptureFixture[str]
CLUSTERS = [("K001", "童装"), ("K002", "五金"), ("K003", "化纤"), ("K004", "家具")]
PARAMETERS = """entity: str = "cluster_id"  # 对象 | entity | cluster_id, town_code
subject: str | None = "K001"  # 对象 | subject
freq: str = "Q"  # 频率 | frequency | Q, A
years: list[int] = [2024]  # 年份 | years"""
LETTER = (
    'notebook = "notebooks/trends.ipynb"\ntitle_zh = "质量走势"\ntitle_en = "Trends"\ntables = ["clusters", "visits"]\n'
)
BY_QUERY = "query = 'SELECT cluster_id AS subject FROM visits GROUP BY 1 HAVING count(DISTINCT quarter) >= 8'"


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("LC_ALL", "LC_MESSAGES", "QBASE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    made = Workspace.create(tmp_path / "home")
    rows = [{"cluster_id": c, "cluster_name": name} for c, name in CLUSTERS]
    quarters = {"K001": 8, "K002": 7, "K003": 9, "K004": 1}
    visits = [{"cluster_id": c, "quarter": f"Q{q}"} for c, n in quarters.items() for q in range(n)]
    for table, given in (("clusters", rows), ("visits", visits), ("secrets", [{"cluster_id": "K009"}])):
        put(made, table, given)
    write_letter(made, "trends", "entity, subject, freq, years")
    monkeypatch.chdir(made.root)
    return made


def put(home: Workspace, table: str, rows: list[dict[str, Any]]) -> None:
    sha = hashlib.sha256(json.dumps([table, rows]).encode()).hexdigest()
    delivery = Delivery(
        sha256=sha, file_name=f"{table}.csv", table=table, recipe="tidy", producer="p", licence="l", verdict="OK",
        rows_seen=len(rows), listed=0, accepted=len(rows), quarantined=0,
    )  # fmt: skip
    home.commit(delivery, {table: pa.Table.from_pylist(rows)})


def write_letter(home: Workspace, name: str, source: str) -> None:
    cells = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": text, "execution_count": None, "outputs": []}
        for tags, text in ((["parameters"], PARAMETERS), ([], source))
    ]
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (home.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
    (home.specs / f"{name}.toml").write_text(LETTER.replace("trends", name), encoding="utf-8")


def fan(home: Workspace, section: str) -> None:
    (home.specs / "trends.toml").write_text(f"{LETTER}\n[fan_out]\n{section}\n", encoding="utf-8")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a stand-in "execute" letters in no time; the subject K002 ends in an error of its cell."""
    from qbase.reports.executing import papermill_engine as engine

    begun: list[str] = []

    def execute(job: Any) -> None:
        subject = job.params.get("subject", "K001")
        begun.append(subject)
        job.executed, job.started = job.notebook, True
        for number, cell in enumerate(job.executed.cells, 1):
            cell.execution_count = number
        if subject == "K002":
            failed = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
            job.executed.cells[-1].outputs = [engine.nbformat.from_dict(failed)]
        results = {"sentinel": job.environment["QBASE_RUN_ID"], "snapshot": "", "sources": [], "results": []}
        results |= {"schema": 1, "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
        (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")

    monkeypatch.setattr(engine, "execute", execute)
    return begun


def choices(jobs: list[Job], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(job.params.get(name) for name in names) for job in jobs]


def refusal(call: Any) -> QbaseError:
    with pytest.raises(QbaseError) as caught:
        call()
    return caught.value


def test_a_matrix_is_every_combination_in_its_own_order(home: Workspace) -> None:
    fan(home, 'matrix = {freq = ["Q", "A"], subject = ["K003", "K001"]}')
    jobs = plan_jobs(home, "trends")
    assert choices(jobs, "freq", "subject") == [("Q", "K003"), ("Q", "K001"), ("A", "K003"), ("A", "K001")]
    assert jobs[1].page_id == "trends"
    assert len({job.page_id for job in jobs}) == len({job.key for job in jobs}) == 4


def test_a_list_is_taken_as_it_stands_and_a_subject_by_its_code(home: Workspace) -> None:
    fan(home, 'list = [{subject = "化纤", freq = "A"}, {subject = "K001", freq = "Q"}, {subject = "K003", freq = "A"}]')
    assert choices(plan_jobs(home, "trends"), "subject", "freq") == [("K003", "A"), ("K001", "Q")]


def test_a_query_names_every_cluster_with_eight_quarters(home: Workspace) -> None:
    fan(home, BY_QUERY)
    assert choices(plan_jobs(home, "trends"), "subject") == [("K001",), ("K003",)]
    put(home, "visits", [{"cluster_id": "K002", "quarter": "Q7"}])
    assert choices(plan_jobs(home, "trends"), "subject") == [("K001",), ("K002",), ("K003",)]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT cluster_id AS subject FROM secrets", "QB232"),
        ("SELECT * FROM read_csv('/etc/passwd')", "QB230"),
        ("COPY visits TO 'stolen.csv'", "QB231"),
        ("SELECT cluster_id AS subject FROM visits; SELECT 1", "QB231"),
        ("SELECT cluster_id AS subject FROM visits WHERE false", "0 rows"),
        ("SELECT cluster_id AS subject, cluster_id AS subject FROM visits", "rows of subject"),
        ("SELECT DATE '2024-01-01' AS subject FROM visits", "date"),
    ],
)
def test_a_query_that_gives_no_list_of_runs_is_refused(home: Workspace, query: str, told: str) -> None:
    fan(home, f"query = {json.dumps(query)}")
    error = refusal(lambda: plan_jobs(home, "trends"))
    assert (error.code, told in error.found) == ("QB841", True), error
    assert not (home.root / "stolen.csv").exists()


@pytest.mark.parametrize(
    "section",
    ["matrx = {subject = ['K001']}", "matrix = {subject = []}", "matrix = {}", "matrix = ['K001']", "list = []",
     "list = [{subject = 'K001'}, {freq = 'Q'}]", "query = ''", "list = [{}]",
     "matrix = {subject = ['K001']}\nquery = 'SELECT 1'", "matrix = {sbject = ['K001']}"],
)  # fmt: skip
def test_a_section_that_does_not_hold_is_refused(home: Workspace, section: str) -> None:
    fan(home, section)
    assert refusal(lambda: plan_jobs(home, "trends")).code == "QB840"


def test_what_is_too_much_is_refused_before_it_is_spelt_out(home: Workspace) -> None:
    years = list(range(400))
    grid: dict[str, list[Any]] = {"years": [[y] for y in years], "subject": [str(y) for y in years], "freq": ["Q", "A"]}
    assert refusal(lambda: plan_jobs(home, "trends", grid=grid)).code == "QB844"


def test_parameters_and_grid_win_over_the_fan_out(home: Workspace) -> None:
    fan(home, 'matrix = {freq = ["Q", "A"], subject = ["K001", "K003"]}')
    assert choices(plan_jobs(home, "trends", {"subject": "K002"}), "subject", "freq") == [("K002", "Q"), ("K002", "A")]
    jobs = plan_jobs(home, "trends", {"freq": "A"}, grid={"subject": ["K004", "K002"]})
    assert choices(jobs, "subject", "freq") == [("K004", "A"), ("K002", "A")]
    assert refusal(lambda: plan_jobs(home, "trends", {"freq": "A"}, grid={"freq": ["Q"]})).code == "QB843"


def test_all_is_checked_before_the_first_run_starts(home: Workspace, quick: list[str], capsys: Captured) -> None:
    for words, code in ((["--grid", "subject=K001,K999"], "QB830"), (["--grid", "freq=Q,M"], "QB806"),
                        (["--grid", "sbject=K001"], "QB803"), (["--grid", "subject"], "QB843"),
                        (["--grid", "subject=K001", "--grid", "subject=K002"], "QB843"),
                        (["--only", "nowhere"], "QB842"), (["--shard", "3/2"], "QB936"), (["--shard", "0/2"], "QB936"),
                        (["--grid", "years=2024,2025"], "QB805")):  # fmt: skip
        assert run(["run", "trends", *words]) == 2
        assert code in capsys.readouterr().err
    assert quick == []
    assert list_runs(home) == []


def test_every_run_falls_into_one_part_whatever_else_is_asked(home: Workspace) -> None:
    grid: dict[str, list[Any]] = {"subject": [c for c, _ in CLUSTERS], "freq": ["Q", "A"]}
    whole = plan_jobs(home, "trends", grid=grid)
    parts = [plan_jobs(home, "trends", grid=grid, shard=(i, 3)) for i in (1, 2, 3)]
    assert sorted(job.key for part in parts for job in part) == sorted(job.key for job in whole)
    alone = {job.key: i for i in (1, 2, 3) for c, _ in CLUSTERS
             for job in plan_jobs(home, "trends", {"subject": c}, shard=(i, 3))}  # fmt: skip
    together = {job.key: i for i, part in enumerate(parts, 1) for job in part}
    assert alone.items() <= together.items()
    # another machine, another day: the part is decided by what stands in the report
    known = {"entity": "cluster_id", "subject": "K001", "freq": "Q", "years": [2024]}
    assert key_of_run("trends", known)[:16] == plan_jobs(home, "trends")[0].key[:16] == "b76de8c401f54cf0"
    assert key_of_run("trends", {**known, "lang": "en"}) == key_of_run("trends", {**known, "lang": "zh"})


def test_only_and_limit_choose_among_the_runs(home: Workspace) -> None:
    grid = {"subject": [c for c, _ in CLUSTERS]}
    assert choices(plan_jobs(home, "trends", grid=grid, only="化纤"), "subject") == [("K003",)]
    assert choices(plan_jobs(home, "trends", grid=grid, only="k00", limit=2), "subject") == [("K001",), ("K002",)]


def test_one_bad_report_never_stops_the_rest_and_the_next_call_runs_it_alone(
    home: Workspace, quick: list[str], capsys: Captured
) -> None:
    words = ["run", "trends", "--grid", "subject=K001,K002,K003", "--engine", "kernel", "--json"]
    assert run(words) == 1
    told = json.loads(capsys.readouterr().out)["runs"]
    assert [one["state"] for one in told] == ["ok", "failed", "ok"]
    assert quick == ["K001", "K002", "K003"]
    assert run(words) == 1
    told = json.loads(capsys.readouterr().out)["runs"]
    assert sorted(one["state"] for one in told) == ["failed", "unchanged", "unchanged"]
    assert quick[3:] == ["K002"]
    assert sorted(r.state for r in list_runs(home)) == ["failed", "failed", "ok", "ok", "unchanged", "unchanged"]


def test_a_dry_run_tells_what_would_run_and_starts_nothing(home: Workspace, quick: list[str], capsys: Captured) -> None:
    assert run(["run", "trends", "--quiet"]) == 0
    before = len(list_runs(home))
    fan(home, BY_QUERY)
    (home.site / "trends~K003-化纤.html").write_text("old", "utf-8")
    capsys.readouterr()
    assert run(["run", "trends", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["page"], one["state"]) for one in told["runs"]] == [
        ("trends", "unchanged"),
        ("trends~K003-化纤", "changed"),
    ]
    assert (told["count"], told["unchanged"]) == (2, 1)
    assert run(["run", "trends", "--dry-run", "--force", "--lang", "zh"]) == 0
    shown = capsys.readouterr()
    assert "未变" not in shown.out
    assert "什么都没有启动" in shown.err
    assert len(list_runs(home)) == before
    assert quick == ["K001"]


def test_an_empty_part_is_no_failure(home: Workspace, quick: list[str], capsys: Captured) -> None:
    part = next(i for i in (1, 2, 3) if not plan_jobs(home, "trends", shard=(i, 3)))
    assert run(["run", "trends", "--shard", f"{part}/3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []
    assert quick == []


def test_inspect_shows_the_fan_out(home: Workspace, capsys: Captured) -> None:
    fan(home, BY_QUERY)
    assert run(["inspect", "trends"]) == 0
    shown = capsys.readouterr().out
    assert "fans out into 2 runs" in shown
    assert "  subject=K003" in shown
    assert run(["inspect", "trends", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["x-fan-out"] == [{"subject": "K001"}, {"subject": "K003"}]


def test_what_the_machinery_failed_is_tried_again_and_told(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def attempt(workspace: Workspace, job: Job, **how: Any) -> Outcome:
        begun.append(job.report_id)
        code = {"slow": "QB820", "lost": "QB818", "bad": "QB811", "late": "QB813"}[job.report_id]
        if job.report_id == "slow" and begun.count("slow") == 2:
            return Outcome(job=job)
        told = {"report": job.report_id, "cell": 1, "found": "f", "expected": "e", "fix": "x"}
        return Outcome(
            job=job, error=RunError(code, **{k: v for k, v in told.items() if k != "cell" or code == "QB811"})
        )

    monkeypatch.setattr(run_batch, "_attempt", attempt)
    again: list[tuple[str, int]] = []
    jobs = [Job(report_id=name) for name in ("slow", "lost", "bad", "late")]
    outcomes = run_many(home, jobs, engine="kernel", on_retry=lambda o: again.append((o.job.report_id, o.attempts)))
    assert [(o.error.code if o.error else None, o.attempts) for o in outcomes] == [
        (None, 2), ("QB818", 3), ("QB811", 1), ("QB813", 1)]  # fmt: skip
    assert again == [("slow", 1), ("lost", 1), ("lost", 2)]


BATCH = """
import sys
from qbase.cli.speaking.batch_bar import batch_bar
from qbase.cli.speaking.shell import Shell
with batch_bar(Shell(lang="en", quiet="quiet" in sys.argv, as_json="json" in sys.argv), 3) as advance:
    for failed in (False, True, False):
        print("a result")
        advance(failed)
"""


@pytest.mark.parametrize(("words", "is_drawn"), [([], True), (["quiet"], False), (["json"], False)])
def test_a_terminal_sees_how_many_failed_and_results_stay_apart(words: list[str], is_drawn: bool) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", BATCH, *words], stdout=subprocess.PIPE, stderr=theirs, env=env, check=True
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert done.stdout == b"a result\n" * 3
    assert ((b"3/3" in shown) and (b"failed 1" in shown)) == is_drawn
    assert bool(shown) == is_drawn


def test_jobs_travel_as_values(home: Workspace) -> None:
    import pickle

    jobs = plan_jobs(home, "trends", grid={"subject": ["K003"]}, lang="en", slot="2026-10-01", force=True)
    assert pickle.loads(pickle.dumps(jobs)) == jobs
    assert (jobs[0].lang, jobs[0].slot, jobs[0].force) == ("en", "2026-10-01", True)


def test_a_usage_error_names_the_file_of_the_specification(home: Workspace) -> None:
    fan(home, "matrix = {subjet = ['K001']}")
    with pytest.raises(UsageError, match="subjet -> subject"):
        plan_jobs(home, "trends")
