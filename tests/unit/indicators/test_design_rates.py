"""From a small lake to weighted panels: what is weighed how, what the name says, what is refused."""

from __future__ import annotations

import datetime
import functools
import pathlib

import numpy as np
import pytest

from qbase.core.errors import DataError, PanelError, UsageError
from qbase.core.periods import parse_period
from qbase.indicators import Design, add_shrinkage, build_panel
from qbase.lake import Workspace
from qbase.stats.design import design_weights
from tests.unit.indicators.sampled_lake import ID, QUARTERS, directed_sample, draw, fill, firms, frame, put


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return fill(Workspace.create(tmp_path_factory.mktemp("lake")), "K1", "K2", "K3", "K4")


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path)


def test_directed_draws_hide_a_level_that_weights_recover(lake):
    naive = build_panel(lake, ID).data[ID]
    assert naive.iloc[0] == pytest.approx(100 * 2 / 12)
    random = build_panel(lake, ID, sampling="random_draw").data
    assert random[ID].to_numpy() == pytest.approx(50.0, abs=1e-6), "equal fractions: weights change nothing"
    assert (random[f"{ID}__n"] == 4).all()
    weighted = build_panel(lake, ID, sampling="post_stratified").data
    assert weighted[ID].to_numpy() == pytest.approx(50.0, abs=2.0)
    assert (weighted[f"{ID}__n"] == 12).all()
    assert (weighted[f"{ID}__k"] == 2).all(), "counts stay those that were drawn"
    assert (weighted[f"{ID}__n_eff"] < 12).all(), "unequal weights cost precision"
    assert (weighted[f"{ID}__lo"] < weighted[ID]).all()
    assert (weighted[f"{ID}__hi"] > weighted[ID]).all()


def test_raking_to_the_margins_recovers_it_too(lake):
    panel = build_panel(lake, ID, sampling="post_stratified", design=Design(adjust="rake"))
    assert panel.data[ID].to_numpy() == pytest.approx(50.0, abs=2.0)
    assert "raked to the margins" in panel.indicators[ID].name.en


def test_without_pooling_a_post_stratified_panel_is_the_textbook_mean(lake, monkeypatch):
    pooled = build_panel(lake, ID, sampling="post_stratified").data[ID]
    alone = functools.partial(design_weights.own_factor, own_draws=0.0)
    monkeypatch.setattr("qbase.indicators.cells.stratum_weights.own_factor", alone)
    monkeypatch.setattr("qbase.indicators.panel_building.keep_value", lambda *asked: asked[-1]())
    found = build_panel(lake, ID, sampling="post_stratified")
    assert (found.data[ID] - pooled).abs().max() > 0.1, "pooling makes a difference here"
    for (entity, period), cell in found.cells.groupby(["entity", "period"]):
        strata = cell.groupby("stratum")[["k", "n"]].sum().to_numpy(dtype=float)
        units = np.stack([strata, np.zeros_like(strata)])  # the mean does not depend on how draws fall on firms
        textbook = design_weights.poststratified_mean(units[:, :, 0], units[:, :, 1], 1.0, np.array([10.0, 10.0]))
        assert found.data.loc[(entity, period), ID] == pytest.approx(100 * textbook.value)


def test_the_name_of_the_indicator_says_how_draws_were_treated(lake):
    assert "按所属风险等级的抽取比例加权" in build_panel(lake, ID, sampling="random_draw").indicators[ID].name.zh
    both = build_panel(lake, [ID, "D1.firm"], sampling="post_stratified").indicators
    assert "post-stratified by risk class and size" in both[ID].name.en
    assert "批次 × 企业数" in both[ID].formula
    assert "firms × firms" in both["D1.firm"].formula


def test_a_firm_numerator_counts_each_firm_once(lake):
    row = build_panel(lake, "D1.firm", sampling="post_stratified").data.iloc[0]
    assert row["D1.firm__n"] == row["D1.firm__n_firms"] < 12
    assert row["D1.firm__k"] == 2


def test_towns_and_years_are_weighted_as_well(lake):
    panel = build_panel(lake, ID, entity="town_code", freq="A", sampling="post_stratified")
    assert panel.entities == ["TK1", "TK2", "TK3", "TK4"]
    assert panel.data[ID].to_numpy() == pytest.approx(50.0, abs=2.0)
    assert (panel.data[f"{ID}__n"] == 48).all()
    assert (panel.data[f"{ID}__n_eff"] < 30).all(), "a firm drawn again tells less than another firm"


def test_cells_hold_strata_and_ways_of_drawing(lake):
    panel = build_panel(lake, ID, sampling="post_stratified")
    first = panel.cells[(panel.cells["entity"] == "K1") & (panel.cells["period"] == parse_period("2024Q1"))]
    assert set(zip(first["stratum"], first["sampling"], strict=True)) == {
        ("A-small", "random"), ("D-small", "random"), ("D-small", "directed"),
    }  # fmt: skip
    assert first["n"].sum() == 12
    assert (first["n"] * first["weight"]).sum() == pytest.approx(20, rel=0.1), "the draws stand for the firms"
    assert [s.path for s in panel.sources][-1] == "frame"


def test_the_chance_of_one_way_of_drawing_does_not_enter_post_stratification(workspace, lake):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    rows = directed_sample("K1")
    put(workspace, "inspections", [row | {"inclusion_probability": 0.01 * (1 + i % 3)} for i, row in enumerate(rows)])
    found = build_panel(workspace, ID, sampling="post_stratified").data[ID]
    assert found.to_numpy() == pytest.approx(50.0, abs=3.0)


def test_a_hundred_percent_has_an_interval(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    put(workspace, "inspections", [draw("K1", i, 1, passed=True, kind="random") for i in range(4)])
    for sampling in ("random_draw", "post_stratified"):
        row = build_panel(workspace, ID, sampling=sampling).data.iloc[0]
        assert row[ID] == row[f"{ID}__hi"] == 100
        assert 40 < row[f"{ID}__lo"] < 70


def test_a_finite_list_narrows_the_interval_of_its_own_period_only(lake):
    whole = build_panel(lake, ID, sampling="random_draw").data
    listed = build_panel(lake, ID, sampling="random_draw", design=Design(is_finite_list=True)).data
    assert listed[ID].to_numpy() == pytest.approx(whole[ID].to_numpy())
    assert listed[f"{ID}__n_eff"].to_numpy() == pytest.approx(whole[f"{ID}__n_eff"].to_numpy() / (1 - 4 / 20))


def test_a_fixed_design_keeps_the_classes_of_the_base_year(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1", quarters=("2023Q4", *QUARTERS)))
    old = [draw("K1", i, 1, passed=True, kind="random", sample_date=datetime.date(2023, 11, 5)) for i in (0, 1, 10, 11)]
    moved = [draw("K1", i, 2, passed=i < 10, kind="risk", risk_class="D") for i in (0, 1, 10, 11, 12)]
    put(workspace, "inspections", old + moved)
    fixed = Design(classes="fixed", frame="fixed", base_year=2023)
    panel = build_panel(workspace, ID, sampling="post_stratified", design=fixed, first="2024Q1")
    row = panel.data.iloc[0]
    assert row[f"{ID}__n"] == 4, "a firm without a class in the base year belongs to neither"
    assert set(panel.cells["stratum"]) == {"A-small", "D-small"}
    assert "固定在 2023 年末" in panel.indicators[ID].name.zh
    assert row[ID] == pytest.approx(50.0, abs=1.0)


@pytest.mark.parametrize(
    "mixed",
    [
        {"classes": "fixed", "frame": "period", "base_year": 2021},
        {"classes": "period", "frame": "fixed", "base_year": 2021},
        {"classes": "fixed", "frame": "fixed"},
        {"classes": "period", "frame": "period", "base_year": 2021},
        {"classes": "fixed", "frame": "fixed", "base_year": 2021, "is_finite_list": True},
    ],
)
def test_classes_and_frame_of_different_times_are_refused(mixed):
    with pytest.raises(DataError, match="QB430"):
        Design(**mixed)


def test_a_treatment_that_does_not_fit_is_refused_with_four_lines(lake, workspace):
    with pytest.raises(UsageError, match="QB402"):
        build_panel(lake, ID, sampling="weighted")
    with pytest.raises(UsageError, match="QB433") as caught:
        build_panel(lake, ID, entity="firm_id", sampling="post_stratified")
    assert len(str(caught.value).splitlines()) == 4
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1", quarters=("2024Q1",)))
    put(workspace, "inspections", directed_sample("K1"))
    with pytest.raises(DataError, match="QB431") as missing:
        build_panel(workspace, ID, sampling="post_stratified")
    assert "3 of 4 cluster-periods" in missing.value.found
    with pytest.raises(DataError, match="QB404"):
        build_panel(workspace, ID, sampling="random_draw", first="2025Q1")


def test_inspections_without_classes_cannot_be_post_stratified(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    rows = [{k: v for k, v in row.items() if k not in ("risk_class", "size_class")} for row in directed_sample("K1")]
    put(workspace, "inspections", rows)
    with pytest.raises(DataError, match="QB432"):
        build_panel(workspace, ID, sampling="post_stratified")
    assert "未加权" in build_panel(workspace, ID, sampling="random_draw").indicators[ID].name.zh


def test_shrunk_panels_are_flagged_and_refused_by_counts(lake):
    panel = add_shrinkage(build_panel(lake, ID, sampling="random_draw"), ID)
    assert panel.shrunk == (ID,)
    with pytest.raises(PanelError, match="QB125"):
        panel.counts(ID)
    with pytest.raises(PanelError, match="QB125"):
        add_shrinkage(panel, ID)
    raw = build_panel(lake, ID, sampling="random_draw").data
    narrower = (panel.data[f"{ID}__hi"] - panel.data[f"{ID}__lo"]) < (raw[f"{ID}__hi"] - raw[f"{ID}__lo"])
    assert narrower.all()


def test_too_few_entities_cannot_be_shrunk(workspace):
    fill(workspace, "K1")
    with pytest.raises(DataError, match="QB435"):
        add_shrinkage(build_panel(workspace, ID), ID)


# --- product families


def families_that_fail_together(workspace: Workspace, *, has_products: bool = True) -> Workspace:
    """Every quarter ten firms make cloth and ten make yarn; one of the two fails as a whole, now this and now that."""
    put(workspace, "firms", firms("K1", "K2"))
    put(workspace, "frame", frame("K1", "K2"))
    rows = []
    for cluster in ("K1", "K2"):
        for quarter, month in enumerate((1, 4, 7, 10)):
            for i in range(20):
                is_good = i % 2 == (quarter + (cluster == "K2")) % 2
                more = {"product_name": "布" if i % 2 else "纱"} if has_products else {}
                rows.append(draw(cluster, i, month, passed=is_good, kind="random", **more))
    put(workspace, "inspections", rows)
    return workspace


@pytest.mark.parametrize("sampling", ["random_draw", "post_stratified"])
def test_batches_of_one_product_that_fail_together_count_for_less(tmp_path, sampling):
    known = families_that_fail_together(Workspace.create(tmp_path / "known"))
    unknown = families_that_fail_together(Workspace.create(tmp_path / "unknown"), has_products=False)
    together, apart = (build_panel(w, ID, sampling=sampling) for w in (known, unknown))
    assert together.data[ID].to_numpy() == pytest.approx(apart.data[ID].to_numpy())
    assert apart.data[f"{ID}__n_eff"].to_numpy() == pytest.approx(20.0)
    # half of the pairs of different firms, and a correlation of 1
    assert together.data[f"{ID}__n_eff"].to_numpy() == pytest.approx(1 / (1 / 20 + 180 / 380 * 19 / 20))
    assert "a correlation of 1.00 between batches of one product and quarter" in together.indicators[ID].formula
    assert "firms to be independent" in apart.indicators[ID].formula


def test_of_very_many_batches_only_the_latest_periods_tell_the_correlation(workspace, monkeypatch):
    monkeypatch.setattr("qbase.indicators.cells.product_families.MOST_BATCHES", 100)
    panel = build_panel(families_that_fail_together(workspace), ID, sampling="random_draw")
    assert "(since 2024Q3)" in panel.indicators[ID].formula
    assert panel.data[f"{ID}__n_eff"].max() < 3, "earlier periods take the usual share of their entity"


def test_a_firm_found_by_a_link_has_its_class_of_the_base_year(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1", quarters=("2023Q4", *QUARTERS)))
    then = {"sample_date": datetime.date(2023, 5, 1)}
    before = [draw("K1", i, 1, passed=True, kind="random", **then) for i in range(8)]
    after = [draw("K1", i, 2, passed=True, kind="random") for i in range(8)]
    unnamed = [(f"旧名{i}", {"uscc": None, "firm_name": f"旧名{i}"}) for i in range(4)]
    before += [draw("K1", 10 + i, 1, passed=True, kind="random", **then, **u) for i, (_, u) in enumerate(unnamed)]
    after += [draw("K1", 10 + i, 2, passed=False, kind="random", **u) for i, (_, u) in enumerate(unnamed)]
    put(workspace, "inspections", before + after)
    links = [
        {"sample_no": row["sample_no"], "name_printed": name, "uscc_printed": None, "firm_id": f"K1F1{i}",
         "decision": "accept", "decision_no": 1}
        for i, (name, _) in enumerate(unnamed) for row in (before[8 + i], after[8 + i])
    ]  # fmt: skip
    put(workspace, "identity_links", links)
    design = Design(classes="fixed", frame="fixed", base_year=2023)
    data = build_panel(workspace, ID, first="2024Q1", sampling="random_draw", design=design).data
    assert (data[f"{ID}__n"].item(), data[f"{ID}__k"].item()) == (12, 8), "the four known by a link alone are there"
