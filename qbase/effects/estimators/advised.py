"""The effect by the design that the data can carry: what leads, and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from qbase.core import periods
from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import Policy, match_policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Margin
from qbase.effects.comparison.effect_words import given_notes, treated_text
from qbase.effects.comparison.outcome_grid import Weight, build_grid
from qbase.effects.credibility.all_checks import check_credibility
from qbase.effects.credibility.functional_form import check_functional_form
from qbase.effects.credibility.group_time_cells import read_window
from qbase.effects.credibility.planned_looks import check_as_planned, check_decision_date
from qbase.effects.doubt.few_clusters import SEED
from qbase.effects.estimators.before_after import estimate_before_after
from qbase.effects.estimators.imputed import estimate_imputation
from qbase.effects.estimators.staggered import estimate_staggered
from qbase.effects.estimators.synthetic import estimate_synthetic
from qbase.effects.fitting.aggregation import GroupTimePath
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window, list_path_terms
from qbase.effects.judging.advice import Advice, advise
from qbase.effects.judging.design_options import Name
from qbase.effects.judging.evidence_grade import judge_evidence
from qbase.effects.judging.headroom import add_margin, check_headroom

NOT_ESTIMATED = Text(
    "{subject}的{outcome}只能描述走势，不能给出政策效果：{why}。",
    "The {outcome} of {subject} can be described, and no effect of the policy estimated: {why}.",
)


def estimate_advised(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    advice: Advice | None = None,
    leads: int | None = None,
    lags: int | None = None,
    weight: Weight = "equal",
    level: float = 0.95,
    margin: Margin | None = None,
    seed: int = SEED,
    subject: Text | None = None,
) -> tuple[Result, ...]:
    """Estimate an effect by the strongest design the data can carry, with the others that answer the same question.

    Several treated: imputation leads, group-time effects and imputation on the log-odds stand beside it. One treated,
    or controls that only a weighted mean can follow: synthetic control leads, before against after stands beside it.
    Nobody to compare with: before against after, marked weak. Else a described path, without a number.

    Parameters
    ----------
    panel, policy, outcome
        See `qbase.effects.estimate_imputation`.
    advice : Advice or None
        From `qbase.effects.advise`, which None asks.
    leads, lags : int or None
        Event times shown.
    weight : {"equal", "n"} or mapping
        Share of each entity in the average effect.
    level : float
        Confidence level.
    margin : Margin or None
        The smallest gain that matters, with source and date: what the headroom is held against, and the margin of two
        one-sided tests.
    seed : int
        Of whatever is drawn.
    subject : Text or None
        The treated in words.

    Returns
    -------
    tuple of Result
        The first leads; it carries the checks of headroom, plan and functional form, and the grade of docs/evidence.md.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        As the estimator that leads.

    Examples
    --------
    >>> from qbase.effects import estimate_advised
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> results = estimate_advised(panel, policy, "D1.batch", leads=2, lags=2)
    >>> [result.method for result in results]
    ['imputation', 'group_time', 'imputation_logit']
    """
    advice = advise(panel, policy, outcome) if advice is None else advice
    shared: dict[str, Any] = {"weight": weight, "level": level, "subject": subject}
    paths = {**shared, "leads": leads, "lags": lags, "seed": seed}
    lead = advice.lead.name
    if lead == "path":
        return (describe_path(panel, policy, outcome, why=advice.find("imputation").why, subject=subject),)
    if lead == "before_after":
        return (_judged(panel, policy, estimate_before_after(panel, policy, outcome, **shared), margin),)
    if lead == "synthetic":
        found = estimate_synthetic(panel, policy, outcome, seed=seed, **shared)
        beside = [estimate_before_after(panel, policy, outcome, **shared)] if advice.find("before_after").can else []
        return (_judged(panel, policy, found, margin), *beside)
    makers: Mapping[Name, Callable[..., Result]] = {
        "imputation": estimate_imputation,
        "staggered": estimate_staggered,
    }
    found = makers[lead](panel, policy, outcome, **paths)
    others = [
        make(panel, policy, outcome, **paths) for name, make in makers.items() if name != lead and advice.find(name).can
    ]
    checks = check_path(panel, policy, outcome, lead, **paths)
    if lead == "imputation" and has_counts(panel, outcome):
        odds = estimate_imputation(panel, policy, outcome, scale="logit", **paths)
        others, checks = [*others, odds], (*checks, check_functional_form(found, odds))
    return (_judged(panel, policy, found, margin, *checks), *others)


def check_path(
    panel: Panel,
    policy: Policy,
    outcome: str,
    lead: Name,
    *,
    leads: int | None,
    lags: int | None,
    weight: Weight,
    **options: Any,
) -> tuple[CheckResult, ...]:
    """Return the checks of credibility of the path that leads, by the estimator it was estimated with."""
    grid = build_grid(panel, policy, outcome, weight=weight)
    before, after = read_window(grid, leads, lags)
    if lead == "staggered":
        return check_credibility(grid, GroupTimePath(leads=before, lags=after), policy)
    window = Window(leads=before, lags=after)
    return check_credibility(grid, ImputationEstimator(window=window, terms=list_path_terms(grid, window)), policy)


def has_counts(panel: Panel, outcome: str) -> bool:
    """Return whether an outcome is a rate of passes among batches, which log-odds need."""
    is_counted = {f"{outcome}__n", f"{outcome}__k"} <= set(panel.data.columns)
    return is_counted and panel.sampling == "naive" and panel.indicator(outcome).unit == "pct"


def describe_path(panel: Panel, policy: Policy, outcome: str, *, why: Text, subject: Text | None = None) -> Result:
    """Return the plain means of the treated and of the others by period, and why no effect is estimated.

    Parameters
    ----------
    panel, policy, outcome
        See `estimate_advised`.
    why : Text
        The reason, as part of a sentence.
    subject : Text or None
        The treated in words.

    Returns
    -------
    Result
        Without estimates; table ``paths`` as every effect has it.

    Raises
    ------
    PanelError
        Unknown (QB123) or shrunk (QB125) indicator.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.effects import describe_path
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> path = describe_path(panel, policy, "D1.batch", why=Text("只有一个对象采用", "one alone is treated"))
    >>> print(path.say().items[0].en)
    The batch pass rate of treated clusters can be described, and no effect of the policy estimated: one alone is
    treated.
    """
    panel.refuse_shrunk(outcome)
    indicator = panel.indicator(outcome)
    values = panel.data[outcome].astype(float).unstack("period").sort_index(axis=1)
    treated = values.index.astype(str).isin(list(match_policy(policy, panel.entities).first_treated))
    columns: dict[str, Any] = {"period": [periods.code(p) for p in pd.PeriodIndex(values.columns)]}
    for name, side in (("treated", values[treated]), ("comparison", values[~treated])):
        columns |= {f"{name}_mean": side.mean().to_numpy(), f"n_{name}": side.notna().sum().to_numpy(dtype=np.int64)}
    open_words = {word: Text(f"{{{word}}}", f"{{{word}}}") for word in ("subject", "outcome")}
    return Result(
        estimand="effect",
        outcome=indicator,
        unit=difference_unit(indicator.unit),
        method="path",
        estimates=(),
        subject=subject or policy.treated or treated_text(panel.entity),
        tables={"paths": pd.DataFrame(columns)},
        settings={"outcome": outcome, "policy": policy.policy_id, "entity_kind": panel.entity, "freq": panel.freq},
        notes=given_notes(panel, policy),
        sources=(*panel.sources, *policy.sources),
        labels={"unanswered": Text("没有效果估计", "no effect estimated")},
        unanswered=NOT_ESTIMATED.format(**open_words, why=why),
        coverage=panel.coverage_of(outcome),
    )


def _judged(panel: Panel, policy: Policy, found: Result, margin: Margin | None, *checks: CheckResult) -> Result:
    """Return the leading result with what it is judged by: headroom, plan, dates of decision, and its grade."""
    if margin is not None:
        found = add_margin(found, margin)
    planned = check_as_planned(found, policy.plan)
    looked = check_decision_date(panel, policy.plan, found)
    return judge_evidence(
        found, check_headroom(found, smallest_that_matters=margin), planned, looked, *checks, plan=policy.plan
    )
