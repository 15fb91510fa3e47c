"""``qbase ledger`` and what ``qbase doctor`` says of it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

import pytest

from qbase.cli.main import run
from qbase.core import RunRecord
from qbase.lake import Workspace, add_run

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    made = Workspace.create(tmp_path)
    known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot", "slot"), "")
    facts = {"report_id": "r", "params": {}, "versions": {}, "state": "ok", "started_at": "2026-01-31T02:00:00Z"}
    add_run(made, RunRecord(run_id="R1", **facts, **known))  # type: ignore[arg-type]
    return made


def of_doctor(home: Workspace, captured: Captured) -> dict[str, str]:
    captured.readouterr()
    run(["doctor", "--json", "--home", str(home.root)])
    (found,) = [c for c in json.loads(captured.readouterr().out)["checks"] if c["name"]["en"] == "ledger"]
    return {"state": found["state"], "text": found["text"]["en"], "fix": found["fix"]}


def test_it_says_where_the_ledger_is_and_moves_it(
    home: Workspace, new_database: Callable[..., str], capsys: Captured
) -> None:
    at = ["--home", str(home.root), "--lang", "en"]
    assert run(["ledger", *at]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "data/ledger.sqlite", "  snapshots  0", "  deliveries  0", "  runs  1",
    ]  # fmt: skip
    assert of_doctor(home, capsys)["text"] == "data/ledger.sqlite: 0 snapshots, 0 deliveries, 1 runs"
    url = new_database()
    assert run(["ledger", "move", url, *at]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == url
    assert "  runs  1" in told.out.splitlines()
    assert "every row compared" in told.err
    assert run(["ledger", "--json", *at]) == 0
    document = json.loads(capsys.readouterr().out)["ledger"]
    assert document == {
        "action": "show", "address": url, "shared": True, "snapshots": 0, "deliveries": 0, "runs": 1,
    }  # fmt: skip
    assert of_doctor(home, capsys)["text"] == f"{url}: 0 snapshots, 0 deliveries, 1 runs"
    assert run(["ledger", "move", *at]) == 2
    assert "QB245" in capsys.readouterr().err


def test_a_server_that_is_away_is_told_by_every_verb_and_by_the_doctor(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    away = f"postgresql+pg8000://office:hunter-42@/d?unix_sock={home.root}/none"
    monkeypatch.setenv("QBASE_LEDGER", away)
    home.ledger.unlink()
    for words in (["ledger"], ["ledger", "move"], ["runs"]):
        assert run([*words, "--home", str(home.root), "--lang", "en"]) == 4
        told = capsys.readouterr()
        assert len(told.err.splitlines()) == 4
        assert told.err.startswith("error[QB224] the server of the ledger cannot be reached")
        assert "hunter" not in told.err + told.out
    found = of_doctor(home, capsys)
    assert found["state"] == "bad"
    assert found["text"].startswith("the server of the ledger cannot be reached: postgresql+pg8000://office@/d")
    assert "QBASE_LEDGER" in found["fix"]


def test_a_password_among_the_words_is_refused(home: Workspace, capsys: Captured) -> None:
    words = ["ledger", "move", "postgresql+pg8000://office:hunter-42@db/quality", "--home", str(home.root)]
    assert run([*words, "--lang", "en"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("error[QB241]")
    assert "hunter" not in told.err + told.out
    assert home.book.name == "ledger.sqlite"
