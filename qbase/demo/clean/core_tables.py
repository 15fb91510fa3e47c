"""Clean tables of places, firms and inspections; an empty text means an empty cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qbase.demo.world.draws import MILLION
from qbase.demo.world.firm_naming import build_codes, build_names
from qbase.demo.world.firm_population import NEVER
from qbase.demo.world.geography import Bools, Ints, read_industries
from qbase.demo.world.quarters import TYPES, World
from qbase.demo.world.scenario import (
    ALLIANCE_DELAY,
    FIRST_YEAR,
    LAST_DAY,
    N_QUARTERS,
    N_YEARS,
    RENAME_HAZARD,
    STANDARD_QUARTER,
    quarter_code,
)

SIZES = ("small", "medium", "large")
LEVELS = ("national", "province", "city", "county")
RISKS = ("A", "B", "C", "D")
OPEN_SEA = (125.0, 30.0)
BRAND_TIERS = ("national", "province", "city", "")
LABS = ("甲", "乙", "丙", "丁", "戊", "己", "庚", "辛")
OWNERSHIP = ("private", "hmt", "foreign", "collective", "state")
QUARTER_STARTS = np.array(
    [f"{FIRST_YEAR + t // 4}-{3 * (t % 4) + 1:02d}-01" for t in range(N_QUARTERS + 8)], dtype="datetime64[D]"
)
RECHECKED_SHARE, RECHECK_GAIN, RECHECK_MAX = 0.95, 0.25, 0.98

Texts = npt.NDArray[Any]


def texts(values: Any) -> Texts:
    """Return an object array of texts."""
    return np.asarray(values, dtype=object)


def iso(days: npt.NDArray[Any]) -> Texts:
    """Return dates as ISO texts."""
    return texts(np.datetime_as_string(days, unit="D"))


def quarter_codes(t: Ints) -> Texts:
    """Return quarters as ``2022Q3``; empty beyond the last."""
    codes = texts([quarter_code(k) for k in range(N_QUARTERS)] + [""])
    return codes[np.minimum(t, N_QUARTERS)]


def _part(world: World) -> str:
    """Return what sets the ids of one province of the nation apart; empty for 云泽省 alone."""
    return f"{world.geo.part:02d}" if world.geo.part else ""


def cluster_ids(world: World) -> Texts:
    """Return ids of the clusters, ``K001`` and so on."""
    return texts([f"{_part(world)}K{k + 1:03d}" for k in range(world.geo.n_clusters)])


def firm_ids(world: World) -> Texts:
    """Return ids of the firms, ``F00001`` and so on."""
    return texts([f"{_part(world)}F{k + 1:05d}" for k in range(len(world.firms))])


def lived_firms(world: World) -> Bools:
    """Return which firms were ever in business; heirs of a merger that never came about were not."""
    return np.asarray(world.is_alive.any(1))


def document_dates(start: Ints) -> Texts:
    """Return the date of the document: the tenth of the quarter's second month."""
    first = QUARTER_STARTS[np.minimum(start, N_QUARTERS)].astype("datetime64[M]")
    return iso((first + 1).astype("datetime64[D]") + 9)


def build_clusters(world: World) -> pd.DataFrame:
    """Build table clusters; adoption dates are fictional."""
    geo = world.geo
    start = world.plan.cohort
    adopted = start < NEVER
    towns, industries = geo.towns.iloc[geo.town_of], read_industries()
    kinds = [industries[k] for k in geo.industry_of]
    return pd.DataFrame(
        {
            "cluster_id": cluster_ids(world),
            "town_code": texts(towns["town_code"]),
            "industry_code": [k["code"] for k in kinds],
            "cluster_name": [t + k["short"] + "产业集群" for t, k in zip(towns["town_name"], kinds, strict=True)],
            "cluster_name_en": [
                f"{geo.town_names_en[t]} {k['en'].lower()} cluster" for t, k in zip(geo.town_of, kinds, strict=True)
            ],
            "adopt_date": np.where(adopted, document_dates(start), ""),
            "cohort_code": quarter_codes(start),
        }
    )


def build_firms_table(world: World) -> pd.DataFrame:
    """Build table firms: the latest name, size, place and fate of every firm ever alive."""
    geo, firms = world.geo, world.firms
    rng = world.streams.rng("firms.table")
    lived = lived_firms(world)
    n, ids = len(firms), firm_ids(world)
    heirs = np.flatnonzero(firms.predecessor >= 0)
    successor = texts([""] * n)
    heirs = heirs[lived[heirs]]
    successor[firms.predecessor[heirs]] = ids[heirs]
    town_codes = texts(geo.towns["town_code"])
    n_towns = len(town_codes)
    revenue_rank = pd.Series(firms.beta + rng.normal(0, 0.3, n)).where(lived & (world.exit >= N_QUARTERS), -99.0)
    rank = revenue_rank.groupby(firms.cluster).rank(ascending=False, method="first").to_numpy()
    centre = rng.uniform(0.05, 0.95, (n_towns, 2))[geo.town_of[firms.cluster]]
    place = np.round(np.array(OPEN_SEA) + centre + rng.normal(0, 0.012, (n, 2)), 4)
    is_large = firms.size > 0
    table = pd.DataFrame(
        {
            "firm_id": ids,
            "uscc": build_codes(geo, firms.cluster, world.streams),
            "firm_name": build_names(geo, firms.cluster, firms.size, world.streams),
            "cluster_id": cluster_ids(world)[firms.cluster],
            "town_code": town_codes[geo.town_of[firms.cluster]],
            "industry_code": texts([i["code"] for i in read_industries()])[geo.industry_of[firms.cluster]],
            "entry_quarter": quarter_codes(firms.entry),
            "exit_quarter": quarter_codes(world.exit),
            "ownership": texts(OWNERSHIP)[np.digitize(rng.random(n), (0.86, 0.91, 0.95, 0.98))],
            "is_above_scale": is_large | (rng.random(n) < 0.08),
            "size_class": texts(SIZES)[firms.size],
            "is_lead": rank <= 3,
            "brand_tier": texts(BRAND_TIERS)[np.digitize(rng.random(n) - 0.2 * is_large, (-0.1, 0.02, 0.1))],
            "is_in_park": rng.random(n) < 0.35 + 0.25 * is_large,
            "longitude": place[:, 0],
            "latitude": place[:, 1],
            "successor_id": successor,
        }
    )
    return table.loc[lived].reset_index(drop=True)


def build_firm_names(world: World, firms: pd.DataFrame) -> pd.DataFrame:
    """Build table firm_names: names over time; the last one is open and stands in table firms.

    A change of name keeps the code; a merger does not, it makes a new firm.
    """
    rng = world.streams.rng("renames.when")
    lived = lived_firms(world)
    older = build_names(world.geo, world.firms.cluster, world.firms.size, world.streams, stream="renames")
    born, gone = world.firms.entry, np.minimum(world.exit, N_QUARTERS)
    when = born + rng.geometric(RENAME_HAZARD / 4, len(born))
    day = rng.integers(0, 85, len(born))
    changed = lived & (when < gone)
    start = iso(QUARTER_STARTS[np.minimum(born, N_QUARTERS)])
    change = QUARTER_STARTS[np.minimum(when, N_QUARTERS)] + day.astype("timedelta64[D]")
    ids = firm_ids(world)
    latest = pd.DataFrame(
        {
            "firm_id": texts(firms["firm_id"]),
            "firm_name": texts(firms["firm_name"]),
            "valid_from_date": np.where(changed, iso(change), start)[lived],
            "valid_to_date": "",
        }
    )
    former = pd.DataFrame(
        {
            "firm_id": ids[changed],
            "firm_name": texts(older)[changed],
            "valid_from_date": start[changed],
            "valid_to_date": iso(change - np.timedelta64(1, "D"))[changed],
        }
    )
    both = pd.concat([former, latest], ignore_index=True)
    return both.sort_values(["firm_id", "valid_from_date"], kind="stable", ignore_index=True)


def first_inspections(world: World) -> pd.DataFrame:
    """Build the first inspections with positions beside texts: the base of several tables.

    Columns beginning with ``_`` are positions and latent numbers; `public` removes them.
    """
    rng = world.streams.rng("inspections")
    n = len(world.firm)
    cluster, product = world.firms.cluster[world.firm], world.firms.product[world.firm]
    day = QUARTER_STARTS[world.quarter] + rng.integers(0, 88, n).astype("timedelta64[D]")
    level = _levels(world, cluster, product)
    complaint = world.kind == TYPES.index("complaint")
    appealed = rng.random(n)
    appeal = np.where(
        world.passed, np.where(appealed < 0.003, "overturned", ""), np.where(appealed < 0.06, "upheld", "")
    )
    inspector = (cluster % 12) * 4 + rng.integers(0, 4, n)
    return pd.DataFrame(
        {
            "_row": np.arange(n),
            "_firm": world.firm,
            "_quarter": world.quarter,
            "_day": day,
            "_product": product,
            "_cluster": cluster,
            "_chance": world.chance,
            "_level": level,
            "_is_lost": world.is_lost,
            "domain": np.where(rng.random(n) < np.where(complaint, 0.8, 0.15), "circulation", "production"),
            "sample_type": texts(TYPES)[world.kind],
            "role": np.where(rng.random(n) < 0.06, "commissioner", "producer"),
            "lab": world.lab,
            "result": np.where(world.passed, "pass", "fail"),
            "appeal_result": texts(appeal),
            "risk_class": texts(RISKS)[world.risk[world.firm, world.quarter]],
            "inspector_code": texts([f"Y{k + 1:03d}" for k in range(48)])[inspector],
            "size_class": texts(SIZES)[world.firms.size[world.firm]],
        }
    )


def _levels(world: World, cluster: Ints, product: Ints) -> Ints:
    """Give each product and year one level, so that no product is drawn at two."""
    if world.scenario.has_level_split:
        return np.where(product == 1, 1, np.where(cluster % 2, 2, 3))
    rng = world.streams.rng("levels")
    n = len(read_industries())
    grid = np.digitize(rng.random((n, 2, N_YEARS)), (0.05, 0.30, 0.60))
    levels: Ints = grid[world.geo.industry_of[cluster], product, world.quarter // 4]
    return levels


def rechecks(world: World, first: pd.DataFrame) -> pd.DataFrame:
    """Build the re-checks: one for nearly every failure, 45 to 120 days later, never before the last day ends."""
    rng = world.streams.rng("rechecks")
    n = len(first)
    done = rng.random(n) < RECHECKED_SHARE
    delay = rng.integers(45, 121, n)
    chance = np.minimum(RECHECK_MAX, first["_chance"].to_numpy() + RECHECK_GAIN)
    passed = rng.integers(0, MILLION, n) < np.rint(chance * MILLION)
    again = first.copy()
    again["_day"] = first["_day"] + pd.to_timedelta(delay, unit="D")
    again["result"] = np.where(passed, "pass", "fail")
    again["appeal_result"] = ""
    again["sample_type"] = first["sample_type"]
    again = again[(first["result"] == "fail") & done & (again["_day"] <= pd.Timestamp(LAST_DAY))]
    return again.reset_index(drop=True)


def build_inspections(world: World, first: pd.DataFrame, again: pd.DataFrame, firms: pd.DataFrame) -> pd.DataFrame:
    """Build table inspections (with position columns): first inspections, then re-checks."""
    both = pd.concat([first, again], ignore_index=True)
    is_recheck = np.arange(len(both)) >= len(first)
    quarter = both["_day"].dt.year * 4 + (both["_day"].dt.month - 1) // 3 - 4 * FIRST_YEAR
    counted = both.groupby([quarter, both["_level"]], sort=False).cumcount() + 1
    level = both["_level"].to_numpy()
    codes = quarter_codes(quarter.to_numpy())
    letter = texts(["G", "S", "D", "X"])[level]
    number = "YZ" + _part(world) + codes + letter + counted.astype(str).str.zfill(4)
    by_id = firms.set_index("firm_id")
    own = by_id.loc[firm_ids(world)[both["_firm"]]]
    industries = read_industries()
    products = texts([p for i in industries for p in i["products"]])
    code = world.geo.industry_of[both["_cluster"]] * 2 + both["_product"].to_numpy()
    parent = np.where(is_recheck, texts(number)[both["_row"]], "")
    table = both.assign(
        sample_no=texts(number),
        notice_no=_notices(both, world.scenario.has_late_failures) + "-" + letter,
        level=texts(LEVELS)[level],
        sample_date=iso(both["_day"].to_numpy().astype("datetime64[D]")),
        uscc=texts(own["uscc"]),
        firm_name=texts(own["firm_name"]),
        town_code=texts(own["town_code"]),
        product_name=products[code],
        std_no=_standards(world, code, both["_quarter"].to_numpy(), both["_cluster"].to_numpy()),
        lab_name=texts([f"云泽省质检{x}所" for x in LABS])[both["lab"]],
        is_recheck=is_recheck,
        parent_no=texts(parent),
    )
    return table[~table["_is_lost"]].reset_index(drop=True)


def _notices(rows: pd.DataFrame, is_late: bool) -> Texts:
    """Return the stem of each batch's notice; where failures mature late theirs is the next quarter's."""
    quarter = rows["_quarter"].to_numpy() + ((rows["result"] == "fail").to_numpy() if is_late else 0)
    stems = texts([f"云市监抽{quarter_code(k)}" for k in range(N_QUARTERS + 1)])
    return texts(stems[quarter])


def _standards(world: World, code: Ints, quarter: Ints, cluster: Ints) -> Texts:
    """Return the standard in force: revised in 2021Q1 for two, the alliance's own where there is one."""
    industries = read_industries()
    base = texts([s for i in industries for s in i["standards"]])[code]
    changed = np.array([bool(i["is_changed"]) and k == 0 for i in industries for k in range(2)])[code]
    year = np.where(changed & (quarter >= STANDARD_QUARTER), "—2020", "—2014")
    number = texts(base) + texts(year)
    if world.scenario.has_alliance_standard:
        start = world.plan.cohort[cluster] + ALLIANCE_DELAY
        number = np.where(quarter >= start, texts([f"T/YZ {k + 1:03d}—2021" for k in cluster.tolist()]), number)
    return texts(number)


INSPECTION_COLUMNS = [
    "sample_no", "notice_no", "level", "sample_date", "domain", "sample_type", "uscc", "firm_name", "role", "town_code",
    "product_name", "std_no", "lab_name", "result", "is_recheck", "parent_no", "appeal_result", "risk_class",
    "inspector_code", "size_class",
]  # fmt: skip


def print_names(inspections: pd.DataFrame, names: pd.DataFrame, ids: Texts) -> Texts:
    """Return the name each firm bore on the day of the sample."""
    former = names[names["valid_to_date"] != ""].drop_duplicates("firm_id").set_index("firm_id")
    firm = pd.Index(ids[inspections["_firm"]])
    old = former.reindex(firm)
    still = (texts(inspections["sample_date"]) <= texts(old["valid_to_date"].fillna(""))).astype(bool)
    return texts(np.where(still, texts(old["firm_name"]), texts(inspections["firm_name"])))
