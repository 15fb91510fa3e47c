"""Faults of what a run reads and shows: ledger locked or corrupted, letter and data changed, floods. F31-F36."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
import json
import pathlib
import sqlite3
import threading
import time
from typing import Any

import pyarrow as pa
import pytest

from qbase.core.errors import SetupError
from qbase.lake import Delivery, Workspace, list_runs
from qbase.lake.ledger import ledger_engine, ledger_file
from qbase.reports import run_report
from qbase.reports.executing import papermill_engine
from tests.faults.fault_letters import TELL, House
from tests.faults.test_runs import Instead

BOTH = pytest.mark.parametrize("engine", ["kernel", "fork"])


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Instead:
    return Instead(monkeypatch)


def load(workspace: Workspace, name: str) -> None:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    delivery = Delivery(sha256=sha256, file_name=f"{name}.csv", table="t", verdict="OK")
    workspace.commit(delivery, {"t": pa.table({"v": pa.array([1, 2], pa.int64())})})


def hold_ledger(workspace: Workspace, begun: threading.Event, ended: threading.Event) -> None:
    with contextlib.closing(sqlite3.connect(workspace.ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun.set()
        ended.wait(60)


def test_a_ledger_that_somebody_else_holds_is_waited_for(house: House, instead: Instead) -> None:
    """F31: held for two seconds here; it is waited for up to a minute."""
    house.letter("plain")
    run_report(house.workspace, "plain")
    begun, ended = threading.Event(), threading.Event()
    other = threading.Thread(target=hold_ledger, args=(house.workspace, begun, ended))
    other.start()
    begun.wait(60)
    timer, held = threading.Timer(2, ended.set), time.monotonic()
    timer.start()
    assert run_report(house.workspace, "plain", force=True).state == "ok"
    assert time.monotonic() - held >= 2
    other.join()


def test_a_ledger_that_is_held_too_long_is_told_and_nothing_is_started(
    house: House, instead: Instead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31."""
    house.letter("plain")
    for module in (ledger_engine, ledger_file):
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    house.workspace.book.writing().__enter__().close()
    before, instead.raises = house.published(), AssertionError("cells were started")
    begun, ended = threading.Event(), threading.Event()
    other = threading.Thread(target=hold_ledger, args=(house.workspace, begun, ended))
    other.start()
    begun.wait(60)
    with pytest.raises(SetupError) as caught:
        run_report(house.workspace, "plain")
    ended.set()
    other.join()
    assert caught.value.code == "QB206"
    assert house.published() == before
    assert list_runs(house.workspace) == []


def test_a_corrupted_page_of_the_ledger_is_refused(house: House, instead: Instead, tmp_path: pathlib.Path) -> None:
    """F32: what is damaged is never written to."""
    house.letter("plain")
    for _ in range(3):
        run_report(house.workspace, "plain", force=True)
    with contextlib.closing(sqlite3.connect(house.workspace.ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(house.workspace.ledger.read_bytes())
    data[2 * 4096 : 4 * 4096] = b"\xff" * (2 * 4096)
    other = House(tmp_path / "damaged")
    other.letter("plain")
    other.workspace.ledger.write_bytes(data)
    before, instead.raises = other.published(), AssertionError("cells were started")
    with pytest.raises(SetupError) as caught:
        run_report(other.workspace, "plain")
    assert caught.value.code == "QB204"
    assert other.published() == before
    assert other.workspace.ledger.read_bytes() == data


def test_kernels_started_at_once_all_answer(house: House) -> None:
    """F33: each has a socket of its own in a folder of its own, and no port to race for."""
    names = [house.letter(f"k{i}", f"{i}") for i in range(4)]

    def run(name: str) -> str:
        try:
            return run_report(house.workspace, name).state
        finally:
            # jupyter leaves the loop it makes in a thread open
            asyncio.get_event_loop_policy().get_event_loop().close()
            asyncio.set_event_loop(None)

    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(run, names)) == ["ok"] * len(names)


def test_a_letter_edited_while_it_runs_is_the_letter_that_was_begun(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F34: the page is that of the fingerprint, and the next run is of the letter as it is now."""
    real = Instead(monkeypatch)
    house.letter("plain", "'as it was'")
    path = house.workspace.notebooks / "plain.ipynb"

    def edit(job: papermill_engine.Job) -> None:
        real(job)
        path.write_text(path.read_text(encoding="utf-8").replace("as it was", "as it is"), encoding="utf-8")

    monkeypatch.setattr(papermill_engine, "execute", edit)
    first = run_report(house.workspace, "plain")
    executed = (house.folder(first) / "run.ipynb").read_text(encoding="utf-8")
    assert (first.state, "as it was" in executed, "as it is" in executed) == ("ok", True, False)
    second = run_report(house.workspace, "plain")
    assert (second.state, second.fingerprint == first.fingerprint) == ("ok", False)
    assert "as it is" in (house.folder(second) / "run.ipynb").read_text(encoding="utf-8")
    assert run_report(house.workspace, "plain").state == "unchanged"


@pytest.mark.parametrize("seen", ["S0002", "S0001"])
def test_data_replaced_while_a_report_runs(house: House, monkeypatch: pytest.MonkeyPatch, seen: str) -> None:
    """F35: a page on newer data than its record names is not published; one that kept to its own is."""
    Instead(monkeypatch)
    load(house.workspace, "a")
    house.letter("plain", limits='tables = ["t"]\n')

    def replace(job: papermill_engine.Job) -> None:
        job.executed, job.started = job.notebook, True
        for number, cell in enumerate([c for c in job.executed.cells if c.cell_type == "code"], 1):
            cell.execution_count = number
        load(house.workspace, "b")
        results: dict[str, Any] = {"schema": 1, "sentinel": job.environment["QBASE_RUN_ID"], "snapshot": seen}
        results |= {
            "sources": [
                {
                    "path": "t",
                    "snapshot": seen,
                    "producer": "",
                    "licence": "",
                    "sha256": "",
                    "title": None,
                    "retrieved_on": "",
                }
            ]
        }
        results |= {"results": [], "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
        (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")

    monkeypatch.setattr(papermill_engine, "execute", replace)
    if seen == "S0001":
        assert run_report(house.workspace, "plain").snapshot == "S0001"
        return
    error = house.fail("plain")
    assert (error.code, error.found) == ("QB825", "S0002: t")


FLOODS = {
    "one-print": "print('x' * 30_000_000)",
    "many-shown": "from IPython.display import display\nfor i in range(1_500): display(str(i) * 400)",
    "many-errors": "import sys\nfor i in range(3_000): print('e' * 2_000, file=sys.stderr)",
}


@BOTH
@pytest.mark.parametrize("source", FLOODS.values(), ids=FLOODS)
def test_floods_of_output_are_cut_with_their_reason(house: House, engine: str, source: str) -> None:
    """F36, short; 200 MB and a hundred thousand displays are in study_floods.py."""
    name = house.letter("flood", TELL, source, limits="[limits]\noutput_mb = 1\nseconds = 300\n")
    assert house.fail(name, engine).code == "QB819"
    executed = house.folder(house.last(name)) / "run.ipynb"
    assert executed.stat().st_size < 60_000_000
    if "display(" in source:
        # what the cell showed in a moment arrived whole, though it was read more slowly than it was shown
        cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
        shown = ["".join(output["data"]["text/plain"]) for output in cells[2]["outputs"]]
        assert shown == [repr(str(i) * 400) for i in range(1_500)]
