"""From a small lake to panels, policies and cases; every record accounted for."""

from __future__ import annotations

import datetime
import hashlib
import pathlib

import pandas as pd
import pyarrow as pa
import pytest

from qbase.core.errors import DataError, PolicyError, UsageError
from qbase.core.periods import parse_period
from qbase.indicators import (
    build_case,
    build_panel,
    build_policy,
    check_case,
    find_indicator,
    read_catalogue,
    read_coverage,
)
from qbase.lake import Delivery, Workspace

INSPECTION = {
    "sample_no": "", "sample_date": datetime.date(2024, 1, 15), "sample_type": "random", "uscc": None,
    "firm_code": None, "firm_name": "甲厂", "town_code": None, "result": "pass", "is_recheck": False,
    "appeal_result": None, "role": None, "parent_no": None,
}  # fmt: skip
TYPES = {"sample_date": pa.date32(), "is_recheck": pa.bool_(), "year": pa.int64(), "log_scrap": pa.float64()}
FIRMS = [
    {"firm_id": "F1", "uscc": "U1", "firm_name": "甲厂", "cluster_id": "K1", "town_code": "T1"},
    {"firm_id": "F2", "uscc": "U2", "firm_name": "乙厂", "cluster_id": "K1", "town_code": "T1"},
    {"firm_id": "F3", "uscc": "U3", "firm_name": "丙厂", "cluster_id": "K2", "town_code": "T2"},
    {"firm_id": "F4", "uscc": "U4", "firm_name": "同名厂", "cluster_id": "K1", "town_code": "T1"},
    {"firm_id": "F5", "uscc": "U5", "firm_name": "同名厂", "cluster_id": "K2", "town_code": "T2"},
]
CLUSTERS = [
    {"cluster_id": "K1", "cluster_name": "甲镇化纤集群", "cluster_name_en": "Jia fibre cluster"},
    {"cluster_id": "K2", "cluster_name": "乙镇织造集群", "cluster_name_en": None},
]


def put(workspace: Workspace, table: str, rows: list[dict[str, object]], *, part: str = "") -> None:
    frame = pd.DataFrame(rows)
    types = {**TYPES, **{c: pa.int64() for c in frame if c == "first_grant_year"}}
    schema = pa.schema([pa.field(c, types.get(c, pa.string())) for c in frame])
    filled = [{k: (None if v is None or v != v else v) for k, v in row.items()} for row in frame.to_dict("records")]
    delivery = Delivery(
        sha256=hashlib.sha256((table + part).encode()).hexdigest(), file_name=f"{table}.csv", table=table, recipe="",
        producer="测试", licence="", retrieved_on="2025-01-01", verdict="OK", rows_seen=len(rows), listed=0,
        accepted=len(rows), quarantined=0, reasons={}, warnings=(),
    )  # fmt: skip
    workspace.commit(delivery, {table: pa.Table.from_pylist(filled, schema=schema)})


def inspections(*rows: dict[str, object]) -> list[dict[str, object]]:
    return [{**INSPECTION, "sample_no": f"S{i}", **row} for i, row in enumerate(rows)]


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path)


def fill(workspace: Workspace) -> Workspace:
    april = datetime.date(2024, 4, 1)
    put(workspace, "firms", FIRMS)
    put(workspace, "clusters", CLUSTERS)
    put(
        workspace,
        "inspections",
        inspections(
            {"uscc": "U1"},
            {"uscc": "U1", "result": "fail"},
            {"uscc": "U2", "sample_type": "risk"},
            {"uscc": "U2", "result": "fail", "appeal_result": "overturned"},
            {"uscc": "U2", "result": "fail", "appeal_result": "upheld", "sample_date": april},
            {"uscc": "U3", "firm_name": "丙厂"},
            {"uscc": "U1", "is_recheck": True},
            {"uscc": "U1", "sample_type": "complaint", "result": "fail"},
            {"uscc": "U1", "sample_type": "followup", "result": "fail"},
            {"uscc": "WRONG", "firm_name": "丙厂", "result": "fail"},
            {"uscc": None, "firm_name": "同名厂"},
            {"uscc": None, "firm_name": "外地厂", "town_code": "T2"},
        ),
    )
    return workspace


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A small lake that tests only read."""
    return fill(Workspace.create(tmp_path_factory.mktemp("lake")))


@pytest.fixture
def growing(workspace: Workspace) -> Workspace:
    """The same, for tests that load more."""
    return fill(workspace)


def row(panel, entity: str, period: str):
    return panel.data.loc[(entity, parse_period(period))]


def test_first_inspections_are_counted_by_cluster(filled):
    panel = build_panel(filled, ["D1.batch", "D1.firm"])
    first = row(panel, "K1", "2024Q1")
    assert (first["D1.batch__n"], first["D1.batch__k"], first["D1.batch__n_firms"]) == (4, 3, 2)
    assert first["D1.batch"] == 75.0
    assert first["D1.batch__lo"] == pytest.approx(30.064, abs=5e-4)
    assert first["D1.batch__hi"] == pytest.approx(95.441, abs=5e-4)
    assert row(panel, "K1", "2024Q2")["D1.batch"] == 0.0, "an upheld appeal stays a failure"
    assert row(panel, "K2", "2024Q1")["D1.batch__n"] == 2, "a wrong code falls back on a name only one firm has"


def test_a_firm_passes_only_with_every_batch(filled):
    first = row(build_panel(filled, "D1.firm"), "K1", "2024Q1")
    assert (first["D1.firm__n"], first["D1.firm__k"], first["D1.firm"]) == (2, 1, 50.0)


def test_cells_say_how_batches_were_drawn(filled):
    panel = build_panel(filled, "D1.batch")
    cells = panel.cells[panel.cells["entity"] == "K1"].set_index(["period", "stratum"])
    random = cells.loc[(parse_period("2024Q1"), "random")]
    assert (random["sampling"], random["n"], random["k"], random["n_firms"]) == ("random", 3, 2, 2)
    assert (random["top1"], random["top2"]) == (2, 1)
    directed = cells.loc[(parse_period("2024Q1"), "risk")]
    assert (directed["sampling"], directed["n"], directed["top2"]) == ("directed", 1, 0)
    assert panel.cells["n"].sum() == panel.data["D1.batch__n"].sum()


def test_names_and_sources_travel_along(filled):
    panel = build_panel(filled, "D1.batch")
    assert panel.label("K1").en == "Jia fibre cluster"
    assert panel.label("K2").en == "Yi zhen zhi zao ji qun"
    assert [s.path for s in panel.sources] == ["inspections", "firms", "clusters"]
    assert panel.snapshot == "S0003"


def test_how_records_were_matched_is_told_beside_their_fates(filled):
    coverage = read_coverage(filled)
    assert (coverage.seen, coverage.counted, coverage.lost) == (12, 7, 2)
    assert (coverage.overturned, coverage.by_name) == (1, 1)
    assert coverage.fates == build_panel(filled, "D1.batch").coverage.fates


def test_a_town_is_the_printed_one_else_the_firms(filled):
    panel = build_panel(filled, "D1.batch", entity="town_code", freq="A")
    n = panel.data["D1.batch__n"].groupby(level="entity").sum()
    assert n.to_dict() == {"T1": 5, "T2": 3}


def test_towns_need_no_register_of_firms(workspace):
    put(workspace, "inspections", inspections({"town_code": "60601"}, {"town_code": "60601", "result": "fail"}))
    assert row(build_panel(workspace, "D1.batch", entity="town_code"), "60601", "2024Q1")["D1.batch"] == 50.0
    with pytest.raises(DataError, match="QB403"):
        build_panel(workspace, "D1.batch")


def test_the_window_is_closed_on_both_sides(filled):
    one = build_panel(filled, "D1.batch", first="2024Q2", last="2024Q2")
    assert [str(p) for p in one.periods] == ["2024Q2"]
    assert len(build_panel(filled, "D1.batch", last="2024Q1").data) == 2


def test_a_register_delivered_twice_counts_once(growing):
    before = build_panel(growing, "D1.batch").data
    put(growing, "firms", FIRMS, part="again")
    pd.testing.assert_frame_equal(build_panel(growing, "D1.batch").data, before)


def test_a_firm_described_in_two_ways_is_unmatched_and_never_doubled(growing):
    put(growing, "firms", [{**FIRMS[0], "cluster_id": "K2", "firm_name": "甲新厂"}], part="moved")
    coverage = read_coverage(growing)
    assert coverage.seen == 12
    assert coverage.lost == 4


def test_an_older_snapshot_gives_the_older_panel(growing):
    before = build_panel(growing, "D1.batch")
    put(growing, "inspections", [{**INSPECTION, "sample_no": "X", "uscc": "U1"}], part="later")
    assert row(build_panel(growing, "D1.batch"), "K1", "2024Q1")["D1.batch__n"] == 5
    again = build_panel(growing, "D1.batch", snapshot=before.snapshot)
    pd.testing.assert_frame_equal(again.data, before.data)


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        ({"indicators": "D1.bach"}, "QB401", "D1.batch?"),
        ({"indicators": []}, "QB407", "D1.batch"),
        ({"indicators": "D1.batch", "entity": "county"}, "QB402", "cluster_id"),
        ({"indicators": "D1.batch", "freq": "M"}, "QB402", "Q | H | A"),
        ({"indicators": "D1.batch", "first": "2024Q5"}, "QB101", "2022Q3"),
        ({"indicators": "D1.batch", "first": "2031Q1"}, "QB404", "widen"),
    ],
)
def test_wrong_words_end_in_four_lines(filled, call, code, said):
    with pytest.raises((UsageError, DataError)) as caught:
        build_panel(filled, **call)
    text = str(caught.value)
    assert caught.value.code == code
    assert said in text
    assert len(text.splitlines()) == 4


def test_the_error_names_why_nothing_counted(workspace):
    put(workspace, "firms", FIRMS)
    put(workspace, "inspections", inspections({"uscc": "U1", "is_recheck": True}, {"firm_name": "外地厂"}))
    with pytest.raises(DataError, match="no_firm 1, recheck 1"):
        build_panel(workspace, "D1.batch")


def test_the_catalogue_is_complete():
    for name, measured in read_catalogue().items():
        assert measured.indicator.id == name
        assert measured.indicator.name.zh
        assert measured.indicator.name.en
        assert measured.indicator.formula
    assert find_indicator("D1.firm").measure == "firm"


POLICY = {
    "policy_id": "base", "policy_name": "基地意见", "policy_name_en": None, "kind": "binary",
    "drafted_date": None, "announced_date": "2022-08-10", "effective_date": "2022-08-10", "funded_date": None,
    "accepted_date": None, "date_source": "文件", "date_confidence": "document", "plan_outcome": None,
    "plan_population": None, "plan_weight": None, "plan_window": None, "plan_comparator": None,
    "plan_inference": None, "plan_locked_date": None,
}  # fmt: skip
SPELL = {"policy_id": "base", "entity_id": "K1", "start_quarter": "2022Q3", "end_quarter": None, "group_name": None}


def put_policy(workspace: Workspace, *spells: dict[str, object], **policy: object) -> None:
    put(workspace, "policies", [{**POLICY, **policy}])
    put(workspace, "spells", [{**SPELL, **s} for s in spells])


def test_a_policy_is_read_with_its_dates(workspace):
    put_policy(workspace, {}, {"entity_id": "K2", "start_quarter": "2021Q4", "end_quarter": "2022Q2"})
    policy = build_policy(workspace, "base")
    assert policy.first_treated == {"K1": parse_period("2022Q3"), "K2": parse_period("2021Q4")}
    assert policy.title.en == "基地意见"
    assert set(policy.dates) == {"announced", "effective"}
    assert (policy.dates["effective"].on, policy.dates["effective"].confidence) == ("2022-08-10", "document")
    assert policy.plan is None
    assert [s.path for s in policy.sources] == ["policies", "spells"]
    with pytest.raises(PolicyError, match="QB132"):
        policy.require_absorbing()


def test_by_half_year_and_by_year_a_spell_starts_in_that_of_its_quarter(workspace):
    put_policy(workspace, {}, {"entity_id": "K2", "start_quarter": "2022Q2", "end_quarter": "2023Q1"})
    halves = build_policy(workspace, "base", freq="H")
    assert halves.first_treated == {"K1": parse_period("2022H2", "H"), "K2": parse_period("2022H1", "H")}
    assert [s.end for s in halves.spells] == [None, parse_period("2023H1", "H")]
    assert build_policy(workspace, "base", freq="A").first_treated == dict.fromkeys(
        ("K1", "K2"), parse_period("2022", "A")
    )


@pytest.mark.parametrize(("locked", "post_hoc"), [("2022-08-01", False), ("2023-01-01", True), (None, True)])
def test_a_plan_locked_after_the_policy_is_post_hoc(workspace, locked, post_hoc):
    put_policy(workspace, {}, plan_outcome="D1.batch", plan_locked_date=locked)
    plan = build_policy(workspace, "base").plan
    assert plan is not None
    assert plan.post_hoc is post_hoc


def test_unknown_policy_and_missing_tables(workspace):
    with pytest.raises(DataError, match="QB403"):
        build_policy(workspace, "base")
    put_policy(workspace, {})
    with pytest.raises(UsageError, match=r"base\?"):
        build_policy(workspace, "bsae")
    with pytest.raises(UsageError, match="QB402"):
        build_policy(workspace, "base", freq="M")


CASE = [
    {"firm_id": "1", "year": 1987, "log_scrap": 0.5, "first_grant_year": 1988},
    {"firm_id": "1", "year": 1988, "log_scrap": 0.2, "first_grant_year": 1988},
    {"firm_id": "2", "year": 1987, "log_scrap": 0.1, "first_grant_year": None},
    {"firm_id": "2", "year": 1988, "log_scrap": None, "first_grant_year": None},
    {"firm_id": "3", "year": 1987, "log_scrap": None, "first_grant_year": 1988},
    {"firm_id": "3", "year": 1988, "log_scrap": None, "first_grant_year": 1988},
]


def test_a_case_keeps_what_has_an_outcome_and_says_what_has_not(workspace):
    put(workspace, "case_us_scrap_grants", CASE)
    panel, policy = build_case(workspace, "us_scrap_grants")
    assert len(panel.data) == 3
    assert panel.indicator("X1.log_scrap").unit == "log_points"
    assert policy.first_treated == {"1": parse_period("1988", "A")}, "firm 3 has no outcome at all"
    check = check_case(workspace, "us_scrap_grants")
    assert check.passed is None
    assert "3 of 6 rows carry the outcome (2 of 3 entities)" in check.text.en


def test_a_case_that_was_not_loaded_or_is_empty(workspace):
    with pytest.raises(DataError, match="load_case"):
        build_case(workspace, "us_scrap_grants")
    put(workspace, "case_us_scrap_grants", [{**r, "log_scrap": None} for r in CASE])
    with pytest.raises(DataError, match="QB406"):
        build_case(workspace, "us_scrap_grants")
    with pytest.raises(UsageError, match="QB301"):
        build_case(workspace, "us_scrap_grant")


def test_only_the_producer_counts_and_a_named_parent_makes_a_recheck(workspace: Workspace) -> None:
    put(workspace, "firms", FIRMS)
    roles = [{"uscc": "U1", "role": role} for role in (None, "producer", "commissioner")]
    put(workspace, "inspections", inspections(*roles, {"uscc": "U1", "parent_no": "S0"}))
    coverage = read_coverage(workspace)
    assert coverage.fates == {"counted": 2, "other_role": 1, "recheck": 1}
    assert int(build_panel(workspace, "D1.batch").data["D1.batch__n"].sum()) == 2
