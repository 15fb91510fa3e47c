"""Clean tables of firms: yearly reports, on-site checks, products, certificates."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qbase.demo.clean.core_tables import QUARTER_STARTS, firm_ids, iso, lived_firms, texts
from qbase.demo.world.firm_population import NEVER
from qbase.demo.world.geography import Floats, Ints, read_industries
from qbase.demo.world.quarters import World
from qbase.demo.world.scenario import FIRST_YEAR, N_QUARTERS, N_YEARS

REVENUE_WAN = (900.0, 9_000.0, 60_000.0)
STAFF = (35, 380, 1_400)
ENERGY_SINCE = 2019
OUTPUT_MISSING_SHARE = 0.3
SCHEMES = ("qms", "environment", "energy", "social")
SCHEME_SHARES = ((0.18, 0.62, 0.93), (0.06, 0.35, 0.7), (0.02, 0.15, 0.4), (0.01, 0.06, 0.2))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FirmYears:
    """Firms alive in the last quarter they saw of each year; shape (N,).

    Parameters
    ----------
    firm, year : numpy.ndarray
        Position of the firm and of the year.
    size : numpy.ndarray
        Size class.
    exposure : numpy.ndarray
        Share 0 to 1 of the programme's ramp an enrolled firm has gone through by the end of the year.
    strength : numpy.ndarray
        Latent quality of the firm.
    """

    firm: Ints
    year: Ints
    size: Ints
    exposure: Floats
    strength: Floats


def build_firm_years(world: World) -> FirmYears:
    """Return the firm-years everything yearly is built on."""
    alive = world.is_alive.reshape(len(world.firms), N_YEARS, 4).any(2)
    f, y = np.nonzero(alive)
    cohort = world.plan.cohort[world.firms.cluster[f]]
    since = 4 * y + 4 - cohort
    exposure = np.clip(since / 8, 0, 1) * world.firms.is_enrolled[f]
    return FirmYears(
        firm=f, year=y, size=world.firms.size[f], exposure=np.round(exposure, 3), strength=world.firms.quality[f]
    )


def _by_size(values: tuple[Any, ...], size: Ints) -> npt.NDArray[Any]:
    return np.asarray(values)[size]


def _share(rng: np.random.Generator, mean: Floats, spread: float = 0.08) -> Floats:
    return np.round(np.clip(mean + rng.uniform(-spread, spread, len(mean)), 0, 1), 4)


def base_columns(world: World, fy: FirmYears) -> dict[str, Any]:
    """Return the key of a table by firm and year."""
    return {"firm_id": firm_ids(world)[fy.firm], "year": FIRST_YEAR + fy.year}


def build_firm_year(world: World, fy: FirmYears) -> pd.DataFrame:
    """Build table firm_year: what firms report; output is missing for many small ones, more so for weak ones."""
    rng = world.streams.rng("firm_year")
    n = len(fy.firm)
    own = np.round(world.streams.rng("firm_year.size").normal(0, 0.5, len(world.firms)), 4)[fy.firm]
    growth = 0.045 * fy.year + 0.02 * fy.exposure + rng.normal(0, 0.08, n)
    output = np.round(_by_size(REVENUE_WAN, fy.size) * np.exp(np.round(own + growth, 4)), 2)
    revenue = np.round(output * _share(rng, np.full(n, 0.97), 0.03), 2)
    hidden = (rng.random(n) < OUTPUT_MISSING_SHARE * np.where(fy.strength < 0, 1.4, 0.6)) & (fy.size == 0)
    energy = np.round(output * _share(rng, 0.14 - 0.03 * fy.exposure, 0.05), 2)
    purchase = np.round(output * _share(rng, np.full(n, 0.6), 0.1), 2)
    equipment = np.round(output * _share(rng, np.full(n, 0.45), 0.15), 2)
    advanced = _share(rng, 0.25 + 0.15 * fy.size + 0.08 * fy.exposure, 0.15)
    loss = _share(rng, 0.022 - 0.004 * fy.strength - 0.004 * fy.exposure, 0.008)
    staff = np.maximum(5, np.rint(_by_size(STAFF, fy.size) * np.exp(np.round(own, 4)))).astype(int)
    is_late = fy.year + FIRST_YEAR >= ENERGY_SINCE
    columns = base_columns(world, fy) | {
        "revenue_wan_cny": revenue,
        "output_wan_cny": np.where(hidden, np.nan, output),
        "value_added_wan_cny": np.round(output * _share(rng, np.full(n, 0.22), 0.04), 2),
        "tax_wan_cny": np.round(output * _share(rng, np.full(n, 0.035), 0.01), 2),
        "staff_count": staff,
        "rd_wan_cny": np.round(revenue * _share(rng, 0.008 + 0.008 * fy.size, 0.006), 2),
        "tech_reform_wan_cny": np.round(revenue * _share(rng, np.full(n, 0.01), 0.01), 2),
        "energy_tce": np.where(is_late, energy, np.nan),
        "water_m3": np.where(is_late, np.rint(energy * 9), np.nan),
        "new_product_wan_cny": np.round(revenue * _share(rng, 0.1 + 0.05 * fy.size + 0.03 * fy.exposure), 2),
        "export_wan_cny": np.round(revenue * _share(rng, np.full(n, 0.12), 0.12), 2),
        "own_brand_wan_cny": np.round(revenue * _share(rng, 0.35 + 0.1 * fy.size + 0.05 * fy.exposure, 0.25), 2),
        "purchase_wan_cny": purchase,
        "local_purchase_wan_cny": np.round(purchase * _share(rng, 0.4 + 0.05 * fy.exposure, 0.2), 2),
        "equipment_wan_cny": equipment,
        "advanced_equipment_wan_cny": np.round(equipment * advanced, 2),
        "quality_loss_wan_cny": np.round(output * loss, 2),
    }
    return pd.DataFrame(columns | _volumes(rng, fy, output) | _inventions(rng, fy))


def _volumes(rng: np.random.Generator, fy: FirmYears, output: Floats) -> dict[str, Any]:
    """Return quantities in tonnes: total, by grade, differentiated, capacity."""
    volume = np.round(output / 1.1, 1)
    premium = _share(rng, 0.45 + 0.08 * fy.strength + 0.06 * fy.exposure, 0.1)
    first = _share(rng, 0.8 * (1 - premium), 0.02)
    capacity = np.round(volume * 1.25, 1)
    old = np.where(rng.random(len(volume)) < 0.08 * (1 - fy.year / N_YEARS), 0.2, 0.0)
    return {
        "volume_t": volume,
        "premium_grade_t": np.round(volume * premium, 1),
        "first_grade_t": np.round(volume * np.minimum(first, 1 - premium), 1),
        "differentiated_t": np.round(volume * _share(rng, 0.3 + 0.02 * fy.year, 0.15), 1),
        "capacity_t": capacity,
        "encouraged_capacity_t": np.round(capacity * _share(rng, np.full(len(volume), 0.5), 0.2), 1),
        "obsolete_capacity_t": np.round(capacity * old, 1),
        "first_pass_yield_share": _share(rng, 0.93 + 0.015 * fy.strength + 0.01 * fy.exposure, 0.02),
        "cpk_share": _share(rng, 0.5 + 0.1 * fy.strength + 0.1 * fy.exposure, 0.15),
    }


def _inventions(rng: np.random.Generator, fy: FirmYears) -> dict[str, Any]:
    patents = rng.poisson(0.15 + 1.2 * fy.size + 0.05 * fy.year)
    return {
        "patent_count": patents,
        "used_patent_count": rng.binomial(patents, 0.55),
        "standard_patent_count": rng.binomial(patents, 0.06 + 0.05 * fy.exposure),
        "is_high_tech": rng.random(len(patents)) < 0.03 + 0.17 * fy.size,
        "is_specialised": rng.random(len(patents)) < 0.02 + 0.07 * fy.size,
        "floor_area_mu": np.round(np.asarray((6.0, 45.0, 180.0))[fy.size] * rng.uniform(0.6, 1.5, len(patents)), 1),
    }


CHECKS = (
    ("is_licensed", (0.93, 0.99, 1.0), 0.05),
    ("has_incoming_inspection", (0.6, 0.9, 0.98), 0.22),
    ("has_process_inspection", (0.52, 0.88, 0.98), 0.26),
    ("has_final_inspection", (0.75, 0.96, 1.0), 0.15),
    ("has_traceability", (0.4, 0.8, 0.95), 0.3),
    ("has_corrective_action", (0.38, 0.8, 0.95), 0.3),
    ("has_own_lab", (0.3, 0.85, 1.0), 0.12),
    ("has_lab_contract", (0.25, 0.3, 0.3), 0.35),
    ("has_quality_head", (0.35, 0.85, 0.98), 0.25),
    ("has_standard_system", (0.4, 0.8, 0.95), 0.2),
    ("has_metrology_system", (0.35, 0.8, 0.95), 0.2),
    ("has_quality_system", (0.4, 0.85, 0.97), 0.2),
    ("is_surveyed", (0.5, 0.9, 0.95), 0.4),
    ("has_pledge", (0.3, 0.5, 0.6), 0.5),
    ("is_trained", (0.25, 0.5, 0.6), 0.45),
)


def build_firm_checks(world: World, fy: FirmYears) -> pd.DataFrame:
    """Build table firm_checks: the on-site checklist, once a year; one firm in ten was not reached."""
    rng = world.streams.rng("firm_checks")
    n = len(fy.firm)
    luck = world.streams.rng("firm_checks.firm").random(len(world.firms))[fy.firm]
    columns = base_columns(world, fy)
    for name, base, gain in CHECKS:
        chance = _by_size(base, fy.size) + gain * fy.exposure + 0.004 * fy.year
        columns[name] = 0.75 * luck + 0.25 * rng.random(n) < chance
    required = rng.integers(4, 30, n) * (1 + fy.size)
    columns["meters_required_count"] = required
    columns["meters_equipped_count"] = rng.binomial(required, np.clip(0.7 + 0.15 * fy.exposure, 0, 1))
    columns["meters_verified_count"] = rng.binomial(columns["meters_equipped_count"], 0.9)
    columns["cnas_item_count"] = rng.poisson(0.3 + 6.0 * (fy.size == 2))
    reached = rng.random(n) > 0.1
    return pd.DataFrame(columns)[reached].reset_index(drop=True)


def build_firm_products(world: World) -> pd.DataFrame:
    """Build table firm_products: what each firm makes, its share, and the standards behind it."""
    rng = world.streams.rng("firm_products")
    industries = read_industries()
    own = np.flatnonzero(lived_firms(world))
    cluster = world.firms.cluster[own]
    code = world.geo.industry_of[cluster]
    products = texts([p for i in industries for p in i["products"]]).reshape(len(industries), 2)
    main = world.firms.product[own]
    share = np.where(rng.random(len(own)) < 0.55, 100.0, np.round(rng.uniform(55, 95, len(own)), 1))
    ever = (world.plan.cohort[cluster] < NEVER) & world.firms.is_enrolled[own]
    parts = []
    for k, (place, part) in enumerate(((main, share), (1 - main, np.round(100 - share, 1)))):
        sold = part > 0
        flags = rng.random((3, len(own)))
        size = world.firms.size[own]
        parts.append(
            pd.DataFrame(
                {
                    "firm_id": firm_ids(world)[own],
                    "product_no": k + 1,
                    "product_name": products[code, place],
                    "output_share_pct": part,
                    "has_declared_standard": flags[0] < 0.7 + 0.1 * size + 0.12 * ever,
                    "has_international_standard": flags[1] < 0.06 + 0.2 * size + 0.08 * ever,
                    "has_alliance_standard": flags[2] < 0.55 * ever,
                }
            )[sold]
        )
    return pd.concat(parts).sort_values(["firm_id", "product_no"], kind="stable", ignore_index=True)


def build_certifications(world: World) -> pd.DataFrame:
    """Build table certifications: three-year certificates by scheme, with dates."""
    n = len(world.firms)
    lived = lived_firms(world)
    cluster = world.firms.cluster
    parts = []
    for scheme, shares in zip(SCHEMES, SCHEME_SHARES, strict=True):
        rng = world.streams.rng(f"certifications.{scheme}")
        early = rng.random(n) < _by_size(shares, world.firms.size)
        joined = world.firms.is_enrolled & (world.plan.cohort[cluster] < NEVER) & (rng.random(n) < 0.4) & ~early
        start = np.where(
            early, np.maximum(world.firms.entry, 0) + rng.integers(0, 12, n) - 8, world.plan.cohort[cluster] + 3
        )
        start = np.where(joined, start + rng.integers(0, 4, n), start)
        for lap in range(4):
            first = start + 12 * lap
            valid = lived & (early | joined) & (first < np.minimum(world.exit, N_QUARTERS)) & (first >= -8)
            valid &= rng.random(n) < (1.0 if lap == 0 else 0.85)
            parts.append(_certificates(world, scheme, lap, np.flatnonzero(valid), first))
    return pd.concat(parts, ignore_index=True)


def _certificates(world: World, scheme: str, lap: int, firm: Ints, first: Ints) -> pd.DataFrame:
    begin = QUARTER_STARTS[0] + (first[firm] * 91).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "certificate_no": [f"YZ-{scheme[:3].upper()}-{f:05d}-{lap + 1}" for f in firm.tolist()],
            "firm_id": firm_ids(world)[firm],
            "scheme": scheme,
            "valid_from_date": iso(begin),
            "valid_to_date": iso(begin + np.timedelta64(1094, "D")),
        }
    )
