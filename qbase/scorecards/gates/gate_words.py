"""What a verdict says beside its number: what was judged, and why it is open."""

from __future__ import annotations

import tomllib
from importlib import resources

from qbase.core.lazy import read_once
from qbase.core.numbers import count, level_text, number, percent
from qbase.core.text import Text
from qbase.core.values import ReadOnly, freeze
from qbase.indicators.catalogue.indicator_rows import read_rows

TREATMENTS = {
    "naive": Text("全部批次，未加权", "all batches as drawn, unweighted"),
    "random_draw": Text("双随机加权", "weighted random draws"),
    "post_stratified": Text("事后分层", "post-stratified"),
    "prediction_powered": Text("双随机加权，定向预测", "weighted random draws with predictions"),
}
NOTHING = Text("", "")
NO_THRESHOLD = Text("预设没有限值", "the preset sets no threshold")
NO_DRAWS = Text("窗口内没有双随机批次", "no random draw in the window")
NO_LIST = Text("名单上没有企业", "nobody on the list")
NO_PEERS = Text(
    "全省没有其他集群的同类产品被抽查，领先无从谈起",
    "no other cluster of the product was tested: there is nothing to lead",
)
OF_CLUSTERS = Text(
    "这一关口看一个集群或一种产品，乡镇不作判断，见各集群",
    "this gate is of one cluster or product: it is not judged for a town, see its clusters",
)
PRELIMINARY = Text("窗口含初步季度，不判达标与否。", "The window holds a preliminary quarter: neither met nor missed.")
NOT_RANDOM = Text(
    "已核企业不是随机选取（或未说明），未核企业的情况不能由已核企业推断。",
    "Those verified are not known to be a random subset: they say nothing about the rest.",
)


def say_draws(sampling: str, window: Text, n: int, n_eff: float) -> Text:
    """Say what a rate was judged on."""
    how = TREATMENTS[sampling]
    size = f"n = {count(n)}"
    if sampling != "naive":
        size_zh, size_en = f"{size} 批，有效 {number(n_eff, 1)}", f"{size} batches, effective {number(n_eff, 1)}"
    else:
        size_zh, size_en = f"{size} 批", f"{size} batches"
    return Text(f"{how.zh}，{window.zh}，{size_zh}", f"{how.en}, {window.en}, {size_en}")


def say_too_few(n: int, least: int) -> Text:
    """Say that the floor on n was not reached."""
    return Text(
        f"只有 {count(n)} 批，少于 {least} 批不作判断。", f"Only {count(n)} batches: below {least} there is no verdict."
    )


def say_not_meant(sampling: str) -> Text:
    """Say that batches as drawn are not what a target is meant for."""
    how = TREATMENTS[sampling]
    return Text(
        f"全部批次里有专查问题企业的，合格率往往偏低；目标说的是{how.zh}的合格率，所以不作判断。",
        "Some of these batches were drawn where failures were expected, which tends to lower the rate; the target is "
        f"meant for {how.en}, so there is no verdict.",
    )


def say_possible(n_possible: int | None, n_eff: float, level: float) -> Text:
    """Say from which n on a target can be met at all, where that is not yet so."""
    if n_possible is None or n_eff >= n_possible:
        return Text("", "")
    shown = level_text(level)
    return Text(
        f"单侧 {shown} 之下，全部合格也要有效批次达到 {count(n_possible)} 才可能判为达到。",
        f"At a one-sided {shown}, met becomes possible from an effective {count(n_possible)} batches on, all of them "
        "passing.",
    )


def say_list(listed: int, verified: int, failed: int, when: str) -> Text:
    """Say the four counts of a list: 应核a 已核b 不达标c 未核d."""
    left = listed - verified
    return Text(
        f"{when} 年末名单：应核 {count(listed)} 已核 {count(verified)} 不达标 {count(failed)} 未核 {count(left)}",
        f"list at the end of {when}: {count(listed)} to verify, {count(verified)} verified, {count(failed)} failing, "
        f"{count(left)} unverified",
    )


def say_bound(bound: int, level: float) -> Text:
    """Say how many of the unverified can fail at most, where those verified are a random subset."""
    shown = level_text(level)
    return Text(
        f"已核企业随机选取：未核企业中不达标的至多 {count(bound)} 家（单侧 {shown}，超几何分布）。",
        f"Those verified are a random subset: at most {count(bound)} of the others fail (one-sided {shown}, "
        "hypergeometric).",
    )


def say_lead(above: float, steady: float, margin: float, quarters: int, window: int, n: int) -> Text:
    """Say what a lead was judged on."""
    return Text(
        f"双随机加权，{window} 个季度中 {quarters} 个有同类可比，n = {count(n)} 批；"
        f"领先概率 {percent(100 * above, 0)}，任何四个季度都不落后 {number(margin, 1)} 个百分点以上的概率 "
        f"{percent(100 * steady, 0)}",
        f"weighted random draws, {quarters} of {window} quarters with peers of the product, n = {count(n)} batches; "
        f"probability {percent(100 * above, 0)} of a lead and {percent(100 * steady, 0)} that no four quarters trail "
        f"by more than {number(margin, 1)} points",
    )


def say_trailing(window: str, late: float, margin: float) -> Text:
    """Say that one window of four quarters trails, whatever the lead over all of them."""
    limit, shown = number(margin, 1), percent(100 * late, 0)
    return Text(
        f"{window} 落后 {limit} 个百分点以上的概率为 {shown}，不算稳定；所列数值是这四个季度的",
        f"{window} trails by more than {limit} points with probability {shown}: not stable, and the value is that of "
        "these four quarters",
    )


def say_few_peers(quarters: int, window: int) -> Text:
    """Say that too few quarters had anybody to compare with."""
    return Text(
        f"{window} 个季度中只有 {quarters} 个有同类被抽查；没有同类的季度不算领先。",
        f"Only {quarters} of {window} quarters had peers tested; a quarter without others is no lead.",
    )


def say_years(first: str, last: str) -> Text:
    """Say which years a full count is of."""
    if first == last:
        return Text(f"{last} 年", f"{last}")
    return Text(f"{first}–{last} 年最不利的一年", f"the least favourable year of {first}–{last}")


def say_no_year(year: str) -> Text:
    """Say that a year has no number."""
    return Text(f"{year} 年没有数字", f"no number for {year}")


@read_once
def gate_titles() -> ReadOnly[str, Text]:
    """Return a few words for every line of the catalogue that can be a gate: its title, else its name.

    Examples
    --------
    >>> from qbase.scorecards.gates.gate_words import gate_titles
    >>> gate_titles()["N4"].en, gate_titles()["L10"].en
    ('Inspection capability', 'Differentiated-product share (差别化率)')
    """
    file = resources.files("qbase.scorecards.gates").joinpath("gate_titles.toml")
    own = tomllib.loads(file.read_text(encoding="utf-8"))
    titled = {gate: Text(words["zh"], words["en"]) for gate, words in own.items()}
    return freeze({gate: titled.get(gate, row.name) for gate, row in read_rows().items()})
