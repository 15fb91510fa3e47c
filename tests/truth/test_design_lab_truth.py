"""On the demo's province: imputation is unbiased under placebo policies, keeps its size, and covers a known effect."""

from __future__ import annotations

import functools

import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, Result, Spell, Text
from qbase.demo import build_province
from qbase.effects import estimate_design_quality

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
DRAWS = 600


@functools.cache
def played() -> Result:
    """Placebo policies on first inspections of the demo's clusters, all of them before the first adoption."""
    tables = build_province("small").tables
    owners = tables["firms"].set_index("uscc")["cluster_id"]
    rows = tables["inspections"]
    rows = rows[~rows["is_recheck"].astype(bool)].assign(cluster_id=rows["uscc"].map(owners))
    rows = rows[rows["cluster_id"].notna() & (rows["cluster_id"] != "")]
    rows = rows.assign(
        quarter=pd.to_datetime(rows["sample_date"]).dt.to_period("Q"), passed=(rows["result"] == "pass").astype(int)
    )
    cells = rows.groupby(["cluster_id", "quarter"])["passed"].agg(["size", "sum"]).reset_index()
    cells = cells.rename(columns={"size": "D1.batch__n", "sum": "D1.batch__k"})
    cells["D1.batch"] = 100 * cells["D1.batch__k"] / cells["D1.batch__n"]
    panel = Panel.from_frame(cells, entity="cluster_id", period="quarter", freq="Q", indicators={"D1.batch": RATE})
    spells = tables["spells"][tables["spells"]["policy_id"] == "base"]
    pairs = zip(spells["entity_id"], spells["start_quarter"], strict=True)
    treated = tuple(Spell(entity=entity, start=pd.Period(start)) for entity, start in pairs)
    policy = Policy(policy_id="base", title=Text("基地", "bases"), spells=treated)
    return estimate_design_quality(panel, policy, "D1.batch", draws=DRAWS)


@pytest.fixture
def table() -> pd.DataFrame:
    return played().tables["designs"].set_index("design")


@pytest.mark.parametrize("design", ["imputation", "staggered"])
def test_placebos_show_no_bias_and_the_size_that_was_promised(table: pd.DataFrame, design: str) -> None:
    row = table.loc[design]
    # four Monte Carlo errors: one in ten thousand
    assert abs(row["bias"]) < max(0.1, 4 * row["bias_error"])
    assert row["size_low_pct"] < 5 < row["size_high_pct"] + 2
    assert row["coverage_high_pct"] > 93


def test_known_biases_appear_where_they_should(table: pd.DataFrame) -> None:
    # the province's pass rates rise from 2016 to 2019: before against after takes the rise for an effect
    assert table.loc["before_after", "bias"] > 1
    # two-way fixed effects compare with entities already treated: growing effects come out too small
    assert table.loc["twfe", "growing_bias"] < -4 * table.loc["twfe", "growing_bias_error"]
    assert abs(table.loc["imputation", "growing_bias"]) < 0.5


def test_imputation_leads_and_finds_more_than_group_time_effects(table: pd.DataFrame) -> None:
    assert played().settings["lead"] == "imputation"
    assert table.loc["imputation", "rmse"] < table.loc["staggered", "rmse"]
    assert table.loc["imputation", "found_low_pct"] > table.loc["staggered", "found_high_pct"]
