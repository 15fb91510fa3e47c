"""Every indicator on the fictional province: what holds of all; their values stand in tests/reference."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from qbase.cli.main import run
from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.periods import parse_period, to_periods
from qbase.demo import build_province
from qbase.demo.sending.tidy_files import write_tidy
from qbase.indicators import build_panel, find_indicator, list_indicators, read_catalogue, read_rows
from qbase.intake import load_files
from qbase.lake import Workspace

Tables = Mapping[str, pd.DataFrame]
PANELS = (("cluster_id", "A"), ("cluster_id", "Q"), ("town_code", "A"), ("firm_id", "A"))


@pytest.fixture(scope="session")
def province() -> Tables:
    return build_province("small").tables


@pytest.fixture(scope="session")
def lake(province: Tables, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("province")
    workspace = Workspace.create(home / "home")
    read = {name: frame for name, frame in province.items() if name not in {"notices", "firm_names"}}
    reports = load_files(workspace, write_tidy(home / "deliveries", read))
    assert sum(r.quarantined for r in reports) == 0
    assert "REJECTED" not in {r.verdict for r in reports}
    return workspace


@pytest.fixture(scope="session")
def panels(lake: Workspace) -> dict[tuple[str, str], Panel]:
    found = {}
    for entity, freq in PANELS:
        ids = [i for i, m in read_catalogue().items() if entity in m.entities and freq in m.freqs and m.missing is None]
        found[entity, freq] = build_panel(lake, ids, entity=entity, freq=freq)
    return found


def test_the_lake_holds_the_numbers_of_the_province(lake: Workspace, province: Tables) -> None:
    """The values by hand are made of the lake's files: what the intake did to them is told here."""
    for name, clean in province.items():
        if name in {"notices", "firm_names"}:
            continue
        stored = lake.query(f"SELECT * FROM {name}")  # noqa: S608  (a table of ours)
        assert len(stored) == len(clean), name
        for column in clean.select_dtypes("number").columns:
            want, got = clean[column], pd.to_numeric(stored[column])
            assert got.notna().sum() == want.notna().sum(), f"{name}.{column}"
            np.testing.assert_allclose(
                np.sort(got.dropna()), np.sort(want.dropna()), rtol=1e-12, err_msg=f"{name}.{column}"
            )


def test_every_line_but_the_licensed_value_is_computed(panels) -> None:
    computed = {i for panel in panels.values() for i in panel.indicators}
    assert set(read_catalogue()) - computed == {"G2b.value"}
    rows = {row.id for row in read_rows().values() if set(row.measures) & computed}
    assert len(rows) == 86


@pytest.mark.parametrize(("entity", "freq"), PANELS)
def test_values_lie_in_the_range_of_their_kind(panels, entity: str, freq: str) -> None:
    panel = panels[entity, freq]
    for i in panel.indicators:
        m, data = find_indicator(i), panel.data
        value = data[i].dropna()
        assert len(value), i
        assert np.isfinite(value).all(), i
        columns = {c.removeprefix(i) for c in data.columns if c == i or c.startswith(f"{i}__")}
        held = data.loc[value.index]
        if m.kind in {"rate", "weighted"}:
            assert {"", "__n", "__k", "__lo", "__hi"} <= columns, i
            assert value.between(0, 100).all(), i
            assert (held[f"{i}__lo"] <= value + 1e-9).all(), i
            assert (held[f"{i}__hi"] >= value - 1e-9).all(), i
            assert (held[f"{i}__hi"] > held[f"{i}__lo"]).all(), i
        if m.kind == "rate":
            np.testing.assert_allclose(value, 100 * held[f"{i}__k"] / held[f"{i}__n"], err_msg=i)
        if m.kind == "ratio":
            assert {"", "__num", "__den"} <= columns, i
            np.testing.assert_allclose(value, m.scale * held[f"{i}__num"] / held[f"{i}__den"], err_msg=i)
            assert (value >= 0).all(), i
        if m.kind == "difference":
            assert (held[f"{i}__lo"] <= value + 1e-9).all(), i
            assert (held[f"{i}__hi"] >= value - 1e-9).all(), i
        if m.kind == "count":
            assert (value >= 0).all(), i
            assert (value % 1 == 0).all(), i
        if m.indicator.unit == "flag":
            assert value.isin([0, 1]).all(), i
        if m.indicator.unit == "rank":
            assert value.between(1, len(panel.entities)).all(), i
        if m.indicator.unit in {"score", "share"} and i != "C1.brand":
            assert value.between(0, 100).all(), i


def test_towns_and_clusters_agree_where_a_town_has_one_cluster(panels, province: Tables) -> None:
    home = province["clusters"].set_index("town_code")["cluster_id"]
    towns, clusters = panels["town_code", "A"].data, panels["cluster_id", "A"].data
    for i in (
        "D3",
        "N3",
        "W1.invest",
        "L6.added",
        "L14",
        "W4.score",
        "T2",
        "S1.group",
        "D4.hhi",
        "C3.oil",
        "L13.recall",
    ):
        t = towns[i].dropna()
        t.index = pd.MultiIndex.from_tuples([(home[e], p) for e, p in t.index])
        c = clusters[i].dropna()
        np.testing.assert_allclose(t.sort_index().to_numpy(), c.to_numpy(), err_msg=i)


def test_one_indicator_alone_is_the_same_as_among_all(lake: Workspace, panels) -> None:
    for i in ("D1.output", "D1c.repeat", "W2d.social", "D1b.sd", "P2"):
        alone = build_panel(lake, i, freq="Q").data
        among = panels["cluster_id", "Q"].data[list(alone.columns)].dropna(how="all")
        pd.testing.assert_frame_equal(alone, among, check_dtype=False)


@pytest.mark.parametrize(
    "indicator", ["D1c.repeat", "L2.persist", "D1b.inside", "W4.count", "L4.output", "G2", "W7.up"]
)
def test_a_window_shows_the_same_values(lake: Workspace, panels, indicator: str) -> None:
    freq = find_indicator(indicator).freqs[0]
    first, last = ("2020Q2", "2021Q4") if freq == "Q" else ("2020", "2021")
    part = build_panel(lake, indicator, freq=freq, first=first, last=last).data[indicator]
    whole = panels["cluster_id", freq].data[indicator].dropna()
    periods = whole.index.get_level_values("period")
    inside = whole[(periods >= parse_period(first, freq)) & (periods <= parse_period(last, freq))]
    pd.testing.assert_series_equal(part, inside)


def test_where_the_policy_is(panels, province: Tables) -> None:
    data = panels["cluster_id", "Q"].data
    spells = province["spells"]
    spells = spells[spells["policy_id"] == "base"].set_index("entity_id")["start_quarter"]
    event = data["T0"].dropna()
    assert set(event.index.get_level_values(0)) == set(spells.index), "the placebo has no window"
    zero = event[event == 0].index
    assert {(e, str(p)) for e, p in zero} == set(spells.items())
    fibre = province["clusters"].set_index("cluster_id")["industry_code"].str.startswith("28")
    chosen = data["N0"][data["N0"] == 1].index
    assert {e for e, _ in chosen} == {k for k in spells.index if fibre[k]}
    assert min(p for e, p in chosen if e == "K001") == parse_period("2022Q3", "Q")


def test_steadiness_and_lead_have_their_doubt(panels) -> None:
    data = panels["cluster_id", "Q"].data
    sd = data[[c for c in data if c.startswith("D1b.sd")]].dropna()
    assert (sd["D1b.sd__lo"] == 0).mean() > 0.5, "small counts rarely show that a rate moved"
    assert sd["D1b.sd__hi"].median() < 20
    assert sd.index.get_level_values("period").min() == parse_period("2018Q4", "Q"), "twelve quarters must be on record"
    assert data["D1b.sigma_z"].median() == pytest.approx(1, abs=0.15)
    run_of = data["L2.persist"].dropna().astype(int)
    assert (run_of.groupby("entity").diff().fillna(0) <= 1).all()


def test_half_years_add_batches_up_and_take_what_runs_on_from_the_last_quarter(panels, lake: Workspace) -> None:
    quarters = panels["cluster_id", "Q"].data
    halves = build_panel(lake, list(panels["cluster_id", "Q"].indicators), freq="H", first="2024H1").data
    quarters = quarters[quarters.index.get_level_values("period") >= parse_period("2024Q1")]
    entity, quarter = (quarters.index.get_level_values(i) for i in (0, 1))
    half = to_periods(quarter, "H")
    for i in ("D1.batch", "D1.severe", "D1.label_only"):
        counts = [f"{i}__n", f"{i}__k"]
        added = quarters[counts].groupby([entity, half]).sum()
        np.testing.assert_array_equal(added.to_numpy(), halves[counts].reindex(added.index).to_numpy(), err_msg=i)
    ends = quarters[np.asarray(quarter.quarter % 2 == 0)]
    ends.index = pd.MultiIndex.from_arrays([ends.index.get_level_values(0), half[np.asarray(quarter.quarter % 2 == 0)]])
    for i in ("D1b.sd", "D1b.sigma_z", "L2.persist", "D1c.repeat"):
        both = pd.concat([ends[i], halves[i]], axis=1, keys=["quarter", "half"]).dropna()
        assert len(both) >= 40, i
        np.testing.assert_allclose(both["quarter"], both["half"], err_msg=i)


def test_what_an_indicator_cannot_be_asked_for(lake: Workspace) -> None:
    for call, code, said in (
        ({"indicators": "D3"}, "QB420", 'freq="A"'),
        ({"indicators": "D4.hhi", "freq": "A", "entity": "firm_id"}, "QB420", "cluster_id | town_code"),
        ({"indicators": "G2b.value", "freq": "A"}, "QB422", "valuation"),
        ({"indicators": "D3", "freq": "A", "first": "2031"}, "QB421", "firm_year.equipment_wan_cny"),
        ({"indicators": "W1.projects", "first": "2031Q1"}, "QB421", "projects.kind"),
        ({"indicators": "D1b.sd", "first": "2031Q1"}, "QB421", "inspections.result"),
        ({"indicators": "D33", "freq": "A"}, "QB401", "D3"),
    ):
        with pytest.raises((UsageError, DataError)) as caught:
            build_panel(lake, **call)
        assert caught.value.code == code, call
        assert said in str(caught.value), str(caught.value)
        assert len(str(caught.value).splitlines()) == 4


def test_sources_name_what_was_read(panels, lake: Workspace) -> None:
    panel = build_panel(lake, ["D3", "W1c"], freq="A")
    assert set(panel.tables) == {"clusters", "firm_year", "firms", "supply_chain"}
    assert panel.cells is None
    assert panels["cluster_id", "Q"].cells is not None


def test_the_command_tells_what_is_ready(lake: Workspace, capsys) -> None:
    (lake.root / "reports" / "specs").mkdir(parents=True, exist_ok=True)
    assert run(["indicators", "--home", str(lake.root), "--json", "--quiet"]) == 0
    listed = json.loads(capsys.readouterr().out)["indicators"]
    assert len(listed) == len(read_catalogue())
    assert {e["id"] for e in listed if e["status"] != "ready"} == {"G2b.value"}
    assert run(["indicators", "--home", str(lake.root), "--missing", "--lang", "zh"]) == 0
    out = capsys.readouterr().out
    assert "缺数据：" in out
    assert "G2b.value" in out
    assert "D1.batch" not in out
    assert len(list_indicators(lake, clause="D1")) == len(read_rows()["D1"].measures)
    assert len(list_indicators(lake, clause="3.near.2")) == 11
