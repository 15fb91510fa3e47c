"""A visit list: what it knows and never knows, how it is tested, and what its words allow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core import DataError, UsageError
from qbase.demo import Province, build_province
from qbase.release import protect
from qbase.trends import WatchTables, estimate_watchlist
from qbase.trends.watching.firm_features import NEVER, build_features, build_history, list_products
from qbase.trends.watching.list_validation import calibrate, choose_top, compare_hits, weigh_draws

COLUMNS = [
    "sample_no", "firm_id", "sample_date", "sample_type", "product_name", "lab_name", "level", "risk_class",
    "size_class", "inclusion_probability", "is_pass",
]  # fmt: skip
FIRMS = ["firm_id", "firm_name", "cluster_id", "town_code", "size_class", "entry_quarter", "exit_quarter"]


def watch_tables_of(province: Province) -> WatchTables:
    """Return the tables of a province without loading it: every code is sound in the clean ones."""
    raw, firms = province.tables["inspections"], province.tables["firms"]
    first = raw[~raw["is_recheck"] & (raw["role"] == "producer") & ~raw["sample_type"].isin(["complaint", "followup"])]
    draws = first.merge(firms[["firm_id", "uscc"]], on="uscc")
    draws = draws.assign(
        sample_date=pd.to_datetime(draws["sample_date"]),
        inclusion_probability=np.nan,
        is_pass=(draws["result"] == "pass") | (draws["appeal_result"] == "overturned"),
    )
    frame = province.tables["frame"].groupby(["cluster_id", "quarter", "risk_class"], as_index=False)["n_firms"].sum()
    items = province.tables["items"][["sample_no", "item_name", "is_ok"]]
    return WatchTables(draws=draws[COLUMNS], firms=firms[FIRMS], frame=frame, items=items, numbers=raw["sample_no"])


@pytest.fixture(scope="module")
def province() -> Province:
    return build_province("small")


@pytest.fixture(scope="module")
def tables(province: Province) -> WatchTables:
    return watch_tables_of(province)


def test_truth_the_list_finds_more_failures_than_the_risk_classes_and_its_risks_are_right() -> None:
    """The list for 2024Q1, made from what was known then, against the chances that quarter really had."""
    gains, gaps = [], []
    for seed in (1, 2):
        province = build_province("province", seed=seed)
        result = estimate_watchlist(watch_tables_of(province), as_of="2024-01-01")
        world, t = province.world, 32
        failing = pd.Series(1 - world.p1[:, t], index=[f"F{k + 1:05d}" for k in range(len(world.firms))])
        listed = result.tables["watchlist"]
        alive = failing.dropna().index
        risk = pd.Series(world.risk[:, t], index=failing.index)[alive]
        part = choose_top(risk.to_numpy(float), np.ones(len(alive)), np.zeros(len(alive), dtype=np.int64), 0.2)
        planned = float((failing[alive].to_numpy() * part).sum() / part.sum())
        seen = failing.reindex(listed["firm_id"])
        gains.append(float(seen.mean()) - planned)
        gaps.append(float(listed["risk_pct"].mean()) / 100 - float(seen.mean()))
        assert result["gain"].ci_low is not None
        assert result["gain"].ci_low / 100 <= gains[-1] <= result["gain"].ci_high / 100
    assert min(gains) > 0.01
    assert np.mean(gains) > 0.02
    assert max(map(abs, gaps)) < 0.06


def test_the_owner_and_the_town_change_nothing(tables: WatchTables) -> None:
    rng = np.random.default_rng(1)
    one = tables.draws.assign(product_name="涤纶长丝")  # made everywhere, so that no product is left out for its towns
    plain = dataclasses.replace(tables, draws=one)
    firms = tables.firms.assign(town_code=rng.permutation(tables.firms["town_code"].to_numpy()), ownership="state")
    moved = dataclasses.replace(plain, firms=firms)
    # where a firm lies is told of it, and nothing else moves
    one, other = (estimate_watchlist(t).tables["watchlist"].drop(columns="town_code") for t in (plain, moved))
    pd.testing.assert_frame_equal(one, other)
    assert {"ownership", "town_code", "cluster_id"} <= NEVER


def test_a_town_that_always_fails_is_seen_through_the_records_of_its_firms_only(tables: WatchTables) -> None:
    """Planted: every batch of a town fails. A firm without a record gets the same risk there as elsewhere."""
    town = tables.firms["town_code"].iloc[0]
    there = set(tables.firms.loc[tables.firms["town_code"] == town, "firm_id"])
    is_there = tables.draws["firm_id"].isin(there)
    planted = dataclasses.replace(
        tables,
        draws=tables.draws.assign(
            is_pass=tables.draws["is_pass"] & ~is_there,
            product_name=np.where(is_there, "本镇独有产品", tables.draws["product_name"]),
        ),
    )
    history = build_history(planted)
    products = list_products(history, 10**6)
    assert "本镇独有产品" not in products
    assert len(products) > 0
    codes = {t: int(np.flatnonzero((history.town_code == t) & (history.size_class == "small"))[0])
             for t in (town, tables.firms["town_code"].iloc[-1])}  # fmt: skip
    firm = np.array(list(codes.values()))
    before = np.full(2, history.begun)  # nobody has a record yet
    x = build_features(history, firm, before, products=products, prior=(1.0, 9.0)).x
    np.testing.assert_array_equal(x[0], x[1])
    result = estimate_watchlist(planted)
    (check,) = [c for c in result.checks if c.name == "calibration"]
    assert check.passed is False
    assert town in check.text.zh


def test_nothing_after_the_day_is_known_and_the_order_of_rows_changes_nothing(tables: WatchTables) -> None:
    result = estimate_watchlist(tables, as_of="2024-01-01")
    later = tables.draws["sample_date"] >= "2024-01-01"
    rng = np.random.default_rng(2)
    changed = dataclasses.replace(
        tables,
        draws=tables.draws.assign(is_pass=tables.draws["is_pass"] ^ later).sample(frac=1, random_state=3),
        firms=tables.firms.iloc[rng.permutation(len(tables.firms))],
        items=tables.items.sample(frac=1, random_state=4),
        frame=tables.frame.sample(frac=1, random_state=5),
    )
    again = estimate_watchlist(changed, as_of="2024-01-01")
    for name in ("watchlist", "validation", "calibration", "coefficients"):
        pd.testing.assert_frame_equal(result.tables[name], again.tables[name])


def test_only_random_draws_are_labels(tables: WatchTables) -> None:
    result = estimate_watchlist(tables)
    draws = tables.draws[tables.draws["sample_type"] == "random"]
    assert result["gain"].n_obs == int((draws["sample_date"] >= "2024-01-01").sum())
    directed = tables.draws.assign(sample_type="risk")
    alone = estimate_watchlist(dataclasses.replace(tables, draws=directed))
    assert not alone.estimates
    assert alone.tables["watchlist"].empty
    assert "0 with 0 before" in alone.say().items[0].en


def test_every_row_has_its_reason_and_its_dates_and_nothing_leaves_the_house(tables: WatchTables) -> None:
    result = estimate_watchlist(tables)
    listed = result.tables["watchlist"]
    assert (listed["reason_zh"].str.len() > 3).all()
    assert set(listed["made_on"]) == {"2026-01-01"}
    assert set(listed["review_on"]) == {"2026-04-01"}
    assert set(listed["expires_on"]) == {"2026-07-01"}
    assert ((listed["ci_low"] < listed["risk_pct"]) & (listed["risk_pct"] < listed["ci_high"])).all()
    gone = tables.firms.loc[tables.firms["exit_quarter"] != "", "firm_id"]
    assert not set(listed["firm_id"]) & set(gone)
    (said,) = result.say().items
    assert "不作为处罚、评级或公开的依据" in said.zh
    assert "no ground for penalties, grades or publication" in said.en
    assert "2026-07-01 起失效" in said.zh
    assert protect(result, profile="internal") is result
    for profile in ("external", "statutory_public"):
        with pytest.raises(DataError, match="QB750"):
            protect(result, profile=profile)


def test_without_risk_classes_the_list_is_held_against_chance_and_says_so(tables: WatchTables) -> None:
    result = estimate_watchlist(dataclasses.replace(tables, draws=tables.draws.assign(risk_class=None)))
    (check,) = [c for c in result.checks if c.name == "plan"]
    assert check.passed is False
    rates = result.tables["validation"].set_index("chosen_by")["hit_pct"]
    # a fifth of every quarter, so quarters with more draws weigh more in neither
    assert rates["risk_class"] == pytest.approx(rates["chance"])
    (known,) = [c for c in estimate_watchlist(tables).checks if c.name == "plan"]
    assert known.passed is True


def test_weights_undo_the_drawing(tables: WatchTables) -> None:
    drawn = tables.draws[tables.draws["sample_type"] == "random"].reset_index(drop=True)
    weights, is_weighted = weigh_draws(tables, drawn)
    assert is_weighted
    assert weights.mean() == pytest.approx(1)
    recorded, known = weigh_draws(tables, drawn.assign(inclusion_probability=np.where(drawn.index % 2, 0.5, 0.25)))
    assert known
    assert recorded[:2] == pytest.approx([4 / 3, 2 / 3], rel=1e-3)
    bare, known = weigh_draws(dataclasses.replace(tables, frame=tables.frame.iloc[:0]), drawn)
    assert not known
    assert (bare == 1).all()


def test_a_share_of_each_quarter_is_chosen_and_ties_share_alike() -> None:
    score, weight = np.array([3.0, 2, 2, 1, 5, 4]), np.array([1.0, 1, 1, 1, 2, 2])
    part = choose_top(score, weight, np.array([0, 0, 0, 0, 1, 1]), 0.5)
    np.testing.assert_allclose(part, [1, 0.5, 0.5, 0, 1, 0])


def test_the_gain_and_its_error_are_those_of_a_bootstrap_of_firms() -> None:
    rng = np.random.default_rng(8)
    firm = rng.integers(0, 150, 600)
    weight, listed, planned = rng.uniform(0.5, 2, 600), rng.random(600), rng.random(600)
    failed = (rng.random(600) < 0.1 + 0.3 * listed).astype(float)
    hits = compare_hits(failed, weight, firm, listed, planned)
    drawn = []
    for _ in range(800):
        times = np.bincount(rng.integers(0, 150, 150), minlength=150)[firm]
        drawn.append(compare_hits(failed, weight * times + 1e-12, firm, listed, planned).gain)
    assert hits.gain == pytest.approx(np.mean(drawn), abs=0.01)
    assert hits.std_errors[3] == pytest.approx(np.std(drawn), rel=0.12)


def test_calibration_says_nothing_of_a_sound_list_more_often_than_it_may() -> None:
    rng = np.random.default_rng(3)
    off = 0
    for _ in range(200):
        risk = rng.beta(1, 7, 800)
        firm, town = rng.integers(0, 400, 800), rng.integers(0, 12, 800).astype(str).astype(object)
        table = calibrate((rng.random(800) < risk).astype(float), risk, np.ones(800), firm, {"town": town}, level=0.95)
        off += bool((table["q_value"] <= 0.05).any())
    assert off / 200 <= 0.10


def test_words_that_are_none_are_refused(tables: WatchTables) -> None:
    for share in (0, 1, 20, "a"):
        with pytest.raises(UsageError, match="QB599"):
            estimate_watchlist(tables, share=share)
    with pytest.raises(UsageError, match="QB148"):
        estimate_watchlist(tables, as_of="2024")
    young = estimate_watchlist(tables, as_of="2016-07-01")
    assert not young.estimates
    assert young.say().items[0].zh.startswith("双随机批次太少")
