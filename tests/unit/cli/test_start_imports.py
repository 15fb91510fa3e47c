"""What a call does not import: the reason why it starts fast. Times are measured in tests/benchmarks/bench_start.py."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.core import TyperCommand

from qbase.cli.main import SECTIONS, run
from qbase.cli.speaking.first_page import NARROWEST, WIDEST, is_asked, write_first_page
from qbase.cli.speaking.language import part
from qbase.cli.speaking.verb_group import Verbs, build_group
from qbase.core import RunRecord
from qbase.lake import Workspace, add_run

PROJECT = next(p for p in pathlib.Path(__file__).resolve().parents if (p / "pyproject.toml").is_file())
HEAVY = {
    "pandas", "numpy", "scipy", "matplotlib", "seaborn", "statsmodels", "pyfixest", "pyarrow", "duckdb", "deltalake",
    "sqlalchemy", "papermill", "nbformat", "nbclient", "jupyter_client", "jinja2", "nh3", "openpyxl", "rapidfuzz",
    "rich", "pydantic", "asyncio", "dask",
}  # fmt: skip
ROOMS = ("data", "numbers", "reports", "help")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    workspace = Workspace.create(tmp_path_factory.mktemp("start"))
    shutil.copy(PROJECT / "reports/specs/quality_trends.toml", workspace.specs)
    shutil.copy(PROJECT / "notebooks/20_quality_trends.ipynb", workspace.notebooks)
    record = RunRecord(
        run_id="r1", report_id="quality_trends", notebook="notebooks/20_quality_trends.ipynb", params={}, slot="",
        state="ok", fingerprint="f", commit="", versions={}, snapshot="S0000", started_at="2026-11-28T00:00:00+00:00",
    )  # fmt: skip
    add_run(workspace, record)
    return workspace.root


def imported(code: str) -> set[str]:
    """Run a line of Python in a process of its own and return the modules it left imported."""
    told = f"{code}; import sys, json; sys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "LANG": "en_GB.UTF-8", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", told], env=env, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def rooms_of(modules: set[str]) -> set[str]:
    return {m for m in modules if m.startswith(tuple(f"qbase.cli.{room}." for room in ROOMS))}


def test_importing_the_package_imports_nothing_behind_it() -> None:
    modules = imported("import qbase as qb")
    assert modules & (HEAVY | {"typer", "tomllib"}) == set()
    assert {m for m in modules if m.startswith("qbase.")} == {"qbase.core", "qbase.core.lazy"}


def test_a_first_figure_waits_for_no_library_that_it_does_not_ask() -> None:
    modules = imported(
        "import qbase as qb; qb.build_panel, qb.estimate_level, qb.plot; from qbase.figures import plot_trend"
    )
    assert modules & {"scipy.stats", "statsmodels", "polars", "seaborn", "matplotlib.pyplot"} == set()
    assert {"pandas", "qbase.trends.rates.rate_level", "qbase.figures.charts.trend_figure"} <= modules


@pytest.mark.parametrize("words", [["--help"], [], ["--lang", "zh"], ["--help", "--lang=en"]])
def test_the_first_page_needs_the_table_alone(words: list[str]) -> None:
    modules = imported(f"from qbase.cli.main import run; assert run({words!r}) == 0")
    assert modules & (HEAVY | {"typer", "tomllib", "sqlite3", "qbase.core.errors"}) == set()
    assert rooms_of(modules) == set()


@pytest.mark.parametrize(
    "words", [["list"], ["runs"], ["runs", "quality_trends", "--limit", "3"], ["inspect", "quality_trends"]]
)
def test_light_verbs_import_no_engine_and_no_other_command(words: list[str], home: pathlib.Path) -> None:
    words = [*words, "--home", str(home), "--lang", "zh"]
    modules = imported(f"from qbase.cli.main import run; assert run({words!r}) == 0")
    assert modules & HEAVY == set()
    own = {"qbase.cli.reports.runs_command"} if words[0] == "runs" else set()
    assert rooms_of(modules) == {"qbase.cli.reports.report_commands"} | own


def test_a_misspelt_verb_imports_no_command() -> None:
    modules = imported("from qbase.cli.main import run; assert run(['rnu']) == 2")
    assert modules & HEAVY == set()
    assert rooms_of(modules) == set()


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], True),
        (["--help"], True),
        (["--lang", "zh", "--help"], True),
        (["--lang=en"], True),
        (["--lang"], False),
        (["--lang", "fr"], False),
        (["--lang zh"], False),
        (["--help", "list"], False),
        (["--json"], False),
        (["list", "--help"], False),
    ],
)
def test_the_first_page_is_asked_for_plainly_or_typer_decides(words: list[str], asked: bool) -> None:
    assert is_asked(words) is asked


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("columns", [20, 52, 60, 71, 80, 200])
def test_the_first_page_is_laid_out_as_typer_would(lang: Any, columns: int) -> None:
    group = build_group(SECTIONS, lang)
    context = typer.Context(group, info_name="qbase")
    formatter = context.make_formatter()
    formatter.width = max(NARROWEST, min(WIDEST, columns - 2))
    group.format_usage(context, formatter)
    group.format_help_text(context, formatter)
    TyperCommand.format_options(group, context, formatter)
    for title, verbs in SECTIONS.items():
        with formatter.section(part(title, lang)):
            formatter.write_dl([(name, part(summary, lang)) for name, (_, _, summary) in verbs.items()])
    assert write_first_page(SECTIONS, lang, columns=columns) == formatter.getvalue().rstrip("\n")


def test_the_first_page_is_the_same_by_either_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help", "--lang", "en"]) == 0
    page = capsys.readouterr().out
    assert run(["--quiet", "--help", "--lang", "en"]) == 0
    assert capsys.readouterr().out == page


@pytest.mark.parametrize("verb", [name for verbs in SECTIONS.values() for name in verbs])
def test_plain_values_are_those_of_typer(verb: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "closed").touch(mode=0o000)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    words = [
        None,
        "",
        "x",
        "5",
        "0",
        "-1",
        "007",
        " 5",
        "٣",
        "5.0",
        "9" * 30,
        "zh",
        "ZH",
        "Q",
        "list",
        "check",
        "a//b/",
    ]
    words += [str(tmp_path / name) for name in ("closed", "dangling", "absent", ".")]
    command = Verbs(SECTIONS, "en")[verb]
    context = typer.Context(command, info_name=verb)
    for option in command.get_params(context):
        several = option.multiple or option.nargs == -1
        for word in words:
            value = (word, "y") if several and word is not None else word
            plain = _outcome(option.get_runtime_param(), value, option, context)
            judged = _outcome(type(option).get_runtime_param(option), value, option, context)
            assert plain == judged, (option.name, word)


def _outcome(judge: Any, value: Any, option: Any, context: Any) -> Any:
    try:
        found = judge.coerce(value, param=option, ctx=context)
    except typer.BadParameter as error:
        return error.format_message()
    return type(found), found
