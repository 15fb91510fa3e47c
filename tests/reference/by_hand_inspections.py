"""Inspections by hand: rates, steadiness, the lead, and items by one yardstick for every year."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from tests.reference.by_hand_lake import Hand
from tests.reference.by_hand_shapes import (
    Value,
    as_series,
    mean,
    share,
)


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


def overdue(h: Hand) -> pd.Series:
    """Of the orders whose 75 days have passed, those without any re-check."""
    d = h.lake["followup"].merge(h.samples[["sample_no", "entity"]], on="sample_no")
    d = d[d["order_date"] + pd.Timedelta(days=75) <= h.lake["followup"]["recheck_date"].max()]
    return share(d.assign(period=h.label(d["order_date"])), d["recheck_date"].isna())


def late(h: Hand) -> pd.Series:
    """Of the orders whose 75 days have passed, those without a re-check within 60."""
    d = h.lake["followup"].merge(h.samples[["sample_no", "entity"]], on="sample_no")
    d = d[d["order_date"] + pd.Timedelta(days=75) <= h.lake["followup"]["recheck_date"].max()]
    taken = (d["recheck_date"] - d["order_date"]).dt.days
    return share(d.assign(period=h.label(d["order_date"])), ~(taken <= 60))


def failing_items(h: Hand, first: str, last: str) -> pd.DataFrame:
    """Batches tested and failed by entity, product and item, of first inspections in a window of quarters."""
    b = h.first[(h.first["quarter"] >= pd.Period(first)) & (h.first["quarter"] <= pd.Period(last))]
    d = b.merge(h.lake["items"], on="sample_no")
    d["bad"] = ~d["is_ok"].astype(bool) & ~d["ok"]
    by_batch = d.groupby(["entity", "product_name", "item_name", "sample_no"])["bad"].any().reset_index()
    return by_batch.groupby(["entity", "product_name", "item_name"])["bad"].agg(n="size", k="sum").reset_index()


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


def tightened(h: Hand) -> pd.Series:
    b = items(h).batches
    return share(b, ~b["overturned"] & b["ok"] & ~b["good"])


def loosened(h: Hand) -> pd.Series:
    b = items(h).batches
    return share(b, ~b["overturned"] & ~b["ok"] & b["good"] & ~b["every_ok"])


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
