"""What a panel holds, in words: balance, gaps, counts behind the rates, adoption of a policy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.numbers import WHOLE_UNITS, count, digits_for, percent
from qbase.core.panel import Panel
from qbase.core.periods import code
from qbase.core.policy import Policy, match_policy
from qbase.core.results.sentences import quantity
from qbase.core.shown.display import Prose
from qbase.core.text import Text

BARS, NOTHING = "▁▂▃▄▅▆▇█", "·"
STEPS = 10


def describe_panel(panel: Panel, policy: Policy | None = None) -> Prose:
    """Say what a panel holds before anything is estimated from it.

    Parameters
    ----------
    panel : Panel
        N entities x T periods.
    policy : Policy, optional
        Adoption is told when given.

    Returns
    -------
    Prose
        One sentence each on size and balance, gaps, every indicator, adoption.

    Raises
    ------
    PanelError
        Never for a valid panel; building the panel has checked it.

    Examples
    --------
    >>> from qbase.explore import describe_panel
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q1", last="2025Q4")
    >>> for sentence in describe_panel(panel).items:
    ...     print(sentence.en)
    The panel holds 12 entities over 8 periods (2024Q1 to 2025Q4); cells observed: 93 (96.9%); entities seen in
    every period: 9; not balanced.
    Entities with gaps: 3, longest gap in periods: 1 (Songjing polyamide fibre cluster); late entries: 0, early
    exits: 0.
    batch pass rate: 0 missing, minimum 38.9%, median 88.2%, maximum 100.0%, middle half 80.0% to 91.3%, how many in
    10 equal steps from minimum to maximum ▁·▁▁▁▃▄▅█▅; median count per cell 18, cells with fewer than 5: 0.
    """
    seen = pd.DataFrame(True, index=panel.data.index, columns=["seen"])["seen"]
    grid = seen.unstack("period").reindex(index=panel.entities, columns=panel.periods).notna().to_numpy()
    items = [_balance(panel, grid), _gaps(panel, grid)]
    items += [_indicator(panel, name) for name in panel.indicators]
    if policy is not None:
        items.append(_adoption(panel, policy))
    return Prose(name="panel", items=tuple(items))


def longest_gap(row: np.ndarray) -> int:
    """Return the longest run of missing periods between the first and the last seen.

    Parameters
    ----------
    row : ndarray of bool, shape (T,)
        Whether the entity is seen in each period.
    """
    places = np.flatnonzero(row)
    return int(np.diff(places).max(initial=1) - 1)


def _balance(panel: Panel, grid: np.ndarray) -> Text:
    full = int(grid.all(axis=1).sum())
    facts = {
        "entities": count(grid.shape[0]),
        "periods": count(grid.shape[1]),
        "first": code(panel.periods[0]),
        "last": code(panel.periods[-1]),
        "cells": count(int(grid.sum())),
        "share": percent(100 * float(grid.mean())),
        "full": count(full),
        "balance": Text("平衡", "balanced") if grid.all() else Text("不平衡", "not balanced"),
    }
    return Text(
        "面板有 {entities} 个主体、{periods} 期（{first} 至 {last}），有观测的格 {cells} 个（{share}），"
        "{full} 个主体每期都有观测：{balance}。",
        "The panel holds {entities} entities over {periods} periods ({first} to {last}); cells observed: {cells} "
        "({share}); entities seen in every period: {full}; {balance}.",
    ).format(**facts)


def _gaps(panel: Panel, grid: np.ndarray) -> Text:
    gaps = {entity: longest_gap(row) for entity, row in zip(panel.entities, grid, strict=True)}
    holed = {entity: gap for entity, gap in gaps.items() if gap}
    late, early = int((~grid[:, 0]).sum()), int((~grid[:, -1]).sum())
    ends = Text("；{late} 个主体晚于首期进入，{early} 个早于末期退出", "; late entries: {late}, early exits: {early}")
    ends = ends.format(late=count(late), early=count(early))
    if not holed:
        return Text("没有主体中途缺期", "Entities with gaps: none") + ends + Text("。", ".")
    worst = max(holed, key=lambda entity: holed[entity])
    told = Text(
        "{n} 个主体中途缺期，最长 {gap} 期（{name}）", "Entities with gaps: {n}, longest gap in periods: {gap} ({name})"
    )
    return told.format(n=count(len(holed)), gap=holed[worst], name=panel.label(worst)) + ends + Text("。", ".")


def _indicator(panel: Panel, name: str) -> Text:
    values = panel.data[name]
    unit = panel.indicator(name).unit
    whole = unit in WHOLE_UNITS
    digits = 0 if whole else digits_for(unit, None, float(values.min()), float(values.max()))
    facts: dict[str, object] = {
        "name": panel.indicator(name).name,
        "missing": count(int(values.isna().sum())),
        "low": quantity(float(values.min()), unit, digits),
        "middle": quantity(float(values.median()), unit, digits),
        "high": quantity(float(values.max()), unit, digits),
    }
    told = Text(
        "{name}：缺值 {missing} 个，最小 {low}，中位 {middle}，最大 {high}",
        "{name}: {missing} missing, minimum {low}, median {middle}, maximum {high}",
    )
    behind = Text("", "")
    if f"{name}__n" in panel.data:
        n = panel.data[f"{name}__n"]
        facts |= {"n": f"{n.median():g}", "few": count(int((n < 5).sum()))}
        behind = Text(
            "；每格批次数中位 {n}，不足 5 批的格 {few} 个",
            "; median count per cell {n}, cells with fewer than 5: {few}",
        )
    return (told + _spread(values, unit, digits) + behind + Text("。", ".")).format(**facts)


def _spread(values: pd.Series[Any], unit: str, digits: int) -> Text:
    """Return the middle half of some values, and how many lie where between their ends as bars in a line of text."""
    known = values.dropna().to_numpy(dtype=float)
    if len(known) < 2 or not known.max() > known.min():
        return Text("", "")
    tally = np.histogram(known, bins=STEPS)[0]
    tall = np.ceil(tally / tally.max() * len(BARS)).astype(int)
    drawn = "".join(BARS[n - 1] if n else NOTHING for n in tall)
    low, high = (quantity(float(end), unit, digits) for end in np.quantile(known, [0.25, 0.75]))
    return Text(
        f"，中间一半 {low.zh}～{high.zh}，从最小到最大分 {STEPS} 段的个数 {drawn}",
        f", middle half {low.en} to {high.en}, how many in {STEPS} equal steps from minimum to maximum {drawn}",
    )


def _adoption(panel: Panel, policy: Policy) -> Text:
    known = set(panel.entities)
    policy = match_policy(policy, panel.entities)
    first = {entity: start for entity, start in policy.first_treated.items() if entity in known}
    waves = " · ".join(f"{code(start)}: {n}" for start, n in sorted(Counter(first.values()).items()))
    outside = len(policy.first_treated) - len(first)
    before = sum(start <= panel.periods[0] for start in first.values())
    return Text(
        "政策“{title}”：{treated} 个主体实施（{waves}），{never} 个从未实施；首期之前已实施 {before} 个，"
        "不在面板中的实施主体 {outside} 个。",
        "Policy “{title}”: adopters {treated} ({waves}), never treated {never}; adopted by the first period {before}, "
        "adopters outside the panel {outside}.",
    ).format(
        title=policy.title,
        treated=count(len(first)),
        waves=waves or "–",
        never=count(len(known) - len(first)),
        before=count(before),
        outside=count(outside),
    )
