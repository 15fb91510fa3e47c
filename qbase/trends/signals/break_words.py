"""Breaks in words: a date with its doubt, and what stands on record at that date."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from qbase.core import periods
from qbase.core.numbers import count, level_text, p_value
from qbase.core.policy import DatedEvent
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.stats.control.dated_breaks import DatedBreak

ORDER = ("standard", "policy", "break", "other")
NO_CAUSE = Text("没有记录在案的事件", "no event on record")


def first_after(index: pd.PeriodIndex, found: DatedBreak, events: Sequence[DatedEvent]) -> pd.Period:
    """Return the first period after a break: that of the document where one gives the date."""
    if found.is_documented:
        stop = index[found.last + 1] if found.last + 1 < len(index) else index[-1] + 1
        dates = [e.at(periods.freq_of(index)) for e in events]
        inside = [d for d in dates if index[found.last] < d <= stop]
        if inside:
            return min(inside)
    return index[found.last + 1]


def name_break(index: pd.PeriodIndex, found: DatedBreak, events: Sequence[DatedEvent]) -> tuple[str, Text]:
    """Return the kind of a break and its name: that of the events in its interval, a changed standard before all."""
    if not events:
        when = periods.label(index[found.last + 1])
        return "break", Text(f"{when.zh}断点", f"break of {when.en}")
    kind = min((e.kind for e in events), key=ORDER.index)
    titles = list(dict.fromkeys(e.title for e in events if e.kind == kind))
    return kind, join(titles, zh="；", en="; ")


def label_break(index: pd.PeriodIndex, found: DatedBreak, events: Sequence[DatedEvent], level: float) -> Text:
    """Return the beginning of the sentence of a break: when, how sure, and what it coincides with."""
    kind, title = name_break(index, found, events)
    when = periods.label(first_after(index, found, events))
    span = say_dates(index, found, level)
    # a table names the row by what stands before the first comma
    if kind == "standard":
        return Text(
            f"{when.zh}标准变化前后，衡量尺度已变，不能据此判断质量（{title.zh}；{span.zh}），",
            f"Across the change of standard in {when.en}, which moves the yardstick and says nothing about quality "
            f"({title.en}; {span.en}), ",
        )
    if kind == "policy":
        return Text(
            f"{when.zh}断点前后，时间与{title.zh}开始实施重合，重合不等于效果（{span.zh}），",
            f"At the break of {when.en}, which coincides with the start of {title.en} and is no effect for that "
            f"({span.en}), ",
        )
    if kind == "other":
        return Text(
            f"{when.zh}断点前后，同期有{title.zh}（{span.zh}），",
            f"At the break of {when.en}, with {title.en} on record then ({span.en}), ",
        )
    return Text(
        f"{when.zh}断点前后，{NO_CAUSE.zh}（{span.zh}），",
        f"At the break of {when.en}, with {NO_CAUSE.en} ({span.en}), ",
    )


def say_dates(index: pd.PeriodIndex, found: DatedBreak, level: float) -> Text:
    """Return the interval of a date in words; open where it leaves the series."""
    last = len(index) - 1
    low = periods.label(index[found.low + 1])
    high = periods.label(index[min(found.high + 1, last)])
    shown = level_text(level)
    if found.low < 0:
        low = Text(f"{low.zh}以前", f"before {low.en}")
    if found.high >= last:
        high = Text(f"{high.zh}以后", f"after {high.en}")
    return Text(f"日期 {shown} CI：{low.zh}至{high.zh}", f"{shown} CI of the date {low.en} to {high.en}")


def say_none(index: pd.PeriodIndex, p: float | None, *, least: int) -> Text:
    """Return that no break was found, which is not that there is none; or that none was searched for."""
    if p is None:
        n = count(len(index))
        return Text(
            f"{{subject}}的{{outcome}}只有 {n} 期，至少 {least} 期才查找断点。",
            f"The {{outcome}} of {{subject}} has {n} periods: a search for breaks takes at least {least}.",
        )
    first, last = periods.label(index[0]), periods.label(index[-1])
    shown = p_value(p)
    shown = shown if shown[0] in "<>" else f"= {shown}"
    return Text(
        f"{first.zh}至{last.zh}，{{subject}}的{{outcome}}没有发现断点（sup-F 检验 p {shown}；没有发现不等于没有）。",
        f"No break was found in the {{outcome}} of {{subject}} from {first.en} to {last.en} (sup-F p {shown}; none "
        "found is not none there).",
    )


def check_breaks(
    index: pd.PeriodIndex, found: Sequence[DatedBreak], told: Sequence[Sequence[DatedEvent]]
) -> list[CheckResult]:
    """Return the checks: which breaks a changed standard explains, and which reach the ends of the series."""
    checks = []
    for b, events in zip(found, told, strict=True):
        when = periods.label(first_after(index, b, events))
        titles = list(dict.fromkeys(e.title for e in events if e.kind == "standard"))
        if titles:
            named = join(titles, zh="；", en="; ")
            text = Text(
                f"{when.zh}断点的日期区间内有标准变化（{named.zh}），不能解释为质量变化。",
                f"The interval of the break of {when.en} holds a change of standard ({named.en}): it cannot be read as "
                "a change of quality.",
            )
            checks.append(CheckResult(name="same_yardstick", passed=False, text=text))
        if b.low < 0 or b.high >= len(index) - 1:
            text = Text(
                f"{when.zh}断点的日期区间超出数据范围。", f"The interval of the break of {when.en} leaves the series."
            )
            checks.append(CheckResult(name="date_inside", passed=False, text=text))
    return checks
