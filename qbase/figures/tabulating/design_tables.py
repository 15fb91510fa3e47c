"""The table of the design lab: what each design showed under placebo policies."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import declared_digits, interval, number
from qbase.core.results.result import Result
from qbase.core.results.sentences import quantity
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text, join, same
from qbase.figures.surface.figure_words import account_data, axis_unit, data_row, sentences, source_note

NOTE = Text(
    "± 为蒙特卡罗标准误，括号内为精确区间；没有 ± 和括号的，全部安慰剂政策都已排演。",
    "±: Monte Carlo standard error; brackets: exact bounds. Without them all placebo policies were played.",
)


def tabulate_designs(result: Result) -> Table:
    """Tabulate what each design showed under placebo policies: bias, error, size, coverage and what it would find.

    Parameters
    ----------
    result : Result
        Of `qbase.effects.estimate_design_quality`: table ``designs``.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        No such table (QB707).

    Examples
    --------
    >>> from qbase.effects import estimate_design_quality
    >>> from qbase.figures import tabulate_designs
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> table = tabulate_designs(estimate_design_quality(panel, policy, "D1.batch", designs=["imputation"], draws=60))
    >>> [column.label.en for column in table.columns][:4]
    ['Design', 'Detectable (pp)', 'Recovers the truth?', 'Bias']
    """
    frame = result.tables.get("designs", pd.DataFrame())
    if frame.empty:
        raise DataError(
            "QB707", found="no table designs", expected="a row for each design",
            fix="tabulate_designs(estimate_design_quality(panel, policy, outcome))",
        )  # fmt: skip
    unit = axis_unit(result.unit)
    effect = float(result.settings["effect"])
    known = quantity(effect, result.unit, declared_digits(effect, result.unit))
    of_unit = Text(f"（{unit.zh}）" if unit.zh else "", f" ({unit.en})" if unit.en else "")
    held = Text(
        f"偏差与误差的单位与效果相同；误报是没有效果时说有；区间覆盖与效果递增时的偏差按加入 {known.zh}的效果计。",
        "Bias and error are in the unit of the effect; a false find is a change said where there is none; coverage, "
        f"and bias where the effect grows, with {known.en} added.",
    )
    data: dict[str, list[Any]] = {str(c): [data_row(v) for v in frame[c]] for c in frame.columns}
    return Table(
        name=f"designs:{result.outcome.id}",
        caption=Text("安慰剂政策下各设计的表现", "What each design shows under placebo policies"),
        columns=(
            Column(label=Text("设计", "Design")),
            Column(label=Text("可发现", "Detectable") + of_unit, numeric=True),
            Column(label=Text("能还原真值？", "Recovers the truth?")),
            Column(label=Text("偏差", "Bias"), numeric=True),
            Column(label=Text("效果递增时", "If growing"), numeric=True),
            Column(label=Text("误差", "RMSE"), numeric=True),
            Column(label=Text("误报", "False finds"), numeric=True),
            Column(label=Text("区间覆盖", "Coverage"), numeric=True),
        ),
        rows=tuple(_row(result, row) for row in frame.to_dict("records")),
        note=sentences(result.labels.get("played", Text("", "")) + Text("。", "."), held, NOTE, source_note(result)),
        data=data | account_data([result.coverage] * len(frame)),
        style="effects",
    )


def _row(result: Result, row: Any) -> tuple[str | Text, ...]:
    digits = 1 if result.unit == "pp" else 3
    name = result.labels.get(f"design[{row['design']}]", Text(str(row["design"]), str(row["design"])))
    return (
        Text(name.zh, name.en[:1].upper() + name.en[1:]),
        detectable_text(row, result.unit),
        _verdict(result, row),
        _with_error(row["bias"], row["bias_error"], digits, sign=True),
        _with_error(row["growing_bias"], row["growing_bias_error"], digits, sign=True),
        _with_error(row["rmse"], row["rmse_error"], digits),
        share_text(row, "size"),
        share_text(row, "coverage"),
    )


def _verdict(result: Result, row: Any) -> Text:
    """Return whether a design recovers the truth, why not, and how often it says nothing."""
    faults = [f for f in str(row["faults"]).split(", ") if f]
    text = Text("能", "Yes")
    if faults:
        why = join([result.labels.get(f"fault[{f}]", same(f)) for f in faults], zh="；", en="; ")
        text = Text(f"不能：{why.zh}", f"No: {why.en}")
    nothing = float(row["unanswered_pct"])
    if not nothing:
        return text
    share = number(nothing, 1) + "%"
    return text + Text(f"（无判断 {share}）", f" (no answer in {share})")


def _with_error(value: float, error: float, digits: int, *, sign: bool = False) -> str:
    shown = number(float(value), digits, sign=sign)
    return f"{shown} ± {number(float(error), digits + 1)}" if error > 0 else shown


def share_text(row: Any, name: str) -> Text:
    """Return a share in percent with its exact bounds; a dash where there is none."""
    value, low, high = (float(row[f"{name}{part}_pct"]) for part in ("", "_low", "_high"))
    if not math.isfinite(value):
        return Text("–", "–")
    if low == high:
        return Text(f"{number(value, 1)}%", f"{number(value, 1)}%")
    return same(f"{number(value, 1)}% ({interval(low, high, 1).en})")


def detectable_text(row: Any, unit: str) -> Text:
    """Return the smallest effect that is found with its bounds; that none is, where none is."""
    value, low, high = (float(row[f"detectable{part}"]) for part in ("", "_low", "_high"))
    digits = 1 if unit == "pp" else 3
    if not math.isfinite(value):
        return Text("发现不了", "none")
    shown = number(value, digits)
    if low == high:
        return Text(shown, shown)
    if not math.isfinite(high):
        return Text(f"{shown}（至少 {number(low, digits)}）", f"{shown} ({number(low, digits)} or more)")
    return same(f"{shown} ({interval(low, high, digits).en})")
