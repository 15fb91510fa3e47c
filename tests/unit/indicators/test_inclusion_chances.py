"""Chances of being drawn: recorded ones, fractions of a class, the mean of a period, or none at all."""

from __future__ import annotations

import pathlib

import pytest

from qbase.core.errors import DataError
from qbase.indicators import build_panel, check_class_fractions
from qbase.lake import Workspace
from tests.unit.indicators.sampled_lake import ID, directed_sample, draw, firms, frame, put


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path)


def test_unrecorded_fractions_leave_random_draws_unweighted_and_say_so(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "inspections", directed_sample("K1"))
    panel = build_panel(workspace, ID, sampling="random_draw")
    assert "抽取比例未记录，未加权" in panel.indicators[ID].name.zh
    assert panel.data[ID].iloc[0] == 50.0
    check = check_class_fractions(panel, workspace)
    assert check.passed is None
    assert "not on record" in check.text.en
    with pytest.raises(DataError, match="QB403"):
        build_panel(workspace, ID, sampling="post_stratified")


def test_a_stated_inclusion_probability_is_used(workspace):
    put(workspace, "firms", firms("K1"))
    rows = [draw("K1", 0, 1, passed=True, kind="random", inclusion_probability=0.5)]
    rows += [draw("K1", 10 + i, 1, passed=False, kind="random", inclusion_probability=1.0) for i in range(3)]
    put(workspace, "inspections", rows)
    panel = build_panel(workspace, ID, sampling="random_draw")
    assert panel.data[ID].iloc[0] == pytest.approx(100 * 2 / 5)
    assert panel.data[f"{ID}__n_eff"].iloc[0] == pytest.approx(25 / 7)
    assert "recorded probability" in panel.indicators[ID].name.en


def recorded(*draws: tuple[int, bool, float | None]) -> list[dict[str, object]]:
    return [draw("K1", i, 1, passed=good, kind="random", inclusion_probability=p) for i, good, p in draws]


def test_recorded_probabilities_give_horvitz_thompson_totals_and_hajek_rates(workspace):
    """Weights 10, 5, 5, 2, 1: 23 firms, of which 10 + 5 + 1 would pass."""
    put(workspace, "firms", firms("K1"))
    chances = ((0, True, 0.1), (1, True, 0.2), (2, False, 0.2), (10, False, 0.5), (11, True, 1.0))
    put(workspace, "inspections", recorded(*chances))
    panel = build_panel(workspace, [ID, "D1.firm"], sampling="random_draw")
    row, cells = panel.data.iloc[0], panel.cells
    assert (cells["n"] * cells["weight"]).sum() == pytest.approx(23)
    assert (cells["k"] * cells["weight"]).sum() == pytest.approx(16)
    assert row[ID] == row["D1.firm"] == pytest.approx(100 * 16 / 23)
    assert row[f"{ID}__n_eff"] == pytest.approx(23**2 / (100 + 25 + 25 + 4 + 1))
    assert "批次 × 企业数" in panel.indicators[ID].formula


def test_a_frame_does_not_touch_draws_whose_probability_is_recorded(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    put(workspace, "inspections", recorded((0, True, 0.1), (1, True, 0.2), (10, False, 0.5)))
    panel = build_panel(workspace, ID, sampling="random_draw")
    assert panel.data[ID].iloc[0] == pytest.approx(100 * 15 / 17)
    assert "其余" not in panel.indicators[ID].name.zh


def test_draws_without_a_probability_take_the_fraction_of_their_class_and_the_share_is_told(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    put(workspace, "inspections", recorded((0, True, 0.5), (1, True, None), (10, False, None), (11, False, None)))
    panel = build_panel(workspace, ID, sampling="random_draw")
    assert "25.0 % 按登记的入样概率加权，其余按所属风险等级的抽取比例" in panel.indicators[ID].name.zh
    by_class = panel.cells.set_index("stratum")["weight"]
    assert by_class.loc["A-small"].min() == 2.0
    assert by_class.loc["D-small"] == pytest.approx(5.0, rel=0.25), "two of ten, pulled a little to the others"


def test_draws_without_a_probability_or_a_frame_take_the_mean_weight_of_their_period(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "inspections", recorded((0, True, 0.5), (1, True, 0.25), (10, False, None)))
    panel = build_panel(workspace, ID, sampling="random_draw")
    assert panel.data[ID].iloc[0] == pytest.approx(100 * 6 / 9)
    assert "66.7 % weighted by their recorded probability, the others by the mean" in panel.indicators[ID].name.en


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.5, float("inf")])
def test_a_probability_that_is_none_is_refused(workspace, wrong):
    put(workspace, "firms", firms("K1"))
    put(workspace, "inspections", recorded((0, True, 0.5), (1, True, wrong)))
    with pytest.raises(DataError, match="QB438") as caught:
        build_panel(workspace, ID, sampling="random_draw")
    assert "in 1 batches" in caught.value.found
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize("entity", ["cluster_id", "town_code", "firm_id"])
def test_a_firm_drawn_with_several_probabilities_is_one_firm(workspace, entity):
    put(workspace, "firms", firms("K1"))
    draws = [(month, i) for month in range(1, 13) for i in range(6)]
    rows = [
        draw("K1", i, m, passed=i % 2 == 0, kind="random", inclusion_probability=0.1 * (1 + m % 4)) for m, i in draws
    ]
    put(workspace, "inspections", rows)
    data = build_panel(workspace, [ID, "D1.firm"], freq="A", entity=entity, sampling="random_draw").data
    firms_there = 1 if entity == "firm_id" else 6
    assert (data["D1.firm__n_firms"] == firms_there).all()
    assert (data[f"{ID}__n_firms"] == firms_there).all()
    assert data["D1.firm__n"].sum() == 6
    assert data["D1.firm__k"].sum() == 3
    assert data[f"{ID}__n"].sum() == 72
    for i in (ID, "D1.firm"):
        assert (data[f"{i}__n_eff"] <= firms_there).all(), "all draws of a firm pass or fail together"
