"""Clusters and towns by hand: markets, prices, dates of documents, programme, platforms and bodies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.reference.by_hand_lake import Hand
from tests.reference.by_hand_shapes import (
    Value,
    as_series,
    mean,
    share,
    stock,
    sums_to_date,
    total,
)


# ------------------------------------------------------------------ town, market and nation
def quotient(h: Hand) -> pd.Series:
    mine = set(map(tuple, h.owner[["entity", "industry_code"]].to_numpy()))
    y = h.years[[pair in mine for pair in zip(h.years["entity"], h.years["industry_code"], strict=True)]]
    nation = h.market[h.market["area"] == "nation"]
    everything = h.lake["market"].query("area == 'nation'").groupby("year")["staff_count"].sum()
    at_home = total(y, "staff_count") / mean(h.town, "staff_count")
    away = total(nation, "staff_count")
    return (at_home / (away / everything.reindex(away.index.get_level_values(1).year).to_numpy())).dropna()


def krugman(h: Hand) -> pd.Series:
    m = (
        h.lake["market"]
        .query("area == 'nation'")
        .pivot_table(index="year", columns="industry_code", values="staff_count")
    )
    away = m.div(m.sum(axis=1), axis=0)
    own = (
        h.years.pivot_table(index=["entity", "period"], columns="industry_code", values="staff_count", aggfunc="sum")
        .reindex(columns=m.columns)
        .fillna(0)
    )
    own = own.div(own.sum(axis=1), axis=0)
    return (own - away.loc[own.index.get_level_values(1).year].to_numpy()).abs().sum(axis=1)


def peers_brand(h: Hand) -> pd.Series:
    d = mean(h.of_clusters("surveys"), "awareness_index").unstack("entity")
    return (
        pd.DataFrame({e: d[e] - d.drop(columns=e).median(axis=1) for e in d})
        .rename_axis(columns="entity")
        .stack()
        .swaplevel()
    )


def price(column: str) -> Value:
    def of(h: Hand) -> pd.Series:
        m = h.lake["macro"]
        v = m.groupby(h.label(pd.PeriodIndex(m["quarter"], freq="Q").start_time))[column].mean()
        return pd.Series(v.reindex(h.everywhere().get_level_values(1)).to_numpy(), index=h.everywhere())

    return of


# ------------------------------------------------------------------ dates of documents
def strategy(name: str | None) -> Value:
    def of(h: Hand) -> pd.Series:
        s = h.lake["strategies"]
        towns = h.owner[["entity", "town_code"]].drop_duplicates()
        if h.entity == "town_code":
            towns = h.lake["towns"][["town_code"]].drop_duplicates().assign(entity=lambda d: d["town_code"])
        found = {}
        for e, t in zip(towns["entity"], towns["town_code"], strict=True):
            here = s[s["town_code"] == t]
            here = here if name is None else here[here["strategy"] == name]
            weight = here["intensity_index"].to_numpy() / 3 if name is None else np.ones(len(here))
            days = here["adopt_date"].to_numpy()
            for p in h.periods:
                total = weight[days <= p.end_time.to_datetime64()].sum()
                found[e, p] = total if name is None else min(total, 1)  # both towns of a merger may have adopted it
        return as_series(found)

    return of


def starts(h: Hand) -> pd.DataFrame:
    s = h.lake["spells"]
    s = s[s["policy_id"].isin(h.lake["targets"]["policy_id"])]
    first = pd.Series(pd.PeriodIndex(s["start_quarter"], freq="Q"), index=s["entity_id"]).groupby(level=0).min()
    return h.owner.assign(start=h.owner["cluster_id"].map(first))


def event_time(h: Hand) -> pd.Series:
    start = starts(h).groupby("entity")["start"].min().dropna()
    return as_series(
        {(e, p): float((pd.Period(p.end_time, freq="Q") - q).n) for e, q in start.items() for p in h.periods}
    )


def chosen_fibre(h: Hand) -> pd.Series:
    d = starts(h)
    d = d[d["start"].notna() & d["industry_code"].str.startswith("28")].groupby("entity")["start"].min()
    return pd.Series(
        [float(e in d.index and d[e].start_time <= p.end_time) for e, p in h.everywhere()], index=h.everywhere()
    )


def held_designation(h: Hand) -> pd.Series:
    d = h.of_clusters("designations")
    return sums_to_date(h, d[d["title"] == "demonstration_zone"], "grant_date", len).clip(upper=1)


def best_score(h: Hand) -> pd.Series:
    return sums_to_date(h, h.of_clusters("designations"), "grant_date", lambda g: g["score"].max()).dropna()


# ------------------------------------------------------------------ programme, platforms, bodies
def enrolled(h: Hand) -> pd.Series:
    w = h.works[h.works["quarter"] == h.works.groupby(["entity", "period"])["quarter"].transform("max")]
    return share(w, w["enrolled_firm_count"], w["eligible_firm_count"])


def flag(column: str) -> Value:
    return lambda h: h.of_clusters("instruments").groupby(["entity", "period"])[column].max().astype(float)


def highest(column: str) -> Value:
    return lambda h: h.works.groupby(["entity", "period"])[column].max().astype(float)


def fee_cut(h: Hand) -> pd.Series:
    return share(
        h.services,
        h.services["fee_cut_pct"] * h.services["firm_served_count"],
        h.services["firm_served_count"],
        scale=1,
    )


def commissioned(h: Hand) -> pd.Series:
    return total(
        h.services.assign(x=h.services["incoming_test_count"] + h.services["outgoing_test_count"]), "x"
    ).astype(float)


def per_ten_thousand(h: Hand) -> pd.Series:
    open_now = stock("platforms", "open_date", lambda d: d["kind"].notna())(h)
    return (10_000 * open_now / h.at_end.groupby(["entity", "period"]).size()).dropna()


def members(h: Hand) -> pd.Series:
    d = h.of_clusters("organisations")
    m = sums_to_date(h, d[d["kind"] == "association"], "found_date", lambda g: g["member_count"].sum())
    return (100 * m / h.at_end.groupby(["entity", "period"]).size()).dropna()


def body(*kinds: str, levels: tuple[str, ...] = ()) -> Value:
    return stock(
        "organisations", "found_date", lambda d: d["kind"].isin(kinds) & (d["level"].isin(levels) if levels else True)
    )


def invested_high_tech(h: Hand) -> pd.Series:
    d = h.of_clusters("projects")
    d = d[d["kind"] == "major"]
    d = d.assign(period=h.label(d["file_date"]))
    return share(d, d["invest_wan_cny"].where(d["is_high_tech"].astype(bool), 0.0), d["invest_wan_cny"])
