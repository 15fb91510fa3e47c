"""A chart with a memory: the path of an EWMA or a CUSUM within its limits, and the verdict as the title."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import level_text, number
from qbase.core.periods import freq_of
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join, same
from qbase.figures.signals.control_figure import (
    COLUMNS,
    EVERY,
    MAX_ROWS,
    VERDICTS,
    axis_of,
    chart_name,
    marks_of,
    marks_text,
    spread_column,
    title_of,
    turn_of,
)
from qbase.figures.signals.signal_drawing import Floats, Signals, Stretch, figure_of
from qbase.figures.surface.figure_words import (
    account_data,
    capital,
    data_row,
    definition_note,
    sentences,
    source_note,
    with_unit,
)
from qbase.figures.surface.period_axis import both, read_period

PATHS = ("memory_upper", "memory_lower", "memory_limit")
DIGITS = 1
KINDS = {
    "ewma": Text("指数加权移动平均（EWMA）", "EWMA"),
    "cusum": Text("累积和（CUSUM）", "CUSUM"),
}
AXIS = Text("{outcome}的{kind}（标准误）", "{kind} of {outcome} (standard errors)")
WORDS = {
    "better": Text("▲ 有利一侧越限", "▲ beyond the limit, better side"),
    "worse": Text("▼ 不利一侧越限", "▼ beyond the limit, worse side"),
}
HOW = {
    "ewma": Text(
        "线为各期偏离均值的加权平均，越近的时期权重越大；灰带为没有变化时的范围。三角为越出界限的时期（蓝色向上有利，橙色向下不利）。"
        "标题依据此线与检验的共同判断。",
        "The line averages how far periods lie from the mean, the newest counting most; the grey band is where it "
        "stays when nothing changes. Triangles are periods beyond the limits (blue up for the better, orange down for "
        "the worse). The title rests on the line and the test together.",
    ),
    "cusum": Text(
        "上线累积高于均值的偏离，下线累积低于均值的偏离，每期各减去半个标准误；灰带为没有变化时的范围。"
        "三角为越出界限的时期（蓝色向上有利，橙色向下不利）。标题依据此线与检验的共同判断。",
        "The upper line adds up what lies above the mean, the lower line what lies below it, each less half a "
        "standard error a period; the grey band is where they stay when nothing changes. Triangles are periods beyond "
        "the limits (blue up for the better, orange down for the worse). The title rests on the lines and "
        "the test together.",
    ),
}
SAID = ("memory", "phase_length", "small_n_limits", "dispersion", "independence")


def plot_memory(result: Result, *, policy: Policy | None = None) -> Figure:
    """Draw the path of a control chart that carries earlier periods on.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.estimate_control` with ``memory``; its tables ``series``, ``phases`` and ``events`` are drawn.
    policy : Policy or None
        Its start is marked; the limits stay those of the result.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        Without a path, or with no phase long enough for one (QB703); a character without glyph (QB701).

    Examples
    --------
    >>> from qbase.figures import plot_memory
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_control
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> plot_memory(estimate_control(panel, "D1.batch", entity="K003", memory="ewma"))
    <Figure memory:D1.batch:K003:ewma>
    """
    drawn, kind = _read(result, policy), str(result.settings.get("memory"))
    name = chart_name(result, "memory")
    return figure_of(
        name, drawn, _table(drawn, name), title=title_of(result), alt=_alt(drawn, kind), subtitle=_subtitle(drawn),
        how_to_read=HOW[kind], note=_note(drawn),
    )  # fmt: skip


def _read(result: Result, policy: Policy | None) -> Signals:
    frame = result.tables.get("series", pd.DataFrame())
    is_there = {*COLUMNS, *PATHS} <= set(frame.columns) and {"phases", "events"} <= set(result.tables)
    if not is_there or result.settings.get("memory") not in KINDS or not frame["memory_limit"].notna().any():
        raise DataError(
            "QB703", name=result.name, found=", ".join(map(str, frame.columns)) or "no table series",
            expected="tables series, phases and events, with a path and its limit",
            fix='plot_memory(estimate_control(panel, outcome, memory="ewma"))',
        )  # fmt: skip
    periods, at = axis_of(frame)
    upper, lower, limit = (spread_column(frame, at, len(periods), c) for c in PATHS)
    phase = np.nan_to_num(spread_column(frame, at, len(periods), "phase")).astype(np.int64)
    held = [np.flatnonzero(phase == i) for i in range(1, int(phase.max()) + 1)]
    is_two = result.settings["memory"] == "cusum"
    kind = KINDS[str(result.settings["memory"])]
    return Signals(
        result=result, periods=periods, value=upper, low=-limit, high=limit, state=_states(upper, limit, result),
        young=np.full(len(periods), np.nan), stretches=tuple(Stretch(int(o[0]), int(o[-1]), 0.0) for o in held),
        marks=marks_of(result, periods, policy), turn=turn_of(result, periods),
        twin=lower if is_two else None, twin_state=_states(lower, limit, result) if is_two else None,
        axis=AXIS.format(kind=kind, outcome=result.outcome.label),
    )  # fmt: skip


def _states(path: Floats, limit: Floats, result: Result) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return 1 where a path lies beyond its limit on the better side, -1 on the worse, 0 elsewhere."""
    better = -1 if result.outcome.better == "down" else 1
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(path) > limit, better * np.sign(path), 0).astype(np.int64)


def _beyond(drawn: Signals, state: int) -> list[int]:
    """Return the periods beyond a limit on the better side (1), or the worse (-1)."""
    hit = drawn.state == state
    return list(np.flatnonzero(hit if drawn.twin_state is None else hit | (drawn.twin_state == state)))


def _subtitle(drawn: Signals) -> Text:
    span = both(drawn.periods[0]) + Text("～", "–") + both(drawn.periods[-1])
    words = Text("{subject}，{axis}，{every}，{span}", "{axis}, {subject}, {every}, {span}")
    every = EVERY[freq_of(drawn.periods[0])]
    axis = drawn.axis or same("")
    return capital(words.format(subject=drawn.result.subject, axis=axis, every=every, span=span))


def _note(drawn: Signals) -> Text:
    result = drawn.result
    share = level_text(float(result.settings["alpha"]))
    parts = [
        Text(
            f"没有变化时，此线与检验合计误判为“特殊原因”的概率不超过 {share}。",
            f"Where nothing changes the path and the test together say “special cause” in at most {share} of whole "
            "charts.",
        )
    ]
    parts += [c.text for wanted in SAID for c in result.checks if c.name == wanted and c.passed is not True]
    if drawn.marks:
        parts.append(marks_text(drawn.marks))
    return sentences(definition_note(result.outcome), *parts, source_note(result))


def _alt(drawn: Signals, kind: str) -> Text:
    result, last = drawn.result, drawn.result.tables["phases"].iloc[-1]
    i = int(drawn.observed[-1])
    parts = [
        Text("{subject}{axis}，{m} 期：{words}。", "{axis} of {subject}, {m} periods: {words}.").format(
            subject=result.subject, axis=capital(drawn.axis or same("")), m=len(drawn.observed),
            words=VERDICTS[str(last["variation"])],
        ),
        Text("最近一期 {value}，界限 ±{limit}。", "Last period {value}, limits ±{limit}.").format(
            value=_paths_text(drawn, i),
            limit=same(number(float(drawn.high[i]), DIGITS) if np.isfinite(drawn.high[i]) else "–"),
        ),
    ]  # fmt: skip
    for state, key in ((1, "better"), (-1, "worse")):
        at = _beyond(drawn, state)
        if at:
            named = join([both(drawn.periods[j]) for j in at[:5]], zh="、", en=", ")
            more = Text("等", " and others") if len(at) > 5 else same("")
            parts.append(WORDS[key] + Text("：", ": ") + named + more + Text("。", "."))
    if not _beyond(drawn, 1) and not _beyond(drawn, -1):
        parts.append(Text("没有越出界限的时期。", "No period beyond the limits."))
    return sentences(*parts)


def _paths_text(drawn: Signals, i: int) -> Text:
    shown = [number(float(drawn.value[i]), DIGITS)]
    shown += [] if drawn.twin is None else [number(float(drawn.twin[i]), DIGITS)]
    return join([same(s) for s in shown], zh="、", en=" and ")


def _table(drawn: Signals, name: str) -> Table:
    result, frame = drawn.result, drawn.result.tables["series"]
    is_two = drawn.twin is not None
    better = -1 if result.outcome.better == "down" else 1
    rows = [_row(r, better, is_two=is_two) for r in frame.to_dict("records")]
    cut = max(0, len(rows) - MAX_ROWS)
    note = None
    if cut:
        note = Text(
            f"表中为最近 {MAX_ROWS} 期，全部 {len(rows)} 期见 CSV。",
            f"The table shows the last {MAX_ROWS} periods; all {len(rows)} are in the CSV.",
        )
    paths = (Text("上线", "Upper path"), Text("下线", "Lower path")) if is_two else (Text("路径", "Path"),)
    caption = Text("{subject}，{axis}，逐期", "{axis} of {subject} by period")
    return Table(
        name=f"{name}:table",
        caption=capital(caption.format(subject=result.subject, axis=drawn.axis or same(""))),
        columns=(
            Column(label=Text("时期", "Period")),
            Column(label=same("n"), numeric=True),
            Column(label=with_unit(result.outcome.label, result.outcome.unit), numeric=True),
            *(Column(label=p, numeric=True) for p in paths),
            Column(label=Text("界限", "Limits"), numeric=True),
            Column(label=Text("越限", "Beyond the limits")),
        ),
        rows=tuple(rows[cut:]),
        note=note,
        data={str(c): [data_row(v) for v in frame[c]] for c in frame.columns}
        | account_data([result.coverage] * len(frame)),
    )


def _row(row: dict[Hashable, Any], better: int, *, is_two: bool) -> tuple[str | Text, ...]:
    n, value, upper, lower, limit = (float(row[c]) for c in ("n", "value", *PATHS))
    period = both(read_period(row["period"]))
    if row["is_preliminary"]:
        period = Text("{period}（初步）", "{period} (preliminary)").format(period=period)
    out = [side for side, path in ((1, upper), (-1, lower)) if side * path > limit]
    words = [WORDS["better" if side == better else "worse"] for side in out]
    return (
        period,
        number(n, 0),
        number(value, DIGITS),
        *(number(p, DIGITS) for p in ((upper, lower) if is_two else (upper,))),
        same(f"±{number(limit, DIGITS)}" if np.isfinite(limit) else "–"),
        join(words, zh="、", en=", ") if words else same(""),
    )
