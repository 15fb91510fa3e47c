"""Values that papermill or a hand put into a letter are held against its declarations."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import papermill
import pytest

from qbase.core.errors import UsageError
from qbase.reports import check_given

PARAMETERS = """subject: str | None = "K001"  # 对象 | subject
leads: int = 6  # 前期数 | leads | 1..20
level: float = 0.95  # 置信度 | level | 0.5..0.999
event_times: list[int] | None = None  # 时点 | event times
entity: str = "cluster_id"  # 对象 | followed | cluster_id, town_code"""
GOOD = {"subject": "K003", "leads": 6, "level": 1 / 2, "event_times": [1], "entity": "town_code"}


@pytest.mark.parametrize(
    ("name", "value", "code", "fix"),
    [
        ("subject", 3, "QB805", "papermill -r subject 3, or qbase run REPORT -p subject=3"),
        ("subject", 3.5, "QB805", "papermill -r subject 3.5, or qbase run REPORT -p subject=3.5"),
        ("subject", ["K001"], "QB805", "papermill -p subject K001, or qbase run REPORT -p subject=K001"),
        ("subject", True, "QB805", "papermill -p subject K001, or qbase run REPORT -p subject=K001"),
        ("leads", 3.5, "QB805", "papermill -p leads 6, or qbase run REPORT -p leads=6"),
        ("leads", "6", "QB805", "papermill -p leads 6, or qbase run REPORT -p leads=6"),
        ("leads", 99, "QB806", "papermill -p leads 6, or qbase run REPORT -p leads=6"),
        ("level", float("nan"), "QB807", "papermill -p level 0.95, or qbase run REPORT -p level=0.95"),
        ("event_times", 1, "QB805", "papermill -y 'event_times: [1]', or qbase run REPORT -p event_times='[1]'"),
        ("event_times", [1.5], "QB805", "papermill -y 'event_times: [1]', or qbase run REPORT -p event_times='[1]'"),
        ("entity", "firm", "QB806", "papermill -p entity cluster_id, or qbase run REPORT -p entity=cluster_id"),
    ],
)
def test_a_value_of_another_kind_is_told(name: str, value: Any, code: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_given({"In": ["", "import os", PARAMETERS, f"{name} = 1"], **GOOD, name: value})
    assert (caught.value.code, caught.value.fix) == (code, fix)


def test_sound_values_and_a_letter_without_cells_pass() -> None:
    check_given({"In": [PARAMETERS], **GOOD})
    check_given({"In": [PARAMETERS], **GOOD, "subject": None, "level": 0.9})
    check_given({"subject": 3})
    check_given()


@pytest.mark.slow
def test_papermill_shows_four_lines(tmp_path: pathlib.Path) -> None:
    code = [(["parameters"], PARAMETERS), ([], "from qbase.reports import check_given\n\ncheck_given()")]
    cells = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": None}
        for tags, source in code
    ]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernel}, "cells": cells}
    path = tmp_path / "letter.ipynb"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        papermill.execute_notebook(path, tmp_path / "out.ipynb", parameters={"subject": 3}, progress_bar=False)
    assert len(caught.value.traceback) == 4
    assert "QB805" in caught.value.traceback[0]
    papermill.execute_notebook(path, tmp_path / "out.ipynb", parameters={"subject": "K003"}, progress_bar=False)
