"""A control chart: limits by phase, signals by shape and colour, and the verdict as the title."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import interval, level_text, number
from qbase.core.periods import freq_of, ordinal
from qbase.core.policy import Policy
from qbase.core.results.result import Result, Scorecard
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join, same
from qbase.figures.charts.drawn_series import entity_of, starts_of, targets_of
from qbase.figures.signals.signal_drawing import Mark, Signals, Stretch, figure_of
from qbase.figures.surface.figure_words import (
    METHODS,
    account_data,
    capital,
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
from qbase.figures.surface.period_axis import both, read_period

MAX_ROWS = 40
RULES = ("beyond", "two_of_three", "shift", "trend")
COLUMNS = ("period", "value", "phase", "centre", "lower_limit", "upper_limit", *RULES)
EVERY = {"Q": Text("按季", "quarterly"), "H": Text("按半年", "half-yearly"), "A": Text("按年", "yearly")}
VERDICTS = {
    "improving": Text("特殊原因，改善", "special cause, improving"),
    "worsening": Text("特殊原因，变差", "special cause, worsening"),
    "higher": Text("特殊原因，升高", "special cause, higher"),
    "lower": Text("特殊原因，降低", "special cause, lower"),
    "common_cause": Text("属正常波动", "no more than routine variation"),
    "all_alike": Text("数值全部相同，不作判断", "all values alike, no verdict"),
    "too_short": Text("期数太少，不作判断", "too few periods, no verdict"),
}
TURNS = {
    "improving": ("blue", Text("▲ 改善", "▲ improving")),
    "worsening": ("orange", Text("▼ 变差", "▼ worsening")),
    "higher": ("ink", Text("△ 升高", "△ higher")),
    "lower": ("ink", Text("▽ 降低", "▽ lower")),
}
RULE_NAMES = {
    "beyond": Text("超出界限", "beyond the limits"),
    "two_of_three": Text("三中两点偏离", "two of three far out"),
    "shift": Text("连续同侧", "run on one side"),
    "trend": Text("连续同向", "run in one direction"),
}
HOW = Text(
    "灰带为正常波动的范围，随每期样本量变宽变窄。三角为规则触发的点（蓝色向上有利，橙色向下不利），只是线索；标题只依据检验。",
    "The grey band is routine variation; it widens where little was tested. Triangles are points at which a rule fired "
    "(blue up for the better, orange down for the worse): leads alone. The title rests on the test.",
)
SAID = ("all_alike", "phase_length", "small_n_limits", "dispersion", "independence")


def plot_control(result: Result, *, policy: Policy | None = None, target: Scorecard | None = None) -> Figure:
    """Draw a control chart.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.estimate_control`; its tables ``series``, ``phases`` and ``events`` are drawn.
    policy : Policy or None
        Its start is marked; the limits stay those of the result.
    target : Scorecard or None
        Its lowest target for this outcome is drawn where the result has none of its own.

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
    >>> from qbase.figures import plot_control
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_control
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> plot_control(estimate_control(panel, "D1.batch", entity="K003")).title.en
    'Batch pass rate of Wangdai polyester fibre cluster: no more than routine variation'
    """
    drawn = _read(result, policy, target)
    name = chart_name(result, "control")
    return figure_of(
        name, drawn, _table(drawn, name), title=title_of(result), alt=_alt(drawn), subtitle=_subtitle(drawn),
        how_to_read=HOW, note=_note(drawn),
    )  # fmt: skip


def chart_name(result: Result, kind: Literal["control", "memory"]) -> str:
    """Return the name of a chart: what, whose, by which statistic, over which draws, and where its phases begin.

    Two charts of one entity have one name only where they show the same. A chart of one phase, of all batches, chosen
    by the data, is ``control:D1.batch:K001``; what was asked for otherwise is added.
    """
    asked = result.settings
    usual = {
        "memory": None, "asked": "auto", "dispersion_asked": "panel", "sampling": "naive", "alpha": 0.05,
        "level": 0.95, "target": None,
    }  # fmt: skip
    added = [str(asked[word]) for word, value in usual.items() if word in asked and asked[word] != value]
    starts = result.tables["phases"]["first"].astype(str).tolist()[1:]
    added += ["from", *starts] if starts else []
    return ":".join([kind, result.outcome.id, str(entity_of(result) or "all"), *added])


def axis_of(frame: pd.DataFrame) -> tuple[tuple[pd.Period, ...], npt.NDArray[np.intp]]:
    """Return every period between the ends of a table, and the position of each of its rows."""
    known = [read_period(p) for p in frame["period"]]
    first, last = min(known), max(known)
    periods = tuple(first + i for i in range(ordinal(last) - ordinal(first) + 1))
    return periods, np.array([ordinal(p) - ordinal(first) for p in known])


def spread_column(frame: pd.DataFrame, at: npt.NDArray[np.intp], size: int, name: str) -> npt.NDArray[np.float64]:
    """Return a column on the whole axis, NaN where there is no row."""
    found = np.full(size, np.nan)
    found[at] = frame[name].to_numpy(dtype=float)
    return found


def marks_of(result: Result, periods: tuple[pd.Period, ...], policy: Policy | None) -> tuple[Mark, ...]:
    """Return the dated events of a result and the starts of a policy that lie inside the axis, in order of time."""
    marks = [
        Mark(period=read_period(r["period"]), kind=str(r["kind"]), title=Text(str(r["title_zh"]), str(r["title_en"])))
        for r in result.tables["events"].to_dict("records")
    ]
    if policy is not None:
        held = {(m.period, m.kind) for m in marks}
        starts = [p for p, _ in starts_of(result, policy)]
        marks += [Mark(period=p, kind="policy", title=policy.title) for p in starts if (p, "policy") not in held]
    first, last = periods[0].start_time, periods[-1].end_time
    inside = [m for m in marks if first < m.period.start_time <= last]
    return tuple(sorted(inside, key=lambda m: (m.period.start_time, m.kind)))


def _read(result: Result, policy: Policy | None, card: Scorecard | None) -> Signals:
    frame = result.tables.get("series", pd.DataFrame())
    if not set(COLUMNS) <= set(frame.columns) or not {"phases", "events"} <= set(result.tables):
        raise DataError(
            "QB703", name=result.name, found=", ".join(map(str, frame.columns)) or "no table series",
            expected="tables series, phases and events, with limits and rules",
            fix="plot_control(estimate_control(panel, outcome))",
        )  # fmt: skip
    periods, at = axis_of(frame)
    column = functools.partial(spread_column, frame, at, len(periods))
    young = np.full(len(periods), False)
    young[at] = frame["is_preliminary"].to_numpy(dtype=bool)
    value, centre = column("value"), column("centre")
    fired = np.zeros(len(periods), dtype=bool)
    fired[at] = frame[list(RULES)].to_numpy(dtype=bool).any(axis=1)
    better = -1 if result.outcome.better == "down" else 1
    with np.errstate(invalid="ignore"):
        state = np.where(fired, better * np.sign(value - centre), 0).astype(np.int64)
    phase = np.nan_to_num(column("phase")).astype(np.int64)
    stretches = tuple(
        Stretch(int(own[0]), int(own[-1]), float(centre[own[0]]))
        for own in (np.flatnonzero(phase == i) for i in range(1, int(phase.max()) + 1))
    )
    targets = [c.target for c in targets_of(result, card)]
    target = result.settings.get("target")
    return Signals(
        result=result, periods=periods, value=np.where(young, np.nan, value), low=column("lower_limit"),
        high=column("upper_limit"), state=np.where(young, 0, state), young=np.where(young, value, np.nan),
        stretches=stretches, marks=marks_of(result, periods, policy),
        target=float(target) if target is not None else (targets[0] if targets else None),
        turn=turn_of(result, periods),
    )  # fmt: skip


def turn_of(result: Result, periods: tuple[pd.Period, ...]) -> tuple[int, str, Text] | None:
    """Return where the lasting change of the last phase begins."""
    last = result.tables["phases"].iloc[-1]
    if last["variation"] not in TURNS:
        return None
    role, word = TURNS[str(last["variation"])]
    start = read_period(last["changed_at"])
    return ordinal(start) - ordinal(periods[0]), role, word + Text("（", " (") + both(start) + Text(" 起）", " on)")


def title_of(result: Result) -> Text:
    """Return the verdict on the last phase as a title."""
    last = result.tables["phases"].iloc[-1]
    words = VERDICTS[str(last["variation"])]
    outcome, subject = result.outcome.label, result.subject
    colon = Text("：", ": ")
    since = Text("", "")
    if len(result.tables["phases"]) > 1:
        start = both(read_period(last["first"]))
        since = Text(f" {start.zh} 起", f" since {start.en}")
    whole = [
        _join(subject, outcome, since, colon, words),
        capital(Text(outcome.zh + since.zh + colon.zh + words.zh, outcome.en + since.en + colon.en + words.en)),
        capital(words),
    ]
    return first_fit(whole)


def _join(subject: Text, outcome: Text, since: Text, colon: Text, words: Text) -> Text:
    return capital(
        Text(
            f"{subject.zh}{outcome.zh}{since.zh}{colon.zh}{words.zh}",
            f"{outcome.en} of {subject.en}{since.en}{colon.en}{words.en}",
        )
    )


def _subtitle(drawn: Signals) -> Text:
    result, frame = drawn.result, drawn.result.tables["series"]
    every = EVERY[freq_of(drawn.periods[0])]
    span = both(drawn.periods[0]) + Text("～", "–") + both(drawn.periods[-1])
    tested = frame.loc[~frame["is_preliminary"].astype(bool), "n"].dropna()
    n = counts((int(v) for v in tested), unit_of_n(result)) if len(tested) else same("")
    chart = METHODS.get(result.method, same(result.method))
    tail = Text("；每期 {n}", "; {n} a period") if n.zh else same("")
    words = (
        Text("{subject}{outcome}，{every}，{span}；{chart}", "{outcome} of {subject}, {every}, {span}; {chart}") + tail
    )
    outcome = with_unit(result.outcome.label, result.outcome.unit)
    return capital(words.format(subject=result.subject, outcome=outcome, every=every, span=span, n=n, chart=chart))


def _note(drawn: Signals) -> Text:
    result = drawn.result
    share = level_text(float(result.settings["alpha"]))
    parts = [
        Text(
            f"界限：{METHODS[result.method].zh}，均值 ± 3 倍标准误。没有变化时，误判为“特殊原因”的概率不超过 {share}。",
            f"Limits: {METHODS[result.method].en}, mean ± 3 standard errors. Where nothing changes the test says "
            f"“special cause” in at most {share} of whole charts.",
        )
    ]
    parts += [sentence(c.text) for wanted in SAID for c in result.checks if c.name == wanted and c.passed is not True]
    gaps = int((~np.isfinite(drawn.value) & ~np.isfinite(drawn.young)).sum())
    if gaps:
        held = "1 period holds" if gaps == 1 else f"{gaps} periods hold"
        parts.append(Text(f"{gaps} 期没有数据，线在此断开。", f"{held} no data; the line is broken there."))
    if drawn.marks:
        parts.append(marks_text(drawn.marks))
    return sentences(definition_note(result.outcome), *parts, source_note(result))


def marks_text(marks: Sequence[Mark]) -> Text:
    """Return the upright lines of a drawing as a sentence."""
    listed = join([_told(m) for m in marks], zh="；", en="; ")
    return Text(f"竖线：{listed.zh}。", f"Vertical lines: {listed.en}.")


def _told(mark: Mark) -> Text:
    kinds = {
        "policy": Text("政策", "policy"), "standard": Text("标准变化", "change of standard"),
        "break": Text("断点", "break"), "other": Text("事件", "event"),
    }  # fmt: skip
    return Text("{period} {kind}（{title}）", "{period} {kind} ({title})").format(
        period=both(mark.period), kind=kinds[mark.kind], title=mark.title
    )


def _alt(drawn: Signals) -> Text:
    result, last = drawn.result, drawn.result.tables["phases"].iloc[-1]
    fired = [i for i in drawn.observed if drawn.state[i] != 0]
    words = VERDICTS[str(last["variation"])]
    named = join([both(drawn.periods[i]) for i in fired[:5]], zh="、", en=", ")
    more = Text("等", " and others") if len(fired) > 5 else same("")
    points = Text(f"触发规则的点：{named.zh}{more.zh}。", f"Points at which a rule fired: {named.en}{more.en}.")
    i, held = int(drawn.observed[-1]), len(drawn.stretches)
    parts = [
        Text(
            "{subject}{outcome}控制图，{m} 期，{phases}；{words}。",
            "Control chart of {outcome} of {subject}, {m} periods in {phases}: {words}.",
        ).format(
            subject=result.subject, outcome=result.outcome.label, m=len(drawn.observed), words=words,
            phases=Text(f"{held} 个阶段", "1 phase" if held == 1 else f"{held} phases"),
        ),
        Text(
            f"当前阶段均值 {drawn.written(drawn.stretches[-1].mean)}",
            f"Mean of the present phase {drawn.written(drawn.stretches[-1].mean)}",
        )
        + (
            Text("。", ".")
            if not np.isfinite(drawn.low[i])
            else _limits_text(float(drawn.low[i]), float(drawn.high[i]), drawn.digits)
        ),
        points if fired else Text("没有触发规则的点。", "No point at which a rule fired."),
    ]  # fmt: skip
    parts += [sentence(_told(m)) for m in drawn.marks]
    return sentences(*parts)


def _limits_text(low: float, high: float, digits: int) -> Text:
    shown = interval(low, high, digits)
    return Text(f"，最近一期界限 {shown.zh}。", f", limits of the last period {shown.en}.")


def _table(drawn: Signals, name: str) -> Table:
    result = drawn.result
    frame = result.tables["series"]
    rows = [_row(r, drawn.digits) for r in frame.to_dict("records")]
    cut = max(0, len(rows) - MAX_ROWS)
    note = None
    if cut:
        note = Text(
            f"表中为最近 {MAX_ROWS} 期，全部 {len(rows)} 期见 CSV。",
            f"The table shows the last {MAX_ROWS} periods; all {len(rows)} are in the CSV.",
        )
    caption = Text("{subject}{outcome}控制图，逐期", "Control chart of {outcome} of {subject} by period")
    return Table(
        name=f"{name}:table",
        caption=capital(caption.format(subject=result.subject, outcome=result.outcome.label)),
        columns=(
            Column(label=Text("时期", "Period")),
            Column(label=same("n"), numeric=True),
            Column(label=with_unit(result.outcome.label, result.outcome.unit), numeric=True),
            Column(label=Text("均值", "Mean"), numeric=True),
            Column(label=Text("界限", "Limits"), numeric=True),
            Column(label=Text("触发的规则", "Rules that fired")),
        ),
        rows=tuple(rows[cut:]),
        note=note,
        data={str(c): [data_row(v) for v in frame[c]] for c in frame.columns}
        | account_data([result.coverage] * len(frame)),
    )


def _row(row: dict[Hashable, Any], digits: int) -> tuple[str | Text, ...]:
    period = both(read_period(row["period"]))
    n, value, centre, low, high = (float(row[c]) for c in ("n", "value", "centre", "lower_limit", "upper_limit"))
    fired = [RULE_NAMES[r] for r in RULES if row[r]]
    if row["is_preliminary"]:
        period = Text("{period}（初步）", "{period} (preliminary)").format(period=period)
    return (
        period,
        number(n, 0),
        number(value, digits),
        number(centre, digits),
        interval(low, high, digits) if np.isfinite(low) else same("–"),
        join(fired, zh="、", en=", ") if fired else same(""),
    )
