"""The words of a call: help, language, layout, errors in four lines, exit codes, nothing heavy imported."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from qbase.cli.main import SECTIONS, run
from qbase.cli.speaking.aligned_text import table, width
from qbase.cli.speaking.language import part, pick_language
from qbase.cli.speaking.shell import four_lines
from qbase.core.errors import UsageError, read_codes

PROJECT = pathlib.Path(__file__).resolve().parents[3]
HEAVY = ("pandas", "numpy", "matplotlib", "papermill", "nbformat", "duckdb", "rich", "sqlalchemy", "pyarrow", "jinja2")
VERBS = {
    "demo", "load", "check", "quarantine", "list", "inspect", "run", "runs", "verify", "doctor", "explain", "new",
    "diff", "moved", "prune", "release", "schedule", "share", "indicators", "ledger", "links", "panel", "places",
    "plan", "policy", "render", "table", "lab",
}  # fmt: skip


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "QBASE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "environment", "lang"),
    [
        ([], {}, "en"),
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh_TW"}, "zh"),
        ([], {"LANG": "de_DE.UTF-8"}, "en"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "zh"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        (["--lang", "zh"], {"LANG": "en_US.UTF-8"}, "zh"),
        (["list", "--lang=en"], {"LANG": "zh_CN.UTF-8"}, "en"),
        (["--lang", "fr"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["--lang"], {}, "en"),
    ],
)
def test_the_language(words: list[str], environment: dict[str, str], lang: str) -> None:
    assert pick_language(words, environment) == lang


def test_one_part_of_a_text() -> None:
    assert part("中文 | English", "zh") == "中文"
    assert part("中文 | English", "en") == "English"
    assert part("--", "zh") == "--"


def test_columns_stay_aligned_beside_chinese() -> None:
    lines = table(["REPORT", "标题", "N"], [["a", "织里镇化纤集群", "7"], ["报告", "x（宽）", "1,200"]], right=(2,))
    starts = [width(line[: line.index(word)]) for line, word in zip(lines, ("标题", "织里", "x（"), strict=True)]
    assert len(set(starts)) == 1
    assert len({width(line) for line in lines}) == 1
    assert width("e\u0301中％") == 5


def test_help_names_every_verb_by_subject(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert {name for verbs in SECTIONS.values() for name in verbs} == VERBS
    assert all(f"\n  {verb} " in shown for verb in VERBS)
    assert not any("\u4e00" <= c <= "\u9fff" for c in shown)
    assert run([]) == 0
    assert capsys.readouterr().out == shown
    assert run(["--help", "--lang", "zh"]) == 0
    assert "运行并发布报告" in capsys.readouterr().out


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_takes_the_common_options(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--home DIR", "--json", "--quiet", "--lang <zh|en>"))
    assert " | " not in shown


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["rnu"], ["explain", "QB803"], ["--version"]])
def test_nothing_heavy_is_imported_for_words_alone(words: list[str]) -> None:
    code = (
        f"import sys; from qbase.cli.main import run; run({words!r}); print(sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_four_lines_are_those_of_the_error() -> None:
    error = UsageError("QB801", report="x", found="x", expected="a · b", fix="qbase list")
    for lang in ("zh", "en"):
        assert four_lines(error.payload(), lang) == error.render(lang)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "code", "fix"),
    [
        (["rnu", "trends"], "QB901", "qbase run trends"),
        (["frobnicate"], "QB901", "qbase --help"),
        (["run"], "QB902", "qbase run --help"),
        (["run", "x", "--job", "2"], "QB902", "qbase run --help"),
        (["run", "x", "--jobs", "0"], "QB902", "qbase run --help"),
        (["--versio"], "QB902", "qbase --help"),
        (["list", "--lang", "fr"], "QB902", "qbase list --help"),
        (["explain", "QB80"], "QB904", "qbase explain QB8"),
        (["load"], "QB906", "qbase load FILE…"),
        (["new", "a/b"], "QB910", ""),
    ],
)
def test_usage_errors_have_four_lines_and_exit_2(
    words: list[str], code: str, fix: str, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert run(words) == 2
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert told.out == ""
    assert len(lines) == 4
    assert lines[0].startswith(f"error[{code}] ")
    assert [line[:11] for line in lines[1:]] == ["  found    ", "  expected ", "  to fix   "]
    assert fix in lines[3]
    assert run([*words, "--json"]) == 2
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out)["error"]["code"] == code


def test_an_internal_error_keeps_its_traceback_in_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    import qbase.lake

    (tmp_path / "reports" / "specs").mkdir(parents=True)

    def broken(home: object) -> None:
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(qbase.lake, "open_workspace", broken)
    assert run(["list"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "Traceback" not in told.err
    assert len(told.err.splitlines()) == 4
    assert told.err.startswith("error[QB999]")
    log = next((tmp_path / "reports" / "runs").glob("error-*.log"))
    assert str(log) in told.err
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")
    monkeypatch.setenv("QBASE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(["list"])


def test_a_machine_that_refuses_is_no_fault_of_the_house(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    import qbase.lake

    def full(home: object) -> None:
        raise OSError(28, "No space left on device", "ledger.sqlite")

    monkeypatch.setattr(qbase.lake, "open_workspace", full)
    assert run(["list"]) == 4
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error[QB907]")
    assert lines[1] == "  found     No space left on device: ledger.sqlite"
    assert len(lines) == 4


def test_ctrl_c_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import qbase.lake

    def interrupted(home: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(qbase.lake, "open_workspace", interrupted)
    assert run(["list"]) == 130
    assert capsys.readouterr() == ("", "")


def test_no_workspace_is_an_environment_error(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    assert run(["list", "--home", str(tmp_path)]) == 4
    assert capsys.readouterr().err.startswith("error[QB201]")


def test_a_narrow_terminal_encoding_never_stops_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qbase", "--help", "--lang", "zh"],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize("code", ["QB101", "qb803", "[QB999]"])
def test_a_code_is_explained_in_both_languages(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    entry = read_codes()[code.strip("[]").upper()]
    for lang in ("zh", "en"):
        assert run(["explain", code, "--lang", lang]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith(code.strip("[]").upper())
        assert "{" not in lines[0]
        assert lines[1].strip() == entry[f"meaning_{lang}"]
    assert run(["explain", code, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["meaning_zh"] == entry["meaning_zh"]
