"""Shapes of a definition: shares, sums, stocks, flows, and what several indicators have in common."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from tests.reference.by_hand_lake import Hand

SME = ("medium", "small", "micro")
Value = Callable[[Hand], pd.Series]


def as_series(found: dict) -> pd.Series:
    return pd.Series(found, dtype=float).rename_axis(["entity", "period"])


def share(
    d: pd.DataFrame, top: pd.Series | np.ndarray, bottom: pd.Series | None = None, *, scale: float = 100.0
) -> pd.Series:
    """Sum of ``top`` over sum of ``bottom`` (rows, where none is given); nothing over nothing is no value."""
    d = d.assign(top=np.asarray(top, dtype=float), bottom=1.0 if bottom is None else np.asarray(bottom, dtype=float))
    s = d.groupby(["entity", "period"])[["top", "bottom"]].sum(min_count=1)
    return (scale * s["top"] / s["bottom"])[s["bottom"] > 0]


def total(d: pd.DataFrame, column: str, scale: float = 1.0) -> pd.Series:
    return scale * d.groupby(["entity", "period"])[column].sum(min_count=1)


def mean(d: pd.DataFrame, column: str) -> pd.Series:
    return d.groupby(["entity", "period"])[column].mean()


def passed(chosen: Callable[[pd.DataFrame], pd.Series]) -> Value:
    return lambda h: share(d := h.first[chosen(h.first).astype(bool)], d["ok"])


def checked(*columns: str, among: str | None = None) -> Value:
    def of(h: Hand) -> pd.Series:
        d = h.checks if among is None else h.checks[h.checks[among].astype(bool)]
        return share(d, d[list(columns)].astype(bool).all(axis=1))

    return of


def per(top: str, bottom: str, *, scale: float = 100.0) -> Value:
    """A ratio of two columns of the yearly reports of firms."""
    return lambda h: share(h.years, h.years[top], h.years[bottom], scale=scale)


def reported(top: str, bottom: str, *, scale: float) -> Value:
    """The same over the firms that report both."""
    return lambda h: share(d := h.years[h.years[top].notna() & h.years[bottom].notna()], d[top], d[bottom], scale=scale)


def act(column: str) -> Value:
    return lambda h: total(h.works, column).astype(float)


def acts(top: str, bottom: str) -> Value:
    return lambda h: share(h.works, h.works[top], h.works[bottom])


def service(top: str, bottom: str | None = None) -> Value:
    return lambda h: (
        total(h.services, top).astype(float)
        if bottom is None
        else share(h.services, h.services[top], h.services[bottom])
    )


def per_firm(column: str, scale: float = 1.0) -> Value:
    def of(h: Hand) -> pd.Series:
        return (scale * total(h.works, column) / h.alive.groupby(["entity", "period"]).size()).dropna()

    return of


def poll(column: str) -> Value:
    return lambda h: mean(h.of_clusters("surveys"), column)


def of_town(column: str) -> Value:
    return lambda h: mean(h.town, column)


def certified(scheme: str, sme_only: bool = False) -> Value:
    def of(h: Hand) -> pd.Series:
        c = h.lake["certifications"]
        c = c[c["scheme"] == scheme]
        d = h.at_end[h.at_end["size_class"].isin(SME)] if sme_only else h.at_end
        valid = set()
        for p in h.periods:
            day = p.end_time.normalize()
            valid |= {(f, p) for f in c.loc[(c["valid_from_date"] <= day) & (c["valid_to_date"] >= day), "firm_id"]}
        return share(d, [pair in valid for pair in zip(d["firm_id"], d["period"], strict=True)])

    return of


def sums_to_date(h: Hand, d: pd.DataFrame, date: str, of: Callable[[pd.DataFrame], float]) -> pd.Series:
    """A function of the rows of each entity dated up to the end of each period."""
    found = {}
    for e in h.owner["entity"].unique():
        mine = d[d["entity"] == e]
        days = mine[date].sort_values().to_numpy()
        mine = mine.sort_values(date)
        for p in h.periods:
            found[e, p] = of(mine.iloc[: np.searchsorted(days, p.end_time.to_datetime64(), side="right")])
    return as_series(found)


def stock(table: str, date: str, chosen: Callable[[pd.DataFrame], pd.Series]) -> Value:
    """Rows of the clusters dated up to the end of each period."""

    def of(h: Hand) -> pd.Series:
        d = h.of_clusters(table)
        return sums_to_date(h, d[chosen(d)], date, len)

    return of


def flow(
    table: str, date: str, chosen: Callable[[pd.DataFrame], pd.Series], column: str | None = None, scale: float = 1.0
) -> Value:
    """Rows dated inside the period, or a sum over them."""

    def of(h: Hand) -> pd.Series:
        d = h.of_clusters(table)
        d = d[chosen(d)]
        d = d.assign(period=h.label(d[date]), x=1.0 if column is None else scale * d[column])
        return d.groupby(["entity", "period"])["x"].sum().reindex(h.everywhere(), fill_value=0.0)

    return of


def directory(has: Callable[[pd.DataFrame], pd.Series], lead_only: bool = False) -> Value:
    """Firms by what their products have; the directory carries no date: it is read for firms at the period's end."""

    def of(h: Hand) -> pd.Series:
        d = h.at_end[h.at_end["is_lead"]] if lead_only else h.at_end
        found = d["firm_id"].map(has(h.products))
        return share(d[found.notna()], found.dropna().astype(bool))

    return of


def ranks(values: pd.Series) -> pd.Series:
    return values.groupby(level="period").rank(ascending=False, method="min")


def growth(yearly: pd.Series) -> pd.Series:
    wide = yearly.unstack("period")
    before = wide.shift(1, axis=1)
    return (100 * (wide / before - 1)).where(before > 0).stack().dropna()


def of_market(top: str, area: str, bottom: str) -> Value:
    """What the firms of the entity's industries add up to, of the area's total in the same industries."""

    def of(h: Hand) -> pd.Series:
        mine = set(map(tuple, h.owner[["entity", "industry_code"]].to_numpy()))
        y = h.years[[pair in mine for pair in zip(h.years["entity"], h.years["industry_code"], strict=True)]]
        m = h.market[h.market["area"] == area]
        return (100 * total(y, top) / total(m, bottom)).dropna()

    return of


def pillar(own: str, town: str) -> Value:
    return lambda h: (100 * total(h.years, own) / mean(h.town, town)).dropna()
