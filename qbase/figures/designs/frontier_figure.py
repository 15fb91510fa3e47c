"""Finding problems against measuring: each share of a budget as a point, none of them recommended."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from qbase.core.numbers import count, number, percent
from qbase.core.results.result import Result
from qbase.core.shown.display import Figure
from qbase.core.shown.palette import LIGHT
from qbase.core.text import Text, join
from qbase.figures.surface.canvas import Sheet, render
from qbase.figures.surface.figure_words import first_fit, sentences, source_note
from qbase.figures.surface.period_axis import number_ticks, tick_digits
from qbase.figures.tabulating.planning_tables import read_planned, tabulate_frontier

HOW = Text(
    "每点是同一预算的一种分法，旁边的百分数是用于定向检查的份额；越高查出越多，越靠左测得越准。竖线为随机性的区间。",
    "Each dot parts the same budget in another way; beside it the share for directed visits. Higher finds more, "
    "further left measures better. Lines: what chance makes of it.",
)
HEIGHT, MARGIN = 400, 0.12
Row = dict[str, Any]


def plot_frontier(frontier: Result) -> Figure:
    """Draw failures found against how well rates are known, a point for each share of a budget.

    Parameters
    ----------
    frontier : Result
        Of `qbase.planning.plan_frontier`.

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
    >>> from qbase.figures import plot_frontier
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import plan_frontier, read_strata
    >>> from qbase.trends import read_watchlist
    >>> home = open_workspace()
    >>> found = plan_frontier(read_strata(home), read_watchlist(home, share=0.9), budget=500, shares=[0, 0.4])
    >>> plot_frontier(found)
    <Figure frontier:plan.found>
    """
    table = read_planned(frontier, "frontier", "plot_frontier(plan_frontier(strata, watchlist, budget=600))")
    rows: list[Row] = [{str(k): v for k, v in r.items()} for r in table.to_dict("records")]
    name = f"frontier:{frontier.outcome.id}"
    title, alt = _title(rows), _alt(rows)
    drawings, preview = render(name, title=title, alt=alt, draw=functools.partial(_draw, rows), height=HEIGHT)
    budget = count(int(frontier.settings["budget"]))
    return Figure(
        name=name,
        title=title,
        subtitle=Text(
            f"n = {budget} 批的预算，分给定向检查与随机抽取的几种分法",
            f"A budget of n = {budget} batches, parted between directed visits and random draws",
        ),
        how_to_read=HOW,
        note=sentences(*frontier.notes, source_note(frontier)),
        alt=alt,
        drawings=drawings,
        table=dataclasses.replace(tabulate_frontier(frontier), name=f"{name}:table"),
        preview=preview,
    )


def _draw(rows: list[Row], sheet: Sheet) -> None:
    x, y, low, high = (np.array([r[c] for r in rows]) for c in ("half_width_pp", "found", "found_low", "found_high"))
    wide, tall = max(float(np.ptp(x)), 1.0), max(float(high.max() - low.min()), 1.0)
    limits = (float(x.min()) - MARGIN * wide, float(x.max()) + 1.5 * MARGIN * wide)
    bottom, top = max(float(low.min()) - 0.05 * tall, 0.0), float(high.max()) + 0.05 * tall
    ticks = [t for t in number_ticks(bottom, top) if bottom <= t <= top]
    labels = [number(t, tick_digits(ticks)) for t in ticks]
    sheet.frame(
        left=max(map(sheet.wide, labels)) + 12, top=34, right=sheet.width - 10, bottom=HEIGHT - 52, x=limits,
        y=(bottom, top),
    )  # fmt: skip
    sheet.y_axis(ticks, labels, sheet.t(Text("预计查出的不合格批次", "Failed batches expected to be found")))
    across = [t for t in number_ticks(*limits) if limits[0] <= t <= limits[1]]
    sheet.x_labels(across, [f"±{number(t, tick_digits(across))}" for t in across])
    said = sheet.t(Text("各集群合格率平均测准到（百分点）", "Rates known within, mean of clusters (points)"))
    sheet.text(sheet.width - 10, HEIGHT - 12, sheet.fit(said, sheet.width - 20), role="mut", ha="right", va="baseline")
    colour, ax = LIGHT["blue"], sheet.ax
    ax.plot(x, y, color=LIGHT["grey"], lw=1.2, zorder=2.5, clip_on=False)
    ax.vlines(x, low, high, color=colour, lw=2.0, zorder=3, clip_on=False)
    ax.scatter(x, y, s=40, marker="o", zorder=4, lw=1.4, clip_on=False, facecolor=colour, edgecolor=colour)
    _label(rows, sheet)


def _label(rows: list[Row], sheet: Sheet) -> None:
    """Write shares right of their points; those that would touch an earlier one are left to the table."""
    taken: list[tuple[float, float, float]] = []
    for row in rows:
        words = percent(row["share_pct"], 0)
        x, y = sheet.px(row["half_width_pp"]) + 8, sheet.py(row["found"]) - sheet.size
        room = sheet.wide(words)
        if any(abs(y - b) < sheet.size * 1.3 and x < a + w + 2 and a < x + room + 2 for a, b, w in taken):
            continue
        if x + room > sheet.width:
            continue
        taken.append((x, y, room))
        sheet.text(x, y, words, role="blue", bold=True)


def _title(rows: list[Row]) -> Text:
    """Return what the share that finds most brings, and what it costs in precision."""
    first, best = rows[0], max(rows, key=lambda r: float(r["found"]))
    more = round(best["found"]) - round(first["found"])
    if best is first or more <= 0:
        return Text("更多定向检查并不多查出不合格", "More directed visits find no more failures")
    share, wider = percent(best["share_pct"], 0), number(best["half_width_pp"] - first["half_width_pp"], 1)
    return first_fit(
        [
            Text(
                f"{share} 用于走访：多查出 {more} 批，±宽 {wider} 点",
                f"Visits of {share} find {more} more failures, rates blur by {wider} points",
            ),
            Text(f"{share} 用于走访，多查出 {more} 批", f"Visits of {share} find {more} more failures"),
        ]
    )


def _alt(rows: list[Row]) -> Text:
    parts = [
        Text(
            f"{percent(r['share_pct'], 0)} 用于走访：查出 {number(r['found'], 0)} 批，±{number(r['half_width_pp'], 1)}",
            f"{percent(r['share_pct'], 0)} for visits: {number(r['found'], 0)} found, ±{number(r['half_width_pp'], 1)}",
        )
        for r in rows
    ]
    listed = join(parts, zh="；", en="; ")
    return Text(f"查问题与测水平的取舍。{listed.zh}。", f"Finding against measuring. {listed.en}.")
