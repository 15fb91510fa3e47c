"""A panel as it is looked at: who, how often seen, the latest values with what stands behind them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from qbase.core.markup.html_card import NONE, build_card
from qbase.core.numbers import UNITS_SHORT, count, digits_for, interval, number
from qbase.core.periods import code
from qbase.core.text import Text, join, same
from qbase.core.values import Indicator

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
    for entity, own in data.groupby(level="entity", sort=True):
        is_hidden = (str(entity), last) in hidden
        when, latest = last if is_hidden else code(own.index[-1][1]), own.iloc[-1].to_dict()
        row: list[str | Text] = [labels.get(str(entity), same(str(entity))), count(len(own)), when]
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
