"""Every indicator of the catalogue recomputed in plain pandas from the words of its definition.

The tables are read from the lake's files and nothing of the package computes an expected value, so that two readings of
the policy text must agree: the catalogue's SQL and the short functions below. All entities and periods of the small
province are compared, by cluster, town and firm, by quarter and by year.
"""

# ruff: noqa: E501  (one definition stands on one line)

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from scipy import stats

from qbase.core.errors import DataError
from qbase.demo import build_province
from qbase.demo.sending.tidy_files import write_tidy
from qbase.indicators import build_panel, read_catalogue
from qbase.intake import load_files
from qbase.lake import Workspace

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
PROVENANCE = ["delivery_sha256", "sheet", "row_no"]
UNREAD = ("notices", "firm_names")
"""No indicator reads them."""

SME = ("medium", "small", "micro")
TIER_WEIGHT = {
    "china_famous": 5,
    "well_known_mark": 5,
    "province_famous": 3,
    "province_mark": 3,
    "province_credit": 2,
    "export_famous": 2,
    "known_mark": 1,
}


class Lake:
    """The tables as they lie on disk, dates as timestamps, doubled deliveries taken once, towns by today's codes."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.kept: dict[tuple, pd.Series] = {}
        self.tables: dict[str, pd.DataFrame] = {}
        for path in sorted(p for p in folder.iterdir() if (p / "_delta_log").is_dir()):
            frame = DeltaTable(str(path)).to_pandas()
            frame = frame.drop(columns=[c for c in PROVENANCE if c in frame]).drop_duplicates()
            self.tables[path.name] = frame.assign(**{c: pd.to_datetime(frame[c]) for c in frame if c.endswith("_date")})
        towns = self.tables["towns"].dropna(subset=["successor_code", "valid_to_date"])
        now = dict(zip(towns["town_code"], towns["successor_code"], strict=True))
        for frame in self.tables.values():
            if "town_code" in frame:
                frame["town_code"] = frame["town_code"].replace(now)

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self.tables[table]


class Hand:
    """One kind of entity and one length of period over the lake."""

    def __init__(self, lake: Lake, entity: str, freq: str) -> None:
        self.lake, self.entity, self.freq = lake, entity, freq
        dates = lake["inspections"]["sample_date"]
        self.periods = pd.period_range(dates.min(), dates.max(), freq="Q" if freq == "Q" else "Y")
        firms = lake["firms"].assign(firm=lake["firms"]["firm_id"])
        self.firms = firms.assign(
            entity=firms[entity],
            entry=pd.PeriodIndex(firms["entry_quarter"], freq="Q").start_time,
            exit=pd.PeriodIndex(firms["exit_quarter"].fillna("2999Q1"), freq="Q").start_time,
        )
        clusters = lake["clusters"]
        self.owner = clusters.assign(entity=clusters["cluster_id"])
        if entity == "town_code":
            self.owner = clusters.assign(entity=clusters["town_code"])

    def label(self, dates: pd.Series) -> pd.PeriodIndex:
        return pd.PeriodIndex(dates, freq="Q" if self.freq == "Q" else "Y")

    def yearly(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(period=pd.PeriodIndex(frame["year"].astype(str), freq="Y"))

    def of_firms(self, table: str) -> pd.DataFrame:
        known = [
            c
            for c in (
                "entity",
                "cluster_id",
                "town_code",
                "industry_code",
                "is_lead",
                "is_above_scale",
                "is_in_park",
                "size_class",
            )
            if c in self.firms
        ]
        return self.lake[table].merge(self.firms[["firm_id", *known]], on="firm_id")

    def of_clusters(self, table: str) -> pd.DataFrame:
        frame = self.lake[table].merge(self.owner[["cluster_id", "entity"]], on="cluster_id")
        if "quarter" in frame:
            return frame.assign(period=self.label(pd.PeriodIndex(frame["quarter"], freq="Q").start_time))
        return self.yearly(frame) if "year" in frame else frame

    @functools.cached_property
    def samples(self) -> pd.DataFrame:
        i = self.lake["inspections"]
        firms = self.firms
        by_code = i["uscc"].map(
            firms[firms["uscc"].notna()].drop_duplicates("uscc", keep=False).set_index("uscc")["firm_id"]
        )
        by_name = i["firm_name"].map(firms.drop_duplicates("firm_name", keep=False).set_index("firm_name")["firm_id"])
        firm_id = by_code.fillna(i["firm_code"].where(i["firm_code"].isin(firms["firm_id"]))).fillna(by_name)
        known = firms.set_index("firm_id")
        i = i.assign(firm_id=firm_id, firm=firm_id.fillna(i["uscc"]).fillna(i["firm_name"]))
        for column in ("cluster_id", "industry_code", "is_lead"):
            i[column] = firm_id.map(known[column])
        i["town_code"] = i["town_code"].fillna(firm_id.map(known["town_code"]))
        i["size_class"] = i["size_class"].fillna(firm_id.map(known["size_class"]))
        i["entity"] = i[self.entity]
        i["period"] = self.label(i["sample_date"])
        i["quarter"] = pd.PeriodIndex(i["sample_date"], freq="Q")
        i["ok"] = (i["result"] == "pass") | (i["appeal_result"] == "overturned")
        i["again"] = i["is_recheck"].astype(bool) | i["parent_no"].notna()
        return i[i["entity"].notna()]

    @functools.cached_property
    def first(self) -> pd.DataFrame:
        """First inspections at the producer: no re-checks, complaints or follow-ups."""
        i = self.samples
        return i[~i["again"] & (i["role"] == "producer") & ~i["sample_type"].isin(["complaint", "followup"])]

    @functools.cached_property
    def alive(self) -> pd.DataFrame:
        """Firms alive at some time of a period; the quarter of the exit is the first one without the firm."""
        parts = [
            self.firms[(self.firms["entry"] <= p.end_time) & (self.firms["exit"] > p.start_time)].assign(period=p)
            for p in self.periods
        ]
        return pd.concat(parts, ignore_index=True)

    @functools.cached_property
    def at_end(self) -> pd.DataFrame:
        """Firms alive on the last day of a period."""
        parts = [
            self.firms[(self.firms["entry"] <= p.end_time) & (self.firms["exit"] > p.end_time)].assign(period=p)
            for p in self.periods
        ]
        return pd.concat(parts, ignore_index=True)

    @functools.cached_property
    def years(self) -> pd.DataFrame:
        y = self.yearly(self.of_firms("firm_year"))
        return y.assign(output=y["output_wan_cny"].fillna(y["revenue_wan_cny"]))

    @functools.cached_property
    def checks(self) -> pd.DataFrame:
        return self.yearly(self.of_firms("firm_checks"))

    @functools.cached_property
    def works(self) -> pd.DataFrame:
        return self.of_clusters("programme")

    @functools.cached_property
    def services(self) -> pd.DataFrame:
        s = (
            self.lake["platform_services"]
            .merge(self.lake["platforms"], on="platform_id")
            .merge(self.owner[["cluster_id", "entity"]], on="cluster_id")
        )
        return s.assign(period=self.label(pd.PeriodIndex(s["quarter"], freq="Q").start_time))

    @functools.cached_property
    def town(self) -> pd.DataFrame:
        """A figure of the town, also for each cluster in it."""
        t = self.yearly(self.lake["town_year"])
        if self.entity == "town_code":
            return t.assign(entity=t["town_code"])
        return t.merge(self.owner[["town_code", "entity"]], on="town_code")

    @functools.cached_property
    def products(self) -> pd.DataFrame:
        return self.lake["firm_products"]

    @functools.cached_property
    def market(self) -> pd.DataFrame:
        m = self.owner[["entity", "industry_code"]].drop_duplicates().merge(self.lake["market"], on="industry_code")
        return self.yearly(m)

    def everywhere(self) -> pd.MultiIndex:
        return pd.MultiIndex.from_product(
            [sorted(self.owner["entity"].unique()), self.periods], names=["entity", "period"]
        )


Value = Callable[[Hand], pd.Series]


# ------------------------------------------------------------------ shapes of a definition
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
    """Firms by what their products have; the directory carries no date, so it is read for the firms at the period's end."""

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


# ------------------------------------------------------------------ inspections
def by_firm(d: pd.DataFrame) -> pd.Series:
    return 100 * d.groupby(["entity", "period", "firm"])["ok"].all().groupby(level=[0, 1]).mean()


def output_weighted(h: Hand) -> pd.Series:
    w = h.lake["firm_year"].set_index(["firm_id", "year"])
    w = w["output_wan_cny"].fillna(w["revenue_wan_cny"])
    d = h.first[h.first["firm_id"].notna()].groupby(["entity", "period", "firm_id"])["ok"].mean().reset_index()
    d["w"] = w.reindex(pd.MultiIndex.from_arrays([d["firm_id"], d["period"].dt.year - 1])).to_numpy()
    d = d[d["w"] > 0]
    return share(d, d["ok"] * d["w"], d["w"])


def finding(h: Hand) -> pd.Series:
    return 100 - by_firm(h.samples[~h.samples["again"]])


def rechecked(h: Hand) -> pd.Series:
    d = h.lake["followup"].merge(h.samples[["sample_no", "entity"]], on="sample_no")
    d = d[d["order_date"] + pd.Timedelta(days=75) <= h.lake["followup"]["recheck_date"].max()]
    return share(d.assign(period=h.label(d["order_date"])), d["outcome"] == "rectified")


def failed_on(d: pd.DataFrame) -> pd.DataFrame:
    """The first day each firm failed."""
    return d[d["bad"]].groupby(["entity", "firm"])["sample_date"].min().rename("failed_on").reset_index()


def repeated(h: Hand) -> pd.Series:
    """Of the firms that failed and were drawn again on a later day within eight quarters, those that failed again."""
    draws = h.first.assign(bad=~h.first["ok"])
    start = pd.Period(h.lake["inspections"]["sample_date"].min(), freq="Q")
    found = {}
    for p in h.periods:
        end = pd.Period(p.end_time, freq="Q")
        if end - 7 < start:
            continue
        inside = draws[(draws["quarter"] > end - 8) & (draws["quarter"] <= end)]
        since = inside.merge(failed_on(inside), on=["entity", "firm"])
        again = since[since["sample_date"] > since["failed_on"]]
        if len(again):
            of_firms = again.groupby(["entity", "firm"])["bad"].any()
            found |= {(e, p): 100 * v for e, v in of_firms.groupby("entity").mean().items()}
    return as_series(found)


def as_series(found: dict) -> pd.Series:
    return pd.Series(found, dtype=float).rename_axis(["entity", "period"])


def quarterly(h: Hand) -> pd.DataFrame:
    return h.first.groupby(["entity", "quarter"])["ok"].agg(["size", "sum"]).rename(columns={"size": "n", "sum": "k"})


def trailing(of: Callable[[np.ndarray, np.ndarray], float]) -> Value:
    """A function of the counts of the last twelve quarters, at least eight of them inspected."""

    def run(h: Hand) -> pd.Series:
        counts = quarterly(h)
        first = counts.index.get_level_values(1).min()
        found = {}
        for e, group in counts.groupby(level=0):
            group = group.droplevel(0)
            for q in group.index:
                inside = group[(group.index > q - 12) & (group.index <= q)]
                if q - 11 >= first and len(inside) >= 8:
                    found[e, q] = of(inside["n"].to_numpy(float), inside["k"].to_numpy(float))
        return at_year_end(h, as_series(found))

    return run


def at_year_end(h: Hand, values: pd.Series) -> pd.Series:
    """By year the value of the fourth quarter."""
    if h.freq == "Q":
        return values
    values = values[values.index.get_level_values(1).quarter == 4]
    years = pd.PeriodIndex([pd.Period(str(q.year), freq="Y") for q in values.index.get_level_values(1)])
    return pd.Series(values.to_numpy(), index=pd.MultiIndex.from_arrays([values.index.get_level_values(0), years]))


def z_scores(n: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, float]:
    p = k.sum() / n.sum()
    sd = np.sqrt(p * (1 - p) / n)
    if not (sd > 0).all():
        return np.zeros(len(n)), float("nan")
    z = (k / n - p) / sd
    return z, float(np.abs(np.diff(z)).mean() / 1.128)


def inside_laney(n: np.ndarray, k: np.ndarray) -> float:
    z, sigma = z_scores(n, k)
    return 100.0 if np.isnan(sigma) else 100 * float(np.mean(np.abs(z) <= 3 * sigma))


def gap(h: Hand) -> pd.Series:
    r = share(h.first, h.first["ok"]).unstack("entity")
    return (
        pd.DataFrame({e: r[e] - r.drop(columns=e).mean(axis=1) for e in r})
        .rename_axis(columns="entity")
        .stack()
        .swaplevel()
    )


def lead(h: Hand) -> pd.Series:
    """Own batches against the province's rate of each batch's industry."""
    industry = h.first["firm_id"].map(h.firms.set_index("firm_id")["cluster_id"])
    industry = industry.map(h.lake["clusters"].set_index("cluster_id")["industry_code"])
    m = h.lake["market"][h.lake["market"]["area"] == "province"].set_index(["industry_code", "year"])
    rate = 1 - m["failed_count"] / m["batch_count"]
    d = h.first.assign(
        province=rate.reindex(pd.MultiIndex.from_arrays([industry, h.first["period"].dt.year])).to_numpy()
    )
    d = d[d["province"].notna()]
    return share(d, d["ok"]) - share(d, d["province"])


def above(k: float, n: float, k_rest: float, n_rest: float) -> float:
    """Probability that one rate lies above another, Jeffreys posteriors: a sum over the quantiles of the first."""
    at = stats.beta.ppf(np.arange(0.0005, 1, 0.001), k + 0.5, n - k + 0.5)
    return float(stats.beta.cdf(at, k_rest + 0.5, n_rest - k_rest + 0.5).mean())


def persistence(h: Hand) -> pd.Series:
    if ("persistence", h.entity) not in h.lake.kept:
        h.lake.kept["persistence", h.entity] = runs_in_the_lead(quarterly(h))
    return at_year_end(h, h.lake.kept["persistence", h.entity])


def runs_in_the_lead(counts: pd.DataFrame) -> pd.Series:
    sums = counts.groupby(level=1).sum()
    found = {}
    for e, group in counts.groupby(level=0):
        run, before = 0, None
        for q, row in group.droplevel(0).iterrows():
            rest = sums.loc[q] - row
            leads = above(row["k"], row["n"], rest["k"], rest["n"]) > 0.9
            run = (run if before == q - 1 else 0) + 1 if leads else 0
            before = q
            found[e, q] = float(run)
    return as_series(found)


# ------------------------------------------------------------------ items: one yardstick for every year
class Items:
    """Batches with measured items, judged by the limits of the last twelve months each item was tested."""

    def __init__(self, h: Hand) -> None:
        key = ["product_name", "item_name"]
        i = h.lake["inspections"]
        i = i[~i["is_recheck"].astype(bool) & ~i["sample_type"].isin(["complaint", "followup"])]
        d = h.lake["items"].merge(i[["sample_no", "product_name", "sample_date"]], on="sample_no")
        d["year"] = d["sample_date"].dt.year
        newest = d.groupby(key)["sample_date"].transform("max")
        recent = d[d["sample_date"] > newest - pd.DateOffset(years=1)]
        limits = recent.groupby([*key, "lower_limit", "upper_limit"], dropna=False).size().rename("used").reset_index()
        # of equals the strictest
        limits = limits.sort_values(
            ["used", "lower_limit", "upper_limit"], ascending=[False, False, True]
        ).drop_duplicates(key)
        d = d.merge(limits.rename(columns={"lower_limit": "low", "upper_limit": "high"})[[*key, "low", "high"]], on=key)
        d["inside"] = ~(d["value"] < d["low"]) & ~(d["value"] > d["high"])
        batches = d.groupby(["product_name", "year"])["sample_no"].nunique()
        tested = d.groupby([*key, "year"])["sample_no"].nunique().unstack("year", fill_value=0).stack()
        of_year = batches.reindex(
            pd.MultiIndex.from_arrays([tested.index.get_level_values(0), tested.index.get_level_values(2)])
        ).to_numpy()
        is_core = (tested[of_year > 0] >= 0.9 * of_year[of_year > 0]).groupby(level=[0, 1]).all()
        d["is_core"] = is_core.reindex(pd.MultiIndex.from_frame(d[key])).to_numpy()
        d["margin"] = np.fmin(d["value"] - d["low"], d["high"] - d["value"]) / d.groupby(key)["value"].transform("std")
        is_label = d["item_name"].str.contains("标签|标识|标志|说明书|包装")
        d["bad_label"], d["bad_beyond"] = ~d["is_ok"] & is_label, ~d["is_ok"] & ~is_label
        every = d.groupby("sample_no").agg(
            good=("inside", "all"),
            every_ok=("is_ok", "all"),
            bad_label=("bad_label", "any"),
            bad_beyond=("bad_beyond", "any"),
        )
        core = (
            d[d["is_core"]]
            .groupby("sample_no")
            .agg(core_good=("inside", "all"), tested=("item_name", "nunique"), margin=("margin", "min"))
        )
        b = h.first.merge(every, on="sample_no").merge(core, on="sample_no", how="left")
        b["has_core"] = b["tested"] == b["product_name"].map(is_core.groupby(level=0).sum())
        b["margin"] = b["margin"].clip(-5, 5)
        b["overturned"] = (b["result"] == "fail") & (b["appeal_result"] == "overturned")
        self.batches = b


@functools.lru_cache(maxsize=8)
def items(h: Hand) -> Items:
    return Items(h)


def rejudged(h: Hand) -> pd.Series:
    """A failure that no item shows stays one; one overturned on appeal is a pass."""
    b = items(h).batches
    return share(b, b["overturned"] | (b["good"] & (b["ok"] | ~b["every_ok"])))


def on_core(h: Hand) -> pd.Series:
    b = items(h).batches[items(h).batches["has_core"]]
    return share(b, b["overturned"] | b["core_good"])


def margin(h: Hand) -> pd.Series:
    return mean(items(h).batches[items(h).batches["has_core"]], "margin")


def severe(h: Hand) -> pd.Series:
    b = items(h).batches
    return share(b, ~b["ok"] & b["bad_beyond"])


def label_only(h: Hand) -> pd.Series:
    b = items(h).batches
    return share(b, ~b["ok"] & b["bad_label"] & ~b["bad_beyond"])


# ------------------------------------------------------------------ firms and their reports
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
    """Clark and Evans: mean distance to the nearest neighbour over 1 / (2 sqrt(density)), density in the convex hull."""
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
    "D1c.recheck": rechecked,
    "D1c.repeat": repeated,
    "D1.rejudged": rejudged,
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
