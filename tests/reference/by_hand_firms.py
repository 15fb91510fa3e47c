"""Firms by hand: their reports, certificates, brands, deals, products and places."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.reference.by_hand_lake import Hand
from tests.reference.by_hand_shapes import (
    SME,
    Value,
    as_series,
    share,
)

TIER_WEIGHT = {
    "china_famous": 5,
    "well_known_mark": 5,
    "province_famous": 3,
    "province_mark": 3,
    "province_credit": 2,
    "export_famous": 2,
    "known_mark": 1,
}


def certified_output(h: Hand) -> pd.Series:
    c = h.lake["certifications"]
    c = c[c["scheme"] == "qms"]
    days = {y: pd.Timestamp(y, 12, 31) for y in h.years["year"].unique()}
    valid = {
        (f, y)
        for y, day in days.items()
        for f in c.loc[(c["valid_from_date"] <= day) & (c["valid_to_date"] >= day), "firm_id"]
    }
    has = np.array([pair in valid for pair in zip(h.years["firm_id"], h.years["year"], strict=True)])
    return share(h.years, has * h.years["output"], h.years["output"])


def largest_four(h: Hand) -> pd.Series:
    return h.years.groupby(["entity", "period"])["output"].apply(lambda x: 100 * x.nlargest(4).sum() / x.sum())


def herfindahl(h: Hand) -> pd.Series:
    return h.years.groupby(["entity", "period"])["output"].apply(lambda x: 10_000 * ((x / x.sum()) ** 2).sum())


def local_of_leads(h: Hand) -> pd.Series:
    return share(d := h.years[h.years["is_lead"]], d["local_purchase_wan_cny"], d["purchase_wan_cny"])


def unpunished(h: Hand) -> pd.Series:
    e = h.lake["credit_events"]
    e = e[e["kind"].isin(["penalty", "administrative_penalty"])]
    hit = set(zip(e["firm_id"], h.label(e["event_date"]), strict=True))
    return share(h.alive, [pair not in hit for pair in zip(h.alive["firm_id"], h.alive["period"], strict=True)])


def in_park(h: Hand) -> pd.Series:
    return share(d := h.at_end[h.at_end["is_in_park"].notna()], d["is_in_park"])


def output_in_park(h: Hand) -> pd.Series:
    d = h.years[h.years["is_in_park"].notna()]
    return share(d, d["output"].where(d["is_in_park"].astype(bool), 0.0), d["output"])


def removed(h: Hand) -> pd.DataFrame:
    y = h.lake["firm_year"].set_index(["firm_id", "year"])["obsolete_capacity_t"]
    d = h.of_firms("firm_year")
    d = d[d["year"] < d["year"].max()]
    after = y.reindex(pd.MultiIndex.from_arrays([d["firm_id"], d["year"] + 1])).fillna(0).to_numpy()
    return h.yearly(d.assign(gone=(d["obsolete_capacity_t"] - after).clip(lower=0), year=d["year"] + 1))


def energy_per_output(h: Hand) -> pd.Series:
    d = h.years[h.years["energy_tce"].notna()]
    return share(d, d["energy_tce"], d["output"], scale=1)


def graded(h: Hand) -> pd.DataFrame:
    g = h.yearly(h.of_firms("credit_grades"))
    before = h.lake["credit_grades"].set_index(["firm_id", "scheme", "year"])["grade"]
    return g.assign(
        before=before.reindex(pd.MultiIndex.from_arrays([g["firm_id"], g["scheme"], g["year"] - 1])).to_numpy()
    )


def regraded(is_up: bool) -> Value:
    def of(h: Hand) -> pd.Series:
        g = graded(h)
        g = g[g["before"].notna()]
        return share(g, (g["grade"] < g["before"]) if is_up else (g["grade"] > g["before"]))

    return of


def brands(h: Hand) -> pd.DataFrame:
    """One row per valid brand on the last day of each period, weighted."""
    b = h.of_firms("brands")
    b = b.assign(exit=b["firm_id"].map(h.firms.set_index("firm_id")["exit"]))
    parts = [
        b[
            (b["exit"] > p.end_time)
            & (b["valid_from_date"] <= p.end_time)
            & (b["valid_to_date"] >= p.end_time.normalize())
        ].assign(period=p)
        for p in h.periods
    ]
    d = pd.concat(parts)
    return d.assign(one=1.0, weight=d["tier"].map(TIER_WEIGHT).astype(float))


def over_live(values: pd.Series, h: Hand) -> pd.Series:
    """Zero for an entity that has firms in the period and nothing to count."""
    every = pd.MultiIndex.from_frame(h.alive[["entity", "period"]].drop_duplicates())
    return values.reindex(every, fill_value=0.0)


def deals(h: Hand) -> pd.DataFrame:
    e = h.of_firms("firm_events")
    e = e[e["kind"].isin(["merged", "joint_venture"])]
    held = h.lake["brands"]
    is_brand = [
        ((held["firm_id"] == f) & (held["valid_from_date"] <= d) & (held["valid_to_date"] >= d)).any()
        for f, d in zip(e["firm_id"], e["event_date"], strict=True)
    ]
    return e.assign(period=h.label(e["event_date"]), is_brand=is_brand, one=1.0)


def licensed(h: Hand) -> pd.Series:
    start = h.lake["brand_licences"].groupby("firm_id")["start_date"].min()
    d = h.at_end[h.at_end["size_class"].isin(SME)]
    return share(d, d["firm_id"].map(start).to_numpy() <= d["period"].dt.end_time.to_numpy())


def product_output(h: Hand) -> pd.DataFrame:
    d = h.years.merge(h.products, on="firm_id")
    return d.assign(part=d["output"] * d["output_share_pct"] / 100)


def variety(h: Hand) -> pd.Series:
    x = product_output(h).groupby(["entity", "period", "product_name"])["part"].sum()
    s = x[x > 0] / x.groupby(level=[0, 1]).transform("sum")
    return np.exp(-(s * np.log(s)).groupby(level=[0, 1]).sum())


def overlap(h: Hand) -> pd.Series:
    wide = h.products.pivot_table(
        index="firm_id", columns="product_name", values="output_share_pct", aggfunc="sum", fill_value=0
    )
    found = {}
    for key, group in h.at_end.groupby(["entity", "period"]):
        x = wide.loc[wide.index.intersection(group["firm_id"])].to_numpy()
        if len(x) > 1:
            x = x / np.linalg.norm(x, axis=1, keepdims=True)
            found[key] = (x @ x.T)[np.triu_indices(len(x), 1)].mean()
    return as_series(found)


def adopted(h: Hand) -> pd.Series:
    d = h.at_end[["entity", "period", "firm_id"]].merge(h.products, on="firm_id")
    return share(d, d["has_international_standard"])


def nearest(h: Hand) -> pd.Series:
    """Clark and Evans: mean distance to the nearest neighbour over 1 / (2 sqrt(density)), density in the hull."""
    found = {}
    for key, g in h.at_end.dropna(subset=["longitude", "latitude"]).groupby(["entity", "period"]):
        if len(g) < 5:
            continue
        km = 2 * np.pi * 6371.0 / 360
        x = g["longitude"].to_numpy() * km * np.cos(np.radians(g["latitude"].mean()))
        y = g["latitude"].to_numpy() * km
        far = np.hypot(x[:, None] - x, y[:, None] - y) + np.diag(np.full(len(g), np.inf))
        found[key] = far.min(axis=1).mean() / (0.5 * np.sqrt(hull_area(x, y) / len(g)))
    return as_series(found)


def hull_area(x: np.ndarray, y: np.ndarray) -> float:
    """Andrew's monotone chain and the shoelace formula."""
    points = sorted(set(zip(x, y, strict=True)))

    def half(ordered: list) -> list:
        chain: list = []
        for p in ordered:
            while len(chain) > 1 and (chain[-1][0] - chain[-2][0]) * (p[1] - chain[-2][1]) <= (
                chain[-1][1] - chain[-2][1]
            ) * (p[0] - chain[-2][0]):
                chain.pop()
            chain.append(p)
        return chain[:-1]

    hull = np.array(half(points) + half(points[::-1]))
    a, b = hull[:, 0], hull[:, 1]
    return float(abs(np.dot(a, np.roll(b, -1)) - np.dot(b, np.roll(a, -1))) / 2)
