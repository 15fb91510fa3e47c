"""The two everyday questions at a value, `plot` and `describe`: functions here, so that values know no figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.results.result import Result, Scorecard
from qbase.core.results.sentences import say_each, say_scorecard
from qbase.explore.panel_words import describe_panel
from qbase.figures import (
    plot_breaks,
    plot_control,
    plot_decomposition,
    plot_design_power,
    plot_dose_ledger,
    plot_effect,
    plot_estimates,
    plot_event_study,
    plot_funnel,
    plot_gates,
    plot_index_ranks,
    plot_joinpoints,
    plot_memory,
    plot_panel,
    plot_ranks,
    plot_trend,
)

TABLES = {
    "watchlist": "tabulate_watchlist",
    "clauses": "tabulate_clauses",
    "shortlist": "tabulate_shortlist",
    "allocation": "tabulate_draws",
    "frontier": "tabulate_frontier",
    "scores": "tabulate_designs",
    "places": "tabulate_elsewhere",
}
"""Table of a result -> the function that shows it, for results that are read and not drawn."""

if TYPE_CHECKING:
    from qbase.core.policy import Policy
    from qbase.core.shown.display import Figure, Prose


def plot(*results: Result | Panel, policy: Policy | None = None, target: Scorecard | None = None) -> Figure:
    """Draw what was estimated, each kind of result in its own figure.

    Parameters
    ----------
    *results : Result or Panel
        One panel is drawn by who was seen when and who adopted. One result: a level of `estimate_level` becomes a
        trend, a control chart (its path, with a memory), a series with breaks or turns its own figure, estimates by
        event time become an event study, peers a funnel, ranks (of a rate or an index) their intervals, doses a
        ledger, what `decompose_mix` found its parts, gates of all clusters a grid, the power of designs its curves, a
        synthetic comparison or a described path its paths, anything else a line with its interval. A level followed
        by its change is one trend. Other results go under each other.
    policy : Policy or None
        Its start is marked in a trend, a control chart, a series with breaks or an event study.
    target : Scorecard or None
        Its targets are drawn in a trend, the lowest of them in a control chart.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        No result (QB707), different units (QB706), an estimate without interval beside others (QB702), nothing to draw
        in a single result, with the table to show in its place (QB960); a panel of firms (QB961).
    UsageError
        What is neither a result nor one panel (QB962).

    Examples
    --------
    >>> from qbase.explore import plot
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_change, estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> level, change = (estimate(panel, "D1.batch", entity="K001") for estimate in (estimate_level, estimate_change))
    >>> plot(level, change)
    <Figure trend:D1.batch:K001>
    >>> plot(level, change).title.en
    'Batch pass rate 75.0%; change on 2024 Q4 cannot be told yet'
    """
    if len(results) == 1 and isinstance(results[0], Panel):
        return plot_panel(results[0], policy=policy)
    return _plot_results(*_only_results(results), policy=policy, target=target)


def _only_results(given: Sequence[Result | Panel]) -> list[Result]:
    kept = [value for value in given if isinstance(value, Result)]
    if len(kept) < len(given):
        strange = next(type(value).__name__ for value in given if not isinstance(value, Result))
        raise UsageError(
            "QB962", found=strange, expected="one panel, or results", fix="qb.plot(panel) | qb.plot(result)"
        )
    return kept


def _plot_results(*results: Result, policy: Policy | None, target: Scorecard | None) -> Figure:
    """Draw results, each kind in its own figure."""
    match results:
        case (path,) if _has_path(path):
            return plot_memory(path, policy=policy)
        case (chart,) if "phases" in chart.tables:
            return plot_control(chart, policy=policy, target=target)
        case (series,) if "breaks" in series.tables:
            return plot_breaks(series, policy=policy)
        case (turns,) if "joinpoints" in turns.tables and turns.estimates:
            return plot_joinpoints(turns, policy=policy)
        case (level,) if _has_series(level):
            return plot_trend(level, policy=policy, target=target)
        case (level, change) if _has_series(level) and change.estimand == "change":
            return plot_trend(level, policy=policy, target=target, change=change)
        case (funnel,) if funnel.method == "funnel" and funnel.estimates:
            return plot_funnel(funnel)
        case (ranks,) if ranks.method == "rank_intervals" and ranks.estimates:
            return plot_ranks(ranks)
        case (index,) if index.method == "index_worlds":
            return plot_index_ranks(index)
        case (ledger,) if ledger.method == "dose_ledger" and ledger.estimates:
            return plot_dose_ledger(ledger)
        case (mix,) if mix.method == "kitagawa":
            return plot_decomposition(mix)
        case (judged,) if {"gates", "bases"} <= judged.tables.keys():
            return plot_gates(judged)
        case (power,) if "power" in power.tables and not power.tables["power"].empty:
            return plot_design_power(power)
        case (effect,) if _is_drawn_by_design(effect):
            return plot_effect(effect, policy=policy)
        case (study,) if any("event_time" in e.key for e in study.estimates):
            return plot_event_study(study, policy=policy)
        case (single,):
            return _plot_single(single)
    return plot_estimates(*results)


def _plot_single(result: Result) -> Figure:
    """Draw the intervals of a result that has no figure of its own; where there is none, name its table."""
    try:
        return plot_estimates(result)
    except DataError as error:
        if error.code not in {"QB702", "QB707"}:
            raise
        table = next((TABLES[name] for name in result.tables if name in TABLES), "tabulate_estimates")
        table = "tabulate_integrity" if result.method == "patterns" else table
        found = say_each(result).items[0].en if not result.estimates else "estimates without an interval"
        raise DataError(
            "QB960", name=result.name, found=found, expected="estimates with an interval",
            fix=f"qb.{table}(result), or print(result.summary())",
        ) from error  # fmt: skip


def _is_drawn_by_design(result: Result) -> bool:
    """Whether an effect shows a synthetic comparison, or is a described path."""
    has = {name for name, table in result.tables.items() if not table.empty}
    return {"synthetic", "placebos"} <= has or (result.method == "path" and bool({"synthetic", "paths"} & has))


def _has_path(result: Result) -> bool:
    """Whether a control chart has a path, and a phase long enough for its limit."""
    return "memory" in result.settings and bool(result.tables["series"]["memory_limit"].notna().any())


def _has_series(result: Result) -> bool:
    return result.estimand == "level" and "series" in result.tables


def describe(value: Panel | Result | Scorecard, policy: Policy | None = None) -> Prose:
    """Say what a value holds, in both languages.

    Parameters
    ----------
    value : Panel, Result or Scorecard
        A panel is told by size, gaps and counts (`plot` draws them); a result by its sentences; a scorecard by its
        verdicts.
    policy : Policy or None
        With a panel: who of it adopted, and when.

    Returns
    -------
    Prose

    Examples
    --------
    >>> from qbase.explore import describe
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q4", last="2025Q4")
    >>> print(describe(estimate_level(panel, "D1.batch", entity="K001")).items[0].en)
    The batch pass rate of the Qingzhao polyester fibre cluster in 2025 Q4 is estimated at 75.0% (95% CI 50.5–89.8;
    n = 16 batches).
    """
    if isinstance(value, Panel):
        return describe_panel(value, policy)
    return say_scorecard(value) if isinstance(value, Scorecard) else say_each(value)
