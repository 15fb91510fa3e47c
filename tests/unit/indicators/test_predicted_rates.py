"""Directed draws as predictions: a hand calculation, no bias whatever they were drawn for, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import UsageError
from qbase.indicators import build_panel
from qbase.indicators.cells.stratum_weights import weighted_rates
from qbase.indicators.sampling.predicted_rates import PRIOR_DRAWS, predict_strata, predicted_rates
from qbase.lake import Workspace
from tests.unit.indicators.sampled_lake import ID, fill

YEAR = pd.Period("2024", freq="Y")
BY = ["entity", "period"]


def make_strata(rows: list[tuple[str, str, int, int, int, int]]) -> pd.DataFrame:
    """One row per stratum: entity, risk class, random n and k, all n and k; every draw its own firm."""
    frame = pd.DataFrame(rows, columns=["entity", "risk_class", "n", "k", "all_n", "all_k"]).assign(
        cluster_id=lambda f: f["entity"], period=YEAR, size_class="small", weight=1.0, firm_weight=1.0
    )
    return frame.assign(n_firms=frame["n"], n_clean=frame["k"], sum_nn=frame["n"], sum_kk=frame["k"])


def make_frame(firms: dict[tuple[str, str], int]) -> pd.DataFrame:
    rows = [(e, YEAR, r, "small", n) for (e, r), n in firms.items()]
    return pd.DataFrame(rows, columns=["cluster_id", "period", "risk_class", "size_class", "firms"])


def test_predictions_are_rates_of_directed_draws_by_class_drawn_to_their_mean():
    strata = make_strata([("K1", "A", 4, 4, 24, 24), ("K1", "D", 4, 2, 44, 22)])
    found = predict_strata(strata, make_frame({("K1", "A"): 30, ("K1", "D"): 10}))
    mean = 40 / 60
    good, bad = (20 + PRIOR_DRAWS * mean) / (20 + PRIOR_DRAWS), (20 + PRIOR_DRAWS * mean) / (40 + PRIOR_DRAWS)
    assert found.of_draws == pytest.approx([good, bad])
    assert found.of_frame.iloc[0] == pytest.approx((30 * good + 10 * bad) / 40)


def test_the_rate_moves_by_the_slope_times_what_the_draws_miss_of_the_frame():
    strata = make_strata([("K1", "A", 10, 9, 110, 104), ("K1", "D", 10, 5, 110, 55)])
    frame = make_frame({("K1", "A"): 90, ("K1", "D"): 10})
    plain = weighted_rates(strata, BY)
    found = predicted_rates(plain, strata, frame)
    m = predict_strata(strata, frame)
    apart = np.diff(m.of_draws)[0]
    slope = min((0.5 - 0.9) / apart, 1.0)
    wanted = 0.7 + slope * (m.of_frame.iloc[0] - m.of_draws.mean())
    assert found["rate"].iloc[0] == pytest.approx(wanted)
    assert found["rate"].iloc[0] > plain["rate"].iloc[0]
    assert found["n_eff"].iloc[0] > plain["n_eff"].iloc[0]


def test_where_directed_draws_tell_nothing_apart_the_rate_of_random_draws_stands():
    strata = make_strata([("K1", "A", 10, 9, 60, 54), ("K1", "D", 10, 7, 60, 52)])
    plain = weighted_rates(strata, BY)
    level = strata.assign(all_n=strata["n"] + 100, all_k=strata["k"] + 90)
    found = predicted_rates(plain, level, make_frame({("K1", "A"): 5, ("K1", "D"): 50}))
    assert found["rate"].to_numpy() == pytest.approx(plain["rate"].to_numpy())
    assert (found["n_eff"] >= plain["n_eff"]).all()


@pytest.mark.parametrize("seed", range(3))
def test_directed_draws_that_see_a_hidden_risk_leave_no_bias(seed: int):
    """Within a class half of the firms fail more, and directed draws go to those: the mean error is noise."""
    rng = np.random.default_rng(seed)
    share, chance = {"A": 0.7, "D": 0.3}, {"A": (0.99, 0.9), "D": (0.85, 0.55)}
    truth = sum(share[r] * np.mean(chance[r]) for r in share)
    rows = []
    for i in range(600):
        classes = rng.choice(["A", "D"], 8, p=[0.7, 0.3])
        for r in "AD":
            n = int((classes == r).sum())
            k = int((rng.random(n) < np.take(chance[r], rng.integers(0, 2, n))).sum())
            directed = int(rng.binomial(9, chance[r][1]))
            rows.append((f"K{i:03d}", r, n, k, n + 9, k + directed))
    strata = make_strata(rows)
    frame = make_frame({(e, r): 70 if r == "A" else 30 for e, r, *_ in rows})
    found = predicted_rates(weighted_rates(strata[strata["n"] > 0], BY), strata, frame)
    error = found["rate"].mean() - truth
    assert abs(error) < 4 * found["rate"].std() / np.sqrt(len(found))
    assert found["rate"].std() < weighted_rates(strata[strata["n"] > 0], BY)["rate"].std()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return fill(Workspace.create(tmp_path_factory.mktemp("lake")), "K1", "K2", "K3")


def test_the_panel_has_it_by_cluster_and_says_what_it_is(lake: Workspace):
    panel = build_panel(lake, ID, sampling="prediction_powered")
    plain = build_panel(lake, ID, sampling="random_draw")
    assert (panel.data[f"{ID}__n"] == plain.data[f"{ID}__n"]).all(), "labels are the random draws"
    # equal fractions of both classes were drawn: the frame misses nothing, and predictions change nothing
    assert panel.data[ID].to_numpy() == pytest.approx(plain.data[ID].to_numpy())
    assert (panel.data[f"{ID}__n_eff"] >= plain.data[f"{ID}__n_eff"]).all()
    assert "corrected by what directed draws predict" in panel.indicator(ID).name.en
    assert panel.coverage_of(ID) is not None
    assert (panel.data[f"{ID}__lo"] <= panel.data[ID]).all()
    assert (panel.data[ID] <= panel.data[f"{ID}__hi"]).all()


@pytest.mark.parametrize(("outcome", "entity"), [("D1.batch", "town_code"), ("D1.firm", "cluster_id")])
def test_it_is_refused_where_the_list_of_firms_cannot_say(outcome: str, entity: str, lake: Workspace):
    with pytest.raises(UsageError) as caught:
        build_panel(lake, outcome, sampling="prediction_powered", entity=entity)
    assert caught.value.code == "QB433"
