"""Tables of a plan: what each cluster is drawn, what other precision costs, finding against measuring."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, number, percent
from qbase.core.results.result import Result
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text
from qbase.figures.surface.figure_words import account_data, data_row, sentences, source_note
from qbase.figures.tabulating.estimate_columns import NONE


def tabulate_draws(plan: Result) -> Table:
    """Tabulate what a plan draws in each cluster, and how surely its rate will be known within the target.

    Parameters
    ----------
    plan : Result
        Of `qbase.planning.plan_draws`.

    Returns
    -------
    Table
        One row a cluster. Data: the table ``precision`` of the plan.

    Raises
    ------
    DataError
        The result is no such plan (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_draws
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import plan_draws, read_strata
    >>> tabulate_draws(plan_draws(read_strata(open_workspace()), within_pp=10)).rows[0][1:]
    ('46', '32', '96', '83.0%', '±10.0', '86%')
    """
    table = read_planned(plan, "precision", "tabulate_draws(plan_draws(strata, within_pp=10))")
    rows: list[tuple[Text | str, ...]] = []
    for row in _rows(table):
        is_asked = pd.notna(row["within_pp"])
        within, chance = (
            (f"±{number(row['within_pp'], 1)}", percent(100 * row["chance"], 0)) if is_asked else (NONE, NONE)
        )
        numbers = (count(int(row[c])) for c in ("n_firms", "drawn", "batches"))
        rows.append((Text(row["name_zh"], row["name_en"]), *numbers, percent(row["rate_pct"], 1), within, chance))
    return Table(
        name=f"draws:{plan.outcome.id}",
        caption=Text("明年各集群随机抽取多少", "Random draws of next year, cluster by cluster"),
        columns=(
            Column(label=Text("集群", "Cluster")),
            Column(label=Text("名录企业", "Firms listed"), numeric=True),
            Column(label=Text("抽取企业", "Firms drawn"), numeric=True),
            Column(label=Text("批次", "Batches"), numeric=True),
            Column(label=Text("预期合格率", "Rate expected"), numeric=True),
            Column(label=Text("测准到（百分点）", "Known within (points)"), numeric=True),
            Column(label=Text("把握", "Chance"), numeric=True),
        ),
        rows=tuple(rows),
        note=sentences(*plan.notes, source_note(plan)),
        data=_data(plan, table),
    )


def tabulate_prices(plan: Result) -> Table:
    """Tabulate what a plan would cost if it were to be one point more or less precise, and so on.

    Parameters
    ----------
    plan : Result
        Of `qbase.planning.plan_draws`, with targets.

    Returns
    -------
    Table
        One row a change of all targets. Data: the table ``price`` of the plan.

    Raises
    ------
    DataError
        The result is no such plan (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_prices
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import plan_draws, read_strata
    >>> tabulate_prices(plan_draws(read_strata(open_workspace()), within_pp=10)).rows[0][1:]
    ('10 / 12', '428', '1,284', '1,712')
    """
    table = read_planned(plan, "price", "tabulate_prices(plan_draws(strata, within_pp=10))")
    rows: list[tuple[Text | str, ...]] = [
        (
            _points(row["points"]),
            f"{count(int(row['reachable']))} / {count(int(row['entities']))}",
            *(count(round(row[c])) for c in ("firms", "batches", "cost")),
        )
        for row in _rows(table)
    ]
    return Table(
        name=f"prices:{plan.outcome.id}",
        caption=Text("测得再准或再粗一些，要多少", "What more or less precision takes"),
        columns=(
            Column(label=Text("目标", "Target")),
            Column(label=Text("够得着的集群", "Clusters it can be kept in"), numeric=True),
            Column(label=Text("抽取企业", "Firms drawn"), numeric=True),
            Column(label=Text("批次", "Batches"), numeric=True),
            Column(label=Text("费用", "Cost"), numeric=True),
        ),
        rows=tuple(rows),
        note=source_note(plan),
        data=_data(plan, table),
    )


def tabulate_frontier(frontier: Result) -> Table:
    """Tabulate what each share of a budget for directed visits finds, and how well the rest measures.

    Parameters
    ----------
    frontier : Result
        Of `qbase.planning.plan_frontier`.

    Returns
    -------
    Table
        One row a share. Data: the table ``frontier``.

    Raises
    ------
    DataError
        The result is no such plan (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_frontier
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import plan_frontier, read_strata
    >>> from qbase.trends import read_watchlist
    >>> home = open_workspace()
    >>> found = plan_frontier(read_strata(home), read_watchlist(home, share=0.9), budget=500, shares=[0])
    >>> tabulate_frontier(found).rows[0][:3]
    ('0%', '0', '500')
    """
    table = read_planned(frontier, "frontier", "tabulate_frontier(plan_frontier(strata, watchlist, budget=600))")
    rows: list[tuple[Text | str, ...]] = [
        (
            percent(row["share_pct"], 0),
            *(count(round(row[c])) for c in ("visits", "draws")),
            f"{number(row['found'], 0)} ({number(row['found_low'], 0)}–{number(row['found_high'], 0)})",
            *(f"±{number(row[c], 1)}" for c in ("half_width_pp", "worst_pp")),
        )
        for row in _rows(table)
    ]
    return Table(
        name="frontier",
        caption=Text("查问题与测水平：同一预算的几种分法", "Finding against measuring: ways to part one budget"),
        columns=(
            Column(label=Text("用于定向检查", "For visits")),
            Column(label=Text("定向批次", "Visits"), numeric=True),
            Column(label=Text("随机批次", "Random draws"), numeric=True),
            Column(label=Text("预计查出不合格批次", "Failed batches expected"), numeric=True),
            Column(label=Text("各集群平均（百分点）", "Known within, mean (points)"), numeric=True),
            Column(label=Text("最差的集群（百分点）", "Known within, worst (points)"), numeric=True),
        ),
        rows=tuple(rows),
        note=sentences(*frontier.notes, source_note(frontier)),
        data=_data(frontier, table),
    )


def tabulate_evaluation(plan: Result) -> Table:
    """Tabulate what an evaluation will find, a row for each plan and a column for each year.

    Parameters
    ----------
    plan : Result
        Of `qbase.planning.plan_evaluation`.

    Returns
    -------
    Table
        Effects in points with their Monte-Carlo error in brackets. Data: the table ``evaluation``.

    Raises
    ------
    DataError
        The result is no such plan (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_evaluation
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import plan_evaluation
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> found = plan_evaluation(
    ...     panel, policy, "D1.batch", clusters=[(4, 8)], batches=[20], years=[3], designs=["did"], draws=40
    ... )
    >>> tabulate_evaluation(found).rows[0][1:3]
    ('4 / 8', '20')
    """
    table = read_planned(plan, "evaluation", "tabulate_evaluation(plan_evaluation(panel, policy, outcome))")
    years = sorted(table["years"].unique())
    rows: list[tuple[Text | str, ...]] = []
    for (design, treated, comparison, batches), own in table.groupby(
        ["design", "treated", "comparison", "batches"], sort=False
    ):
        at = {int(row["years"]): row for row in _rows(own)}
        name = plan.labels.get(f"design[{design}]", Text(str(design), str(design)))
        rows.append((name, f"{treated} / {comparison}", count(int(str(batches))), *(_found(at[int(y)]) for y in years)))
    return Table(
        name=f"found_by_year:{plan.outcome.id}",
        caption=Text("到时能发现多大的效果（百分点）", "Effects that will be found by then (points)"),
        columns=(
            Column(label=Text("设计", "Design")),
            Column(label=Text("采用 / 对照集群", "Treated / compared"), numeric=True),
            Column(label=Text("每季每群批次", "Batches a quarter"), numeric=True),
            *(Column(label=Text(f"{y} 年后", f"After {y} yr"), numeric=True) for y in years),
        ),
        rows=tuple(rows),
        note=sentences(*plan.notes, source_note(plan)),
        data={str(c): [data_row(v) for v in table[c]] for c in table} | account_data([plan.coverage] * len(table)),
    )


def _found(row: dict[str, Any]) -> Text | str:
    value, low, high = (float(row[c]) for c in ("detectable", "detectable_low", "detectable_high"))
    if not math.isfinite(value):
        return Text("发现不了", "none")
    if not math.isfinite(high):
        return Text(f"{number(value, 1)}（≥{number(low, 1)}）", f"{number(value, 1)} (≥{number(low, 1)})")
    return f"{number(value, 1)} ({number(low, 1)}–{number(high, 1)})"


def _points(points: float) -> Text:
    if points == 0:
        return Text("现定目标", "as planned")
    size, word = number(abs(points), 0), "point" if abs(points) == 1 else "points"
    if points < 0:
        return Text(f"窄 {size} 个百分点", f"{size} {word} narrower")
    return Text(f"宽 {size} 个百分点", f"{size} {word} wider")


def read_planned(result: Result, name: str, fix: str) -> pd.DataFrame:
    """Return a table of a plan.

    Parameters
    ----------
    result : Result
        Of a function of `qbase.planning`.
    name : str
        Which table.
    fix : str
        The call that makes such a result.

    Raises
    ------
    DataError
        The result is no such plan (QB707).
    """
    if name not in result.tables:
        found = ", ".join(result.tables) or "no table"
        raise DataError("QB707", found=found, expected=f"table {name}", fix=fix)
    return result.tables[name]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _data(result: Result, table: pd.DataFrame) -> dict[str, list[Any]]:
    return {str(c): table[c].tolist() for c in table} | account_data([result.coverage] * len(table))
