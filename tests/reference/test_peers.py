"""Funnels and ranks as other software prints them.

FunnelPlotR 0.3.9999 (R): proportions on the arcsine scale, scores winsorised at 10 %, phi and tau² of Spiegelhalter
(2005). csranks (R): 95 % marginal rank intervals of PISA 2018 mathematics, 1,000 draws, of Mogstad, Romano, Shaikh and
Wilhelm (2024). Both were run beside this project and lie in ../shared/data/fixtures.
"""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pandas as pd
import pytest

from qbase.stats import funnel_limits, gaussian_rank_intervals

PRINTED = 5e-8
"""R printed eight significant digits."""

NOISE = 1
"""Where an end turns on a difference close to the simulated limit, another seed moves it by one rank."""


@pytest.fixture(scope="module")
def fixtures(shared_data: pathlib.Path) -> pathlib.Path:
    return shared_data / "fixtures"


@pytest.mark.shared
def test_phi_and_tau2_are_those_of_funnelplotr(fixtures):
    printed = json.loads((fixtures / "reference_numbers.json").read_text(encoding="utf-8"))["funnelplotr_PR"]
    funnel = funnel_limits(printed["num"], printed["den"], winsorise=printed["trim_by"], is_corrected=False)
    assert funnel.phi == pytest.approx(printed["phi"], abs=PRINTED)
    assert funnel.tau2 == pytest.approx(printed["tau2"], abs=PRINTED)


@pytest.mark.shared
def test_ranks_of_countries_are_those_of_csranks(fixtures):
    scores = pd.read_csv(fixtures / "pisa.csv")
    printed = pd.read_csv(fixtures / "pisa_csranks_marginal_math.csv").set_index("j").loc[scores["jurisdiction"]]
    ranks = gaussian_rank_intervals(scores["math_score"], scores["math_se"], family="marginal", draws=1000, seed=1)
    assert ranks.rank.tolist() == printed["rank"].tolist()
    low, high = ranks.low - printed["L"].to_numpy(), ranks.high - printed["U"].to_numpy()
    assert np.mean((low == 0) & (high == 0)) >= 0.85
    assert np.abs(low).max() <= NOISE
    assert np.mean(np.abs(high) <= NOISE) >= 0.9
    # what the intervals are there to say: four may be first, and they are these
    first = scores["jurisdiction"][ranks.low == 1]
    assert {"Japan", "Korea", "Estonia", "Netherlands"} <= set(first)


@pytest.mark.shared
def test_ranks_of_all_countries_at_once_are_wider_than_each_alone(fixtures):
    scores = pd.read_csv(fixtures / "pisa.csv")
    alone, at_once = (
        gaussian_rank_intervals(scores["math_score"], scores["math_se"], family=family, draws=2000)
        for family in ("marginal", "simultaneous")
    )
    assert (at_once.low <= alone.low).all()
    assert (at_once.high >= alone.high).all()
    assert (at_once.high - at_once.low).sum() > (alone.high - alone.low).sum()
