"""What an evaluation will find, and when: the smallest effect against years, by draws and design."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.numbers import count, number, percent
from qbase.core.results.result import Result
from qbase.core.shown.display import Figure
from qbase.core.text import Text, join
from qbase.figures.designs.evaluation_drawing import Plans, draw_plans, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import axis_unit, first_fit, sentences, source_note
from qbase.figures.tabulating.planning_tables import read_planned, tabulate_evaluation

HOW = Text(
    "点为到那一年能稳定发现的最小效果，竖线为蒙特卡罗误差；越低越好。顶端的空心点：任何效果都不能稳定发现。",
    "Dots: the smallest effect that will be found by then, lines its Monte-Carlo error; lower is better. Hollow dots "
    "at the top: no effect is found reliably.",
)


def plot_evaluation(result: Result) -> Figure:
    """Draw the smallest effect an evaluation will find against years, a line for each number of batches.

    Parameters
    ----------
    result : Result
        Of `qbase.planning.plan_evaluation`; the first number of clusters is drawn.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        The result is no such plan (QB707).

    Examples
    --------
    >>> from qbase.figures import plot_evaluation
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import plan_evaluation
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> found = plan_evaluation(
    ...     panel, policy, "D1.batch", clusters=[(4, 8)], batches=[20], years=[3], designs=["did"], draws=40
    ... )
    >>> plot_evaluation(found)
    <Figure evaluation:D1.batch.detectable>
    """
    table = read_planned(result, "evaluation", "plot_evaluation(plan_evaluation(panel, policy, outcome))")
    treated, comparison = (int(table[c].iloc[0]) for c in ("treated", "comparison"))
    own = table[(table["treated"] == treated) & (table["comparison"] == comparison)]
    panels = tuple(
        (result.labels.get(f"design[{d}]", Text(d, d)), own[own["design"] == d]) for d in dict.fromkeys(own["design"])
    )
    plans = Plans(
        panels=panels, batches=tuple(int(b) for b in sorted(own["batches"].unique())), unit=axis_unit(result.unit)
    )
    name = f"evaluation:{result.outcome.id}"
    title, alt = _title(own, plans), _alt(plans)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_plans, plans),
        height=functools.partial(height_of, plans),
    )  # fmt: skip
    return Figure(
        name=name,
        title=title,
        subtitle=_subtitle(result, treated, comparison),
        how_to_read=HOW,
        note=sentences(*result.notes, source_note(result)),
        alt=alt,
        drawings=drawings,
        table=dataclasses.replace(tabulate_evaluation(result), name=f"{name}:table"),
        preview=preview,
    )


def _title(own: pd.DataFrame, plans: Plans) -> Text:
    """Return the smallest effect the best plan finds in the last year, or that none does."""
    last = own[own["years"] == own["years"].max()]
    best = last.iloc[int(np.argmin(last["detectable"]))]
    years, value = int(best["years"]), float(best["detectable"])
    if not math.isfinite(value):
        return Text("这些方案都不能稳定发现效果", "None of these plans finds an effect reliably")
    shown, each = number(value, 1), int(best["batches"])
    points = plans.unit
    return first_fit(
        [
            Text(
                f"{years} 年后能发现 {shown} {points.zh}（每季 {each} 批）",
                f"{shown} {points.en} can be found after {years} years with {each} batches",
            ),
            Text(f"{years} 年后能发现 {shown} {points.zh}", f"{shown} {points.en} can be found after {years} years"),
        ]
    )


def _subtitle(result: Result, treated: int, comparison: int) -> Text:
    outcome = result.labels.get("outcome", result.outcome.label)
    draws, chance = count(int(result.settings["draws"])), percent(100 * float(result.settings["power"]), 0)
    return Text(
        f"{outcome.zh}：{treated} 个集群采用、{comparison} 个对照；以 {chance} 的把握发现的最小效果，"
        f"每点排演 {draws} 次",
        f"{outcome.en[:1].upper()}{outcome.en[1:]}: {treated} clusters treated, {comparison} compared; smallest effect "
        f"found with a chance of {chance}, n = {draws} draws a point",
    )


def _alt(plans: Plans) -> Text:
    parts = []
    for name, rows in plans.panels:
        for each in plans.batches:
            own = rows[rows["batches"] == each].sort_values("years").to_dict("records")
            said = [_said(row) for row in own]
            listed = join(said, zh="、", en=", ")
            parts.append(Text(f"{name.zh}每季 {each} 批 {listed.zh}", f"{name.en}, {each} a quarter: {listed.en}"))
    told = join(parts, zh="；", en="; ")
    return Text(f"能发现的最小效果：{told.zh}。", f"Smallest effect found: {told.en}.")


def _said(row: dict[Any, Any]) -> Text:
    years, value = int(row["years"]), float(row["detectable"])
    if not math.isfinite(value):
        return Text(f"{years} 年无", f"none after {years}")
    return Text(f"{years} 年 {number(value, 1)}", f"{number(value, 1)} after {years}")
