"""What gates are read from: a small lake by hand, with and without its tables."""

from __future__ import annotations

import pathlib

import pytest

from qbase.core.errors import DataError, UsageError
from qbase.indicators import build_panel
from qbase.lake import Workspace
from qbase.scorecards import judge_bases, read_gates, read_preset, score_gates
from tests.unit.indicators.sampled_lake import QUARTERS, directed_sample, firms, frame, put

NAMES = {"K1": "甲镇涤纶产业集群", "K2": "乙镇涤纶产业集群"}


def clusters() -> list[dict[str, object]]:
    return [
        {"cluster_id": k, "town_code": "990021101", "industry_code": "2822", "cluster_name": n}
        for k, n in NAMES.items()
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    found = Workspace.create(pathlib.Path(tmp_path_factory.mktemp("home")))
    put(found, "clusters", clusters())
    put(found, "firms", firms("K1", "K2"))
    put(found, "frame", frame("K1", "K2"))
    put(found, "inspections", [*directed_sample("K1"), *directed_sample("K2")])
    return found


def test_what_is_missing_makes_gates_open_and_is_no_error(home: Workspace) -> None:
    data = read_gates(home, "base_2026")
    assert set(data.names) == {"K1", "K2"}
    assert {"N3", "N4", "L7", "D2.firms", "L3.province"} <= set(data.lacking)
    card = score_gates(data, "base_2026", clusters=["K1"])[0]
    why = {m.gate: m.why.en for m in card.missing}
    assert "firm_checks" in why["N3"]
    assert {c.gate for c in card.criteria} == {"D1", "N5", "L2"}
    bases = judge_bases(data, "base_2026").tables["bases"]
    assert set(bases["verdict"]) <= {"cannot_tell", "not_met"}


def test_the_window_is_what_the_annual_panel_has(home: Workspace) -> None:
    """Four quarters pooled, and one weighted year: two routes to one rate."""
    data = read_gates(home, "outline_2025")
    quarters = data.rates["D1.batch", "random_draw"]
    pooled = quarters.last(4)
    annual = build_panel(home, "D1.batch", freq="A", sampling="random_draw").data.xs(data.year, level="period")
    assert pooled.rate * 100 == pytest.approx(annual["D1.batch"].to_numpy(), abs=0.5)
    assert list(pooled.n) == list(annual["D1.batch__n"])
    assert pooled.n_eff == pytest.approx(annual["D1.batch__n_eff"].to_numpy(), rel=0.15)


def test_a_quarter_can_be_named(home: Workspace) -> None:
    data = read_gates(home, "outline_2025", as_of=QUARTERS[1])
    assert data.as_of == QUARTERS[1]
    assert str(data.rates["D1.batch", "random_draw"].quarters[-1]) == QUARTERS[1]
    with pytest.raises(UsageError) as caught:
        read_gates(home, "outline_2025", as_of="last")
    assert caught.value.code == "QB101"


def test_without_a_list_of_clusters_nothing_is_judged(workspace: Workspace) -> None:
    with pytest.raises(DataError) as caught:
        read_gates(workspace, "outline_2025")
    assert caught.value.code == "QB610"
    put(workspace, "clusters", clusters())
    with pytest.raises(UsageError) as missing:
        read_gates(workspace, "outline_2025")
    assert missing.value.code == "QB611"
    data = read_gates(workspace, "outline_2025", as_of="2025Q4")
    assert not data.rates
    cards = score_gates(data, "outline_2025")
    assert not any(card.criteria for card in cards)
    assert set(judge_bases(data, read_preset("outline_2025"), cards).tables["bases"]["verdict"]) == {"cannot_tell"}
