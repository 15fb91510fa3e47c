"""A panel of half-years holds what two quarters hold: counts added up, weights made anew from the batches."""

from __future__ import annotations

import datetime
import functools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from qbase.core import periods
from qbase.core.errors import UsageError
from qbase.indicators import build_panel, read_completeness, read_firm_counts, read_maturity
from qbase.indicators.kept.value_bytes import from_buffer, to_bytes
from qbase.lake import Workspace
from qbase.stats.design import design_weights
from qbase.trends import estimate_change, estimate_level
from tests.unit.indicators.sampled_lake import ID, draw, firms, frame, put

CHANCE = {"A": 0.1, "D": 0.4}


def batches(cluster: str) -> list[dict[str, object]]:
    """Unlike numbers of both classes in every quarter, first and last days of half-years among them."""
    rng = np.random.default_rng(7)
    rows = []
    for month, n_a, n_d in ((1, 3, 5), (4, 4, 6), (7, 2, 7), (10, 5, 4)):
        for i in range(n_a + n_d):
            firm = i if i < n_a else 10 + i - n_a
            row = draw(cluster, firm, month, passed=bool(rng.random() < 0.6), kind="random")
            rows.append(row | {"inclusion_probability": CHANCE[str(row["risk_class"])]})
    rows[0]["sample_date"], rows[8]["sample_date"] = datetime.date(2024, 1, 1), datetime.date(2024, 6, 30)
    rows[18]["sample_date"], rows[-1]["sample_date"] = datetime.date(2024, 7, 1), datetime.date(2024, 12, 31)
    return rows


ROWS = {c: batches(c) for c in ("K1", "K2")}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.create(tmp_path_factory.mktemp("lake"))
    put(workspace, "firms", firms("K1", "K2"))
    put(workspace, "frame", frame("K1", "K2"))
    put(workspace, "inspections", [row for rows in ROWS.values() for row in rows])
    return workspace


def test_counts_are_those_of_two_quarters(lake: Workspace) -> None:
    quarters, halves = (build_panel(lake, ID, freq=freq) for freq in ("Q", "H"))
    assert repr(halves) == "<Panel D1.batch: 2 x 2 half-yearly periods 2024H1 to 2024H2, 4 rows, naive>"
    summed = quarters.counts(ID).reset_index()
    summed["period"] = periods.to_periods(summed["period"], "H")
    summed = summed.groupby(["entity", "period"]).sum()
    pd.testing.assert_frame_equal(halves.counts(ID), summed[["k", "n"]], check_index_type=False)
    cells = [p.cells.groupby(["entity", "sampling"])[["n", "k"]].sum() for p in (quarters, halves)]
    pd.testing.assert_frame_equal(*cells)
    second = build_panel(lake, ID, freq="H", first="2024年下半年", last="2024H2")
    assert second.counts(ID).equals(halves.counts(ID).loc[(slice(None), periods.parse_any("2024H2")), :])
    by_firm = read_firm_counts(lake, ID, freq="H").data.groupby(["entity", "period"])[["k", "n"]].sum()
    pd.testing.assert_frame_equal(by_firm, halves.counts(ID), check_dtype=False, check_index_type=False)


def test_random_draws_weigh_as_the_batches_of_the_half_year_do(lake: Workspace) -> None:
    panel = build_panel(lake, ID, freq="H", sampling="random_draw")
    for cluster, rows in ROWS.items():
        for half in (1, 2):
            own = [r for r in rows if (r["sample_date"].month + 5) // 6 == half]  # type: ignore[attr-defined]
            weight = np.array([1 / float(r["inclusion_probability"]) for r in own])  # type: ignore[arg-type]
            passed = np.array([r["result"] == "pass" for r in own])
            found = panel.data.loc[(cluster, periods.parse_any(f"2024H{half}"))]
            assert found[ID] == pytest.approx(100 * weight[passed].sum() / weight.sum())
            assert found[f"{ID}__n"] == len(own)


def test_post_stratified_halves_are_the_textbook_mean_of_their_strata(
    lake: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = functools.partial(design_weights.own_factor, own_draws=0.0)
    monkeypatch.setattr("qbase.indicators.cells.stratum_weights.own_factor", alone)
    monkeypatch.setattr("qbase.indicators.panel_building.keep_value", lambda *asked: asked[-1]())
    panel = build_panel(lake, ID, freq="H", sampling="post_stratified")
    for cluster, rows in ROWS.items():
        for half in (1, 2):
            own = [r for r in rows if (r["sample_date"].month + 5) // 6 == half]  # type: ignore[attr-defined]
            of = {c: [r["result"] == "pass" for r in own if r["risk_class"] == c] for c in "AD"}
            mean = np.mean([np.mean(passed) for passed in of.values()])  # ten firms in either class
            assert panel.data.loc[(cluster, periods.parse_any(f"2024H{half}")), ID] == pytest.approx(100 * mean)


def test_a_half_year_under_way_is_preliminary_and_one_that_is_over_is_not(lake: Workspace) -> None:
    table = read_maturity(lake, freq="H", as_of="2024-10-10").table
    young = {periods.code(p): bool(rows["is_preliminary"].all()) for p, rows in table.groupby(level="period")}
    assert young == {"2024H1": False, "2024H2": True}
    maturity = read_maturity(lake, freq="H", as_of="2024-10-10")
    level = estimate_level(build_panel(lake, ID, freq="H"), ID, entity="K1", maturity=maturity)
    assert level.estimates[level.spoken[0]].key["period"] == "2024H1"
    assert "2024 年上半年" in level.say().items[0].zh


def test_completeness_is_learnt_by_age_in_half_years(tmp_path: pytest.TempPathFactory) -> None:
    home = Workspace.create(tmp_path)
    rows = [draw("K1", i, 2, passed=True, kind="random") for i in range(10)]
    put(home, "inspections", rows[:6])
    put(home, "inspections", rows[6:], part="later")
    known = {"S0001": "2024-08-01", "S0002": "2026-08-01"}
    assert read_completeness(home, freq="H", known_on=known).to_dict("records") == [
        {"age": 1, "n_then": 6, "n_now": 10, "complete_share": 0.6, "n_pairs": 1}
    ]


def test_a_half_year_is_compared_with_the_one_before(lake: Workspace) -> None:
    panel = build_panel(lake, ID, freq="H")
    change = estimate_change(panel, ID, entity="K1", against="previous")
    before, after = (100 * k / n for k, n in panel.counts(ID).loc["K1"][["k", "n"]].to_numpy())
    assert change["change"].value == pytest.approx(after - before)
    assert (change["change"].key["first"], change["change"].key["period"]) == ("2024H1", "2024H2")
    for against in ("cumulative", "half_year"):
        with pytest.raises(UsageError, match="QB527"):
            estimate_change(panel, ID, entity="K1", against=against)  # type: ignore[arg-type]


def test_what_is_kept_comes_back_as_half_years(lake: Workspace) -> None:
    panel = build_panel(lake, ID, freq="H")
    again = from_buffer(pa.py_buffer(to_bytes(panel)))
    assert again.periods.equals(panel.periods)
    assert again.data.equals(panel.data)
