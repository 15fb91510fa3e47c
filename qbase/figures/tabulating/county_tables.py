"""Tables of a county report: rates by group, red and black lists, cases, proposals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from qbase.core.numbers import count, interval, level_text, number
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Table
from qbase.core.shown.english_names import name_text
from qbase.core.text import Text, join, same
from qbase.figures.surface.figure_words import account_data, capital, data_row, sentences, source_note
from qbase.figures.tabulating.estimate_columns import NONE
from qbase.figures.tabulating.gate_tables import read_table

DIMENSIONS = {
    "industry": Text("行业", "Industry"),
    "product": Text("产品", "Product"),
    "period": Text("时间", "Quarter"),
    "entity": Text("地域", "Town"),
    "sample_type": Text("检验类别（抽样）", "Kind of inspection, drawn"),
    "level": Text("检验类别（级别）", "Kind of inspection, by"),
}
OUTCOMES = {
    "failed_again": Text("复查仍不合格", "Failed again"),
    "open": Text("尚未复查", "Not re-checked yet"),
    "rectified": Text("复查合格", "Rectified"),
}
MOST_RED = 12
"""So many firms of the red list are shown; all are in the data."""


def tabulate_breakdown(result: Result) -> Table:
    """Tabulate the pass rate of a year by industry, product, quarter, town and kind of inspection.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.estimate_breakdown`.

    Returns
    -------
    Table
        One row per group of a dimension; nothing is ranked. Data: the columns of table ``groups``.

    Raises
    ------
    DataError
        No such table (QB615).

    Examples
    --------
    >>> from qbase.figures import tabulate_breakdown
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import estimate_breakdown, read_place
    >>> table = tabulate_breakdown(estimate_breakdown(read_place(open_workspace(), "青棹镇", last="2025Q4")))
    >>> [cell if isinstance(cell, str) else cell.en for cell in table.rows[0]]
    ['Industry: Polyester fibres', '76.5%', '65.2–85.1', '62 / 81', '44']
    """
    groups = read_table(result, "groups")
    rows: list[tuple[str | Text, ...]] = []
    rows += [_group_row(row) for row in groups.to_dict("records")]
    if groups.empty:
        rows = [(result.labels["unanswered"], *[NONE] * 4)]
    return Table(
        name="breakdown",
        caption=_caption(result, "各行业、产品、时间、地域和检验类别的合格率", "Pass rate by group"),
        columns=(
            Column(label=Text("组", "Group")),
            Column(label=Text("合格率", "Passed"), numeric=True),
            Column(label=same(f"{level_text(float(result.settings['level']))} CI"), numeric=True),
            Column(label=Text("合格 / 抽查批次", "Passed / tested"), numeric=True),
            Column(label=Text("企业", "Firms"), numeric=True),
        ),
        rows=tuple(rows),
        note=sentences(*result.notes, source_note(result)),
        data=_data(groups, result),
    )


def _group_row(row: dict[Any, Any]) -> tuple[str | Text, ...]:
    name = capital(Text(str(row["label_zh"]), str(row["label_en"])))
    ends = interval(float(row["ci_low"]), float(row["ci_high"]), 1)
    cases = f"{count(int(row['k']))} / {count(int(row['n']))}"
    label = join([DIMENSIONS[str(row["dimension"])], name], zh="：", en=": ")
    return label, f"{number(float(row['rate_pct']), 1)}%", ends, cases, count(int(row["n_firms"]))


def tabulate_red_black(result: Result) -> tuple[Table, ...]:
    """Tabulate the black and the red list of a place.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.judge_red_black`.

    Returns
    -------
    tuple of Table
        The black list and the red list; both name firms. Where there is nobody, or nothing tells what is published,
        one row says so.

    Raises
    ------
    DataError
        No such table (QB615).

    Examples
    --------
    >>> from qbase.figures import tabulate_red_black
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_red_black, read_place
    >>> lists = judge_red_black(open_workspace(), read_place(open_workspace(), "青棹镇", last="2025Q4"))
    >>> black, red = tabulate_red_black(lists)
    >>> black.rows[0][:2], len(red.rows)
    (('清沅立澜化纤厂', '3 / 4'), 8)
    """
    black, red = read_table(result, "black"), read_table(result, "red")
    nobody = result.labels.get("unanswered", Text("无", "Nobody"))
    listed = [_black_row(row) for row in black.to_dict("records")]
    praised = [
        (str(row["firm_name"]), count(int(row["n"])), count(int(row["quarters"])))
        for row in red.head(MOST_RED).to_dict("records")
    ]
    more = Text(
        f"红榜共 {count(len(red))} 家，列出 {count(len(praised))} 家，其余见数据。",
        f"{count(len(red))} firms are on the red list; {count(len(praised))} are shown, all are in the data.",
    )
    left = result.tables["left"]
    gone = Text(
        f"信用修复后退出：{'、'.join(left['firm_name'])}。", f"Left by credit repair: {', '.join(left['firm_name'])}."
    )
    name, batches = Column(label=Text("企业", "Firm")), Text("不合格 / 抽查批次", "Failed / tested")
    return (
        Table(
            name="black",
            caption=_caption(result, "质量黑榜", "Black list"),
            columns=(
                name,
                Column(label=batches, numeric=True),
                Column(label=Text("抽样日期", "Drawn on")),
                Column(label=Text("公告", "Notices")),
                Column(label=Text("复查合格", "Re-check passed"), numeric=True),
            ),
            rows=tuple(listed) or ((nobody, *[NONE] * 4),),
            note=sentences(*result.notes, *([gone] if len(left) else []), source_note(result)),
            data=_data(black, result),
            style="effects",
            tells=(result.name,),
        ),
        Table(
            name="red",
            caption=_caption(result, "质量红榜", "Red list", when="two_years"),
            columns=(
                name,
                Column(label=Text("合格批次（全部合格）", "Batches, all passed"), numeric=True),
                Column(label=Text("分布季度", "Quarters"), numeric=True),
            ),
            rows=tuple(praised) or ((nobody, *[NONE] * 2),),
            note=more if len(red) > len(praised) else Text("", ""),
            data=_data(red, result),
        ),
    )


def _black_row(row: dict[Any, Any]) -> tuple[str | Text, ...]:
    n, k, done = (None if row[c] is None else count(int(row[c])) for c in ("n", "k", "rectified"))
    dates, notices = ("、".join(row[c]) for c in ("failed_on", "notices"))
    return str(row["firm_name"]), f"{k} / {n}", dates, notices, NONE if done is None else f"{done} / {k}"


def tabulate_cases(result: Result) -> Table:
    """Tabulate the cases of a place: what failed, what was ordered, how it ended.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.read_cases`.

    Returns
    -------
    Table
        A row a case; it names firms. One row that says why where there is none.

    Raises
    ------
    DataError
        No such table (QB615).

    Examples
    --------
    >>> from qbase.figures import tabulate_cases
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_cases, read_place
    >>> cases = read_cases(open_workspace(), read_place(open_workspace(), "青棹镇", last="2025Q4"))
    >>> [row[0].en for row in tabulate_cases(cases).rows]
    ['Not re-checked yet', 'Rectified']
    """
    cases = read_table(result, "cases")
    rows: list[tuple[str | Text, ...]] = [
        (
            OUTCOMES[str(row["outcome"])], str(row["firm_name"]), _what_failed(row),
            str(row["sample_date"]), str(row["order_date"]), str(row["due_date"]), str(row["recheck_date"]) or NONE,
        )
        for row in cases.to_dict("records")
    ]  # fmt: skip
    heads = (
        Text("处理结果", "Outcome"), Text("企业", "Firm"), Text("产品与不合格项目", "Product and failed items"),
        Text("抽样", "Drawn"), Text("责令改正", "Ordered"), Text("期限", "Due"), Text("复查", "Re-checked"),
    )  # fmt: skip
    return Table(
        name="cases",
        caption=_caption(result, "典型案例", "Cases"),
        columns=tuple(Column(label=head) for head in heads),
        rows=tuple(rows) or ((result.labels["unanswered"], *[NONE] * 6),),
        note=sentences(*result.notes, source_note(result)),
        data=_data(cases, result),
        style="effects",
    )


def _what_failed(row: dict[Any, Any]) -> Text:
    product, items = name_text(str(row["product"])), [name_text(i) for i in row["items"]]
    return join([product, join(items, zh="、", en=", ")], zh="：", en=": ") if items else product


def tabulate_proposals(result: Result) -> Table:
    """Tabulate what is proposed, and the finding each proposal rests on.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.advise_county`.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        No such table (QB615).

    Examples
    --------
    >>> from qbase.figures import tabulate_proposals
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import advise_county, read_place
    >>> records = read_place(open_workspace(), "青棹镇", last="2025Q4")
    >>> tabulate_proposals(advise_county(records, standings=())).rows[0][0].en
    'No rule applies to what was found'
    """
    table = read_table(result, "proposals")
    rows = [
        (capital(Text(str(row["zh"]), str(row["en"]))), capital(Text(str(row["on_zh"]), str(row["on_en"]))))
        for row in table.to_dict("records")
    ]
    return Table(
        name="proposals",
        caption=_caption(result, "对策建议及其依据", "Proposals and what they rest on"),
        columns=(Column(label=Text("对策", "Proposal")), Column(label=Text("依据", "Finding"))),
        rows=tuple(rows) or ((capital(result.labels["unanswered"]), NONE),),
        note=sentences(*result.notes),
        data=_data(table, result),
    )


def _caption(result: Result, zh: str, en: str, *, when: str = "period") -> Text:
    when, who = str(result.settings[when]), result.subject
    return capital(Text(f"{who.zh}：{when} {zh}", f"{en}, {when}: {who.en}"))


def _data(table: pd.DataFrame, result: Result) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {str(c): [_plain(v) for v in table[c]] for c in table.columns}
    return columns | account_data([result.coverage] * len(table))


def _plain(value: object) -> object:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "；".join(map(str, value))
    return data_row(value)
