"""A series with the turns of its trend: lines that meet, the date of each turn with its interval, what is on record."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS_SHORT, interval, level_text, number
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of, quantity
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, same
from qbase.core.values import Estimate
from qbase.figures.charts.drawn_series import entity_of
from qbase.figures.charts.event_figure import refuse_bare
from qbase.figures.signals.break_figure import band_of, subtitle_of
from qbase.figures.signals.control_figure import axis_of, marks_of, spread_column
from qbase.figures.signals.signal_drawing import Signals, figure_of
from qbase.figures.surface.figure_words import (
    account_data,
    capital,
    data_row,
    definition_note,
    first_fit,
    sentence,
    sentences,
    source_note,
    with_unit,
)
from qbase.figures.surface.period_axis import both, read_period

HOW = Text(
    "折线为趋势；竖线为转折，色带为其日期的置信区间，越宽越说不准。与标准变化重合的转折不说明质量。",
    "The bent line is the trend; an upright line is a turn, its band the confidence interval of the date: the wider, "
    "the less is known. A turn at a change of standard says nothing about quality.",
)
SEASON = Text("各点含季节，趋势线不含。", "Points hold the season, the line does not.")
TABLES = {"series", "joinpoints", "events"}


def plot_joinpoints(result: Result, *, policy: Policy | None = None) -> Figure:
    """Draw a series with the turns of its trend.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.estimate_joinpoints`; tables ``series``, ``joinpoints`` and ``events`` are drawn.
    policy : Policy or None
        Its start is marked.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table of segments.

    Raises
    ------
    DataError
        Without those tables, or too short a series for a trend (QB703), or a character without glyph (QB701).

    Examples
    --------
    >>> from qbase.figures import plot_joinpoints
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_joinpoints
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> plot_joinpoints(estimate_joinpoints(panel, "D1.batch", entity="K001")).title.en
    'Batch pass rate of Qingzhao polyester fibre cluster: no turn of the trend found'
    """
    drawn = _read(result, policy)
    name = f"joinpoints:{result.outcome.id}:{entity_of(result) or 'all'}"
    return figure_of(
        name, drawn, _table(result, name), title=_title(result), alt=_alt(drawn), subtitle=subtitle_of(drawn),
        how_to_read=HOW, note=_note(result),
    )  # fmt: skip


def _read(result: Result, policy: Policy | None) -> Signals:
    if not set(result.tables) >= TABLES or not result.estimates:
        found = "no trend" if set(result.tables) >= TABLES else ", ".join(result.tables) or "no table"
        raise DataError(
            "QB703", name=result.name, found=found, expected="tables series, joinpoints and events, and a trend",
            fix="plot_joinpoints(estimate_joinpoints(panel, outcome))",
        )  # fmt: skip
    for estimate in result.estimates:
        refuse_bare(estimate)
    frame = result.tables["series"]
    periods, at = axis_of(frame)
    column = functools.partial(spread_column, frame, at, len(periods))
    nothing = np.full(len(periods), np.nan)
    return Signals(
        result=result, periods=periods, value=column("value"), low=nothing, high=nothing,
        state=np.zeros(len(periods), dtype=np.int64), young=nothing, stretches=(), trend=column("trend"),
        marks=marks_of(result, periods, policy),
        bands=tuple(band_of(r, inside=0.5) for r in result.tables["joinpoints"].to_dict("records")),
    )  # fmt: skip


def _title(result: Result) -> Text:
    table, outcome, subject = result.tables["joinpoints"], result.outcome.label, result.subject
    colon = Text("：", ": ")
    heads = [Text("{subject}{outcome}", "{outcome} of {subject}").format(subject=subject, outcome=outcome), outcome]
    if table.empty:
        found = Text("趋势没有发现转折", "no turn of the trend found")
        return first_fit([capital(head + colon + found) for head in heads])
    when = both(read_period(table["period"].iloc[0]))
    if len(table) > 1:
        found = Text("趋势有 {n} 个转折，首个在 {when}", "{n} turns of the trend, the first in {when}").format(
            n=len(table), when=when
        )
        return first_fit([capital(head + colon + found) for head in heads])
    if table["kind"].iloc[0] == "standard":
        found = Text(
            "{when} 转折与标准变化重合，不说明质量", "turn of {when} at a change of standard, no verdict on quality"
        ).format(when=when)
    else:
        before, after = (_slope(result, e) for e in result.estimates)
        found = Text("{when} 转折，由 {a} 变为 {b} {unit}", "turn in {when}, from {a} to {b} {unit}").format(
            when=when, a=before, b=after, unit=UNITS_SHORT[result.unit]
        )
    return first_fit([*(capital(head + colon + found) for head in heads), capital(found)])


def _slope(result: Result, estimate: Estimate, *, is_long: bool = False) -> Text:
    digits = digits_of(result, estimate)
    if is_long:
        return quantity(estimate.value, result.unit, digits, sign=True)
    return same(number(estimate.value, digits, sign=True))


def _note(result: Result) -> Text:
    level, alpha = (level_text(float(result.settings[c])) for c in ("level", "alpha"))
    method = Text(
        f"转折：逐步检验（Kim 等 2000），直线趋势误报不超过 {alpha}；日期区间 {level}（Lerman 1980）。",
        f"Turns: sequential tests (Kim et al. 2000), false alarms in a straight trend at most {alpha}; {level} "
        "interval of the date (Lerman 1980).",
    )
    series = result.tables["series"]
    season = [] if np.allclose(series["fitted"], series["trend"]) else [SEASON]
    checks = [sentence(c.text) for c in result.checks if c.name == "same_yardstick"]
    coincide = [
        Text("{when} 转折与{title}开始实施的时间重合，重合不等于效果。",
             "The turn of {when} coincides with the start of {title}; that is no effect.").format(
            when=both(read_period(r["period"])), title=Text(str(r["title_zh"]), str(r["title_en"])))
        for r in result.tables["joinpoints"].to_dict("records") if r["kind"] == "policy"
    ]  # fmt: skip
    return sentences(definition_note(result.outcome), method, *season, *coincide, *checks, source_note(result))


def _segments(result: Result) -> list[tuple[Estimate, dict[str, str] | None]]:
    """Return each segment with the turn it ends in; the last one ends in none."""
    turns = [{str(k): str(v) for k, v in r.items()} for r in result.tables["joinpoints"].to_dict("records")]
    return list(itertools.zip_longest(result.estimates, turns))


def _span(low: object, high: object) -> Text:
    return Text("{low} 至 {high}", "{low} to {high}").format(low=both(read_period(low)), high=both(read_period(high)))


def _alt(drawn: Signals) -> Text:
    result, table = drawn.result, drawn.result.tables["joinpoints"]
    n = len(table)
    parts = [
        Text("{subject}{outcome}，{m} 期，{b}。", "{outcome} of {subject}, {m} periods, {b}.").format(
            subject=result.subject, outcome=capital(result.outcome.label), m=len(drawn.observed),
            b=Text(f"趋势转折 {n} 个", "1 turn of the trend" if n == 1 else f"{n or 'no'} turns of the trend"),
        )
    ]  # fmt: skip
    for estimate, turn in _segments(result):
        said = Text("{span}：{slope}", "{span}: {slope}").format(
            span=_span(estimate.key["since"], estimate.key["until"]), slope=_slope(result, estimate, is_long=True)
        )
        if turn is not None:
            said += Text("，在 {low} 至 {high} 之间转折", ", turned between {low} and {high}").format(
                low=both(read_period(turn["low"])), high=both(read_period(turn["high"]))
            )
            said += Text(f"（{turn['title_zh']}）", f" ({turn['title_en']})") if turn["title_zh"] else same("")
        parts.append(said + Text("。", "."))
    return sentences(*parts)


def _table(result: Result, name: str) -> Table:
    rows, data = [], []
    for estimate, turn in _segments(result):
        ends = interval(float(estimate.ci_low or 0.0), float(estimate.ci_high or 0.0), digits_of(result, estimate))
        dated = Text("–", "–") if turn is None else _span(turn["low"], turn["high"])
        on_record = same("") if turn is None else Text(turn["title_zh"], turn["title_en"])
        span = _span(estimate.key["since"], estimate.key["until"])
        rows.append((span, _slope(result, estimate), ends, dated, on_record))
        facts = {c: "" if turn is None else turn[c] for c in ("period", "low", "high", "kind", "title_zh", "title_en")}
        slope = {"slope": estimate.value, "ci_low": estimate.ci_low, "ci_high": estimate.ci_high}
        ends_of = {"since": estimate.key["since"], "until": estimate.key["until"]}
        data.append(ends_of | slope | {f"turn_{c}" if c in {"low", "high"} else c: v for c, v in facts.items()})
    return Table(
        name=f"{name}:table",
        caption=capital(
            Text("{subject}{outcome}趋势的各段", "Segments of the trend of {outcome} of {subject}").format(
                subject=result.subject, outcome=result.outcome.label
            )
        ),
        columns=(
            Column(label=Text("时段", "Segment")),
            Column(label=with_unit(Text("斜率", "Slope"), result.unit), numeric=True),
            Column(label=same(level_text(float(result.settings["level"])) + " CI"), numeric=True),
            Column(label=Text("末端转折的日期区间", "Interval of the turn at its end")),
            Column(label=Text("同期记录", "On record then")),
        ),
        rows=tuple(rows),
        data={c: [data_row(row[c]) for row in data] for c in data[0]} | account_data([result.coverage] * len(data)),
    )
