"""The form of a report: each parameter its field, what is filled in checked as a run checks it, a button that runs."""

from __future__ import annotations

import json
import pathlib

import pytest

from qbase.core import UsageError
from qbase.explore import build_field, open_form
from qbase.explore.viewing.form_fields import form_values
from qbase.lake import Workspace
from qbase.release.verifying.verification import verify_report
from qbase.reports import Parameter, check_params, find_specs, read_parameters, read_spec
from qbase.reports.running.published_pages import read_recorded

CELLS = (
    (
        "year: int = 2024  # 年份 | Year | 2016..2030\nshare: float = 0.5  # 份额 | Share | 0..1\n"
        'freq: str = "Q"  # 时间单位 | By | Q, A\nnote: str | None = None  # 备注 | Note\n'
        "years: list[int] = [1, 2]  # 年份 | Years\nis_kept: bool = True  # 保留 | Kept",
        ["parameters"],
    ),
    ("from qbase.core import record\n(year, share, freq, note, years, is_kept)\nrecord()", []),
)
SPEC = 'notebook = "notebooks/trial.ipynb"\ntitle_zh = "试运行"\ntitle_en = "Trial"\n\n[params]\nyear = 2025\n'


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    home = Workspace.create(tmp_path / "home")
    cells = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "execution_count": None, "outputs": []}
        for source, tags in CELLS
    ]
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (home.notebooks / "trial.ipynb").write_text(json.dumps(document), encoding="utf-8")
    (home.specs / "trial.toml").write_text(SPEC, encoding="utf-8")
    return home


def test_every_parameter_has_the_field_of_its_type(workspace: Workspace) -> None:
    form = open_form("trial", workspace)
    kinds = {name: type(control).__name__ for name, control in form.inputs.items()}
    assert kinds == {"year": "BoundedIntText", "share": "BoundedFloatText", "freq": "Dropdown", "note": "Text",
                     "years": "Text", "is_kept": "Checkbox"}  # fmt: skip
    assert form.inputs["year"].value == 2025, "the specification wins over the default of the letter"
    assert form.values() == {}, "what nobody changed is left to the specification"
    form.inputs["freq"].value, form.inputs["is_kept"].value = "A", False
    assert form.values() == {"freq": "A", "is_kept": False}


def test_what_is_typed_is_read_as_on_the_command_line_and_refused_in_four_lines(workspace: Workspace) -> None:
    form = open_form("trial", workspace)
    form.inputs["years"].value, form.inputs["note"].value = "3,4", "007"
    assert form.values()["years"] == [3, 4]
    assert form.values()["note"] == "007"
    form.inputs["years"].value = "three"
    form.button.click()
    assert form.record is None
    assert "QB805" in form.told.value
    assert form.told.value.count("\n") == 3
    assert form.button.disabled is False


def test_the_button_runs_the_report_and_links_a_page_that_verifies(workspace: Workspace) -> None:
    form = open_form("trial", workspace)
    form.inputs["year"].value = 2026
    form.button.click()
    assert form.record is not None
    assert form.record.params["year"] == 2026
    page = next(workspace.root / output for output in form.record.outputs if output.endswith(".html"))
    assert f'href="/files/{page.relative_to(workspace.root).as_posix()}"' in form.told.value
    found = read_recorded(workspace, page)
    assert verify_report(page, record=found.record).passed


def test_a_number_that_may_be_empty_is_typed_and_a_choice_that_may_be_empty_offers_it() -> None:
    limit = Parameter(name="limit", base="float", optional=True, default=None, low=0.0, high=1.0)
    assert (build_field(limit).kind, build_field(limit).value) == ("text", "")
    assert form_values([limit], {"limit": ""}, report_id="x") == {"limit": None}
    with pytest.raises(UsageError, match="QB806"):
        form_values([limit], {"limit": "7"}, report_id="x")
    by = Parameter(name="by", base="str", optional=True, default=None, choices=("a", "b"))
    assert build_field(by).choices == (None, "a", "b")
    assert form_values([by], {"by": None}, report_id="x") == {"by": None}
    with pytest.raises(UsageError, match="QB803"):
        form_values([by], {"bye": "a"}, report_id="x")


def test_every_report_of_the_house_has_a_form_that_holds_what_its_specification_says(
    project_root: pathlib.Path,
) -> None:
    house = Workspace(project_root)
    for report_id in find_specs(house):
        spec = read_spec(house, report_id)
        parameters = read_parameters(project_root / spec.notebook)
        fields = {p.name: build_field(p, given=spec.params.get(p.name, ...)) for p in parameters}
        assert list(fields) == [p.name for p in parameters]
        wanted = check_params(parameters, spec.params, report_id=report_id)
        filled = {name: field.value for name, field in fields.items()}
        again = form_values(parameters, filled, report_id=report_id)
        # a text that is empty and one that is not there are one field
        assert {n: v or None for n, v in again.items()} == {n: v or None for n, v in wanted.items()}, report_id
