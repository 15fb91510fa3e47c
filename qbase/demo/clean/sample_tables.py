"""Clean tables around the inspections: items with measured values, the frame, follow-up, notices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.demo.clean.core_tables import QUARTER_STARTS, RISKS, SIZES, cluster_ids, iso, quarter_codes, texts
from qbase.demo.clean.tightened_limits import is_between, is_tightened_product, tightened_by, tightened_distance
from qbase.demo.world.geography import Bools, Floats, Ints
from qbase.demo.world.outcome_model import ITEMS_AT_START, ITEMS_PER_YEAR
from qbase.demo.world.quarters import World
from qbase.demo.world.scenario import FIRST_YEAR, N_QUARTERS, STANDARD_QUARTER

# name, unit, decimals, lower limit, upper limit (in units of the last decimal), usual distance to a limit
ITEMS = (
    ("断裂强度", "cN/dtex", 2, 350, None, 45),
    ("断裂伸长率偏差", "pct", 1, -80, 80, 60),
    ("线密度偏差率", "pct", 1, -25, 25, 18),
    ("含水率", "pct", 2, None, 80, 35),
    ("甲醛含量", "mg/kg", 0, None, 75, 40),
    ("pH值", "", 1, 40, 90, 20),
    ("尺寸偏差", "mm", 2, -50, 50, 35),
    ("表面硬度", "HRC", 1, 280, 450, 60),
    ("重金属含量", "mg/kg", 0, None, 90, 50),
    ("标识完整项数", "count", 0, 8, None, 2),
)
ALSO_FAILED_SHARE = 0.62
_USUAL = np.array([i[5] for i in ITEMS])


def items_per_batch(world: World, rows: pd.DataFrame) -> Ints:
    """Return how many items each batch is tested for: 3 to 5, growing where the scenario says so."""
    rng = world.streams.rng("items.number")
    base = rng.integers(ITEMS_AT_START - 1, ITEMS_AT_START + 2, len(rows))
    if world.scenario.has_item_growth:
        base = base + np.rint(ITEMS_PER_YEAR * (rows["_quarter"].to_numpy() // 4)).astype(np.int64)
    return np.minimum(base, len(ITEMS))


def build_items(world: World, rows: pd.DataFrame) -> pd.DataFrame:
    """Build table items: every item of every batch, value and limits, failed ones beyond a limit.

    A batch fails exactly when one of its items does, so it can be judged again against other limits. From 2021Q1 the
    limits of two standards are tighter; what they fail and the old ones passed lies between the two.

    Parameters
    ----------
    world : World
        The province.
    rows : pandas.DataFrame
        Table inspections with its position columns.

    Returns
    -------
    pandas.DataFrame
        One row per batch and item, with value, limits and verdict.
    """
    rng = world.streams.rng("items")
    count = items_per_batch(world, rows)
    row = np.repeat(np.arange(len(rows)), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    shift = (world.geo.industry_of[rows["_cluster"]] * 3 + rows["_product"].to_numpy())[row]
    kind = (shift + place) % len(ITEMS)
    failed = (rows["result"] == "fail").to_numpy()[row]
    worst = rng.integers(0, 1_000_000, len(rows))[row] % count[row]
    is_bad = failed & ((place == worst) | (rng.random(len(row)) < ALSO_FAILED_SHARE))
    more = world.streams.rng("items.limits")
    between = is_between(world, rows, more)
    # one item of each such batch, and some others, lie between the limits of then and now
    is_caught = (place == worst) | (more.random(len(row)) < ALSO_FAILED_SHARE)
    gap = between[row] & np.where(failed, is_bad, is_caught)
    tight = is_tightened_product(world, rows)[row]
    value, lower, upper = _values(kind, is_bad, row, rng, tight, gap, more)
    is_new = tight & (rows["_quarter"].to_numpy()[row] >= STANDARD_QUARTER)
    moved = np.where(is_new, tightened_by(_USUAL[kind]), 0)
    lower, upper = lower + moved, upper - moved
    scale = 10.0 ** -np.array([i[2] for i in ITEMS])[kind]
    digits = np.array([i[2] for i in ITEMS])[kind]
    return pd.DataFrame(
        {
            "sample_no": texts(rows["sample_no"])[row],
            "item_no": place + 1,
            "item_name": texts([i[0] for i in ITEMS])[kind],
            "unit_code": texts([i[1] for i in ITEMS])[kind],
            "value": _decimals(value, scale, digits),
            "lower_limit": _decimals(lower, scale, digits),
            "upper_limit": _decimals(upper, scale, digits),
            "is_ok": ~is_bad,
        }
    )


def _values(
    kind: Ints, bad: Bools, row: Ints, rng: np.random.Generator, tight: Bools, gap: Bools, more: np.random.Generator
) -> tuple[Floats, ...]:
    """Return value, lower and upper limit of old in units of the last decimal (nan where there is no limit)."""
    low = np.array([np.nan if i[3] is None else i[3] for i in ITEMS])[kind]
    high = np.array([np.nan if i[4] is None else i[4] for i in ITEMS])[kind]
    usual = _USUAL[kind]
    at_low = np.where(np.isnan(high), True, np.where(np.isnan(low), False, rng.random(len(kind)) < 0.5))
    number = rng.random(len(kind)) + 0.3 * rng.random(int(row.max(initial=-1)) + 1)[row]
    inside = np.floor(np.minimum(usual, usual * number))
    inside = np.where(tight, tightened_distance(inside, usual, gap, more.random(len(kind))), inside)
    beyond = 1 + np.floor(usual * 0.4 * number * number)
    is_outside = bad & ~gap
    edge = np.where(at_low, low, high)
    sign = np.where(at_low, 1, -1) * np.where(is_outside, -1, 1)
    return edge + sign * np.where(is_outside, beyond, inside), low, high


def _decimals(value: Floats, scale: Floats, digits: Floats) -> Floats:
    out = value * scale
    for d in np.unique(digits):
        out[digits == d] = np.round(out[digits == d], d)
    return out


def build_frame(world: World) -> pd.DataFrame:
    """Build table frame: firms alive at the start of each quarter by risk class and size (of a year ago when stale)."""
    f, t = np.nonzero(world.is_alive)
    risk, size, cluster = world.risk[f, t], world.firms.size[f], world.firms.cluster[f]
    shape = (world.geo.n_clusters, N_QUARTERS, len(RISKS), len(SIZES))
    count = np.zeros(shape, dtype=np.int64)
    np.add.at(count, (cluster, t, risk, size), 1)
    if world.scenario.has_stale_frame:
        count = count[:, np.maximum(np.arange(N_QUARTERS) - 4, 0)]
    c, q, r, s = np.nonzero(count)
    return pd.DataFrame(
        {
            "cluster_id": cluster_ids(world)[c],
            "quarter": quarter_codes(q),
            "risk_class": texts(RISKS)[r],
            "size_class": texts(SIZES)[s],
            "n_firms": count[c, q, r, s],
        }
    )


def build_followup(world: World, rows: pd.DataFrame) -> pd.DataFrame:
    """Build table followup: what became of every failed first inspection.

    An order within 25 days, 60 days to put it right, a re-check at most 75 days after the order.
    """
    first = rows[(rows["result"] == "fail") & ~rows["is_recheck"]]
    again = rows[rows["is_recheck"]].set_index("parent_no")
    rng = world.streams.rng("followup")
    sampled = first["_day"].to_numpy().astype("datetime64[D]")
    checked = again["_day"].reindex(first["sample_no"]).to_numpy().astype("datetime64[D]")
    result = again["result"].reindex(first["sample_no"]).to_numpy()
    late = np.where(np.isnat(checked), np.timedelta64(0, "D"), checked - sampled - np.timedelta64(75, "D"))
    delay = np.maximum(rng.integers(15, 26, len(first)).astype("timedelta64[D]"), late)
    order = sampled + delay
    is_done = ~np.isnat(checked)
    shown = np.where(is_done, iso(np.where(is_done, checked, order)), "")
    return pd.DataFrame(
        {
            "sample_no": texts(first["sample_no"]),
            "order_date": iso(order),
            "due_date": iso(order + np.timedelta64(60, "D")),
            "recheck_date": texts(shown),
            "outcome": np.where(is_done, np.where(result == "pass", "rectified", "failed_again"), "open"),
        }
    )


def build_notices(world: World, rows: pd.DataFrame) -> pd.DataFrame:
    """Build table notices: headline counts of first inspections per notice, and when it appeared."""
    first = rows[~rows["is_recheck"]]
    grouped = first.groupby("notice_no", sort=True)
    codes = [str(number)[4:10] for number in grouped.groups]
    quarter = np.array([4 * (int(c[:4]) - FIRST_YEAR) + int(c[-1]) - 1 for c in codes])
    published = QUARTER_STARTS[quarter + 1] + np.timedelta64(24, "D")
    return pd.DataFrame(
        {
            "notice_no": texts(list(grouped.groups)),
            "level": texts(grouped["level"].first()),
            "quarter": texts(codes),
            "publish_date": iso(published),
            "batch_count": grouped.size().to_numpy(),
            "failed_count": grouped["result"].agg(lambda r: int((r == "fail").sum())).to_numpy(),
        }
    )
