"""The generator keeps its own books, whatever the seed and the switches."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from qbase.demo import Scenario, build_province
from qbase.demo.world.draws import MILLION, draw, family_draw, inclusion
from qbase.demo.world.firm_population import NEVER
from qbase.demo.world.quarters import build_world
from qbase.demo.world.scenario import DIMENSIONS, N_QUARTERS, Streams

SEEDS = st.integers(0, 2**32 - 1)
SWITCHES = st.builds(
    Scenario,
    effect=st.sampled_from(["none", "homogeneous", "dynamic"]),
    n_treated=st.sampled_from([None, 1, 2, 4, 8]),
    has_churn=st.booleans(),
    has_hidden_risk=st.booleans(),
    has_class_fractions=st.booleans(),
    has_endogenous_risk=st.booleans(),
    has_followup_samples=st.booleans(),
    has_level_split=st.booleans(),
    has_item_growth=st.booleans(),
    has_late_failures=st.booleans(),
    has_gaming=st.booleans(),
    is_all_treated=st.booleans(),
)
FEW = settings(max_examples=6, deadline=None, derandomize=True)
SOME = settings(max_examples=40, deadline=None, derandomize=True)


@FEW
@given(seed=SEEDS, scenario=SWITCHES)
def test_the_tables_of_any_province_keep_its_books(seed, scenario):
    tables = build_province("small", seed, scenario=scenario).tables
    check_rechecks_are_a_subset_of_failures_and_follow_them(tables["inspections"])
    check_frame_counts_are_the_firms_alive(tables["frame"], tables["firms"])
    check_each_cluster_adopts_at_most_once(tables["spells"], scenario)
    check_notices_add_up(tables)
    check_a_batch_fails_exactly_when_an_item_does(tables["inspections"], tables["items"])
    check_no_product_is_drawn_at_two_levels(tables["inspections"], scenario)


def check_rechecks_are_a_subset_of_failures_and_follow_them(rows):
    again = rows[rows["is_recheck"]]
    parents = rows.set_index("sample_no").loc[again["parent_no"]]
    assert (parents["result"] == "fail").all()
    assert not parents["is_recheck"].any()
    assert again["parent_no"].is_unique
    assert (again["sample_date"].to_numpy() > parents["sample_date"].to_numpy()).all()
    assert (rows.loc[~rows["is_recheck"], "parent_no"] == "").all()
    assert rows["sample_no"].is_unique


def check_frame_counts_are_the_firms_alive(strata, firms):
    frame = strata.groupby(["cluster_id", "quarter"])["n_firms"].sum()
    for quarter in ("2016Q1", "2019Q3", "2025Q4"):
        left = firms["exit_quarter"]
        alive = firms[(firms["entry_quarter"] <= quarter) & ((left == "") | (left > quarter))]
        expected = alive.groupby("cluster_id").size()
        pd.testing.assert_series_equal(frame.xs(quarter, level="quarter"), expected, check_names=False)


def check_each_cluster_adopts_at_most_once(spells, scenario):
    assert not spells.duplicated(["policy_id", "entity_id"]).any()
    if scenario.n_treated is not None and not scenario.is_all_treated:
        assert (spells["policy_id"] == "base").sum() == min(scenario.n_treated, 5)


def check_notices_add_up(tables):
    first = tables["inspections"].query("not is_recheck")
    counted = first.groupby("notice_no")["result"].agg(n="size", k=lambda r: (r == "fail").sum())
    headline = tables["notices"].set_index("notice_no")
    assert (headline["batch_count"] == counted["n"]).all()
    assert (headline["failed_count"] == counted["k"]).all()


def check_a_batch_fails_exactly_when_an_item_does(rows, items):
    worst = items.groupby("sample_no")["is_ok"].all()
    assert (worst.loc[rows["sample_no"]].to_numpy() == (rows["result"] == "pass").to_numpy()).all()


def check_no_product_is_drawn_at_two_levels(rows, scenario):
    first = rows[~rows["is_recheck"]]
    if not scenario.has_level_split:
        levels = first.groupby(["product_name", first["sample_date"].str[:4]])["level"].nunique()
        assert (levels == 1).all()
    else:
        assert set(first.loc[first["level"] == "province", "product_name"]).isdisjoint(
            first.loc[first["level"] != "province", "product_name"]
        )


@FEW
@given(seed=SEEDS, scenario=SWITCHES)
def test_only_firms_alive_with_a_chance_are_drawn_once_per_kind(seed, scenario):
    world = build_world(DIMENSIONS["small"], scenario, Streams(seed=seed))
    assert world.is_alive[world.firm, world.quarter].all()
    assert (world.pi[world.firm, world.quarter, world.kind] > 0).all()
    drawn = pd.DataFrame({"f": world.firm, "t": world.quarter, "k": world.kind})
    assert not drawn.duplicated().any()
    assert ((world.p1 >= 0) & (world.p1 <= 1))[world.is_alive].all()
    heirs = np.flatnonzero((world.firms.predecessor >= 0) & world.is_alive.any(1))
    assert (world.exit[world.firms.predecessor[heirs]] == world.firms.entry[heirs]).all()
    assert ((world.plan.cohort < N_QUARTERS) | (world.plan.cohort == NEVER)).all()


@SOME
@given(data=st.data())
def test_inclusion_probabilities_add_up_to_the_sample_size(data):
    n = data.draw(st.integers(1, 60))
    weights = np.array(data.draw(st.lists(st.floats(0.01, 50), min_size=n, max_size=n)))
    size = data.draw(st.integers(0, n))
    pi = inclusion(weights, np.zeros(n, dtype=int), np.array([size]))
    assert abs(pi.sum() - size * MILLION) <= n
    key = np.array(data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n)))
    chosen = draw(pi, np.zeros(n, dtype=int), key, np.array([data.draw(st.integers(0, MILLION - 1))]))
    assert size - 1 <= len(chosen) <= size + 1
    assert len(set(chosen.tolist())) == len(chosen)


def test_draws_hit_each_firm_as_often_as_its_probability_says():
    rng = np.random.default_rng(20220810)
    weights, cluster = rng.uniform(0.2, 3, 30), np.repeat([0, 1], 15)
    pi = inclusion(weights, cluster, np.array([4, 7]))
    hits, rounds = np.zeros(30), 6000
    for _ in range(rounds):
        hits[draw(pi, cluster, rng.random(30), rng.integers(0, MILLION, 2))] += 1
    p = pi / MILLION
    z = (hits / rounds - p) / np.sqrt(np.maximum(p * (1 - p), 1e-9) / rounds)
    assert np.abs(z).max() < 4.2


def test_outcomes_keep_their_probability_and_are_correlated_by_rho():
    rng = np.random.default_rng(7)
    p, family, rho = np.full(200_000, 0.9), np.repeat(np.arange(100_000), 2), 0.1
    passed = family_draw(p, rng.random(100_000)[family], rho, rng).astype(float)
    assert abs(passed.mean() - 0.9) < 0.003
    assert abs(np.corrcoef(passed[::2], passed[1::2])[0, 1] - rho) < 0.02


def test_a_new_stream_shifts_none_of_the_old():
    streams = Streams(seed=3)
    before = streams.rng("items").random(3)
    streams.rng("a table of tomorrow").random(1000)
    assert (streams.rng("items").random(3) == before).all()
    assert (streams.rng("other").random(3) != before).any()
