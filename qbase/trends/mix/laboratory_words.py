"""Laboratories in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from qbase.core.numbers import interval, level_text, number
from qbase.core.panel import Panel
from qbase.core.results.sentences import add_article, say_p
from qbase.core.shown.english_names import name_text
from qbase.core.text import Text, join, same
from qbase.core.values import CheckResult, Estimate, Indicator
from qbase.indicators.group_counts import GroupCounts
from qbase.stats.decomposing.laboratory_differences import LaboratoryDifferences

ALPHA = 0.05

NOT_DRAWN = Text(
    "同一集群、同一时期内哪批送哪个{name}并非随机：若某{name}专检较差企业或产品，差别中也含这一部分。",
    "Which batch of a cluster and period went to which {name} was not drawn by lot: one that gets the worse firms or "
    "products looks stricter than it is.",
)
POOLED_TOWARDS = Text(
    "各机构的数字已向平均值收缩，批次少的收缩得多；收缩前的数字见表。",
    "Figures of single laboratories are pulled towards the mean, those with few batches more; the table has raw ones.",
)


def spread_of(indicator: Indicator, name: Text) -> Indicator:
    """Return the indicator whose level is the spread between laboratories."""
    label = Text(
        f"{indicator.label.zh}在各{name.zh}之间的标准差",
        f"standard deviation of the {indicator.label.en} between {_plural(name.en)}",
    )
    return dataclasses.replace(indicator, name=label, short=None, better="none", bounds=None)


def few_laboratories(name: Text) -> Text:
    """Return why there is nothing to compare, as half a sentence."""
    return Text(
        f"有记录、且在同一对象同一时期都检验过的{name.zh}不足三个",
        f"fewer than three {_plural(name.en)} on record tested batches of one and the same entity and period",
    )


def check_alike(found: LaboratoryDifferences, name: Text) -> CheckResult:
    """Check whether laboratories differ at all.

    Parameters
    ----------
    found : LaboratoryDifferences
        With the test that none does.
    name : Text
        What they are called.

    Returns
    -------
    CheckResult
        ``laboratories_alike``; False where the test rejects at 5 %: rates measured by others are not comparable.
    """
    p = say_p(found.p_value)
    if found.p_value < ALPHA:
        text = Text(
            f"各{name.zh}对同一集群、同一时期的批次判定不同（{p.zh}）：由不同{name.zh}检验的合格率不能直接相比。",
            f"On batches of one cluster and period {_plural(name.en)} differ ({p.en}): rates found by different ones "
            "are not comparable as they are.",
        )
        return CheckResult(name="laboratories_alike", passed=False, text=text)
    text = Text(
        f"没有发现各{name.zh}之间有差别（{p.zh}）；这不证明没有差别。",
        f"No difference between {_plural(name.en)} was found ({p.en}); that does not show there is none.",
    )
    return CheckResult(name="laboratories_alike", passed=True, text=text)


def later_words(
    found: LaboratoryDifferences, estimates: Sequence[Estimate], counts: GroupCounts, name: Text, entity: str | None,
    level: float,
) -> Text:  # fmt: skip
    """Return what follows the spread: the test, the ends, and the lead asked for."""
    p = say_p(found.p_value)
    parts = [Text(f"检验各{name.zh}是否全无差别：{p.zh}。", f"Test that no {name.en} differs from another: {p.en}.")]
    labs = sorted((e for e in estimates if e.term == "laboratory"), key=lambda e: e.value)
    most, least = (Text("最宽", "Most lenient"), labs[-1]), (Text("最严", "strictest"), labs[0])
    if counts.indicator.better != "up":
        most, least = (Text("最高", "Highest"), labs[-1]), (Text("最低", "lowest"), labs[0])
    ends = join([_end(word, e) for word, e in (most, least)], zh="；", en="; ")
    against = Text(
        "（与同一集群同一时期的其他机构相比，单位：百分点）。",
        " (percentage points, against the others on the same clusters and periods).",
    )
    parts.append(ends + against)
    if entity is not None:
        parts.append(say_lead(estimates, counts.panel, entity))
    return join(parts, zh="", en=" ")


def _end(word: Text, estimate: Estimate) -> Text:
    who, shown = name_text(str(estimate.key["laboratory"])), _value(estimate)
    return Text(f"{word.zh}：{who.zh} {shown.zh}", f"{word.en}: {who.en} {shown.en}")


def say_lead(estimates: Sequence[Estimate], panel: Panel, entity: str) -> Text:
    """Return how far an entity leads the others, and how much of it is who tested.

    Parameters
    ----------
    estimates : sequence of Estimate
        Terms ``lead``, ``explained`` and ``left`` of the entity among them.
    panel : Panel
        Knows its name.
    entity : str
        Its id.
    """
    own = {e.term: e for e in estimates if e.key.get("entity") == entity}
    who = add_article(panel.label(entity))
    if "left" not in own:
        return Text(f"{who.zh}的领先无法按机构分解。", f"The lead of {who.en} cannot be split by laboratory.")
    told = {term: _value(e) for term, e in own.items()}
    said = Text(
        "{who}比同期其他对象高 {lead}个百分点，其中机构之别 {explained}，余下 {left}。",
        "{who} lies {lead} percentage points off the others of the same periods; {explained} of it is who tested, "
        "{left} is left.",
    ).format(who=who, **told)
    return Text(said.zh, said.en[:1].upper() + said.en[1:])


def _value(estimate: Estimate) -> Text:
    shown = number(estimate.value, 1, sign=True)
    ends = same(level_text(estimate.ci_level) + " CI ") + interval(
        float(estimate.ci_low or 0.0), float(estimate.ci_high or 0.0), 1
    )
    return Text(f"{shown}（{ends.zh}）", f"{shown} ({ends.en})")


def _plural(name: str) -> str:
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
