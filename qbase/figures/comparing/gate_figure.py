"""Which gates each cluster meets."""

from __future__ import annotations

import functools
from typing import Any

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join
from qbase.figures.comparing.gate_drawing import GateGrid, draw_gates, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import account_data, data_row, first_fit, sentences, source_note

MOST = 40
"""So many clusters are drawn; the CSV holds all."""
HOW = Text(
    "一行一个集群，一列一个必过关口；下划线标出卡住该集群的关口，右端为达到的关口数。",
    "A row is a cluster, a column a required gate; a rule under a mark shows the gate that binds; at the end how many "
    "are met.",
)


def plot_gates(result: Result) -> Figure:
    """Draw which required gates each cluster meets, in marks that need no colour.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.judge_bases`: tables ``gates`` and ``bases``.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        No such tables (QB615).

    Examples
    --------
    >>> from qbase.figures import plot_gates
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_bases, read_gates
    >>> plot_gates(judge_bases(read_gates(open_workspace(), "base_2026"), "base_2026"))
    <Figure gates:base_2026>
    """
    if not {"gates", "bases"} <= set(result.tables):
        raise DataError(
            "QB615", name=result.name, found=", ".join(result.tables) or "no table", expected="tables gates and bases",
            fix="plot_gates(judge_bases(data, preset))",
        )  # fmt: skip
    grid, name = _grid(result), f"gates:{result.settings['preset']}"
    title, alt = _title(result), _alt(result)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_gates, grid),
        height=functools.partial(height_of, grid),
    )  # fmt: skip
    bases = result.tables["bases"]
    shown = Text(
        f"截至 {result.settings['as_of']}，{count(len(bases))} 个集群，{count(len(grid.gates))} 个必过关口",
        f"As of {result.settings['as_of']}, {count(len(bases))} clusters, {count(len(grid.gates))} required gates",
    )
    rest = Text("", "")
    if len(bases) > MOST:
        rest = Text(f"只画前 {MOST} 个，全部见 CSV。", f"The first {MOST} are drawn; all are in the CSV.")
    return Figure(
        name=name,
        title=title,
        subtitle=shown,
        how_to_read=HOW,
        note=sentences(*result.notes[:2], rest, source_note(result)),
        alt=alt,
        drawings=drawings,
        table=_table(result, name),
        preview=preview,
    )


def _wide(result: Result) -> pd.DataFrame:
    gates, bases = result.tables["gates"], result.tables["bases"]
    wide = gates.pivot(index="entity", columns="gate", values="verdict")
    return wide.reindex(index=list(bases["entity"]), columns=list(result.settings["required"]))


def _grid(result: Result) -> GateGrid:
    wide, bases = _wide(result).head(MOST), result.tables["bases"].head(MOST)
    return GateGrid(
        gates=tuple(wide.columns),
        names=tuple(Text(str(z), str(e)) for z, e in zip(bases["name_zh"], bases["name_en"], strict=True)),
        verdicts=tuple(tuple(row) for row in wide.to_numpy().tolist()),
        sums=tuple(f"{met}/{len(wide.columns)}" for met in bases["met_count"]),
        bound=tuple(bases["binding"]),
    )


def _title(result: Result) -> Text:
    bases = result.tables["bases"]
    met, m = int((bases["verdict"] == "met").sum()), count(len(bases))
    bound = bases.loc[bases["binding"] != "", "binding"].value_counts()
    most = f"，{bound.index[0]} 卡住最多" if len(bound) else ""
    most_en = f"; {bound.index[0]} binds most" if len(bound) else ""
    if met:
        full = Text(f"{m} 个集群中 {met} 个达到全部关口{most}", f"{met} of {m} clusters meet every gate{most_en}")
        return first_fit([full, Text(f"{met} 个集群达到全部关口", f"{met} clusters meet every gate")])
    full = Text(f"{m} 个集群没有一个达到全部关口{most}", f"None of {m} clusters meets every gate{most_en}")
    return first_fit([full, Text("没有集群达到全部关口", "No cluster meets every gate")])


def _alt(result: Result) -> Text:
    parts = []
    for row in result.tables["bases"].head(MOST).to_dict("records"):
        tally = [int(row[c]) for c in ("met_count", "missed_count", "open_count")]
        parts.append(
            Text(
                f"{row['name_zh']}达到 {tally[0]}、未达到 {tally[1]}、尚无法判断 {tally[2]}",
                f"{row['name_en']} {tally[0]} met, {tally[1]} not, {tally[2]} cannot tell",
            )
        )
    listed = join(parts, zh="；", en="; ")
    return Text(f"各集群的关口：{listed.zh}。", f"Gates of each cluster: {listed.en}.")


def _table(result: Result, name: str) -> Table:
    bases, wide = result.tables["bases"], _wide(result)
    rows: list[tuple[str | Text, ...]] = [
        (
            Text(str(row["name_zh"]), str(row["name_en"])),
            count(int(row["met_count"])),
            count(int(row["missed_count"])),
            count(int(row["open_count"])),
            _listed(wide.loc[row["entity"]]),
        )
        for row in bases.head(MOST).to_dict("records")
    ]
    data: dict[str, list[Any]] = {"entity": list(wide.index)}
    data |= {str(c): [data_row(v) for v in wide[c]] for c in wide.columns}
    return Table(
        name=f"{name}:table",
        caption=Text("各集群的关口", "Gates of each cluster"),
        columns=(
            Column(label=Text("集群", "Cluster")),
            Column(label=Text("达到", "Met"), numeric=True),
            Column(label=Text("未达到", "Not met"), numeric=True),
            Column(label=Text("尚无法判断", "Cannot tell"), numeric=True),
            Column(label=Text("未达到的关口", "Gates not met")),
        ),
        rows=tuple(rows),
        data=data | account_data([result.coverage] * len(wide)),
    )


def _listed(row: pd.Series) -> str:
    return ", ".join(str(g) for g, v in row.items() if v == "not_met") or "–"
