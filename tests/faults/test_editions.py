"""Editions of one report over data that grow: what it follows, what moved, who signed, what two runs differ in."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from qbase.cli.main import run as qbase
from qbase.core.errors import RunError, UsageError
from qbase.core.results.run_values import RunRecord
from qbase.lake import Delivery, Workspace, list_runs, list_signoffs
from qbase.release.verifying.page_reading import read_page
from qbase.reports import close_moves, compare_runs, list_moves, read_moves, run_report
from qbase.reports.comparing.earlier_runs import folder_of, read_document, read_json

SPEC = 'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "通过率"\ntitle_en = "Pass rates"\ntables = ["t"]\n'
PARAMETERS = "half: float = 5.0  # 半宽 | half-width | 0.1..50"
IMPORTS = (
    "from qbase.core import Estimate, Indicator, Result, Source, Text, compare_last, conclude, record\n"
    "from qbase.figures import tabulate_estimates, tabulate_last, use_theme\n"
    "from qbase.lake import open_workspace\nfrom qbase.reports import read_last_results\nuse_theme()"
)
LEVEL = """w = open_workspace()
rows = w.query("SELECT period, 100.0 * sum(k) / sum(n) AS v, sum(n) AS n FROM t GROUP BY period ORDER BY period")
what = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
known = dict(term="rate", n_obs=10)
estimates = [Estimate(**known, key={"period": p}, value=v, ci_low=v - half, ci_high=v + half)
             for p, v in zip(rows.period, rows.v)]
source = Source(path="t", snapshot=w.snapshot().id)
level = Result(estimand="level", outcome=what, unit="pct", method="plain", estimates=tuple(estimates),
               subject=Text("全部", "all"), settings={"period": rows.period.iloc[-1]}, sources=(source,),
               spoken=(len(estimates) - 1,))"""
COUNTS = """firms = Indicator(id="A1.n", name=Text("批数", "number of batches"), unit="batch", better="none")
exact = [Estimate(term="n", key={"period": p}, value=float(n), uncertainty="none_full_count")
         for p, n in zip(rows.period, rows.n)]
counts = Result(estimand="level", outcome=firms, unit="batch", method="count", estimates=tuple(exact),
                subject=Text("全部", "all"), settings={"period": rows.period.iloc[-1]}, sources=(source,),
                spoken=(len(exact) - 1,))"""
LAST = "retold = compare_last(read_last_results(), level, counts)\nheld = tabulate_last(retold)\ndisplay(retold, held)"
SHOW = "table, said = tabulate_estimates(level, counts), conclude(level, counts)\ndisplay(table, said)"
RECORD = "record(level, counts, table, said, retold, held)"

Letter = Callable[..., str]


def cell(source: str, *tags: str, kind: str = "code") -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "metadata": {"tags": list(tags)}, "source": source}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


@pytest.fixture
def letter(home: Workspace) -> Letter:
    def write(name: str, spec: str = "follows_last = true\n") -> str:
        titles = [cell("# 通过率", "zh", kind="markdown"), cell("# Pass rates", "en", kind="markdown")]
        codes = [cell(PARAMETERS, "parameters"), *map(cell, (IMPORTS, LEVEL, COUNTS, LAST, SHOW, RECORD))]
        document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [*titles, *codes]}
        (home.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
        (home.specs / f"{name}.toml").write_text(SPEC.format(name=name) + spec, encoding="utf-8")
        return name

    return write


def load(home: Workspace, **passed: int) -> str:
    """Load a hundred batches for each period, so many of them passed."""
    rows = {"period": list(passed), "k": list(passed.values()), "n": [100] * len(passed)}
    sha256 = hashlib.sha256(repr((rows, len(home.deliveries()))).encode()).hexdigest()
    delivery = Delivery(sha256=sha256, file_name=f"{sha256[:6]}.csv", table="t", verdict="OK")
    return home.commit(delivery, {"t": pa.table(rows)}).id


def followed(home: Workspace, run: RunRecord) -> str:
    return str(read_json(folder_of(home, run) / "last_results.json")["run_id"])


def said(home: Workspace, run: RunRecord) -> list[str]:
    """Return the English sentences of what was said last time, as the page shows them."""
    page = read_page((home.root / run.outputs[0]).read_text(encoding="utf-8"))
    return [e.text() for part in page.body.having("data-of", "retold") for e in part.walk() if "en" in e.classes]


@pytest.mark.slow
def test_a_report_follows_its_last_edition_and_never_itself(home: Workspace, letter: Letter) -> None:
    name = letter("rates")
    assert load(home, **{"2025Q1": 90, "2025Q2": 80}) == "S0001"
    first = run_report(home, name, slot="2025-07-01")
    assert followed(home, first) == ""
    assert said(home, first) == [
        "There is no earlier edition: this report was not published on earlier data, and there is nothing to hold it "
        "against."
    ]
    # on the same data it would follow itself: it is unchanged, on any day, and the same when it is forced
    assert run_report(home, name, slot="2025-07-01").state == "unchanged"
    assert run_report(home, name).state == "unchanged"
    again = run_report(home, name, slot="2025-07-01", force=True)
    assert (again.state, again.fingerprint, followed(home, again)) == ("ok", first.fingerprint, "")

    load(home, **{"2025Q3": 20})
    second = run_report(home, name, slot="2025-10-01")
    assert followed(home, second) == again.run_id
    assert said(home, second) == [
        "Of 2 numbers spoken of in the last edition (2025-07-01, data S0001), computed again on the data of today: "
        "2 unchanged."
    ]
    assert run_report(home, name, slot="2025-10-01").state == "unchanged"
    assert run_report(home, name).state == "unchanged"
    # another choice is another family, and a later logical date is no last edition of an earlier one
    assert followed(home, run_report(home, name, {"half": 4.0})) == ""
    assert followed(home, run_report(home, name, slot="2025-06-01", force=True)) == ""
    # a quarter more moves nothing, however far it lies from the one before
    assert list_moves(home) == []
    assert not (home.site / "moved.html").exists()
    # what was said last time is an input: another last edition makes another page
    told = read_document(home, again)
    told["results"][0]["estimates"][1]["value"] = 79.0
    (folder_of(home, again) / "results.json").write_text(json.dumps(told), encoding="utf-8")
    third = run_report(home, name, slot="2025-10-01")
    assert (third.state, third.fingerprint != second.fingerprint) == ("ok", True)
    assert "1 revised, inside the interval of last time" in said(home, third)[0]
    results = read_document(home, third)
    assert f"results.json of {again.run_id}" in [source["path"] for source in results["sources"]]


@pytest.mark.slow
def test_a_letter_that_does_not_declare_its_last_edition_is_stopped(home: Workspace, letter: Letter) -> None:
    load(home, **{"2025Q1": 90})
    with pytest.raises(RunError) as caught:
        run_report(home, letter("rates", spec=""))
    assert "QB870" in caught.value.found
    assert not (folder_of(home, list_runs(home)[0]) / "last_results.json").exists()


@pytest.mark.slow
def test_what_moved_waits_for_a_signature(home: Workspace, letter: Letter, capsys: pytest.CaptureFixture[str]) -> None:
    name = letter("rates")
    load(home, **{"2025Q1": 90, "2025Q2": 80})
    first = run_report(home, name, slot="2025-07-01")
    # late rows: the rate of the second quarter falls from 80 to 60, far beyond 75 to 85; the first stays
    load(home, **{"2025Q2": 40, "2025Q3": 99})
    second = run_report(home, name, slot="2025-10-01")
    (moves,) = list_moves(home)
    assert (moves.run_id, moves.compared_with, moves.moved, moves.turned) == (second.run_id, first.run_id, 2, 0)
    listed = [(n["about"]["en"], n["period"], n["before"]["value"], n["after"]["value"]) for n in moves.numbers]
    assert listed == [("pass rate", "2025Q2", 80.0, 60.0), ("number of batches (n)", "2025Q2", 100.0, 200.0)]
    assert not moves.is_signed
    gallery, page = ((home.site / f"{stem}.html").read_text(encoding="utf-8") for stem in ("index", "moved"))
    assert "1 run has numbers beyond their last interval, to be signed off" in gallery
    for part in (second.run_id, "60.0% (55.0–65.0)", "60.0%（55.0～65.0）", "判断", f"sign {second.run_id}"):
        assert part in page, part

    words = ["--home", str(home.root), "--lang", "en"]
    assert qbase(["moved", "list", *words]) == 0
    assert second.run_id in capsys.readouterr().out
    assert qbase(["moved", "show", second.run_id, *words]) == 0
    shown = capsys.readouterr().out
    assert "beyond its last interval; by −4.0 half-widths" in shown
    assert "was a full count, and differs" in shown
    assert qbase(["moved", "sign", second.run_id, *words]) == 2
    assert qbase(["moved", "sign", *words]) == 2
    assert qbase(["moved", "sign", first.run_id, "--by", "Li", "--note", "late", *words]) == 2
    assert list_signoffs(home) == []
    capsys.readouterr()
    assert qbase(["moved", "sign", second.run_id, "--by", "李工", "--note", "county sent late", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is_signed"] is True
    (signed,) = list_signoffs(home, second.run_id)
    assert (signed.signed_by, signed.note, signed.compared_with) == ("李工", "county sent late", first.run_id)
    page = (home.site / "moved.html").read_text(encoding="utf-8")
    assert "county sent late" in page
    assert "待签收（0）" in page
    assert "all signed off" in (home.site / "index.html").read_text(encoding="utf-8")
    # a list that somebody changed afterwards is not the one that was signed
    file = folder_of(home, second) / "moved.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    kept["numbers"][0]["after"]["value"] = 61.0
    file.write_text(json.dumps(kept), encoding="utf-8")
    assert not read_moves(home, second.run_id).is_signed
    # the same numbers again move nothing, and what waits goes on waiting
    third = run_report(home, name, slot="2025-10-01", force=True)
    (waiting,) = list_moves(home)
    assert (waiting.run_id, waiting.is_shown) == (second.run_id, False)
    with pytest.raises(UsageError, match="QB873"):
        close_moves(home, third.run_id, by="Li", note="nothing")


@pytest.mark.slow
def test_a_run_before_that_cannot_be_read_is_for_a_person_to_compare(home: Workspace, letter: Letter) -> None:
    name = letter("rates", spec="follows_last = true\n")
    load(home, **{"2025Q1": 90})
    first = run_report(home, name, slot="2025-07-01")
    (folder_of(home, first) / "results.json").write_text("{", encoding="utf-8")
    load(home, **{"2025Q2": 90})
    second = run_report(home, name, slot="2025-10-01")
    assert second.state == "ok"
    assert [(m.is_unreadable, m.moved) for m in list_moves(home)] == [(True, 0)]
    assert followed(home, second) == ""


@pytest.mark.slow
def test_two_runs_are_told_apart_part_by_part(
    home: Workspace, letter: Letter, capsys: pytest.CaptureFixture[str]
) -> None:
    name = letter("rates")
    load(home, **{"2025Q1": 90, "2025Q2": 80})
    first = run_report(home, name, slot="2025-07-01")
    assert compare_runs(home, first.run_id, first.run_id).is_empty
    with pytest.raises(UsageError, match="QB872"):
        compare_runs(home, first.run_id)
    unchanged = run_report(home, name, slot="2025-07-01")
    assert compare_runs(home, unchanged.run_id, first.run_id).is_empty
    load(home, **{"2025Q2": 40, "2025Q3": 99})
    second = run_report(home, name, slot="2025-10-01")
    found = compare_runs(home, second.run_id)
    assert (found.before.run_id, found.after.run_id) == (first.run_id, second.run_id)
    assert compare_runs(home, first.run_id) == found
    assert (found.params, found.versions, found.figures, found.checks) == ((), (), {}, ())
    assert {c.name: (c.before, c.after) for c in found.data} == {
        "snapshot": ("S0001", "S0002"),
        "table t": (0, 1),
        "last edition": (None, first.run_id),
        f"source results.json of {first.run_id}": (None, found.data[-1].after),
    }
    fates = [(n.told.what.en, n.told.period, n.fate) for n in found.numbers]
    assert fates == [
        ("pass rate", "2025Q1", "same"), ("pass rate", "2025Q2", "changed"), ("pass rate", "2025Q3", "appeared"),
        ("number of batches", "2025Q1", "same"), ("number of batches", "2025Q2", "changed"),
        ("number of batches", "2025Q3", "appeared"),
    ]  # fmt: skip
    (table,) = (t for t in found.tables if t.name.startswith("estimates"))
    assert table.fate == "changed"
    # it shows the period spoken of, and that is another one
    assert [row.partition(" ")[0] for row in (*table.gone, *table.appeared)] == ["period=2025Q2"] * 2 + [
        "period=2025Q3"
    ] * 2
    assert found.conclusions

    words = ["--home", str(home.root)]
    assert qbase(["diff", first.run_id, second.run_id, "--json", *words]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert {n: plain["numbers"][n] for n in ("same", "changed", "appeared", "gone", "moved", "turned")} == {
        "same": 2, "changed": 2, "appeared": 2, "gone": 0, "moved": 2, "turned": 0
    }  # fmt: skip
    assert plain["numbers"]["listed"][0]["half_widths"] == -4.0
    assert qbase(["diff", first.run_id, second.run_id, "--lang", "zh", *words]) == 0
    told = capsys.readouterr().out
    assert "越出上次区间" in told
    assert "快照" not in told
    assert qbase(["diff", first.run_id, second.run_id, "--lang", "en", *words]) == 0
    told = capsys.readouterr().out
    for part in ("snapshot", "S0001", "S0002", "2 same · 2 changed · 2 new", "beyond its interval", "−4.00"):
        assert part in told, part


@pytest.mark.slow
def test_a_failed_run_has_nothing_to_compare(home: Workspace, letter: Letter) -> None:
    load(home, **{"2025Q1": 90})
    name = letter("rates", spec="")
    with pytest.raises(RunError):
        run_report(home, name)
    failed = list_runs(home)[0]
    with pytest.raises(UsageError, match="QB871"):
        compare_runs(home, failed.run_id, failed.run_id)
