"""Tables of gates, bases and the shortlist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS_SHORT, count, number, percent
from qbase.core.results.result import Criterion, OpenGate, Result, Scorecard, Verdict
from qbase.core.results.sentences import criterion_digits, quantity, target_text
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text, join, same
from qbase.figures.surface.figure_words import (
    account_data,
    bracket,
    capital,
    data_row,
    sentences,
    source_note,
    uncapital,
)
from qbase.figures.tabulating.result_tables import MET, NONE

LIMITS = Text(
    "抽样的合格率按单侧精确限判断，括号内为这两个限合成的区间；均/全部按名单计数；缺一项即尚无法判断。",
    "Sampled rates are judged by one-sided exact limits, which together are the interval shown; all-of-them is counted "
    "on a list; what is missing cannot be told.",
)


def tabulate_gates(card: Scorecard) -> Table:
    """Tabulate every gate of a scorecard: value, threshold, verdict, what was judged, and what cannot be told.

    Parameters
    ----------
    card : Scorecard
        From `qbase.scorecards.score_gates`.

    Returns
    -------
    Table
        Gates of the preset in its order; those without threshold or data at the end.

    Examples
    --------
    >>> from qbase.figures import tabulate_gates
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_gates, score_gates
    >>> data = read_gates(open_workspace(), "outline_2025")
    >>> table = tabulate_gates(score_gates(data, "outline_2025", clusters=["K003"])[0])
    >>> [cell if isinstance(cell, str) else cell.en for cell in table.rows[0]][:3]
    ['D1 Batch pass rate (weighted random draws)', '100.0%, 90% CI 89.0–100.0', '94.0%']
    """
    judged = [(c.indicator.id, c.gate, c.verdict, c.estimate.value, c.target, c.probability_met) for c in card.criteria]
    rows = [*judged, *((m.name.en, m.gate, "cannot_tell", None, None, None) for m in card.missing)]
    names = ("indicator", "gate", "verdict", "value", "target", "probability_met")
    return Table(
        name=f"gates:{card.entity}:{card.preset}",
        caption=capital(
            Text(
                f"{card.subject.zh}的关口：{card.preset_title.zh}",
                f"Gates of {card.subject.en}: {card.preset_title.en}",
            )
        ),
        columns=(
            Column(label=Text("关口", "Gate")),
            # a lead with its interval is long: it may break
            Column(label=Text("实际值", "Value")),
            Column(label=Text("限值", "Threshold"), numeric=True),
            Column(label=Text("结论", "Verdict")),
            Column(label=Text("依据", "Judged on")),
        ),
        rows=(*map(_gate_row, card.criteria), *map(_open_row, card.missing)),
        note=LIMITS,
        data={n: list(column) for n, column in zip(names, zip(*rows, strict=True), strict=True)}
        | account_data([card.coverage] * len(rows))
        if rows
        else {},
        style="effects",
    )


def _gate_row(c: Criterion) -> tuple[str | Text, ...]:
    digits = criterion_digits(c)
    value = _short(c.estimate.value, c.indicator.unit, digits)
    if c.estimate.ci_low is not None:
        limits = bracket(c.estimate, digits)
        value = join([value, limits], zh="，", en=", ")
    why = [c.judged, *([_clause(c.why)] if c.why.zh else [])]
    gate = same(f"{c.gate} ") + capital(c.indicator.label)
    target = target_text(c) if c.indicator.unit != "pp" else _short(c.target, "pp", criterion_digits(c))
    return gate, value, target, MET[c.verdict], join(why, zh="；", en="; ")


def _short(value: float, unit: str, digits: int) -> Text:
    """Return a number with its unit in few letters where it is a difference of percentages."""
    if unit != "pp":
        return quantity(value, unit, digits)
    shown, short = number(value, digits), UNITS_SHORT[unit]
    return Text(f"{shown} {short.zh}", f"{shown} {short.en}")


def _clause(text: Text) -> Text:
    """Return a sentence as the later part of one."""
    return uncapital(Text(text.zh.rstrip("。"), text.en.rstrip(".")))


def _open_row(gate: OpenGate) -> tuple[str | Text, ...]:
    return same(f"{gate.gate} ") + capital(gate.name), NONE, NONE, MET["cannot_tell"], capital(gate.why)


def tabulate_presets(cards: Sequence[Scorecard]) -> Table:
    """Tabulate the gates of one cluster under several presets side by side.

    Parameters
    ----------
    cards : sequence of Scorecard
        Of one cluster, one per preset.

    Returns
    -------
    Table
        A row a gate, a column a preset; the same gate may fall differently where thresholds differ.

    Raises
    ------
    DataError
        No card, or cards of several clusters (QB616).

    Examples
    --------
    >>> from qbase.figures import tabulate_presets
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_gates, score_gates
    >>> names = ["policy_text", "base_2026"]
    >>> data = read_gates(open_workspace(), names)
    >>> table = tabulate_presets([score_gates(data, name, clusters=["K003"])[0] for name in names])
    >>> print(*(cell if isinstance(cell, str) else cell.en for cell in table.rows[3]), sep=" | ")
    D4 Lead firms' pull | ▽ Cannot tell | ◆ Met
    """
    whom = {card.entity for card in cards}
    if len(whom) != 1:
        raise DataError(
            "QB616", found=", ".join(sorted(whom)) or "no scorecard", expected="scorecards of one cluster",
            fix="tabulate_presets([score_gates(data, p, clusters=[cluster])[0] for p in presets])",
        )  # fmt: skip
    verdicts = [_verdicts(card) for card in cards]
    # the preset that leaves least open has most gates in their order
    whole = min(range(len(cards)), key=lambda i: len(cards[i].missing))
    gates = list(dict.fromkeys((*verdicts[whole], *(g for own in verdicts for g in own))))
    none = Text(NONE, NONE)
    rows: tuple[tuple[str | Text, ...], ...] = tuple(
        (_whole_name(gate, cards[whole]), *(MET[own[gate]] if gate in own else none for own in verdicts))
        for gate in gates
    )
    data: dict[str, list[Any]] = {"gate": gates}
    data |= {card.preset: [own.get(g, "") for g in gates] for card, own in zip(cards, verdicts, strict=True)}
    return Table(
        name=f"presets:{cards[0].entity}",
        caption=capital(
            Text(f"{cards[0].subject.zh}：几个预设之下的结论", f"{cards[0].subject.en}: verdicts under several presets")
        ),
        columns=(Column(label=Text("关口", "Gate")), *(Column(label=capital(card.preset_title)) for card in cards)),
        rows=rows,
        data=data | account_data([cards[0].coverage] * len(gates)),
    )


def _whole_name(gate: str, card: Scorecard) -> Text:
    """Return the code of a gate and what it is judged on."""
    return Text(f"{gate} {card.gate_name(gate).zh}".rstrip(), f"{gate} {capital(card.gate_name(gate)).en}".rstrip())


def _verdicts(card: Scorecard) -> dict[str, Verdict]:
    """Return one verdict per gate: missed when one threshold is, open when one is, else met."""
    order = ("not_met", "cannot_tell", "met")
    found: dict[str, Verdict] = {}
    opened: list[tuple[str, Verdict]] = [(m.gate, "cannot_tell") for m in card.missing]
    for gate, verdict in [*((c.gate, c.verdict) for c in card.criteria), *opened]:
        found[gate] = min(found.get(gate, "met"), verdict, key=order.index)
    return found


def tabulate_bases(result: Result) -> Table:
    """Tabulate which clusters are bases, what binds the others, and the next step of each; grouped by what binds.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.judge_bases`: table ``bases``.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        No such table (QB615).

    Examples
    --------
    >>> from qbase.figures import tabulate_bases
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_bases, read_gates
    >>> table = tabulate_bases(judge_bases(read_gates(open_workspace(), "base_2026"), "base_2026"))
    >>> [column.label.en for column in table.columns]
    ['Cluster', 'Base?', 'Gates that hold at once', 'Met / not / open', 'Binding gate', 'Next step']
    """
    frame = read_table(result, "bases").sort_values(["binding", "entity"], kind="stable")
    return Table(
        name=f"bases:{result.settings['preset']}",
        caption=Text(
            "各集群离基地还差什么（按卡住的关口归类）", "What each cluster lacks to be a base, by the gate that binds"
        ),
        columns=(
            Column(label=Text("集群", "Cluster")),
            Column(label=Text("是否基地", "Base?")),
            Column(label=Text("可判断的关口同时成立的概率", "Gates that hold at once"), numeric=True),
            Column(label=Text("达到 / 未达到 / 无法判断", "Met / not / open"), numeric=True),
            Column(label=Text("卡住的关口", "Binding gate")),
            Column(label=Text("下一步", "Next step")),
        ),
        rows=tuple(_base_row(row, result.labels) for row in frame.to_dict("records")),
        note=sentences(*result.notes, source_note(result)),
        data={str(c): [data_row(v) for v in frame[c]] for c in frame.columns}
        | account_data([result.coverage] * len(frame)),
        style="effects",
    )


def _base_row(row: Mapping[Any, Any], labels: Mapping[str, Text]) -> tuple[str | Text, ...]:
    binding = str(row["binding"])
    named = capital(labels.get(f"gate[{binding}]", Text("", "")))
    tally = " / ".join(count(int(row[c])) for c in ("met_count", "missed_count", "open_count"))
    return (
        Text(str(row["name_zh"]), str(row["name_en"])),
        MET[str(row["verdict"])],
        percent(100 * float(row["probability"]), 0),
        tally,
        Text(f"{binding} {named.zh}".rstrip(), f"{binding} {named.en}".rstrip()) if binding else NONE,
        capital(Text(str(row["step_zh"]), str(row["step_en"]))),
    )


def tabulate_shortlist(result: Result) -> Table:
    """Tabulate the criteria for those to cultivate next, side by side and not added up.

    Parameters
    ----------
    result : Result
        Of `qbase.scorecards.build_shortlist`: table ``shortlist``.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        No such table (QB615).

    Examples
    --------
    >>> from qbase.figures import tabulate_shortlist
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_shortlist, read_gates
    >>> workspace = open_workspace()
    >>> table = tabulate_shortlist(build_shortlist(workspace, read_gates(workspace, "outline_2025")))
    >>> [cell if isinstance(cell, str) else cell.en for cell in table.rows[0]]
    ['Meidun wire and cable cluster', 'Yes', '4', '42.7%', '57.1%', '53.7%', '87.0%', '7.8']
    """
    frame, year = read_table(result, "shortlist"), result.settings["year"]
    return Table(
        name="shortlist",
        caption=Text(f"下一步培育谁：{year} 年五项条件", f"Whom to cultivate next: five criteria, {year}"),
        columns=(
            Column(label=Text("集群", "Cluster")),
            Column(label=Text("入围", "Listed")),
            Column(label=Text("达到项数", "Criteria met"), numeric=True),
            Column(label=Text("鼓励类产能", "Encouraged capacity"), numeric=True),
            Column(label=Text("全省市场占有率", "Market share"), numeric=True),
            Column(label=Text("自主品牌", "Own brands"), numeric=True),
            Column(label=Text("质量（下限）", "Quality (lower end)"), numeric=True),
            Column(label=Text("区位商", "Location quotient"), numeric=True),
        ),
        rows=tuple(_listed_row(row) for row in frame.to_dict("records")),
        note=sentences(*result.notes, source_note(result)),
        data={str(c): [data_row(v) for v in frame[c]] for c in frame.columns}
        | account_data([result.coverage] * len(frame)),
        style="effects",
    )  # fmt: skip


def _listed_row(row: Mapping[Any, Any]) -> tuple[str | Text, ...]:
    shares = [NONE if pd.isna(row[c]) else percent(float(row[c])) for c in ("conformity", "market", "brand", "quality")]
    quotient = NONE if pd.isna(row["agglomeration"]) else number(float(row["agglomeration"]), 1)
    is_out = not pd.isna(row["obsolete"]) and float(row["obsolete"]) > 0
    no = Text("否（有淘汰类产能）", "No (obsolete capacity)") if is_out else Text("否", "No")
    listed = Text("是", "Yes") if row["is_listed"] else no
    name = Text(str(row["name_zh"]), str(row["name_en"]))
    return name, listed, count(int(row["criteria_met"])), *shares, quotient


def read_table(result: Result, name: str) -> pd.DataFrame:
    """Return a table of a result.

    Raises
    ------
    DataError
        It has none of that name (QB615).
    """
    frame = result.tables.get(name)
    if frame is None:
        raise DataError(
            "QB615", name=result.name, found=", ".join(result.tables) or "no table", expected=f"table {name}",
            fix="give the result of judge_bases, build_shortlist or judge_clauses",
        )  # fmt: skip
    return frame
