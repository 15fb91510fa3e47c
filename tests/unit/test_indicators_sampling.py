"""From a small lake to weighted panels: what is weighed how, what the name says, what is refused."""

from __future__ import annotations

import datetime
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

ID = "D1.batch"
QUARTERS = ("2024Q1", "2024Q2", "2024Q3", "2024Q4")
TYPES = {
    "sample_date": pa.date32(), "is_recheck": pa.bool_(), "n_firms": pa.int64(), "inclusion_probability": pa.float64(),
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
            "town_code": f"T{c}", "size_class": "small",
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
        "role": "producer", "parent_no": None,
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
