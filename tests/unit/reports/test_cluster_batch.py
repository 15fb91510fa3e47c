"""A batch on a cluster: which workers are let in, and what the ledger says of a job whose worker was lost."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from typing import Any

import pytest

from qbase.core.errors import QbaseError, RunError, SetupError, read_error
from qbase.core.results.run_values import RunRecord
from qbase.lake import Workspace, find_ledger, find_slot
from qbase.lake.run_changes import begin_run, key_of, move_run, publish_run, queue_runs
from qbase.reports import Job, Outcome
from qbase.reports.batching import cluster_batch, worker_runs
from qbase.reports.batching.cluster_batch import MOST_UNBEGUN, Ended
from qbase.reports.batching.run_batch import Found
from qbase.reports.batching.worker_runs import check_worker, new_terms, token_path, versions

KNOWN = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot"), "")
STARTED = "2026-10-01T02:00:00Z"


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def refused(terms: Any) -> tuple[str, str]:
    error = check_worker("tcp://w:1", terms)
    assert isinstance(error, SetupError)
    assert len(str(error).splitlines()) == 4
    assert "tcp://w:1" in error.what_en
    assert "tcp://w:1" in error.what_zh
    return error.code, error.found


def test_a_worker_is_let_in_that_has_all_in_common_and_no_other(
    home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = new_terms(home, "0a1b")
    code, found = refused(terms)
    assert (code, "no " in found) == ("QB878", True)
    proof = token_path(terms.root, terms.token)
    proof.write_text("another", encoding="ascii")
    assert refused(terms) == ("QB878", f"another folder at {home.root}")
    proof.write_text(terms.token, encoding="ascii")
    assert check_worker("tcp://w:1", terms) is None
    assert not list(home.site.iterdir())
    older = dataclasses.replace(terms, versions={**terms.versions, "qbase": "0.0.9", "pandas": "1.0"})
    assert refused(older) == ("QB877", f"qbase {versions()['qbase']} · pandas {versions()['pandas']}")
    assert {"qbase", "python", "code", "numpy", "matplotlib"} <= versions().keys()
    assert refused(dataclasses.replace(terms, is_shared=True))[1] == f"another ledger: {home.book.name}"
    monkeypatch.setattr(worker_runs, "host_of", lambda: "far/boot")
    assert refused(terms)[0] == "QB879"
    # with a ledger on a server another machine is welcome
    place = dataclasses.replace(find_ledger(home), is_shared=True)
    monkeypatch.setattr(worker_runs, "find_ledger", lambda workspace: place)
    assert check_worker("tcp://w:1", dataclasses.replace(terms, is_shared=True)) is None
    home.site.rmdir()
    assert refused(dataclasses.replace(terms, is_shared=True))[0] == "QB878"


def test_a_worker_that_could_not_even_be_asked_has_no_qbase_of_ours() -> None:
    error = cluster_batch._unable("tcp://w:1", ModuleNotFoundError("No module named 'qbase'\nand more"))
    assert (error.code, error.found) == ("QB877", "ModuleNotFoundError: No module named 'qbase'")


class Tasks:
    """Takes what is given and gives no answer of its own."""

    def __init__(self) -> None:
        self.tasks: dict[int, Any] = {}

    def give(self, ticket: int, function: Any, task: Any) -> None:
        self.tasks[ticket] = task


class Case:
    """One job whose worker was lost, with the ledger as a test makes it."""

    def __init__(self, home: Workspace) -> None:
        self.home, self.again = home, list[int]()
        self.record = RunRecord(
            run_id="R1", report_id="trends", params={}, versions={}, slot="2026-10-01", state="queued",
            started_at=STARTED, **KNOWN,
        )  # fmt: skip
        self.key = key_of(self.record)
        queue_runs(home, [self.record])
        jobs = [Job(report_id="trends")]
        self.found = Found(home, jobs, on_retry=lambda o: self.again.append(o.attempts), closes_lost=False)
        self.tasks = Tasks()
        self.batch: Any = cluster_batch._OnCluster(
            self.found,
            self.tasks,
            {0: self.record},
            "tcp://s:1",
            "fork",
            "b",
            None,  # type: ignore[arg-type]
        )
        self.give()

    def give(self) -> Any:
        self.batch._give(self.found.waiting.popleft())
        return self.tasks.tasks[0]

    def lose(self) -> None:
        self.batch._take(Ended(ticket=0))
        self.settle()

    def settle(self) -> None:
        self.batch.settled = 0.0
        self.batch._settle()

    def begin(self) -> tuple[RunRecord, Any]:
        record = dataclasses.replace(self.record, state="leased")
        claim = begin_run(self.home, record)
        assert claim is not None
        return record, claim


@pytest.fixture
def case(home: Workspace) -> Case:
    return Case(home)


def test_a_job_is_given_with_its_date_and_the_latest_claim(case: Case) -> None:
    given = case.tasks.tasks[0]
    assert (given.job.slot, given.key, given.token) == ("2026-10-01", case.key, 0)
    assert given.root == str(case.home.root)


def test_a_job_that_was_never_begun_is_given_again_without_an_attempt(case: Case) -> None:
    for _ in range(MOST_UNBEGUN - 1):
        case.lose()
        assert not case.again
        case.give()
    case.lose()
    assert case.again == [1]


def test_what_was_published_before_the_worker_could_say_so_is_the_outcome(case: Case) -> None:
    record, claim = case.begin()
    assert publish_run(case.home, dataclasses.replace(record, state="ok"), claim, lambda: None)
    case.lose()
    outcome = case.found.done[0]
    assert outcome.record is not None
    assert (outcome.record.run_id, outcome.record.state, outcome.error) == ("R1", "ok", None)
    assert not case.found.waiting


@pytest.mark.parametrize("code", ["QB813", None])
def test_what_failed_by_itself_or_changed_nothing_is_not_tried_again(case: Case, code: str | None) -> None:
    record, claim = case.begin()
    told = RunError(code, report="trends", found="612 s", expected="600 s", fix="raise it") if code else None
    error = {"cell": "3", "text": "t", **told.payload()} if told else None
    ended = dataclasses.replace(record, state="failed" if code else "unchanged", error=error)
    assert move_run(case.home, ended, claim)
    case.lose()
    outcome = case.found.done[0]
    assert outcome.record == ended
    assert str(outcome.error) == str(told)
    assert not case.again


def test_a_lost_run_is_given_again_so_often_and_no_more(case: Case) -> None:
    case.begin()
    case.lose()
    assert case.again == [1]
    given = case.give()
    assert given.token == 1
    for attempt in (2, 3):
        record = dataclasses.replace(
            case.record, run_id=f"R{attempt}", state="leased", started_at=f"{STARTED}{attempt}"
        )
        assert begin_run(case.home, record) is not None
        case.lose()
        if attempt < 3:
            case.give()
    assert case.again == [1, 2]
    assert isinstance(case.found.done[0].error, QbaseError)
    assert (case.found.done[0].error.code, case.found.done[0].attempts) == ("QB818", 3)


def test_a_slot_that_somebody_may_hold_is_waited_for_until_its_lease_is_over(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a runner of another machine: nobody here knows whether it lives
    monkeypatch.setattr("qbase.lake.run_claims.host_of", lambda: "far/boot")
    case.begin()
    case.lose()
    assert (list(case.batch.unsettled), case.again) == ([0], [])
    monkeypatch.setattr(type(case.home.book), "read_clock", lambda self, connection=None: time.time() + 61)
    case.settle()
    assert (list(case.batch.unsettled), case.again) == ([], [1])
    slot = find_slot(case.home, case.key)
    assert slot is not None
    assert slot.run_id == ""


def test_a_runner_that_was_lost_on_a_worker_that_lives_is_settled_by_the_ledger_too(case: Case) -> None:
    case.begin()
    lost = Outcome(job=case.tasks.tasks[0].job, error=RunError("QB818", report="t", found="EOF", expected="e", fix="x"))
    case.batch._take(Ended(ticket=0, value=lost))
    assert not case.again
    case.settle()
    assert case.again == [1]


def test_what_dask_begins_again_runs_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def run_one(workspace: Workspace, job: Job, *, engine: str, after: int | None) -> Outcome:
        """Claim as a run does, and be the second to do so where another beginning of the task came between."""
        assert after is not None
        if begin_run(workspace, case.record, after=after) is None:
            return Outcome(job=job, error=RunError("QB835", report="t", found="f", expected="e", fix="x"))
        ran.append(after)
        return Outcome(job=job)

    monkeypatch.setattr(worker_runs, "run_one", run_one)
    given = case.tasks.tasks[0]
    assert worker_runs._answer(given, "fork") == Outcome(job=given.job)
    assert worker_runs._answer(given, "fork") is None
    assert ran == [given.token]


def test_of_two_beginnings_that_knew_the_same_claim_one_alone_gets_the_slot(case: Case) -> None:
    token = case.tasks.tasks[0].token
    first, claim = case.begin()
    # published and let go, the slot is free again: only what it was when both began tells the second one
    assert publish_run(case.home, dataclasses.replace(first, state="ok"), claim, lambda: None)
    second = dataclasses.replace(first, run_id="R2")
    assert begin_run(case.home, second, after=token) is None
    assert begin_run(case.home, second, after=token + 1) is not None


def test_an_error_is_read_back_as_it_was_recorded() -> None:
    told = RunError("QB813", report="trends", found="612 s", expected="600 s", fix="raise it")
    again = read_error({"cell": "3", "text": "t", **told.payload()})
    assert (str(again), again.render("zh"), again.exit_code) == (str(told), told.render("zh"), 1)
