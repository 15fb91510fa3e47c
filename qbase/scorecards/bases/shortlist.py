"""Whom to cultivate next: the five criteria of the policy text side by side, and no index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.numbers import count
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import Estimate, Indicator
from qbase.indicators.availability import list_indicators
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.indicators.panel_building import build_panel
from qbase.scorecards.gates.gate_data import RATE, GateData
from qbase.stats.design.design_intervals import jeffreys_interval

if TYPE_CHECKING:
    from qbase.lake import Workspace

CRITERIA = {"conformity": "L12.encouraged", "market": "L3.province", "brand": "L13.sales", "agglomeration": "L14"}
NECESSARY = "L12.obsolete"
LEAST = 3
RULE = Text(
    "入围：无淘汰类产能（必要条件），且五项中至少 {least} 项不低于集群的中位数（质量一项看两年合格率 80% 区间的下限）。"
    "各项并列，不加总，入围先后只看达到的项数；限值是本软件包声明的选择（2026-11-30）。",
    "Shortlisted: no capacity in classes to be phased out (necessary), and at least {least} of the five at or above "
    "the median of clusters (quality by the lower end of the 80% interval of two years' pass rate). They stand side by "
    "side and are not added up; a declared choice of this package (2026-11-30).",
)
LISTED = Indicator(
    id="shortlist", name=Text("入围集群数", "clusters on the shortlist"), unit="item", better="none", role="context"
)


def build_shortlist(
    workspace: Workspace, data: GateData, *, exclude: Sequence[str] = (), snapshot: str | None = None
) -> Result:
    """Build the list of clusters to cultivate next by the five criteria of the policy text.

    Policy conformity, market share, own brands, stable quality, agglomeration (clause 3.long.2). A criterion the lake
    has no data for counts for nobody and is named.

    Parameters
    ----------
    workspace : Workspace
        Its full counts of the year of ``data``.
    data : GateData
        From `read_gates`: clusters, year, and the draws of the last eight quarters.
    exclude : sequence of str
        Clusters that are bases already.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    Result
        A full count: how many are shortlisted. Table ``shortlist``: entity, names, conformity, obsolete, market, brand,
        quality (all in percent), agglomeration (a ratio), criteria_met, is_listed; best first.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_shortlist, read_gates
    >>> workspace = open_workspace()
    >>> found = build_shortlist(workspace, read_gates(workspace, "outline_2025"))
    >>> found.tables["shortlist"].head(2)[["entity", "criteria_met", "is_listed"]].values.tolist()
    [['K011', 4, True], ['K005', 4, True]]
    """
    table = pd.DataFrame(index=pd.Index(list(data.names), name="entity"))
    lacking = []
    wanted = {**CRITERIA, "obsolete": NECESSARY}
    ready = {a.measured.indicator.id for a in list_indicators(workspace, snapshot=snapshot) if a.state == "ready"}
    there = {name: i for name, i in wanted.items() if i in ready}
    lacking = [find_indicator(i).indicator.label for name, i in wanted.items() if name not in there]
    if there:
        window = {"freq": "A", "first": data.year, "last": data.year, "snapshot": snapshot}
        panel = build_panel(workspace, list(there.values()), **window)  # type: ignore[arg-type]
        values = panel.data.droplevel("period")
        table = table.join(values[list(there.values())].rename(columns={i: name for name, i in there.items()}))
    table["quality"] = _quality(data).reindex(table.index)
    table = table.reindex(columns=["conformity", "obsolete", "market", "brand", "quality", "agglomeration"])
    five = table.drop(columns="obsolete")
    table["criteria_met"] = (five.ge(five.median()) & five.notna()).sum(axis=1)
    is_clean = table["obsolete"].fillna(1.0) == 0
    table["is_listed"] = is_clean & (table["criteria_met"] >= LEAST) & ~table.index.isin(list(exclude))
    order = ["is_listed", "criteria_met", "market"]
    table = table.sort_values(order, ascending=False, kind="stable").reset_index()
    table.insert(1, "name_zh", [data.names[e].zh for e in table["entity"]])
    table.insert(2, "name_en", [data.names[e].en for e in table["entity"]])
    rule = RULE.format(least=LEAST)
    missing = [Text(f"缺数据：{x.zh}。", f"No data: {x.en}.") for x in lacking]
    return Result(
        estimand="level",
        outcome=LISTED,
        unit="item",
        method="shortlist",
        estimates=(
            Estimate(term="shortlist", value=float(table["is_listed"].sum()), key={"period": data.year},
                     n_obs=len(table), uncertainty="none_full_count"),
        ),
        subject=Text("全部集群", "all clusters"),
        tables={"shortlist": table},
        notes=(rule, *missing),
        settings={"year": data.year, "as_of": data.as_of, "least": LEAST, "exclude": list(exclude)},
        sources=data.sources,
        labels={"said[shortlist]": _say(table, data)},
        coverage=data.coverage,
    )  # fmt: skip


def _quality(data: GateData) -> pd.Series:
    """Return the lower end of the interval of the pass rate over all quarters that were read."""
    quarters = data.rates.get((RATE, "random_draw"))
    if quarters is None:
        return pd.Series(dtype=float)
    pooled = quarters.last(len(quarters.quarters))
    there = pooled.n > 0
    low, _ = jeffreys_interval(pooled.rate[there] * pooled.n_eff[there], pooled.n_eff[there], level=0.8)
    return pd.Series(100 * low, index=[e for e, ok in zip(quarters.entities, there, strict=True) if ok])


def _say(table: pd.DataFrame, data: GateData) -> Text:
    listed = table[table["is_listed"]]
    if listed.empty:
        nobody = f"In {data.year} no cluster is on the shortlist of those to cultivate."
        return Text(f"{data.year} 年没有集群入围下一步培育名单。", nobody)
    names = join([data.names[e] for e in listed["entity"]], zh="、", en=", ")
    return Text(
        f"{data.year} 年 {count(len(table))} 个集群中 {count(len(listed))} 个入围下一步培育名单：{names.zh}。",
        f"In {data.year} {count(len(listed))} of {count(len(table))} clusters are on the shortlist of those to "
        f"cultivate: {names.en}.",
    )
