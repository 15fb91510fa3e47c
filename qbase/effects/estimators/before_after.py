"""Before against after of the treated alone: a description with an interval, not an effect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from qbase.core.errors import DataError
from qbase.core.given import check_margin
from qbase.core.numbers import count, difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.effects.comparison.effect_words import drawing_notes, given_notes, subject_text
from qbase.effects.comparison.mean_paths import build_mean_paths
from qbase.effects.comparison.outcome_grid import Weight
from qbase.effects.comparison.treated_rows import TreatedRows, read_treated
from qbase.effects.fitting.effect_options import read_count
from qbase.stats.rates.difference_intervals import check_level

LEAST_TREATED = 3
AGAINST = Text("与政策开始前相比（没有比较对象），", "compared with before the policy began (no comparison group), ")
NO_CAUSE = Text(
    "只比较采用者自身的前后，没有比较对象：同期的其他变化（市场、标准、抽样方式）都会算在内，不能说是政策所致。",
    "The treated are compared with themselves only: whatever else changed meanwhile (markets, standards, the way of "
    "drawing) is in the figure, and it must not be put down to the policy.",
)
SEASONS = Text(
    "前后只比同一季节：每个季节权重相同，前后都有结果的季节才算。",
    "Only like seasons are compared: each weighs the same, and counts where there is an outcome on both sides.",
)
REGRESSION = Text(
    "若因表现差而被选中，即使没有政策也会回升。",
    "Entities chosen because they did badly tend to recover without any policy.",
)


def estimate_before_after(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    window: int | None = None,
    weight: Weight = "equal",
    level: float = 0.95,
    margin: float | None = None,
    subject: Text | None = None,
) -> Result:
    """Compare the treated after the policy's start with themselves before it, season by season.

    The weakest of the designs: nobody says what would have happened otherwise, so the sentence claims no cause and the
    evidence is limited whatever the interval. It answers where nobody is left to compare with.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``; a panel of post-stratified rates makes before and after alike in how batches were drawn.
    policy : Policy
        Whom it treated; absorbing, at one date or several.
    outcome : str
        Id of an indicator of the panel.
    window : int or None
        Periods before the start and from it on that count; None takes all. By quarter, whole years are fair.
    weight : {"equal", "n"} or mapping
        Share of each treated entity; ``"n"`` by batches tested before the start.
    level : float
        Confidence level.
    margin : float or None
        Declared beforehand: an interval inside ± margin is called a little change.
    subject : Text or None
        The treated in words; None names them by what the panel follows.

    Returns
    -------
    Result
        Estimand ``change``: term ``att``, the mean change of the treated, in points of percent where the outcome is
        in percent, with the interval of the paired changes of entities (t with one less than there are entities);
        below three entities none. Table ``changes`` (entity, before, after, change, share, periods of both). Grade
        limited.

    Raises
    ------
    PanelError, PolicyError
        See `qbase.effects.comparison.treated_rows.read_treated`.
    DataError
        No treated entity has an outcome of one season on both sides (QB587).
    UsageError
        A window below 1 or weights that are none (QB519), a level that is none (QB503) or a margin (QB507).

    References
    ----------
    Shadish, W. R., Cook, T. D. and Campbell, D. T. (2002). Experimental and Quasi-Experimental Designs for Generalized
    Causal Inference, chapter 4.

    Examples
    --------
    >>> from qbase.effects import estimate_before_after
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> change = estimate_before_after(panel, policy, "D1.batch", window=8)
    >>> change["att"].n_treated, change.grade, change.estimand
    (5, 'limited', 'change')
    """
    check_level(level)
    margin = check_margin(margin)
    most = None if window is None else read_count("window", window, least=1, example="8")
    rows = read_treated(panel, policy, outcome, weight=weight)
    changes = _changes(rows, most)
    if changes.empty:
        raise _nothing_paired(rows, most)
    notes = [NO_CAUSE, *([SEASONS] if panel.freq != "A" else []), REGRESSION, *drawing_notes(panel)]
    return Result(
        estimand="change",
        outcome=rows.indicator,
        unit=difference_unit(rows.indicator.unit),
        method="before_after",
        estimates=(_estimate(changes, level),),
        subject=subject_text(panel, policy, changes["entity"].tolist(), subject),
        tables={"changes": changes, "paths": build_mean_paths(panel, policy, outcome)},
        checks=(_check_kept(rows, changes),),
        grade="limited",
        notes=(*notes, *given_notes(panel, policy)),
        settings=_settings(panel, policy, rows, most, level, margin),
        sources=(*panel.sources, *policy.sources),
        coverage=panel.coverage_of(outcome),
        labels={"att": AGAINST},
    )


def _changes(rows: TreatedRows, window: int | None) -> pd.DataFrame:
    """Return one row for each treated entity with a season on both sides."""
    seen = rows.rows
    if window is not None:
        seen = seen[(seen["event_time"] >= -window) & (seen["event_time"] < window)]
    is_before = seen["event_time"] < 0
    grouped = {
        side: seen[rows_of].groupby(["entity", "season"])["y"]
        for side, rows_of in (("before", is_before), ("after", ~is_before))
    }
    sides = [pd.DataFrame({f"mean_{side}": g.mean(), f"size_{side}": g.size()}) for side, g in grouped.items()]
    paired = sides[0].join(sides[1], how="inner").groupby("entity")
    level, cells = paired[["mean_before", "mean_after"]].mean(), paired[["size_before", "size_after"]].sum()
    names = [str(e) for e in level.index]
    table = pd.DataFrame(
        {
            "entity": names,
            "before": level["mean_before"].to_numpy(),
            "after": level["mean_after"].to_numpy(),
            "change": (level["mean_after"] - level["mean_before"]).to_numpy(),
            "share": np.array([rows.shares.get(e, 0.0) for e in names]),
            "periods_before": cells["size_before"].to_numpy(dtype=int),
            "periods_after": cells["size_after"].to_numpy(dtype=int),
        }
    )
    table = table[table["share"] > 0].reset_index(drop=True)
    return table.assign(share=table["share"] / table["share"].sum())


def _estimate(changes: pd.DataFrame, level: float) -> Estimate:
    """Return the mean change with the interval of the paired changes; the variance keeps each entity's own share."""
    change, share = changes["change"].to_numpy(dtype=float), changes["share"].to_numpy(dtype=float)
    value, n = float(share @ change), len(changes)
    cells = int(changes["periods_after"].sum())
    shared: dict[str, Any] = {
        "term": "att",
        "value": value,
        "ci_level": level,
        "n_obs": cells + int(changes["periods_before"].sum()),
        "n_clusters": n,
        "n_treated": n,
        "n_cells": cells,
        "n_effective": float(1.0 / (share**2).sum()),
    }
    error = float(np.sqrt((share**2 * (change - value) ** 2).sum() * n / (n - 1))) if n >= LEAST_TREATED else 0.0
    if not error > 0:
        return Estimate(**shared, uncertainty="none_too_few")
    half = float(stats.t.ppf(0.5 + level / 2, n - 1)) * error
    p = float(2 * stats.t.sf(abs(value) / error, n - 1))
    return Estimate(**shared, std_error=error, ci_low=value - half, ci_high=value + half, p_value=p)


def _check_kept(rows: TreatedRows, changes: pd.DataFrame) -> CheckResult:
    """Say which treated entities are not in the figure (``rows_used``)."""
    lost = [e for e in rows.shares if e not in set(changes["entity"])]
    base = Text(
        f"采用者 {count(len(changes))} 个，政策前 {count(int(changes['periods_before'].sum()))} 格，"
        f"政策后 {count(int(changes['periods_after'].sum()))} 格",
        f"{count(len(changes))} treated, {count(int(changes['periods_before'].sum()))} cells before and "
        f"{count(int(changes['periods_after'].sum()))} after",
    )
    if not lost:
        text = Text(f"{base.zh}，没有舍去采用者。", f"{base.en}; none of the treated left out.")
        return CheckResult(name="rows_used", passed=True, text=text)
    names = ", ".join(lost[:3]) + (" …" if len(lost) > 3 else "")
    text = Text(
        f"{base.zh}；前后没有同一季节的结果而舍去 {count(len(lost))} 个（{names}）。",
        f"{base.en}; {count(len(lost))} left out without a like season on both sides ({names}).",
    )
    return CheckResult(name="rows_used", passed=None, text=text)


def _settings(
    panel: Panel, policy: Policy, rows: TreatedRows, window: int | None, level: float, margin: float | None
) -> dict[str, Any]:
    return {
        "outcome": rows.indicator.id,
        "policy": policy.policy_id,
        "entity_kind": panel.entity,
        "freq": panel.freq,
        "sampling": panel.sampling,
        "window": window,
        "weight": rows.weighted_by,
        "inference": "paired t",
        "level": level,
        **({} if margin is None else {"margin": margin}),
    }


def _nothing_paired(rows: TreatedRows, window: int | None) -> DataError:
    times = rows.rows["event_time"]
    span = f"event times {int(times.min())} to {int(times.max())}" if len(times) else "no outcome of the treated"
    return DataError(
        "QB587",
        found=span + ("" if window is None else f", window={window}"),
        expected="an outcome before the start and from it on, in the same season",
        fix="widen the window (first, last) of the panel, or window=None",
    )
