"""Patterns to verify: quiet in honest records, loud where one is planted, and never an accusation."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency
from statsmodels.stats.contingency_tables import StratifiedTable

from qbase.core import CheckResult, DataError, UsageError
from qbase.demo import Province, Scenario, build_province
from qbase.demo.world.scenario import ACCEPTANCE_DELAY, N_QUARTERS
from qbase.release import protect
from qbase.stats import stratified_excess
from qbase.trends import WatchTables, check_integrity
from qbase.trends.watching.integrity_counts import check_bunching, check_laboratory_mix, check_missing_numbers
from qbase.trends.watching.integrity_signals import (
    check_dropped_items,
    check_level_gap,
    check_repeated_clean,
    check_switched_laboratory,
    towns_of,
)

TARGET = 90.0
TOWN = "990021101"
ACCUSING = (
    "造假",
    "作弊",
    "弄虚",
    "舞弊",
    "违规",
    "违法",
    "fraud",
    "cheat",
    "manipul",
    "gaming",
    "falsif",
    "fake",
    "guilty",
)
COLUMNS = [
    "sample_no", "firm_id", "sample_date", "sample_type", "product_name", "lab_name", "level", "risk_class",
    "size_class", "inclusion_probability", "is_pass",
]  # fmt: skip


def watch_tables_of(province: Province) -> WatchTables:
    """Return the tables of a province without loading it."""
    raw, firms = province.tables["inspections"], province.tables["firms"]
    first = raw[~raw["is_recheck"] & (raw["role"] == "producer") & ~raw["sample_type"].isin(["complaint", "followup"])]
    draws = first.merge(firms[["firm_id", "uscc"]], on="uscc")
    draws = draws.assign(
        sample_date=pd.to_datetime(draws["sample_date"]),
        inclusion_probability=np.nan,
        is_pass=(draws["result"] == "pass") | (draws["appeal_result"] == "overturned"),
    )
    return WatchTables(
        draws=draws[COLUMNS],
        firms=firms,
        frame=province.tables["frame"],
        items=province.tables["items"],
        numbers=raw["sample_no"],
    )


@pytest.fixture(scope="module")
def small() -> WatchTables:
    return watch_tables_of(build_province("small", seed=5))


@pytest.fixture(scope="module")
def honest() -> WatchTables:
    return watch_tables_of(build_province("province", seed=5))


def plant_levels(tables: WatchTables, rng: np.random.Generator) -> WatchTables:
    """Two in three failures of one county's own draws are recorded as passes."""
    own = towns_of(tables).str[:6].eq("990022") & ~tables.draws["level"].isin(["national", "province"])
    turned = own & (rng.random(len(own)) < 2 / 3)
    return dataclasses.replace(tables, draws=tables.draws.assign(is_pass=tables.draws["is_pass"] | turned))


def clusters_of(tables: WatchTables) -> pd.Series:
    return tables.draws["firm_id"].map(tables.firms.set_index("firm_id")["cluster_id"])


def busiest(tables: WatchTables) -> str:
    return str(clusters_of(tables)[tables.draws["sample_type"] == "random"].value_counts().index[0])


def plant_clean(tables: WatchTables, rng: np.random.Generator) -> WatchTables:
    """In the cluster drawn most a third of the random draws goes to the firms that never failed."""
    there = clusters_of(tables).eq(busiest(tables))
    record = tables.draws[there].groupby("firm_id")["is_pass"].agg(["mean", "size"])
    good = record[(record["mean"] == 1) & (record["size"] >= 4)].index.to_numpy()
    moved = there & (tables.draws["sample_type"] == "random") & (rng.random(len(there)) < 1 / 3)
    firm = tables.draws["firm_id"].to_numpy(dtype=object).copy()
    firm[moved.to_numpy()] = rng.choice(good, int(moved.sum()))
    return dataclasses.replace(tables, draws=tables.draws.assign(firm_id=firm, is_pass=tables.draws["is_pass"] | moved))


def plant_items(tables: WatchTables, rng: np.random.Generator) -> WatchTables:
    """In one town four of ten items that had failed within the year before are left out."""
    draws = tables.draws.assign(town=towns_of(tables))
    draws = draws[draws["town"] == TOWN]
    rows = tables.items.merge(draws[["sample_no", "sample_date", "product_name"]], on="sample_no")
    bad = rows[~rows["is_ok"]].rename(columns={"sample_date": "failed_on"})[["product_name", "item_name", "failed_on"]]
    pairs = rows[rows["is_ok"]].merge(bad, on=["product_name", "item_name"])
    days = (pairs["sample_date"] - pairs["failed_on"]).dt.days
    late = pairs.loc[(days > 90) & (days < 365), ["sample_no", "item_name"]].drop_duplicates()
    late = late[rng.random(len(late)) < 0.4].assign(is_left_out=True)
    kept = tables.items.merge(late, on=["sample_no", "item_name"], how="left")
    return dataclasses.replace(tables, items=kept[kept["is_left_out"].isna()].drop(columns="is_left_out"))


def plant_labs(tables: WatchTables, rng: np.random.Generator) -> WatchTables:
    """In one town, after a failure, the next batch goes elsewhere in seven cases of ten."""
    draws = tables.draws.assign(town=towns_of(tables)).sort_values(["sample_date", "sample_no"])
    there = np.flatnonzero((draws["town"] == TOWN).to_numpy())
    lab, passed = draws["lab_name"].to_numpy(dtype=object).copy(), draws["is_pass"].to_numpy()
    labs = sorted(set(lab[there]))
    for before, now in itertools.pairwise(there):
        if not passed[before] and rng.random() < 0.7:
            lab[now] = rng.choice([one for one in labs if one != lab[before]])
    return dataclasses.replace(tables, draws=draws.drop(columns="town").assign(lab_name=lab))


def plant_mix(tables: WatchTables, rng: np.random.Generator) -> WatchTables:
    """In one town every batch of three quarters goes to one laboratory."""
    there = towns_of(tables).eq(TOWN) & tables.draws["sample_date"].between("2021-04-01", "2021-12-31")
    lab = tables.draws.loc[there, "lab_name"].mode().iloc[0]
    return dataclasses.replace(tables, draws=tables.draws.assign(lab_name=tables.draws["lab_name"].where(~there, lab)))


def plant_bunching(tables: WatchTables, rng: np.random.Generator) -> WatchTables:
    """In one county a year that lies one or two batches short of the target is lifted over it."""
    draws = tables.draws.assign(town=towns_of(tables), year=tables.draws["sample_date"].dt.year)
    passed = draws["is_pass"].to_numpy().copy()
    for (town, _), rows in draws.reset_index(drop=True).groupby(["town", "year"]):
        short = int(np.ceil(TARGET / 100 * len(rows) - 1e-9) - rows["is_pass"].sum())
        if town.startswith("990022") and 0 < short <= 2:
            passed[rows.index[~rows["is_pass"]][:short]] = True
    return dataclasses.replace(tables, draws=tables.draws.assign(is_pass=passed))


def plant_gaps(tables: WatchTables, rng: np.random.Generator) -> WatchTables:
    """Of one series of numbers three are gone."""
    gone = tables.numbers[tables.numbers.str.startswith("YZ2024Q1")].iloc[[3, 9, 20]]
    return dataclasses.replace(tables, numbers=tables.numbers[~tables.numbers.isin(gone)])


def bunching(tables: WatchTables) -> CheckResult:
    return check_bunching(tables, TARGET)


PLANTED: list[tuple[Callable[..., CheckResult], Callable[..., WatchTables], str]] = [
    (check_level_gap, plant_levels, "990022"),
    (check_repeated_clean, plant_clean, ""),
    (check_dropped_items, plant_items, TOWN),
    (check_switched_laboratory, plant_labs, TOWN),
    (bunching, plant_bunching, "990022"),
    (check_laboratory_mix, plant_mix, TOWN),
]


@pytest.mark.parametrize(("check", "plant", "place"), PLANTED)
def test_each_pattern_is_quiet_in_honest_records_and_found_where_it_is_planted(
    honest: WatchTables, check: Callable[..., CheckResult], plant: Callable[..., WatchTables], place: str
) -> None:
    quiet = check(honest)
    assert quiet.passed is True, quiet.text.en
    found = check(plant(honest, np.random.default_rng(1)))
    assert found.passed is False
    places = list(found.table.loc[found.table["is_signal"], "place"])
    assert places == [place or busiest(honest)], "where it was planted, and nowhere else"
    assert "需核实" in found.text.zh
    assert "verify" in found.text.en


def test_missing_numbers_are_counted_and_a_lost_file_is_one_explanation(honest: WatchTables) -> None:
    before, after = (check_missing_numbers(t).table for t in (honest, plant_gaps(honest, np.random.default_rng(0))))
    assert after["missing"].sum() == before["missing"].sum() + 3
    lost = before.loc[before["is_signal"], "place"].str.extract(r"(\d{4}Q\d)")[0]
    assert set(lost) <= {"2018Q2", "2018Q3"}, "the file of one county, and the re-checks that were due after it"
    assert "文件未收到" in check_missing_numbers(honest).text.zh
    loose = dataclasses.replace(honest, numbers=pd.Series(["A-90001", "A-70002", "无编号"]))
    assert check_missing_numbers(loose).passed is None


def test_the_page_says_what_to_verify_accuses_nobody_and_stays_inside(small: WatchTables) -> None:
    rng = np.random.default_rng(1)
    tables = small
    for plant in (plant_bunching, plant_items, plant_labs, plant_gaps):
        tables = plant(tables, rng)
    result = check_integrity(tables, target=TARGET)
    assert [c.name for c in result.checks] == [
        "level_gap", "repeated_clean", "dropped_items", "switched_laboratory", "laboratory_mix", "bunching",
        "missing_numbers",
    ]  # fmt: skip
    total = result.find("signals", pattern="all").value
    assert total == sum(int(t["is_signal"].sum()) for t in result.tables.values()) > 3
    texts = [*result.say().items, *result.notes, *(c.text for c in result.checks)]
    for text in texts:
        assert not [word for word in ACCUSING if word in text.zh or word in text.en.lower()]
    assert "不作为处理依据" in result.say().items[0].zh
    for profile in ("external", "statutory_public"):
        with pytest.raises(DataError, match="QB750"):
            protect(result, profile=profile)
    assert "bunching" not in {c.name for c in check_integrity(small).checks}
    with pytest.raises(UsageError, match="QB598"):
        check_integrity(small, target=900)


def test_the_order_of_rows_changes_nothing(small: WatchTables) -> None:
    tables = plant_labs(small, np.random.default_rng(1))
    mixed = dataclasses.replace(
        tables, draws=tables.draws.sample(frac=1, random_state=1), firms=tables.firms.sample(frac=1, random_state=2),
        items=tables.items.sample(frac=1, random_state=3), numbers=tables.numbers.sample(frac=1, random_state=4),
    )  # fmt: skip
    one, other = check_integrity(tables, target=TARGET), check_integrity(mixed, target=TARGET)
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, other.tables[name])


def test_the_laboratory_and_the_year_that_stand_out_are_named(honest: WatchTables) -> None:
    found = check_laboratory_mix(plant_mix(honest, np.random.default_rng(1))).table.iloc[0]
    draws = honest.draws[towns_of(honest).eq(TOWN)]
    window = draws[draws["sample_date"].between("2021-04-01", "2021-12-31")]
    assert (found["year"], found["lab_name"]) == (2021, window["lab_name"].mode().iloc[0])
    counts = pd.crosstab(draws["lab_name"], draws["sample_date"].dt.year)
    honest_row = check_laboratory_mix(honest).table.set_index("place").loc[TOWN]
    assert honest_row["p_value"] == pytest.approx(chi2_contingency(counts, correction=False).pvalue)


def test_truth_the_demo_in_which_acceptance_is_prepared_for_shows_in_the_laboratories() -> None:
    """Before acceptance the demo sends every batch of an adopting town to its most lenient laboratory."""
    province = build_province("province", seed=60, scenario=Scenario(has_gaming=True))
    world = province.world
    accepted = world.geo.town_of[world.plan.cohort + ACCEPTANCE_DELAY <= N_QUARTERS]
    towns = set(world.geo.towns["town_code"].iloc[accepted])
    table = check_laboratory_mix(watch_tables_of(province)).table
    found = set(table.loc[table["is_signal"], "place"])
    assert len(found & towns) >= 0.6 * len(towns)
    assert len(found - towns) <= 1


def test_without_records_nothing_is_said(small: WatchTables) -> None:
    bare = dataclasses.replace(
        small, draws=small.draws.iloc[:3], items=small.items.iloc[:0], numbers=small.numbers.iloc[:3]
    )
    result = check_integrity(bare, target=TARGET)
    assert {c.name: c.passed for c in result.checks if c.name != "missing_numbers"} == dict.fromkeys(
        ["level_gap", "repeated_clean", "dropped_items", "switched_laboratory", "laboratory_mix", "bunching"]
    )


def test_the_excess_is_the_statistic_of_mantel_and_haenszel() -> None:
    rng = np.random.default_rng(6)
    stratum, group = rng.integers(0, 5, 900), rng.integers(0, 3, 900)
    exposed = rng.random(900) < 0.2 + 0.1 * stratum
    happened = rng.random(900) < 0.1 + 0.1 * stratum + 0.1 * exposed * (group == 1)
    found = stratified_excess(happened, exposed, stratum=stratum, group=group).set_index("group")
    for g in range(3):
        own = group == g
        cells = [
            np.array(
                [[np.sum(own & (stratum == s) & (exposed == a) & (happened == b)) for b in (1, 0)] for a in (1, 0)]
            )
            for s in range(5)
        ]
        theirs = StratifiedTable(cells).test_null_odds(correction=True)
        assert 2 * min(found.loc[g, "p_more"], 1 - found.loc[g, "p_more"]) == pytest.approx(theirs.pvalue, rel=1e-6)
        assert found.loc[g, "z"] ** 2 == pytest.approx(
            StratifiedTable(cells).test_null_odds(correction=False).statistic
        )
    assert found["p_more"].idxmin() == 1
    alone = stratified_excess(happened, exposed, stratum=stratum, group=group, together=np.arange(900))
    np.testing.assert_allclose(alone["variance"], found["variance"], rtol=0.12)
    twice = [np.tile(v, 2) for v in (happened, exposed, stratum, group, np.arange(900))]
    paired = stratified_excess(twice[0], twice[1], stratum=twice[2], group=twice[3], together=twice[4])
    np.testing.assert_allclose(paired["z"], alone["z"], err_msg="a row written twice tells nothing new")
