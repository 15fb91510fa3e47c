"""Ranks of an index over all ways its data and its method might have been."""

from __future__ import annotations

import functools
from typing import Any

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, interval, level_text, number, percent
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join
from qbase.figures.comparing.rank_drawing import Ladder, RankRow, draw_ranks, height_of
from qbase.figures.comparing.rank_figure import MOST, say_rest
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import account_data, capital, data_row, first_fit, sentences, source_note
from qbase.figures.tabulating.check_names import failed_note

WORDS = Text("位次区间 · 居首的情形", "ranks · first in")
HOW = Text(
    "点为按声明的方法排的位次，横条为 {level} 的情形所在的位次。横条重叠的，这里不分先后；点在横条之外，说明声明的方法"
    "对它特别有利或不利；灰条什么位次都可能。",
    "A dot is the rank by the method as declared, the bar the ranks of {level} of the worlds. Where bars overlap no "
    "order is given here; a dot beside its bar means that the declared method favours or disfavours it; a grey bar can "
    "be anywhere.",
)


def plot_index_ranks(result: Result) -> Figure:
    """Draw the ranks of an index with their intervals over worlds, one line an entity.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.estimate_rank_robustness`: tables ``ranks`` and ``choices``.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        No such table (QB539).

    Examples
    --------
    >>> from qbase.figures import plot_index_ranks
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_index, estimate_rank_robustness, read_index_design
    >>> design = read_index_design("cluster_quality")
    >>> index = build_index(build_panel(open_workspace(), design.indicators, freq="A"), design)
    >>> figure = plot_index_ranks(estimate_rank_robustness(index, worlds=500))
    >>> figure
    <Figure index_ranks:cluster_quality.rank>
    """
    ranks = result.tables.get("ranks", pd.DataFrame())
    if ranks.empty or "share_first" not in ranks:
        raise DataError(
            "QB539", name=result.name, table="ranks", found=", ".join(result.tables) or "no table",
            expected="table ranks of an index", fix="plot_index_ranks(estimate_rank_robustness(index))",
        )  # fmt: skip
    rows = tuple(_row(row) for row in ranks.head(MOST).to_dict("records"))
    ladder = Ladder(rows=rows, n=len(ranks), words=WORDS)
    name = f"index_ranks:{result.outcome.id}"
    title, alt = _title(ranks), _alt(result, ladder)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_ranks, ladder),
        height=functools.partial(height_of, ladder),
    )  # fmt: skip
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(result, ranks),
        how_to_read=HOW.format(level=level_text(float(result.settings["level"]))),
        note=_note(result, len(ranks)),
        alt=alt,
        drawings=drawings,
        table=_table(result, ranks, name),
        preview=preview,
    )


def _row(row: dict[Any, Any]) -> RankRow:
    share = share_text(float(row["share_first"]))
    return RankRow(
        name=Text(str(row["name_zh"]), str(row["name_en"])), rank=int(row["rank"]), low=int(row["low"]),
        high=int(row["high"]), rate=Text(share, share),
    )  # fmt: skip


def share_text(share: float) -> str:
    """Write a share of worlds; never 0% or 100% where a single world is otherwise."""
    if 0 < share < 1:
        return "< 1%"
    return "> 99%" if 99 < share < 100 else percent(share, 0)


def _title(ranks: pd.DataFrame) -> Text:
    if ranks["high"].min() >= ranks["low"].max():
        n = count(len(ranks))
        return Text(f"{n} 个对象的位次都分不出先后", f"No two of {n} entities can be put in order")
    top = ranks.sort_values(["share_first", "entity"], ascending=[False, True]).iloc[0]
    share, may = share_text(float(top["share_first"])), int((ranks["low"] == 1).sum())
    reach = f"{count(may)} {'reaches' if may == 1 else 'reach'} rank 1"
    return first_fit(
        [
            Text(
                f"{top['name_zh']}居首的占 {share}，{count(may)} 个的区间含首位",
                f"{top['name_en']} is first in {share} of worlds; {reach}",
            ),
            Text(f"{top['name_zh']}居首的占 {share}", f"{top['name_en']} is first in {share} of worlds"),
            Text(f"{count(may)} 个可能居首，最多的占 {share}", f"{count(may)} may be first, one of them in {share}"),
        ]
    )


def _subtitle(result: Result, ranks: pd.DataFrame) -> Text:
    measured, when, kind = (result.labels[name] for name in ("measured", "window", "kind"))
    m, worlds = count(int(result.settings["n_indicators"])), count(int(result.settings["worlds"]))
    return capital(
        Text(
            f"按{measured.zh}排的位次；{when.zh}，{count(len(ranks))} {kind.zh}，{m} 项指标，"
            f"{worlds} 种数据与方法的可能",
            f"Rank by the {measured.en}; {when.en}, {count(len(ranks))} {kind.en}, {m} indicators, {worlds} ways the "
            "data and the method might have been",
        )
    )


def _note(result: Result, n: int) -> Text:
    return sentences(_say_choices(result), *failed_note(result), say_rest(n), source_note(result))


def _say_choices(result: Result) -> Text:
    """Name what moves the ranks, each with its total effect."""
    choices = result.tables["choices"]
    if choices.empty:
        return Text("没有任何选择会改变位次。", "No choice changes any rank.")
    told = [
        Text(f"{r['name_zh']} {number(r['total'], 2)}", f"{r['name_en']} {number(r['total'], 2)}")
        for r in choices.to_dict("records")
    ]
    listed = join(told, zh="、", en=", ")
    return Text(
        f"位次变动的来源（总效应，1 为全部）：{listed.zh}。", f"What moves ranks (total effect, 1 is all): {listed.en}."
    )


def _alt(result: Result, ladder: Ladder) -> Text:
    told = []
    for row in ladder.rows:
        span = interval(row.low, row.high, 0)
        told.append(
            Text(
                f"{row.name.zh} {row.rank}（{span.zh}，居首 {row.rate.zh}）",
                f"{row.name.en} {row.rank} ({span.en}, first in {row.rate.en})",
            )
        )
    listed, measured = join(told, zh="、", en=", "), result.labels["measured"]
    level = level_text(float(result.settings["level"]))
    return Text(
        f"按{measured.zh}排的位次，括号内为 {level} 的情形所在的位次：{listed.zh}。",
        f"Ranks by the {measured.en}, in brackets those of {level} of the worlds: {listed.en}.",
    )


def _table(result: Result, ranks: pd.DataFrame, name: str) -> Table:
    level = level_text(float(result.settings["level"]))
    rows: list[tuple[str | Text, ...]] = [
        (
            Text(str(row["name_zh"]), str(row["name_en"])),
            number(float(row["index"]), 1),
            count(int(row["rank"])),
            count(int(row["median"])),
            interval(row["low"], row["high"], 0),
            share_text(float(row["share_first"])),
        )
        for row in ranks.head(MOST).to_dict("records")
    ]
    data: dict[str, list[object]] = {str(c): [data_row(v) for v in ranks[c]] for c in ranks.columns}
    data |= account_data([result.coverage] * len(ranks))
    return Table(
        name=f"{name}:table",
        caption=Text("指数位次及其稳健性", "Ranks of the index and how firm they are"),
        columns=(
            Column(label=Text("对象", "Entity")),
            Column(label=Text("指数", "Index"), numeric=True),
            Column(label=Text("位次（按声明的方法）", "Rank as declared"), numeric=True),
            Column(label=Text("中位位次", "Middle rank"), numeric=True),
            Column(label=Text(f"{level} 的情形", f"{level} of worlds"), numeric=True),
            Column(label=Text("居首", "First in"), numeric=True),
        ),
        rows=tuple(rows),
        note=_note(result, len(ranks)),
        data=data,
    )
