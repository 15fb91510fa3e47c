"""Where every line of the policy text stands."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pandas as pd

from qbase.core.numbers import count
from qbase.core.results.result import Result
from qbase.core.shown.display import Figure
from qbase.core.text import Text, join
from qbase.figures.comparing.clause_drawing import MARKS, ClauseMap, Tiles, draw_clauses, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import capital, sentences, source_note
from qbase.figures.tabulating.clause_table import tabulate_clauses, whole_list

HOW = Text(
    "一块一条，按原文的章节排列；符号说状态，颜色只是重复它。编号对应下方数据表，表中写明内容、原文句子和缺什么。",
    "A tile is a line, in the order of the text; the mark tells its state and colour only repeats it. Codes are those "
    "of the table below, which names what each is about, its sentences and what is missing.",
)
NOTE = Text(
    "没有限值的条目只有数字，不判断好坏；预设一变，达到与否随之改变。",
    "Lines without a threshold have a number and no verdict; another preset may change what is met.",
)
ALWAYS = frozenset({"met", "missing"})
"""States whose count is told even where it is 0."""
WORDS: Mapping[str, Text] = {
    "met": Text("达到限值", "threshold met"),
    "not_met": Text("未达到限值", "threshold not met"),
    "cannot_tell": Text("有限值，尚无法判断", "threshold, cannot tell yet"),
    "measured": Text("有数字，无限值", "measured, no threshold"),
    "result": Text("结果，不是条件", "a result, no condition"),
    "missing": Text("缺数据", "no data"),
    "stated": Text("不用数字，已在表中说明", "no number: stated in the table"),
}


def plot_clauses(result: Result) -> Figure:
    """Draw every line of the policy text as a tile: met, not met, cannot tell, measured, a result, no data, stated.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.judge_clauses`: tables ``clauses`` and ``beside``.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table of all lines.

    Raises
    ------
    DataError
        No such tables (QB615).

    Examples
    --------
    >>> from qbase.figures import plot_clauses
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_clauses, read_gates, score_gates
    >>> workspace = open_workspace()
    >>> card = score_gates(read_gates(workspace, "base_2026"), "base_2026", clusters=["K003"])[0]
    >>> figure = plot_clauses(judge_clauses(workspace, card))
    >>> figure.title.en
    '8 of 86 policy lines are met, 8 are not, 70 have no verdict'
    """
    frame, lines = whole_list(result), result.tables["clauses"]
    name = f"clauses:{result.settings['preset']}:{result.settings['entity']}"
    shown, title, alt = _map(frame), _title(lines), _alt(frame, result)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_clauses, shown),
        height=functools.partial(height_of, shown),
    )  # fmt: skip
    preset, n, beside = result.labels["preset"], count(len(lines)), count(len(frame) - len(lines))
    return Figure(
        name=name,
        title=title,
        subtitle=capital(
            Text(
                f"{result.subject.zh}，预设“{preset.zh}”，n = {n} 条，另有 {beside} 条在条目以外",
                f"{result.subject.en}, preset {preset.en}, n = {n} lines and {beside} beside them",
            )
        ),
        how_to_read=HOW,
        note=sentences(NOTE, source_note(result)),
        alt=alt,
        drawings=drawings,
        table=tabulate_clauses(result),
        preview=preview,
    )


def _map(frame: pd.DataFrame) -> ClauseMap:
    parts = frame.groupby(["part_zh", "part_en"], sort=False)
    tally = frame["state"].value_counts()
    return ClauseMap(
        parts=tuple(
            Tiles(Text(str(zh), str(en)), tuple(zip(own["row"], own["state"], strict=True))) for (zh, en), own in parts
        ),
        key=tuple(
            (s, _counted(WORDS[s], int(tally.get(s, 0)))) for s in MARKS if s in tally or s in {"met", "missing"}
        ),
    )


def _counted(words: Text, n: int) -> Text:
    return Text(f"{words.zh}：{count(n)}", f"{words.en}: {count(n)}")


def _title(lines: pd.DataFrame) -> Text:
    met, missed = (int((lines["state"] == s).sum()) for s in ("met", "not_met"))
    n, rest = count(len(lines)), count(len(lines) - met - missed)
    return Text(
        f"政策 {n} 条：达到 {count(met)}，未达到 {count(missed)}，尚无判断 {rest}",
        f"{count(met)} of {n} policy lines are met, {count(missed)} are not, {rest} have no verdict",
    )


def _alt(frame: pd.DataFrame, result: Result) -> Text:
    parts = []
    for state in MARKS:
        own = frame[frame["state"] == state]
        if own.empty:
            continue
        # most lines are measured: which they are is in the table
        codes = "" if state == "measured" else " ".join(own["row"])
        listed = Text(f"（{codes}）", f" ({codes})") if codes else Text("", "")
        parts.append(_counted(WORDS[state], len(own)) + listed)
    told = join(parts, zh="；", en="; ")
    return capital(
        Text(f"{result.subject.zh}政策各条的状态：{told.zh}。", f"{result.subject.en}, lines of the policy: {told.en}.")
    )
