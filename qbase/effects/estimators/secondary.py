"""Secondary outcomes of a plan: the same design for each, and p values adjusted for being looked at together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.numbers import number, p_value
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of, doubt, quantity
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text, same
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid, Weight, build_grid
from qbase.effects.doubt.few_clusters import SEED
from qbase.effects.doubt.placebo_paths import Exchange, find_exchange, ready_replay
from qbase.effects.estimators.compared_designs import try_estimate
from qbase.effects.fitting.aggregation import GroupTimePath
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window
from qbase.effects.fitting.path_fit import Estimator
from qbase.effects.judging.design_options import Name
from qbase.stats.testing.romano_wolf import romano_wolf_p

DRAWS = 999
NONE = "–"
DESIGNS: Mapping[str, Name] = {"imputation": "imputation", "group_time": "staggered"}
CAPTION = Text("次要结果：{policy}", "Secondary outcomes: {policy}")
NOTE = Text(
    "次要结果：评价方案所列，设计与主要结果相同；校正后的 p 值由同一组置换（{draws} 种采用方式）按 Romano–Wolf "
    "逐步得出，且不小于各自区间的 p 值：各项合在一起，误报的机会不超过所用水平。",
    "Secondary outcomes: those of the plan, by the design of the primary one. Adjusted p values come step by step from "
    "the same permutations ({draws} ways of adopting) for all (Romano and Wolf), and none is below that of its own "
    "interval: the chance of any false alarm among them together is at most the level.",
)
NOT_COMPUTED = Text("无法估计", "cannot be estimated")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Secondary:
    """Effects on the secondary outcomes of a plan.

    Parameters
    ----------
    results : tuple of Result
        In the order of the plan, those that can be estimated.
    adjusted : tuple of float
        Adjusted p value of each; NaN where histories cannot change places.
    lost : tuple of str
        Outcomes of the plan that cannot be estimated.
    policy : Text
        Its name.
    n_draws : int
        Permutations behind the p values.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.effects import Secondary
    >>> Secondary(results=(), adjusted=(), lost=(), policy=Text("基地", "Bases"), n_draws=0).tables()
    ()
    """

    results: tuple[Result, ...]
    adjusted: tuple[float, ...]
    lost: tuple[str, ...]
    policy: Text
    n_draws: int

    def tables(self) -> tuple[Table, ...]:
        """Return one table marked as secondary; none where the plan names no secondary outcome."""
        if not self.results and not self.lost:
            return ()
        columns = (
            Column(label=Text("次要结果", "Secondary outcome")),
            Column(label=Text("平均效果", "Average effect"), numeric=True),
            Column(label=Text("区间", "Interval"), numeric=True),
            Column(label=Text("校正后的 p", "Adjusted p"), numeric=True),
        )
        rows = [_row(r, p) for r, p in zip(self.results, self.adjusted, strict=True)]
        rows += [(same(outcome), NOT_COMPUTED, NONE, NONE) for outcome in self.lost]
        table = Table(
            name="secondary_outcomes",
            caption=CAPTION.format(policy=self.policy),
            columns=columns,
            rows=tuple(rows),
            note=NOTE.format(draws=number(self.n_draws + 1, 0)),
            data={
                "outcome": [*(r.outcome.id for r in self.results), *self.lost],
                "value": [*(r.find("att").value for r in self.results), *[None] * len(self.lost)],
                "p_adjusted": [*(None if np.isnan(p) else p for p in self.adjusted), *[None] * len(self.lost)],
            },
            style="effects",
        )
        return (table,)


def estimate_secondary(
    panel: Panel | None,
    policy: Policy,
    leading: Result,
    *,
    weight: Weight = "equal",
    seed: int = SEED,
    draws: int = DRAWS,
) -> Secondary:
    """Estimate the secondary outcomes that the plan of a policy names, with p values that hold for all together.

    Parameters
    ----------
    panel : Panel or None
        Holds them, as ``secondary`` of `qbase.indicators.build_variants`.
    policy : Policy
        Its plan names them; without a plan, or with none named, there is nothing to estimate.
    leading : Result
        Of the primary outcome: design and event times are taken from it.
    weight : {"equal", "n"} or mapping
        As for the primary outcome.
    seed, draws : int
        Of the permutations, the same for every outcome.

    Returns
    -------
    Secondary
        An outcome that cannot be estimated, or any under a design without permutations, is listed without a number.

    References
    ----------
    Romano, J. P. and Wolf, M. (2005). Stepwise multiple testing as formalized data snooping. Econometrica 73.

    Examples
    --------
    >>> import dataclasses
    >>> from qbase.core import Plan
    >>> from qbase.effects import estimate_imputation, estimate_secondary
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), ["D1.batch", "D1.firm"])
    >>> words = dict.fromkeys(["population", "weight", "window", "comparator", "inference"], "")
    >>> plan = Plan(outcome="D1.batch", secondary=("D1.firm", "D1.severe"), **words)
    >>> policy = dataclasses.replace(build_policy(open_workspace(), "base"), plan=plan)
    >>> effect = estimate_imputation(panel, policy, "D1.batch", leads=2, lags=2)
    >>> found = estimate_secondary(panel, policy, effect)
    >>> [result.outcome.id for result in found.results], found.lost
    (['D1.firm'], ('D1.severe',))
    """
    named = () if policy.plan is None else policy.plan.secondary
    design = DESIGNS.get(leading.method)
    if not named or panel is None or design is None:
        return Secondary(results=(), adjusted=(), lost=named, policy=policy.title, n_draws=0)
    options: dict[str, Any] = {
        "weight": weight, "seed": seed, "subject": leading.subject, "level": leading.find("att").ci_level,
        "leads": leading.settings.get("leads"), "lags": leading.settings.get("lags"),
    }  # fmt: skip
    found = {i: r for i in named if (r := try_estimate(design, panel, policy, i, options)) is not None}
    adjusted, n_draws = _adjust(panel, policy, tuple(found), design, weight=weight, seed=seed, draws=draws)
    return Secondary(
        results=tuple(found.values()),
        adjusted=tuple(_not_below(float(p), r) for p, r in zip(adjusted, found.values(), strict=True)),
        lost=tuple(i for i in named if i not in found),
        policy=policy.title,
        n_draws=n_draws,
    )


def adjust_together(
    grids: list[OutcomeGrid], estimator: Estimator, *, seed: int = SEED, draws: int = DRAWS
) -> tuple[Floats, int]:
    """Return adjusted p values of the overall effects on several outcomes of the same entities, and the draws behind.

    Every draw lets whole histories change places, the same for all outcomes, so that it carries how they move together.
    No effect is taken out of them first: that of an average of few treated takes their noise along, and a true null is
    rejected too often (12 clusters, 5 treated, 3 outcomes: 18 % at 5 %).

    Parameters
    ----------
    grids : list of OutcomeGrid
        One an outcome; entities in one order.
    estimator : Estimator
        Its first term is the overall effect.
    seed, draws : int
        Of the permutations.
    """
    observed, drawn = [], []
    exchange: Exchange | None = None
    for grid in grids:
        fit = estimator(grid)
        exchange = exchange or find_exchange(grid, estimator, fit, draws=draws, seed=seed)
        if exchange is None or not len(exchange.places):
            return np.full(len(grids), np.nan), 0
        replay = ready_replay(grid, estimator, fit)
        is_dates = exchange.kind == "dates"
        blocks = replay.of_dates(grid, exchange.places) if is_dates else replay.of_histories(grid.y, exchange.places)
        every = np.append(np.concatenate(list(blocks))[:, 0], fit.beta[0])
        # one scale for all rows, the observed one among them, so that exchangeable rows stay so
        scaled = np.abs(np.nan_to_num(every / np.sqrt(np.nanmean(every**2)), nan=np.inf))
        observed.append(float(scaled[-1]))
        drawn.append(scaled[:-1])
    return romano_wolf_p(observed, np.column_stack(drawn)), 0 if exchange is None else len(exchange.places)


def _adjust(
    panel: Panel, policy: Policy, ids: tuple[str, ...], design: Name, *, weight: Weight, seed: int, draws: int
) -> tuple[Floats, int]:
    if not ids:
        return np.empty(0), 0
    grids = [build_grid(panel, policy, i, weight=weight) for i in ids]
    shared = sorted(set.intersection(*(set(g.entities) for g in grids)))
    kept = [g.keep(pd.Index(g.entities).isin(shared)) for g in grids]
    if not all(g.is_treated.any() and not g.is_treated.all() for g in kept):
        return np.full(len(ids), np.nan), 0
    estimator: Estimator = (
        GroupTimePath(leads=1, lags=0)
        if design == "staggered"
        else ImputationEstimator(window=Window(leads=0, lags=0), terms=(("att", None),))
    )
    return adjust_together(kept, estimator, seed=seed, draws=draws)


def _not_below(adjusted: float, result: Result) -> float:
    """Return an adjusted p value that never contradicts the interval beside it, whose method is more cautious."""
    own = result.find("att").p_value
    return adjusted if own is None or np.isnan(adjusted) else max(adjusted, own)


def _row(result: Result, adjusted: float) -> tuple[str | Text, ...]:
    att = result.find("att")
    value = quantity(att.value, result.unit, digits_of(result, att), sign=True)
    return (result.outcome.label, value, doubt(result, att), NONE if np.isnan(adjusted) else p_value(adjusted))
