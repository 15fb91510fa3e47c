"""The trend of a rate: every period with its interval, policy date, targets, last value at the line end."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from qbase.core.coverage import HIDDEN
from qbase.core.numbers import count, interval, level_text, number
from qbase.core.policy import Policy
from qbase.core.results.result import Result, Scorecard
from qbase.core.results.sentences import digits_of, quantity
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join, same
from qbase.figures.charts.drawn_series import Series, Total, Young, entity_of, read_series, starts_of
from qbase.figures.charts.goal_terms import Terms, cards_of, goals_of
from qbase.figures.charts.trend_drawing import Trend, draw_trend, is_inside, limits_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import (
    FULL_COUNT,
    METHODS,
    account_data,
    capital,
    change_words,
    counts,
    data_row,
    definition_note,
    first_fit,
    sentence,
    sentences,
    source_note,
    unit_of_n,
    with_unit,
)
from qbase.figures.surface.period_axis import both, period_text, read_period

MAX_ROWS = 40
COUNTED = {"batch": Text("批次 n", "Batches n"), "firm": Text("企业 n", "Firms n")}
EVERY = {"Q": Text("按季", "quarterly"), "H": Text("按半年", "half-yearly"), "A": Text("按年", "yearly")}
HOW = Text(
    "圆点为当期的值，竖条为其置信区间；两期竖条大幅重叠时，差别可能只是抽样波动。",
    "A dot is the value of a period, the bar its confidence interval. Where the bars of two periods "
    "largely overlap, the difference may be chance alone.",
)
HOW_FULL = Text(
    "圆点为当期的值；全数统计，没有抽样误差。", "A dot is the value of a period; full count, no sampling error."
)


def plot_trend(
    result: Result, *, policy: Policy | None = None, target: Terms = None, change: Result | None = None
) -> Figure:
    """Draw a rate over time with the interval of every period.

    Gaps stay gaps, nothing is smoothed. The title states the value spoken of by `result`, and the
    difference when `change` is given.

    Parameters
    ----------
    result : Result
        Of `estimate_level`; its table ``series`` is drawn.
    policy : Policy or None
        Its start is marked; with several starts the first is named and the later ones are thin.
    target : Scorecard, sequence of Scorecard or None
        Targets for this outcome are drawn; several go from the near to the far term, and are called so.
    change : Result or None
        Of `estimate_change`, for the title.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        No series (QB703), a period twice (QB704), a value without interval (QB702), a character
        without glyph (QB701).

    Examples
    --------
    >>> from qbase.figures import plot_trend
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> figure = plot_trend(estimate_level(panel, "D1.batch", entity="K001"))
    >>> figure.title.en
    'Batch pass rate of Qingzhao polyester fibre cluster was 75.0% in 2025 Q4'
    >>> print(figure.alt.en)
    Trend of batch pass rate of Qingzhao polyester fibre cluster, 5 periods. 85.7% in 2024 Q4; 75.0% in 2025 Q4 (95%
    CI 50.5–89.8). Lowest 60.0% in 2025 Q1, highest 94.7% in 2025 Q3.
    """
    series = read_series(result)
    entity = entity_of(result)
    name = f"trend:{result.outcome.id}:{entity or 'all'}"
    trend = Trend(
        result=result,
        series=series,
        starts=starts_of(result, policy),
        policy_title=policy.title if policy else same(""),
        targets=goals_of(result, target),
    )
    title, alt = _title(result, change), _alt(trend)
    drawings, preview = render(name, title=title, alt=alt, draw=functools.partial(draw_trend, trend))
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(trend),
        how_to_read=sentences(HOW_FULL if series.is_full_count else HOW, _how_young(series)),
        note=_note(trend, policy, target),
        alt=alt,
        drawings=drawings,
        table=_table(trend, name),
        preview=preview,
    )


def _how_young(series: Series) -> Text:
    """Return how preliminary periods are drawn; empty where there are none."""
    if not series.young:
        return same("")
    if any(np.isfinite(y.low) for y in series.young):
        return Text(
            "虚线框为初步数：结果尚未齐全，下端、上端分别为待定批次全部不合格、全部合格时的数值；空心圆只反映已知结果。",
            "A dashed box is preliminary: results are still coming, its ends are the values if all pending batches "
            "fail or pass; a hollow dot holds the results known so far.",
        )
    return Text(
        "空心圆为初步数：结果尚未齐全，或该期尚未结束。",
        "A hollow dot is preliminary: results are still coming, or the period is not over.",
    )


def _title(result: Result, change: Result | None) -> Text:
    spoken = result.estimates[result.spoken[0]] if result.spoken else result.estimates[-1]
    value = quantity(spoken.value, result.unit, digits_of(result, spoken))
    period = period_text(spoken.key.get("period", ""))
    fields = {"outcome": result.outcome.label, "subject": result.subject, "value": value, "period": period}
    plain = [
        Text("{subject} {period} {outcome}为 {value}", "{outcome} of {subject} was {value} in {period}"),
        Text("{period} {outcome}为 {value}", "{outcome} was {value} in {period}"),
        Text("{period} 为 {value}", "{value} in {period}"),
    ]
    titles = [capital(t.format(**fields)) for t in plain]
    if change is None or not change.estimates:
        return first_fit(titles)
    tail = change_words(change)
    short = Text("{outcome} {value}", "{outcome} {value}").format(**fields)
    starts = [*titles[:2], capital(short), titles[2]]
    return first_fit([t + Text(f"，{tail.zh}", f"; {tail.en}") for t in starts] + titles)


def _subtitle(trend: Trend) -> Text:
    series, result = trend.series, trend.result
    every = EVERY[series.freq]
    first, last = series.periods[series.lead], series.periods[-1]
    span = both(first) + Text("～", "–") + both(last)
    n = counts((int(v) for v in series.n[series.observed]), unit_of_n(result))
    words = Text(
        "{subject}{outcome}，{every}，{span}；每期 {n}", "{outcome} of {subject}, {every}, {span}; {n} a period"
    )
    if first == last:
        words, span = Text("{subject}{outcome}，{span}；{n}", "{outcome} of {subject}, {span}; {n}"), both(first)
    outcome = with_unit(result.outcome.label, result.unit)
    return capital(words.format(subject=result.subject, outcome=outcome, every=every, span=span, n=n))


def _note(trend: Trend, policy: Policy | None, target: Terms) -> Text:
    series, result = trend.series, trend.result
    method = METHODS.get(result.method, same(result.method))
    level = level_text(result.estimates[0].ci_level)
    parts = [
        sentence(FULL_COUNT)
        if series.is_full_count
        else Text(f"区间：{level}，{method.zh}。", f"Intervals: {level}, {method.en}.")
    ]
    hidden = _hidden(trend)
    gaps = len(series.periods) - series.lead - len(series.observed) - len(series.young)
    gaps -= len([p for p in hidden if p in series.periods])
    if gaps:
        parts.append(
            Text(
                f"{gaps} 期没有数据，线在这些时期断开。",
                f"{gaps} {'period holds' if gaps == 1 else 'periods hold'} no data; the line is broken there.",
            )
        )
    if hidden:
        parts.append(
            Text(
                f"{len(hidden)} 期的数字不公开（{HIDDEN}）。",
                f"{len(hidden)} {'period is' if len(hidden) == 1 else 'periods are'} withheld ({HIDDEN}).",
            )
        )
    parts += _totals_note(series)
    if limits_of(trend)[0] > 0:
        parts.append(Text("纵轴不从 0 开始。", "The vertical axis does not start at 0."))
    parts += _policy_note(trend, policy)
    parts += [_target_note(trend, card) for card in cards_of(target)]
    return sentences(definition_note(result.outcome), *parts, source_note(result))


def _totals_note(series: Series) -> list[Text]:
    """Say which marks are totals of a year, and that no estimate rests on them."""
    if not series.totals:
        return []
    first, last = series.totals[0].year, series.totals[-1].year
    years = f"{first}" if first == last else f"{first}–{last}"
    return [
        Text(
            f"方块与虚线：{years} 年只有年度合计，不计入逐期估计。",
            f"Squares on dashed lines: totals of {years}, the only record of these years; no estimate rests on them.",
        )
    ]


def _policy_note(trend: Trend, policy: Policy | None) -> list[Text]:
    if policy is None:
        return []
    if not trend.starts:
        return [Text(f"{policy.title.zh}未覆盖该对象。", f"{policy.title.en} did not cover it.")]
    several = len(trend.starts) > 1
    dates = [both(p) + (Text(f"（{n} 个）", f" ({n})") if several else same("")) for p, n in trend.starts]
    words = Text("竖线：{policy}开始实施，{dates}。", "Vertical line: start of {policy}, {dates}.")
    if not any(is_inside(trend.series, p) for p, _ in trend.starts):
        words = Text(
            "{policy}于 {dates} 开始实施，不在图示时段内。", "{policy} started in {dates}, outside the period shown."
        )
    return [words.format(policy=policy.title, dates=join(dates, zh="、", en=", "))]


def _target_note(trend: Trend, target: Scorecard) -> Text:
    own = [goal for goal in trend.targets if goal.title == target.preset_title]
    if not own:
        return Text(
            f"{target.preset_title.zh}没有为该指标设目标。",
            f"{target.preset_title.en} sets no target for this indicator.",
        )
    source = join(list(dict.fromkeys(goal.criterion.source for goal in own)), zh="；", en="; ")
    word, title = capital(own[0].word), target.preset_title
    return Text(f"{word.zh}：{title.zh}（{source.zh}）。", f"{word.en}: {title.en} ({source.en}).")


def _alt(trend: Trend) -> Text:
    series, result = trend.series, trend.result
    seen = series.observed
    first, last = int(seen[0]), int(seen[-1])
    low, high = int(seen[np.argmin(series.value[seen])]), int(seen[np.argmax(series.value[seen])])
    at = functools.partial(_at, trend)
    parts = [
        Text("{subject}{outcome}走势图，共 {m} 期。", "Trend of {outcome} of {subject}, {m} periods.").format(
            subject=result.subject, outcome=result.outcome.label, m=len(seen)
        ),
        Text("{first}，{last}。", "{first}; {last}.").format(first=at(first), last=at(last, doubt=True))
        if first != last
        else Text("{only}。", "{only}.").format(only=at(last, doubt=True)),
    ]
    if len(seen) > 2:
        parts.append(
            Text("最低 {low}，最高 {high}。", "Lowest {low}, highest {high}.").format(low=at(low), high=at(high))
        )
    if series.totals:
        said = "；".join(f"{t.year} 年 {trend.value(t.value)}" for t in series.totals)
        said_en = "; ".join(f"{trend.value(t.value)} in {t.year}" for t in series.totals)
        parts.append(Text(f"此前的年度合计：{said}。", f"Totals of the years before: {said_en}."))
    for young in series.young[-1:]:
        parts.append(
            Text("{period} 为初步，{doubt}。", "{period} is preliminary, {doubt}.").format(
                period=both(series.periods[young.at]), doubt=_open(trend, young)
            )
        )
    for goal in trend.targets:
        word, value = capital(goal.word), trend.value(goal.criterion.target)
        parts.append(Text(f"{word.zh} {value}。", f"{word.en} {value}."))
    inside = [p for p, _ in trend.starts if is_inside(series, p)]
    if inside:
        parts.append(Text("政策自 {start} 起实施。", "The policy started in {start}.").format(start=both(inside[0])))
    return sentences(*parts)


def _at(trend: Trend, i: int, *, doubt: bool = False) -> Text:
    series = trend.series
    value = trend.value(float(series.value[i]))
    text = Text("{period} 为 {value}", "{value} in {period}").format(period=both(series.periods[i]), value=value)
    if not doubt or series.is_full_count:
        return text
    shown_interval = interval(float(series.low[i]), float(series.high[i]), trend.digits)
    level = level_text(trend.result.estimates[0].ci_level) + " CI "
    return text + Text(f"（{level}{shown_interval.zh}）", f" ({level}{shown_interval.en})")


def _table(trend: Trend, name: str) -> Table:
    series, result = trend.series, trend.result
    frame = result.tables["series"]
    rows = [_total_row(trend, total) for total in series.totals]
    found = {series.periods[i]: _row(trend, i) for i in range(series.lead, len(series.periods))}
    found |= {p: (both(p), HIDDEN, HIDDEN, HIDDEN, Text("不公开", "withheld")) for p in _hidden(trend)}
    rows += [found[p] for p in sorted(found)]
    cut = len(rows) - MAX_ROWS
    note = None
    if cut > 0:
        note = Text(
            f"表中为最近 {MAX_ROWS} 期，全部 {len(rows)} 期见 CSV。",
            f"The table shows the last {MAX_ROWS} periods; all {len(rows)} are in the CSV.",
        )
    ordered = frame.iloc[np.argsort(frame["period"].astype(str).to_numpy(), kind="stable")]
    level = level_text(result.estimates[0].ci_level) + " CI"
    caption = Text("{subject}{outcome}，逐期", "{outcome} of {subject} by period")
    return Table(
        name=f"{name}:table",
        caption=capital(caption.format(subject=result.subject, outcome=result.outcome.label)),
        columns=(
            Column(label=Text("时期", "Period")),
            Column(label=COUNTED.get(result.outcome.counted, same("n")), numeric=True),
            Column(label=Text("其中符合 k", "Of these, k"), numeric=True),
            Column(label=with_unit(result.outcome.label, result.unit), numeric=True),
            Column(label=same(level), numeric=True),
        ),
        rows=tuple(rows[max(0, cut):]),
        note=note,
        data={str(c): [data_row(v) for v in ordered[c]] for c in ordered.columns}
        | account_data([result.coverage] * len(ordered)),
    )  # fmt: skip


def _open(trend: Trend, young: Young) -> Text:
    """Return what a preliminary period leaves open: its bounds, how much is pending, or that it is not over."""
    if np.isfinite(young.low):
        bounds = interval(young.low, young.high, trend.digits)
        return Text(f"上下界 {bounds.zh}", f"bounds {bounds.en}")
    if not young.pending:
        return Text("尚未结束", "not over yet")
    return Text(f"尚有 {count(young.pending)} 批待定", f"{count(young.pending)} batches pending")


def _hidden(trend: Trend) -> list[pd.Period]:
    """Return the periods of the subject that are withheld: marked in the table, and nowhere in the drawing."""
    return [read_period(code) for code in trend.result.settings.get("withheld", ())]


def _total_row(trend: Trend, total: Total) -> tuple[str | Text, ...]:
    period = Text(f"{total.year} 年（年度合计）", f"{total.year} (total of the year)")
    value = number(total.value, trend.digits)
    return period, count(total.n), count(total.k), value, Text("不估计", "not estimated")


def _row(trend: Trend, i: int) -> tuple[str | Text, ...]:
    series = trend.series
    period = both(series.periods[i])
    for young in series.young:
        if young.at == i:
            words = Text("{period}（初步）", "{period} (preliminary)").format(period=period)
            known = number(young.value, trend.digits) if np.isfinite(young.value) else "–"
            return words, count(young.n), count(young.k), known, _open(trend, young)
    if not np.isfinite(series.value[i]):
        return period, "0", "–", "–", Text("无数据", "no data")
    doubt = FULL_COUNT
    if not series.is_full_count:
        doubt = interval(float(series.low[i]), float(series.high[i]), trend.digits)
    counted = (count(int(series.n[i])), count(int(series.k[i])))
    return period, *counted, number(float(series.value[i]), trend.digits), doubt
