"""Effects of single instruments of a policy, where the data can tell them apart; else only that of the whole policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from qbase.core.given import check_margin
from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import Plan, Policy, match_policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.effects.comparison.dose_starts import (
    LEAST_APART,
    LEAST_CLUSTERS,
    TITLES,
    DoseStarts,
    count_first,
    cut_alone,
    list_starts,
    place_doses,
    read_instruments_asked,
    say_first,
)
from qbase.effects.comparison.effect_words import drawing_notes, given_notes, treated_text
from qbase.effects.comparison.outcome_grid import OutcomeGrid, Weight, build_grid
from qbase.effects.credibility.dose_checks import check_doses, compare_doses
from qbase.effects.credibility.group_time_cells import check_cells_imputed, read_window
from qbase.effects.doubt.few_clusters import SEED, infer
from qbase.effects.estimators.imputed import BASE, PARALLEL_ON
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window, list_path_terms
from qbase.effects.judging.evidence_grade import judge_evidence
from qbase.effects.judging.headroom import check_headroom
from qbase.effects.judging.path_result import assemble_path, path_checks
from qbase.stats.rates.difference_intervals import check_level

METHOD = "instrument_imputation"
ALONE = Text(
    "只算{name}已经开始、其他工具尚未开始的季度；政策已实施而这项工具未到位的季度不计。这是政策连同这一项工具的效果，"
    "与其他工具同时使用时的效果可能不同。",
    "Counts only quarters in which {name} had begun and no other instrument had; quarters of the policy before it are "
    "left out. It is the effect of the policy with this instrument alone; together with others it may be another.",
)
AFTERWARDS = Text(
    "事后设定：{name}没有在锁定的方案中点名。", "Set afterwards: {name} was not singled out in a locked plan."
)
ONLY_PACKAGE = Text(
    "现有数据只能判断整套政策的效果，不能分出各项工具：比其他工具先行满 {quarters} 个季度的集群，{found}；每项至少要"
    " {least} 个集群。",
    "The data can tell only the effect of the whole policy, not of its instruments: clusters in which one ran for "
    "{quarters} quarters before any other began: {found}; {least} clusters are needed for each.",
)


def estimate_instruments(
    panel: Panel,
    policy: Policy,
    outcome: str,
    doses: pd.DataFrame | None = None,
    *,
    instruments: Sequence[str] | None = None,
    weight: Weight = "equal",
    clusters: Mapping[str, str] | None = None,
    vcov: str | None = "CRV3",
    level: float = 0.95,
    margin: float | None = None,
    seed: int = SEED,
) -> tuple[Result, ...]:
    """Estimate the effects of at most two instruments singled out in the plan, each while no other had begun.

    The effect of an instrument is read where it came first, from its own first quarter until any other begins, against
    what untreated quarters impute; where others already ran, nothing is read, so that effects need not add up.
    Effects are given only where each instrument ran for four quarters before any other in at least five clusters; else
    only the effect of the whole policy can be told, and every result says so.

    Parameters
    ----------
    panel : Panel
        By quarters.
    policy : Policy
        Who was treated from when; its plan singles out the instruments.
    outcome : str
        Id of an indicator of the panel.
    doses : pandas.DataFrame or None
        As `qbase.indicators.read_doses` gives them: entity, period, instrument, value. None takes those the policy
        carries.
    instruments : sequence of str or None
        At most two of ``W1`` to ``W7``; None takes those of the plan. What a locked plan does not name is 事后设定.
    weight, clusters, level, margin, seed
        As in `estimate_imputation`.
    vcov : str or None
        As there; the jackknife over clusters by default, because histories with quarters left out cannot change places.

    Returns
    -------
    tuple of Result
        One for each instrument, with the terms of `estimate_imputation`, or ``unanswered``. The grade is moderate at
        most. Check ``dose_unpredicted`` (failures of the four quarters before do not predict when it began and how
        large its dose was) limits the evidence where it fails or cannot be made. Table ``starts``.

    Raises
    ------
    PolicyError
        None declared, unknown ones, more than two, or doses that tell nothing or begin before the policy (QB569).
    PanelError, DataError, UsageError
        As `estimate_imputation`.

    Examples
    --------
    >>> from qbase.effects import estimate_instruments
    >>> from qbase.indicators import build_panel, build_policy, read_doses
    >>> from qbase.lake import open_workspace
    >>> workspace = open_workspace()
    >>> panel, policy = build_panel(workspace, "D1.batch"), build_policy(workspace, "base")
    >>> doses = read_doses(workspace, policy)
    >>> found = estimate_instruments(panel, policy, "D1.batch", doses, instruments=["W2", "W6"])
    >>> print(found[0].say().items[0].en)  # in the demo all instruments begin with the policy
    The data can tell only the effect of the whole policy, not of its instruments: clusters in which one ran for 4
    quarters before any other began: quality services (W2) 0, the test platform (W6) 0; 5 clusters are needed for each.
    """
    check_level(level)
    named = read_instruments_asked(policy, instruments)
    carried = policy if doses is None else dataclasses.replace(policy, doses=doses)
    policy = match_policy(carried, panel.entities)
    grid = build_grid(panel, policy, outcome, weight=weight, clusters=clusters)
    starts = place_doses(grid, policy)
    n_first = {code: count_first(grid, starts, code) for code in named}
    if min(n_first.values()) < LEAST_CLUSTERS:
        return tuple(_only_package(panel, policy, grid, starts, code, n_first) for code in named)
    options = _Options(vcov=vcov, level=level, margin=check_margin(margin), seed=read_count("seed", seed, example="1"))
    return tuple(_estimate(panel, policy, grid, starts, code, n_first, options) for code in named)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Options:
    """How an effect is estimated."""

    vcov: str | None
    level: float
    margin: float | None
    seed: int


def _estimate(
    panel: Panel,
    policy: Policy,
    grid: OutcomeGrid,
    starts: DoseStarts,
    code: str,
    n_first: Mapping[str, int],
    options: _Options,
) -> Result:
    cut = cut_alone(grid, starts, code)
    before, after = read_window(cut, None, None)
    window = Window(leads=before, lags=after)
    estimator = ImputationEstimator(window=window, terms=list_path_terms(cut, window))
    fit = estimator(cut)
    if not np.isfinite(fit.beta[0]):
        return _only_package(panel, policy, grid, starts, code, n_first)
    inference = infer(cut, estimator, fit, vcov=options.vcov, level=options.level, seed=options.seed)
    unit = difference_unit(grid.indicator.unit)
    test = compare_doses(grid, starts, code, seed=options.seed)
    plan = _plan_of(policy, n_first)
    found = assemble_path(
        panel,
        policy,
        cut,
        fit,
        inference,
        method=METHOD,
        level=options.level,
        settings={**_settings(code, n_first), "leads": before, "lags": after, "seed": options.seed},
        checks=(
            *path_checks(panel, cut, inference, level=options.level),
            check_cells_imputed(cut, fit),
            check_doses(test, code, effect=float(fit.beta[0]), unit=unit),
        ),
        notes=(*_notes(panel, code, plan), PARALLEL_ON["probability"], BASE),
        tables={"starts": list_starts(grid, starts, [code])},
        labels={"att": _while_alone(code)},
        margin=options.margin,
        subject=_first_in(code),
    )
    capped = dataclasses.replace(found, grade="moderate")
    return judge_evidence(capped, check_headroom(capped), plan=plan)


def _only_package(
    panel: Panel, policy: Policy, grid: OutcomeGrid, starts: DoseStarts, code: str, n_first: Mapping[str, int]
) -> Result:
    words = {"quarters": str(LEAST_APART), "least": str(LEAST_CLUSTERS)}
    return Result(
        estimand="effect",
        outcome=grid.indicator,
        unit=difference_unit(grid.indicator.unit),
        method=METHOD,
        estimates=(),
        subject=policy.treated or treated_text(panel.entity),
        tables={"starts": list_starts(grid, starts, [code])},
        notes=(*_notes(panel, code, _plan_of(policy, n_first)), *given_notes(panel, policy)),
        settings={
            "outcome": grid.indicator.id, "policy": policy.policy_id, "entity_kind": panel.entity, "freq": panel.freq,
            **_settings(code, n_first),
        },
        sources=(*panel.sources, *policy.sources),
        labels={"unanswered": Text("只能判断整套政策", "only the whole policy can be judged")},
        unanswered=ONLY_PACKAGE.format(found=say_first(n_first), **words),
        coverage=panel.coverage_of(grid.indicator.id),
    )  # fmt: skip


def _plan_of(policy: Policy, n_first: Mapping[str, int]) -> Plan | None:
    """Return the plan as it holds for these instruments: one that does not name them was set afterwards for them."""
    plan = policy.plan
    if plan is None or set(n_first) <= set(plan.instruments):
        return plan
    return dataclasses.replace(plan, post_hoc=True)


def _notes(panel: Panel, code: str, plan: Plan | None) -> tuple[Text, ...]:
    late = () if plan is not None and not plan.post_hoc else (AFTERWARDS.format(name=TITLES[code]),)
    return (ALONE.format(name=TITLES[code]), *late, *drawing_notes(panel))


def _settings(code: str, n_first: Mapping[str, int]) -> dict[str, object]:
    return {
        "instrument": code, "instruments": list(n_first), "clusters_first": dict(n_first), "least_apart": LEAST_APART,
        "least_clusters": LEAST_CLUSTERS,
    }  # fmt: skip


def _first_in(code: str) -> Text:
    name = TITLES[code]
    return Text(f"先用{name.zh}的集群", f"clusters in which {name.en} came first")


def _while_alone(code: str) -> Text:
    name = TITLES[code]
    return Text(
        f"{name.zh}单独实施期间平均，与同期未采用者相比，",
        f"on average while {name.en} ran alone, compared with those not treated, ",
    )
