"""The entry of JupyterLab's menu: a page of a run with a record, or four lines."""

from __future__ import annotations

import json
import pathlib

import nbformat
import pytest
from nbconvert.exporters import get_export_names, get_exporter

from qbase.core import RunError, SetupError
from qbase.lake import Workspace, list_runs
from qbase.release.verifying.verification import verify_html
from qbase.reports.exporting import page_exporter
from qbase.reports.exporting.page_exporter import ExportError, export_notebook

SPEC = 'notebook = "notebooks/trial.ipynb"\ntitle_zh = "试运行"\ntitle_en = "Trial"\n\n[params]\nyear = {}\n'


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = Workspace.create(tmp_path_factory.mktemp("export") / "home")
    cells = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "execution_count": None, "outputs": []}
        for source, tags in (("year: int = 2025  # 年份 | Year", ["parameters"]),
                             ("from qbase.core import record\nyear\nrecord()", []))
    ]  # fmt: skip
    stored = {"output_type": "stream", "name": "stdout", "text": "typed by hand"}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    cells[1] = {**cells[1], "outputs": [stored]}
    for name in ("trial", "draft"):
        text = json.dumps({**document, "cells": cells})
        (home.notebooks / f"{name}.ipynb").write_text(text, encoding="utf-8")
    for name, year in (("other", 2024), ("trial", 2025)):
        (home.specs / f"{name}.toml").write_text(SPEC.format(year), encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def page(workspace: Workspace) -> str:
    """As jupyter-server asks for it."""
    exporter = get_exporter("qbase")()
    shown = nbformat.read(workspace.notebooks / "trial.ipynb", as_version=4)
    place = {"metadata": {"name": "trial", "path": str(workspace.notebooks)}}
    text, resources = exporter.from_notebook_node(shown, resources=place)
    assert resources["output_extension"] == ".html"
    return str(text)


def test_the_menu_knows_it() -> None:
    assert "qbase" in get_export_names()
    assert page_exporter.PageExporter.export_from_notebook == "qbase"


def test_the_page_is_that_of_a_run_and_shows_no_code_and_nothing_done_by_hand(workspace: Workspace, page: str) -> None:
    (run,) = list_runs(workspace, "trial")
    assert run.params == {"year": 2025}
    assert f'<meta name="qbase-run" content="{run.run_id}">' in page
    record = json.loads((workspace.runs / "trial" / run.run_id / "results.json").read_text("utf-8"))
    assert verify_html(page, record=record).passed
    assert "typed by hand" not in page
    assert list_runs(workspace, "other") == []


def test_a_second_export_of_the_same_gives_the_same_page_without_a_run(workspace: Workspace, page: str) -> None:
    assert export_notebook(workspace.notebooks / "trial.ipynb") == page


def test_a_page_that_was_changed_is_not_handed_over(workspace: Workspace, page: str) -> None:
    (file,) = workspace.site.glob("trial*.html")
    file.write_text(page.replace("试运行", "试运营"), encoding="utf-8")
    try:
        # the runner would publish anew; what is judged here is the file itself
        with pytest.raises(RunError, match="QB888"):
            page_exporter._verify(workspace, file)
    finally:
        file.write_text(page, encoding="utf-8")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_draft_that_no_report_is_made_of_is_refused_in_four_lines(
    lang: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QBASE_LANG", lang)
    exporter = get_exporter("qbase")()
    place = {"metadata": {"name": "draft", "path": str(workspace.notebooks)}}
    with pytest.raises(ExportError) as refused:
        exporter.from_notebook_node(nbformat.v4.new_notebook(), resources=place)
    lines = str(refused.value).strip().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith({"zh": "错误[QB887]", "en": "error[QB887]"}[lang])


def test_outside_a_workspace_there_is_nothing_to_run(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SetupError, match="QB201"):
        export_notebook(tmp_path / "loose.ipynb")
