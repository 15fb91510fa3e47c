"""COINr 1.1.14 (W. Becker, EC JRC) on its ASEM data, from screening to aggregation, to the printed digits."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kurtosis, skew

from qbase.core import Indicator, Panel
from qbase.core.text import same
from qbase.scorecards import CompositeIndex, IndexDesign, Pillar, build_index, estimate_rank_robustness
from qbase.scorecards.composite.data_steps import find_treatment, treat

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def fixtures(shared_data: pathlib.Path) -> pathlib.Path:
    return shared_data / "fixtures"


@pytest.fixture(scope="module")
def asem(fixtures: pathlib.Path) -> Panel:
    """The denominated data: 51 countries, 49 indicators, 65 values missing."""
    meta = pd.read_csv(fixtures / "asem_imeta.csv")
    indicators = {
        row.iCode: Indicator(
            id=row.iCode, name=same(row.iName), unit="none", better="up" if row.Direction > 0 else "down"
        )
        for row in meta[meta["Type"] == "Indicator"].itertuples()
    }
    frame = pd.read_csv(fixtures / "asem_denominated.csv").assign(year=2018)
    return Panel.from_frame(frame, entity="uCode", period="year", freq="A", indicators=indicators)


@pytest.fixture(scope="module")
def design(fixtures: pathlib.Path) -> IndexDesign:
    """Three levels of pillars with the weights of the metadata, nothing treated."""
    meta = pd.read_csv(fixtures / "asem_imeta.csv")
    pillars = tuple(
        Pillar(
            id=row.iCode,
            name=same(row.iName),
            parts=dict(meta.loc[meta["Parent"] == row.iCode, ["iCode", "Weight"]].itertuples(index=False)),
        )
        for row in meta[meta["Type"] == "Aggregate"].itertuples()
    )
    return IndexDesign(
        id="asem", name=same("ASEM"), pillars=pillars, source=same("COINr"), declared_on="2022-01-01",
        least_entity=0.9, least_indicator=0, outliers="none", weighting="expert", scale=(0, 100),
    )  # fmt: skip


def assert_printed(index: CompositeIndex, path: pathlib.Path) -> None:
    """Every rank, and every score as COINr rounds it to two decimals."""
    printed = pd.read_csv(path).set_index("uCode").sort_index()
    own = index.scores.set_index("entity").sort_index().rename(columns={"rank": "Rank", "index": "Index"})
    assert list(own.index) == list(printed.index)
    assert (own["Rank"] == printed["Rank"]).all()
    assert np.array_equal(own[printed.columns].round(2), printed)
    added = index.contributions.groupby("entity")["contribution"].sum() + index.base
    assert np.allclose(added, own["Index"], atol=1e-10)


def test_screening_by_missing_values_leaves_the_same_countries(
    asem: Panel, design: IndexDesign, fixtures: pathlib.Path
) -> None:
    index = build_index(asem, design)
    screened = pd.read_csv(fixtures / "asem_screened.csv")
    assert sorted(index.kept.entities) == sorted(screened["uCode"])
    assert sorted(index.dropped_entities) == ["BGD", "BRN", "KHM", "LAO", "MMR"]
    assert index.steps[0].changed == 5


def test_min_max_and_arithmetic_means(asem: Panel, design: IndexDesign, fixtures: pathlib.Path) -> None:
    assert_printed(build_index(asem, design), fixtures / "asem_simple_minmax_amean.csv")


def test_min_max_from_1_and_geometric_means(asem: Panel, design: IndexDesign, fixtures: pathlib.Path) -> None:
    other = dataclasses.replace(design, scale=(1, 100), aggregation="geometric")
    assert_printed(build_index(asem, other), fixtures / "asem_simple_minmax1_100_gmean.csv")


def test_the_whole_example_with_group_means_and_winsorising(
    asem: Panel, design: IndexDesign, fixtures: pathlib.Path
) -> None:
    countries = pd.read_csv(fixtures / "asem_idata.csv")
    groups = dict(countries[["uCode", "EurAsia_group"]].itertuples(index=False))
    other = dataclasses.replace(
        design, least_entity=0, imputation="group_mean", groups=groups, outliers="winsorise"
    )  # fmt: skip
    index = build_index(asem, other)
    assert_printed(index, fixtures / "asem_coinr_default_results.csv")
    assert [s.changed for s in index.steps[:3]] == [0, 65, 35]
    top = json.loads((fixtures / "reference_numbers.json").read_text())["coinr_asem_default_top5"]
    assert index.scores.head(5).set_index("entity")["index"].round(2).to_dict() == top


def test_the_second_place_hangs_on_the_method(asem: Panel, design: IndexDesign) -> None:
    # the four runs agree on CHE alone: second are SWE, BEL, NLD or LUX
    robust = estimate_rank_robustness(build_index(asem, design), worlds=400)
    ranks = robust.tables["ranks"].set_index("entity")
    assert ranks.loc["CHE", "share_first"] > 60
    assert (ranks.loc[["SWE", "BEL", "NLD"], "low"] <= 3).all()
    assert (ranks.loc[["SWE", "BEL", "NLD"], "high"] >= 4).all()
    # nothing of ASEM has counts or intervals
    assert "data" not in set(robust.tables["choices"]["factor"])
    assert next(c for c in robust.checks if c.name == "doubt_carried").passed is False


@pytest.mark.parametrize("name", ["FDI", "Flights"])
def test_skewness_and_kurtosis_are_those_of_scipy(asem: Panel, name: str) -> None:
    values = asem.data[name].to_numpy()
    values = values[np.isfinite(values)]
    found = find_treatment(values)
    assert found.skew == pytest.approx(skew(values, bias=False))
    assert found.kurtosis == pytest.approx(kurtosis(values, bias=False))
    assert found.changes
    after = treat(values, found)
    assert abs(skew(after, bias=False)) <= 2 or kurtosis(after, bias=False) <= 3.5
