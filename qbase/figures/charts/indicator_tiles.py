"""Key indicators as tiles: value with interval, change, verdict in words, and a small line of the series."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS_SHORT, declared_digits, interval, number, percent
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.results.sentences import VERDICTS, digits_of, target_text, withheld
from qbase.core.results.told import told_by_row
from qbase.core.shown.display import Tile, Tiles
from qbase.core.text import Text, same
from qbase.core.values import Estimate
from qbase.figures.charts.drawn_series import Floats, entity_of, read_series, starts_of
from qbase.figures.charts.goal_terms import FAR, Goal, Terms, goals_of
from qbase.figures.surface.figure_words import bracket, capital, term_of, verdict
from qbase.figures.surface.period_axis import period_text, position

WIDTH, HEIGHT, EDGE = 120, 34, 4
RAIL = 240
FAR_DASH = ";stroke-dasharray:3,2"
FINAL, WAITING = Text("最终数", "Final"), Text("另有初步季度，未计入", "Preliminary quarters left out")
NO_CHANGE = Text("未与其他时期比较", "Not compared with another period")


def tiles_of(*results: Result, targets: Terms = None, policy: Policy | None = None) -> Tiles:
    """Put results into tiles; a change of the same indicator and entity joins its level.

    Parameters
    ----------
    *results : Result
        Levels, changes and effects, in the order of the tiles.
    targets : Scorecard, sequence of Scorecard or None
        Its verdicts on these indicators become chips, its targets marks beside the interval; several from the near to
        the far term.
    policy : Policy or None
        Its first start is marked in the small line of the series.

    Returns
    -------
    Tiles

    Raises
    ------
    DataError
        No result was given (QB707).

    Examples
    --------
    >>> from qbase.figures import tiles_of
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_change, estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> tiles_of(estimate_level(panel, "D1.batch", entity="K001"), estimate_change(panel, "D1.batch", entity="K001"))
    Batch pass rate (2025 Q4): 75.0% (95% CI 50.5–89.8); vs 2024 Q4: −10.7 pp (−36.9 to 14.5), not clear
    """
    if not results:
        raise DataError("QB707", found="0 results", expected="at least one", fix="tiles_of(result, …)")
    levels = [r for r in results if r.estimand == "level"]
    told: list[Result] = []
    items = []
    for result in results:
        if not result.estimates or (result.estimand == "change" and any(_belongs(result, one) for one in levels)):
            continue
        change = next((r for r in results if r.estimand == "change" and _belongs(r, result)), None)
        # of a change the tile leaves out the evidence
        told += [result] if result.estimand in {"level", "need"} and len(result.spoken) == 1 else []
        items.append(_tile(result, change if result.estimand == "level" else None, targets, policy))
    return Tiles(
        name="tiles:" + ":".join(dict.fromkeys(r.outcome.id for r in results)),
        items=tuple(items),
        tells=told_by_row(told),
    )


def _belongs(change: Result, level: Result) -> bool:
    return change.outcome.id == level.outcome.id and entity_of(change) == entity_of(level)


def _tile(result: Result, change: Result | None, targets: Terms, policy: Policy | None) -> Tile:
    spoken = result.estimates[result.spoken[0]]
    digits = digits_of(result, spoken)
    is_level = result.estimand in {"level", "need"}
    label, term = result.outcome.label, term_of(result, spoken)
    if result.estimand == "need":
        width = float(spoken.key.get("half_width_pp", 0))
        half = number(width, declared_digits(width, "pp"))
        label = Text(f"把区间控制在 ±{half} 个百分点所需批次", f"batches needed to know it within ±{half} points")
    elif term.zh:
        label += Text(f"（{term.zh}）", f" ({term.en})")
    goals = goals_of(result, targets) if result.estimand == "level" else ()
    chips = [*_status(result), *(_chip(goal) for goal in goals)]
    if not is_level:
        chips.append(verdict(result, spoken))
    return Tile(
        label=capital(label),
        value=number(spoken.value, digits, sign=not is_level),
        unit=UNITS_SHORT[result.unit],
        interval=capital(bracket(spoken, digits)),
        change=_below(result, change),
        chips=tuple(chips),
        spark=_spark(result, policy),
        goal=_goal(spoken, goals),
    )


def _below(result: Result, change: Result | None) -> Text:
    """Return the line below the interval: the change of a level, at which rate a need was reckoned, else whom it is."""
    if result.estimand == "need":
        expected = float(result.settings.get("rate_pct", 0))
        is_declared = bool(result.settings.get("is_given_rate", True))
        rate = percent(expected, declared_digits(expected, "pct") if is_declared else 1)
        return Text(f"按合格率 {rate} 计", f"At a rate of {rate}")
    return _change(change) if result.estimand == "level" else result.subject


def _change(change: Result | None) -> Text:
    if change is None or not change.estimates:
        return NO_CHANGE if change is None else change.labels.get("unanswered", NO_CHANGE)
    moved = change.estimates[change.spoken[0]]
    digits = digits_of(change, moved)
    value = number(moved.value, digits, sign=True)
    unit = UNITS_SHORT[change.unit]
    doubt = bracket(moved, digits)
    if moved.ci_low is not None and moved.ci_high is not None:
        doubt = interval(moved.ci_low, moved.ci_high, digits)
    held = withheld(change)
    unclear = Text("，变化尚不明确", ", not clear") if moved.covers_zero else same("")
    unclear = unclear if held is None else Text(f"，{held.zh}", f", {held.en}")
    against = same("")
    if "first" in moved.key:
        against = Text("比 {base} ", "vs {base}: ").format(base=period_text(moved.key["first"]))
    return (
        Text(f"{against.zh}{value} {unit.zh}".rstrip(), f"{against.en}{value} {unit.en}".rstrip())
        + Text(f"（{doubt.zh}）", f" ({doubt.en})")
        + unclear
    )


def _status(result: Result) -> list[Text]:
    """Return whether every period is final; no preliminary one is ever the value of a tile."""
    found = next((c for c in result.checks if c.name == "maturity"), None)
    return [] if found is None else [FINAL if found.passed is True else WAITING]


def _chip(goal: Goal) -> Text:
    target = target_text(goal.criterion)
    words = VERDICTS[goal.criterion.verdict]
    en = {"met": "Meets", "not_met": "Misses", "cannot_tell": "Cannot tell yet:"}[goal.criterion.verdict]
    return Text(f"{words.zh}{goal.word.zh} {target.zh}", f"{en} {goal.word.en} {target.en}")


def _goal(spoken: Estimate, goals: tuple[Goal, ...]) -> str:
    """Return interval and value on a rail with the targets as marks; empty where there is no target."""
    if not goals or spoken.ci_low is None or spoken.ci_high is None:
        return ""
    seen = [spoken.ci_low, spoken.ci_high, *(goal.criterion.target for goal in goals)]
    room = max(0.12 * (max(seen) - min(seen)), 1.0)
    low, high = min(seen) - room, max(seen) + room
    if goals[0].criterion.indicator.unit == "pct":
        low, high = max(low, 0.0), min(high, 100.0)

    def at(value: float) -> float:
        return EDGE + (value - low) / (high - low) * (RAIL - 2 * EDGE)

    a, b = at(spoken.ci_low), at(spoken.ci_high)
    parts = [
        f'<rect x="{EDGE}" y="7" width="{RAIL - 2 * EDGE}" height="6" rx="3" style="fill:var(--greyf)" />',
        f'<rect x="{_two(a)}" y="7" width="{_two(max(b - a, 2.0))}" height="6" style="fill:var(--blue);opacity:.35" />',
        *(_mark(at(goal.criterion.target), is_far=goal.word == FAR) for goal in goals),
        f'<circle cx="{_two(at(spoken.value))}" cy="10" r="4.6" style="fill:var(--blue)" />',
    ]
    return f'<svg viewBox="0 0 {RAIL} 20" class="goal" aria-hidden="true">{"".join(parts)}</svg>'


def _mark(x: float, *, is_far: bool) -> str:
    """Return the mark of a target, broken where it is that of the far term."""
    return f'<path d="M{_two(x)} 2V18" style="stroke:var(--gold);stroke-width:2.4{FAR_DASH if is_far else ""}" />'


def _spark(result: Result, policy: Policy | None) -> str:
    """Return a small line of the series, broken at gaps, with the start of the policy; empty without a series."""
    if "series" not in result.tables:
        return ""
    series = read_series(result)
    if len(series.observed) < 2:
        return ""
    seen = series.value[series.observed]
    low, high = float(np.min(seen)), float(np.max(seen))
    xs = np.linspace(EDGE, WIDTH - EDGE, len(series.periods))
    flat = high - low < 1e-12
    ys = (
        np.full(len(xs), HEIGHT / 2)
        if flat
        else HEIGHT - EDGE - (series.value - low) / (high - low) * (HEIGHT - 2 * EDGE)
    )
    step = float(xs[1] - xs[0])
    starts = [(position(p, series.freq) - series.x[0]) * step + EDGE for p, _ in starts_of(result, policy)]
    parts = [
        f'<path d="M{_two(x)} 1V{HEIGHT - 1}" style="stroke:var(--plum);stroke-width:1.2;stroke-dasharray:3,2" />'
        for x in starts[:1]
        if EDGE / 2 <= x <= WIDTH - EDGE / 2
    ]
    parts += [_stretch(xs, ys, run) for run in series.runs]
    last = int(series.observed[-1])
    dot = f'<circle cx="{_two(xs[last])}" cy="{_two(ys[last])}" r="2.6" style="fill:var(--blue)" />'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" class="spark" aria-hidden="true">{"".join(parts)}{dot}</svg>'


def _stretch(xs: Floats, ys: Floats, run: Iterable[int]) -> str:
    points = [f"{_two(xs[i])},{_two(ys[i])}" for i in run]
    if len(points) == 1:
        x, y = points[0].split(",")
        return f'<circle cx="{x}" cy="{y}" r="1.2" style="fill:var(--mut)" />'
    return f'<polyline points="{" ".join(points)}" style="fill:none;stroke:var(--mut);stroke-width:1.6" />'


def _two(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
