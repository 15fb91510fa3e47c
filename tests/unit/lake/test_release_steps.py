"""Steps of releases in the ledger: in order, made while nobody else writes, there in a ledger of before."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sqlite3
from typing import Any

import pytest

from qbase.lake import ReleaseStep, Workspace, add_release_step, list_release_steps

STEP = ReleaseStep(
    request_id="A0001", page="trends", report_id="trends", run_id="R1", html_sha256="c", profile="external",
    preset="cn_default-1", action="requested", account="李工", at="2026-10-02T01:00:00+00:00", content="[]",
)  # fmt: skip


def schema(path: pathlib.Path) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        columns = connection.execute("PRAGMA table_info(release_steps)").fetchall()
        return [*columns, *connection.execute("PRAGMA index_list(release_steps)").fetchall()]


@pytest.mark.parametrize("workspace", ["file", "server"], indirect=True)
def test_a_step_knows_all_before_it(workspace: Workspace) -> None:
    assert list_release_steps(workspace) == []
    second = dataclasses.replace(STEP, action="reviewed", account="Wang", at="2026-10-01T01:00:00+00:00")
    seen: list[int] = []
    for step in (STEP, second):
        add_release_step(workspace, lambda before, step=step: seen.append(len(before)) or step)
    assert seen == [0, 1]
    assert list_release_steps(workspace) == [STEP, second]
    with pytest.raises(ValueError, match="no"):
        add_release_step(workspace, lambda before: (_ for _ in ()).throw(ValueError("no")))
    assert len(list_release_steps(workspace)) == 2


def test_a_ledger_of_before_gets_the_table(workspace: Workspace, make_older: Any) -> None:
    add_release_step(workspace, lambda before: STEP)
    fresh = schema(workspace.ledger)
    make_older(workspace.ledger, 6)
    assert list_release_steps(workspace) == []
    assert schema(workspace.ledger) == fresh
    add_release_step(workspace, lambda before: STEP)
    assert list_release_steps(workspace) == [STEP]
