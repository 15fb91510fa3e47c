"""Gates of towns on the province, whose true levels are known; a town is the sum of its clusters."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.demo import build_province
from qbase.lake import Workspace
from qbase.scorecards import judge_rates, read_gates, read_preset
from qbase.scorecards.gates.gate_data import GateData

ALL_QUARTERS, YEAR = 40, 4
MOST_ERRORS = 0.10
"""Each error may happen in 5 % of towns and years; 99.9 % of draws of 100 such show no more than one in ten."""


@pytest.fixture(scope="module")
def towns(demo_lake: Workspace) -> GateData:
    preset = read_preset("outline_2025")
    longer = [dataclasses.replace(t, window=ALL_QUARTERS) if t.kind == "rate" else t for t in preset.targets]
    return read_gates(demo_lake, dataclasses.replace(preset, targets=tuple(longer)), entity="town_code")


def true_levels(demo_lake: Workspace) -> pd.Series:
    """Return the true share of passes by town and quarter, every living firm counting alike."""
    level = build_province("small").truth.level
    place = demo_lake.query("SELECT cluster_id, town_code FROM clusters").astype(str).set_index("cluster_id")
    level = level.assign(entity=level["cluster_id"].map(place["town_code"]), period=level["quarter"])
    level["passes"] = level["n_firms"] * level["level_pct"] / 100
    summed = level.groupby(["entity", "period"])[["passes", "n_firms"]].sum()
    return summed["passes"] / summed["n_firms"]


def test_towns_are_judged_falsely_no_more_often_than_declared(demo_lake: Workspace, towns: GateData) -> None:
    quarters, truth = towns.rates["D1.batch", "random_draw"], true_levels(demo_lake)
    grid = truth.unstack("period")[[str(q) for q in quarters.quarters]].reindex(list(quarters.entities)).to_numpy()
    errors = []
    for end in range(YEAR, ALL_QUARTERS + 1, YEAR):
        cut = {c: getattr(quarters, c)[:, :end] for c in ("rate", "n", "n_eff", "total", "is_young")}
        whole = dataclasses.replace(quarters, quarters=quarters.quarters[:end], pairs=quarters.pairs * 0, **cut)
        pooled, n = whole.last(YEAR), quarters.n[:, end - YEAR : end]
        # the level of the quarters in which it was tested, as they are weighted
        for place in np.flatnonzero(pooled.n >= 20):
            level = float((grid[place, end - YEAR : end] * n[place]).sum() / n[place].sum())
            found = judge_rates(pooled.rate[[place]], pooled.n_eff[[place]], level)
            errors.append((bool(found.is_met[0]), bool(found.is_missed[0]), 100 * (pooled.rate[place] - level)))
    met, missed, gaps = map(np.asarray, zip(*errors, strict=True))
    assert len(gaps) >= 80
    assert met.mean() <= MOST_ERRORS
    assert missed.mean() <= MOST_ERRORS
    assert abs(gaps.mean()) < 3.5 * gaps.std() / np.sqrt(len(gaps))


def test_lists_of_a_town_count_the_firms_of_the_register_in_it(demo_lake: Workspace, towns: GateData) -> None:
    """The same counts straight from the tables: living firms of the town, those checked, those that lack the system."""
    parts = ["has_incoming_inspection", "has_process_inspection", "has_final_inspection", "has_traceability"]
    kept = " AND ".join(f"c.{part}" for part in [*parts, "has_corrective_action"])
    sql = f"""
    SELECT f.town_code AS entity, count(*) AS listed, count(c.firm_id) AS verified,
           count(*) FILTER (NOT ({kept})) AS failed
    FROM firms AS f LEFT JOIN firm_checks AS c ON c.firm_id = f.firm_id AND c.year = 2025
    WHERE coalesce(f.entry_quarter, '') <= '2025Q4' AND (f.exit_quarter IS NULL OR f.exit_quarter > '2025Q4')
    GROUP BY 1 ORDER BY 1
    """  # noqa: S608
    expected = demo_lake.query(sql).set_index("entity").astype(int)
    found = towns.lists["N3", "firms"].astype(int)
    pd.testing.assert_frame_equal(found, expected, check_names=False)
