"""What a shell is told when it asks what a word may become."""

from __future__ import annotations

import contextlib

import pytest

from qbase.cli.main import run
from qbase.lake import Workspace


@pytest.fixture
def ask(demo_lake: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def told(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_QBASE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("QBASE_HOME", str(demo_lake.root))
        with contextlib.suppress(SystemExit):
            run([])
        return capsys.readouterr().out.split()

    return told


def test_verbs_and_options_are_told(ask):
    assert {"run", "runs", "release", "render"} <= set(ask("qbase r"))
    assert "--dry-run" in ask("qbase run --d")


def test_indicators_are_told_by_their_ids(ask):
    assert {"D1.batch", "D1.firm"} <= set(ask("qbase panel D1"))


def test_reports_parameters_choices_and_subjects_are_told(ask):
    assert "trends" in ask("qbase run tr")
    assert ask("qbase run trends -p sub") == ["subject="]
    assert "profile=external" in ask("qbase run trends -p profile=e")
    assert {"subject=K001", "subject=K003"} <= set(ask("qbase run trends -p subject=K00"))


def test_where_there_is_no_workspace_a_shell_is_told_nothing(ask, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QBASE_HOME", str(tmp_path))
    assert "trends" not in ask("qbase inspect --home nowhere t")


def test_completion_is_installed_into_the_home_of_the_account(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    with pytest.raises(SystemExit) as ended:
        run(["--install-completion", "bash"])
    assert ended.value.code == 0
    assert "_QBASE_COMPLETE" in (tmp_path / ".bash_completions" / "qbase.sh").read_text(encoding="utf-8")
