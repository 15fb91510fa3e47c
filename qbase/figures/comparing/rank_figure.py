"""Ranks with the intervals of ranks that are not refuted."""

from __future__ import annotations

import functools
from typing import Any

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS, count, interval, level_text, percent
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join
from qbase.figures.comparing.rank_drawing import Ladder, RankRow, draw_ranks, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import (
    account_data,
    capital,
    data_row,
    first_fit,
    sentences,
    source_note,
)
from qbase.figures.tabulating.check_names import failed_note

MOST = 60
"""So many rows are drawn and shown; the CSV holds all."""
HOW = Text(
    "点为样本里的位次，横条为可居的位次：与之区分不开的都算在内。横条重叠的，这里不分先后；灰条什么位次都可能。",
    "A dot is the rank in the sample, the bar the ranks it can hold given what was tested. Where bars overlap no order "
    "is given here; a grey bar can be anywhere.",
)


def plot_ranks(result: Result) -> Figure:
    """Draw ranks with their intervals, one line an entity.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.rank_entities`: table ``ranks``.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        No such table, or a result without an answer (QB539).

    Examples
    --------
    >>> from qbase.figures import plot_ranks
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import rank_entities
    >>> panel = build_panel(open_workspace(), "D1.batch", freq="A", sampling="random_draw")
    >>> plot_ranks(rank_entities(panel, "D1.batch", period="2025"))
    <Figure ranks:D1.batch.rank>
    """
    ranks = result.tables.get("ranks", pd.DataFrame())
    if ranks.empty:
        raise DataError(
            "QB539", name=result.name, table="ranks", found=", ".join(result.tables) or "no table",
            expected="table ranks", fix='plot_ranks(rank_entities(panel, outcome)), panel with sampling="random_draw"',
        )  # fmt: skip
    rows = tuple(_row(row) for row in ranks.head(MOST).to_dict("records"))
    ladder = Ladder(rows=rows, n=len(ranks))
    name = f"ranks:{result.outcome.id}"
    title, alt = _title(result, ranks), _alt(result, ladder)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_ranks, ladder),
        height=functools.partial(height_of, ladder),
    )  # fmt: skip
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(result, ranks),
        how_to_read=HOW,
        note=_note(result, ladder),
        alt=alt,
        drawings=drawings,
        table=_table(result, ranks, name),
        preview=preview,
    )


def _row(row: dict[Any, Any]) -> RankRow:
    rank, low, high = (int(row[name]) for name in ("rank", "rank_low", "rank_high"))
    rate = percent(float(row["rate_pct"]))
    return RankRow(
        name=Text(str(row["name_zh"]), str(row["name_en"])), rank=rank, low=low, high=high, rate=Text(rate, rate)
    )


def _title(result: Result, ranks: pd.DataFrame) -> Text:
    m, told = len(ranks), int(result.settings["ordered_pairs"])
    kind, pairs = result.labels["kind"], count(m * (m - 1) // 2)
    if not told:
        return Text(f"{count(m)} {kind.zh}分不出先后", f"No two of {count(m)} {kind.en} can be put in order")
    return first_fit(
        [
            Text(
                f"{count(m)} {kind.zh}的 {pairs} 对中只有 {count(told)} 对分得出先后",
                f"{count(told)} of {pairs} pairs of {count(m)} {kind.en} can be put in order",
            ),
            Text(f"{pairs} 对中 {count(told)} 对分得出先后", f"{count(told)} of {pairs} pairs can be put in order"),
        ]
    )


def _subtitle(result: Result, ranks: pd.DataFrame) -> Text:
    measured, when, kind = (result.labels[name] for name in ("measured", "window", "kind"))
    first = (
        Text("高者在前", "highest first") if result.settings["is_highest_first"] else Text("低者在前", "lowest first")
    )
    batches, total = UNITS["batch"], count(int(ranks["n"].sum()))
    return capital(
        Text(
            f"按{measured.zh}排的位次，{first.zh}；{when.zh}，{count(len(ranks))} {kind.zh}，n = {total} {batches.zh}",
            f"Rank by {measured.en}, {first.en}; {when.en}, {count(len(ranks))} {kind.en}, n = {total} {batches.en}",
        )
    )


def _note(result: Result, ladder: Ladder) -> Text:
    level = level_text(float(result.settings["level"]))
    words = Text(f"区间：{level}，对全部位次同时成立。", f"Intervals: {level}, for all ranks at once.")
    return sentences(words, *failed_note(result), say_rest(ladder.n), source_note(result))


def say_rest(n: int) -> Text:
    """Say how many rows are not drawn."""
    if n <= MOST:
        return Text("", "")
    return Text(
        f"只画前 {MOST} 个，全部 {count(n)} 个见 CSV。", f"The first {MOST} are drawn; all {count(n)} are in the CSV."
    )


def _alt(result: Result, ladder: Ladder) -> Text:
    told = []
    for row in ladder.rows:
        span = interval(row.low, row.high, 0)
        told.append(Text(f"{row.name.zh} {row.rank}（{span.zh}）", f"{row.name.en} {row.rank} ({span.en})"))
    listed, measured = join(told, zh="、", en=", "), result.labels["measured"]
    return Text(
        f"按{measured.zh}排的位次与可居位次：{listed.zh}。",
        f"Ranks by {measured.en} with the ranks each can hold: {listed.en}.",
    )


def _table(result: Result, ranks: pd.DataFrame, name: str) -> Table:
    rows: list[tuple[str | Text, ...]] = [
        (
            Text(str(row["name_zh"]), str(row["name_en"])),
            count(int(row["n"])),
            percent(float(row["rate_pct"])),
            interval(row["ci_low"], row["ci_high"]),
            count(int(row["rank"])),
            interval(row["rank_low"], row["rank_high"], 0),
        )
        for row in ranks.head(MOST).to_dict("records")
    ]
    data: dict[str, list[object]] = {str(c): [data_row(v) for v in ranks[c]] for c in ranks.columns}
    data |= account_data([result.coverage] * len(ranks))
    return Table(
        name=f"{name}:table",
        caption=Text("位次及其区间", "Ranks with their intervals"),
        columns=(
            Column(label=Text("对象", "Entity")),
            Column(label=Text("n", "n"), numeric=True),
            Column(label=Text("比率", "Rate"), numeric=True),
            Column(label=Text("95% CI", "95% CI"), numeric=True),
            Column(label=Text("样本位次", "Rank in the sample"), numeric=True),
            Column(label=Text("可居位次", "Ranks it can hold"), numeric=True),
        ),
        rows=tuple(rows),
        note=_note(result, Ladder(rows=(), n=len(ranks))),
        data=data,
    )  # fmt: skip
