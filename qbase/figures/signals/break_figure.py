"""A series with its breaks: the mean of each segment, the date of each break with its interval, what is on record."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS, interval, level_text, number
from qbase.core.periods import freq_of, ordinal
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, same
from qbase.figures.charts.drawn_series import entity_of
from qbase.figures.signals.control_figure import EVERY, axis_of, marks_of, spread_column
from qbase.figures.signals.signal_drawing import Band, Signals, Stretch, figure_of
from qbase.figures.surface.figure_words import (
    account_data,
    capital,
    counts,
    data_row,
    definition_note,
    first_fit,
    sentence,
    sentences,
    source_note,
    uncapital,
    verdict,
    with_unit,
)
from qbase.figures.surface.period_axis import both, read_period

HOW = Text(
    "横线为各段均值；竖线为断点，色带为其日期的置信区间，越宽越说不准。与标准变化重合的断点不说明质量。",
    "Level lines are the means of the segments; an upright line is a break, its band the confidence interval of the "
    "date: the wider, the less is known. A break at a change of standard says nothing about quality.",
)
SAID = ("same_yardstick", "date_inside")


def plot_breaks(result: Result, *, policy: Policy | None = None) -> Figure:
    """Draw a series with its breaks.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.estimate_breaks`; tables ``series``, ``breaks`` and ``events`` are drawn.
    policy : Policy or None
        Its start is marked.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        Without those tables (QB703), or a character without glyph (QB701).

    Examples
    --------
    >>> from qbase.figures import plot_breaks
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_breaks
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> plot_breaks(estimate_breaks(panel, "D1.batch", entity="K003")).title.en
    'No break found in batch pass rate of Wangdai polyester fibre cluster'
    """
    drawn = _read(result, policy)
    entity = entity_of(result)
    name = f"breaks:{result.outcome.id}:{entity or 'all'}"
    return figure_of(
        name, drawn, _table(drawn, name), title=_title(result), alt=_alt(drawn), subtitle=subtitle_of(drawn),
        how_to_read=HOW, note=_note(drawn),
    )  # fmt: skip


def _read(result: Result, policy: Policy | None) -> Signals:
    if not {"series", "breaks", "events"} <= set(result.tables):
        raise DataError(
            "QB703", name=result.name, found=", ".join(result.tables) or "no table",
            expected="tables series, breaks and events", fix="plot_breaks(estimate_breaks(panel, outcome))",
        )  # fmt: skip
    frame = result.tables["series"]
    periods, at = axis_of(frame)
    column = functools.partial(spread_column, frame, at, len(periods))
    segment, mean = np.nan_to_num(column("segment")).astype(np.int64), column("mean")
    stretches = tuple(
        Stretch(int(own[0]), int(own[-1]), float(mean[own[0]]))
        for own in (np.flatnonzero(segment == i) for i in range(1, int(segment.max()) + 1))
    )
    nothing = np.full(len(periods), np.nan)
    return Signals(
        result=result, periods=periods, value=column("value"), low=nothing, high=nothing,
        state=np.zeros(len(periods), dtype=np.int64), young=nothing, stretches=stretches,
        marks=marks_of(result, periods, policy),
        bands=tuple(band_of(r) for r in result.tables["breaks"].to_dict("records")),
    )  # fmt: skip


def band_of(row: dict[Hashable, Any], *, inside: float = 0.0) -> Band:
    """Return a date with its interval on the axis: grey where the yardstick moved, plum for a policy, else blue.

    A break lies where its period begins, what lies ``inside`` of it so much of a period later.
    """
    role = {"standard": "grey", "policy": "plum"}.get(str(row["kind"]), "blue")
    low, high, at = (ordinal(read_period(row[c])) - 0.5 + inside for c in ("low", "high", "period"))
    return Band(low=low, high=max(high, low + 0.25), at=at, role=role)


def _title(result: Result) -> Text:
    table, outcome, subject = result.tables["breaks"], result.outcome.label, result.subject
    if table.empty and result.settings.get("p_any") is None:
        n = len(result.tables["series"])
        return Text(f"只有 {n} 期，未查找断点", f"{n} periods are too few to search for breaks")
    if table.empty:
        return first_fit(
            [
                Text(f"{subject.zh}{outcome.zh}没有发现断点", f"No break found in {outcome.en} of {subject.en}"),
                Text(f"{outcome.zh}没有发现断点", f"No break found in {outcome.en}"),
            ]
        )
    first = table.to_dict("records")[0]
    when = both(read_period(first["period"]))
    if len(table) > 1:
        n = len(table)
        return capital(
            Text(f"{outcome.zh}有 {n} 个断点，首个在 {when.zh}", f"{outcome.en} has {n} breaks, the first in {when.en}")
        )
    if first["kind"] == "standard":
        return first_fit(
            [
                capital(
                    Text(
                        f"{outcome.zh} {when.zh} 断点与标准变化重合，不说明质量",
                        f"{outcome.en}: break of {when.en} at a change of standard, no verdict on quality",
                    )
                ),
                Text(
                    f"{when.zh} 断点与标准变化重合，不说明质量",
                    f"Break of {when.en} coincides with a change of standard: no verdict on quality",
                ),
            ]
        )
    moved = uncapital(verdict(result, result.estimates[0], graded=False))
    return first_fit(
        [
            capital(Text(f"{outcome.zh}在 {when.zh} 前后{moved.zh}", f"{outcome.en}, break of {when.en}: {moved.en}")),
            Text(f"{when.zh} 前后{moved.zh}", f"Break of {when.en}: {moved.en}"),
        ]
    )


def subtitle_of(drawn: Signals) -> Text:
    """Return whose series it is, over what time, and how many were tested a period."""
    result = drawn.result
    every = EVERY[freq_of(drawn.periods[0])]
    span = both(drawn.periods[0]) + Text("～", "–") + both(drawn.periods[-1])
    tested = result.tables["series"]["n"].dropna()
    n = counts((int(v) for v in tested), UNITS[result.outcome.counted]) if len(tested) else same("")
    words = Text("{subject}{outcome}，{every}，{span}", "{outcome} of {subject}, {every}, {span}")
    words += Text("；每期 {n}", "; {n} a period") if n.zh else same("")
    outcome = with_unit(result.outcome.label, result.outcome.unit)
    return capital(words.format(subject=result.subject, outcome=outcome, every=every, span=span, n=n))


def _note(drawn: Signals) -> Text:
    result = drawn.result
    level, alpha = (level_text(float(result.settings[c])) for c in ("level", "alpha"))
    method = Text(
        f"断点：sup-F 排列检验，没有断点时误报不超过 {alpha}；日期区间 {level}（Bai 1997，并入似然比不排除的日期）。",
        f"Breaks: sup-F test by permutation, false alarms at most {alpha}; {level} interval of the date (Bai 1997, "
        "with the dates that the likelihood ratio does not rule out).",
    )
    checks = [sentence(c.text) for wanted in SAID for c in result.checks if c.name == wanted]
    coincide = [
        Text("{when} 断点与{title}开始实施的时间重合，重合不等于效果。",
             "The break of {when} coincides with the start of {title}; that is no effect.").format(
            when=both(read_period(r["period"])), title=Text(str(r["title_zh"]), str(r["title_en"])))
        for r in result.tables["breaks"].to_dict("records") if r["kind"] == "policy"
    ]  # fmt: skip
    return sentences(definition_note(result.outcome), method, *coincide, *checks, source_note(result))


def _alt(drawn: Signals) -> Text:
    result = drawn.result
    table = result.tables["breaks"]
    parts = [
        Text("{subject}{outcome}，{m} 期，{b}。", "{outcome} of {subject}, {m} periods, {b}.").format(
            subject=result.subject,
            outcome=capital(result.outcome.label),
            m=len(drawn.observed),
            b=Text(f"断点 {len(table)} 个", "1 break" if len(table) == 1 else f"{len(table) or 'no'} breaks"),
        )
    ]
    for row, after in zip(table.to_dict("records"), drawn.stretches[1:], strict=True):
        before = drawn.stretches[drawn.stretches.index(after) - 1]
        parts.append(
            Text("{at}（{low} 至 {high}）：{a} 变为 {b}{title}。", "{at} ({low} to {high}): {a} to {b}{title}.").format(
                at=both(read_period(row["period"])), low=both(read_period(row["low"])),
                high=both(read_period(row["high"])), a=drawn.written(before.mean), b=drawn.written(after.mean),
                title=Text(f"，{row['title_zh']}", f", {row['title_en']}") if row["kind"] != "break" else same(""),
            )
        )  # fmt: skip
    return sentences(*parts)


def _table(drawn: Signals, name: str) -> Table:
    result = drawn.result
    table: pd.DataFrame = result.tables["breaks"]
    rows = [
        (
            both(read_period(r["period"])),
            Text("{low} 至 {high}", "{low} to {high}").format(
                low=both(read_period(r["low"])), high=both(read_period(r["high"]))
            ),
            number(float(r["step"]), drawn.digits, sign=True),
            interval(float(r["step_low"]), float(r["step_high"]), drawn.digits),
            Text(str(r["title_zh"]), str(r["title_en"])),
        )
        for r in table.to_dict("records")
    ]
    level = level_text(float(result.settings["level"])) + " CI"
    return Table(
        name=f"{name}:table",
        caption=capital(
            Text("{subject}{outcome}的断点", "Breaks in {outcome} of {subject}").format(
                subject=result.subject, outcome=result.outcome.label
            )
        ),
        columns=(
            Column(label=Text("断点", "Break")),
            Column(label=Text("日期区间", "Interval of the date")),
            Column(label=with_unit(Text("前后差", "Step"), result.unit), numeric=True),
            Column(label=same(level), numeric=True),
            Column(label=Text("同期记录", "On record then")),
        ),
        rows=tuple(rows),
        note=None if rows else Text("没有发现断点。", "No break was found."),
        data={str(c): [data_row(v) for v in table[c]] for c in table.columns}
        | account_data([result.coverage] * len(table)),
    )
