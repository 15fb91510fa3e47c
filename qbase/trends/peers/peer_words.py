"""Sentences about entities beside each other: names, never a league; what chance would do said in the same breath."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from qbase.core.numbers import UNITS, count, level_text, number, percent
from qbase.core.results.result import Result
from qbase.core.results.sentences import GRADES, digits_of, direction_of, doubt, grade_of, quantity
from qbase.core.text import Text, join
from qbase.core.values import Indicator
from qbase.stats.comparing.funnel_limits import Funnel
from qbase.trends.peers.peer_counts import NAMED, Compared, named

FEW_PEERS = Text(
    "只有 {n} {kind}，少于 {least}，同类之间通常相差多少无从估计，界限只含抽样误差。",
    "Only {n} {kind}, fewer than {least}: how far alike ones lie apart cannot be estimated; limits hold chance alone.",
)
NO_LEAGUE = Text(
    "界限之外值得查原因，界限之内不宜排名。", "Outside the limits ask why; inside them there is nothing to rank."
)
SPREAD = {
    "additive": Text("按随机效应放宽（Spiegelhalter 2005）", "widened by random effects (Spiegelhalter 2005)"),
    "multiplicative": Text("按 √φ 放宽（Spiegelhalter 2005）", "widened by √φ (Spiegelhalter 2005)"),
    "none": Text("未放宽", "not widened"),
}
SIDES = {
    "low_998": Text("低于 99.8% 下限", "below the 99.8% limit"),
    "low_95": Text("低于 95% 下限", "below the 95% limit"),
    "high_95": Text("高于 95% 上限", "above the 95% limit"),
    "high_998": Text("高于 99.8% 上限", "above the 99.8% limit"),
}
WORSE_FIRST = ("low_998", "low_95", "high_998", "high_95")


def say_expected(value: float) -> Text:
    """Say how many would be outside by chance, as a reader counts: nobody has met half a cluster."""
    if value < 0.05:
        return Text("几乎没有", "hardly any")
    return Text("不到 1 个", "fewer than one") if value < 0.95 else Text(f"约 {value:.0f} 个", f"about {value:.0f}")


def counted(n: int, indicator: Indicator) -> Text:
    """Write n with what it counts."""
    unit = UNITS[indicator.counted]
    return Text(f"n = {count(n)} {unit.zh}".rstrip(), f"n = {count(n)} {unit.en}".rstrip())


def say_chance(settings: Mapping[str, Any], n: int) -> Text:
    """Say how many of n would lie outside though none differs."""
    wide, far = (say_expected(float(settings[f"expected_{end}"])) for end in ("95", "998"))
    # how much they are widened stands among the limits of the method
    spread = Text("界限已按各对象本来的差别放宽；", "Limits are widened by how far all lie apart anyway. ")
    if not is_widened(settings):
        spread = Text("", "")
    return spread + Text(
        f"仅凭偶然，{count(n)} 个中{wide.zh}在 95% 界限之外，{far.zh}在 99.8% 界限之外。",
        f"By chance alone {wide.en} of {count(n)} would lie outside the 95% limits and {far.en} outside the 99.8% "
        "limits.",
    )


def is_widened(settings: Mapping[str, Any]) -> bool:
    """Return whether limits hold more than chance."""
    return settings["dispersion"] != "none" and float(settings["phi"]) > 1


def say_spread(funnel: Funnel, n: int) -> Text:
    """Say how far entities lie apart beyond chance, and what was done about it."""
    how, phi = SPREAD[funnel.dispersion], number(funnel.phi, 1)
    if funnel.dispersion != "none" and funnel.phi <= 1:
        how = Text("不需放宽", "no need to widen them")
    return Text(
        f"过度离散系数 φ = {phi}（1 为纯属偶然，{count(n)} 个对象估计）；界限{how.zh}。",
        f"Over-dispersion φ = {phi} (1 is chance alone, from {count(n)} entities); limits: {how.en}.",
    )


def say_funnel(result: Result, compared: Compared) -> Text:
    """Return the sentence of a funnel: who lies outside, by name, and how many would by chance."""
    rows, mean = result.tables["peers"], result["mean"]
    n, outside = len(rows), rows[rows["outside"] != ""]
    centre = percent(mean.value, digits_of(result, mean))
    about = {
        "when": compared.when, "n": count(n), "kind": compared.kind, "outcome": result.outcome.label, "mean": centre,
        "inside": count(n - len(outside)), "counted": counted(int(rows["n"].sum()), result.outcome),
    }  # fmt: skip
    if outside.empty:
        head = Text(
            "{when}{n} {kind}的{outcome}与平均 {mean}（{counted}）的差别均属正常波动。",
            "In {when} the {outcome} of all {n} {kind} differs from their mean of {mean} ({counted}) by no more "
            "than routine variation.",
        )
    else:
        head = Text(
            "{when}{n} {kind}中 {inside} 个的{outcome}与平均 {mean}（{counted}）的差别属正常波动。",
            "In {when} the {outcome} of {inside} of {n} {kind} differs from their mean of {mean} ({counted}) by no "
            "more than routine variation.",
        )
    parts = [head.format(**about)]
    parts += [_outside(outside[outside["outside"] == side], SIDES[side]) for side in WORSE_FIRST]
    parts.append(say_chance(result.settings, n))
    return join([p for p in parts if p.zh], zh="", en=" ")


def _outside(rows: pd.DataFrame, side: Text) -> Text:
    """Name those beyond one limit, the first few of them, with their rates."""
    if rows.empty:
        return Text("", "")
    told = [
        Text(
            f"{row['name_zh']}（{percent(row['rate_pct'])}，n = {count(row['n'])}）",
            f"{row['name_en']} ({percent(row['rate_pct'])}, n = {count(row['n'])})",
        )
        for row in rows.head(NAMED).to_dict("records")
    ]
    listed, more = join(told, zh="、", en=", "), len(rows) - NAMED
    rest = Text(f"等 {count(len(rows))} 个", f" and {count(more)} more") if more > 0 else Text("", "")
    head = side.en[:1].upper() + side.en[1:]
    return Text(f"{side.zh}：{listed.zh}{rest.zh}。", f"{head}: {listed.en}{rest.en}.")


def nobody_else(compared: Compared) -> tuple[Text, Text]:
    """Return why there is nothing to compare with, as a sentence and in a few words."""
    name = next(iter(compared.names.values()))
    why = Text(
        f"{compared.when.zh}只有{name.zh}被抽查，没有同类可比，领先还是落后无从谈起。",
        f"In {compared.when.en} nobody but {name.en} was tested: there are no peers, and neither a lead nor a lag.",
    )
    return why, Text("没有同类被抽查，不作比较", "Not compared: no peer was tested")


def say_gap(result: Result, compared: Compared, name: Text, peers: int) -> Text:
    """Return the sentence of a gap."""
    gap = result["gap"]
    digits, direction = digits_of(result, gap), direction_of(gap)
    the = f"the {name.en}" if name.en.endswith(" cluster") else name.en
    others = Text(f"其余 {count(peers)} {compared.kind.zh}", f"its {count(peers)} peers")
    if peers == 1:
        others = Text("另一个同类", "its one peer")
    about = {
        "when": compared.when, "outcome": result.outcome.label, "others": others, "name": Text(name.zh, the),
        "n": counted(gap.n_obs or 0, result.outcome),
    }  # fmt: skip
    if direction not in {"up", "down"}:
        return Text(
            "{when}{name}的{outcome}高于还是低于{others}的平均，尚无法判断：估计相差 {value}（{doubt}；{n}）。",
            "Whether the {outcome} of {name} in {when} lies above or below the mean of {others} cannot be told: the "
            "estimate is {value} ({doubt}; {n}).",
        ).format(**about, value=quantity(gap.value, result.unit, digits, sign=True), doubt=doubt(result, gap))
    down, grade = direction == "down", grade_of(result, gap) or "limited"
    sure = grade == "strong"
    verb = Text(
        ("估计低" if down else "估计高") if sure else ("可能低，估计低" if down else "可能高，估计高"),
        ("lies" if sure else "probably lies") + " an estimated",
    )
    return Text(
        "{when}{name}的{outcome}比{others}的平均{verb} {value}（{doubt}；{n}；{grade}）。",
        "In {when} the {outcome} of {name} {verb} {value} {side} the mean of {others} ({doubt}; {n}; {grade}).",
    ).format(
        **about, verb=verb, value=quantity(abs(gap.value), result.unit, digits), doubt=doubt(result, gap, flip=down),
        grade=GRADES[grade], side=Text("", "below" if down else "above"),
    )  # fmt: skip


def say_ranks(table: pd.DataFrame, compared: Compared, told: int, level: float) -> Text:
    """Return the sentence of ranks: how many pairs are in order, who may be first, who must be far down."""
    m = len(table)
    first, last = int((table["rank_low"] == 1).sum()), int((table["rank_high"] == m).sum())
    about = {
        "when": compared.when, "m": count(m), "kind": compared.kind, "outcome": compared.indicator.label,
        "told": count(told), "pairs": count(m * (m - 1) // 2), "first": count(first), "last": count(last),
        "level": level_text(level),
    }  # fmt: skip
    head = Text(
        "按{when}的{outcome}，{m} {kind}的 {pairs} 对中只有 {told} 对分得出先后（{level}，同时成立）："
        "{first} 个可能居首，{last} 个可能居末。",
        "By {outcome} in {when}, {told} of {pairs} pairs of {m} {kind} can be put in order ({level}, all at once): "
        "{first} may be first and {last} may be last.",
    )
    if not told:
        head = Text(
            "按{when}的{outcome}，{m} {kind}分不出先后（{level}，同时成立）：每一个都可能居首，也可能居末。",
            "By {outcome} in {when}, no two of {m} {kind} can be put in order ({level}, all at once): each may be "
            "first, and each may be last.",
        )
    return head.format(**about) + _narrow(table)


def _narrow(table: pd.DataFrame) -> Text:
    """Name those whose ranks are all in the upper or all in the lower half."""
    m = len(table)
    up, down = table[table["rank_high"] <= m / 2], table[table["rank_low"] > (m + 1) / 2]
    parts = []
    for rows, side in ((up, Text("上半", "upper half")), (down, Text("下半", "lower half"))):
        if len(rows):
            who = named([Text(str(r["name_zh"]), str(r["name_en"])) for r in rows.to_dict("records")])
            parts.append(Text(f"确在{side.zh}的有：{who.zh}。", f" Surely in the {side.en}: {who.en}."))
    return join(parts, zh="", en="")
