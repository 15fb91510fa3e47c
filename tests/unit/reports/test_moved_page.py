"""The page of what moved: sound form, both languages, hostile words inert, written only when something is new."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest

from qbase.core import Estimate, Indicator, Result, RunRecord, Text
from qbase.core.results.records import build_record
from qbase.lake import Workspace, add_run
from qbase.release.verifying.verification import verify_html
from qbase.reports import close_moves, list_moves
from qbase.reports.comparing import moved_page
from qbase.reports.comparing.moved_numbers import note_moves
from qbase.reports.comparing.moved_page import show_moves

HOSTILE = "</td><script>alert(1)</script>"
RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")


def results(run_id: str, value: float, whom: str = "甲") -> dict[str, Any]:
    e = Estimate(term="rate", value=value, ci_low=value - 5, ci_high=value + 5, key={"period": "2025Q1"})
    known: dict[str, Any] = {"estimand": "level", "outcome": RATE, "unit": "pct", "method": "wilson"}
    made = build_record([Result(estimates=(e,), subject=Text(whom, whom), settings={"entity": "K1"}, **known)])
    return {**json.loads(json.dumps(made)), "sentinel": run_id}


def publish(
    home: Workspace, run_id: str, value: float, *, state: Any = "ok", whom: str = "甲", **params: Any
) -> RunRecord:
    known = dict.fromkeys(("notebook", "fingerprint", "commit", "snapshot"), "")
    record = RunRecord(
        run_id=run_id, report_id="trends", params=params, versions={}, state=state, slot="2026-10-01",
        started_at=f"2026-10-01T06:00:{run_id[1:]}+08:00", **known,
    )  # fmt: skip
    folder = home.runs / "trends" / run_id
    folder.mkdir(parents=True)
    told = results(run_id, value, whom)
    note_moves(home, record, told, page="trends", title=Text(f"走势{HOSTILE}", f"Trends{HOSTILE}"))
    (folder / "results.json").write_text(json.dumps(told), encoding="utf-8")
    add_run(home, record)
    (home.site / "trends.json").write_text(json.dumps({"run_id": run_id}), encoding="utf-8")
    return record


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def test_nothing_moved_makes_no_page(home: Workspace) -> None:
    publish(home, "R01", 90)
    publish(home, "R02", 94)
    assert show_moves(home) is None
    assert list(home.site.glob("moved*")) == []


def test_the_page_is_sound_and_what_it_quotes_is_inert(home: Workspace) -> None:
    publish(home, "R01", 90)
    publish(home, "R02", 60, whom=HOSTILE)
    page = show_moves(home)
    assert page is not None
    text = page.read_text(encoding="utf-8")
    assert HOSTILE not in text
    outcome = {check.name: check for check in verify_html(text).checks}
    for name in ("one_file", "no_request", "no_script", "both_languages", "glyphs", "contrast_and_private"):
        assert outcome[name].passed, outcome[name].text.en
    assert json.loads((home.site / "moved.json").read_text("utf-8"))["waiting"] == 1


def test_a_run_follows_the_published_one_and_no_other(home: Workspace) -> None:
    publish(home, "R01", 90)
    publish(home, "R02", 10, state="failed")
    publish(home, "R03", 10, state="running")
    publish(home, "R04", 10, subject="K9")
    publish(home, "R05", 91, lang="en")
    assert list_moves(home) == []
    publish(home, "R06", 40)
    assert [(m.run_id, m.compared_with) for m in list_moves(home)] == [("R06", "R05")]


def test_a_run_that_was_never_published_is_not_listed(home: Workspace) -> None:
    publish(home, "R01", 90)
    publish(home, "R02", 40, state="failed")
    publish(home, "R03", 91)
    assert (home.runs / "trends" / "R02" / "moved.json").exists()
    assert list_moves(home) == []


def test_the_page_is_written_only_when_something_is_new(home: Workspace) -> None:
    publish(home, "R01", 90)
    publish(home, "R02", 60)
    page = show_moves(home)
    assert page is not None
    os.utime(page, (1, 1))
    show_moves(home)
    assert page.stat().st_mtime == 1
    close_moves(home, "R02", by="李工", note="县里补报 <b>")
    show_moves(home)
    assert page.stat().st_mtime > 1
    assert "县里补报 &lt;b&gt;" in page.read_text(encoding="utf-8")
    assert json.loads((home.site / "moved.json").read_text("utf-8"))["waiting"] == 0


def test_a_long_list_is_cut_and_says_so(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moved_page, "MOST", 1)
    for number, value in enumerate((90, 60, 30), 1):
        publish(home, f"R{number:02}", value)
    page = show_moves(home)
    assert page is not None
    text = page.read_text(encoding="utf-8")
    assert "To be signed off (2)" in text
    assert "1 more: qbase moved list." in text
