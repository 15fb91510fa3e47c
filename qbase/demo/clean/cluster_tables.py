"""Clean tables of clusters: the programme's ledger, platforms, bodies, projects, surveys, titles, supply chain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from qbase.demo.clean.core_tables import QUARTER_STARTS, cluster_ids, document_dates, iso, quarter_codes, texts
from qbase.demo.world.firm_population import NEVER
from qbase.demo.world.geography import Floats, Ints
from qbase.demo.world.quarters import World
from qbase.demo.world.scenario import ACCEPTANCE_DELAY, FIRST_YEAR, N_QUARTERS, N_YEARS

# column, mean in an untreated quarter, added by the programme at full strength, instrument behind it (0 = any)
COUNTS = (
    ("meetings_planned_count", 1.0, 1.0, 0),
    ("service_visit_count", 2.0, 40.0, 2),
    ("training_session_count", 0.3, 2.5, 7),
    ("publicity_event_count", 0.4, 2.0, 7),
    ("cooperation_event_count", 0.1, 1.5, 3),
    ("joint_project_count", 0.05, 0.6, 3),
    ("university_project_count", 0.1, 0.7, 3),
    ("enforcement_case_count", 0.8, 1.2, 2),
    ("closed_site_count", 0.15, 0.3, 2),
    ("brand_protection_count", 0.3, 0.8, 4),
    ("reward_count", 0.2, 1.5, 7),
    ("joint_discipline_count", 0.1, 0.5, 7),
    ("support_applied_count", 1.0, 5.0, 0),
    ("tasks_planned_count", 0.0, 6.0, 0),
)
MEMBER_BODIES = 8


def build_programme(world: World) -> pd.DataFrame:
    """Build table programme: the ledger of the programme by cluster and quarter."""
    rng = world.streams.rng("programme")
    n = world.geo.n_clusters
    doses, treated = world.plan.doses, world.plan.is_treated
    table: dict[str, Any] = {
        "cluster_id": texts(np.repeat(cluster_ids(world), N_QUARTERS)),
        "quarter": texts(np.tile(quarter_codes(np.arange(N_QUARTERS)), n)),
    }
    for name, base, gain, instrument in COUNTS:
        strength = doses.mean(2) if instrument == 0 else doses[:, :, instrument - 1]
        table[name] = rng.poisson(base + gain * strength).ravel()
    table["meetings_held_count"] = rng.binomial(table["meetings_planned_count"], 0.85)
    table["tasks_done_count"] = rng.binomial(table["tasks_planned_count"], 0.8)
    table["support_granted_count"] = rng.binomial(table["support_applied_count"], 0.7)
    table["bodies_listed_count"] = np.where(treated, MEMBER_BODIES, 0).ravel()
    table["bodies_present_count"] = rng.binomial(table["bodies_listed_count"], 0.8)
    table["service_hours"] = np.round(
        np.asarray(table["service_visit_count"]) * rng.uniform(1.5, 3.0, n * N_QUARTERS), 1
    )
    table["approval_days"] = np.round(rng.uniform(14, 22, n * N_QUARTERS) - 5 * treated.ravel(), 1)
    granted = np.asarray(table["support_granted_count"])
    table["loan_wan_cny"] = np.round(granted * rng.uniform(60, 400, n * N_QUARTERS), 0)
    table["land_mu"] = np.round(granted * rng.uniform(0, 3, n * N_QUARTERS), 1)
    table["energy_quota_tce"] = np.round(granted * rng.uniform(0, 90, n * N_QUARTERS), 0)
    table["quality_fund_wan_cny"] = np.round(
        10 + 120 * doses[:, :, 2].ravel() * rng.uniform(0.7, 1.3, n * N_QUARTERS), 1
    )
    table |= _participation(world)
    return pd.DataFrame(table)


def _participation(world: World) -> dict[str, Any]:
    """Return eligible and enrolled firms by cluster and quarter."""
    shape = (world.geo.n_clusters, N_QUARTERS)
    alive, enrolled = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    np.add.at(alive, world.firms.cluster, world.is_alive.astype(np.int64))
    np.add.at(enrolled, world.firms.cluster, (world.is_alive & world.firms.is_enrolled[:, None]).astype(np.int64))
    treated = world.plan.is_treated
    return {
        "eligible_firm_count": np.where(treated, alive, 0).ravel(),
        "enrolled_firm_count": np.where(treated, enrolled, 0).ravel(),
    }


PLATFORM_KINDS = ("testing", "consulting", "metrology", "innovation")


def build_platforms(world: World) -> pd.DataFrame:
    """Build table platforms: public service platforms with the quarter they opened."""
    rng = world.streams.rng("platforms")
    rows = []
    for c, g in enumerate(world.plan.cohort.tolist()):
        for kind in PLATFORM_KINDS:
            ever, own = g < NEVER, rng.random()
            opened = g + int(rng.integers(1, 5)) if ever else int(rng.integers(0, N_QUARTERS))
            if own < (0.85 if ever else 0.2) and opened < N_QUARTERS:
                rows.append((c, kind, opened))
    where, when = np.array([r[0] for r in rows], dtype=int), np.array([r[2] for r in rows], dtype=int)
    return pd.DataFrame(
        {
            "platform_id": [f"P{k + 1:03d}" for k in range(len(rows))],
            "cluster_id": cluster_ids(world)[where],
            "kind": texts([r[1] for r in rows]),
            "open_date": iso(QUARTER_STARTS[when]),
        }
    )


def build_platform_services(world: World, platforms: pd.DataFrame) -> pd.DataFrame:
    """Build table platform_services: commissioned tests and advice; never supervision inspections."""
    rng = world.streams.rng("platform_services")
    starts = np.searchsorted(QUARTER_STARTS, platforms["open_date"].to_numpy().astype("datetime64[D]"))
    length = np.maximum(N_QUARTERS - starts, 0)
    row = np.repeat(np.arange(len(platforms)), length)
    quarter = np.concatenate([np.arange(s, N_QUARTERS) for s in starts.tolist()]) if len(row) else np.array([], int)
    index = pd.Series(np.arange(world.geo.n_clusters), index=cluster_ids(world))
    cluster = index[platforms["cluster_id"]].to_numpy()[row]
    dose = world.plan.doses[cluster, quarter, 5]
    is_test = (platforms["kind"] == "testing").to_numpy()[row]
    incoming = np.where(is_test, rng.poisson(10 + 30 * dose), 0)
    outgoing = np.where(is_test, rng.poisson(15 + 40 * dose), 0)
    lacking = world.is_alive.sum(0)[quarter] // max(world.geo.n_clusters, 1) * 6 // 10
    return pd.DataFrame(
        {
            "platform_id": texts(platforms["platform_id"])[row],
            "quarter": quarter_codes(quarter),
            "firm_served_count": np.minimum(rng.poisson(5 + 18 * dose), lacking),
            "firm_lacking_count": lacking,
            "contract_count": rng.poisson(2 + 6 * dose),
            "incoming_test_count": incoming,
            "incoming_pass_count": rng.binomial(incoming, 0.95),
            "outgoing_test_count": outgoing,
            "outgoing_pass_count": rng.binomial(outgoing, 0.97),
            "consulting_count": np.where(is_test, 0, rng.poisson(3 + 9 * dose)),
            "fee_cut_pct": np.round(rng.uniform(0, 30, len(row)), 1),
        }
    )


BODIES = (
    ("association", "industry"), ("intermediary", "none"), ("technical", "none"), ("quality_cooperation", "none"),
    ("rd_centre", "city"), ("rd_centre", "province"), ("rd_centre", "national"),
)  # fmt: skip


def build_organisations(world: World) -> pd.DataFrame:
    """Build table organisations: associations, intermediaries, technical bodies, R&D centres."""
    rng = world.streams.rng("organisations")
    n = world.geo.n_clusters
    ever = world.plan.cohort < NEVER
    c, k = np.nonzero(
        rng.random((n, len(BODIES))) < np.where(ever[:, None], 0.75, 0.3) - 0.1 * np.arange(len(BODIES)) / 2
    )
    start = np.where(ever[c], np.minimum(world.plan.cohort[c] + rng.integers(-6, 6, len(c)), N_QUARTERS - 1), 4)
    members = np.where(texts([b[0] for b in BODIES])[k] == "association", rng.integers(12, 55, len(c)), 0)
    return pd.DataFrame(
        {
            "organisation_id": [f"O{i + 1:03d}" for i in range(len(c))],
            "cluster_id": cluster_ids(world)[c],
            "kind": texts([b[0] for b in BODIES])[k],
            "level": texts([b[1] if b[1] in ("city", "province", "national") else "" for b in BODIES])[k],
            "found_date": iso(QUARTER_STARTS[start]),
            "member_count": members,
        }
    )


PROJECT_KINDS = ("major", "technical_renewal", "restructuring")


def build_projects(world: World) -> pd.DataFrame:
    """Build table projects: investment on file by cluster, with the share of high technology."""
    rng = world.streams.rng("projects")
    number = rng.poisson(0.12 + 0.35 * world.plan.doses[:, :, 0])
    c, t = np.nonzero(number)
    c, t = np.repeat(c, number[c, t]), np.repeat(t, number[c, t])
    day = QUARTER_STARTS[t] + rng.integers(0, 88, len(c)).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "project_id": [f"X{k + 1:04d}" for k in range(len(c))],
            "cluster_id": cluster_ids(world)[c],
            "kind": texts(PROJECT_KINDS)[np.digitize(rng.random(len(c)), (0.5, 0.85))],
            "file_date": iso(day),
            "invest_wan_cny": np.round(np.exp(np.round(rng.normal(8.2, 0.8, len(c)), 4)), 0),
            "is_high_tech": rng.random(len(c)) < 0.4,
        }
    )


def _cluster_years(world: World) -> tuple[Ints, Ints, Floats]:
    c, y = np.divmod(np.arange(world.geo.n_clusters * N_YEARS), N_YEARS)
    exposure = np.clip((4 * y + 4 - world.plan.cohort[c]) / 12, 0, 1)
    return c, y, np.round(exposure, 3)


def build_surveys(world: World) -> pd.DataFrame:
    """Build table surveys: a yearly sample survey of buyers and firms by cluster."""
    rng = world.streams.rng("surveys")
    c, y, exposure = _cluster_years(world)
    own = 8 * (world.geo.alpha[c] - 2.1)
    asked = rng.integers(180, 420, len(c))

    def score(base: float, gain: float) -> Floats:
        return np.round(np.clip(base + own + gain * exposure + rng.normal(0, 2, len(c)), 0, 100), 1)

    return pd.DataFrame(
        {
            "cluster_id": cluster_ids(world)[c],
            "year": FIRST_YEAR + y,
            "respondent_count": asked,
            "recall_count": rng.binomial(asked, np.round(np.clip(0.25 + own / 60 + 0.12 * exposure, 0.02, 0.95), 6)),
            "awareness_index": score(52, 10),
            "reputation_index": score(60, 7),
            "brand_value_index": score(48, 8),
            "quality_awareness_index": score(62, 9),
        }
    )


def build_supply_chain(world: World) -> pd.DataFrame:
    """Build table supply_chain: links of the reference chain and local trade by cluster and year."""
    rng = world.streams.rng("supply_chain")
    c, y, exposure = _cluster_years(world)
    links = rng.integers(9, 16, world.geo.n_clusters)[c]
    inputs = np.round(np.exp(np.round(rng.normal(11, 0.4, world.geo.n_clusters)[c] + 0.04 * y, 4)), 0)
    return pd.DataFrame(
        {
            "cluster_id": cluster_ids(world)[c],
            "year": FIRST_YEAR + y,
            "link_count": links,
            "local_link_count": rng.binomial(links, 0.5 + 0.12 * exposure),
            "input_wan_cny": inputs,
            "local_input_wan_cny": np.round(
                inputs * np.clip(0.3 + 0.08 * exposure + rng.normal(0, 0.03, len(c)), 0, 1), 0
            ),
        }
    )


def build_designations(world: World) -> pd.DataFrame:
    """Build table designations: collective marks, demonstration zones, base titles after acceptance."""
    rng = world.streams.rng("designations")
    rows = []
    for c, g in enumerate(world.plan.cohort.tolist()):
        accepted = g + ACCEPTANCE_DELAY
        if accepted < N_QUARTERS:
            rows.append((c, "quality_base", "province", accepted, float(np.round(rng.uniform(76, 96), 1))))
            if rng.random() < 0.3 and accepted + 4 < N_QUARTERS:
                rows.append(
                    (c, "demonstration_zone", "national", accepted + 4, float(np.round(rng.uniform(80, 95), 1)))
                )
        if rng.random() < (0.5 if g < NEVER else 0.2):
            rows.append((c, "collective_mark", "province", int(rng.integers(2, N_QUARTERS)), float("nan")))
    columns = ["_c", "title", "level", "_t", "score"]
    frame = pd.DataFrame(rows, columns=columns)
    where, when = frame["_c"].to_numpy(dtype=np.int64), frame["_t"].to_numpy(dtype=np.int64)
    return pd.DataFrame(
        {
            "cluster_id": cluster_ids(world)[where],
            "title": texts(frame["title"]),
            "level": texts(frame["level"]),
            "grant_date": document_dates(when) if len(when) else texts([]),
            "score": frame["score"].to_numpy(dtype=float),
        }
    )


STANDARD_LEVELS = ("international", "national", "industry", "local", "group")


def build_standards(world: World) -> pd.DataFrame:
    """Build table standards: who led or joined the drafting of which standard; group ones are the alliance's own."""
    rng = world.streams.rng("standards")
    number = rng.poisson(0.04 + 0.12 * world.plan.doses[:, :, 4])
    c, t = np.nonzero(number)
    c, t = np.repeat(c, number[c, t]), np.repeat(t, number[c, t])
    n = len(c)
    treated = world.plan.is_treated[c, t]
    level = np.where(treated & (rng.random(n) < 0.5), 4, rng.choice(4, n, p=(0.05, 0.2, 0.35, 0.4)))
    prefix = texts(["IZ", "GZ/T", "HZ/T", "DB99/T", "T/YZ"])[level]
    serial = [f"{p} {7000 + k}—{FIRST_YEAR + q // 4}" for k, (p, q) in enumerate(zip(prefix, t.tolist(), strict=True))]
    day = QUARTER_STARTS[t] + rng.integers(0, 88, n).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "std_no": serial,
            "cluster_id": cluster_ids(world)[c],
            "level": texts(STANDARD_LEVELS)[level],
            "drafting_role": np.where(rng.random(n) < 0.3, "lead", "participate"),
            "publish_date": iso(day),
            "is_from_research": rng.random(n) < 0.25,
            "patent_count": rng.poisson(0.4, n),
        }
    )
