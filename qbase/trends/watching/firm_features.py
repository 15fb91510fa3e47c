"""What was known of a firm at the start of a quarter: record, age, size, product; never its owner or its town."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core.text import Text
from qbase.stats.rates.shrinkage import fit_beta_binomial
from qbase.trends.watching.watch_tables import WatchTables

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

YOUNG_QUARTERS = 8
RECENT_QUARTERS = 4
WIDE = 100_000
"""More quarters than any record holds: a firm and a quarter make one number."""

BIG_SIZES = ("medium", "large")
LEAST_OF_A_PRODUCT = 30
"""A product tested less often tells nothing of its own."""

NEVER = frozenset({"ownership", "town_code", "town_name", "address", "longitude", "latitude", "cluster_id"})
"""What is never a feature: who owns a firm, and where it lies, by whatever name."""

GROUPS: dict[str, Text] = {
    "record": Text("抽查记录", "record of earlier batches"),
    "recent": Text("最近一年的不合格", "failures within a year"),
    "items": Text("以往不合格项目", "items failed before"),
    "quiet": Text("距上次抽查的时间", "time since the last draw"),
    "unseen": Text("从未抽查", "never drawn"),
    "young": Text("新企业", "new firm"),
    "size": Text("企业规模", "size"),
    "product": Text("产品", "product"),
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Features of firms at the start of quarters.

    Parameters
    ----------
    x : numpy.ndarray, shape (n, K)
        One row per question.
    groups : tuple of str
        Key of `GROUPS` of each column.
    facts : pandas.DataFrame
        Of each row what a reason says: n_past, n_failed, n_recent, n_items, quiet, is_young, size_class, product_name.
    """

    x: Floats
    groups: tuple[str, ...]
    facts: pd.DataFrame


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """The batches of firms in order, so that what was known at any quarter can be looked up.

    Parameters
    ----------
    firms : pandas.Index
        Ids; a firm's place is its code.
    entry : numpy.ndarray
        First quarter (ordinal), very low where alive since before the records.
    size_class, town_code : numpy.ndarray
        Of the register.
    key : numpy.ndarray
        Firm code and quarter of each batch as one number, ascending.
    quarter, failed, items, product : numpy.ndarray
        Of the batches in that order.
    begun : int
        First quarter of the records.
    """

    firms: pd.Index
    entry: Ints
    size_class: NDArray[np.object_]
    town_code: NDArray[np.object_]
    key: Ints
    quarter: Ints
    failed: Floats
    items: Floats
    product: NDArray[np.object_]
    begun: int


def build_history(tables: WatchTables) -> History:
    """Put the batches of every firm in order."""
    # sorted, so that the order of rows moves no last digit of a fit
    register = tables.firms.drop_duplicates("firm_id").set_index("firm_id").sort_index()
    draws = tables.draws[tables.draws["firm_id"].isin(register.index)]
    quarter = quarter_of(draws["sample_date"])
    code = register.index.get_indexer(pd.Index(draws["firm_id"])).astype(np.int64)
    bad = tables.items[~tables.items["is_ok"].astype(bool)] if len(tables.items) else tables.items
    per_batch = bad.groupby("sample_no").size() if len(bad) else pd.Series(dtype=float)
    items = draws["sample_no"].map(per_batch).fillna(0).to_numpy(dtype=float)
    key = code * WIDE + quarter
    # two batches of one quarter stand in the order of their numbers, whatever the order of the rows
    order = np.lexsort((draws["sample_no"].astype(str).to_numpy(), key))
    return History(
        firms=register.index,
        entry=_entries(register["entry_quarter"]),
        size_class=register["size_class"].fillna("").to_numpy(dtype=object),
        town_code=register["town_code"].fillna("").astype(str).to_numpy(dtype=object),
        key=key[order],
        quarter=quarter[order],
        failed=(~draws["is_pass"].to_numpy(dtype=bool)).astype(float)[order],
        items=items[order],
        product=draws["product_name"].fillna("").to_numpy(dtype=object)[order],
        begun=int(quarter.min()) if len(quarter) else 0,
    )


def quarter_of(days: pd.Series[pd.Timestamp]) -> Ints:
    """Return quarters as whole numbers: 4 × year + quarter − 1."""
    return np.asarray(4 * days.dt.year + days.dt.quarter - 1, dtype=np.int64)


def read_quarters(codes: pd.Series[str]) -> Floats:
    """Return ``2022Q3`` as 4 × year + quarter − 1; nan where empty."""
    parts = codes.fillna("").astype(str).str.extract(r"(\d{4})\D*([1-4])$")
    return np.asarray(4 * parts[0].astype(float) + parts[1].astype(float) - 1, dtype=float)


def _entries(codes: pd.Series[str]) -> Ints:
    return np.asarray(np.nan_to_num(read_quarters(codes), nan=-WIDE), dtype=np.int64)


def list_products(history: History, before: int) -> tuple[str, ...]:
    """Return the products that may be features: tested often enough before a quarter, and made in two towns or more.

    A product of a single town would be the town by another name.
    """
    is_early = history.quarter < before
    seen = pd.DataFrame(
        {"product": history.product[is_early], "town": history.town_code[history.key[is_early] // WIDE]}
    )
    counted = seen.groupby("product").agg(n=("town", "size"), towns=("town", "nunique"))
    kept = counted[(counted["n"] >= LEAST_OF_A_PRODUCT) & (counted["towns"] >= 2)]
    return tuple(str(p) for p in kept.index if p)


def build_features(
    history: History, firm: Ints, quarter: Ints, *, products: Sequence[str], prior: tuple[float, float]
) -> Features:
    """Return the features of firms at the start of quarters: only what was known by then.

    Parameters
    ----------
    history : History
        From `build_history`.
    firm, quarter : numpy.ndarray of int, shape (n,)
        Code and quarter of each question.
    products : sequence of str
        From `list_products`.
    prior : tuple of float
        Failures and passes the shrunk record starts from, from `fit_prior`.
    """
    start, now = (np.searchsorted(history.key, firm * WIDE + t) for t in (0, quarter))
    recent = np.searchsorted(history.key, firm * WIDE + quarter - RECENT_QUARTERS)
    failed, items = (np.r_[0.0, np.cumsum(v)] for v in (history.failed, history.items))
    n, f = (now - start).astype(float), failed[now] - failed[start]
    last = np.where(n > 0, history.quarter[np.maximum(now - 1, 0)], np.maximum(history.entry[firm], history.begun))
    quiet = np.maximum(quarter - last, 0).astype(float)
    product = np.where(n > 0, history.product[np.maximum(now - 1, 0)], "")
    is_young = quarter - history.entry[firm] <= YOUNG_QUARTERS
    size = history.size_class[firm]
    shrunk = (f + prior[0]) / (n + prior[0] + prior[1])
    facts = pd.DataFrame(
        {
            "n_past": n.astype(int),
            "n_failed": f.astype(int),
            "n_recent": (failed[now] - failed[np.maximum(recent, start)]).astype(int),
            "n_items": (items[now] - items[start]).astype(int),
            "quiet": quiet.astype(int),
            "is_young": is_young,
            "size_class": size,
            "product_name": product,
        }
    )
    columns = [
        ("record", np.log(shrunk / (1 - shrunk))),
        ("recent", np.minimum(facts["n_recent"], 2)),
        ("items", np.log1p(facts["n_items"])),
        ("quiet", np.where(n > 0, np.log1p(quiet), 0.0)),
        ("unseen", n == 0),
        ("young", is_young),
        *(("size", size == s) for s in BIG_SIZES),
        *(("product", product == p) for p in products),
    ]
    x = np.column_stack([np.asarray(values, dtype=float) for _, values in columns])
    return Features(x=x, groups=tuple(group for group, _ in columns), facts=facts)


def fit_prior(history: History, before: int) -> tuple[float, float]:
    """Return what a firm's record is shrunk to: a beta distribution of failure rates, fitted before a quarter."""
    is_early = history.quarter < before
    firm = history.key[is_early] // WIDE
    n = np.bincount(firm, minlength=len(history.firms)).astype(float)
    f = np.bincount(firm, weights=history.failed[is_early], minlength=len(history.firms))
    found = fit_beta_binomial(f[n > 0], n[n > 0])
    return found.alpha, found.beta
