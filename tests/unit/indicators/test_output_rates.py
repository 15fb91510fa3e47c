"""The weight axis: firms, or what they make."""

from __future__ import annotations

import datetime
import pathlib

import pandas as pd
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.indicators import Design, build_panel
from qbase.lake import Workspace
from tests.unit.indicators.sampled_lake import ID, QUARTERS, draw, fill, firms, frame, put


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return fill(Workspace.create(tmp_path_factory.mktemp("lake")), "K1", "K2", "K3", "K4")


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path)


def years(*rows: tuple[str, float | None, float | None], year: int = 2023) -> list[dict[str, object]]:
    return [
        {"firm_id": firm, "year": year, "revenue_wan_cny": revenue, "output_wan_cny": output}
        for firm, revenue, output in rows
    ]


def all_drawn_once(workspace: Workspace) -> Workspace:
    """Each of twenty firms drawn once; those of class D fail; firm i makes i + 1."""
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    put(workspace, "inspections", [draw("K1", i, 1, passed=i < 10, kind="random") for i in range(20)])
    put(workspace, "firm_year", years(*((f"K1F{i:02d}", 1.0, i + 1.0) for i in range(20))))
    return workspace


@pytest.mark.parametrize("sampling", ["random_draw", "post_stratified"])
@pytest.mark.parametrize("indicator", ["D1.batch", "D1.firm"])
def test_where_every_firm_is_drawn_once_output_weights_agree_with_the_output_weighted_rate(
    workspace, sampling, indicator
):
    all_drawn_once(workspace)
    plain = build_panel(workspace, "D1.output").data.iloc[0]
    found = build_panel(workspace, indicator, sampling=sampling, design=Design(weight="output"))
    row = found.data.iloc[0]
    assert plain["D1.output"] == pytest.approx(100 * 55 / 210)
    assert row[indicator] == pytest.approx(plain["D1.output"])
    assert row[f"{indicator}__n_eff"] == pytest.approx(plain["D1.output__n_eff"])
    assert row[f"{indicator}__n_eff"] == pytest.approx(210**2 / 2870)
    assert "× output" in found.indicators[indicator].formula
    assert "按企业产值加权" in found.indicators[indicator].name.zh
    assert "left out" not in found.indicators[indicator].name.en
    assert [s.path for s in found.sources][-1] == "firm_year"


def test_a_rate_that_is_weighted_by_output_already_points_to_the_weight_axis(workspace):
    with pytest.raises(UsageError, match="QB433") as twice:
        build_panel(all_drawn_once(workspace), "D1.output", sampling="random_draw")
    assert twice.value.fix == 'D1.batch with Design(weight="output")'


def test_equal_outputs_weigh_like_firms(lake, workspace):
    fill(workspace, "K1")
    put(workspace, "firm_year", years(*((f"K1F{i:02d}", 1.0, 7.0) for i in range(20))))
    for sampling in ("random_draw", "post_stratified"):
        by_firm = build_panel(workspace, [ID, "D1.firm"], sampling=sampling).data
        by_output = build_panel(workspace, [ID, "D1.firm"], sampling=sampling, design=Design(weight="output")).data
        pd.testing.assert_frame_equal(by_output, by_firm)


def test_output_goes_on_top_of_a_recorded_probability(workspace):
    put(workspace, "firms", firms("K1"))
    rows = [draw("K1", 0, 1, passed=True, kind="random", inclusion_probability=0.5)]
    rows += [draw("K1", 10 + i, 1, passed=False, kind="random", inclusion_probability=1.0) for i in range(2)]
    put(workspace, "inspections", rows)
    put(workspace, "firm_year", years(("K1F00", 9.0, 3.0), ("K1F10", 5.0, None), ("K1F11", None, None)))
    panel = build_panel(workspace, ID, sampling="random_draw", design=Design(weight="output"))
    row = panel.data.iloc[0]
    assert row[ID] == pytest.approx(100 * 3 / 0.5 / (3 / 0.5 + 5)), "revenue where no output is reported"
    assert (row[f"{ID}__n"], row[f"{ID}__k"], row[f"{ID}__n_firms"]) == (2, 1, 2)
    assert row[f"{ID}__n_eff"] == pytest.approx(11**2 / (6**2 + 5**2))
    assert "33.3 % 的批次所属企业没有产值记录，未计入" in panel.indicators[ID].name.zh, "never silently zero"
    assert "33.3 % of draws left out" in panel.indicators[ID].name.en


def test_a_fixed_design_takes_the_output_of_the_base_year(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1", quarters=("2022Q4", *QUARTERS)))
    day = datetime.date(2022, 11, 5)
    old = [draw("K1", i, 1, passed=True, kind="random", sample_date=day) for i in range(20)]
    now = [draw("K1", i, 2, passed=i < 10, kind="random") for i in range(20)]
    put(workspace, "inspections", old + now)
    put(workspace, "firm_year", years(*((f"K1F{i:02d}", 1.0, 9.0 if i < 10 else 1.0) for i in range(20)), year=2022))
    fixed = Design(classes="fixed", frame="fixed", base_year=2022, weight="output")
    row = build_panel(workspace, ID, sampling="post_stratified", design=fixed, first="2024Q1").data.iloc[0]
    assert row[ID] == pytest.approx(90.0, abs=0.5)
    with pytest.raises(DataError, match="QB437"):
        build_panel(workspace, ID, sampling="post_stratified", design=Design(weight="output"), first="2024Q1")


def test_output_weights_that_make_no_sense_are_refused_with_four_lines(lake):
    by_output = Design(weight="output")
    with pytest.raises(UsageError, match="QB436") as naive:
        build_panel(lake, ID, design=by_output)
    assert "D1.output" in naive.value.fix
    with pytest.raises(UsageError, match="QB436") as one_firm:
        build_panel(lake, ID, entity="firm_id", sampling="random_draw", design=by_output)
    with pytest.raises(UsageError, match="QB436") as listed:
        Design(weight="output", is_finite_list=True)
    for caught in (naive, one_firm, listed):
        assert len(str(caught.value).splitlines()) == 4
    with pytest.raises(UsageError, match="QB402"):
        Design(weight="staff")
    with pytest.raises(DataError, match="QB403"):
        build_panel(lake, ID, sampling="random_draw", design=by_output)
