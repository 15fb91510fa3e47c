"""Clean tables of what happens to firms: credit, changes of the register, brands."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.demo.clean.core_tables import QUARTER_STARTS, Texts, cluster_ids, firm_ids, iso, lived_firms, texts
from qbase.demo.clean.firm_tables import FirmYears, base_columns
from qbase.demo.world.quarters import World
from qbase.demo.world.scenario import N_QUARTERS

CREDIT_SCHEME, CREDIT_VERSION = "GB/T 23791", "2009"


def build_credit_grades(world: World, fy: FirmYears) -> pd.DataFrame:
    """Build table credit_grades: A to D once a year for the firms assessed."""
    rng = world.streams.rng("credit_grades")
    score = fy.strength + 0.5 * fy.size + 0.3 * fy.exposure + rng.normal(0, 0.6, len(fy.firm))
    grade = texts(["D", "C", "B", "A"])[np.digitize(np.round(score, 6), (-1.3, -0.5, 0.6))]
    frame = pd.DataFrame(
        base_columns(world, fy) | {"scheme": CREDIT_SCHEME, "scheme_version": CREDIT_VERSION, "grade": texts(grade)}
    )
    assessed = np.flatnonzero(rng.random(len(frame)) < 0.6 + 0.3 * fy.exposure)
    kept = frame.iloc[assessed]
    kept.index = pd.RangeIndex(len(kept))
    return kept


EVENT_KINDS = ("reward", "penalty", "joint_discipline", "administrative_penalty")


def build_credit_events(world: World, fy: FirmYears) -> pd.DataFrame:
    """Build table credit_events: rewards, penalties and administrative penalties with dates."""
    rng = world.streams.rng("credit_events")
    n = len(fy.firm)
    weak = np.clip(0.5 - 0.4 * fy.strength, 0.05, 2)
    chances = np.cumsum(
        [0.03 + 0.03 * fy.exposure, 0.02 * weak, 0.004 * weak, 0.05 * weak * (1 - 0.4 * fy.exposure)], 0
    )
    number = rng.random(n)
    kind = (number >= chances).sum(0)
    day = QUARTER_STARTS[4 * fy.year] + rng.integers(0, 360, n).astype("timedelta64[D]")
    frame = pd.DataFrame(
        {
            "event_no": [f"XY{k + 1:06d}" for k in range(n)],
            "firm_id": firm_ids(world)[fy.firm],
            "event_date": iso(day),
            "kind": texts([*EVENT_KINDS, ""])[kind],
        }
    )
    kept = frame.iloc[np.flatnonzero(kind < len(EVENT_KINDS))]
    kept.index = pd.RangeIndex(len(kept))
    return kept


def build_firm_events(world: World, names: pd.DataFrame, town_codes: Texts) -> pd.DataFrame:
    """Build table firm_events: changes of name, closures, mergers, moves, joint ventures of brand firms."""
    rng = world.streams.rng("firm_events")
    lived = lived_firms(world)
    ids = firm_ids(world)
    gone = np.flatnonzero(lived & (world.exit < N_QUARTERS))
    back = rng.integers(1, 81, len(gone))
    day = QUARTER_STARTS[world.exit[gone]] - back.astype("timedelta64[D]")
    heir = texts([""] * len(ids))
    new = np.flatnonzero(world.firms.predecessor >= 0)
    new = new[lived[new]]
    heir[world.firms.predecessor[new]] = ids[new]
    home = world.geo.town_of[world.firms.cluster[gone]]
    away = town_codes[(home + 1 + rng.integers(0, len(town_codes) - 2, len(gone))) % (len(town_codes) - 1)]
    moved = world.exit_reason[gone] == 3
    fates = _events(ids[gone], iso(day), texts(["", "closed", "merged", "moved"])[world.exit_reason[gone]])
    fates["other_firm_id"] = np.where(world.exit_reason[gone] == 2, heir[gone], "")
    fates["to_town_code"] = np.where(moved, away, "")
    renamed = names[names["valid_to_date"] != ""]
    changes = _events(texts(renamed["firm_id"]), texts(renamed["valid_to_date"]), texts(["renamed"] * len(renamed)))
    strong = np.flatnonzero(lived & (world.firms.size > 0) & (rng.random(len(ids)) < 0.08))
    when = QUARTER_STARTS[np.minimum(world.firms.entry[strong] + 2, N_QUARTERS - 1)]
    ventures = _events(ids[strong], iso(when), texts(["joint_venture"] * len(strong)))
    ventures["amount_wan_cny"] = np.round(rng.uniform(300, 8000, len(strong)), 0)
    both = pd.concat([fates, changes, ventures], ignore_index=True)
    return both.sort_values(["event_date", "firm_id", "kind"], kind="stable", ignore_index=True)


def _events(firm: Texts, day: Texts, kind: Texts) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "firm_id": firm,
            "event_date": day,
            "kind": kind,
            "other_firm_id": "",
            "to_town_code": "",
            "amount_wan_cny": np.nan,
        }
    )


TIERS = (
    "china_famous",
    "well_known_mark",
    "province_famous",
    "province_credit",
    "province_mark",
    "known_mark",
    "export_famous",
)
ABOLISHED = {"china_famous": "2018-12-31", "province_famous": "2019-12-31", "province_mark": "2020-12-31"}


def build_brands(world: World) -> pd.DataFrame:
    """Build table brands: recognised brands by tier; some schemes were abolished, so their stock falls by itself."""
    rng = world.streams.rng("brands")
    lived = lived_firms(world)
    chance = np.asarray((0.04, 0.3, 0.75))[world.firms.size]
    firm = np.flatnonzero(lived & (rng.random(len(lived)) < chance))
    tier = texts(TIERS)[rng.choice(len(TIERS), len(firm), p=(0.03, 0.08, 0.22, 0.12, 0.25, 0.22, 0.08))]
    start = QUARTER_STARTS[np.minimum(world.firms.entry[firm] + rng.integers(0, 16, len(firm)), N_QUARTERS - 1)]
    end = iso(start + np.timedelta64(5 * 365, "D"))
    over = texts([ABOLISHED.get(t, "9999-12-31") for t in tier])
    begun = iso(start)
    keep = begun <= over
    frame = pd.DataFrame(
        {
            "brand_id": [f"B{k + 1:05d}" for k in range(len(firm))],
            "firm_id": firm_ids(world)[firm],
            "tier": tier,
            "valid_from_date": begun,
            "valid_to_date": texts(np.where(over < end, over, end)),
        }
    )
    return frame[keep].reset_index(drop=True)


def build_brand_licences(world: World) -> pd.DataFrame:
    """Build table brand_licences: small firms licensed to use the joint brand of an adopting cluster."""
    rng = world.streams.rng("brand_licences")
    cluster = world.firms.cluster
    start = np.maximum(world.plan.cohort[cluster] + 4, world.firms.entry)
    joins = world.firms.is_enrolled & (world.firms.size == 0) & (rng.random(len(cluster)) < 0.35)
    firm = np.flatnonzero(lived_firms(world) & joins & (start < np.minimum(world.exit, N_QUARTERS)))
    return pd.DataFrame(
        {
            "brand_name": "优品" + cluster_ids(world)[cluster[firm]],
            "firm_id": firm_ids(world)[firm],
            "start_date": iso(QUARTER_STARTS[start[firm]]),
        }
    )
