"""Verdicts and breaks on few draws; the long version is study_breaks.py (docs/studies/breaks.md)."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from types import ModuleType

import pytest

from qbase.stats import cusum_run_length

DRAWS, SEEDS = 2000, 10


def load_study() -> ModuleType:
    path = pathlib.Path(__file__).with_name("study_breaks.py")
    spec = importlib.util.spec_from_file_location("study_breaks", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("study_breaks", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


study = load_study()


@pytest.mark.parametrize(("p", "rho"), study.QUIET)
def test_a_quiet_chart_ends_in_a_verdict_in_less_than_seven_percent(p: float, rho: float) -> None:
    """2,000 charts of 40 quarters, 4 to 30 batches; the bound is the upper 99 % one. The run rules are far above it."""
    found = study.false_alarms(p, rho, DRAWS, 31)
    assert found["upper"] < study.BAR
    assert found["share"] > 0.03, "a test that never fires finds nothing either"
    assert found["rules"] > 4 * study.BAR
    # a CUSUM with the usual limits is no way out: it is made for one alarm in some 168 points, four charts
    assert 40 / cusum_run_length(0.5, 4.0) > 3 * study.BAR


@pytest.mark.parametrize(("p", "shift"), [(0.9, -0.1), (0.97, -0.1), (0.97, -0.05)])
def test_a_lasting_change_is_found_about_as_often_as_with_the_variance_known(p: float, shift: float) -> None:
    found = study.power(p, 0.0, shift, 500, 5)
    assert found["found"] > 0.8 * found["known"]
    assert found["both"] > 0.75


def test_the_standard_change_of_the_province_is_labelled_and_never_sold_as_quality() -> None:
    """The planted step is 2.9 standard errors of 20 against 20 quarters: no test finds it in nine of ten provinces."""
    found = study.provinces("default", SEEDS)
    assert found["labelled"].mean() >= 0.5
    assert (found["labelled"] == found["within"]).all(), "a labelled break has the date of the document"
    assert not found["sold"].any()
    assert found["alone"].mean() >= found["labelled"].mean() - 0.25


def test_without_the_standard_change_nothing_is_blamed_on_it() -> None:
    found = study.provinces("no standard change", SEEDS)
    assert found["labelled"].sum() <= 3
