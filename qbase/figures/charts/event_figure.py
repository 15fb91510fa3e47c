"""The event study: what happened before and after adoption, period by period, with both kinds of interval."""

from __future__ import annotations

import functools

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS, count, difference_unit, interval, level_text, number
from qbase.core.periods import freq_of
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of, direction_of, quantity, withheld
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, same
from qbase.core.values import Estimate
from qbase.figures.charts.event_drawing import BASE, Study, draw_study, leads_failed
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import (
    account_data,
    axis_unit,
    bracket,
    capital,
    first_fit,
    groups_of,
    model_of,
    sentence,
    sentences,
    source_note,
    uncapital,
    verdict,
    with_unit,
)
from qbase.figures.surface.period_axis import both

MAX_ROWS = 40
MEASURE = {"季度": "个"}
STEPS = {
    "Q": Text("季度", "quarters"),
    "H": Text("半年", "half-years"),
    "A": Text("年", "years"),
    "": Text("期", "periods"),
}
HOW = Text(
    "左侧灰区的点应在 0 附近，离 0 远则比较的前提存疑；右侧离 0 越远，变化越大。线段盖住 0 即尚无法判断。",
    "Dots in the grey area should be near 0; far from it, what the comparison assumes is in doubt. To the right, "
    "further from 0 means a larger effect; a line that covers 0 cannot tell.",
)


TREATED_ROW = Text(
    "采用者为该时点估计所依据的采用政策的主体数；不足 3 个时只描述，不给区间。",
    "Treated: entities behind the estimate of that time; below three it is described without an interval.",
)


def plot_event_study(result: Result, *, policy: Policy | None = None) -> Figure:
    """Draw the effect by time since adoption: pointwise intervals thick, joint ones thin.

    The base period is hollow at 0, the time before adoption is shaded, the average effect
    (estimate ``att``) is a dotted line with its interval.

    Parameters
    ----------
    result : Result
        Of `estimate_event_study`: terms ``event`` with key ``event_time``.
    policy : Policy or None
        Names the quarter of adoption when all adopted at once.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        No estimates by event time (QB705), one without an interval (QB702), a character without glyph (QB701).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.effects import estimate_event_study
    >>> from qbase.figures import plot_event_study
    >>> from qbase.indicators import build_case
    >>> from qbase.intake import load_case
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = load_case(home, "us_scrap_grants")
    >>> panel, policy = build_case(home, "us_scrap_grants")
    >>> figure = plot_event_study(estimate_event_study(panel, policy, "X1.log_scrap", leads=2, lags=1))
    >>> figure.title.en
    'The effect on log scrap rate cannot be told yet'
    >>> print(figure.alt.en)
    Event study of log scrap rate, granted firms. Before adoption 1 of 1 intervals include 0. After adoption:
    −0.247, −0.430 log points. Average effect −0.339 log points (95% CI −0.759 to 0.081).
    """
    study = _read(result, policy)
    name = f"event_study:{result.outcome.id}:{result.method}"
    title, alt = _title(study), _alt(study)
    drawings, preview = render(name, title=title, alt=alt, draw=functools.partial(draw_study, study))
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(study),
        how_to_read=HOW,
        note=_note(study, policy),
        alt=alt,
        drawings=drawings,
        table=_table(study, name),
        preview=preview,
    )


def _read(result: Result, policy: Policy | None) -> Study:
    events = sorted((e for e in result.estimates if "event_time" in e.key), key=lambda e: int(e.key["event_time"]))
    if not events:
        raise DataError(
            "QB705", name=result.name, found=", ".join(sorted({e.term for e in result.estimates})),
            expected="estimates with key event_time",
            fix="plot_event_study(estimate_event_study(panel, policy, outcome))",
        )  # fmt: skip
    att = next((e for e in result.estimates if e.term == "att"), None)
    for estimate in (*events, *([att] if att else [])):
        if estimate.uncertainty != "none_too_few":
            refuse_bare(estimate)
    dates = sorted(set(policy.first_treated.values())) if policy else []
    freq = str(result.settings.get("freq") or (freq_of(dates[0]) if dates else ""))
    return Study(
        result=result,
        events=tuple(events),
        att=att,
        start=dates[0] if len(dates) == 1 else None,
        step=STEPS.get(freq, STEPS[""]),
    )


def refuse_bare(estimate: Estimate) -> None:
    """Raise when an estimate has no interval.

    Raises
    ------
    DataError
        An effect without interval (QB702).
    """
    if estimate.ci_low is None or estimate.ci_high is None:
        term = estimate.term + "".join(f" {k}={v}" for k, v in estimate.key.items())
        raise DataError(
            "QB702", term=term, found="no interval", expected="ci_low and ci_high",
            fix="estimate it with a standard error; an effect is never a full count",
        )  # fmt: skip


def _title(study: Study) -> Text:
    result, outcome = study.result, study.result.outcome.label
    if leads_failed(result):
        return first_fit(
            [
                Text(
                    f"实施前走势已不一致，{outcome.zh}的变化不能归于政策",
                    f"Groups moved apart before adoption: {outcome.en} cannot tell the effect",
                ),
                Text("实施前走势已不一致，不能归于政策", "Groups moved apart before adoption: no effect can be told"),
            ]
        )  # fmt: skip
    if study.att is None:
        return _title_by_period(study)
    held = withheld(result)
    if held is not None:
        return Text(f"政策效果：{held.zh}", f"The effect of the policy: {held.en}")
    direction = direction_of(study.att, result.settings.get("margin"))
    if direction == "cannot_tell":
        return first_fit(
            [
                Text(f"政策对{outcome.zh}的效果尚无法判断", f"The effect on {outcome.en} cannot be told yet"),
                Text("政策效果尚无法判断", "The effect of the policy cannot be told yet"),
            ]
        )
    words = verdict(result, study.att, graded=False)
    lower = uncapital(words)
    return first_fit(
        [
            capital(Text(f"实施后{outcome.zh}{lower.zh}", f"{outcome.en} {lower.en} after adoption")),
            capital(Text(f"实施后{lower.zh}", f"{lower.en} after adoption")),
        ]
    )


def _title_by_period(study: Study) -> Text:
    after = [e for e in study.events if int(e.key["event_time"]) >= 0]
    clear, outcome = sum(map(_excludes_zero, after)), study.result.outcome.label
    tail = Text(
        f"实施后 {len(after)} 期中 {clear} 期可判断有变化",
        f"{clear} of {len(after)} periods after adoption differ from 0",
    )
    if not after:
        tail = Text("尚无实施后的时期", "no period after adoption yet")
    elif clear == 0:
        tail = Text("实施后各期的效果尚无法判断", "effects after adoption cannot be told yet")
    return first_fit([Text(f"{outcome.zh}：{tail.zh}", f"{outcome.en}: {tail.en}"), tail]) if after else tail


def _excludes_zero(e: Estimate) -> bool:
    """Return whether an interval excludes 0: the joint one where there is one, for many are read at once."""
    low, high = (e.joint_low, e.joint_high) if e.joint_low is not None else (e.ci_low, e.ci_high)
    return low is not None and high is not None and not low <= 0 <= high


def _subtitle(study: Study) -> Text:
    first, result, by = study.events[0], study.result, groups_of(study.result)
    unit = axis_unit(difference_unit(result.outcome.unit))
    n = [] if first.n_obs is None else [same(f"n = {count(first.n_obs)}")]
    if first.n_clusters is not None:
        who = by or Text("聚类组", "group")
        n.append(Text(f"{count(first.n_clusters)} 个{who.zh}", f"{count(first.n_clusters)} {who.en}s"))
    tail = Text("；" + "，".join(t.zh for t in n), "; " + ", ".join(t.en for t in n)) if n else same("")
    if isinstance(result.settings.get("base"), str):
        base_words = Text("，以实施前各期的平均为基期", "; base: the average of all periods before adoption")
    else:
        base = study.base if study.base is not None else BASE
        base_words = Text(
            f"，以实施前 {abs(base)} {MEASURE.get(study.step.zh, '')}{study.step.zh}为基期",
            f"; base: event time {number(base, 0)}",
        )
    text = Text(
        f"{result.subject.zh}与比较组{result.outcome.label.zh}之差的变化" + (f"（{unit.zh}）" if unit.zh else ""),
        f"Change in the difference in {result.outcome.label.en}" + (f" ({unit.en})" if unit.en else "")
        + f" between {result.subject.en} and the comparison group",
    )  # fmt: skip
    return text + base_words + tail


def _note(study: Study, policy: Policy | None) -> Text:
    level = level_text(study.events[0].ci_level)
    parts = [sentence(model_of(study.result))]
    if study.has_joint:
        parts.append(
            Text(
                f"粗线为逐点 {level} 置信区间；细线为联合 {level} 区间，同时盖住全部时点。",
                f"Thick lines: pointwise {level} intervals; thin lines: joint {level} band over all times.",
            )
        )
    if study.has_treated:
        parts.append(Text("底部数字为各时点的采用者数。", "Numbers at the bottom: treated entities behind each time."))
    parts += [sentence(c.text) for c in study.result.checks if c.name == "parallel_leads"]
    if policy is not None:
        dates = sorted(set(policy.first_treated.values()))
        if len(dates) > 1:
            words = Text(
                "{policy}分 {n} 批实施（{first}～{last}），横轴从各自的实施时间算起。",
                "{policy} started at {n} dates ({first}–{last}); the axis counts from each one's own start.",
            )
            parts.append(words.format(policy=policy.title, n=len(dates), first=both(dates[0]), last=both(dates[-1])))
    return sentences(*parts, source_note(study.result))


def _alt(study: Study) -> Text:
    result, digits = study.result, study.digits
    before = [e for e in study.events if int(e.key["event_time"]) < 0]
    after = [e for e in study.events if int(e.key["event_time"]) >= 0]
    parts = [
        Text("{subject}{outcome}的事件研究图。", "Event study of {outcome}, {subject}.").format(
            subject=result.subject, outcome=result.outcome.label
        )
    ]
    if before:
        zero = sum(e.covers_zero for e in before)
        parts.append(
            Text(
                f"实施前 {len(before)} 期中 {zero} 期的区间含 0。",
                f"Before adoption {zero} of {len(before)} intervals include 0.",
            )
        )
    if after:
        values = [number(e.value, digits, sign=True) for e in after]
        unit = UNITS[result.unit]
        listed = Text(f"实施后依次为 {'、'.join(values)} {unit.zh}", f"After adoption: {', '.join(values)} {unit.en}")
        parts.append(sentence(Text(listed.zh.rstrip(), listed.en.rstrip())))
    if study.att is not None:
        own = digits_of(result, study.att)
        value = quantity(study.att.value, result.unit, own, sign=True)
        doubt = bracket(study.att, own)
        parts.append(Text(f"平均效果 {value.zh}（{doubt.zh}）。", f"Average effect {value.en} ({doubt.en})."))
    return sentences(*parts)


def _table(study: Study, name: str) -> Table:
    digits, level = study.digits, level_text(study.events[0].ci_level)
    columns = [
        Column(label=Text("事件时间", "Event time"), numeric=True),
        Column(label=with_unit(Text("估计值", "Estimate"), study.result.unit), numeric=True),
        Column(label=Text("标准误", "Std. error"), numeric=True),
        Column(label=same(f"{level} CI"), numeric=True),
    ]
    if study.has_treated:
        columns.insert(1, Column(label=Text("采用者", "Treated"), numeric=True))
    if study.has_joint:
        columns.append(Column(label=Text(f"联合 {level} 区间", f"Joint {level} band"), numeric=True))
    rows = []
    for e in study.events:
        row: list[str | Text] = [
            study.shown(int(e.key["event_time"])),
            number(e.value, digits, sign=True),
            "–" if e.std_error is None else number(e.std_error, digits),
            bracket(e, digits, level=False),
        ]
        if study.has_treated:
            row.insert(1, count(e.n_treated or 0))
        if study.has_joint:
            has_band = e.joint_low is not None and e.joint_high is not None
            row.append(interval(e.joint_low or 0.0, e.joint_high or 0.0, digits) if has_band else "–")
        rows.append(tuple(row))
    fields: tuple[str, ...] = (
        "value",
        "std_error",
        "ci_low",
        "ci_high",
        "joint_low",
        "joint_high",
        "p_value",
        "n_obs",
        "n_clusters",
    )
    fields = (*fields, "n_treated", "n_cells", "n_effective") if study.has_treated else fields
    data: dict[str, list[object]] = {"event_time": list(study.times)}
    data |= {field: [getattr(e, field) for e in study.events] for field in fields}
    data |= account_data([study.result.coverage] * len(study.events))
    note = TREATED_ROW if study.has_treated else None
    if study.base is not None:
        note = Text(
            f"基期（事件时间 {number(study.base, 0)}）按定义为 0，没有区间。",
            f"The base period (event time {number(study.base, 0)}) is 0 by definition and has no interval.",
        )
    outcome = study.result.outcome.label
    return Table(
        name=f"{name}:table",
        caption=Text(f"{outcome.zh}：实施前后各期的效果", f"Effect on {outcome.en} by time since adoption"),
        columns=tuple(columns),
        rows=tuple(rows[:MAX_ROWS]),
        note=note,
        data=data,
    )
