"""Sign-offs in the ledger: kept in order, never changed, there in a ledger of before."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sqlite3
from typing import Any

import pytest

from qbase.core import RunRecord
from qbase.lake import SignOff, Workspace, add_run, add_signoff, list_runs, list_signoffs
from qbase.lake.ledger.ledger_settings import UPGRADES, VERSION

SIGNED = SignOff(
    run_id="R2", report_id="trends", compared_with="R1", content="c", signed_by="李工", note="县里补报",
    signed_at="2026-10-02T01:00:00+00:00",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def schema(path: pathlib.Path, table: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        return [*columns, *connection.execute(f"PRAGMA index_list({table})").fetchall()]


def test_every_signature_is_kept_in_order(home: Workspace) -> None:
    assert list_signoffs(home) == []
    second = dataclasses.replace(SIGNED, signed_by="Wang", signed_at="2026-10-01T01:00:00+00:00")
    for signed in (SIGNED, second, dataclasses.replace(SIGNED, run_id="R3")):
        add_signoff(home, signed)
    assert list_signoffs(home, "R2") == [SIGNED, second]
    assert [signed.run_id for signed in list_signoffs(home)] == ["R2", "R2", "R3"]


def test_a_ledger_of_before_gets_the_table_and_keeps_its_runs(home: Workspace, make_older: Any) -> None:
    known = dict.fromkeys(("notebook", "slot", "fingerprint", "commit", "snapshot", "started_at"), "")
    add_run(home, RunRecord(run_id="R1", report_id="trends", params={}, versions={}, state="ok", **known))
    fresh = schema(home.ledger, "signoffs")
    make_older(home.ledger, 5)
    assert list_signoffs(home) == []
    assert schema(home.ledger, "signoffs") == fresh
    add_signoff(home, SIGNED)
    assert list_signoffs(home) == [SIGNED]
    assert [run.run_id for run in list_runs(home)] == ["R1"]


def test_there_is_a_step_from_every_version() -> None:
    assert sorted(UPGRADES) == list(range(1, VERSION))
