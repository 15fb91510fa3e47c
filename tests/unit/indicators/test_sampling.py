"""From a small lake to weighted panels: what is weighed how, what the name says, what is refused."""

from __future__ import annotations

import datetime
import functools
import hashlib
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from qbase.core.errors import DataError, PanelError, UsageError
from qbase.core.periods import parse_period
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.indicators import (
    Design,
    add_shrinkage,
    build_panel,
    check_class_fractions,
    check_random_against_directed,
    check_sampling_mix,
)
from qbase.lake import Delivery, Workspace
from qbase.stats import design_weights

ID = "D1.batch"
QUARTERS = ("2024Q1", "2024Q2", "2024Q3", "2024Q4")
TYPES = {
    "sample_date": pa.date32(), "is_recheck": pa.bool_(), "is_lead": pa.bool_(), "n_firms": pa.int64(),
    "inclusion_probability": pa.float64(), "year": pa.int64(), "revenue_wan_cny": pa.float64(),
    "output_wan_cny": pa.float64(), "decision_no": pa.int64(),
}  # fmt: skip


def put(workspace: Workspace, table: str, rows: list[dict[str, object]], *, part: str = "") -> None:
    schema = pa.schema([pa.field(c, TYPES.get(c, pa.string())) for c in rows[0]])
    delivery = Delivery(
        sha256=hashlib.sha256((table + part).encode()).hexdigest(), file_name=f"{table}.csv", table=table, recipe="",
        producer="测试", licence="", retrieved_on="2025-01-01", verdict="OK", rows_seen=len(rows), listed=0,
        accepted=len(rows), quarantined=0, reasons={}, warnings=(),
    )  # fmt: skip
    workspace.commit(delivery, {table: pa.Table.from_pylist(rows, schema=schema)})


def firms(*clusters: str) -> list[dict[str, object]]:
    """Twenty firms a cluster: F00 to F09 are of class A, F10 to F19 of class D."""
    return [
        {
            "firm_id": f"{c}F{i:02d}", "uscc": f"{c}U{i:02d}", "firm_name": f"{c}厂{i}", "cluster_id": c,
            "town_code": f"T{c}", "size_class": "small", "industry_code": "2822", "is_lead": False,
        }
        for c in clusters
        for i in range(20)
    ]  # fmt: skip


def frame(*clusters: str, quarters: tuple[str, ...] = QUARTERS) -> list[dict[str, object]]:
    return [
        {"cluster_id": c, "quarter": q, "risk_class": r, "size_class": "small", "n_firms": 10}
        for c in clusters
        for q in quarters
        for r in "AD"
    ]


def draw(cluster: str, firm: int, month: int, *, passed: bool, kind: str, **more: object) -> dict[str, object]:
    draw.count += 1
    return {
        "sample_no": f"S{draw.count}", "sample_date": datetime.date(2024, month, 5), "sample_type": kind,
        "uscc": f"{cluster}U{firm:02d}", "firm_code": None, "firm_name": f"{cluster}厂{firm}", "town_code": None,
        "result": "pass" if passed else "fail", "is_recheck": False, "appeal_result": None,
        "role": "producer", "parent_no": None, "std_no": None,
        "risk_class": "A" if firm < 10 else "D", "size_class": None, **more,
    }  # fmt: skip


draw.count = 0


def directed_sample(cluster: str) -> list[dict[str, object]]:
    """Every quarter: random draws 2 of A (pass) and 2 of D (fail); directed ones 8 of D, which fail."""
    rows = []
    for month in (1, 4, 7, 10):
        rows += [draw(cluster, i + month % 3, month, passed=True, kind="random") for i in (0, 4)]
        rows += [draw(cluster, i + month % 3, month, passed=False, kind="random") for i in (10, 14)]
        rows += [draw(cluster, 10 + (i + month) % 10, month, passed=False, kind="risk") for i in range(8)]
    return rows


def fill(workspace: Workspace, *clusters: str) -> Workspace:
    put(workspace, "firms", firms(*clusters))
    put(workspace, "frame", frame(*clusters))
    put(workspace, "inspections", [row for c in clusters for row in directed_sample(c)])
    return workspace


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


# --- the weight axis: firms or output


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


# --- checks


def test_the_mix_is_compared_over_time_and_with_a_policy(lake):
    panel = build_panel(lake, ID)
    assert check_sampling_mix(panel).passed is None, "one year has nothing to be compared with"
    spell = Spell(entity="K1", start=parse_period("2024Q3"))
    policy = Policy(policy_id="P", title=Text("政策", "policy"), spells=(spell,))
    check = check_sampling_mix(panel, policy)
    assert check.passed is True
    assert list(check.table["random_pct"]) == pytest.approx([100 / 3] * 4)
    cells = panel.cells.copy()
    late = (cells["entity"] == "K1") & (cells["period"] >= parse_period("2024Q3")) & (cells["sampling"] == "random")
    cells.loc[late, "n"] = 40
    moved = type(panel)(
        data=panel.data, entity=panel.entity, freq="Q", indicators=panel.indicators, cells=cells
    )  # fmt: skip
    found = check_sampling_mix(moved, policy)
    assert found.passed is False
    assert "抽样结构变了" in found.text.zh


def make_cells(random_rate: float, directed_rate: float, n: int, entities: int) -> pd.DataFrame:
    rows = []
    for e in range(entities):
        for q in QUARTERS:
            for kind, rate in (("random", random_rate), ("directed", directed_rate)):
                k = round(n * rate) + (e % 3 - 1 if n > 10 else 0)
                rows.append((f"K{e}", parse_period(q), "A-small", kind, n, min(max(k, 0), n)))
    return pd.DataFrame(rows, columns=["entity", "period", "stratum", "sampling", "n", "k"])


@pytest.mark.parametrize(
    ("random_rate", "directed_rate", "n", "entities", "passed", "words"),
    [
        (0.9, 0.8, 100, 12, False, "依赖不可检验假设"),
        (0.9, 0.8, 100, 3, False, "依赖不可检验假设"),
        (0.9, 0.9, 2000, 12, True, "八成把握"),
        (0.9, 0.9, 10, 3, None, "未得到充分检验"),
    ],
)
def test_directed_draws_that_differ_from_random_ones_demote_post_stratification(
    lake, random_rate, directed_rate, n, entities, passed, words
):
    panel = build_panel(lake, ID, sampling="post_stratified")
    cells = make_cells(random_rate, directed_rate, n, entities)
    given = type(panel)(
        data=panel.data, entity="cluster_id", freq="Q", sampling="post_stratified", indicators=panel.indicators,
        cells=cells,
    )  # fmt: skip
    check = check_random_against_directed(given)
    assert check.passed is passed
    assert words in check.text.zh
    assert np.isin(["random", "directed"], cells["sampling"]).all()


def test_the_name_is_marked_when_random_and_directed_draws_differ(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    rows = []
    for month in (1, 4, 7, 10):
        rows += [draw("K1", i, month, passed=True, kind="random") for i in range(4)]
        rows += [draw("K1", i, month, passed=False, kind="risk") for i in range(4, 10)]
    put(workspace, "inspections", rows)
    panel = build_panel(workspace, ID, sampling="post_stratified")
    assert "依赖不可检验假设" in panel.indicators[ID].name.zh
    assert panel.indicators[ID].label.zh.endswith("（事后分层，依赖不可检验假设）"), "the mark stays in the short name"
    assert "依赖不可检验假设" not in build_panel(workspace, ID, sampling="random_draw").indicators[ID].name.zh


def test_a_naive_panel_cannot_compare_draws_within_strata(lake):
    assert check_random_against_directed(build_panel(lake, ID)).passed is None


def test_unequal_fractions_fail_an_unweighted_panel_and_pass_a_weighted_one(workspace):
    put(workspace, "firms", firms("K1"))
    put(workspace, "frame", frame("K1"))
    rows = []
    for month in (1, 4, 7, 10):
        rows += [draw("K1", 0, month, passed=True, kind="random")]
        rows += [draw("K1", 10 + i, month, passed=False, kind="random") for i in range(6)]
    put(workspace, "inspections", rows)
    naive = build_panel(workspace, ID)
    assert check_class_fractions(naive, workspace).passed is False
    weighted = build_panel(workspace, ID, sampling="random_draw")
    check = check_class_fractions(weighted, workspace)
    assert check.passed is True
    assert "A/D = 1.0 : 5.0" in check.text.en
    assert weighted.data[ID].mean() > 40 > naive.data[ID].mean()


def test_equal_fractions_are_said_to_be_equal(lake):
    check = check_class_fractions(build_panel(lake, ID), lake)
    assert check.passed is True
    assert "much the same fraction" in check.text.en


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
