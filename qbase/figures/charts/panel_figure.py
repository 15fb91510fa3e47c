"""A panel as a picture: who was seen when, where the gaps are, when each adopted the policy."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping

import pandas as pd

from qbase.core.coverage import HIDDEN
from qbase.core.errors import DataError
from qbase.core.numbers import count
from qbase.core.panel import Panel
from qbase.core.periods import code
from qbase.core.policy import Policy, match_policy
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join, same
from qbase.figures.charts.panel_drawing import SeenGrid, draw_panel, height_of_panel
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import ENTITIES, first_fit, sentences

MOST = 40
"""Entities drawn; all are in the table."""
NONE = "–"
Cell = tuple[str, pd.Period]
HOW = Text(
    "每行一个主体，每格一期；空白处没有观测。右侧为有观测的期数和总期数。",
    "A row an entity, a place a period; where there is no bar nothing was seen. To the right: periods seen, of all.",
)


def plot_panel(panel: Panel, *, policy: Policy | None = None) -> Figure:
    """Draw what a panel holds before anything is estimated from it: balance, gaps and who adopted when.

    Parameters
    ----------
    panel : Panel
        Of clusters or towns.
    policy : Policy or None
        Bars are dark from adoption on, and adopters stand first, in the order of adoption.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        Firms are not drawn one by one (QB961); a character without glyph (QB701).

    Examples
    --------
    >>> from qbase.figures import plot_panel
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q1", last="2025Q4")
    >>> figure = plot_panel(panel, policy=build_policy(open_workspace(), "base"))
    >>> figure.title.en
    'Seen in every period: 9 of 12'
    """
    if panel.entity == "firm_id":
        raise DataError(
            "QB961", found=f"{len(panel.entities)} entities by firm_id", expected="clusters or towns",
            fix="qb.describe(panel)",
        )  # fmt: skip
    first = {} if policy is None else match_policy(policy, panel.entities).first_treated
    states = _states(panel, first)
    name = "panel:" + ":".join(panel.indicators)
    grid = SeenGrid(
        periods=tuple(code(p) for p in panel.periods),
        names=tuple(panel.label(e) for e in [*states][:MOST]),
        states=tuple(tuple(row) for row in [*states.values()][:MOST]),
        sums=tuple(f"{_seen(row)}/{len(row)}" for row in [*states.values()][:MOST]),
    )
    full = sum(_seen(row) == len(row) for row in states.values())
    title = first_fit(
        [Text(f"{len(states)} 个主体中 {full} 个每期都有观测", f"Seen in every period: {full} of {count(len(states))}")]
    )
    alt = _alt(states, panel, title)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_panel, grid),
        height=functools.partial(height_of_panel, grid),
    )  # fmt: skip
    outcomes = join([i.label for i in panel.indicators.values()], zh="、", en=", ")
    kind, span = ENTITIES.get(panel.entity, same(panel.entity)), f"{grid.periods[0]}–{grid.periods[-1]}"
    rest = Text(f"只画前 {MOST} 个，全部见表。", f"The first {MOST} are drawn; all are in the table.")
    return Figure(
        name=name,
        title=title,
        subtitle=Text(f"{outcomes.zh}；{kind.zh}，{span}", f"{outcomes.en}; by {kind.en}, {span}"),
        how_to_read=HOW,
        note=sentences(*panel.notes, *([rest] if len(states) > MOST else [])),
        alt=alt,
        drawings=drawings,
        table=_table(states, panel, first, name, title),
        preview=preview,
    )


def _states(panel: Panel, first: Mapping[str, pd.Period]) -> dict[str, list[str]]:
    """Return entity -> a state for every period; adopters first, in the order of adoption."""
    seen = {(str(e), p) for e, p in panel.data.index}
    hidden: Collection[tuple[str, str]] = () if panel.withheld is None else panel.withheld.cells
    order = sorted(panel.entities, key=lambda e: (e not in first, str(first.get(e, "")), e))
    return {e: [_state(str(e), p, seen, hidden, first.get(e)) for p in panel.periods] for e in order}


def _state(
    entity: str, period: pd.Period, seen: Collection[Cell], hidden: Collection[tuple[str, str]], start: pd.Period | None
) -> str:
    if (entity, code(period)) in hidden:
        return "withheld"
    if (entity, period) not in seen:
        return ""
    return "adopted" if start is not None and period >= start else "seen"


def _seen(row: list[str]) -> int:
    return sum(state in {"seen", "adopted"} for state in row)


def _alt(states: dict[str, list[str]], panel: Panel, title: Text) -> Text:
    adopters = sum("adopted" in row for row in states.values())
    holed = [panel.label(e) for e, row in states.items() if not all(row)]
    listed = join(holed[:5], zh="、", en=", ") if holed else Text("无", "none")
    more = Text("等", " and others") if len(holed) > 5 else Text("", "")
    n = count(len(holed))
    return Text(
        f"{title.zh}。有缺期的：{listed.zh}{more.zh}（{n} 个）；采用政策的 {adopters} 个。",
        f"{title.en}. With gaps: {listed.en}{more.en} ({n}); adopters: {adopters}.",
    )


def _table(
    states: dict[str, list[str]], panel: Panel, first: Mapping[str, pd.Period], name: str, caption: Text
) -> Table:
    periods = [code(p) for p in panel.periods]
    rows: list[tuple[str | Text, ...]] = []
    for e, row in states.items():
        places = [i for i, state in enumerate(row) if state in {"seen", "adopted"}]
        gaps = sum(not state for state in row[places[0] : places[-1]]) if places else 0
        ends = [periods[places[0]], periods[places[-1]]] if places else [HIDDEN, HIDDEN]
        start = first.get(e)
        told = NONE if start is None else code(start)
        rows.append((panel.label(e), count(len(places)), *ends, count(gaps), told))
    columns = (
        Column(label=Text("主体", "Entity")), Column(label=Text("期数", "Periods"), numeric=True),
        Column(label=Text("首期", "First")), Column(label=Text("末期", "Last")),
        Column(label=Text("中途缺期", "Gaps"), numeric=True), Column(label=Text("采用", "Adopted")),
    )  # fmt: skip
    return Table(name=f"{name}.table", caption=caption, columns=columns, rows=tuple(rows))
