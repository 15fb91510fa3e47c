"""The pass rate of a place by industry, product, quarter, town and kind of inspection; nothing is ranked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from qbase.core.numbers import count, interval, level_text, percent
from qbase.core.periods import code
from qbase.core.results.result import Result
from qbase.core.shown.english_names import name_text
from qbase.core.text import Text, same
from qbase.core.values import CheckResult, Estimate, Key
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.scorecards.county.place_records import RATE, PlaceRecords
from qbase.stats.rates.firm_likeness import FirmLikeness, firm_rate_interval, fit_firm_likeness
from qbase.tables.industry_codes import name_industry

DIMENSIONS = {
    "industry": Text("行业", "Industry"),
    "product": Text("产品", "Product"),
    "period": Text("时间", "Quarter"),
    "entity": Text("地域", "Town"),
    "sample_type": Text("检验类别：抽样方式", "Kind of inspection: how drawn"),
    "level": Text("检验类别：抽查级别", "Kind of inspection: ordered by"),
}
NAMES = {
    "sample_type": {
        "random": Text("双随机", "at random"),
        "risk": Text("风险定向", "directed at risks"),
        "special": Text("专项", "special campaign"),
    },
    "level": {
        "national": Text("国家级", "the nation"),
        "province": Text("省级", "the province"),
        "city": Text("市级", "the city"),
        "county": Text("县级", "the county"),
    },
}
UNKNOWN = Text("没有记录", "not on record")
MOST = 6
"""Groups of a dimension that stand alone, those with most batches; the others are one group."""
OTHERS = "others"
SMALL_N = 20
FIRST_ONLY = Text(
    "只计首次抽查：投诉、复查和委托加工方的批次不是产品质量的样本，不进入合格率。",
    "First inspections only: batches of complaints, re-checks and commissioners are no sample of what is made and stay "
    "outside the rates.",
)
MIXED = Text(
    "各组的抽样构成不同（定向抽查多的组合格率偏低），区间相互重叠的组不分先后；挑出来的最低值，下一期往往回升。",
    "Groups differ in how they were drawn (more directed draws, lower rates); groups whose intervals overlap are in no "
    "order, and a figure picked for being low tends to be higher next time.",
)


def estimate_breakdown(records: PlaceRecords, *, level: float = 0.95) -> Result:
    """Estimate the pass rate of a place over a year, as a whole and by group.

    By industry of the firm, product, quarter, town, way of drawing and level of the inspection: the outline of a county
    report on product quality (分析).

    Parameters
    ----------
    records : PlaceRecords
        From `read_place`; the year up to its quarter is counted.
    level : float
        Confidence level; batches of one firm are taken as alike as the history shows them.

    Returns
    -------
    Result
        Estimand ``level`` in percent, term ``rate``: the whole first, then one estimate per group with keys
        ``dimension`` and ``group``. Table ``groups``: dimension, group, label_zh, label_en, n, k, n_firms, rate_pct,
        ci_low, ci_high. Without an answer where nothing was inspected in the year.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import estimate_breakdown, read_place
    >>> found = estimate_breakdown(read_place(open_workspace(), "青棹镇", last="2025Q4"))
    >>> table = found.tables["groups"]
    >>> table.loc[table["dimension"] == "level", ["group", "n", "k"]].values.tolist()
    [['county', 45, 36], ['province', 36, 26]]
    """
    batches, indicator = records.year, find_indicator(RATE).indicator
    about: dict[str, Any] = {
        "estimand": "level", "outcome": indicator, "unit": "pct", "method": "by_group", "subject": records.place.name,
        "sources": records.sources, "coverage": records.panel.coverage_of(RATE), "notes": (FIRST_ONLY, MIXED),
        "settings": {"entity": records.entity, "entity_kind": records.place.kind, "period": records.year_code,
                     "level": level},
    }  # fmt: skip
    if batches.empty:
        why = Text("没有首次抽查批次", "no first inspection")
        silent = Text(
            f"{records.year_code} {{subject}}没有首次抽查批次。",
            f"No first inspection of {{subject}} in {records.year_code}.",
        )
        empty = pd.DataFrame(columns=["dimension", "group", "label_zh", "label_en", "n", "k", "n_firms", "rate_pct"])
        return Result(**about, estimates=(), tables={"groups": empty}, labels={"unanswered": why}, unanswered=silent)
    groups = _groups(batches, records)
    low, high = _intervals(groups, records, level)
    groups = groups.assign(rate_pct=100 * groups["k"] / groups["n"], ci_low=100 * low, ci_high=100 * high)
    estimates = tuple(_estimate(row, records, level) for row in groups.to_dict("records"))
    return Result(
        **about,
        estimates=estimates,
        tables={"groups": groups[groups["dimension"] != "all"].drop(columns="sum_nn").reset_index(drop=True)},
        checks=(_small(groups),),
        labels={"said[rate]": _say(groups.iloc[0], records, level)},
        spoken=(0,),
    )


def _groups(batches: pd.DataFrame, records: PlaceRecords) -> pd.DataFrame:
    parts = [_count(batches, "all", pd.Series("all", index=batches.index))]
    for dimension in DIMENSIONS:
        if dimension == "entity" and len(records.place.towns) == 1:
            continue
        keys = batches[dimension].map(code) if dimension == "period" else batches[dimension].astype(str)
        if dimension != "period":
            largest = keys.value_counts(sort=True).index[:MOST]
            # one group left over is shown as it is
            keys = keys.where(keys.isin(largest), OTHERS) if keys.nunique() > MOST + 1 else keys
        parts.append(_count(batches, dimension, keys))
    found = pd.concat(parts, ignore_index=True)
    names = [_name(d, g, records) for d, g in zip(found["dimension"], found["group"], strict=True)]
    found.insert(2, "label_zh", [t.zh for t in names])
    found.insert(3, "label_en", [t.en for t in names])
    return found


def _count(batches: pd.DataFrame, dimension: str, keys: pd.Series) -> pd.DataFrame:
    own = pd.DataFrame({"group": keys, "firm": batches["firm"].fillna(""), "k": batches["is_pass"].astype(int), "n": 1})
    by_firm = own.groupby(["group", "firm"])[["n", "k"]].sum()
    by_firm["sum_nn"] = by_firm["n"] ** 2
    sums = by_firm.groupby(level="group").sum()
    sums["n_firms"] = by_firm.groupby(level="group").size()
    sums = sums.reset_index().assign(dimension=dimension)
    order = ["group"] if dimension == "period" else ["last", "n", "group"]
    sums["last"] = sums["group"].isin([OTHERS, "unknown"])
    ascending = [True] if dimension == "period" else [True, False, True]
    sums = sums.sort_values(order, ascending=ascending, kind="stable")
    return sums[["dimension", "group", "n", "k", "n_firms", "sum_nn"]]


def _name(dimension: str, group: str, records: PlaceRecords) -> Text:
    if dimension == "all":
        return Text("合计", "All")
    if group == "unknown":
        return UNKNOWN
    if group == OTHERS:
        return Text("其余", "All others")
    if dimension == "industry":
        return name_industry(group)
    if dimension == "product":
        return name_text(group)
    if dimension == "entity":
        return records.town_names.get(group, same(group))
    return NAMES.get(dimension, {}).get(group, same(group))


def _intervals(groups: pd.DataFrame, records: PlaceRecords, level: float) -> tuple[Any, Any]:
    rate = (groups["k"] / groups["n"]).to_numpy(dtype=float)
    n, sum_nn = (groups[c].to_numpy(dtype=float) for c in ("n", "sum_nn"))
    return firm_rate_interval(rate, n, sum_nn, _likeness(records), level=level)


def _likeness(records: PlaceRecords) -> FirmLikeness:
    """Return how alike batches of one firm are, learnt from all quarters on record."""
    if records.firms is None:
        return FirmLikeness(values=np.zeros(1), weights=np.ones(1), is_informed=False)
    rows = records.firms.data
    cells = pd.factorize(pd.PeriodIndex(rows["period"]).asi8)[0]
    return fit_firm_likeness(rows["n"].to_numpy(), rows["k"].to_numpy(), cells)


def _estimate(row: dict[Any, Any], records: PlaceRecords, level: float) -> Estimate:
    key: dict[str, Key] = {"entity": records.entity, "period": records.year_code}
    if row["dimension"] != "all":
        key |= {"dimension": str(row["dimension"]), "group": str(row["group"])}
    return Estimate(
        term="rate", key=key, value=float(row["rate_pct"]), ci_low=float(row["ci_low"]), ci_high=float(row["ci_high"]),
        ci_level=level, n_obs=int(row["n"]),
    )  # fmt: skip


def _small(groups: pd.DataFrame) -> CheckResult:
    own = groups[groups["dimension"] != "all"]
    few, n = int((own["n"] < SMALL_N).sum()), len(own)
    return CheckResult(
        name="small_groups",
        passed=None,
        text=Text(
            f"{count(n)} 个组中有 {count(few)} 个不足 {SMALL_N} 批，只看区间。",
            f"{count(few)} of {count(n)} groups have fewer than {SMALL_N} batches: read their intervals only.",
        ),
    )


def _say(whole: pd.Series, records: PlaceRecords, level: float) -> Text:
    n, k, firms = (count(int(whole[c])) for c in ("n", "k", "n_firms"))
    ends, shown = interval(float(whole["ci_low"]), float(whole["ci_high"])), level_text(level)
    name, when, share = records.place.name, records.year_code, percent(float(whole["rate_pct"]))
    return Text(
        f"{when} 在{name.zh}首次抽查 {firms} 家企业 {n} 批，合格 {k} 批，占 {share}（{shown} CI {ends.zh}）。",
        f"In {when} {n} batches of {firms} firms in {name.en} had a first inspection; {k} passed: {share} "
        f"({shown} CI {ends.en}).",
    )
