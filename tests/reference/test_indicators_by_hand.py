"""Every indicator of the catalogue recomputed in plain pandas from the words of its definition.

The tables are read from the lake's files and nothing of the package computes an expected value, so that two readings of
the policy text must agree: the catalogue's SQL and the short functions here and in by_hand_*.py. All entities and
periods of the small province are compared, by cluster, town and firm, by quarter and by year.
"""

# ruff: noqa: E501  (one definition stands on one line)

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import DataError
from qbase.demo import build_province
from qbase.demo.sending.tidy_files import write_tidy
from qbase.indicators import build_panel, read_catalogue, read_failed_items, read_followup
from qbase.intake import load_files
from qbase.lake import Workspace
from qbase.trends import estimate_followup
from tests.reference.by_hand_clusters import (
    best_score,
    body,
    chosen_fibre,
    commissioned,
    enrolled,
    event_time,
    fee_cut,
    flag,
    held_designation,
    highest,
    invested_high_tech,
    krugman,
    members,
    peers_brand,
    per_ten_thousand,
    price,
    quotient,
    strategy,
)
from tests.reference.by_hand_firms import (
    adopted,
    brands,
    certified_output,
    deals,
    energy_per_output,
    graded,
    herfindahl,
    in_park,
    largest_four,
    licensed,
    local_of_leads,
    nearest,
    output_in_park,
    over_live,
    overlap,
    product_output,
    regraded,
    removed,
    unpunished,
    variety,
)
from tests.reference.by_hand_inspections import (
    by_firm,
    failing_items,
    finding,
    gap,
    inside_laney,
    label_only,
    late,
    lead,
    loosened,
    margin,
    on_core,
    output_weighted,
    overdue,
    persistence,
    rechecked,
    rejudged,
    repeated,
    severe,
    tightened,
    trailing,
    z_scores,
)
from tests.reference.by_hand_lake import Hand, Lake
from tests.reference.by_hand_shapes import (
    SME,
    Value,
    act,
    acts,
    certified,
    checked,
    directory,
    flow,
    growth,
    mean,
    of_market,
    of_town,
    passed,
    per,
    per_firm,
    pillar,
    poll,
    ranks,
    reported,
    service,
    share,
    stock,
    total,
)

NOT_COVERED: dict[str, str] = {
    "G2b.value": "a licensed valuation: no table can hold it, and build_panel refuses it",
    "D1b.sd": "the maximum of a likelihood; its published examples stand in test_indicators_shrinkage.py",
}
"""Indicators without a value below, and why."""

VIEWS = (("cluster_id", "Q"), ("cluster_id", "A"), ("town_code", "A"), ("firm_id", "A"))
OF_TOWNS = (
    "D1.batch", "D1.firm", "D1.output", "D1.finding", "D1c.recheck", "D2.firms", "D4.hhi", "D6.share", "D6.rank", "C1.pass",
    "C1.brand", "G1.brand", "G1.intensity", "T0", "N0", "N1.penalty", "L2.lead", "L3.nation", "L6.staff", "L14", "P2",
    "P4.krugman", "W1.invest", "W1b.per_mu", "W2.visits", "W2h.air", "W3.count", "W4e.variety", "W5.members",
)  # fmt: skip
BY_YEAR_TOO = (
    "D1.batch", "D1.firm", "D1.output", "D1.finding", "D1b.sd", "D1b.inside", "D1b.sigma_z", "D1c.recheck", "D1c.repeat", "D1.margin",
    "C1.pass", "C3.oil", "T0", "N0", "N1.penalty", "L2.persist", "P1.meetings", "W1.projects", "W1.invest", "W2.visits", "W2f.per_firm",
    "W4b.count", "W6.coverage", "S1.bodies", "S3.days", "S4c",
)  # fmt: skip
"""Of the indicators by quarter, those that a year makes in its own way: sums, means, trailing windows, first days."""
STOCKS = [
    "D2.firms", "C2.qms", "W2d.energy", "D5b", "T1.count", "N2.standard", "L5.firms", "W4c", "W5.members", "W5c",
    "S4b.overlap", "W4.count", "P2",
]  # fmt: skip
UNREAD = ("notices", "firm_names")
"""No indicator reads them."""


def composite(h: Hand) -> pd.Series:
    scaled = []
    for i in ("D1.batch", "D2.firms", "N3", "N4", "L10", "L11.grade", "T3", "L13.sales", "L3.province", "G2b.survey"):
        v = BY_HAND[i](h)
        scaled.append(100 * (v - v.min()) / (v.max() - v.min()))
    table = pd.concat(scaled, axis=1)
    return table[table.notna().sum(axis=1) >= 7].mean(axis=1)


BY_HAND: dict[str, Value] = {
    "D1.batch": passed(lambda d: d["ok"].notna()),
    "D1.firm": lambda h: by_firm(h.first),
    "D1.output": output_weighted,
    "D1.finding": finding,
    "D1b.inside": trailing(inside_laney),
    "D1b.sigma_z": trailing(lambda n, k: z_scores(n, k)[1]),
    "D1c.late": late,
    "D1c.overdue": overdue,
    "D1c.recheck": rechecked,
    "D1c.repeat": repeated,
    "D1.rejudged": rejudged,
    "D1.tightened": tightened,
    "D1.loosened": loosened,
    "D1.core": on_core,
    "D1.margin": margin,
    "D1.severe": severe,
    "D1.label_only": label_only,
    "D2.firms": certified("qms"),
    "D2.output": certified_output,
    "D2b": checked("has_quality_head"),
    "D3": per("advanced_equipment_wan_cny", "equipment_wan_cny"),
    "D3b.energy": reported("energy_tce", "volume_t", scale=1),
    "D3b.loss": per("quality_loss_wan_cny", "output"),
    "D4.cr4": largest_four,
    "D4.hhi": herfindahl,
    "D4.local": local_of_leads,
    "D5.links": lambda h: share(d := h.of_clusters("supply_chain"), d["local_link_count"], d["link_count"]),
    "D5.supply": lambda h: (
        100 * total(h.of_clusters("supply_chain"), "local_input_wan_cny") / total(h.years, "output")
    ).dropna(),
    "D5b": per_ten_thousand,
    "D6.output": lambda h: total(h.years, "output", 1e-4),
    "D6.share": of_market("output", "province", "output_wan_cny"),
    "D6.share_nation": of_market("output", "nation", "output_wan_cny"),
    "D6.rank": lambda h: ranks(total(h.years, "output")),
    "C1.pass": gap,
    "C1.brand": peers_brand,
    "C2.pass": passed(lambda d: d["size_class"].isin(SME)),
    "C2.qms": certified("qms", sme_only=True),
    "C3.ppi_28": price("ppi_28_index"),
    "C3.oil": price("oil_index"),
    "C3.pta": price("pta_index"),
    "C3.export": price("export_index"),
    "G1.quality": strategy("quality"),
    "G1.brand": strategy("brand"),
    "G1.standard": strategy("standard"),
    "G1.intensity": strategy(None),
    "G2": composite,
    "G2b.survey": poll("brand_value_index"),
    "G3.energy": energy_per_output,
    "G3.water": reported("water_m3", "output", scale=1),
    "T0": event_time,
    "T1.count": lambda h: h.at_end.groupby(["entity", "period"])["is_lead"].sum().astype(float),
    "T1.pass": passed(lambda d: d["is_lead"].fillna(False)),
    "T2": stock(
        "designations",
        "grant_date",
        lambda d: (
            d["title"].isin(["collective_mark", "demonstration_zone"]) & d["level"].isin(["national", "province"])
        ),
    ),
    "T3": per("new_product_wan_cny", "output"),
    "N0": chosen_fibre,
    "N1.penalty": unpunished,
    "N1.licence": checked("is_licensed"),
    "N2.standard": directory(lambda d: d.groupby("firm_id")["has_declared_standard"].all()),
    "N2.batch": passed(lambda d: d["std_no"].notna()),
    "N3": checked(
        "has_incoming_inspection",
        "has_process_inspection",
        "has_final_inspection",
        "has_traceability",
        "has_corrective_action",
    ),
    "N4": lambda h: share(h.checks, h.checks["has_own_lab"].astype(bool) | h.checks["has_lab_contract"].astype(bool)),
    "N5": passed(lambda d: d["industry_code"].fillna("").str.startswith("28")),
    "L1": stock("designations", "grant_date", lambda d: d["title"] == "quality_base"),
    "L2.lead": lead,
    "L2.persist": persistence,
    "L3.province": of_market("revenue_wan_cny", "province", "sales_wan_cny"),
    "L3.nation": of_market("revenue_wan_cny", "nation", "sales_wan_cny"),
    "L4.output": lambda h: growth(total(h.years, "output")),
    "L4.firms": lambda h: growth(h.years.groupby(["entity", "period"]).size().astype(float)),
    "L4.staff": lambda h: growth(total(h.years, "staff_count").astype(float)),
    "L5.firms": in_park,
    "L5.output": output_in_park,
    "L5.nearest": nearest,
    "L6.output": pillar("output", "output_wan_cny"),
    "L6.added": pillar("value_added_wan_cny", "value_added_wan_cny"),
    "L6.tax": pillar("tax_wan_cny", "tax_wan_cny"),
    "L6.staff": pillar("staff_count", "staff_count"),
    "L7": checked("has_quality_system", among="is_above_scale"),
    "L8": directory(lambda d: d.groupby("firm_id")["has_international_standard"].any(), lead_only=True),
    "L9.equipment": lambda h: ranks(BY_HAND["D3"](h)),
    "L9.rd": lambda h: ranks(BY_HAND["L9.intensity"](h)),
    "L9.testing": lambda h: ranks(mean(h.checks, "cnas_item_count")),
    "L9.intensity": per("rd_wan_cny", "revenue_wan_cny"),
    "L10": per("differentiated_t", "volume_t"),
    "L11.premium": per("premium_grade_t", "volume_t"),
    "L11.grade": lambda h: share(
        h.years, h.years["premium_grade_t"] + h.years["first_grade_t"] / 2, h.years["volume_t"]
    ),
    "L12.encouraged": per("encouraged_capacity_t", "capacity_t"),
    "L12.obsolete": per("obsolete_capacity_t", "capacity_t"),
    "L13.sales": per("own_brand_wan_cny", "revenue_wan_cny"),
    "L13.recall": lambda h: share(d := h.of_clusters("surveys"), d["recall_count"], d["respondent_count"]),
    "L14": quotient,
    "L15.zone": held_designation,
    "L15.score": best_score,
    "P1.meetings": acts("meetings_held_count", "meetings_planned_count"),
    "P1.bodies": acts("bodies_present_count", "bodies_listed_count"),
    "P2": enrolled,
    "P3.count": stock("standards", "publish_date", lambda d: d["level"] == "group"),
    "P3.output": lambda h: share(
        d := product_output(h), d["part"].where(d["has_alliance_standard"].astype(bool), 0.0), d["part"]
    ),
    "P4.bodies": body("intermediary", "technical"),
    "P4.krugman": krugman,
    "W1.projects": flow("projects", "file_date", lambda d: d["kind"] == "major"),
    "W1.invest": flow("projects", "file_date", lambda d: d["kind"] == "major", "invest_wan_cny", 1e-4),
    "W1.high_tech": invested_high_tech,
    "W1b.share": lambda h: share(h.town, h.town["park_output_wan_cny"], h.town["output_wan_cny"]),
    "W1b.per_mu": lambda h: share(h.town, h.town["park_output_wan_cny"], h.town["park_area_mu"], scale=1),
    "W1c": lambda h: share(d := h.of_clusters("supply_chain"), d["local_input_wan_cny"], d["input_wan_cny"]),
    "W2.visits": per_firm("service_visit_count"),
    "W2.hours": per_firm("service_hours"),
    "W2b.three": checked("has_standard_system", "has_metrology_system", "has_quality_system"),
    "W2b.meters": lambda h: share(h.checks, h.checks["meters_verified_count"], h.checks["meters_equipped_count"]),
    "W2c.cpk": lambda h: 100 * mean(h.years, "cpk_share"),
    "W2c.yield": lambda h: share(h.years, h.years["first_pass_yield_share"] * h.years["volume_t"], h.years["volume_t"]),
    "W2d.environment": certified("environment"),
    "W2d.energy": certified("energy"),
    "W2d.social": certified("social"),
    "W2e.meters": lambda h: share(h.checks, h.checks["meters_equipped_count"], h.checks["meters_required_count"]),
    "W2e.cut": lambda h: growth(energy_per_output(h)),
    "W2f.cases": act("enforcement_case_count"),
    "W2f.sites": act("closed_site_count"),
    "W2f.per_firm": per_firm("enforcement_case_count", 100),
    "W2g.removed": lambda h: total(removed(h), "gone", 1e-4),
    "W2g.share": lambda h: share(d := removed(h), d["gone"], d["capacity_t"]),
    "W2h.product": lambda h: BY_HAND["D1.batch"](h),
    "W2h.works": lambda h: share(h.town, h.town["works_passed_count"], h.town["works_count"]),
    "W2h.air": of_town("good_air_days"),
    "W2h.water": of_town("good_water_share_pct"),
    "W2h.service": of_town("service_index"),
    "W3.count": body("rd_centre", levels=("national", "province", "city")),
    "W3.high": body("rd_centre", levels=("national", "province")),
    "W3b.platforms": stock("platforms", "open_date", lambda d: d["kind"] == "innovation"),
    "W3b.contracts": service("contract_count"),
    "W3c.fund": act("quality_fund_wan_cny"),
    "W3c.per_firm": per_firm("quality_fund_wan_cny"),
    "W3d.density": lambda h: share(h.years, 1e4 * h.years["patent_count"], h.years["output"], scale=1),
    "W3d.used": per("used_patent_count", "patent_count"),
    "W3d.standard": per("standard_patent_count", "patent_count"),
    "W3e.count": lambda h: total(h.years, "is_high_tech").astype(float),
    "W3e.share": lambda h: share(
        h.years, h.years["output"].where(h.years["is_high_tech"].astype(bool), 0.0), h.years["output"]
    ),
    "W4.count": lambda h: over_live(total(brands(h), "one"), h),
    "W4.score": lambda h: over_live(total(brands(h), "weight"), h),
    "W4b.count": lambda h: over_live(total(deals(h)[lambda d: d["is_brand"]], "one"), h),
    "W4b.amount": lambda h: over_live(
        total(deals(h)[lambda d: d["is_brand"]].fillna({"amount_wan_cny": 0.0}), "amount_wan_cny"), h
    ),
    "W4c": licensed,
    "W4d": act("brand_protection_count"),
    "W4e.variety": variety,
    "W4e.awareness": poll("awareness_index"),
    "W4e.reputation": poll("reputation_index"),
    "W5.count": body("association"),
    "W5.members": members,
    "W5b.led": stock("standards", "publish_date", lambda d: d["drafting_role"] == "lead"),
    "W5b.high": stock(
        "standards", "publish_date", lambda d: d["level"].isin(["international", "national", "industry"])
    ),
    "W5c": adopted,
    "W5d": flow("standards", "publish_date", lambda d: d["is_from_research"].astype(bool)),
    "W6.coverage": service("firm_served_count", "firm_lacking_count"),
    "W6.tests": commissioned,
    "W6.fee": fee_cut,
    "W6b.incoming": service("incoming_pass_count", "incoming_test_count"),
    "W6b.outgoing": service("outgoing_pass_count", "outgoing_test_count"),
    "W6c": service("consulting_count"),
    "W7.a_share": lambda h: share(d := graded(h), d["grade"] == "A"),
    "W7.up": regraded(is_up=True),
    "W7.down": regraded(is_up=False),
    "W7b.rewards": act("reward_count"),
    "W7b.penalties": act("joint_discipline_count"),
    "W7c.pledge": checked("has_pledge"),
    "W7c.training": checked("is_trained"),
    "S1.group": flag("has_s1"),
    "S1.bodies": highest("bodies_listed_count"),
    "S2.census": checked("is_surveyed"),
    "S2.plan": flag("has_s2"),
    "S2.tasks": acts("tasks_done_count", "tasks_planned_count"),
    "S3.granted": acts("support_granted_count", "support_applied_count"),
    "S3.days": lambda h: mean(h.works, "approval_days"),
    "S3.loan": act("loan_wan_cny"),
    "S3.land": act("land_mu"),
    "S3.energy": act("energy_quota_tce"),
    "S3b": act("university_project_count"),
    "S4.events": act("cooperation_event_count"),
    "S4.projects": act("joint_project_count"),
    "S4b.overlap": overlap,
    "S4b.specialised": lambda h: total(h.years, "is_specialised").astype(float),
    "S4c": lambda h: over_live(total(deals(h), "one"), h),
    "S5.events": act("publicity_event_count"),
    "S5.awareness": poll("quality_awareness_index"),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Lake]:
    home = tmp_path_factory.mktemp("by_hand")
    workspace = Workspace.create(home / "home")
    tables = {name: frame for name, frame in build_province("small").tables.items() if name not in UNREAD}
    load_files(workspace, write_tidy(home / "deliveries", tables))
    return workspace, Lake(workspace.root / "data" / "lake")


def asked(entity: str, freq: str) -> list[str]:
    ids = [i for i, m in read_catalogue().items() if entity in m.entities and freq in m.freqs and m.missing is None]
    # the province has one cluster a town: the town's own ways of adding up are enough
    if entity == "town_code":
        return [i for i in ids if i in OF_TOWNS]
    catalogue = read_catalogue()
    is_second = (entity, freq) == ("cluster_id", "A")
    return [i for i in ids if not is_second or "Q" not in catalogue[i].freqs or i in BY_YEAR_TOO or i in STOCKS]


@pytest.fixture(scope="module")
def panels(lake: tuple[Workspace, Lake]) -> dict[tuple[str, str], pd.DataFrame]:
    found = {}
    for entity, freq in VIEWS:
        ids = asked(entity, freq)
        found[entity, freq] = build_panel(lake[0], ids, entity=entity, freq=freq).data[ids]  # type: ignore[arg-type]
    return found


def coded(values: pd.Series) -> pd.Series:
    """The same numbers under (entity, "2022Q3")."""
    values = values.dropna().astype(float)
    index = [(entity, str(period)) for entity, period in values.index]
    return pd.Series(values.to_numpy(), index=pd.MultiIndex.from_tuples(index, names=["entity", "period"])).sort_index()


@pytest.mark.parametrize(("entity", "freq"), VIEWS)
def test_every_indicator_is_what_its_words_say(lake: tuple[Workspace, Lake], panels, entity: str, freq: str) -> None:
    hand = Hand(lake[1], entity, freq)
    wrong = {}
    for i in panels[entity, freq]:
        if i not in BY_HAND:
            continue
        expected, computed = coded(BY_HAND[i](hand)), coded(panels[entity, freq][i])
        assert len(expected) > 3, f"{i}: nothing to compare"
        if list(expected.index) != list(computed.index):
            only = expected.index.symmetric_difference(computed.index)
            wrong[i] = f"{len(only)} entities and periods stand on one side only, first {only[0]}"
        elif not np.allclose(expected, computed, rtol=1e-9, atol=1e-9):
            at = (expected - computed).abs().idxmax()
            wrong[i] = f"{at}: by hand {expected[at]:.6g}, panel {computed[at]:.6g}"
    assert wrong == {}


def test_every_indicator_is_covered_or_named() -> None:
    assert set(read_catalogue()) == set(BY_HAND) | set(NOT_COVERED)
    assert not set(BY_HAND) & set(NOT_COVERED)


def test_by_year_a_stock_is_that_of_the_fourth_quarter(panels) -> None:
    by_quarter, by_year = (panels["cluster_id", freq][STOCKS] for freq in ("Q", "A"))
    last = by_quarter[by_quarter.index.get_level_values("period").quarter == 4]
    years = pd.MultiIndex.from_arrays([last.index.get_level_values(0), last.index.get_level_values(1).asfreq("Y-DEC")])
    pd.testing.assert_frame_equal(last.set_axis(years), by_year.reindex(years), check_names=False)


def test_the_window_does_not_change_a_value(lake: tuple[Workspace, Lake], panels) -> None:
    whole = panels["cluster_id", "Q"].drop(columns="L2.persist")  # forty quarters back are the whole province
    periods = whole.index.get_level_values("period")
    inside = whole[(periods >= pd.Period("2020Q2")) & (periods <= pd.Period("2021Q3"))].dropna(how="all")
    inside = inside.dropna(axis=1, how="all")  # no base was scored in these quarters, and build_panel says so
    assert set(whole) - set(inside) == {"L15.score"}
    part = build_panel(lake[0], list(inside), first="2020Q2", last="2021Q3").data[list(inside)]
    pd.testing.assert_frame_equal(inside, part.dropna(how="all"), rtol=1e-9)


def test_the_valuation_is_refused(lake: tuple[Workspace, Lake]) -> None:
    with pytest.raises(DataError, match="QB422"):
        build_panel(lake[0], "G2b.value", freq="A")


@pytest.mark.parametrize("subject", ["K001", None])
def test_items_that_failed_are_those_counted_by_hand(lake: tuple[Workspace, Lake], subject: str | None) -> None:
    panel = build_panel(lake[0], "D1.batch")
    found = read_failed_items(lake[0], panel, subject=subject, period="2021Q4", most=5)
    by_hand = failing_items(Hand(lake[1], "cluster_id", "Q"), "2021Q1", "2021Q4")
    by_hand = by_hand if subject is None else by_hand[by_hand["entity"] == subject]
    sums = by_hand.groupby(["product_name", "item_name"])[["n", "k"]].sum()
    expected = {key: (n, k) for key, n, k in zip(sums.index, sums["n"], sums["k"], strict=True) if k}
    table = found.tables["items"]
    rows = zip(table["product"], table["item"], table["n"], table["k"], strict=True)
    assert {(product, item): (n, k) for product, item, n, k in rows} == expected
    assert table["is_label"].is_monotonic_increasing
    assert (table["n_firms"] <= table["k"]).all()
    assert "firm" not in table.columns
    assert [e.value for e in found.estimates] == table["rate_pct"].head(5).tolist()


def test_follow_up_adds_the_year_up_and_leaves_what_looks_back_alone(lake: tuple[Workspace, Lake], panels) -> None:
    panel = read_followup(lake[0])
    recheck, past, due, repeat, tasks = estimate_followup(panel, entity="K001", last="2021Q2")
    orders = lake[1]["followup"].merge(
        Hand(lake[1], "cluster_id", "Q").samples[["sample_no", "entity"]], on="sample_no"
    )
    quarter = pd.PeriodIndex(orders["order_date"], freq="Q")
    year = orders[(orders["entity"] == "K001") & (quarter >= pd.Period("2020Q3")) & (quarter <= pd.Period("2021Q2"))]
    assert recheck["rate"].n_obs == past["rate"].n_obs == due["rate"].n_obs == len(year)
    assert recheck["rate"].value == pytest.approx(100 * (year["outcome"] == "rectified").mean())
    assert due["rate"].value == pytest.approx(100 * year["recheck_date"].isna().mean())
    soon = (year["recheck_date"] - year["order_date"]).dt.days <= 60
    assert past["rate"].value == pytest.approx(100 * (1 - soon.mean()))
    done = lake[1]["programme"]
    done = done[(done["cluster_id"] == "K001") & done["quarter"].isin(["2020Q3", "2020Q4", "2021Q1", "2021Q2"])]
    planned, made = done["tasks_planned_count"].sum(), done["tasks_done_count"].sum()
    expected = [(planned, pytest.approx(100 * made / planned))] if planned else []
    assert [(e.n_obs, e.value) for e in tasks.estimates] == expected
    at = panels["cluster_id", "Q"].loc[("K001", pd.Period("2021Q2")), "D1c.repeat"]
    assert repeat["rate"].value == pytest.approx(at)
    assert repeat["rate"].key["period"] == "2021Q2"
