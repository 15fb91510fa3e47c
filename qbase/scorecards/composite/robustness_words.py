"""Sentences and checks about the ranks of an index: who is first in how many worlds, and what moves the ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from qbase.core import periods
from qbase.core.numbers import count, level_text, number, percent
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.scorecards.composite.index_building import CompositeIndex

NAMED = 4
"""So many are named in a sentence; all are in the table."""
MOST_GAPS = 0.10
"""With more than one value in ten imputed or missing, what is filled in may decide ranks."""
TIGHT = 1 / 3
"""An indicator whose entropy weight is below a third of its equal one counts as nearly deleted."""

KINDS = {
    "cluster_id": Text("个产业集群", "clusters"),
    "firm_id": Text("家企业", "firms"),
    "town_code": Text("个乡镇", "towns"),
}
OTHERS = Text("个对象", "entities")
EVERYBODY = {
    "cluster_id": Text("各产业集群", "all clusters"),
    "firm_id": Text("各企业", "all firms"),
    "town_code": Text("各乡镇", "all towns"),
}
FACTOR_NAMES = {
    "data": Text("数据的抽样误差", "sampling error of the data"),
    "normalisation": Text("标准化方法", "normalisation"),
    "weighting": Text("权重方案", "scheme of weights"),
    "weights": Text("权重的小幅变动", "small shifts of weights"),
    "aggregation": Text("合成方法", "kind of mean"),
    "imputation": Text("缺失值的处理", "treatment of gaps"),
    "outliers": Text("离群值的处理", "treatment of outliers"),
    "left_out": Text("少用一项指标", "an indicator left out"),
}
NOTES = (
    Text(
        "位次区间说明指数站不站得住：数据重新抽取、方法换成别的合理做法时名次会怎样；它不是“真实名次”的置信区间。",
        "The intervals tell how firm the index is when data are drawn anew and other reasonable methods taken; they "
        "are no confidence intervals of a true rank.",
    ),
    Text("位次区间重叠的对象，这里不分先后。", "Where rank intervals overlap no order is given here."),
)


def named(names: list[Text], most: int = NAMED) -> Text:
    """Return some entities by name, the first few of them."""
    listed, more = join([the(name) for name in names[:most]], zh="、", en=", "), len(names) - most
    return listed + (Text(f"等 {count(len(names))} 个", f" and {count(more)} more") if more > 0 else Text("", ""))


def the(name: Text) -> Text:
    """Give the English name of a cluster its article."""
    return Text(name.zh, f"the {name.en}" if name.en.endswith(" cluster") else name.en)


def say_robustness(
    index: CompositeIndex, table: pd.DataFrame, choices: pd.DataFrame, settings: Mapping[str, Any]
) -> Text:
    """Return the sentence of a robustness analysis."""
    kind = KINDS.get(index.entity_kind, OTHERS)
    low = int((table["low"] == 1).sum())
    head = Text(
        "按{when}的{measured}（{m} 项指标），{n} {kind}在 {worlds} 种数据与方法的可能中，{first}；"
        "{may} 个的位次区间（{level}）含第 1 位。",
        "By the {measured} of {when} ({m} indicators), over {worlds} ways the data and the method might have been for "
        "{n} {kind}: {first}; the interval of ranks ({level}) of {may} reaches rank 1.",
    ).format(
        when=periods.label(index.kept.period), measured=index.design.name, n=count(len(table)), kind=kind,
        m=count(int(settings["n_indicators"])), worlds=count(int(settings["worlds"])), first=_say_first(table),
        may=count(low), level=level_text(float(settings["level"])),
    )  # fmt: skip
    return join([head, _say_halves(table), say_choices(choices)], zh="", en=" ")


def _say_first(table: pd.DataFrame) -> Text:
    """Say who is first in what share of worlds, the most frequent ones."""
    leaders = table.sort_values(["share_first", "entity"], ascending=[False, True]).head(2)
    told = []
    for row in leaders[leaders["share_first"] >= 1].to_dict("records"):
        name, share = the(Text(str(row["name_zh"]), str(row["name_en"]))), percent(row["share_first"], 0)
        told.append(Text(f"{name.zh}居首的占 {share}", f"{name.en} is first in {share}"))
    return join(told, zh="，", en=", ")


def _say_halves(table: pd.DataFrame) -> Text:
    """Name those whose whole interval lies in the upper or in the lower half."""
    n = len(table)
    parts = []
    upper = table[table["high"] <= n / 2], Text("上半", "upper half")
    lower = table[table["low"] > (n + 1) / 2], Text("下半", "lower half")
    for rows, side in (upper, lower):
        if len(rows):
            who = named([Text(str(r["name_zh"]), str(r["name_en"])) for r in rows.to_dict("records")])
            parts.append(Text(f"位次区间全在{side.zh}的：{who.zh}。", f"Wholly in the {side.en}: {who.en}."))
    return join(parts, zh="", en=" ") if parts else Text("没有一个全在上半或下半。", "Nobody is wholly in one half.")


def say_choices(choices: pd.DataFrame) -> Text:
    """Say which choice moves the ranks most, or that the first ones cannot be told apart."""
    if choices.empty or not (choices["total"] > 0).any():
        return Text("没有任何选择会改变位次。", "No choice changes any rank.")
    top = choices.iloc[0]
    rivals = choices[choices["total"] + choices["total_half"] >= top["total"] - top["total_half"]]
    told = [
        Text(f"{r['name_zh']}（{number(r['total'], 2)}）", f"{r['name_en']} ({number(r['total'], 2)})")
        for r in rivals.to_dict("records")
    ]
    if len(rivals) == 1:
        return Text(
            f"位次变动的最大来源是{told[0].zh}（括号内为总效应，1 为全部）。",
            f"What moves the ranks most is: {told[0].en}; in brackets the total effect, 1 being all.",
        )
    listed = join(told, zh="、", en=", ")
    return Text(
        f"位次变动的主要来源是{listed.zh}，彼此分不出大小（括号内为总效应，1 为全部）。",
        f"What moves the ranks most cannot be told apart: {listed.en}; in brackets the total effect, 1 being all.",
    )


def check_order(table: pd.DataFrame) -> CheckResult:
    """Say whether anybody is told from anybody."""
    told = bool(table["high"].min() < table["low"].max())
    text = Text(
        "至少有两个对象的位次区间不重叠。", "At least two entities have intervals of ranks that do not overlap."
    )
    if not told:
        text = Text(
            "所有位次区间都重叠：这个指数分不出先后。", "All intervals of ranks overlap: the index gives no order."
        )
    return CheckResult(name="order_seen", passed=told, text=text)


def check_doubt(index: CompositeIndex) -> CheckResult:
    """Check whether every entity has at least one value that carries a doubt, and say who has none."""
    doubted = index.kept.doubted
    silent = [index.kept.names[e] for at, e in enumerate(index.kept.entities) if not doubted[at].any()]
    share = percent(100 * float(doubted.sum()) / max(int((~pd.isna(index.kept.values)).sum()), 1), 0)
    if not silent:
        text = Text(
            f"{share} 的数值带有批次数或区间，参与抽取；其余按全数统计，不动。",
            f"{share} of the values carry counts or an interval and are drawn; the others stay as full counts.",
        )
        return CheckResult(name="doubt_carried", passed=True, text=text)
    who = named(silent)
    text = Text(
        f"没有任何数值带批次数或区间的：{who.zh}；他们的位次只随别人和方法而动，区间偏窄。",
        f"Without a single value that has counts or an interval: {who.en}; their ranks move only with others and with "
        "the method, and their intervals are too narrow.",
    )
    return CheckResult(name="doubt_carried", passed=False, text=text)


def check_screening(index: CompositeIndex) -> CheckResult:
    """Say whether anybody or any indicator was left out for want of data."""
    out = [index.kept.names.get(e, Text(e, e)) for e in index.dropped_entities]
    out += [Text(i, i) for i in index.dropped_indicators]
    if not out:
        text = Text("没有因缺数剔除对象或指标。", "Nobody and no indicator is left out for want of data.")
        return CheckResult(name="screened", passed=True, text=text)
    who = named(out)
    text = Text(f"因缺数不在比较之内：{who.zh}。", f"Left out for want of data: {who.en}.")
    return CheckResult(name="screened", passed=None, text=text)


def check_gaps(index: CompositeIndex) -> CheckResult:
    """Check whether few enough values are missing."""
    gaps = pd.isna(index.kept.values)
    share, n = float(gaps.mean()), int(gaps.sum())
    text = Text(
        f"缺失 {count(n)} 个值，占 {percent(100 * share)}（上限 {percent(100 * MOST_GAPS, 0)}）。",
        f"{count(n)} values are missing, {percent(100 * share)} (limit {percent(100 * MOST_GAPS, 0)}).",
    )
    return CheckResult(name="gaps", passed=share <= MOST_GAPS, text=text)


def check_entropy(index: CompositeIndex, weights: pd.DataFrame) -> CheckResult:
    """Say which indicators entropy weights nearly delete; a failure where the index itself is weighed by entropy."""
    tight = weights[weights["entropy"] < TIGHT * weights["equal"]].sort_values("entropy")
    names = {i.id: i.label for i in index.kept.indicators}
    if tight.empty:
        text = Text("熵权没有架空任何指标。", "Entropy weights delete no indicator.")
        return CheckResult(
            name="entropy_weights", passed=True if index.design.weighting == "entropy" else None, text=text
        )
    told = [
        Text(
            f"{names[r['indicator']].zh} {number(r['entropy'], 3)}（等权 {number(r['equal'], 3)}）",
            f"{names[r['indicator']].en} {number(r['entropy'], 3)} (equal {number(r['equal'], 3)})",
        )
        for r in tight.to_dict("records")
    ]
    listed = named(told, most=3)
    text = Text(
        f"熵权只看离散程度，会架空各对象相近的指标，哪怕它最要紧：{listed.zh}。",
        "Entropy weights look at spread alone and nearly delete indicators in which entities are alike, however much "
        f"they matter: {listed.en}.",
    )
    return CheckResult(name="entropy_weights", passed=False if index.design.weighting == "entropy" else None, text=text)
