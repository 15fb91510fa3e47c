"""One cluster before its gates: value, threshold, verdict under two presets, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qbase.core.numbers import UNITS_SHORT, declared_digits, interval, level_text, number
from qbase.core.results.result import Criterion, Result, Scorecard
from qbase.core.results.sentences import criterion_digits
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text, join, same
from qbase.figures.surface.figure_words import account_data, capital, data_row, source_note
from qbase.figures.tabulating.gate_tables import read_table
from qbase.figures.tabulating.result_tables import MET, NONE

BINDS = Text("卡住：", "Binds: ")


def tabulate_standing(standing: Result, card: Scorecard) -> Table:
    r"""Tabulate the gates of one cluster, those that are missed first, with the next step or what would settle each.

    Parameters
    ----------
    standing : Result
        Of `qbase.scorecards.judge_standing`: tables ``standing`` and ``beside``.
    card : Scorecard
        The one it was judged on, with values and thresholds.

    Returns
    -------
    Table
        A row a gate; the one that binds leads, then those missed, those open, those met.

    Raises
    ------
    DataError
        No such tables (QB615).

    Examples
    --------
    >>> from qbase.figures import tabulate_standing
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_standing, read_gates, read_preset, score_gates
    >>> preset = read_preset("base_2026")
    >>> data = read_gates(open_workspace(), preset)
    >>> card = score_gates(data, preset, clusters=["K003"])[0]
    >>> table = tabulate_standing(judge_standing(card, preset), card)
    >>> [cell if isinstance(cell, str) else cell.en for cell in table.rows[1]][:3]
    ['D2\xa0Quality\xa0management', '32.1%', '50.0%']
    """
    frame, beside = read_table(standing, "standing"), read_table(standing, "beside")
    order = ("not_met", "cannot_tell", "met")
    ranked = frame.assign(rank=[order.index(v) for v in frame["verdict"]], later=~frame["is_binding"])
    frame = ranked.sort_values(["later", "rank"], kind="stable").drop(columns=["rank", "later"])
    others = {t: own.set_index("gate")["verdict"] for t, own in beside.groupby(["title_zh", "title_en"], sort=False)}
    return Table(
        name=f"standing:{card.entity}:{card.preset}",
        caption=capital(
            Text(f"{card.subject.zh}的关口与下一步：{card.preset_title.zh}",
                 f"Gates of {card.subject.en} and what follows: {card.preset_title.en}")
        ),
        columns=(
            Column(label=Text("关口", "Gate")),
            Column(label=Text("实际值", "Value")),
            Column(label=Text("限值", "Threshold"), numeric=True),
            Column(label=Text("结论", "Verdict")),
            *(Column(label=Text(f"按{zh}", f"Under {en}")) for zh, en in others),
            Column(label=Text("下一步，或怎样才能判断", "Next step, or what would settle it")),
        ),
        rows=tuple(
            (*_judged(row, card), *(MET[str(o[row["gate"]])] for o in others.values()), _follows(row))
            for row in frame.to_dict("records")
        ),
        note=source_note(standing),
        data={str(c): [data_row(v) for v in frame[c]] for c in frame.columns}
        | {f"verdict_{i + 1}": [str(o[g]) for g in frame["gate"]] for i, o in enumerate(others.values())}
        | account_data([standing.coverage] * len(frame)),
    )  # fmt: skip


def _judged(row: Mapping[Any, Any], card: Scorecard) -> tuple[str | Text, ...]:
    own = [c for c in card.criteria if c.gate == row["gate"]]
    name = capital(Text(str(row["name_zh"]), str(row["name_en"])))
    # a code and its few words stay on one line
    head = same(f"{row['gate']}\u00a0") + Text(name.zh, name.en.replace(" ", "\u00a0"))
    if not own:
        return head, NONE, NONE, MET[str(row["verdict"])]
    values = join([_value(c) for c in own], zh="；", en="; ")
    targets = list({t.en: t for t in (_short(c, c.target, declared_digits(c.target, _unit(c))) for c in own)}.values())
    return head, values, join(targets, zh="；", en="; "), MET[str(row["verdict"])]


def _unit(c: Criterion) -> str:
    return c.indicator.unit


def _short(c: Criterion, value: float, digits: int) -> Text:
    """Return a number with its unit as tables write it."""
    unit, shown = UNITS_SHORT[_unit(c)], number(value, digits)
    glue = "" if _unit(c) == "pct" else " "
    return Text(f"{shown}{glue}{unit.zh}".rstrip(), f"{shown}{glue}{unit.en}".rstrip())


def _value(c: Criterion) -> Text:
    """Return a value, with its interval where it has one."""
    e, digits = c.estimate, criterion_digits(c)
    value = _short(c, e.value, digits)
    if e.ci_low is None or e.ci_high is None:
        return value
    ends, level = interval(e.ci_low, e.ci_high, digits), level_text(e.ci_level)
    return Text(f"{value.zh}（{level} CI {ends.zh}）", f"{value.en} ({level} CI {ends.en})")


def _follows(row: Mapping[Any, Any]) -> str | Text:
    step, why = (Text(str(row[f"{n}_zh"]), str(row[f"{n}_en"])) for n in ("step", "why"))
    if not step.zh:
        return NONE
    said = (
        capital(step) if not why.zh else capital(step) + Text(f"（{why.zh.rstrip('。')}）", f" ({why.en.rstrip('.')})")
    )
    return BINDS + said if row["is_binding"] else said
