"""Verdicts, breaks and changes of standard on few draws.

The long versions are study_breaks.py, study_panel_charts.py, study_standard_change.py and study_memory.py
(docs/studies).
"""

from __future__ import annotations

import hashlib
import importlib.util
import pathlib
import sys
from types import ModuleType

import pyarrow as pa
import pytest

from qbase.demo import build_province
from qbase.demo.sending.stable_files import to_arrow
from qbase.indicators import build_panel
from qbase.lake import Delivery, Workspace
from qbase.stats import cusum_run_length

DRAWS, SEEDS = 2000, 10


def load_study(name: str) -> ModuleType:
    path = pathlib.Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    if name not in sys.modules:
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


study = load_study("study_breaks")
standards = load_study("study_standard_change")
memory = load_study("study_memory")
panels = load_study("study_panel_charts")


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
    """By the pass rate alone: the planted step is 2.9 standard errors, and no test finds it in nine of ten."""
    found = study.provinces("default", SEEDS)
    assert found["labelled"].mean() >= 0.5
    assert (found["labelled"] == found["within"]).all(), "a labelled break has the date of the document"
    assert not found["sold"].any()
    assert found["alone"].mean() >= found["labelled"].mean() - 0.25


def test_without_the_standard_change_nothing_is_blamed_on_it() -> None:
    found = study.provinces("no standard change", SEEDS)
    assert found["labelled"].sum() <= 3


def test_judged_twice_the_standard_change_is_dated_within_a_quarter_without_a_document() -> None:
    """`study.provinces` dates it by the pass rate alone within a quarter in a third of the seeds."""
    found = standards.provinces("default", 5)
    for column in ("found", "within", "holds", "labelled"):
        assert found[column].all(), column
    assert not found["sold"].any()
    # four of five at least: 95 % intervals of what was planted
    assert found["covered"].sum() >= 4
    assert found["cluster_found"].mean() > 0.4
    assert not standards.provinces("no standard change", 2)["found"].any()


def test_what_is_judged_twice_in_memory_is_what_the_lake_counts(tmp_path: pathlib.Path) -> None:
    province = build_province("small", seed=7)
    own = standards.judge_twice(province.world)
    workspace = Workspace.create(tmp_path)
    for name in ("inspections", "items", "firms"):
        table = to_arrow(province.tables[name])
        if name == "inspections":
            table = table.append_column("firm_code", pa.nulls(len(table), pa.string()))
        sha = hashlib.sha256(name.encode()).hexdigest()
        rows = table.num_rows
        delivery = Delivery(sha256=sha, file_name=name, table=name, verdict="OK", rows_seen=rows, accepted=rows)
        workspace.commit(delivery, {name: table})
    counted = build_panel(workspace, list(standards.RATES)).data
    columns = [f"{i}__{c}" for i in standards.RATES for c in "kn"]
    ours, lake = (data[columns].groupby(level="period").sum() for data in (own.data, counted))
    for column in columns:
        assert (ours[column] == lake[column]).all(), column


@pytest.mark.parametrize("case", standards.QUIET)
def test_limits_that_differ_at_random_seldom_get_a_date(case: tuple[float, float, int]) -> None:
    assert standards.false_alarms(*case, DRAWS, 41)["upper"] < standards.BAR


def test_a_path_is_no_way_to_more_power() -> None:
    """Neither for a change that lasted nor for one of the last two quarters; together they lose little."""
    for found in (memory.late(0.95, -0.3, 38, 60, 3), memory.lasting(0.9, 0.0, -0.1, 60, 4)):
        assert found["scan"] > max(found["ewma"], found["cusum"])
        for kind in memory.KINDS:
            assert found["scan"] >= found[f"{kind} together"] > found[kind]


@pytest.mark.parametrize("kind", [panels.alike(0.1), panels.UNLIKE[0]], ids=lambda kind: kind.name)
def test_a_quiet_entity_of_a_panel_seldom_gets_a_verdict(kind: object) -> None:
    """Of 200 charts at 5 %, 20 or more get one once in 300 times."""
    found = panels.quiet(kind, 0.9, 200, 3)
    assert found["share"] < 0.1
    assert found["pooled"] > 0.8


def test_a_panel_finds_more_of_what_a_known_variance_finds_than_one_series_does() -> None:
    found = panels.power(panels.alike(0.1), 0.9, -0.1, 100, 5)
    assert found["both"] >= max(found["alone"], 0.75)
