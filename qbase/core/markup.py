"""How a value writes itself where it is looked at: as a card of HTML, without script, or as a plain frame."""

from __future__ import annotations

import html
import os
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import pandas as pd

from qbase.core.errors import PanelError
from qbase.core.given import read_entity_id
from qbase.core.nearest_name import suggest_names
from qbase.core.numbers import UNITS_SHORT, count, digits_for, interval, number
from qbase.core.periods import code
from qbase.core.text import Text, join, same
from qbase.core.values import Indicator


def run_folder() -> str | None:
    """Return ``$QBASE_RUN_DIR``: set inside a run, None while exploring."""
    return os.environ.get("QBASE_RUN_DIR") or None


def shown_language() -> Literal["zh", "en"]:
    """Return the language JupyterLab shows first: ``$QBASE_LANG``, else Chinese."""
    return "en" if os.environ.get("QBASE_LANG", "zh").startswith("en") else "zh"


MOST_ROWS = 12
"""More rows than this are told by their number: a card is looked at, `to_frame` and `tidy` hold them all."""
NONE = "–"
MARKS: dict[bool | None, Text] = {
    True: Text("通过", "passed"),
    False: Text("未通过", "failed"),
    None: Text("供参考", "information"),
}

Cells = Sequence[str | Text]


def say_left(n: int) -> Text:
    """Return how many rows a card leaves out."""
    return Text(f"另有 {n} 行未列出。", f"Rows not listed: {n}.")


def build_card(
    caption: Text,
    columns: Sequence[Text],
    rows: Sequence[Cells],
    *,
    left: int = 0,
    sentences: Sequence[Text] = (),
    checks: Sequence[tuple[bool | None, Text]] = (),
) -> str | None:
    """Return the HTML of a card; None inside a run, whose page shows only what a letter hands to its template.

    Parameters
    ----------
    caption : Text
        What is shown, in one line.
    columns : sequence of Text
        The first heads the names of the rows.
    rows : sequence
        As wide as ``columns``; more than `MOST_ROWS` are told by their number.
    left : int
        Rows that were not handed over.
    sentences : sequence of Text
        Below the table, one paragraph each; empty ones are left out.
    checks : sequence of (bool or None, Text)
        Verdict and what was found, as a list.

    Examples
    --------
    >>> from qbase.core import Text
    >>> card = build_card(Text("合格率", "Pass rate"), [Text("集群", "Cluster")], [["<K003>"]])
    >>> print(card[102:151])
    <tbody><tr><th scope="row">&lt;K003&gt;</th></tr>
    """
    if run_folder():
        return None
    lang = shown_language()

    def said(cell: str | Text) -> str:
        return html.escape((same(cell) if isinstance(cell, str) else cell)[lang])

    head = "".join(f'<th scope="col">{said(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{said(row[0])}</th>' + "".join(f"<td>{said(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows[:MOST_ROWS]
    )
    table = f"<table><caption>{said(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    hidden = left + max(len(rows) - MOST_ROWS, 0)
    more = [say_left(hidden)] if hidden else []
    below = "".join(f"<p>{said(text)}</p>" for text in [*more, *sentences] if text.zh)
    found = "".join(f"<li>{said(MARKS[passed])}{'：' if lang == 'zh' else ': '}{said(t)}</li>" for passed, t in checks)
    listed = f"<ul>{found}</ul>" if found else ""
    return f'<div lang="{"zh-Hans" if lang == "zh" else "en"}">{table}{below}{listed}</div>'


HEAD = ("entity", "name", "period", "start")


def build_frame(
    data: pd.DataFrame,
    indicators: Iterable[str],
    labels: Mapping[str, Text],
    *,
    wide: bool,
    lang: str | None,
) -> pd.DataFrame:
    """Return entity, name, period and its first day, then the values: a row per indicator, or a column for each.

    Parameters
    ----------
    data, indicators, labels
        As in `Panel`.
    wide : bool
        One row per entity and period, with the columns of the panel.
    lang : {"zh", "en"} or None
        Of the names; None takes the language JupyterLab shows.
    """
    said = lang or shown_language()
    entities, periods = (data.index.get_level_values(i) for i in (0, 1))
    names = {e: labels.get(str(e), same(str(e)))[said] for e in entities.unique()}
    codes = {p: code(p) for p in periods.unique()}
    head = pd.DataFrame(
        {
            "entity": [str(e) for e in entities],
            "name": [names[e] for e in entities],
            "period": [codes[p] for p in periods],
            "start": pd.PeriodIndex(periods).to_timestamp(),
        }
    )
    values = data.reset_index(drop=True)
    if wide:
        return pd.concat([head, values], axis=1)
    parts = []
    for indicator in indicators:
        behind = {c: c.removeprefix(f"{indicator}__") for c in values.columns if c.startswith(f"{indicator}__")}
        own = values[[indicator, *behind]].rename(columns={indicator: "value", **behind})
        parts.append(pd.concat([head, pd.Series(indicator, index=head.index, name="indicator"), own], axis=1))
    return pd.concat(parts, ignore_index=True)


def find_entity(word: object, entities: Iterable[str], labels: Mapping[str, Text]) -> str:
    """Return the entity of a panel that a code or a name in either language means.

    Raises
    ------
    PanelError
        The panel holds none of this code or name, or several of this name (QB192).
    """
    known = list(entities)
    wanted = read_entity_id(word) or str(word)
    if wanted in known:
        return wanted
    named = [e for e in known if e in labels and wanted in {labels[e].zh, labels[e].en}]
    if len(named) == 1:
        return named[0]
    words = known + [t[lang] for e, t in labels.items() if e in known for lang in ("zh", "en")]
    like = [word for word in words if wanted.lower() in word.lower()]
    raise PanelError(
        "QB192",
        entity=wanted,
        found=wanted if not named else f"{wanted}: {', '.join(named)}",
        expected=" | ".join(like[:8]) or suggest_names(wanted, words),
        fix='panel["D1.batch", "K001"]',
    )


def list_keys(indicators: Iterable[str], entities: Iterable[str], labels: Mapping[str, Text]) -> list[object]:
    """Return what stands in the brackets of a panel: indicators, and with each every entity by name and code."""
    outcomes, who = list(indicators), list(entities)
    words = dict.fromkeys([labels[e][lang] for lang in ("zh", "en") for e in who if e in labels] + who)
    return [*outcomes, *((outcome, word) for outcome in outcomes for word in words)]


MOST_INDICATORS = 4
"""So many are in the table of a card; the caption names all."""
HIDDEN = "…"
FIRMS = "firm_id"
KINDS: Mapping[str, Text] = {
    "cluster_id": Text("产业集群", "cluster"),
    "firm_id": Text("企业", "firm"),
    "town_code": Text("乡镇", "town"),
}
FREQUENCIES: Mapping[str, Text] = {
    "Q": Text("季度", "quarterly"),
    "H": Text("半年度", "half-yearly"),
    "A": Text("年度", "annual"),
}
SAMPLINGS: Mapping[str, Text] = {
    "naive": Text("抽样未加权。", "Draws are not weighted."),
    "random_draw": Text("只用双随机批次。", "Random draws only."),
    "post_stratified": Text("抽样已事后分层。", "Draws are post-stratified."),
    "prediction_powered": Text("以定向抽查为预测。", "Random draws corrected by directed ones."),
}
NOT_LISTED = Text(
    "企业不逐户列出；用 panel.head() 查看数值。", "Firms are not listed one by one; panel.head() shows the values."
)


def build_panel_card(
    data: pd.DataFrame,
    *,
    entity: str,
    freq: str,
    sampling: str,
    indicators: Mapping[str, Indicator],
    labels: Mapping[str, Text],
    hidden: Collection[tuple[str, str]] = (),
    sentences: Sequence[Text] = (),
) -> str | None:
    """Return the card of a panel: the latest value of every entity by name, with its interval or its counts.

    Parameters
    ----------
    data, entity, freq, sampling, indicators, labels
        As in `Panel`.
    hidden : collection of (str, str)
        Entity and code of the periods that are withheld.
    sentences : sequence of Text
        What was settled when it was built.
    """
    shown = list(indicators)[:MOST_INDICATORS]
    dates = pd.PeriodIndex(data.index.get_level_values("period"))
    first, last = dates.min(), dates.max()
    kind, n = KINDS.get(entity, same(entity)), data.index.get_level_values("entity").nunique()
    names = join([i.label for i in indicators.values()], zh="、", en=", ")
    caption = Text(
        f"面板：{names.zh}；{kind.zh} {count(n)} 个，{FREQUENCIES[freq].zh} {code(first)} 至 {code(last)}，"
        f"{count(len(data))} 行",
        f"Panel: {names.en}; {kind.en}s: {count(n)}, {FREQUENCIES[freq].en} {code(first)} to {code(last)}, "
        f"{count(len(data))} rows",
    )
    columns = [
        kind if kind.zh != entity else Text("主体", "Entity"),
        Text("期数", "Periods"),
        Text("最近一期", "Latest"),
    ]
    for i in shown:
        columns += [indicators[i].label, _behind(data, i)]
    rows = [] if entity == FIRMS else _rows(data, shown, indicators, labels, hidden)
    remarks = [SAMPLINGS[sampling], *([NOT_LISTED] if entity == FIRMS else []), *sentences]
    return build_card(caption, columns, rows, sentences=remarks)


def _behind(data: pd.DataFrame, indicator: str) -> Text:
    if {f"{indicator}__lo", f"{indicator}__hi"} <= set(data.columns):
        return Text("区间", "Interval")
    return Text("合格 / 检验", "Passed / tested") if f"{indicator}__k" in data else same("n")


def _rows(
    data: pd.DataFrame,
    shown: Sequence[str],
    indicators: Mapping[str, Indicator],
    labels: Mapping[str, Text],
    hidden: Collection[tuple[str, str]],
) -> list[list[str | Text]]:
    last = code(pd.PeriodIndex(data.index.get_level_values("period")).max())
    rows: list[list[str | Text]] = []
    by_entity = data.groupby(level="entity", sort=True)
    ends = by_entity.tail(1).sort_index()
    for (entity, period), n, latest in zip(ends.index, by_entity.size(), ends.to_dict("records"), strict=True):
        is_hidden = (str(entity), last) in hidden
        when = last if is_hidden else code(period)
        row: list[str | Text] = [labels.get(str(entity), same(str(entity))), count(int(n)), when]
        for i in shown:
            row += [HIDDEN, HIDDEN] if is_hidden else _cells(latest, i, indicators[i].unit)
        rows.append(row)
    return rows


def _cells(latest: Mapping[Hashable, Any], indicator: str, unit: str) -> list[str | Text]:
    value = latest[indicator]
    low, high, n, k = (latest.get(f"{indicator}__{c}") for c in ("lo", "hi", "n", "k"))
    has_ends = low is not None and high is not None and pd.notna(low) and pd.notna(high)
    digits = digits_for(unit, None, low, high) if has_ends else digits_for(unit, None)
    short = UNITS_SHORT[unit]
    text = NONE if pd.isna(value) else number(float(value), digits)
    told = same(f"{text}%") if unit == "pct" and text != NONE else Text(f"{text} {short.zh}", f"{text} {short.en}")
    behind: str | Text = NONE
    if low is not None and high is not None and has_ends:
        behind = interval(float(low), float(high), digits)
    elif n is not None and pd.notna(n):
        tested = f"{n:,.0f}"
        behind = tested if k is None or pd.isna(k) else f"{k:,.0f} / {tested}"
    return [NONE if text == NONE else Text(told.zh.rstrip(), told.en.rstrip()), behind]


STEPS: Mapping[str, Text] = {
    "drafted": Text("起草", "Drafted"),
    "announced": Text("公布", "Announced"),
    "effective": Text("施行", "Effective"),
    "funded": Text("资金到位", "Funded"),
    "accepted": Text("验收", "Accepted"),
}
SURE: Mapping[str, Text] = {
    "document": Text("文件", "document"),
    "report": Text("报道", "report"),
    "assumed": Text("推定", "assumed"),
    "fictional": Text("虚构", "fictional"),
}
POLICY_KINDS: Mapping[str, Text] = {
    "binary": Text("采用或未采用", "adopted or not"),
    "dose": Text("按强度", "by dose"),
    "bundle": Text("一揽子工具", "a bundle of instruments"),
}
MOST_NAMED = 12


class ShownPolicy(Protocol):
    """What a card reads of a policy."""

    @property
    def title(self) -> Text: ...
    @property
    def kind(self) -> str: ...
    @property
    def first_treated(self) -> Mapping[str, pd.Period]: ...
    @property
    def dates(self) -> Mapping[str, Any]: ...
    @property
    def plan(self) -> Any: ...
    @property
    def notes(self) -> Sequence[Text]: ...


def build_policy_card(policy: ShownPolicy) -> str | None:
    """Return the card of a policy: one row for every dated step, then one for every wave of adoption."""
    rows: list[list[str | Text]] = [
        [STEPS[name], step.on, step.source or NONE, SURE[step.confidence]] for name, step in policy.dates.items()
    ]
    waves: dict[pd.Period, list[str]] = {}
    for entity, start in policy.first_treated.items():
        waves.setdefault(start, []).append(entity)
    for start, adopters in sorted(waves.items()):
        named = ", ".join(sorted(adopters)[:MOST_NAMED]) + (" …" if len(adopters) > MOST_NAMED else "")
        n = len(adopters)
        rows.append([Text("采用", "Adopted"), code(start), named, Text(f"{n} 个", f"{n} adopters")])
    title, kind = policy.title, POLICY_KINDS[policy.kind]
    caption = Text(f"政策：{title.zh}（{kind.zh}）", f"Policy: {title.en} ({kind.en})")
    columns = [
        Text("步骤", "Step"),
        Text("时间", "When"),
        Text("依据或主体", "Source or entities"),
        Text("可靠程度或数目", "How sure, or how many"),
    ]
    plan = (
        Text("评价方案在看数据之前已锁定。", "How it is judged was locked before looking.")
        if policy.plan is not None and not policy.plan.post_hoc
        else Text("评价方案系事后设定。", "How it is judged was set afterwards.")
    )
    return build_card(caption, columns, rows, sentences=[plan, *policy.notes])
