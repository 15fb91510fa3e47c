"""A change of the yardstick in words: its date with its doubt, and that it is none of quality."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from qbase.core import periods
from qbase.core.numbers import count, level_text, p_value
from qbase.core.policy import DatedEvent
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.stats.control.judged_twice import QuietEnd

PAIRED = Text(
    "同一批次按当日限值和同一限值各判一次，差别只来自限值；起始一端的日期是确定的（此前仍有批次判定不同）。",
    "Each batch is judged twice, by the limits of its day and by one fixed set: only the limits can make a difference. "
    "The near end of the date is certain, since batches still differed before it.",
)
NO_ITEMS = Text(
    "没有{subject}的检验项目测量值和限值：同一批次不能按两套限值判定，仅凭{outcome}不能确定标准变化的日期。",
    "No measured items with limits were delivered of {subject}: the same batches cannot be judged twice, and the "
    "{outcome} alone cannot date a change of standard.",
)
UNRECORDED = Text("检验项目限值变化", "limits of the items changed")


def name_change(date: pd.Period, own: Sequence[DatedEvent]) -> Text:
    """Return the names of the editions on record at that date, or that the limits changed."""
    if own:
        return join(list(dict.fromkeys(e.title for e in own)), zh="；", en="; ")
    when = periods.label(date)
    return Text(f"{when.zh}{UNRECORDED.zh}", f"{UNRECORDED.en} in {when.en}")


def label_change(
    index: pd.PeriodIndex, found: QuietEnd, date: pd.Period, own: Sequence[DatedEvent], level: float
) -> Text:
    """Return the beginning of the sentence: when, how sure, and that only the limits moved."""
    when, title, shown = periods.label(date), name_change(date, own), level_text(level)
    low = periods.label(index[found.low])
    high = periods.label(index[min(found.high, len(index) - 1)])
    span = Text(
        f"日期 {shown} CI：{low.zh}" + ("" if found.low == found.high else f"至{high.zh}"),
        f"{shown} CI of the date {low.en}" + (" alone" if found.low == found.high else f" to {high.en}"),
    )
    return Text(
        f"{when.zh}标准变化前后，衡量尺度已变，不能据此判断质量（{title.zh}；{span.zh}）：同一批次按新旧限值各判一次，",
        f"Across the change of standard in {when.en}, which moves the yardstick and says nothing about quality "
        f"({title.en}; {span.en}), the same batches judged by both limits: ",
    )


def check_change(own: Sequence[DatedEvent]) -> list[CheckResult]:
    """Return that the yardstick moved, and whether a document says so."""
    moved = Text(
        "衡量尺度在期内发生变化：跨越该日期的合格率比较不能解释为质量变化，应看按同一限值重新判定的合格率。",
        "The yardstick moved: pass rates across that date cannot be read as a change of quality; the rate re-judged "
        "against one set of limits can.",
    )
    found = [CheckResult(name="same_yardstick", passed=False, text=moved)]
    if own:
        text = Text("该日期有标准换版记录。", "A new edition of a standard is on record at that date.")
        return [*found, CheckResult(name="edition_on_record", passed=True, text=text)]
    text = Text(
        "该日期没有标准换版记录：也可能是限值不同的产品不再被抽到。",
        "No new edition is on record at that date: products of other limits that are no longer drawn look the same.",
    )
    return [*found, CheckResult(name="edition_on_record", passed=False, text=text)]


def say_unmoved(*, differing: int, n: int, p: float | None) -> Text:
    """Return why there is no date: no batch is judged otherwise, or some are throughout."""
    if differing == 0:
        return Text(
            f"{{subject}}的 {count(n)} 批按当日限值和同一限值判定完全一致，没有发现影响判定的限值变化。",
            f"All {count(n)} batches of {{subject}} are judged by one set of limits as they were in their day: no "
            "change of limits decided about any of them.",
        )
    shown = "" if p is None else f"（p {_p(p)}）"
    return Text(
        f"{{subject}}的 {count(n)} 批中有 {count(differing)} 批按当日限值和同一限值判定不同，"
        f"但没有一个日期可把它们分开{shown}。",
        f"Of {count(n)} batches of {{subject}} {count(differing)} are judged otherwise by one set of limits than in "
        f"their day, and no date parts them{'' if p is None else f' (p {_p(p)})'}.",
    )


def _p(p: float) -> str:
    shown = p_value(p)
    return shown if shown[0] in "<>" else f"= {shown}"
