"""Every line of the policy text as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text, same
from qbase.figures.surface.figure_words import account_data, data_row
from qbase.figures.tabulating.gate_tables import read_table
from qbase.figures.tabulating.result_tables import MET, NONE

STATES: Mapping[str, Text] = {
    **MET,
    "measured": Text("○\u00a0有数字，无限值", "○\u00a0Measured"),
    "result": Text("□\u00a0结果，不是条件", "□\u00a0Result only"),
    "missing": Text("×\u00a0缺数据", "×\u00a0No data"),
    "stated": Text("※\u00a0已说明", "※\u00a0Stated"),
}


def tabulate_clauses(result: Result) -> Table:
    """Tabulate every line of the policy text: met or not, measured, or without data.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.judge_clauses`: tables ``clauses`` and ``beside``.

    Returns
    -------
    Table
        The 86 lines of the catalogue, then what the text says beside them.

    Raises
    ------
    DataError
        No such table (QB615).

    Examples
    --------
    >>> from qbase.figures import tabulate_clauses
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_clauses, read_gates, score_gates
    >>> workspace = open_workspace()
    >>> card = score_gates(read_gates(workspace, "outline_2025"), "outline_2025", clusters=["K003"])[0]
    >>> len(tabulate_clauses(judge_clauses(workspace, card)).rows)
    93
    """
    frame = whole_list(result)
    return Table(
        name=f"clauses:{result.settings['entity']}:{result.settings['preset']}",
        caption=Text(
            "政策每一条：达到、未达到、有数字、缺数据", "Every line of the policy: met, not met, measured, no data"
        ),
        columns=(
            Column(label=Text("条目", "Line")),
            Column(label=Text("原文句子", "Sentences")),
            Column(label=Text("内容", "What it is about")),
            Column(label=Text("状态", "State")),
            Column(label=Text("可计算的指标", "Indicators ready"), numeric=True),
            Column(label=Text("缺什么，或怎样说明", "What is missing, or stated")),
        ),
        rows=tuple(_clause_row(row) for row in frame.to_dict("records")),
        data={str(c): [data_row(v) for v in frame[c]] for c in frame.columns}
        | account_data([result.coverage] * len(frame)),
    )


def whole_list(result: Result) -> pd.DataFrame:
    """Return the lines of the catalogue, and below them what the text says beside them.

    Raises
    ------
    DataError
        No such tables (QB615).
    """
    parts = [read_table(result, name) for name in ("clauses", "beside")]
    return pd.concat(parts, ignore_index=True).fillna({"said_zh": "", "said_en": ""})


def _clause_row(row: Mapping[Any, Any]) -> tuple[str | Text, ...]:
    last = Text(str(row["said_zh"] or row["lacking_zh"]), str(row["said_en"] or row["lacking_en"]))
    return (
        str(row["row"]),
        str(row["clause"]),
        Text(str(row["name_zh"]), str(row["name_en"])),
        STATES[str(row["state"])],
        f"{row['ready']}/{row['measures']}" if row["measures"] else NONE,
        last if last.zh else same(NONE),
    )
