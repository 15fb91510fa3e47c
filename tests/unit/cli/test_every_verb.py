"""Every verb on a tiny workspace: what it prints, what it says as JSON, how it ends."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest

from qbase.cli.main import run
from qbase.core.text import same
from qbase.core.values import CheckResult
from qbase.lake import Workspace, list_runs

PROJECT = pathlib.Path(__file__).resolve().parents[3]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "QBASE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = Workspace.create(tmp_path / "home")
    monkeypatch.chdir(workspace.root)
    write_letter(workspace, "trends", "1")
    write_letter(workspace, "broken", "total = 1 / 0")
    return workspace


def write_letter(workspace: Workspace, name: str, source: str) -> None:
    codes = ["year: int = 2024  # 年份 | Year of the report | 2016..2025", f"{source}\nyear"]
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {}, "source": code, "execution_count": None, "outputs": []} for code in codes
    ]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (workspace.notebooks / f"{name}.ipynb").write_text(json.dumps(document), encoding="utf-8")
    spec = f'notebook = "notebooks/{name}.ipynb"\ntitle_zh = "质量走势"\ntitle_en = "Quality trends"\n'
    (workspace.specs / f"{name}.toml").write_text(spec, encoding="utf-8")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stand-in "execute" letters in no time; one with a division by zero fails."""
    from nbformat.v4 import new_output

    from qbase.reports.executing import papermill_engine as engine

    def execute(job: Any) -> None:
        job.executed, job.started = job.notebook, True
        for number, cell in enumerate(job.executed.cells, 1):
            cell.execution_count = number
            if "/ 0" in cell.source:
                cell.outputs = [new_output("error", ename="ZeroDivisionError", evalue="division by zero", traceback=[])]
                return
        results = {"sentinel": job.environment["QBASE_RUN_ID"], "snapshot": "", "sources": [], "results": []}
        results |= {"schema": 1, "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
        (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")

    monkeypatch.setattr(engine, "execute", execute)


def test_list(home: Workspace, capsys: Captured) -> None:
    (home.specs / "needy.toml").write_text(
        (home.specs / "trends.toml").read_text(encoding="utf-8") + 'tables = ["inspections"]\n', encoding="utf-8"
    )
    assert run(["list"]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].split() == ["REPORT", "TITLE", "STATE", "LAST"]
    assert lines[1].split() == ["broken", "Quality", "trends", "not", "run", "–"]
    assert "needs data: inspections" in told.out
    assert told.err == "Next    qbase inspect broken\n"
    assert run(["list", "--json", "--quiet"]) == 0
    told = capsys.readouterr()
    assert [r["report_id"] for r in json.loads(told.out)["reports"]] == ["broken", "needy", "trends"]
    assert told.err == ""
    assert run(["--lang", "zh", "list"]) == 0
    assert "质量走势" in capsys.readouterr().out


def test_inspect(home: Workspace, capsys: Captured) -> None:
    assert run(["inspect", "trends"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "trends · 质量走势 / Quality trends · notebooks/trends.ipynb"
    assert lines[1].split() == ["NAME", "TYPE", "DEFAULT", "ALLOWED", "MEANING"]
    assert lines[2].split() == ["year", "int", "2024", "2016–2025", "Year", "of", "the", "report"]
    assert lines[-1] == "Example  qbase run trends -p year=2024"
    assert run(["inspect", "trends", "--json"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["year"]["maximum"] == 2025
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("words", "exit_code", "first"),
    [
        (["run", "trens"], 2, 'error[QB801] there is no report "trens"'),
        (["run", "trends", "-p", "yeer=2023"], 2, 'error[QB803] report "trends" has no parameter "yeer"'),
        (["run", "trends", "-p", "year=abc"], 2, 'error[QB805] parameter "year" has the wrong type'),
        (["run", "trends", "-p", "year=2030"], 2, 'error[QB806] parameter "year" is outside what is allowed'),
        (["run", "trends", "-p", "year"], 2, 'error[QB823] "year" is not name=value'),
        (["inspect", "trens"], 2, 'error[QB801] there is no report "trens"'),
        (["runs", "trens"], 2, 'error[QB801] there is no report "trens"'),
        (["verify", "no.html"], 2, 'error[QB824] there is no file or published report "no.html" to verify'),
        (["verify", "trends"], 2, 'error[QB824] there is no file or published report "trends" to verify'),
        (["load", "inspectons.csv"], 2, "error[QB903] there is no file inspectons.csv"),
    ],
)
def test_words_that_fit_nothing(
    home: Workspace, capsys: Captured, words: list[str], exit_code: int, first: str
) -> None:
    (home.root / "inspections.csv").write_text("x")
    (home.site / "broken.html").write_text("old")
    assert run(words) == exit_code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[0] == first
    assert len(told.err.splitlines()) == 4
    assert list_runs(home) == []
    assert (home.site / "broken.html").read_text() == "old"


def test_a_broken_letter_from_the_shell(home: Workspace) -> None:
    (home.site / "broken.html").write_text("old")
    done = subprocess.run(
        [sys.executable, "-m", "qbase", "run", "broken"],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "LANG": "en_GB.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    # not even the line of the gallery
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    error = done.stderr[done.stderr.index("error[") :].splitlines()
    assert error[0] == 'error[QB811] cell 2 of report "broken" failed'
    assert error[1] == "  found     ZeroDivisionError: division by zero · total = 1 / 0"
    assert error[2] == "  expected  every cell runs without an error"
    assert error[3].startswith(
        "  to fix    correct cell 2, then qbase run broken        (traceback: reports/runs/broken/"
    )
    assert (home.site / "broken.html").read_text() == "old"
    record = list_runs(home)[0]
    assert (record.state, (record.error or {})["cell"]) == ("failed", "2: total = 1 / 0")
    assert "ZeroDivisionError" in (home.root / error[3].rpartition("traceback: ")[2].rstrip(")")).read_text()


def test_run_tells_paths_and_goes_on_after_a_bad_report(home: Workspace, quick: None, capsys: Captured) -> None:
    assert run(["run", "broken", "trends", "none", "-p", "year=2023"]) == 1
    told = capsys.readouterr()
    assert re.search(r"Report  reports/site/trends~[0-9a-f]{6}\.html  \(ok, ", told.out)
    assert "Gallery reports/site/index.html" in told.out
    assert "error[QB811]" in told.err
    assert "error[QB801]" in told.err
    assert "1 published, 0 unchanged, 2 failed" in told.err
    assert dict(list_runs(home, "trends")[0].params) == {"year": 2023}

    assert run(["run", "trends", "-p", "year=2023", "--quiet"]) == 0
    told = capsys.readouterr()
    assert "(unchanged, " in told.out
    assert told.err == ""
    assert run(["run", "broken", "--json"]) == 1
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert document["runs"][0]["state"] == "failed"
    assert document["runs"][0]["error"]["code"] == "QB811"
    assert "error[" not in told.err


def test_runs(home: Workspace, quick: None, capsys: Captured) -> None:
    run(["run", "broken", "trends", "--quiet"])
    capsys.readouterr()
    assert run(["runs"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["RUN", "REPORT", "STATE", "STARTED", "SECONDS", "DATA", "NOTE"]
    assert "QB811 cell 2: total = 1 / 0 · ZeroDivisionError" in out
    assert run(["runs", "trends", "--json", "--limit", "1"]) == 0
    assert [r["report_id"] for r in json.loads(capsys.readouterr().out)["runs"]] == ["trends"]
    assert run(["runs", "--lang", "zh"]) == 0
    assert "已发布" in capsys.readouterr().out


def test_verify_a_report_and_a_file(home: Workspace, quick: None, capsys: Captured) -> None:
    run(["run", "trends", "--quiet"])
    capsys.readouterr()
    assert run(["verify", "trends"]) == 0
    out = capsys.readouterr().out
    assert "[✓] one_file" in out
    assert "0 failed" in out
    bad = home.root / "bad.html"
    bad.write_text("<html><script>alert(1)</script></html>")
    assert run(["verify", str(bad), "trends", "--json"]) == 1
    assert [r["passed"] for r in json.loads(capsys.readouterr().out)["reports"]] == [False, True]


TOWNS = (
    "town_code,town_name,county_name,valid_from_date,valid_to_date,successor_code\n990101001,织里镇,云县,2010-01-01,,\n"
)


def test_load_prints_the_accounting(home: Workspace, capsys: Captured) -> None:
    (home.root / "towns.csv").write_text(TOWNS, encoding="utf-8")
    (home.root / "junk.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert run(["load", "towns.csv"]) == 0
    out = capsys.readouterr().out
    assert "towns.csv  ->  towns" in out
    assert "seen 2 = listed 1 + accepted 1 + quarantined 0" in out
    assert run(["load", "towns.csv", "junk.csv", "--json"]) == 3
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert list(document) == ["deliveries"]
    assert [d["verdict"] for d in document["deliveries"]] == ["OK", "REJECTED"]
    assert all(isinstance(d[k], int) for d in document["deliveries"] for k in ("rows_seen", "listed", "accepted"))
    assert run(["load", "junk.csv", "--lang", "zh"]) == 3
    assert "错误[QB3" in capsys.readouterr().err


def test_demo_makes_a_workspace_loads_and_runs(
    tmp_path: pathlib.Path, quick: None, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    import qbase.demo

    def write(folder: pathlib.Path, *, size: str, seed: int) -> list[pathlib.Path]:
        folder.mkdir(parents=True)
        (folder / "towns.csv").write_text(TOWNS, encoding="utf-8")
        return [folder / "towns.csv"]

    monkeypatch.setattr(qbase.demo, "write_deliveries", write)
    home = tmp_path / "fresh"
    assert run(["demo", "--no-run", "--json", "--home", str(home)]) == 0
    assert json.loads(capsys.readouterr().out)["deliveries"][0]["table"] == "towns"
    workspace = Workspace(home)
    assert sorted(p.name for p in workspace.specs.iterdir()) == ["effects.toml", "trends.toml"]
    write_letter(workspace, "trends", "1")
    (workspace.specs / "cases").mkdir()
    (workspace.specs / "cases" / "case.toml").write_text((workspace.specs / "trends.toml").read_text(encoding="utf-8"))
    assert run(["demo", "--home", str(home), "--size", "nation"]) == 2
    capsys.readouterr()
    monkeypatch.setattr(qbase.demo, "write_deliveries", lambda folder, size, seed: [folder / "towns.csv"])
    assert run(["demo", "--home", str(home), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["deliveries"][0]["already"] is True
    assert [r["report_id"] for r in document["runs"]] == ["trends"]
    assert document["gallery"].endswith("index.html")


def test_doctor(home: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    import qbase.core.shown.fonts

    assert run(["doctor"]) in {0, 4}
    out = capsys.readouterr().out
    assert "[✓] Chinese font" in out
    assert "[✓] libraries" in out
    monkeypatch.setattr(qbase.core.shown.fonts, "missing_glyphs", lambda text: ["产"])
    assert run(["doctor", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is False
    bad = [check for check in document["checks"] if check["state"] == "bad"]
    assert "中文字体" in [check["name"]["zh"] for check in bad]
    assert all(check["fix"] for check in bad)


def test_the_font_is_proven_by_ink() -> None:
    from qbase.cli.help.machine_checks import draws
    from qbase.core.shown.fonts import font_file

    assert draws("产业 −", font_file())


def test_new_makes_a_workspace_and_never_overwrites(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "浙江纺织", "--template", "effects"]) == 0
    told = capsys.readouterr()
    assert "notebooks/effects.ipynb" in told.out
    made = {p: p.read_bytes() for p in (tmp_path / "浙江纺织").rglob("*") if p.is_file()}
    assert run(["new", "浙江纺织"]) == 2
    assert capsys.readouterr().err.startswith("error[QB910]")
    assert {p: p.read_bytes() for p in (tmp_path / "浙江纺织").rglob("*") if p.is_file()} == made
    assert run(["new", "x", "--template", "effect"]) == 2
    assert capsys.readouterr().err.splitlines()[3].endswith("--template effects")
    assert not (tmp_path / "x").exists()
    assert run(["inspect", "effects", "--home", str(tmp_path / "浙江纺织")]) == 0
    assert "policy_id" in capsys.readouterr().out


def test_verify_shows_checks_without_verdict(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    import qbase.release
    from qbase.release.verifying.verification import Verification

    checks = tuple(CheckResult(name=n, passed=p, text=same(n)) for n, p in (("a", True), ("b", False), ("c", None)))
    monkeypatch.setattr(qbase.release, "verify_report", lambda path, record=None: Verification(checks=checks))
    (home.root / "x.html").write_text("x")
    assert run(["verify", "x.html"]) == 1
    assert capsys.readouterr().out.splitlines()[1:4] == ["  [✓] a  a", "  [✗] b  b", "  [–] c  c"]
